"""The table of examples: what each is about, its picture, its time."""

from __future__ import annotations

import ast
import json
from pathlib import Path

from .pages import DOCS, ROOT

TIMES = DOCS / "pictures" / "examples" / "times.json"


def subject(script: Path) -> str:
    """The first sentence of its docstring."""
    return (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").partition("\n")[0].strip()


def table() -> str:
    """All examples as Markdown."""
    rows = []
    for name, found in json.loads(TIMES.read_text(encoding="utf-8")).items():
        script = ROOT / "examples" / f"{name}.py"
        words = f"**[`{name}.py`](../examples/{name}.py)** {subject(script)} *{found['seconds']} s; ends with* `{found['said']}`"
        rows.append(f"| {words} | ![{name}](pictures/examples/{name}.png) |")
    return "| | |\n|---|---|\n" + "\n".join(rows)
