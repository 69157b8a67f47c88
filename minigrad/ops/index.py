"""Indexing: reading and writing parts of a tensor, by slices, indices and masks."""

from __future__ import annotations

import numpy as np

from ..core.device import device_of
from ..core.dtypes import check_kind, int64
from ..core.inplace import check_writable, in_place
from ..core.modes import recording
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, make_tensor, needs_grad
from ..kernels import of, xp
from ..kernels.driver import is_host
from .creation import full, number_as, zeros
from .elementwise import where
from .families import ValuesAndIndices
from .keys import beside, is_array, own, parse, selected_shape
from .shape import check_dim, expand, movedim

__all__ = [
    "argsort", "argwhere", "diagonal_scatter", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_select", "masked_fill",
    "masked_scatter", "masked_select", "nonzero", "put", "scatter", "scatter_add", "select_scatter", "sort", "take", "take_along_dim", "topk",
]  # fmt: skip


# --- x[key] -----------------------------------------------------------------------------------------------------------


def basic(key):
    """Is it made of integers, slices, None and ... only, so that the result is a view?"""
    parts = key if isinstance(key, tuple) else (key,)
    return not any([isinstance(k, bool) or is_array(k) for k in parts])


def simple(key):
    """Is it made of plain integers, slices that run forward, None and ... only? Those NumPy reads as torch does."""
    for k in key if type(key) is tuple else (key,):
        if type(k) is slice:
            if k.step is not None and not k.step > 0:
                return False
        elif type(k) is not int and k is not None and k is not Ellipsis:
            return False
    return True


