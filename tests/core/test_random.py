"""Random numbers: reproducible from a seed, of the distributions that their names promise."""

from __future__ import annotations

import copy
import pickle
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
    "log_normal_": lambda **g: minigrad.empty(3, 2).log_normal_(**g),
    "cauchy_": lambda **g: minigrad.empty(3, 2).cauchy_(**g),
    "geometric_": lambda **g: minigrad.empty(50).geometric_(0.1, **g),
    "poisson": lambda **g: minigrad.poisson(minigrad.full((50,), 9.0), **g),
    "binomial": lambda **g: minigrad.binomial(minigrad.full((50,), 9.0), minigrad.full((50,), 0.5), **g),
    "randint_like": lambda **g: minigrad.randint_like(minigrad.zeros(50), 100, **g),
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
        (lambda: minigrad.empty(N, dtype=minigrad.float16).uniform_(0, 1), 0.5, 12**-0.5, 0, 1 - 2**-11),
        (lambda: minigrad.rand(N, dtype=minigrad.float16), 0.5, 12**-0.5, 0, 1 - 2**-11),
        (lambda: minigrad.empty(N).log_normal_(0.5, 0.25).log(), 0.5, 0.25, -5, 5),
        (lambda: minigrad.empty(N).cauchy_(3, 2).sub(3).div(2).atan(), 0, np.pi / 12**0.5, -np.pi / 2, np.pi / 2),
        (lambda: minigrad.empty(N).geometric_(0.25), 4, 12**0.5, 1, 200),
        (lambda: minigrad.empty(N, dtype=minigrad.int32).geometric_(0.5), 2, 2**0.5, 1, 200),
        (lambda: minigrad.poisson(minigrad.full((N,), 4.0)), 4, 2, 0, 40),
        (lambda: minigrad.binomial(minigrad.full((N,), 10.0), minigrad.full((N,), 0.5)), 5, 2.5**0.5, 0, 10),
        (lambda: minigrad.empty(N, dtype=minigrad.uint8).random_(), 127.5, 256 * 12**-0.5, 0, 255),
        (lambda: minigrad.empty(N, dtype=minigrad.bool).random_(), 0.5, 0.5, 0, 1),
        (lambda: minigrad.empty(N).random_(), 2**23, 2**24 * 12**-0.5, 0, 2**24),
        (lambda: minigrad.empty(N, dtype=minigrad.int64).random_(), 2.0**62, 2.0**63 * 12**-0.5, 0, 2**63 - 1),
        (lambda: minigrad.empty(N).bernoulli_(minigrad.full((N,), 0.3)), 0.3, 0.21**0.5, 0, 1),
        (lambda: minigrad.empty(N).uniform_(**{"from": 2, "to": 4}), 3, 2 * 12**-0.5, 2, np.nextafter(np.float32(4), np.float32(0))),
        (lambda: minigrad.randint_like(minigrad.zeros(N), 1, 4), 2, (2 / 3) ** 0.5, 1, 3),
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
        (lambda: minigrad.manual_seed(2**64), RuntimeError, r"manual_seed: expected a seed from -2\*\*63 to 2\*\*64 - 1"),
        (lambda: minigrad.rand(2, generator=5), TypeError, "generator: expected a minigrad.Generator, got int"),
        (lambda: minigrad.rand(2, dtype=minigrad.int64), RuntimeError, "rand: expected a floating-point dtype, got int64"),
        (lambda: minigrad.randint(5), TypeError, "randint: argument 'size' is missing"),
        (lambda: minigrad.randint(300, (2,), dtype=minigrad.uint8), RuntimeError, "randint: 0 to 299 are no numbers that uint8 can hold: 0 to 255"),
        (lambda: minigrad.randperm(-1), RuntimeError, "randperm: expected a length that is not negative"),
        (lambda: minigrad.randperm(300, dtype=minigrad.uint8), RuntimeError, "randperm: .* fits into uint8, got 300"),
        (lambda: minigrad.normal(0.0, -1.0, (2,)), RuntimeError, "normal: the standard deviation cannot be negative, got -1.0"),
        (lambda: minigrad.normal(0.0, 1.0), TypeError, "normal: argument 'size' is missing"),
        (lambda: minigrad.normal(minigrad.zeros(2), 1.0, (2,)), TypeError, "normal: size= goes with numbers"),
        (lambda: minigrad.bernoulli(minigrad.tensor([1])), RuntimeError, "bernoulli: expected probabilities as floating-point numbers, got int64"),
        (lambda: minigrad.empty(2).bernoulli_(1.5), RuntimeError, "bernoulli_: probabilities must lie between 0 and 1"),
        (lambda: minigrad.multinomial(minigrad.ones(2), 0), RuntimeError, "multinomial: expected a positive number of samples, got 0"),
        (lambda: minigrad.multinomial(minigrad.ones(1, 1, 1), 1), RuntimeError, "multinomial: expected a vector or a matrix"),
        (lambda: minigrad.arange(2).normal_(), RuntimeError, "normal_: expected a floating-point tensor, got int64"),
        (lambda: minigrad.arange(2).uniform_(), RuntimeError, "uniform_: expected a floating-point tensor, got int64"),
        (lambda: minigrad.empty(2).uniform_(0, 1, 2), TypeError, "uniform_: expected the bounds from and to"),
        (lambda: minigrad.empty(2).uniform_(low=0), TypeError, "uniform_: expected the bounds from and to"),
        (lambda: minigrad.empty(2).uniform_(0, float("nan")), RuntimeError, "uniform_: expected from <= to"),
        (lambda: minigrad.empty(2).exponential_(0), RuntimeError, "exponential_: expected a rate that is positive, got 0"),
        (lambda: minigrad.empty(2).log_normal_(0, 0), RuntimeError, "log_normal_: expected a standard deviation that is positive"),
        (lambda: minigrad.empty(2).cauchy_(0, -1), RuntimeError, "cauchy_: expected a sigma that is positive"),
        (lambda: minigrad.empty(2).geometric_(1.0), RuntimeError, "geometric_: expected a probability between 0 and 1, got 1.0"),
        (lambda: minigrad.empty(2).random_(3, 3), RuntimeError, "random_: low must be below high, got 3 and 3"),
        (lambda: minigrad.empty(2, dtype=minigrad.int8).random_(0, 200), RuntimeError, "random_: 0 to 199 are no numbers that int8 can hold"),
        (lambda: minigrad.poisson(minigrad.tensor([-1.0])), RuntimeError, "poisson: expected rates"),
        (lambda: minigrad.binomial(minigrad.tensor([-1.0]), minigrad.tensor([0.5])), RuntimeError, "binomial: expected counts"),
        (lambda: minigrad.Generator("cuda"), RuntimeError, "Generator: device 'cuda' is not available"),
        (lambda: minigrad.set_rng_state(minigrad.zeros(3, dtype=minigrad.uint8)), RuntimeError, "set_state: expected a state of 112 bytes"),
        (lambda: minigrad.set_rng_state({}), TypeError, "set_state: expected a tensor of uint8 from get_state, got dict"),
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


