"""Adamax."""

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
    check_betas,
    check_implementation,
    check_not_negative,
    count_step,
    follow,
    scalar,
    zeros_like,
)


class Adamax(Optimizer):
    """Adam with the largest gradient instead of the mean square: steps of lr m / u, u = max(beta2 u, |g| + eps).

    betas: the fractions of m, a running mean of the gradient, and u that stay in each step.
    weight_decay: adds weight_decay p to the gradient. maximize: climbs instead of descending.
    foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense (Kingma and Ba, 2014, section 7.1).

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adamax([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("epsilon value", group["eps"])
        check_betas(group)
        check_not_negative("weight_decay value", group["weight_decay"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            state["step"] = scalar(0)
            state["exp_avg"] = zeros_like(parameter)
            state["exp_inf"] = zeros_like(parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        beta1, beta2 = group["betas"]
        step_size = float(group["lr"]) / (1 - beta1**step)
        moments = (state["exp_avg"].array, state["exp_inf"].array)
        for p, g, m, u, change, spare in blocks(parameter.array, gradient, *moments, temporaries=2):
            g = ascent(p, g, group, change, spare)
            follow(m, g, 1 - beta1, spare)
            arrays.absolute(g, out=spare)
            spare += group["eps"]
            u *= beta2
            arrays.maximum(u, spare, out=u)
            arrays.divide(m, u, out=spare)
            spare *= step_size
            p -= spare
