"""The code of docs/testing.md runs, and its report is what check says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from minigrad.core.primitive import REGISTRY
from minigrad.core.tensor import TABLE
from minigrad.testing import GradientError

GUIDE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCK = re.compile(r"(?P<note><!-- needs torch -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Operations that the guide defines leave no trace."""
    known = [(d, dict(d)) for d in (REGISTRY, TABLE)]
    yield
    for now, before in known:
        now.clear()
        now.update(before)


def test_the_examples_run_and_the_report_is_as_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = GUIDE.read_text()
    names: dict[str, Any] = {"__name__": "guide"}
    shown = re.search(r"<!-- report -->\n```\n(.*?)```", text, re.DOTALL)
    assert shown is not None
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == 6
    for block in blocks:
        code = compile(block["code"], str(GUIDE), "exec")
        if block["note"]:
            pytest.importorskip("torch").manual_seed(0)
            with pytest.raises(GradientError) as caught:
                exec(code, names)
            assert str(caught.value).startswith(shown[1])
        else:
            exec(code, names)
    assert "normalize: pass" in capsys.readouterr().out
    names["TestSoftsign"]().test_gradient()
