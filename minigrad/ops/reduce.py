"""Reductions: sums, means, extrema and what is built on them."""

from __future__ import annotations

import math

import numpy as np

from ..core.dtypes import check_kind, float16, float32, int64, uint8
from ..core.inplace import in_place
from ..core.primitive import PROMOTE_TO_FLOAT, function, primitive
from ..core.tensor import Tensor, make_tensor
from ..kernels import of, xp
from .arithmetic import abs, sqrt
from .elementwise import clone, maximum, minimum, sign, where
from .families import ValuesAndIndices
from .index import gather
from .shape import check_dim, check_dims, expand, flip, restore_dims
from .transcendental import exp

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "cumprod", "cumsum", "logsumexp", "max", "mean", "median",
    "min", "norm", "prod", "std", "std_mean", "sum", "var", "var_mean",
]  # fmt: skip


# --- sums and products ------------------------------------------------------------------------------------------------


@primitive(laws="reduction")
def sum(input, /, dim=None, keepdim=False, *, dtype=None):
    """The sum over axes, all of them by default; integers are summed as int64.

    >>> import minigrad
    >>> minigrad.ones(2, 3).sum(dim=1)
    tensor([3., 3.])
    """
    if dtype is None and input.dtype.kind in "iub":
        dtype = int64
    dims = check_dims("sum", dim, input.ndim)
    return input.sum(dims, dtype=dtype, keepdims=keepdim) if dtype is not None else of(input).sum_axes(input, dims, keepdim)


@sum.vjp("input")
def _(g, input_shape, dim, keepdim):
    return expand(restore_dims(g, input_shape, check_dims("sum", dim, len(input_shape)), keepdim), input_shape)


@primitive(laws="reduction")
def mean(input, /, dim=None, keepdim=False, *, dtype=None):
    """The mean over axes, all of them by default; NaN over no elements."""
    if np.dtype(dtype or input.dtype).kind != "f":
        raise RuntimeError(f"mean: expected floats, got {np.dtype(dtype or input.dtype)}; convert with x.float(), or pass dtype=")
    dims = check_dims("mean", dim, input.ndim)
    total = input.sum(dims, dtype=dtype, keepdims=keepdim) if dtype is not None else of(input).sum_axes(input, dims, keepdim)
    return total / count(input.shape, dims)


@mean.vjp("input")
def _(g, input_shape, dim, keepdim):
    dims = check_dims("mean", dim, len(input_shape))
    n = count(input_shape, dims)
    share = g if math.isnan(n) else g / n  # there may be no elements to share it
    return expand(restore_dims(share, input_shape, dims, keepdim), input_shape)


def count(shape, dims):
    """How many elements a reduction takes together, as a number that may divide arrays of any float type."""
    n = math.prod([shape[d] for d in dims])
    return float(n) if n else math.nan


@primitive(method=False)
def product(input, /, dim, keepdim, dtype=None):
    """The product over one axis."""
    if dtype is None and input.dtype.kind in "iub":
        dtype = int64
    return input.prod(check_dim("prod", dim, input.ndim), dtype=dtype, keepdims=keepdim)


@product.vjp("input")
def _(g, out, input, dim, keepdim):
    if not keepdim:
        g, out = g.unsqueeze(dim), out.unsqueeze(dim)
    return g * (out / input if bool(all(input != 0)) else product_of_others(input, dim))


@product.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), 0, draw.choice(True, False)), {}


def product_of_others(x, dim):
    """For each element along an axis the product of all the others: without dividing, so that zeros are welcome."""
    x = x.movedim(dim, -1)
    itself = make_tensor(xp(x.array).eye(x.shape[-1], dtype=bool))
    return product(where(itself, 1.0, x.unsqueeze(-2)), -1, False).movedim(-1, dim)


