"""Two processes, one with minigrad and one with PyTorch, that measure in turn: what slows the machine then slows both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from .cases import Case

SUBJECT, REFERENCE = "minigrad", "torch"
PLAIN, CHANNELS_LAST = "contiguous", "channels_last"
SAMPLE_SECONDS = 0.04  # a sample repeats a short step until it lasts about this long
PAUSE_SECONDS = 0.005  # after which the threads of the one that was measured have stopped spinning


class WorkerError(Exception):
    """A worker could not do what it was asked for."""


class Worker:
    """A process that measures for one framework."""

    def __init__(self, framework: str, threads: int, device: str = "cpu") -> None:
        environment = dict(os.environ)
        for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # they force kernels of another processor on NumPy's BLAS
            environment.pop(name, None)
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MINIGRAD_NUM_THREADS"):
            environment[name] = str(threads)
        self.framework = framework
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), framework, str(threads), device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.identity = self._answer()

    def ask(self, do: str, layout: str = PLAIN, **details: Any) -> dict[str, Any]:
        """The answer to a request. Raises WorkerError if the worker failed or died."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps({"do": do, "layout": layout, **details}) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(f"{self.framework}: its process has ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.framework}: its process ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.framework}: {answer['error']}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()


class Result(NamedTuple):
    """The times of one case, in seconds a call, in the order they were taken; peak memory in bytes, 0 if it is not known."""

    case: Case
    subject: list[float]
    reference: dict[str, list[float]]  # by layout
    operations: int  # multiplications and additions of a call
    subject_memory: int
    reference_memory: int  # in the contiguous layout

    @property
    def best_layout(self) -> str:
        """PyTorch's faster layout."""
        return min(self.reference, key=lambda layout: median(self.reference[layout]))

    @property
    def rate(self) -> float:
        """Minigrad's operations a second."""
        return self.operations / median(self.subject)

    @property
    def ratios(self) -> list[float]:
        """PyTorch's time over minigrad's, round by round."""
        return [theirs / ours for ours, theirs in zip(self.subject, self.reference[self.best_layout], strict=True)]

    @property
    def spread(self) -> tuple[float, float]:
        """The first and the third quartile of the ratios."""
        if len(self.ratios) == 1:
            return self.ratios[0], self.ratios[0]
        first, _, third = quantiles(self.ratios, n=4, method="inclusive")
        return first, third


def measure(case: Case, subject: Worker, reference: Worker, rounds: int) -> Result:
    """Lets the workers take turns. Raises WorkerError if one of them cannot run the case."""
    layouts = [PLAIN, CHANNELS_LAST] if case.has_layouts else [PLAIN]
    turns = [(subject, PLAIN), *((reference, layout) for layout in layouts)]
    times: list[list[float]] = [[] for _ in turns]
    try:
        built = [worker.ask("build", layout, case=case.name) for worker, layout in turns]
        for _ in range(rounds):
            for (worker, layout), estimate, taken in zip(turns, built, times, strict=True):
                time.sleep(PAUSE_SECONDS)
                repeats = max(1, round(SAMPLE_SECONDS / max(estimate["seconds"], 1e-6)))
                taken.append(worker.ask("run", layout, repeats=repeats)["seconds"])
    finally:
        for worker in (subject, reference):
            worker.ask("forget")
    reference_times = dict(zip(layouts, times[1:], strict=True))
    return Result(case, times[0], reference_times, built[1]["operations"], built[0]["memory"], built[1]["memory"])
