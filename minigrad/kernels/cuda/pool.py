"""Pooling, whose gradients are gathered (pool.cu)."""

from __future__ import annotations

from math import prod

from .. import reference
from ..geometry import Ints, Windows
from ..namespace import xp
from .launch import LARGEST, Array, each, empty, fits, packed, takes
from .scatter import segments, sum_at
from .windows import window_arguments


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window and its flat index in the input plane."""
    if not takes(x, windows):
        found: tuple[Array, Array] = reference.max_pool(x, windows)
        return found
    x = packed(x)
    out = empty(x, (*x.shape[:2], *windows.out_size))
    indices = empty(x, out.shape, "int64")
    each("pool", "max_pool", x.dtype, out.size, x, out, indices, prod(x.shape[:2]), *window_arguments(windows))
    return out, indices


def max_pool_input(g: Array, indices: Array, windows: Windows) -> Array:
    """The gradient of max_pool: what pool_scatter gives, gathered."""
    out = empty(g, (*g.shape[:2], *windows.in_size))
    each(
        "pool",
        "max_pool_input",
        g.dtype,
        out.size,
        packed(g),
        packed(indices),
        out,
        prod(g.shape[:2]),
        *window_arguments(windows),
    )
    return out


def plane_places(indices: Array, in_size: Ints) -> Array:
    """Indices into planes as places in all planes together; one that lies in no plane is behind the last, where nothing looks."""
    m, planes, size = xp(indices), prod(indices.shape[:2]), prod(in_size)
    places = indices.reshape(planes, -1)
    within = (places >= 0) & (places < size)
    return m.where(within, places + m.arange(planes)[:, None] * size, planes * size).reshape(-1)


def pool_scatter(g: Array, indices: Array, in_size: Ints, windows: Windows | None = None) -> Array:
    """Adds each value to the element of the plane that its index names; with windows, each of which lies in its own, by a gather."""
    shape = (*g.shape[:2], *in_size)
    if windows is not None and takes(g, windows) and 0 < prod(shape) < LARGEST:
        return max_pool_input(g, indices, windows)
    if not fits(g) or not 0 < prod(shape) < LARGEST:
        return reference.pool_scatter(g, indices, in_size)
    return sum_at(packed(g).reshape(-1, 1), plane_places(indices, in_size), prod(shape)).reshape(shape)


def max_unpool(x: Array, indices: Array, in_size: Ints) -> Array:
    """Writes each value to the element of the plane that its index names; the last of several wins."""
    shape = (*x.shape[:2], *in_size)
    if not fits(x) or not 0 < prod(shape) < LARGEST:
        return reference.max_unpool(x, indices, in_size)
    out = empty(x, shape)
    order, starts = segments(plane_places(indices, in_size), out.size)
    each("scatter", "segment_last", x.dtype, out.size, packed(x), order, starts, out, out.size)
    return out


def pool_gather(x: Array, indices: Array) -> Array:
    """Reads the elements of the plane that the indices name; 0 for one that lies in none."""
    if not fits(x) or not 0 < indices.size < LARGEST:
        return reference.pool_gather(x, indices)
    out = empty(x, indices.shape)
    each(
        "pool",
        "pool_gather",
        x.dtype,
        out.size,
        packed(x),
        packed(indices),
        out,
        out.size,
        prod(indices.shape[2:]),
        prod(x.shape[2:]),
    )
    return out


def sum_pool(x: Array, windows: Windows) -> Array:
    """The sum of each window."""
    if not takes(x, windows):
        return reference.sum_pool(x, windows)
    out = empty(x, (*x.shape[:2], *windows.out_size))
    each("pool", "sum_pool", x.dtype, out.size, packed(x), out, prod(x.shape[:2]), *window_arguments(windows))
    return out


def sum_pool_input(g: Array, windows: Windows) -> Array:
    """The adjoint of sum_pool."""
    shape = (*g.shape[:2], *windows.in_size)
    if not takes(g, windows) or not 0 < prod(shape) < LARGEST:
        return reference.sum_pool_input(g, windows)
    out = empty(g, shape)
    each("pool", "sum_pool_input", g.dtype, out.size, packed(g), out, prod(g.shape[:2]), *window_arguments(windows))
    return out