@function
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product over an axis, or over all elements."""
    if dim is None:
        return product(input.reshape(-1), 0, False, dtype)
    return product(input, dim, keepdim, dtype) if input.ndim else product(input.reshape(1), dim, False, dtype)


@primitive(laws="linear")
def cumsum(input, /, dim, *, dtype=None):
    """The sum of all elements up to each one along an axis."""
    if dtype is None and input.dtype.kind in "iub":
        dtype = int64
    return input.cumsum(check_dim("cumsum", dim, input.ndim), dtype=dtype).reshape(input.shape)


@cumsum.vjp("input")
def _(g, dim):
    return flip(cumsum(flip(g, (dim,)), dim), (dim,)) if g.ndim else g


@cumsum.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), draw.choice(0, -1)), {}


@primitive
def cumprod(input, /, dim, *, dtype=None):
    """The product of all elements up to each one along an axis."""
    if dtype is None and input.dtype.kind in "iub":
        dtype = int64
    return input.cumprod(check_dim("cumprod", dim, input.ndim), dtype=dtype).reshape(input.shape)


@cumprod.vjp("input")
def _(g, out, input, dim):
    if not input.ndim:
        return g
    if bool(all(input != 0)):
        return flip(cumsum(flip(g * out, (dim,)), dim), (dim,)) / input
    g, x = g.movedim(dim, -1), input.movedim(dim, -1)
    m = xp(x.array)
    up_to = make_tensor(m.tril(m.ones((x.shape[-1],) * 2, dtype=bool)))
    factors = where(up_to, x.unsqueeze(-2), 1.0)  # row i: the factors of the i-th product, then ones
    slopes = where(up_to, product_of_others(factors, -1), 0.0)
    return sum(g.unsqueeze(-1) * slopes, -2).movedim(-1, dim)


@cumprod.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), draw.choice(0, -1)), {}


# --- extrema ----------------------------------------------------------------------------------------------------------


@primitive(laws="reduction")
def amax(input, /, dim=(), keepdim=False):
    """The largest element over axes, all of them by default. Elements that tie share the gradient equally."""
    return extreme("amax", input, dim, keepdim)


@primitive(laws="reduction")
def amin(input, /, dim=(), keepdim=False):
    """The smallest element over axes, all of them by default. Elements that tie share the gradient equally."""
    return extreme("amin", input, dim, keepdim)


def extreme(op, x, dim, keepdim):
    dims = check_dims(op, dim, x.ndim)
    if x.size == 0 and 0 in [x.shape[d] for d in dims]:
        raise IndexError(f"{op}: there is no extremum of no elements: shape {x.shape}, dim {dim}")
    return (x.max if op == "amax" else x.min)(dims, keepdims=keepdim)


@amax.vjp("input")
@amin.vjp("input")
def _(g, input, out, dim, keepdim):
    dims = check_dims("amax", dim, input.ndim)
    chosen = input == restore_dims(out, input.shape, dims, keepdim)
    chosen = chosen.to(g.dtype)
    return restore_dims(g, input.shape, dims, keepdim) * (chosen / sum(chosen, dims, True))


@primitive(accepts="fiu")
def argmax(input, /, dim=None, keepdim=False):
    """The index of the largest element along an axis (the first, if several tie), or among all elements."""
    return find_extremum("argmax", input, dim, keepdim)


@primitive(accepts="fiu")
def argmin(input, /, dim=None, keepdim=False):
    """The index of the smallest element along an axis (the first, if several tie), or among all elements."""
    return find_extremum("argmin", input, dim, keepdim)


def find_extremum(op, x, dim, keepdim):
    if x.size == 0 and (dim is None or x.shape[check_dim(op, dim, x.ndim)] == 0):
        raise IndexError(f"{op}: there is no extremum of no elements: shape {x.shape}")
    if x.ndim == 0:
        return xp(x).zeros((), int64)
    axis = None if dim is None else check_dim(op, dim, x.ndim)
    return getattr(x, op)(axis, keepdims=keepdim)


@argmax.cases
@argmin.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)),), {"dim": draw.choice(None, 0, -1), "keepdim": draw.choice(False, True)}


def extremum(op, input, dim, keepdim, other, whole, pairwise, index):
    """max and min in their three forms: of all elements, of two tensors, along an axis with the places."""
    if isinstance(dim, Tensor):
        other, dim = dim, None
    if other is not None:
        return pairwise(input, other)
    if dim is None:
        return whole(input)
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: argument 'input' must be a tensor, got {type(input).__name__}; minigrad.tensor(...) makes one")
    if not isinstance(dim, int):
        raise TypeError(f"{op}: expected a dimension or another tensor, got {type(dim).__name__}")
    check_dim(op, dim, input.ndim)
    indices = index(input if input.dtype.kind != "b" else input.to(uint8), dim, True)  # which by itself refuses truth values
    values = gather(input, dim, indices) if input.ndim else input
    if not keepdim and input.ndim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return ValuesAndIndices((values, indices))


@function
def max(input, dim=None, keepdim=False, *, other=None):
    """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices).

    Along an axis the gradient goes to the element at the index; over all elements those that tie share it equally.

    >>> import minigrad
    >>> values, indices = minigrad.max(minigrad.tensor([[1.0, 3.0], [4.0, 2.0]]), dim=1)
    >>> values, indices
    (tensor([3., 4.]), tensor([1, 0]))
    """
    return extremum("max", input, dim, keepdim, other, amax, maximum, argmax)


@function
def min(input, dim=None, keepdim=False, *, other=None):
    """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices).

    Along an axis the gradient goes to the element at the index; over all elements those that tie share it equally.
    """
    return extremum("min", input, dim, keepdim, other, amin, minimum, argmin)


@function
def median(input, dim=None, keepdim=False):
    """The middle element (the lower one of two; NaN if there is one) of all, or along an axis as (values, indices)."""
    check_kind("median", "fiu", input)
    if dim is None:
        return median(input.reshape(-1), 0)[0] if input.array.size else make_tensor(xp(input.array).full((), math.nan, input.dtype))
    dim = check_dim("median", dim, input.ndim)
    if input.ndim == 0:
        return ValuesAndIndices((clone(input), make_tensor(xp(input.array).zeros((), int64))))
    n = input.shape[dim]
    if n == 0:
        raise IndexError(f"median: there is no median of no elements: shape {input.shape}, dim {dim}")
    array = input.array
    order = make_tensor(array.argsort(axis=dim, kind="stable"))
    valid = (array == array).sum(dim, keepdims=True)  # NaN, which differs from itself, is sorted to the end, and is the median if there is one
    indices = gather(order, dim, make_tensor(xp(array).where(valid < n, valid, (n - 1) // 2)))
    values = gather(input, dim, indices)
    return ValuesAndIndices((values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim)))


# --- truth ------------------------------------------------------------------------------------------------------------


@primitive
def all(input, /, dim=None, keepdim=False):
    """Whether all elements are true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""
    out = xp(input).all(input, check_dims("all", dim, input.ndim), keepdims=keepdim)
    return out if input.dtype != uint8 else out.astype(uint8)


