"""Backward one node at a time: what arrives, what is handed on, what adds up, what is freed. And what goes wrong in another order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import numpy as np

from minigrad.core.graph import PART, Leaf, Node, source_of
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, edge_of, make_tensor
from minigrad.inspect.graph import Graph, GraphNode, Kept, graph
from minigrad.inspect.rules import Gradients, code_of, gradients_of
from minigrad.inspect.trace import trace

__all__ = ["HandedOn", "Step", "Steps", "steps"]

ORDERS = ("latest first", "recursion", "breadth first")
LONGEST_RECURSION = 20_000  # steps: a naive recursion takes one for each path


@dataclass(frozen=True)
class HandedOn:
    """A gradient on its way to one input: the input's name, the node it goes to, itself, and the sum there before and after."""

    input: str
    to: int
    gradient: Any
    sum_before: Any
    sum_after: Any
    lost: bool = False  # it came when its node had been visited already


@dataclass
class Step:
    """The visit of one node.

    `incoming` is the gradient of its output (a list, with None for outputs that none reached, if there are several); `heap` are the nodes
    that wait after the step, the next one first; `freed` is what backward would free here; `wrong` is true where the order has made the gradient wrong.
    """

    number: int
    node: GraphNode
    incoming: Any
    handed_on: list[HandedOn]
    freed: list[Kept]
    heap: list[int]
    sums: dict[int, Any] = field(repr=False, default_factory=dict)
    wrong: bool = False

    @property
    def formulas(self) -> dict[str, str]:
        """For each input what its gradient is."""
        return self.node.formulas

    @property
    def place(self) -> str:
        """The line of the user's program that called the operation."""
        return self.node.place

    @property
    def code(self) -> str:
        """The rules as they are written."""
        return "" if self.node.is_leaf else code_of(self.node.node)

    def __str__(self) -> str:
        head = f"step {self.number}: {self.node.label} [{self.node.size}]" + (
            f" in {self.node.module}" if self.node.module else ""
        )
        lines = [
            head + (f"  <- {self.place}" if self.place else ""),
            f"  arrives: {brief(self.incoming)}" + ("  WRONG" if self.wrong else ""),
        ]
        if self.node.is_leaf:
            lines.append("  is added to .grad")
        for one in self.handed_on:
            formula = self.formulas.get(one.input) or self.formulas.get(one.input.partition("[")[0], "")
            lines.append(f"  to {one.input} (#{one.to}): {formula + ' = ' if formula else ''}{brief(one.gradient)}")
            if one.lost:
                lines.append("    comes too late: that node has been visited, so this is lost")
            elif one.sum_before is not None:
                lines.append(f"    together with what was there: {brief(one.sum_after)}")
        lines += [f"  frees {k.what}, {k.bytes:,} bytes" for k in self.freed if k.bytes and not k.shared]
        return "\n".join([*lines, f"  waiting: {', '.join(f'#{n}' for n in self.heap) or 'nothing'}"])


class Steps:
    """What `steps` returns: a sequence of steps, which can also be walked forward and back.

    `gradients` are those that have arrived at the leaves, by the names of these or their ids; `wrong_leaves` names those that the order made wrong.
    """

    def __init__(self, graph: Graph, found: list[Step], order: str, right: dict[int, Any] | None) -> None:
        self.graph = graph
        self.order = order
        self.position = 0
        self._steps = found
        arrived = {step.node.id: step.incoming for step in found if step.node.is_leaf}
        self.gradients = {self._name(key): g for key, g in arrived.items()}
        self.wrong_leaves = (
            []
            if right is None
            else [self._name(k) for k in right if k not in arrived or not same(arrived[k], right[k])]
        )

    def _name(self, key: int) -> Any:
        node = self.graph.nodes[key]
        return node.label if node.label != "leaf" else key

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, i: int) -> Step:
        return self._steps[i]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    @property
    def current(self) -> Step:
        """The step at the present position."""
        return self._steps[self.position]

    def forward(self) -> Step:
        """Goes on to the next step, if there is one, and returns it."""
        self.position = min(self.position + 1, len(self) - 1)
        return self.current

    def back(self) -> Step:
        """Goes back to the step before, if there is one, and returns it."""
        self.position = max(self.position - 1, 0)
        return self.current

    def __str__(self) -> str:
        return "\n\n".join(str(step) for step in self)

    def show(self) -> None:
        """Prints all steps, in colour where the package rich is installed."""
        try:
            from rich.console import Console
            from rich.syntax import Syntax
        except ImportError:
            print(self)
            return
        console = Console()
        for step in self:
            console.rule(f"step {step.number}: {step.node.label} [{step.node.size}]", align="left")
            console.print(str(step).partition("\n")[2], highlight=True, markup=False)
            if step.code:
                console.print(Syntax(step.code, "python", background_color="default"))


