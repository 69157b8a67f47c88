"""Joining and splitting: tensors cut along an axis, and put together."""

from __future__ import annotations

import numpy as np

from ..core.primitive import PROMOTE, function, primitive
from ..core.tensor import Tensor
from ..kernels import xp
from .shape import apart, atleast_1d, atleast_2d, atleast_3d, check_dim, check_dims, narrow, ravel, reshape, unsqueeze

__all__ = [
    "cat", "chunk", "concat", "concatenate", "dstack", "hstack", "roll", "split", "stack", "tensor_split", "unbind", "vstack",
]  # fmt: skip


# --- splitting: several views -----------------------------------------------------------------------------------------


@primitive(method=False, parts=True, view=True, laws="linear")
def split_sizes(input, /, sizes, dim):
    """The input cut along an axis into pieces of these lengths. Views."""
    dim = check_dim("split", dim, input.ndim)
    if sum(sizes) != input.shape[dim] or any([n < 0 for n in sizes]):
        raise RuntimeError(f"split: the sizes {tuple(sizes)} must add up to {input.shape[dim]}, the length of dimension {dim}")
    ends = np.cumsum(sizes)
    return tuple([input[(slice(None),) * dim + (slice(int(end) - n, int(end)),)] for n, end in zip(sizes, ends, strict=True)])


@split_sizes.vjp("input")
def _(g, dim):
    return cat(g, dim)


@split_sizes.cases
def _(draw):
    a, b = draw.size(), draw.size()
    return (draw.array((a + b, 2)), (a, b), 0), {}


@function
def split(tensor, split_size_or_sections, dim=0):
    """The tensor cut along an axis: into pieces of one size (the last may be smaller) or of the sizes given. Views."""
    n = tensor.shape[check_dim("split", dim, tensor.ndim)]
    sizes = split_size_or_sections
    if not isinstance(sizes, (tuple, list)):
        if sizes <= 0:
            raise RuntimeError(f"split: expected a positive size, got {sizes}")
        sizes = [sizes] * (n // sizes) + ([n % sizes] if n % sizes or n == 0 else [])
    return split_sizes(tensor, tuple(sizes), dim)


@function
def chunk(input, chunks, dim=0):
    """The input cut along an axis into at most so many pieces of equal size (the last may be smaller). Views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk: expected a positive number of chunks, got {chunks}")
    n = input.shape[check_dim("chunk", dim, input.ndim)]
    return split(input, max(1, -(-n // chunks)), dim)


@function
def tensor_split(input, indices_or_sections, dim=0):
    """The input cut along an axis: into so many nearly equal pieces, or before each of the indices given. Views."""
    dim = check_dim("tensor_split", dim, input.ndim)
    n = input.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        k = indices_or_sections
        if k <= 0:
            raise RuntimeError(f"tensor_split: expected a positive number of pieces, got {k}")
        if k > 2**31:
            raise MemoryError(f"tensor_split: {k} tensors do not fit into memory")
        indices_or_sections = [i * (n // k) + min(i, n % k) for i in range(1, k)]
    ends = [min(max(i if i >= 0 else i + n, 0), n) for i in indices_or_sections]
    bounds = zip([0, *ends], [*ends, n], strict=True)
    return tuple([narrow(input, dim, a, max(b - a, 0)) for a, b in bounds])  # each a view by itself, as in torch


@primitive(parts=True, view=True, laws="linear")
def unbind(input, /, dim=0):
    """The slices of the input along an axis, without it. Views."""
    if input.ndim == 0:
        raise RuntimeError("unbind: a 0-d tensor cannot be taken apart")
    slices = xp(input).moveaxis(input, check_dim("unbind", dim, input.ndim), 0)
    return tuple([slices[i, ...] for i in range(len(slices))])  # with ... also single elements are views


@unbind.vjp("input")
def _(g, dim):
    return stack(g, dim)


@unbind.cases
def _(draw):
    return (draw.array((draw.size(1), 2)), 0), {}


# --- joining ----------------------------------------------------------------------------------------------------------


@primitive(method=False, laws="linear", promotion=PROMOTE)
def join(*tensors, dim):
    """The tensors side by side along an axis."""
    return xp(tensors[0]).concatenate(tensors, dim)


@join.vjp("tensors")
def _(g, tensors_shape, dim):
    return split_sizes(g, tuple([s[dim] for s in tensors_shape]), dim)


@join.cases
def _(draw):
    return tuple([draw.array((draw.size(), 2)) for _ in range(draw.size(1))]), {"dim": 0}


@function(method=False, alias=("concat", "concatenate"))
def cat(tensors, dim=0):
    """The tensors side by side along an existing axis; all other lengths must agree.

    >>> import minigrad
    >>> minigrad.cat([minigrad.zeros(2, 1), minigrad.ones(2, 2)], dim=1).shape
    (2, 3)
    """
    return joined("cat", tensors, dim)


def joined(op, tensors, dim):
    """cat, under the name of who asks for it."""
    if isinstance(tensors, Tensor) or not tensors:
        raise ValueError(f"{op}: expected a non-empty sequence of tensors")
    tensors_only(op, tensors)
    kept = [x for x in tensors if x.shape != (0,)] or [tensors[0]]  # torch lets empty 1-d tensors pass, whatever the others are
    ndim = kept[0].ndim
    if ndim == 0:
        raise RuntimeError(f"{op}: 0-d tensors cannot be concatenated; use stack")
    dim = check_dim(op, dim, ndim)
    for i, x in enumerate(kept):
        if x.shape[:dim] + x.shape[dim + 1 :] != kept[0].shape[:dim] + kept[0].shape[dim + 1 :]:
            raise RuntimeError(
                f"{op}: all lengths but that of dimension {dim} must agree: tensor 0 has shape {kept[0].shape}, tensor {i} has {x.shape}"
            )
    return join(*kept, dim=dim)


def tensors_only(op, tensors):
    for i, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(f"{op}: expected tensors, got {type(x).__name__} at place {i}")


@function(method=False)
def stack(tensors, dim=0):
    """The tensors, all of one shape, along a new axis."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack: expected a non-empty sequence of tensors")
    tensors_only("stack", tensors)
    for i, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise RuntimeError(f"stack: all shapes must agree: tensor 0 has {tensors[0].shape}, tensor {i} has {x.shape}")
    dim = check_dim("stack", dim, tensors[0].ndim + 1)
    return cat([unsqueeze(x, dim) for x in tensors], dim)


