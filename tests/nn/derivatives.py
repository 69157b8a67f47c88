"""Numeric derivatives, for comparing all orders of what the engine computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.core.engine import grad

Array = np.ndarray[Any, Any]


def torch_or_skip() -> Any:
    """torch, where it is installed, on one thread: its tensors here are too small for more, which would only wait."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


def leaves(*arrays: Array) -> list[Tensor]:
    return [minigrad.tensor(a.copy(), requires_grad=True) for a in arrays]


def numeric_gradient(f: Callable[..., float], arrays: Sequence[Array], step: float = 1e-5) -> list[Array]:
    """Central differences of a number that depends on float64 arrays."""
    results = []
    for i, x in enumerate(arrays):
        slope = np.empty_like(x)
        for place in np.ndindex(x.shape):
            ends = []
            for h in (step, -step):
                moved = [a.copy() for a in arrays]
                moved[i][place] += h
                ends.append(f(*moved))
            slope[place] = (ends[0] - ends[1]) / (2 * step)
        results.append(slope)
    return results


def check_two_orders(f: Callable[..., Tensor], *arrays: Array, seed: int = 0) -> None:
    """The gradients of f, and the gradients of those, against central differences.

    The output and the first gradients are weighted at random, so that no error cancels out in a sum.
    """
    random = np.random.default_rng(seed)
    out_weight = random.standard_normal(f(*leaves(*arrays)).shape)
    weights = [random.standard_normal(a.shape) for a in arrays]

    def value(*xs: Array) -> float:
        return float((f(*leaves(*xs)).detach().numpy() ** 2 * out_weight).sum())

    def gradients(*xs: Tensor) -> Any:
        out = f(*xs)
        return grad((out * out * minigrad.tensor(out_weight)).sum(), xs, create_graph=True)

    def slope(*xs: Array) -> float:
        return float(sum((g.detach().numpy() * w).sum() for g, w in zip(gradients(*leaves(*xs)), weights, strict=True)))

    points = leaves(*arrays)
    first = gradients(*points)
    for got, expected in zip(first, numeric_gradient(value, arrays), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    total: Any = sum((g * minigrad.tensor(w)).sum() for g, w in zip(first, weights, strict=True))
    for got, expected in zip(grad(total, points), numeric_gradient(slope, arrays), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-6, atol=1e-6)
