"""The kernels for CuPy's arrays: CUDA C from cuda_sources/, compiled when first used; the reference for what that does not take.

They take contiguous float16, float32 and float64 arrays of fewer than 2**31 elements with one to three axes in the plane; float16 is only stored:
sums are made in float32. Each sum has one order, so that the same input gives the same bits. Nothing here waits for the device, but
`sum_of_squares`, which returns a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from . import formula as formulas
from . import reference
from .driver import cupy
from .fused import sum_axes as sum_axes
from .fused import threshold
from .geometry import Ints, Windows
from .namespace import xp
from .reference import add_into as add_into
from .reference import matmul as matmul

Array = Any  # cupy.ndarray
SOURCES = Path(__file__).parent / "cuda_sources"
DEFINES = {"float16": ("-DHALF", "-DWIDE=float"), "float32": ("-DSTORED=float", "-DWIDE=float"), "float64": ("-DSTORED=double", "-DWIDE=double", "-DDOUBLE")}
OPTIONS = ("-std=c++17",)
WIDE = {"float16": "float32", "float32": "float32", "float64": "float64"}
NULL = numpy.uint64(0)
THREADS = 256
LARGEST = 2**31 - 2**20  # elements: places are counted in int
DEPTH = 8  # of the sums that a tile reads at a time, as in conv.cu
NOWHERE = -(2**30)  # a place that no plane has
WORKSPACE = 1 << 26  # elements of the parts of sums


# --- how kernels are started ------------------------------------------------------------------------------------------


@cache
def source(name: str) -> str:
    """The text of a source file, after what they have in common."""
    return (SOURCES / "common.h").read_text() + (SOURCES / f"{name}.cu").read_text()


@cache
def module(text: str, kind: str) -> Any:
    """A source text compiled for arrays of this dtype."""
    return cupy().RawModule(code=text, options=(*OPTIONS, *DEFINES[kind]))


@cache
def kernel(file: str, name: str, kind: str) -> Any:
    """A kernel of a file, for arrays of this dtype."""
    return module(source(file), kind).get_function(name)


def argument(x: Any) -> Any:
    """An argument with the size that the kernel reads: int for integers, double for floats; arrays and NumPy's numbers as they are."""
    if type(x) is int or type(x) is bool:
        return numpy.int32(x)
    if type(x) is float:
        return numpy.float64(x)
    return NULL if x is None else x


def start(file: str, name: str, kind: Any, grid: Ints, threads: int, *arguments: Any) -> None:
    """Starts a kernel."""
    kernel(file, name, str(kind))(grid, (threads,), tuple([argument(a) for a in arguments]))


