"""Elementwise exponentials, logarithms, trigonometric and hyperbolic functions, and the functions that networks squash numbers with."""

from __future__ import annotations

import math

from ..kernels import of, xp
from .arithmetic import rsqrt
from .elementwise import where
from .families import NONZERO, POSITIVE, REAL, Domain, elementwise, known_as

__all__ = [
    "acos", "arccos", "arcsin", "arctan", "arctan2", "asin", "atan", "atan2", "cos", "cosh", "erf", "exp", "expm1", "log", "log10", "log1p",
    "log2", "sigmoid", "sin", "sinh", "tan", "tanh",
]  # fmt: skip


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


@elementwise(REAL, REAL, method=False, writes=False, oracle=lambda g, out: g * (1 - out * out))
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


@elementwise(REAL, REAL, method=False, writes=False, oracle=lambda g, out: g * (out * (1 - out)))
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


arccos, arcsin, arctan = known_as(acos, "arccos"), known_as(asin, "arcsin"), known_as(atan, "arctan")
arctan2 = known_as(atan2, "arctan2")
