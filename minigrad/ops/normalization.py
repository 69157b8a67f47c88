"""Normalisations as fused operations: each reads its input twice forward and twice backward, and names the composite it equals.

All return the mean and the (biased) variance too, which carry no gradient.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.primitive import primitive
from ..core.tensor import make_tensor
from ..kernels import of
from .activation import relu, relu_input
from .arithmetic import rsqrt
from .reduce import mean
from .reduce import sum as total

__all__: list[str] = []  # nn.functional has the public names


def along_channels(vector, ndim):
    """A vector of channels (C) shaped to broadcast over (N, C, *)."""
    return vector.reshape((1, -1) + (1,) * (ndim - 2))


def standardised(x, axes, eps, centred=True):
    """(x - mean) / sqrt(var + eps) over the axes."""
    away = x - mean(x, axes, True) if centred else x
    return away * rsqrt(mean(away * away, axes, True) + eps)


def affine(x, weight, bias):
    """x * weight + bias, either of which may be missing."""
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def channel_affine(x, weight, bias):
    """The same with vectors of channels."""
    vectors = [None if v is None else along_channels(v, x.ndim) for v in (weight, bias)]
    return affine(x, *vectors)


def tensors(*arrays):
    return tuple([None if a is None else make_tensor(a) for a in arrays])


def array_of(x):
    return None if x is None else x.array


# --- a channel over the batch -----------------------------------------------------------------------------------------


def batch_norm_of_operations(input, weight, bias, eps):
    return channel_affine(standardised(input, (0, *range(2, input.ndim)), eps), weight, bias)


@primitive(method=False, aux=2, tied=True, equals=batch_norm_of_operations)
def batch_norm(input, weight=None, bias=None, /, eps=1e-5):
    """Each channel of input (N, C, *) brought to mean 0 and variance 1, times weight (C) plus bias (C); with both moments (C)."""
    return of(input).batch_norm(input, weight, bias, eps)


@batch_norm.vjp("input", "weight", "bias")
def _(g, input, weight, aux, eps):
    mean, var = aux
    found = of(g.array).batch_norm_input(g.array, input.array, array_of(weight), mean.array, var.array, eps)
    return tensors(*found)


def batch_norm_relu_of_operations(input, weight, bias, eps):
    return relu(batch_norm_of_operations(input, weight, bias, eps))


@primitive(method=False, aux=2, tied=True, equals=batch_norm_relu_of_operations)
def batch_norm_relu(input, weight=None, bias=None, /, eps=1e-5):
    """relu(batch_norm(input, weight, bias)) without the array between; with both moments (C)."""
    return of(input).batch_norm(input, weight, bias, eps, True)


@batch_norm_relu.vjp("input", "weight", "bias")
def _(g, out, input, weight, aux, eps):
    mean, var = aux
    found = of(g.array).batch_norm_input(g.array, input.array, array_of(weight), mean.array, var.array, eps, out.array)
    return tensors(*found)


# --- groups of channels of a sample -----------------------------------------------------------------------------------


def group_norm_of_operations(input, weight, bias, groups, eps):
    grouped = input.reshape(input.shape[0], groups, math.prod(input.shape[1:]) // groups)
    return channel_affine(standardised(grouped, (2,), eps).reshape(input.shape), weight, bias)


@primitive(method=False, aux=2, equals=group_norm_of_operations)
def group_norm(input, weight=None, bias=None, /, groups=1, eps=1e-5):
    """Each group of channels of each sample of input (N, C, *) brought to mean 0 and variance 1, times weight (C) plus bias (C)."""
    return of(input).group_norm(input, weight, bias, groups, eps)


@group_norm.vjp("input", "weight", "bias")
def _(g, input, weight, aux, groups, eps):
    mean, var = aux
    found = of(g.array).group_norm_input(g.array, input.array, array_of(weight), mean.array, var.array, groups, eps)
    return tensors(*found)


# --- rows -------------------------------------------------------------------------------------------------------------


def row_norm_of_operations(input, weight, bias, ndim, centred, eps):
    return affine(standardised(input, tuple(range(-ndim, 0)), eps, centred), weight, bias)


@primitive(method=False, aux=2, tied=True, equals=row_norm_of_operations)
def row_norm(input, weight=None, bias=None, /, ndim=1, centred=True, eps=1e-5):
    """The last `ndim` axes brought to mean 0 and variance 1 (not centred: to mean square 1), times weight plus bias of their shape."""
    return of(input).row_norm(input, weight, bias, ndim, centred, eps)


@row_norm.vjp("input", "weight", "bias")
def _(g, input, weight, aux, ndim, centred, eps):
    mean, var = aux
    found = of(g.array).row_norm_input(g.array, input.array, array_of(weight), mean.array, var.array, ndim, centred, eps)
    return tensors(*found)


# --- a number for each channel ----------------------------------------------------------------------------------------


@primitive(method=False, tied=True)
def scale_channels(input, scale, shift=None, /):
    """input (N, C, *) times scale (C) plus shift (C)."""
    return of(input).scale_channels(input, scale, shift)


@scale_channels.vjp("input")
def _(g, scale):
    return scale_channels(g, scale)


@scale_channels.vjp("scale")
def _(g, input):
    return total(g * input, (0, *range(2, g.ndim)))


@scale_channels.vjp("shift")
def _(g):
    return total(g, (0, *range(2, g.ndim)))


@primitive(method=False, tied=True)
def scale_channels_relu(input, scale, shift=None, /):
    """relu(scale_channels(input, scale, shift)) without the array between."""
    return of(input).scale_channels(input, scale, shift, True)


@scale_channels_relu.vjp("input")
def _(g, out, scale):
    return scale_channels(relu_input(g, out), scale)


@scale_channels_relu.vjp("scale")
def _(g, out, input):
    return total(relu_input(g, out) * input, (0, *range(2, g.ndim)))


@scale_channels_relu.vjp("shift")
def _(g, out):
    return total(relu_input(g, out), (0, *range(2, g.ndim)))


# --- how tests draw arguments -----------------------------------------------------------------------------------------


def vectors_to_test(draw, shape):
    """Weight and bias, or only the one or the other, or neither."""
    return [draw.choice(None, draw.array(shape, -2.0, 2.0)) for _ in range(2)]


@batch_norm.cases
def _(draw):
    shape = draw.choice((3, 2), (2, 3, 4), (2, 1, 3, 2), (1, 2, 2, 1, 3))
    return (draw.array(shape), *vectors_to_test(draw, shape[1:2])), {"eps": 0.1}


def away_from_kinks(draw, shape):
    """Arguments whose results are no nearer to 0 than about 0.1: half of the numbers lie around 1, the others around -1."""
    signs = np.where(np.arange(math.prod(shape)).reshape(shape) % 2, draw.choice(-1.0, 1.0), draw.choice(1.0, -1.0))
    scale = draw.array(shape[1:2], 0.5, 2.0) * draw.choice(1.0, -1.0)
    return (draw.array(shape, 0.8, 1.2) * signs).astype(draw.dtype), scale, draw.choice(None, draw.array(shape[1:2], -0.1, 0.1))


@batch_norm_relu.cases
def _(draw):
    input, weight, bias = away_from_kinks(draw, draw.choice((4, 3), (2, 3, 4), (2, 1, 3, 2), (1, 3, 2, 1, 4)))
    return (input, draw.choice(None, weight), bias), {"eps": 0.1}


@group_norm.cases
def _(draw):
    shape = draw.choice((2, 6), (2, 4, 3), (1, 4, 2, 2))
    return (draw.array(shape), *vectors_to_test(draw, shape[1:2])), {"groups": draw.choice(1, 2), "eps": 0.1}


@row_norm.cases
def _(draw):
    shape, ndim = draw.choice((2, 3, 4), (5, 2)), draw.choice(1, 2)
    vectors = vectors_to_test(draw, shape[len(shape) - ndim :])
    return (draw.array(shape), *vectors), {"ndim": ndim, "centred": draw.choice(True, False), "eps": 0.1}


@scale_channels.cases
def _(draw):
    shape = draw.choice((3, 2), (2, 3, 4), (2, 1, 3, 2))
    return (draw.array(shape), draw.array(shape[1:2]), draw.choice(None, draw.array(shape[1:2]))), {}


@scale_channels_relu.cases
def _(draw):
    return away_from_kinks(draw, draw.choice((3, 2), (2, 3, 4), (2, 1, 3, 2))), {}
