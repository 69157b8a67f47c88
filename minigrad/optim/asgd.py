"""Averaged stochastic gradient descent."""

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
    scalar,
    zeros_like,
)


class ASGD(Optimizer):
    """Gradient descent with a falling learning rate that also keeps the mean of the parameters (Polyak and Juditsky, 1992).

    The mean of p is state[p]["ax"]. lambd, alpha: step t has the learning rate lr / (1 + lambd lr t)^alpha and shrinks the parameters by lambd of it.
    t0: the step after which the mean begins; until then it is the parameter itself. weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.ASGD([weight], lr=0.25, lambd=0)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "lambd": lambd,
                "alpha": alpha,
                "t0": t0,
                "weight_decay": weight_decay,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("weight_decay value", group["weight_decay"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        lr, lambd = float(group["lr"]), group["lambd"]
        if not state:
            state["step"] = scalar(0)
            state["eta"] = scalar(lr)
            state["mu"] = scalar(1)
            state["ax"] = zeros_like(parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        eta, mu = state["eta"].array.item(), state["mu"].array.item()
        for p, g, mean, change, spare in blocks(parameter.array, gradient, state["ax"].array, temporaries=2):
            g = ascent(p, g, group, change, spare)
            p *= 1 - lambd * eta
            arrays.multiply(g, eta, out=spare)
            p -= spare
            if mu == 1:
                mean[...] = p
            else:
                follow(mean, p, mu, spare)
        state["eta"].array[...] = lr / (1 + lambd * lr * step) ** group["alpha"]
        state["mu"].array[...] = 1 / max(1, step - group["t0"])
