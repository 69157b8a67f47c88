"""What is known of a wrong gradient, for `diagnosis` to guess from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minigrad.testing.report import Array


class Evidence:
    """What is known of a wrong gradient.

    Args:
        xs, outs, weights: inputs, outputs and the cotangents of these.
        got, expected: the gradients of all inputs as they are and as differences have them.
        known: where there is a derivative.
        fine: where the gradient is right.
        columns: for each input the Jacobian, inputs by outputs, or None where it is not known whole.
        missing: the inputs that the framework gives no gradient for.
    """

    def __init__(
        self,
        xs: Sequence[Array],
        outs: Sequence[Array],
        weights: Sequence[Array],
        got: Sequence[Array],
        expected: Sequence[Array],
        known: Sequence[Array],
        fine: Sequence[Array],
        columns: Sequence[Array | None],
        missing: Sequence[bool],
        tolerance: float,
    ) -> None:
        self.xs = [x.astype(np.float64) for x in xs]
        self.outs = [out.astype(np.float64) for out in outs]
        self.weights = [w.astype(np.float64) for w in weights]
        self.got = [g.astype(np.float64) for g in got]
        self.expected = list(expected)
        self.known = [k & np.isfinite(e) for k, e in zip(known, expected, strict=True)]
        self.fine = list(fine)
        self.columns = list(columns)
        self.missing = list(missing)
        self.tolerance = max(50 * tolerance, 1e-4)
        self.earlier: list[list[Array]] = []  # gradients of earlier examples
        self.indices: list[Array] = []  # the inputs of whole numbers
        self.elsewhere: Callable[[int, dict[int, Array]], Array | None] = lambda i, changed: (
            None
        )  # the i-th gradient at other inputs

    def fits(self, i: int, supposed: Array, where: Array | None = None) -> bool:
        """Is this what the i-th gradient is, on all elements that are known?"""
        if supposed.shape != self.got[i].shape:
            return False
        known = self.known[i] if where is None else self.known[i] & where
        if not known.any():
            return False
        with np.errstate(all="ignore"):
            size = np.abs(self.got[i][known]).max() + np.abs(supposed[known]).max()
            unexplained = np.abs(self.got[i] - supposed)[known].max()
            explained = np.abs(self.got[i] - self.expected[i])[known].max()
            return bool(
                unexplained <= self.tolerance * (size + 1e-300) and unexplained <= 0.05 * explained and explained > 0
            )
