"""Sizes as torch's constructors take them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def repeated(value: Any, count: int) -> Any:
    """A number as a tuple of count equal ones; sequences become tuples as they are.

    >>> repeated(3, 2)
    (3, 3)
    """
    return tuple(value) if isinstance(value, Iterable) else (value,) * count
