"""Elementwise operations that round, choose or copy; arithmetic and the functions of analysis have files of their own."""

from __future__ import annotations

import builtins
import math

import numpy as np

from ..core.dtypes import check_kind, result_type
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import Tensor, register
from ..kernels import xp
from .creation import number_as, zeros_like
from .families import INTEGER_KINKS, NONZERO, REAL, Domain, elementwise, known_as

__all__ = [
    "ceil", "clamp", "clamp_max", "clamp_min", "clip", "clone", "fix", "floor", "frac", "maximum", "minimum", "nan_to_num", "round", "sign",
    "trunc", "where",
]  # fmt: skip


def tensor_first(op, x):
    """Refuses a number as first argument, where torch wants a tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{op}: argument 'input' must be a tensor, got {type(x).__name__}; minigrad.tensor(...) makes one"
        )


# --- rounding: piecewise constant, so the derivative is 0 wherever there is one --------------------------------------


@elementwise(INTEGER_KINKS, to_float=False, accepts="fiu", oracle=math.floor)
def floor(input, /):
    """The largest integer not above the input."""
    return xp(input).floor(input) if input.dtype.kind == "f" else input.copy()


@elementwise(INTEGER_KINKS, to_float=False, accepts="fiu", oracle=math.ceil)
def ceil(input, /):
    """The smallest integer not below the input."""
    return xp(input).ceil(input) if input.dtype.kind == "f" else input.copy()


@elementwise(INTEGER_KINKS, to_float=False, accepts="fiu", oracle=math.trunc)
def trunc(input, /):
    """The input without its fraction."""
    return xp(input).trunc(input) if input.dtype.kind == "f" else input.copy()


@elementwise(Domain(kinks=tuple(i + 0.5 for i in range(-5, 5))), to_float=False, oracle=builtins.round)
def round(input, /, *, decimals=0):
    """The nearest integer, halves to the even one; or the nearest number with so many decimals."""
    check_kind("round", "f" if decimals else "fiu", input)
    return xp(input).round(input, decimals)


@elementwise(NONZERO, to_float=False, oracle=lambda x: math.copysign(1, x))
def sign(input, /):
    """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""
    return xp(input).subtract(input > 0, input < 0, dtype=input.dtype) if input.dtype.kind != "b" else input.copy()


def flat(g):
    """The vjp of a piecewise constant function."""
    return zeros_like(g)


for op in (floor, ceil, trunc, round, sign):
    op.vjp("input")(flat)


@function
def frac(input):
    """The fraction of the input, with its sign."""
    check_kind("frac", "f", input)
    return input - trunc(input)


# --- choosing ---------------------------------------------------------------------------------------------------------


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=max)
def maximum(input, other, /):
    """The larger of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""
    return xp(input).maximum(input, other)


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=min)
def minimum(input, other, /):
    """The smaller of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""
    return xp(input).minimum(input, other)


@maximum.vjp("input")
@minimum.vjp("other")
def _(g, input, other):
    return g * share(input, other, input < other)


@maximum.vjp("other")
@minimum.vjp("input")
def _(g, input, other):
    return g * share(input, other, input > other)


def share(x, y, lost):
    """1/2 where x and y are equal, else 0 for the one that was not chosen and 1 for the other."""
    return where(x == y, 0.5, where(lost, 0.0, 1.0))


@elementwise(
    Domain(kinks=(-1.0, 1.0)), to_float=False, method=False,
    oracle=lambda x, min, max: builtins.min(max, x if min is None else builtins.max(min, x)),
)  # fmt: skip
def clamp_between(input, /, min, max):
    """The input, with what lies outside [min, max] moved to its nearer end."""
    if input.dtype.kind == "f":
        return input.clip(min, max)
    check_kind("clamp", "fiu", input, min, max)
    dtype = result_type(input, *[x for x in (min, max) if x is not None])
    low, high = [None if x is None else number_as("clamp", x, dtype) for x in (min, max)]
    return input.astype(dtype, copy=False).clip(low, high)


@clamp_between.vjp("input")
def _(g, input, min, max):
    inside = (
        (input >= min) & (input <= max)
        if min is not None and max is not None
        else input >= min
        if max is None
        else input <= max
    )
    return g * inside


