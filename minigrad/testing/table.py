"""The table of every operation: whether its derivatives hold, by which kernels it is computed.

    python -m minigrad.testing.table          # checks docs/operations.md: every law it names is tried again, in each kind of kernels
    python -m minigrad.testing.table --write  # writes it anew

A test compares the table with the registry, so that no operation is missing; that the laws hold is what `tests/test_laws.py` is there for.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

KERNELS = ("reference", "compiled")
COLUMNS = {"vjp": "gradient", "vjp of vjp": "second_derivative", "exact": "adjoint"}
FILE = Path("docs/operations.md")
HOLDS, BROKEN, NONE, ON_HOST = "yes", "NO", "-", "host"
HEAD = """# Every operation and its derivatives

Made by `python -m minigrad.testing.table --write`, which tries the laws of `minigrad.testing` on each operation, once with the reference kernels, in NumPy,
and once with the compiled ones.

- *vjp*: the gradient is what differences give. *vjp of vjp*: so is the second derivative, by the inputs and by the cotangent.
- *exact*: linear and bilinear operations on whole numbers keep ⟨g, f(x)⟩ = ⟨f'(g), x⟩ without any error.
- `-`: the law does not apply: no input has a gradient, or the operation is neither linear nor bilinear. Operations whose arguments cannot be drawn, such as
  those that draw random numbers themselves, name the file that tests them instead.
- *cuda simulated*: `tests/cuda/test_laws.py` finds on the simulated device the values and both derivatives of the CPU, those of linear and bilinear
  operations on whole numbers to the bit. Simulated, not run on a GPU. `host`: who calls the operation brings its arguments to the CPU.

"""

Marks = Mapping[str, Mapping[str, str]]


def operations() -> dict[str, Any]:
    """All operations of minigrad's by name."""
    from importlib import import_module
    from pkgutil import walk_packages

    from minigrad.core.primitive import REGISTRY

    package = import_module("minigrad.ops")
    for module in walk_packages(package.__path__, "minigrad.ops."):
        import_module(module.name)
    return {name: op for name, op in sorted(REGISTRY.items()) if op.__module__.startswith("minigrad.ops")}


def expected() -> dict[str, dict[str, str]]:
    """What the table says if every law holds that applies."""
    from minigrad.testing.operations import LAWS

    found = {}
    for name, op in operations().items():
        if "tested_by" in op.facts:
            found[name] = {"tested_by": str(op.facts["tested_by"])}
        else:
            found[name] = {
                title: HOLDS if op.rules and LAWS[law].applies(op) else NONE for title, law in COLUMNS.items()
            }
    return found


def tried(examples: int) -> dict[str, dict[str, str]]:
    """What the laws say with the kernels of this process."""
    from minigrad.testing.mutation import breaks

    found = expected()
    for name, op in operations().items():
        for title, mark in found[name].items():
            if mark == HOLDS and breaks(op, COLUMNS[title], examples):
                found[name][title] = BROKEN
    return found


def markdown(of_kernels: Mapping[str, Marks]) -> str:
    """The table as the file has it."""
    kinds = [*KERNELS, "cuda simulated"]
    host_only = {name for name, op in operations().items() if op.facts.get("host_only")}
    titles = [f"{kind}: {title}" for kind in kinds for title in COLUMNS]
    lines = [f"| operation | {' | '.join(titles)} |", "|---" * (len(titles) + 1) + "|"]
    for name, row in next(iter(of_kernels.values())).items():
        if "tested_by" in row:
            cells = [f"[{row['tested_by']}](../tests/{row['tested_by']})", *[""] * (len(titles) - 1)]
        else:
            cells = [
                of_kernels[kind][name][title] if kind in of_kernels else simulated(of_kernels[KERNELS[0]][name][title], name in host_only)
                for kind in kinds
                for title in COLUMNS
            ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return HEAD + "\n".join(lines) + "\n"


def simulated(on_host: str, host_only: bool) -> str:
    """What holds on the simulated device: what its tests compare with the host."""
    return NONE if on_host == NONE else ON_HOST if host_only else HOLDS


def in_process(kind: str, examples: int) -> Marks:
    """What the laws say with one kind of kernels, which is chosen when minigrad is imported."""
    same_path = ["-P"] if sys.flags.safe_path else []  # or it would import another minigrad than this one, of the folder it is in
    command = [sys.executable, *same_path, "-m", "minigrad.testing.table", "--examples", str(examples), "--json"]
    done = subprocess.run(
        command, env={**os.environ, "MINIGRAD_KERNELS": kind}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"table: the laws could not be tried with the {kind} kernels:\n{done.stderr}")
    found: Marks = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str]) -> int:
    """Tries the laws, and compares with the file or writes it."""
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="python -m minigrad.testing.table", description="the table of every operation and its derivatives"
    )
    parser.add_argument("--write", action="store_true", help=f"write {FILE}, in place of comparing with it")
    parser.add_argument("--examples", type=int, default=10, help="how many examples each law may try")
    parser.add_argument(
        "--json", action="store_true", help="print what the laws say with the kernels of this process alone"
    )
    options = parser.parse_args(arguments)
    if options.json:
        print(json.dumps(tried(options.examples)))
        return 0
    found = {kind: in_process(kind, options.examples) for kind in KERNELS}
    broken = [
        f"{name}: {title} with the {kind} kernels"
        for kind, rows in found.items()
        for name, row in rows.items()
        for title in row
        if row[title] == BROKEN
    ]
    print(*broken, f"{len(next(iter(found.values())))} operations, {len(broken)} laws broken", sep="\n")
    text = markdown(found)
    if options.write:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        print(f"{FILE} says something else: write it again with --write")
        return 1
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