@function(method=False)
def hstack(tensors):
    """The tensors side by side along the second axis (the first, for 1-d)."""
    tensors_only("hstack", tensors)
    tensors = [atleast_1d(x) for x in tensors]
    return joined("hstack", tensors, 1 if tensors and tensors[0].ndim > 1 else 0)


@function(method=False)
def vstack(tensors):
    """The tensors below each other along the first axis."""
    tensors_only("vstack", tensors)
    return joined("vstack", [atleast_2d(x) for x in tensors], 0)


@function(method=False)
def dstack(tensors):
    """The tensors behind each other along the third axis."""
    tensors_only("dstack", tensors)
    return joined("dstack", [atleast_3d(x) for x in tensors], 2)


@function
def roll(input, shifts, dims=()):
    """The elements moved along axes, or in flattened order, those that fall off the end coming in at the start."""
    if dims is None or not isinstance(dims, int) and len(dims) == 0:
        if not isinstance(shifts, int) and len(shifts) != 1:
            raise RuntimeError(f"roll: without dims one shift is expected, got {shifts}")
        return reshape(roll(ravel(input), shifts, 0), input.shape)
    shifts = shifts if isinstance(shifts, (tuple, list)) else (shifts,)
    dims = check_dims("roll", dims, input.ndim)
    if len(shifts) != len(dims):
        raise RuntimeError(f"roll: {len(shifts)} shifts for {len(dims)} dimensions")
    out = input
    for shift, dim in zip(shifts, dims, strict=True):
        n = out.shape[dim]
        if n and shift % n:
            head, tail = split_sizes(out, (n - shift % n, shift % n), dim)
            out = cat([tail, head], dim)
    return apart(out, input)


concat = concatenate = cat
