"""Padding with a constant; the other modes are gathers (nn/functional/padding.py)."""

from __future__ import annotations

from ..core.primitive import primitive
from ..kernels import xp

__all__ = ["constant_pad_nd"]


@primitive(method=False)
def constant_pad_nd(input, /, pad, value=0):
    """Adds `value` around the last axes: pad = (before, after) of the last axis, then of the one before, and so on.

    A negative number takes elements away.

    >>> import minigrad
    >>> from minigrad.ops.pad import constant_pad_nd
    >>> constant_pad_nd(minigrad.tensor([1.0, 2.0, 3.0]), (-1, 2))
    tensor([2., 3., 0., 0.])
    """
    sizes, source, target = list(input.shape), [slice(None)] * input.ndim, [slice(None)] * input.ndim
    for axis, before, after in zip(range(input.ndim - 1, -1, -1), pad[::2], pad[1::2], strict=False):
        n = sizes[axis]
        sizes[axis] = n + before + after
        source[axis] = slice(max(-before, 0), n - max(-after, 0))
        target[axis] = slice(max(before, 0), sizes[axis] - max(after, 0))
    out = xp(input).full(sizes, value, input.dtype)
    out[tuple(target)] = input[tuple(source)]
    return out


@constant_pad_nd.vjp("input")
def _(g, pad):
    return constant_pad_nd(g, tuple([-n for n in pad]))


@constant_pad_nd.cases
def _(draw):
    x = draw.array(draw.shape(min_dims=1, min_size=1))
    return (x, draw.choice((1, 2), (-1, 3), (0, -1), (2, 0, -1, 1)[: 2 * x.ndim]), draw.choice(0, 1.5)), {}
