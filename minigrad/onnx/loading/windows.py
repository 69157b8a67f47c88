"""Convolution, pooling and resizing."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.kernels.geometry import Windows
from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Run, reads, refuse
from minigrad.ops import conv as convolution
from minigrad.ops import pool


def paddings(run: Run, size: Any, span: Any, strides: Any, pads: Any, auto_pad: str) -> tuple[tuple[int, int], ...]:
    """(before, after) of each axis."""
    rank = len(size)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for n, k, s in zip(size, span, strides, strict=True):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if auto_pad == "SAME_UPPER" else (more, less))
        return tuple(found)
    if auto_pad not in ("NOTSET", "VALID", ""):
        return refuse(run, f"auto_pad {auto_pad!r} is not known")  # type: ignore[no-any-return]
    pads = [0] * (2 * rank) if pads is None or auto_pad == "VALID" else pads
    if len(pads) != 2 * rank or min(pads, default=0) < 0:
        raise ValueError(f"onnx.load: {run.kind}: expected {2 * rank} pads that are not negative, got {list(pads)}")
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def windows_of(
    run: Run,
    size: Any,
    kernel: Any,
    strides: Any,
    dilations: Any,
    pads: Any,
    auto_pad: str,
    groups: int = 1,
    ceil: bool = False,
) -> Windows:
    rank = len(size)
    kernel, strides, dilations = tuple(kernel), tuple(strides or [1] * rank), tuple(dilations or [1] * rank)
    if not len(kernel) == len(strides) == len(dilations) == rank or min(kernel + strides + dilations, default=1) < 1:
        raise ValueError(
            f"onnx.load: {run.kind}: expected {rank} positive lengths as kernel_shape, strides and dilations, got {kernel}, {strides}, {dilations}"
        )
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    around = paddings(run, size, span, strides, pads, auto_pad)
    run.room([n + a + b for n, (a, b) in zip(size, around, strict=True)], np.float32)
    if any(n + a + b < k for n, (a, b), k in zip(size, around, span, strict=True)):
        raise ValueError(
            f"onnx.load: {run.kind}: windows of {span} are larger than the padded input, {tuple(size)} with {around}"
        )
    return Windows(tuple(size), kernel, strides, dilations, around, groups, ceil)


@reads("Conv")
def _(
    input: Any, weight: Any, bias: Any = None, *, auto_pad: str = "NOTSET", dilations: Any = None, group: int = 1, kernel_shape: Any = None,
    pads: Any = None, strides: Any = None, run: Run,
) -> Any:  # fmt: skip
    if input.ndim != weight.ndim or group < 1 or weight.shape[1] * group != input.shape[1] or weight.shape[0] % group:
        raise ValueError(
            f"onnx.load: Conv: an input of shape {tuple(input.shape)} does not fit filters of shape {tuple(weight.shape)} and group={group}"
        )
    w = windows_of(run, input.shape[2:], weight.shape[2:], strides, dilations, pads, auto_pad, group)
    run.room([input.shape[0], weight.shape[0], *w.out_size], input.dtype)
    return convolution.conv(input, weight, bias, w)


@reads("ConvTranspose")
def _(
    input: Any, weight: Any, bias: Any = None, *, auto_pad: str = "NOTSET", dilations: Any = None, group: int = 1, kernel_shape: Any = None,
    output_padding: Any = None, output_shape: Any = None, pads: Any = None, strides: Any = None, run: Run,
) -> Any:  # fmt: skip
    """The adjoint of a convolution, whose input has the size that is to come out."""
    rank = input.ndim - 2
    if input.shape[1] != weight.shape[0] or group < 1 or weight.shape[0] % group:
        raise ValueError(
            f"onnx.load: ConvTranspose: an input of shape {tuple(input.shape)} does not fit filters of shape {tuple(weight.shape)} and group={group}"
        )
    strides, dilations = tuple(strides or [1] * rank), tuple(dilations or [1] * rank)
    more = list(output_padding or [0] * rank)
    span = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    full = [(n - 1) * s + k + m for n, s, k, m in zip(input.shape[2:], strides, span, more, strict=True)]
    if output_shape is not None or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        wanted = (
            list(output_shape)[-rank:]
            if output_shape is not None
            else [n * s for n, s in zip(input.shape[2:], strides, strict=True)]
        )
        total = [max(n - m, 0) for n, m in zip(full, wanted, strict=True)]
        upper = auto_pad == "SAME_UPPER"
        before = [t // 2 if upper else t - t // 2 for t in total]
        around = tuple([(b, t - b) for b, t in zip(before, total, strict=True)])
        size = wanted
    else:
        around = paddings(run, input.shape[2:], span, strides, pads, auto_pad)
        size = [n - a - b for n, (a, b) in zip(full, around, strict=True)]
    run.room([input.shape[0], weight.shape[1] * group, *size], input.dtype)
    w = Windows(
        tuple(size), tuple(weight.shape[2:]), strides, dilations, around, group, out_size=tuple(input.shape[2:])
    )
    return convolution.conv_input(input, weight, bias, w)


# --- pooling ----------------------------------------------------------------------------------------------------------


@reads("MaxPool")
def _(
    input: Any, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Any = None, pads: Any = None, storage_order: int = 0,
    strides: Any = None, run: Run,
) -> Any:  # fmt: skip
    """The indices count through all samples and channels; storage_order 1 counts the last axis slowest."""
    w = windows_of(run, input.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil=bool(ceil_mode))
    x = input if input.dtype.kind == "f" else input.float()
    values, indices = pool.max_pool(x, w)
    values = values.to(input.dtype)
    if run.outputs == 1:
        return values
    places = indices.numpy()
    if storage_order:
        along = np.unravel_index(places, w.in_size)
        places = np.ravel_multi_index(along[::-1], w.in_size[::-1])
    planes = np.arange(prod(input.shape[:2])).reshape(*input.shape[:2], *[1] * w.rank)
    return values, make_tensor(places + planes * prod(w.in_size))


@reads("AveragePool")
def _(
    input: Any, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0, count_include_pad: int = 0, dilations: Any = None, pads: Any = None,
    strides: Any = None, run: Run,
) -> Any:  # fmt: skip
    w = windows_of(run, input.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil=bool(ceil_mode))
    taps = w.taps_inside(count_padding=bool(count_include_pad))
    counts = np.ones(())
    for i, line in enumerate(taps):
        counts = counts * np.asarray(line, np.float64).reshape([-1 if d == i else 1 for d in range(w.rank)])
    return pool.sum_pool(input, w) / make_tensor(counts.astype(input.dtype))


@reads("LpPool")
def _(
    input: Any, *, kernel_shape: Any, auto_pad: str = "NOTSET", ceil_mode: int = 0, dilations: Any = None, p: int = 2, pads: Any = None, strides: Any = None,
    run: Run,
) -> Any:  # fmt: skip
    w = windows_of(run, input.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil=bool(ceil_mode))
    return pool.sum_pool(ops.abs(input) ** p, w) ** (1 / p)


@reads("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def _(input: Any, *, p: int = 2, run: Run) -> Any:
    axes = tuple(range(2, input.ndim))
    if run.kind == "GlobalLpPool":
        return ops.sum(ops.abs(input) ** p, axes, True) ** (1 / p)
    return input.mean(axes, True) if run.kind == "GlobalAveragePool" else input.amax(axes, True)


@reads("MaxUnpool", since=9)
def _(
    input: Any,
    indices: Any,
    output_shape: Any = None,
    *,
    kernel_shape: Any,
    pads: Any = None,
    strides: Any = None,
    run: Run,
) -> Any:
    """The indices are those of the size that follows from the windows; a larger output has the same elements in its corner."""
    rank = input.ndim - 2
    around = [0] * (2 * rank) if pads is None else pads
    steps = strides or [1] * rank
    size = [
        (n - 1) * s + k - around[i] - around[i + rank]
        for i, (n, s, k) in enumerate(zip(input.shape[2:], steps, kernel_shape, strict=True))
    ]
    run.room([*input.shape[:2], *size], input.dtype)
    places = make_tensor(indices.numpy() % prod(size))
    out = pool.max_unpool(input, places, tuple(size))
    if output_shape is None:
        return out
    wanted = [int(n) for n in output_shape.numpy()][2:]
    run.room([*input.shape[:2], *wanted], input.dtype)
    return F.pad(out, [p for n, m in zip(reversed(size), reversed(wanted), strict=True) for p in (0, m - n)])


@reads("Col2Im", since=18)
def _(
    input: Any,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: Any = None,
    pads: Any = None,
    strides: Any = None,
    run: Run,
) -> Any:
    """Columns summed back into a picture: a transposed convolution whose filters are unit vectors."""
    size, kernel = [int(n) for n in image_shape.numpy()], [int(n) for n in block_shape.numpy()]
    channels = input.shape[1] // prod(kernel)
    run.room([input.shape[0], channels, *size], input.dtype)
    w = windows_of(run, size, kernel, strides, dilations, pads, "NOTSET", channels)
    units = np.tile(np.eye(prod(kernel)).reshape(prod(kernel), 1, *kernel), (channels, *[1] * (len(kernel) + 1)))
    columns = input.reshape(input.shape[0], input.shape[1], *w.out_size)
    return convolution.conv_input(columns, make_tensor(units.astype(input.dtype)), None, w)


@reads("LRN")
def _(input: Any, *, size: int, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0) -> Any:
    squares = F.pad((input * input).movedim(1, -1), ((size - 1) // 2, size // 2))
    total = squares.unfold(-1, size, 1).sum(-1).movedim(-1, 1)
    return input / (bias + alpha / size * total) ** beta


# --- other sizes ------------------------------------------------------------------------------------------------------


@reads("GridSample", since=16)
def _(
    input: Any, grid: Any, *, align_corners: int = 0, mode: str = "bilinear", padding_mode: str = "zeros", run: Run
) -> Any:
    known = {
        "bilinear": "bilinear",
        "linear": "bilinear",
        "nearest": "nearest",
        "bicubic": "bicubic",
        "cubic": "bicubic",
    }
    if mode not in known:
        return refuse(run, f"mode {mode!r} is not known")
    return F.grid_sample(input, grid, known[mode], padding_mode, bool(align_corners))


@reads("AffineGrid", since=20)
def _(theta: Any, size: Any, *, align_corners: int = 0, run: Run) -> Any:
    lengths = [int(n) for n in size.numpy()]
    run.room([lengths[0], *lengths[2:], len(lengths) - 2], theta.dtype)
    return F.affine_grid(theta, lengths, bool(align_corners))
