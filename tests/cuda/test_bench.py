"""What is timed on a GPU runs, and gives by both kinds of kernels the same. Simulated, not run on a GPU: the times are none."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.kernels import driver

sys.path.append(str(Path(__file__).parents[2]))  # bench is not installed, and minigrad may be
kernels = import_module("bench.kernels")
sys.path.pop()


@pytest.mark.gpu
@pytest.mark.parametrize("title", kernels.CASES)
def test_both_kinds_of_kernels_give_the_same(title: str, device: str) -> None:
    name, make = kernels.CASES[title]
    arguments = [kernels.there(x) for x in make(4)]
    results = [function(*arguments) for function in kernels.both(name)]
    for own, cupy in zip(*[r if isinstance(r, tuple) else (r,) for r in results], strict=True):
        np.testing.assert_allclose(driver.to_host(own), driver.to_host(cupy), rtol=2e-3, atol=2e-4)


def test_the_table_has_a_line_for_each(simulated: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "ROUNDS", 1)
    assert kernels.report(["norm"], 4) == 5
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading == kernels.HEADING and [line[:34].rstrip() for line in lines] == [title for title in kernels.CASES if "norm" in title]


def test_without_a_gpu_it_says_why() -> None:
    env = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), "MINIGRAD_DEVICE": "cpu"}
    done = subprocess.run([sys.executable, "-m", "bench.kernels"], cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "MINIGRAD_DEVICE" in done.stderr
