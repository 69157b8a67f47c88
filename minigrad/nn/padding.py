"""Padding layers: what stands around the borders of the last axes."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.nn.sizes import repeated


class _Pad(Module):
    """padding: one number for all sides, or (before, after) of the last axis, then of the one before it, and so on."""

    rank: ClassVar[int]  # how many axes are padded
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = repeated(padding, 2 * self.rank)
        if len(self.padding) != 2 * self.rank:
            raise ValueError(
                f"{type(self).__name__}: padding must be one integer or {2 * self.rank}, two for each axis, got {padding!r}"
            )

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self.rank + 1, self.rank + 2):
            raise ValueError(
                f"{type(self).__name__}: expected {self.rank + 1}D or {self.rank + 2}D input "
                f"(got {input.ndim}D input), shape {tuple(input.shape)}"
            )
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Puts a value around the last axis: 1234 -> vv1234vv."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Puts a value around the last two axes: 1234 -> vv1234vv along each."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Puts a value around the last three axes: 1234 -> vv1234vv along each."""

    rank = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Puts zeros around the last axis: 1234 -> 00123400."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Puts zeros around the last two axes: 1234 -> 00123400 along each.

    >>> import minigrad
    >>> minigrad.nn.ZeroPad2d((1, 0, 0, 1))(minigrad.ones(1, 1, 2))
    tensor([[[0., 1., 1.],
             [0., 0., 0.]]])
    """

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Puts zeros around the last three axes: 1234 -> 00123400 along each."""

    rank = 3


class ReflectionPad1d(_Pad):
    """Reflects the last axis at its first and last element: 1234 -> 32123432."""

    rank = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Reflects the last two axes at their first and last elements: 1234 -> 32123432 along each."""

    rank = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Reflects the last three axes at their first and last elements: 1234 -> 32123432 along each."""

    rank = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Repeats the border of the last axis: 1234 -> 11123444."""

    rank = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Repeats the border of the last two axes: 1234 -> 11123444 along each."""

    rank = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Repeats the border of the last three axes: 1234 -> 11123444 along each."""

    rank = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Continues the last axis with its other end: 1234 -> 34123412."""

    rank = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Continues the last two axes with their other ends: 1234 -> 34123412 along each."""

    rank = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Continues the last three axes with their other ends: 1234 -> 34123412 along each."""

    rank = 3
    mode = "circular"
