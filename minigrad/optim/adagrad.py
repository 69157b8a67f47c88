"""Adagrad."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.formula import sqrt
from minigrad.optim.optimizer import Group, Optimizer, State, decayed


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
        for group in self.param_groups:
            for parameter in group["params"]:
                self.state[parameter] = self.begin(parameter, group)

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def begin(self, parameter: Tensor, group: Group) -> State:
        state = super().begin(parameter, group)
        state["sum"].array[...] = self.defaults["initial_accumulator_value"]
        return state

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        (s,) = moments
        s = s + g * g
        return p - g / (sqrt(s) + group["eps"]) * (group["lr"] / (1 + (time - 1) * group["lr_decay"])), s
