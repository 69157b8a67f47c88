"""Why a gradient has its value: the paths from the result to it with what each contributes, or where its first NaN came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any
from weakref import ref

import numpy as np

from minigrad.autograd import grad
from minigrad.core.engine import backward as engine_backward
from minigrad.core.graph import PART, Leaf, Node, source_of
from minigrad.core.modes import enable_grad, no_grad
from minigrad.core.tensor import Tensor, edge_of, make_tensor
from minigrad.inspect.first_bad import first_bad
from minigrad.inspect.graph import Graph, GraphNode, graph, input_names
from minigrad.inspect.rules import gradients_of
from minigrad.inspect.steps import steps
from minigrad.inspect.trace import trace

__all__ = ["Path", "Why", "backward", "why"]

MOST_SHOWN = 12  # nodes of a path that is printed
Key = tuple[Node, int]  # a node and which of its outputs
# By the identity of leaves, what inspect.backward went out from. Not a WeakKeyDictionary: it would compare tensors by their elements.
RESULTS: dict[int, tuple[ref[Tensor], Tensor, trace | None]] = {}


@dataclass(frozen=True)
class Path:
    """One way through the graph, from the result to the leaf, and what it adds to the gradient."""

    nodes: tuple[GraphNode, ...]
    inputs: tuple[str, ...]
    contribution: float

    def __str__(self) -> str:
        way = [
            f"{node.label}.{name}" + (f" ({node.module})" if node.module else "")
            for node, name in zip(self.nodes, self.inputs, strict=False)
        ]
        if len(way) > MOST_SHOWN:
            way = [*way[: MOST_SHOWN // 2], f"... {len(way) - MOST_SHOWN} more ...", *way[-MOST_SHOWN // 2 :]]
        return f"{self.contribution:+.6g}  " + " -> ".join([*way, self.nodes[-1].label])


@dataclass(frozen=True)
class Why:
    """What `why` returns: `paths` by weight, the `remainder` of those not followed, and their `value` together.

    `n_paths` counts all paths of the graph to the leaf; `first_bad` tells where the first NaN or infinity arose, '' if all is finite; `beyond` is what
    the leaf's `.grad` holds besides the value: of other calls of backward, or because a hook changed it.
    """

    index: tuple[int, ...]
    value: float
    paths: tuple[Path, ...]
    remainder: float
    n_paths: int
    first_bad: str
    beyond: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"gradient{list(self.index) if self.index else ''} = {self.value:.6g}: {len(self.paths)} of {self.n_paths} paths"
        ]
        if self.first_bad:
            return "\n".join([lines[0], self.first_bad])
        lines += [f"  {path}" for path in self.paths]
        if self.n_paths > len(self.paths):
            lines.append(f"  {self.remainder:+.6g}  all other paths")
        if self.beyond:
            lines.append(f"  .grad holds {self.beyond:+.6g} besides: of another backward, or by a hook")
        return "\n".join(lines)

    __repr__ = __str__


def backward(loss: Tensor, calls: trace | None = None) -> None:
    """As loss.backward(retain_graph=True); it also remembers the loss, so that `why(x.grad, index)` needs not be told it.

    >>> import minigrad
    >>> from minigrad import inspect
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> inspect.backward((x * x + 3 * x).sum())
    >>> print(inspect.why(x.grad, 1))
    gradient[1] = 7: 3 of 3 paths
      +3  sum.input -> add.other -> mul.other -> leaf
      +2  sum.input -> add.input -> mul.input -> leaf
      +2  sum.input -> add.input -> mul.other -> leaf
    """
    engine_backward(loss, retain_graph=True)
    for node in graph(loss).leaves:
        leaf = node.node.variable  # type: ignore[attr-defined]
        if leaf is not None:
            key = id(leaf)
            RESULTS[key] = (ref(leaf, lambda _, key=key, known=RESULTS: known.pop(key, None)), loss, calls)  # type: ignore[misc]


def why(
    gradient: Tensor,
    index: Any = (),
    result: Tensor | None = None,
    calls: trace | None = None,
    names: Mapping[str, Tensor] | None = None,
    paths: int = 10,
    limit: int = 10_000,
) -> Why:
    """Why one element of a gradient has its value: each path from the result to the leaf adds a product of derivatives.

    Graphs with at most `paths` paths are followed entirely, and the contributions add up to the value; of others the paths that look heaviest come
    first, and the rest is told as the remainder. A gradient that is not finite is followed to where its first NaN or infinity arose.

    Args:
        gradient: the leaf itself, or its `.grad`.
        index: which element of it.
        result: what backward went out from, a tensor of one element with its graph not freed (retain_graph=True); it may be left out after
            `inspect.backward(loss)`.
        calls: the `trace` that was on then, for names. names: names for other leaves.
        paths: how many to tell.
        limit: how many parts of paths to look at in search of them.

    Raises:
        ValueError: the result is not known; the index is outside; `paths` or `limit` is not positive.
        RuntimeError: the leaf is not in the result's graph, or the graph has been freed.

    Examples are at `inspect.backward`.
    """
    for name, n in (("paths", paths), ("limit", limit)):
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"why: expected {name} to be a number from 1 on, got {n!r}")
    leaf, result, calls = leaf_of(gradient, result, calls)
    if result.numel() != 1:
        raise RuntimeError(
            f"why: the result has shape {tuple(result.shape)}, expected one element; ask about result.sum() or one of its elements"
        )
    place = checked_index(leaf, index)
    described = graph(result, calls, names)
    target = edge_of(leaf)
    if target.sequence not in described.nodes:
        raise RuntimeError("why: the result does not depend on this tensor")
    ways = Ways(described, target)
    walk = steps(result, calls, names)
    total = next((step.incoming for step in walk if step.node.id == target.sequence), None)
    value = 0.0 if total is None else float(total[place])
    bad = "" if np.isfinite(value) else first_bad(result, walk)
    if bad:
        return Why(place, value, (), 0.0, ways.count(source_of(edge_of(result))[0]), bad)
    found = ways.heaviest(edge_of(result), make_tensor(np.ones(result.shape, result.dtype)), leaf, place, paths, limit)
    return Why(
        place,
        value,
        tuple(found),
        value - sum(path.contribution for path in found),
        ways.count(source_of(edge_of(result))[0]),
        "",
        beyond(leaf, place, value),
    )


def beyond(leaf: Tensor, place: tuple[int, ...], value: float) -> float:
    """What one element of `.grad` holds besides a value; not the last digits, in which another order of additions shows."""
    if leaf.grad is None:
        return 0.0
    held = float(leaf.grad.array[place])
    return 0.0 if np.isclose(held, value, rtol=1e-4, atol=1e-30) else held - value


def leaf_of(gradient: Any, result: Tensor | None, calls: trace | None) -> tuple[Tensor, Tensor, trace | None]:
    """The leaf that a gradient belongs to, and the result and the calls, or what is remembered of them."""
    if not isinstance(gradient, Tensor):
        raise TypeError(f"why: expected a tensor or its .grad, got {type(gradient).__name__}")
    if result is None:
        for weak, loss, remembered in list(RESULTS.values()):
            leaf = weak()
            if leaf is not None and (leaf is gradient or leaf.grad is gradient):
                return leaf, loss, calls or remembered
        raise ValueError(
            "why: pass the tensor that backward went out from as result=, or call inspect.backward(loss) in place of loss.backward()"
        )
    for node in graph(result).leaves:
        leaf = node.node.variable  # type: ignore[attr-defined]
        if leaf is not None and (leaf is gradient or leaf.grad is gradient):
            return leaf, result, calls
    raise ValueError(
        "why: expected a leaf of the result's graph or the .grad of one; a gradient that was computed anew is not known"
    )


def checked_index(leaf: Tensor, index: Any) -> tuple[int, ...]:
    """The index of one element, from 0."""
    given = index if isinstance(index, tuple) else tuple(index) if isinstance(index, list) else (index,)
    if len(given) != leaf.ndim or not all(
        isinstance(i, (int, np.integer)) and not isinstance(i, bool) and -n <= i < n
        for i, n in zip(given, leaf.shape, strict=True)
    ):
        raise ValueError(
            f"why: expected the index of one element of a tensor of shape {tuple(leaf.shape)}, got {index!r}"
        )
    return tuple(int(i) % n for i, n in zip(given, leaf.shape, strict=True))


class Ways:
    """The paths to one leaf."""

    def __init__(self, described: Graph, target: Leaf) -> None:
        self.described = described
        self.target = target
        self.counts: dict[Node, int] = {target: 1}
        for node in described.nodes.values():  # the oldest first
            if node.node is not target:
                self.counts[node.node] = sum(
                    self.counts[source_of(e)[0]] for e in node.node.edges or () if e is not None
                )

    def count(self, node: Node) -> int:
        """How many paths lead from a node to the leaf."""
        return self.counts[node]

    def tangents(self, direction: Tensor) -> dict[Key, Any]:
        """How each result on the way changes with the leaf, moved in a direction: by the rules' own derivatives, since each is linear in the
        gradient it is given."""
        found: dict[Key, Any] = {(self.target, 0): direction}
        for described in self.described.nodes.values():
            node = described.node
            if node is self.target or not self.counts[node]:
                continue
            shapes = list(node.shape) if node.primitive.parts else [(node.shape, node.dtype)]
            with enable_grad():
                ones = [None if s is None else make_tensor(np.zeros(s[0], s[1])).requires_grad_() for s in shapes]
                given = gradients_of(node, ones if node.primitive.parts else ones[0])
                pairs = [
                    (g, found[key])
                    for g, e in zip(given, node.edges, strict=True)
                    if g is not None and e is not None and (key := key_of(e)) in found and g.requires_grad
                ]
            if not pairs:
                continue
            wanted = [one for one in ones if one is not None]
            moved = grad([g for g, _ in pairs], wanted, [t for _, t in pairs], allow_unused=True)
            at = iter(moved)
            for i, one in enumerate(ones):
                tangent = next(at) if one is not None else None
                if tangent is not None:
                    found[node, i] = tangent
        return found

    def heaviest(self, start: Node, g: Tensor, leaf: Tensor, at: tuple[int, ...], most: int, limit: int) -> list[Path]:
        """The paths that contribute most: a beginning of a path is as heavy as all its continuations together, which the tangents tell at once."""
        everything = self.counts[source_of(start)[0]] <= most
        direction = np.zeros(leaf.shape, leaf.dtype)
        direction[at] = 1
        tangents = {} if everything else self.tangents(make_tensor(direction))

        def weight(edge: Node, g: Tensor) -> float:
            if everything:
                return 0.0
            tangent = tangents.get(key_of(edge))
            if tangent is None:
                return 0.0
            moved = tangent.array != 0  # what does not move does not matter, even where it is not finite
            found = abs(float((g.array[moved] * tangent.array[moved]).sum()))
            return np.inf if np.isnan(found) else found

        number = 0
        waiting: list[Any] = [(-weight(start, g), 0, start, g, (), ())]
        done: list[Path] = []
        with no_grad():
            while waiting and len(done) < most and number < limit:
                _, _, edge, g, nodes, inputs = heappop(waiting)
                node, place = source_of(edge)
                nodes = (*nodes, self.described.nodes[node.sequence])
                if node is self.target:
                    done.append(Path(nodes, inputs, float(g.array[at])))
                    continue
                whole = [g if i == place else None for i in range(len(node.shape))] if node.primitive.parts else g
                for name, to, one in zip(input_names(node), node.edges, gradients_of(node, whole), strict=True):
                    if to is not None and one is not None and self.counts[source_of(to)[0]]:
                        number += 1
                        heappush(waiting, (-weight(to, one), number, to, one, nodes, (*inputs, name)))
        return sorted(done, key=lambda path: -abs(path.contribution))


def key_of(edge: Node) -> Key:
    """The node and the output that an edge leads to."""
    source, place = source_of(edge)
    return source, place if edge.primitive is PART else 0
