"""Fractional max pooling: torch's results for the same random numbers, evenness, derivatives of two orders, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import functional as F

from .derivatives import check_two_orders, torch_or_skip

CASES = [
    (2, (2, 3, 9, 7), 2, {"output_size": (5, 4)}), (2, (3, 8, 8), (3, 2), {"output_size": 6}), (2, (1, 2, 6, 7), 2, {"output_ratio": (0.5, 0.6)}),
    (2, (1, 1, 5, 5), 5, {"output_size": 1}), (2, (1, 1, 6, 6), 1, {"output_size": 6}), (2, (0, 2, 6, 6), 2, {"output_size": 3}),
    (3, (2, 2, 5, 6, 7), 2, {"output_size": (3, 4, 5)}), (3, (2, 5, 6, 7), (1, 2, 3), {"output_ratio": 0.5}),
]  # fmt: skip


def pooled(library: Any, rank: int, x: Any, samples: Any, kernel: Any, options: dict[str, Any]) -> Any:
    function = getattr(library.nn.functional, f"fractional_max_pool{rank}d")
    ratio = options.get("output_ratio")
    if isinstance(ratio, float):  # torch's function wants one for each axis
        options = {"output_ratio": (ratio,) * rank}
    return function(x, kernel, return_indices=True, _random_samples=samples, **options)


@pytest.mark.parametrize(("rank", "shape", "kernel", "options"), CASES)
def test_parity_with_torch(rank: int, shape: tuple[int, ...], kernel: Any, options: dict[str, Any]) -> None:
    torch = torch_or_skip()
    random = np.random.default_rng(0)
    batch = shape if len(shape) == rank + 2 else (1, *shape)
    data, samples = random.standard_normal(shape), random.random((*batch[:2], rank))
    x, y = minigrad.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    got, places = pooled(minigrad, rank, x, minigrad.tensor(samples), kernel, options)
    expected, their_places = pooled(torch, rank, y, torch.tensor(samples), kernel, options)
    assert got.tolist() == expected.tolist()
    assert places.tolist() == their_places.tolist()
    assert places.dtype == minigrad.int64
    weight = random.standard_normal(tuple(expected.shape))
    got.backward(minigrad.tensor(weight))
    expected.backward(torch.tensor(weight))
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12)
    module, theirs = (
        getattr(library.nn, f"FractionalMaxPool{rank}d")(kernel, **options) for library in (minigrad, torch)
    )
    assert repr(module) == repr(theirs)
    assert module(minigrad.tensor(data)).shape == got.shape


def test_windows_are_placed_at_random() -> None:
    x = minigrad.arange(100.0).reshape(1, 1, 10, 10)
    found = {tuple(F.fractional_max_pool2d(x, 2, 6).reshape(-1).tolist()) for _ in range(20)}
    assert len(found) > 1
    assert all(one[-1] == 99 for one in found), "the last window is at the end"
    samples = minigrad.zeros(1, 1, 2)
    layer = nn.FractionalMaxPool2d(2, 6, _random_samples=samples)
    assert layer(x).tolist() == layer(x).tolist()
    assert list(layer.state_dict()) == ["_random_samples"]


def test_two_orders_of_derivatives() -> None:
    samples = minigrad.tensor([[[0.3, 0.7]]]).double()
    x = np.random.default_rng(1).permutation(30).reshape(1, 1, 5, 6).astype(float) / 7
    check_two_orders(lambda x: F.fractional_max_pool2d(x, 2, 3, _random_samples=samples), x)


zeros = minigrad.zeros


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.fractional_max_pool2d(zeros(1, 1, 4, 4), 2), ValueError, "requires specifying either an output_size or an output_ratio"),
        (lambda: F.fractional_max_pool2d(zeros(1, 1, 4, 4), 2, 4), RuntimeError, "4 windows of 2 do not fit into the 4 elements along spatial axis 0"),
        (lambda: F.fractional_max_pool2d(zeros(1, 1, 4, 4), 0, 2), RuntimeError, "2 windows of 0 do not fit"),
        (lambda: F.fractional_max_pool2d(zeros(4, 4), 2, 2), RuntimeError, r"expected input with 3 or 4 axes, .* got shape \(4, 4\)"),
        (lambda: F.fractional_max_pool2d(zeros(1, 1, 4, 0), 2, 2), RuntimeError, "none but the batch empty"),
        (lambda: F.fractional_max_pool3d(zeros(1, 1, 4, 4, 4), 2, 2, _random_samples=zeros(1, 1, 2)), RuntimeError,
         r"Expected _random_samples of shape \(1, 1, 3\), got \(1, 1, 2\)"),
        (lambda: F.fractional_max_pool2d(zeros(1, 1, 4, 4), 2, output_ratio=float("inf")), ValueError, "output_ratio must be a finite number, got inf"),
        (lambda: nn.FractionalMaxPool2d(2), ValueError, "FractionalMaxPool2d requires specifying either an output size, or a pooling ratio"),
        (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), ValueError, "only one of output_size and output_ratio may be specified"),
        (lambda: nn.FractionalMaxPool3d(2, output_ratio=1.5), ValueError, r"output_ratio must be between 0 and 1 \(got 1.5\)"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_random_samples_of_more_than_there_are_do_nothing() -> None:
    x, samples = minigrad.rand(3, 6, 6), minigrad.rand(2, 3, 2)
    one, other = (F.fractional_max_pool2d(x, 2, 3, _random_samples=numbers) for numbers in (samples, samples[:1]))
    assert minigrad.equal(one, other)
