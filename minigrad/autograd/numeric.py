"""Derivatives by differences that calibrate themselves: functions of arrays, of whatever framework.

A function is followed along a line to both sides of a point, in windows of three steps h, h/2 and h/4 that get finer until all is known. In each
window the slopes to the right, to the left and across are extrapolated to h = 0 (Richardson, 1911). What extrapolation still changed, and the
noise of the function divided by the step, bound their errors; the noise is measured by high differences (Hamming, 1973; Moré and Wild, 2011).

Where both sides agree within these errors, there is a derivative. Where they do not, and go on not to in finer windows, the point lies on a kink,
and all that can be asked of a derivative is to lie between the two slopes. Everything else, jumps, edges of the domain and noise that hides the
slope, is unknown: a comparison with it would mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import comb, sqrt
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ArrayFunction = Callable[..., Any]
Line = Callable[[float], tuple[float, Array]]

SMOOTH, KINK, UNKNOWN = 0, 1, 2
STATES = ("smooth", "kink", "cannot tell")
# Windows begin at 2**-w in double precision, and in others in proportion to the digits they have.
WINDOWS = (5, 9, 13, 18, 23)
RESOLVED = 0.05  # of a slope's size: an error beyond that hides the slope


class Estimate:
    """What differences say of some slopes, each of which is an element of these arrays.

    Args:
        value: the derivative.
        error: how far the value may be off.
        left, right: the slopes on either side, which differ at kinks.
        scale: the size of the terms that were added up to the value: what rounding errors are to be measured by.
        state: SMOOTH, KINK or UNKNOWN.
    """

    __slots__ = ("value", "error", "left", "right", "scale", "state")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.value = np.zeros(shape)
        self.error = np.full(shape, np.inf)
        self.left = np.zeros(shape)
        self.right = np.zeros(shape)
        self.scale = np.zeros(shape)
        self.state = np.full(shape, UNKNOWN)

    def weighted(self, weights: Array, axis: int = -1) -> Estimate:
        """The slopes of the weighted sum along an axis; elements of weight 0 do not count."""
        found = Estimate(np.broadcast_shapes(self.value.shape, weights.shape)[:-1])
        counts = weights != 0
        with np.errstate(all="ignore"):
            terms = np.where(counts, weights * self.value, 0.0)
            left, right = np.where(counts, weights * self.left, 0.0), np.where(counts, weights * self.right, 0.0)
            found.value = terms.sum(axis)
            found.scale = np.abs(terms).sum(axis)
            found.error = np.where(counts, np.abs(weights) * self.error, 0.0).sum(axis)
            low, high = (
                np.minimum(left, right).sum(axis),
                np.maximum(left, right).sum(axis),
            )  # every output may follow a rule of its own
            rising = left.sum(axis) <= right.sum(axis)
            found.left, found.right = np.where(rising, low, high), np.where(rising, high, low)
            found.state = np.where(counts, self.state, SMOOTH).max(axis, initial=SMOOTH)
        return found

    def admits(self, got: Array, atol: float, rtol: float) -> Array:
        """Where a derivative computed otherwise may be right: near the value, at kinks between the slopes, where nothing is known anywhere."""
        with np.errstate(all="ignore"):
            slack = atol + rtol * np.maximum(np.abs(self.value), self.scale) + 3 * self.error
            near = np.abs(got - self.value) <= slack
            spread = atol + rtol * np.maximum(np.abs(self.left), np.abs(self.right)) + 3 * self.error
            low, high = np.minimum(self.left, self.right) - spread, np.maximum(self.left, self.right) + spread
            between = (low <= got) & (got <= high)
        admitted: Array = np.where(self.state == SMOOTH, near, np.where(self.state == KINK, between, True))
        return admitted

    @staticmethod
    def stack(parts: Sequence[Estimate]) -> Estimate:
        """Several estimates of one shape as one, along a new first axis."""
        found = Estimate(())
        for name in Estimate.__slots__:
            setattr(found, name, np.stack([getattr(part, name) for part in parts]))
        return found


class Window:
    """The slopes of every output in three steps to either side."""

    __slots__ = ("across", "across_error", "left", "right", "side_error", "steady", "finite")

    def __init__(
        self, line: Line, middle: Array, step: float, noise: Array, precision: float, coarsest: bool = False
    ) -> None:
        (right, above), (left, below) = one_sided(line, middle, step), one_sided(line, middle, -step)
        finest = step / 4
        with np.errstate(all="ignore"):  # numbers that are larger over there are rounded more
            noise = np.fmax(noise, precision / 4 * np.fmax(above, below))
        if coarsest:  # an output that does not depend on what moves shows no noise, whatever it is elsewhere
            noise = np.where(np.all([slope == 0 for slope in (*right, *left)], axis=0), 0.0, noise)
        with np.errstate(all="ignore"):
            self.right, right_error = extrapolated(right, 2)
            self.left, left_error = extrapolated(left, 2)
            self.across, error = extrapolated([(r + s) / 2 for r, s in zip(right, left, strict=True)], 4)
            # Where the second derivative jumps, only this shows that the extrapolation of the slopes across is wrong.
            bent = np.abs(self.across - (self.right + self.left) / 2)
            self.across_error = np.maximum(error, bent) + 4 * noise / finest
            self.side_error = right_error + left_error + 24 * noise / finest
            gap = np.abs(self.right - self.left)
            self.steady = np.maximum(np.abs(right[2] - right[1]), np.abs(left[2] - left[1])) <= 0.2 * gap
            self.finite = np.isfinite(self.right) & np.isfinite(self.left) & np.isfinite(self.across)

    def smooth(self, unit: Array) -> Array:
        """Where the two sides agree within their errors, and these are small beside the slopes, or beside `unit`."""
        with np.errstate(all="ignore"):
            size = np.abs(self.right) + np.abs(self.left)
            known = self.side_error <= 0.1 * size + unit
            agree: Array = self.finite & known & (np.abs(self.right - self.left) <= 3 * self.side_error)
        return agree

    def kinked(self, coarser: Window | None) -> Array:
        """Where both sides have slopes of their own, the same as in a coarser window: at jumps and cusps these would have grown."""
        if coarser is None:
            return np.zeros(self.right.shape, bool)
        with np.errstate(all="ignore"):
            gap = np.abs(self.right - self.left)
            moved = np.maximum(np.abs(self.right - coarser.right), np.abs(self.left - coarser.left))
            found: Array = (
                self.finite
                & self.steady
                & (gap > 3 * self.side_error)
                & (moved <= 0.1 * gap + self.side_error + coarser.side_error)
            )
        return found


def one_sided(line: Line, middle: Array, step: float) -> tuple[list[Array], Array]:
    """The slopes from the point to step, step/2 and step/4, and the size of the outputs at step/4."""
    found = []
    for h in (step, step / 2, step / 4):
        moved, value = line(h)
        with np.errstate(all="ignore"):
            found.append(
                np.where(value == middle, 0.0, (value - middle) / moved) if moved else np.full(middle.shape, np.nan)
            )
    return found, np.where(np.isfinite(value), np.abs(value), 0.0)


def extrapolated(slopes: Sequence[Array], first: int) -> tuple[Array, Array]:
    """The limit of slopes at steps h, h/2 and h/4 whose error begins with h**(first/2) and goes on in its powers, and its error."""
    factor = 2.0 if first == 2 else 4.0
    coarse = (factor * slopes[1] - slopes[0]) / (factor - 1)
    fine = (factor * slopes[2] - slopes[1]) / (factor - 1)
    limit = (factor**2 * fine - coarse) / (factor**2 - 1)
    return limit, np.abs(limit - fine)


def slopes_along(
    line: Line, middle: Array, noise: Array, steps: Sequence[float], unit: float = 1.0, precision: float = 2.0**-52
) -> Estimate:
    """The slopes of every output along a line at its point 0.

    Args:
        line: gives, for a distance, the distance that rounding left of it and all outputs there, in one array.
        middle: the outputs at 0.
        noise: the size of the random errors of each output.
        steps: where windows begin, coarse ones first; those after the slopes are known are not visited.
        unit: the length over which a slope counts as something beside the outputs' own size.
        precision: of the numbers the function computes with.
    """
    found = Estimate(middle.shape)
    last: Window | None = None
    with np.errstate(all="ignore"):
        ordinary = 1e-3 * np.where(np.isfinite(middle), np.abs(middle), 0.0) / unit
        floor = 1e-3 / unit + ordinary
    for step in steps:
        window = Window(line, middle, step, noise, precision, last is None)
        smooth = window.smooth(floor)
        better = smooth & ((window.across_error < found.error) | (found.state != SMOOTH))
        kinked = ~smooth & window.kinked(last) & (found.state != SMOOTH)
        for where, state in ((better, SMOOTH), (kinked, KINK)):
            found.state[where] = state
            found.value[where] = window.across[where]
            found.left[where] = window.across[where] if state == SMOOTH else window.left[where]
            found.right[where] = window.across[where] if state == SMOOTH else window.right[where]
            found.error[where] = window.across_error[where] if state == SMOOTH else window.side_error[where]
        lost = (found.state == KINK) & ~kinked & ~smooth & window.finite & ~window.steady
        found.state[lost] = UNKNOWN
        size = np.abs(found.value) + np.abs(np.where(found.state == SMOOTH, found.value, 0.0)).max(initial=0.0)
        if ((found.state == SMOOTH) & (found.error <= sqrt(precision) * (size + ordinary))).all():
            break
        last = window
    size = (
        np.abs(found.left)
        + np.abs(found.right)
        + np.abs(np.where(found.state == UNKNOWN, 0.0, found.value)).max(initial=0.0)
    )
    found.state[(found.error > RESOLVED * size) & (found.error > floor * sqrt(precision) * 1e3)] = UNKNOWN
    found.scale = np.abs(found.value)
    return found


def noise_along(line: Line, spacing: float) -> Array:
    """The size of the random errors of each output: what high differences have left when all that is smooth has vanished."""
    values = np.stack([line(i * spacing)[1] for i in range(1, 9)])
    found = np.full(values.shape[1:], np.inf)
    with np.errstate(all="ignore"):
        for order in range(1, 7):
            values = np.diff(values, axis=0)
            if order >= 4:
                found = np.fmin(found, np.sqrt((values**2).mean(0) / comb(2 * order, order)))
    return np.where(np.isfinite(found), found, 0.0)


class Probe:
    """A function of arrays at a point, ready to be differentiated by differences.

    The elements of the arrays are moved in place, and put back.

    Args:
        function: takes the arrays, gives an array or several.
        arrays: the point; only arrays of floats are moved.
        finest: the smallest step that is worth trying; by default what the precision allows.
        moving: which arrays are moved; by default all of floats.

    >>> import numpy as np
    >>> probe = Probe(np.abs, [np.array([0.0, 2.0])])
    >>> at_0, at_2 = (probe.column(0, (i,)) for i in range(2))
    >>> int(at_0.state[0]) == KINK, float(at_0.left[0]), float(at_0.right[0])
    (True, -1.0, 1.0)
    >>> int(at_2.state[1]) == SMOOTH, float(at_2.value[1])
    (True, 1.0)
    """

    def __init__(
        self, function: ArrayFunction, arrays: Sequence[Array], finest: float = 0.0, moving: Sequence[int] | None = None
    ) -> None:
        self.function = function
        self.arrays = list(arrays)
        self.finest = finest
        self.places = (
            [i for i, a in enumerate(self.arrays) if np.asarray(a).dtype.kind == "f"]
            if moving is None
            else list(moving)
        )
        self.calls = 0
        self.shapes: list[tuple[int, ...]] = []
        self.dtypes: list[Any] = []
        self.middle = self.evaluate()
        dtypes = [self.arrays[i].dtype for i in self.places] + [d for d in self.dtypes if d.kind == "f"]
        self.precision = max([float(np.finfo(d).eps) for d in dtypes], default=2.0**-52)
        self._noise: Array | None = None

    def evaluate(self) -> Array:
        """All outputs here, one after the other, in double precision."""
        self.calls += 1
        with np.errstate(all="ignore"):
            outs = self.function(*self.arrays)
        outs = [np.asarray(out) for out in (outs if isinstance(outs, (tuple, list)) else (outs,))]
        self.shapes, self.dtypes = [out.shape for out in outs], [out.dtype for out in outs]
        return np.concatenate([out.astype(np.float64).ravel() for out in outs]) if outs else np.zeros(0)

    def beside(self) -> Array:
        """All outputs where the arrays have been moved to: NaN where the function refuses them."""
        try:
            return self.evaluate()
        except Exception:  # such as that of a decomposition which does not exist
            return np.full(self.middle.shape, np.nan)

    @property
    def noise(self) -> Array:
        """The noise of each output, measured once, along a line on which every element moves."""
        if self._noise is None:
            random = np.random.default_rng(0)
            directions = [random.choice([-1.0, -0.75, 0.75, 1.0], self.arrays[i].shape) for i in self.places]
            measured = noise_along(self.line(directions), self.unit() * self.precision**0.45)
            floor = self.precision / 4 * np.abs(np.where(np.isfinite(self.middle), self.middle, 0.0))
            self._noise = np.maximum(measured, floor)
        return self._noise

    def unit(self, size: float = 1.0) -> float:
        """The distance over which elements of this size, or all of ordinary size, change noticeably: a power of 2, or 1."""
        return float(2.0 ** np.ceil(np.log2(size))) if size > 1 and np.isfinite(size) else 1.0

    def steps(self, size: float) -> list[float]:
        """Where windows begin for elements of this size."""
        digits = -np.log2(self.precision) / 52
        unit = self.unit(size)
        found = [unit * 2.0 ** -round(w * digits) for w in WINDOWS]
        if 0 < size < found[-1]:  # such numbers may matter on a scale of their own, as where a logarithm is taken
            found += [2.0 ** np.floor(np.log2(size)) / 8, 2.0 ** np.floor(np.log2(size)) / 128]
        return [h for h in found if h >= self.finest] or [self.finest]

    def column(self, i: int, place: tuple[int, ...], fresh: bool = False) -> Estimate:
        """The slopes of all outputs with respect to one element of the i-th array.

        With `fresh` the steps are others than usual, and finer ones are tried too: a second opinion.
        """
        array = self.arrays[i]
        x = array[place]
        steps = self.steps(abs(float(x)))
        return slopes_along(
            self.element_line(array, place),
            self.middle,
            self.noise,
            other(steps) if fresh else steps,
            self.unit(abs(float(x))),
            self.precision,
        )

    def along(self, directions: Sequence[Array], fresh: bool = False) -> Estimate:
        """The slopes of all outputs where every element moves in its direction; one array of directions for each array of floats."""
        steps = self.steps(1.0)
        return slopes_along(
            self.line(directions), self.middle, self.noise, other(steps) if fresh else steps, 1.0, self.precision
        )

    def column_around(self, i: int, place: tuple[int, ...], count: int = 24) -> Estimate:
        """The same slopes, with what they are at several points nearby: where that differs, the point is a kink that the axes may not show.

        The median of equal numbers is such a point: to move one of them changes nothing, to move them all does. Slopes that differ less from nearer
        are no kink, but curved.
        """
        found = self.column(i, place, fresh=True)
        distance = self.precision**0.27
        low, high = self.slopes_around(i, place, distance, count, found)
        size = np.maximum(
            np.abs(low), np.abs(high)
        )  # curvature changes slopes too, in proportion to what is large around here
        size = np.maximum(
            size,
            np.abs(np.where(found.state == UNKNOWN, 0.0, found.value)).max(initial=0.0) + ordinary_size(self.middle),
        )
        kinked = (found.state != UNKNOWN) & (high - low > 10 * distance * size + 3 * found.error)
        if kinked.any():
            nearer, farther = self.slopes_around(i, place, distance / 16, count, found)
            kinked &= farther - nearer > 0.5 * (high - low)
        found.state[kinked], found.left[kinked], found.right[kinked] = KINK, low[kinked], high[kinked]
        return found

    def slopes_around(
        self, i: int, place: tuple[int, ...], distance: float, count: int, found: Estimate
    ) -> tuple[Array, Array]:
        """The least and the largest slopes at random points that near, and of those that were found at the point itself."""
        random = np.random.default_rng(1)
        before, middle = [self.arrays[j].copy() for j in self.places], self.middle
        samples = []
        try:
            for k in range(count):
                for j, x in zip(self.places, before, strict=True):
                    self.arrays[j][...] = x + distance * random.uniform(-1, 1, x.shape)
                    if j == i and k % 2:  # amid the others, where it is the median of many more often than at random
                        self.arrays[j][place] = x[place]
                self.middle = self.beside()
                samples.append(self.column(i, place))
        finally:
            for j, x in zip(self.places, before, strict=True):
                self.arrays[j][...] = x
            self.middle = middle
        known = [np.where(s.state == SMOOTH, s.value, np.nan) for s in samples]
        return np.fmin.reduce([found.left, found.right, *known]), np.fmax.reduce([found.left, found.right, *known])

    def element_line(self, array: Array, place: tuple[int, ...]) -> Line:
        x = array[place].copy()

        def line(distance: float) -> tuple[float, Array]:
            try:
                array[place] = float(x) + distance
                return float(array[place]) - float(x), self.beside()
            finally:
                array[place] = x

        return line

    def line(self, directions: Sequence[Array]) -> Line:
        before = [self.arrays[i].copy() for i in self.places]

        def line(distance: float) -> tuple[float, Array]:
            try:
                for i, x, d in zip(self.places, before, directions, strict=True):
                    self.arrays[i][...] = x.astype(np.float64) + distance * d
                return distance, self.beside()
            finally:
                for i, x in zip(self.places, before, strict=True):
                    self.arrays[i][...] = x

        return line

    def elements(self, i: int) -> Iterator[tuple[int, ...]]:
        """The places of the i-th array."""
        return iter(np.ndindex(self.arrays[i].shape))

    def gradient(self, i: int, weights: Array, fresh: bool = False) -> Estimate:
        """The derivative of the weighted sum of all outputs with respect to each element of the i-th array."""
        shape = self.arrays[i].shape
        parts = [self.column(i, place, fresh).weighted(weights) for place in self.elements(i)]
        if not parts:
            return Estimate(shape)
        found = Estimate.stack(parts)
        for name in Estimate.__slots__:
            setattr(found, name, getattr(found, name).reshape(shape))
        return found


def ordinary_size(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))


def other(steps: Sequence[float]) -> list[float]:
    """Other steps of about the same sizes, whose halves are no round numbers."""
    return [h * 0.7109375 for h in steps]
