"""Comparisons and logic: truth values out, so there is nothing to differentiate."""

from __future__ import annotations

import math
import operator

from ..core.inplace import in_place
from ..core.primitive import PROMOTE, function, primitive
from ..core.tensor import Tensor
from ..kernels import xp
from .families import known_as

__all__ = [
    "allclose", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose",
    "isfinite", "isinf", "isnan", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne",
    "not_equal",
]  # fmt: skip


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.eq)
def eq(input, other, /):
    """input == other."""
    return xp(input).equal(input, other)


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.ne)
def ne(input, other, /):
    """input != other."""
    return xp(input).not_equal(input, other)


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.lt)
def lt(input, other, /):
    """input < other."""
    return xp(input).less(input, other)


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.le)
def le(input, other, /):
    """input <= other."""
    return xp(input).less_equal(input, other)


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.gt)
def gt(input, other, /):
    """input > other."""
    return xp(input).greater(input, other)


@primitive(promotion=PROMOTE, numbers=("other",), oracle=operator.ge)
def ge(input, other, /):
    """input >= other."""
    return xp(input).greater_equal(input, other)


def both(op, input, other):
    """The operands, of which NumPy would take None for an object."""
    if input is None or other is None:
        raise TypeError(f"{op}: expected two tensors, got None; minigrad.tensor(...) makes one")
    return input, other


@primitive(numbers=(), oracle=lambda x, y: bool(x) and bool(y))
def logical_and(input, other, /):
    """Whether both are true (not zero)."""
    return xp(input).logical_and(*both("logical_and", input, other))


@primitive(numbers=(), oracle=lambda x, y: bool(x) or bool(y))
def logical_or(input, other, /):
    """Whether at least one is true (not zero)."""
    return xp(input).logical_or(*both("logical_or", input, other))


@primitive(numbers=(), oracle=lambda x, y: bool(x) != bool(y))
def logical_xor(input, other, /):
    """Whether exactly one is true (not zero)."""
    return xp(input).logical_xor(*both("logical_xor", input, other))


@primitive(oracle=operator.not_)
def logical_not(input, /):
    """Whether the input is false (zero)."""
    return xp(input).logical_not(input)


@primitive(promotion=PROMOTE, oracle=operator.and_)
def bitwise_and(input, other, /):
    """The bits set in both, of integers or truth values."""
    return xp(input).bitwise_and(input, other)


@primitive(promotion=PROMOTE, oracle=operator.or_)
def bitwise_or(input, other, /):
    """The bits set in at least one, of integers or truth values."""
    return xp(input).bitwise_or(input, other)


@primitive(promotion=PROMOTE, oracle=operator.xor)
def bitwise_xor(input, other, /):
    """The bits set in exactly one, of integers or truth values."""
    return xp(input).bitwise_xor(input, other)


@primitive(oracle=operator.not_)
def bitwise_not(input, /):
    """The bits that are not set, of integers or truth values."""
    return xp(input).invert(input)


@primitive(oracle=math.isnan)
def isnan(input, /):
    """Whether each element is not a number."""
    return xp(input).isnan(input)


@primitive(oracle=math.isinf)
def isinf(input, /):
    """Whether each element is infinite."""
    return xp(input).isinf(input)


@primitive(oracle=math.isfinite)
def isfinite(input, /):
    """Whether each element is neither infinite nor NaN."""
    return xp(input).isfinite(input)


@primitive(numbers=(), oracle=lambda x, y: abs(x - y) <= 1e-8 + 1e-5 * abs(y))
def isclose(input, other, /, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether |input - other| <= atol + rtol * |other|."""
    if not (rtol >= 0 and atol >= 0):
        raise RuntimeError(f"isclose: rtol and atol cannot be negative, got {rtol} and {atol}")
    return xp(input).isclose(input, other, rtol, atol, equal_nan)


@function
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether all elements are close: see isclose."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@function
def equal(input, other):
    """Whether two tensors have the same shape and elements."""
    if not isinstance(other, Tensor):
        raise TypeError(f"equal: expected a tensor, got {type(other).__name__}")
    return input.shape == other.shape and bool((input.array == other.array).all())


for op in (eq, ne, lt, le, gt, ge, logical_and, logical_or, logical_xor, logical_not, bitwise_and, bitwise_or, bitwise_xor, bitwise_not):
    in_place(op)

greater, greater_equal, less = known_as(gt, "greater"), known_as(ge, "greater_equal"), known_as(lt, "less")
less_equal, not_equal = known_as(le, "less_equal"), known_as(ne, "not_equal")


@eq.cases
@ne.cases
@lt.cases
@le.cases
@gt.cases
@ge.cases
@logical_and.cases
@logical_or.cases
@logical_xor.cases
@isclose.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(shape), draw.array(draw.broadcastable(shape))), {}


@bitwise_and.cases
@bitwise_or.cases
@bitwise_xor.cases
def _(draw):
    shape = draw.shape()
    return (draw.booleans(shape), draw.booleans(draw.broadcastable(shape))), {}


@bitwise_not.cases
def _(draw):
    return (draw.booleans(draw.shape()),), {}


@isnan.cases
@isinf.cases
@isfinite.cases
@logical_not.cases
def _(draw):
    return (draw.array(draw.shape(), special=True),), {}
