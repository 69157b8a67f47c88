"""Variable: the name that tensors with gradients had before torch 0.4, which old scripts still call."""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor

__all__ = ["Variable"]


class VariableMeta(type):
    """Every tensor is a Variable."""

    def __instancecheck__(cls, other: Any) -> bool:
        return isinstance(other, Tensor)


class Variable(metaclass=VariableMeta):
    """`Variable(data, requires_grad=False)` gives a tensor that shares the data's memory.

    >>> import minigrad
    >>> x = minigrad.autograd.Variable(minigrad.ones(2), requires_grad=True)
    >>> (x * 2).sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """

    def __new__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable: expected a tensor, got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad and not volatile)
