"""Adam and AdamW."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.formula import maximum, sqrt
from minigrad.optim.optimizer import Group, Optimizer, decayed, follow, follow_square


class Adam(Optimizer):
    """Steps of lr m / (sqrt(v) + eps), m and v being running means of the gradient and its square, corrected for their start at 0.

    betas: the fractions of m and v that stay in each step. weight_decay: adds weight_decay p to the gradient.
    decoupled_weight_decay: shrinks p by lr weight_decay instead, as AdamW does. amsgrad: takes the largest v so far (Reddi et al., 2018).
    maximize: climbs instead of descending. foreach, fused, capturable: change nothing, there is one implementation.
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
        super().check(group)
        betas = group["betas"]
        if isinstance(betas[0], Tensor) != isinstance(betas[1], Tensor):
            raise ValueError("betas must be either both floats or both Tensors")
        for name, value in {"lr": group["lr"], "betas[0]": betas[0], "betas[1]": betas[1]}.items():
            if isinstance(value, Tensor) and group["foreach"] and not group["capturable"]:
                raise ValueError(f"{name} as a Tensor is not supported for capturable=False and foreach=True")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        m, v, *largest = moments
        beta1, beta2 = group["betas"]
        m = follow(m, g, 1 - beta1)
        v = follow_square(v, g, beta2)
        largest = [maximum(most, v) for most in largest]
        (spread,) = largest or (v,)
        size = group["lr"] / (1 - beta1**time)
        return p - m / (sqrt(spread) / (1 - beta2**time) ** 0.5 + group["eps"]) * size, m, v, *largest


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
