"""Activations with a derivative of their own; those built from others are in nn.functional."""

from __future__ import annotations

import math

import numpy as np

from ..core.primitive import PROMOTE_TO_FLOAT, primitive
from ..core.tensor import make_tensor
from ..kernels import of, xp
from .elementwise import clamp, erf, exp, expm1, sigmoid, tanh, where
from .families import NONZERO, REAL, Domain, elementwise
from .reduce import sum
from .shape import check_dim

__all__ = ["log_softmax", "relu", "softmax"]


# --- rectifiers: the output or the input tells which elements pass ----------------------------------------------------


@elementwise(NONZERO, to_float=False, oracle=lambda x: max(x, 0.0))
def relu(input, /):
    """max(input, 0); its derivative at 0 is taken as 0."""
    return of(input).unary("relu", input)


@relu.vjp("input")
def _(g, out):
    return relu_input(g, out)


@relu.writes
def _(target):
    xp(target).maximum(target, 0, out=target)


@elementwise(REAL, NONZERO, to_float=False, method=False, oracle=lambda g, out: g if out > 0 else 0.0)
def relu_input(slopes, out, /):
    """The slopes where the output of relu is not 0."""
    return of(out).binary("relu_input", slopes, out)


@relu_input.vjp("slopes")
def _(g, out):
    return relu_input(g, out)


@relu_input.vjp("out")
def _(g):
    return None


@elementwise(NONZERO, method=False, oracle=lambda x: x if x > 0 else 0.01 * x)
def leaky_relu(input, /, negative_slope=0.01):
    """The input above 0, negative_slope times it below; its derivative at 0 is taken as the slope."""
    return of(input).unary("leaky_relu", input, negative_slope)


@leaky_relu.vjp("input")
def _(g, input, negative_slope):
    return leaky_relu_input(g, input, negative_slope)


@elementwise(REAL, NONZERO, method=False, oracle=lambda g, x: g if x > 0 else 0.01 * g)
def leaky_relu_input(slopes, input, /, negative_slope=0.01):
    """The slopes where the input is above 0, negative_slope times them below."""
    return of(input).binary("leaky_relu_input", slopes, input, negative_slope)


@leaky_relu_input.vjp("slopes")
def _(g, input, negative_slope):
    return leaky_relu_input(g, input, negative_slope)


@leaky_relu_input.vjp("input")
def _(g):
    return None


# --- fused ones: each is one pass forward and one backward, and equals the composite above it -------------------------


def slope(name, g, input, *constants):
    """The gradient of a fused activation."""
    return make_tensor(of(input.array).binary(name, g.array, input.array, *constants))


