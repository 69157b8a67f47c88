"""A model's forward as a list of operations: what it did with one example, in order."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from minigrad.core.modes import no_grad, set_tracer, tracers
from minigrad.core.primitive import Primitive
from minigrad.core.source import here
from minigrad.core.tensor import Tensor

Array = Any  # numpy.ndarray


class Ref(NamedTuple):
    """Stands for a value that is computed from the inputs, by its number."""

    number: int


class Call(NamedTuple):
    """One operation: its arguments are Refs, or constants (arrays, numbers, None); `outputs` are the numbers of its values."""

    op: Any  # a Primitive, or what computes as one does
    args: tuple[Any, ...]
    static: tuple[Any, ...]
    outputs: tuple[int, ...]
    place: Any  # where the operation was called

    @property
    def refs(self) -> list[int]:
        """The numbers of the values that it reads, those among the static arguments (as indices are) last."""
        return refs_in(self.args) + refs_in(self.static)


class Program(NamedTuple):
    """What a model does with inputs of given shapes. The inputs are the first values; all values are numbered."""

    calls: list[Call]
    kinds: list[tuple[tuple[int, ...], Any]]  # of every value, its shape and dtype
    inputs: int  # how many
    shared: frozenset[int]  # values that share memory with others
    result: Any  # tuples, lists and dictionaries with Refs or constants where the model returned tensors

    def results(self) -> set[int]:
        """The numbers of the values that the model returns."""
        return set(refs_in(self.result))


def traced(model: Any, inputs: tuple[Tensor, ...]) -> tuple[Program, Any]:
    """Runs a model without recording, and returns what it did and what it returned.

    What does not depend on the inputs is a constant of the program. Raises RuntimeError for what operations cannot tell.
    """
    tracer = Tracer(inputs)
    before = tracers.current
    try:
        set_tracer(tracer)
        with no_grad():
            out = model(*inputs)
    finally:
        set_tracer(before)
    result = replaced(out, Tensor, tracer.argument)
    return Program(tracer.calls, tracer.kinds, len(inputs), tracer.shared(), result), out


def refs_in(tree: Any) -> list[int]:
    """The numbers of the Refs in a nest, in order."""
    found: list[int] = []
    replaced(tree, Ref, lambda ref: found.append(ref.number))
    return found


def replaced(tree: Any, kind: type, by: Any) -> Any:
    """The same nest of tuples, lists and dictionaries, with everything of a kind replaced."""
    if isinstance(tree, kind):
        return by(tree)
    if isinstance(tree, dict):
        return type(tree)((name, replaced(x, kind, by)) for name, x in tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[replaced(x, kind, by) for x in tree])
    if isinstance(tree, (tuple, list)):
        return type(tree)(replaced(x, kind, by) for x in tree)
    return tree


class Tracer:
    """Is told of each operation, and knows values by the arrays they are in."""

    asked_by = "optimize"  # what the user called, for messages

    def __init__(self, inputs: tuple[Tensor, ...]) -> None:
        self.calls: list[Call] = []
        self.kinds: list[tuple[tuple[int, ...], Any]] = []
        self.number_of: dict[int, int] = {}  # by the identity of the array
        self.alive: list[Array] = []  # all that were met, so that identities stay theirs
        self.tenants: dict[int, set[int]] = {}  # by the identity of the array that owns the memory: the values in it
        self.constants: set[int] = set()  # the identities of the arrays that own the memory of constants
        for x in inputs:
            self.add(x.array)

    def add(self, array: Array) -> int:
        """Numbers a new value, which from now on is what the array holds."""
        number = len(self.kinds)
        self.kinds.append((array.shape, array.dtype))
        self.alive.append(array)
        tenants = self.tenants.setdefault(id(owner(array)), set())
        tenants.discard(self.number_of.get(id(array), -1))  # overwritten
        tenants.add(number)
        self.number_of[id(array)] = number
        return number

    def shared(self) -> frozenset[int]:
        """The values that share memory with others or with constants."""
        several = [n for at, n in self.tenants.items() if len(n) > 1 or at in self.constants]
        return frozenset().union(*several)

    def argument(self, x: Any) -> Any:
        """A Ref for what was computed from the inputs, else the constant."""
        if not isinstance(x, Tensor):
            return x
        return self.of_array(x.array)

    def of_array(self, array: Array) -> Any:
        number = self.number_of.get(id(array))
        if number is not None:
            return Ref(number)
        if id(owner(array)) in self.tenants:
            self.refuse("an array was reached otherwise than by an operation")
        self.alive.append(array)
        self.constants.add(id(owner(array)))
        return array

    def note(self, op: Primitive, args: tuple[Any, ...], static: tuple[Any, ...], outs: tuple[Tensor, ...]) -> None:
        """Notes an operation that reads what was computed from the inputs."""
        given = tuple([self.argument(a) for a in args])
        with_refs = replaced(static, np.ndarray, self.of_array)
        if refs_in(with_refs):
            static = with_refs
        elif not refs_in(given):
            return
        self.calls.append(Call(op, given, static, tuple([self.add(out.array) for out in outs]), here()))

    def note_write(self, name: str, target: Tensor, result: Tensor) -> None:
        """Notes that the target's array now holds the result."""
        known = self.number_of.get(id(target.array))
        number = self.number_of.get(id(result.array))
        if known is None and number is None:
            return
        if number is None or known is None:
            self.refuse(f"{name} mixes constants and computed values in one array")
        tenants = self.tenants[id(owner(target.array))]
        if owner(target.array) is not target.array or any(self.in_view(n) for n in tenants):
            self.refuse(f"{name} writes into memory that is seen through a view")
        self.number_of[id(target.array)] = number

    def in_view(self, number: int) -> bool:
        """Did a view make this value?"""
        return any(number in call.outputs and call.op.view for call in self.calls)

    def refuse(self, why: str) -> NoReturn:
        raise RuntimeError(f"{self.asked_by}: the model cannot be followed: {why} ({here()})")


def owner(array: Array) -> Array:
    """The array whose memory this one sees."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
