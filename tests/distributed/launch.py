"""Starts the functions of worker.py in several processes, as users start their scripts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import minigrad

WORKER = Path(__file__).with_name("worker.py")


def mpiexec() -> str:
    """The launcher that belongs to this Python, or the system's."""
    pytest.importorskip("mpi4py")
    found = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip("there is no mpiexec; pip install 'minigrad[mpi]'")
    return found


def start(ranks: int, *command: Any, results: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs a Python command in so many processes, which may write their results into a folder."""
    package = str(Path(minigrad.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": package, "MINIGRAD_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RESULTS": str(results or os.devnull)}
    return subprocess.run(
        [mpiexec(), "-n", str(ranks), sys.executable, "-P", *map(str, command)],
        env=environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def results(name: str, ranks: int, *arguments: Any) -> list[Any]:
    """What the function of worker.py returned in each process."""
    with tempfile.TemporaryDirectory() as folder:
        done = start(ranks, WORKER, name, *arguments, results=Path(folder))
        assert done.returncode == 0, done.stdout + done.stderr
        return [json.loads(Path(folder, f"{rank}.json").read_text()) for rank in range(ranks)]