def each(file: str, name: str, kind: Any, size: int, *arguments: Any) -> None:
    """Starts a kernel with a thread an element."""
    start(file, name, kind, (min(-(-size // THREADS), 1 << 20),), THREADS, *arguments)


def packed(x: Array) -> Array:
    """The array in the layout that the kernels read: a copy unless it has it."""
    return x if x.flags.c_contiguous else xp(x).ascontiguousarray(x)


def pack(x: Array | None) -> Array | None:
    return None if x is None else packed(x)


def empty(like: Array, shape: Ints, kind: Any = None) -> Array:
    return xp(like).empty(shape, like.dtype if kind is None else kind)


def fits(x: Array) -> bool:
    """Can the kernels compute with this array?"""
    return x.dtype.name in DEFINES and 0 < x.size < LARGEST


def takes(x: Array, windows: Windows, *others: Array) -> bool:
    """Can the kernels of windows compute with these arrays?"""
    return windows.rank <= 3 and all([fits(a) for a in (x, *others)]) and prod(windows.out_size) > 0


@cache
def processors(index: int) -> int:
    """How many multiprocessors a GPU has: as many blocks run at once, or a few times that."""
    return int(cupy().cuda.Device(index).attributes["MultiProcessorCount"])


# --- convolution ------------------------------------------------------------------------------------------------------


class Lifted(NamedTuple):
    """The geometry of windows in three dimensions: fewer are filled up in front."""

    inside: Ints
    out: Ints
    kernel: Ints
    stride: Ints
    dilation: Ints
    pad: Ints


@lru_cache(maxsize=1024)
def lifted(windows: Windows) -> Lifted:
    ones = (1,) * (3 - windows.rank)
    zeros = (0,) * (3 - windows.rank)
    return Lifted(
        ones + windows.in_size, ones + windows.out_size, ones + windows.kernel, ones + windows.stride, ones + windows.dilation,
        zeros + tuple([before for before, _ in windows.padding]),
    )  # fmt: skip


def window_arguments(windows: Windows) -> list[int]:
    """The geometry as the kernels of pooling and of single channels take it."""
    return [n for lengths in lifted(windows) for n in lengths]


class Taps(NamedTuple):
    """What a tiled product gathers: on the device the table of the taps and where the filters' elements lie, and how many there are."""

    table: Array
    sources: Array
    depth: int
    padded: int


def on_device(table: Any, sources: Any, index: int) -> Taps:
    depth = len(sources)
    padded = -(-depth // DEPTH) * DEPTH
    rows = numpy.full((max(padded, 1), 4), NOWHERE, numpy.int32)
    rows[:, 0] = 0
    rows[:depth] = table
    with cupy().cuda.Device(index):
        return Taps(cupy().asarray(rows), cupy().asarray(numpy.asarray(sources if depth else [0], numpy.int32)), depth, padded)


def table_of(channels: int, plane: Ints, places: Any) -> Any:
    """Rows (distance in memory, and along the axes) for each channel and each of the places (n, 3)."""
    places = numpy.asarray(places, numpy.int64).reshape(-1, 3)
    inside = (places[:, 0] * plane[1] + places[:, 1]) * plane[2] + places[:, 2]
    rows = numpy.empty((channels, len(places), 4), numpy.int64)
    rows[..., 0] = numpy.arange(channels)[:, None] * prod(plane) + inside
    rows[..., 1:] = places
    return rows.reshape(-1, 4).astype(numpy.int32)


def tap_places(g: Lifted) -> list[Ints]:
    """How far each tap reads from the place where its window begins on the plane without padding."""
    return [tuple([t * d - p for t, d, p in zip(tap, g.dilation, g.pad, strict=True)]) for tap in product(*map(range, g.kernel))]


@lru_cache(maxsize=1024)
def taps_forward(windows: Windows, channels: int, index: int) -> Taps:
    """The taps of the filters, on the input."""
    g = lifted(windows)
    return on_device(table_of(channels, g.inside, tap_places(g)), numpy.arange(channels * prod(g.kernel)), index)


@lru_cache(maxsize=4096)
def taps_backward(windows: Windows, filters: int, channels: int, residue: Ints, index: int) -> Taps:
    """The taps that reach inputs of this residue of the stride, on the output; filters and channels are those of a group."""
    g = lifted(windows)
    places, numbers = [], []
    for number, tap in enumerate(product(*map(range, g.kernel))):
        ends = [r + p - t * d for r, p, t, d in zip(residue, g.pad, tap, g.dilation, strict=True)]
        if all([e % s == 0 for e, s in zip(ends, g.stride, strict=True)]):
            places.append([e // s for e, s in zip(ends, g.stride, strict=True)])
            numbers.append(number)
    sources = numpy.arange(filters)[:, None] * (channels * prod(g.kernel)) + numpy.asarray(numbers, numpy.int64)
    return on_device(table_of(filters, g.out, places), sources.reshape(-1), index)


def tile_of(kind: str, rows: int) -> Ints:
    """The rows and columns of the tiles for so many rows: no larger than they need, and few registers for float64."""
    if kind == "float64" or rows <= 32:
        return 32, 64
    return (64, 128) if rows <= 64 else (128, 128)


def threads_of(tile: Ints) -> int:
    return 256 if tile == (128, 128) else 128


def splits_of(tiles: int, chunks: int, least: int, processors: int) -> int:
    """Into how many parts to cut a sum of so many chunks, of at least `least` each, so that each processor has two tiles."""
    return max(1, min(-(-2 * processors // tiles), chunks // least, 64))


def gathered(x: Array, w: Array, bias: Array | None, out: Array, taps: Taps, groups: int, rows: int, row_step: int, group_step: int,
             source: Ints, part: Ints, step: Ints, begin: Ints, pace: Ints, plane: Ints, whole: bool) -> None:  # fmt: skip
    """One launch of the tiled product, after packing its filters: see conv.cu."""
    kind = x.dtype.name
    tile = tile_of(kind, rows)
    padded_rows = -(-rows // tile[0]) * tile[0]
    filters = empty(x, (max(groups * taps.padded * padded_rows, 1),))
    if taps.depth:
        each("conv", "pack", kind, filters.size, w, taps.sources, filters, groups, rows, padded_rows, taps.depth, taps.padded, row_step, group_step)
    images = x.shape[0]
    grid = (-(-images * prod(part) // tile[1]), padded_rows // tile[0])
    splits = splits_of(prod(grid) * groups, taps.padded // DEPTH, 8, processors(x.device.id)) if whole else 1
    if splits * out.size > WORKSPACE:
        splits = 1
    parts = empty(x, (splits * out.size,), WIDE[kind]) if splits > 1 else None
    channel = prod(source)
    start("conv", f"gather_{tile[0]}x{tile[1]}", kind, (*grid, groups * splits), threads_of(tile), x, filters, taps.table, bias, out, parts, groups, rows,
          padded_rows, taps.padded, images, x.shape[1] * channel, x.shape[1] // groups * channel, *source, *part, *step, *begin, *pace, *plane, splits)  # fmt: skip
    if splits > 1:
        each("conv", "add_parts", kind, out.size, parts, bias, out, out.size, splits, prod(plane), out.shape[1])


def is_pointwise(windows: Windows) -> bool:
    """Is it a matrix product of the channels at each place?"""
    return windows.groups == 1 and windows.in_size == windows.out_size and set(windows.kernel) == {1} and set(windows.stride) == {1} and not any(lifted(windows).pad)


def is_depthwise(w: Array, windows: Windows) -> bool:
    """Is there one input channel a group, so that a matrix product has nothing to share?"""
    return bool(windows.groups > 1 and w.shape[1] == 1 and w.shape[0] // windows.groups <= 8)


def channel_arguments(filters: int, windows: Windows, images: int) -> list[int]:
    return [filters, filters // windows.groups, images, *window_arguments(windows)]


def conv(x: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The convolution of x with the filters w."""
    out_shape = (x.shape[0], w.shape[0], *windows.out_size)
    if not takes(x, windows, w) or prod(out_shape) >= LARGEST:
        return reference.conv(x, w, bias, windows)
    if is_pointwise(windows):
        out = matmul(w.reshape(w.shape[:2]), x.reshape(*x.shape[:2], -1)).reshape(out_shape)
        return reference.add_bias(out, bias)
    x, w, bias = packed(x), packed(w), pack(bias)
    out = empty(x, out_shape)
    if is_depthwise(w, windows):
        each("conv", "depthwise", x.dtype, out.size, x, w, bias, out, *channel_arguments(w.shape[0], windows, x.shape[0]))
        return out
    g, groups = lifted(windows), windows.groups
    rows, depth = w.shape[0] // groups, prod(w.shape[1:])
    gathered(x, w, bias, out, taps_forward(windows, w.shape[1], x.device.id), groups, rows, depth, rows * depth, g.inside, g.out, g.stride,
             (0, 0, 0), (1, 1, 1), g.out, True)  # fmt: skip
    return out


def conv_input(g: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The adjoint of conv in x, the transposed convolution."""
    groups = windows.groups
    out_shape = (g.shape[0], w.shape[1] * groups, *windows.in_size)
    if not takes(g, windows, w) or prod(out_shape) >= LARGEST or not prod(out_shape):
        return reference.conv_input(g, w, bias, windows)
    if is_pointwise(windows):
        out = matmul(w.reshape(w.shape[:2]).T, g.reshape(*g.shape[:2], -1)).reshape(out_shape)
        return reference.add_bias(out, bias)
    g, w, bias = packed(g), packed(w), pack(bias)
    out = empty(g, out_shape)
    if is_depthwise(w, windows):
        each("conv", "depthwise_input", g.dtype, out.size, g, w, bias, out, *channel_arguments(w.shape[0], windows, g.shape[0]))
        return out
    geometry = lifted(windows)
    filters, channels, taps = w.shape[0] // groups, w.shape[1], prod(windows.kernel)
    for residue in product(*map(range, geometry.stride)):
        part = tuple([-(-(n - r) // s) for n, r, s in zip(geometry.inside, residue, geometry.stride, strict=True)])
        if min(part) > 0:
            found = taps_backward(windows, filters, channels, residue, g.device.id)
            gathered(g, w, bias, out, found, groups, channels, taps, filters * channels * taps, geometry.out, part, (1, 1, 1), residue,
                     geometry.stride, geometry.inside, set(geometry.stride) == {1})  # fmt: skip
    return out


def conv_weight(x: Array, g: Array, windows: Windows) -> Array:
    """The adjoint of conv in w."""
    groups, channels, filters = windows.groups, x.shape[1] // windows.groups, g.shape[1]
    shape = (filters, channels, *windows.kernel)
    if not takes(x, windows, g) or prod(shape) >= LARGEST:
        return reference.conv_weight(x, g, windows)
    x, g = packed(x), packed(g)
    out = empty(x, shape)
    kind = x.dtype.name
    if groups > 1 and channels == 1 and filters // groups <= 8:
        start("conv", "depthwise_weight", kind, (out.size,), THREADS, x, g, out, *channel_arguments(filters, windows, x.shape[0]))
        return out
    geometry = lifted(windows)
    taps = taps_forward(windows, channels, x.device.id)
    rows, columns = filters // groups, channels * prod(windows.kernel)
    tile = tile_of(kind, rows)
    grid = (-(-columns // tile[1]), -(-rows // tile[0]))
    splits = splits_of(prod(grid) * groups, -(-x.shape[0] * prod(windows.out_size) // DEPTH), 8, processors(x.device.id))
    if splits * out.size > WORKSPACE:
        splits = 1
    parts = empty(x, (splits * out.size,), WIDE[kind]) if splits > 1 else None
    plane = prod(windows.in_size)
    start("conv", f"weight_{tile[0]}x{tile[1]}", kind, (*grid, groups * splits), threads_of(tile), x, g, taps.table, out, parts, groups, rows, columns,
          x.shape[0], x.shape[1] * plane, channels * plane, *geometry.inside, *geometry.out, *geometry.stride, splits)  # fmt: skip
    if splits > 1:
        each("conv", "add_parts", kind, out.size, parts, None, out, out.size, splits, 1, 1)
    return out


# --- pooling ----------------------------------------------------------------------------------------------------------


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window and its flat index in the input plane."""
    if not takes(x, windows):
        found: tuple[Array, Array] = reference.max_pool(x, windows)
        return found
    x = packed(x)
    out = empty(x, (*x.shape[:2], *windows.out_size))
    indices = empty(x, out.shape, "int64")
    each("pool", "max_pool", x.dtype, out.size, x, out, indices, prod(x.shape[:2]), *window_arguments(windows))
    return out, indices


def max_pool_input(g: Array, indices: Array, windows: Windows) -> Array:
    """The gradient of max_pool: what pool_scatter gives, gathered."""
    out = empty(g, (*g.shape[:2], *windows.in_size))
    each("pool", "max_pool_input", g.dtype, out.size, packed(g), packed(indices), out, prod(g.shape[:2]), *window_arguments(windows))
    return out


class Segments(NamedTuple):
    """Sources sorted by the place they go to: their numbers in that order, and where those of each place begin."""

    order: Array
    starts: Array


def segments(places: Array, count: int) -> Segments:
    """Sorts sources by their places, a vector of numbers from 0 to count - 1; those of one place stay in order."""
    m = xp(places)
    order = m.argsort(places, kind="stable")
    starts = m.searchsorted(places[order], m.arange(count + 1))
    return Segments(order.astype("int64", copy=False), starts.astype("int64", copy=False))


def sum_at(x: Array, places: Array, count: int, base: Array | None = None) -> Array:
    """Adds the lines of x (sources, width) to those of `base` (count, width), or to zeros, at the places (sources) of each. One order."""
    width = prod(x.shape[1:])
    out = empty(x, (count, *x.shape[1:]))
    order, starts = segments(places, count)
    each("pool", "segment_sum", x.dtype, out.size, packed(x), order, starts, pack(base), out, count, width)
    return out


def add_at(out: Array, key: Any, source: Array) -> None:
    """Adds a source to the elements of an array at a key, in place, as often as a place appears in it. One order."""
    m = xp(out)
    if not fits(out):
        whole = out.astype("int64").view("uint64")  # adding wraps around in both alike, and CuPy has it for the latter
        m.add.at(whole, key, source.astype("int64").view("uint64"))
        out[...] = whole.view("int64").astype(out.dtype)
        return
    if hasattr(key, "dtype") and key.dtype.kind in "iu":  # lines of the first axis, as of an embedding
        places, count, lines = key.reshape(-1), out.shape[0], m.broadcast_to(source, (*key.shape, *out.shape[1:])).reshape(key.size, prod(out.shape[1:]))
        places = m.where(places < 0, places + count, places)
    else:
        places = m.arange(out.size).reshape(out.shape)[key]
        places, count, lines = places.reshape(-1), out.size, m.broadcast_to(source, places.shape).reshape(-1, 1)
    if lines.size:
        out[...] = sum_at(lines.astype(out.dtype, copy=False), places, count, out.reshape(count, lines.shape[1])).reshape(out.shape)


def plane_places(indices: Array, in_size: Ints) -> Array:
    """Indices into planes as places in all planes together."""
    planes = prod(indices.shape[:2])
    return (indices.reshape(planes, -1) + xp(indices).arange(planes)[:, None] * prod(in_size)).reshape(-1)


def pool_scatter(g: Array, indices: Array, in_size: Ints, windows: Windows | None = None) -> Array:
    """Adds each value to the element of the plane that its index names; with windows, each of which lies in its own, by a gather."""
    shape = (*g.shape[:2], *in_size)
    if windows is not None and takes(g, windows) and 0 < prod(shape) < LARGEST:
        return max_pool_input(g, indices, windows)
    if not fits(g) or not 0 < prod(shape) < LARGEST:
        return reference.pool_scatter(g, indices, in_size)
    return sum_at(packed(g).reshape(-1, 1), plane_places(indices, in_size), prod(shape)).reshape(shape)


def max_unpool(x: Array, indices: Array, in_size: Ints) -> Array:
    """Writes each value to the element of the plane that its index names; the last of several wins."""
    shape = (*x.shape[:2], *in_size)
    if not fits(x) or not 0 < prod(shape) < LARGEST:
        return reference.max_unpool(x, indices, in_size)
    out = empty(x, shape)
    order, starts = segments(plane_places(indices, in_size), out.size)
    each("pool", "segment_last", x.dtype, out.size, packed(x), order, starts, out, out.size)
    return out


def pool_gather(x: Array, indices: Array) -> Array:
    """Reads the elements of the plane that the indices name."""
    if not fits(x) or not 0 < indices.size < LARGEST:
        return reference.pool_gather(x, indices)
    out = empty(x, indices.shape)
    each("pool", "pool_gather", x.dtype, out.size, packed(x), packed(indices), out, out.size, prod(indices.shape[2:]), prod(x.shape[2:]))
    return out


def sum_pool(x: Array, windows: Windows) -> Array:
    """The sum of each window."""
    if not takes(x, windows):
        return reference.sum_pool(x, windows)
    out = empty(x, (*x.shape[:2], *windows.out_size))
    each("pool", "sum_pool", x.dtype, out.size, packed(x), out, prod(x.shape[:2]), *window_arguments(windows))
    return out


def sum_pool_input(g: Array, windows: Windows) -> Array:
    """The adjoint of sum_pool."""
    shape = (*g.shape[:2], *windows.in_size)
    if not takes(g, windows) or not 0 < prod(shape) < LARGEST:
        return reference.sum_pool_input(g, windows)
    out = empty(g, shape)
    each("pool", "sum_pool_input", g.dtype, out.size, packed(g), out, prod(g.shape[:2]), *window_arguments(windows))
    return out


# --- normalisation ----------------------------------------------------------------------------------------------------


def block_for(length: int) -> int:
    """Threads of a block that walks along so many elements."""
    return min(THREADS, -(-length // 32) * 32)


def rows_moved(x: Array, weight: Array | None, bias: Array | None, rows: int, inner: int, channels: int, centred: bool, eps: float, outer: Ints) -> tuple[Array, Array, Array]:
    x = packed(x)
    length = x.size // rows
    out, mean, var = empty(x, x.shape), empty(x, outer), empty(x, outer)
    start("norm", "row_norm", x.dtype, (rows,), block_for(length), x, pack(weight), pack(bias), out, mean, var, length, inner, channels, centred, float(eps))
    return out, mean, var


def rows_moved_input(g: Array, x: Array, weight: Array | None, mean: Array, var: Array, rows: int, inner: int, channels: int, centred: bool, eps: float, shape: Ints) -> tuple[Array, Array, Array]:
    g, x, mean, var = packed(g), packed(x), packed(mean), packed(var)
    length = x.size // rows
    dx, dw, db = empty(x, x.shape), empty(x, shape), empty(x, shape)
    start("norm", "row_norm_input", x.dtype, (rows,), block_for(length), g, x, pack(weight), mean, var, dx, length, inner, channels, centred, float(eps))
    if inner == 1:
        start("norm", "parameter_columns", x.dtype, (-(-channels // 32),), THREADS, g, x, mean, var, dw, db, rows, channels, float(eps))
    else:
        outer = x.size // (channels * inner)
        start("norm", "parameter_sums", x.dtype, (channels,), block_for(outer * inner), g, x, mean, var, dw, db, outer, channels, inner, length, float(eps))
    return dx, dw, db


def group_norm(x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float) -> tuple[Array, Array, Array]:
    """Each group of channels of each sample of x brought to mean 0 and variance 1, scaled and shifted; and both moments."""
    if not fits(x):
        return reference.group_norm(x, weight, bias, groups, eps)
    return rows_moved(x, weight, bias, x.shape[0] * groups, prod(x.shape[2:]), x.shape[1], True, eps, (x.shape[0], groups))


def group_norm_input(g: Array, x: Array, weight: Array | None, mean: Array, var: Array, groups: int, eps: float) -> tuple[Array, Array, Array]:
    """The gradients of group_norm with respect to x, weight and bias."""
    if not fits(x):
        return reference.group_norm_input(g, x, weight, mean, var, groups, eps)
    inner = prod(x.shape[2:])
    if inner == 1 and groups > 1:  # a row is then not the whole of the channels, which the kernel for columns reads
        return reference.group_norm_input(g, x, weight, mean, var, groups, eps)
    return rows_moved_input(g, x, weight, mean, var, x.shape[0] * groups, inner, x.shape[1], True, eps, (x.shape[1],))


def row_norm(x: Array, weight: Array | None, bias: Array | None, ndim: int, centred: bool, eps: float) -> tuple[Array, Array, Array]:
    """The last `ndim` axes of x brought to mean 0 and variance 1, or to mean square 1, scaled and shifted; and both moments."""
    if not fits(x):
        return reference.row_norm(x, weight, bias, ndim, centred, eps)
    outer = x.shape[: x.ndim - ndim]
    return rows_moved(x, weight, bias, prod(outer), 1, x.size // prod(outer), centred, eps, outer)


def row_norm_input(g: Array, x: Array, weight: Array | None, mean: Array, var: Array, ndim: int, centred: bool, eps: float) -> tuple[Array, Array, Array]:
    """The gradients of row_norm with respect to x, weight and bias."""
    if not fits(x):
        return reference.row_norm_input(g, x, weight, mean, var, ndim, centred, eps)
    rows = prod(x.shape[: x.ndim - ndim])
    return rows_moved_input(g, x, weight, mean, var, rows, 1, x.size // rows, centred, eps, x.shape[x.ndim - ndim :])


def batch_grid(x: Array) -> tuple[Ints, int, list[int]]:
    """A grid of blocks, several a channel where channels alone are too few; a block's threads; and the lengths outer, channels, inner."""
    outer, channels, inner = x.shape[0], x.shape[1], prod(x.shape[2:])
    splits = max(1, min(-(-4 * processors(x.device.id) // channels), outer * inner // 1024, 32))
    return (channels, splits), block_for(min(outer * inner, THREADS)), [outer, channels, inner]


def batch_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """Each channel of x brought to mean 0 and variance 1, scaled and shifted; and both moments."""
    if not fits(x):
        return reference.batch_norm(x, weight, bias, eps)
    x = packed(x)
    grid, threads, lengths = batch_grid(x)
    parts = empty(x, (prod(grid) * 2,), WIDE[x.dtype.name])
    out, mean, var = empty(x, x.shape), empty(x, (grid[0],)), empty(x, (grid[0],))
    start("norm", "batch_moments", x.dtype, grid, threads, x, parts, *lengths)
    start("norm", "batch_norm", x.dtype, grid, threads, x, parts, pack(weight), pack(bias), out, mean, var, *lengths, grid[1], float(eps))
    return out, mean, var


def batch_norm_input(g: Array, x: Array, weight: Array | None, mean: Array, var: Array, eps: float) -> tuple[Array, Array, Array]:
    """The gradients of batch_norm with respect to x, weight and bias."""
    if not fits(x):
        return reference.batch_norm_input(g, x, weight, mean, var, eps)
    g, x, mean, var = packed(g), packed(x), packed(mean), packed(var)
    grid, threads, lengths = batch_grid(x)
    parts = empty(x, (prod(grid) * 2,), WIDE[x.dtype.name])
    dx, dw, db = empty(x, x.shape), empty(x, (grid[0],)), empty(x, (grid[0],))
    start("norm", "batch_slopes", x.dtype, grid, threads, g, x, mean, var, parts, *lengths, float(eps))
    start("norm", "batch_norm_input", x.dtype, grid, threads, g, x, pack(weight), mean, var, parts, dx, dw, db, *lengths, grid[1], float(eps))
    return dx, dw, db


def scale_channels(x: Array, scale: Array, shift: Array | None) -> Array:
    """x (N, C, *) times scale (C) plus shift (C)."""
    if not fits(x):
        return reference.scale_channels(x, scale, shift)
    out = empty(x, x.shape)
    each("norm", "scale_channels", x.dtype, x.size, packed(x), packed(scale), pack(shift), out, x.size, x.shape[1], prod(x.shape[2:]))
    return out


# --- softmax and cross entropy ----------------------------------------------------------------------------------------


def along(name: str, x: Array, axis: int, *arguments: Any, after: Sequence[Any] = ()) -> None:
    """Starts a kernel that goes along one axis: a block a line where lines are contiguous, else a thread a line."""
    axis %= max(x.ndim, 1)
    length, inner = (x.shape[axis], prod(x.shape[axis + 1 :])) if x.ndim else (1, 1)
    lines = x.size // length
    if inner == 1:
        start("softmax", f"{name}_rows", x.dtype, (lines,), block_for(length), *arguments, lines, length, inner, *after)
    else:
        start("softmax", f"{name}_lines", x.dtype, (-(-lines // 128),), 128, *arguments, lines, length, inner, *after)


def softmax(x: Array, axis: int, logarithm: bool) -> Array:
    """exp(x) over its sum along an axis, or the logarithm of that."""
    if not fits(x):
        return reference.softmax(x, axis, logarithm)
    out = empty(x, x.shape)
    along("softmax", x, axis, packed(x), out, after=(logarithm,))
    return out


def softmax_input(g: Array, y: Array, axis: int, logarithm: bool) -> Array:
    """The gradient of softmax, from that of its result and the result."""
    if not fits(y):
        return reference.softmax_input(g, y, axis, logarithm)
    out = empty(y, y.shape)
    along("softmax_input", y, axis, packed(g), packed(y), out, after=(logarithm,))
    return out


def cross_entropy(x: Array, target: Array, weight: Array | None, ignored: int) -> tuple[Array, Array, Array]:
    """The cross entropy of each target's class times that class's weight, and what its gradient needs of the softmax.

    A target that is no class gives NaN: to raise an error, the host would have to wait for it.
    """
    if not fits(x):
        return reference.cross_entropy(x, target, weight, ignored)
    loss, largest, log_sum = (empty(x, target.shape) for _ in range(3))
    places = packed(target.astype("int64", copy=False))
    along("cross_entropy", x, 1, packed(x), places, pack(weight), loss, largest, log_sum, after=(numpy.int64(ignored),))
    return loss, largest, log_sum


def cross_entropy_input(g: Array, x: Array, target: Array, weight: Array | None, ignored: int, largest: Array, log_sum: Array) -> Array:
    """The gradient of cross_entropy with respect to x."""
    if not fits(x):
        return reference.cross_entropy_input(g, x, target, weight, ignored, largest, log_sum)
    g, step = one_number(g)
    out = empty(x, x.shape)
    places = packed(target.astype("int64", copy=False))
    each("softmax", "cross_entropy_input", x.dtype, x.size, g, packed(x), places, pack(weight), packed(largest), packed(log_sum), out, x.size, x.shape[1],
         prod(x.shape[2:]), step, numpy.int64(ignored))  # fmt: skip
    return out


# --- functions of each element, dropout, random numbers ---------------------------------------------------------------


def one_number(x: Array) -> tuple[Array, int]:
    """An array as kernels read it, and the step to its next element: 0 for one that is one number everywhere, as the gradient of a sum is."""
    if x.ndim == 0 or x.size > 1 and not any(x.strides):
        return x[(0,) * x.ndim], 0
    return packed(x), 1


def unary(name: str, x: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """A function of each element, by its name."""
    if not fits(x):
        return reference.unary(name, x, a, b)
    out = empty(x, x.shape)
    each("maps", f"unary_{name}", x.dtype, x.size, packed(x), out, x.size, float(a), float(b))
    return out


def binary(name: str, x: Array, z: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """A function of the elements of two arrays in the same place, by its name."""
    if not fits(z) or not hasattr(x, "dtype") or x.dtype != z.dtype or x.shape not in (z.shape, ()) or type(x) is not type(z):
        return reference.binary(name, x, z, a, b)
    out = empty(z, z.shape)
    x, step = one_number(x)
    each("maps", f"binary_{name}", z.dtype, z.size, x, packed(z), out, z.size, step, float(a), float(b))
    return out


def dropout(x: Array, key: int, p: float) -> Array:
    """x with each element set to 0 with probability p, the others scaled by 1 / (1 - p); the same elements as on the CPU."""
    if not fits(x):
        return reference.dropout(x, key, p)
    out = empty(x, x.shape)
    each("random", "dropout", x.dtype, -(-x.size // 64) * 16, packed(x), out, x.size, numpy.uint64(key), numpy.uint32(threshold(p)), float(1 / (1 - p)))
    return out


def random_numbers(name: str, shape: Ints, kind: Any, key: int) -> Array:
    """Random numbers of a key, drawn as float64 or float32 (float16 through that)."""
    double = kind == "float64"
    out = cupy().empty(shape, "float64" if double else "float32")
    if out.size:
        each("random", name + "_double" * double, "float32", -(-out.size // (2 if double else 4)), out, out.size, numpy.uint64(key))
    return out


def uniform(shape: Ints, kind: Any, key: int) -> Array:
    """Numbers uniform in [0, 1)."""
    out = random_numbers("uniform", shape, kind, key)
    if kind != "float16":
        return out
    m = xp(out)
    return (m.floor(out * 2048) / 2048).astype(kind)


def normal(shape: Ints, kind: Any, key: int) -> Array:
    """Numbers from the normal distribution of mean 0 and variance 1."""
    return random_numbers("normal", shape, kind, key).astype(kind, copy=False)


# --- many arrays at once ----------------------------------------------------------------------------------------------

STEPS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})", "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "less": "(A)({0} < {1})", "greater": "(A)({0} > {1})", "equal": "(A)({0} == {1})", "sqrt": "sqrt({0})", "absolute": "fabs({0})",
    "sign": "({0} != {0} ? {0} : (A)(({0} > 0) - ({0} < 0)))", "copy": "{0}", "where": "({0} != 0 ? {1} : {2})",
}  # fmt: skip
MOST_POINTERS = 256  # of a launch: the arguments of a kernel have 4 KiB
EACH_BLOCK = 1024  # elements


@lru_cache(maxsize=256)
def written_out(arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int) -> str:
    """A formula as a kernel for so many rows of arrays: each block finds its row by its number."""
    pointers = [f"{'T' if column >= arguments - len(results) else 'const T'}* x{row}_{column}" for row in range(rows) for column in range(arguments)]
    parameters = [*pointers, *[f"int first{row}, int size{row}" for row in range(rows)], *[f"double c{i}" for i in range(constants)]]
    lines = [f'extern "C" __global__ void update({", ".join(parameters)}) {{']
    lines += [f"{'T' if column >= arguments - len(results) else 'const T'}* x{column} = x0_{column};" for column in range(arguments)]
    lines.append("int first = 0, size = size0;")
    for row in range(1, rows):
        chosen = " ".join([f"x{column} = x{row}_{column};" for column in range(arguments)])
        lines.append(f"if ((int)blockIdx.x >= first{row}) {{ {chosen} first = first{row}; size = size{row}; }}")
    lines.append(f"const int begin = ((int)blockIdx.x - first) * {EACH_BLOCK};")
    lines.append(f"for (int i = begin + threadIdx.x; i < begin + {EACH_BLOCK} && i < size; i += blockDim.x) {{")
    lines += [f"const A v{column} = wide(x{column}[i]);" for column in range(arguments)]
    for number, (operation, *operands) in enumerate(steps, arguments):
        value = f"(A)c{operands[0]}" if operation == formulas.CONSTANT else STEPS[formulas.NAMES[operation]].format(*[f"v{o}" for o in operands])
        lines.append(f"const A v{number} = {value};")
    lines += [f"x{arguments - len(results) + place}[i] = narrow(v{result});" for place, result in enumerate(results)]
    return "\n".join([*lines, "}", "}"])


@lru_cache(maxsize=256)
def updating(kind: str, arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int) -> Any:
    text = (SOURCES / "common.h").read_text() + written_out(arguments, steps, results, constants, rows)
    return module(text, kind).get_function("update")


def update(formula: Any, rows: list[tuple[Array, ...]]) -> None:
    """Writes what a formula gives for each row of arrays into the last ones of the row, as many as it returns: one launch for many rows."""
    arguments = len(rows[0])
    notes, results = formulas.noted(formula, arguments)
    waiting: dict[str, list[tuple[Array, ...]]] = {}
    for row in rows:
        changed = row[arguments - len(results) :]
        kind = row[0].dtype.name
        if fits(row[0]) and all([x.dtype.name == kind for x in row]) and all([x.flags.c_contiguous for x in changed]):
            waiting.setdefault(kind, []).append((*[packed(x) for x in row[: arguments - len(results)]], *changed))
        elif row[0].size:
            reference.update(formula, (row,))
    for kind, alike in waiting.items():
        at_once = max(1, MOST_POINTERS // arguments)
        for i in range(0, len(alike), at_once):
            some = alike[i : i + at_once]
            firsts = numpy.cumsum([0, *[-(-row[0].size // EACH_BLOCK) for row in some]])
            places = [n for row, first in zip(some, firsts, strict=False) for n in (int(first), row[0].size)]
            values = [*[x for row in some for x in row], *places, *[float(c) for c in notes.constants]]
            run = updating(kind, arguments, tuple(notes.steps), results, len(notes.constants), len(some))
            run((int(firsts[-1]),), (THREADS,), tuple([argument(v) for v in values]))


def total_of_squares(arrays: Sequence[Array]) -> Array:
    """The sum of the squares of all elements, in float64, on the device."""
    m = xp(arrays[0])
    return m.stack([m.square(x.astype("float64")).sum() for x in arrays]).sum()


def sum_of_squares(arrays: Sequence[Array]) -> float:
    """The sum of the squares of all elements, computed in float64. The host waits for it."""
    return float(total_of_squares(arrays)) if arrays else 0.0
