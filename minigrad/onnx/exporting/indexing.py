"""How reading and writing parts of a tensor is written: slices as Slice, indices as Gather and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, Value, emits
from minigrad.onnx.exporting.shapes import moved, sliced

WHOLE = slice(None)


def parts_of(key: Any, ndim: int) -> list[Any]:
    """The parts of a key, with ... written out and whole slices for the axes that are not named."""
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(
        [
            1 if not isinstance(p, Value) and not is_mask(p) else max(1, mask_axes(p))
            for p in parts
            if p is not None and p is not Ellipsis
        ]
    )
    rest = [WHOLE] * (ndim - used)
    for i, p in enumerate(parts):
        if p is Ellipsis:
            return parts[:i] + rest + [q for q in parts[i + 1 :] if q is not Ellipsis]
    return parts + rest


def is_mask(p: Any) -> bool:
    return getattr(p, "dtype", None) is not None and np.dtype(p.dtype).kind == "b"


def mask_axes(p: Any) -> int:
    return len(p.shape) if is_mask(p) else 1


@emits("get")
def _(b: Builder, input: Any, key: Any) -> Any:
    parts = parts_of(key, len(input.shape))
    arrays = [p for p in parts if hasattr(p, "dtype")]
    if not arrays:
        return basic(b, input, parts)
    axes = [p for p in parts if p is not None]
    if len(arrays) == 1 and not is_mask(arrays[0]) and all(isinstance(p, slice) or p is arrays[0] for p in parts):
        out = basic(b, input, [WHOLE if p is arrays[0] else p for p in parts])
        return b.node("Gather", out, index(b, arrays[0]), axis=[p is arrays[0] for p in axes].index(True))
    if not any(isinstance(p, Value) for p in arrays):
        return moved(b, input)
    along = axis_of_grid(parts, input.shape)
    if along is not None:
        return b.node("GatherElements", input, parts[along], axis=along)
    if len(parts) == 1 and is_mask(parts[0]):
        return b.node("GatherND", input, b.node("Transpose", b.node("NonZero", parts[0]), perm=[1, 0]))
    return b.refuse(
        "this mixture of computed indices, masks and slices has no ONNX operator; index one axis at a time, or use gather"
    )


def index(b: Builder, p: Any) -> Value:
    return b.tensor(p) if np.dtype(p.dtype).itemsize >= 4 else b.cast(b.tensor(p), np.int64)


def basic(b: Builder, x: Any, parts: list[Any]) -> Any:
    """Slices, integers and new axes."""
    axes, starts, ends, steps = [], [], [], []
    dropped, added = [], []
    axis = place = 0
    for p in parts:
        if p is None:
            added.append(place)
            place += 1
            continue
        n = x.shape[axis]
        if isinstance(p, slice):
            start, end, step = p.indices(n)
            if (start, end, step) != (0, n, 1):
                axes.append(axis)
                starts.append(start)
                ends.append(2**62 if end == n and step > 0 else end)
                steps.append(step)
            place += 1
        else:
            start = int(p) % n if n else 0
            axes.append(axis)
            starts.append(start)
            ends.append(start + 1)
            steps.append(1)
            dropped.append(axis)
        axis += 1
    out = sliced(b, x, axes, starts, ends, steps) if axes else x
    return b.axes("Unsqueeze", b.axes("Squeeze", out, dropped), added)


def axis_of_grid(parts: list[Any], shape: tuple[int, ...]) -> int | None:
    """The axis of the one computed index, if all others pair it with every place on their axes, as gather does."""
    computed = [i for i, p in enumerate(parts) if isinstance(p, Value)]
    if len(computed) != 1 or len(parts) != len(shape) or len(parts[computed[0]].shape) != len(shape):
        return None
    for axis, p in enumerate(parts):
        if axis == computed[0]:
            continue
        n = parts[computed[0]].shape[axis]
        line = [-1 if i == axis else 1 for i in range(len(shape))]
        if not isinstance(p, np.ndarray) or not np.array_equal(p, np.arange(n).reshape(line)):
            return None
    return computed[0]


@emits("setitem", "add_at", "multiply_at")
def _(b: Builder, input: Any, value: Any, source: Any, key: Any) -> Any:
    given = source if value is None else value
    return written(b, input, given, key, input.shape, REDUCTIONS[b.call.op.name])


REDUCTIONS = {"setitem": None, "add_at": "add", "multiply_at": "mul"}


@emits("put_at")
def _(b: Builder, input: Any, shape: Any, key: Any) -> Any:
    return written(b, zeros(b, shape), input, key, tuple(shape), "add")


def zeros(b: Builder, shape: Any) -> Any:
    return b.spread(b.scalar(0), shape)


def written(b: Builder, target: Any, source: Any, key: Any, shape: tuple[int, ...], reduction: str | None) -> Any:
    """The target with the source written at a key, or added or multiplied there."""
    if reduction is not None:
        b.needs(16, f"ScatterElements with reduction={reduction}")
    parts = parts_of(key, len(shape))
    along = axis_of_grid(parts, shape)
    if along is not None:
        source = b.tensor(source, b.dtype)
        wide = source if source.shape == parts[along].shape else b.spread(source, parts[along].shape)
        return b.node("ScatterElements", target, parts[along], wide, axis=along, reduction=reduction)
    if any(isinstance(p, Value) for p in parts):
        b.refuse(
            "writing at this mixture of computed indices, masks and slices has no ONNX operator; use where or scatter"
        )
    places = np.arange(int(np.prod(shape))).reshape(shape)[key]
    wide = b.reshaped(b.spread(b.tensor(source, b.dtype), places.shape), [-1])
    flat = b.node(
        "ScatterElements", b.reshaped(target, [-1]), b.integers(places.reshape(-1)), wide, axis=0, reduction=reduction
    )
    return b.reshaped(flat, shape)
