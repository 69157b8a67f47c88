"""Schedules that raise the learning rate and lower it again, and the momentum the other way. Call step() after each batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from minigrad.optim.lr_scheduler.base import LRScheduler, checked, for_each_group, function_state, set_rate
from minigrad.optim.optimizer import Group, Optimizer


class _CyclicMomentum(LRScheduler):
    """What both share: which hyperparameter is the momentum, and its bounds in each group."""

    cycle_momentum: bool
    use_beta1: bool

    def _bound_momentum(self, optimizer: Optimizer, base: list[float], most: list[float], start: bool) -> None:
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        if start:
            for group, low, high in zip(optimizer.param_groups, base, most, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"] = high
                group["base_momentum"] = low

    def _set_momentum(self, group: Group, momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_CyclicMomentum):
    """Takes the learning rate from base_lr up to max_lr and down again in straight lines, over and over (Smith, 2015).

    step_size_up, step_size_down: batches of each line, down as up by default. mode: 'triangular'; 'triangular2' halves the height
    with each cycle; 'exp_range' multiplies it by gamma with each batch. scale_fn: a function of the number of the cycle, from 1, or
    of the batch, as scale_mode ('cycle' or 'iterations') says, to multiply the height by instead.
    cycle_momentum: takes the momentum, or beta1, from max_momentum down to base_momentum at the same time.
    Raises ValueError for arguments that make no sense.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        start = last_epoch == -1
        base_lrs = for_each_group("base_lr", checked(optimizer), base_lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"mode is invalid and scale_fn is None: expected 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        if not (up > 0 and down > 0):
            raise ValueError(f"CyclicLR: step_size_up and step_size_down must be positive, got {step_size_up} and {step_size_down}")
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = for_each_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = for_each_group("max_momentum", optimizer, max_momentum)
            self._bound_momentum(optimizer, self.base_momentums, self.max_momentums, start)
        if start:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, rate)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """What the height of the cycle is multiplied by in cycle x, or at batch x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return 1 / 2 ** (x - 1)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        passed = 1 + self.last_epoch / self.total_size - cycle
        height = passed / self.step_ratio if passed <= self.step_ratio else (passed - 1) / (self.step_ratio - 1)
        height *= self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True):
                self._set_momentum(group, high - (high - low) * height)
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser and the function; of a callable object, its attributes."""
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state; the function stays as it is."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            vars(self._scale_fn_custom).update(state_dict["_scale_fn_custom"])


class OneCycleLR(_CyclicMomentum):
    """Takes the learning rate from max_lr / div_factor up to max_lr and then far below where it began (Smith and Topin, 2017).

    total_steps: batches in all, or epochs times steps_per_epoch. pct_start: the fraction of them that goes up.
    anneal_strategy: 'cos' or 'linear'. final_div_factor: the first learning rate over the last. three_phase: comes down as it went up
    before it goes below. cycle_momentum: takes the momentum, or beta1, from max_momentum to base_momentum and back at the same time.
    Raises ValueError for arguments that make no sense, and for a step after the last.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        start = last_epoch == -1
        max_lrs = for_each_group("max_lr", checked(optimizer), max_lr)
        if total_steps is not None:
            self.total_steps = _positive("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        rise, end = float(pct_start * self.total_steps), self.total_steps - 1
        up = _phase(rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        if three_phase:
            down = _phase(2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
            self._schedule_phases = [up, down, _phase(end, "initial_lr", "min_lr", "max_momentum", "max_momentum")]
        else:
            self._schedule_phases = [up, _phase(end, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            base_momentums = for_each_group("base_momentum", optimizer, base_momentum)
            self._bound_momentum(optimizer, base_momentums, for_each_group("max_momentum", optimizer, max_momentum), start)
        if start:
            for group, rate in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}")
        before, phase = 0.0, self._schedule_phases[0]
        for following in self._schedule_phases[1:]:
            if self.last_epoch <= phase["end_step"]:
                break
            before, phase = phase["end_step"], following
        length = phase["end_step"] - before
        passed = (self.last_epoch - before) / length if length else 1.0
        if self._anneal_func_type == "cos":
            passed = (1 - math.cos(math.pi * passed)) / 2
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                self._set_momentum(group, _between(group[phase["start_momentum"]], group[phase["end_momentum"]], passed))
        return [_between(group[phase["start_lr"]], group[phase["end_lr"]], passed) for group in groups]


def _between(start: float, end: float, passed: float) -> float:
    return start * (1 - passed) + end * passed  # exact at both ends


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {value}")
    return value


def _phase(end_step: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
    """A phase of OneCycleLR as torch's states hold it: the batch it ends at, and the entries of the groups it goes between."""
    return {
        "end_step": end_step,
        "start_lr": start_lr,
        "end_lr": end_lr,
        "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }
