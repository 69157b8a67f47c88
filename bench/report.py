"""The comparison as a table and as JSON."""

from __future__ import annotations

import os
import platform
from statistics import median
from typing import Any

from .compare import REFERENCE, Result, spread

HEADING = f"{'':46} {'minigrad':>11} {'PyTorch':>11} {'ratio':>7}   {'quartiles':<11} {'GFLOP/s':>8} {'of peak':>8} {'of copy':>8} {'MB':>6} {'PyTorch':>8}  PyTorch's layout"


def rows(result: Result, rates: dict[str, float]) -> str:
    """The lines of a case: minigrad beside PyTorch, with the shares of the machine's operations and bytes a second, and beside each engine."""
    rate = f"{result.rate / 1e9:8.1f} {100 * result.rate / rates['operations']:7.0f}%" if result.operations else f"{'':17}"
    share = f"{100 * result.moved / median(result.subject) / rates['bytes']:7.0f}%" if result.moved else f"{'':8}"
    memory = f"{result.subject_memory / 1e6:6.0f} {result.reference_memory / 1e6:8.0f}" if result.subject_memory else f"{'':15}"
    layout = result.best_layout if len(result.reference) > 1 else ""
    lines = [f"{_compared(result.case.name, result, REFERENCE)} {rate} {share} {memory}  {layout}"]
    lines += [_compared(f"    beside {engine}", result, engine) for engine in result.engines]
    lines += [f"    beside {engine}: failed: {error}" for engine, error in result.failures.items()]
    return "\n".join([line.rstrip() for line in lines])


def _compared(name: str, result: Result, other: str) -> str:
    ratios = result.ratios(other)
    first, third = spread(ratios)
    return f"{name:46} {_shown(median(result.subject)):>11} {_shown(median(result.others[other])):>11} {median(ratios):7.2f}   {first:.2f}-{third:<6.2f}"


def as_json(
    results: list[Result], failures: dict[str, str], identities: dict[str, Any], rates: dict[str, float]
) -> dict[str, Any]:
    """All that was measured and on what; times in seconds, memory in bytes, rates a second."""
    return {
        "machine": {"processor": _processor(), "cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "rates": rates,
        **identities,
        "cases": [
            {
                "name": result.case.name,
                "group": result.case.group,
                "ratio": median(result.ratios()),
                "quartiles": spread(result.ratios()),
                "layout": result.best_layout,
                "operations": result.operations,
                "moved": result.moved,
                "minigrad_memory": result.subject_memory,
                "torch_memory": result.reference_memory,
                "minigrad_seconds": result.subject,
                "torch_seconds": result.reference,
                "engines": {
                    engine: {"ratio": median(result.ratios(engine)), "quartiles": spread(result.ratios(engine)), "seconds": seconds}
                    for engine, seconds in result.engines.items()
                },
            }
            for result in results
        ],
        "failures": failures,
    }


def _shown(seconds: float) -> str:
    """With a unit that suits."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not a Linux
    return platform.processor() or platform.machine()
