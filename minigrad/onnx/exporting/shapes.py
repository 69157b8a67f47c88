"""How operations that move elements, or join and cut tensors, are written."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, Value, emits
from minigrad.ops.shape import check_dim, check_dims


@emits("reshape", "view")
def _(b: Builder, input: Any) -> Any:
    return b.reshaped(input, b.shape)


@emits("expand")
def _(b: Builder, input: Any) -> Any:
    return input if input.shape == b.shape else b.spread(input, b.shape)


@emits("transpose")
def _(b: Builder, input: Any, dim0: Any, dim1: Any) -> Any:
    order = list(range(len(input.shape)))
    if not order:
        return input
    i, j = dim0 % len(order), dim1 % len(order)
    order[i], order[j] = order[j], order[i]
    return b.node("Transpose", input, perm=order)


@emits("permute")
def _(b: Builder, input: Any, dims: Any) -> Any:
    return b.node("Transpose", input, perm=[int(d) % len(dims) for d in dims]) if len(dims) else input


@emits("squeeze")
def _(b: Builder, input: Any, dim: Any) -> Any:
    axes = check_dims("squeeze", dim, len(input.shape))
    return b.axes("Squeeze", input, [d for d in axes if input.shape[d] == 1])


@emits("unsqueeze")
def _(b: Builder, input: Any, dim: Any) -> Any:
    return b.axes("Unsqueeze", input, [int(dim) % len(b.shape)])


@emits("flip")
def _(b: Builder, input: Any, dims: Any) -> Any:
    axes = check_dims("flip", dims, len(input.shape)) if dims not in ((), []) else ()
    return sliced(b, input, axes, [-1] * len(axes), [-(2**62)] * len(axes), [-1] * len(axes)) if axes else input


def sliced(b: Builder, x: Any, axes: Any, starts: Any, ends: Any, steps: Any) -> Any:
    """The part of a value from start to end along some axes."""
    return b.node(
        "Slice", x, b.sizes(list(starts)), b.sizes(list(ends)), b.integers(list(axes)), b.integers(list(steps))
    )


@emits("split_sizes")
def _(b: Builder, input: Any, sizes: Any, dim: Any) -> Any:
    return pieces(b, input, sizes, check_dim("split", dim, len(input.shape)))


def pieces(b: Builder, x: Any, sizes: Any, axis: int) -> tuple[Any, ...]:
    """A value cut along an axis."""
    if len(sizes) == 1:
        return (b.node("Identity", x),)
    return tuple(b.node("Split", x, b.sizes(list(sizes)), outputs=len(sizes), axis=axis))


@emits("unbind")
def _(b: Builder, input: Any, dim: Any) -> Any:
    axis = check_dim("unbind", dim, len(input.shape))
    n = input.shape[axis]
    if n == 0:
        return ()
    return tuple([b.axes("Squeeze", x, [axis]) for x in pieces(b, input, [1] * n, axis)])


@emits("join")
def _(b: Builder, tensors: Any, dim: Any) -> Any:
    given = b.together(*tensors, dtype=b.dtype)
    return b.node("Concat", *given, axis=check_dim("cat", dim, len(b.shape)))


@emits("constant_pad_nd")
def _(b: Builder, input: Any, pad: Any, value: Any) -> Any:
    """torch counts from the last axis; what is negative is cut off."""
    before, after = [0] * len(input.shape), [0] * len(input.shape)
    for i in range(len(pad) // 2):
        before[-1 - i], after[-1 - i] = int(pad[2 * i]), int(pad[2 * i + 1])
    return b.node("Pad", input, b.integers(before + after), b.scalar(value))


@emits("tril", "triu")
def _(b: Builder, input: Any, diagonal: Any) -> Any:
    b.needs(14, "Trilu")
    return b.node("Trilu", input, b.integers(int(diagonal)), upper=int(b.call.op.name == "triu"))


@emits("diagonal", "strided_view", "unfold")
def _(b: Builder, input: Any) -> Any:
    return moved(b, input)


def moved(b: Builder, x: Value) -> Any:
    """The elements that an operation moves, found out by letting it move their numbers; read from the flattened input."""
    static = b.call.static
    places = np.asarray(b.call.op.compute([np.arange(int(np.prod(x.shape))).reshape(x.shape)], static))
    return b.node("Gather", b.reshaped(x, [-1]), b.integers(places), axis=0)
