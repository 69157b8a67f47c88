"""Size: the shape of a tensor."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import TYPE_CHECKING, Any, SupportsIndex, overload


class Size(tuple[int, ...]):
    """The lengths along the axes: a tuple, which it equals and prints as, that knows how many elements they make.

    >>> import minigrad
    >>> minigrad.zeros(2, 3).shape.numel()
    6
    >>> minigrad.Size([2, 3])
    (2, 3)
    """

    __slots__ = ()

    def __new__(cls, lengths: Iterable[Any] = ()) -> Size:
        try:
            return tuple.__new__(cls, [n.__index__() for n in lengths])
        except (AttributeError, TypeError):
            raise TypeError(f"Size: expected a sequence of integers, got {lengths!r}") from None

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return prod(self)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: SupportsIndex, /) -> int: ...
        @overload
        def __getitem__(self, key: slice, /) -> Size: ...

    def __getitem__(self, key: Any) -> Any:
        part = tuple.__getitem__(self, key)
        return tuple.__new__(Size, part) if type(key) is slice else part

    def __add__(self, other: Any) -> Size:
        return tuple.__new__(Size, tuple.__add__(self, other)) if isinstance(other, tuple) else NotImplemented

    def __radd__(self, other: Any) -> Size:
        return tuple.__new__(Size, other + tuple(self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times: Any) -> Size:
        return tuple.__new__(Size, tuple.__mul__(self, times))

    def __rmul__(self, times: Any) -> Size:
        return tuple.__new__(Size, tuple.__mul__(self, times))
