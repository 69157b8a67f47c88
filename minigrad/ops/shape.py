"""Shapes: the same elements seen, arranged or repeated differently."""

from __future__ import annotations

import math
from operator import index

import numpy as np

from ..core.dtypes import int64
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, register
from ..kernels import of, xp
from .creation import arange
from .families import known_as, of_host

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_tensors", "broadcast_to", "diag", "diagonal",
    "flatten", "flip", "fliplr", "flipud", "meshgrid", "moveaxis", "movedim", "narrow", "permute", "ravel",
    "repeat_interleave", "reshape", "rot90", "select", "squeeze", "swapaxes", "swapdims", "t",
    "tile", "transpose", "tril", "triu", "unflatten", "unsqueeze",
]  # fmt: skip


# --- axes -------------------------------------------------------------------------------------------------------------


def check_dim(op, dim, ndim):
    """A non-negative axis; a 0-d tensor may be addressed as if it had one."""
    if type(dim) is not int:
        dim = as_int(op, "a dimension", dim)
    n = ndim if ndim > 0 else 1
    if not -n <= dim < n:
        raise IndexError(f"{op}: expected a dimension from {-n} to {n - 1}, got {dim}")
    return dim % n if ndim > 0 else 0


def as_int(op, what, value):
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{op}: expected {what} as an int, got {type(value).__name__} {value!r}") from None


