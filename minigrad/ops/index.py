"""Indexing: reading and writing parts of a tensor, by slices, indices and masks."""

from __future__ import annotations

import numpy as np

from ..core.dtypes import int64
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, make_tensor
from ..kernels import xp
from .creation import zeros
from .elementwise import where
from .shape import check_dim, expand

__all__ = [
    "argsort", "argwhere", "gather", "index_add", "index_select", "masked_fill", "masked_select", "nonzero", "scatter", "scatter_add",
    "sort", "take", "take_along_dim", "topk",
]  # fmt: skip


# --- x[key] -----------------------------------------------------------------------------------------------------------


def plain(key):
    """The key with arrays in place of tensors and lists: a graph must not hold tensors."""
    if isinstance(key, tuple):
        return tuple([plain(k) for k in key])
    if isinstance(key, Tensor):
        key = key.array
    if isinstance(key, list):
        key = np.asarray([plain(k) for k in key])
        key = key.astype(int64) if key.size == 0 else key
    if isinstance(key, np.ndarray):
        if key.dtype.kind not in "biu":
            raise IndexError(f"getitem: tensors used as indices must hold integers or truth values, got {key.dtype}")
        return key.item() if key.ndim == 0 and key.dtype.kind != "b" else key
    return key


def basic(key):
    """Is it made of integers, slices, None and ... only, so that the result is a view?"""
    parts = key if isinstance(key, tuple) else (key,)
    return not any([isinstance(k, (np.ndarray, bool)) or hasattr(k, "__cuda_array_interface__") for k in parts])


@primitive(method=False, view=True, laws="linear")
def get(input, /, key):
    """The part of the input that a key of integers, slices, arrays, masks, None and ... selects, as in NumPy."""
    return input[key]


@get.vjp("input")
def _(g, input_shape, key):
    return put(g, input_shape, key)


@get.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    return (x, draw.index(x.shape)), {}


@primitive(method=False, laws="linear")
def put(input, /, shape, key):
    """Zeros of a shape with the input added at a key: the adjoint of get."""
    out = xp(input).zeros(shape, input.dtype)
    if basic(key):
        out[key] = input
    elif isinstance(out, np.ndarray):
        np.add.at(out, key, input)
    else:
        out.scatter_add(key, input)
    return out


@put.vjp("input")
def _(g, key):
    return get(g, key)


@put.cases
def _(draw):
    shape = draw.shape(min_dims=1, min_size=1)
    key = draw.index(shape)
    return (draw.array(np.empty(shape)[key].shape), shape, key), {}


def getitem(self, key):
    """self[key]: a view where the key is made of integers, slices, None and ..., a copy otherwise."""
    if isinstance(key, tuple) or not isinstance(key, (int, slice)):
        key = plain(key)
    try:
        return get(self, key)
    except IndexError as error:
        raise IndexError(f"getitem: {error.__cause__ or error} (shape {self.shape}, key {key!r:.80})") from None


@primitive(method=False, laws="linear")
def setitem(input, value, /, key):
    """The input with the elements at a key replaced by the value."""
    out = input.copy()
    out[key] = value
    return out


@setitem.vjp("input")
def _(g, key):
    return setitem(g, 0.0, key)


@setitem.vjp("value")
def _(g, key):
    return get(g, key)


@setitem.writes
def _(array, value, key):
    array[key] = value


@setitem.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    key = draw.index(x.shape, unique=True)
    return (x, draw.array(x[key].shape), key), {}


def assign(self, value, key):
    """self[key] = value."""
    key = plain(key)
    if isinstance(value, (list, tuple)):
        value = self.new_tensor(value)
    if isinstance(key, np.ndarray) and key.dtype.kind == "b" and key.shape == self.shape and getattr(value, "shape", ()) == ():
        return TABLE["masked_fill_"](self, make_tensor(key), value)
    if isinstance(value, Tensor) and value.ndim > 0:  # further axes of length 1 in front are let pass, as NumPy and torch do
        extra = value.ndim - self.array[key].ndim
        if extra > 0 and value.shape[:extra] == (1,) * extra:
            value = value.reshape(value.shape[extra:])
    try:
        return TABLE["setitem_inner"](self, value, key)
    except (ValueError, IndexError) as error:
        raise type(error)(f"setitem: {error} (shape {self.shape}, key {key!r:.80}, value of shape {getattr(value, 'shape', ())})") from None


in_place(setitem)
TABLE["setitem_inner"] = TABLE["setitem_"]
TABLE["setitem_"] = assign
TABLE["getitem"] = getitem


# --- along one axis ---------------------------------------------------------------------------------------------------


def grid(index, dim, shape):
    """The key that pairs an index along one axis with every place on the others."""
    m = xp(index)
    return tuple([index if d == dim else m.arange(n).reshape([-1 if i == d else 1 for i in range(len(shape))]) for d, n in enumerate(shape)])


def index_array(op, index, input, dim):
    """The index of gather and scatter, checked."""
    index = index.array if isinstance(index, Tensor) else index
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: expected an index of integers, got {index.dtype}")
    if index.ndim != input.ndim:
        raise RuntimeError(f"{op}: index of shape {index.shape} must have as many dimensions as the input, of shape {input.shape}")
    n = input.shape[dim] if input.ndim else 1
    if index.size and (index.min() < 0 or index.max() >= n):
        raise IndexError(f"{op}: an index is out of range for dimension {dim} of length {n}: found {index.min()} to {index.max()}")
    for d in range(input.ndim):
        if d != dim and index.shape[d] > input.shape[d]:
            raise RuntimeError(f"{op}: index of shape {index.shape} is longer than the input, of shape {input.shape}, in dimension {d}")
    return index


