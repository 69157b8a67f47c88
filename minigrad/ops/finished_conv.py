"""A convolution with what often comes after it, for evaluation: batch norm, whose statistics are known then, and a rectifier."""

from __future__ import annotations

from math import inf

from ..core.primitive import primitive
from ..kernels import of
from .activation import hardtanh, relu, slope
from .conv import conv, conv_input, conv_weight, shapes_to_test, sum_of_channels
from .normalization import scale_channels

__all__ = ["finished_conv"]


def finished_conv_of_operations(input, weight, bias, scale, shift, windows, low, high):
    out = conv(input, weight, bias, windows)
    if scale is not None:
        out = scale_channels(out, scale, shift)
    if high == inf:
        return relu(out) if low == 0 else out
    return hardtanh(out, low, high)


@primitive(method=False, tied=True, equals=finished_conv_of_operations)
def finished_conv(input, weight, bias, scale, shift, /, windows, low, high):
    """hardtanh(conv(input, weight, bias) * scale + shift, low, high) without the arrays between; scale and shift (K), or both None.

    For limits of 0 and infinity that is relu; without any, of -infinity and infinity, the scaled convolution. Backward computes
    again what was not kept: it is meant for what is not differentiated.
    """
    return of(input).finished_conv(input, weight, bias, windows, scale, shift, low, high)


@finished_conv.vjp("input")
def _(g, out, weight, scale, windows, low, high):
    return conv_input(before_scaling(passed(g, out, low, high), scale), weight, None, windows)


@finished_conv.vjp("weight")
def _(g, out, input, scale, windows, low, high):
    return conv_weight(input, before_scaling(passed(g, out, low, high), scale), windows)


@finished_conv.vjp("bias")
def _(g, out, scale, low, high):
    return sum_of_channels(before_scaling(passed(g, out, low, high), scale))


@finished_conv.vjp("scale")
def _(g, out, input, weight, bias, windows, low, high):
    return sum_of_channels(passed(g, out, low, high) * conv(input, weight, bias, windows))


@finished_conv.vjp("shift")
def _(g, out, low, high):
    return sum_of_channels(passed(g, out, low, high))


def passed(g, out, low, high):
    """The gradient before the limits."""
    return slope("hardtanh_input", g, out, low, high)


def before_scaling(g, scale):
    return g if scale is None else scale_channels(g, scale)


@finished_conv.cases
def _(draw):
    x, w, out, windows = shapes_to_test(draw)
    scaled = draw.choice(True, False)
    scale, shift = (draw.array(out[1:2]), draw.array(out[1:2])) if scaled else (None, None)
    low, high = draw.choice((0.0, inf), (-inf, inf), (-0.75, 1.25))
    tensors = (draw.array(x), draw.array(w), draw.choice(None, draw.array(out[1:2])), scale, shift)
    return tensors, {"windows": windows, "low": low, "high": high}
