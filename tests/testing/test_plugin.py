"""The pytest plugin: its options, its marker and its table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.testing.plugin import table

TESTS = """
import numpy as np
import pytest
from minigrad.testing import check
from minigrad.testing.session import Session


@pytest.mark.gradcheck
def test_right():
    check(np.sin, np.ones(2), vjp=lambda g, x: (g * np.cos(x),))


def test_wrong():
    check(np.cos, np.ones(2), vjp=lambda g, x: (g * np.sin(x),))


def test_options():
    assert (Session.max_examples, Session.seed) == EXPECTED
"""


def run(folder: Path, *options: str, expected: tuple[int, int | None] = (20, None)) -> str:
    file = folder / "test_it.py"
    file.write_text(TESTS.replace("EXPECTED", repr(expected)))
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    command = [
        sys.executable,
        "-P",
        "-m",
        "pytest",
        "-q",
        "-p",
        "minigrad.testing.plugin",
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        *options,
        str(file),
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=folder).stdout


def test_the_table_has_functions_and_laws(tmp_path: Path) -> None:
    out = run(tmp_path, "--gradcheck-summary")
    assert "1 failed, 2 passed" in out
    lines = out[out.index("derivatives checked") :].splitlines()
    (cos,) = [line for line in lines if line.startswith("cos")]
    (sin,) = [line for line in lines if line.startswith("sin")]
    assert "WRONG" in cos
    assert sin.count("ok") > 8


def test_options_reach_the_checks(tmp_path: Path) -> None:
    out = run(tmp_path, "--gradcheck-profile=thorough", "--gradcheck-seed=7", "-k", "options", expected=(200, 7))
    assert "1 passed" in out


def test_the_marker_selects(tmp_path: Path) -> None:
    assert "1 passed, 2 deselected" in run(tmp_path, "-m", "gradcheck")


def test_the_plugin_needs_no_hypothesis() -> None:
    script = "import sys; sys.modules['hypothesis'] = None; import minigrad.testing.plugin"
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1])}
    subprocess.run([sys.executable, "-P", "-c", script], env=environment, check=True)


@pytest.mark.parametrize(("found", "lines"), [({}, ["none"]), ({"f": {"gradient": "ok"}}, ["   gradient", "f  ok"])])
def test_tables(found: dict[str, dict[str, str]], lines: list[str]) -> None:
    assert table(found) == lines