def check_dims(op, dim, ndim) -> tuple[int, ...]:
    """Non-negative axes, all of them for None; each may be named once."""
    if dim is None or isinstance(dim, (tuple, list)) and len(dim) == 0:
        return tuple(range(ndim))
    dims = tuple([check_dim(op, d, ndim) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    if len(set(dims)) < len(dims):
        raise RuntimeError(f"{op}: a dimension appears twice in {dim}")
    return dims if ndim > 0 else ()


def restore_dims(x, shape, dims, keepdim):
    """Gives the result of a reduction its axes of length 1 back, unless it is one number, which needs none to be broadcast."""
    if keepdim or x.ndim == 0:
        return x
    return x.reshape(tuple([1 if i in dims else n for i, n in enumerate(shape)]))


def apart(out: Tensor, input: Tensor) -> Tensor:
    """The result as a tensor of its own: a copy if nothing has moved and it still is the input, or a view of it."""
    root = input if input.base is None else input.base
    return TABLE["clone"](out) if out is input or out.base is root else out


# --- views ------------------------------------------------------------------------------------------------------------


def complete_shape(op, shape, size):
    """The shape with a -1 replaced by what is left over."""
    known = math.prod([n for n in shape if n != -1])
    if list(shape).count(-1) > 1:
        raise RuntimeError(f"{op}: only one length can be -1, got {tuple(shape)}")
    if -1 in shape:
        if known == 0 or size % known:
            raise RuntimeError(f"{op}: {size} elements cannot be arranged as {tuple(shape)}")
        return tuple([size // known if n == -1 else n for n in shape])
    if known != size or any([n < 0 for n in shape]):
        raise RuntimeError(f"{op}: {size} elements cannot be arranged as {tuple(shape)}")
    return tuple(shape)


@primitive(view=True, spread=True, laws="linear")
def reshape(input, /, shape):
    """The same elements, in the same order, in another shape; one length may be -1. A view where that is possible.

    >>> import minigrad
    >>> minigrad.arange(6).reshape(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    try:
        return input.reshape(shape)
    except (TypeError, ValueError):
        return input.reshape(complete_shape("reshape", shape, input.size))  # says better what is wrong


@reshape.vjp("input")
def _(g, input_shape):
    return g.reshape(input_shape)


@reshape.cases
def _(draw):
    x = draw.array(draw.shape())
    return (x, draw.choice((-1,), (x.size,), (1, *x.shape)) if x.size else x.shape), {}


@primitive(view=True, spread=True, laws="linear")
def view(input, /, size):
    """As reshape, but always a view of the same memory.

    Raises:
        RuntimeError: the elements are not in an order that allows it; use reshape.
    """
    if not isinstance(size, (tuple, list)) or len(size) == 1 and isinstance(size[0], np.dtype):
        raise TypeError(f"view: expected a shape, got {size!r}")
    out = input.reshape(complete_shape("view", size, input.size))
    if input.size and not xp(input).may_share_memory(out, input):
        raise RuntimeError(f"view: the elements of shape {input.shape}, strides {input.strides}, cannot be seen as {tuple(size)}; use reshape")
    return out


@view.vjp("input")
def _(g, input_shape):
    return g.reshape(input_shape)


@view.cases
def _(draw):
    x = draw.contiguous(draw.shape())
    return (x, (x.size,)), {}


@primitive(view=True, laws="linear")
def transpose(input, /, dim0, dim1):
    """Two axes exchanged. A view."""
    return input.swapaxes(check_dim("transpose", dim0, input.ndim), check_dim("transpose", dim1, input.ndim)) if input.ndim else input


@transpose.vjp("input")
def _(g, dim0, dim1):
    return transpose(g, dim0, dim1)


@transpose.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=2))
    return (x, 0, -1), {}


@primitive(view=True, spread=True, laws="linear")
def permute(input, /, dims):
    """The axes in another order: axis i of the result is axis dims[i] of the input. A view."""
    order = check_dims("permute", dims, input.ndim) if dims else ()
    if len(order) != input.ndim:
        raise RuntimeError(f"permute: expected {input.ndim} dimensions for shape {input.shape}, got {tuple(dims)}")
    return input.transpose(order)


@permute.vjp("input")
def _(g, dims):
    order = [d % len(dims) for d in dims]
    return permute(g, tuple([order.index(axis) for axis in range(len(order))]))


@permute.cases
def _(draw):
    x = draw.array(draw.shape())
    return (x, tuple(draw.permutation(x.ndim))), {}


@primitive(view=True, spread=True, laws="linear")
def expand(input, /, size):
    """The input broadcast to a shape; -1 keeps a length. A view, with several elements in one place in memory."""
    extra = len(size) - input.ndim
    if extra < 0:
        raise RuntimeError(f"expand: {len(size)} lengths {tuple(size)} for a tensor of {input.ndim} dimensions")
    full = tuple([input.shape[i - extra] if n == -1 and i >= extra else n for i, n in enumerate(size)])
    for i, n in enumerate(full):
        if n < 0 or i >= extra and input.shape[i - extra] not in (1, n):
            raise RuntimeError(f"expand: a tensor of shape {input.shape} cannot be expanded to {tuple(size)}")
    if type(input) is np.ndarray and input.ndim == 0:  # as the gradient of a sum is: broadcast_to takes several times longer
        return np.ndarray(full, input.dtype, input, strides=(0,) * len(full))
    out = xp(input).broadcast_to(input, full)
    if isinstance(out, np.ndarray):
        out.flags.writeable = input.flags.writeable  # in-place writes look for overlaps themselves
    return out


@expand.vjp("input")
def _(g):
    return g  # the engine undoes broadcasting


@expand.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(draw.broadcastable(shape)), shape), {}


@primitive(spread=True, laws="linear")
def sum_to_size(input, /, size):
    """The sum over the axes that broadcasting has added or stretched: the adjoint of expand."""
    extra = input.ndim - len(size)
    if extra < 0 or any([n != m and n != 1 for n, m in zip(size, input.shape[extra:], strict=True)]):
        raise RuntimeError(f"sum_to_size: a tensor of shape {input.shape} cannot be summed to {tuple(size)}: it is not broadcast from it")
    axes = tuple(range(extra)) + tuple([i + extra for i, n in enumerate(size) if n == 1 and input.shape[i + extra] != 1])
    if not axes and size:
        return input
    if input.dtype.kind in "biu":
        return input.sum(axes, dtype=int64).reshape(size)
    return of(input).sum_axes(input, axes, False).reshape(size)


@sum_to_size.vjp("input")
def _(g, input_shape):
    return expand(g, input_shape)


@sum_to_size.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(shape), draw.broadcastable(shape)), {}


@primitive(view=True, laws="linear")
def squeeze(input, /, dim=None):
    """The input without its axes of length 1, or without those named, where their length is 1. A view."""
    dims = () if dim is not None and not isinstance(dim, int) and not len(dim) else check_dims("squeeze", dim, input.ndim)
    return input.reshape([n for i, n in enumerate(input.shape) if n != 1 or i not in dims])


@squeeze.vjp("input")
def _(g, input_shape):
    return g.reshape(input_shape)


@squeeze.cases
def _(draw):
    return (draw.array((1, *draw.shape())),), draw.choice({}, {"dim": 0}, {"dim": (0,)})


@primitive(view=True, laws="linear")
def unsqueeze(input, /, dim):
    """The input with an axis of length 1 put in before axis `dim`. A view."""
    at = check_dim("unsqueeze", dim, input.ndim + 1)
    return input.reshape(input.shape[:at] + (1,) + input.shape[at:])


@unsqueeze.vjp("input")
def _(g, input_shape):
    return g.reshape(input_shape)


@unsqueeze.cases
def _(draw):
    return (draw.array(draw.shape()), draw.choice(0, -1)), {}


@primitive(view=True, laws="linear")
def diagonal(input, /, offset=0, dim1=0, dim2=1):
    """The diagonal of two axes, as the last axis of the result. A view."""
    check_dims("diagonal", (dim1, dim2), input.ndim)
    out = input.diagonal(offset, dim1, dim2)
    if isinstance(out, np.ndarray):
        out.flags.writeable = input.flags.writeable  # NumPy alone gives a view that cannot be written to
    return out


@diagonal.vjp("input")
def _(g, input_shape, offset, dim1, dim2):
    return place_diagonal(g, input_shape, offset, dim1, dim2)


@diagonal.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=2)),), {"offset": draw.choice(0, 1, -1)}


@primitive(method=False, laws="linear")
def place_diagonal(input, /, shape, offset, dim1, dim2):
    """Zeros of a shape with the input on the diagonal of two axes: the adjoint of diagonal."""
    m = xp(input)
    out = m.zeros(shape, input.dtype)
    moved = m.moveaxis(out, (dim1, dim2), (-2, -1))
    n = m.arange(input.shape[-1])
    moved[..., n - min(offset, 0), n + max(offset, 0)] = input
    return out


@place_diagonal.vjp("input")
def _(g, offset, dim1, dim2):
    return diagonal(g, offset, dim1, dim2)


@place_diagonal.cases
def _(draw):
    return (draw.array((2, 3)), (3, 4, 2), 0, 0, 1), {}


@primitive(spread=True, laws="linear")
def flip(input, /, dims):
    """The input with the order along these axes reversed. A copy, as in torch."""
    dims = check_dims("flip", dims, input.ndim) if isinstance(dims, int) or len(dims) else ()
    return input[tuple([slice(None, None, -1) if i in dims else slice(None) for i in range(input.ndim)])].copy()


@flip.vjp("input")
def _(g, dims):
    return flip(g, dims)


@flip.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), (0,)), {}


# --- built on these ---------------------------------------------------------------------------------------------------


@function
def flatten(input, start_dim=0, end_dim=-1):
    """The axes from `start_dim` to `end_dim` as one.

    >>> import minigrad
    >>> minigrad.zeros(2, 3, 4).flatten(1).shape
    (2, 12)
    """
    first, last = check_dim("flatten", start_dim, input.ndim), check_dim("flatten", end_dim, input.ndim)
    if first > last:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if input.ndim == 0:
        return reshape(input, (1,))
    middle = math.prod(input.shape[first : last + 1])
    return input if first == last else reshape(input, (*input.shape[:first], middle, *input.shape[last + 1 :]))


@function
def ravel(input):
    """All elements along one axis."""
    return reshape(input, (-1,))


@function
def unflatten(input, dim, sizes):
    """One axis as several, of these lengths; one may be -1."""
    at = check_dim("unflatten", dim, input.ndim)
    sizes = complete_shape("unflatten", tuple(sizes), input.shape[at])
    return reshape(input, (*input.shape[:at], *sizes, *input.shape[at + 1 :]))


@function
def reshape_as(self, other):
    """This tensor in the other's shape."""
    return reshape(self, complete_shape("reshape_as", other.shape, self.array.size))


@function
def view_as(self, other):
    """This tensor seen in the other's shape."""
    return view(self, complete_shape("view_as", other.shape, self.array.size))


@function
def expand_as(self, other):
    """This tensor broadcast to the other's shape."""
    return expand(self, other.shape)


@function
def broadcast_to(input, size, *more):
    """The input broadcast to a shape, which may be spread over the call. A view."""
    return expand(input, size, *more)


@function(method=False)
def broadcast_tensors(*tensors):
    """The tensors, all broadcast to their common shape. Views."""
    try:
        shape = np.broadcast_shapes(*[x.shape for x in tensors])
    except ValueError:
        raise RuntimeError(f"broadcast_tensors: the shapes {[x.shape for x in tensors]} cannot be broadcast together") from None
    return tuple([expand(x, shape) for x in tensors])


@function
def movedim(input, source, destination):
    """Axes moved to other places, the rest staying in order. A view."""
    source = check_dims("movedim", source, input.ndim)
    destination = check_dims("movedim", destination, input.ndim)
    if len(source) != len(destination):
        raise RuntimeError(f"movedim: {len(source)} sources but {len(destination)} destinations")
    rest = iter([d for d in range(input.ndim) if d not in source])
    return permute(input, tuple([source[destination.index(d)] if d in destination else next(rest) for d in range(input.ndim)]))


@function
def swapaxes(input, axis0, axis1):
    """Two axes exchanged: NumPy's name for transpose."""
    return transpose(input, axis0, axis1)


@function
def t(input):
    """A matrix transposed; a vector as it is. A view."""
    if input.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {input.shape}; use transpose or mT")
    return transpose(input, 0, -1)


@function
def repeat(self, *repeats):
    """This tensor repeated so many times along each axis; more numbers than axes add axes in front."""
    repeats = tuple(repeats[0]) if len(repeats) == 1 and isinstance(repeats[0], (tuple, list)) else repeats
    extra = len(repeats) - self.ndim
    if extra < 0:
        raise RuntimeError(f"repeat: {len(repeats)} numbers {repeats} for a tensor of {self.ndim} dimensions")
    shape = (1,) * extra + self.shape
    cells = reshape(self, tuple([m for n in shape for m in (1, n)]))
    repeated = expand(cells, tuple([m for r, n in zip(repeats, shape, strict=True) for m in (r, n)]))
    return apart(reshape(repeated, tuple([r * n for r, n in zip(repeats, shape, strict=True)])), self)


@function
def tile(input, dims, *more):
    """As repeat, but fewer numbers than axes leave the first axes alone. The numbers may be spread over the call."""
    dims = tuple(dims) if isinstance(dims, (tuple, list)) else (dims, *more)
    return repeat(input, *((1,) * (input.ndim - len(dims)) + dims))


@function
def fliplr(input):
    """The second axis reversed: left and right exchanged."""
    if input.ndim < 2:
        raise RuntimeError(f"fliplr: expected at least 2 dimensions, got shape {input.shape}")
    return flip(input, (1,))


@function
def flipud(input):
    """The first axis reversed: up and down exchanged."""
    if input.ndim < 1:
        raise RuntimeError("flipud: expected at least 1 dimension, got a 0-d tensor")
    return flip(input, (0,))


@function
def rot90(input, k=1, dims=(0, 1)):
    """The input turned k times by 90 degrees, from the first of two axes towards the second."""
    if input.ndim < 2:
        raise RuntimeError(f"rot90: expected at least 2 dimensions, got shape {input.shape}")
    if len(dims) != 2 or dims[0] % input.ndim == dims[1] % input.ndim:
        raise RuntimeError(f"rot90: expected two different dimensions, got {tuple(dims)}")
    k = as_int("rot90", "a number of turns", k) % 4
    if k == 2:
        return flip(input, dims)
    if k == 1:
        return flip(transpose(input, *dims), (dims[0],))
    return flip(transpose(input, *dims), (dims[1],)) if k == 3 else apart(input, input)


@primitive(laws="linear")
def tril(input, /, diagonal=0):
    """The lower triangle of the last two axes, zeros above it."""
    check_matrix("tril", input)
    return xp(input).tril(input, diagonal)


@primitive(laws="linear")
def triu(input, /, diagonal=0):
    """The upper triangle of the last two axes, zeros below it."""
    check_matrix("triu", input)
    return xp(input).triu(input, diagonal)


def check_matrix(op, x):
    if x.ndim < 2:
        raise RuntimeError(f"{op}: expected at least 2 dimensions, got shape {x.shape}")


@tril.vjp("input")
def _(g, diagonal):
    return tril(g, diagonal)


@triu.vjp("input")
def _(g, diagonal):
    return triu(g, diagonal)


@tril.cases
@triu.cases
def _(draw):
    return (draw.array((3, 4)), draw.choice(0, 1, -1)), {}


@function
def diag(input, diagonal=0):
    """The diagonal of a matrix, or the matrix with this vector on its diagonal."""
    if input.ndim == 1:
        n = input.shape[0] + abs(diagonal)
        return place_diagonal(input, (n, n), diagonal, 0, 1)
    if input.ndim == 2:
        return TABLE["clone"](globals()["diagonal"](input, diagonal))
    raise RuntimeError(f"diag: expected 1 or 2 dimensions, got shape {input.shape}")


@function(method=False)
def meshgrid(*tensors, indexing=None):
    """For vectors x, y, ...: tensors of the shape of their grid, each varying along its own axis; with indexing "xy" the second is the first.

    Raises:
        RuntimeError: a tensor has more than one axis, dtypes differ, or indexing is neither "ij" (the default) nor "xy".
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    for x in tensors:
        if x.ndim > 1 or x.dtype != tensors[0].dtype:
            raise RuntimeError(f"meshgrid: expected vectors of one dtype, got {x.dtype} of shape {x.shape} beside {tensors[0].dtype}")
    if not tensors:
        raise ValueError("meshgrid: expected at least one tensor")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    n = len(tensors)
    axes = list(range(n))
    if indexing == "xy" and n >= 2:
        axes[:2] = [1, 0]
    shape = [0] * n
    for x, axis in zip(tensors, axes, strict=True):
        shape[axis] = x.numel()
    return tuple([
        expand(reshape(x, tuple([-1 if i == axis else 1 for i in range(n)])), tuple(shape))
        for x, axis in zip(tensors, axes, strict=True)
    ])  # fmt: skip


@function
def narrow(input, dim, start, length):
    """A stretch of an axis. A view."""
    if input.ndim == 0:
        raise RuntimeError("narrow: a 0-d tensor has no dimension to narrow")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind not in "iu"):
        raise RuntimeError(f"narrow: expected start as an integer or a 0-d tensor of one, got {start.dtype} of shape {start.shape}")
    dim = check_dim("narrow", dim, input.ndim)
    start, length = [as_int("narrow", *given) for given in (("start", start), ("length", length))]
    start += input.shape[dim] if start < 0 else 0
    if not 0 <= start <= start + length <= input.shape[dim]:
        raise RuntimeError(f"narrow: {length} elements from {start} do not fit into dimension {dim} of length {input.shape[dim]}")
    return input[(slice(None),) * dim + (slice(start, start + length),)]


@function
def select(input, dim, index):
    """The slice at one place of an axis, without it. A view."""
    return input[(slice(None),) * check_dim("select", dim, input.ndim) + (index,)]


@function(method=False)
def atleast_1d(*tensors):
    """The tensor, a 0-d one as one element along an axis; of several tensors, a tuple."""
    return of_each(lambda x: reshape(x, (1,)) if x.ndim == 0 else x, tensors)


@function(method=False)
def atleast_2d(*tensors):
    """The tensor with axes put in front until there are two; of several tensors, a tuple."""
    return of_each(lambda x: reshape(x, (1, -1)) if x.ndim < 2 else x, tensors)


@function(method=False)
def atleast_3d(*tensors):
    """The tensor with axes put around it until there are three: a vector becomes (1, n, 1), a matrix (n, m, 1); of several, a tuple."""
    return of_each(lambda x: reshape(x, (1, -1, 1) if x.ndim < 2 else (*x.shape, 1)) if x.ndim < 3 else x, tensors)


def of_each(change, tensors):
    """The one tensor changed, or each of several, which may come as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return change(tensors[0])
    return tuple([change(x) for x in (tensors[0] if len(tensors) == 1 else tensors)])


@function
@of_host
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element along an axis so many times, one after the other; of `repeats` alone, the places that this would take.

    Args:
        input: a tensor.
        repeats: a number, or a tensor with one for each element along the axis.
        dim: the axis; None for all elements in order.
        output_size: the sum of the repeats, which need not be known here but must be right.

    >>> import minigrad
    >>> minigrad.repeat_interleave(minigrad.tensor([5, 6]), minigrad.tensor([2, 1]))
    tensor([5, 5, 6])
    """
    if repeats is None:
        repeats, input = input, arange(input.shape[0] if input.ndim else 0)
    counts = repeats.array if isinstance(repeats, Tensor) else np.asarray(repeats)
    if counts.dtype.kind not in "iu" or counts.ndim > 1:
        raise RuntimeError(f"repeat_interleave: expected repeats as integers in a vector, got {counts.dtype} of shape {counts.shape}")
    if counts.size and counts.min() < 0:
        raise RuntimeError(f"repeat_interleave: repeats cannot be negative, got {counts.min()}")
    if dim is None or input.ndim == 0:
        input, dim = ravel(input), 0
    dim = check_dim("repeat_interleave", dim, input.ndim)
    n = input.shape[dim]
    if counts.size not in (1, n):
        raise RuntimeError(f"repeat_interleave: {counts.size} repeats for {n} elements along dimension {dim}")
    if counts.size and counts.max() * (n / counts.size) >= 2**59:  # NumPy would multiply beyond 64 bits, and crash
        raise RuntimeError(f"repeat_interleave: no array can have {n} elements so many times as {counts.max()}")
    places = np.repeat(np.arange(n), counts)
    if output_size is not None and output_size != places.size:
        raise RuntimeError(f"repeat_interleave: the repeats add up to {places.size}, not to output_size={output_size}")
    return input[(slice(None),) * dim + (places,)]


for op in (tril, triu):
    in_place(op)

swapdims = known_as(transpose, "swapdims")
moveaxis = known_as(movedim, "moveaxis")


def last_two(op, x):
    check_matrix(op, x)
    return transpose(x, -2, -1)


register("T", property(lambda self: permute(self, tuple(reversed(range(self.ndim)))), doc="The axes in reverse order. A view."))
register("mT", property(lambda self: last_two("mT", self), doc="The last two axes exchanged. A view."))
