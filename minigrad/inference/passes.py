"""Shorter programs with the same results: each pass takes a program and gives another."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

import numpy as np

from minigrad.inference.trace import Call, Program, Ref
from minigrad.ops.conv import conv, conv_input
from minigrad.ops.linalg import linear
from minigrad.ops.normalization import scale_channels
from minigrad.ops.reduce import amax, amin

Array = Any


def readers(program: Program) -> Counter[int]:
    """How often each value is read, by calls or as a result."""
    return Counter([n for call in program.calls for n in call.refs] + list(program.results()))


def without_dead(program: Program, asked_by: str = "optimize") -> Program:
    """Leaves out what nothing needs.

    Raises RuntimeError for a single number that nothing reads: Python has looked at it, and may have branched on it.
    """
    needed, kept = program.results(), []
    for call in reversed(program.calls):
        if needed.isdisjoint(call.outputs):
            kinds = [program.kinds[n] for n in call.outputs]
            range_of_indices = call.op in (amax, amin) and kinds[0][1].kind in "iu"  # embeddings check it
            if any(prod(shape) == 1 for shape, _ in kinds) and not range_of_indices:
                raise RuntimeError(
                    f"{asked_by}: the model cannot be followed: the number that {call.op.name} gives ({call.place}) is used by no "
                    "operation, so Python may decide by it; such a model must run as it is"
                )
            continue
        needed.update(call.refs)
        kept.append(call)
    return program._replace(calls=kept[::-1])


def with_folded_scales(program: Program) -> Program:
    """Scaling and shifting of channels, which is batch norm in evaluation, goes into the weights of the layer before it."""
    used = readers(program)
    calls: list[Call] = []
    maker: dict[int, int] = {}  # of each value, the place of the call
    for call in program.calls:
        place = len(calls)
        if call.op is scale_channels and isinstance(call.args[0], Ref) and used[call.args[0].number] == 1:
            place = maker.get(call.args[0].number, place)
        if place < len(calls) and foldable(calls[place], program, call):
            source = calls[place]
            calls[place] = source._replace(args=folded_arguments(source, *call.args[1:]), outputs=call.outputs)
        else:
            place = len(calls)
            calls.append(call)
        maker.update(dict.fromkeys(call.outputs, place))
    return program._replace(calls=calls)


def foldable(source: Call, program: Program, scaling: Call) -> bool:
    """Is this a layer with constant weights, and are the scales constant too?"""
    if source.op not in (conv, conv_input, linear) or not isinstance(source.args[0], Ref):
        return False
    if source.op is linear and len(program.kinds[source.outputs[0]][0]) != 2:
        return False
    return constant((*source.args[1:], *scaling.args[1:]))


def constant(arguments: tuple[Any, ...]) -> bool:
    """Are these known, each an array or left out?"""
    return all(x is None or isinstance(x, np.ndarray) for x in arguments)


def folded_arguments(source: Call, scale: Array, shift: Array | None) -> tuple[Any, ...]:
    """The arguments of the layer that computes what it and the scaling behind it compute."""
    x, weight, bias = source.args
    wide = weight.astype("float64")
    if source.op is conv_input:
        groups = source.static[0].groups
        wide = wide.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])
        wide = wide * scale.reshape(groups, 1, -1, *[1] * (weight.ndim - 2))
    else:
        wide = wide * scale.reshape(-1, *[1] * (weight.ndim - 1))
    total = np.zeros(scale.shape) if bias is None else bias * scale.astype("float64")
    total = total if shift is None else total + shift
    return x, np.ascontiguousarray(wide.reshape(weight.shape).astype(weight.dtype)), total.astype(weight.dtype)
