"""Resilient backpropagation."""

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
    scalar,
    zeros_like,
)


class Rprop(Optimizer):
    """Steps that grow while the sign of the gradient stays and shrink when it turns, whatever its size (Riedmiller and Braun, 1993).

    For whole batches: the sign must not be noise. lr: the first size. etas: the factors when the sign has turned and when it
    has not. step_sizes: the least and the largest size. After a turn the element waits for one step.
    maximize: climbs instead of descending. foreach: changes nothing, there is one implementation.
    Raises ValueError for hyperparameters that make no sense.

    >>> import minigrad
    >>> weight = minigrad.tensor([1.0], requires_grad=True)
    >>> optimizer = minigrad.optim.Rprop([weight], lr=0.1)
    >>> (weight * weight).sum().backward()
    >>> optimizer.step()
    >>> weight
    tensor([0.9000], requires_grad=True)
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "etas": etas,
                "step_sizes": step_sizes,
                "foreach": foreach,
                "maximize": maximize,
                "differentiable": differentiable,
                "capturable": capturable,
            },
        )

    def check(self, group: Group) -> None:
        check_not_negative("learning rate", group["lr"])
        smaller, larger = group["etas"]
        if not 0 < smaller < 1 < larger:
            raise ValueError(f"Invalid eta values: {smaller}, {larger}")
        check_implementation(group)

    def update(self, parameter: Tensor, gradient: Any, state: State, group: Group) -> None:
        if not state:
            state["step"] = scalar(0)
            state["prev"] = zeros_like(parameter)
            state["step_size"] = zeros_like(parameter)
            state["step_size"].array[...] = float(group["lr"])
        count_step(state)
        arrays = xp(parameter.array)
        smaller, larger = group["etas"]
        least, largest = group["step_sizes"]
        moments = (state["prev"].array, state["step_size"].array)
        for p, g, previous, size, change, spare in blocks(parameter.array, gradient, *moments, temporaries=2):
            g = ascent(p, g, group, change, spare)
            factor = arrays.multiply(g, previous, out=spare)
            turned, kept, still = factor < 0, factor > 0, factor == 0
            factor[turned], factor[kept], factor[still] = smaller, larger, 1
            size *= factor
            arrays.clip(size, least, largest, out=size)
            previous[...] = g
            previous[turned] = 0
            arrays.sign(previous, out=spare)
            spare *= size
            p -= spare
