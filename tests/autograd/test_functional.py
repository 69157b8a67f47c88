"""autograd.functional: what these derivatives are, by their mathematics; structures and errors are compared with torch in test_parity.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor
from minigrad.autograd import Function
from minigrad.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

SIZES = st.integers(1, 4)
SEEDS = st.integers(0, 2**16)
STRATEGIES = st.sampled_from(["reverse-mode", "forward-mode"])


def random(seed: int, *shape: int) -> Tensor:
    return minigrad.tensor(np.random.default_rng(seed).standard_normal(shape))


def smooth(w: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from vectors to vectors that is not linear in anything."""
    return lambda x: (w @ x).sin() * x.exp().sum()


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(
        minigrad.as_tensor(a).detach().numpy(), minigrad.as_tensor(b).detach().numpy(), rtol=1e-9, atol=1e-11
    )


@given(SIZES, SIZES, SEEDS, STRATEGIES, st.booleans())
def test_the_jacobian_of_a_linear_map_is_its_matrix(n: int, m: int, seed: int, strategy: str, vectorize: bool) -> None:
    a = random(seed, m, n)
    close(jacobian(lambda x: a @ x, random(seed + 1, n), strategy=strategy, vectorize=vectorize), a)


@given(SIZES, SEEDS, STRATEGIES)
def test_the_hessian_of_a_quadratic_form(n: int, seed: int, strategy: str) -> None:
    a = random(seed, n, n)
    close(hessian(lambda x: x @ a @ x, random(seed + 1, n), outer_jacobian_strategy=strategy), a + a.t())


@given(SIZES, SIZES, SEEDS)
def test_products_are_products_with_the_jacobian(n: int, m: int, seed: int) -> None:
    f, x = smooth(random(seed, m, n)), random(seed + 1, n)
    v, u, j = random(seed + 2, m), random(seed + 3, n), jacobian(f, x)
    value, product = vjp(f, x, v)
    close(value, f(x))
    close(product, v @ j)
    value, pushed = jvp(f, x, u)
    close(value, f(x))
    close(pushed, j @ u)
    close((pushed * v).sum(), (product * u).sum())  # they are transposes of each other


@given(SIZES, SEEDS)
def test_products_are_products_with_the_hessian(n: int, seed: int) -> None:
    f, x, v = smooth(random(seed, n, n)), random(seed + 1, n), random(seed + 2, n)
    h = hessian(lambda x: f(x).sum(), x)
    close(h, h.t())
    for product in (hvp, vhp):
        value, found = product(lambda x: f(x).sum(), x, v)
        close(value, f(x).sum())
        close(found, h @ v)


@given(SIZES, SEEDS)
def test_the_hessian_is_the_jacobian_of_the_gradient(n: int, seed: int) -> None:
    f = smooth(random(seed, n, n))
    x = random(seed + 1, n)
    close(hessian(lambda x: f(x).sum(), x), jacobian(lambda x: vjp(lambda y: f(y).sum(), x, create_graph=True)[1], x))


@given(SEEDS, STRATEGIES)
def test_blocks_of_several_inputs_and_outputs(seed: int, strategy: str) -> None:
    a, b = random(seed, 2, 3), random(seed + 1, 4, 3)
    x, y = random(seed + 2, 3), random(seed + 3, 3)
    blocks = jacobian(lambda x, y: (a @ x, b @ (x * y)), (x, y), strategy=strategy)
    for found, expected in zip(blocks, [[a, minigrad.zeros(2, 3)], [b * y, b * x]], strict=True):
        for block, matrix in zip(found, expected, strict=True):
            close(block, matrix)
    (xx, xy), (yx, yy) = hessian(lambda x, y: (x * x * y).sum(), (x, y), outer_jacobian_strategy=strategy)
    for block, matrix in (
        (xx, minigrad.diag(2 * y)),
        (xy, minigrad.diag(2 * x)),
        (yx, minigrad.diag(2 * x)),
        (yy, minigrad.zeros(3, 3)),
    ):
        close(block, matrix)


@given(SIZES, SEEDS, st.sampled_from(["vjp", "jvp", "hvp", "vhp", "jacobian", "hessian"]), STRATEGIES)
def test_with_create_graph_all_can_be_differentiated(n: int, seed: int, name: str, strategy: str) -> None:
    """Against a symmetric difference of the result itself."""
    f, x, v = smooth(random(seed, n, n)), random(seed + 1, n), random(seed + 2, n)
    weights = random(seed + 3, n)

    def result(x: Tensor, create_graph: bool) -> Tensor:
        if name == "jacobian":
            return (jacobian(f, x, create_graph, strategy=strategy) @ v * weights).sum()  # type: ignore[no-any-return]
        if name == "hessian":
            return (
                hessian(lambda x: f(x).sum(), x, create_graph, outer_jacobian_strategy=strategy) @ v * weights
            ).sum()  # type: ignore[no-any-return]
        g = f if name in ("vjp", "jvp") else (lambda x: f(x).sum())
        return (globals()[name](g, x, v, create_graph=create_graph)[1] * weights).sum()  # type: ignore[no-any-return]

    x.requires_grad_()
    (slope,) = minigrad.autograd.grad(result(x, True), x)
    step = 1e-6
    for i in range(n):
        unit = minigrad.zeros(n, dtype=minigrad.float64)
        unit[i] = step
        difference = (result(x.detach() + unit, False) - result(x.detach() - unit, False)).item() / (2 * step)
        np.testing.assert_allclose(slope[i].item(), difference, rtol=1e-5, atol=1e-6)


