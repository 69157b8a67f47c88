"""How a tensor lies in memory: strides, contiguity, memory formats; and changes of shape in place, which move no element."""

from __future__ import annotations

import builtins
import sys

import numpy as np

from ..core.copying import address, memory_of, owner_of
from ..core.dtypes import check_one_dtype
from ..core.inplace import change_shape
from ..core.modes import recording
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, make_tensor, needs_grad, register, version_of
from ..kernels import xp
from .creation import as_shape, zeros
from .index import add_at, get
from .shape import check_dim

__all__ = ["as_strided", "as_strided_", "channels_last", "channels_last_3d", "contiguous_format", "preserve_format", "strided"]

contiguous_format, preserve_format, strided = "contiguous_format", "preserve_format", "strided"
channels_last, channels_last_3d = "channels_last", "channels_last_3d"  # (N, H, W, C) and (N, D, H, W, C) in memory
CHANNELS_LAST = {4: channels_last, 5: channels_last_3d}


def memory_order(op, memory_format, ndim):
    """The axes in the order in which a format has them in memory."""
    if memory_format in (None, contiguous_format):
        return tuple(range(ndim))
    if memory_format not in (channels_last, channels_last_3d):
        raise ValueError(f"{op}: expected a memory format such as minigrad.channels_last, got {memory_format!r}")
    if CHANNELS_LAST.get(ndim) != memory_format:
        raise RuntimeError(f"{op}: {memory_format} is for tensors of {4 if memory_format == channels_last else 5} dimensions, this one has {ndim}")
    return (0, *range(2, ndim), 1)


@primitive(method=False, laws="linear")
def packed(input, /, order):
    """A copy of the input without gaps in memory, its axes there in this order."""
    return input.transpose(order).copy("C").transpose([order.index(axis) for axis in range(input.ndim)])


@packed.vjp("input")
def _(g):
    return g


@packed.cases
def _(draw):
    x = draw.array(draw.shape())
    return (x, tuple(draw.permutation(x.ndim))), {}


@function
def is_contiguous(self, memory_format=contiguous_format):
    """Whether the elements are in order in memory, without gaps: by axes, or as a memory format has them."""
    if memory_format not in (None, contiguous_format) and CHANNELS_LAST.get(self.ndim) != memory_format:
        return False
    return bool(self.array.transpose(memory_order("is_contiguous", memory_format, self.ndim)).flags.c_contiguous)


@function
def contiguous(self, memory_format=contiguous_format):
    """This tensor with its elements in order in memory: itself, if they are."""
    order = memory_order("contiguous", memory_format, self.ndim)
    return self if is_contiguous(self, memory_format) else packed(self, order)