def steps(
    result: Tensor,
    calls: trace | None = None,
    names: Mapping[str, Tensor] | None = None,
    gradient: Tensor | None = None,
    order: str = "latest first",
) -> Steps:
    """Backward from a tensor, one node at a time. No `.grad` is written, nothing is freed, and no hook is run: what it frees and fills is only told.

    Args:
        result: a tensor of one element that needs a gradient, such as a loss; or any, with its gradient.
        calls: the `trace` that was on when it was computed, for the names of parameters and modules.
        names: names for other leaves.
        gradient: what to begin with; 1 by default.
        order: "latest first" is how backward goes: a node is visited after all that use its result. The others show why it has to: "recursion" goes on
            from a node whenever something arrives and passes on the sum so far, so that what came first is counted again; "breadth first" visits
            each node once when it is first reached, so that what comes later is lost.

    Raises:
        RuntimeError: the tensor needs no gradient, or has several elements and no gradient is given; its graph has been freed; the recursion is too long.
        ValueError: there is no such order.

    >>> import minigrad
    >>> from minigrad import inspect
    >>> x = minigrad.tensor(3.0, requires_grad=True)
    >>> y = x * x
    >>> walk = inspect.steps(y + y * y, names={"x": x})
    >>> [(step.node.label, float(step.incoming)) for step in walk]
    [('add', 1.0), ('mul', 1.0), ('mul', 19.0), ('x', 114.0)]
    >>> inspect.steps(y + y * y, names={"x": x}, order="breadth first").gradients  # the way over y * y comes too late
    {'x': array(6., dtype=float32)}
    """
    if order not in ORDERS:
        raise ValueError(f"steps: expected order to be one of {ORDERS}, got {order!r}")
    described = graph(result, calls, names)
    start: Node = edge_of(result)
    if gradient is None:
        if result.numel() != 1:
            raise RuntimeError(
                f"steps: the tensor has shape {tuple(result.shape)}; pass its gradient, or step from a single element such as x.sum()"
            )
        gradient = make_tensor(np.ones(result.shape, result.dtype))
    elif not isinstance(gradient, Tensor) or gradient.shape != result.shape:
        raise RuntimeError(
            f"steps: expected a gradient of shape {tuple(result.shape)}, got {getattr(gradient, 'shape', type(gradient).__name__)}"
        )
    with no_grad():
        walk = Walk(described, start, gradient)
        walk.latest_first()
        if order == "latest first":
            return Steps(described, walk.found, order, None)
        if order == "recursion" and visits_of_recursion(described) > LONGEST_RECURSION:
            raise RuntimeError(
                f"steps: the recursion takes more than {LONGEST_RECURSION} steps; try it on a smaller graph"
            )
        right = {step.node.id: step.incoming for step in walk.found}
        other = Walk(described, start, gradient, right)
        other.recursion() if order == "recursion" else other.breadth_first()
    return Steps(described, other.found, order, {k: g for k, g in right.items() if described.nodes[k].is_leaf})


def visits_of_recursion(described: Graph) -> int:
    """How many visits a recursion makes: one for each path from the result to each node."""
    visits = dict.fromkeys(described.nodes, 0)
    visits[described.root] = 1
    for node in reversed(described.nodes.values()):  # the latest first
        for _, source in node.inputs:
            if source is not None:
                visits[source] += visits[node.id]
    return sum(visits.values())


