"""RMSprop."""

from __future__ import annotations

from typing import Any

from minigrad.kernels.formula import sqrt
from minigrad.optim.optimizer import Group, Optimizer, check_not_negative, decayed, follow, follow_square


class RMSprop(Optimizer):
    """Steps of lr g / (sqrt(v) + eps), v being a running mean of the gradient's square (Hinton, 2012, lecture 6e).

    alpha: the fraction of v that stays in each step. momentum: moves by b = momentum b + g / (sqrt(v) + eps) instead.
    centered: takes the gradient's variance for v (Graves, 2013). weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
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
        super().check(group)
        check_not_negative("alpha value", group["alpha"])

    def moments(self, group: Group) -> tuple[str, ...]:
        optional = {"momentum_buffer": group["momentum"] > 0, "grad_avg": group["centered"]}
        return ("square_avg", *(name for name, wanted in optional.items() if wanted))

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        v, *rest = moments
        v = spread = follow_square(v, g, group["alpha"])
        if group["centered"]:
            mean = rest[-1] = follow(rest[-1], g, 1 - group["alpha"])
            spread = v - mean * mean
        change = g / (sqrt(spread) + group["eps"])
        if group["momentum"] > 0:
            change = rest[0] = rest[0] * group["momentum"] + change
        return p - change * group["lr"], v, *rest
