"""Pictures of a graph: SVG drawn here in layers, or by graphviz."""

from __future__ import annotations

import colorsys
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from zlib import crc32

from minigrad.inspect.graph import Graph, GraphNode

BOX_HEIGHT, GAP_X, GAP_Y, CHARACTER = 36, 24, 34, 7.0
STYLE = """text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1c2733;text-anchor:middle}
.size{font-size:10px;fill:#5a6b7b}.edge{fill:none;stroke:#8496a9;stroke-width:1.3}
.box rect{stroke:#5a6b7b;stroke-width:1}.leaf rect{rx:17px}.group rect{stroke-width:2}"""


@dataclass
class Box:
    """What is drawn as one: a node, or the nodes of a collapsed module."""

    key: str
    title: str
    below: str
    kind: str
    module: str | None
    members: list[int]
    layer: int = 0
    x: float = 0.0

    @property
    def width(self) -> float:
        """Wide enough for its text."""
        return max(56.0, CHARACTER * max(len(self.title), 0.85 * len(self.below)) + 18)

    @property
    def y(self) -> float:
        """Its upper edge."""
        return self.layer * (BOX_HEIGHT + GAP_Y)


@dataclass
class Drawing:
    """Boxes in their places, and the edges between them as points."""

    boxes: dict[str, Box]
    edges: list[tuple[str, str, list[tuple[float, float]]]]
    width: float
    height: float


def boxes_of(graph: Graph, depth: int | None) -> tuple[dict[str, Box], dict[int, str], list[tuple[str, str]]]:
    """The boxes by key, the key of each node's box, and the edges between boxes, each once."""
    groups = graph.groups(depth)
    boxes: dict[str, Box] = {}
    home: dict[int, str] = {}
    for number, node in graph.nodes.items():
        group = groups[number]
        key = f"n{number}" if group is None else f"m{group}"
        home[number] = key
        if key in boxes:
            boxes[key].members.append(number)
        elif group is None:
            boxes[key] = Box(key, node.label, node.size, "leaf" if node.is_leaf else "op", node.module, [number])
        else:
            boxes[key] = Box(key, group or "model", "", "group", group, [number])
    split_cycles(graph, boxes, home)
    for box in boxes.values():
        if box.kind == "group":
            count = f"{len(box.members)} nodes" if len(box.members) > 1 else "1 node"
            box.below = f"{count} -> {graph.nodes[max(box.members)].size}"
    pairs = dict.fromkeys((home[a], home[b]) for a, b, _ in graph.edges if home[a] != home[b])
    return boxes, home, list(pairs)


def split_cycles(graph: Graph, boxes: dict[str, Box], home: dict[int, str]) -> None:
    """Draws a module in two boxes where something outside is computed from its results and used by it again."""
    while True:
        order = {key: max(box.members) for key, box in boxes.items()}
        back = next(((a, b) for a, b, _ in graph.edges if home[a] != home[b] and order[home[a]] > order[home[b]]), None)
        if back is None:
            return
        box = boxes[home[back[0]]]
        early = [n for n in box.members if n <= back[0]]
        key = f"{box.key}~{len(boxes)}"
        boxes[key] = Box(key, box.title, "", box.kind, box.module, early)
        box.members = [n for n in box.members if n > back[0]]
        home.update(dict.fromkeys(early, key))


