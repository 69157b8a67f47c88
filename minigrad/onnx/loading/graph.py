"""A graph as it is run: nodes in order, each a function on the values before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from minigrad.core.tensor import Tensor
from minigrad.onnx.loading.budget import Budget
from minigrad.onnx.loading.table import Run, reader_of


class Node(NamedTuple):
    """One operator; an empty name stands for an input or an output that is left out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    name: str


class Graph:
    """Nodes in order, with the names of what goes in and comes out, and the tensors that no state holds."""

    def __init__(
        self, inputs: list[str], outputs: list[str], nodes: list[Node], constants: dict[str, Tensor], opset: int
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.constants = constants
        self.opset = opset
        last: dict[str, int] = {}
        for i, node in enumerate(nodes):
            for name in (*node.inputs, *reached(node)):
                last[name] = i
        kept = {*outputs, ""}
        self.dying: list[list[str]] = [[] for _ in nodes]
        made = {name for node in nodes for name in node.outputs}
        for name in made - kept:
            if name in last:
                self.dying[last[name]].append(name)

    def reads(self) -> set[str]:
        """The names that the graph reads without giving them itself."""
        own = {*self.inputs, *self.constants, *[name for node in self.nodes for name in node.outputs]}
        wanted = {*self.outputs, *[name for node in self.nodes for name in (*node.inputs, *reached(node))]}
        return wanted - own - {""}

    def run(self, values: dict[str, Any], training: bool, budget: Budget, inner: bool = False) -> list[Any]:
        """Computes the outputs; `values` are the inputs, the state and what an outer graph has computed, and are added to."""
        values.update(self.constants)
        taken: dict[str, Any] = {}
        for node, dying in zip(self.nodes, self.dying, strict=True):
            if inner:
                budget.step()
            given = [values[name] if name else None for name in node.inputs]
            found = self.call(
                node, given, Run(node.kind, len(node.outputs), self.opset, training, budget), values, budget
            )
            for name, value in zip(node.outputs, found if isinstance(found, tuple) else (found,), strict=False):
                if name:
                    values[name] = taken[name] = value
                    budget.take(described(node), value)
            for name in dying:
                values.pop(name, None)
                budget.give_back(taken.pop(name, None))
        for value in taken.values():
            budget.give_back(value)
        return [values[name] for name in self.outputs]

    def call(self, node: Node, given: list[Any], run: Run, values: dict[str, Any], budget: Budget) -> Any:
        """Calls the function of a node; its errors say which node it was."""
        reader = reader_of(node.kind, self.opset)
        assert reader is not None  # checked when the graph was read
        attributes = dict(node.attributes)
        for name, graph in node.attributes.items():
            if isinstance(graph, Graph):
                attributes[name] = body_of(graph, values, run.training, budget)
        if "run" in reader.__code__.co_varnames[: reader.__code__.co_argcount + reader.__code__.co_kwonlyargcount]:
            attributes["run"] = run
        try:
            return reader(*given, **attributes)
        except (NotImplementedError, MemoryError):
            raise
        except (
            ValueError,
            TypeError,
            IndexError,
            RuntimeError,
            AttributeError,
            ArithmeticError,
            KeyError,
            AssertionError,
        ) as error:
            kind = type(error) if type(error) in (ValueError, TypeError, IndexError, RuntimeError) else ValueError
            shapes = [tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in given]
            raise kind(f"onnx.load: {described(node)} with inputs of shapes {shapes}: {error}") from error


def reached(node: Node) -> set[str]:
    """What the graphs inside of a node read from outside of them."""
    return {name for x in node.attributes.values() if isinstance(x, Graph) for name in x.reads()}


def body_of(graph: Graph, outer: dict[str, Any], training: bool, budget: Budget) -> Callable[..., list[Any]]:
    """A graph inside of a node as a function."""

    def body(*inputs: Any) -> list[Any]:
        values = dict(outer)
        values.update(zip(graph.inputs, inputs, strict=True))
        return graph.run(values, training, budget, True)

    return body


def described(node: Node) -> str:
    return f"{node.kind} (node {node.name!r})" if node.name else f"{node.kind} (which gives {', '.join(node.outputs)})"
