"""Parameter: a tensor that a module learns."""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from minigrad.core.tensor import Tensor, make_tensor, version_of


class Parameter(Tensor):
    """A leaf tensor that a Module it is assigned to lists among its parameters.

    data: the initial value, whose memory is shared (an empty tensor if left out). requires_grad: False freezes it.

    >>> import minigrad
    >>> minigrad.nn.Parameter(minigrad.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        super().__init__(*(() if data is None else (make_tensor(data) if isinstance(data, ndarray) else data,)))
        if isinstance(data, Tensor):
            self.version = version_of(data)  # type: ignore[assignment]
        self.requires_grad = requires_grad