@primitive(method=False, view=True, laws="linear")
def get(input, /, key):
    """The part of the input that a key of integers, slices, arrays, masks, None and ... selects, as in NumPy."""
    if isinstance(key, np.ndarray) and key.dtype.kind in "iu" and key.ndim and input.flags.c_contiguous:
        return input.take(key, 0)  # rows are copied whole
    out = input[key]
    if isinstance(out, np.generic):  # NumPy copies single elements: with ... it gives a view
        out = input[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return out


@get.vjp("input")
def _(g, input_shape, key):
    return put_at(g, input_shape, key)


@get.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    return (x, draw.index(x.shape)), {}


@primitive(method=False, laws="linear")
def put_at(input, /, shape, key):
    """Zeros of a shape with the input added at a key: the adjoint of get."""
    out = xp(input).zeros(shape, input.dtype)
    if basic(key):
        out[key] = input
    else:
        add_to(out, key, input)
    return out


def add_to(out, key, source):
    """out[key] += source, as often as a place appears in the key."""
    if type(key) is tuple and len(key) == 1:
        (key,) = key
    if isinstance(key, np.ndarray) and key.dtype.kind in "iu" and key.ndim:
        of(out).add_rows(out, key, source)
    elif isinstance(out, np.ndarray):
        np.add.at(out, key, np.broadcast_to(source, selected_shape(out.shape, key)))  # NumPy 2.4 crashes where it does not fit
    else:
        of(out).add_at(out, key, source)


@put_at.vjp("input")
def _(g, key):
    return get(g, key)


@put_at.cases
def _(draw):
    shape = draw.shape(min_dims=1, min_size=1)
    key = draw.index(shape)
    return (draw.array(np.empty(shape)[key].shape), shape, key), {}


def getitem(self, key):
    """self[key]: a view where the key is made of integers, slices, None and ..., a copy otherwise."""
    quick = numpy_key(self, key)
    if quick is not NOTHING:
        try:
            return get(self, quick)
        except (IndexError, TypeError):
            pass  # parsing says better what is wrong
    first, second = parsed("getitem", self, key)
    if recording() and needs_grad(self):
        first, second = own(first), own(second)
    out = get(self, first)
    return out if second is None else get(out, second)


NOTHING = object()


def numpy_key(self, key):
    """The key, if NumPy reads it as torch does: a simple one, or a tensor of indices; NOTHING otherwise."""
    if type(key) is Tensor and key.array.dtype.kind == "i" and key.array.ndim:
        if type(key.array) is not np.ndarray or type(self.array) is not np.ndarray:
            return NOTHING
        return key.array.copy() if recording() else key.array  # a graph has its own copy
    return key if simple(key) else NOTHING


def parsed(op, x, key):
    """The key as NumPy keys; what is wrong with it is said with the operation's name."""
    try:
        first, second = parse(key, x.array.shape)
        return (first, second) if type(x.array) is np.ndarray and not has_foreign(first, second) else (beside(op, first, x.array), beside(op, second, x.array))
    except (IndexError, ValueError, TypeError) as error:
        raise type(error)(f"{op}: {error} (shape {tuple(x.shape)}, key {key!r:.80})") from None


def has_foreign(first, second):
    """Are there arrays of a GPU in a key?"""
    parts = [*(first if isinstance(first, tuple) else (first,)), *(second if isinstance(second, tuple) else (second,))]
    return any([is_array(p) and type(p) is not np.ndarray for p in parts])


@primitive(method=False, laws="linear", moves=True)
def setitem(input, value, /, key):
    """The input with the elements at a key replaced by the value."""
    out = input.copy()
    write_at(out, value, key)
    return out


def write_at(array, value, key):
    """Writes the value at the key; a number as torch converts it, which wraps negative ones and refuses what is too large."""
    array[key] = value if is_array(value) else number_as("setitem", value, array.dtype)


@setitem.vjp("input")
def _(g, key):
    return setitem(g, 0.0, key)


@setitem.vjp("value")
def _(g, key):
    return get(g, key)


@setitem.writes
def _(array, value, key):
    write_at(array, value, key)


@setitem.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    key = draw.index(x.shape, unique=True)
    return (x, draw.array(x[key].shape), key), {}


def assign(self, value, key):
    """self[key] = value."""
    shape = simple_shape(self.array, key)
    first, second = (key, None) if shape is not None else parsed("setitem", self, key)
    if isinstance(value, (list, tuple, np.ndarray)):
        value = self.new_tensor(value)
    elif not isinstance(value, (Tensor, int, float, complex, np.generic)):
        raise TypeError(f"setitem: expected a number, a tensor or an array as value, got {type(value).__name__}")
    if shape is not None:
        return TABLE["setitem_inner"](self, fitting(value, shape), first)
    if isinstance(first, np.ndarray) and first.dtype.kind == "b" and first.shape == self.array.shape and getattr(value, "shape", ()) == ():
        return TABLE["masked_fill_"](self, make_tensor(own(first)), value)
    if isinstance(value, Tensor) and (second is not None or not basic(first)):
        same_dtype("setitem", self, value)
    if recording():
        first, second = own(first), own(second)
    if second is not None:  # an integer beside an array: into the view that the integer gives
        check_writable("setitem", self)
        return TABLE["setitem_inner"](get(self, first), fitting(value, selected_shape(self.array[first].shape, second)), second)
    return TABLE["setitem_inner"](self, fitting(value, selected_shape(self.array.shape, first)), first)


def simple_shape(array, key):
    """The shape of what a simple key selects; None if it is not one or does not fit."""
    try:
        return getattr(array[key], "shape", ()) if simple(key) else None
    except (IndexError, TypeError):
        return None


def fitting(value, shape):
    """The value, checked to broadcast to the shape of what it is to replace; further axes of length 1 in front are let pass, as in torch."""
    if not isinstance(value, Tensor) or value.ndim == 0:
        return value
    extra = value.ndim - len(shape)
    if extra > 0 and value.array.shape[:extra] == (1,) * extra:
        value = value.reshape(value.array.shape[extra:])
    check_broadcast("setitem", value, shape)
    return value


def check_broadcast(op, value, shape):
    given = value.array.shape
    if len(given) > len(shape) or any([n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)]):
        raise RuntimeError(f"{op}: a value of shape {given} cannot be broadcast to {tuple(shape)}, the shape of what it is to replace")


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
    if device_of(index) != input.device:
        raise RuntimeError(f"{op}: expected all tensors on the same device, got {input.device} and an index on {device_of(index)}")
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{op}: expected an index of integers, got {index.dtype}")
    if index.size == 0:
        return index
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError(f"{op}: index of shape {index.shape} must have as many dimensions as the input, of shape {input.shape}")
    n = input.shape[dim] if input.ndim else 1
    if index.size and is_host(index) and (index.min() < 0 or index.max() >= n):
        raise IndexError(f"{op}: an index is out of range for dimension {dim} of length {n}: found {index.min()} to {index.max()}")
    for d in range(input.ndim):
        if d != dim and index.shape[d] > input.shape[d]:
            raise RuntimeError(f"{op}: index of shape {index.shape} is longer than the input, of shape {input.shape}, in dimension {d}")
    return own(index) if recording() else index


