"""The tables of examples, here and in the README: what each is about, its picture, its time."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from .pages import DOCS, ROOT

TIMES = DOCS / "pictures" / "examples" / "times.json"
README = ROOT / "README.md"
PART = re.compile(r"<!-- examples -->\n.*?(?=\n## )", re.DOTALL)


def subject(script: Path) -> str:
    """The first sentence of its docstring."""
    return (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or "").partition("\n")[0].strip()


def rows() -> dict[str, tuple[str, int, str]]:
    """What each example is about, the seconds that it took, and the last line that it printed."""
    times = json.loads(TIMES.read_text(encoding="utf-8"))
    return {
        name: (subject(ROOT / "examples" / f"{name}.py"), found["seconds"], found["said"])
        for name, found in times.items()
    }


def table() -> str:
    """All examples for the site."""
    lines = ["| | |", "|---|---|"]
    for name, (about, seconds, said) in rows().items():
        words = f"**[`{name}.py`](../examples/{name}.py)** {about}<br>{seconds} s; its last line: `{said}`"
        lines.append(f"| ![{name}](pictures/examples/{name}.png) | {words} |")
    return "\n".join(lines)


def for_readme() -> str:
    """All examples for the README."""
    lines = ["<!-- examples -->", "", "| | | time |", "|---|---|---|"]
    for name, (about, seconds, _) in rows().items():
        picture = f'<img src="docs/pictures/examples/{name}.png" alt="what {name}.py draws" width="240">'
        lines.append(f"| {picture} | [{name}.py](examples/{name}.py)<br>{about} | {seconds} s |")
    words = "Times are the processor's, of all threads together, with the options that are the default; `--help` names others. [More](docs/examples.md)"
    return "\n".join([*lines, "", words, ""])
