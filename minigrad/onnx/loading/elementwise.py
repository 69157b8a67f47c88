"""Operators on each element."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.dtypes import bool_
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Reader, Run, constant, reads, refuse

UNARY: dict[str, Reader] = {
    "Abs": ops.abs, "Acos": ops.acos, "Acosh": ops.acosh, "Asin": ops.asin, "Asinh": ops.asinh, "Atan": ops.atan,
    "Atanh": ops.atanh, "BitwiseNot": ops.bitwise_not, "Ceil": ops.ceil, "Cos": ops.cos, "Cosh": ops.cosh, "Erf": ops.erf,
    "Exp": ops.exp, "Floor": ops.floor, "Identity": lambda x: x, "IsNaN": ops.isnan, "Log": ops.log, "Mish": F.mish,
    "Neg": ops.neg, "Not": ops.logical_not, "Reciprocal": ops.reciprocal, "Relu": ops.relu, "Round": ops.round,
    "Sigmoid": ops.sigmoid, "Sign": ops.sign, "Sin": ops.sin, "Sinh": ops.sinh, "Softplus": lambda x: F.softplus(x, 1.0, np.inf),
    "Softsign": F.softsign, "Sqrt": ops.sqrt, "Tan": ops.tan, "Tanh": ops.tanh,
}  # fmt: skip

BINARY: dict[str, Reader] = {
    "Add": ops.add, "Sub": ops.sub, "Mul": ops.mul, "And": ops.logical_and, "Or": ops.logical_or, "Xor": ops.logical_xor,
    "Equal": ops.eq, "Less": ops.lt, "LessOrEqual": ops.le, "Greater": ops.gt, "GreaterOrEqual": ops.ge,
    "BitwiseAnd": ops.bitwise_and, "BitwiseOr": ops.bitwise_or, "BitwiseXor": ops.bitwise_xor,
}  # fmt: skip


def unary(function: Reader) -> Reader:
    return lambda input: function(input)


def binary(function: Reader) -> Reader:
    """With room for what the operands broadcast to; `axis` and `broadcast` are how the oldest versions said it."""

    def apply(input: Any, other: Any, *, run: Run) -> Any:
        room_for(run, input, other)
        return function(input, other)

    return apply


def room_for(run: Run, *operands: Any) -> None:
    """Refuses operands that broadcast to something too large."""
    try:
        shape = np.broadcast_shapes(*[x.shape for x in operands])
    except ValueError:
        raise ValueError(
            f"onnx.load: {run.kind}: the shapes {[tuple(x.shape) for x in operands]} cannot be broadcast together"
        ) from None
    run.room(shape, max([x.dtype for x in operands], key=lambda d: d.itemsize))


for name, function in UNARY.items():
    reads(name)(unary(function))
for name, function in BINARY.items():
    reads(name, since=7)(binary(function))


@reads("Div", since=7)
def _(input: Any, other: Any, *, run: Run) -> Any:
    room_for(run, input, other)
    if input.dtype.kind == "f":
        return input / other
    if not bool((other != 0).all()):
        raise ZeroDivisionError("onnx.load: Div: integers are divided by 0")
    return ops.div(input, other, rounding_mode="trunc") if input.dtype.kind == "i" else input // other


@reads("Pow", since=7)
def _(input: Any, exponent: Any, *, run: Run) -> Any:
    """The result has the dtype of the base."""
    room_for(run, input, exponent)
    if input.dtype.kind == "f" and exponent.dtype.kind in "iu":
        exponent = exponent.to(input.dtype)
    return ops.pow(input, exponent).to(input.dtype)


@reads("Mod", since=10)
def _(input: Any, other: Any, *, fmod: int = 0, run: Run) -> Any:
    room_for(run, input, other)
    if input.dtype.kind != "f" and not bool((other != 0).all()):
        raise ZeroDivisionError("onnx.load: Mod: integers are divided by 0")
    return ops.fmod(input, other) if fmod else ops.remainder(input, other)


def folded(function: Reader) -> Reader:
    def apply(first: Any, *others: Any, run: Run) -> Any:
        for x in others:
            room_for(run, first, x)
            first = function(first, x)
        return first

    return apply


reads("Max", since=6)(folded(ops.maximum))
reads("Min", since=6)(folded(ops.minimum))
reads("Sum", since=6)(folded(ops.add))


@reads("Mean", since=6)
def _(*inputs: Any, run: Run) -> Any:
    return folded(ops.add)(*inputs, run=run) / len(inputs)


@reads("BitShift", since=11)
def _(input: Any, by: Any, *, direction: str, run: Run) -> Any:
    """Shifts by as many bits as there are, or more, leave nothing but the sign."""
    room_for(run, input, by)
    shift = np.left_shift if direction == "LEFT" else np.right_shift
    bits = input.dtype.itemsize * 8
    x, n = input.numpy(), by.numpy()
    most = shift(x, np.minimum(n, bits - 1))
    kept = (n < bits) | (direction != "LEFT") & (x.dtype.kind == "i")
    return make_tensor(np.asarray(np.where(kept, most, 0)).astype(x.dtype))


@reads("Where", since=9)
def _(condition: Any, input: Any, other: Any, *, run: Run) -> Any:
    room_for(run, condition, input, other)
    return ops.where(condition, input, other)


@reads("Clip")
def _(input: Any, *, min: float | None = None, max: float | None = None) -> Any:
    return input if min is None and max is None else ops.clamp(input, min, max)


@reads("Clip", since=11)
def _(input: Any, min: Any = None, max: Any = None) -> Any:
    """Where min exceeds max, max wins."""
    low, high = [None if x is None else x.item() for x in (min, max)]
    return input if low is None and high is None else ops.clamp(input, low, high)


@reads("IsInf", since=10)
def _(input: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    negative, positive = ops.isneginf(input), ops.isposinf(input)
    return (negative & bool(detect_negative)) | (positive & bool(detect_positive))


DTYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
}  # fmt: skip


def dtype_of(number: int, run: Run) -> Any:
    if number not in DTYPES:
        return refuse(
            run,
            f"there are no tensors of the element type that the format numbers {number} (strings, bfloat16, floats of 8 bits, complex numbers)",
        )
    return np.dtype(DTYPES[number])


def as_dtype(x: Tensor, dtype: Any) -> Any:
    """The tensor in another dtype; what is no number or too large becomes an integer as the processor has it."""
    with np.errstate(all="ignore"):
        return x.to(dtype)


@reads("Cast", since=6)
def _(input: Any, *, to: int, saturate: int = 1, round_mode: str = "up", run: Run) -> Any:
    return as_dtype(input, dtype_of(to, run))


@reads("CastLike", since=15)
def _(input: Any, target: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    return as_dtype(input, target.dtype)


@reads("BitCast", since=1)
def _(input: Any, *, to: int, run: Run) -> Any:
    dtype = dtype_of(to, run)
    if dtype.itemsize != input.dtype.itemsize:
        raise ValueError(f"onnx.load: BitCast: {input.dtype} and {dtype} have different sizes")
    return make_tensor(np.ascontiguousarray(input.numpy()).view(dtype).reshape(input.shape))


# --- activations ------------------------------------------------------------------------------------------------------


@reads("LeakyRelu")
def _(input: Any, *, alpha: float = 0.01) -> Any:
    return F.leaky_relu(input, alpha)


@reads("PRelu", since=7)
def _(input: Any, slope: Any) -> Any:
    return ops.where(input > 0, input, slope * input)


@reads("Elu")
def _(input: Any, *, alpha: float = 1.0) -> Any:
    return F.elu(input, alpha)


@reads("Celu", since=12)
def _(input: Any, *, alpha: float = 1.0) -> Any:
    return F.celu(input, alpha)


@reads("Selu")
def _(input: Any, *, alpha: float = 1.67326319217681884765625, gamma: float = 1.05070102214813232421875) -> Any:
    return F.elu(input, alpha) * gamma


@reads("ThresholdedRelu", since=10)
def _(input: Any, *, alpha: float = 1.0) -> Any:
    return F.threshold(input, alpha, 0.0)


@reads("HardSigmoid")
def _(input: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return ops.clamp(input * alpha + beta, 0, 1)


@reads("HardSwish", since=14)
def _(input: Any) -> Any:
    return F.hardswish(input)


@reads("Swish", since=24)
def _(input: Any, *, alpha: float = 1.0) -> Any:
    return input * ops.sigmoid(input * alpha)


@reads("Gelu", since=20)
def _(input: Any, *, approximate: str = "none") -> Any:
    return F.gelu(input, approximate=approximate)


@reads("Shrink", since=9)
def _(input: Any, *, bias: float = 0.0, lambd: float = 0.5) -> Any:
    outside = ops.where(input > lambd, input - bias, constant(0, input.dtype))
    return ops.where(input < -lambd, input + bias, outside).to(input.dtype)


def flattened(function: Reader, default: int) -> Reader:
    """Before version 13 all axes from `axis` on count as one."""

    def apply(input: Any, *, axis: int = default) -> Any:
        axis %= max(input.ndim, 1)
        rows = input.reshape(*input.shape[:axis], -1)
        return function(rows, axis).reshape(input.shape)

    return apply


def hardmax(input: Any, axis: int) -> Any:
    place = input.argmax(axis, True).numpy()
    return make_tensor(
        (
            np.arange(input.shape[axis]).reshape([-1 if d == axis % input.ndim else 1 for d in range(input.ndim)])
            == place
        ).astype(input.dtype)
    )


def along(function: Reader) -> Reader:
    def apply(input: Any, *, axis: int = -1) -> Any:
        return function(input, axis)

    return apply


for name, function in (("Softmax", ops.softmax), ("LogSoftmax", ops.log_softmax), ("Hardmax", hardmax)):
    reads(name)(flattened(function, 1))
    reads(name, since=13)(along(function))


@reads("Dropout")
def _(input: Any, *, ratio: float = 0.5, is_test: int = 0, seed: int = 0, run: Run) -> Any:
    out = F.dropout(input, ratio, run.training)
    return (out, ops.ones_like(input, dtype=bool_)) if run.outputs > 1 else out


@reads("Dropout", since=12)
def _(input: Any, ratio: Any = None, training_mode: Any = None, *, seed: int | None = None, run: Run) -> Any:
    """Drops elements while the module is in training, or where the file says so; with its seed, those that the specification's tests drop."""
    p = 0.5 if ratio is None else ratio.item()
    asked_for = training_mode is not None and bool(training_mode)
    if asked_for and seed is not None and p < 1:
        kept = np.random.RandomState(seed % 2**32).uniform(0, 1, input.shape) >= p
        mask = make_tensor(np.asarray(kept / (1 - p), input.dtype))
    else:
        mask = F.dropout(ops.ones_like(input), p, run.training or asked_for)
    return (input * mask, mask > 0) if run.outputs > 1 else input * mask