@clamp_between.cases
def _(draw):
    return (draw.array(draw.shape(), kinks=(-1.0, 1.0)),), {"min": draw.choice(None, -1.0), "max": 1.0}


@function
def clamp(input, min=None, max=None):
    """The input, with what lies outside [min, max] moved to its nearer end.

    Args:
        input: a tensor.
        min, max: numbers or tensors; None for no bound on that side.

    Raises:
        RuntimeError: neither bound is given.

    >>> import minigrad
    >>> minigrad.clamp(minigrad.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("clamp: at least one of min and max must be given")
    if not isinstance(min, Tensor) and not isinstance(max, Tensor):
        return clamp_between(input, min, max)
    if min is not None:
        input = where(input < min, min, input)
    return input if max is None else where(input > max, max, input)


@function
def clamp_min(input, min):
    """The input, not below `min`."""
    tensor_first("clamp_min", input)
    return clamp(input, min=min)


@function
def clamp_max(input, max):
    """The input, not above `max`."""
    tensor_first("clamp_max", input)
    return clamp(input, max=max)


@primitive(method=False, laws="elementwise", oracle=lambda condition, x, y: x if condition else y)
def choose(condition, input, other, /):
    """The input where the condition holds, the other elsewhere."""
    target = result_type(input, other)
    m = xp(condition)
    return m.where(condition, of_dtype(m, input, target), of_dtype(m, other, target))


def of_dtype(m, x, dtype):
    """An array or a number in this dtype; on a GPU a number stays one, an argument of a kernel rather than a copy to the device."""
    if m is np:
        return np.asarray(x, dtype)
    return x.astype(dtype, copy=False) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


@choose.vjp("input")
def _(g, condition):
    return choose(condition, g, 0)


@choose.vjp("other")
def _(g, condition):
    return choose(condition, 0, g)


@choose.cases
def _(draw):
    shape = draw.shape()
    return (draw.booleans(shape), draw.array(draw.broadcastable(shape)), draw.array(shape)), {}


@function(method=False)
def where(condition, input=None, other=None):
    """The input where the condition holds, the other elsewhere; with the condition alone, the indices where it holds.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, -2.0])
    >>> minigrad.where(x > 0, x, 0.0)
    tensor([1., 0.])
    """
    if not isinstance(condition, Tensor):
        raise TypeError(f"where: expected a tensor of truth values as condition, got {type(condition).__name__}")
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype.name not in ("bool", "uint8"):
        raise RuntimeError(f"where: expected a condition of truth values, got {condition.dtype}; x != 0 makes them")
    if input is None or other is None:
        raise TypeError("where: expected both values, or the condition alone")
    return choose(condition, input, other)


register("where", lambda self, condition, other: where(condition, self, other))


@function
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """The input with NaN replaced by `nan` (0), and infinities by `posinf` and `neginf` (the largest numbers of the dtype)."""
    if input.dtype.kind != "f":
        return clone(input)
    info = xp(input.array).finfo(input.dtype)
    input = where(input != input, 0.0 if nan is None else nan, input)
    input = where(input == math.inf, float(info.max) if posinf is None else posinf, input)
    return where(input == -math.inf, float(info.min) if neginf is None else neginf, input)


for composite in (clamp, clamp_min, clamp_max, nan_to_num, frac):
    in_place(composite)
clip, fix = known_as(clamp, "clip"), known_as(trunc, "fix")


# --- copies -----------------------------------------------------------------------------------------------------------


@primitive(laws="linear")
def clone(input, /, *, memory_format=None):
    """A copy, through which gradients flow."""
    return input.copy()


@clone.vjp("input")
def _(g):
    return g


@clone.cases
def _(draw):
    return (draw.array(draw.shape()),), {}


@primitive(method=False, view=True, tied=True, laws="linear")
def tied(input, /):
    """The input itself, for composites whose gradient is to depend on it where torch's does: see `tied` in core/primitive.py."""
    return input


@tied.vjp("input")
def _(g):
    return g


@tied.cases
def _(draw):
    return (draw.array(draw.shape()),), {}
