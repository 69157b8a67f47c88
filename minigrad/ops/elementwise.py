"""Elementwise arithmetic and mathematics: one number in, or several; one number out."""

from __future__ import annotations

import builtins
import math

import numpy as np

from ..core.dtypes import check_one_dtype, float64, get_default_dtype, result_type
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import Tensor, register
from ..kernels import cpu, of, xp
from .creation import number_as, zeros_like
from .families import INTEGER_KINKS, NONZERO, POSITIVE, REAL, Domain, elementwise, known_as

__all__ = [
    "abs", "absolute", "acos", "add", "addcdiv", "addcmul", "arccos", "arcsin", "arctan", "arctan2", "asin", "atan", "atan2", "ceil",
    "clamp", "clamp_max", "clamp_min", "clip", "clone", "cos", "cosh", "div", "divide", "erf", "exp", "expm1",
    "fix", "floor", "floor_divide", "fmod", "frac", "lerp", "log", "log10", "log1p", "log2", "maximum", "minimum", "mul", "multiply",
    "nan_to_num", "neg", "negative", "positive", "pow", "reciprocal", "remainder", "round", "rsqrt", "rsub", "sigmoid", "sign",
    "sin", "sinh", "sqrt", "square", "sub", "subtract", "tan", "tanh", "true_divide", "trunc", "where",
]  # fmt: skip


# --- arithmetic -------------------------------------------------------------------------------------------------------


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
    return -g * (input / other / other) if rounding_mode is None else None  # not by the output, which may be written to as in torch


@elementwise(REAL, NONZERO, to_float=False, of_numbers=True, oracle=lambda x, y: math.floor(x / y))
def floor_divide(input, other, /):
    """input / other, rounded down: Python's //. Its derivative is 0."""
    refuse_zero("floor_divide", other)
    return xp(input).floor_divide(input, other)


def refuse_zero(op, divisor):
    """Integers have no infinity that a division by zero could give."""
    if getattr(divisor, "dtype", float64).kind in "biu" and not divisor.all():
        raise RuntimeError(f"{op}: integers cannot be divided by zero")


