"""The process that measures for one framework: reads requests, a line of JSON each, and answers each with a line of JSON.

Started as a file by compare.py: `python -P bench/worker.py FRAMEWORK THREADS DEVICE`, where FRAMEWORK may also be one of `engines.ENGINES`. The project's folder comes last in the search path, so that the
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

from bench import engines
from bench.cases import CASES, SCALING
from bench.steps import Step, at_rest


def load(framework: str, threads: int, device: str) -> tuple[Any, dict[str, Any]]:
    """The framework's module, which makes tensors on this device unless another is named, and what identifies it."""
    module, identity = loaded(framework, threads)
    if device != "cpu":
        module.set_default_device(device)
        identity["device"] = module.cuda.get_device_name()
    return module, identity


def loaded(framework: str, threads: int) -> tuple[Any, dict[str, Any]]:
    if framework in engines.ENGINES:
        return None, engines.identity(framework, threads)
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


def resident(which: str) -> int:
    """Bytes of memory that the process has ("VmRSS"), or had at most since the last reset ("VmHWM"); 0 where Linux does not tell."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(which)), 0)


def reset_peak() -> int:
    """Starts to watch the peak of memory; returns what is in use."""
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0
    return resident("VmRSS")


def operations(framework: str, step: Callable[[], Any]) -> int:
    """Multiplications and additions of a step's convolutions and matrix products, as PyTorch counts them."""
    if framework != "torch":
        return 0
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def rates(torch: Any) -> dict[str, float]:
    """The machine's best: operations a second of a large matrix product, bytes a second (read and written) of a large copy."""
    a, to = torch.randn(1536, 1536), torch.randn(1 << 25)
    source = torch.randn(1 << 25)
    fastest = [min(seconds_of(torch, step, 1) for _ in range(5)) for step in (lambda: a @ a, lambda: to.copy_(source))]
    return {"operations": 2 * 1536**3 / fastest[0], "bytes": 2 * 4 * to.numel() / fastest[1]}


def seconds_of(torch: Any, step: Callable[[], Any], repeats: int, wall: bool = False) -> float:
    """The mean time of a call, after one that is not timed: the other process had the caches meanwhile.

    With one thread that is the processor's time, which does not run while other programs have the processor, unless the time on the wall
    is asked for. A GPU is waited for.
    """
    on_gpu = sys.argv[3] != "cpu"
    clock = time.process_time if sys.argv[2] == "1" and not (wall or on_gpu) else time.perf_counter
    step()
    if on_gpu:
        torch.cuda.synchronize()
    start = clock()
    for _ in range(repeats):
        step()
    if on_gpu:
        torch.cuda.synchronize()
    return (clock() - start) / repeats


def main() -> None:
    framework, threads = sys.argv[1], int(sys.argv[2])
    answers, sys.stdout = sys.stdout, sys.stderr  # what a framework prints is not an answer

    def answer(**content: Any) -> None:
        print(json.dumps(content), file=answers, flush=True)

    try:
        torch, identity = load(framework, threads, sys.argv[3])
    except (ImportError, RuntimeError) as error:
        answer(error=f"{error}")
        return
    answer(**identity)
    cases = {case.name: case for case in (*CASES, *[case for points in SCALING.values() for _, case in points])}
    steps: dict[str, Callable[[], Any]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        layout = request["layout"]
        try:
            if request["do"] == "build":
                before = reset_peak()
                if framework in engines.ENGINES:
                    step = Step(engines.reader(framework, Path(request["folder"]), threads))
                else:
                    torch.manual_seed(0)
                    arrange = (lambda x: x.to(memory_format=torch.channels_last)) if layout == "channels_last" else (lambda x: x)
                    step = cases[request["case"]].build(torch, arrange)
                steps[layout] = step.call
                step()
                seconds = seconds_of(torch, step.call, 1)
                memory = resident("VmHWM") - before if before else 0
                answer(seconds=seconds, memory=memory, operations=operations(framework, step.alike), moved=step.moved)
            elif request["do"] == "write":
                torch.manual_seed(0)
                engines.write(torch, *at_rest(*cases[request["case"]].infers, torch, lambda x: x), Path(request["folder"]))
                answer()
            elif request["do"] == "rates":
                answer(**rates(torch))
            elif request["do"] == "run":
                answer(seconds=seconds_of(torch, steps[layout], request["repeats"], request.get("clock") == "wall"))
            else:
                steps.clear()
                gc.collect()
                answer()
        except Exception as error:  # the comparison goes on with the next case, and shows this
            answer(error=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