class Swirl(Function):
    """Claims a gradient that no function has, (-y, x), so that the Hessian is not symmetric."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g * minigrad.stack([-x[1], x[0]])


def test_a_hessian_that_is_not_symmetric() -> None:
    x, v = random(0, 2), random(1, 2)
    h = hessian(Swirl.apply, x)
    assert h.tolist() == [[0.0, -1.0], [1.0, 0.0]]
    close(hvp(Swirl.apply, x, v)[1], h @ v)
    close(vhp(Swirl.apply, x, v)[1], v @ h)


def test_nothing_of_the_caller_is_touched() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    for create_graph in (False, True):
        for call in (jacobian, hessian, vjp, jvp, hvp, vhp):
            call(lambda x: (x**3).sum(), y.reshape(2)[:1], create_graph=create_graph)
    assert (x.grad, y.grad, x.requires_grad) == (None, None, True)
    with minigrad.no_grad():
        assert jacobian(lambda x: x * x, x).tolist() == [[2.0, 0.0], [0.0, 4.0]]
        assert jvp(lambda x: x * x, x, minigrad.ones(2))[1].tolist() == [2.0, 4.0]
        assert hvp(lambda x: (x**3).sum(), x, minigrad.ones(2))[1].tolist() == [6.0, 12.0]
        assert not minigrad.is_grad_enabled()


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_empty_and_0_d(strategy: str) -> None:
    empty = minigrad.zeros(0)
    assert jacobian(lambda x: x * 2, empty, strategy=strategy).shape == (0, 0)
    assert jacobian(lambda x: x.sum(), empty, strategy=strategy).shape == (0,)
    assert jacobian(lambda x: x[:0], minigrad.ones(3), strategy=strategy).shape == (0, 3)
    assert jacobian(lambda x: x**2, minigrad.tensor(3.0), strategy=strategy).item() == 6.0
    assert hessian(lambda x: x**3, minigrad.tensor(3.0), outer_jacobian_strategy=strategy).item() == 18.0
    assert hvp(lambda x: x**3, minigrad.tensor(3.0))[1].item() == 18.0


def test_dtypes() -> None:
    x, y = minigrad.ones(2), minigrad.ones(2, dtype=minigrad.float64)
    blocks = jacobian(lambda x, y: x * y, (x, y))
    assert [block.dtype for block in blocks] == [minigrad.float32, minigrad.float64]
    assert [g.dtype for g in vjp(lambda x, y: (x * y).sum(), (x, y))[1]] == [minigrad.float32, minigrad.float64]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda x: jacobian(lambda x: x, x, strategy="sideways"),
            ValueError,
            "'reverse-mode' or 'forward-mode', got 'sideways'",
        ),
        (
            lambda x: jacobian(lambda x: x, [x]),
            TypeError,
            "The inputs given to jacobian must be either a Tensor or a tuple of Tensors, but it is list",
        ),
        (
            lambda x: vjp(lambda x: (x, 1.0), x),
            TypeError,
            "The outputs of the user-provided function given to vjp .* at index 1 is float",
        ),
        (lambda x: jvp(lambda x: x, x, 1.0), TypeError, "The v given to jvp must be"),
        (lambda x: vjp(lambda x: x, x), RuntimeError, "vjp: The vector v can only be None if the output"),
        (lambda x: jvp(lambda x: x, x), RuntimeError, "jvp: The vector v can only be None if the input"),
        (
            lambda x: vjp(lambda x: x, x, x[:1]),
            RuntimeError,
            r"vjp: v has invalid size: should be \(2,\) but got \(1,\)",
        ),
        (lambda x: vjp(lambda x: (x, x), x, (x, x[:1])), RuntimeError, r"Entry 1 in v has invalid size"),
        (lambda x: vjp(lambda x: (x, x), x, x), RuntimeError, "v is a tuple of invalid length: should be 2 but got 1"),
        (lambda x: vjp(lambda x: x, x, (x, x)), RuntimeError, "The given v should contain a single Tensor, got 2"),
        (lambda x: hessian(lambda x: x, x), RuntimeError, r"hessian should contain a single element, got \(2,\)"),
        (
            lambda x: hvp(lambda x: (x.sum(),), x, x),
            RuntimeError,
            "The function given to hvp should return a single Tensor",
        ),
        (lambda x: vhp(lambda x: x, x, x), RuntimeError, "vhp should contain a single element"),
        (
            lambda x: vjp(lambda x: x.detach().sum(), x, strict=True),
            RuntimeError,
            "Output 0 of the user-provided function does not require grad",
        ),
        (
            lambda x: vjp(lambda x, y: x.sum(), (x, x), strict=True),
            RuntimeError,
            "The output .* is independent of input 1",
        ),
        (
            lambda x: vhp(lambda x: x.sum(), x, x, strict=True),
            RuntimeError,
            "jacobian .* with respect to input 0 is independent of the input",
        ),
        (lambda x: vjp(lambda x: x.sum(), x, create_graph=True, strict=True), RuntimeError, "when create_graph=True"),
        (
            lambda x: jacobian(lambda x: x, minigrad.ones(2, dtype=minigrad.int64)),
            RuntimeError,
            "only floating-point tensors",
        ),
    ],
)
def test_errors(call: Callable[[Tensor], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2))
    assert minigrad.is_grad_enabled()
