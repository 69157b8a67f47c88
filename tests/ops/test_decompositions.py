"""Linear algebra by its own equations: factors multiply to the matrix, and gradients agree with differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import linalg
from minigrad.core.engine import grad
from minigrad.core.tensor import make_tensor
from minigrad.testing import compare, slopes

NUMBERS = np.random.Generator(np.random.Philox(7))


def well_conditioned(*shape: int) -> Any:
    return NUMBERS.normal(size=shape) + 4.0 * np.eye(*shape[-2:])


def symmetric(n: int) -> Any:
    a = NUMBERS.normal(size=(n, n))
    return a + a.T + 4.0 * np.diag(np.arange(1.0, n + 1))


def check_derivatives(function: Callable[..., Any], *arrays: Any) -> None:
    """The gradient and the second derivative of a function of tensors against differences, at weighted outputs."""

    def outputs(*xs: Any) -> list[Any]:
        out = function(*[make_tensor(a).requires_grad_() for a in xs])
        return list(out) if isinstance(out, (tuple, list)) else [out]

    def first(*points: Any) -> tuple[list[Any], list[Any]]:
        xs = [make_tensor(a).requires_grad_() for a in points]
        out = function(*xs)
        outs = list(out) if isinstance(out, (tuple, list)) else [out]
        return xs, list(grad(outs, xs, [make_tensor(w) for w in weights], create_graph=True))

    weights = [np.asarray(NUMBERS.normal(size=o.shape)) for o in outputs(*arrays)]
    xs, found = first(*arrays)
    for g, s in zip(found, slopes(lambda *a: [o.detach().array for o in outputs(*a)], arrays, weights), strict=True):
        compare("the gradient", g.detach().array, s)
    again = [np.asarray(NUMBERS.normal(size=g.shape)) for g in found]
    second = grad(found, xs, [make_tensor(w) for w in again])
    for g, s in zip(second, slopes(lambda *a: [x.detach().array for x in first(*a)[1]], arrays, again), strict=True):
        compare("the second derivative", g.detach().array, s, 1e-5)


# lower_cholesky and symmetric_eigen read one triangle, and give a symmetric gradient: they are checked on matrices made symmetric.


@pytest.mark.parametrize("upper", [False, True])
def test_derivatives_of_cholesky(upper: bool) -> None:
    check_derivatives(lambda a: linalg.cholesky(a @ a.mT, upper=upper), well_conditioned(2, 3, 3))


@pytest.mark.parametrize("triangle", ["L", "U"])
def test_derivatives_of_eigenvalues_and_of_what_no_sign_of_a_vector_changes(triangle: str) -> None:
    def values_and_projections(a: Any) -> tuple[Any, Any]:
        values, vectors = linalg.eigh(a + a.mT, triangle)
        return values, vectors * vectors

    check_derivatives(values_and_projections, symmetric(3))


def test_derivatives_of_singular_values() -> None:
    check_derivatives(linalg.svdvals, well_conditioned(3, 2))


@pytest.mark.parametrize("rank", [2, 1])
def test_derivatives_of_the_determinant_of_singular_matrices(rank: int) -> None:
    columns = NUMBERS.normal(size=(3, rank))
    check_derivatives(linalg.det, columns @ NUMBERS.normal(size=(rank, 3)))
    check_derivatives(linalg.det, np.stack([np.zeros((3, 3)), np.eye(3)]))


def test_gradient_of_eigenvalues_that_are_equal() -> None:
    x = minigrad.eye(3, dtype=minigrad.float64).requires_grad_()
    linalg.eigvalsh(x).sum().backward()
    np.testing.assert_allclose(x.grad.array, np.eye(3), atol=1e-15)


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, np.inf, -1, 0])
def test_the_gradient_of_a_norm_is_zero_at_zero(p: float) -> None:
    x = minigrad.zeros(3, dtype=minigrad.float64).requires_grad_()
    linalg.vector_norm(x, p).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]


def test_factors_multiply_to_the_matrix() -> None:
    a = make_tensor(well_conditioned(2, 4, 3))
    q, r = linalg.qr(a)
    np.testing.assert_allclose((q @ r).array, a.array)
    s = a.mT @ a
    factor = linalg.cholesky(s)
    np.testing.assert_allclose((factor @ factor.mT).array, s.array)
    values, vectors = linalg.eigh(s)
    np.testing.assert_allclose((vectors * values.unsqueeze(-2) @ vectors.mT).array, s.array)
    np.testing.assert_allclose(linalg.svdvals(a).array ** 2, np.flip(values.array, -1))
    np.testing.assert_allclose((linalg.pinv(a) @ a).array, np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-12)
    sign, logs = linalg.slogdet(s)
    np.testing.assert_allclose((sign * logs.exp()).array, linalg.det(s).array)


def test_names_of_results() -> None:
    a = make_tensor(well_conditioned(3, 3))
    assert linalg.qr(a).R.shape == (3, 3)
    assert linalg.slogdet(a).logabsdet.shape == ()
    assert linalg.lstsq(a, a).solution.shape == (3, 3)
    assert linalg.eigh(a @ a.mT).eigenvalues.shape == (3,)


def test_the_cheapest_order_of_a_chain_is_taken() -> None:
    narrow = [minigrad.ones(40, 1), minigrad.ones(1, 40), minigrad.ones(40, 1)]
    assert linalg.multi_dot(narrow).tolist() == [[40.0]] * 40


X, Y = minigrad.ones(2, 3), minigrad.ones(3, 3)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: linalg.inv(X), r"linalg.inv: expected square matrices, got shape \(2, 3\)"),
    (lambda: linalg.inv(Y), r"linalg.inv: singular matrix"),
    (lambda: linalg.inv(Y.int()), r"linalg.inv: expected float32 or float64, got int32"),
    (lambda: linalg.det(minigrad.ones(3)), r"linalg.det: expected a matrix"),
    (lambda: linalg.solve(Y, X), r"linalg.solve: 3 equations do not fit a right-hand side of 2 rows"),
    (lambda: linalg.cholesky(-Y), r"linalg.cholesky: matrix is not positive definite"),
    (lambda: linalg.qr(Y, "full"), r"linalg.qr: mode must be 'reduced', 'complete' or 'r', got 'full'"),
    (lambda: linalg.matrix_norm(Y, 3), r"linalg.matrix_norm: ord must be"),
    (lambda: linalg.norm(minigrad.ones(2, 2, 2), 2), r"linalg.norm: with ord=2 and no dim a vector or a matrix is expected"),
    (lambda: linalg.vector_norm(minigrad.ones(0), np.inf), r"linalg.vector_norm: there is no norm of order inf of no elements"),
    (lambda: linalg.multi_dot([X, X]), r"linalg.multi_dot: tensors 0 and 1, of shapes \(2, 3\) and \(2, 3\), cannot be multiplied"),
    (lambda: linalg.cross(X.T, X.T), r"linalg.cross: dimension 1 must have length 3"),
    (lambda: minigrad.addmv(X, X, minigrad.ones(3)), r"addmv: the input of shape \(2, 3\) cannot be expanded"),
])  # fmt: skip
def test_messages(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()
