"""What is said of a wrong derivative: where it is wrong, by how much, what may be the reason, and how to see it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
FEW = 60  # elements: arrays beyond that are shown in part


class GradientError(AssertionError):
    """A derivative is wrong.

    Args:
        message: the report.
        finding: what the report was made of, where `check` made it.
    """

    def __init__(self, message: str, finding: Finding | None = None) -> None:
        super().__init__(message)
        self.finding = finding

    @property
    def script(self) -> str:
        """A script that shows the error by itself."""
        return self.finding.script if self.finding is not None else ""


class Finding:
    """One law that one example breaks.

    Args:
        law: its name.
        what: a sentence about what is wrong.
        guess: a guess at the reason, or nothing.
        arrays, weights: the example: inputs, and cotangents of the outputs.
        at: which input is concerned, and the place in it, if there is one.
        got, expected: the values there.
        wrong, partial: which elements are wrong, in words, and whether others are right.
    """

    def __init__(
        self,
        law: str,
        what: str,
        arrays: Sequence[Any],
        weights: Sequence[Array],
        guess: str = "",
        at: tuple[int, tuple[int, ...]] | None = None,
        got: float | None = None,
        expected: str = "",
        wrong: str = "",
        partial: bool = False,
    ) -> None:
        self.law = law
        self.what = what
        self.arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in arrays]
        self.weights = [np.array(w) for w in weights]
        self.guess = guess
        self.at = at
        self.got = got
        self.expected = expected
        self.wrong = wrong
        self.partial = partial
        self.script = ""

    @property
    def size(self) -> tuple[int, int, float]:
        """How complicated the example is: number of elements, then of digits."""
        floats = [a for a in self.arrays if isinstance(a, np.ndarray)]
        digits = sum(len(repr(x)) for a in floats if a.size <= FEW for x in a.ravel().tolist())
        return sum(a.size for a in floats), digits, float(sum(np.abs(a).sum() for a in floats if a.dtype.kind == "f"))

    @property
    def varied(self) -> bool:
        """Is this an example with several elements, hardly any of which are 0 or equal?"""
        numbers = np.concatenate(
            [
                np.zeros(0),
                *[
                    a.ravel().astype(np.float64)
                    for a in self.arrays
                    if isinstance(a, np.ndarray) and a.dtype.kind == "f"
                ],
            ]
        )
        return numbers.size > 2 and np.unique(numbers[numbers != 0]).size > 0.7 * numbers.size

    def text(self, name: str, names: Sequence[str]) -> str:
        """The report."""
        lines = [f"{name}: {self.what}", f"  law       {self.law}"]
        if self.guess:
            lines.append(f"  guess     {self.guess}")
        if self.at is not None and self.got is not None:
            i, place = self.at
            lines.append(
                f"  worst     the gradient of {names[i]} at {[*map(int, place)]} is {self.got!r}, expected {self.expected}"
            )
        if self.wrong:
            lines.append(f"  where     {self.wrong}")
        for label, value in zip(names, self.arrays, strict=False):
            lines.append(f"  {label:9} {shown(value)}")
        for i, weight in enumerate(self.weights):
            label = "cotangent" if len(self.weights) == 1 else f"cotangent {i}"
            lines.append(f"  {label:9} {shown(weight)}")
        if self.script:
            lines += ["", "To see it again, run:", "", *["    " + line for line in self.script.splitlines()]]
        return "\n".join(lines)


def shown(value: Any) -> str:
    """An array as Python, on one line, with its strides where they are not the usual ones."""
    if not isinstance(value, np.ndarray):
        return repr(value)
    with np.printoptions(threshold=FEW, linewidth=10**6, edgeitems=2, floatmode="unique"):
        text = " ".join(np.array_repr(value).split())
    return text if value.flags.c_contiguous else f"{text[:-1]}, strides={value.strides})"


def literal(value: Any) -> str:
    """Python that makes this value again, to the bit, with `import numpy as np`."""
    if not isinstance(value, np.ndarray):
        return repr(value)
    if not np.isfinite(value).all() if value.dtype.kind == "f" else False:
        return f"np.array({value.tolist()!r}, np.{value.dtype}).reshape({value.shape})".replace(
            "nan", "np.nan"
        ).replace("inf", "np.inf")
    if value.size == 0:
        return f"np.zeros({value.shape}, np.{value.dtype})"
    dtype = "bool" if value.dtype == bool else str(value.dtype)
    return f"np.array({value.tolist()!r}, np.{dtype})"
