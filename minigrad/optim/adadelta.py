"""Adadelta."""

from __future__ import annotations

from typing import Any

from minigrad.kernels.formula import sqrt
from minigrad.optim.optimizer import Group, Optimizer, decayed, follow_square


class Adadelta(Optimizer):
    """Steps of lr g sqrt(d + eps) / sqrt(v + eps), v and d being running means of the squares of gradients and steps (Zeiler, 2012).

    rho: the fraction of v and d that stays in each step. weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
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
        super().check(group)
        if not 0 <= group["rho"] <= 1:
            raise ValueError(f"Invalid rho value: {group['rho']}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        v, d = moments
        v = follow_square(v, g, group["rho"])
        change = sqrt(d + group["eps"]) / sqrt(v + group["eps"]) * g
        return p - change * group["lr"], v, follow_square(d, change, group["rho"])
