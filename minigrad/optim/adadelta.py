"""Adadelta."""

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
    follow_square,
    scalar,
    zeros_like,
)


class Adadelta(Optimizer):
    """Steps of lr g sqrt(d + eps) / sqrt(v + eps), v and d being running means of the squares of gradients and steps (Zeiler, 2012).

    rho: the fraction of v and d that stays in each step. weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adadelta([weight], rho=0.75, eps=0.01)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.8010], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "rho": rho,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "capturable": capturable,
                "foreach": foreach,
                "differentiable": differentiable,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Invalid rho value: {group['rho']}")
        check_not_negative("epsilon value", group["eps"])
        check_not_negative("weight_decay value", group["weight_decay"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            state["step"] = scalar(0)
            state["square_avg"] = zeros_like(parameter)
            state["acc_delta"] = zeros_like(parameter)
        count_step(state)
        arrays = xp(parameter.array)
        lr, rho, eps = float(group["lr"]), group["rho"], group["eps"]
        moments = (state["square_avg"].array, state["acc_delta"].array)
        for p, g, v, d, change, spare in blocks(parameter.array, gradient, *moments, temporaries=2):
            g = ascent(p, g, group, change, spare)
            follow_square(v, g, rho, spare)
            arrays.add(d, eps, out=spare)
            arrays.sqrt(spare, out=spare)
            spare *= g
            arrays.add(v, eps, out=change)
            arrays.sqrt(change, out=change)
            delta = arrays.divide(spare, change, out=change)
            follow_square(d, delta, rho, spare)
            delta *= lr
            p -= delta
