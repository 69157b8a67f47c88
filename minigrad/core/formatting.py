"""How a tensor prints: as torch prints it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .dtypes import bool_, get_default_dtype, int64

PRECISION, THRESHOLD, EDGE_ITEMS, LINE_WIDTH = 4, 1000, 3, 80


def format_tensor(x: Any) -> str:
    """For example ``tensor([1., 2.], requires_grad=True)``."""
    name = "Parameter containing:\n" if type(x).__name__ == "Parameter" else ""
    array = x.array if isinstance(x.array, np.ndarray) else x.array.get()
    notes = []
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            notes.append(f"size={x.shape}")
    else:
        summarize = array.size > THRESHOLD
        style = Style(edges(array) if summarize else array)
        body = nested(array, len("tensor("), summarize, style)
    if x.dtype not in (get_default_dtype(), int64, bool_) or (array.size == 0 and x.dtype != get_default_dtype()):
        notes.append(f"dtype=minigrad.{x.dtype}")
    if x.grad_fn is not None:
        notes.append(f"grad_fn={x.grad_fn!r}")
    elif x.requires_grad:
        notes.append("requires_grad=True")
    return name + with_notes(body, notes)


class Style:
    """How the numbers of one tensor are written: all with as many digits, whole, with decimals or with exponents."""

    def __init__(self, array: Any) -> None:
        self.form = "{}"
        self.whole = False  # floats without decimals, which end in a point
        counted = array.reshape(-1)
        if array.dtype.kind == "f":
            counted = counted[np.isfinite(counted) & (counted != 0)]  # the others take the room that these leave
            sizes = abs(counted.astype(np.float64))
            low, high = (sizes.min(), sizes.max()) if sizes.size else (1.0, 1.0)
            self.whole = bool((sizes == np.ceil(sizes)).all())
            if high / low > 1000 or high > 1e8 or low < 1e-4:
                self.form, self.whole = f"{{:.{PRECISION}e}}", False
            else:
                self.form = "{:.0f}" if self.whole else f"{{:.{PRECISION}f}}"
        self.width = 1
        self.width = max([len(self.text(value)) for value in counted.tolist()], default=1)

    def text(self, value: Any) -> str:
        """One number, filled up to the width of the widest."""
        text = self.form.format(value)
        if self.whole and math.isfinite(value):
            text += "."
        return text.rjust(self.width)


def edges(array: Any) -> Any:
    """The elements that a summary shows."""
    for axis, n in enumerate(array.shape):
        if n > 2 * EDGE_ITEMS:
            array = array.take([*range(EDGE_ITEMS), *range(n - EDGE_ITEMS, n)], axis)
    return array


def nested(array: Any, indent: int, summarize: bool, style: Style) -> str:
    """The elements in brackets, each row on lines of its own."""
    if array.ndim == 0:
        return style.text(array.item())
    shorten = summarize and len(array) > 2 * EDGE_ITEMS
    shown = [*array[:EDGE_ITEMS], *array[-EDGE_ITEMS:]] if shorten else list(array)
    if array.ndim == 1:
        parts = [style.text(value.item()) for value in shown]
        if shorten:
            parts.insert(EDGE_ITEMS, " ...")
        per_line = max(1, (LINE_WIDTH - indent) // (style.width + 2))
        lines = [", ".join(parts[start : start + per_line]) for start in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [nested(row, indent + 1, summarize, style) for row in shown]
    if shorten:
        parts.insert(EDGE_ITEMS, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def with_notes(body: str, notes: list[str]) -> str:
    """The notes behind the body, each on a new line where it would not fit."""
    text = f"tensor({body}"
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        fits = used + len(note) + 2 <= LINE_WIDTH
        text += ", " + note if fits else ",\n" + " " * len("tensor(") + note
        used = used + len(note) + 2 if fits else len("tensor(") + len(note)
    return text + ")"
