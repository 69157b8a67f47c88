"""The process that measures for one framework: reads requests, a line of JSON each, and answers each with a line of JSON.

Started as a file by compare.py: `python -P bench/worker.py FRAMEWORK THREADS`. The project's folder comes last in the search path, so that the
installed minigrad is measured and the source tree only where it is all there is and its kernels are built.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parent.parent))


def load(framework: str, threads: int) -> tuple[Any, dict[str, Any]]:
    """The framework's module, and what identifies it."""
    if framework == "torch":
        import torch

        torch.set_num_threads(threads)
        return torch, {"version": torch.__version__, "threads": torch.get_num_threads()}

    import minigrad
    import minigrad.core.engine
    from minigrad.kernels import cpu

    if cpu.compiled is None:
        raise RuntimeError(f"the minigrad at {Path(minigrad.__file__).parent} has no compiled kernels; pip install . builds them")
    minigrad.set_num_threads(threads)
    return minigrad, {
        "version": minigrad.__version__,
        "threads": minigrad.get_num_threads(),
        "engine": "Python" if minigrad.core.engine.__file__.endswith(".py") else "compiled",
        "isa": cpu.compiled.isa(),
    }


def seconds_of(step: Callable[[], Any], repeats: int) -> float:
    """The mean time of a call, after one that is not timed: the other process had the caches meanwhile."""
    step()
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    framework, threads = sys.argv[1], int(sys.argv[2])
    answers, sys.stdout = sys.stdout, sys.stderr  # what a framework prints is not an answer

    def answer(**content: Any) -> None:
        print(json.dumps(content), file=answers, flush=True)

    try:
        torch, identity = load(framework, threads)
    except (ImportError, RuntimeError) as error:
        answer(error=f"{error}")
        return
    from bench.cases import CASES

    answer(**identity)
    cases = {case.name: case for case in CASES}
    steps: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        layout = request["layout"]
        try:
            if request["do"] == "build":
                torch.manual_seed(0)
                arrange = (lambda x: x.to(memory_format=torch.channels_last)) if layout == "channels_last" else (lambda x: x)
                steps[layout] = cases[request["case"]].build(torch, arrange)
                steps[layout]()
                answer(seconds=seconds_of(steps[layout], 1))
            elif request["do"] == "run":
                answer(seconds=seconds_of(steps[layout], request["repeats"]))
            else:
                steps.clear()
                gc.collect()
                answer()
        except Exception as error:  # the comparison goes on with the next case, and shows this
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
