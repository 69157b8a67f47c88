"""Many small geometries, drawn once from a fixed seed, for all tests that compare kernels."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import numpy as np
from hypothesis import settings

from minigrad.kernels.geometry import Windows

Array = np.ndarray[Any, Any]


def examples(count: int) -> settings:
    """So many for a test whose kernels are quick; fewer where the profile has fewer than the default one, which are 12."""
    return settings(max_examples=max(1, min(count, count * settings().max_examples // 12)))


def draw_convolutions(count: int, seed: int) -> list[tuple[int, int, int, Windows]]:
    """(N, C, K, windows) that fit, of 1 to 3 axes, with uneven everything."""
    random, found = Random(seed), []
    while len(found) < count:
        rank = random.choice((1, 2, 2, 3))

        def draw(low: int, high: int, rank: int = rank) -> tuple[int, ...]:
            return tuple(random.randint(low, high) for _ in range(rank))

        groups = random.choice((1, 1, 2, 3))
        c, k = groups * random.randint(1, 2), groups * random.randint(1, 2)
        pads = tuple(zip(draw(0, 3), draw(0, 3), strict=True))
        windows = Windows(draw(1, 8), draw(1, 4), draw(1, 3), draw(1, 3), pads, groups)
        if min(windows.out_size) > 0:
            found.append((random.randint(1, 2), c, k, windows))
    return found


def draw_poolings(count: int, seed: int) -> list[Windows]:
    """Windows that fit and have an element of the input each, of 1 to 3 axes."""
    random, found = Random(seed), []
    while len(found) < count:
        rank = random.choice((1, 2, 2, 3))

        def draw(low: int, high: int, rank: int = rank) -> tuple[int, ...]:
            return tuple(random.randint(low, high) for _ in range(rank))

        kernel = draw(1, 4)
        padding = tuple(random.randint(0, k // 2) for k in kernel)
        try:
            windows = Windows.pool("pool", rank, (1, *draw(1, 8)), kernel, draw(1, 4), padding, draw(1, 2),
                                   random.random() < 0.5)  # fmt: skip
        except RuntimeError:
            continue
        found.append(windows)
    return found


def integers(seed: int, *shape: int, dtype: Any = np.int64) -> Array:
    """Small integers: whatever the order of additions, sums of their products are exact in every dtype."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def reads(windows: Windows, window: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The definition: (tap, position) of all that one window reads of the input."""
    result = []
    for tap in product(*map(range, windows.kernel)):
        place = tuple(
            j * s + t * d - before
            for j, s, t, d, (before, _) in zip(
                window, windows.stride, tap, windows.dilation, windows.padding, strict=True
            )
        )
        if all(0 <= p < n for p, n in zip(place, windows.in_size, strict=True)):
            result.append((tap, place))
    return result


def all_windows(windows: Windows) -> list[tuple[int, ...]]:
    return list(product(*map(range, windows.out_size)))
