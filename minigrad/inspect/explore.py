"""One page of HTML on which backward can be walked through: all in one file, nothing from the network."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.inspect.fields import times
from minigrad.inspect.graph import Graph, owner_of, values_of
from minigrad.inspect.steps import ORDERS, Steps, steps, visits_of_recursion
from minigrad.inspect.trace import trace

__all__ = ["explore"]

PAGE = Path(__file__).parent / "page"
TITLES = {
    "latest first": "right: the latest node first",
    "recursion": "wrong: naive recursion",
    "breadth first": "wrong: breadth first",
}
MOST_CELLS = 64  # of an array that is shown as a table
MOST_MAPS, LARGEST_MAP = 8, 64
LONGEST_RECURSION_SHOWN = 500  # steps: it visits a node once for every path


def explore(
    result: Tensor,
    file: str | PathLike[str] | None = None,
    calls: trace | None = None,
    names: Mapping[str, Tensor] | None = None,
    gradient: Tensor | None = None,
    title: str = "Backward, step by step",
) -> str:
    """A page on which backward from a tensor can be played, stepped and stepped back; returns its HTML and writes it to a file.

    It draws the graph, with modules that can be collapsed, and shows for each step the node's line in the program, the rules that run and their source,
    the gradients that arrive and are handed on (small ones as tables, maps as pictures), the sums, what is freed and which nodes wait; and what
    comes out if the order of visits is a wrong one. Keys: arrows, space, Home, End, 1 to 3 for the orders, + and - for the modules. It prints as a
    list of all steps.

    Args:
        result, calls, names, gradient: as for `steps`.
        file: where to write the page.
        title: its heading.

    Raises:
        RuntimeError: as `steps`.

    >>> import minigrad
    >>> from minigrad import inspect
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> page = inspect.explore((x * x).sum(), names={"x": x})
    >>> page[:15], "src=" in page, page.count("<script")
    ('<!DOCTYPE html>', False, 2)
    """
    right = steps(result, calls, names, gradient)
    visits = visits_of_recursion(right.graph)
    orders = [o for o in ORDERS[1:] if o != "recursion" or visits <= LONGEST_RECURSION_SHOWN]
    walks = [right, *[steps(result, calls, names, gradient, order) for order in orders]]
    page = (PAGE / "explore.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": escape(str(title)),
        "CSS": (PAGE / "explore.css").read_text(encoding="utf-8"),
        "PRINTED": "".join(f"<pre>{escape(str(step))}</pre>" for step in right),
        "DATA": json.dumps(data_of(right.graph, walks, visits), separators=(",", ":")).replace("<", "\\u003c"),
        "JS": (PAGE / "explore.js").read_text(encoding="utf-8"),
    }
    page = re.sub(
        r"@([A-Z]+)@", lambda found: parts[found[1]], page
    )  # at once: what is put in may hold such marks itself
    if file is not None:
        Path(file).write_text(page, encoding="utf-8")
    return page


def data_of(graph: Graph, walks: list[Steps], visits: int) -> dict[str, Any]:
    """What the page is made of, as JSON knows it; `visits` is how many a recursion makes, which may be too many to show."""
    shelf = Shelf()
    values = values_of(graph)
    deepest = max(
        (len(node.module.split(".")) if node.module else 0 for node in graph.nodes.values() if node.module is not None),
        default=-1,
    )
    depths: list[int | None] = [*range(deepest + 1), None]
    code = {step.node.id: step.code for step in walks[0]}
    nodes = {
        node.id: {
            "label": node.label, "size": node.size, "module": node.module, "place": node.place, "leaf": node.is_leaf,
            "code": code.get(node.id, ""), "value": shelf.put(values.get(node.id)),
            "kept": [{"what": k.what, "size": times(k.shape) or "scalar", "dtype": k.dtype, "bytes": k.bytes, "shared": k.shared} for k in node.kept],
        }
        for node in graph.nodes.values()
    }  # fmt: skip
    told = [
        {
            "title": TITLES[walk.order],
            "wrong": [str(name) for name in walk.wrong_leaves],
            "steps": [
                {
                    "node": step.node.id, "incoming": shelf.put(step.incoming), "heap": step.heap, "wrong": step.wrong,
                    "freed": sum(k.bytes for k in step.freed if not k.shared),
                    "handed": [
                        {
                            "input": h.input, "to": h.to, "lost": h.lost, "gradient": shelf.put(h.gradient), "before": shelf.put(h.sum_before),
                            "after": shelf.put(h.sum_after), "formula": step.formulas.get(h.input.partition("[")[0], ""),
                        }
                        for h in step.handed_on
                    ],
                }
                for step in walk
            ],
        }
        for walk in walks
    ]  # fmt: skip
    return {
        "nodes": nodes,
        "walks": told,
        "absent": ""
        if visits <= LONGEST_RECURSION_SHOWN
        else f"naive recursion: {count(visits)} steps, too many to show",
        "arrays": shelf.arrays,
        "pictures": [graph.svg(depth) for depth in depths],
        "depths": [
            "every operation" if depth is None else f"modules to depth {depth}" if depth else "the model as one"
            for depth in depths
        ],
    }


def count(n: int) -> str:
    """A number of steps, which for a deep network may have hundreds of digits."""
    return f"{n:,}" if n < 10**9 else f"10^{len(str(n)) - 1}"


class Shelf:
    """The arrays of a page, each once."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self.places: dict[Any, int] = {}
        self.held: list[Any] = []  # so that no identity is used again

    def put(self, x: Any) -> int | None:
        """The place of an array, or of several, on the shelf; None for nothing."""
        if x is None:
            return None
        key = (
            tuple(id(one) for one in x)
            if isinstance(x, list)
            else (owner_of(x), x.shape, x.strides, x.__array_interface__["data"][0])
        )
        if key not in self.places:
            self.held.append(x)
            shown = {"parts": [self.put(one) for one in x]} if isinstance(x, list) else as_shown(x)
            self.places[key] = len(self.arrays)
            self.arrays.append(shown)
        return self.places[key]


def as_shown(x: Any) -> dict[str, Any]:
    """An array as the page shows it: a table if it is small, pictures if it is made of maps, and what it ranges over."""
    finite = x[np.isfinite(x)]
    span = f"from {finite.min():.4g} to {finite.max():.4g}" if finite.size else "no finite values"
    if finite.size < x.size:
        span += f", {x.size - finite.size} not finite"
    shown: dict[str, Any] = {"size": times(x.shape) or "scalar", "dtype": str(x.dtype), "range": span}
    if x.size <= MOST_CELLS:
        rows = x.reshape(-1, x.shape[-1]) if x.ndim > 1 else x.reshape(1, -1)
        shown["rows"] = [[f"{v:.4g}" for v in row.tolist()] for row in rows]
    elif x.ndim >= 2 and min(x.shape[-2:]) > 1:
        maps = x.reshape(-1, *x.shape[-2:])
        step = max(1, -(-max(maps.shape[1:]) // LARGEST_MAP))
        small = np.nan_to_num(maps[:MOST_MAPS, ::step, ::step].astype(np.float64))
        largest = float(np.abs(small).max()) or 1.0
        levels = np.round(128 + 127 * small / largest).astype(np.uint8)
        shown |= {
            "images": [b64encode(one.tobytes()).decode() for one in levels],
            "height": levels.shape[1],
            "width": levels.shape[2],
        }
        shown["more"] = max(0, len(maps) - MOST_MAPS)
    return shown
