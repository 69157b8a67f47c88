"""How the elements of an axis are made of those of another: sparse matrices of interpolation and padding, and their products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy

from .driver import beside
from .namespace import xp

Array = Any


class Line:
    """A sparse matrix (n_out, n_in): element o is the sum of weights[k] times element columns[k], for k from starts[o] to starts[o + 1] - 1."""

    def __init__(self, n_in: int, starts: Array, columns: Array, weights: Array) -> None:
        self.n_in, self.n_out = n_in, len(starts) - 1
        self.starts, self.columns, self.weights = starts, columns, weights

    def __repr__(self) -> str:
        return f"Line({self.n_in} to {self.n_out})"

    @cached_property
    def adjoint(self) -> Line:
        """The transposed matrix."""
        rows = numpy.repeat(numpy.arange(self.n_out), numpy.diff(self.starts))
        order = numpy.argsort(self.columns, kind="stable")
        starts = numpy.searchsorted(self.columns[order], numpy.arange(self.n_in + 1))
        found = Line(self.n_out, starts, rows[order], self.weights[order])
        found.__dict__["adjoint"] = self
        return found

    @cached_property
    def vectors(self) -> tuple[Array, Array, Array]:
        """Starts, columns and weights as the compiled kernels read them."""
        kinds = ((self.starts, "int64"), (self.columns, "int64"), (self.weights, "float64"))
        starts, columns, weights = [numpy.ascontiguousarray(x, kind) for x, kind in kinds]
        return starts, columns, weights

    @cached_property
    def dense(self) -> Array:
        """The matrix written out, in float64."""
        matrix = numpy.zeros((self.n_out, self.n_in))
        numpy.add.at(
            matrix, (numpy.repeat(numpy.arange(self.n_out), numpy.diff(self.starts)), self.columns), self.weights
        )
        return matrix

    @cached_property
    def only_takes(self) -> bool:
        """Is each element one of the input's?"""
        return bool((numpy.diff(self.starts) == 1).all() and (self.weights == 1).all())


def gathered(n_in: int, taps: Sequence[tuple[Array, Array | float]]) -> Line:
    """The line whose elements each read the input at these taps (places, weights), places beyond the ends being those at the ends."""
    places = numpy.stack([numpy.clip(place, 0, n_in - 1) for place, _ in taps], axis=1)
    weights = numpy.stack([numpy.broadcast_to(weight, places.shape[:1]) for _, weight in taps], axis=1)
    return Line(n_in, numpy.arange(len(places) + 1) * len(taps), places.reshape(-1), weights.reshape(-1).astype(float))


@lru_cache(maxsize=1024)
def taking(n_in: int, places: tuple[int, ...]) -> Line:
    """The line whose elements are those of the input at these places."""
    return gathered(n_in, [(numpy.asarray(places, int), 1.0)])


def by_products(x: Array, lines: tuple[Line, ...], matmul: Callable[[Array, Array], Array]) -> Array:
    """The last axes of an array resampled one after the other, by products of matrices, or by taking elements where that is all."""
    for axis, line in zip(range(-len(lines), 0), lines, strict=True):
        if line.only_takes:
            x = x.take(beside(line.columns, x), axis)
            continue
        matrix = beside(line.dense.astype(x.dtype), x)
        if axis == -1:
            x = matmul(x, matrix.T)
        elif axis == -2:
            x = matmul(matrix, x)
        else:
            m = xp(x)
            x = m.moveaxis(matmul(m.moveaxis(x, axis, -1), matrix.T), -1, axis)
    return x


# --- interpolation ----------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def interpolating(kind: str, n_in: int, n_out: int, scale: float | None, align_corners: bool) -> Line:
    """The line that interpolates: "nearest", "nearest-exact", "linear" or "cubic"."""
    if kind.startswith("nearest"):
        return gathered(n_in, nearest(n_in, n_out, scale, 0.5 if kind == "nearest-exact" else 0.0))
    return gathered(n_in, (cubic if kind == "cubic" else linear)(n_in, n_out, scale, align_corners))


def nearest(n_in: int, n_out: int, scale: float | None, offset: float) -> list[tuple[Array, float]]:
    # In float32 like torch: which of two pixels is nearest may hang on the last bit.
    ratio = numpy.float32(1 / scale if scale else n_in / n_out)
    index = numpy.floor((numpy.arange(n_out, dtype=numpy.float32) + numpy.float32(offset)) * ratio).astype(int)
    return [(index, 1.0)]


def places(n_in: int, n_out: int, scale: float | None, align_corners: bool) -> Array:
    """Where the centre of each output pixel lies among those of the input."""
    found = numpy.arange(n_out, dtype=float)
    if align_corners:
        return found * ((n_in - 1) / (n_out - 1) if n_out > 1 else 0.0)
    return (found + 0.5) * (1 / scale if scale else n_in / n_out) - 0.5


def linear(n_in: int, n_out: int, scale: float | None, align_corners: bool) -> list[tuple[Array, Array]]:
    place = numpy.maximum(places(n_in, n_out, scale, align_corners), 0)
    left = numpy.floor(place).astype(int)
    part = place - left
    return [(left, 1 - part), (left + 1, part)]


def cubic(n_in: int, n_out: int, scale: float | None, align_corners: bool) -> list[tuple[Array, Array]]:
    place = places(n_in, n_out, scale, align_corners)
    left = numpy.floor(place).astype(int)
    return [(left + k, keys(numpy.abs(place - left - k))) for k in (-1, 0, 1, 2)]


def keys(d: Any, where: Callable[..., Any] = numpy.where) -> Any:
    """The cubic convolution kernel of Keys (1981) with a = -0.75, as torch, at distance d from the centre."""
    a = -0.75
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return where(d <= 1, near, where(d < 2, far, d * 0.0))
