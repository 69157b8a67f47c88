"""Adamax."""

from __future__ import annotations

from typing import Any

from minigrad.kernels.formula import maximum
from minigrad.optim.optimizer import Group, Optimizer, decayed, follow


class Adamax(Optimizer):
    """Adam with the largest gradient instead of the mean square: steps of lr m / u, u = max(beta2 u, |g| + eps).

    betas: the fractions of m, a running mean of the gradient, and u that stay in each step.
    weight_decay: adds weight_decay p to the gradient. maximize: climbs instead of descending.
    foreach, capturable: change nothing, there is one implementation.
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

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        m, u = moments
        beta1, beta2 = group["betas"]
        m = follow(m, g, 1 - beta1)
        u = maximum(u * beta2, abs(g) + group["eps"])
        return p - m / u * (group["lr"] / (1 - beta1**time)), m, u
