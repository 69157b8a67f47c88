"""The kernels for NumPy arrays: compiled where they can be, else the reference.

The compiled kernels take C-contiguous float32 and float64 arrays with one to three axes in the plane. The environment variable
MINIGRAD_KERNELS, read once at import, forces one kind for tests: ``reference`` or ``compiled``.
"""

from __future__ import annotations

import os
from importlib import import_module
from math import prod
from typing import Any

from numpy import add, asarray, broadcast_to, dtype, int64, ndarray, where

from . import fused, reference
from .formula import noted, planned
from .geometry import Ints, Windows
from .reference import blend as blend
from .reference import match as match
from .reference import spread as spread
from .resampling import Line

Array = Any  # numpy.ndarray
COMPILED_DTYPES = (dtype("float32"), dtype("float64"))
LARGE = 1 << 15  # elements; from here on two threads add faster than NumPy does
FEWEST_SEPARABLE, LARGEST_SEPARABLE = 16, 5  # channels of a separable convolution, whose vectors hold channels; its filters' size
LONG_LINE, LONGEST_LINE = 32, 1024  # which vectors along it fill well; of a separable convolution
SMALL_SUM = 4096  # elements; NumPy sums fewer as fast
NUMPY_SUM: Any = add.reduce  # which x.sum() takes a detour to


