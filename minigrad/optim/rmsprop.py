"""RMSprop."""

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
    follow,
    follow_square,
    scalar,
    zeros_like,
)


class RMSprop(Optimizer):
    """Steps of lr g / (sqrt(v) + eps), v being a running mean of the gradient's square (Hinton, 2012, lecture 6e).

    alpha: the fraction of v that stays in each step. momentum: moves by b = momentum b + g / (sqrt(v) + eps) instead.
    centered: takes the gradient's variance for v (Graves, 2013). weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.RMSprop([weight], lr=0.1, alpha=0.75)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.8000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "alpha": alpha,
                "eps": eps,
                "centered": centered,
                "weight_decay": weight_decay,
                "capturable": capturable,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("epsilon value", group["eps"])
        check_not_negative("momentum value", group["momentum"])
        check_not_negative("weight_decay value", group["weight_decay"])
        check_not_negative("alpha value", group["alpha"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        momentum, centered = group["momentum"], group["centered"]
        optional = [*(["momentum_buffer"] if momentum > 0 else []), *(["grad_avg"] if centered else [])]
        if not state:
            state["step"] = scalar(0)
            for name in ("square_avg", *optional):
                state[name] = zeros_like(parameter)
        count_step(state)
        arrays = xp(parameter.array)
        lr, alpha = float(group["lr"]), group["alpha"]
        moments = [state[name].array for name in ("square_avg", *optional)]
        for p, g, v, *rest in blocks(parameter.array, gradient, *moments, temporaries=2):
            *moments, change, spare = rest
            g = ascent(p, g, group, change, spare)
            follow_square(v, g, alpha, spare)
            if centered:
                mean = moments[-1]
                follow(mean, g, 1 - alpha, spare)
                arrays.multiply(mean, mean, out=spare)
                v = arrays.subtract(v, spare, out=spare)
            arrays.sqrt(v, out=spare)
            spare += group["eps"]
            arrays.divide(g, spare, out=spare)
            if momentum > 0:
                velocity = moments[0]
                velocity *= momentum
                velocity += spare
                arrays.multiply(velocity, lr, out=spare)
            else:
                spare *= lr
            p -= spare
