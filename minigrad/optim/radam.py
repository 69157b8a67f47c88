"""RAdam."""

from __future__ import annotations

import math
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
    follow_square,
    scalar,
    zeros_like,
)


class RAdam(Optimizer):
    """Adam that warms up by itself: plain momentum while too few gradients were seen to scale by their square (Liu et al., 2019).

    betas: the fractions of the running means of the gradient and its square that stay in each step.
    weight_decay: adds weight_decay p to the gradient. decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.RAdam([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "decoupled_weight_decay": decoupled_weight_decay,
                "differentiable": differentiable,
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
            state["exp_avg_sq"] = zeros_like(parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        beta1, beta2 = group["betas"]
        correction = 1 - beta2**step
        # How many gradients the running mean of squares stands for: in the long run, and by now.
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * step * beta2**step / correction
        adaptive = length > 5
        step_size = float(group["lr"]) / (1 - beta1**step)
        if adaptive:
            variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            step_size *= math.sqrt(variance * correction)
        moments = (state["exp_avg"].array, state["exp_avg_sq"].array)
        for p, g, m, v, change, spare in blocks(parameter.array, gradient, *moments, temporaries=2):
            g = ascent(p, g, group, change, spare)
            follow(m, g, 1 - beta1, spare)
            follow_square(v, g, beta2, spare)
            arrays.multiply(m, step_size, out=change)
            if adaptive:
                arrays.sqrt(v, out=spare)
                spare += group["eps"]
                change /= spare
            p -= change
