"""The derivative by a step along the imaginary axis, for functions of NumPy that take complex numbers.

Im f(x + ih) / h has no difference in it that could cancel, so h may be as small as one likes and the result is exact but for rounding
(Squire and Trapp, 1998). It holds for analytic functions only: abs, conj, or a comparison of complex numbers make nonsense of it. So it is believed only as
long as it agrees with ordinary differences wherever these have a slope. It then sharpens them, and replaces them where noise hides the slope.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.autograd.numeric import SMOOTH, UNKNOWN, Estimate
from minigrad.testing.adapters import as_tuple
from minigrad.testing.report import Array

STEP = 2.0**-100
TRUNCATED = 2.0**-150  # the square of the step times a third derivative: where the slope is 0, that is what is left
SIDE = 2.0**-10  # where a slope that noise hides is compared with the function itself
EPSILON = 2.0**-52


class ComplexStep:
    """A function at a point, followed along the imaginary axis.

    Args:
        function: takes the arrays, gives an array or several; None if there is none that takes complex numbers.
        arrays: the point, in float64.
        middle: the outputs of floats there, one after the other.
    """

    def __init__(self, function: Callable[..., Any] | None, arrays: Sequence[Any], middle: Array) -> None:
        self.function = function
        self.arrays = list(arrays)
        self.middle = middle
        self.agreed = 0

    def sharpened(self, column: Estimate, i: int, place: tuple[int, ...]) -> Estimate:
        """What differences say of the slopes with respect to one element, with what the complex step adds to that."""
        exact = self.slopes(i, place)
        if exact is None:
            return column
        smooth = column.state == SMOOTH
        size = np.abs(exact) + np.abs(column.value)
        with np.errstate(all="ignore"):
            agrees = np.abs(exact - column.value) <= 3 * column.error + 1e-6 * size
        if not agrees[smooth].all():
            self.function = None
            return column
        self.agreed += int(np.count_nonzero(smooth & (exact != 0)))
        told = smooth
        if self.agreed and (column.state == UNKNOWN).any():
            hidden = (column.state == UNKNOWN) & self.follows(exact, i, place)
            column.state[hidden] = SMOOTH
            told = smooth | hidden
        column.value[told] = column.left[told] = column.right[told] = exact[told]
        column.scale[told] = np.abs(exact[told])
        column.error[told] = 8 * EPSILON * np.abs(exact[told]) + TRUNCATED
        return column

    def slopes(self, i: int, place: tuple[int, ...]) -> Array | None:
        """The slopes of all outputs; None if the function does not take complex numbers."""
        if self.function is None:
            return None
        arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in self.arrays]
        arrays[i] = arrays[i].astype(np.complex128)
        arrays[i][place] += 1j * STEP
        try:
            with np.errstate(all="ignore"):
                outs = self.outputs(arrays, "fc")
        except (
            Exception
        ):  # as floor, arctan2 or a sort raise, or what casts back to float with the warning made an error
            outs = np.zeros(0)
        with np.errstate(all="ignore"):
            same = outs.shape == self.middle.shape and np.allclose(
                outs.real, self.middle, rtol=1e-9, atol=0, equal_nan=True
            )
        if not same or not np.isfinite(outs.imag).all():
            self.function = None
            return None
        return np.asarray(outs.imag / STEP)

    def outputs(self, arrays: Sequence[Any], kinds: str) -> Array:
        assert self.function is not None
        found = [np.asarray(out) for out in as_tuple(self.function(*arrays))]
        return np.concatenate([np.zeros(0), *[out.ravel() for out in found if out.dtype.kind in kinds]])

    def follows(self, exact: Array, i: int, place: tuple[int, ...]) -> Array:
        """Where the function goes beside the point as these slopes say, but for rounding errors: at a jump it does not."""
        found = np.ones(exact.shape, bool)
        for side in (SIDE, -SIDE):
            arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in self.arrays]
            arrays[i][place] += side
            try:
                with np.errstate(all="ignore"):
                    moved = self.outputs(arrays, "f") - self.middle
            except Exception:
                return np.zeros(exact.shape, bool)
            if moved.shape != exact.shape:
                return np.zeros(exact.shape, bool)
            with np.errstate(all="ignore"):
                found &= np.abs(moved - side * exact) <= 1e3 * EPSILON * np.abs(self.middle) + 0.1 * np.abs(
                    side * exact
                )
        return found
