"""How a tensor prints: as torch prints it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .device import device_of
from .dtypes import bool_, get_default_dtype, int64

PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
OPTIONS: dict[str, Any] = {**PROFILES["default"], "sci_mode": None}


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors print; what is left out stays, but for `sci_mode`.

    Args:
        precision: digits after the point (4).
        threshold: tensors of more elements than this are abbreviated (1000).
        edgeitems: how many elements an abbreviated axis shows at either end (3).
        linewidth: characters in a line (80).
        profile: "default", "short" (2 digits, 2 at either end) or "full" (never abbreviated); the other arguments change it.
        sci_mode: True or False for exponents always or never; None lets the numbers decide.

    Raises:
        ValueError: a profile of another name, or a number that is negative.

    >>> import minigrad
    >>> minigrad.set_printoptions(precision=2)
    >>> minigrad.tensor([3.14159])
    tensor([3.14])
    >>> minigrad.set_printoptions(profile="default")
    """
    if profile is not None and profile not in PROFILES:
        raise ValueError(f"set_printoptions: expected the profile 'default', 'short' or 'full', got {profile!r}")
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None and not value >= 0:
            raise ValueError(f"set_printoptions: {name} cannot be negative, got {value}")
    OPTIONS.update(PROFILES[profile] if profile is not None else {})
    OPTIONS.update({name: value for name, value in given.items() if value is not None})
    OPTIONS["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The options of set_printoptions as they are."""
    return dict(OPTIONS)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """A block in which tensors print otherwise; it takes what set_printoptions takes."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def format_tensor(x: Any) -> str:
    """For example ``tensor([1., 2.], requires_grad=True)``."""
    name = "Parameter containing:\n" if type(x).__name__ == "Parameter" else ""
    array = x.array if isinstance(x.array, np.ndarray) else x.array.get()
    notes = []
    if array.size == 0:
        body = "[]"
        if array.ndim != 1:
            notes.append(f"size={tuple(x.shape)}")
    else:
        summarize = array.size > OPTIONS["threshold"]
        if not OPTIONS["edgeitems"]:
            notes.append(f"size={tuple(x.shape)}")
        style = Style(edges(array) if summarize else array)
        body = nested(array, len("tensor("), summarize, style)
    if x.dtype not in (get_default_dtype(), int64, bool_) or (array.size == 0 and x.dtype != get_default_dtype()):
        notes.append(f"dtype=minigrad.{x.dtype}")
    if array is not x.array:
        notes.append(f"device='{device_of(x.array)}'")
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
            scientific = OPTIONS["sci_mode"]
            if scientific is None or not sizes.size:
                scientific = high / low > 1000 or high > 1e8 or low < 1e-4
            if scientific:
                self.form, self.whole = f"{{:.{OPTIONS['precision']}e}}", False
            else:
                self.form = "{:.0f}" if self.whole else f"{{:.{OPTIONS['precision']}f}}"
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
    edge = OPTIONS["edgeitems"]
    for axis, n in enumerate(array.shape):
        if n > 2 * edge:
            array = array.take([*range(edge), *range(n - edge, n)], axis)
    return array


def nested(array: Any, indent: int, summarize: bool, style: Style) -> str:
    """The elements in brackets, each row on lines of its own."""
    if array.ndim == 0:
        return style.text(array.item())
    edge = OPTIONS["edgeitems"]
    shorten = summarize and len(array) > 2 * edge
    shown = [*array[:edge], *array[len(array) - edge :]] if shorten else list(array)
    if array.ndim == 1:
        parts = [style.text(value.item()) for value in shown]
        if shorten:
            parts.insert(edge, " ..." if edge else "...")
        per_line = max(1, (OPTIONS["linewidth"] - indent) // (style.width + 2))
        lines = [", ".join(parts[start : start + per_line]) for start in range(0, len(parts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [nested(row, indent + 1, summarize, style) for row in shown]
    if shorten:
        parts.insert(edge, "...")
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"


def with_notes(body: str, notes: list[str]) -> str:
    """The notes behind the body, each on a new line where it would not fit."""
    text = f"tensor({body}"
    used = len(text) - text.rfind("\n") + 1
    for note in notes:
        fits = used + len(note) + 2 <= OPTIONS["linewidth"]
        text += ", " + note if fits else ",\n" + " " * len("tensor(") + note
        used = used + len(note) + 2 if fits else len("tensor(") + len(note)
    return text + ")"
