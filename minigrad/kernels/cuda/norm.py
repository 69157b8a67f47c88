"""Normalisation (norm.cu)."""

from __future__ import annotations

from math import prod

from .. import reference
from ..geometry import Ints
from .launch import THREADS, WIDE, Array, block_for, each, empty, fits, pack, packed, processors, start


def rows_moved(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    rows: int,
    inner: int,
    channels: int,
    centred: bool,
    eps: float,
    outer: Ints,
) -> tuple[Array, Array, Array]:
    x = packed(x)
    length = x.size // rows
    out, mean, var = empty(x, x.shape), empty(x, outer), empty(x, outer)
    start(
        "norm",
        "row_norm",
        x.dtype,
        (rows,),
        block_for(length),
        x,
        pack(weight),
        pack(bias),
        out,
        mean,
        var,
        length,
        inner,
        channels,
        centred,
        float(eps),
    )
    return out, mean, var


def rows_moved_input(
    g: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    var: Array,
    rows: int,
    inner: int,
    channels: int,
    centred: bool,
    eps: float,
    shape: Ints,
) -> tuple[Array, Array, Array]:
    g, x, mean, var = packed(g), packed(x), packed(mean), packed(var)
    length = x.size // rows
    dx, dw, db = empty(x, x.shape), empty(x, shape), empty(x, shape)
    start(
        "norm",
        "row_norm_input",
        x.dtype,
        (rows,),
        block_for(length),
        g,
        x,
        pack(weight),
        mean,
        var,
        dx,
        length,
        inner,
        channels,
        centred,
        float(eps),
    )
    if inner == 1:
        start(
            "norm",
            "parameter_columns",
            x.dtype,
            (-(-channels // 32),),
            THREADS,
            g,
            x,
            mean,
            var,
            dw,
            db,
            rows,
            channels,
            float(eps),
        )
    else:
        outer = x.size // (channels * inner)
        start(
            "norm",
            "parameter_sums",
            x.dtype,
            (channels,),
            block_for(outer * inner),
            g,
            x,
            mean,
            var,
            dw,
            db,
            outer,
            channels,
            inner,
            length,
            float(eps),
        )
    return dx, dw, db


def group_norm(
    x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """Each group of channels of each sample of x brought to mean 0 and variance 1, scaled and shifted; and both moments."""
    if not fits(x):
        return reference.group_norm(x, weight, bias, groups, eps)
    return rows_moved(
        x, weight, bias, x.shape[0] * groups, prod(x.shape[2:]), x.shape[1], True, eps, (x.shape[0], groups)
    )


def group_norm_input(
    g: Array, x: Array, weight: Array | None, mean: Array, var: Array, groups: int, eps: float
) -> tuple[Array, Array, Array]:
    """The gradients of group_norm with respect to x, weight and bias."""
    if not fits(x):
        return reference.group_norm_input(g, x, weight, mean, var, groups, eps)
    inner = prod(x.shape[2:])
    if inner == 1 and groups > 1:  # a row is then not the whole of the channels, which the kernel for columns reads
        return reference.group_norm_input(g, x, weight, mean, var, groups, eps)
    return rows_moved_input(g, x, weight, mean, var, x.shape[0] * groups, inner, x.shape[1], True, eps, (x.shape[1],))


def row_norm(
    x: Array, weight: Array | None, bias: Array | None, ndim: int, centred: bool, eps: float
) -> tuple[Array, Array, Array]:
    """The last `ndim` axes of x brought to mean 0 and variance 1, or to mean square 1, scaled and shifted; and both moments."""
    if not fits(x):
        return reference.row_norm(x, weight, bias, ndim, centred, eps)
    outer = x.shape[: x.ndim - ndim]
    return rows_moved(x, weight, bias, prod(outer), 1, x.size // prod(outer), centred, eps, outer)


def row_norm_input(
    g: Array, x: Array, weight: Array | None, mean: Array, var: Array, ndim: int, centred: bool, eps: float
) -> tuple[Array, Array, Array]:
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


def rectifier(slope: float | None) -> tuple[int, float]:
    """What stands behind a norm, as the kernels number it: nothing, ReLU or a leaky one; and its slope below 0."""
    return (0, 0.0) if slope is None else (2 if slope else 1, float(slope))


def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    slope: float | None = None,
    residual: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Each channel of x brought to mean 0 and variance 1, scaled and shifted, then rectified if a slope is given; and both moments."""
    if not fits(x):
        return reference.batch_norm(x, weight, bias, eps, slope, residual)
    x = packed(x)
    grid, threads, lengths = batch_grid(x)
    parts = empty(x, (prod(grid) * 2,), WIDE[x.dtype.name])
    out, mean, var = empty(x, x.shape), empty(x, (grid[0],)), empty(x, (grid[0],))
    start("norm", "batch_moments", x.dtype, grid, threads, x, parts, *lengths)
    start(
        "norm",
        "batch_norm",
        x.dtype,
        grid,
        threads,
        x,
        parts,
        pack(weight),
        pack(bias),
        pack(residual),
        out,
        mean,
        var,
        *lengths,
        grid[1],
        *rectifier(slope),
        float(eps),
    )
    return out, mean, var


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
    if not fits(x):
        return reference.batch_norm_input(g, x, weight, mean, var, eps, slope, bias, residual)
    g, x, mean, var = packed(g), packed(x), packed(mean), packed(var)
    weight, bias, residual = pack(weight), pack(bias), pack(residual)
    grid, threads, lengths = batch_grid(x)
    parts = empty(x, (prod(grid) * 2,), WIDE[x.dtype.name])
    dx, dw, db = empty(x, x.shape), empty(x, (grid[0],)), empty(x, (grid[0],))
    dr = None if residual is None else empty(x, x.shape)
    given, end = (g, x, weight, bias, residual, mean, var, parts), (*rectifier(slope), float(eps))
    start("norm", "batch_slopes", x.dtype, grid, threads, *given, *lengths, *end)
    start("norm", "batch_norm_input", x.dtype, grid, threads, *given, dx, dw, db, dr, *lengths, grid[1], *end)
    return (dx, dw, db) if dr is None else (dx, dw, db, dr)


def scale_channels(
    x: Array, scale: Array, shift: Array | None, slope: float | None = None, residual: Array | None = None
) -> Array:
    """x (N, C, *) times scale (C) plus shift (C), then rectified if a slope is given."""
    if not fits(x):
        return reference.scale_channels(x, scale, shift, slope, residual)
    out = empty(x, x.shape)
    each(
        "norm",
        "scale_channels",
        x.dtype,
        x.size,
        packed(x),
        packed(scale),
        pack(shift),
        pack(residual),
        out,
        x.size,
        x.shape[1],
        prod(x.shape[2:]),
        *rectifier(slope),
    )
    return out
