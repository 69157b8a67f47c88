"""The comparison as a table and as JSON."""

from __future__ import annotations

import os
import platform
from statistics import median
from typing import Any

from .compare import Result

HEADING = f"{'':46} {'minigrad':>11} {'PyTorch':>11} {'ratio':>7}   {'quartiles':<11}  PyTorch's layout"


def row(result: Result) -> str:
    """One line of the table."""
    layout = result.best_layout
    first, third = result.spread
    times = f"{_shown(median(result.subject)):>11} {_shown(median(result.reference[layout])):>11}"
    return f"{result.case.name:46} {times} {median(result.ratios):7.2f}   {first:.2f}-{third:<6.2f}  {layout if len(result.reference) > 1 else ''}".rstrip()


def as_json(results: list[Result], failures: dict[str, str], identities: dict[str, Any]) -> dict[str, Any]:
    """All that was measured and on what; times in seconds."""
    return {
        "machine": {"processor": _processor(), "cpus": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        **identities,
        "cases": [
            {
                "name": result.case.name,
                "group": result.case.group,
                "ratio": median(result.ratios),
                "quartiles": result.spread,
                "layout": result.best_layout,
                "minigrad_seconds": result.subject,
                "torch_seconds": result.reference,
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
