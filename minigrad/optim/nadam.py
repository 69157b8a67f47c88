"""NAdam."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.formula import sqrt
from minigrad.optim.optimizer import Group, Optimizer, State, as_number, decayed, follow, follow_square, scalar


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead with the momentum of the next one (Dozat, 2016).

    betas: the fractions of the running means of the gradient and its square that stay in each step.
    momentum_decay: how fast the momentum beta1 (1 - 0.96^(t momentum_decay) / 2) of step t rises towards beta1.
    weight_decay: adds weight_decay p to the gradient. decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.NAdam([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.8944], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
                "momentum_decay": momentum_decay,
                "decoupled_weight_decay": decoupled_weight_decay,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
            },
        )

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def begin(self, parameter: Tensor, group: Group) -> State:
        state = super().begin(parameter, group)
        return {"step": state.pop("step"), "mu_product": scalar(1), **state}

    def count(self, state: State, group: Group, first: bool) -> tuple[float, float]:
        step = super().count(state, group, first)
        product = state["mu_product"]
        product.array[...] *= as_number(self._momentum(group, step))
        product.written()
        return step, product.array.item()

    @staticmethod
    def _momentum(group: Group, step: float) -> Any:
        return group["betas"][0] * (1 - 0.96 ** (step * group["momentum_decay"]) / 2)

    def rule(self, group: Group, time: tuple[float, float], g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        m, v = moments
        step, product = time
        lr = group["lr"]
        beta1, beta2 = group["betas"]
        momentum, following = self._momentum(group, step), self._momentum(group, step + 1)
        m = follow(m, g, 1 - beta1)
        v = follow_square(v, g, beta2)
        ahead = g * (lr * (1 - momentum) / (1 - product)) + m * (lr * following / (1 - product * following))
        return p - ahead / (sqrt(v / (1 - beta2**step)) + group["eps"]), m, v
