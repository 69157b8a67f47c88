"""The code of docs/onnx.md runs, in one namespace from top to bottom, and its figures are those of the tests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.onnx.agreement import exported, onnx, run
from tests.onnx.specification import BROKEN, LIST

GUIDE = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from minigrad.onnx.exporting.builder import EMITTERS
    from minigrad.onnx.loading.table import TABLE

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "onnx.backend.test.BackendTest", lambda backend, name: None
    )  # collecting its tests takes half a minute
    for table in (EMITTERS, TABLE):  # they are as they were afterwards
        for key in ("angle", "Erfc"):
            monkeypatch.setitem(table, key, []) if table is TABLE else monkeypatch.setitem(table, key, None)
            monkeypatch.delitem(table, key)
    names: dict[str, Any] = {"__name__": "guide"}
    for block in BLOCKS:
        exec(compile(block, "docs/onnx.md", "exec"), names)
    assert len(BLOCKS) >= 7
    printed = capsys.readouterr().out
    assert (
        "['input'] ['scores']" in printed
        and "onnx.load: ConstantOfShape asks for a tensor of shape (1048576, 1048576)" in printed
    )
    angle = run((tmp_path / "angle.onnx").read_bytes(), names["minigrad"].tensor([-1.0, 2.0]).numpy())[0]
    assert angle.tolist() == pytest.approx([3.14159265, 0])
    assert onnx.load_from_string(exported(names["model"], (names["example"],))).graph.node


def test_its_figures() -> None:
    total, passed, unsupported = (int(n) for n in re.search(r"Of its (\d+) .* (\d+) pass\. (\d+) need", GUIDE).groups())  # type: ignore[union-attr]
    assert unsupported == len(json.loads(LIST.read_text())) and total == passed + unsupported + len(BROKEN)
