"""Random numbers: reproducible from a seed, of the distributions that their names promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor

N = 20_000
DRAWS: dict[str, Callable[..., Tensor]] = {
    "rand": lambda **g: minigrad.rand(3, 2, **g),
    "randn": lambda **g: minigrad.randn((3, 2), **g),
    "rand_like": lambda **g: minigrad.rand_like(minigrad.ones(3, 2), **g),
    "randn_like": lambda **g: minigrad.randn_like(minigrad.ones(3, 2), **g),
    "randint": lambda **g: minigrad.randint(0, 1000, (3, 2), **g),
    "randperm": lambda **g: minigrad.randperm(100, **g),
    "bernoulli": lambda **g: minigrad.bernoulli(minigrad.full((50,), 0.5), **g),
    "normal": lambda **g: minigrad.normal(2.0, 3.0, (3, 2), **g),
    "multinomial": lambda **g: minigrad.multinomial(minigrad.ones(50), 20, **g),
    "uniform_": lambda **g: minigrad.empty(3, 2).uniform_(-1, 1, **g),
    "normal_": lambda **g: minigrad.empty(3, 2).normal_(**g),
    "bernoulli_": lambda **g: minigrad.empty(50).bernoulli_(0.5, **g),
    "exponential_": lambda **g: minigrad.empty(3, 2).exponential_(**g),
    "random_": lambda **g: minigrad.empty(50).random_(1000, **g),
}


@pytest.fixture(autouse=True)
def same_numbers_afterwards() -> Iterator[None]:
    state = minigrad.get_rng_state()
    minigrad.manual_seed(0)
    yield
    minigrad.set_rng_state(state)


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_gives_the_same_numbers_again(name: str) -> None:
    draw = DRAWS[name]
    minigrad.manual_seed(5)
    first, second = draw().tolist(), draw().tolist()
    minigrad.manual_seed(5)
    assert [draw().tolist(), draw().tolist()] == [first, second]
    assert first != second
    minigrad.manual_seed(6)
    assert draw().tolist() != first


@pytest.mark.parametrize("name", DRAWS)
def test_a_generator_of_ones_own(name: str) -> None:
    draw = DRAWS[name]
    minigrad.manual_seed(5)
    expected = draw().tolist()
    state = minigrad.get_rng_state()
    assert draw(generator=minigrad.Generator().manual_seed(5)).tolist() == expected
    later = draw().tolist()
    minigrad.set_rng_state(state)
    assert draw().tolist() == later, "the default generator was not touched"


def moments(x: Tensor) -> tuple[float, float]:
    array = x.numpy().astype(np.float64)
    return float(array.mean()), float(array.std())


@pytest.mark.parametrize(
    ("drawn", "mean", "deviation", "low", "high"),
    [
        (lambda: minigrad.rand(N), 0.5, 12**-0.5, 0, 1),
        (lambda: minigrad.randn(N), 0, 1, -10, 10),
        (lambda: minigrad.normal(2.0, 3.0, (N,)), 2, 3, -30, 30),
        (lambda: minigrad.normal(minigrad.full((N,), 2.0), 3.0), 2, 3, -30, 30),
        (lambda: minigrad.randint(-2, 3, (N,)), 0, 2**0.5, -2, 2),
        (lambda: minigrad.bernoulli(minigrad.full((N,), 0.3)), 0.3, 0.21**0.5, 0, 1),
        (lambda: minigrad.multinomial(minigrad.tensor([1.0, 0.0, 3.0]), N, replacement=True), 1.5, 0.75**0.5, 0, 2),
        (lambda: minigrad.empty(N).uniform_(-1, 3), 1, 4 * 12**-0.5, -1, 3),
        (lambda: minigrad.empty(N).normal_(2, 0.5), 2, 0.5, -5, 9),
        (lambda: minigrad.empty(N).exponential_(2.0), 0.5, 0.5, 0, 20),
        (lambda: minigrad.empty(N).bernoulli_(0.3), 0.3, 0.21**0.5, 0, 1),
        (lambda: minigrad.empty(N).random_(0, 5), 2, 2**0.5, 0, 4),
    ],
)
def test_distributions(drawn: Callable[[], Tensor], mean: float, deviation: float, low: float, high: float) -> None:
    x = drawn()
    found_mean, found_deviation = moments(x)
    assert abs(found_mean - mean) < 5 * deviation / N**0.5
    assert abs(found_deviation - deviation) < 0.05 * deviation
    assert low <= x.numpy().min()
    assert x.numpy().max() <= high


def test_permutations_and_draws_without_replacement() -> None:
    assert sorted(minigrad.randperm(100).tolist()) == list(range(100))
    rows = minigrad.multinomial(minigrad.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]]), 2)
    assert rows.shape == (2, 2)
    assert all(len(set(row)) == 2 for row in rows.tolist())
    assert 0 not in rows[1].tolist()


def test_dtypes() -> None:
    assert minigrad.rand(2).dtype == minigrad.float32
    assert minigrad.randn(2, dtype=minigrad.float64).dtype == minigrad.float64
    assert minigrad.rand(2, dtype=minigrad.float16).dtype == minigrad.float16
    assert minigrad.randint(5, (2,)).dtype == minigrad.int64
    assert minigrad.rand(2, requires_grad=True).requires_grad


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: minigrad.randint(3, 3, (2,)), RuntimeError, "randint: low must be below high, got 3 and 3"),
        (lambda: minigrad.bernoulli(minigrad.tensor([1.5])), RuntimeError, "bernoulli: probabilities must lie between 0 and 1"),
        (lambda: minigrad.multinomial(minigrad.tensor([1.0, 0.0]), 2), RuntimeError, "multinomial: cannot draw 2 different indices"),
        (lambda: minigrad.multinomial(minigrad.tensor([-1.0, 2.0]), 1), RuntimeError, "multinomial: the weights must be finite"),
        (lambda: minigrad.empty(2).uniform_(2, 1), RuntimeError, "uniform_: expected from <= to, got 2 and 1"),
        (lambda: minigrad.empty(2).normal_(0, -1), RuntimeError, "normal_: expected a standard deviation that is not negative, got -1"),
        (lambda: minigrad.rand(-1), RuntimeError, r"rand: lengths cannot be negative, got \(-1,\)"),
        (lambda: minigrad.rand("a"), TypeError, "rand: expected a shape of integers"),
        (lambda: minigrad.manual_seed(1.5), TypeError, "manual_seed: expected an integer, got float"),
    ],
)
def test_what_is_refused(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_filling_in_place_is_a_write() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = x * 2
    z = y * y
    y.normal_()
    with pytest.raises(RuntimeError, match="overwritten"):
        z.sum().backward()
    with pytest.raises(RuntimeError, match="a leaf that needs a gradient"):
        x.uniform_()
