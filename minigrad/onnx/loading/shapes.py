"""Operators that move elements, join and cut tensors, and compute with shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Run, axis_of, constant, ints, reads, refuse


@reads("Reshape", since=5)
def _(input: Any, shape: Any, *, allowzero: int = 0) -> Any:
    lengths = ints(shape)
    if not allowzero:
        lengths = [input.shape[i] if n == 0 else n for i, n in enumerate(lengths)]
    return input.reshape(tuple(lengths))


@reads("Flatten")
def _(input: Any, *, axis: int = 1) -> Any:
    axis = axis + input.ndim if axis < 0 else axis
    rows = int(np.prod(input.shape[:axis]))
    return input.reshape(rows, int(np.prod(input.shape[axis:])))


@reads("Transpose")
def _(input: Any, *, perm: Any = None) -> Any:
    return input.permute(tuple(range(input.ndim))[::-1] if perm is None else tuple(perm))


@reads("Squeeze")
def _(input: Any, *, axes: Any = None) -> Any:
    return squeezed(input, axes)


@reads("Squeeze", since=13)
def _(input: Any, axes: Any = None) -> Any:
    return squeezed(input, None if axes is None else ints(axes))


def squeezed(x: Any, axes: Any) -> Any:
    if axes is None:
        return x.squeeze()
    for axis in axes:
        if x.shape[axis] != 1:
            raise ValueError(f"onnx.load: Squeeze: axis {axis} of shape {tuple(x.shape)} has not length 1")
    return x.squeeze(tuple(axes)) if axes else x


@reads("Unsqueeze")
def _(input: Any, *, axes: Any) -> Any:
    return unsqueezed(input, axes)


@reads("Unsqueeze", since=13)
def _(input: Any, axes: Any) -> Any:
    return unsqueezed(input, ints(axes))


def unsqueezed(x: Any, axes: Any) -> Any:
    ndim = x.ndim + len(axes)
    for axis in sorted([axis_of(a, ndim, "Unsqueeze") for a in axes]):
        x = x.unsqueeze(axis)
    return x


@reads("Concat", since=4)
def _(*inputs: Any, axis: int, run: Run) -> Any:
    axis = axis_of(axis, inputs[0].ndim, "Concat")
    shape = list(inputs[0].shape)
    shape[axis] = sum([x.shape[axis] for x in inputs])
    run.room(shape, inputs[0].dtype)
    return ops.cat(list(inputs), axis)


@reads("Split")
def _(input: Any, *, axis: int = 0, split: Any = None, run: Run) -> Any:
    return pieces(input, split, axis, run.outputs)


@reads("Split", since=13)
def _(input: Any, split: Any = None, *, axis: int = 0, num_outputs: int | None = None, run: Run) -> Any:
    return pieces(input, None if split is None else ints(split), axis, num_outputs or run.outputs)


def pieces(x: Any, sizes: Any, axis: int, count: int) -> Any:
    """Equal pieces, the last of which may be smaller, or pieces of given sizes."""
    if sizes is None:
        n = x.shape[axis]
        each = -(-n // count)
        sizes = [min(each, max(0, n - i * each)) for i in range(count)]
    return tuple(x.split(list(sizes), axis))


@reads("Slice")
def _(input: Any, *, starts: Any, ends: Any, axes: Any = None) -> Any:
    return sliced(input, starts, ends, axes, None)


@reads("Slice", since=10)
def _(input: Any, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    return sliced(
        input, ints(starts), ints(ends), None if axes is None else ints(axes), None if steps is None else ints(steps)
    )


def sliced(x: Any, starts: Any, ends: Any, axes: Any, steps: Any) -> Any:
    """Bounds outside of the tensor are moved to its ends; steps may be negative."""
    axes = range(len(starts)) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    key: list[Any] = [slice(None)] * x.ndim
    turned = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis, n = axis_of(axis, x.ndim, "Slice"), x.shape[axis]
        if step == 0:
            raise ValueError("onnx.load: Slice: a step is 0")
        if step > 0:
            key[axis] = slice(
                min(start, n) if start >= 0 else max(start, -n),
                max(end, -n) if end < 0 else min(end, n),
                min(step, max(n, 1)),
            )
            continue
        first = min(start, n - 1) if start >= 0 else start + n
        last = (min(end, n - 1) if end >= 0 else max(end + n, -1)) + 1
        turned.append(axis)
        key[axis] = slice(max(n - 1 - first, 0), n - last, min(-step, max(n, 1)))
        if first < 0:
            key[axis] = slice(0, 0)
    return (x.flip(turned) if turned else x)[tuple(key)]


@reads("Expand", since=8)
def _(input: Any, shape: Any, *, run: Run) -> Any:
    full = np.broadcast_shapes(input.shape, tuple(ints(shape)))
    run.room(full, input.dtype)
    return input.expand(full) if full != tuple(input.shape) else input


@reads("Tile", since=6)
def _(input: Any, repeats: Any, *, run: Run) -> Any:
    times = ints(repeats)
    run.room([n * k for n, k in zip(input.shape, times, strict=True)], input.dtype)
    return ops.tile(input, tuple(times))


@reads("Pad")
def _(input: Any, *, pads: Any, mode: str = "constant", value: float = 0.0, run: Run) -> Any:
    return padded(input, pads, value, None, mode, run)


@reads("Pad", since=11)
def _(input: Any, pads: Any, value: Any = None, axes: Any = None, *, mode: str = "constant", run: Run) -> Any:
    return padded(
        input, ints(pads), 0 if value is None else value.item(), None if axes is None else ints(axes), mode, run
    )


def padded(x: Any, pads: Any, value: Any, axes: Any, mode: str, run: Run) -> Any:
    axes = list(range(x.ndim)) if axes is None else [axis_of(a, x.ndim, "Pad") for a in axes]
    around = {axis: (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    run.room([n + sum(around.get(d, (0, 0))) for d, n in enumerate(x.shape)], x.dtype)
    if mode == "constant":
        return F.pad(x, [p for d in reversed(range(x.ndim)) for p in around.get(d, (0, 0))], value=value)
    if mode not in ("reflect", "edge", "wrap"):
        return refuse(run, f"mode {mode!r} is not known")
    for axis, (
        before,
        after,
    ) in around.items():  # one axis after the other, which is the same for modes that repeat what is there
        places = np.arange(-min(before, 0), x.shape[axis] + min(after, 0))
        places = np.pad(places, (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
        x = x.index_select(axis, constant(places))
    return x


@reads("Shape")
def _(input: Any, *, start: int = 0, end: int | None = None) -> Any:
    return constant(input.shape[start:end], np.int64)


@reads("Size")
def _(input: Any) -> Any:
    return constant(input.numel(), np.int64)


@reads("Constant")
def _(
    *,
    value: Any = None,
    value_float: Any = None,
    value_floats: Any = None,
    value_int: Any = None,
    value_ints: Any = None,
) -> Any:
    if value is not None:
        return value
    floats = value_float if value_floats is None else value_floats
    return (
        constant(floats, np.float32)
        if floats is not None
        else constant(value_int if value_ints is None else value_ints, np.int64)
    )


@reads("ConstantOfShape", since=9)
def _(shape: Any, *, value: Any = None, run: Run) -> Any:
    lengths = tuple(ints(shape)) if shape.numel() else ()
    number = np.float32(0) if value is None else value.numpy().reshape(-1)[0]
    run.room(lengths, number.dtype)
    return make_tensor(np.full(lengths, number))


@reads("Range", since=11)
def _(start: Any, limit: Any, delta: Any, *, run: Run) -> Any:
    a, b, step = start.item(), limit.item(), delta.item()
    if step == 0:
        raise ValueError("onnx.load: Range: the step is 0")
    count = max(int(np.ceil((b - a) / step)), 0)
    run.room((count,), start.dtype)
    return make_tensor((a + np.arange(count) * step).astype(start.dtype))


@reads("EyeLike", since=9)
def _(input: Any, *, dtype: int | None = None, k: int = 0, run: Run) -> Any:
    from minigrad.onnx.loading.elementwise import dtype_of

    rows, columns = input.shape
    return make_tensor(np.eye(rows, columns, k, input.dtype if dtype is None else dtype_of(dtype, run)))


@reads("OneHot", since=9)
def _(indices: Any, depth: Any, values: Any, *, axis: int = -1, run: Run) -> Any:
    n = int(depth.numpy().reshape(-1)[0])
    axis = axis_of(axis, indices.ndim + 1, "OneHot")
    run.room([*indices.shape, n], values.dtype)
    places = indices.numpy().astype(np.int64)
    places = np.where(places < 0, places + n, places)
    hot = np.expand_dims(places, axis) == np.arange(n).reshape([-1 if d == axis else 1 for d in range(places.ndim + 1)])
    off, on = values[0], values[1]
    return ops.where(make_tensor(hot), on, off)


@reads("Trilu", since=14)
def _(input: Any, k: Any = None, *, upper: int = 1) -> Any:
    diagonal = 0 if k is None else int(k)
    rows, columns = input.shape[-2:]
    diagonal = max(-rows - columns, min(diagonal, rows + columns))
    kept = (
        np.triu(np.ones((rows, columns), bool), diagonal)
        if upper
        else np.tril(np.ones((rows, columns), bool), diagonal)
    )
    return ops.where(make_tensor(kept), input, constant(0, input.dtype))


@reads("DepthToSpace")
def _(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = input.shape
    k, inner = blocksize, c // blocksize**2
    if mode == "CRD":
        return input.reshape(n, inner, k, k, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, inner, h * k, w * k)
    return input.reshape(n, k, k, inner, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, inner, h * k, w * k)


@reads("SpaceToDepth")
def _(input: Any, *, blocksize: int, mode: str = "DCR") -> Any:
    n, c, h, w = input.shape
    k = blocksize
    x = input.reshape(n, c, h // k, k, w // k, k)
    order = (0, 1, 3, 5, 2, 4) if mode == "CRD" else (0, 3, 5, 1, 2, 4)
    return x.permute(*order).reshape(n, c * k * k, h // k, w // k)


@reads("ReverseSequence", since=10)
def _(input: Any, lengths: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Any:
    """The first `lengths[i]` steps of each sequence turned round."""
    x = input.movedim((time_axis, batch_axis), (0, 1))
    steps = np.arange(x.shape[0])[:, None]
    n = lengths.numpy()[None, :]
    places = np.where(steps < n, n - 1 - steps, steps)
    return x[constant(places), constant(np.arange(x.shape[1]))[None, :]].movedim((0, 1), (time_axis, batch_axis))


@reads("CenterCropPad", since=18)
def _(input: Any, shape: Any, *, axes: Any = None, run: Run) -> Any:
    axes = range(input.ndim) if axes is None else axes
    for axis, n in zip(axes, ints(shape), strict=True):
        axis = axis_of(axis, input.ndim, "CenterCropPad")
        more = n - input.shape[axis]
        if more < 0:
            input = input.narrow(axis, -more // 2, n)
        elif more > 0:
            before = [0] * input.ndim
            after = [0] * input.ndim
            before[axis], after[axis] = more // 2, more - more // 2
            input = padded(input, before + after, 0, None, "constant", run)
    return input