def _load_compiled() -> Any:
    """The module of compiled kernels, or None."""
    choice = os.environ.get("MINIGRAD_KERNELS", "")
    if choice not in ("", "compiled", "reference"):
        raise ImportError(f"minigrad: MINIGRAD_KERNELS must be 'reference' or 'compiled', but is {choice!r}")
    if choice == "reference":
        return None
    try:
        return import_module("minigrad._ext.kernels")
    except ImportError as reason:
        if choice == "compiled":
            raise
        import warnings

        warnings.warn(
            f"minigrad: its compiled kernels are not available ({reason}), so convolutions and pooling run on the "
            f"reference kernels, which give the same results many times slower. To build them, install minigrad with "
            f"`pip install .` from its source tree; to silence this warning, set MINIGRAD_KERNELS=reference.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


compiled = _load_compiled()


def packed(x: Array) -> Array:
    """The array in the layout that the compiled kernels read: a copy unless it has it."""
    flags = x.flags
    return x if flags.c_contiguous and flags.aligned else x.copy()


def takes(x: Array, rank: int) -> bool:
    """Can the compiled kernels compute with this array?"""
    return takes_kind(x.shape, x.dtype, rank)


def takes_kind(shape: tuple[int, ...], dtype: Any, rank: int) -> bool:
    """The same of an array of which only shape and dtype are known, with that many axes in its planes."""
    return compiled is not None and dtype in COMPILED_DTYPES and rank <= 3 and 0 not in shape


def conv(x: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The convolution of x with the filters w."""
    if takes(x, windows.rank):
        bias = None if bias is None else packed(bias)
        return compiled.conv(packed(x), packed(w), bias, windows)
    return reference.conv(x, w, bias, windows)


def finished_conv(
    x: Array,
    w: Array,
    bias: Array | None,
    windows: Windows,
    scale: Array | None,
    shift: Array | None,
    low: float,
    high: float,
    residual: Array | None = None,
    kept: Any = None,
) -> Array:
    """The convolution with each channel scaled and shifted, plus a residual, between two limits; with packed filters that are kept."""
    if takes(x, windows.rank):
        arrays = pack(scale), pack(shift), pack(residual)
        return compiled.conv(packed(x), packed(w), pack(bias), windows, *arrays, low, high, kept)
    return fused.finish(reference.conv(x, w, bias, windows), scale, shift, low, high, residual)


def separable_pays(windows: Windows, widened: bool) -> bool:
    """Is `separable` faster than one convolution after the other?

    With large filters it is not, nor are long lines that are not widened; a few of the longest would not fit into a cache.
    """
    turned = not widened and windows.stride[-1] == 1 and windows.out_size[-1] >= LONG_LINE
    small = max(windows.kernel) <= LARGEST_SEPARABLE and windows.in_size[-1] <= LONGEST_LINE
    return windows.groups >= FEWEST_SEPARABLE and small and not turned


def separable(
    x: Array,
    windows: Windows,
    widen: tuple[Any, ...] | None,
    filters: tuple[Any, ...],
    narrow: tuple[Any, ...],
) -> Array:
    """A depthwise convolution between two of one tap, or before one, of what `takes` says.

    Each is filters, bias, the mean, variance, weight, bias and eps of a batch norm or five times None, and two limits.
    """
    stages = [None if one is None else (*map(pack, one[:6]), *one[6:]) for one in (widen, filters, narrow)]
    return compiled.separable(packed(x), windows, *stages)  # type: ignore[no-any-return]


def conv_input(g: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The adjoint of conv in x, the transposed convolution."""
    if takes(g, windows.rank) and w.size:
        bias = None if bias is None else packed(bias)
        return compiled.conv_input(packed(g), packed(w), bias, windows)
    return reference.conv_input(g, w, bias, windows)


def conv_weight(x: Array, g: Array, windows: Windows) -> Array:
    """The adjoint of conv in w."""
    if takes(x, windows.rank):
        return compiled.conv_weight(packed(x), packed(g), windows)
    return reference.conv_weight(x, g, windows)


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product over the last two axes, the axes before them being broadcast, plus one number a column.

    A vector on the left counts as a row, one on the right as a column.
    """
    if compiled is None or a.dtype not in COMPILED_DTYPES or a.dtype != b.dtype or a.ndim + b.ndim < 3:
        return reference.matmul(a, b, bias)
    if bias is not None:
        bias = packed(bias)
    if a.ndim == 1:
        return compiled.matmul(in_steps(a[None]), in_steps(b), bias)[..., 0, :]
    if b.ndim == 1:
        return compiled.matmul(in_steps(a), in_steps(b[:, None]), bias)[..., 0]
    return compiled.matmul(in_steps(a), in_steps(b), bias)


def in_steps(x: Array) -> Array:
    """The array as the compiled matrix product reads it: aligned and in steps of whole elements; a copy unless it is."""
    return x if compiled.in_steps(x) else x.copy()


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window and its flat index in the input plane."""
    if takes(x, windows.rank):
        found: tuple[Array, Array] = compiled.max_pool(packed(x), windows)
        return found
    return reference.max_pool(x, windows)


def pool_scatter(g: Array, indices: Array, in_size: Ints, windows: Windows | None = None) -> Array:
    """Adds each value to the element of the plane that its index names."""
    if takes(g, len(in_size)):
        return compiled.pool_scatter(packed(g), packed(indices), in_size)
    return reference.pool_scatter(g, indices, in_size)


def max_unpool(x: Array, indices: Array, in_size: Ints) -> Array:
    """Writes each value to the element of the plane that its index names; the last of several wins."""
    if takes(x, len(in_size)):
        return compiled.max_unpool(packed(x), packed(indices), in_size)
    return reference.max_unpool(x, indices, in_size)


def pool_gather(x: Array, indices: Array) -> Array:
    """Reads the elements of the plane that the indices name."""
    if takes(x, x.ndim - 2):
        return compiled.pool_gather(packed(x), packed(indices))
    return reference.pool_gather(x, indices)


def sum_pool(x: Array, windows: Windows) -> Array:
    """The sum of each window."""
    if takes(x, windows.rank):
        return compiled.sum_pool(packed(x), windows)
    return reference.sum_pool(x, windows)


def sum_pool_input(g: Array, windows: Windows) -> Array:
    """The adjoint of sum_pool."""
    if takes(g, windows.rank):
        return compiled.sum_pool_input(packed(g), windows)
    return reference.sum_pool_input(g, windows)


def update(formula: Any, rows: list[tuple[Array, ...]]) -> None:
    """Writes what a formula gives for each row of arrays into the last ones of the row, as many as it returns."""
    if compiled is None:
        reference.update(formula, rows)
        return
    arguments = len(rows[0])
    notes, results = noted(formula, arguments)
    plan = planned(arguments, tuple(notes.steps), results)
    if ready(rows):
        compiled.evaluate(arguments, plan.temporaries, plan.code, notes.constants, rows)
        return
    by_dtype: dict[Any, list[tuple[Array, ...]]] = {}
    for row in rows:
        changed = row[arguments - len(results) :]
        kind = row[0].dtype
        if kind in COMPILED_DTYPES and all([x.dtype == kind for x in row]) and all([x.flags.carray for x in changed]):
            read = [x if x.flags.carray else x.copy() for x in row[: arguments - len(results)]]
            by_dtype.setdefault(kind, []).append((*read, *changed))
        else:
            reference.update(formula, (row,))
    for alike in by_dtype.values():
        compiled.evaluate(arguments, plan.temporaries, plan.code, notes.constants, alike)


def ready(rows: list[tuple[Array, ...]]) -> bool:
    """Can the compiled kernels take all of these arrays at once, as they are?"""
    kind = rows[0][0].dtype
    if kind not in COMPILED_DTYPES:
        return False
    for row in rows:
        for x in row:
            if x.dtype is not kind or not x.flags.carray:
                return False
    return True


def sum_of_squares(arrays: list[Array]) -> float:
    """The sum of the squares of all elements, computed in float64."""
    total = 0.0
    for kind in dict.fromkeys([x.dtype for x in arrays]):
        same = [x for x in arrays if x.dtype == kind]
        if compiled is not None and kind in COMPILED_DTYPES:
            total += compiled.sum_of_squares([x if x.flags.carray else x.copy() for x in same])
        else:
            total += reference.sum_of_squares(same)
    return total


# --- normalisation, softmax, functions of each element, dropout, sums -------------------------------------------------


def fits(x: Array) -> bool:
    """Can the compiled kernels that take any shape compute with this array?"""
    return compiled is not None and x.dtype in COMPILED_DTYPES and x.size > 0


def pack(x: Array | None) -> Array | None:
    return None if x is None else packed(x)


def one_number(x: Array) -> Array:
    """An array that is one number everywhere, as the gradient of a sum is, as a 0-d array; others packed."""
    return asarray(x[(0,) * x.ndim]) if x.size > 1 and not any(x.strides) else packed(x)


def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    slope: float | None = None,
    residual: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Each channel of x brought to mean 0 and variance 1, scaled and shifted, then rectified if a slope is given; and both moments."""
    if fits(x):
        moved: tuple[Array, Array, Array] = compiled.batch_norm(
            packed(x), pack(weight), pack(bias), eps, slope, pack(residual)
        )
        return moved
    return fused.batch_norm(x, weight, bias, eps, slope, residual)


def batch_norm_input(
    g: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    var: Array,
    eps: float,
    slope: float | None = None,
    bias: Array | None = None,
    residual: Array | None = None,
) -> tuple[Array, ...]:
    """The gradients of batch_norm with respect to x, weight and bias, and to the residual if there is one."""
    if fits(x):
        found: tuple[Array, ...] = compiled.batch_norm_input(
            packed(g), packed(x), pack(weight), mean, var, eps, slope, pack(bias), pack(residual)
        )
        return found
    return fused.batch_norm_input(g, x, weight, mean, var, eps, slope, bias, residual)


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Each group of channels of each sample of x brought to mean 0 and variance 1, scaled and shifted; and both moments."""
    if fits(x):
        moved: tuple[Array, Array, Array] = compiled.group_norm(packed(x), pack(weight), pack(bias), groups, eps)
        return moved
    return fused.group_norm(x, weight, bias, groups, eps)


def group_norm_input(
    g: Array, x: Array, weight: Array | None, mean: Array, var: Array, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """The gradients of group_norm with respect to x, weight and bias."""
    if fits(x):
        found: tuple[Array, Array, Array] = compiled.group_norm_input(
            packed(g), packed(x), pack(weight), mean, var, groups, eps
        )
        return found
    return fused.group_norm_input(g, x, weight, mean, var, groups, eps)


def row_norm(
    x: Array, weight: Array | None, bias: Array | None, ndim: int, centred: bool, eps: float
) -> tuple[Array, Array, Array]:
    """The last `ndim` axes of x brought to mean 0 and variance 1, or to mean square 1, scaled and shifted; and both moments."""
    if fits(x):
        moved: tuple[Array, Array, Array] = compiled.row_norm(packed(x), pack(weight), pack(bias), ndim, centred, eps)
        return moved
    return fused.row_norm(x, weight, bias, ndim, centred, eps)


def row_norm_input(
    g: Array, x: Array, weight: Array | None, mean: Array, var: Array, ndim: int, centred: bool, eps: float
) -> tuple[Array, Array, Array]:
    """The gradients of row_norm with respect to x, weight and bias."""
    if fits(x):
        found: tuple[Array, Array, Array] = compiled.row_norm_input(
            packed(g), packed(x), pack(weight), mean, var, ndim, centred, eps
        )
        return found
    return fused.row_norm_input(g, x, weight, mean, var, ndim, centred, eps)


def scale_channels(
    x: Array, scale: Array, shift: Array | None, slope: float | None = None, residual: Array | None = None
) -> Array:
    """x (N, C, *) times scale (C) plus shift (C), then rectified if a slope is given."""
    if fits(x):
        return compiled.scale_channels(packed(x), packed(scale), pack(shift), slope, pack(residual))
    return fused.scale_channels(x, scale, shift, slope, residual)


def softmax(x: Array, axis: int, logarithm: bool) -> Array:
    """exp(x) over its sum along an axis, or the logarithm of that."""
    if fits(x):
        return compiled.softmax(packed(x), axis, logarithm)
    return fused.softmax(x, axis, logarithm)


def softmax_input(g: Array, y: Array, axis: int, logarithm: bool) -> Array:
    """The gradient of softmax, from that of its result and the result."""
    if fits(y):
        return compiled.softmax_input(packed(g), packed(y), axis, logarithm)
    return fused.softmax_input(g, y, axis, logarithm)


def cross_entropy(x: Array, target: Array, weight: Array | None, ignored: int) -> tuple[Array, Array, Array]:
    """The cross entropy of each target's class times that class's weight, and what its gradient needs of the softmax."""
    if fits(x):
        losses: tuple[Array, Array, Array] = compiled.cross_entropy(packed(x), packed(target), pack(weight), ignored)
        return losses
    return fused.cross_entropy(x, target, weight, ignored)


def cross_entropy_input(
    g: Array, x: Array, target: Array, weight: Array | None, ignored: int, largest: Array, log_sum: Array
) -> Array:
    """The gradient of cross_entropy with respect to x."""
    if fits(x):
        return compiled.cross_entropy_input(
            one_number(g), packed(x), packed(target), pack(weight), ignored, largest, log_sum
        )
    return fused.cross_entropy_input(g, x, target, weight, ignored, largest, log_sum)


def unary(name: str, x: Array, a: float = 0.0, b: float = 0.0, out: Array | None = None) -> Array:
    """A function of each element, by its name; into `out`, which may be x."""
    if fits(x) and (out is None or out.flags.carray):
        return compiled.map_unary(name, packed(x), a, b, out)
    return fused.unary(name, x, a, b, out)


def binary(name: str, x: Array, z: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """A function of the elements of two arrays in the same place, by its name."""
    if fits(z) and x.dtype == z.dtype and x.shape == z.shape:
        return compiled.map_binary(name, one_number(x), packed(z), a, b)
    return fused.binary(name, x, z, a, b)


def alike(x: Any, z: Any) -> bool:
    """Are these two large arrays of one shape and dtype, one element after the other in memory?"""
    return (
        type(x) is ndarray
        and type(z) is ndarray
        and x.size >= LARGE
        and x.shape == z.shape
        and x.dtype == z.dtype
        and fits(x)
        and bool(x.flags.carray and z.flags.c_contiguous and z.flags.aligned)
    )


def add_into(target: Array, x: Array) -> None:
    """target += x."""
    if alike(target, x):
        compiled.map_binary("add", target, x, 0.0, 0.0, target)
    else:
        target += x


def add_rows(target: Array, indices: Array, source: Array) -> None:
    """target[index] += source[i] for each of the indices, as often as one appears; indices may count from the end."""
    source = broadcast_to(source, indices.shape + target.shape[1:])
    if fits(target) and target.flags.carray and source.dtype == target.dtype:
        places = indices.reshape(-1).astype(int64, copy=False)  # int8 cannot count a thousand rows from the end
        if places.size and places.min() < 0:
            places = where(places < 0, places + len(target), places)
        compiled.add_rows(target, packed(places), packed(source.reshape(-1, *target.shape[1:])))
    else:
        reference.add_rows(target, indices, source)


def dropout(x: Array, key: int, p: float) -> Array:
    """x with each element set to 0 with probability p, the others scaled by 1 / (1 - p)."""
    if fits(x):
        return compiled.dropout(packed(x), key, fused.threshold(p), 1 / (1 - p))
    return fused.dropout(x, key, p)


def sum_axes(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The sum over some axes (not counted from the end)."""
    kept = [axis for axis in range(x.ndim) if axis not in axes]
    if fits(x) and x.size >= SMALL_SUM and x.flags.c_contiguous and kept == list(range(len(kept) and kept[0], x.ndim))[: len(kept)]:
        first, last = (kept[0], kept[-1] + 1) if kept else (x.ndim, x.ndim)
        sums = compiled.sum_outer_inner(packed(x), prod(x.shape[:first]), prod(x.shape[first:last]), prod(x.shape[last:]))
        shape = x.shape[first:last]
        return sums.reshape((1,) * first + shape + (1,) * (x.ndim - last) if keepdims else shape)
    return NUMPY_SUM(x, axes, keepdims=keepdims)


def unscale(arrays: list[Array], inverse: Array) -> Array:
    """Multiplies arrays by a number without axes, in place; gives 1 if one had an element that is infinite or NaN, else 0."""
    return reference.unscale(arrays, inverse)


def resample(x: Array, lines: tuple[Line, ...]) -> Array:
    """The last axes resampled one after the other: those that shrink before the last one, which is the dearest, those that grow after it."""
    if not fits(x):
        return reference.resample(x, lines)
    x = packed(x)
    grow = [axis for axis, line in enumerate(lines) if line.n_out >= line.n_in]
    shrink = [axis for axis in range(len(lines)) if axis not in grow]
    for axis in shrink + grow[::-1]:
        x = compiled.resample(x, x.ndim - len(lines) + axis, *lines[axis].vectors)
    return x
