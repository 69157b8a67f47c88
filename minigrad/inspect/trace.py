"""Which module computes what: the calls of a model's modules, seen by hooks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import nn
from minigrad.core.graph import Node
from minigrad.core.tensor import RemovableHandle, Tensor, edge_of, make_tensor

__all__ = ["Call", "trace"]


class Call:
    """One call of a module: its dotted name, the module, and the numbers of the first and last node of the graph that it made."""

    __slots__ = ("first", "last", "module", "name", "output", "parent")

    def __init__(self, name: str, module: nn.Module, parent: Call | None) -> None:
        self.name = name
        self.module = module
        self.parent = parent
        self.first = now()
        self.last = self.first
        self.output: Any = None

    def __repr__(self) -> str:
        return f"Call({self.name!r}, {type(self.module).__name__})"


class trace:
    """A ``with`` block that notes the calls of a model's modules, so that graphs, steps and profiles can name them.

    The model is left as it was: the hooks go when the block ends.

    >>> import minigrad
    >>> from minigrad import inspect, nn
    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> with inspect.trace(model) as calls:
    ...     loss = model(minigrad.ones(1, 2)).sum()
    >>> [call.name for call in calls.calls]
    ['', '0', '1']
    >>> calls.module_of(loss.grad_fn), calls.parameter_names[id(model[0].bias)]
    (None, '0.bias')
    """

    def __init__(self, model: nn.Module) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"trace: expected a module, got {type(model).__name__}")
        self.model = model
        self.calls: list[Call] = []
        self.stack: list[Call] = []
        self.failed: Call | None = None  # the innermost call that raised
        self.parameter_names = {id(x): name for name, x in (*model.named_parameters(), *model.named_buffers())}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> trace:
        if self._handles:
            raise RuntimeError(
                "trace: this trace is on already; inside of its block use another one, inspect.trace(model)"
            )
        for name, module in self.model.named_modules():
            self._handles.append(module.register_forward_pre_hook(self._entering(name), prepend=True))
            self._handles.append(module.register_forward_hook(self._left, always_call=True))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self.stack.clear()

    def _entering(self, name: str) -> Any:
        def enter(module: nn.Module, args: Any) -> None:
            call = Call(name, module, self.stack[-1] if self.stack else None)
            self.calls.append(call)
            self.stack.append(call)

        return enter

    def _left(self, module: nn.Module, args: Any, output: Any) -> None:
        call = self.stack.pop()
        call.last = now()
        call.output = output
        if output is None and self.failed is None:
            self.failed = call

    def call_of(self, sequence: int) -> Call | None:
        """The innermost call that made the node of this number."""
        place = bisect_right(
            self.calls, sequence, key=lambda call: call.first
        )  # they stand in the order of their beginnings
        call = self.calls[place - 1] if place else None
        while call is not None and call.last < sequence:
            call = call.parent
        return call

    def module_of(self, node: Node) -> str | None:
        """The dotted name of the innermost module that made a node, '' for the model itself; None if it was made outside of all."""
        call = self.call_of(node.sequence)
        return None if call is None else call.name


def now() -> int:
    """The number of a node made now: those made before have lower ones, those made later higher ones."""
    x = make_tensor(np.zeros(()))
    x.requires_grad = True
    return int(edge_of(x).sequence)


def tensors_in(x: Any) -> Iterator[Tensor]:
    """The tensors in what a module has returned: one, or those in tuples, lists and dictionaries."""
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, dict):
        for one in x.values():
            yield from tensors_in(one)
    elif isinstance(x, (tuple, list)):
        for one in x:
            yield from tensors_in(one)
