"""Cases of functions that are composed of operations, and the laws that each has to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import settings

from minigrad.testing import check

Shape = tuple[int, ...]
Bounds = tuple[float, float]
Input = Shape | tuple[Shape, Bounds]  # a shape, or one with the bounds of its numbers
Case = tuple[Callable[..., Any], *tuple[Input, ...]]

UNIT: Bounds = (0.125, 0.875)
POSITIVE: Bounds = (0.25, 4.0)

QUICK = settings.get_current_profile_name() == "quick"


def cases_by_profile(cases: Mapping[str, Sequence[Case]]) -> list[tuple[str, int]]:
    """The name and number of each case; the quick profile takes the first of each function."""
    return [(name, number) for name, those in cases.items() for number in range(1 if QUICK else len(those))]


def keep_the_laws(case: Case) -> None:
    """Numeric first and second derivatives, layouts, dtypes, determinism, inputs left alone."""
    function, *inputs = case
    random = np.random.default_rng(5)
    points = []  # at random: on the kinks, where ties are, differences say nothing
    for given in inputs:
        shape, (low, high) = given if given and isinstance(given[0], tuple) else (given, (-2.0, 2.0))
        points.append(random.uniform(low, high, shape))
    found = check(function, *points, framework="minigrad", max_examples=2, seconds=60.0)
    assert found.verdict == "pass", found
