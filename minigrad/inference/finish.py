"""Convolutions that also do what comes after them: filters stay packed, and results are finished while they are near; depthwise ones
with their neighbours of one tap."""

from __future__ import annotations

from math import inf
from typing import Any

from minigrad.inference.passes import constant, readers
from minigrad.inference.trace import Call, Program, Ref
from minigrad.kernels import cpu
from minigrad.ops.activation import hardtanh, relu
from minigrad.ops.arithmetic import add
from minigrad.ops.conv import conv

Array = Any


class FinishedConv:
    """The operation of a call with input, constant filters, bias and residual, and statically windows and two limits.

    The residual is added to the convolution, and the sum brought between the limits.
    """

    def __init__(self, filters: Array) -> None:
        self.name = "conv"
        self.kept = cpu.compiled.KeptFilters(filters)

    def compute(self, arrays: list[Array], static: tuple[Any, ...]) -> Array:
        x, w, bias, residual = arrays
        windows, low, high = static
        return cpu.finished_conv(x, w, bias, windows, None, None, low, high, residual, self.kept)


def with_finished_convs(program: Program) -> Program:
    """Rectifiers and residual sums go into the convolution before them, if nothing else reads what that gives."""
    used = readers(program)
    calls: list[Call] = []
    maker: dict[int, int] = {}  # of each value, the place of the call
    for call in program.calls:
        place = len(calls)
        if takes(program, call):
            call = finished(call)
        else:
            place, call = merged_call(program, call, calls, maker, used)
        calls[place : place + 1] = [call]
        maker.update(dict.fromkeys(call.outputs, place))
    return program._replace(calls=calls)


def takes(program: Program, call: Call) -> bool:
    """Is this a convolution with constant filters that the compiled kernels take?"""
    if call.op is not conv or not isinstance(call.args[0], Ref):
        return False
    return constant(call.args[1:]) and all(cpu.takes_kind(*program.kinds[n], call.static[0].rank) for n in (*call.refs, *call.outputs))


def finished(call: Call) -> Call:
    """The same convolution, nothing being done yet to what it gives."""
    x, filters, bias = call.args
    filters = cpu.packed(filters)
    return call._replace(
        op=FinishedConv(filters),
        args=(x, filters, None if bias is None else cpu.packed(bias), None),
        static=(call.static[0], -inf, inf),
    )


def merged_call(
    program: Program, call: Call, calls: list[Call], maker: dict[int, int], used: Any
) -> tuple[int, Call]:
    """The convolution that does what this call does too and its place, or the call itself and the next place."""
    kinds = {program.kinds[n] for n in (*call.refs, *call.outputs)}
    open_convs = [
        maker[n]
        for n in call.refs
        if used[n] == 1 and n in maker and isinstance(calls[maker[n]].op, FinishedConv) and calls[maker[n]].static[1:] == (-inf, inf)
    ]
    if len(kinds) == 1 and open_convs:
        place = max(open_convs)
        before = calls[place]
        if call.op in (relu, hardtanh):
            limits = (0.0, inf) if call.op is relu else tuple([float(x) for x in call.static])
            return place, named(before, call, static=(before.static[0], *limits))
        others = [n for n in call.refs if n not in before.outputs]
        if (
            call.op is add
            and call.static == call.op.defaults
            and len(call.refs) == 2
            and len(others) == 1
            and before.args[3] is None
            and maker.get(others[0], -1) < place
        ):
            return place, named(before, call, args=(*before.args[:3], Ref(others[0])))
    return len(calls), call


def named(before: Call, call: Call, **parts: Any) -> Call:
    """The convolution with these parts, which gives what the call gave."""
    before.op.name += f" and {call.op.name}"
    return before._replace(outputs=call.outputs, **parts)


# --- separable convolutions -------------------------------------------------------------------------------------------


class FinishedBlock:
    """The operation of a call with input and residual: a depthwise convolution, the one of one tap behind it, and perhaps one before."""

    def __init__(self, calls: list[Call]) -> None:
        self.name = ", ".join(call.op.name for call in calls)
        self.windows = calls[-2].static[0]
        stages = [(*call.args[1:3], *(None,) * 5, *call.static[1:]) for call in calls]
        self.stages = (*stages,) if len(stages) == 3 else (None, *stages)
        self.kept = cpu.compiled.KeptFilters(self.stages)

    def compute(self, arrays: list[Array], static: tuple[Any, ...]) -> Array:
        x, residual = arrays
        return cpu.compiled.separable(cpu.packed(x), self.windows, *self.stages, cpu.pack(residual), self.kept)


def with_blocks(program: Program) -> Program:
    """Depthwise convolutions are computed together with those of one tap around them, if nothing else reads what lies between."""
    used = readers(program)
    maker = {n: call for call in program.calls for n in call.outputs}
    blocks: dict[int, Call] = {}  # by the number of what they give
    inside: set[int] = set()  # what lies between

    def before(call: Call) -> Call | None:
        """The finished convolution that gives what this one reads, if this is all that reads it."""
        ref = call.args[0]
        found = maker.get(ref.number) if isinstance(ref, Ref) and used[ref.number] == 1 else None
        return found if found and isinstance(found.op, FinishedConv) and found.args[3] is None else None

    for call in program.calls:
        depthwise = before(call) if isinstance(call.op, FinishedConv) and is_pointwise(call) else None
        if depthwise is not None and is_depthwise(depthwise):
            widen = before(depthwise)
            parts = [depthwise, call] if widen is None or not is_pointwise(widen) else [widen, depthwise, call]
            if not cpu.separable_pays(depthwise.static[0], len(parts) == 3):
                continue
            inside.update(n for part in parts[:-1] for n in part.outputs)
            args = (parts[0].args[0], call.args[3])
            blocks[call.outputs[0]] = call._replace(op=FinishedBlock(parts), args=args, static=())
    calls = [blocks.get(call.outputs[0], call) for call in program.calls if inside.isdisjoint(call.outputs)]
    return program._replace(calls=calls)


def is_pointwise(call: Call) -> bool:
    """Has each filter one tap, for every pixel?"""
    windows = call.static[0]
    return bool(windows.groups == 1 and {*windows.kernel, *windows.stride} == {1} and windows.in_size == windows.out_size)


def is_depthwise(call: Call) -> bool:
    """Has each channel a filter of its own?"""
    windows, (filters, channels, *_) = call.static[0], call.args[1].shape
    return bool(windows.rank <= 2 and channels == 1 and filters == windows.groups)
