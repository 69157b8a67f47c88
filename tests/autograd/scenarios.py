"""What torch does, done by both: the same few lines run with `lib` as torch and as minigrad, and must give the same values or errors.

A scenario is a function of the library that returns numbers, tensors, None, text and tuples or lists of them. `refused` turns an error into
the name of its type.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

Scenario = Callable[[Any], Any]


def refused(call: Callable[[], Any]) -> Any:
    """What the call returns, or the type of its error."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


def leaf(lib: Any, *values: float) -> Any:
    return lib.tensor(values, dtype=lib.float64, requires_grad=True)


def plain(lib: Any, *values: float) -> Any:
    return lib.tensor(values, dtype=lib.float64)


def readable(x: Any) -> Any:
    """Tensors as (shape, values, requires_grad), so that results of two libraries can be compared."""
    if isinstance(x, (minigrad.Tensor, torch.Tensor)):
        return tuple(x.shape), np.asarray(x.detach().numpy(), np.float64).ravel().tolist(), x.requires_grad
    if isinstance(x, dict):
        return {key: readable(value) for key, value in x.items()}
    if isinstance(x, (tuple, list)):
        return [type(x).__name__, *[readable(y) for y in x]]
    return x


def assert_same(ours: Any, theirs: Any, where: str = "") -> None:
    if isinstance(theirs, list):
        assert isinstance(ours, list)
        assert len(ours) == len(theirs), f"{where}: {ours} {theirs}"
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(a, b, f"{where}[{i}]")
    elif isinstance(theirs, tuple) and len(theirs) == 3 and isinstance(theirs[1], list):
        assert ours[0] == theirs[0], where
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-10, atol=1e-12, err_msg=where)
        assert ours[2] == theirs[2], f"{where}: requires_grad"
    else:
        assert ours == theirs, where


def function(lib: Any, forward: Any, backward: Any, setup: Any = None) -> Any:
    """A Function of these methods."""
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if setup is not None:
        methods["setup_context"] = staticmethod(setup)
    return type("Custom", (lib.autograd.Function,), methods)


class Scenarios:
    """Collects what it decorates, for one test of each."""

    def __init__(self) -> None:
        self.all: list[Scenario] = []

    def __call__(self, scenario: Scenario) -> Scenario:
        self.all.append(scenario)
        return scenario

    def as_in_torch(self) -> Any:
        """The test that each gives with minigrad what it gives with torch."""

        @pytest.mark.parametrize("run", self.all, ids=lambda run: run.__name__.replace(" ", "_"))
        def test(run: Scenario) -> None:
            ours = readable(run(minigrad))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch's own
                theirs = readable(run(torch))
            assert_same(ours, theirs)

        return test