def tensor_first(op, x):
    """Refuses a number as first argument, where torch wants a tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{op}: argument 'input' must be a tensor, got {type(x).__name__}; minigrad.tensor(...) makes one")


@function(method=False)
def rsub(input, other, *, alpha=1):
    """other - alpha * input."""
    tensor_first("rsub", input)
    return sub(other, input, alpha=alpha)


@elementwise(POSITIVE, REAL, to_float=False, oracle=lambda x, y: x**y)
def pow(input, exponent, /):
    """input ** exponent. Integers to a negative power are rounded towards 0, as in torch, where the exponent is a tensor."""
    m = xp(input)
    if result_type(input, exponent).kind == "f":
        return m.power(input, exponent)
    exponent = m.asarray(exponent)
    return m.where(exponent < 0, inverse_power(input, exponent), m.power(input, m.maximum(exponent, exponent.dtype.type(0))))


def inverse_power(base, exponent):
    """base ** exponent of integers for a negative exponent: 1 for 1, 1 or -1 for -1, else 0."""
    return np.where(base == 1, 1, np.where(base == -1, 1 - 2 * (exponent & 1), 0)).astype(base.dtype)


@pow.vjp("input")
def _(g, input, exponent):
    if not isinstance(exponent, Tensor):
        return g * (exponent * input ** (exponent - 1)) if exponent != 0 else zeros_like(g)
    # 0 times infinity otherwise; and no more than these, for the second derivative's sake
    base = where((exponent == 0) & ((input == 0) | (input - input != 0)), 1.0, input)
    return g * (exponent * base ** (exponent - 1))


@pow.vjp("exponent")
def _(g, out, input, exponent):
    if not isinstance(input, Tensor):
        slope = out * (math.log(input) if input > 0 else -math.inf if input == 0 else math.nan)
        return g * (slope if input != 0 else where(exponent >= 0, 0.0, slope))
    return g * where((input == 0) & (exponent >= 0), 0.0, out * log(input))


@elementwise(REAL, NONZERO, to_float=False, oracle=lambda x, y: x - y * math.floor(x / y))
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


@elementwise(REAL, NONZERO, to_float=False, numbers=("other",), oracle=math.fmod)
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


@elementwise(NONZERO, to_float=False, oracle=builtins.abs)
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


# --- exponentials and logarithms --------------------------------------------------------------------------------------


@elementwise(oracle=math.exp)
def exp(input, /):
    """e ** input."""
    return xp(input).exp(input)


@exp.vjp("input")
def _(g, out):
    return g * out


@elementwise(oracle=math.expm1)
def expm1(input, /):
    """e ** input - 1, accurate near 0."""
    return xp(input).expm1(input)


@expm1.vjp("input")
def _(g, out):
    return g * (out + 1.0)


@elementwise(POSITIVE, oracle=math.log)
def log(input, /):
    """The natural logarithm."""
    return xp(input).log(input)


@log.vjp("input")
def _(g, input):
    return g / input


@elementwise(POSITIVE, oracle=math.log2)
def log2(input, /):
    """The logarithm to base 2."""
    return xp(input).log2(input)


@log2.vjp("input")
def _(g, input):
    return g / (input * math.log(2))


@elementwise(POSITIVE, oracle=math.log10)
def log10(input, /):
    """The logarithm to base 10."""
    return xp(input).log10(input)


@log10.vjp("input")
def _(g, input):
    return g / (input * math.log(10))


@elementwise(Domain(-0.9, 4.0), oracle=math.log1p)
def log1p(input, /):
    """log(1 + input), accurate near 0."""
    return xp(input).log1p(input)


@log1p.vjp("input")
def _(g, input):
    return g / (input + 1.0)


# --- trigonometry -----------------------------------------------------------------------------------------------------


@elementwise(oracle=math.sin)
def sin(input, /):
    """The sine of an angle in radians."""
    return xp(input).sin(input)


@sin.vjp("input")
def _(g, input):
    return g * cos(input)


@elementwise(oracle=math.cos)
def cos(input, /):
    """The cosine of an angle in radians."""
    return xp(input).cos(input)


@cos.vjp("input")
def _(g, input):
    return -g * sin(input)


@elementwise(Domain(-1.2, 1.2), oracle=math.tan)
def tan(input, /):
    """The tangent of an angle in radians."""
    return xp(input).tan(input)


@tan.vjp("input")
def _(g, out):
    return g * (1.0 + out * out)


@elementwise(Domain(-0.9, 0.9), oracle=math.asin)
def asin(input, /):
    """The angle in radians whose sine is the input."""
    return xp(input).arcsin(input)


@asin.vjp("input")
def _(g, input):
    return g * rsqrt(1.0 - input * input)


@elementwise(Domain(-0.9, 0.9), oracle=math.acos)
def acos(input, /):
    """The angle in radians whose cosine is the input."""
    return xp(input).arccos(input)


@acos.vjp("input")
def _(g, input):
    return -g * rsqrt(1.0 - input * input)


@elementwise(oracle=math.atan)
def atan(input, /):
    """The angle in radians whose tangent is the input."""
    return xp(input).arctan(input)


@atan.vjp("input")
def _(g, input):
    return g / (1.0 + input * input)


@elementwise(NONZERO, NONZERO, numbers=(), oracle=math.atan2)
def atan2(input, other, /):
    """The angle in radians of the point (other, input)."""
    return xp(input).arctan2(input, other)


@atan2.vjp("input")
def _(g, input, other):
    return g * (other / squared_length(input, other))


@atan2.vjp("other")
def _(g, input, other):
    return -g * (input / squared_length(input, other))


def squared_length(x, y):
    """x**2 + y**2; 1 at the origin, where the derivatives of the angle are taken as 0."""
    square = x * x + y * y
    return where(square == 0, 1.0, square)


@elementwise(oracle=math.sinh)
def sinh(input, /):
    """The hyperbolic sine."""
    return xp(input).sinh(input)


@sinh.vjp("input")
def _(g, input):
    return g * cosh(input)


@elementwise(oracle=math.cosh)
def cosh(input, /):
    """The hyperbolic cosine."""
    return xp(input).cosh(input)


@cosh.vjp("input")
def _(g, input):
    return g * sinh(input)


@elementwise(oracle=math.tanh)
def tanh(input, /):
    """The hyperbolic tangent."""
    return of(input).unary("tanh", input)


@tanh.vjp("input")
def _(g, out):
    return tanh_input(g, out)


@elementwise(REAL, REAL, method=False, oracle=lambda g, out: g * (1 - out * out))
def tanh_input(slopes, out, /):
    """slopes * (1 - out**2): the gradient of tanh, by its output."""
    return of(out).binary("tanh_input", slopes, out)


@tanh_input.vjp("slopes")
def _(g, out):
    return tanh_input(g, out)


@tanh_input.vjp("out")
def _(g, slopes, out):
    return g * slopes * (-2.0 * out)


@elementwise(oracle=lambda x: 1 / (1 + math.exp(-x)))
def sigmoid(input, /):
    """1 / (1 + exp(-input)): the logistic function."""
    return of(input).unary("sigmoid", input)


@sigmoid.vjp("input")
def _(g, out):
    return sigmoid_input(g, out)


@elementwise(REAL, REAL, method=False, oracle=lambda g, out: g * (out * (1 - out)))
def sigmoid_input(slopes, out, /):
    """slopes * out * (1 - out): the gradient of sigmoid, by its output."""
    return of(out).binary("sigmoid_input", slopes, out)


@sigmoid_input.vjp("slopes")
def _(g, out):
    return sigmoid_input(g, out)


@sigmoid_input.vjp("out")
def _(g, slopes, out):
    return g * slopes * (1.0 - 2.0 * out)


@elementwise(oracle=math.erf)
def erf(input, /):
    """The error function: 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to the input."""
    return of(input).unary("erf", input)


@erf.vjp("input")
def _(g, input):
    return g * (exp(-input * input) * (2.0 / math.sqrt(math.pi)))


# --- rounding: piecewise constant, so the derivative is 0 wherever there is one --------------------------------------


@elementwise(INTEGER_KINKS, to_float=False, oracle=math.floor)
def floor(input, /):
    """The largest integer not above the input."""
    return xp(input).floor(input) if input.dtype.kind == "f" else input.copy()


@elementwise(INTEGER_KINKS, to_float=False, oracle=math.ceil)
def ceil(input, /):
    """The smallest integer not below the input."""
    return xp(input).ceil(input) if input.dtype.kind == "f" else input.copy()


@elementwise(INTEGER_KINKS, to_float=False, oracle=math.trunc)
def trunc(input, /):
    """The input without its fraction."""
    return xp(input).trunc(input) if input.dtype.kind == "f" else input.copy()


@elementwise(Domain(kinks=tuple(i + 0.5 for i in range(-5, 5))), to_float=False, oracle=builtins.round)
def round(input, /, *, decimals=0):
    """The nearest integer, halves to the even one; or the nearest number with so many decimals."""
    return xp(input).round(input, decimals)


@elementwise(NONZERO, to_float=False, oracle=lambda x: math.copysign(1, x))
def sign(input, /):
    """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""
    return xp(input).subtract(input > 0, input < 0, dtype=input.dtype) if input.dtype.kind != "b" else input.copy()