@function
def gather(input, dim, index):
    """out[i][j] = input[index[i][j]][j] for dim 0, and likewise for other axes.

    >>> import minigrad
    >>> minigrad.gather(minigrad.tensor([[1, 2], [3, 4]]), 1, minigrad.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = check_dim("gather", dim, input.ndim)
    index = index_array("gather", index, input, dim)
    return get(input, grid(index, dim, index.shape)) if input.ndim else input.reshape(index.shape)


@function
def take_along_dim(input, indices, dim=None):
    """The elements at these places along an axis, the other axes being broadcast; without an axis, of the flattened input."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    shape = list(np.broadcast_shapes(input.shape[:dim] + (1,) + input.shape[dim % input.ndim + 1 :], indices.shape))
    shape[dim] = indices.shape[dim]
    wide = list(shape)
    wide[dim] = input.shape[dim]
    return gather(expand(input, tuple(wide)), dim, expand(indices, tuple(shape)))


@primitive(method=False, laws="linear")
def add_at(input, source, /, key):
    """The input with the source added at a key, as often as a place appears in it."""
    out = input.copy()
    if isinstance(out, np.ndarray):
        np.add.at(out, key, source)
    else:
        out.scatter_add(key, source)
    return out


@add_at.vjp("input")
def _(g):
    return g


@add_at.vjp("source")
def _(g, key):
    return get(g, key)


@add_at.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    key = draw.index(x.shape)
    return (x, draw.array(x[key].shape), key), {}


def scatter_parts(op, input, dim, index, src):
    """The key of a scatter, and the source cut to the index."""
    dim = check_dim(op, dim, input.ndim)
    index = index_array(op, index, input, dim)
    if isinstance(src, Tensor):
        if any([n > m for n, m in zip(index.shape, src.shape, strict=True)]):
            raise RuntimeError(f"{op}: index of shape {index.shape} is longer than the source, of shape {src.shape}")
        src = src[tuple([slice(n) for n in index.shape])]
    return grid(index, dim, index.shape), src


@function
def scatter(input, dim, index, src=None, *, value=None):
    """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes."""
    key, src = scatter_parts("scatter", input, dim, index, value if src is None else src)
    return setitem(input, src, key)


@function
def scatter_add(input, dim, index, src):
    """The input with src[i][j] added to out[index[i][j]][j] for dim 0, and likewise for other axes."""
    key, src = scatter_parts("scatter_add", input, dim, index, src)
    return add_at(input, src, key)


@function
def index_select(input, dim, index):
    """The slices at these places along an axis."""
    return input[(slice(None),) * check_dim("index_select", dim, input.ndim) + (index,)]


@function
def index_add(input, dim, index, source, *, alpha=1):
    """The input with the slices of the source added at these places along an axis."""
    key = (slice(None),) * check_dim("index_add", dim, input.ndim) + (plain(index),)
    return add_at(input, source if alpha == 1 else source * alpha, key)


# --- masks ------------------------------------------------------------------------------------------------------------


@function
def masked_fill(input, mask, value):
    """The input with the value where the mask holds."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_fill: expected a mask of truth values, got {mask.dtype}")
    out = where(mask, value, input)
    return out if out.dtype == input.dtype else out.to(input.dtype)


@function
def masked_select(input, mask):
    """The elements where the mask holds, in order, along one axis."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_select: expected a mask of truth values, got {mask.dtype}")
    shape = np.broadcast_shapes(input.shape, mask.shape)
    return expand(input, shape)[expand(mask, shape)]


@function
def nonzero(input, *, as_tuple=False):
    """The indices of the elements that are not zero: one row each, or one tensor for each axis."""
    places = input.array.nonzero()
    if as_tuple:
        return tuple([make_tensor(p) for p in places])
    return make_tensor(xp(input.array).stack(places, 1) if places else np.zeros((int(bool(input)), 0), int64))


@function
def argwhere(input):
    """The indices of the elements that are not zero, one row each."""
    return nonzero(input)


@function
def take(input, index):
    """The elements at these places of the flattened input."""
    return input.reshape(-1)[index]


# --- order ------------------------------------------------------------------------------------------------------------


@function
def argsort(input, dim=-1, descending=False, stable=False):
    """The indices that sort the input along an axis."""
    if input.ndim == 0:
        return zeros((), dtype=int64)
    dim = check_dim("argsort", dim, input.ndim)
    array = input.array
    if not descending:
        return make_tensor(array.argsort(axis=dim, kind="stable"))
    order = xp(array).flip(array, dim).argsort(axis=dim, kind="stable")  # reversed twice: equal elements stay in order
    return make_tensor(array.shape[dim] - 1 - xp(array).flip(order, dim))


@function
def sort(input, dim=-1, descending=False, stable=False):
    """The elements in order along an axis, and where they stood: (values, indices)."""
    from .reduce import ValuesAndIndices

    indices = argsort(input, dim, descending, stable)
    return ValuesAndIndices((gather(input, dim, indices), indices))


@function
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) elements along an axis, and where they stood: (values, indices)."""
    from .reduce import ValuesAndIndices

    n = input.shape[check_dim("topk", dim, input.ndim)] if input.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"topk: k={k} is out of range for dimension {dim} of length {n}")
    indices = argsort(input, dim, descending=largest)
    if input.ndim:
        indices = indices.narrow(dim, 0, k)
    return ValuesAndIndices((gather(input, dim, indices), indices))


for op in (masked_fill, scatter, scatter_add, index_add):
    in_place(op)
