"""Normalisations as fused operations: each reads its input twice forward and twice backward, and names the composite it equals.

All return the mean and the (biased) variance too, which carry no gradient.
"""

from __future__ import annotations

import math

import numpy as np

from ..core.primitive import primitive
from ..core.tensor import make_tensor
from ..kernels import of
from .activation import leaky_relu, leaky_relu_input, relu, relu_input
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


def rectified(y, residual, slope):
    """y plus the residual, if there is one; then leaky_relu with this slope, or relu for the slope 0."""
    y = y if residual is None else y + residual
    return leaky_relu(y, slope) if slope else relu(y)


def rectified_input(g, out, slope):
    """The gradient of rectified: the sign of its output is that of its argument, since slopes are not negative."""
    return leaky_relu_input(g, out, slope) if slope else relu_input(g, out)


def check_residual(op, input, residual, slope):
    """Refuses a residual that would have to be broadcast or cast, and negative slopes."""
    if residual is not None and (residual.shape != input.shape or residual.dtype != input.dtype):
        raise RuntimeError(
            f"{op}: expected a residual of the input's shape {tuple(input.shape)} and dtype {input.dtype}, "
            f"got {tuple(residual.shape)} and {residual.dtype}"
        )
    if not slope >= 0:
        raise ValueError(f"{op}: expected slope >= 0, got {slope}")


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


def batch_norm_relu_of_operations(input, weight, bias, residual, eps, slope):
    return rectified(batch_norm_of_operations(input, weight, bias, eps), residual, slope)


@primitive(method=False, aux=2, tied=True, equals=batch_norm_relu_of_operations)
def batch_norm_relu(input, weight=None, bias=None, residual=None, /, eps=1e-5, slope=0.0):
    """relu(batch_norm(input, weight, bias) + residual) without the arrays between; with both moments (C).

    What is negative is multiplied with the slope if that is not 0. Backward computes the sign of the result again from the input.
    """
    check_residual("batch_norm_relu", input, residual, slope)
    return of(input).batch_norm(input, weight, bias, eps, slope, residual)


@batch_norm_relu.vjp("input", "weight", "bias", "residual")
def _(g, input, weight, bias, residual, aux, eps, slope):
    mean, var = aux
    known = g.array, input.array, array_of(weight), mean.array, var.array, eps, slope, array_of(bias), array_of(residual)
    found = of(g.array).batch_norm_input(*known)
    return tensors(*found) if residual is not None else (*tensors(*found), None)


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
def scale_channels_relu(input, scale, shift=None, residual=None, /, slope=0.0):
    """relu(scale_channels(input, scale, shift) + residual) without the arrays between; slope as for batch_norm_relu."""
    check_residual("scale_channels_relu", input, residual, slope)
    return of(input).scale_channels(input, scale, shift, slope, residual)


@scale_channels_relu.vjp("input")
def _(g, out, scale, slope):
    return scale_channels(rectified_input(g, out, slope), scale)


@scale_channels_relu.vjp("scale")
def _(g, out, input, slope):
    return total(rectified_input(g, out, slope) * input, (0, *range(2, g.ndim)))


@scale_channels_relu.vjp("shift")
def _(g, out, slope):
    return total(rectified_input(g, out, slope), (0, *range(2, g.ndim)))


@scale_channels_relu.vjp("residual")
def _(g, out, slope):
    return rectified_input(g, out, slope)


# --- how tests draw arguments -----------------------------------------------------------------------------------------


def vectors_to_test(draw, shape):
    """Weight and bias, or only the one or the other, or neither."""
    return [draw.choice(None, draw.array(shape, -2.0, 2.0)) for _ in range(2)]


@batch_norm.cases
def _(draw):
    shape = draw.choice((3, 2), (2, 3, 4), (2, 1, 3, 2), (1, 2, 2, 1, 3))
    return (draw.array(shape), *vectors_to_test(draw, shape[1:2])), {"eps": 0.1}


def away_from_kinks(draw, shape):
    """Arguments whose results are no nearer to 0 than about 0.1: half of the numbers lie around 1, the others around -1.

    The last is a residual that does not bring them to 0 either, or None.
    """
    signs = np.where(np.arange(math.prod(shape)).reshape(shape) % 2, draw.choice(-1.0, 1.0), draw.choice(1.0, -1.0))
    scale = draw.array(shape[1:2], 0.5, 2.0) * draw.choice(1.0, -1.0)
    shift, residual = (draw.choice(None, draw.array(s, -0.1, 0.1)) for s in (shape[1:2], shape))
    return (draw.array(shape, 0.8, 1.2) * signs).astype(draw.dtype), scale, shift, residual


@batch_norm_relu.cases
def _(draw):
    input, weight, bias, residual = away_from_kinks(draw, draw.choice((4, 3), (2, 3, 4), (2, 1, 3, 2), (1, 3, 2, 1, 4)))
    return (input, draw.choice(None, weight), bias, residual), {"eps": 0.1, "slope": draw.choice(0.0, 0.2)}


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
    return away_from_kinks(draw, draw.choice((3, 2), (2, 3, 4), (2, 1, 3, 2))), {"slope": draw.choice(0.0, 0.2)}
