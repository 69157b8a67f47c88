"""How resampling is written: products of constant matrices, or Gather where elements are only taken; and reading between pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, emits
from minigrad.onnx.exporting.reductions import reduced


@emits("resample")
def _(b: Builder, input: Any, lines: Any) -> Any:
    out = input
    first = len(b.shape) - len(lines)
    for axis, line in enumerate(lines, first):
        if line.only_takes:
            out = b.node("Gather", out, b.constant(line.columns), axis=axis)
        elif axis == len(b.shape) - 1:
            out = b.node("MatMul", out, b.constant(line.dense.T, b.dtype))
        else:  # the axis comes last, and goes back
            order = [*range(axis), *range(axis + 1, len(b.shape)), axis]
            turned = b.node("MatMul", b.node("Transpose", out, perm=order), b.constant(line.dense.T, b.dtype))
            out = b.node("Transpose", turned, perm=[order.index(i) for i in range(len(order))])
    return out


@emits("blend")
def _(b: Builder, input: Any, weights: Any, indices: Any) -> Any:
    images, channels = input.shape[:2]
    taps, places = weights.shape[1:]
    indices = b.value_of(indices)
    none = b.node("Less", indices, b.constant(np.int64(0)))
    line = b.reshaped(b.node("Where", none, b.constant(np.int64(0)), indices), [images, 1, taps * places])
    found = b.node("GatherElements", input, b.spread(line, [images, channels, taps * places]), axis=2)
    apart = b.reshaped(found, [images, channels, taps, places])
    kept = b.node("Where", b.axes("Unsqueeze", none, [1]), b.scalar(0.0), apart)
    return reduced(b, "ReduceSum", b.node("Mul", kept, b.axes("Unsqueeze", weights, [1])), [2], False)
