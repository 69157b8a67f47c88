"""A tensor's dtype, device, layout and size; and the way out to NumPy and Python."""

from __future__ import annotations

import numpy as np

from ..core.dtypes import bool_, float16, float32, float64, int8, int16, int32, int64, uint8
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, check_device, register
from ..kernels import xp
from .creation import number_as, zeros_like

__all__ = ["fill", "is_floating_point", "is_tensor", "numel"]


@primitive(method=False)
def cast(input, /, dtype):
    """The input with another element type."""
    return input.astype(dtype)


@cast.vjp("input")
def _(g):
    return g  # the engine brings it back to the input's dtype


@cast.cases
def _(draw):
    return (draw.array(draw.shape()), draw.choice(float64, float32)), {}


@function
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """This tensor with another dtype, on another device, or like another tensor; itself if nothing changes."""
    for a in args:
        if isinstance(a, Tensor):
            dtype = a.dtype
        elif isinstance(a, str) and not is_dtype_name(a) or type(a).__name__ == "device":
            device = a
        elif not isinstance(a, bool):  # the booleans say whether to wait and whether to copy: here nothing waits
            dtype = a
    check_device("to", device)
    if dtype is not None and np.dtype(dtype) != self.dtype:
        return cast(self, np.dtype(dtype))
    return self.clone() if copy else self


def is_dtype_name(name):
    try:
        np.dtype(name)
    except TypeError:
        return False
    return True


def caster(name, dtype):
    def cast_to(self, *, memory_format=None):
        return to(self, dtype)

    cast_to.__name__ = cast_to.__qualname__ = name
    cast_to.__doc__ = f"This tensor as {dtype}."
    register(name, cast_to)


for name, dtype in (
    ("float", float32), ("double", float64), ("half", float16), ("int", int32), ("long", int64), ("short", int16),
    ("char", int8), ("byte", uint8), ("bool", bool_),
):  # fmt: skip
    caster(name, dtype)


@function
def type_as(self, other):
    """This tensor with the other's dtype."""
    return to(self, other.dtype)


@function
def cpu(self):
    """This tensor in the memory of the host: itself, if it is there already."""
    return self


@primitive(method=False, laws="linear")
def packed(input, /):
    """A copy of the input with its elements in order in memory."""
    return input.copy("C")


@packed.vjp("input")
def _(g):
    return g


@packed.cases
def _(draw):
    return (draw.array(draw.shape()),), {}


@function
def is_contiguous(self, memory_format=None):
    """Whether the elements are in order in memory, without gaps."""
    return bool(self.array.flags.c_contiguous)


@function
def contiguous(self, memory_format=None):
    """This tensor with its elements in order in memory: itself, if they are."""
    return self if is_contiguous(self) else packed(self)


@function
def numel(input):
    """The number of elements."""
    return int(input.array.size)


@function
def size(self, dim=None):
    """The shape, or the length along one axis."""
    return self.shape if dim is None else self.shape[dim]


@function
def dim(self):
    """The number of axes."""
    return self.ndim


@function
def stride(self, dim=None):
    """How many elements further the next one along each axis is in memory."""
    strides = tuple([s // self.array.itemsize for s in self.array.strides])
    return strides if dim is None else strides[dim]


@function
def element_size(self):
    """Bytes of one element."""
    return self.array.itemsize


@function
def data_ptr(self):
    """The address of the first element."""
    return self.array.__array_interface__["data"][0]


@function
def tolist(self):
    """The elements as nested Python lists."""
    return self.array.tolist()


@function
def is_floating_point(input):
    """Whether the dtype is a floating-point type."""
    return input.dtype.kind == "f"


def is_tensor(obj):
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


class device:
    """Where tensors live: "cpu".

    >>> import minigrad
    >>> minigrad.device("cpu").type
    'cpu'
    """

    __slots__ = ("index", "type")

    def __init__(self, type, index=None):
        kind, _, number = str(type).partition(":")
        if kind not in ("cpu", "cuda"):
            raise RuntimeError(f"device: expected 'cpu' or 'cuda', got {str(type)!r}")
        self.type = kind
        self.index = int(number) if number else index

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        return f"device(type={self.type!r}" + (f", index={self.index})" if self.index is not None else ")")

    def __eq__(self, other):
        return isinstance(other, (device, str)) and str(self) == str(other)

    def __hash__(self):
        return hash(str(self))


CPU = device("cpu")
register("device", property(lambda self: CPU, doc="Where the tensor lives."))


# --- whole-tensor writes ----------------------------------------------------------------------------------------------


@primitive(method=False, laws="linear")
def copy(input, src, /, non_blocking=False):
    """The source, broadcast to the input's shape and cast to its dtype: what copy_ writes."""
    return xp(input).broadcast_to(src, input.shape).astype(input.dtype)


@copy.vjp("input")
def _(g):
    return zeros_like(g)


@copy.vjp("src")
def _(g):
    return g


@copy.writes
def _(array, src, non_blocking):
    array[...] = src


@copy.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(shape), draw.array(draw.broadcastable(shape))), {}


@primitive(method=False)
def fill(input, value, /):
    """The value, a number or a 0-d tensor, everywhere."""
    return xp(input).full_like(input, number_as("fill", value, input.dtype))


@fill.vjp("input")
def _(g):
    return zeros_like(g)


@fill.vjp("value")
def _(g):
    return g


@fill.writes
def _(array, value):
    array[...] = number_as("fill_", value, array.dtype)


@fill.cases
def _(draw):
    return (draw.array(draw.shape()), draw.array(())), {}


in_place(copy)
in_place(fill)
register("zero_", lambda self: TABLE["fill_"](self, 0))


