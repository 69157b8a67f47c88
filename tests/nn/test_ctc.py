"""CTC: the sum over all paths by enumeration, derivatives of two orders, and refusals. Parity with torch: test_module_parity."""

from __future__ import annotations

import math
from itertools import groupby, product

import numpy as np
import pytest

import minigrad
from minigrad.core.engine import grad
from minigrad.nn import functional as F

from .derivatives import check_two_orders

tensor = minigrad.tensor


def logits(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape)


def spelled(path: tuple[int, ...], blank: int) -> list[int]:
    """Merges what repeats, then drops blanks."""
    return [label for label, _ in groupby(path) if label != blank]


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("target", [[], [1], [1, 1], [1, 3, 1], [1, 1, 1], [3, 1, 1, 3]])
def test_ctc_loss_is_the_sum_over_all_paths(target: list[int], blank: int) -> None:
    log_probs = tensor(logits(5, 4)).log_softmax(-1)
    p = log_probs.exp().numpy()
    total = sum(
        math.prod(p[t, label] for t, label in enumerate(path))
        for path in product(range(4), repeat=5)
        if spelled(path, blank) == target
    )
    loss = F.ctc_loss(log_probs, tensor(target).long(), (5,), (len(target),), blank, "none")
    assert loss.item() == pytest.approx(-math.log(total) if total else math.inf)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_two_orders_of_derivatives(reduction: str) -> None:
    targets = tensor([[1, 2, 2], [2, 1, 0], [0, 0, 0]])

    def loss(x: minigrad.Tensor) -> minigrad.Tensor:
        return F.ctc_loss(x.log_softmax(-1), targets, (5, 4, 3), (3, 2, 0), 0, reduction)

    check_two_orders(loss, logits(5, 3, 3))


def test_the_gradient_is_that_along_normalised_log_probabilities() -> None:
    log_probs = tensor(logits(4, 1, 3)).log_softmax(-1).requires_grad_()
    (g,) = grad(F.ctc_loss(log_probs, tensor([[1, 2]]), (3,), (2,), reduction="sum"), [log_probs])
    np.testing.assert_allclose(g.numpy().sum(-1), 0, atol=1e-12)
    assert not g.numpy()[3].any()


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_targets_that_do_not_fit_into_the_outputs(zero_infinity: bool) -> None:
    x = tensor(logits(3, 2, 3), requires_grad=True)
    loss = F.ctc_loss(
        x.log_softmax(-1), tensor([[1, 1], [1, 2]]), (2, 3), (2, 2), reduction="none", zero_infinity=zero_infinity
    )
    assert loss[0].item() == (0 if zero_infinity else math.inf)
    loss.sum().backward()
    impossible, possible = x.grad[:, 0], x.grad[:, 1]
    assert math.isfinite(possible.abs().sum().item())
    assert possible.any()
    assert not impossible.any() if zero_infinity else impossible[:2].isnan().all()


def test_labels_of_probability_zero() -> None:
    x = minigrad.tensor([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]]).double().log()
    x.requires_grad_()
    loss = F.ctc_loss(x, tensor([1]), (2,), (1,), reduction="sum")
    assert loss.item() == pytest.approx(-math.log(0.5 * 0.25 + 0.5 * 0.25 + 0.5 * 0.25))
    loss.backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_long_sequences_neither_underflow_nor_overflow() -> None:
    log_probs = minigrad.full((2000, 1, 5), math.log(0.2))
    loss = F.ctc_loss(log_probs, minigrad.ones(1, 3).long() + tensor([[0, 1, 2]]), (2000,), (3,), reduction="sum")
    ways = math.comb(2003, 6)  # of placing three runs among blanks in 2000 steps
    assert loss.item() == pytest.approx(2000 * math.log(5) - math.log(ways), rel=1e-5)


good = minigrad.zeros(6, 2, 4)
labels = tensor([[1, 2], [3, 1]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.ctc_loss(good, labels, (7, 6), (2, 2)), RuntimeError, "Expected input_lengths to have value at most 6, but got value 7"),
        (lambda: F.ctc_loss(good, labels, (-1, 6), (2, 2)), RuntimeError, "Expected input_lengths to have value at least 0, but got value -1"),
        (lambda: F.ctc_loss(good, labels, (6,), (2, 2)), RuntimeError, "input_lengths must be of size batch_size: expected 2 lengths, got 1"),
        (lambda: F.ctc_loss(good, labels, (6, 6), (2,)), RuntimeError, "target_lengths must be of size batch_size"),
        (lambda: F.ctc_loss(good, labels, tensor([6.0, 6.0]), (2, 2)), RuntimeError, "input_lengths must be integral, got float32"),
        (lambda: F.ctc_loss(good, labels, (6, 6), (3, 2)), RuntimeError, r"2 rows of size at least 3, but got shape \(2, 2\)"),
        (lambda: F.ctc_loss(good, labels, (6.5, 6), (2, 2)), RuntimeError, "input_lengths must be integral, got float64"),
        (lambda: F.ctc_loss(good, labels, (6, 6), (2, float("inf"))), RuntimeError, "target_lengths must be integral, got float64"),
        (lambda: F.ctc_loss(good, tensor([1, 2, 3]), (6, 6), (2, 2)), RuntimeError, "Expected targets to have size 4, the sum of target_lengths, but got size 3"),
        (lambda: F.ctc_loss(good, labels.unsqueeze(0), (6, 6), (2, 2)), RuntimeError, "Expected targets with 1 to 2 dimensions"),
        (lambda: F.ctc_loss(good, labels.float(), (6, 6), (2, 2)), RuntimeError, "expected targets of integers, got float32"),
        (lambda: F.ctc_loss(good, labels + 1, (6, 6), (2, 2)), RuntimeError, "targets must be class numbers below 4, got 4"),
        (lambda: F.ctc_loss(good, labels, (6, 6), (2, 2), blank=4), RuntimeError, "blank must be in label range: expected 0 <= blank < 4, got 4"),
        (lambda: F.ctc_loss(good, labels, (6, 6), (2, 2), reduction="batchmean"), ValueError, "'batchmean' is not a valid value for reduction"),
        (lambda: F.ctc_loss(good[0, 0], labels, (6, 6), (2, 2)), RuntimeError, r"expected log_probs \(T, N, C\) or \(T, C\), got shape \(4,\)"),
        (lambda: F.ctc_loss(good[:0], labels, (0, 0), (2, 2)), RuntimeError, "log_probs tensor must not be empty"),
        (lambda: F.ctc_loss(good.half(), labels, (6, 6), (2, 2)), NotImplementedError, "float32 or float64, got float16"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_float32_keeps_its_digits_over_many_steps() -> None:
    x = logits(100, 4, 10) * 3
    results = []
    for dtype in (minigrad.float32, minigrad.float64):
        log_probs = tensor(x).log_softmax(-1).float().to(dtype).requires_grad_()
        loss = F.ctc_loss(log_probs, tensor([[1, 2, 3, 1]] * 4), (100,) * 4, (4,) * 4, reduction="none")
        loss.sum().backward()
        assert loss.dtype == log_probs.grad.dtype == dtype
        results.append((loss.detach().numpy(), log_probs.grad.numpy()))
    for narrow, wide in zip(*results, strict=True):
        np.testing.assert_allclose(narrow, wide, rtol=1e-6, atol=1e-7)
