"""How sums, means, extrema and matrix products are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, emits
from minigrad.ops.shape import check_dim, check_dims

REDUCTIONS = {"sum": "ReduceSum", "mean": "ReduceMean", "product": "ReduceProd", "amax": "ReduceMax", "amin": "ReduceMin", "logsumexp": "ReduceLogSumExp"}  # fmt: skip


def reduced(b: Builder, kind: str, x: Any, axes: Any, keepdim: Any) -> Any:
    """The axes are an attribute in older versions of the operators, an input in newer ones."""
    if not axes:
        return x
    if b.opset >= (13 if kind == "ReduceSum" else 18):
        return b.node(kind, x, b.integers(list(axes)), keepdims=int(bool(keepdim)))
    return b.node(kind, x, axes=list(axes), keepdims=int(bool(keepdim)))


@emits(*REDUCTIONS)
def _(b: Builder, input: Any, dim: Any, keepdim: Any) -> Any:
    kind = REDUCTIONS[b.call.op.name]
    truths = b.dtype.kind == "b"  # of which extrema are logical
    x = b.cast(input, np.int32 if truths else b.dtype)
    out = reduced(b, kind, x, check_dims(b.call.op.name, dim, len(input.shape)), keepdim)
    return b.node("Cast", out, to=9) if truths else out


@emits("any", "all")
def _(b: Builder, input: Any, dim: Any, keepdim: Any) -> Any:
    kind = "ReduceMax" if b.call.op.name == "any" else "ReduceMin"
    numbers = b.cast(b.cast(input, np.bool_), np.int32)
    out = b.node("Cast", reduced(b, kind, numbers, check_dims("any", dim, len(input.shape)), keepdim), to=9)
    return out if b.dtype.kind == "b" else b.node("Cast", out, to=2)


@emits("count_nonzero")
def _(b: Builder, input: Any, dim: Any) -> Any:
    return reduced(
        b,
        "ReduceSum",
        b.cast(b.cast(input, np.bool_), np.int64),
        check_dims("count_nonzero", dim, len(input.shape)),
        False,
    )


@emits("argmax", "argmin")
def _(b: Builder, input: Any, dim: Any, keepdim: Any) -> Any:
    kind = "ArgMax" if b.call.op.name == "argmax" else "ArgMin"
    if dim is None or not input.shape:
        return b.reshaped(b.node(kind, b.reshaped(input, [-1]), axis=0, keepdims=0), b.shape)
    return b.node(kind, input, axis=check_dim(b.call.op.name, dim, len(input.shape)), keepdims=int(bool(keepdim)))


@emits("cumsum")
def _(b: Builder, input: Any, dim: Any) -> Any:
    x = b.cast(input, b.dtype)
    return b.node("CumSum", x, b.integers(check_dim("cumsum", dim, len(input.shape)))) if input.shape else x


@emits("sum_to_size")
def _(b: Builder, input: Any) -> Any:
    added = len(input.shape) - len(b.shape)
    axes = list(range(added)) + [i + added for i, n in enumerate(b.shape) if n == 1 and input.shape[i + added] != 1]
    return b.reshaped(reduced(b, "ReduceSum", b.tensor(input, b.dtype), axes, True), b.shape)


# --- matrices ---------------------------------------------------------------------------------------------------------


@emits("matmul")
def _(b: Builder, input: Any, other: Any) -> Any:
    return b.node("MatMul", input, other)


@emits("linear")
def _(b: Builder, input: Any, weight: Any, bias: Any) -> Any:
    if len(input.shape) == 2:
        return b.node("Gemm", input, weight, bias, transB=1)
    out = b.node("MatMul", input, b.node("Transpose", weight, perm=[1, 0]))
    return out if bias is None else b.node("Add", out, bias)


@emits("det")
def _(b: Builder, A: Any) -> Any:
    return b.node("Det", A)