@function
def gather(input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and likewise for other axes.

    >>> import minigrad
    >>> minigrad.gather(minigrad.tensor([[1, 2], [3, 4]]), 1, minigrad.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    if sparse_grad:
        raise RuntimeError("gather: sparse_grad=True is not supported, there are no sparse tensors; leave it out")
    dim = check_dim("gather", dim, input.ndim)
    index = index_array("gather", index, input, dim)
    if index.size == 0:  # of any shape
        return get(input.reshape(-1), xp(index).zeros(index.shape, int64))
    return get(input, grid(index, dim, index.shape)) if input.ndim and index.ndim else get(input.reshape(-1), index)


@function
def take_along_dim(input, indices, dim=None):
    """The elements at these places along an axis, the other axes being broadcast; without an axis, of the flattened input."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    dim = check_dim("take_along_dim", dim, input.ndim)
    shape = list(np.broadcast_shapes(input.shape[:dim] + (1,) + input.shape[dim + 1 :], indices.shape))
    shape[dim] = indices.shape[dim]
    wide = list(shape)
    wide[dim] = n = input.shape[dim]
    if indices.array.size and is_host(indices.array) and indices.array.min() < -n:
        raise IndexError(f"take_along_dim: an index is out of range for dimension {dim} of length {n}: found {indices.array.min()}")
    indices = where(indices < 0, indices + n, indices)
    return gather(expand(input, tuple(wide)), dim, expand(indices, tuple(shape)))


@primitive(method=False, laws="linear")
def add_at(input, source, /, key):
    """The input with the source added at a key, as often as a place appears in it."""
    out = input.copy()
    add_to(out, key, source)
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
    if isinstance(src, Tensor) and src.ndim:
        same_dtype(op, input, src)
        if index.size and src.ndim != index.ndim:
            raise RuntimeError(f"{op}: index of shape {index.shape} must have as many dimensions as the source, of shape {src.shape}")
        if any([n > m for n, m in zip(index.shape, src.shape, strict=True)]):
            raise RuntimeError(f"{op}: index of shape {index.shape} is longer than the source, of shape {src.shape}")
        src = src[tuple([slice(n) for n in index.shape])]
    return grid(index, dim, index.shape), src


@function
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes.

    The source may be a number. It replaces what stands there, or is added or multiplied to it with `reduce` "add" or "multiply".
    """
    src = value if src is None else src
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"scatter: reduce must be 'add' or 'multiply', got {reduce!r}; see scatter_reduce")
    if reduce is not None:
        from .scattering import scatter_reduce

        src = src if isinstance(src, Tensor) else full(index.shape, src, dtype=input.dtype)
        return scatter_reduce(input, dim, index, src, "sum" if reduce == "add" else "prod")
    if input.ndim == 0:
        return scatter(input.reshape(1), dim, index.reshape(-1), src.reshape(-1) if isinstance(src, Tensor) else src).reshape(())
    key, src = scatter_parts("scatter", input, dim, index, src)
    return setitem(input, src, key) if index.array.size else input.clone()


@function
def scatter_add(input, dim, index, src):
    """The input with src[i][j] added to out[index[i][j]][j] for dim 0, and likewise for other axes."""
    if input.ndim == 0:
        return scatter_add(input.reshape(1), dim, index.reshape(-1), src.reshape(-1)).reshape(())
    key, src = scatter_parts("scatter_add", input, dim, index, src)
    return add_at(input, src, key) if index.array.size else input.clone()


@function
def index_select(input, dim, index):
    """The slices at these places along an axis."""
    dim = check_dim("index_select", dim, input.ndim)
    places = places_along("index_select", index, input.shape[dim] if input.ndim else 1)
    if input.ndim == 0:
        if places.size != 1:
            raise IndexError(f"index_select: a 0-d tensor has one element to select, got an index of shape {index.shape}")
        return input.clone()
    return get(input, (slice(None),) * dim + (places,))


@function
def index_add(input, dim, index, source, *, alpha=1):
    """The input with the slices of the source added at these places along an axis."""
    same_dtype("index_add", input, source)
    if input.ndim == 0:
        return index_add(input.reshape(1), dim, index, source.reshape(1), alpha=alpha).reshape(())
    dim = check_dim("index_add", dim, input.ndim)
    places = places_along("index_add", index, input.shape[dim])
    wanted = (*input.shape[:dim], places.size, *input.shape[dim + 1 :])
    if source.shape != wanted and (source.ndim or input.ndim > 1 or places.size != 1):
        raise RuntimeError(f"index_add: {places.size} places along dimension {dim} want a source of shape {wanted}, got {source.shape}")
    source = source if alpha == 1 else source * alpha
    return add_at(input, source if source.ndim else source.reshape(wanted), (slice(None),) * dim + (places,))


def places_along(op, index, n, negative=False):
    """The index of index_fill and its like: integers from 0 (or, with `negative`, from -n) to n - 1, as a vector."""
    index = index.array if isinstance(index, Tensor) else np.asarray(index)
    if index.dtype.kind not in "iu" or index.ndim > 1:
        raise IndexError(f"{op}: expected a vector of integers as index, got {index.dtype} of shape {index.shape}")
    if index.size and is_host(index) and (index.min() < (-n if negative else 0) or index.max() >= n):
        raise IndexError(f"{op}: an index is out of range for a dimension of length {n}: found {index.min()} to {index.max()}")
    return own(index.reshape(-1)) if recording() else index.reshape(-1)


def same_dtype(op, input, source):
    if source.dtype != input.dtype:
        raise RuntimeError(f"{op}: the source must have the input's dtype {input.dtype}, got {source.dtype}; convert with source.to(input.dtype)")


@function
def index_fill(input, dim, index, value):
    """The input with the value in the slices at these places along an axis.

    >>> import minigrad
    >>> minigrad.zeros(2, 3).index_fill(1, minigrad.tensor([0, 2]), 5.0)
    tensor([[5., 0., 5.],
            [5., 0., 5.]])
    """
    if isinstance(value, Tensor) and value.ndim:
        raise RuntimeError(f"index_fill: expected a number or a 0-d tensor as value, got shape {value.shape}")
    if input.ndim == 0:
        return index_fill(input.reshape(1), dim, index, value).reshape(())
    dim = check_dim("index_fill", dim, input.ndim)
    places = places_along("index_fill", index, input.shape[dim])
    places = xp(places).unique(places)  # each once: the value's gradient counts them
    return setitem(input, value, (slice(None),) * dim + (places,))


@function
def index_copy(input, dim, index, source):
    """The input with the slices of the source in place of those at these places along an axis."""
    same_dtype("index_copy", input, source)
    if input.ndim == 0:
        return index_copy(input.reshape(1), dim, index, source.reshape(1)).reshape(())
    dim = check_dim("index_copy", dim, input.ndim)
    places = places_along("index_copy", index, input.shape[dim])
    wanted = (*input.shape[:dim], places.size, *input.shape[dim + 1 :])
    if source.shape != wanted and (source.ndim or places.size != 1):
        raise RuntimeError(f"index_copy: {places.size} places along dimension {dim} want a source of shape {wanted}, got {source.shape}")
    return setitem(input, source, (slice(None),) * dim + (places,))


@function
def index_put(input, indices, values, accumulate=False):
    """The input with the values at input[indices], or added to what stands there.

    Args:
        input: a tensor.
        indices: a tuple with a tensor of indices, or a mask, for each of the first axes; None for all of an axis.
        values: a tensor that broadcasts to input[indices].
        accumulate: add, as often as a place is named; otherwise its last value counts.

    >>> import minigrad
    >>> places = (minigrad.tensor([0, 0, 2]),)
    >>> minigrad.zeros(3).index_put(places, minigrad.ones(3), accumulate=True)
    tensor([2., 0., 1.])
    """
    if not isinstance(indices, (tuple, list)):
        raise TypeError(f"index_put: expected a tuple of index tensors, got {type(indices).__name__}")
    if not indices:
        raise IndexError("index_put: expected at least one index")
    for i in indices:
        if i is not None and not isinstance(i, Tensor):
            raise TypeError(f"index_put: expected tensors and None as indices, got {type(i).__name__}")
        if i is not None and i.ndim == 0 and i.dtype.kind == "b":
            raise IndexError("index_put: a mask must have the shape of the axes that it is for, got a 0-d one")
    same_dtype("index_put", input, values)
    try:
        key, inner = parse(tuple([slice(None) if i is None else i for i in indices]), input.array.shape)
    except IndexError as error:
        raise IndexError(f"index_put: {error}") from None
    if inner is not None:  # 0-d indices: as vectors of one
        return index_put(input, [i if i is None or i.ndim else i.reshape(1) for i in indices], values, accumulate)
    key = own(key)
    check_broadcast("index_put", values, selected_shape(input.array.shape, key))
    return add_at(input, values, key) if accumulate else setitem(input, values, key)


@function
def put(input, index, source, accumulate=False):
    """The input with the source's elements at these places of the flattened input, or added to what stands there."""
    same_dtype("put", input, source)
    if index.array.size != source.array.size:
        raise IndexError(f"put: {index.array.size} places for a source of {source.array.size} elements")
    flat, values = input.reshape(-1), source.reshape(-1)
    places = places_along("put", index.reshape(-1), flat.shape[0], negative=True)
    return (add_at(flat, values, places) if accumulate else setitem(flat, values, places)).reshape(input.shape)


@function
def select_scatter(input, src, dim, index):
    """The input with the source in place of the slice at one place of an axis: what input.select(dim, index) would then be."""
    dim = check_dim("select_scatter", dim, input.ndim)
    wanted = input.shape[:dim] + input.shape[dim + 1 :]
    if src.shape != wanted:
        raise RuntimeError(f"select_scatter: expected a source of shape {wanted}, that of the slice, got {src.shape}")
    places_along("select_scatter", index, input.shape[dim], negative=True)
    return setitem(input, src, (slice(None),) * dim + (int(index),))


@function
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """The input with the source in place of a diagonal: what input.diagonal(offset, dim1, dim2) would then be."""
    wanted = input.diagonal(offset, dim1, dim2).shape
    if src.shape != wanted:
        raise RuntimeError(f"diagonal_scatter: expected a source of shape {wanted}, that of the diagonal, got {src.shape}")
    n = xp(input.array).arange(wanted[-1])
    matrices = movedim(input, (dim1, dim2), (-2, -1))
    return movedim(setitem(matrices, src, (..., n + max(-offset, 0), n + max(offset, 0))), (-2, -1), (dim1, dim2))


# --- masks ------------------------------------------------------------------------------------------------------------


@function
def masked_fill(input, mask, value):
    """The input with the value where the mask holds."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_fill: expected a mask of truth values, got {mask.dtype}")
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"masked_fill: expected a number or a 0-d tensor as value, got shape {value.shape}")
    if not isinstance(value, Tensor):
        value = number_as("masked_fill", value, input.dtype)
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
def masked_scatter(input, mask, source):
    """The input with the elements of the source, in order, where the mask holds."""
    if mask.dtype.kind != "b":
        raise RuntimeError(f"masked_scatter: expected a mask of truth values, got {mask.dtype}")
    same_dtype("masked_scatter", input, source)
    shape = np.broadcast_shapes(input.shape, mask.shape)
    mask = xp(mask.array).broadcast_to(mask.array, shape)
    n = int(mask.sum())
    if n > source.array.size:
        raise RuntimeError(f"masked_scatter: the mask holds at {n} places but the source has {source.array.size} elements")
    return setitem(expand(input, shape), source.reshape(-1)[:n], mask)


@function
def nonzero(input, *, as_tuple=False):
    """The indices of the elements that are not zero: one row each, or one tensor for each axis."""
    if input.ndim == 0:
        if as_tuple:
            return nonzero(input.reshape(1), as_tuple=True)
        return make_tensor(np.zeros((int(bool(input)), 0), int64))
    places = input.array.nonzero()
    return tuple([make_tensor(p) for p in places]) if as_tuple else make_tensor(xp(input.array).stack(places, 1))


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
def argsort(input, dim=-1, descending=False, *, stable=False):
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
def sort(input, dim=-1, descending=False, *, stable=False):
    """The elements in order along an axis, and where they stood: (values, indices)."""
    check_dim("sort", dim, input.ndim)
    indices = argsort(input, dim, descending, stable=bool(stable))
    return ValuesAndIndices((gather(input, dim, indices), indices))


@function
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) elements along an axis, and where they stood: (values, indices)."""
    check_kind("topk", "fiu", input)
    n = input.shape[check_dim("topk", dim, input.ndim)] if input.ndim else 1
    if not 0 <= k <= n:
        raise RuntimeError(f"topk: k={k} is out of range for dimension {dim} of length {n}")
    indices = argsort(input, dim, descending=largest)
    if input.ndim:
        indices = indices.narrow(dim, 0, k)
    return ValuesAndIndices((gather(input, dim, indices), indices))


for op in (index_add, index_copy, index_fill, index_put, masked_fill, masked_scatter, put, scatter, scatter_add):
    in_place(op)