@primitive
def any(input, /, dim=None, keepdim=False):
    """Whether any element is true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""
    out = xp(input).any(input, check_dims("any", dim, input.ndim), keepdims=keepdim)
    return out if input.dtype != uint8 else out.astype(uint8)


@primitive
def count_nonzero(input, /, dim=None):
    """How many elements are not zero."""
    return (input != 0).sum(check_dims("count_nonzero", dim, input.ndim), dtype=int64)


@all.cases
@any.cases
@count_nonzero.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1), 0, 1), draw.choice(None, 0, -1)), {}


# --- statistics and norms ---------------------------------------------------------------------------------------------


@function
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance over axes: squared distances from the mean, summed and divided by n - correction."""
    return moments("var", input, dim, unbiased, keepdim, correction)[0]


@function(method=False)
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The variance and the mean over axes."""
    return moments("var_mean", input, dim, unbiased, keepdim, correction)


def moments(op, input, dim, unbiased, keepdim, correction):
    if isinstance(dim, bool):  # torch's old form: var(unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"{op}: expected unbiased or correction, got both ({unbiased}, {correction})")
    if unbiased is not None and not isinstance(unbiased, (bool, int)):
        raise TypeError(f"{op}: expected unbiased to be a bool, got {type(unbiased).__name__} {unbiased!r}")
    correction = int(unbiased) if unbiased is not None else 1 if correction is None else correction
    if input.dtype.kind != "f":
        raise RuntimeError(f"{op}: expected floats, got {input.dtype}; convert with x.float()")
    dims = check_dims(op, dim, input.ndim)
    middle = mean(input, dims, True)
    n = math.prod([input.shape[d] for d in dims]) - correction
    distance = input - middle
    spread = sum(distance * distance, dims, keepdim) / (float(n) if n > 0 else math.nan if n == 0 and not input.ndim else 0.0)
    return spread, middle if keepdim else middle.reshape(spread.shape)


@function
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation over axes: the square root of the variance."""
    return sqrt(moments("std", input, dim, unbiased, keepdim, correction)[0])


