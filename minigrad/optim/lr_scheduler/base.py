"""What schedules share: the initial learning rates, the count of epochs, and saving."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.optim.optimizer import Group, Optimizer, as_number


class LRScheduler:
    """Base class: a subclass defines get_lr(), the learning rates of all groups at self.last_epoch.

    get_lr() goes on from the present learning rates, so that several schedulers can be chained.
    last_epoch: the epoch to go on from, or -1 for a start. Raises TypeError if optimizer is none,
    KeyError if there is an epoch to go on from but the groups lack 'initial_lr'.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", as_number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{number}] when resuming scheduler with last_epoch >= 0: "
                    "load the optimizer's state first"
                )
        self.base_lrs: list[float] = [as_number(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def get_lr(self) -> list[float]:
        """The learning rates at self.last_epoch, given the present ones, one for each group."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def get_last_lr(self) -> list[float]:
        """The learning rates that the last step set, one for each group."""
        return self._last_lr

    def _present(self) -> list[float]:
        return present_rates(self.optimizer)

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch, or to the given one, and sets the optimiser's learning rates."""
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them in the opposite order: "
                "otherwise the first value of the learning rate schedule is skipped.",
                stacklevel=2,
            )
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            closed_form = getattr(self, "_get_closed_form_lr", self.get_lr)
            rates = closed_form()
        self._set(rates)

    def _set(self, rates: list[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        self._last_lr = self._present()

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes over a state."""
        vars(self).update(state_dict)


def checked(optimizer: Any) -> Optimizer:
    """The optimiser. Raises TypeError if it is none."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def present_rates(optimizer: Optimizer) -> list[float]:
    """The learning rates of all groups, as numbers."""
    return [as_number(group["lr"]) for group in optimizer.param_groups]


def set_rate(group: Group, rate: float) -> None:
    """Sets a group's learning rate; one that is a tensor stays the same tensor, whose value changes."""
    if isinstance(group["lr"], Tensor):
        with no_grad():
            group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An argument as a list with one value for each group. Raises ValueError for a list of another length."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, param_groups has {groups}."
        )
    return list(value)


def function_state(function: Any) -> dict[str, Any] | None:
    """What a state says of a function: of callable objects, their attributes; of plain functions, nothing."""
    return None if function is None or isinstance(function, FunctionType) else dict(vars(function))
