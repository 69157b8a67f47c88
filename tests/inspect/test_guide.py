"""The code of docs/inspect.md runs, and every function that it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from minigrad import inspect

ROOT = Path(__file__).parents[2]


def test_the_code_of_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    text = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "guide"}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 10
    for block in blocks:
        exec(compile(block, "docs/inspect.md", "exec"), names)
    made = {path.name for path in tmp_path.iterdir()} - {"examples"}
    assert made == {"watched.png", "grad_cam.png", "graph.svg", "explore.html", "trace.json"}
    printed = capsys.readouterr().out
    assert "61,706" in printed and "6x6 or 9x9 would fit" in printed and "gradient = 114" in printed


def test_every_function_of_the_guide_exists() -> None:
    text = (ROOT / "docs" / "inspect.md").read_text(encoding="utf-8")
    table = re.findall(r"^\|[^|]*\| (.*) \|$", text, re.MULTILINE)
    named = {name for line in table for name in re.findall(r"`(\w+)", line)} - {"function"}
    assert len(named) == 11 and all(callable(getattr(inspect, name)) for name in named)
