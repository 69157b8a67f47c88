"""Old names: they work, they tell the line that uses them once, and no release keeps one that it has promised to drop."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import minigrad
from minigrad.core.deprecation import deprecated, warn_deprecated

PACKAGE = Path(minigrad.__file__).parent


@deprecated("minigrad.mul", since="0.2", until="0.4")
def times(x: Any, y: Any, *, scale: float = 1.0) -> Any:
    """x * y."""
    return scale * x * y


def test_a_deprecated_function_works_and_says_what_to_use() -> None:
    with pytest.warns(FutureWarning) as seen:
        assert times(2, y=3, scale=0.5) == 3.0
    (warning,) = seen
    assert str(warning.message) == "times is deprecated since 0.2 and goes in 0.4; use minigrad.mul"
    assert warning.filename == __file__
    assert times.__name__ == "times"
    assert times.__doc__ == "Deprecated since 0.2, gone in 0.4: use minigrad.mul.\n\nx * y."


def test_an_argument_names_the_line_of_the_caller() -> None:
    def area(width: float, length: float | None = None) -> None:
        if length is not None:
            warn_deprecated("area: length", "height", since="0.2", until="0.4")

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        area(1.0)
        area(1.0, 2.0)
    (warning,) = seen
    assert Path(warning.filename) == Path(__file__)
    assert "area(1.0, 2.0)" in Path(__file__).read_text().splitlines()[warning.lineno - 1]


def test_each_line_is_told_once(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from minigrad import nn\nfor _ in range(3):\n    nn.Hardtanh(min_value=-2.0)\nnn.Hardtanh(max_value=2.0)\n")
    done = subprocess.run(
        [sys.executable, script], env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, text=True, check=True
    )
    told = [line for line in done.stderr.splitlines() if "FutureWarning" in line]
    assert [line.partition(": ")[0] for line in told] == [f"{script}:3", f"{script}:4"]


def deprecations() -> Iterator[tuple[str, str, str]]:
    """Where a deprecation is declared, and its two versions."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("deprecated", "warn_deprecated"):
                named = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
                if named:
                    yield f"{file}:{node.lineno}", str(named["since"]), str(named["until"])


def test_what_should_be_gone_is_gone() -> None:
    def version(text: str) -> tuple[int, ...]:
        return tuple(map(int, text.split(".")[:2]))

    found = list(deprecations())
    assert found
    for where, since, until in found:
        assert version(since) <= version(minigrad.__version__) < version(until), where
        major, minor = version(since)
        assert version(until) >= ((major + 1, 0) if major else (0, minor + 2)), f"{where}: it has to stay for longer"