@function
def stride(self, dim=None):
    """How many elements further the next one along each axis is in memory."""
    strides = tuple([s // self.array.itemsize for s in self.array.strides])
    return strides if dim is None else strides[check_dim("stride", dim, self.ndim)]


@function
def element_size(self):
    """Bytes of one element."""
    return self.array.itemsize


@function
def data_ptr(self):
    """The address of the first element."""
    return self.array.__array_interface__["data"][0]


@function
def storage_offset(self):
    """How many elements of the memory that this tensor is a view of come before its first one."""
    root = memory_of(self.array)
    low = root.__array_interface__["data"][0] + sum([s * (n - 1) for s, n in zip(root.strides, root.shape, strict=True) if s < 0 and n])
    return (data_ptr(self) - low) // self.array.itemsize


@function
def as_strided(input, size, stride, storage_offset=None):
    """A view of the memory that the input lies in, with these lengths, strides and offset, all in elements. Elements may overlap.

    The gradient of an element of memory is the sum of what all its places in the view got; it goes to the input where the input has it.

    Raises:
        RuntimeError: a place lies outside of the memory, or the offset or a stride is negative.

    >>> import minigrad
    >>> minigrad.arange(6).as_strided((2, 2), (1, 3), 1)
    tensor([[1, 4],
            [2, 5]])
    """
    shape, strides = as_shape("as_strided", (size,)), as_shape("as_strided", (stride,))
    own = TABLE["storage_offset"](input)
    offset = own if storage_offset is None else storage_offset
    if len(shape) != len(strides):
        raise RuntimeError(f"as_strided: {len(shape)} lengths but {len(strides)} strides")
    if offset < 0:
        raise RuntimeError(f"as_strided: expected an offset that is not negative, got {offset}")
    return strided_view(input, shape, strides, offset - own, TABLE["stride"](input))


@primitive(method=False, view=True, tested_by="ops/test_strided.py")
def strided_view(input, /, shape, strides, start, own):
    """The elements `start` and more places after the input's first one; `own` are the input's strides."""
    owner = owner_of(input)
    first = (address(input) - address(owner)) // input.itemsize + start
    last = first + builtins.sum([s * (n - 1) for s, n in zip(strides, shape, strict=True)])
    if 0 not in shape and not 0 <= first <= last < owner.size:
        raise RuntimeError(f"as_strided: places {first} to {last} do not all lie in the memory of {owner.size} elements")
    flat = owner.reshape(-1, order="A")[first:] if 0 not in shape else input.reshape(-1)[:0]
    return np.lib.stride_tricks.as_strided(flat, shape, [s * input.itemsize for s in strides])


@strided_view.vjp("input")
def _(g, input_shape, shape, strides, start, own):
    taken, kept = places(shape, strides) + start, places(input_shape, own)
    low = builtins.min(taken.min(initial=0), kept.min(initial=0))
    taken, kept = taken - low, kept - low
    n = int(builtins.max(taken.max(initial=0), kept.max(initial=0))) + 1
    memory = add_at(zeros(n, dtype=g.dtype), g, (taken,))
    shared = np.bincount(kept.reshape(-1), minlength=n)[kept]  # by so many elements of an input that was expanded
    return get(memory, (kept,)) / make_tensor(shared.astype(g.dtype))


def places(shape, strides):
    """How far each element of a view lies from its first one, in elements."""
    out = np.zeros(shape, np.int64)
    for axis, (n, step) in enumerate(zip(shape, strides, strict=True)):
        out += (np.arange(n) * step).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return out


@function
def as_strided_(input, size, stride, storage_offset=None):
    """as_strided of the tensor itself, which needs no gradient and is no view: other elements of its memory take the place of its own."""
    if needs_grad(input) or input.base is not None:
        raise RuntimeError("as_strided_: the tensor has a history or is a view; compute a new one by as_strided")
    new = as_strided(input, size, stride, storage_offset)
    input.array, input.path = new.array, (input.path, (strided_view, (), 0))
    return input


def set_(self, source):
    """Makes this tensor share the memory and the shape of another one of its dtype, and returns it.

    Raises:
        RuntimeError: the dtypes differ, or the graph is recorded and one of both needs a gradient.
    """
    if not isinstance(source, Tensor):
        raise TypeError(f"set_: expected a tensor, got {type(source).__name__}")
    check_one_dtype("set_", self, source)
    if recording() and (needs_grad(self) or needs_grad(source)):
        raise RuntimeError("set_: no gradient flows into memory that is exchanged; do it under no_grad()")
    self.data = source
    self.version, self.base, self.path = version_of(source), None, None
    return self


register("set_", set_)
register("layout", property(lambda self: strided, doc="How elements are found in memory: by strides."))


# --- shapes changed in place ------------------------------------------------------------------------------------------


@function
def transpose_(self, dim0, dim1):
    """Exchanges two axes of this tensor itself."""
    a, b = check_dim("transpose_", dim0, self.ndim), check_dim("transpose_", dim1, self.ndim)
    return change_shape("transpose_", self, [("transpose", a, b)] if self.ndim else [])


@function
def t_(self):
    """Transposes this matrix itself; a vector stays as it is."""
    if self.ndim > 2:
        raise RuntimeError(f"t_: expected at most 2 dimensions, got shape {self.shape}; use transpose_")
    return change_shape("t_", self, [("transpose", 0, 1)] if self.ndim == 2 else [])


@function
def unsqueeze_(self, dim):
    """Puts an axis of length 1 into this tensor itself, before axis `dim`."""
    return change_shape("unsqueeze_", self, [("unsqueeze", check_dim("unsqueeze_", dim, self.ndim + 1))])


@function
def squeeze_(self, dim=None):
    """Takes the axes of length 1 out of this tensor itself, or those named, where their length is 1."""
    dims = range(self.ndim) if dim is None else [check_dim("squeeze_", d, self.ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))]
    found = [d for d in sorted(set(dims), reverse=True) if self.ndim and self.array.shape[d] == 1]
    return change_shape("squeeze_", self, [("squeeze", d) for d in found])


@function
def swapaxes_(self, axis0, axis1):
    """Exchanges two axes of this tensor itself: NumPy's name for transpose_."""
    return transpose_(self, axis0, axis1)


register("swapdims_", transpose_)


def references(x):
    """How often the write counter, which all views and saved values of a tensor have in common, is referred to."""
    return sys.getrefcount(version_of(x))


ALONE = references(make_tensor(np.zeros(1)))  # what this interpreter counts where nobody else has it


@function
def resize_(self, *sizes, memory_format=contiguous_format):
    """Gives this tensor another shape: its elements stay in order, further ones are whatever was in memory.

    Raises:
        RuntimeError: it needs a gradient, or shares its memory with views or saved values, which would not follow.

    >>> import minigrad
    >>> minigrad.arange(6).resize_(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    shape = as_shape("resize_", sizes)
    if needs_grad(self):
        raise RuntimeError("resize_: a tensor that needs a gradient cannot be resized; compute a new one (x.reshape, x[...])")
    if shape == self.array.shape:
        return self
    if self.base is not None or self.version is not None and references(self) > ALONE:
        raise RuntimeError("resize_: this tensor shares its memory with views, or a graph has saved it; compute a new one (x.reshape, x[...])")
    old = self.array.reshape(-1)
    new = xp(old).empty(shape, old.dtype)
    n = min(old.size, new.size)
    new.reshape(-1)[:n] = old[:n]
    self.array = new
    return self


@function
def resize_as_(self, the_template, *, memory_format=contiguous_format):
    """Gives this tensor the other's shape: see resize_."""
    return resize_(self, the_template.shape)


# --- calling Python for every element ---------------------------------------------------------------------------------


def apply_to_elements(op, self, callable, others):
    if any([needs_grad(x) for x in (self, *others)]):
        raise RuntimeError(f"{op}: a Python function has no gradient; use x.detach(), or an autograd.Function")
    values = np.array([callable(*v) for v in zip(*[x.array.reshape(-1).tolist() for x in (self, *others)], strict=True)])
    return TABLE["copy_"](self, make_tensor(values.reshape(self.array.shape).astype(self.dtype)))


@function
def apply_(self, callable):
    """Replaces every element by what a Python function gives for it: slow, and without a gradient.

    >>> import minigrad
    >>> minigrad.tensor([1.0, 4.0]).apply_(lambda x: x + 1)
    tensor([2., 5.])
    """
    return apply_to_elements("apply_", self, callable, ())


@function
def map_(self, tensor, callable):
    """Replaces every element by what a Python function gives for it and the other tensor's: slow, and without a gradient."""
    if not isinstance(tensor, Tensor) or tensor.shape != self.shape:
        raise RuntimeError(f"map_: expected a tensor of shape {self.shape}, got {getattr(tensor, 'shape', type(tensor).__name__)}")
    return apply_to_elements("map_", self, callable, (tensor,))
