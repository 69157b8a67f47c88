"""Notebooks of pages: the text as it stands, code as cells, what they print as outputs, pictures inside."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

from . import pages

PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>[^):]+)\)")
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<path>[^):#]+)(?:#[\w-]*)?\)")
KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


def notebook(path: Path) -> dict[str, Any]:
    """The notebook of a page, of version 4.5 of the format."""
    text = pages.expanded(path.read_text(encoding="utf-8"))
    made: list[dict[str, Any]] = []
    quotations = {match.end() for match in pages.QUOTED.finditer(text)}
    position = 0
    for cell in pages.cells(text):
        if any(text[end : cell.start].strip() == "" for end in quotations if end <= cell.start):
            continue  # a source that is quoted is to be read, not run
        made += [in_words(text[position : cell.start], path.parent), in_code(cell)]
        position = cell.end
    made.append(in_words(text[position:], path.parent))
    made = [cell for cell in made if cell["source"]]
    for number, cell in enumerate(made):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def in_words(text: str, folder: Path) -> dict[str, Any]:
    """A cell of Markdown; its pictures come with it, and links that would lead nowhere are words."""
    attachments: dict[str, dict[str, str]] = {}

    def inside(match: re.Match[str]) -> str:
        file = folder / match["path"]
        attachments[file.name] = {KINDS[file.suffix]: base64.b64encode(file.read_bytes()).decode()}
        return f"![{match['text']}](attachment:{file.name})"

    def elsewhere(match: re.Match[str]) -> str:
        target = Path(match["path"])
        return (
            f"[{match['text']}]({target.stem}.ipynb)"
            if target.suffix == ".md" and len(target.parts) == 1
            else match["text"]
        )

    text = LINK.sub(elsewhere, PICTURE.sub(inside, text)).strip()
    cell: dict[str, Any] = {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | {"attachments": attachments} if attachments else cell


def in_code(cell: pages.Cell) -> dict[str, Any]:
    """A cell of code with what the page says that it prints."""
    outputs = []
    if cell.printed is not None:
        outputs.append({"name": "stdout", "output_type": "stream", "text": cell.printed.splitlines(keepends=True)})
    source = cell.code.rstrip("\n").splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": outputs, "source": source}


def write(path: Path, target: Path) -> None:
    """Writes the notebook of a page."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(notebook(path), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
