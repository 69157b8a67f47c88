"""Drawing with as little as the pictures of the pages need: shapes as strings, and one function that makes a file of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

BLUE, ORANGE, GREEN, RED, WHITE, GREY = "#dbeafe", "#fed7aa", "#bbf7d0", "#fecdd3", "#ffffff", "#f1f5f9"
INK, FAINT, BACKWARD = "#1e293b", "#94a3b8", "#be123c"
SERIES = ("#2563eb", "#ea580c", "#16a34a", "#9333ea")


def svg(width: float, height: float, parts: Iterable[str], style: str = "") -> str:
    """The file. Its background is white, so that it can be read on a dark page."""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" font-family="Helvetica,Arial,sans-serif" font-size="13" fill="{INK}">'
    arrows = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
        for name, colour in (("forward", INK), ("backward", BACKWARD), ("faint", FAINT))
    )
    styled = f"<style>{style}</style>" if style else ""
    return f'{head}<defs>{arrows}</defs>{styled}<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def text(
    x: float, y: float, words: Any, size: float = 13, colour: str = INK, anchor: str = "middle", weight: str = "normal"
) -> str:
    """Words centred on a point (or beginning or ending there), in height too."""
    bold = "" if weight == "normal" else f' font-weight="{weight}"'
    return f'<text x="{x:g}" y="{y + 0.35 * size:g}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}"{bold}>{escape(str(words))}</text>'


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    fill: str = WHITE,
    line: str = INK,
    thick: float = 1,
    round_: float = 0,
) -> str:
    """A rectangle by its upper left corner."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" fill="{fill}" stroke="{line}" stroke-width="{thick:g}"/>'


def arrow(x1: float, y1: float, x2: float, y2: float, kind: str = "forward", bend: float = 0) -> str:
    """An arrow, straight or bent to its left by so many pixels."""
    colour = {"forward": INK, "backward": BACKWARD, "faint": FAINT}[kind]
    length = math.hypot(x2 - x1, y2 - y1)
    middle = (x1 + x2) / 2 + bend * (y2 - y1) / length, (y1 + y2) / 2 - bend * (x2 - x1) / length
    return f'<path d="M{x1:g} {y1:g}Q{middle[0]:.1f} {middle[1]:.1f} {x2:g} {y2:g}" fill="none" stroke="{colour}" stroke-width="1.5" marker-end="url(#{kind})"/>'


def number(value: float) -> str:
    """As short as it can be."""
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def grid(
    x: float,
    y: float,
    rows: Sequence[Sequence[Any]],
    fill: Any = WHITE,
    cell: float = 30,
    size: float = 13,
    strong: Any = (),
    title: str = "",
) -> str:
    """A matrix. `fill` is a colour or a function of row and column; `strong` has the cells with a thick edge."""
    parts = [text(x + cell * len(rows[0]) / 2, y - 11, title, weight="bold")] if title else []
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            colour = fill(i, j) if callable(fill) else fill
            parts.append(box(x + j * cell, y + i * cell, cell, cell, colour, FAINT))
            shown = value if isinstance(value, str) else number(value)
            parts.append(text(x + (j + 0.5) * cell, y + (i + 0.5) * cell, shown, size))
    for i, j in strong:
        parts.append(box(x + j * cell, y + i * cell, cell, cell, "none", BACKWARD, 2.5))
    return "".join(parts)


def window(
    x: float, y: float, i: int, j: int, height: int, width: int, cell: float = 30, colour: str = BACKWARD
) -> str:
    """The frame of a window in a grid."""
    return box(x + j * cell, y + i * cell, width * cell, height * cell, "none", colour, 3)


def moved(x: float, y: float, parts: str, name: str = "") -> str:
    """Parts at another place; `name` is a class for styles."""
    return f'<g transform="translate({x:g} {y:g})"{f" class={chr(34)}{name}{chr(34)}" if name else ""}>{parts}</g>'


def log_plot(
    x: float,
    y: float,
    width: float,
    height: float,
    series: dict[str, list[tuple[float, float]]],
    titles: tuple[str, str],
    floor: float,
) -> str:
    """Lines through points on logarithmic axes; values below the floor are drawn on it."""
    points = [p for line in series.values() for p in line]
    low_x, high_x = (round(f(math.log10(p[0]) for p in points)) for f in (min, max))
    low_y, high_y = math.floor(math.log10(floor)), math.ceil(max(math.log10(max(p[1], floor)) for p in points))

    def place(p: tuple[float, float]) -> tuple[float, float]:
        across = (math.log10(p[0]) - low_x) / (high_x - low_x)
        up = (math.log10(max(p[1], floor)) - low_y) / (high_y - low_y)
        return x + across * width, y + (1 - up) * height

    parts = [box(x, y, width, height, WHITE, FAINT)]
    for power in range(low_x, high_x + 1, 2):
        at = place((10.0**power, floor))[0]
        parts += [
            f'<path d="M{at:g} {y:g}v{height:g}" stroke="{GREY}"/>',
            text(at, y + height + 13, power_of_ten(power), 11),
        ]
    for power in range(low_y, high_y + 1, 2):
        at = place((1.0, 10.0**power))[1]
        parts += [
            f'<path d="M{x:g} {at:g}h{width:g}" stroke="{GREY}"/>',
            text(x - 6, at, power_of_ten(power), 11, anchor="end"),
        ]
    for (name, line), colour in zip(series.items(), SERIES, strict=False):
        way = " ".join(f"{a:.1f},{b:.1f}" for a, b in map(place, line))
        parts.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        row = list(series).index(name)
        parts += [f'<path d="M{x + width + 14:g} {y + 14 + 22 * row:g}h22" stroke="{colour}" stroke-width="3"/>']
        parts.append(text(x + width + 42, y + 14 + 22 * row, name, 12, anchor="start"))
    parts += [text(x + width / 2, y + height + 32, titles[0], 12), text(x, y - 12, titles[1], 12, anchor="start")]
    return "".join(parts)


def power_of_ten(power: int) -> str:
    digits = str(abs(power)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return "1" if power == 0 else f"10{'⁻' if power < 0 else ''}{digits}"
