"""Elementwise arithmetic: sums, products, quotients, powers and roots."""

from __future__ import annotations

import builtins
import math

import numpy as np

from ..core.dtypes import check_kind, check_one_dtype, float64, get_default_dtype, result_type
from ..core.inplace import in_place
from ..core.primitive import function
from ..core.tensor import Tensor, register
from ..kernels import cpu, xp
from .creation import zeros_like
from .elementwise import flat, sign, tensor_first, where
from .families import NONZERO, POSITIVE, REAL, elementwise, known_as

__all__ = [
    "abs", "absolute", "add", "addcdiv", "addcmul", "div", "divide", "floor_divide", "fmod", "lerp", "mul", "multiply", "neg", "negative",
    "positive", "pow", "reciprocal", "remainder", "rsqrt", "rsub", "sqrt", "square", "sub", "subtract", "true_divide",
]  # fmt: skip


@elementwise(REAL, REAL, to_float=False, of_numbers=True, oracle=lambda x, y: x + y)
def add(input, other, /, *, alpha=1):
    """input + alpha * other."""
    if alpha != 1:
        other = scaled("add", other, alpha)
    return cpu.binary("add", input, other) if cpu.alike(input, other) else xp(input).add(input, other)


def scaled(op, x, alpha):
    """x * alpha in x's dtype, for the `alpha` and `value` of torch: integers want an integer, and wrap around as theirs do."""
    if not hasattr(x, "dtype") or x.dtype.kind == "f":
        return x * alpha
    if isinstance(alpha, float) or isinstance(alpha, builtins.bool) and x.dtype.kind != "b":
        raise RuntimeError(f"{op}: for {x.dtype} the factor must be an integer, got {alpha!r}")
    return x * np.asarray(alpha).astype(x.dtype)


@add.vjp("input")
def _(g):
    return g


@add.vjp("other")
def _(g, alpha):
    return g if alpha == 1 else g * alpha


@elementwise(REAL, REAL, to_float=False, of_numbers=True, oracle=lambda x, y: x - y)
def sub(input, other, /, *, alpha=1):
    """input - alpha * other."""
    if alpha != 1:
        other = scaled("sub", other, alpha)
    return xp(input).subtract(input, other)


@sub.vjp("input")
def _(g):
    return g


@sub.vjp("other")
def _(g, alpha):
    return -g if alpha == 1 else g * -alpha


@elementwise(REAL, REAL, to_float=False, of_numbers=True, oracle=lambda x, y: x * y)
def mul(input, other, /):
    """input * other."""
    return cpu.binary("mul", input, other) if cpu.alike(input, other) else xp(input).multiply(input, other)


@mul.vjp("input")
def _(g, other):
    return g * other


@mul.vjp("other")
def _(g, input):
    return g * input


@elementwise(REAL, NONZERO, to_float=False, of_numbers=True, oracle=lambda x, y: x / y)
def div(input, other, /, *, rounding_mode=None):
    """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""
    m = xp(input)
    if rounding_mode is not None:
        check_kind("div", "fiu", input, other)
        refuse_zero("div", other)
    if rounding_mode is None:
        out = m.divide(input, other)
        if out.dtype != float64 or result_type(input, other).kind == "f":
            return out
        return out.astype(get_default_dtype())
    if rounding_mode == "floor":
        return m.floor_divide(input, other)
    if rounding_mode == "trunc":
        if input.dtype.kind == "f":
            return m.trunc(m.divide(input, other))
        quotient = m.floor_divide(input, other)
        return quotient + ((quotient < 0) & (quotient * other != input)).astype(quotient.dtype)
    raise RuntimeError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")


@div.vjp("input")
def _(g, other, rounding_mode):
    return g / other if rounding_mode is None else None


@div.vjp("other")
def _(g, input, other, rounding_mode):
    return (
        -g * (input / other / other) if rounding_mode is None else None
    )  # not by the output, which may be written to as in torch


@elementwise(REAL, NONZERO, to_float=False, of_numbers=True, accepts="fiu", oracle=lambda x, y: math.floor(x / y))
def floor_divide(input, other, /):
    """input / other, rounded down: Python's //. Its derivative is 0."""
    refuse_zero("floor_divide", other)
    return xp(input).floor_divide(input, other)


def refuse_zero(op, divisor):
    """Integers have no infinity that a division by zero could give."""
    if getattr(divisor, "dtype", float64).kind in "biu" and not divisor.all():
        raise RuntimeError(f"{op}: integers cannot be divided by zero")


@function(method=False)
def rsub(input, other, *, alpha=1):
    """other - alpha * input."""
    tensor_first("rsub", input)
    return sub(other, input, alpha=alpha)


# The second derivative at the exponent 0 is torch's, not that of the function.
@elementwise(POSITIVE, NONZERO, to_float=False, accepts="fiu", oracle=lambda x, y: x**y)
def pow(input, exponent, /):
    """input ** exponent. Integers to a negative power are rounded towards 0, as in torch, where the exponent is a tensor.

    Where the exponent is 0 the slope by the input is the constant 0, as in torch, also for its own derivative by the exponent.
    """
    m = xp(input)
    if result_type(input, exponent).kind == "f":
        return m.power(input, exponent)
    exponent = m.asarray(exponent)
    return m.where(
        exponent < 0, inverse_power(input, exponent), m.power(input, m.maximum(exponent, exponent.dtype.type(0)))
    )