class Walk:
    """One run over the graph; the way of `latest_first` is that of core/engine.py."""

    def __init__(self, described: Graph, start: Node, gradient: Tensor, right: dict[int, Any] | None = None) -> None:
        self.graph = described
        self.right = right
        self.found: list[Step] = []
        self.sums: dict[Node, Any] = {}
        self.visited: set[Node] = set()
        self.start = source_of(start)[0]
        self._add(start, gradient)

    def _add(self, edge: Node, g: Any) -> tuple[Any, Any]:
        """Adds a gradient to what an edge's node has got; returns the sums before and after."""
        node, place = source_of(edge)
        if edge.primitive is PART:
            parts = list(self.sums.get(node) or [None] * len(node.shape))
            before = parts[place]
            parts[place] = g if before is None else before + g
            self.sums[node] = parts
            return before, parts[place]
        before = self.sums.get(node)
        self.sums[node] = g if before is None else before + g
        return before, self.sums[node]

    def _visit(
        self, node: Node, reach: Callable[[str, Node, Any], HandedOn | None], waiting: Callable[[], list[Node]]
    ) -> None:
        """Runs the rules of a node on its sum and gives each result, with the input's name and edge, to `reach`."""
        g = self.sums[node]
        described = self.graph.nodes[node.sequence]
        self.visited.add(node)
        wrong = self.right is not None and not same(arrays(g), self.right[node.sequence])
        step = Step(len(self.found), described, arrays(g), [], described.kept, [], {}, wrong)
        self.found.append(step)
        if not isinstance(node, Leaf):
            outgoing: Gradients = gradients_of(node, g)
            for (name, _), edge, one in zip(described.inputs, node.edges, outgoing, strict=True):
                if edge is not None and one is not None:
                    handed = reach(name, edge, one)
                    if handed is not None:
                        step.handed_on.append(handed)
        step.heap = [n.sequence for n in waiting()]
        step.sums = {n.sequence: arrays(self.sums[n]) for n in waiting() if n in self.sums}

    def _handed(self, name: str, edge: Node, g: Any) -> HandedOn:
        before, after = self._add(edge, g)
        return HandedOn(name, source_of(edge)[0].sequence, g.array, arrays(before), arrays(after))

    def latest_first(self) -> None:
        """A heap gives the node with the highest number: all that uses its result has higher ones, so its sum is complete."""
        heap = [self.start]
        known = {self.start}

        def reach(name: str, edge: Node, g: Any) -> HandedOn:
            target = source_of(edge)[0]
            if target not in known:
                known.add(target)
                heappush(heap, target)
            return self._handed(name, edge, g)

        while heap:
            self._visit(heappop(heap), reach, lambda: sorted(heap))

    def breadth_first(self) -> None:
        """A queue gives the node that was reached first, whether its sum is complete or not."""
        queue = deque([self.start])

        def reach(name: str, edge: Node, g: Any) -> HandedOn:
            target = source_of(edge)[0]
            if target in self.visited:
                kept = arrays(self.sums[target])
                return HandedOn(name, target.sequence, g.array, kept, kept, lost=True)
            if target not in queue:
                queue.append(target)
            return self._handed(name, edge, g)

        while queue:
            self._visit(queue.popleft(), reach, lambda: list(queue))

    def recursion(self) -> None:
        """Goes on with an input as soon as something has arrived there, passing on its sum so far."""
        stack: list[tuple[Node, Callable[[], None]]] = [
            (self.start, lambda: None)
        ]  # what is still to be handed on, the next one last
        found: list[tuple[Node, Callable[[], None]]] = []

        def reach(name: str, edge: Node, g: Any) -> None:
            step = self.found[-1]
            found.append((source_of(edge)[0], lambda: step.handed_on.append(self._handed(name, edge, g))))

        def waiting() -> list[Node]:
            return [n for n, _ in (*found, *reversed(stack))]

        while stack:
            if len(self.found) >= LONGEST_RECURSION:
                raise RuntimeError(
                    f"steps: the recursion takes more than {LONGEST_RECURSION} steps; try it on a smaller graph"
                )
            node, hand_on = stack.pop()
            hand_on()
            found.clear()
            self._visit(node, reach, waiting)
            stack += reversed(found)


def arrays(g: Any) -> Any:
    """The arrays of a gradient: one, or a list of them with None for outputs that no gradient reached."""
    if isinstance(g, list):
        return [None if x is None else x.array for x in g]
    return None if g is None else g.array


def same(a: Any, b: Any) -> bool:
    """Are two gradients equal?"""
    if isinstance(a, list):
        return all(
            (x is None) == (y is None) and (x is None or np.array_equal(x, y, equal_nan=True))
            for x, y in zip(a, b, strict=True)
        )
    return np.array_equal(a, b, equal_nan=True)


def brief(g: Any) -> str:
    """A gradient in one line: its numbers if they are few, else what they range over."""
    if isinstance(g, list):
        return "(" + ", ".join(brief(x) for x in g) + ")"
    if g is None:
        return "none"
    if g.size <= 6:
        return np.array2string(g, separator=", ", formatter={"float_kind": "{:.4g}".format}).replace("\n", "")
    return f"{'x'.join(map(str, g.shape))} from {g.min():.4g} to {g.max():.4g}"
