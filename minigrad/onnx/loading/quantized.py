"""Numbers kept as 8 or 16 bits: scaled, rounded and counted from a zero of their own. They have no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.onnx.loading.elementwise import dtype_of
from minigrad.onnx.loading.reductions import whole
from minigrad.onnx.loading.table import Run, axis_of, reader_of, reads, refuse


def along(vector: Any, x: Any, axis: int, block: int) -> Any:
    """A scale or a zero for the whole, for each place on an axis, or for each block of places."""
    if vector.ndim == 0 or vector.numel() == 1:
        return vector.reshape(())
    axis = axis_of(axis, x.ndim, "QuantizeLinear")
    if vector.ndim == 1 and not block:
        return vector.reshape([-1 if d == axis else 1 for d in range(x.ndim)])
    return vector.repeat_interleave(block or -(-x.shape[axis] // vector.shape[axis]), axis).narrow(
        axis, 0, x.shape[axis]
    )


def quantized(x: Any, scale: Any, zero: Any, dtype: Any) -> Any:
    """Rounded to even, and moved into what the dtype holds."""
    bounds = np.iinfo(dtype)
    counted = np.rint(x.numpy() / scale.numpy()) + (0 if zero is None else zero.numpy().astype(np.float64))
    return make_tensor(np.asarray(np.clip(counted, bounds.min, bounds.max)).astype(dtype))


@reads("QuantizeLinear", since=10)
def _(
    input: Any, scale: Any, zero: Any = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0, precision: int = 0, saturate: int = 1,
    round_mode: str = "up", run: Run,
) -> Any:  # fmt: skip
    dtype = zero.dtype if zero is not None else dtype_of(output_dtype or 2, run)
    if dtype.kind not in "iu":
        return refuse(run, f"numbers are quantised to integers, not to {dtype}")
    return quantized(
        input,
        along(scale, input, axis, block_size),
        None if zero is None else along(zero, input, axis, block_size),
        dtype,
    )


@reads("DequantizeLinear", since=10)
def _(
    input: Any, scale: Any, zero: Any = None, *, axis: int = 1, block_size: int = 0, output_dtype: int = 0, run: Run
) -> Any:
    dtype = dtype_of(output_dtype, run) if output_dtype else scale.dtype
    counted = (
        input.to("int32") if zero is None else input.to("int32") - along(zero, input, axis, block_size).to("int32")
    )
    return (counted.to(scale.dtype) * along(scale, input, axis, block_size)).to(dtype)


@reads("DynamicQuantizeLinear", since=11)
def _(input: Any) -> Any:
    x = input.numpy()
    low, high = min(float(x.min(initial=0)), 0.0), max(float(x.max(initial=0)), 0.0)
    scale = np.float32((high - low) / 255) or np.float32(1)
    zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
    return (
        quantized(input, make_tensor(np.asarray(scale)), make_tensor(np.asarray(zero)), np.dtype("uint8")),
        make_tensor(np.asarray(scale)),
        make_tensor(np.asarray(zero)),
    )


@reads("ConvInteger", since=10)
def _(input: Any, weight: Any, input_zero: Any = None, weight_zero: Any = None, *, run: Run, **attributes: Any) -> Any:
    """In float64, which holds all sums of products of bytes."""
    x, w = whole(input, input_zero, 1 - input.ndim), whole(weight, weight_zero, -weight.ndim)
    conv = reader_of("Conv", run.opset)
    assert conv is not None
    return conv(x.double(), w.double(), None, run=run, **attributes).to("int32")


@reads("QLinearMatMul", since=10)
def _(a: Any, a_scale: Any, a_zero: Any, b: Any, b_scale: Any, b_zero: Any, y_scale: Any, y_zero: Any) -> Any:
    product = ops.matmul(whole(a, a_zero, -2).double(), whole(b, b_zero, -1).double())
    return quantized(product * (a_scale.double() * b_scale.double()), y_scale.double(), y_zero, y_zero.dtype)


@reads("QLinearConv", since=10)
def _(
    x: Any,
    x_scale: Any,
    x_zero: Any,
    w: Any,
    w_scale: Any,
    w_zero: Any,
    y_scale: Any,
    y_zero: Any,
    bias: Any = None,
    *,
    run: Run,
    **attributes: Any,
) -> Any:
    conv = reader_of("Conv", run.opset)
    assert conv is not None
    total = conv(
        whole(x, x_zero, 1 - x.ndim).double(),
        whole(w, w_zero, -w.ndim).double(),
        None if bias is None else bias.double(),
        run=run,
        **attributes,
    )
    each = w_scale.double().reshape([-1 if d == 1 and w_scale.numel() > 1 else 1 for d in range(x.ndim)])
    return quantized(total * (x_scale.double() * each), y_scale.double(), y_zero, y_zero.dtype)
