"""A few thousand calls of the fuzz of all public functions; `python -m tests.fuzz --seconds 600` is the whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad


def test_a_fuzz_of_everything_public(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    log = tmp_path / "log"
    command = "import sys; sys.path.append(sys.argv.pop(1)); from tests.fuzz import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", command, str(Path(__file__).parents[1]), "--calls", "3000", "--log", str(log)],
        env={**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\nthe last call: {log.read_text()}"
