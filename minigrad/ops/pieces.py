"""Tensors cut into pieces, and put together from them: windows along an axis, columns, blocks, diagonals, products of sets."""

from __future__ import annotations

import itertools

import numpy as np

from ..core.dtypes import result_type
from ..core.primitive import function, primitive
from ..kernels import xp
from .creation import zeros
from .families import of_host
from .index import get
from .joining import cat, split, stack, tensor_split
from .shape import check_dim, check_dims, meshgrid, place_diagonal, reshape

__all__ = [
    "block_diag", "cartesian_prod", "column_stack", "combinations", "diag_embed", "diagflat", "dsplit", "hsplit", "kron",
    "split_with_sizes", "vsplit",
]  # fmt: skip


# --- windows ----------------------------------------------------------------------------------------------------------


@primitive(view=True, laws="linear")
def unfold(input, /, dimension, size, step):
    """All windows of `size` elements along an axis, `step` apart; a new last axis runs through the window. A view, in which windows may overlap.

    >>> import minigrad
    >>> minigrad.arange(5).unfold(0, 3, 2)
    tensor([[0, 1, 2],
            [2, 3, 4]])
    """
    dim = check_dim("unfold", dimension, input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if not 0 <= size <= n:
        raise RuntimeError(f"unfold: a window of {size} does not fit into dimension {dim} of length {n}")
    if step <= 0:
        raise RuntimeError(f"unfold: expected a positive step, got {step}")
    if input.ndim == 0:
        return input.reshape(1)[:size]
    shape, strides = list(input.shape), list(input.strides)
    shape[dim], strides[dim] = (n - size) // step + 1, strides[dim] * step
    return xp(input).lib.stride_tricks.as_strided(input, (*shape, size), (*strides, input.strides[dim]))


@unfold.vjp("input")
def _(g, input_shape, dimension, size, step):
    return sum_windows(g, input_shape, dimension, size, step)


@unfold.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1, min_size=2)), draw.choice(0, -1), draw.choice(2, 1), draw.choice(1, 2, 3)), {}


@primitive(method=False, laws="linear")
def sum_windows(input, /, shape, dimension, size, step):
    """The windows added up where they came from, in zeros of a shape: the adjoint of unfold."""
    if not shape:
        return input.sum(dtype=input.dtype)
    out = xp(input).zeros(shape, input.dtype)
    dim = check_dim("unfold", dimension, out.ndim)
    n = input.shape[dim]
    for i in range(size):
        out[(slice(None),) * dim + (slice(i, i + n * step, step),)] += input[..., i]
    return out


@sum_windows.vjp("input")
def _(g, dimension, size, step):
    return unfold(g, dimension, size, step)


@sum_windows.cases
def _(draw):
    step = draw.choice(1, 2, 3)
    return (draw.array((2, 3, 2)), (2, 2 * step + 2 + draw.choice(0, step - 1)), 1, 2, step), {}


# --- cutting ----------------------------------------------------------------------------------------------------------


@function
def split_with_sizes(input, split_sizes, dim=0):
    """The input cut along an axis into pieces of these lengths. Views."""
    return split(input, tuple(split_sizes), dim)


def cut(op, input, indices_or_sections, dim):
    """tensor_split, but into equal pieces only."""
    if not isinstance(indices_or_sections, (int, tuple, list)):
        raise TypeError(f"{op}: expected a number of pieces or a tuple of indices, got {type(indices_or_sections).__name__}")
    if isinstance(indices_or_sections, int):
        n = input.shape[dim]
        if indices_or_sections <= 0 or n % indices_or_sections:
            raise RuntimeError(f"{op}: dimension {dim} of length {n} cannot be cut into {indices_or_sections} equal pieces")
    return tensor_split(input, indices_or_sections, dim)


