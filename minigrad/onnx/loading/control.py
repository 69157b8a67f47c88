"""Operators that hold graphs (If, Loop, Scan), and those on sequences and optional values."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.onnx.loading.table import Run, axis_of, constant, ints, reads


@reads("If")
def _(condition: Any, *, then_branch: Any, else_branch: Any) -> Any:
    return unpacked((then_branch if bool(condition) else else_branch)())


def unpacked(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)


def gather_in(lists: list[list[Any]], found: list[Any], run: Run) -> None:
    """Keeps what a step of a loop gave, and its memory in account."""
    for values, x in zip(lists, found, strict=True):
        run.budget.take(run.kind, x)
        values.append(x)


def stacked(values: list[Any], run: Run, axis: int = 0) -> Any:
    """What the steps of a loop gave, along a new axis."""
    if not values:
        return ops.zeros(0)
    run.room([len(values), *values[0].shape], values[0].dtype)
    out = ops.stack(values, axis)
    run.budget.give_back(values)
    return out


@reads("Loop")
def _(count: Any, condition: Any, *carried: Any, body: Any, run: Run) -> Any:
    """Values that each step hands to the next, and values that are gathered from all steps."""
    limit = None if count is None else int(count.numpy().reshape(-1)[0])
    going = condition is None or bool(condition)
    state, gathered, step = list(carried), [[] for _ in range(run.outputs - len(carried))], 0  # type: ignore[var-annotated]
    while going and (limit is None or step < limit):
        found = body(constant(step, np.int64), constant(going), *state)
        going, state = bool(found[0]), found[1 : 1 + len(carried)]
        gather_in(gathered, found[1 + len(carried) :], run)
        step += 1
    return unpacked([*state, *[stacked(values, run) for values in gathered]])


@reads("Scan", since=9)
def _(
    *inputs: Any, body: Any, num_scan_inputs: int, scan_input_axes: Any = None, scan_input_directions: Any = None, scan_output_axes: Any = None,
    scan_output_directions: Any = None, run: Run,
) -> Any:  # fmt: skip
    """A loop over the slices of some inputs."""
    state, given = list(inputs[: len(inputs) - num_scan_inputs]), inputs[len(inputs) - num_scan_inputs :]
    axes = [axis_of(a, x.ndim, "Scan") for a, x in zip(scan_input_axes or [0] * len(given), given, strict=True)]
    turned = scan_input_directions or [0] * len(given)
    slices = [(x.flip(a) if back else x).unbind(a) for x, a, back in zip(given, axes, turned, strict=True)]
    gathered: list[list[Any]] = [[] for _ in range(run.outputs - len(state))]
    for here in zip(*slices, strict=True):
        found = body(*state, *here)
        state = found[: len(state)]
        gather_in(gathered, found[len(state) :], run)
    back = scan_output_directions or [0] * len(gathered)
    outs = [values[::-1] if turn else values for values, turn in zip(gathered, back, strict=True)]
    ends = scan_output_axes or [0] * len(outs)
    return unpacked([*state, *[stacked(values, run, a) for values, a in zip(outs, ends, strict=True)]])


# --- sequences --------------------------------------------------------------------------------------------------------


@reads("SequenceConstruct")
def _(*inputs: Any) -> Any:
    return list(inputs)


@reads("SequenceEmpty")
def _(*, dtype: int = 1) -> Any:
    return []


def place_in(sequence: list[Any], position: Any, more: int, run: Run) -> int:
    at = int(position)
    n = len(sequence)
    if not -n <= at < n + more:
        raise IndexError(f"onnx.load: {run.kind}: position {at} in a sequence of {n}")
    return at + n if at < 0 else at


@reads("SequenceAt")
def _(sequence: Any, position: Any, *, run: Run) -> Any:
    return sequence[place_in(sequence, position, 0, run)]


@reads("SequenceInsert")
def _(sequence: Any, x: Any, position: Any = None, *, run: Run) -> Any:
    at = len(sequence) if position is None else place_in(sequence, position, 1, run)
    return [*sequence[:at], x, *sequence[at:]]


@reads("SequenceErase")
def _(sequence: Any, position: Any = None, *, run: Run) -> Any:
    at = len(sequence) - 1 if position is None else place_in(sequence, position, 0, run)
    return [*sequence[:at], *sequence[at + 1 :]]


@reads("SequenceLength")
def _(sequence: Any) -> Any:
    return constant(len(sequence), np.int64)


@reads("SequenceMap", since=17)
def _(sequence: Any, *others: Any, body: Any, run: Run) -> Any:
    outs: list[list[Any]] = [[] for _ in range(run.outputs)]
    for i, x in enumerate(sequence):
        gather_in(outs, body(x, *[o[i] if isinstance(o, list) else o for o in others]), run)
    run.budget.give_back(outs)
    return unpacked(outs)


@reads("SplitToSequence", since=11)
def _(input: Any, split: Any = None, *, axis: int = 0, keepdims: int = 1) -> Any:
    axis = axis_of(axis, input.ndim, "SplitToSequence")
    if split is None:
        found = list(input.split(1, axis))
        return found if keepdims else [x.squeeze(axis) for x in found]
    sizes = ints(split)
    return list(input.split(sizes[0] if split.ndim == 0 else sizes, axis))


@reads("ConcatFromSequence", since=11)
def _(sequence: Any, *, axis: int, new_axis: int = 0, run: Run) -> Any:
    if new_axis:
        return stacked(sequence, run, axis)
    run.room([sum([x.numel() for x in sequence])], sequence[0].dtype)
    return ops.cat(sequence, axis)


# --- values that may be missing ---------------------------------------------------------------------------------------


@reads("Optional", since=15)
def _(input: Any = None, *, type: Any = None) -> Any:
    return input


@reads("OptionalHasElement", since=15)
def _(input: Any = None) -> Any:
    return constant(input is not None)


@reads("OptionalGetElement", since=15)
def _(input: Any) -> Any:
    if input is None:
        raise ValueError("onnx.load: OptionalGetElement: there is no element")
    return input
