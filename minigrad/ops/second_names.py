"""Names that torch has beside others: of older versions, and for tensors of complex numbers, which are real here."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from ..core.dtypes import bool_
from ..core.primitive import function
from ..core.size import Size
from ..core.tensor import Tensor, register
from .creation import empty, empty_strided, ones_like, tensor
from .decompositions import multi_dot
from .index import setitem
from .joining import chunk, split, tensor_split, vstack
from .linalg import outer
from .shape import check_dim, last_two, t

__all__ = ["adjoint", "broadcast_shapes", "chain_matmul", "ger", "is_neg", "isreal", "row_stack", "slice_scatter", "unsafe_chunk", "unsafe_split"]


@function
def adjoint(input):
    """The last two axes exchanged, and conjugated, which for real numbers changes nothing. A view."""
    return last_two("adjoint", input)


register("mH", property(lambda self: last_two("mH", self), doc="The last two axes exchanged, of real numbers. A view."))
register("H", property(lambda self: conjugate_transpose(self), doc="A matrix transposed, of real numbers. A view."))


def conjugate_transpose(x):
    if x.ndim not in (0, 2):
        raise RuntimeError(f"H: expected a matrix, got shape {x.shape}; mH takes the last two axes of any tensor")
    return t(x)


@function
def isreal(input):
    """Whether each element is a real number: True everywhere."""
    return ones_like(input, dtype=bool_)


@function
def is_neg(input):
    """Whether the sign is still to be changed: never."""
    return False


@function
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """The input with the source in place of the slice start:end:step of an axis: what input[start:end:step] = src would make of it."""
    key = (slice(None),) * check_dim("slice_scatter", dim, input.ndim) + (slice(start, end, step),)
    if step <= 0:
        raise RuntimeError(f"slice_scatter: expected a positive step, got {step}")
    wanted = input.array[key].shape
    if src.array.shape != wanted:
        raise RuntimeError(f"slice_scatter: expected a source of shape {wanted}, that of the slice, got {src.shape}")
    return setitem(input, src, key)


def broadcast_shapes(*shapes):
    """The shape to which tensors of these shapes (or lengths) broadcast.

    >>> import minigrad
    >>> minigrad.broadcast_shapes((2, 1), (3,))
    (2, 3)
    """
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(f"broadcast_shapes: the shapes {shapes} cannot be broadcast together") from None


def chain_matmul(*matrices):
    """The product of several matrices, in the order that takes the fewest multiplications: linalg.multi_dot's older name."""
    return multi_dot(list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)) else list(matrices))


@function
def new(self, *data):
    """A tensor of this one's dtype, from a sequence or uninitialised of the lengths given: the older form of new_tensor and new_empty."""
    if len(data) == 1 and isinstance(data[0], (list, Tensor, np.ndarray)):
        return tensor(data[0], dtype=self.dtype)
    return empty(*(data or (0,)), dtype=self.dtype)


@function
def new_empty_strided(self, size, stride, *, dtype=None, device=None, requires_grad=False):
    """An unfilled tensor of a shape and strides, with this tensor's dtype."""
    return empty_strided(size, stride, dtype=self.dtype if dtype is None else dtype, device=device, requires_grad=requires_grad)


def by_themselves(input, pieces, dim):
    """These pieces of the input along an axis, each a view by itself: such may be written in place."""
    return tensor_split(input, list(accumulate([x.shape[dim] for x in pieces]))[:-1], dim)


@function
def unsafe_split(tensor, split_size, dim=0):
    """split, with pieces that may be written in place while the graph is recorded."""
    return by_themselves(tensor, split(tensor, split_size, dim), dim)


@function
def unsafe_chunk(input, chunks, dim=0):
    """chunk, with pieces that may be written in place while the graph is recorded."""
    return by_themselves(input, chunk(input, chunks, dim), dim)


def unsafe_split_with_sizes(self, split_sizes, dim=0):
    """split_with_sizes, with pieces that may be written in place while the graph is recorded."""
    return by_themselves(self, split(self, tuple(split_sizes), dim), dim)


register("unsafe_split_with_sizes", unsafe_split_with_sizes)
row_stack, ger = vstack, outer
register("ger", outer)
for name in ("is_pinned", "is_shared"):
    register(name, lambda self: False)
