"""Every operation gives on the device what it gives on the host: values, gradients, second derivatives. Simulated, not run on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import driver
from minigrad.testing.operations import EPSILON_32, LAWS, assert_near, empty_may_raise, leaves, pull_back
from minigrad.testing.strategies import Call, calls, cotangents

from ..test_laws import OPERATIONS
from .conftest import is_quick

QUICK = is_quick()


def moved(x: Any, move: Any) -> Any:
    """The argument with its arrays moved, also those that are parts of a key."""
    if type(x) in (tuple, list):
        return type(x)([moved(y, move) for y in x])
    return move(x) if isinstance(x, np.ndarray) else x


def results(call: Call, weights: list[Any], again: list[Any], move: Any) -> list[Any]:
    """The arrays of the outputs, the gradients and the gradients of the gradients, on the host."""
    op = call.op
    n = len(call.args) if op.variadic else op.n_tensors
    xs = [make_tensor(move(a)).requires_grad_() for a in call.inputs]
    args = [
        make_tensor(move(a)) if i < n and isinstance(a, np.ndarray) else moved(a, move) for i, a in enumerate(call.args)
    ]
    for place, x in zip(call.places, xs, strict=True):
        args[place] = x
    with empty_may_raise(call):
        out = op(*args, **{name: moved(value, move) for name, value in call.named.items()})
    outs = out if isinstance(out, tuple) else (out,)
    kept = [out for out in outs[: len(outs) - op.aux] if out.dtype.kind == "f"]
    first = pull_back(kept, [move(w) for w in weights], xs, create_graph=True)
    found: list[Tensor] = [*outs, *first]
    if again and any(g.requires_grad for g in first):
        found += pull_back(first, [move(w) for w in again], xs)
    return [driver.to_host(t.array) for t in found]


def on_both(op: Any, data: Any, integers: bool, kind: Any = np.float32) -> tuple[list[Any], list[Any]]:
    """What an operation gives for drawn arguments on the device and on the host."""
    call = data.draw(calls(op, kind, integers=integers))
    with empty_may_raise(call):
        outs = call.differentiable(*leaves(call.inputs))
    weights = list(data.draw(cotangents([out.array for out in outs], integers)))
    again = list(data.draw(cotangents(call.inputs, integers)))
    host = results(call, weights, again, lambda a: a)
    device = results(call, weights, again, lambda a: driver.to_device(a, 0))
    assert [a.dtype for a in device] == [a.dtype for a in host]
    return device, host


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if not op.facts.get("host_only")])
def test_device_gives_what_the_host_gives(name: str, device: str) -> None:
    @settings(max_examples=2 if QUICK else settings().max_examples // 4)
    @given(data=st.data())
    def check(data: Any) -> None:
        assert_near(f"{name} on the device", *on_both(OPERATIONS[name], data, False), EPSILON_32)

    check()


@pytest.mark.gpu
@pytest.mark.parametrize("name", [name for name, op in OPERATIONS.items() if op.rules and LAWS["adjoint"].applies(op)])
def test_linear_operations_are_exact_on_whole_numbers(name: str, device: str) -> None:
    """The host keeps <g, f(x)> = <vjp(g), x> on them without any error, see `adjoint` among the laws, and so does what gives the same bits."""

    kind = np.float64 if name == "resample" else np.float32  # which the products of three cubic weights are too long for

    @settings(max_examples=2 if QUICK else settings().max_examples // 4)
    @given(data=st.data())
    def check(data: Any) -> None:
        for got, expected in zip(*on_both(OPERATIONS[name], data, True, kind), strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"{name} on the device")

    check()