def arranged(graph: Graph, depth: int | None = None) -> Drawing:
    """The boxes in layers, data flowing down: each below all that it is computed from, leaves just above where they are used.

    The way of K. Sugiyama, S. Tagawa and M. Toda (1981): layers, then orders by the mean place of neighbours, then places.
    """
    boxes, _, pairs = boxes_of(graph, depth)
    into, out = defaultdict(list), defaultdict(list)
    for a, b in pairs:
        into[b].append(a)
        out[a].append(b)
    for box in sorted(boxes.values(), key=lambda box: max(box.members)):
        box.layer = 1 + max((boxes[a].layer for a in into[box.key]), default=-1)
    for box in boxes.values():
        if not into[box.key] and out[box.key]:
            box.layer = min(boxes[b].layer for b in out[box.key]) - 1
    top = min(box.layer for box in boxes.values())
    for box in boxes.values():
        box.layer -= top
    # An edge over several layers goes through a point in each, which takes part in the ordering.
    chains: list[list[str]] = []
    points: dict[str, tuple[int, float]] = {key: (box.layer, box.width) for key, box in boxes.items()}
    for a, b in pairs:
        middle = [f"{a}>{b}@{layer}" for layer in range(boxes[a].layer + 1, boxes[b].layer)]
        points.update({key: (boxes[a].layer + 1 + i, 6.0) for i, key in enumerate(middle)})
        chains.append([a, *middle, b])
    xs = placed(points, chains)
    low = min(xs[key] - width / 2 for key, (_, width) in points.items())
    high = max(xs[key] + width / 2 for key, (_, width) in points.items())
    for box in boxes.values():
        box.x = xs[box.key] - low
    edges = []
    for chain in chains:
        middle_points = [(xs[key] - low, points[key][0] * (BOX_HEIGHT + GAP_Y) + BOX_HEIGHT / 2) for key in chain[1:-1]]
        first, last = boxes[chain[0]], boxes[chain[-1]]
        edges.append((first.key, last.key, [(first.x, first.y + BOX_HEIGHT), *middle_points, (last.x, last.y)]))
    layers = 1 + max(box.layer for box in boxes.values())
    return Drawing(boxes, edges, high - low, layers * (BOX_HEIGHT + GAP_Y) - GAP_Y)


def placed(points: dict[str, tuple[int, float]], chains: list[list[str]]) -> dict[str, float]:
    """A place along its layer for each point, near those of its neighbours."""
    up, down = defaultdict(list), defaultdict(list)
    for chain in chains:
        for a, b in pairwise(chain):
            down[a].append(b)
            up[b].append(a)
    layers: dict[int, list[str]] = defaultdict(list)
    for key, (layer, _) in points.items():
        layers[layer].append(key)
    xs: dict[str, float] = {}
    for row in layers.values():
        spread(row, points, dict.fromkeys(row, 0.0), xs)
    sweeps = [sorted(layers), sorted(layers, reverse=True)] * 6
    for turn, order in enumerate(sweeps):
        neighbours = down if turn % 2 else up
        for layer in order:
            row = layers[layer]
            wanted = {}
            for key in row:
                near = neighbours[key] or up[key] or down[key]
                if turn >= len(sweeps) - 4:
                    near = up[key] + down[key]
                wanted[key] = sum(xs[other] for other in near) / len(near) if near else xs[key]
            if turn < len(sweeps) - 4:
                row.sort(key=lambda key: wanted[key])
            spread(row, points, wanted, xs)
    return xs


def spread(
    row: list[str], points: dict[str, tuple[int, float]], wanted: dict[str, float], xs: dict[str, float]
) -> None:
    """Puts the points of a row, in their order, as near to their wanted places as their widths allow: neighbours that would overlap
    become a block around the mean of their wishes."""
    blocks: list[tuple[float, float, list[str]]] = []  # the left edge, the width, what is in it
    for key in row:
        width = points[key][1] + GAP_X
        block = (wanted[key] - width / 2, width, [key])
        while blocks and blocks[-1][0] + blocks[-1][1] > block[0]:
            left, before, keys = blocks.pop()
            n, m = len(keys), len(block[2])
            start = (left * n + (block[0] - before) * m) / (n + m)
            block = (start, before + block[1], keys + block[2])
        blocks.append(block)
    for left, _, keys in blocks:
        for key in keys:
            width = points[key][1] + GAP_X
            xs[key] = left + width / 2
            left += width


def tint(module: str | None, kind: str) -> str:
    """A light colour for each module, the same each time."""
    if kind == "leaf":
        return "#fff3cf"
    if module is None:
        return "#ffffff"
    r, g, b = colorsys.hls_to_rgb(crc32(module.encode()) % 360 / 360, 0.9, 0.6)
    return f"#{int(255 * r):02x}{int(255 * g):02x}{int(255 * b):02x}"