def flat(g):
    """The vjp of a piecewise constant function."""
    return zeros_like(g)


for op in (floor, ceil, trunc, round, sign):
    op.vjp("input")(flat)
floor_divide.vjp("input")(flat)
floor_divide.vjp("other")(flat)


@function
def frac(input):
    """The fraction of the input, with its sign."""
    return input - trunc(input)


# --- choosing ---------------------------------------------------------------------------------------------------------


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=max)
def maximum(input, other, /):
    """The larger of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""
    return xp(input).maximum(input, other)


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=min)
def minimum(input, other, /):
    """The smaller of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""
    return xp(input).minimum(input, other)


@maximum.vjp("input")
@minimum.vjp("other")
def _(g, input, other):
    return g * share(input, other, input < other)


@maximum.vjp("other")
@minimum.vjp("input")
def _(g, input, other):
    return g * share(input, other, input > other)


def share(x, y, lost):
    """1/2 where x and y are equal, else 0 for the one that was not chosen and 1 for the other."""
    return where(x == y, 0.5, where(lost, 0.0, 1.0))


@elementwise(
    Domain(kinks=(-1.0, 1.0)), to_float=False,
    oracle=lambda x, min, max: builtins.min(max, x if min is None else builtins.max(min, x)),
)  # fmt: skip
def clamp_between(input, /, min, max):
    """The input, with what lies outside [min, max] moved to its nearer end."""
    if input.dtype.kind == "f":
        return input.clip(min, max)
    dtype = result_type(input, *[x for x in (min, max) if x is not None])
    low, high = [None if x is None else number_as("clamp", x, dtype) for x in (min, max)]
    return input.astype(dtype, copy=False).clip(low, high)


