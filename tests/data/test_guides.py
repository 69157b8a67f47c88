"""The guides docs/data.md and docs/augmentation.md: what they show runs, and their pictures are there and drawn by the script."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad

DOCS = Path(__file__).parents[2] / "docs"


def run(*arguments: str, cwd: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["data.md", "augmentation.md"])
def test_the_code_runs(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 2
    run("-c", "\n".join(blocks), cwd=tmp_path)


def test_the_pictures_are_those_of_the_script(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    image = pytest.importorskip("PIL.Image")
    shown = set(re.findall(r"\]\(pictures/(\w+)\.png\)", (DOCS / "augmentation.md").read_text(encoding="utf-8")))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "make_pictures.py").write_bytes((DOCS / "make_pictures.py").read_bytes())
    (tmp_path / "pictures" / "photographs.npz").write_bytes((DOCS / "pictures" / "photographs.npz").read_bytes())
    run("make_pictures.py", cwd=tmp_path)
    drawn = {path.stem for path in (tmp_path / "pictures").glob("*.png")}
    assert drawn == shown
    for name in drawn:
        sizes = [image.open(folder / "pictures" / f"{name}.png").size for folder in (DOCS, tmp_path)]
        assert sizes[0] == sizes[1], name
