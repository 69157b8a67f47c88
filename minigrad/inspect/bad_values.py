"""Where the first NaN or infinity comes from, forward or backward, with the operands that made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core.anomaly import statistics
from minigrad.core.modes import current_task
from minigrad.core.primitive import Primitive
from minigrad.core.source import Place, here
from minigrad.core.tensor import make_tensor
from minigrad.inspect.listening import listening
from minigrad.inspect.trace import trace

__all__ = ["BadValue", "first_bad_value"]


class BadValue:
    """An operation that made a value that is not finite: when, where in the program, in which module, and of which operands."""

    def __init__(
        self, op: Primitive, args: tuple[Any, ...], results: list[Any], place: Place, module: str | None
    ) -> None:
        self.op = op.name
        self.phase = "backward" if current_task() else "forward"
        self.place = str(place)
        self.module = module
        names = [f"{op.tensors[0]}[{i}]" for i in range(len(args))] if op.variadic else op.tensors
        self.operands = {n: np.copy(a) if np.size(a) <= 64 else None for n, a in zip(names, args, strict=False)}
        self._lines = [f"  {n}: {told(a)}" for n, a in zip(names, args, strict=False)] + [
            f"  result: {told(a)}" for a in results
        ]

    def __str__(self) -> str:
        where = f" in {self.module}" if self.module else ""
        return "\n".join(
            [
                f"{self.phase}: {self.op}{where} made the first value that is not finite",
                f"  called at {self.place}",
                *self._lines,
            ]
        )

    __repr__ = __str__


class first_bad_value:
    """A ``with`` block that finds the first operation that makes a NaN of operands without one, or an infinity of finite ones: `found`, or None.

    Args:
        model: gives the operations their modules.

    Raises:
        TypeError: `model` is no module. RuntimeError: the block is inside of one of the same search.

    >>> import minigrad
    >>> from minigrad import inspect
    >>> x = minigrad.tensor([1.0, 0.0], requires_grad=True)
    >>> with inspect.first_bad_value() as search:
    ...     y = (x.log() * 0).sum()
    >>> print(search.found)  # doctest: +ELLIPSIS
    forward: log made the first value that is not finite
      called at ...
      input: shape (2,), float32, finite values from 0 to 1, 0 nan, 0 inf
      result: shape (2,), float32, finite values from 0 to 0, 0 nan, 1 inf
    """

    def __init__(self, model: Any = None) -> None:
        if model is not None and not isinstance(model, nn.Module):
            raise TypeError(f"first_bad_value: expected a module, or nothing, got {type(model).__name__}")
        self.found: BadValue | None = None
        self._calls = None if model is None else trace(model)
        self._listening: Any = None

    def __enter__(self) -> first_bad_value:
        if self._listening is not None:
            raise RuntimeError("first_bad_value: this search is on already; inside of its block use another one")
        if self._calls is not None:
            self._calls.__enter__()
        self._listening = listening(self._heard, keep_overwritten=True)
        self._listening.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._listening.__exit__(*error)
        self._listening = None
        if self._calls is not None:
            self._calls.__exit__(*error)

    def _heard(self, op: Primitive, args: tuple[Any, ...], result: Any, start: float, end: float) -> None:
        if self.found is not None:
            return
        results = accidents(result if isinstance(result, tuple) else (result,), args)
        if results:
            stack = [] if self._calls is None else self._calls.stack
            self.found = BadValue(
                op, args if op.variadic else args[: op.n_tensors], results, here(), stack[-1].name if stack else None
            )


def accidents(results: Iterable[Any], operands: Sequence[Any]) -> list[Any]:
    """The results that hold a NaN though no operand does, or an infinity of operands that are finite.

    An infinity that the user wrote down, such as the -inf of a mask, is no accident.
    """
    bad = [a for a in results if holds(a, np.isnan) or holds(a, np.isinf)]
    nan = any(holds(a, np.isnan) for a in bad) and not any(holds(a, np.isnan) for a in operands)
    infinity = not any(holds(a, np.isinf) or holds(a, np.isnan) for a in operands)
    return bad if nan or infinity else []


def holds(a: Any, kind: Any) -> bool:
    """Is one of its numbers of this kind?"""
    return isinstance(a, (np.ndarray, np.generic, float)) and np.asarray(a).dtype.kind == "f" and bool(kind(a).any())


def told(a: Any) -> str:
    return statistics(make_tensor(a)) if isinstance(a, np.ndarray) else repr(a)
