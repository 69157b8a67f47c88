"""Formulas that are written once, as arithmetic on arrays, and run compiled on many arrays in one pass.

A formula is a function of arrays that returns a tuple of arrays. Called with NumPy's arrays it computes, each operation with its own
temporary array. Called with symbols it says what it would compute; that becomes a short list of instructions, which the compiled
kernel runs on one small block after the other, so that every array is read from memory once. Both round alike: the results are equal.

A formula may use + - * / < > ==, abs(), Python's numbers, and the functions here. Called with tensors it would be differentiable: all
that it uses, tensors have under the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy

from .namespace import xp

Formula = Callable[..., tuple[Any, ...]]
Row = tuple[Any, ...]
Step = tuple[int, ...]  # the number of an operation, and those of its operands

# In the order of csrc/instructions.h.
NAMES = (
    "add", "subtract", "multiply", "divide", "maximum", "minimum", "less", "greater", "equal", "sqrt", "absolute", "sign", "copy", "where",
)  # fmt: skip
NUMBER_OF = {name: number for number, name in enumerate(NAMES)}
CONSTANT = -1  # as an operation: the value is a constant, the operand its position among them
COPY = NUMBER_OF["copy"]


class Notes:
    """What a formula computes: values numbered from its arguments on, each made by a step, and the constants among them."""

    def __init__(self, arguments: int) -> None:
        self.arguments = arguments
        self.steps: list[Step] = []
        self.constants: list[float] = []

    def note(self, operation: int, *operands: Any) -> Symbol:
        """Notes one operation and gives the symbol of its result."""
        self.steps.append((operation, *[self.number(operand) for operand in operands]))
        return Symbol(self, self.arguments + len(self.steps) - 1)

    def number(self, operand: Any) -> int:
        """The number of a value; of a Python number, after noting it as a constant."""
        if type(operand) is Symbol:
            return operand.number
        self.constants.append(float(operand))
        self.steps.append((CONSTANT, len(self.constants) - 1))
        return self.arguments + len(self.steps) - 1


def _operator(name: str, *, reflected: bool = False) -> Callable[[Symbol, Any], Symbol]:
    operation = NUMBER_OF[name]
    if reflected:
        return lambda self, other: self.notes.note(operation, other, self)
    return lambda self, other: self.notes.note(operation, self, other)


class Symbol:
    """A value of a formula that is being noted rather than computed."""

    __slots__ = ("notes", "number")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, notes: Notes, number: int) -> None:
        self.notes = notes
        self.number = number

    __add__ = _operator("add")
    __radd__ = _operator("add", reflected=True)
    __sub__ = _operator("subtract")
    __rsub__ = _operator("subtract", reflected=True)
    __mul__ = _operator("multiply")
    __rmul__ = _operator("multiply", reflected=True)
    __truediv__ = _operator("divide")
    __rtruediv__ = _operator("divide", reflected=True)
    __lt__ = _operator("less")
    __gt__ = _operator("greater")
    __eq__ = _operator("equal")  # type: ignore[assignment]

    maximum = _operator("maximum")
    minimum = _operator("minimum")

    def __neg__(self) -> Symbol:
        return self * -1

    def __abs__(self) -> Symbol:
        return self.notes.note(NUMBER_OF["absolute"], self)

    def sqrt(self) -> Symbol:
        return self.notes.note(NUMBER_OF["sqrt"], self)

    def sign(self) -> Symbol:
        return self.notes.note(NUMBER_OF["sign"], self)

    def clamp(self, least: float, most: float) -> Symbol:
        return self.maximum(least).minimum(most)

    def masked_fill(self, mask: Symbol, value: float) -> Symbol:
        return self.notes.note(NUMBER_OF["where"], mask, value, self)

    def __bool__(self) -> bool:
        raise TypeError("a formula cannot branch on the elements of its arrays: use masked_fill()")


def is_array(x: Any) -> bool:
    """Whether x is an array, or the number that NumPy makes of one without axes, rather than a symbol or a tensor."""
    return isinstance(x, (numpy.ndarray, numpy.generic)) or xp(x) is not numpy


def sqrt(x: Any) -> Any:
    """The square root."""
    return xp(x).sqrt(x) if is_array(x) else x.sqrt()


def sign(x: Any) -> Any:
    """-1, 0 or 1; a NaN stays one."""
    return xp(x).sign(x) if is_array(x) else x.sign()


def maximum(x: Any, other: Any) -> Any:
    """The larger one; NaN if one is."""
    return xp(x).maximum(x, other) if is_array(x) else x.maximum(other)


def clamp(x: Any, least: float, most: float) -> Any:
    """x between two numbers; a NaN stays one."""
    return xp(x).minimum(xp(x).maximum(x, least), most) if is_array(x) else x.clamp(least, most)


def masked_fill(x: Any, mask: Any, value: float) -> Any:
    """The value where the mask holds, x elsewhere."""
    return xp(x).where(mask, value, x) if is_array(x) else x.masked_fill(mask, value)


class Plan(NamedTuple):
    """A formula as the compiled kernel runs it. Registers are the arrays of a row, the constants, and the temporaries."""

    temporaries: int
    code: Any  # (n, 5): operation, output and three operands


def noted(formula: Formula, arguments: int) -> tuple[Notes, tuple[int, ...]]:
    """What a formula does with so many arrays, and the numbers of its results, all different and none an argument or a constant."""
    notes = Notes(arguments)
    results: list[int] = []
    for result in formula(*[Symbol(notes, number) for number in range(arguments)]):
        number = notes.number(result)
        if number < arguments or number in results or notes.steps[number - arguments][0] == CONSTANT:
            number = notes.note(COPY, Symbol(notes, number)).number
        results.append(number)
    return notes, tuple(results)


@lru_cache(maxsize=256)
def planned(arguments: int, steps: tuple[Step, ...], results: tuple[int, ...]) -> Plan:
    """Gives every value a register: a result the array it replaces as soon as that is read for the last time, others a free temporary."""
    constants = sum(step[0] == CONSTANT for step in steps)
    targets = {result: arguments - len(results) + place for place, result in enumerate(results)}
    last_read: dict[int, int] = {}
    for position, (operation, *operands) in enumerate(steps):
        if operation != CONSTANT:
            last_read.update(dict.fromkeys(operands, position))
    last_read.update(dict.fromkeys(results, len(steps)))

    register = {number: number for number in range(arguments)}
    first = temporaries = arguments + constants
    free: list[int] = []
    code: list[tuple[int, ...]] = []
    for position, (operation, *operands) in enumerate(steps):
        value = arguments + position
        if operation == CONSTANT:
            register[value] = arguments + operands[0]
            continue
        places = [register[operand] for operand in operands]
        free += {place for operand, place in zip(operands, places, strict=True) if place >= first and last_read[operand] == position}
        if value in targets and last_read.get(targets[value], -1) <= position:
            register[value] = targets[value]
        elif free:
            register[value] = free.pop()
        else:
            register[value] = temporaries
            temporaries += 1
        code.append((operation, register[value], *(places * 3)[:3]))
    for result, target in targets.items():
        if register[result] != target:
            code.append((COPY, target, *[register[result]] * 3))
    return Plan(temporaries - first, numpy.array(code, numpy.int32))