@function
def hsplit(input, indices_or_sections):
    """The input cut along the second axis (the first, for 1-d) into so many equal pieces, or before each of the indices. Views."""
    if input.ndim < 1:
        raise RuntimeError("hsplit: a 0-d tensor cannot be cut")
    return cut("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1)


@function
def vsplit(input, indices_or_sections):
    """The input cut along the first axis into so many equal pieces, or before each of the indices. Views."""
    if input.ndim < 2:
        raise RuntimeError(f"vsplit: expected at least 2 dimensions, got shape {input.shape}")
    return cut("vsplit", input, indices_or_sections, 0)


@function
def dsplit(input, indices_or_sections):
    """The input cut along the third axis into so many equal pieces, or before each of the indices. Views."""
    if input.ndim < 3:
        raise RuntimeError(f"dsplit: expected at least 3 dimensions, got shape {input.shape}")
    return cut("dsplit", input, indices_or_sections, 2)


# --- putting together -------------------------------------------------------------------------------------------------


@function(method=False)
def column_stack(tensors):
    """The tensors side by side along the second axis, vectors as columns."""
    columns = [reshape(x, (-1, 1)) if x.ndim < 2 else x for x in tensors]
    return cat(columns, 1)


@function
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices, along two new axes, that have the last axis of the input on their diagonal.

    >>> import minigrad
    >>> minigrad.diag_embed(minigrad.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    dim1, dim2 = check_dims("diag_embed", (dim1, dim2), ndim)
    n = input.shape[-1] + abs(offset)
    rest = iter(input.shape[:-1])
    shape = tuple([n if d in (dim1, dim2) else next(rest) for d in range(ndim)])
    return place_diagonal(input, shape, offset, dim1, dim2)


@function
def diagflat(input, offset=0):
    """The matrix with all elements of the input on its diagonal."""
    return diag_embed(reshape(input, (-1,)), offset)


@function(method=False)
def block_diag(*tensors):
    """The matrix with these matrices along its diagonal, zeros elsewhere; vectors count as rows."""
    if not tensors:
        return zeros(1, 0)
    dtype = result_type(*tensors)
    blocks = []
    for i, x in enumerate(tensors):
        if x.ndim > 2:
            raise RuntimeError(f"block_diag: expected tensors with at most 2 dimensions, got shape {x.shape} at place {i}")
        blocks.append((x if x.ndim == 2 else reshape(x, (1, -1))).to(dtype))
    width = sum([x.shape[1] for x in blocks])
    rows, left = [], 0
    for x in blocks:
        height, n = x.shape
        rows.append(cat([zeros(height, left, dtype=dtype), x, zeros(height, width - left - n, dtype=dtype)], 1))
        left += n
    return cat(rows, 0)


@function
def kron(input, other):
    """Kronecker's product: every element of the input times the whole of the other, side by side."""
    ndim = max(input.ndim, other.ndim)
    a, b = (1,) * (ndim - input.ndim) + input.shape, (1,) * (ndim - other.ndim) + other.shape
    left = reshape(input, tuple([m for n in a for m in (n, 1)]))
    right = reshape(other, tuple([m for n in b for m in (1, n)]))
    return reshape(left * right, tuple([n * m for n, m in zip(a, b, strict=True)]))


@function(method=False)
def cartesian_prod(*tensors):
    """All combinations of one element of each vector, one row each, as itertools.product; of one vector, the vector."""
    for x in tensors:
        if x.ndim != 1:
            raise RuntimeError(f"cartesian_prod: expected vectors, got shape {x.shape}")
    if len(tensors) == 1:
        return tensors[0]
    return reshape(stack(meshgrid(*tensors), -1), (-1, len(tensors)))


@function
@of_host
def combinations(input, r=2, with_replacement=False):
    """All choices of r elements of a vector, one row each, as itertools.combinations.

    >>> import minigrad
    >>> minigrad.combinations(minigrad.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise RuntimeError(f"combinations: expected a vector, got shape {input.shape}")
    if r < 0:
        raise RuntimeError(f"combinations: expected a number of elements that is not negative, got {r}")
    if r == 0:
        return zeros(0, dtype=input.dtype)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1, r)
    return get(input, places)
