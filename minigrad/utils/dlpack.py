"""DLPack: sharing memory with other libraries' arrays."""

from __future__ import annotations

from typing import Any

from minigrad.core.interchange import from_dlpack
from minigrad.core.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """The capsule that shares the memory of a tensor; it can be taken once.

    Raises:
        TypeError: it is no tensor.
        BufferError: the tensor needs a gradient.

    >>> import minigrad
    >>> from minigrad.utils.dlpack import from_dlpack, to_dlpack
    >>> from_dlpack(to_dlpack(minigrad.ones(2)))
    tensor([1., 1.])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack: expected a tensor, got {type(tensor).__name__}")
    return tensor.__dlpack__()
