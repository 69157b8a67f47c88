"""check judges functions of JAX and of HIPS autograd, where these are installed (`pip install 'minigrad[adapters]'`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minigrad.testing import GradientError, check

X = np.random.default_rng(1).normal(size=(2, 3))


def power(name: str, factor: float) -> Any:
    """x**3 with a derivative by hand, in a framework."""
    module = pytest.importorskip(name)
    if name == "jax":
        cube = module.custom_vjp(lambda x: x**3)
        cube.defvjp(lambda x: (x**3, x), lambda x, g: (factor * g * x**2,))
        return cube
    primitive = module.extend.primitive(lambda x: x**3)
    module.extend.defvjp(primitive, lambda out, x: lambda g: factor * g * x**2)
    return primitive


@pytest.mark.gradcheck
@pytest.mark.parametrize("name", ["jax", "autograd"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_derivatives_by_hand(name: str, dtype: Any) -> None:
    pytest.importorskip(f"{name}.extend" if name == "autograd" else name)
    inputs = X.astype(dtype)
    assert check(power(name, 3.0), inputs, framework=name, max_examples=4).verdict == "pass"
    with pytest.raises(GradientError) as caught:
        check(power(name, 2.0), inputs, framework=name, max_examples=4)
    assert caught.value.finding is not None
    assert caught.value.finding.guess.startswith("off by a factor 0.666667 ")


@pytest.mark.gradcheck
@pytest.mark.parametrize("name", ["jax", "autograd"])
def test_their_own_functions_pass(name: str) -> None:
    numpy = pytest.importorskip(f"{name}.numpy")
    for function in (lambda x, y: numpy.sum(numpy.tanh(x) * y), lambda x, y: numpy.maximum(x, 0.0) @ y.T):
        assert check(function, X, X + 1, framework=name, max_examples=4).verdict == "pass"
