"""Every kernel in plain array code that NumPy and CuPy share: the executable specification, and the oracle of the tests.

A convolution is a matrix product with the unfolded input; its two adjoints follow from that one line. Pooling reads the same
windows and takes a sum or a maximum. Nothing here depends on the number of axes or on the dtype.

Shapes: x (N, C, *in), w (K, C / groups, *kernel), g and results in the windows' plane (N, K, *out) or (N, C, *out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from itertools import product
from math import prod
from typing import Any, TypeVar

import numpy

from .formula import Formula, Row
from .fused import add_into as add_into
from .fused import batch_norm as batch_norm
from .fused import batch_norm_input as batch_norm_input
from .fused import binary as binary
from .fused import cross_entropy as cross_entropy
from .fused import cross_entropy_input as cross_entropy_input
from .fused import dropout as dropout
from .fused import finish
from .fused import group_norm as group_norm
from .fused import group_norm_input as group_norm_input
from .fused import row_norm as row_norm
from .fused import row_norm_input as row_norm_input
from .fused import scale_channels as scale_channels
from .fused import softmax as softmax
from .fused import softmax_input as softmax_input
from .fused import sum_axes as sum_axes
from .fused import unary as unary
from .geometry import Ints, Windows
from .namespace import xp
from .resampling import Line, by_products

Array = Any  # numpy.ndarray or cupy.ndarray
Kernel = TypeVar("Kernel", bound=Callable[..., Any])


def taps(windows: Windows) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """For each tap, the slice of the padded plane that all windows together read with it."""
    for number, tap in enumerate(product(*map(range, windows.kernel))):
        yield (
            number,
            (
                ...,
                *(
                    slice(t * d, t * d + (out - 1) * s + 1, s)
                    for t, d, s, out in zip(tap, windows.dilation, windows.stride, windows.out_size, strict=True)
                ),
            ),
        )


def padded(windows: Windows) -> tuple[Ints, tuple[Any, ...]]:
    """The size of the plane with all that windows reach beyond it, and where in it the input lies."""
    before = [pad[0] for pad in windows.padding]
    size = [
        max(b + n, (out - 1) * s + span)
        for b, n, out, s, span in zip(
            before, windows.in_size, windows.out_size, windows.stride, windows.span, strict=True
        )
    ]
    inside = (..., *(slice(b, b + n) for b, n in zip(before, windows.in_size, strict=True)))
    return tuple(size), inside


def pad(x: Array, windows: Windows, fill: int = 0) -> Array:
    """The input plane within its padding."""
    size, inside = padded(windows)
    if size == x.shape[2:]:
        return x
    out = xp(x).full((*x.shape[:2], *size), fill, x.dtype)
    out[inside] = x
    return out


def in_wide_floats(kernel: Kernel) -> Kernel:
    """Runs a kernel that adds up float16 values in float32, to round once instead of at each addition."""

    @wraps(kernel)
    def run(*args: Any) -> Any:
        if args[0].dtype != "float16":
            return kernel(*args)
        wide = [a.astype("float32") if getattr(a, "dtype", None) == "float16" else a for a in args]
        return kernel(*wide).astype("float16")

    return run  # type: ignore[return-value]


def unfold(x: Array, windows: Windows) -> Array:
    """What each tap of each window reads: (N, C, *in) to (N, C, taps, *out). Also known as im2col."""
    plane = pad(x, windows)
    out = xp(x).empty((*x.shape[:2], prod(windows.kernel), *windows.out_size), x.dtype)
    for number, window in taps(windows):
        out[:, :, number] = plane[window]
    return out


@in_wide_floats
def fold(columns: Array, windows: Windows) -> Array:
    """Adds up what each tap of each window hands back: (N, C, taps, *out) to (N, C, *in). The adjoint of unfold."""
    size, inside = padded(windows)
    plane = xp(columns).zeros((*columns.shape[:2], *size), columns.dtype)
    for number, window in taps(windows):
        plane[window] += columns[:, :, number]
    return xp(columns).ascontiguousarray(plane[inside])


def filter_matrix(w: Array, groups: int) -> Array:
    """(K, C / groups, *kernel) as one matrix a group: (groups, K / groups, C / groups * taps)."""
    return w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def add_bias(out: Array, bias: Array | None) -> Array:
    """Adds one number to each channel."""
    return out if bias is None else out + bias.reshape(-1, *[1] * (out.ndim - 2))


@in_wide_floats
def conv(x: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The convolution (cross-correlation, as in all neural networks) of x with the filters w."""
    filters = filter_matrix(w, windows.groups)
    columns = unfold(x, windows).reshape(x.shape[0], windows.groups, filters.shape[2], prod(windows.out_size))
    out = xp(x).matmul(filters, columns)
    return add_bias(out.reshape(x.shape[0], w.shape[0], *windows.out_size), bias)


