"""Dropout, whose mask is never stored: a counter-based generator gives it again from its key, backward as forward."""

from __future__ import annotations

from ..core.primitive import primitive
from ..kernels import of

__all__: list[str] = []  # nn.functional has the public name


@primitive(method=False, laws="linear")
def dropout(input, /, key, p):
    """The input with each element set to 0 with probability p < 1, and the others divided by 1 - p; the key decides which."""
    return of(input).dropout(input, key, p)


@dropout.vjp("input")
def _(g, key, p):
    return dropout(g, key, p)


@dropout.cases
def _(draw):
    return (draw.array(draw.shape()), draw.choice(0, 2**64 - 1, 1234567890123456789), draw.choice(0.5, 0.75)), {}
