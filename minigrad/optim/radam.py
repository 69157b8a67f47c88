"""RAdam."""

from __future__ import annotations

from typing import Any

from minigrad.kernels.formula import sqrt
from minigrad.optim.optimizer import Group, Optimizer, decayed, follow, follow_square


class RAdam(Optimizer):
    """Adam that warms up by itself: plain momentum while too few gradients were seen to scale by their square (Liu et al., 2019).

    betas: the fractions of the running means of the gradient and its square that stay in each step.
    weight_decay: adds weight_decay p to the gradient. decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
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

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        m, v = moments
        beta1, beta2 = group["betas"]
        m = follow(m, g, 1 - beta1)
        v = follow_square(v, g, beta2)
        size = group["lr"] / (1 - beta1**time)
        correction = 1 - beta2**time
        # How many gradients the running mean of squares stands for: in the long run, and by now.
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * time * beta2**time / correction
        if length <= 5:
            return p - m * size, m, v
        variance = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return p - m / (sqrt(v) + group["eps"]) * (size * (variance * correction) ** 0.5), m, v
