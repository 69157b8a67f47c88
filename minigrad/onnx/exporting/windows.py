"""How convolution and pooling are written: one `Windows`, several operators."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.kernels.geometry import Windows
from minigrad.onnx.exporting.builder import Builder, Value, emits
from minigrad.onnx.exporting.indexing import zeros


def geometry(windows: Windows) -> dict[str, Any]:
    """The attributes that operators on windows have in common."""
    return {
        "kernel_shape": list(windows.kernel),
        "strides": list(windows.stride),
        "pads": [before for before, _ in windows.padding] + [after for _, after in windows.padding],
    }


def dilations(windows: Windows) -> list[int] | None:
    return None if set(windows.dilation) <= {1} else list(windows.dilation)


@emits("conv")
def _(b: Builder, input: Any, weight: Any, bias: Any, windows: Windows) -> Any:
    if prod(windows.kernel) == 0 or 0 in b.shape:
        b.refuse("convolutions without elements have no ONNX operator")
    return b.node(
        "Conv", input, weight, bias, **geometry(windows), dilations=list(windows.dilation), group=windows.groups
    )


@emits("conv_input")
def transposed(b: Builder, input: Any, weight: Any, bias: Any, windows: Windows) -> Any:
    """What the windows leave over at the end is padding of the output; where they reach beyond the padding, as ceil_mode lets them, it is cut off."""
    pads, beyond = [before for before, _ in windows.padding], []
    for n, size, stride, span, (before, after) in zip(
        windows.out_size, windows.in_size, windows.stride, windows.span, windows.padding, strict=True
    ):
        rest = size - ((n - 1) * stride + span - before - after)
        pads.append(after - min(rest, 0))
        beyond.append(max(rest, 0))
    return b.node(
        "ConvTranspose", input, weight, bias, kernel_shape=list(windows.kernel), strides=list(windows.stride), pads=pads,
        dilations=list(windows.dilation), group=windows.groups, output_padding=beyond if any(beyond) else None,
    )  # fmt: skip


@emits("max_pool")
def _(b: Builder, input: Any, windows: Windows) -> Any:
    """The operator's indices count through all samples and channels, minigrad's through one plane."""
    plane = b.sizes([prod(windows.in_size)])
    values, indices = b.node(
        "MaxPool", input, outputs=2, **geometry(windows), dilations=dilations(windows), ceil_mode=int(windows.ceil_mode)
    )
    return values, b.node("Mod", indices, plane)


@emits("sum_pool")
def _(b: Builder, input: Any, windows: Windows) -> Any:
    return b.node("Mul", averages(b, input, windows), b.scalar(prod(windows.kernel)))


def averages(b: Builder, x: Any, windows: Windows) -> Any:
    """Sums divided by the size of the window."""
    if dilations(windows) is not None:
        b.needs(19, "average pooling with dilation")
    shape = geometry(windows)
    if windows.ceil_mode:  # the windows at the end may reach further than any padding that the operator knows
        reach = [
            max(0, (n - 1) * s + k - size - before)
            for n, s, k, size, (before, _) in zip(
                windows.out_size, windows.stride, windows.span, windows.in_size, windows.padding, strict=True
            )
        ]
        x = b.node("Pad", x, b.integers([0, 0, *[before for before, _ in windows.padding], 0, 0, *reach]))
        shape["pads"] = [0] * (2 * windows.rank)
    return b.node("AveragePool", x, **shape, dilations=dilations(windows), count_include_pad=1)


@emits("sum_pool_input")
def _(b: Builder, input: Any, windows: Windows) -> Any:
    plain = set(windows.dilation) <= {1} and not any(map(any, windows.padding))
    if (
        plain
        and windows.kernel == windows.stride
        and windows.in_size == tuple([n * k for n, k in zip(windows.out_size, windows.kernel, strict=True)])
    ):
        scales = b.constant([1, 1, *windows.kernel], np.float32)
        return b.node(
            "Resize",
            input,
            None,
            scales,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    channels = input.shape[1]
    ones = b.constant(np.ones((channels, 1, *windows.kernel)), b.dtype)
    each = Windows(
        windows.in_size,
        windows.kernel,
        windows.stride,
        windows.dilation,
        windows.padding,
        channels,
        out_size=windows.out_size,
    )
    return transposed(b, input, ones, None, each)


# --- by indices of a plane --------------------------------------------------------------------------------------------


def scattered(b: Builder, input: Any, indices: Value, size: Any, reduction: str | None) -> Any:
    """Zeros (N, C, *size) with each value at the place that its index names."""
    lines = [*input.shape[:2], prod(input.shape[2:])]
    target = zeros(b, [*input.shape[:2], prod(size)])
    flat = b.node(
        "ScatterElements", target, b.reshaped(indices, lines), b.reshaped(input, lines), axis=2, reduction=reduction
    )
    return b.reshaped(flat, b.shape)


@emits("max_unpool")
def _(b: Builder, input: Any, indices: Any, in_size: Any) -> Any:
    return scattered(b, input, indices, in_size, None)


@emits("pool_scatter")
def _(b: Builder, input: Any, indices: Any, in_size: Any) -> Any:
    b.needs(16, "ScatterElements with reduction=add")
    return scattered(b, input, indices, in_size, "add")


@emits("pool_gather")
def _(b: Builder, input: Any, indices: Any) -> Any:
    lines = [*input.shape[:2], prod(input.shape[2:])]
    found = b.node(
        "GatherElements",
        b.reshaped(input, lines),
        b.reshaped(indices, [*indices.shape[:2], prod(indices.shape[2:])]),
        axis=2,
    )
    return b.reshaped(found, b.shape)


# --- other sizes ------------------------------------------------------------------------------------------------------


@emits("resample")
def _(b: Builder, input: Any, lines: Any) -> Any:
    """The matrix of each line along its axis, which is brought to the end for it."""
    ndim = len(input.shape)
    out = input
    for i, line in enumerate(lines):
        axis = ndim - len(lines) + i
        order = [d for d in range(ndim) if d != axis] + [axis]
        turned = out if axis == ndim - 1 else b.node("Transpose", out, perm=order)
        product = b.node("MatMul", turned, b.constant(line.dense.T, b.dtype))
        out = product if axis == ndim - 1 else b.node("Transpose", product, perm=[order.index(d) for d in range(ndim)])
    return out