@elementwise(REAL, method=False, oracle=lambda x: math.log1p(math.exp(x)))
def softplus(input, /, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * input)) / beta, a smooth relu; the input itself where beta * input exceeds the threshold."""
    return of(input).unary("softplus", input, beta, threshold)


@softplus.vjp("input")
def _(g, input, beta, threshold):
    return where(input * beta > threshold, g, g * sigmoid(input * beta))


def gelu_of_operations(input):
    return 0.5 * input * (1 + erf(input * math.sqrt(0.5)))


@elementwise(REAL, method=False, equals=gelu_of_operations)
def gelu(input, /):
    """The input times the normal distribution function of it."""
    return of(input).unary("gelu", input)


@gelu.vjp("input")
def _(g, input):
    return slope("gelu_input", g, input)


def gelu_tanh_of_operations(input):
    return 0.5 * input * (1 + tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)))


@elementwise(REAL, method=False, equals=gelu_tanh_of_operations)
def gelu_tanh(input, /):
    """gelu with the normal distribution function approximated by tanh."""
    return of(input).unary("gelu_tanh", input)


@gelu_tanh.vjp("input")
def _(g, input):
    return slope("gelu_tanh_input", g, input)


def silu_of_operations(input):
    return input * sigmoid(input)


@elementwise(REAL, method=False, equals=silu_of_operations)
def silu(input, /):
    """input * sigmoid(input)."""
    return of(input).unary("silu", input)


@silu.vjp("input")
def _(g, input):
    return slope("silu_input", g, input)


def elu_of_operations(input, alpha):
    return where(input <= 0, alpha * expm1(where(input <= 0, input, 0.0)), input)  # the exponential of large inputs would overflow


@elementwise(NONZERO, method=False, equals=elu_of_operations)
def elu(input, /, alpha=1.0):
    """The input above 0, alpha * (exp(input) - 1) below."""
    return of(input).unary("elu", input, alpha)


@elu.vjp("input")
def _(g, input, alpha):
    return slope("elu_input", g, input, alpha)


def hardtanh_of_operations(input, low, high):
    return where((input > low) & (input < high), input, clamp(input.detach(), low, high))


@elementwise(Domain(kinks=(-1.0, 1.0)), to_float=False, method=False, equals=hardtanh_of_operations)
def hardtanh(input, /, low=-1.0, high=1.0):
    """The input, at least low and at most high; its derivative is 0 at both ends."""
    return of(input).unary("hardtanh", input, low, high)


@hardtanh.vjp("input")
def _(g, input, low, high):
    return slope("hardtanh_input", g, input, low, high)


def hardsigmoid_of_operations(input):
    return hardtanh_of_operations(input + 3, 0.0, 6.0) / 6


@elementwise(Domain(kinks=(-3.0, 3.0)), method=False, equals=hardsigmoid_of_operations)
def hardsigmoid(input, /):
    """min(max(0, input / 6 + 1 / 2), 1)."""
    return of(input).unary("hardsigmoid", input)


@hardsigmoid.vjp("input")
def _(g, input):
    return slope("hardsigmoid_input", g, input)


def hardswish_of_operations(input):
    return where(input < 3, (input * (input + 3) / 6).masked_fill(input <= -3, 0), input)


@elementwise(Domain(kinks=(-3.0, 3.0)), method=False, equals=hardswish_of_operations)
def hardswish(input, /):
    """input * hardsigmoid(input)."""
    return of(input).unary("hardswish", input)


@hardswish.vjp("input")
def _(g, input):
    return slope("hardswish_input", g, input)


# --- normalised over an axis ------------------------------------------------------------------------------------------


@primitive(promotion=PROMOTE_TO_FLOAT)
def softmax(input, /, dim, dtype=None):
    """exp(input) / sum(exp(input)) along an axis: positive, adding up to 1.

    >>> import minigrad
    >>> minigrad.softmax(minigrad.zeros(4), dim=0)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    input = input if dtype is None else input.astype(dtype)
    dim = check_dim("softmax", dim, input.ndim)
    if input.ndim == 0:
        return xp(input).ones_like(input)
    return of(input).softmax(input, dim, False) if input.size else input.copy()


@softmax.vjp("input")
def _(g, out, dim):
    return softmax_input(g, out, check_dim("softmax", dim, g.ndim), False) if g.numel() and g.ndim else g * 0.0


@primitive(promotion=PROMOTE_TO_FLOAT)
def log_softmax(input, /, dim, dtype=None):
    """The logarithm of softmax along an axis, computed without overflow."""
    input = input if dtype is None else input.astype(dtype)
    dim = check_dim("log_softmax", dim, input.ndim)
    if input.ndim == 0:
        return xp(input).zeros_like(input)
    return of(input).softmax(input, dim, True) if input.size else input.copy()


@log_softmax.vjp("input")
def _(g, out, dim):
    return softmax_input(g, out, check_dim("log_softmax", dim, g.ndim), True) if g.numel() and g.ndim else g * 0.0


@primitive(method=False)
def softmax_input(slopes, out, /, dim, logarithm):
    """The gradient of softmax or log_softmax, from that of its output and the output."""
    return of(out).softmax_input(slopes, out, dim, logarithm)


@softmax_input.vjp("slopes")
def _(g, out, dim, logarithm):
    if logarithm:
        return g - sum(g * exp(out), dim, True)
    return softmax_input(g, out, dim, False)


@softmax_input.vjp("out")
def _(g, slopes, out, dim, logarithm):
    if logarithm:
        return -g * exp(out) * sum(slopes, dim, True)
    return g * (slopes - sum(slopes * out, dim, True)) - slopes * sum(g * out, dim, True)


@softmax.cases
@log_softmax.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), draw.choice(0, -1)), {}


@softmax_input.cases
def _(draw):
    shape = draw.shape(min_dims=1, min_size=1)
    out = draw.array(shape)
    logarithm = draw.choice(False, True)
    out = out - np.log(np.exp(out).sum(0, keepdims=True))
    return (draw.array(shape), out if logarithm else np.exp(out), 0, logarithm), {}
