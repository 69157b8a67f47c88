"""Activations with a derivative of their own; those built from others are in nn.functional."""

from __future__ import annotations

import math

from ..core.primitive import PROMOTE_TO_FLOAT, primitive
from ..kernels import xp
from .elementwise import exp, sigmoid, where
from .families import NONZERO, REAL, elementwise
from .reduce import sum
from .shape import check_dim

__all__ = ["log_softmax", "relu", "softmax"]


@elementwise(NONZERO, to_float=False, oracle=lambda x: max(x, 0.0))
def relu(input, /):
    """max(input, 0); its derivative at 0 is taken as 0."""
    return xp(input).maximum(input, 0)


@relu.vjp("input")
def _(g, out):
    return g * (out != 0)  # NaN passes it on, as in torch


@elementwise(NONZERO, method=False, oracle=lambda x: x if x > 0 else 0.01 * x)
def leaky_relu(input, /, negative_slope=0.01):
    """The input above 0, negative_slope times it below; its derivative at 0 is taken as the slope."""
    return xp(input).where(input > 0, input, input * input.dtype.type(negative_slope))


@leaky_relu.vjp("input")
def _(g, input, negative_slope):
    return where(input > 0, g, g * negative_slope)


@elementwise(REAL, method=False, oracle=lambda x: math.log1p(math.exp(x)))
def softplus(input, /, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * input)) / beta, a smooth relu; the input itself where beta * input exceeds the threshold."""
    m = xp(input)
    scaled = input * input.dtype.type(beta)
    return m.where(scaled > threshold, input, m.log1p(m.exp(m.minimum(scaled, threshold))) / input.dtype.type(beta))


@softplus.vjp("input")
def _(g, input, beta, threshold):
    return where(input * beta > threshold, g, g * sigmoid(input * beta))


@primitive(promotion=PROMOTE_TO_FLOAT)
def softmax(input, /, dim, dtype=None):
    """exp(input) / sum(exp(input)) along an axis: positive, adding up to 1.

    >>> import minigrad
    >>> minigrad.softmax(minigrad.zeros(4), dim=0)
    tensor([0.2500, 0.2500, 0.2500, 0.2500])
    """
    m = xp(input)
    input = input if dtype is None else input.astype(dtype)
    dim = check_dim("softmax", dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return m.ones_like(input)
    powers = m.exp(input - input.max(dim, keepdims=True))
    powers /= powers.sum(dim, keepdims=True)
    return powers


@softmax.vjp("input")
def _(g, out, dim):
    weighted = g * out
    return weighted - out * sum(weighted, dim, True)


@primitive(promotion=PROMOTE_TO_FLOAT)
def log_softmax(input, /, dim, dtype=None):
    """The logarithm of softmax along an axis, computed without overflow."""
    m = xp(input)
    input = input if dtype is None else input.astype(dtype)
    dim = check_dim("log_softmax", dim, input.ndim)
    if input.size == 0:
        return input.copy()
    if input.ndim == 0:
        return m.zeros_like(input)
    shifted = input - input.max(dim, keepdims=True)
    shifted -= m.log(m.exp(shifted).sum(dim, keepdims=True))
    return shifted


@log_softmax.vjp("input")
def _(g, out, dim):
    return g - exp(out) * sum(g, dim, True)


@softmax.cases
@log_softmax.cases
def _(draw):
    return (draw.array(draw.shape(min_dims=1)), draw.choice(0, -1)), {}
