"""Softmax and cross entropy (softmax.cu)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy

from .. import reference
from .launch import Array, block_for, each, empty, fits, one_number, pack, packed, start


def along(name: str, x: Array, axis: int, *arguments: Any, after: Sequence[Any] = ()) -> None:
    """Starts a kernel that goes along one axis: a block a line where lines are contiguous, else a thread a line."""
    axis %= max(x.ndim, 1)
    length, inner = (x.shape[axis], prod(x.shape[axis + 1 :])) if x.ndim else (1, 1)
    lines = x.size // length
    if inner == 1:
        start("softmax", f"{name}_rows", x.dtype, (lines,), block_for(length), *arguments, lines, length, inner, *after)
    else:
        start("softmax", f"{name}_lines", x.dtype, (-(-lines // 128),), 128, *arguments, lines, length, inner, *after)


def softmax(x: Array, axis: int, logarithm: bool) -> Array:
    """exp(x) over its sum along an axis, or the logarithm of that."""
    if not fits(x):
        return reference.softmax(x, axis, logarithm)
    out = empty(x, x.shape)
    along("softmax", x, axis, packed(x), out, after=(logarithm,))
    return out


def softmax_input(g: Array, y: Array, axis: int, logarithm: bool) -> Array:
    """The gradient of softmax, from that of its result and the result."""
    if not fits(y):
        return reference.softmax_input(g, y, axis, logarithm)
    out = empty(y, y.shape)
    along("softmax_input", y, axis, packed(g), packed(y), out, after=(logarithm,))
    return out


def cross_entropy(x: Array, target: Array, weight: Array | None, ignored: int) -> tuple[Array, Array, Array]:
    """The cross entropy of each target's class times that class's weight, and what its gradient needs of the softmax.

    A target that is no class gives NaN: to raise an error, the host would have to wait for it.
    """
    if not fits(x):
        return reference.cross_entropy(x, target, weight, ignored)
    loss, largest, log_sum = (empty(x, target.shape) for _ in range(3))
    places = packed(target.astype("int64", copy=False))
    along("cross_entropy", x, 1, packed(x), places, pack(weight), loss, largest, log_sum, after=(numpy.int64(ignored),))
    return loss, largest, log_sum


def cross_entropy_input(
    g: Array, x: Array, target: Array, weight: Array | None, ignored: int, largest: Array, log_sum: Array
) -> Array:
    """The gradient of cross_entropy with respect to x."""
    if not fits(x):
        return reference.cross_entropy_input(g, x, target, weight, ignored, largest, log_sum)
    g, step = one_number(g)
    out = empty(x, x.shape)
    places = packed(target.astype("int64", copy=False))
    each("softmax", "cross_entropy_input", x.dtype, x.size, g, packed(x), places, pack(weight), packed(largest), packed(log_sum), out, x.size, x.shape[1],
         prod(x.shape[2:]), step, numpy.int64(ignored))  # fmt: skip
    return out
