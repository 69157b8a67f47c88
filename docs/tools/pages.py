"""The pages as programs: their code, what it should print, and the sources that they quote.

A page is Markdown that any viewer shows. Three conventions make a program of it:

    ```python      is run, block after block in one namespace, by tests/docs
    ```text        right after such a block is what the block prints
    [`Walk.run` in `minigrad/core/engine.py`](../minigrad/core/engine.py)
                   as a paragraph by itself is replaced by the source of that function or class where the site is built
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import os
import re
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
FENCED = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
QUOTED = re.compile(r"^\[`(?P<name>[\w.]+)` in `(?P<file>[\w/.]+)`\]\((?:\.\./)+(?P<path>[\w/.]+)\)$", re.MULTILINE)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    code: str
    start: int
    end: int
    line: int


def blocks(text: str) -> list[Block]:
    """All fenced blocks that name a language, in order."""
    return [
        Block(m["language"], dedent(m["code"]), m.start(), m.end(), text[: m.start()].count("\n") + 2)
        for m in FENCED.finditer(text)
    ]


class Cell(NamedTuple):
    """A block of Python and what it should print; None if the page does not show it."""

    code: str
    printed: str | None
    start: int
    end: int
    line: int


def cells(text: str) -> list[Cell]:
    """The program of a page."""
    found = blocks(text)
    result = []
    for i, block in enumerate(found):
        if block.language != "python":
            continue
        printed, end = None, block.end
        if i + 1 < len(found) and found[i + 1].language == "text" and not text[block.end : found[i + 1].start].strip():
            printed, end = found[i + 1].code, found[i + 1].end
        result.append(Cell(block.code, printed, block.start, end, block.line))
    return result


class PageError(AssertionError):
    """A page that does not do what it shows."""


def run(path: Path, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs the program of a page in the current folder and compares what it prints; returns its names.

    Raises:
        PageError: a block prints something else than the page shows.
    """
    names = {"__name__": "page"} if names is None else names
    inside = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    shown = str(inside if inside.exists() else path)  # short where the folder of the pages is here too
    for cell in cells(path.read_text(encoding="utf-8")):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            # Lines are numbered as in the page, so that a traceback leads there.
            exec(compile("\n" * (cell.line - 1) + cell.code, shown, "exec"), names)
        if cell.printed is not None and not doctest.OutputChecker().check_output(cell.printed, out.getvalue(), FLAGS):
            raise PageError(
                f"{path.name}, line {cell.line}: the page shows\n{cell.printed}\nbut the code prints\n{out.getvalue()}"
            )
    return names


# --- quoted sources -------------------------------------------------------------------------------------------------------


def quoted(file: str, name: str) -> tuple[str, str]:
    """The language and the source of what a file defines under a dotted name; of an operation with its rules.

    Raises:
        KeyError: there is no such thing.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    return ("python", python_source(text, name)) if file.endswith(".py") else ("c", c_source(text, name))


def python_source(text: str, name: str) -> str:
    body: list[ast.stmt] = ast.parse(text).body
    lines = text.splitlines()
    found: list[ast.stmt] = []
    for part in name.split("."):
        found = [node for node in body if part in names_of(node)]
        if not found:
            raise KeyError(f"there is no {name}")
        body = getattr(found[0], "body", [])
    rules = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and belongs(node, name)]
    shown = [dedent("\n".join(lines[first_line(node) - 1 : node.end_lineno])) for node in (found[0], *rules)]
    return "\n\n\n".join(shown) + "\n"


def names_of(node: ast.stmt) -> set[str]:
    """What a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def first_line(node: ast.stmt) -> int:
    return min([node.lineno, *[d.lineno for d in getattr(node, "decorator_list", [])]])


def belongs(node: ast.FunctionDef, name: str) -> bool:
    """Is it a rule of the operation of this name?"""
    return node.name == "_" and any(ast.unparse(d).startswith(f"{name}.vjp(") for d in node.decorator_list)


def c_source(text: str, name: str) -> str:
    found = re.search(
        rf"^(?:/\*(?:(?!\*/).)*\*/\n|//.*\n)*^[\w \*]*\b{name}\((?:(?!^}}).)*?^}}$", text, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise KeyError(f"there is no {name}")
    return found[0] + "\n"


def expanded(text: str) -> str:
    """The page with its quotations in their places."""

    def source(match: re.Match[str]) -> str:
        if match["file"] != match["path"]:
            raise KeyError(f"the link to {match['path']} says {match['file']}")
        language, code = quoted(match["file"], match["name"])
        return f"{match[0]}\n\n```{language}\n{code}```"

    return QUOTED.sub(source, text)


def moved(text: str) -> str:
    """A page of the root as one of docs/reference: its links lead where they led."""

    def elsewhere(match: re.Match[str]) -> str:
        path = match["path"]
        beside = (
            path.lower()
            if path in ("CONTRIBUTING.md", "CHANGELOG.md")
            else os.path.relpath(ROOT / path, DOCS / "reference")
        )
        return f"]({beside}"

    return re.sub(r"\]\((?P<path>[\w./-]+)(?=[)#])", elsewhere, text)


def explored(code: str) -> list[str]:
    """The pages that a block lets inspect.explore write."""
    return re.findall(r'inspect\.explore\([^\n]*"([\w.]+\.html)"', code)
