"""Activations with a derivative of their own; those built from others are in nn.functional."""

from __future__ import annotations

import builtins
import math

import numpy as np

from ..core.dtypes import check_kind, check_one_dtype
from ..core.primitive import function, primitive
from ..core.tensor import make_tensor
from ..kernels import of, xp
from .creation import number_as
from .elementwise import clamp, tied, where
from .families import NONZERO, REAL, Domain, elementwise
from .reduce import sum
from .shape import check_dim
from .transcendental import erf, exp, expm1, log1p, sigmoid, tanh

__all__ = ["hardshrink", "log_softmax", "prelu", "relu", "softmax"]


# --- rectifiers: the output or the input tells which elements pass ----------------------------------------------------


@elementwise(NONZERO, to_float=False, accepts="fiu", oracle=lambda x: max(x, 0.0))
def relu(input, /):
    """max(input, 0); its derivative at 0 is taken as 0."""
    return of(input).unary("relu", input)


@relu.vjp("input")
def _(g, out):
    return relu_input(g, out)


@relu.writes
def _(target):
    of(target).unary("relu", target, out=target)


@elementwise(REAL, NONZERO, to_float=False, method=False, writes=False, oracle=lambda g, out: g if out > 0 else 0.0)
def relu_input(slopes, out, /):
    """The slopes where the output of relu is not 0."""
    return of(out).binary("relu_input", slopes, out)


@relu_input.vjp("slopes")
def _(g, out):
    return relu_input(g, out)


@relu_input.vjp("out")
def _(g):
    return None


@elementwise(NONZERO, method=False, accepts="f", oracle=lambda x: x if x > 0 else 0.01 * x)
def leaky_relu(input, /, negative_slope=0.01):
    """The input above 0, negative_slope times it below; its derivative at 0 is taken as the slope."""
    return of(input).unary("leaky_relu", input, negative_slope)


@leaky_relu.vjp("input")
def _(g, input, negative_slope):
    return leaky_relu_input(g, input, negative_slope)


@elementwise(REAL, NONZERO, method=False, writes=False, oracle=lambda g, x: g if x > 0 else 0.01 * g)
def leaky_relu_input(slopes, input, /, negative_slope=0.01):
    """The slopes where the input is above 0, negative_slope times them below."""
    return of(input).binary("leaky_relu_input", slopes, input, negative_slope)


@leaky_relu_input.vjp("slopes")
def _(g, input, negative_slope):
    return leaky_relu_input(g, input, negative_slope)


@leaky_relu_input.vjp("input")
def _(g):
    return None


@function
def prelu(input, weight):
    """The input where it is positive, weight times it elsewhere; the weight has one element, or one for each channel of an input (N, C, *)."""
    check_one_dtype("prelu", input, weight)
    check_kind("prelu", "f", input)
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got shape {tuple(weight.shape)}")
    if weight.numel() != 1:
        channels = input.shape[1] if input.ndim > 1 else 1
        if input.ndim == 0 or weight.numel() != channels:
            raise RuntimeError(
                f"prelu: Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} "
                f"and channel size = {channels}, input shape {tuple(input.shape)}"
            )
        weight = weight.reshape((1, -1) + (1,) * (input.ndim - 2))
    elif input.ndim == 0:
        weight = weight.reshape(())
    input = tied(input)
    return where(input > 0, input, weight * input)


# --- fused ones: each is one pass forward and one backward, and equals the composite above it -------------------------


def slope(name, g, input, *constants):
    """The gradient of a fused activation."""
    return make_tensor(of(input.array).binary(name, g.array, input.array, *constants))


def softplus_of_operations(input, beta, threshold):
    scaled = input * beta
    curved = where(scaled > threshold, 0.0, scaled)
    right = curved > 0  # there log(1 + exp(x)) = x + log(1 + exp(-x)), which does not overflow
    curve = where(right, curved, 0.0) + log1p(exp(where(right, -curved, curved)))
    return where(scaled > threshold, input, curve / beta)


