"""How functions of each element are written."""

from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, Value, emits
from minigrad.onnx.exporting.windows import averages
from minigrad.ops.loss import LEAST_LOG

# One operand, one operator of the same meaning.
UNARY = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh", "bitwise_not": "BitwiseNot",
    "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf", "exp": "Exp", "floor": "Floor", "log": "Log", "neg": "Neg",
    "reciprocal": "Reciprocal", "relu": "Relu", "safe_sqrt": "Sqrt", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "sqrt": "Sqrt", "tan": "Tan", "tanh": "Tanh",
}  # fmt: skip
# Two operands, brought to the dtype of the result.
ARITHMETIC = {"mul": "Mul", "maximum": "Max", "minimum": "Min", "pow": "Pow"}
# Two operands, brought to the dtype that they have in common.
COMPARISONS = {"eq": ("Equal", False), "ne": ("Equal", True), "lt": ("Less", False), "le": ("LessOrEqual", False), "gt": ("Greater", False), "ge": ("GreaterOrEqual", False)}  # fmt: skip
LOGICAL = {"logical_and": "And", "logical_or": "Or", "logical_xor": "Xor"}
BITWISE = {
    "bitwise_and": ("And", "BitwiseAnd"),
    "bitwise_or": ("Or", "BitwiseOr"),
    "bitwise_xor": ("Xor", "BitwiseXor"),
}


@emits(*UNARY)
def _(b: Builder, input: Any) -> Any:
    kind = UNARY[b.call.op.name]
    if kind == "BitwiseNot":
        if b.dtype.kind == "b":
            return b.node("Not", input)
        b.needs(18, "BitwiseNot")
    return b.node(kind, b.tensor(input, b.dtype))


@emits(*ARITHMETIC)
def _(b: Builder, input: Any, other: Any = None) -> Any:
    return b.node(ARITHMETIC[b.call.op.name], *b.together(input, other, dtype=b.dtype))


def power(b: Builder, input: Any, exponent: Any) -> Any:
    if not isinstance(exponent, Value) and exponent == 2:
        x = b.tensor(input, b.dtype)
        return b.node("Mul", x, x)
    return b.node("Pow", *b.together(input, exponent, dtype=b.dtype))


emits("pow")(power)


@emits(*COMPARISONS)
def _(b: Builder, input: Any, other: Any) -> Any:
    kind, negated = COMPARISONS[b.call.op.name]
    out = b.node(kind, *b.together(input, other))
    return b.node("Not", out) if negated else out


@emits(*LOGICAL)
def _(b: Builder, input: Any, other: Any) -> Any:
    return b.node(LOGICAL[b.call.op.name], *b.together(input, other, dtype=np.bool_))


@emits("logical_not")
def _(b: Builder, input: Any) -> Any:
    return b.node("Not", b.tensor(input, np.bool_))


@emits(*BITWISE)
def _(b: Builder, input: Any, other: Any) -> Any:
    of_truths, of_numbers = BITWISE[b.call.op.name]
    if b.dtype.kind != "b":
        b.needs(18, of_numbers)
    return b.node(of_truths if b.dtype.kind == "b" else of_numbers, *b.together(input, other, dtype=b.dtype))