@clamp_between.vjp("input")
def _(g, input, min, max):
    inside = (input >= min) & (input <= max) if min is not None and max is not None else input >= min if max is None else input <= max
    return g * inside


@clamp_between.cases
def _(draw):
    return (draw.array(draw.shape(), kinks=(-1.0, 1.0)),), {"min": draw.choice(None, -1.0), "max": 1.0}


@function
def clamp(input, min=None, max=None):
    """The input, with what lies outside [min, max] moved to its nearer end.

    Args:
        input: a tensor.
        min, max: numbers or tensors; None for no bound on that side.

    Raises:
        RuntimeError: neither bound is given.

    >>> import minigrad
    >>> minigrad.clamp(minigrad.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of min and max must be given")
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        return clamp_between(input, min, max)
    if min is not None:
        input = where(input < min, min, input)
    return input if max is None else where(input > max, max, input)


@function
def clamp_min(input, min):
    """The input, not below `min`."""
    tensor_first("clamp_min", input)
    return clamp(input, min=min)


@function
def clamp_max(input, max):
    """The input, not above `max`."""
    tensor_first("clamp_max", input)
    return clamp(input, max=max)


@primitive(method=False, laws="elementwise", oracle=lambda condition, x, y: x if condition else y)
def choose(condition, input, other, /):
    """The input where the condition holds, the other elsewhere."""
    target = result_type(input, other)
    m = xp(condition)
    return m.where(condition, m.asarray(input, target), m.asarray(other, target))


@choose.vjp("input")
def _(g, condition):
    return choose(condition, g, 0)


@choose.vjp("other")
def _(g, condition):
    return choose(condition, 0, g)


@choose.cases
def _(draw):
    shape = draw.shape()
    return (draw.booleans(shape), draw.array(draw.broadcastable(shape)), draw.array(shape)), {}


@function(method=False)
def where(condition, input=None, other=None):
    """The input where the condition holds, the other elsewhere; with the condition alone, the indices where it holds.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, -2.0])
    >>> minigrad.where(x > 0, x, 0.0)
    tensor([1., 0.])
    """
    if not isinstance(condition, Tensor):
        raise TypeError(f"where: expected a tensor of truth values as condition, got {type(condition).__name__}")
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype.name not in ("bool", "uint8"):
        raise RuntimeError(f"where: expected a condition of truth values, got {condition.dtype}; x != 0 makes them")
    if input is None or other is None:
        raise TypeError("where: expected both values, or the condition alone")
    return choose(condition, input, other)


register("where", lambda self, condition, other: where(condition, self, other))


@function
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """The input with NaN replaced by `nan` (0), and infinities by `posinf` and `neginf` (the largest numbers of the dtype)."""
    if input.dtype.kind != "f":
        return clone(input)
    info = xp(input.array).finfo(input.dtype)
    input = where(input != input, 0.0 if nan is None else nan, input)
    input = where(input == math.inf, float(info.max) if posinf is None else posinf, input)
    return where(input == -math.inf, float(info.min) if neginf is None else neginf, input)


# --- combinations -----------------------------------------------------------------------------------------------------


@function
def lerp(input, end, weight):
    """input + weight * (end - input): linear interpolation."""
    check_one_dtype("lerp", input, end)
    return input + weight * (end - input)


@function
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2."""
    return input + value * (tensor1 * tensor2)


@function
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2."""
    return input + value * (tensor1 / tensor2)


@function
def positive(input):
    """The input itself."""
    return input


for composite in (lerp, addcmul, addcdiv, clamp, clamp_min, clamp_max, nan_to_num, frac):
    in_place(composite)


absolute = known_as(abs, "absolute")
arccos, arcsin, arctan = known_as(acos, "arccos"), known_as(asin, "arcsin"), known_as(atan, "arctan")
arctan2 = known_as(atan2, "arctan2")
divide = true_divide = known_as(div, "divide", "true_divide")
clip, fix = known_as(clamp, "clip"), known_as(trunc, "fix")
multiply, negative, subtract = known_as(mul, "multiply"), known_as(neg, "negative"), known_as(sub, "subtract")
register("__rdiv__", lambda self, other: div(other, self))

# --- copies -----------------------------------------------------------------------------------------------------------


@primitive(laws="linear")
def clone(input, /, *, memory_format=None):
    """A copy, through which gradients flow."""
    return input.copy()


@clone.vjp("input")
def _(g):
    return g


@clone.cases
def _(draw):
    return (draw.array(draw.shape()),), {}


