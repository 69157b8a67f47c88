"""The code of docs/inspect.md runs, and every function that it names is there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from minigrad import inspect

ROOT = Path(__file__).parents[2]


def test_the_code_of_the_guide_runs_and_prints_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    pages: Any = importlib.import_module("tools.pages")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    pages.run(ROOT / "docs" / "inspect.md")
    made = {path.name for path in tmp_path.iterdir()} - {"examples"}
    assert made == {"watched.png", "grad_cam.png", "graph.svg", "explore.html", "trace.json"}
    cells = pages.cells((ROOT / "docs" / "inspect.md").read_text(encoding="utf-8"))
    assert all((cell.printed is not None) == ("print(" in cell.code) for cell in cells)


def test_every_function_of_the_guide_exists() -> None:
    text = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    table = re.findall(r"^\|[^|]*\| (.*) \|$", text, re.MULTILINE)
    named = {name for line in table for name in re.findall(r"`(\w+)", line)} - {"function"}
    assert len(named) == 11 and all(callable(getattr(inspect, name)) for name in named)
