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


def scripts() -> list[str]:
    """The names of the examples: the modules that others import are none."""
    return sorted(
        path.stem for path in (ROOT / "examples").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")
    )


def rows() -> dict[str, tuple[str, str, str]]:
    """What each example is about, the time that it took, and the last line that it printed; nothing of these for one that was not run yet."""
    times = json.loads(TIMES.read_text(encoding="utf-8"))
    found = {}
    for name in scripts():
        seconds, said = (f"{times[name]['seconds']} s", times[name]["said"]) if name in times else ("", "")
        found[name] = (subject(ROOT / "examples" / f"{name}.py"), seconds, said)
    return found


def table() -> str:
    """All examples for the site."""
    lines = ["| | |", "|---|---|"]
    for name, (about, seconds, said) in rows().items():
        ran = f"<br>{seconds}; its last line: `{said}`" if seconds else ""
        picture = f"![{name}](pictures/examples/{name}.png)" if seconds else ""
        lines.append(f"| {picture} | **[`{name}.py`](../examples/{name}.py)** {about}{ran} |")
    return "\n".join(lines)


def for_readme() -> str:
    """All examples for the README."""
    lines = ["<!-- examples -->", "", "| | | time |", "|---|---|---|"]
    for name, (about, seconds, _) in rows().items():
        picture = f'<img src="docs/pictures/examples/{name}.png" alt="what {name}.py draws" width="240">'
        lines.append(f"| {picture if seconds else ''} | [{name}.py](examples/{name}.py)<br>{about} | {seconds} |")
    words = "Times are the processor's, of all threads together, with the options that are the default; `--help` names others. [More](docs/examples.md)"
    return "\n".join([*lines, "", words, ""])
