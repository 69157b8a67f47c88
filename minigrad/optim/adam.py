"""Adam and AdamW."""

from __future__ import annotations

import math
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


class Adam(Optimizer):
    """Steps of lr m / (sqrt(v) + eps), m and v being running means of the gradient and its square, corrected for their start at 0.

    betas: the fractions of m and v that stay in each step. weight_decay: adds weight_decay p to the gradient.
    decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does. amsgrad: takes the largest v so far (Reddi et al., 2018).
    maximize: climbs instead of descending. foreach, fused: change nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense (Kingma and Ba, 2014).

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Adam([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
                "foreach": foreach,
                "capturable": capturable,
                "differentiable": differentiable,
                "fused": fused,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        check_not_negative("epsilon value", group["eps"])
        check_betas(group)
        check_not_negative("weight_decay value", group["weight_decay"])
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            state["step"] = scalar(0)
            for name in ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else [])):
                state[name] = zeros_like(parameter)
        step = count_step(state)
        arrays = xp(parameter.array)
        beta1, beta2 = group["betas"]
        step_size = float(group["lr"]) / (1 - beta1**step)
        root_correction = math.sqrt(1 - beta2**step)
        largest = [state["max_exp_avg_sq"].array] if group["amsgrad"] else []
        moments = (state["exp_avg"].array, state["exp_avg_sq"].array, *largest)
        for p, g, m, v, *rest in blocks(parameter.array, gradient, *moments, temporaries=2):
            *most, change, spare = rest
            g = ascent(p, g, group, change, spare)
            follow(m, g, 1 - beta1, spare)
            follow_square(v, g, beta2, spare)
            if most:
                v = arrays.maximum(most[0], v, out=most[0])
            arrays.sqrt(v, out=spare)
            spare /= root_correction
            spare += group["eps"]
            arrays.divide(m, spare, out=spare)
            spare *= step_size
            p -= spare


class AdamW(Adam):
    """Adam whose weight_decay shrinks the parameters by themselves instead of adding to the gradient (Loshchilov and Hutter, 2017)."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )
