"""Axes of any length: what changes in the graph when an axis gets longer, expressed by the lengths of the inputs.

The model is followed for three lengths of each dynamic axis. What is written must be the same but for lengths, and a length that
changes must be a multiple, a part or a shift of one of an input; a model that needs more is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np

from minigrad.onnx.exporting.builder import Builder, Node

# How much longer each dynamic axis is in the second and the third run; they differ, so that one is not taken for another.
FACTORS = ((2, 3), (3, 2), (4, 3), (3, 4), (5, 2), (2, 5), (5, 3), (3, 5))


class Axis(NamedTuple):
    """An axis of an input whose length may change: the name of the length, and its values in the three runs."""

    input: str
    axis: int
    name: str
    lengths: tuple[int, ...]


class Lengths:
    """Writes the nodes that compute lengths from those of the inputs, before all others."""

    def __init__(self, builder: Builder, axes: list[Axis]) -> None:
        self.builder = builder
        self.axes = axes
        self.nodes: list[Node] = []
        self.found: dict[tuple[int, ...], str] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = self.builder.fresh(kind)
        self.nodes.append(Node(kind, inputs, (name,), attributes, "the length of a dynamic axis"))
        return name

    def length(self, values: tuple[int, ...]) -> str | None:
        """A value of one element that is values[i] in run i; None if no rule gives it."""
        if len(set(values)) == 1:
            return self.builder.integers([values[0]])
        if values not in self.found:
            rules = [(axis, rule) for axis in self.axes if (rule := rule_for(axis.lengths, values)) is not None]
            if not rules:
                return None
            axis, (divisor, factor, shift) = rules[0]
            out = self.add("Gather", self.add("Shape", axis.input), self.builder.integers([axis.axis]), axis=0)
            out = out if divisor == 1 else self.add("Div", out, self.builder.integers([divisor]))
            out = out if factor == 1 else self.add("Mul", out, self.builder.integers([factor]))
            self.found[values] = out if shift == 0 else self.add("Add", out, self.builder.integers([shift]))
        return self.found[values]

    def vector(self, rows: list[tuple[int, ...]], rest: bool) -> str | None:
        """Several lengths as one value; with `rest` one that no rule gives may be left to Reshape."""
        if rest and sum(len(set(row)) > 1 for row in rows) == 1:
            return self.builder.integers([-1 if len(set(row)) > 1 else row[0] for row in rows])
        parts = [self.length(row) for row in rows]
        if parts.count(None) > (1 if rest else 0):
            return None
        parts = [self.builder.integers([-1]) if p is None else p for p in parts]
        return parts[0] if len(parts) == 1 else self.add("Concat", *[p for p in parts if p is not None], axis=0)


def rule_for(lengths: tuple[int, ...], values: tuple[int, ...]) -> tuple[int, int, int] | None:
    """(divisor, factor, shift) with which value = length / divisor * factor + shift in all runs."""
    if values[0] and lengths[0] % values[0] == 0:
        divisor = lengths[0] // values[0]
        if all(n == divisor * v for n, v in zip(lengths, values, strict=True)):
            return divisor, 1, 0
    (n0, n1, *_), (v0, v1, *_) = lengths, values
    if n0 == n1 or (v1 - v0) % (n1 - n0):
        return None
    factor = (v1 - v0) // (n1 - n0)
    shift = v0 - factor * n0
    return (1, factor, shift) if all(v == factor * n + shift for n, v in zip(lengths, values, strict=True)) else None


def merge(runs: list[Builder], axes: list[Axis]) -> None:
    """Rewrites the first run's graph so that it holds for all lengths."""
    first, names = runs[0], ", ".join(dict.fromkeys(axis.name for axis in axes))
    for others in zip(*[run.nodes for run in runs], strict=False):
        if any(node[:4] != others[0][:4] for node in others):
            refuse(names, f"{others[0].source} is written otherwise for other lengths of the axis")
    if len({len(run.nodes) for run in runs}) > 1:
        refuse(names, "the model does other operations for other lengths of the axis")
    lengths = Lengths(first, axes)
    renamed: dict[str, str] = {}
    readers = {x: node for node in first.nodes for x in node.inputs}
    for name in list(first.constants):
        if name not in readers:
            continue
        arrays = [run.constants[name] for run in runs]
        if all(a.shape == arrays[0].shape and np.array_equal(a, arrays[0]) for a in arrays):
            continue
        new = None
        if name in first.lengths and len({a.shape for a in arrays}) == 1:
            rows = [tuple(int(a[i]) for a in arrays) for i in range(len(arrays[0]))]
            new = lengths.vector(rows, readers[name].kind == "Reshape")
        elif all(a.size and a.ndim == arrays[0].ndim and np.all(a == arrays[0].flat[0]) for a in arrays):
            shape = lengths.vector([tuple(row) for row in zip(*[a.shape for a in arrays], strict=True)], False)
            number = first.constant(arrays[0].flat[0])
            new = None if shape is None else lengths.add("Expand", number, shape)
        if new is None:
            refuse(
                names,
                f"{readers[name].source} has a constant that depends on the axis in a way that no rule of lengths gives",
            )
        renamed[name] = new
        del first.constants[name]
    first.nodes = lengths.nodes + [
        node._replace(inputs=tuple([renamed.get(x, x) for x in node.inputs])) for node in first.nodes
    ]


def refuse(names: str, why: str) -> NoReturn:
    raise RuntimeError(
        f"onnx.export: the axes {names} cannot be dynamic: {why}; leave them out of dynamic_axes, or give an example "
        "in which they are longer than 1"
    )
