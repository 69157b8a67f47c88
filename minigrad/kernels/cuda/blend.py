"""Weighted sums of elements that indices name, and their two adjoints (blend.cu)."""

from __future__ import annotations

from math import prod

from .. import reference
from ..namespace import xp
from .launch import LARGEST, Array, each, empty, fits, packed
from .scatter import segments


def takes(x: Array, other: Array, indices: Array, size: int) -> bool:
    """Can the kernels compute with these arrays, and a result of this size?"""
    return fits(x) and fits(other) and 0 < indices.size < LARGEST and 0 < size < LARGEST


def blend(x: Array, weights: Array, indices: Array) -> Array:
    """For each channel and place the sum over the taps of the weight times the element that its index names."""
    shape = (*x.shape[:2], weights.shape[2])
    if not takes(x, weights, indices, prod(shape)):
        return reference.blend(x, weights, indices)
    out = empty(x, shape)
    each(
        "blend",
        "blend",
        x.dtype,
        out.size,
        packed(x),
        packed(weights),
        packed(indices),
        out,
        out.size,
        *x.shape[1:],
        *weights.shape[1:],
    )
    return out


def match(g: Array, x: Array, indices: Array) -> Array:
    """The adjoint of blend in the weights."""
    if not takes(g, x, indices, indices.size):
        return reference.match(g, x, indices)
    out = empty(x, indices.shape)
    each(
        "blend",
        "match",
        x.dtype,
        out.size,
        packed(g),
        packed(x),
        packed(indices),
        out,
        out.size,
        *x.shape[1:],
        *indices.shape[1:],
    )
    return out


def spread(g: Array, weights: Array, indices: Array, size: int) -> Array:
    """The adjoint of blend in x, whose planes have this size."""
    shape = (*g.shape[:2], size)
    if not takes(g, weights, indices, prod(shape)):
        return reference.spread(g, weights, indices, size)
    m = xp(g)
    first = m.arange(g.shape[0])[:, None, None] * size
    places = m.where(indices < 0, g.shape[0] * size, indices + first)  # what reads 0 comes last
    order, starts = segments(places.reshape(-1), g.shape[0] * size)
    out = empty(g, shape)
    each(
        "blend",
        "spread",
        g.dtype,
        out.size,
        packed(g),
        packed(weights),
        order,
        starts,
        out,
        out.size,
        *shape[1:],
        *weights.shape[1:],
    )
    return out
