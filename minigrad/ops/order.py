"""What sorting tells: distinct elements, ranks, places in a sorted sequence, running extrema."""

from __future__ import annotations

import numpy as np

from ..core.dtypes import check_kind, int32, int64
from ..core.primitive import function
from ..core.tensor import Tensor, as_array, make_tensor
from .families import ValuesAndIndices, of_host
from .index import argsort, gather, sort
from .reduce import amax, amin
from .shape import as_int, check_dim, movedim

__all__ = [
    "aminmax", "bucketize", "cummax", "cummin", "isin", "kthvalue", "mode", "msort", "searchsorted", "unique", "unique_consecutive",
    "unravel_index",
]  # fmt: skip


# --- distinct elements ------------------------------------------------------------------------------------------------


def as_asked(values, inverse, counts, return_inverse, return_counts):
    """The values alone, or a tuple with what else was asked for."""
    if not return_inverse and not return_counts:
        return make_tensor(values)
    chosen = [values] + [inverse] * bool(return_inverse) + [counts] * bool(return_counts)
    return tuple([make_tensor(a) for a in chosen])


@function
@of_host
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, or along an axis the distinct slices, in ascending order.

    Args:
        sorted: the result is sorted in any case.
        return_inverse: return also where in the result each element is.
        return_counts: return also how often each element occurs.
        dim: the axis whose slices are compared; None to compare elements.

    >>> import minigrad
    >>> minigrad.unique(minigrad.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array = input.array
    axis = None if dim is None else check_dim("unique", dim, input.ndim)
    if axis is not None and array.size == 0 and array.shape[axis]:
        raise RuntimeError(f"unique: there are no elements to tell slices apart: shape {array.shape}, dim {dim}")
    if axis is not None and array.ndim == 0:
        array = array.reshape(1)
    values, inverse, counts = np.unique(array, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(array.shape if axis is None else -1)
    return as_asked(values, inverse, counts, return_inverse, return_counts)


@function
@of_host
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements, or along an axis the slices, without those equal to the one before.

    >>> import minigrad
    >>> minigrad.unique_consecutive(minigrad.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    array = input.array.reshape(-1) if dim is None or input.ndim == 0 else input.array
    axis = 0 if dim is None else check_dim("unique_consecutive", dim, array.ndim)
    n = array.shape[axis]
    rows = np.moveaxis(array, axis, 0).reshape(n, -1 if array.size else 0)
    new = np.concatenate([np.ones(min(n, 1), bool), (rows[1:] != rows[:-1]).any(1)])
    starts = new.nonzero()[0]
    counts = np.diff(np.append(starts, n))
    inverse = (new.cumsum() - 1).reshape(input.shape if dim is None else -1)
    return as_asked(array.take(starts, axis), inverse, counts, return_inverse, return_counts)


@function(method=False)
@of_host
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element is among the test elements (with `invert`: is not)."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin: expected a tensor in at least one place")
    check_kind("isin", "fiu", elements, test_elements)
    return make_tensor(np.asarray(np.isin(as_array(elements), as_array(test_elements), assume_unique, invert)))


# --- ranks ------------------------------------------------------------------------------------------------------------


def pair_at(input, indices, dim, keepdim):
    """The values and indices that one place of an axis has been chosen to give."""
    values = gather(input, dim, indices)
    if keepdim or input.ndim == 0:
        return ValuesAndIndices((values, indices))
    return ValuesAndIndices((values.squeeze(dim), indices.squeeze(dim)))


@function
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest element along an axis, counted from 1, and where it stood: (values, indices)."""
    check_kind("kthvalue", "fiu", input)
    n = input.shape[check_dim("kthvalue", dim, input.ndim)] if input.ndim else 1
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue: k={k} is out of range for dimension {dim} of length {n}")
    order = argsort(input, dim)
    return pair_at(input, order.narrow(dim, k - 1, 1) if input.ndim else order, dim, keepdim)


@function
@of_host
def mode(input, dim=-1, keepdim=False):
    """The most frequent element along an axis (the smallest of several), and where it stood last: (values, indices)."""
    dim = check_dim("mode", dim, input.ndim)
    if input.ndim == 0:
        return ValuesAndIndices((input, argsort(input)))
    if input.shape[dim] == 0:
        raise IndexError(f"mode: there is no most frequent of no elements: shape {input.shape}, dim {dim}")
    order = np.moveaxis(argsort(input, dim).array, dim, -1)
    values = np.take_along_axis(np.moveaxis(input.array, dim, -1), order, -1)
    n = values.shape[-1]
    new = np.ones(values.shape, bool)
    new[..., 1:] = values[..., 1:] != values[..., :-1]
    start = np.maximum.accumulate(np.where(new, np.arange(n), 0), -1)
    last = (np.arange(n) - start).argmax(-1)[..., None]  # where the first of the longest runs ends
    return pair_at(input, make_tensor(np.moveaxis(np.take_along_axis(order, last, -1), -1, dim)), dim, keepdim)


@function
def msort(input):
    """The elements in ascending order along the first axis."""
    return sort(input, 0)[0]


@function(method=False)
@of_host
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where the input would have to be put in for the sequence to stay in ascending order.

    Args:
        sorted_sequence: a vector; or a tensor whose last axis is sorted, searched row by row.
        input: a number or a tensor, whose axes but the last agree with the sequence's unless that is a vector.
        out_int32: whether the result is int32 and not int64.
        right: put in after elements that are equal, not before them. side="right" says the same.
        sorter: the indices that sort the sequence, if it is not sorted.

    >>> import minigrad
    >>> minigrad.searchsorted(minigrad.tensor([1, 3, 5]), minigrad.tensor([3, 6]))
    tensor([1, 3])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if right and side == "left":
        raise RuntimeError("searchsorted: side='left' contradicts right=True")
    side = "right" if right or side == "right" else "left"
    check_kind("searchsorted", "fiu", sorted_sequence, input)
    sequence, wanted = sorted_sequence.array, np.asarray(as_array(input))
    if sequence.ndim == 0:
        raise RuntimeError("searchsorted: expected a sequence with at least 1 dimension, got a 0-d tensor")
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape or sorter.dtype != int64:
            raise RuntimeError(f"searchsorted: expected a sorter of int64 and shape {sequence.shape}, got {sorter.dtype} {sorter.shape}")
        sequence = np.take_along_axis(sequence, sorter.array, -1)
    if sequence.ndim == 1:
        found = np.asarray(sequence.searchsorted(wanted, side))
    else:
        if wanted.shape[:-1] != sequence.shape[:-1]:
            raise RuntimeError(
                f"searchsorted: a sequence that is no vector must agree with the input in all axes but the last: "
                f"shapes {sequence.shape} and {wanted.shape}"
            )
        found = np.empty(wanted.shape, int64)
        for place in np.ndindex(sequence.shape[:-1]):
            found[place] = sequence[place].searchsorted(wanted[place], side)
    return make_tensor(found.astype(int32 if out_int32 else int64))


@function(method=False)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The index of the bucket, between boundaries in ascending order, that each element falls into."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"bucketize: expected a vector of boundaries, got shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@function(method=False)
@of_host
def unravel_index(indices, shape):
    """The indices into the flattened array of a shape as one index for each axis.

    >>> import minigrad
    >>> minigrad.unravel_index(minigrad.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    if indices.dtype.kind not in "iu":
        raise ValueError(f"unravel_index: expected indices of integers, got {indices.dtype}")
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (as_int("unravel_index", "the shape", shape),)
    return tuple([make_tensor(np.asarray(a)) for a in np.unravel_index(indices.array, shape)])


# --- running extrema --------------------------------------------------------------------------------------------------


class MinAndMax(tuple[Tensor, Tensor]):
    """What aminmax returns."""

    @property
    def min(self) -> Tensor:
        """The smallest elements."""
        return self[0]

    @property
    def max(self) -> Tensor:
        """The largest elements."""
        return self[1]


@function
def aminmax(input, *, dim=None, keepdim=False):
    """The smallest and the largest element, of all or along an axis: (min, max)."""
    dims = () if dim is None else check_dim("aminmax", dim, input.ndim)
    if input.array.size == 0 and (dim is None or input.shape[dims] == 0):
        raise IndexError(f"aminmax: there is no extremum of no elements: shape {input.shape}, dim {dim}")
    return MinAndMax((amin(input, dims, keepdim), amax(input, dims, keepdim)))


def running(op, input, dim, accumulate):
    """The extremum of all elements up to each one, NaN as soon as one is, and where it stands: the last one of several."""
    axis = check_dim(op, dim, input.ndim)
    if input.ndim == 0:
        return ValuesAndIndices((gather(input, 0, argsort(input)), argsort(input)))
    x = movedim(input, axis, -1).array
    new = (x == accumulate(x, -1)) | (x != x)
    indices = np.maximum.accumulate(np.where(new, np.arange(x.shape[-1]), 0), -1)
    return pair_at(input, make_tensor(np.moveaxis(indices, -1, axis)), axis, True)


@function
@of_host
def cummax(input, dim):
    """The largest element up to each one along an axis, and where it stands: (values, indices)."""
    return running("cummax", input, dim, np.maximum.accumulate)


@function
@of_host
def cummin(input, dim):
    """The smallest element up to each one along an axis, and where it stands: (values, indices)."""
    return running("cummin", input, dim, np.minimum.accumulate)
