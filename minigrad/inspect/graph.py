"""The graph of a computation as plain data: nodes, edges, shapes, source lines, modules, and what is kept for backward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad.core.graph import Leaf, Node, Saved, source_of
from minigrad.core.tensor import Tensor, edge_of
from minigrad.inspect.fields import times
from minigrad.inspect.rules import formulas_of
from minigrad.inspect.trace import trace

__all__ = ["Graph", "GraphNode", "Kept", "graph"]


@dataclass(frozen=True)
class Kept:
    """A value kept for backward. Of several nodes that keep one array, only the first counts its bytes."""

    what: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    shared: bool


@dataclass
class GraphNode:
    """One operation, or a leaf: a tensor that needs a gradient and was not computed.

    `inputs` are pairs of an input's name and the id of the node it came from, None where no gradient is needed; `module` is the dotted name of the module
    that made the node, None outside of any.
    """

    id: int
    op: str
    label: str
    shape: Any
    dtype: Any
    inputs: list[tuple[str, int | None]]
    module: str | None
    place: str
    kept: list[Kept]
    formulas: dict[str, str]
    is_leaf: bool
    is_parameter: bool
    node: Node = field(repr=False)

    @property
    def kept_bytes(self) -> int:
        """The memory that is held because of this node: parameters, which live anyway, are not counted."""
        return sum(k.bytes for k in self.kept if not k.shared)

    @property
    def size(self) -> str:
        """The shape as text, for example 2x3."""
        shapes = (
            [s[0] for s in self.shape if s is not None]
            if self.shape and isinstance(self.shape[0], tuple)
            else [self.shape]
        )
        return ", ".join(times(s) if s else "scalar" for s in shapes)


class Graph:
    """What `graph` returns: `nodes` by id, the latest last, and `root`, the id of the node that the result came from.

    Printing it prints the tree, indented from the result to the leaves.
    """

    def __init__(self, nodes: dict[int, GraphNode], root: int) -> None:
        self.nodes = nodes
        self.root = root

    @property
    def edges(self) -> list[tuple[int, int, str]]:
        """For each input that needs a gradient: the id of the node it came from, that of the node it goes into, and its name there."""
        return [
            (source, node.id, name)
            for node in self.nodes.values()
            for name, source in node.inputs
            if source is not None
        ]

    @property
    def leaves(self) -> list[GraphNode]:
        """The nodes at which gradients arrive."""
        return [node for node in self.nodes.values() if node.is_leaf]

    @property
    def kept_bytes(self) -> int:
        """The memory held for backward, each array once, without the leaves themselves."""
        return sum(node.kept_bytes for node in self.nodes.values())

    @property
    def holders(self) -> list[GraphNode]:
        """The nodes because of which memory is held, the most first."""
        return sorted((node for node in self.nodes.values() if node.kept_bytes), key=lambda node: -node.kept_bytes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        return self.tree()

    def tree(self, depth: int | None = None) -> str:
        """The graph as an indented tree; a node that has been printed is only named again.

        depth: how far to go down from the result.
        """
        check_depth("tree", depth)
        lines: list[str] = []
        seen: set[int] = set()
        stack: list[tuple[int, int, str]] = [(self.root, 0, "")]
        while stack:  # not by recursion: graphs may be deep
            key, level, name = stack.pop()
            node = self.nodes[key]
            again = key in seen and not node.is_leaf
            seen.add(key)
            text = "  " * level + (f"{name}: " if name else "") + f"{node.label} [{node.size}]"
            if again:
                lines.append(text + f" (as above, #{key})")
                continue
            if node.kept:
                text += f" keeps {', '.join(k.what for k in node.kept)} ({node.kept_bytes:,} bytes)"
            lines.append(
                text + (f"  in {node.module}" if node.module else "") + (f"  <- {node.place}" if node.place else "")
            )
            if depth is None or level < depth:
                stack += [(source, level + 1, name) for name, source in reversed(node.inputs) if source is not None]
        return "\n".join(lines)

    def groups(self, depth: int | None) -> dict[int, str | None]:
        """For each node the module it is drawn in when modules below this depth are collapsed; None for one that is drawn itself.

        At depth 0 all of a traced model is one box. Parameters go with their module.
        """
        check_depth("groups", depth)
        found: dict[int, str | None] = {}
        for key, node in self.nodes.items():
            path = node.module
            inside = path is not None and depth is not None and (len(path.split(".")) if path else 0) >= depth
            found[key] = ".".join(path.split(".")[:depth]) if inside and path is not None else None
        return found

    def dot(self, depth: int | None = None) -> str:
        """The graph in the language of graphviz, modules below `depth` collapsed."""
        from .drawing import dot

        return dot(self, depth)

    def svg(self, depth: int | None = None, graphviz: bool | None = None) -> str:
        """The graph as an SVG picture of its own, modules below `depth` collapsed.

        graphviz: True has the `dot` program draw it, and is an error without that; False never; None (the default) never too: the own drawing needs nothing.
        """
        from .drawing import svg, svg_by_graphviz

        return svg_by_graphviz(self, depth) if graphviz else svg(self, depth)


def check_depth(what: str, depth: Any) -> None:
    if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
        raise ValueError(f"graph.{what}: expected depth to be a number from 0 on, or None for all, got {depth!r}")


def graph(result: Tensor, calls: trace | None = None, names: Mapping[str, Tensor] | None = None) -> Graph:
    """The graph that a tensor was computed by, as plain data. Nothing is run, and nothing is freed.

    Args:
        result: a tensor that needs a gradient, such as a loss.
        calls: the `trace` that was on when it was computed: it gives parameters their names and nodes their modules.
        names: names for other leaves.

    Raises:
        RuntimeError: the tensor needs no gradient, so no graph was recorded.
        TypeError: an argument is of another kind.

    >>> import minigrad
    >>> from minigrad import inspect
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> g = inspect.graph((x.exp() * x).sum(), names={"x": x})
    >>> print(g)  # doctest: +ELLIPSIS
    sum [scalar] keeps the shape of input (0 bytes)  <- ...
      input: mul [2] keeps input, other (0 bytes)  <- ...
        input: exp [2] keeps output (8 bytes)  <- ...
          input: x [2]
        other: x [2]
    >>> [node.label for node in g.leaves], g.kept_bytes
    (['x'], 8)
    """
    if not isinstance(result, Tensor):
        raise TypeError(f"graph: expected a tensor, got {type(result).__name__}")
    start = edge_of(result)
    if start is None:
        raise RuntimeError(
            "graph: this tensor needs no gradient, so no graph was recorded; compute it from one with requires_grad=True"
        )
    if calls is not None and not isinstance(calls, trace):
        raise TypeError(
            f"graph: expected calls to be the inspect.trace that was on, got {type(calls).__name__}; with inspect.trace(model) as calls: ..."
        )
    if not isinstance(names, Mapping | None) or not all(isinstance(x, Tensor) for x in (names or {}).values()):
        raise TypeError(f"graph: expected names to be a dictionary from names to tensors, got {names!r:.80}")
    given = {id(x): name for name, x in (names or {}).items()}
    if calls is not None:
        given = {**calls.parameter_names, **given}
    nodes: dict[int, GraphNode] = {}
    counted: set[int] = set()
    for node in reached(source_of(start)[0]):
        nodes[node.sequence] = described(node, calls, given, counted)
    place_parameters(nodes)
    return Graph(nodes, source_of(start)[0].sequence)


def reached(root: Node) -> list[Node]:
    """All nodes that a node depends on, and itself, the oldest first; those that only stand for one output of another are left out."""
    seen = {root}
    stack = [root]
    while stack:
        for edge in stack.pop().edges or ():
            if edge is not None:
                source = source_of(edge)[0]
                if source not in seen:
                    seen.add(source)
                    stack.append(source)
    return sorted(seen, key=lambda node: node.sequence)


def described(node: Node, calls: trace | None, names: Mapping[int, str], counted: set[int]) -> GraphNode:
    """The plain data of one node."""
    if isinstance(node, Leaf):
        x = node.variable
        name = names.get(id(x), "leaf")
        learned = calls is not None and id(x) in calls.parameter_names
        return GraphNode(node.sequence, "leaf", name, node.shape, node.dtype, [], None, "", [], {}, True, learned, node)
    inputs = [
        (name, None if edge is None else source_of(edge)[0].sequence)
        for name, edge in zip(input_names(node), node.edges or (), strict=True)
    ]
    return GraphNode(
        node.sequence,
        node.primitive.name,
        node.primitive.name,
        node.shape,
        node.dtype,
        inputs,
        None if calls is None else calls.module_of(node),
        str(node.place) if node.place is not None else "",
        list(kept_by(node, counted)),
        formulas_of(node.primitive),
        False,
        False,
        node,
    )


def place_parameters(nodes: dict[int, GraphNode]) -> None:
    """Puts each parameter into the module that uses it first."""
    for node in nodes.values():
        for _, source in node.inputs:
            if source is not None and nodes[source].is_parameter and nodes[source].module is None:
                nodes[source].module = node.module


def input_names(node: Node) -> list[str]:
    """The names of a node's inputs."""
    n = len(node.edges or ())
    if node.primitive.variadic:
        return [f"{node.primitive.tensors[0]}[{i}]" for i in range(n)]
    return list(node.primitive.tensors[:n])


