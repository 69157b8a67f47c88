"""detect_anomaly: the report names the operation, the user's line and the values; nothing is reported where nothing is wrong."""

from __future__ import annotations

import re
import sys
import threading
from typing import Any

import pytest

import minigrad
from minigrad import Tensor, nn
from minigrad.autograd import (
    Function,
    detect_anomaly,
    grad,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_detect_anomaly,
)


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(values, requires_grad=True)


def test_the_report() -> None:
    x, mask = leaf(0.0, 4.0, 9.0), minigrad.tensor([0.0, 1.0, 2.0])
    with detect_anomaly():
        root = x.sqrt()
        line = sys._getframe().f_lineno - 1
        y = (root * mask).sum()
        with pytest.raises(RuntimeError) as caught:
            y.backward()
    lines = str(caught.value).splitlines()
    assert lines[0] == "Function 'SqrtBackward0' returned nan values in its 0th output."
    assert re.fullmatch(rf"  sqrt was called at .*test_anomaly\.py:{line}: root = x\.sqrt\(\)", lines[1])
    assert lines[2:] == [
        "  gradient of output 0: shape (3,), float32, finite values from 0 to 2, 0 nan, 0 inf",
        "  saved output: shape (3,), float32, finite values from 0 to 3, 0 nan, 0 inf",
        "  gradient of input (0): shape (3,), float32, finite values from 0.25 to 0.333333, 1 nan, 0 inf",
    ]
    assert x.grad is None
    assert minigrad.is_grad_enabled()


def test_the_infinity_that_a_nan_came_from() -> None:
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        y = x * 0.0
        z = (y.log() * minigrad.ones(2)).sum()  # its gradient is infinite, and 0 times that NaN
        with pytest.raises(RuntimeError) as caught:
            z.backward()
    text = str(caught.value)
    assert text.startswith("Function 'MulBackward0' returned nan values in its 0th output.")
    assert re.search(
        r"Before that, the first infinity of this backward:\nFunction 'LogBackward0' returned inf values in its 0th output\.\n  log was",
        text,
    )
    assert "gradient of input (0): shape (2,), float32, no finite values, 0 nan, 2 inf" in text


def test_an_infinity_is_no_error_but_is_told_when_it_arrives() -> None:
    x = leaf(0.0, 1.0)
    with (
        detect_anomaly(),
        pytest.warns(RuntimeWarning, match=r"a gradient is infinite\.\nFunction 'SqrtBackward0' returned inf values"),
    ):
        x.sqrt().sum().backward()
    assert x.grad.tolist() == [float("inf"), 0.5]
    masked = leaf(0.0, 1.0)
    with detect_anomaly():  # a warning would be an error here
        minigrad.where(masked.detach() > 0, masked, masked.detach()).sqrt().sum().backward()
    assert masked.grad.tolist() == [0.0, 0.5]


def test_where_nothing_is_wrong_nothing_is_said() -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(18, 3),
    )
    x = minigrad.randn(4, 1, 8, 8)
    with detect_anomaly():
        loss = nn.functional.cross_entropy(model(x), minigrad.tensor([0, 1, 2, 0]))
        loss.backward()
    watched = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    nn.functional.cross_entropy(model(x), minigrad.tensor([0, 1, 2, 0])).backward()
    for a, b in zip(watched, model.parameters(), strict=True):
        assert a.tolist() == b.grad.tolist()


def test_in_grad_and_in_a_second_backward() -> None:
    x = leaf(0.0)
    with detect_anomaly():
        assert grad(x**1.5, x)[0].item() == 0.0
        (slope,) = grad(x**1.5, x, create_graph=True)
        with pytest.raises(RuntimeError, match="returned nan values"):
            grad((slope * 0).sum(), x)


def test_an_operation_with_several_outputs() -> None:
    x = leaf(0.0, 1.0)
    with detect_anomaly():
        a, b = x.sqrt().unbind()
        with pytest.raises(RuntimeError, match="Function 'SqrtBackward0' returned nan"):
            (a * 0 + b).backward()


class Faulty(Function):
    """torch's example of an error in backward."""

    @staticmethod
    def forward(ctx: Any, inp: Tensor) -> Tensor:
        return inp.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        raise RuntimeError("Some error in backward")


class Nan(Function):
    @staticmethod
    def forward(ctx: Any, inp: Tensor) -> Tensor:
        ctx.save_for_backward(inp)
        return inp.clone()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * float("nan")


def test_an_error_in_backward_gets_a_note() -> None:
    x = leaf(1.0)
    with detect_anomaly():
        y = Faulty.apply(x)
        with pytest.raises(RuntimeError, match="Some error in backward") as caught:
            y.backward()
    assert len(caught.value.__notes__) == 1
    assert re.fullmatch(
        r"This happened in the backward of FaultyBackward, recorded at .*test_anomaly\.py:\d+: y = Faulty\.apply\(x\)",
        caught.value.__notes__[0],
    )
    with pytest.raises(RuntimeError) as caught:
        Faulty.apply(x).backward()
    assert not hasattr(caught.value, "__notes__")


def test_a_function_of_ones_own() -> None:
    x = leaf(1.0, 2.0)
    with detect_anomaly(), pytest.raises(RuntimeError) as caught:
        Nan.apply(x).sum().backward()
    lines = str(caught.value).splitlines()
    assert lines[0] == "Function 'NanBackward' returned nan values in its 0th output."
    assert "Nan was called at" in lines[1]
    assert lines[-1] == "  gradient of input (0): shape (2,), float32, no finite values, 2 nan, 0 inf"


def test_without_the_check() -> None:
    x = leaf(1.0)
    with detect_anomaly(check_nan=False):
        Nan.apply(x).backward()
        with pytest.raises(RuntimeError) as caught:
            Faulty.apply(x).backward()
    assert caught.value.__notes__
    assert str(x.grad.tolist()) == "[nan]"


def test_switching() -> None:
    def state() -> tuple[bool, bool]:
        return is_anomaly_enabled(), is_anomaly_check_nan_enabled()

    assert state() == (False, True)
    with detect_anomaly():
        assert state() == (True, True)
        with set_detect_anomaly(False):
            assert state() == (False, True)
            with detect_anomaly(check_nan=False):
                assert state() == (True, False)
        assert state() == (True, True)
    set_detect_anomaly(True)
    try:
        assert state() == (True, True)
        with pytest.raises(ZeroDivisionError), detect_anomaly(False):
            _ = 1 / 0
        assert state() == (True, True)
        seen: list[bool] = []
        thread = threading.Thread(target=lambda: seen.append(is_anomaly_enabled()))
        thread.start()
        thread.join()
        assert seen == [True], "as in torch it holds for all threads"
    finally:
        set_detect_anomaly(False)
    x = leaf(0.0)
    (x.sqrt() * 0).backward()
    assert str(x.grad.tolist()) == "[nan]"
