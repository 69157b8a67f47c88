"""Weighted sums of elements that indices name, which reading an image between its pixels is: one trilinear form with three faces, as convolution."""

from __future__ import annotations

import numpy as np

from ..core.primitive import primitive
from ..kernels import of

__all__ = ["blend", "match", "spread"]


@primitive(method=False, laws="bilinear")
def blend(input, weights, /, indices):
    """(N, C, plane) and weights (N, taps, places) to (N, C, places): what each tap's index names, times its weight; an index below 0 reads 0."""
    return of(input).blend(input, weights, indices)


@blend.vjp("input")
def _(g, weights, indices, input_shape):
    return spread(g, weights, indices, input_shape[2])


@blend.vjp("weights")
def _(g, input, indices):
    return match(g, input, indices)


@primitive(method=False, laws="bilinear")
def spread(input, weights, /, indices, size):
    """(N, C, places) and weights to (N, C, size): each value times a tap's weight is added to the element that its index names."""
    return of(input).spread(input, weights, indices, size)


@spread.vjp("input")
def _(g, weights, indices):
    return blend(g, weights, indices)


@spread.vjp("weights")
def _(g, input, indices):
    return match(input, g, indices)


@primitive(method=False, laws="bilinear")
def match(input, other, /, indices):
    """(N, C, places) and (N, C, plane) to (N, taps, places): the products over the channels of each place with what its taps' indices name."""
    return of(input).match(input, other, indices)


@match.vjp("input")
def _(g, other, indices):
    return blend(other, g, indices)


@match.vjp("other")
def _(g, input, other_shape, indices):
    return spread(input, g, indices, other_shape[2])


def drawn_indices(draw):
    return np.array([[[0, 2, -1, 2], [1, 2, 2, -1]], [[3, 0, 0, 1], [0, -1, 1, 3]]])[: draw.choice(2, 1)]


@blend.cases
def _(draw):
    indices = drawn_indices(draw)
    return (draw.array((len(indices), 3, 4)), draw.array(indices.shape), indices), {}


@spread.cases
def _(draw):
    indices = drawn_indices(draw)
    return (draw.array((len(indices), 3, 4)), draw.array(indices.shape), indices, 4), {}


@match.cases
def _(draw):
    indices = drawn_indices(draw)
    return (draw.array((len(indices), 3, 4)), draw.array((len(indices), 3, 4)), indices), {}
