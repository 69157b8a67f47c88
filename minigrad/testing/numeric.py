"""Derivatives by differences, which know where there is none.

A function is moved by h and 2h to both sides. The differences across the point, extrapolated (Richardson, 1911), give the derivative to order
h**4. Those on either side of it, if they disagree, say that the point lies on a kink or a jump, where no derivative can be right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ArrayFunction = Callable[..., Sequence[Array]]

STEP = 2.0**-10  # a power of 2: the differences of linear functions of readable numbers are then exact, in float32 too
KINK = 1e-2  # how far the slopes on both sides may differ, relative to their size: 4 orders above what curvature makes of them
TOLERANCE = 1e-6


class GradientError(AssertionError):
    """A derivative is wrong."""


class Slopes:
    """What differences say of one array's gradient.

    Args:
        gradient: the derivative of the weighted sum of the outputs with respect to each element.
        scale: the sum of the absolute values of the terms of that derivative: what its error is to be measured by.
        smooth: where both sides agree, so that there is a derivative.
    """

    __slots__ = ("gradient", "scale", "smooth")

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.gradient = np.zeros(shape)
        self.scale = np.zeros(shape)
        self.smooth = np.ones(shape, bool)


def slopes(function: ArrayFunction, arrays: Sequence[Array], weights: Sequence[Array], step: float = STEP) -> list[Slopes]:
    """The derivative of sum(weight * output) with respect to each element of each array, by differences in float64.

    >>> import numpy as np
    >>> from minigrad.testing import slopes
    >>> (found,) = slopes(lambda x: [np.abs(x)], [np.array([0.0, 2.0])], [np.ones(2)])
    >>> bool(found.smooth[0]), bool(found.smooth[1]), round(float(found.gradient[1]), 6)
    (False, True, 1.0)
    """
    moving = [np.array(a, np.float64) for a in arrays]
    here = [np.array(out, np.float64) for out in function(*moving)]
    found = []
    for array in moving:
        result = Slopes(array.shape)
        for place in np.ndindex(array.shape):
            x = array[place]
            moved = []
            for distance in (-2, -1, 1, 2):
                array[place] = x + distance * step
                moved.append([np.array(out, np.float64) for out in function(*moving)])
            array[place] = x
            for weight, middle, *around in zip(weights, here, *moved, strict=True):
                slope, smooth = slope_of_each(middle, around, step)
                result.gradient[place] += (weight * slope).sum()
                result.scale[place] += np.abs(weight * slope).sum()
                result.smooth[place] &= smooth.all()
        found.append(result)
    return found


def slope_of_each(middle: Array, around: Sequence[Array], step: float) -> tuple[Array, Array]:
    """The derivative of each output, and whether the slopes to the left and the right agree on it."""
    left2, left, right, right2 = around
    with np.errstate(all="ignore"):  # a function may be infinite beside its domain: then it is not smooth here
        near, far = (right - left) / (2 * step), (right2 - left2) / (4 * step)
        to_the_left = (3 * middle - 4 * left + left2) / (2 * step)
        to_the_right = (-3 * middle + 4 * right - right2) / (2 * step)
        # The second condition finds jumps whose value in the middle is the mean of both sides.
        smooth = agree(to_the_left, to_the_right) & agree(near, far)
        across = (4 * near - far) / 3
    still = (left2 == middle) & (left == middle) & (right == middle) & (right2 == middle)  # infinite ones among them
    smooth, across = smooth | still, np.where(still, 0.0, across)
    return np.where(smooth, across, 0.0), smooth


def agree(a: Array, b: Array) -> Array:
    """Which slopes differ by no more than curvature can explain."""
    close: Array = np.abs(a - b) <= KINK * (1e-3 + np.abs(a) + np.abs(b))
    return close


def compare(what: str, got: Array, expected: Slopes, tolerance: float = TOLERANCE) -> None:
    """Refuses a gradient that differs from the slopes where there is a derivative.

    Raises:
        GradientError: with the worst element, what was got and what was expected.
    """
    if got.shape != expected.gradient.shape:
        raise GradientError(f"{what} has shape {got.shape}, but its array has shape {expected.gradient.shape}")
    error = np.abs(got - expected.gradient) / (1.0 + expected.scale)
    wrong = expected.smooth & ~(error <= tolerance)  # so that NaN is wrong
    if wrong.any():
        worst = np.unravel_index(np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1.0)), error.shape)
        place = [int(i) for i in worst]
        raise GradientError(
            f"{what} is {got[worst]!r} at {place}, but differences give {expected.gradient[worst]!r} "
            f"({np.count_nonzero(wrong)} of {wrong.size} elements are wrong)"
        )
