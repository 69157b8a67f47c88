"""Sums of what several sources bring to one place: sources are sorted by their places, so that each sum has one order (scatter.cu)."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from ..namespace import xp
from .launch import Array, each, empty, fits, pack, packed


class Segments(NamedTuple):
    """Sources sorted by the place they go to: their numbers in that order, and where those of each place begin."""

    order: Array
    starts: Array


def segments(places: Array, count: int) -> Segments:
    """Sorts sources by their places, a vector of numbers from 0 to count - 1; those of one place stay in order."""
    m = xp(places)
    order = m.argsort(places, kind="stable")
    starts = m.searchsorted(places[order], m.arange(count + 1))
    return Segments(order.astype("int64", copy=False), starts.astype("int64", copy=False))


def sum_at(x: Array, places: Array, count: int, base: Array | None = None) -> Array:
    """Adds the lines of x (sources, width) to those of `base` (count, width), or to zeros, at the places (sources) of each. One order."""
    width = prod(x.shape[1:])
    out = empty(x, (count, *x.shape[1:]))
    order, starts = segments(places, count)
    each("scatter", "segment_sum", x.dtype, out.size, packed(x), order, starts, pack(base), out, count, width)
    return out


def add_at(out: Array, key: Any, source: Array) -> None:
    """Adds a source to the elements of an array at a key, in place, as often as a place appears in it. One order."""
    m = xp(out)
    if not fits(out):
        whole = out.astype("int64").view("uint64")  # adding wraps around in both alike, and CuPy has it for the latter
        m.add.at(whole, key, source.astype("int64").view("uint64"))
        out[...] = whole.view("int64").astype(out.dtype)
        return
    if hasattr(key, "dtype") and key.dtype.kind in "iu":  # lines of the first axis, as of an embedding
        places, count, lines = (
            key.reshape(-1),
            out.shape[0],
            m.broadcast_to(source, (*key.shape, *out.shape[1:])).reshape(key.size, prod(out.shape[1:])),
        )
        places = m.where(places < 0, places + count, places)
    else:
        places = m.arange(out.size).reshape(out.shape)[key]
        places, count, lines = places.reshape(-1), out.size, m.broadcast_to(source, places.shape).reshape(-1, 1)
    if lines.size:
        out[...] = sum_at(
            lines.astype(out.dtype, copy=False), places, count, out.reshape(count, lines.shape[1])
        ).reshape(out.shape)
