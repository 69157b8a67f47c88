"""Convolution: products of tiles whose second matrix is gathered while it is read (conv.cu)."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy

from .. import fused, reference
from ..driver import constant
from ..geometry import Ints, Windows
from .launch import LARGEST, THREADS, WIDE, Array, each, empty, pack, packed, processors, start, takes
from .linalg import matmul
from .windows import Lifted, lifted, window_arguments

DEPTH = 8  # of the sums that a tile reads at a time, as in conv.cu
NOWHERE = -(2**30)  # a place that no plane has
WORKSPACE = 1 << 26  # elements of the parts of sums


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
    return Taps(constant(rows, index), constant(numpy.asarray(sources if depth else [0], numpy.int32), index), depth, padded)


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
    return [
        tuple([t * d - p for t, d, p in zip(tap, g.dilation, g.pad, strict=True)])
        for tap in product(*map(range, g.kernel))
    ]


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
        each(
            "conv",
            "pack",
            kind,
            filters.size,
            w,
            taps.sources,
            filters,
            groups,
            rows,
            padded_rows,
            tile[0],
            taps.depth,
            taps.padded,
            row_step,
            group_step,
        )
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
    return (
        windows.groups == 1
        and windows.in_size == windows.out_size
        and set(windows.kernel) == {1}
        and set(windows.stride) == {1}
        and not any(lifted(windows).pad)
    )


def is_depthwise(w: Array, windows: Windows) -> bool:
    """Is there one input channel a group, so that a matrix product has nothing to share?"""
    return bool(windows.groups > 1 and w.shape[1] == 1 and w.shape[0] // windows.groups <= 8)


def is_startable(groups: int, rows: int, depth: int) -> bool:
    """Can the blocks of one launch name so many groups and rows, and ints the places of filters packed to whole tiles?"""
    return groups <= 65535 and rows <= 65535 * 32 and groups * (rows + 127) * (depth + DEPTH) < LARGEST


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
        each(
            "conv", "depthwise", x.dtype, out.size, x, w, bias, out, *channel_arguments(w.shape[0], windows, x.shape[0])
        )
        return out
    g, groups = lifted(windows), windows.groups
    rows, depth = w.shape[0] // groups, prod(w.shape[1:])
    if not is_startable(groups, rows, depth):
        return reference.conv(x, w, bias, windows)
    gathered(x, w, bias, out, taps_forward(windows, w.shape[1], x.device.id), groups, rows, depth, rows * depth, g.inside, g.out, g.stride,
             (0, 0, 0), (1, 1, 1), g.out, True)  # fmt: skip
    return out


def finished_conv(
    x: Array, w: Array, bias: Array | None, windows: Windows, scale: Array | None, shift: Array | None, low: float, high: float
) -> Array:
    """The convolution with each channel scaled and shifted, between two limits."""
    return fused.finish(conv(x, w, bias, windows), scale, shift, low, high)


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
        each(
            "conv",
            "depthwise_input",
            g.dtype,
            out.size,
            g,
            w,
            bias,
            out,
            *channel_arguments(w.shape[0], windows, g.shape[0]),
        )
        return out
    geometry = lifted(windows)
    filters, channels, taps = w.shape[0] // groups, w.shape[1], prod(windows.kernel)
    if not is_startable(groups, channels, filters * taps):
        return reference.conv_input(g, w, bias, windows)
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
        start(
            "conv",
            "depthwise_weight",
            kind,
            (out.size,),
            THREADS,
            x,
            g,
            out,
            *channel_arguments(filters, windows, x.shape[0]),
        )
        return out
    geometry = lifted(windows)
    taps = taps_forward(windows, channels, x.device.id)
    rows, columns = filters // groups, channels * prod(windows.kernel)
    if not is_startable(groups, rows, columns):
        return reference.conv_weight(x, g, windows)
    tile = tile_of(kind, rows)
    grid = (-(-columns // tile[1]), -(-rows // tile[0]))
    splits = splits_of(
        prod(grid) * groups, -(-x.shape[0] * prod(windows.out_size) // DEPTH), 8, processors(x.device.id)
    )
    if splits * out.size > WORKSPACE:
        splits = 1
    parts = empty(x, (splits * out.size,), WIDE[kind]) if splits > 1 else None
    plane = prod(windows.in_size)
    start("conv", f"weight_{tile[0]}x{tile[1]}", kind, (*grid, groups * splits), threads_of(tile), x, g, taps.table, out, parts, groups, rows, columns,
          x.shape[0], x.shape[1] * plane, channels * plane, *geometry.inside, *geometry.out, *geometry.stride, splits)  # fmt: skip
    if splits > 1:
        each("conv", "add_parts", kind, out.size, parts, None, out, out.size, splits, 1, 1)
    return out
