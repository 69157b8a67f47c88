"""Statistics: sums and means without NaN, quantiles, covariances, histograms, distances, differences and running sums."""

from __future__ import annotations

import math

import numpy as np

from ..core.dtypes import check_one_dtype, float16, float32, float64, int64
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import Tensor, make_tensor
from ..kernels import xp
from .arithmetic import sqrt
from .compare import isnan, logical_xor
from .creation import zeros
from .elementwise import clamp, clone, floor, where
from .elementwise import round as round_to_even
from .families import ValuesAndIndices, of_host
from .index import argsort, gather, get, sort
from .joining import cat, roll
from .linalg import matmul
from .order import pair_at
from .reduce import any, norm, sum
from .shape import check_dim, check_dims, expand, flip, movedim, narrow
from .transcendental import exp

__all__ = [
    "bincount", "cdist", "corrcoef", "cov", "cumulative_trapezoid", "diff", "dist", "histc", "logcumsumexp", "nanmean", "nanmedian",
    "nanquantile", "nansum", "pdist", "quantile", "renorm", "trapezoid", "trapz",
]  # fmt: skip


# --- without NaN ------------------------------------------------------------------------------------------------------


def without_nan(input):
    return where(isnan(input), 0.0, input) if input.dtype.kind == "f" else input


@function
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over axes, NaN counting as 0."""
    check_dims("nansum", dim, input.ndim)
    return sum(without_nan(input), dim, keepdim, dtype=dtype)


@function
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over axes of the elements that are not NaN."""
    if input.dtype.kind != "f":
        raise RuntimeError(f"nanmean: expected floats, got {input.dtype}; convert with x.float()")
    total = nansum(input, dim, keepdim, dtype=dtype)
    return total / sum(~isnan(input), dim, keepdim).to(total.dtype)