def inverse_power(base, exponent):
    """base ** exponent of integers for a negative exponent: 1 for 1, 1 or -1 for -1, else 0."""
    return np.where(base == 1, 1, np.where(base == -1, 1 - 2 * (exponent & 1), 0)).astype(base.dtype)


@pow.vjp("input")
def _(g, input, exponent):
    if not isinstance(exponent, Tensor):
        return g * (exponent * input ** (exponent - 1)) if exponent != 0 else zeros_like(g)
    base = where(exponent == 0, 1.0, input)
    return where(exponent == 0, 0.0, g * (exponent * base ** (exponent - 1)))


@pow.vjp("exponent")
def _(g, out, input, exponent):
    if not isinstance(input, Tensor):
        slope = out * (math.log(input) if input > 0 else -math.inf if input == 0 else math.nan)
        return g * (slope if input != 0 else where(exponent >= 0, 0.0, slope))
    return g * where((input == 0) & (exponent >= 0), 0.0, out * input.log())


@elementwise(REAL, NONZERO, to_float=False, accepts="fiu", oracle=lambda x, y: x - y * math.floor(x / y))
def remainder(input, other, /):
    """input - other * floor(input / other): the sign of the divisor, as Python's %."""
    refuse_zero("remainder", other)
    return xp(input).remainder(input, other)


@remainder.vjp("input")
def _(g):
    return g


@remainder.vjp("other")
def _(g, input, other):
    return -g * div(input, other, rounding_mode="floor")


@elementwise(REAL, NONZERO, to_float=False, numbers=("other",), accepts="fiu", oracle=math.fmod)
def fmod(input, other, /):
    """input - other * trunc(input / other): the sign of the dividend, as C's fmod."""
    refuse_zero("fmod", other)
    return xp(input).fmod(input, other)


@fmod.vjp("input")
def _(g):
    return g


@fmod.vjp("other")
def _(g, input, other):
    return -g * div(input, other, rounding_mode="trunc")


@elementwise(to_float=False, oracle=lambda x: -x)
def neg(input, /):
    """-input."""
    if input.dtype.kind == "b":
        raise RuntimeError("neg: the negative of truth values is not defined; use logical_not")
    return xp(input).negative(input)


@neg.vjp("input")
def _(g):
    return -g


@elementwise(NONZERO, to_float=False, accepts="fiu", oracle=builtins.abs)
def abs(input, /):
    """The absolute value; its derivative at 0 is taken as 0."""
    return xp(input).absolute(input)


@abs.vjp("input")
def _(g, input):
    return g * sign(input)


@elementwise(to_float=False, oracle=lambda x: x * x)
def square(input, /):
    """input ** 2."""
    return input * input if input.dtype.kind != "b" else input.astype("int64")


@square.vjp("input")
def _(g, input):
    return g * (2.0 * input)


@elementwise(NONZERO, oracle=lambda x: 1 / x)
def reciprocal(input, /):
    """1 / input."""
    return xp(input).reciprocal(input)


@reciprocal.vjp("input")
def _(g, out):
    return -g * (out * out)


@elementwise(POSITIVE, oracle=math.sqrt)
def sqrt(input, /):
    """The square root; NaN below 0."""
    return xp(input).sqrt(input)


@sqrt.vjp("input")
def _(g, out):
    return g / (2.0 * out)


@elementwise(POSITIVE, oracle=lambda x: 1 / math.sqrt(x))
def rsqrt(input, /):
    """1 / sqrt(input)."""
    return xp(input).reciprocal(xp(input).sqrt(input))


@rsqrt.vjp("input")
def _(g, out):
    return -0.5 * g * out * out * out


# --- combinations -----------------------------------------------------------------------------------------------------


@function
def lerp(input, end, weight):
    """input + weight * (end - input): linear interpolation."""
    check_one_dtype("lerp", input, end)
    check_kind("lerp", "f", input)
    return input + weight * (end - input)


def check_factors(op, tensor1, tensor2):
    for name, x in (("tensor1", tensor1), ("tensor2", tensor2)):
        if not isinstance(x, Tensor):
            raise TypeError(f"{op}: argument {name!r} must be a tensor, got {type(x).__name__}; minigrad.tensor(...) makes one")


@function
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    check_factors("addcmul", tensor1, tensor2)
    check_kind("addcmul", "fiu", input, tensor1, tensor2)
    return input + value * (tensor1 * tensor2)


@function
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2."""
    check_factors("addcdiv", tensor1, tensor2)
    check_kind("addcdiv", "f", input, tensor1, tensor2)
    return input + value * (tensor1 / tensor2)


@function
def positive(input):
    """The input itself."""
    check_kind("positive", "fiu", input)
    return input


floor_divide.vjp("input")(flat)
floor_divide.vjp("other")(flat)
for composite in (lerp, addcmul, addcdiv):
    in_place(composite)
absolute, multiply, negative, subtract = (
    known_as(abs, "absolute"),
    known_as(mul, "multiply"),
    known_as(neg, "negative"),
    known_as(sub, "subtract"),
)
divide = true_divide = known_as(div, "divide", "true_divide")
register("__rdiv__", lambda self, other: mul(reciprocal(self), other))  # with the rounding of torch's
