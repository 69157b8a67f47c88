"""Schedules: values by hand, torch's sequences, chaining, saving, and refusals."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
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
    ("MultiplicativeLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    ("MultiplicativeLR", {"lr_lambda": [lambda epoch: 0.9, lambda epoch: 1 / epoch]}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 3}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.8, "end_factor": 0.1, "total_iters": 8}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 9, "power": 2.5}),
    ("CosineAnnealingWarmRestarts", {"T_0": 3}),
    ("CosineAnnealingWarmRestarts", {"T_0": 2, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": [0.5, 0.9], "step_size_up": 3}),
    ("CyclicLR", {"base_lr": [0.1, 0.2], "max_lr": 0.5, "step_size_up": 2, "step_size_down": 1, "mode": "triangular2"}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3, "mode": "exp_range", "gamma": 0.9}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "scale_fn": lambda x: 1 / x, "cycle_momentum": False}),
    ("CyclicLR", {"base_lr": 0.1, "max_lr": 1, "step_size_up": 2, "scale_fn": lambda x: 0.9**x, "scale_mode": "iterations"}),
    ("OneCycleLR", {"max_lr": [0.5, 0.9], "total_steps": 14}),
    ("OneCycleLR", {"max_lr": 0.5, "epochs": 5, "steps_per_epoch": 3, "anneal_strategy": "linear", "pct_start": 0.5}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 15, "three_phase": True, "final_div_factor": 10.0, "div_factor": 5.0}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 13, "cycle_momentum": False}),
]
IDS = [f"{name}-{','.join(options)}" for name, options in CASES]
JUMPING = [case for case in CASES if case[0] != "MultiplicativeLR"]  # which has no closed form


def optimizer(library: Any = optim, module: Any = nn, make: Any = minigrad.zeros, lrs: tuple[float, float] = (0.1, 0.5)) -> Any:
    return library.SGD([{"params": [module.Parameter(make(1))], "lr": lr} for lr in lrs], lr=1.0, momentum=0.5)


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
    for group, other in zip(ours.optimizer.param_groups, theirs.optimizer.param_groups, strict=True):
        assert set(group) == set(other)
        numbers = {key: value for key, value in other.items() if isinstance(value, (int, float))}
        assert {key: group[key] for key in numbers} == pytest.approx(numbers, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(("name", "options"), [*CASES, ("ReduceLROnPlateau", {"patience": 1})], ids=[*IDS, "ReduceLROnPlateau"])
def test_a_tensor_as_learning_rate_stays_the_same_tensor(name: str, options: dict[str, Any]) -> None:
    numbers = getattr(lr_scheduler, name)(optimizer(), **options)
    first, second = minigrad.tensor(0.1, dtype=minigrad.float64), minigrad.tensor(0.5, dtype=minigrad.float64)
    tensors = getattr(lr_scheduler, name)(optimizer(lrs=(first, second)), **options)
    metrics = [1.0] * 12 if name == "ReduceLROnPlateau" else []
    assert sequence(tensors, 12, *metrics) == sequence(numbers, 12, *metrics)
    groups = tensors.optimizer.param_groups
    assert groups[0]["lr"] is first
    assert groups[1]["lr"] is second
    assert [first.item(), second.item()] == tensors.get_last_lr()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 3, "base_momentum": [0.5, 0.6]}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 13, "max_momentum": 0.99}),
        ("OneCycleLR", {"max_lr": 0.5, "total_steps": 13, "three_phase": True}),
    ],
)
@pytest.mark.parametrize("family", ["SGD", "Adam"])
def test_momentum_parity_with_torch(name: str, options: dict[str, Any], family: str) -> None:
    torch = pytest.importorskip("torch")

    def make(library: Any, module: Any, zeros: Any) -> Any:
        groups = [{"params": [module.Parameter(zeros(1))]} for _ in range(2)]
        return getattr(library, family)(groups, lr=1.0, **({"momentum": 0.9} if family == "SGD" else {}))

    theirs = getattr(torch.optim.lr_scheduler, name)(make(torch.optim, torch.nn, torch.zeros), **options)
    ours = getattr(lr_scheduler, name)(make(optim, nn, minigrad.zeros), **options)
    key = "betas" if family == "Adam" else "momentum"
    for _ in range(13):
        momenta = [[group[key] for group in scheduler.optimizer.param_groups] for scheduler in (ours, theirs)]
        assert np.array(momenta[0]) == pytest.approx(np.array(momenta[1]), rel=1e-12)
        for scheduler in (ours, theirs):
            scheduler.optimizer.step()
            scheduler.step()


def combined(kind: str, schedulers: Any, steps: Any) -> Any:
    """A combination, made with torch's schedulers or ours."""
    if kind == "chained":
        return schedulers.ChainedScheduler([schedulers.ConstantLR(steps, 0.5, 3), schedulers.ExponentialLR(steps, 0.9)])
    parts = [
        schedulers.LinearLR(steps, 0.1, total_iters=3),
        schedulers.CosineAnnealingWarmRestarts(steps, 2),
        schedulers.StepLR(steps, 2, 0.5),
    ]
    return schedulers.SequentialLR(steps, parts, [3, 7])


