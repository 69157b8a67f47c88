"""Adagrad."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels import xp
from minigrad.optim.optimizer import (
    Group,
    Optimizer,
    State,
    ascent,
    blocks,
    check_implementation,
    check_not_negative,
    count_step,
    scalar,
    zeros_like,
)


class Adagrad(Optimizer):
    """Steps of lr g / (sqrt(s) + eps), s being the sum of all squares of the gradient so far (Duchi, Hazan and Singer, 2011).

    lr_decay: divides lr by 1 + lr_decay t after t steps. initial_accumulator_value: s at the start.
    weight_decay: adds weight_decay p to the gradient. maximize: climbs instead of descending.
    foreach, fused: change nothing, there is one implementation. Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adagrad([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "fused": fused,
            },
        )
        # As in torch, the state is there from the start: it says where the sums begin.
        for parameter in self._parameters():
            self._begin(self.state[parameter], parameter)

    def _begin(self, state: State, parameter: Tensor) -> None:
        state["step"] = scalar(0)
        state["sum"] = zeros_like(parameter)
        state["sum"].array[...] = self.defaults["initial_accumulator_value"]

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("lr_decay value", group["lr_decay"])
        check_not_negative("weight_decay value", group["weight_decay"])
        check_not_negative("initial_accumulator_value value", group["initial_accumulator_value"])
        check_not_negative("epsilon value", group["eps"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            self._begin(state, parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        lr = float(group["lr"]) / (1 + (step - 1) * group["lr_decay"])
        for p, g, total, change, spare in blocks(parameter.array, gradient, state["sum"].array, temporaries=2):
            g = ascent(p, g, group, change, spare)
            arrays.multiply(g, g, out=spare)
            total += spare
            arrays.sqrt(total, out=spare)
            spare += group["eps"]
            arrays.divide(g, spare, out=spare)
            spare *= lr
            p -= spare