@emits("add", "sub")
def _(b: Builder, input: Any, other: Any, alpha: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    if alpha != 1:
        y = b.node("Mul", y, b.scalar(alpha))
    return b.node("Add" if b.call.op.name == "add" else "Sub", x, y)


@emits("div")
def _(b: Builder, input: Any, other: Any, rounding_mode: Any) -> Any:
    if rounding_mode == "floor":
        return floor_divided(b, input, other)
    if rounding_mode == "trunc":
        out = b.node("Div", *b.together(input, other, dtype=b.dtype))
        return out if b.dtype.kind in "iu" else truncated(b, out)
    made = b.maker(input)
    if made is not None and made.op.name == "sum_pool" and other == prod(made.static[0].kernel):
        return averages(b, b.value_of(made.args[0]), made.static[0])
    return b.node("Div", *b.together(input, other, dtype=b.dtype))


@emits("floor_divide")
def floor_divided(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    if b.dtype.kind in "iu":  # (x - x mod y) / y divides without a rest
        return b.node("Div", b.node("Sub", x, b.node("Mod", x, y)), y)
    return b.node("Floor", b.node("Div", x, y))


@emits("remainder")
def _(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    if b.dtype.kind in "iu":
        return b.node("Mod", x, y)
    return b.node("Sub", x, b.node("Mul", b.node("Floor", b.node("Div", x, y)), y))


@emits("fmod")
def _(b: Builder, input: Any, other: Any) -> Any:
    return b.node("Mod", *b.together(input, other, dtype=b.dtype), fmod=1)


@emits("trunc")
def truncated(b: Builder, input: Any) -> Any:
    return b.node("Mul", b.node("Sign", input), b.node("Floor", b.node("Abs", input)))


@emits("round")
def _(b: Builder, input: Any, decimals: Any) -> Any:
    if decimals == 0:
        return b.node("Round", input)
    factor = b.scalar(10.0**decimals)
    return b.node("Div", b.node("Round", b.node("Mul", input, factor)), factor)


@emits("square")
def _(b: Builder, input: Any) -> Any:
    return b.node("Mul", input, input)


@emits("rsqrt")
def _(b: Builder, input: Any) -> Any:
    return b.node("Reciprocal", b.node("Sqrt", b.tensor(input, b.dtype)))


@emits("erfc")
def _(b: Builder, input: Any) -> Any:
    return b.node("Sub", b.scalar(1), b.node("Erf", b.tensor(input, b.dtype)))


@emits("exp2")
def _(b: Builder, input: Any) -> Any:
    return b.node("Pow", b.scalar(2), b.tensor(input, b.dtype))


@emits("expm1")
def _(b: Builder, input: Any) -> Any:
    """By exp(x) - 1 = 2 sinh(x / 2) exp(x / 2), which loses nothing near 0."""
    half = b.node("Mul", b.tensor(input, b.dtype), b.scalar(0.5))
    return b.node("Mul", b.node("Mul", b.node("Sinh", half), b.node("Exp", half)), b.scalar(2))


@emits("log1p")
def _(b: Builder, input: Any) -> Any:
    return b.node("Log", b.node("Add", b.tensor(input, b.dtype), b.scalar(1)))


@emits("log2", "log10")
def _(b: Builder, input: Any) -> Any:
    base = 2 if b.call.op.name == "log2" else 10
    return b.node("Mul", b.node("Log", b.tensor(input, b.dtype)), b.scalar(1 / math.log(base)))


@emits("logaddexp")
def _(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    apart = b.node("Neg", b.node("Abs", b.node("Sub", x, y)))
    return b.node("Add", b.node("Max", x, y), b.node("Log", b.node("Add", b.node("Exp", apart), b.scalar(1))))


@emits("logit")
def _(b: Builder, input: Any, eps: Any) -> Any:
    x = b.tensor(input, b.dtype)
    x = x if eps is None else b.node("Clip", x, b.scalar(eps), b.scalar(1 - eps))
    return b.node("Log", b.node("Div", x, b.node("Sub", b.scalar(1), x)))


@emits("hypot")
def _(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    return b.node("Sqrt", b.node("Add", b.node("Mul", x, x), b.node("Mul", y, y)))


@emits("xlogy")
def _(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    nothing = b.node("And", b.node("Equal", x, b.scalar(0)), b.node("Not", b.node("IsNaN", y)))
    return b.node("Where", nothing, b.scalar(0), b.node("Mul", x, b.node("Log", y)))


@emits("fmax", "fmin")
def _(b: Builder, input: Any, other: Any) -> Any:
    x, y = b.together(input, other, dtype=b.dtype)
    chosen = b.node("Max" if b.call.op.name == "fmax" else "Min", x, y)
    if b.dtype.kind != "f":
        return chosen
    return b.node("Where", b.node("IsNaN", x), y, b.node("Where", b.node("IsNaN", y), x, chosen))


@emits("binary_cross_entropy")
def _(b: Builder, input: Any, target: Any) -> Any:
    p, t = b.together(input, target, dtype=b.dtype)
    one, least = b.scalar(1), b.scalar(LEAST_LOG)
    logs = [b.node("Max", b.node("Log", x), least) for x in (p, b.node("Sub", one, p))]
    return b.node("Neg", b.node("Add", b.node("Mul", t, logs[0]), b.node("Mul", b.node("Sub", one, t), logs[1])))


@emits("clone", "tied", "packed", "move")
def _(b: Builder, input: Any) -> Any:
    return b.tensor(input)


@emits("cast")
def _(b: Builder, input: Any, dtype: Any) -> Any:
    return b.cast(input, np.dtype(dtype))


@emits("copy")
def _(b: Builder, input: Any, src: Any) -> Any:
    """The source in the shape and the dtype of the input."""
    x = b.tensor(src, b.dtype)
    return x if x.shape == b.shape else b.spread(x, b.shape)


@emits("fill")
def _(b: Builder, value: Any) -> Any:
    return b.spread(b.tensor(value, b.dtype), b.shape)


@emits("choose")
def _(b: Builder, condition: Any, input: Any, other: Any) -> Any:
    return b.node("Where", b.tensor(condition, np.bool_), *b.together(input, other, dtype=b.dtype))


@emits("clamp_between")
def _(b: Builder, input: Any, min: Any, max: Any) -> Any:
    low, high = [None if x is None else b.scalar(x) for x in (min, max)]
    return b.node("Clip", b.tensor(input, b.dtype), low, high)


@emits("hardtanh")
def _(b: Builder, input: Any, low: Any, high: Any) -> Any:
    return b.node("Clip", input, b.scalar(low), b.scalar(high))


@emits("isnan")
def _(b: Builder, input: Any) -> Any:
    return b.node("IsNaN", input)


@emits("isinf", "isposinf", "isneginf")
def _(b: Builder, input: Any) -> Any:
    name = b.call.op.name
    return b.node("IsInf", input, detect_negative=int(name != "isposinf"), detect_positive=int(name != "isneginf"))


@emits("isfinite")
def _(b: Builder, input: Any) -> Any:
    return b.node("Not", b.node("Or", b.node("IsNaN", input), b.node("IsInf", input)))


# --- activations ------------------------------------------------------------------------------------------------------


@emits("leaky_relu")
def _(b: Builder, input: Any, negative_slope: Any) -> Any:
    return b.node("LeakyRelu", input, alpha=float(negative_slope))


@emits("elu")
def _(b: Builder, input: Any, alpha: Any) -> Any:
    return b.node("Elu", input, alpha=float(alpha))


@emits("silu")
def _(b: Builder, input: Any) -> Any:
    return b.node("Mul", input, b.node("Sigmoid", input))


@emits("gelu")
def _(b: Builder, input: Any) -> Any:
    if b.opset >= 20:
        return b.node("Gelu", input)
    share = b.node("Erf", b.node("Mul", input, b.scalar(math.sqrt(0.5))))
    return b.node("Mul", b.node("Mul", input, b.scalar(0.5)), b.node("Add", share, b.scalar(1)))


@emits("gelu_tanh")
def _(b: Builder, input: Any) -> Any:
    if b.opset >= 20:
        return b.node("Gelu", input, approximate="tanh")
    cube = b.node("Mul", b.node("Mul", input, b.node("Mul", input, input)), b.scalar(0.044715))
    share = b.node("Tanh", b.node("Mul", b.node("Add", input, cube), b.scalar(math.sqrt(2 / math.pi))))
    return b.node("Mul", b.node("Mul", input, b.scalar(0.5)), b.node("Add", share, b.scalar(1)))


@emits("hardsigmoid")
def _(b: Builder, input: Any) -> Any:
    return b.node("HardSigmoid", input, alpha=1 / 6, beta=0.5)


@emits("hardswish")
def _(b: Builder, input: Any) -> Any:
    return (
        b.node("HardSwish", input)
        if b.opset >= 14
        else b.node("Mul", input, b.node("HardSigmoid", input, alpha=1 / 6, beta=0.5))
    )


@emits("hardshrink")
def _(b: Builder, input: Any, lambd: Any) -> Any:
    return b.node("Shrink", input, lambd=float(lambd), bias=0.0)


@emits("softshrink")
def _(b: Builder, input: Any, lambd: Any) -> Any:
    return b.node("Shrink", input, lambd=float(lambd), bias=float(lambd))


@emits("threshold")
def _(b: Builder, input: Any, bound: Any, value: Any) -> Any:
    return b.node("Where", b.node("Greater", input, b.scalar(bound)), input, b.scalar(value))


@emits("softplus")
def _(b: Builder, input: Any, beta: Any, threshold: Any) -> Any:
    """Beyond the threshold the input itself; below about 20 Softplus differs from that by less than rounding."""
    scaled = input if beta == 1 else b.node("Mul", input, b.scalar(beta))
    out = b.node("Softplus", scaled)
    out = out if beta == 1 else b.node("Div", out, b.scalar(beta))
    return out if threshold >= 20 else b.node("Where", b.node("Greater", scaled, b.scalar(threshold)), input, out)


@emits("softmax", "log_softmax")
def _(b: Builder, input: Any, dim: Any) -> Any:
    x = b.cast(input, b.dtype)
    if not b.shape:
        return b.node("Sub", x, x) if b.call.op.name == "log_softmax" else b.node("Exp", b.node("Sub", x, x))
    return b.node("Softmax" if b.call.op.name == "softmax" else "LogSoftmax", x, axis=int(dim))