COMBINATIONS = ["chained", "sequential"]


@pytest.mark.parametrize("kind", COMBINATIONS)
def test_combinations_parity_with_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = combined(kind, torch.optim.lr_scheduler, optimizer(torch.optim, torch.nn, torch.zeros))
    ours = combined(kind, lr_scheduler, optimizer())
    for got, expected in zip(sequence(ours, 12), sequence(theirs, 12), strict=True):
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("kind", COMBINATIONS)
def test_combinations_go_on_from_a_saved_state(kind: str) -> None:
    straight = combined(kind, lr_scheduler, optimizer())
    sequence(straight, 5)
    saved = copy.deepcopy([straight.state_dict(), straight.optimizer.state_dict()])
    resumed = combined(kind, lr_scheduler, optimizer())
    resumed.load_state_dict(saved[0])
    resumed.optimizer.load_state_dict(saved[1])
    assert sequence(resumed, 6) == sequence(straight, 6)


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


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("MultiplicativeLR", {"lr_lambda": lambda epoch: 1 / (1 + epoch)}, [1, 1 / 2, 1 / 6, 1 / 24, 1 / 120]),
        ("ConstantLR", {"factor": 0.25, "total_iters": 2}, [0.25, 0.25, 1, 1, 1]),
        ("ConstantLR", {"factor": 0, "total_iters": 2}, [0, 0, 1, 1, 1]),
        ("LinearLR", {"start_factor": 0.25, "total_iters": 3}, [0.25, 0.5, 0.75, 1, 1]),
        ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 4}, [1, 0.75, 0.5, 0.25, 0]),
        ("PolynomialLR", {"total_iters": 3, "power": 2}, [1, 4 / 9, 1 / 9, 0, 0]),
        ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 2}, [1, 1, 0.5, 1, (1 + math.sqrt(0.5)) / 2]),
        ("CyclicLR", {"base_lr": 0, "max_lr": 1, "step_size_up": 1, "step_size_down": 2}, [0, 1, 0.5, 0, 1]),
        ("CyclicLR", {"base_lr": 0, "max_lr": 1, "step_size_up": 1, "mode": "triangular2"}, [0, 1, 0, 0.5, 0]),
        ("CyclicLR", {"base_lr": 0, "max_lr": 1, "step_size_up": 1, "mode": "exp_range", "gamma": 0.5}, [0, 0.5, 0, 0.125, 0]),
        (
            "OneCycleLR",
            {"max_lr": 1, "total_steps": 5, "pct_start": 0.6, "anneal_strategy": "linear", "div_factor": 2, "final_div_factor": 5},
            [0.5, 0.75, 1, 0.55, 0.1],
        ),
    ],
)
def test_more_by_hand(name: str, options: dict[str, Any], expected: list[float]) -> None:
    rates = sequence(getattr(lr_scheduler, name)(optimizer(lrs=(1.0, 1.0)), **options), 4)
    assert [rate for rate, _ in rates] == pytest.approx(expected, abs=1e-12)


def test_restarts_at_fractions_of_epochs() -> None:
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(lrs=(1.0, 1.0)), T_0=2, T_mult=2)
    schedule.optimizer.step()
    for epoch, expected in ((0.5, math.cos(math.pi / 4)), (3, math.cos(math.pi / 4)), (6, 1), (10.0, 0), (1, 0)):
        schedule.step(epoch)
        assert schedule.get_last_lr()[0] == pytest.approx((1 + expected) / 2)
    schedule.step()
    assert (schedule.last_epoch, schedule.T_cur, schedule.T_i) == (2, 0, 4)


def test_one_cycle_ends() -> None:
    schedule = lr_scheduler.OneCycleLR(optimizer(), max_lr=1.0, total_steps=2)
    sequence(schedule, 2)
    with pytest.raises(ValueError, match=r"Tried to step 3 times\. The specified number of total steps is 2"):
        schedule.step()


class Falling:
    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, x: float) -> float:
        return self.rate**x