@elementwise(REAL, method=False, accepts="f", equals=softplus_of_operations)
def softplus(input, /, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * input)) / beta, a smooth relu; the input itself where beta * input exceeds the threshold."""
    return of(input).unary("softplus", input, beta, threshold)


@softplus.vjp("input")
def _(g, input, beta, threshold):
    return slope("softplus_input", g, input, beta, threshold)


def gelu_of_operations(input):
    return 0.5 * input * (1 + erf(input * math.sqrt(0.5)))


@elementwise(REAL, method=False, accepts="f", equals=gelu_of_operations)
def gelu(input, /):
    """The input times the normal distribution function of it."""
    return of(input).unary("gelu", input)


@gelu.vjp("input")
def _(g, input):
    return slope("gelu_input", g, input)


def gelu_tanh_of_operations(input):
    return 0.5 * input * (1 + tanh(math.sqrt(2 / math.pi) * (input + 0.044715 * input**3)))


@elementwise(REAL, method=False, accepts="f", equals=gelu_tanh_of_operations)
def gelu_tanh(input, /):
    """gelu with the normal distribution function approximated by tanh."""
    return of(input).unary("gelu_tanh", input)


@gelu_tanh.vjp("input")
def _(g, input):
    return slope("gelu_tanh_input", g, input)


def silu_of_operations(input):
    return input * sigmoid(input)


@elementwise(REAL, method=False, accepts="f", equals=silu_of_operations)
def silu(input, /):
    """input * sigmoid(input)."""
    return of(input).unary("silu", input)


@silu.vjp("input")
def _(g, input):
    return slope("silu_input", g, input)


def elu_of_operations(input, alpha):
    below = expm1(where(input < 0, input, 0.0))  # the exponential of large inputs would overflow
    at_zero = where(input == 0, alpha * input, input)  # there the slope is alpha and the curvature 0, as in torch
    return where(input < 0, alpha * below, at_zero)


@elementwise(NONZERO, method=False, accepts="f", equals=elu_of_operations)
def elu(input, /, alpha=1.0):
    """The input above 0, alpha * (exp(input) - 1) below."""
    return of(input).unary("elu", input, alpha)


@elu.vjp("input")
def _(g, input, alpha):
    return slope("elu_input", g, input, alpha)


def hardtanh_of_operations(input, low, high):
    return where((input > low) & (input < high), input, clamp(input.detach(), low, high))


@elementwise(
    Domain(kinks=(-1.0, 1.0)), to_float=False, method=False, tied=True, accepts="fiu", equals=hardtanh_of_operations
)
def hardtanh(input, /, low=-1.0, high=1.0):
    """The input, at least low and at most high; its derivative is 0 at both ends."""
    return of(input).unary("hardtanh", input, low, high)


@hardtanh.vjp("input")
def _(g, input, low, high):
    return slope("hardtanh_input", g, input, low, high)


@hardtanh.writes
def _(target, low, high):
    of(target).unary("hardtanh", target, low, high, out=target)


def hardsigmoid_of_operations(input):
    return hardtanh_of_operations(input + 3, 0.0, 6.0) / 6


@elementwise(Domain(kinks=(-3.0, 3.0)), method=False, accepts="f", equals=hardsigmoid_of_operations)
def hardsigmoid(input, /):
    """min(max(0, input / 6 + 1 / 2), 1)."""
    return of(input).unary("hardsigmoid", input)


@hardsigmoid.vjp("input")
def _(g, input):
    return slope("hardsigmoid_input", g, input)


def hardswish_of_operations(input):
    between = where((input <= -3) | (input >= 3), 0.0, input)  # infinities have no place in the product
    return where(input >= 3, input, (between * (between + 3) / 6))


@elementwise(Domain(kinks=(-3.0, 3.0)), method=False, accepts="f", equals=hardswish_of_operations)
def hardswish(input, /):
    """input * hardsigmoid(input)."""
    return of(input).unary("hardswish", input)


@hardswish.vjp("input")
def _(g, input):
    return slope("hardswish_input", g, input)


# --- shrinkage --------------------------------------------------------------------------------------------------------


@elementwise(
    Domain(kinks=(-0.5, 0.5)),
    to_float=False,
    tied=True,
    accepts="f",
    oracle=lambda x: x if builtins.abs(x) > 0.5 else 0.0,
)
def hardshrink(input, /, lambd=0.5):
    """The input where its absolute value exceeds lambd, 0 elsewhere."""
    return xp(input).where((input >= -lambd) & (input <= lambd), input.dtype.type(0), input)


@elementwise(
    Domain(kinks=(-0.5, 0.5)),
    to_float=False,
    method=False,
    tied=True,
    accepts="f",
    oracle=lambda x: x - min(max(x, -0.5), 0.5),
)
def softshrink(input, /, lambd=0.5):
    """The input brought towards 0 by lambd, as far as 0."""
    inside = (input >= -lambd) & (input <= lambd)
    return xp(input).where(inside, input.dtype.type(0), input - xp(input).copysign(input.dtype.type(lambd), input))


@hardshrink.vjp("input")
@softshrink.vjp("input")
def _(g, input, lambd):
    return where((input > lambd) | (input < -lambd), g, 0.0)


@elementwise(NONZERO, to_float=False, method=False, tied=True, accepts="fiu", oracle=lambda x: x if x > 0 else 1.5)
def threshold(input, /, bound=0.0, value=1.5):
    """The input where it exceeds the bound, the value elsewhere."""
    return xp(input).where(input <= bound, number_as("threshold", value, input.dtype)[()], input)


@threshold.vjp("input")
def _(g, input, bound):
    return g.masked_fill(input <= bound, 0.0)


# --- normalised over an axis ------------------------------------------------------------------------------------------


@primitive
def softmax(input, /, dim, dtype=None):
    """exp(input) / sum(exp(input)) along an axis: positive, adding up to 1.

    >>> import minigrad
    >>> minigrad.softmax(minigrad.zeros(4), dim=0)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    input = input if dtype is None else input.astype(dtype, copy=False)
    check_kind("softmax", "f", input)
    dim = check_dim("softmax", dim, input.ndim)
    if input.ndim == 0:
        return xp(input).ones_like(input)
    return of(input).softmax(input, dim, False) if input.size else input.copy()


@softmax.vjp("input")
def _(g, out, dim):
    return softmax_input(g, out, check_dim("softmax", dim, g.ndim), False) if g.numel() and g.ndim else g * (out * 0.0)


@primitive
def log_softmax(input, /, dim, dtype=None):
    """The logarithm of softmax along an axis, computed without overflow."""
    input = input if dtype is None else input.astype(dtype, copy=False)
    check_kind("log_softmax", "f", input)
    dim = check_dim("log_softmax", dim, input.ndim)
    if input.ndim == 0:
        return xp(input).zeros_like(input)
    return of(input).softmax(input, dim, True) if input.size else input.copy()


@log_softmax.vjp("input")
def _(g, out, dim):
    return (
        softmax_input(g, out, check_dim("log_softmax", dim, g.ndim), True) if g.numel() and g.ndim else g * (out * 0.0)
    )


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
