"""Resilient backpropagation."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.formula import clamp, masked_fill, sign
from minigrad.optim.optimizer import Group, Optimizer, State, as_number, decayed


class Rprop(Optimizer):
    """Steps that grow while the sign of the gradient stays and shrink when it turns, whatever its size (Riedmiller and Braun, 1993).

    For whole batches: the sign must not be noise. lr: the first size. etas: the factors when the sign has turned and when it
    has not. step_sizes: the least and the largest size. After a turn the element waits for one step.
    maximize: climbs instead of descending. foreach, capturable: change nothing, there is one implementation.
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
        super().check(group)
        smaller, larger = group["etas"]
        if not 0 < smaller < 1 < larger:
            raise ValueError(f"Invalid eta values: {smaller}, {larger}")

    def moments(self, group: Group) -> tuple[str, ...]:
        return ("prev", "step_size")

    def begin(self, parameter: Tensor, group: Group) -> State:
        state = super().begin(parameter, group)
        state["step_size"].array[...] = as_number(group["lr"])
        return state

    def rule(self, group: Group, time: float, g: Any, p: Any, *moments: Any) -> tuple[Any, ...]:
        g, p = decayed(group, g, p)
        before, size = moments
        smaller, larger = group["etas"]
        least, most = group["step_sizes"]
        turn = sign(g * before)
        factor = masked_fill(masked_fill(masked_fill(turn, turn > 0, larger), turn < 0, smaller), turn == 0, 1)
        size = clamp(size * factor, least, most)
        g = masked_fill(g, turn < 0, 0)
        return p - sign(g) * size, g, size
