"""Bounds on gradients, and parameters as one vector."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    clip_grads_with_norm_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def with_gradients(*values: Any) -> list[nn.Parameter]:
    parameters = []
    for value in values:
        gradient = minigrad.tensor(value)
        parameters.append(nn.Parameter(minigrad.zeros(gradient.shape, dtype=gradient.dtype)))
        parameters[-1].grad = gradient
    return parameters


@pytest.mark.parametrize("norm_type", [1, 2.0, 3, math.inf])
@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clip_grad_norm_parity_with_torch(norm_type: float, max_norm: float) -> None:
    torch = pytest.importorskip("torch")
    values = [np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([4.0])]
    ours = with_gradients(*values)
    theirs = [torch.nn.Parameter(torch.zeros(value.shape).double()) for value in values]
    for parameter, value in zip(theirs, values, strict=True):
        parameter.grad = torch.tensor(value)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    total = clip_grad_norm_(ours, max_norm, norm_type)
    assert total.item() == pytest.approx(expected.item(), rel=1e-12)
    assert total.dtype == minigrad.float64
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6)


def test_clip_grad_norm_takes_one_tensor_and_leaves_small_gradients() -> None:
    (parameter,) = with_gradients([3.0, 4.0])
    gradient = parameter.grad
    assert clip_grad_norm_(parameter, 10).item() == 5
    assert parameter.grad.tolist() == [3, 4]
    clip_grad_norm_(parameter, 1)
    assert parameter.grad is gradient
    np.testing.assert_allclose(gradient.tolist(), [0.6, 0.8], rtol=1e-5)
    assert clip_grad_norm_([nn.Parameter(minigrad.zeros(1))], 1).item() == 0


def test_gradients_of_all_layouts_and_dtypes_are_scaled_together() -> None:
    gradients = [np.ones((3, 4)).T, np.ones(4, np.float32), np.ones(8, np.float32)[::2], np.full((), 2.0), np.ones((0, 3))]
    parameters = [nn.Parameter(minigrad.zeros(gradient.shape, dtype=gradient.dtype)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = minigrad.from_numpy(gradient)
    total = clip_grad_norm_([*parameters, parameters[0]], 3.0)  # one that is there twice counts twice and is scaled once
    assert total.item() == 6
    for parameter, gradient in zip(parameters, gradients, strict=True):
        np.testing.assert_allclose(parameter.grad.numpy(), np.full(gradient.shape, 1.0 if gradient.ndim == 0 else 0.5), rtol=1e-6)
        assert parameter.grad.dtype == gradient.dtype


def test_clipping_is_noticed_by_backward() -> None:
    (parameter,) = with_gradients([3.0, 4.0])
    weight = minigrad.ones(2, requires_grad=True)
    loss = (weight * parameter.grad).sum()
    clip_grad_norm_([parameter], 1.0)
    with pytest.raises(RuntimeError, match="overwritten"):
        loss.backward()


def test_clipping_by_a_norm_known_already() -> None:
    parameters = with_gradients([3.0], [4.0])
    clip_grads_with_norm_(parameters, 1.0, get_total_norm([parameter.grad for parameter in parameters]))
    assert [parameter.grad.item() for parameter in parameters] == pytest.approx([0.6, 0.8])


def test_norms_of_large_gradients_do_not_overflow() -> None:
    parameters = with_gradients([3e30], [4e30])
    assert clip_grad_norm_(parameters, 1.0).item() == pytest.approx(5e30)
    assert parameters[0].grad.item() == pytest.approx(0.6)
    assert get_total_norm([]).item() == 0


def test_norms_that_are_not_finite() -> None:
    parameters = with_gradients([1.0], [math.nan])
    with pytest.raises(RuntimeError, match=r"The total norm of order 2\.0 for gradients from `parameters` is non-finite"):
        clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[0].grad.tolist() == [1]
    for order in (2.0, math.inf):
        assert math.isnan(clip_grad_norm_(with_gradients([1.0], [math.nan], [2.0]), 1.0, order).item())


def test_clip_grad_value() -> None:
    parameters = [*with_gradients([-3.0, 0.5], [7.0]), nn.Parameter(minigrad.zeros(1))]
    clip_grad_value_(parameters, 1)
    assert [parameter.grad.tolist() for parameter in parameters[:2]] == [[-1.0, 0.5], [1.0]]


def test_parameters_to_a_vector_and_back() -> None:
    model = nn.Linear(2, 2)
    vector = parameters_to_vector(model.parameters())
    assert vector.shape == (6,)
    weight = model.weight
    vector_to_parameters(minigrad.arange(6).float(), model.parameters())
    assert model.weight is weight
    assert (weight.tolist(), model.bias.tolist()) == ([[0, 1], [2, 3]], [4, 5])
    vector = parameters_to_vector(model.parameters())
    (vector * vector).sum().backward()
    assert model.bias.grad.tolist() == [8, 10]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: vector_to_parameters([1.0], []), TypeError, "expected a Tensor, but got list"),
        (lambda: vector_to_parameters(minigrad.zeros(5), nn.Linear(2, 2).parameters()), ValueError,
         "the parameters have 6 elements but the vector has 5"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
