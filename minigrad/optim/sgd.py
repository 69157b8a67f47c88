"""Stochastic gradient descent."""

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
    zeros_like,
)


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
        check_not_negative("learning rate", group["lr"])
        check_not_negative("momentum value", group["momentum"])
        check_not_negative("weight_decay value", group["weight_decay"])
        check_implementation(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        arrays = xp(parameter.array)
        fresh = 1 - group["dampening"]
        history: list[Any] = []
        if momentum != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                # The first step takes the gradient undampened, as torch does.
                fresh = 1
                buffer = state["momentum_buffer"] = zeros_like(parameter)
            buffer.written()
            history.append(buffer.array)
        for p, g, *rest in blocks(parameter.array, gradient, *history, temporaries=2):
            *velocity, change, spare = rest
            g = ascent(p, g, group, change, spare)
            if velocity:
                v = velocity[0]
                v *= momentum
                v += g if fresh == 1 else arrays.multiply(g, fresh, out=spare)
                if group["nesterov"]:
                    arrays.multiply(v, momentum, out=spare)
                    g = arrays.add(g, spare, out=change)
                else:
                    g = v
            p -= arrays.multiply(g, lr, out=spare)
