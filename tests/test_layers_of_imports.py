"""Imports point down only; what a plain script does not need is not imported; and importing is quick."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

import minigrad

PACKAGE = Path(minigrad.__file__).parent
FLOORS = (
    ("_ext",),
    ("kernels",),
    ("core",),
    ("ops",),
    ("nn.functional",),
    ("nn", "autograd"),
    ("optim", "data", "io", "amp"),
    ("models", "inspect", "testing", "train", "inference"),
    ("utils", "onnx", "distributed"),
    ("",),  # minigrad/__init__.py
)
ONLY_IN = {
    "cupy": ("kernels",),
    "cupyx": ("kernels", "distributed"),
    "hypothesis": ("testing",),
    "mpi4py": ("distributed",),
    "onnx": ("onnx",),
    "torch": (),
    "scipy": (),
    "pytest": ("testing",),
}
FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    """For example nn.functional.conv, below minigrad."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in FILES}
COMPILED_ONLY = {name_of(file.with_suffix(".py")) for file in PACKAGE.rglob("*.pyx")} | {"_ext.kernels"}


def floor_of(module: str) -> tuple[int, str]:
    """The number of a module's floor, and the room it is in."""
    rooms = [(i, room) for i, floor in enumerate(FLOORS) for room in floor]
    for i, room in sorted(rooms, key=lambda r: -len(r[1])):
        if room and (module == room or module.startswith(room + ".")):
            return i, room
    return len(FLOORS) - 1, ""


def imports_of(file: Path) -> Iterator[tuple[str, int]]:
    """The full names of what a file imports, inside functions too, with the lines."""
    package = [*(("minigrad." + name_of(file)).rstrip(".").split("."))]
    if file.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            for alias in node.names:
                inner = ".".join([*base, alias.name])
                below = inner.removeprefix("minigrad.")
                yield (inner if below in MODULES or below in COMPILED_ONLY else ".".join(base)), node.lineno


def test_the_walk_over_the_files_finds_imports() -> None:
    assert {"", "core.engine", "kernels.cpu", "nn.functional.conv", "ops.elementwise", "testing.operations"} <= set(
        MODULES
    )
    found = {name for name, _ in imports_of(MODULES["ops.elementwise"])}
    assert {"minigrad.core.primitive", "minigrad.ops.creation", "minigrad.kernels", "math"} <= found
    assert "minigrad.nn.functional" in {name for name, _ in imports_of(MODULES["nn.linear"])}
    assert "hypothesis" in {name for name, _ in imports_of(MODULES["testing.operations"])}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    floor, room = floor_of(module)
    wrong = []
    for name, line in imports_of(MODULES[module]):
        if name == "minigrad" or name.startswith("minigrad."):
            other_floor, other_room = floor_of(name.removeprefix("minigrad").removeprefix("."))
            if other_room != room and other_floor >= floor:
                wrong.append(f"line {line}: {name}")
        elif name.split(".")[0] in ONLY_IN and room not in ONLY_IN[name.split(".")[0]]:
            wrong.append(f"line {line}: {name} may be imported in {ONLY_IN[name.split('.')[0]]} only")
    assert wrong == []


def run(script: str, **variables: str) -> list[str]:
    """What a new interpreter prints that finds this very package."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **variables}
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_plain_import_loads_no_more_than_it_needs() -> None:
    loaded = set(
        run("import numpy, sys; before = set(sys.modules); import minigrad; print(*(set(sys.modules) - before))")
    )
    lazy = {
        f"minigrad.{name}"
        for name in (
            "nn",
            "optim",
            "data",
            "io",
            "autograd",
            "testing",
            "models",
            "inspect",
            "train",
            "inference",
            "utils",
        )
    }
    heavy = {
        "hypothesis",
        "cupy",
        "scipy",
        "torch",
        "json",
        "tempfile",
        "multiprocessing",
        "inspect",
        "dataclasses",
        "unittest",
        "logging",
        "asyncio",
    }
    assert "minigrad.core.engine" in loaded
    assert sorted(loaded & (lazy | heavy)) == []


def test_lazy_names_are_there() -> None:
    script = """
import minigrad
print(minigrad.nn.Linear.__name__, minigrad.optim.SGD.__name__, minigrad.conv2d.__name__, minigrad.save.__name__, minigrad.autograd.grad.__name__)
try:
    minigrad.nothing_of_this_name
except AttributeError as error:
    assert str(error) == "module 'minigrad' has no attribute 'nothing_of_this_name'"
"""
    assert run(script) == ["Linear", "SGD", "conv2d", "save", "grad"]


def test_importing_takes_less_than_a_tenth_of_a_second(tmp_path: Path) -> None:
    """In processor time, which the load of the machine does not change, and with bytecode, which an installation has."""
    script = "import numpy, time; start = time.thread_time(); import minigrad; print(time.thread_time() - start)"
    bytecode = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    run(script, **bytecode)
    times = [float(run(script, **bytecode)[0]) for _ in range(5)]
    assert median(times) < 0.1, f"importing minigrad took {times} seconds beyond NumPy"
