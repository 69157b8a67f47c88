"""Gradients of weighted sums by differences, and how a computed gradient is compared with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minigrad.autograd.numeric import KINK, SMOOTH, Estimate, Probe
from minigrad.testing.report import Array, GradientError

ArrayFunction = Callable[..., Sequence[Array]]
TOLERANCE = 1e-6


def slopes(function: ArrayFunction, arrays: Sequence[Array], weights: Sequence[Array]) -> list[Estimate]:
    """The derivative of sum(weight * output) with respect to each element of each array, by differences in float64.

    >>> import numpy as np
    >>> from minigrad.testing import slopes
    >>> (found,) = slopes(lambda x: [np.abs(x)], [np.array([0.0, 2.0])], [np.ones(2)])
    >>> found.state.tolist(), float(found.left[0]), round(float(found.value[1]), 6)
    ([1, 0], -1.0, 1.0)
    """
    probe = Probe(lambda *moved: function(*moved), [np.array(a, np.float64) for a in arrays])
    flat = np.concatenate([np.asarray(w, np.float64).ravel() for w in weights]) if weights else np.zeros(0)
    return [probe.gradient(i, flat) for i in range(len(arrays))]


def compare(what: str, got: Array, expected: Estimate, tolerance: float = TOLERANCE) -> None:
    """Refuses a gradient that differs from the slopes where there is a derivative, and one that is not between them on a kink.

    Raises:
        GradientError: with the worst element, what was got and what was expected.
    """
    if got.shape != expected.value.shape:
        raise GradientError(f"{what} has shape {got.shape}, but its array has shape {expected.value.shape}")
    wrong = ~expected.admits(got, tolerance, tolerance)
    if wrong.any():
        with np.errstate(all="ignore"):
            error = np.nan_to_num(np.abs(got - expected.value) / (1.0 + expected.scale), nan=np.inf)
        worst = np.unravel_index(np.argmax(np.where(wrong, error, -1.0)), error.shape)
        kink = f"a number between the slopes {expected.left[worst]!r} and {expected.right[worst]!r} of a kink"
        raise GradientError(
            f"{what} is {got[worst]!r} at {[int(i) for i in worst]}, but differences give "
            f"{kink if expected.state[worst] == KINK else repr(expected.value[worst])} "
            f"({np.count_nonzero(wrong)} of {wrong.size} elements are wrong)"
        )


def undecided(expected: Sequence[Estimate]) -> bool:
    """Is there no element at all where there is a derivative?"""
    return any(e.state.size for e in expected) and not any((e.state == SMOOTH).any() for e in expected)