def svg(graph: Graph, depth: int | None = None, margin: float = 14) -> str:
    """The graph as an SVG picture that needs nothing else. Boxes have ids and the ids of their nodes in data-nodes."""
    drawing = arranged(graph, depth)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-margin:g} {-margin:g} {drawing.width + 2 * margin:.0f} {drawing.height + 2 * margin:.0f}" '
        f'width="{drawing.width + 2 * margin:.0f}" height="{drawing.height + 2 * margin:.0f}" role="img" aria-label="the graph of a computation">',
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#8496a9"/></marker></defs>',
    ]
    for a, b, points in drawing.edges:
        parts.append(
            f'<path class="edge" data-from="{escape(a)}" data-to="{escape(b)}" marker-end="url(#tip)" d="{curve(points)}"/>'
        )
    parts += [box_svg(box, [graph.nodes[n] for n in box.members]) for box in drawing.boxes.values()]
    return "\n".join([*parts, "</svg>"])


def curve(points: list[tuple[float, float]]) -> str:
    """A smooth path through points, upright at each."""
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (u, v) in pairwise(points):
        bend = (v - y) / 2
        text += f"C{x:.1f} {y + bend:.1f} {u:.1f} {v - bend:.1f} {u:.1f} {v:.1f}"
    return text


def box_svg(box: Box, members: list[GraphNode]) -> str:
    """One box with its text and what a pointer resting on it shows."""
    kept = sum(node.kept_bytes for node in members)
    hints = [
        box.title,
        box.below,
        f"in {box.module}" if box.module else "",
        f"keeps {kept:,} bytes for backward" if kept else "",
    ]
    hints += [members[0].place] if len(members) == 1 else []
    left = box.x - box.width / 2
    return (
        f'<g class="box {box.kind}" id="{escape(box.key)}" data-nodes="{" ".join(str(n) for n in box.members)}"><title>{escape(chr(10).join(filter(None, hints)))}</title>'
        f'<rect x="{left:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{BOX_HEIGHT}" rx="4" fill="{tint(box.module, box.kind)}"/>'
        f'<text x="{box.x:.1f}" y="{box.y + 15:.1f}">{escape(box.title)}</text><text class="size" x="{box.x:.1f}" y="{box.y + 29:.1f}">{escape(box.below)}</text></g>'
    )


def dot(graph: Graph, depth: int | None = None) -> str:
    """The graph in graphviz's language; modules are clusters where they are not collapsed."""
    boxes, _, pairs = boxes_of(graph, depth)
    lines = ["digraph backward {", "  rankdir=TB; node [shape=box, style=filled, fontname=monospace, fontsize=10];"]
    clusters: dict[str | None, list[Box]] = defaultdict(list)
    for box in boxes.values():
        clusters[box.module if box.kind != "group" else None].append(box)
    for module, inside in clusters.items():
        if module:
            lines.append(f"  subgraph {quoted('cluster ' + module)} {{ label={quoted(module)}; fontname=monospace;")
        for box in inside:
            shape = (
                ', shape=box, style="filled,rounded"'
                if box.kind == "leaf"
                else ", penwidth=2"
                if box.kind == "group"
                else ""
            )
            lines.append(
                f"    {quoted(box.key)} [label={quoted(box.title + chr(10) + box.below)}, fillcolor={quoted(tint(box.module, box.kind))}{shape}];"
            )
        if module:
            lines.append("  }")
    lines += [f"  {quoted(a)} -> {quoted(b)};" for a, b in pairs]
    return "\n".join([*lines, "}"])


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def svg_by_graphviz(graph: Graph, depth: int | None = None) -> str:
    """The picture that graphviz's program makes.

    Raises:
        RuntimeError: there is no such program.
    """
    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(
            "graph.svg: graphviz=True needs the program `dot` (package graphviz of most systems); graphviz=False draws without it"
        )
    return subprocess.run(
        [program, "-Tsvg"], input=dot(graph, depth), capture_output=True, text=True, check=True
    ).stdout