def test_states_of_generators() -> None:
    g = minigrad.Generator().manual_seed(-1)
    assert (g.initial_seed(), g.device) == (2**64 - 1, minigrad.device("cpu"))
    minigrad.randn(3, generator=g)
    minigrad.randint(5, (3,), dtype=minigrad.int32, generator=g)
    state = g.get_state()
    assert (state.dtype, state.ndim) == (minigrad.uint8, 1)
    twin = g.clone_state()
    copies = [copy.deepcopy(g), pickle.loads(pickle.dumps(g)), minigrad.Generator().set_state(state), twin]
    expected = minigrad.randn(5, generator=g).tolist()
    for other in copies:
        assert minigrad.randn(5, generator=other).tolist() == expected
        assert other.initial_seed() == g.initial_seed()
    assert g.set_state(state) is g
    assert minigrad.randn(5, generator=g).tolist() == expected
    assert g.seed() == g.initial_seed() != g.seed()


def test_the_default_generator() -> None:
    assert minigrad.manual_seed(3) is minigrad.default_generator
    assert minigrad.initial_seed() == minigrad.random.initial_seed() == 3
    state = minigrad.get_rng_state()
    assert minigrad.equal(minigrad.default_generator.get_state(), state)
    assert minigrad.seed() == minigrad.initial_seed()


@pytest.mark.parametrize("enabled", [True, False])
def test_fork_rng(enabled: bool) -> None:
    minigrad.manual_seed(1)
    expected = minigrad.rand(2).tolist()
    minigrad.manual_seed(1)
    with pytest.raises(KeyError), minigrad.random.fork_rng(enabled=enabled):
        minigrad.rand(2)
        raise KeyError
    assert (minigrad.rand(2).tolist() == expected) == enabled


def test_no_gradient_flows_to_the_parameters_of_a_distribution() -> None:
    mean = minigrad.zeros(3, dtype=minigrad.float64, requires_grad=True)
    x = minigrad.normal(mean, 2.0)
    assert (x.dtype, x.requires_grad) == (minigrad.float64, False)
    assert minigrad.normal(0.0, 1.0, (2,), requires_grad=True).is_leaf


@pytest.mark.parametrize("name", ["normal_", "uniform_", "exponential_", "log_normal_", "cauchy_", "random_", "bernoulli_"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_fillers_keep_dtype_memory_and_identity(name: str, dtype: str) -> None:
    around = minigrad.full((4, 4), 7.0, dtype=np.dtype(dtype))
    part = around.t()[1:3]
    assert getattr(part, name)() is part
    assert part.dtype == np.dtype(dtype)
    outside = minigrad.ones(4, 4).bool()
    outside.t()[1:3] = False
    assert bool((around[outside] == 7).all())
    assert not bool((around[~outside] == 7).all())


@pytest.mark.parametrize("fill", ["uniform_", "normal_", "log_normal_", "cauchy_", "exponential_"])
def test_large_tensors_are_filled_in_pieces_with_the_same_numbers(fill):
    count = (1 << 20) + 12345
    minigrad.manual_seed(5)
    recorded = getattr(minigrad.empty(count), fill)()  # at once, by operations
    minigrad.manual_seed(5)
    x = minigrad.empty(count)
    array, version = x.array, x._version
    with minigrad.no_grad():
        assert getattr(x, fill)() is x
    assert x.array is array and x._version == version + 1
    assert minigrad.equal(x, recorded)
    array.flags.writeable = False
    with minigrad.no_grad(), pytest.raises(RuntimeError, match=f"{fill}: the tensor's array is read-only"):
        getattr(x, fill)()