def kept_by(node: Node, counted: set[int]) -> Iterator[Kept]:
    """What a node keeps; `counted` are the arrays that others keep."""
    names = input_names(node)
    saved = [(names[i] if i < len(names) else f"value {i}", value) for i, value in enumerate(node.saved or ())]
    saved += [("output", node.output)] + [(f"auxiliary output {i}", value) for i, value in enumerate(node.aux or ())]
    for what, value in saved:
        if isinstance(value, Saved):
            array = value.array
            memory = owner_of(array)
            shared = memory in counted or isinstance(value.node, Leaf)
            counted.add(memory)
            yield Kept(what, array.shape, str(array.dtype), getattr(array, "nbytes", 0), shared)
        elif isinstance(value, tuple):
            yield Kept(f"the shape of {what}", value, "", 0, False)


def owner_of(array: Any) -> int:
    """The identity of the memory of an array."""
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return id(array)


def values_of(graph: Graph) -> dict[int, Any]:
    """The values of nodes as far as somebody has kept them: leaves, outputs kept, inputs that later nodes keep."""
    found: dict[int, Any] = {}
    for described in graph.nodes.values():
        node = described.node
        if described.is_leaf:
            x = node.variable  # type: ignore[attr-defined]
            found[node.sequence] = None if x is None else x.array
            continue
        if node.output is not None and isinstance(node.output.array, np.ndarray):
            found[node.sequence] = node.output.array
        for (_, source), value in zip(described.inputs, node.saved or (), strict=False):
            if source is not None and isinstance(value, Saved) and isinstance(value.array, np.ndarray):
                found.setdefault(source, value.array)
    return {key: array for key, array in found.items() if array is not None and array.shape == graph.nodes[key].shape}
