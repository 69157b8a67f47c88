"""While nothing is recorded a Sequential computes a convolution, the batch norm in evaluation and the rectifier behind it at once, with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.kernels import cpu

CONVOLUTIONS = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}


def one_by_one(model: nn.Sequential, x: Any) -> Any:
    for module in model:
        x = module(x)
    return x


def started(*modules: nn.Module) -> nn.Sequential:
    """In evaluation, with batch norms that do something."""
    minigrad.manual_seed(0)
    model = nn.Sequential(*modules).eval()
    for module in model:
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (module.running_mean, module.weight, module.bias):
                if tensor is not None:
                    nn.init.uniform_(tensor, -1, 1)
            if module.running_var is not None:
                nn.init.uniform_(module.running_var, 0.5, 2)
    return model


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As many entries as convolutions were finished."""
    calls: list[int] = []
    finished = cpu.finished_conv
    monkeypatch.setattr("minigrad.kernels.cpu.finished_conv", lambda *args: (calls.append(1), finished(*args))[1])
    return calls


def count(model: nn.Sequential, x: Any, counted: list[int]) -> int:
    """How many convolutions were finished; the results are the same as one by one."""
    counted.clear()
    with minigrad.no_grad():
        out, expected = model(x), one_by_one(model, x)
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out.numpy(), expected.numpy())
    return len(counted)


@pytest.mark.parametrize("conv", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size, groups", [(9, 1), (20, 1), (9, 6)])
def test_results_are_the_same_to_the_bit(conv: Any, dtype: str, size: int, groups: int, counted: list[int]) -> None:
    norm = CONVOLUTIONS[conv]
    model = started(
        conv(6, 12, 3, padding=1, groups=groups), norm(12), nn.ReLU(),
        conv(12, 12, 3, groups=12, bias=False), norm(12, affine=False), nn.ReLU6(inplace=True),
        conv(12, 6, 1), norm(6),
        conv(6, 6, 1), nn.ReLU(),
        conv(6, 3, 2, stride=2), nn.LeakyReLU(),
        conv(3, 3, 1), norm(3), nn.LeakyReLU(),
        conv(3, 3, 1), nn.ReLU6(), nn.ReLU(), norm(3), nn.ReLU(),
    ).to(minigrad.zeros(0, dtype=dtype).dtype)  # fmt: skip
    x = minigrad.randn(2, 6, *[size if conv is not nn.Conv3d else 7] * conv.rank, dtype=dtype)
    assert count(model, x, counted) == 6
    one_by_one(model, x).sum().backward()
    expected = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    counted.clear()
    model(x).sum().backward()
    assert not counted
    for p, g in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)


def changed(conv: Any, norm: Any, relu: Any) -> dict[str, tuple[Callable[[], Any], int]]:
    """What is done to a model of these three, and how many of its convolutions are finished then."""
    return {
        "nothing": (lambda: None, 1),
        "a hook on the convolution": (lambda: conv.register_forward_hook(lambda module, args, out: out * 2), 0),
        "a hook on the norm": (lambda: norm.register_forward_hook(lambda module, args, out: out - 1), 0),
        "a hook before the norm": (lambda: norm.register_forward_pre_hook(lambda module, args: (args[0] - 1,)), 0),
        "a hook on the rectifier": (lambda: relu.register_forward_hook(lambda module, args, out: out + 1), 1),
        "a forward of its own": (lambda: setattr(conv, "forward", lambda x: x[:, :1].expand(-1, 4, -1, -1)), 0),
        "a norm in training": (lambda: norm.train(), 0),
        "a norm without statistics": (lambda: setattr(norm, "running_mean", None) or setattr(norm, "running_var", None), 0),
        "another padding": (lambda: setattr(conv, "padding_mode", "circular"), 0),
    }


@pytest.mark.parametrize("what", changed(None, None, None))
def test_who_looks_between_them_sees_all(what: str, counted: list[int]) -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    do, expected = changed(*model)[what]
    do()
    assert count(model, minigrad.randn(2, 3, 6, 6), counted) == expected


def test_other_inputs_are_left_alone(counted: list[int]) -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert count(model, minigrad.randn(3, 6, 6), counted) == 0
    with minigrad.autocast("cpu"):
        assert count(model, minigrad.randn(2, 3, 6, 6), counted) == 0
    assert count(model.half(), minigrad.randn(2, 3, 6, 6).half(), counted) == 0


@pytest.mark.parametrize("modules", [(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5)), (nn.Conv2d(3, 4, 3), nn.BatchNorm1d(4)), (nn.Conv2d(2, 4, 3), nn.ReLU())])
def test_errors_are_those_of_the_modules(modules: tuple[nn.Module, ...]) -> None:
    model, x, messages = nn.Sequential(*modules).eval(), minigrad.randn(2, 3, 6, 6), []
    for run in (model, lambda x: one_by_one(model, x)):
        with minigrad.no_grad(), pytest.raises((RuntimeError, ValueError)) as error:
            run(x)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_what_optimize_follows_is_each_operation() -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    x = minigrad.randn(2, 3, 6, 6)
    if cpu.compiled is not None:
        assert minigrad.inference.optimize(model, x).steps(x) == ["conv and relu"]