@in_wide_floats
def finished_conv(
    x: Array, w: Array, bias: Array | None, windows: Windows, scale: Array | None, shift: Array | None, low: float, high: float
) -> Array:
    """The convolution with each channel scaled and shifted, between two limits."""
    return finish(conv(x, w, bias, windows), scale, shift, low, high)


def conv_input(g: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The adjoint of conv in x: each window's value spreads over its taps. Also known as transposed convolution."""
    filters = filter_matrix(w, windows.groups)
    rows = g.reshape(g.shape[0], windows.groups, filters.shape[1], prod(windows.out_size))
    columns = xp(g).matmul(filters.swapaxes(1, 2), rows)
    channels = w.shape[1] * windows.groups
    columns = columns.reshape(g.shape[0], channels, prod(windows.kernel), *windows.out_size)
    return add_bias(fold(columns, windows), bias)


@in_wide_floats
def conv_weight(x: Array, g: Array, windows: Windows) -> Array:
    """The adjoint of conv in w: the correlation of the input with the cotangent of the output."""
    groups, channels, filters = windows.groups, x.shape[1] // windows.groups, g.shape[1]
    positions = prod(windows.out_size)
    columns = unfold(x, windows).reshape(x.shape[0], groups, channels * prod(windows.kernel), positions)
    rows = g.reshape(g.shape[0], groups, filters // groups, positions)
    per_sample = xp(x).matmul(rows, columns.swapaxes(2, 3))
    return per_sample.sum(axis=0, dtype=x.dtype).reshape(filters, channels, *windows.kernel)


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window, and where it lies: its flat index in the input plane.

    The first of equal maxima wins. A NaN beats all numbers, and a later NaN an earlier one, as in torch.
    """
    module = xp(x)
    plane = pad(x, windows)
    positions = module.arange(prod(windows.in_size)).reshape(1, 1, *windows.in_size)
    positions = pad(positions, windows, fill=-1)  # padding is no candidate, whatever the values are
    best = module.zeros((*x.shape[:2], *windows.out_size), x.dtype)
    found = module.full(best.shape, -1, positions.dtype)
    for _, window in taps(windows):
        value, position = plane[window], positions[window]
        is_nan = value != value  # isnan refuses integers
        wins = (position >= 0) & ((value > best) | is_nan | (found < 0))
        best = module.where(wins, value, best)
        found = module.where(wins, position, found)
    return best, found


@in_wide_floats
def pool_scatter(g: Array, indices: Array, in_size: Ints, windows: Windows | None = None) -> Array:
    """Adds each value to the element of the plane that its index names. The backward pass of max_pool.

    With windows, each index lies in its own window: kernels that gather need to look no further.
    """
    module = xp(g)
    planes = prod(g.shape[:2])
    out = module.zeros((planes, prod(in_size)), g.dtype)
    module.add.at(out, (module.arange(planes)[:, None], flat_planes(indices)), flat_planes(g))
    return out.reshape(*g.shape[:2], *in_size)


def max_unpool(x: Array, indices: Array, in_size: Ints) -> Array:
    """Writes each value to the element of the plane that its index names; the last of several wins, the rest is zero."""
    module = xp(x)
    planes = prod(x.shape[:2])
    out = module.zeros((planes, prod(in_size)), x.dtype)
    places = module.ascontiguousarray(flat_planes(indices))  # NumPy assigns in the order of memory
    out[module.arange(planes)[:, None], places] = module.ascontiguousarray(flat_planes(x))
    return out.reshape(*x.shape[:2], *in_size)


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product over the last two axes, the axes before them being broadcast, plus one number a column."""
    product = xp(a).matmul(a, b)
    return product if bias is None else product + bias


@in_wide_floats
def resample(x: Array, lines: tuple[Line, ...]) -> Array:
    """The last axes of x, as many as there are lines, each multiplied by the sparse matrix of its line."""
    return by_products(x, lines, matmul)


def named(x: Array, index: Array) -> Array:
    """The elements (N, C, places) of planes that indices (N, places) name; 0 where one is below 0."""
    m = xp(x)
    return m.where(index[:, None] < 0, 0, m.take_along_axis(x, m.where(index < 0, 0, index)[:, None], 2)).astype(x.dtype, copy=False)


@in_wide_floats
def blend(x: Array, weights: Array, indices: Array) -> Array:
    """x (N, C, plane), weights and indices (N, taps, places): for each channel and place the sum of the weights times what their indices name."""
    out = xp(x).zeros((*x.shape[:2], weights.shape[2]), x.dtype)
    for tap in range(weights.shape[1]):
        out += named(x, indices[:, tap]) * weights[:, tap, None]
    return out


@in_wide_floats
def match(g: Array, x: Array, indices: Array) -> Array:
    """The adjoint of blend in the weights."""
    return xp(x).stack([(g * named(x, indices[:, tap])).sum(1) for tap in range(indices.shape[1])], 1)


@in_wide_floats
def spread(g: Array, weights: Array, indices: Array, size: int) -> Array:
    """The adjoint of blend in x, whose planes have this size."""
    m = xp(g)
    out = m.zeros((*g.shape[:2], size + 1), g.dtype)  # with a place for what names nothing
    lines = m.arange(prod(g.shape[:2])).reshape(*g.shape[:2], 1) * (size + 1)
    for tap in range(weights.shape[1]):
        index = m.where(indices[:, tap] < 0, size, indices[:, tap])
        m.add.at(out.reshape(-1), (lines + index[:, None]).reshape(-1), (g * weights[:, tap, None]).reshape(-1))
    return m.ascontiguousarray(out[:, :, :size])


def pool_gather(x: Array, indices: Array) -> Array:
    """Reads the elements of the plane that the indices name. The adjoint of pool_scatter."""
    return xp(x).take_along_axis(flat_planes(x), flat_planes(indices), axis=1).reshape(indices.shape)


def flat_planes(x: Array) -> Array:
    """(N, C, *plane) to (N * C, plane)."""
    return x.reshape(prod(x.shape[:2]), prod(x.shape[2:]))


@in_wide_floats
def sum_pool(x: Array, windows: Windows) -> Array:
    """The sum of each window."""
    plane = pad(x, windows)
    out = xp(x).zeros((*x.shape[:2], *windows.out_size), x.dtype)
    for _, window in taps(windows):
        out += plane[window]
    return out


@in_wide_floats
def sum_pool_input(g: Array, windows: Windows) -> Array:
    """The adjoint of sum_pool: each window's value goes to all of its taps."""
    size, inside = padded(windows)
    plane = xp(g).zeros((*g.shape[:2], *size), g.dtype)
    for _, window in taps(windows):
        plane[window] += g
    return xp(g).ascontiguousarray(plane[inside])


def add_rows(target: Array, indices: Array, source: Array) -> None:
    """target[index] += source[i] for each of the indices, as often as one appears."""
    if isinstance(target, numpy.ndarray):
        numpy.add.at(target, indices, source)
    else:
        target.scatter_add(indices, source)


def update(formula: Formula, rows: Iterable[Row]) -> None:
    """Writes what a formula gives for each row of arrays into the last ones of the row, as many as it returns."""
    for row in rows:
        with numpy.errstate(all="ignore"):
            results = formula(*[x.copy() for x in row])  # a result may be an argument, which must outlive the writing
        for array, result in zip(row[-len(results) :], results, strict=True):
            array[...] = result


def unscale(arrays: list[Array], inverse: Array) -> Array:
    """Multiplies arrays by a number without axes, in place; gives 1 if one had an element that is infinite or NaN, else 0, as float32 where they are."""
    m = xp(inverse)
    found = [m.isfinite(x).all() for x in arrays]
    for x in arrays:
        with numpy.errstate(all="ignore"):
            x *= inverse
    return m.asarray(~m.stack(found).all(), "float32")


def sum_of_squares(arrays: Iterable[Array]) -> float:
    """The sum of the squares of all elements, computed in float64."""
    with numpy.errstate(all="ignore"):
        return sum(float(xp(x).sum(xp(x).square(x, dtype=numpy.float64))) for x in arrays)
