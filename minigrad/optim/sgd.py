"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.optim.optimizer import Group, Optimizer, State, decayed, zeros_like


class SGD(Optimizer):
    """Gradient descent with momentum: b = momentum b + (1 - dampening) g, then p = p - lr b, g being the gradient plus weight_decay p.

    nesterov: moves by g + momentum b instead of b (Sutskever et al., 2013). maximize: climbs instead of descending.
    foreach, fused: change nothing, there is one implementation. Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.SGD([weight], lr=0.5)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
                "foreach": foreach,
                "differentiable": differentiable,
                "fused": fused,
            },
        )

    def check(self, group: Group) -> None:
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] != 0 else ()

    def begin(self, parameter: Tensor, group: Group) -> State:
        return {name: zeros_like(parameter) for name in self.moments(group)}

    def count(self, state: State, group: Group, first: bool) -> bool:
        return first

    def rule(self, group: Group, time: bool, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        lr, momentum = group["lr"], group["momentum"]
        if not moments:
            return (p - g * lr,)
        (b,) = moments
        # The first step takes the gradient undampened, as torch does.
        b = b * momentum + (g if time else g * (1 - group["dampening"]))
        return p - (g + b * momentum if group["nesterov"] else b) * lr, b
