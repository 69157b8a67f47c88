"""Scattering with a reduction: many sources meet in one place, and are multiplied, averaged or compared there."""

from __future__ import annotations

import numpy as np

from ..core.device import host_form
from ..core.dtypes import check_kind
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import make_tensor
from .arithmetic import div
from .creation import ones_like
from .elementwise import where
from .families import of_host
from .index import add_at, get, places_along, same_dtype, scatter_parts, setitem
from .joining import cat
from .reduce import all, product_of_others
from .shape import check_dim

__all__ = ["index_reduce", "scatter_reduce"]


@primitive(method=False, on_host=True)
def multiply_at(input, source, /, key):
    """The input with the elements at a key multiplied by the source, as often as a place appears in it."""
    out = input.copy()
    np.multiply.at(out, key, source)
    return out


@multiply_at.vjp("input", "source")
def _(g, out, input, source, key):
    if bool(all(input != 0)) and bool(all(source != 0)):
        return g * out / input, get(g * out, key) / source
    others, of_source = products_of_others(input, source, key)
    return g * others, get(g, key) * of_source


@of_host
def products_of_others(input, source, key):
    """For each element of the input and of the source the product of all others that meet it: zeros are welcome."""
    key = host_form(key)
    places = np.arange(input.array.size).reshape(input.shape)[key].reshape(-1)
    order = places.argsort(kind="stable")
    first = np.searchsorted(places[order], places[order])
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size) - first  # the how-manieth source of its place
    width = int(rank.max(initial=-1)) + 1
    rows = setitem(make_tensor(np.ones((input.array.size, width), input.dtype)), source.reshape(-1), (places, rank))
    products = product_of_others(cat([input.reshape(-1, 1), rows], 1), -1)
    return products[:, 0].reshape(input.shape), get(products, (places, rank + 1)).reshape(source.shape)


@primitive(method=False, on_host=True)
def extreme_at(input, source, /, key, largest):
    """The input with the largest (or smallest) of what stands at a key and the sources that meet it. Those that tie share the gradient."""
    out = input.copy()
    (np.maximum if largest else np.minimum).at(out, key, source)
    return out


@extreme_at.vjp("input", "source")
def _(g, out, input, source, key):
    chosen, chosen_source = (input == out).to(g.dtype), (source == get(out, key)).to(g.dtype)
    share = g / add_at(chosen, chosen_source, key)
    return share * chosen, get(share, key) * chosen_source


@multiply_at.cases
def _(draw):
    return (draw.array((3, 2)), draw.array((4, 2)), (np.array([0, 2, 0, 0]),)), {}


@extreme_at.cases
def _(draw):
    x = draw.array((3, 2), 0.0, 4.0)
    return (x, draw.array((3, 2), -4.0, -0.5), (np.array([0, 2, 0]),), draw.choice(True, False)), {}


def scatter_with(input, source, key, reduce, include_self):
    """What scatter_reduce and index_reduce have in common."""
    if not include_self:
        smallest, largest = bounds(input.dtype)
        neutral = {"sum": 0, "mean": 0, "prod": 1, "amax": smallest, "amin": largest}
        input = setitem(input, neutral[reduce], key)
    if reduce == "prod":
        return multiply_at(input, source, key)
    if reduce in ("amax", "amin"):
        return extreme_at(input, source, key, reduce == "amax")
    total = add_at(input, source, key)
    if reduce == "sum":
        return total
    count = ones_like(input)
    if not include_self:
        count = setitem(count, 0, key)
    count = add_at(count, ones_like(source), key)
    return div(total, where(count == 0, 1, count).to(total.dtype), rounding_mode=None if input.dtype.kind == "f" else "floor")


def bounds(dtype):
    """The smallest and the largest value of a dtype."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.min, info.max
    return (False, True) if dtype.kind == "b" else (-np.inf, np.inf)


def check_reduction(op, reduce, allowed):
    if reduce not in allowed:
        raise RuntimeError(f"{op}: expected a reduction out of {allowed}, got {reduce!r}")


@function
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """The input with src[i][j] and all others that meet in out[index[i][j]][j] reduced to one (for dim 0, and likewise for other axes).

    Args:
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether what stands in the input counts too.

    >>> import minigrad
    >>> index = minigrad.tensor([0, 0, 1])
    >>> minigrad.zeros(3).scatter_reduce(0, index, minigrad.tensor([1.0, 4.0, 2.0]), "mean", include_self=False)
    tensor([2.5000, 2.0000, 0.0000])
    """
    check_reduction("scatter_reduce", reduce, ("sum", "prod", "mean", "amax", "amin"))
    same_dtype("scatter_reduce", input, src)
    if reduce == "mean":
        check_kind("scatter_reduce", "fiu", input)
    if input.ndim == 0:
        args = (input.reshape(1), dim, index.reshape(1), src.reshape(1), reduce)
        return scatter_reduce(*args, include_self=include_self).reshape(())
    key, src = scatter_parts("scatter_reduce", input, dim, index, src)
    return scatter_with(input, src, key, reduce, include_self)


@function
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """The input with the slices of the source reduced into those at these places along an axis.

    Args:
        reduce: "prod", "mean", "amax" or "amin"; for sums there is index_add.
        include_self: whether what stands in the input counts too.
    """
    check_reduction("index_reduce", reduce, ("prod", "mean", "amax", "amin"))
    same_dtype("index_reduce", input, source)
    if reduce in ("mean", "prod"):
        check_kind("index_reduce", "fiu", input)
    if input.ndim == 0:
        args = (input.reshape(1), dim, index, source.reshape(1), reduce)
        return index_reduce(*args, include_self=include_self).reshape(())
    dim = check_dim("index_reduce", dim, input.ndim)
    places = places_along("index_reduce", index, input.shape[dim])
    wanted = (*input.shape[:dim], places.size, *input.shape[dim + 1 :])
    if source.shape != wanted:
        raise RuntimeError(f"index_reduce: {places.size} places along dimension {dim} want a source of shape {wanted}, got {source.shape}")
    return scatter_with(input, source, (slice(None),) * dim + (places,), reduce, include_self)


for op in (index_reduce, scatter_reduce):
    in_place(op)
