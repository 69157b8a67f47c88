"""In a graph that is there already: where its first NaN or infinity came from, as far as the values that it keeps can tell."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.anomaly import statistics
from minigrad.core.graph import Node, Saved
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inspect.bad_values import accidents, holds
from minigrad.inspect.graph import Graph, GraphNode, values_of
from minigrad.inspect.steps import Steps

__all__ = ["first_bad"]


def first_bad(result: Tensor, walk: Steps) -> str:
    """Where the first value that is not finite arose: in the result's own computation, or else in the first rule that made one of finite ones."""
    if np.isfinite(result.array).all():
        return first_bad_backward(walk)
    return first_bad_forward(walk.graph) or (
        "forward: the result is not finite; minigrad.inspect.first_bad_value() finds out where if the computation is run inside it"
    )


def first_bad_backward(walk: Steps) -> str:
    """The first rule that makes a value that is not finite of a gradient that is; '' if none does."""
    for step in walk:
        came = [g for g in (step.incoming if isinstance(step.incoming, list) else [step.incoming]) if g is not None]
        bad = next((one for one in step.handed_on if not np.isfinite(one.gradient).all()), None)
        if bad is not None and all(np.isfinite(g).all() for g in came):
            rule = step.formulas.get(bad.input, "")
            node = step.node.node
            kept = [
                (name, v)
                for (name, _), v in zip(step.node.inputs, node.saved or (), strict=False)
                if isinstance(v, Saved)
            ]
            lines = [
                f"backward: the rule of {step.node.label}{within(step.node)} for {bad.input}"
                + (f", {rule}," if rule else "")
                + " is the first to give a value that is not finite",
                f"  called at {step.place}",
                *[f"  arrived: {statistics(make_tensor(g))}" for g in came],
                *[f"  {name}: {statistics(v)}" for name, v in kept],
                *([f"  output: {statistics(node.output)}"] if node.output is not None else []),
                f"  gave: {statistics(make_tensor(bad.gradient))}",
            ]
            return "\n".join(lines)
    return ""


def first_bad_forward(graph: Graph) -> str:
    """The oldest operation of which it can be told that it made a NaN or an infinity, or was given a NaN; '' if there is none."""
    values = values_of(graph)
    for key, node in graph.nodes.items():
        if node.is_leaf:
            if key in values and not np.isfinite(values[key]).all():
                return f"forward: {node.label} itself is not finite\n  {told(values[key])}"
            continue
        operands = operands_of(node, values)
        given = [name for name, source in node.inputs if source is None and holds(operands.get(name), np.isnan)]
        results = results_of(node, operands, values)
        bad = accidents(results, list(operands.values()))
        if not given and not bad:
            continue
        whole = len(operands) == len(node.inputs)
        what = (
            f"was given a NaN as {given[0]}"
            if given
            else "is the first to have made a value that is not finite"
            if whole
            else "is the first of which a value that is not finite is known"
        )
        lines = [f"forward: {node.label}{within(node)}, called at {node.place}, {what}"]
        lines += [f"  {name}: {told(a)}" for name, a in operands.items()] + [f"  result: {told(a)}" for a in results]
        return "\n".join(lines)
    return ""


def operands_of(node: GraphNode, values: dict[int, Any]) -> dict[str, Any]:
    """The inputs of a node whose values are known."""
    found: dict[str, Any] = {}
    saved = node.node.saved or ()
    for i, (name, source) in enumerate(node.inputs):
        kept = saved[i] if i < len(saved) else None
        if isinstance(kept, Saved) and isinstance(kept.array, np.ndarray):
            found[name] = kept.array
        elif source in values:
            found[name] = values[source]
    return found


def results_of(node: GraphNode, operands: dict[str, Any], values: dict[int, Any]) -> list[Any]:
    """The results of a node, if they are known or can be computed again from inputs that are all known."""
    if node.id in values:
        return [values[node.id]]
    if (
        len(operands) < len(node.inputs)
        or overwritten(node.node)
        or getattr(node.node.primitive, "takes_context", False)
    ):
        return []
    with np.errstate(all="ignore"):
        result = node.node.primitive.compute(list(operands.values()), node.node.static)
    return list(result) if isinstance(result, tuple) else [result]


def overwritten(node: Node) -> bool:
    """Has something that it kept been written to since?"""
    return any(isinstance(v, Saved) and v.version.writes != v.writes for v in node.saved or ())


def within(node: GraphNode) -> str:
    return f" in {node.module}" if node.module else ""


def told(array: Any) -> str:
    return statistics(make_tensor(array))
