"""Counts what a training step asks of a GPU: kernels, waits of the host, copies between host and device.

    python -m bench.launches [TEXT ...]     only cases whose name contains one of these

No GPU is needed and nothing is computed: the stand-in for CuPy of the tests counts. Simulated, not run on a GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import minigrad
from minigrad.kernels import driver
from tests.cudasim.counts import counts
from tests.cudasim.standin import installed, settings

from .cases import CASES
from .steps import Case


def counted_steps(cases: list[Case]) -> Iterator[Case]:
    """Each case in turn, when `counts` holds what one training step of it asks of a GPU; nothing is computed."""
    with installed():
        driver.status.cache_clear()
        minigrad.set_default_device("cuda")
        settings.mode = "counting"
        try:
            for case in cases:
                step = case.build(minigrad, lambda x: x)
                step()  # what is made once is made here
                counts.reset()
                step()
                yield case
        finally:
            minigrad.set_default_device(None)
            driver.status.cache_clear()


def main() -> int:
    """Prints a line for each case; returns the exit status."""
    wanted = sys.argv[1:] or [""]
    cases = [case for case in CASES if "step" in case.group and any(text in case.name for text in wanted)]
    print(f"{'a step, simulated, not run on a GPU':46} {'launches':>8} {'waits':>6} {'copies':>6}")
    for case in counted_steps(cases):
        copies = len(counts.to_device) + len(counts.to_host)
        print(f"{case.name:46} {counts.launches:8} {counts.waits:6} {copies:6}", flush=True)
    return 0 if cases else 2


if __name__ == "__main__":
    sys.exit(main())
