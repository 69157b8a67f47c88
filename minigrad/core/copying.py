"""Copies that share memory as their originals do: of tensors in one deepcopy, or one pickle."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Version


def owner_of(array: Any) -> Any:
    """The array that owns the memory of this one; the array itself where it cannot be described as a part of that."""
    owner = memory_of(array)
    return owner if owner.dtype == array.dtype and owner.flags.forc and array.size else array


def memory_of(array: Any) -> Any:
    """The array at the end of the chain of views, whatever its dtype and strides are."""
    while True:
        base = array.base if isinstance(array.base, np.ndarray) else getattr(array.base, "base", None)  # as_strided has an object in between
        if not isinstance(base, np.ndarray):
            return array
        array = base


def place_in(owner: Any, array: Any) -> Any:
    """Where in its owner's memory an array lies: offset, shape and strides; None for the owner."""
    if array is owner:
        return None
    return address(array) - address(owner), array.shape, array.strides


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def part(owner: Any, place: Any) -> Any:
    """The array that lies at a place in its owner's memory."""
    if place is None:
        return owner
    offset, shape, strides = place
    return np.ndarray(shape, owner.dtype, owner.reshape(-1, order="A"), offset, strides)


def deep_copy(array: Any, memo: dict[Any, Any]) -> tuple[Any, Version]:
    """A copy of an array, in a copy of its owner's memory that is made once for each deepcopy, and the write counter of that."""
    owner = owner_of(array)
    if id(owner) not in memo:
        memo[id(owner)] = owner.copy(order="K")
        memo["writes", id(owner)] = Version()
        memo.setdefault(id(memo), []).append(owner)  # the number stands for it as long as it lives
    return part(memo[id(owner)], place_in(owner, array)), memo["writes", id(owner)]
