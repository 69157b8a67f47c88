"""Initialisers: the distributions they promise, and that layers start as torch's do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import init


@pytest.fixture(autouse=True)
def seed() -> None:
    minigrad.manual_seed(0)


def filled(name: str, *args: float, shape: tuple[int, ...] = (200, 100), **options: object) -> np.ndarray:
    tensor = minigrad.empty(shape).fill_(99)
    assert getattr(init, name)(tensor, *args, **options) is tensor
    return tensor.numpy()


def check_uniform(values: np.ndarray, bound: float) -> None:
    assert abs(values).max() <= bound
    assert abs(values).max() > 0.99 * bound
    assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert abs(values.mean()) < 0.02 * bound


def check_normal(values: np.ndarray, std: float) -> None:
    standard = values / std
    assert standard.std() == pytest.approx(1, rel=0.02)
    assert abs(standard.mean()) < 0.02
    assert np.mean(abs(standard) > 1.96) == pytest.approx(0.05, abs=0.005)


def test_constants() -> None:
    assert (filled("constant_", 3) == 3).all()
    assert (filled("ones_") == 1).all()
    assert (filled("zeros_") == 0).all()
    assert np.array_equal(filled("eye_", shape=(3, 2)), np.eye(3, 2))


def test_uniform_and_normal() -> None:
    check_uniform(filled("uniform_", -0.5, 0.5), 0.5)
    check_normal(filled("normal_", 3, 2) - 3, 2)


def test_xavier() -> None:
    check_uniform(filled("xavier_uniform_", 2), 2 * math.sqrt(6 / 300))
    check_normal(filled("xavier_normal_", 2), 2 * math.sqrt(2 / 300))


def test_kaiming_counts_the_taps_of_a_kernel() -> None:
    shape = (64, 16, 3, 3)
    check_uniform(filled("kaiming_uniform_", shape=shape, nonlinearity="relu"), math.sqrt(2) * math.sqrt(3 / (16 * 9)))
    check_normal(filled("kaiming_normal_", shape=shape, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / (64 * 9)))
    check_normal(filled("kaiming_normal_", 2, shape=shape), math.sqrt(2 / (1 + 4) / (16 * 9)))


@pytest.mark.parametrize(("std", "low", "high"), [(1, -2, 2), (0.02, -0.04, 0.01), (1, 3, 5), (1, -0.01, 0.01), (2, -9, -6)])
def test_truncated_normal(std: float, low: float, high: float) -> None:
    special = pytest.importorskip("scipy.stats")
    values = filled("trunc_normal_", 0.0, std, low, high)
    assert low <= values.min()
    assert values.max() <= high
    expected = special.truncnorm(low / std, high / std, scale=std)
    assert special.kstest(values.reshape(-1), expected.cdf).pvalue > 1e-4


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = filled("orthogonal_", 2.0, shape=shape).reshape(shape[0], -1) / 2
    product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-5)


def test_orthogonal_is_as_exact_as_its_dtype() -> None:
    matrix = init.orthogonal_(minigrad.empty(5, 5, dtype=minigrad.float64)).numpy()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(5), atol=1e-13)


def test_dirac_keeps_the_input() -> None:
    x = minigrad.randn(2, 4, 5, 5)
    for groups in (1, 2):
        weight = init.dirac_(minigrad.empty(4, 4 // groups, 3, 3), groups)
        assert np.array_equal(nn.functional.conv2d(x, weight, padding=1, groups=groups).numpy(), x.numpy())


def test_sparse() -> None:
    values = filled("sparse_", 0.3, 2.0)
    assert ((values == 0).sum(0) == 60).all()
    check_normal(values[values != 0], 2.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.calculate_gain("swish"), ValueError, "Unsupported nonlinearity swish"),
        (lambda: init.calculate_gain("leaky_relu", "x"), ValueError, "negative_slope x not a valid number"),
        (lambda: init.xavier_normal_(minigrad.empty(3)), ValueError, "fewer than 2 dimensions"),
        (lambda: init.kaiming_normal_(minigrad.empty(3, 3), mode="fan"), ValueError, "Mode fan not supported"),
        (lambda: init.eye_(minigrad.empty(3)), ValueError, "eye_: only tensors with 2 dimensions"),
        (lambda: init.dirac_(minigrad.empty(3, 3)), ValueError, "dirac_: only tensors with 3, 4, or 5"),
        (lambda: init.dirac_(minigrad.empty(3, 3, 3), 2), ValueError, "must be divisible by groups=2"),
        (lambda: init.orthogonal_(minigrad.empty(3)), ValueError, "orthogonal_: only tensors with 2 or more"),
        (lambda: init.sparse_(minigrad.empty(3), 0.1), ValueError, "sparse_: only tensors with 2"),
        (lambda: init.trunc_normal_(minigrad.empty(3), a=2, b=1), ValueError, "expected a < b and std > 0, got a=2, b=1"),
    ],
)
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_gains() -> None:
    assert init.calculate_gain("tanh") == pytest.approx(5 / 3)
    assert init.calculate_gain("relu") == pytest.approx(math.sqrt(2))
    assert init.calculate_gain("leaky_relu", 0.2) == pytest.approx(math.sqrt(2 / 1.04))
    assert init.calculate_gain("conv_transpose2d") == 1


@pytest.mark.parametrize("fill", [init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_, init.orthogonal_])
@pytest.mark.parametrize("shape", [(0, 0), (2, 3, 0), (0, 3)])
def test_there_is_nothing_to_fill_in_a_tensor_without_elements(fill: Any, shape: tuple[int, ...]) -> None:
    assert fill(minigrad.empty(shape)).shape == shape


def test_initialisers_leave_no_graph_and_take_parameters() -> None:
    parameter = nn.Parameter(minigrad.zeros(3, 3))
    init.normal_(parameter)
    assert parameter.is_leaf
    assert parameter.requires_grad


def test_generators_make_initialisers_repeatable() -> None:
    draws = [
        init.xavier_normal_(minigrad.empty(4, 4), generator=minigrad.Generator().manual_seed(s)).tolist() for s in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [
        (lambda: nn.Linear(50, 400), 50),
        (lambda: nn.Conv2d(16, 64, 3), 16 * 9),
        (lambda: nn.Conv1d(16, 64, 5, groups=4), 4 * 5),
        (lambda: nn.ConvTranspose2d(64, 16, 3), 16 * 9),
    ],
)
def test_layers_start_uniform_with_one_over_the_root_of_fan_in(layer, fan_in: int) -> None:
    built = layer()
    check_uniform(built.weight.detach().numpy(), 1 / math.sqrt(fan_in))
    assert 0.7 / math.sqrt(fan_in) < abs(built.bias.detach().numpy()).max() <= 1 / math.sqrt(fan_in)