@function
@of_host
def nanmedian(input, dim=None, keepdim=False):
    """The middle element (the lower one of two) of those that are not NaN; along an axis as (values, indices)."""
    if dim is None:
        return nanmedian(input.reshape(-1), 0)[0] if input.array.size else make_tensor(np.array(math.nan, input.dtype))
    dim = check_dim("nanmedian", dim, input.ndim)
    if input.dtype.kind == "b":
        raise RuntimeError("nanmedian: truth values have no median; convert with x.int()")
    if input.ndim == 0:
        return ValuesAndIndices((clone(input), argsort(input)))
    if input.shape[dim] == 0:
        raise IndexError(f"nanmedian: there is no median of no elements: shape {input.shape}, dim {dim}")
    count = (input.array == input.array).sum(dim, keepdims=True)  # NaN, which differs from itself, is sorted to the end
    return pair_at(input, gather(argsort(input, dim), dim, make_tensor(np.maximum(count - 1, 0) // 2)), dim, keepdim)


# --- quantiles --------------------------------------------------------------------------------------------------------


def quantiles(op, input, q, dim, keepdim, interpolation, ignore_nan):
    """The values at fractional ranks of the sorted input."""
    if input.dtype not in (float32, float64):
        raise RuntimeError(f"{op}: expected float32 or float64, got {input.dtype}")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(f"{op}: interpolation must be 'linear', 'lower', 'higher', 'midpoint' or 'nearest', got {interpolation!r}")
    q = q if isinstance(q, Tensor) else make_tensor(np.array(q, input.dtype))
    if q.dtype != input.dtype or q.ndim > 1:
        raise RuntimeError(f"{op}: expected q as a number or a vector of the input's dtype {input.dtype}, got {q.dtype} of shape {q.shape}")
    if not ((q.array >= 0) & (q.array <= 1)).all():
        raise RuntimeError(f"{op}: expected q between 0 and 1, got {q.tolist()}")
    if input.array.size == 0:
        raise RuntimeError(f"{op}: there are no quantiles of no elements: shape {input.shape}")
    axis = None if dim is None else check_dim(op, dim, input.ndim)
    rows = input.reshape(-1) if axis is None or input.ndim == 0 else movedim(input, axis, -1)
    rows = sort(rows, -1)[0].unsqueeze(0)
    n = rows.shape[-1]
    missing = isnan(rows)
    if ignore_nan:
        last = clamp(n - 1.0 - sum(missing.to(q.dtype), -1, True), min=0.0)
        ranks = q.reshape((-1,) + (1,) * (rows.ndim - 1)) * last
    else:
        ranks = q.reshape((-1,) + (1,) * (rows.ndim - 1)) * (n - 1.0)
        ranks = where(any(missing, -1, True), n - 1.0, ranks)  # where NaN stands: it is sorted to the end
    below, above = floor(ranks), ranks.ceil()
    if interpolation == "nearest":
        below = above = round_to_even(ranks)
    elif interpolation == "lower":
        above = below
    elif interpolation == "higher":
        below = above
    wide = expand(rows, (q.array.size, *rows.shape[1:]))
    out = gather(wide, -1, below.long())
    if above is not below:
        out = out + (0.5 * (above - below) if interpolation == "midpoint" else ranks - below) * (gather(wide, -1, above.long()) - out)
    out = out.squeeze(-1)
    if keepdim:
        out = out.reshape((-1,) + (1,) * input.ndim) if axis is None or input.ndim == 0 else out.unsqueeze(axis + 1)
    return out if q.ndim else out.squeeze(0)


@function
@of_host
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-quantiles along an axis, or of all elements; NaN if there is one among them.

    Args:
        input: a tensor of floats.
        q: a number between 0 and 1, or a vector of them, which then gives the first axis of the result.
        interpolation: between the two elements around a quantile: "linear", "lower", "higher", "midpoint" or "nearest".

    >>> import minigrad
    >>> minigrad.quantile(minigrad.tensor([0.0, 1.0, 2.0, 5.0]), 0.75)
    tensor(2.7500)
    """
    return quantiles("quantile", input, q, dim, keepdim, interpolation, False)


@function
@of_host
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The q-quantiles, along an axis or of all, of the elements that are not NaN: see quantile."""
    return quantiles("nanquantile", input, q, dim, keepdim, interpolation, True)


# --- counts -----------------------------------------------------------------------------------------------------------


@function
@of_host
def bincount(input, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... occurs in a vector, or the sums of the weights that stand where it does.

    >>> import minigrad
    >>> minigrad.bincount(minigrad.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.ndim != 1 or input.dtype.kind not in "iu" or input.array.size and input.array.min() < 0:
        raise RuntimeError(f"bincount: expected a vector of integers that are not negative, got {input.dtype} of shape {input.shape}")
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength cannot be negative, got {minlength}")
    if weights is None:
        return make_tensor(np.bincount(input.array, minlength=minlength).astype(int64))
    if weights.shape != input.shape:
        raise RuntimeError(f"bincount: expected weights of shape {input.shape}, got {weights.shape}")
    counts = np.bincount(input.array, weights.array, minlength)
    return make_tensor(counts.astype(float32 if weights.dtype == float32 else float64))


@function
@of_host
def histc(input, bins=100, min=0, max=0):
    """How many elements fall into each of so many equal parts of [min, max], by default of the input's own range; others are left out."""
    if input.dtype.kind != "f":
        raise RuntimeError(f"histc: expected floats, got {input.dtype}; convert with x.float()")
    if bins <= 0:
        raise RuntimeError(f"histc: expected a positive number of bins, got {bins}")
    x = input.array.reshape(-1)
    low, high = (float(a.item() if isinstance(a, Tensor) else a) for a in (min, max))
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise RuntimeError(f"histc: expected a finite range from a smaller to a larger number, got [{low}, {high}]")
    inside = x[(x >= low) & (x <= high)]
    width = input.dtype.type(high) - input.dtype.type(low)
    places = np.minimum(((inside - input.dtype.type(low)) * input.dtype.type(bins) / width).astype(int64), bins - 1)  # in the input's precision, as torch
    return make_tensor(np.bincount(places, minlength=bins).astype(input.dtype))


# --- covariances ------------------------------------------------------------------------------------------------------


@function
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) over observations (columns).

    Args:
        input: a matrix; or a vector or number, for one variable.
        correction: what is taken off the number of observations: 1 for the unbiased estimate.
        fweights: how often each observation occurred.
        aweights: how much each observation counts.
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov: expected at most 2 dimensions, got shape {input.shape}")
    if input.dtype.kind == "b":
        raise RuntimeError("cov: truth values have no covariance; convert with x.float()")
    x = input.reshape(1, -1) if input.ndim < 2 else input
    n = x.shape[1]
    weights = None
    for name, w, kinds in (("fweights", fweights, "iu"), ("aweights", aweights, "f")):
        if w is None:
            continue
        if w.ndim > 1 or w.array.size != n or w.dtype.kind not in kinds or w.array.size and w.array.min() < 0:
            raise RuntimeError(
                f"cov: expected {n} {name} of {'integers' if kinds == 'iu' else 'floats'}, none negative, got {w.dtype} of shape {w.shape}"
            )
        weights = w if weights is None else weights * w
    total = float(n) if weights is None else sum(weights)
    if weights is None:
        middle = sum(x, 1, True) / total
        centred = x - middle
        weighted = centred
    else:
        middle = sum(x * weights, 1, True) / total
        centred = x - middle
        weighted = centred * weights
    if weights is None or aweights is None:
        degrees = total - correction
    elif correction == 0:
        degrees = total
    else:
        degrees = total - correction * (sum(weights * aweights) / total)
    degrees = clamp(degrees, min=0) if isinstance(degrees, Tensor) else max(degrees, 0.0)
    product = matmul(weighted, centred.t())
    out = product / degrees if isinstance(degrees, Tensor) or degrees else product / zeros((), dtype=product.dtype)
    return out.reshape(()) if out.shape == (1, 1) else out


@function
def corrcoef(input):
    """The correlation coefficients of variables (rows) over observations (columns), between -1 and 1."""
    c = cov(input)
    if c.ndim == 0:
        return c / c
    deviation = sqrt(c.diagonal())
    return clamp(c / deviation.unsqueeze(1) / deviation.unsqueeze(0), -1.0, 1.0)


# --- distances and differences ----------------------------------------------------------------------------------------


@function
def dist(input, other, p=2):
    """The p-norm of input - other."""
    return norm(input - other, p)


@function(method=False)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distances between all rows of x1 and all rows of x2, for each pair of matrices of a batch.

    Raises:
        RuntimeError: p is negative, or the rows have different lengths.
    """
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: expected matrices with rows of one length, got shapes {x1.shape} and {x2.shape}")
    check_one_dtype("cdist", x1, x2)
    if p < 0:
        raise RuntimeError(f"cdist: expected a p that is not negative, got {p}")
    if x1.shape[-1] == 0:
        return sum(x1.unsqueeze(-2) - x2.unsqueeze(-3), -1)
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


@function(method=False)
def pdist(input, p=2):
    """The p-norm distances between all pairs of rows: row 0 to 1, 0 to 2, ..., 1 to 2, ...

    Raises:
        RuntimeError: p is negative, or the input is no matrix of floats.

    >>> import minigrad
    >>> minigrad.pdist(minigrad.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]))
    tensor([5., 3., 4.])
    """
    if input.ndim != 2 or input.dtype.kind != "f":
        raise RuntimeError(f"pdist: only supports 2D tensors of floats, got {input.dtype} of shape {input.shape}")
    if p < 0:
        raise RuntimeError(f"pdist: only supports non-negative p values, got {p}")
    first, second = np.triu_indices(input.shape[0], 1)
    differences = get(input, first) - get(input, second)
    return norm(differences, p, 1) if input.shape[1] else sum(differences, 1)


@function
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along an axis, n times over, after what is to be prepended and appended.

    >>> import minigrad
    >>> minigrad.diff(minigrad.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if input.ndim == 0:
        raise RuntimeError("diff: expected at least 1 dimension, got a 0-d tensor")
    if not isinstance(n, int):
        raise TypeError(f"diff: expected the order as an int, got {type(n).__name__} {n}")
    if n < 0:
        raise RuntimeError(f"diff: expected an order that is not negative, got {n}")
    dim = check_dim("diff", dim, input.ndim)
    if n == 0:
        return input.clone()
    parts = [x for x in (prepend, input, append) if x is not None]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        length = x.shape[dim] - 1
        after, before = narrow(x, dim, 1, length), narrow(x, dim, 0, length)
        x = logical_xor(after, before) if x.dtype.kind == "b" else after - before
    return x


def areas(op, y, x, dx, dim):
    """The areas of the trapezoids between neighbours."""
    if "b" in (y.dtype.kind, "" if x is None else x.dtype.kind):
        raise RuntimeError(f"{op}: truth values have no integral; convert with y.float()")
    dim = check_dim(op, dim, y.ndim)
    if y.ndim == 0:
        raise IndexError(f"{op}: expected at least 1 dimension, got a 0-d tensor")
    n = max(y.shape[dim] - 1, 0)
    heights = narrow(y, dim, min(1, y.shape[dim]), n) + narrow(y, dim, 0, n)
    if x is None:
        return heights * (dx / 2.0), dim
    if dx != 1:
        raise RuntimeError(f"{op}: give the places x or their distance dx, not both")
    if x.ndim == 0:
        raise IndexError(f"{op}: expected places x with at least 1 dimension, got a 0-d tensor")
    if x.ndim == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"{op}: there are {x.shape[0]} places x for dimension {dim} of length {y.shape[dim]}")
        widths = diff(x).reshape([-1 if d == dim else 1 for d in range(y.ndim)])
    else:
        widths = diff(x, 1, dim - y.ndim)
    return heights * widths / 2.0, dim


@function(method=False, alias=("trapz",))
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral along an axis by the trapezoidal rule, over places x or with a distance dx (1) between them."""
    area, dim = areas("trapezoid", y, x, dx, dim)
    return sum(area, dim - y.ndim)


@function(method=False)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral up to each place along an axis by the trapezoidal rule."""
    area, dim = areas("cumulative_trapezoid", y, x, dx, dim)
    return area.cumsum(dim - y.ndim)


@function
def renorm(input, p, dim, maxnorm):
    """The input with those slices along an axis scaled down whose p-norm exceeds maxnorm."""
    if input.ndim < 2:
        raise RuntimeError(f"renorm: expected at least 2 dimensions, got shape {input.shape}")
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: expected a positive p and a maxnorm that is not negative, got {p} and {maxnorm}")
    dim = check_dim("renorm", dim, input.ndim)
    norms = norm(input, p, tuple([d for d in range(input.ndim) if d != dim]), True)
    return input * where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)


# --- running sums -----------------------------------------------------------------------------------------------------


@primitive(on_host=True)
def logcumsumexp(input, /, dim):
    """log(cumsum(exp(input))) along an axis, without overflow."""
    if input.dtype.kind != "f":
        raise RuntimeError(f"logcumsumexp: expected floats, got {input.dtype}; convert with x.float()")
    dim = check_dim("logcumsumexp", dim, input.ndim)
    return xp(input).logaddexp.accumulate(input, dim) if input.ndim and input.shape[dim] else input.copy()


@logcumsumexp.vjp("input")
def _(g, out, input, dim):
    if not input.ndim or not input.array.size:
        return g
    if input.dtype == float16:  # which has too few digits for differences of running sums
        wide = input.to(float32)
        return shares_of_sums(g.to(float32), logcumsumexp(wide, dim), wide, dim).to(float16)
    return shares_of_sums(g, out, input, dim)


def shares_of_sums(g, out, input, dim):
    """What each element contributes to the sums from it on: sum over i >= j of g_i exp(x_j - out_i)."""
    g, x, out = movedim(g, dim, -1), movedim(input, dim, -1), movedim(out, dim, -1)
    out = where(out == -math.inf, 0.0, out)  # up to here all are -inf, and get 0
    # The sums of g_i exp(out_j - out_i), from the end to the start: no factor exceeds 1.
    factors = exp(clamp(out - roll(out, -1, -1), max=0.0))
    sums = flip(linear_recurrence(flip(g, (-1,)), flip(factors, (-1,))), (-1,))
    return movedim(sums * exp(x - out), -1, dim)


@logcumsumexp.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), draw.choice(0, -1)), {}


@primitive(method=False)
def linear_recurrence(input, factor, /):
    """y[0] = x[0], y[j] = x[j] + factor[j] * y[j - 1] along the last axis."""
    out = input.copy()
    for j in range(1, input.shape[-1]):
        out[..., j] += factor[..., j] * out[..., j - 1]
    return out


@linear_recurrence.vjp("input", "factor")
def _(g, out, factor):
    back = flip(linear_recurrence(flip(g, (-1,)), flip(roll(factor, -1, -1), (-1,))), (-1,))
    first = make_tensor(xp(out.array).arange(out.shape[-1]) == 0)
    return back, back * where(first, 0.0, roll(out, 1, -1))


@linear_recurrence.cases
def _(draw):
    shape = draw.shape(min_dims=1)
    return (draw.array(shape), draw.array(shape, -1.0, 1.0)), {}


in_place(renorm)
trapz = trapezoid