@function(method=False)
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The standard deviation and the mean over axes."""
    spread, middle = moments("std_mean", input, dim, unbiased, keepdim, correction)
    return sqrt(spread), middle


@primitive(promotion=PROMOTE_TO_FLOAT)
def logsumexp(input, /, dim, keepdim=False):
    """log(sum(exp(input))) over axes, computed without overflow."""
    m = xp(input)
    dims = check_dims("logsumexp", dim, input.ndim)
    top = input.max(dims, keepdims=True) if input.size else m.zeros([1 if i in dims else n for i, n in enumerate(input.shape)], input.dtype)
    top = m.where(m.isfinite(top), top, 0)
    out = m.log(m.exp(input - top).sum(dims, keepdims=True)) + top
    return out if keepdim else out.squeeze(dims)


@logsumexp.vjp("input")
def _(g, out, input, dim, keepdim):
    dims = check_dims("logsumexp", dim, input.ndim)
    g, out = restore_dims(g, input.shape, dims, keepdim), restore_dims(out, input.shape, dims, keepdim)
    return g * exp(input - out)


@logsumexp.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1, min_size=1)), 0), {"keepdim": draw.choice(True, False)}


@function
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The p-norm over axes: (sum |x|**p)**(1/p); the Euclidean one by default. Its gradient at 0 is taken as 0."""
    if dtype is not None:
        input = input.to(dtype)
    if input.dtype.kind != "f":
        raise RuntimeError(f"norm: expected floats, got {input.dtype}; convert with x.float()")
    if p != "nuc":
        check_dims("norm", dim, input.ndim)
    if p == "nuc":
        from .norms import matrix_norm

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: p must be a number, 'fro' or 'nuc', got {p!r}")
    if input.dtype == float16:  # whose powers would overflow
        return norm(input.to(float32), p, dim, keepdim).to(float16)
    if p in ("fro", 2, None):
        return safe_sqrt(sum(input * input, dim, keepdim))
    if p == math.inf:
        return amax(abs(input), () if dim is None else dim, keepdim)
    if p == -math.inf:
        return amin(abs(input), () if dim is None else dim, keepdim)
    if p == 0:
        return sum(abs(sign(input)), dim, keepdim)
    if p == 1:
        return sum(abs(input), dim, keepdim)
    size = abs(input)
    nothing = size == 0
    total = sum(where(nothing, 0.0 if p > 0 else math.inf, where(nothing, 1.0, size) ** p), dim, keepdim)
    nothing = total == 0
    return where(nothing, 0.0, where(nothing, 1.0, total) ** (1.0 / p))


@primitive(method=False, laws="elementwise", oracle=math.sqrt)
def safe_sqrt(input, /):
    """The square root, with the derivative taken as 0 at 0: what the norm of a zero vector wants."""
    return xp(input).sqrt(input)


@safe_sqrt.vjp("input")
def _(g, out):
    return where(out == 0, 0.0, g / (2.0 * out))


@safe_sqrt.cases
def _(draw):
    return (draw.array(draw.shape(), low=0.1),), {}


for op in (cumsum, cumprod):
    in_place(op)
