"""Operators that read and write at computed places, and those that look for elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.onnx.loading.table import Run, axis_of, constant, reads, refuse


def places(indices: Any, n: int, run: Run) -> Any:
    """Indices counted from the front, checked."""
    array = indices.numpy().astype(np.int64)
    if array.size and (array.min() < -n or array.max() >= n):
        raise IndexError(
            f"onnx.load: {run.kind}: an index is out of range for an axis of length {n}: found {array.min()} to {array.max()}"
        )
    return np.where(array < 0, array + n, array)


@reads("Gather")
def _(input: Any, indices: Any, *, axis: int = 0, run: Run) -> Any:
    axis = axis_of(axis, input.ndim, "Gather")
    run.room([*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :]], input.dtype)
    found = places(indices, input.shape[axis], run)
    flat = input.index_select(axis, constant(found.reshape(-1)))
    return flat.reshape((*input.shape[:axis], *indices.shape, *input.shape[axis + 1 :]))


@reads("GatherElements", since=11)
def _(input: Any, indices: Any, *, axis: int = 0, run: Run) -> Any:
    axis = axis_of(axis, input.ndim, "GatherElements")
    return input.gather(axis, constant(places(indices, input.shape[axis], run)))


@reads("GatherND", since=11)
def _(input: Any, indices: Any, *, batch_dims: int = 0, run: Run) -> Any:
    key = key_of(input, indices, batch_dims, run)
    run.room([*indices.shape[:-1], *input.shape[len(key) :]], input.dtype)
    return input[key]


def key_of(x: Any, indices: Any, batch: int, run: Run) -> tuple[Any, ...]:
    """The key that the last axis of the indices stands for, behind axes that go along."""
    array, depth = indices.numpy(), indices.shape[-1]
    if batch + depth > x.ndim:
        raise ValueError(f"onnx.load: {run.kind}: {depth} indices for shape {tuple(x.shape)} behind {batch} axes")
    ndim = array.ndim - 1
    along = [
        np.arange(n).reshape([-1 if d == i else 1 for d in range(ndim)]) for i, n in enumerate(array.shape[:batch])
    ]
    named = [places(make_tensor(array[..., i]), x.shape[batch + i], run) for i in range(depth)]
    return tuple([constant(a) for a in np.broadcast_arrays(*along, *named)]) if along or named else ()


SCATTERED = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@reads("Scatter", "ScatterElements")
def _(input: Any, indices: Any, updates: Any, *, axis: int = 0, reduction: str = "none", run: Run) -> Any:
    axis = axis_of(axis, input.ndim, run.kind)
    index = constant(places(indices, input.shape[axis], run))
    if reduction == "none":
        return input.scatter(axis, index, updates)
    if reduction not in SCATTERED:
        return refuse(run, f"reduction {reduction!r} is not known")
    return input.scatter_reduce(axis, index, updates, SCATTERED[reduction])


@reads("ScatterND", since=11)
def _(input: Any, indices: Any, updates: Any, *, reduction: str = "none", run: Run) -> Any:
    """As ScatterElements on rows: the places are numbers of flattened leading axes."""
    depth = indices.shape[-1]
    key = key_of(input, indices, 0, run)
    lead = tuple(input.shape[:depth])
    row: Any = (
        np.ravel_multi_index(tuple([k.numpy().reshape(-1) for k in key]), lead)
        if depth
        else np.zeros(int(np.prod(indices.shape[:-1])), np.int64)
    )
    width = int(np.prod(input.shape[depth:]))
    flat, source = input.reshape(int(np.prod(lead)), width), updates.reshape(row.size, width)
    index = constant(np.broadcast_to(row[:, None], (row.size, width)).copy())
    if reduction == "none":
        out = flat.scatter(0, index, source)
    elif reduction in SCATTERED:
        out = flat.scatter_reduce(0, index, source, SCATTERED[reduction])
    else:
        return refuse(run, f"reduction {reduction!r} is not known")
    return out.reshape(input.shape)


@reads("TensorScatter", since=24)
def _(past: Any, update: Any, start: Any = None, *, axis: int = -2, mode: str = "linear") -> Any:
    """New steps of each sequence written from its own start on, as caches of attention are."""
    axis = axis_of(axis, past.ndim, "TensorScatter")
    n, steps = past.shape[axis], update.shape[axis]
    first = np.zeros(past.shape[0], np.int64) if start is None else start.numpy()
    at = first[:, None] + np.arange(steps)
    at = at % n if mode == "circular" else at
    shape = [past.shape[0] if d == 0 else steps if d == axis else 1 for d in range(past.ndim)]
    return past.scatter(axis, constant(np.broadcast_to(at.reshape(shape), update.shape).copy()), update)


@reads("NonZero", since=9)
def _(input: Any) -> Any:
    return constant(np.stack(np.nonzero(np.atleast_1d(input.numpy()))), np.int64)


@reads("Compress", since=9)
def _(input: Any, condition: Any, *, axis: int | None = None) -> Any:
    x = input.reshape(-1) if axis is None else input
    along = 0 if axis is None else axis_of(axis, x.ndim, "Compress")
    kept = np.flatnonzero(condition.numpy()[: x.shape[along]])
    return x.index_select(along, constant(kept, np.int64))


@reads("TopK", since=10)
def _(input: Any, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    """Of equal elements the first come first."""
    axis = axis_of(axis, input.ndim, "TopK")
    n = int(k.numpy().reshape(-1)[0])
    array = input.numpy()
    if largest:
        turned = np.flip(array, axis)
        order = input.shape[axis] - 1 - np.flip(np.argsort(turned, axis, kind="stable"), axis)
    else:
        order = np.argsort(array, axis, kind="stable")
    index = constant(np.take(order, np.arange(n), axis), np.int64)
    return input.gather(axis, index), index


@reads("Unique", since=11)
def _(input: Any, *, axis: int | None = None, sorted: int = 1) -> Any:
    array = input.numpy()
    values, first, inverse, counts = np.unique(array, True, True, True, axis=axis)
    along = 0 if axis is None else axis
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first)
        values, first, counts = np.take(values, order, along), first[order], counts[order]
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        inverse = rank[inverse]
    return make_tensor(values), constant(first, np.int64), constant(inverse, np.int64), constant(counts, np.int64)


@reads("ArgMax", "ArgMin")
def _(input: Any, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0, run: Run) -> Any:
    axis = axis_of(axis, input.ndim, run.kind)
    find = ops.argmax if run.kind == "ArgMax" else ops.argmin
    if not select_last_index:
        return find(input, axis, bool(keepdims))
    return input.shape[axis] - 1 - find(input.flip(axis), axis, bool(keepdims))
