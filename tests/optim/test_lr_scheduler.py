"""Schedules: values by hand, torch's sequences, chaining, saving, and refusals."""

from __future__ import annotations

import math
from typing import Any

import pytest

import minigrad
from minigrad import nn, optim
from minigrad.optim import lr_scheduler

CASES: list[tuple[str, dict[str, Any]]] = [
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("LambdaLR", {"lr_lambda": [lambda epoch: 0.95**epoch, lambda epoch: 1 / (1 + epoch)]}),
    ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("CosineAnnealingLR", {"T_max": 4, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 30}),
]
IDS = [f"{name}-{','.join(options)}" for name, options in CASES]


def optimizer(library: Any = optim, module: Any = nn, make: Any = minigrad.zeros, lrs: tuple[float, float] = (0.1, 0.5)) -> Any:
    return library.SGD([{"params": [module.Parameter(make(1))], "lr": lr} for lr in lrs], lr=1.0)


def sequence(scheduler: Any, steps: int, *metrics: float) -> list[list[float]]:
    rates = [list(scheduler.get_last_lr())]
    for step in range(steps):
        scheduler.optimizer.step()
        scheduler.step(*([metrics[step]] if metrics else []))
        rates.append(list(scheduler.get_last_lr()))
    return rates


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_parity_with_torch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer(torch.optim, torch.nn, torch.zeros), **options)
    ours = getattr(lr_scheduler, name)(optimizer(), **options)
    for got, expected in zip(sequence(ours, 12), sequence(theirs, 12), strict=True):
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"mode": "max", "patience": 0, "threshold": 0.1, "threshold_mode": "abs"},
        {"patience": 0, "cooldown": 2, "factor": 0.5, "min_lr": [0.02, 0.2]},
    ],
)
def test_plateau_parity_with_torch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    metrics = [3.0, 2.0, 2.0, 2.5, 1.99999, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, math.nan, -2.0, -2.0]
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer(torch.optim, torch.nn, torch.zeros), **options)
    ours = lr_scheduler.ReduceLROnPlateau(optimizer(), **options)
    for got, expected in zip(sequence(ours, len(metrics), *metrics), sequence(theirs, len(metrics), *metrics), strict=True):
        assert got == pytest.approx(expected)


def test_by_hand() -> None:
    rates = [rate for rate, _ in sequence(lr_scheduler.StepLR(optimizer(lrs=(1.0, 1.0)), step_size=2, gamma=0.5), 4)]
    assert rates == [1, 1, 0.5, 0.5, 0.25]
    rates = [rate for rate, _ in sequence(lr_scheduler.MultiStepLR(optimizer(lrs=(1.0, 1.0)), [1, 3], gamma=0.5), 4)]
    assert rates == [1, 0.5, 0.5, 0.25, 0.25]
    rates = [rate for rate, _ in sequence(lr_scheduler.CosineAnnealingLR(optimizer(lrs=(1.0, 1.0)), T_max=2), 4)]
    assert rates == pytest.approx([1, 0.5, 0, 0.5, 1], abs=1e-12)


def test_the_optimizer_is_told() -> None:
    steps = optimizer()
    lr_scheduler.ExponentialLR(steps, gamma=0.5)
    schedule = lr_scheduler.ExponentialLR(steps, gamma=0.5)
    steps.step()
    schedule.step()
    assert [group["lr"] for group in steps.param_groups] == [0.05, 0.25]
    assert [group["initial_lr"] for group in steps.param_groups] == [0.1, 0.5]


def test_schedulers_chain() -> None:
    steps = optimizer(lrs=(1.0, 1.0))
    first, second = lr_scheduler.ExponentialLR(steps, 0.5), lr_scheduler.StepLR(steps, 2, 0.1)
    for _ in range(2):
        steps.step()
        first.step()
        second.step()
    assert steps.param_groups[0]["lr"] == pytest.approx(0.025)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_going_on_from_a_saved_state(name: str, options: dict[str, Any], tmp_path: Any) -> None:
    straight = getattr(lr_scheduler, name)(optimizer(), **options)
    sequence(straight, 4)
    minigrad.save([straight.state_dict(), straight.optimizer.state_dict()], tmp_path / "state")
    resumed = getattr(lr_scheduler, name)(optimizer(), **options)
    state, optimizer_state = minigrad.load(tmp_path / "state")
    resumed.load_state_dict(state)
    resumed.optimizer.load_state_dict(optimizer_state)
    assert sequence(resumed, 6) == sequence(straight, 6)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_given_epoch(name: str, options: dict[str, Any]) -> None:
    walked, jumped = (getattr(lr_scheduler, name)(optimizer(), **options) for _ in range(2))
    rates = sequence(walked, 7)[-1]
    jumped.optimizer.step()
    jumped.step(7)
    assert jumped.get_last_lr() == pytest.approx(rates)


def test_resuming_needs_the_initial_rates() -> None:
    with pytest.raises(KeyError, match=r"param 'initial_lr' is not specified in param_groups\[0\]"):
        lr_scheduler.StepLR(optimizer(), 2, last_epoch=3)
    steps = optimizer(lrs=(0.25, 0.25))
    for group in steps.param_groups:
        group["initial_lr"] = 1.0
    resumed = lr_scheduler.StepLR(steps, 2, gamma=0.5, last_epoch=4)
    assert resumed.last_epoch == 5
    assert resumed.get_last_lr() == [0.25, 0.25]


def test_stepping_before_the_optimizer_warns() -> None:
    schedule = lr_scheduler.StepLR(optimizer(), 2)
    with pytest.warns(UserWarning, match=r"lr_scheduler.step\(\)` before `optimizer.step\(\)"):
        schedule.step()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lr_scheduler.StepLR(3, 2), TypeError, "int is not an Optimizer"),
        (lambda: lr_scheduler.StepLR(optimizer(), 0), ValueError, "step_size must be positive, got 0"),
        (lambda: lr_scheduler.CosineAnnealingLR(optimizer(), 0), ValueError, "T_max must be positive, got 0"),
        (lambda: lr_scheduler.LambdaLR(optimizer(), [abs]), ValueError, "Expected 2 lr_lambdas, but got 1"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), factor=1.0), ValueError, r"Factor should be < 1.0, got 1.0"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), mode="least"), ValueError, "mode least is unknown"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), threshold_mode="x"), ValueError, "threshold mode x is unknown"),
        (lambda: lr_scheduler.ReduceLROnPlateau(optimizer(), min_lr=[1]), ValueError, "expected 2 min_lrs, got 1"),
        (lambda: lr_scheduler.LRScheduler(optimizer()), NotImplementedError, r"does not define get_lr\(\)"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
