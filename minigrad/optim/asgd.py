"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.optim.optimizer import Group, Optimizer, State, as_number, decayed, follow, scalar, zeros_like


class ASGD(Optimizer):
    """Gradient descent with a falling learning rate that also keeps the mean of the parameters (Polyak and Juditsky, 1992).

    The mean of p is state[p]["ax"]. lambd, alpha: step t has the learning rate lr / (1 + lambd lr t)^alpha and shrinks the parameters by lambd of it.
    t0: the step after which the mean begins; until then it is the parameter itself. weight_decay: adds weight_decay p to the gradient.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
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

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("ax",)

    def begin(self, parameter: Tensor, group: Group) -> State:
        return {"step": scalar(0), "eta": scalar(as_number(group["lr"])), "mu": scalar(1), "ax": zeros_like(parameter)}

    def count(self, state: State, group: Group, first: bool) -> tuple[float, float]:
        step = super().count(state, group, first)
        now = state["eta"].array.item(), state["mu"].array.item()
        lr = as_number(group["lr"])
        following = {"eta": lr / (1 + group["lambd"] * lr * step) ** group["alpha"], "mu": 1 / max(1, step - group["t0"])}
        for name, value in following.items():
            state[name].array[...] = value
            state[name].written()
        return now

    def rule(self, group: Group, time: tuple[float, float], g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        (mean,) = moments
        eta, mu = time
        p = p * (1 - group["lambd"] * eta) - g * eta
        return p, p if mu == 1 else follow(mean, p, mu)
