"""Functions of each element (maps.cu)."""

from __future__ import annotations

from .. import reference
from .launch import Array, each, empty, fits, one_number, packed


def unary(name: str, x: Array, a: float = 0.0, b: float = 0.0, out: Array | None = None) -> Array:
    """A function of each element, by its name; into `out`, which may be x."""
    if not fits(x) or (out is not None and not out.flags.c_contiguous):
        return reference.unary(name, x, a, b, out)
    out = empty(x, x.shape) if out is None else out
    each("maps", f"unary_{name}", x.dtype, x.size, packed(x), out, x.size, float(a), float(b))
    return out


def binary(name: str, x: Array, z: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """A function of the elements of two arrays in the same place, by its name."""
    if (
        not fits(z)
        or not hasattr(x, "dtype")
        or x.dtype != z.dtype
        or x.shape not in (z.shape, ())
        or type(x) is not type(z)
    ):
        return reference.binary(name, x, z, a, b)
    out = empty(z, z.shape)
    x, step = one_number(x)
    each("maps", f"binary_{name}", z.dtype, z.size, x, packed(z), out, z.size, step, float(a), float(b))
    return out
