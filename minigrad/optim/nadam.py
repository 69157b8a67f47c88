"""NAdam."""

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
    check_betas,
    check_implementation,
    check_not_negative,
    count_step,
    follow,
    follow_square,
    scalar,
    zeros_like,
)


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: the step looks ahead with the momentum of the next one (Dozat, 2016).

    betas: the fractions of the running means of the gradient and its square that stay in each step.
    momentum_decay: how fast the momentum beta1 (1 - 0.96^(t momentum_decay) / 2) of step t rises towards beta1.
    weight_decay: adds weight_decay p to the gradient. decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
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

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("epsilon value", group["eps"])
        check_betas(group)
        check_not_negative("weight_decay value", group["weight_decay"])
        check_not_negative("momentum_decay value", group["momentum_decay"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            state["step"] = scalar(0)
            state["mu_product"] = scalar(1)
            state["exp_avg"] = zeros_like(parameter)
            state["exp_avg_sq"] = zeros_like(parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        lr = float(group["lr"])
        beta1, beta2 = group["betas"]
        momentum, following = (beta1 * (1 - 0.96 ** (t * group["momentum_decay"]) / 2) for t in (step, step + 1))
        state["mu_product"].array[...] *= momentum
        product = state["mu_product"].array.item()
        gradient_step = lr * (1 - momentum) / (1 - product)
        mean_step = lr * following / (1 - product * following)
        correction = 1 - beta2**step
        moments = (state["exp_avg"].array, state["exp_avg_sq"].array)
        for p, g, m, v, change, spare in blocks(parameter.array, gradient, *moments, temporaries=2):
            g = ascent(p, g, group, change, spare)
            follow(m, g, 1 - beta1, spare)
            follow_square(v, g, beta2, spare)
            arrays.multiply(g, gradient_step, out=change)
            arrays.multiply(m, mean_step, out=spare)
            change += spare
            arrays.divide(v, correction, out=spare)
            arrays.sqrt(spare, out=spare)
            spare += group["eps"]
            change /= spare
            p -= change