def test_callable_objects_are_saved_with_their_attributes() -> None:
    for make in (
        lambda f: lr_scheduler.LambdaLR(optimizer(), f),
        lambda f: lr_scheduler.MultiplicativeLR(optimizer(), f),
        lambda f: lr_scheduler.CyclicLR(optimizer(), 0.1, 0.5, step_size_up=2, scale_fn=f, scale_mode="iterations"),
    ):
        straight, resumed = make(Falling(0.5)), make(Falling(1.0))
        resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
        assert sequence(resumed, 4) == sequence(straight, 4)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_states_of_torch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer(torch.optim, torch.nn, torch.zeros), **options)
    ours = getattr(lr_scheduler, name)(optimizer(), **options)
    sequence(theirs, 4)
    ours.load_state_dict(theirs.state_dict())
    for group, other in zip(ours.optimizer.param_groups, theirs.optimizer.param_groups, strict=True):
        group["lr"] = other["lr"]
    for got, expected in zip(sequence(ours, 6), sequence(theirs, 6), strict=True):
        assert got == pytest.approx(expected, rel=1e-12, abs=1e-15)


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


@pytest.mark.parametrize(("name", "options"), JUMPING)
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


def adagrad() -> Any:
    return optim.Adagrad([nn.Parameter(minigrad.zeros(1))])


def step() -> Any:
    return lr_scheduler.StepLR(optimizer(), 2)


def plateau() -> Any:
    return lr_scheduler.ReduceLROnPlateau(optimizer())


def chain_with_milestones(milestones: list[int]) -> Any:
    schedule = step()
    return lr_scheduler.SequentialLR(schedule.optimizer, [schedule], milestones)


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
        (lambda: lr_scheduler.MultiplicativeLR(optimizer(), 0.5), TypeError, "lr_lambda should be a function, but got float"),
        (lambda: lr_scheduler.ConstantLR(optimizer(), 2), ValueError, "Constant multiplicative factor expected to be between 0 and 1"),
        (lambda: lr_scheduler.LinearLR(optimizer(), 0), ValueError, "Starting multiplicative factor expected to be greater than 0"),
        (lambda: lr_scheduler.LinearLR(optimizer(), 1, -1), ValueError, "Ending multiplicative factor expected to be between 0 and 1"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), 0), ValueError, "Expected positive integer T_0, but got 0"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), 1, 0), ValueError, "Expected integer T_mult >= 1, but got 0"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(optimizer(), 1, 1, "0"), ValueError, "Expected float or int eta_min, but got 0"),
        (lambda: lr_scheduler.CosineAnnealingWarmRestarts(adagrad(), 1)._update_lr(-1), ValueError, "Expected non-negative epoch, but got -1"),
        (lambda: lr_scheduler.CyclicLR(optimizer(), [1], 2), ValueError, "base_lr has 1 values, param_groups has 2"),
        (lambda: lr_scheduler.CyclicLR(optimizer(), 1, 2, mode="up"), ValueError, "mode is invalid and scale_fn is None"),
        (lambda: lr_scheduler.CyclicLR(optimizer(), 1, 2, 0), ValueError, "step_size_up and step_size_down must be positive, got 0"),
        (lambda: lr_scheduler.CyclicLR(adagrad(), 1, 2), ValueError, "optimizer must support momentum or beta1"),
        (lambda: lr_scheduler.OneCycleLR(adagrad(), 1, 2), ValueError, "optimizer must support momentum or beta1"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1), ValueError, r"define either total_steps OR \(epochs AND steps_per_epoch\)"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1, 0), ValueError, "Expected positive integer total_steps, but got 0"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1, epochs=0, steps_per_epoch=1), ValueError, "integer epochs, but got 0"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1, epochs=1, steps_per_epoch=0.5), ValueError, "steps_per_epoch, but got 0.5"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1, 2, pct_start=2.0), ValueError, "Expected float between 0 and 1 pct_start"),
        (lambda: lr_scheduler.OneCycleLR(optimizer(), 1, 2, anneal_strategy="x"), ValueError, "one of 'cos' or 'linear', instead got x"),
        (lambda: lr_scheduler.SequentialLR(optimizer(), [], []), ValueError, "SequentialLR expects at least one scheduler"),
        (lambda: lr_scheduler.ChainedScheduler([]), ValueError, "ChainedScheduler expects at least one scheduler"),
        (lambda: lr_scheduler.ChainedScheduler([3]), TypeError, "expects schedulers, but got int at index 0"),
        (lambda: lr_scheduler.ChainedScheduler([plateau()]), ValueError, "does not support `ReduceLROnPlateau` scheduler"),
        (lambda: lr_scheduler.ChainedScheduler([step(), step()]), ValueError, "to belong to the same optimizer, but StepLR at index 1"),
        (lambda: lr_scheduler.SequentialLR(optimizer(), [step()], []), ValueError, "to belong to the same optimizer"),
        (lambda: chain_with_milestones([1]), ValueError, "number of schedulers 1 and the number of milestones to be equal to 1"),
        (lambda: lr_scheduler.LRScheduler(optimizer()), NotImplementedError, r"does not define get_lr\(\)"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
