"""A program made ready to run: which step computes what, what is overwritten in place, and when memory is given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.silence import restore, silence
from minigrad.inference.passes import readers
from minigrad.inference.trace import Call, Program, Ref, replaced
from minigrad.kernels import cpu
from minigrad.kernels.formula import maximum
from minigrad.ops.activation import elu, gelu, gelu_tanh, hardsigmoid, hardswish, hardtanh, leaky_relu, relu, silu
from minigrad.ops.arithmetic import add
from minigrad.ops.transcendental import sigmoid, tanh

Array = Any
Values = list[Any]

# Functions of each element, which may overwrite what they read; their names are the kernels'.
POINTWISE = {
    op: op.name
    for op in (relu, leaky_relu, hardtanh, hardsigmoid, hardswish, elu, gelu, gelu_tanh, silu, sigmoid, tanh)
}


def added(other: Array, target: Array) -> tuple[Array]:
    """What a residual connection computes."""
    return (other + target,)


def added_and_rectified(other: Array, target: Array) -> tuple[Array]:
    """The same with a rectifier behind it."""
    return (maximum(other + target, 0.0),)


class Plan:
    """Runs a program on arrays. It keeps no values between runs, so several threads may run it at once."""

    def __init__(self, program: Program) -> None:
        self.count = len(program.kinds)
        self.result = program.result
        self.steps: list[Callable[[Values], None]] = []
        self.names: list[str] = []  # of the steps, for people
        used, last = readers(program), last_readers(program)
        kept = program.results()
        calls = list(program.calls)
        while calls:
            call = calls.pop(0)
            step, name = general(call), call.op.name
            dying = [n for n in dict.fromkeys(call.refs) if last[n] is call and n not in kept]
            owned = [n for n in dying if n not in program.shared and n >= program.inputs]
            out = call.outputs[0]
            if call.op in POINTWISE and owned and floats(program, call.refs + [out]):
                step, name, dying = in_place(call), name + ", in place", []
            elif call.op is add and alike(program, call) and owned and call.args[0] != call.args[1]:
                target = owned[-1]
                (other,) = [n for n in call.refs if n != target]
                formula = added
                behind = calls[0] if calls else None
                name += ", in place"
                if (
                    behind is not None
                    and behind.op is relu
                    and behind.refs == [out]
                    and used[out] == 1
                    and out not in kept
                ):
                    formula, out, name = added_and_rectified, behind.outputs[0], "add and relu, in place"
                    calls.pop(0)
                step = sum_in_place(formula, other, target, out)
                dying = [n for n in dying if n != target]
            self.steps.append(step)
            self.names.append(name)
            if dying:
                self.steps.append(release(dying))

    def __call__(self, inputs: tuple[Array, ...]) -> Any:
        """The model's result, with arrays for tensors."""
        values: Values = [*inputs, *[None] * (self.count - len(inputs))]
        warnings = silence()
        try:
            for step in self.steps:
                step(values)
        finally:
            restore(warnings)
        return replaced(self.result, Ref, lambda ref: values[ref.number])


def last_readers(program: Program) -> dict[int, Call]:
    """Of each value that is read, the last call that does."""
    return {n: call for call in program.calls for n in call.refs}


def floats(program: Program, numbers: list[int]) -> bool:
    """Are these values of one shape and of a dtype that the compiled kernels take?"""
    kinds = {program.kinds[n] for n in numbers}
    shape, dtype = kinds.pop()
    return not kinds and cpu.compiled is not None and dtype in cpu.COMPILED_DTYPES and 0 not in shape


def alike(program: Program, call: Call) -> bool:
    """Are both summands computed values of one kind, added as they are?"""
    return len(call.refs) == 2 and call.static == call.op.defaults and floats(program, [*call.refs, call.outputs[0]])


def general(call: Call) -> Callable[[Values], None]:
    """The step that calls the operation."""
    compute, args, static, outputs = call.op.compute, call.args, call.static, call.outputs
    several = len(outputs) > 1
    places = [(i, a.number) for i, a in enumerate(args) if isinstance(a, Ref)]
    constants = [None if isinstance(a, Ref) else a for a in args]
    computed = len(call.refs) > len(places)  # is a static argument?
    first = outputs[0]

    def step(values: Values) -> None:
        arrays = constants.copy()
        for i, n in places:
            arrays[i] = values[n]
        found = compute(arrays, replaced(static, Ref, lambda ref: values[ref.number]) if computed else static)
        if several:
            for n, array in zip(outputs, found, strict=True):
                values[n] = np.asarray(array)
        else:
            values[first] = np.asarray(found)

    return step


def in_place(call: Call) -> Callable[[Values], None]:
    """A function of each element, written where its input was."""
    name, source, out = POINTWISE[call.op], call.refs[0], call.outputs[0]
    constants = [float(x) for x in call.static]

    def step(values: Values) -> None:
        x = values[source]
        values[source] = None
        values[out] = (
            cpu.compiled.map_unary(name, x, *constants, out=x) if x.flags.carray else cpu.unary(name, x, *constants)
        )

    return step


def sum_in_place(formula: Any, other: int, target: int, out: int) -> Callable[[Values], None]:
    """A sum, and what is behind it, written where one summand was."""

    def step(values: Values) -> None:
        x = values[target]
        cpu.update(formula, [(values[other], x)])
        values[target], values[out] = None, x

    return step


def release(numbers: list[int]) -> Callable[[Values], None]:
    """Lets go of values that nothing reads any more."""

    def step(values: Values) -> None:
        for n in numbers:
            values[n] = None

    return step
