"""The less used operations on numbers that one can check by hand, and what they refuse. (test_parity_ops has the rest, against torch.)"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import tensor

nan, inf = math.nan, math.inf


def close(x: Any, expected: Any) -> None:
    np.testing.assert_allclose(x.array, expected, rtol=1e-6, atol=1e-7)


def test_special_functions_at_known_points() -> None:
    half = tensor([0.5, 1.0, 5.0], dtype=minigrad.float64)
    np.testing.assert_allclose(minigrad.lgamma(half).array, [math.log(math.pi) / 2, 0.0, math.log(24)], rtol=1e-14, atol=1e-15)
    euler = 0.57721566490153286
    np.testing.assert_allclose(minigrad.digamma(half).array, [-euler - 2 * math.log(2), -euler, 25 / 12 - euler], rtol=1e-14)
    np.testing.assert_allclose(minigrad.polygamma(1, half).array[:2], [math.pi**2 / 2, math.pi**2 / 6], rtol=1e-14)
    np.testing.assert_allclose(minigrad.polygamma(1, -half[:1]).array, [math.pi**2 / 2 + 4], rtol=1e-13)
    x = tensor([-0.99, -0.3, 0.0, 1e-6, 0.999999], dtype=minigrad.float64)
    np.testing.assert_allclose(minigrad.erf(minigrad.erfinv(x)).array, x.array, rtol=1e-15, atol=1e-17)


def test_sinc_has_all_derivatives_at_0() -> None:
    x = tensor([0.0, 1e-4, 0.5], dtype=minigrad.float64, requires_grad=True)
    y = minigrad.sinc(x)
    derivatives = [y]
    for _ in range(4):
        (y,) = minigrad.autograd.grad(y.sum(), [x], create_graph=True)
        derivatives.append(y)
    for k, expected in enumerate((1.0, 0.0, -(math.pi**2) / 3, 0.0, math.pi**4 / 5)):
        assert derivatives[k][0].item() == pytest.approx(expected, abs=1e-9)


def test_ties_of_fmax_belong_to_the_input() -> None:
    x, y = tensor([1.0, nan, 2.0], requires_grad=True), tensor([1.0, 1.0, nan], requires_grad=True)
    out = minigrad.fmax(x, y)
    assert out.tolist() == [1.0, 1.0, 2.0]
    out.sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([1.0, 0.0, 1.0], [0.0, 1.0, 0.0])


def test_order() -> None:
    x = tensor([[2, 1, 2], [3, 3, 1]])
    assert x.mode(1).values.tolist() == [2, 3]
    assert x.mode(1).indices.tolist() == [2, 1]
    assert x.kthvalue(2, 1).values.tolist() == [2, 3]
    assert x.cummax(1).values.tolist() == [[2, 2, 2], [3, 3, 3]]
    assert x.cummax(1).indices.tolist() == [[0, 0, 2], [0, 1, 1]]
    assert x.aminmax(dim=0).max.tolist() == [3, 3, 2]
    assert minigrad.bucketize(tensor([1, 2, 9]), tensor([1, 3]), right=True).tolist() == [1, 1, 2]
    assert minigrad.isin(x, tensor([1, 3])).tolist() == [[False, True, False], [True, True, True]]


def test_median_sees_nan_and_nanmedian_does_not() -> None:
    x = tensor([[3.0, nan, 1.0], [3.0, 2.0, 1.0]])
    assert x.median(1).indices.tolist() == [1, 1]
    assert math.isnan(x.median().item())
    assert x.nanmedian(1).values.tolist() == [1.0, 2.0]


def test_statistics() -> None:
    x = tensor([[1.0, 2.0, 6.0], [0.0, 2.0, 4.0]])
    close(x.cov(), [[7.0, 5.0], [5.0, 4.0]])
    close(x.corrcoef()[0, 1], 5 / math.sqrt(28))
    close(x.quantile(0.5, dim=0), [0.5, 2.0, 5.0])
    close(minigrad.trapezoid(x, dx=2.0), [11.0, 8.0])
    close(minigrad.cdist(x[:1], x[1:]), [[math.sqrt(5)]])
    close(minigrad.histc(tensor([0.0, 1.0, 2.0, 4.0]), 2), [2.0, 2.0])
    close(minigrad.logcumsumexp(tensor([0.0, -inf, 0.0]), 0), [0.0, 0.0, math.log(2)])


def test_gradient_of_logcumsumexp_over_a_wide_range() -> None:
    x = tensor([-1000.0, 0.0, -inf, 1000.0], requires_grad=True)
    minigrad.logcumsumexp(x, 0).sum().backward()
    close(x.grad, [1.0, 2.0, 0.0, 1.0])


@pytest.mark.parametrize("reduce", ["prod", "amax"])
def test_scatter_reduce_where_zeros_and_ties_meet(reduce: str) -> None:
    x = tensor([2.0, 5.0], dtype=minigrad.float64, requires_grad=True)
    src = tensor([0.0, 3.0, 3.0, 0.0], dtype=minigrad.float64, requires_grad=True)
    out = x.scatter_reduce(0, tensor([0, 0, 0, 1]), src, reduce)
    out[0].backward()
    expected = {"prod": (0.0, [0.0, 0.0], [18.0, 0.0, 0.0, 0.0]), "amax": (3.0, [0.0, 0.0], [0.0, 0.5, 0.5, 0.0])}[reduce]
    assert (out[0].item(), x.grad.tolist(), src.grad.tolist()) == expected


def test_windows_along_an_axis() -> None:
    x = minigrad.arange(6.0).requires_grad_()
    windows = x.unfold(0, 3, 1)
    assert windows.tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    windows.sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 3.0, 3.0, 2.0, 1.0]


def test_pieces() -> None:
    assert minigrad.kron(tensor([1, 2]), tensor([1, 10])).tolist() == [1, 10, 2, 20]
    assert minigrad.block_diag(tensor([[1]]), tensor([2, 3])).tolist() == [[1, 0, 0], [0, 2, 3]]
    assert minigrad.cartesian_prod(tensor([1, 2]), tensor([3, 4])).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]
    assert minigrad.diag_embed(tensor([1, 2]), 1).tolist() == [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    assert minigrad.column_stack([tensor([1, 2]), tensor([3, 4])]).tolist() == [[1, 3], [2, 4]]
    assert [p.shape for p in minigrad.zeros(2, 6).hsplit(3)] == [(2, 2)] * 3


def test_writing_at_places() -> None:
    x = minigrad.zeros(2, 3)
    assert x.index_put((tensor([0, 0]), tensor([1, 1])), tensor([2.0, 3.0]), accumulate=True).tolist() == [[0, 5, 0], [0, 0, 0]]
    assert x.put(tensor([-1]), tensor([4.0])).tolist() == [[0, 0, 0], [0, 0, 4]]
    assert x.masked_scatter(tensor([True, False, True]), minigrad.arange(1.0, 6.0)).tolist() == [[1, 0, 2], [3, 0, 4]]
    assert x.index_copy_(1, tensor([2]), minigrad.ones(2, 1)) is x
    assert x.tolist() == [[0, 0, 1], [0, 0, 1]]


X = minigrad.zeros(2, 3)


@pytest.mark.parametrize(("error", "call", "message"), [
    (IndexError, lambda: X.index_fill(1, tensor([3]), 1.0), r"index_fill: an index is out of range for a dimension of length 3: found 3 to 3"),
    (RuntimeError, lambda: X.index_copy(0, tensor([0]), minigrad.zeros(2, 3)), r"index_copy: 1 places along dimension 0 want a source of shape \(1, 3\)"),
    (RuntimeError, lambda: X.index_put((tensor([0]),), tensor([1])), r"index_put: the source must have the input's dtype float32, got int64"),
    (RuntimeError, lambda: X.masked_scatter(X == 0, minigrad.zeros(2)), r"masked_scatter: the mask holds at 6 places but the source has 2"),
    (RuntimeError, lambda: X.scatter_reduce(0, tensor([[0]]), X, "max"), r"scatter_reduce: expected a reduction out of .*, got 'max'"),
    (RuntimeError, lambda: X.kthvalue(4), r"kthvalue: k=4 is out of range for dimension -1 of length 3"),
    (RuntimeError, lambda: X.unfold(1, 4, 1), r"unfold: a window of 4 does not fit into dimension 1 of length 3"),
    (RuntimeError, lambda: X.quantile(1.5), r"quantile: expected q between 0 and 1, got 1.5"),
    (RuntimeError, lambda: X.quantile(0.5, interpolation="cubic"), r"quantile: interpolation must be"),
    (RuntimeError, lambda: X.hsplit(2), r"hsplit: dimension 1 of length 3 cannot be cut into 2 equal pieces"),
    (RuntimeError, lambda: minigrad.bincount(tensor([-1])), r"bincount: expected a vector of integers that are not negative"),
    (RuntimeError, lambda: minigrad.histc(X, 0), r"histc: expected a positive number of bins, got 0"),
    (RuntimeError, lambda: minigrad.gcd(X, X), r"gcd: expected integers, got float32"),
    (RuntimeError, lambda: minigrad.hypot(tensor([1]), tensor([1])), r"hypot: expected floats, got int64"),
    (RuntimeError, lambda: minigrad.cdist(X, minigrad.zeros(2, 2)), r"cdist: expected matrices with rows of one length"),
    (RuntimeError, lambda: minigrad.searchsorted(tensor([1, 2]), 1, right=True, side="left"), r"searchsorted: side='left' contradicts right=True"),
    (TypeError, lambda: minigrad.heaviside(X, 1.0), r"heaviside: expected tensors, got float"),
])  # fmt: skip
def test_messages(error: type[Exception], call: Callable[[], Any], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,jk->k", "ij,jk->", "ij,km->jm", "ij,jk,ik->"])
@pytest.mark.parametrize("dtype", [minigrad.int32, minigrad.uint8, minigrad.int64])
def test_einsum_of_integers_where_one_operand_is_summed_first(equation: str, dtype: object) -> None:
    """Sums are int64, products are not: the two meet in int64."""
    random = np.random.default_rng(0)
    shapes = {"i": 2, "j": 3, "k": 4, "m": 2}
    arrays = [random.integers(0, 5, [shapes[c] for c in term]) for term in equation.split("->")[0].split(",")]
    found = minigrad.einsum(equation, *(minigrad.tensor(array, dtype=dtype) for array in arrays))
    np.testing.assert_array_equal(found.numpy().astype(np.int64), np.einsum(equation, *arrays) % (256 if found.dtype == minigrad.uint8 else 2**62))
