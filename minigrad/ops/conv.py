"""Convolution: one trilinear form, <g, conv(x, w)>, and its three faces.

Fix any two of the input x, the filters w and the cotangent g, and the form is linear in the third. conv, conv_input and conv_weight are
what it is linear with, so the derivatives of each are the other two, and derivatives of every order close. The transposed
convolution is conv_input. All share one frozen `Windows` (kernels/geometry.py); bias is one number a channel, or None.
"""

from __future__ import annotations

from ..core.primitive import primitive
from ..kernels import of
from ..kernels.geometry import Windows

__all__ = ["conv", "conv_input", "conv_weight"]


@primitive(method=False, laws="bilinear", tied=True)
def conv(input, weight, bias, /, windows):
    """(N, C, *in) with filters (K, C / groups, *kernel) to (N, K, *out)."""
    return of(input).conv(input, weight, bias, windows)


@conv.vjp("input")
def _(g, weight, windows):
    return conv_input(g, weight, None, windows)


@conv.vjp("weight")
def _(g, input, windows):
    return conv_weight(input, g, windows)


@conv.vjp("bias")
def _(g):
    return sum_of_channels(g)


@primitive(method=False, laws="bilinear", tied=True)
def conv_input(input, weight, bias, /, windows):
    """(N, K, *out) with filters (K, C / groups, *kernel) to (N, C, *in): the adjoint of conv in its input."""
    return of(input).conv_input(input, weight, bias, windows)


@conv_input.vjp("input")
def _(g, weight, windows):
    return conv(g, weight, None, windows)


@conv_input.vjp("weight")
def _(g, input, windows):
    return conv_weight(g, input, windows)


@conv_input.vjp("bias")
def _(g):
    return sum_of_channels(g)


@primitive(method=False, laws="bilinear")
def conv_weight(input, cotangent, /, windows):
    """(N, C, *in) with (N, K, *out) to (K, C / groups, *kernel): the adjoint of conv in its filters."""
    return of(input).conv_weight(input, cotangent, windows)


@conv_weight.vjp("input")
def _(g, cotangent, windows):
    return conv_input(cotangent, g, None, windows)


@conv_weight.vjp("cotangent")
def _(g, input, windows):
    return conv(input, g, None, windows)


@conv.cases
def _(draw):
    x, w, out, windows = shapes_to_test(draw)
    return (draw.array(x), draw.array(w), draw.choice(None, draw.array(out[1:2])), windows), {}


@conv_input.cases
def _(draw):
    x, w, out, windows = shapes_to_test(draw)
    return (draw.array(out), draw.array(w), draw.choice(None, draw.array(x[1:2])), windows), {}


@conv_weight.cases
def _(draw):
    x, _, out, windows = shapes_to_test(draw)
    return (draw.array(x), draw.array(out), windows), {}


def shapes_to_test(draw):
    """Shapes of input, filters and output, of one to three axes with uneven strides, gaps and padding."""
    windows = draw.choice(
        Windows((4,), (3,), (1,), (1,), ((1, 1),)),
        Windows((4, 3), (2, 3), (2, 1), (1, 1), ((0, 1), (1, 0)), groups=2),
        Windows((2, 3, 1), (2, 2, 1), (1, 2, 1), (1, 2, 1), ((1, 0), (0, 0), (0, 0))),
    )
    n, channels, filters = draw.choice(1, 2), windows.groups * draw.choice(1, 2), windows.groups * draw.choice(1, 2)
    weight = (filters, channels // windows.groups, *windows.kernel)
    return (n, channels, *windows.in_size), weight, (n, filters, *windows.out_size), windows


def sum_of_channels(g):
    """The gradient of a bias: it was added to every element of its channel."""
    return g.sum((0, *range(2, g.ndim)))
