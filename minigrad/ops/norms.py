"""Norms of vectors and of matrices, as minigrad.linalg has them; minigrad.norm, which they rest on, is in reduce."""

from __future__ import annotations

import math

from ..core.primitive import of_tensors
from .arithmetic import abs
from .decompositions import svdvals
from .reduce import amax, amin, norm, sum
from .shape import check_dim, check_dims, movedim


@of_tensors
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The norm (sum |x|**ord)**(1/ord) over axes, all of them by default, as of one vector; largest or smallest |x| for ord inf, -inf.

    Its gradient at 0 is taken as 0.

    >>> import minigrad
    >>> minigrad.linalg.vector_norm(minigrad.tensor([[3.0], [4.0]]))
    tensor(5.)
    """
    x = x if dtype is None else x.to(dtype)
    if x.dtype.kind != "f":
        raise RuntimeError(f"linalg.vector_norm: expected floats, got {x.dtype}; convert with x.float()")
    dims = check_dims("linalg.vector_norm", dim, x.ndim)
    if x.array.size == 0 and (ord < 0 or ord == math.inf) and any_empty(x, dims):
        raise RuntimeError(f"linalg.vector_norm: there is no norm of order {ord} of no elements: shape {x.shape}, dim {dim}")
    return norm(x, ord, dims if x.ndim else None, keepdim)


def any_empty(x, dims):
    return 0 in [x.shape[d] for d in dims]


@of_tensors
def matrix_norm(input, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices.

    Args:
        input: a tensor of floats.
        ord: "fro" (Frobenius), "nuc" (sum of singular values), 2 and -2 (largest and smallest one), 1 and -1 (largest and smallest sum of
            a column's absolute values), inf and -inf (of a row's).
        dim: the two axes that are the matrices'.

    >>> import minigrad
    >>> minigrad.linalg.matrix_norm(minigrad.tensor([[1.0, 2.0], [2.0, 4.0]]))
    tensor(5.)
    """
    input = input if dtype is None else input.to(dtype)
    if input.ndim < 2:
        raise RuntimeError(f"linalg.matrix_norm: expected at least 2 dimensions, got shape {input.shape}")
    if input.dtype.kind != "f":
        raise RuntimeError(f"linalg.matrix_norm: expected floats, got {input.dtype}; convert with x.float()")
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: expected two dimensions, got {dim}")
    dims = tuple([check_dim("linalg.matrix_norm", d, input.ndim) for d in dim])
    if dims[0] == dims[1]:
        raise RuntimeError(f"linalg.matrix_norm: expected two different dimensions, got {tuple(dim)}")
    if ord in ("fro", "f"):
        return norm(input, 2, dims, keepdim)
    if ord in ("nuc", 2, -2):
        values = svdvals(movedim(input, dims, (-2, -1)))
        out = sum(values, -1) if ord == "nuc" else largest_or_smallest(values, ord, -1)
    elif ord in (1, -1, math.inf, -math.inf):
        inner, outer = dims if ord in (1, -1) else reversed(dims)
        sums = sum(abs(input), inner, True)
        out = largest_or_smallest(sums, ord, outer, True).squeeze(dims)
    else:
        raise RuntimeError(f"linalg.matrix_norm: ord must be 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2, got {ord!r}")
    if keepdim:
        for d in sorted(dims):
            out = out.unsqueeze(d)
    return out


def largest_or_smallest(x, ord, dim, keepdim=False):
    """The largest along an axis, which is 0 of no norms; for a negative ord the smallest."""
    if ord < 0:
        return amin(x, dim, keepdim)
    return amax(x, dim, keepdim) if x.shape[dim] else sum(x, dim, keepdim)


@of_tensors
def vector_or_matrix_norm(input, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The norm of vectors, along one axis, or of matrices, along two: see vector_norm and matrix_norm.

    Without `ord` it is the 2-norm of all elements, or over the axes. Without `dim` an `ord` is for a vector or a matrix.
    """
    dims = None if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    if ord is None:
        return vector_norm(input, 2, dims, keepdim, dtype=dtype)
    if dims is None:
        if input.ndim not in (1, 2):
            raise RuntimeError(f"linalg.norm: with ord={ord!r} and no dim a vector or a matrix is expected, got shape {input.shape}")
        dims = tuple(range(input.ndim))
    if len(dims) not in (1, 2):
        raise RuntimeError(f"linalg.norm: expected one or two dimensions, got {dim}")
    if len(dims) == 1:
        if isinstance(ord, str):
            raise RuntimeError(f"linalg.norm: ord={ord!r} is for matrices; a vector was given by dim={dim}, shape {input.shape}")
        return vector_norm(input, ord, dims, keepdim, dtype=dtype)
    return matrix_norm(input, ord, dims, keepdim, dtype=dtype)
