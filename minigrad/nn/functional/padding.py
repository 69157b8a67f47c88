"""Padding around the last axes: with a constant, or with elements of the input itself."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy

from minigrad.core.dtypes import check_kind
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels.driver import is_host
from minigrad.kernels.resampling import taking
from minigrad.ops.creation import number_as
from minigrad.ops.elementwise import tied
from minigrad.ops.pad import constant_pad_nd
from minigrad.ops.resample import resample

__all__ = ["pad"]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds elements before and after the last axes: pad = (before, after) of the last axis, then of the one before it, ...

    Two elements around 1 2 3 4 are, by mode,

        constant    v v 1 2 3 4 v v   (value, 0 by default)
        reflect     3 2 1 2 3 4 3 2   (fewer than the axis has)
        replicate   1 1 1 2 3 4 4 4
        circular    3 4 1 2 3 4 1 2   (as many as the axis has, at most)

    A negative number takes elements away. The modes other than constant pad the last one, two or three axes of an input
    that has one or two axes more. Raises RuntimeError for numbers that do not fit the input, NotImplementedError for an
    unknown mode or number of axes, TypeError for what is not an integer.

    >>> import minigrad
    >>> x = minigrad.tensor([[1.0, 2.0, 3.0]])
    >>> minigrad.nn.functional.pad(x, (1, 2))
    tensor([[0., 1., 2., 3., 0., 0.]])
    >>> minigrad.nn.functional.pad(x, (1, 2), mode="reflect")
    tensor([[2., 1., 2., 3., 2., 1.]])
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"pad: input must be a Tensor, but got {type(input).__name__}; minigrad.tensor(...) makes one")
    pairs = _pairs(input, pad)
    if mode == "constant":
        for axis, pair in enumerate(pairs, 1):
            _cropped(input, -axis, *pair)
        flat = tuple([n for pair in pairs for n in pair])
        if value:
            number_as("pad", value, input.dtype)  # refuses what the dtype does not hold
        return constant_pad_nd(input, flat, 0 if value is None else value)
    if mode not in PLACES:
        raise NotImplementedError(
            f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', but got {mode!r}"
        )
    if value:
        raise RuntimeError(f"pad: value is for mode 'constant' only, but got value={value} with mode {mode!r}")
    if not 1 <= len(pairs) <= 3 or input.ndim not in (len(pairs) + 1, len(pairs) + 2):
        raise NotImplementedError(
            f"pad: mode {mode!r} pads the last 1, 2 or 3 axes of an input with 1 or 2 axes more, but got {len(pairs)} axes to "
            f"pad and input shape {input.shape}"
        )
    if mode != "circular":
        check_kind("pad", "fiu", input)
        input = tied(input)
    places = [PLACES[mode](input, -axis, before, after) for axis, (before, after) in enumerate(pairs, 1)]
    if not is_host(input.array):  # all axes in one launch, forward and backward
        return resample(input, tuple([taking(input.shape[-axis], tuple(p.tolist())) for axis, p in reversed([*enumerate(places, 1)])]))  # type: ignore[no-any-return]
    for axis, pair in enumerate(pairs, 1):
        if any(pair):
            input = input.index_select(-axis, make_tensor(places[axis - 1]))
    return input


def _pairs(input: Tensor, pad: Any) -> list[tuple[int, int]]:
    """(before, after) for each axis to pad, the last axis first."""
    if not isinstance(pad, Sequence) or isinstance(pad, str):
        raise TypeError(f"pad: pad must be a tuple of ints, but got {pad!r}")
    try:
        numbers = [index(n) for n in pad]
    except TypeError:
        raise TypeError(f"pad: pad must be a tuple of ints, but got {pad!r}") from None
    if len(numbers) % 2:
        raise RuntimeError(
            f"pad: pad must have an even number of elements, (before, after) for each axis, but got {pad}"
        )
    if len(numbers) > 2 * input.ndim:
        raise RuntimeError(
            f"pad: pad has {len(numbers)} elements, more than twice the {input.ndim} axes of the input: {pad}"
        )
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _cropped(input: Tensor, axis: int, before: int, after: int) -> tuple[int, int]:
    """The first and the last plus one of the elements along an axis that negative numbers leave."""
    start, end = max(-before, 0), input.shape[axis] + min(after, 0)
    if start > end:
        raise RuntimeError(
            f"pad: {(before, after)} takes more away from axis {input.ndim + axis} than there is: input shape {input.shape}"
        )
    return start, end


# Where each element along a padded axis comes from.


def _reflected(input: Tensor, axis: int, before: int, after: int) -> Any:
    n = input.shape[axis]
    _check(input, axis, "reflect", before, after, n - 1)
    places = numpy.abs(numpy.arange(-before, n + after))
    return numpy.where(places < n, places, 2 * (n - 1) - places)


def _replicated(input: Tensor, axis: int, before: int, after: int) -> Any:
    n = input.shape[axis]
    _check(input, axis, "replicate", before, after, max(before, after, 0) if n else -1)
    return numpy.arange(-before, n + after).clip(0, n - 1)


def _wrapped(input: Tensor, axis: int, before: int, after: int) -> Any:
    start, end = _cropped(input, axis, before, after)  # what is left wraps around, as in torch
    _check(input, axis, "circular", before, after, end - start)
    return start + numpy.arange(-max(before, 0), end - start + max(after, 0)) % max(end - start, 1)


def _check(input: Tensor, axis: int, mode: str, before: int, after: int, most: int) -> None:
    if input.shape[axis] + before + after < 0:
        _cropped(input, axis, before, after)
    if max(before, after, 0) > most:
        raise RuntimeError(
            f"pad: mode {mode!r} can add at most {max(most, 0)} elements at each end of axis {input.ndim + axis}, but got {(before, after)} with "
            f"input shape {input.shape}"
        )


PLACES = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
