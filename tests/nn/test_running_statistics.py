"""Running statistics: computed with on arrays or by operations, whichever gradients ask for, and moved in place."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad
from minigrad import nn

F = nn.functional


@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [minigrad.float32, minigrad.float64])
def test_evaluation_is_the_same_with_and_without_gradients(weight, bias, dtype):
    minigrad.manual_seed(0)
    x = minigrad.randn(2, 3, 4, 5, dtype=dtype)
    mean, var = minigrad.randn(3, dtype=dtype), minigrad.rand(3, dtype=dtype) + 0.5
    w = minigrad.randn(3, dtype=dtype, requires_grad=True) if weight else None
    b = minigrad.randn(3, dtype=dtype, requires_grad=True) if bias else None
    recorded = F.batch_norm(x.clone().requires_grad_(), mean, var, w, b, eps=0.1)
    with minigrad.no_grad():
        plain = F.batch_norm(x, mean, var, w, b, eps=0.1)
    assert plain.dtype == dtype and not plain.requires_grad
    rounding = 4 * float(minigrad.finfo(dtype).eps) * float(recorded.abs().max())
    np.testing.assert_allclose(plain.numpy(), recorded.detach().numpy(), rtol=0, atol=rounding)
    assert recorded.requires_grad


def test_gradients_of_running_statistics():
    """They are tensors like others: in evaluation gradients reach them where they ask for one."""
    x = minigrad.randn(2, 3, 4, dtype=minigrad.float64)
    mean, var = (minigrad.rand(3, dtype=minigrad.float64) + 0.5 for _ in range(2))
    mean.requires_grad_(), var.requires_grad_()
    assert minigrad.autograd.gradcheck(lambda m, v: F.batch_norm(x, m, v, eps=0.1), (mean, var))


@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0])
def test_training_moves_them_in_place_and_counts_the_write(momentum):
    x = minigrad.randn(4, 3, 5)
    mean, var = minigrad.randn(3), minigrad.rand(3)
    array, versions, before = mean.array, (mean._version, var._version), (mean.numpy().copy(), var.numpy().copy())
    F.batch_norm(x, mean, var, training=True, momentum=momentum)
    assert mean.array is array
    assert (mean._version, var._version) == (versions[0] + 1, versions[1] + 1)
    batch = x.numpy().transpose(1, 0, 2).reshape(3, -1)
    moved = [
        (1 - momentum) * old + momentum * new
        for old, new in zip(before, (batch.mean(1), batch.var(1, ddof=1)), strict=True)
    ]
    np.testing.assert_allclose(mean.numpy(), moved[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var.numpy(), moved[1], rtol=1e-5, atol=1e-6)


def test_infinite_statistics_and_a_variance_of_zero_warn_of_nothing():
    x = minigrad.randn(2, 3, 4)
    with minigrad.no_grad():
        assert not F.batch_norm(x, minigrad.zeros(3), minigrad.zeros(3), eps=0.0).isfinite().any()
    mean = minigrad.full((3,), 3e38)
    F.batch_norm(x, mean, minigrad.full((3,), float("inf")), training=True, momentum=-9.0)


def test_statistics_that_cannot_be_written_are_refused():
    x, mean, var = minigrad.randn(2, 3, 4), minigrad.zeros(3), minigrad.ones(3)
    mean.array.flags.writeable = False
    with pytest.raises(RuntimeError, match=r"batch_norm: the tensor's array is read-only; use a copy"):
        F.batch_norm(x, mean, var, training=True)
    with minigrad.inference_mode():
        mean = minigrad.zeros(3)
    with pytest.raises(
        RuntimeError, match="batch_norm: an inference tensor cannot be written in place outside inference_mode"
    ):
        F.batch_norm(x, mean, var, training=True)
