"""MINIGRAD_PURE=1 runs the .py files themselves, also where compiled modules lie beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import minigrad

SCRIPT = """
import minigrad, minigrad.core.engine, minigrad.core.tensor, minigrad.ops.elementwise, sys
x = minigrad.tensor([1.0, 2.0], requires_grad=True)
(x * x).sum().backward()
assert x.grad.tolist() == [2.0, 4.0]
for name in ("core.engine", "core.tensor", "core.primitive", "ops.elementwise", "ops.reduce"):
    print(sys.modules["minigrad." + name].__file__)
"""


def files(**environment: str) -> list[str]:
    env = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), "MINIGRAD_PURE": "0", **environment}
    done = subprocess.run([sys.executable, "-P", "-c", SCRIPT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_sources_run_when_asked_for() -> None:
    assert all(file.endswith(".py") for file in files(MINIGRAD_PURE="1"))


def test_compiled_modules_run_otherwise() -> None:
    suffixes = tuple(EXTENSION_SUFFIXES)
    built = list(Path(minigrad.__file__).parent.joinpath("core").glob("engine*" + EXTENSION_SUFFIXES[0]))
    assert all(file.endswith(suffixes if built else ".py") for file in files())
