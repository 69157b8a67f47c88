"""Processes, one with minigrad, one with PyTorch, perhaps others with engines, that measure in turn: what slows the machine then slows all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from .steps import Case

SUBJECT, REFERENCE = "minigrad", "torch"
PLAIN, CHANNELS_LAST = "contiguous", "channels_last"
SAMPLE_SECONDS = 0.04  # a sample repeats a short step until it lasts about this long
PAUSE_SECONDS = 0.03  # after which the threads of the one that was measured have stopped spinning: those of OpenMP take some 10 ms


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
    moved: int  # bytes that a call moves at least, 0 if they are not counted
    subject_memory: int
    reference_memory: int  # in the contiguous layout
    engines: dict[str, list[float]]  # by engine
    failures: dict[str, str]  # of engines

    @property
    def best_layout(self) -> str:
        """PyTorch's faster layout."""
        return min(self.reference, key=lambda layout: median(self.reference[layout]))

    @property
    def rate(self) -> float:
        """Minigrad's operations a second."""
        return self.operations / median(self.subject)

    @property
    def others(self) -> dict[str, list[float]]:
        """The times of what minigrad is compared with: PyTorch in its faster layout, and engines."""
        return {REFERENCE: self.reference[self.best_layout], **self.engines}

    def ratios(self, other: str = REFERENCE) -> list[float]:
        """The other's time over minigrad's, round by round."""
        return [theirs / ours for ours, theirs in zip(self.subject, self.others[other], strict=True)]


def spread(ratios: list[float]) -> tuple[float, float]:
    """The first and the third quartile."""
    if len(ratios) == 1:
        return ratios[0], ratios[0]
    first, _, third = quantiles(ratios, n=4, method="inclusive")
    return first, third


def measure(case: Case, subject: Worker, reference: Worker, rounds: int, engines: Sequence[Worker] = ()) -> Result:
    """Lets the workers take turns. Raises WorkerError if minigrad or PyTorch cannot run the case; an engine that cannot is left out."""
    layouts = [PLAIN, CHANNELS_LAST] if case.has_layouts else [PLAIN]
    turns = [(subject, PLAIN), *((reference, layout) for layout in layouts)]
    failures: dict[str, str] = {}
    try:
        built = [worker.ask("build", layout, case=case.name) for worker, layout in turns]
        if case.infers is not None and engines:
            with tempfile.TemporaryDirectory() as folder:
                subject.ask("write", case=case.name, folder=folder)
                for engine in engines:
                    try:
                        built.append(engine.ask("build", folder=folder))
                        turns.append((engine, PLAIN))
                    except WorkerError as error:
                        failures[engine.framework] = str(error)
        times: list[list[float]] = [[] for _ in turns]
        for _ in range(rounds):
            for (worker, layout), estimate, taken in zip(turns, built, times, strict=True):
                time.sleep(PAUSE_SECONDS)
                repeats = max(1, round(SAMPLE_SECONDS / max(estimate["seconds"], 1e-6)))
                taken.append(worker.ask("run", layout, repeats=repeats)["seconds"])
    finally:
        for worker in {worker.framework: worker for worker, _ in turns}.values():
            worker.ask("forget")
    first = 1 + len(layouts)
    reference_times = dict(zip(layouts, times[1:first], strict=True))
    engine_times = {worker.framework: taken for (worker, _), taken in zip(turns[first:], times[first:], strict=True)}
    return Result(
        case, times[0], reference_times, built[1]["operations"], built[0]["moved"], built[0]["memory"], built[1]["memory"], engine_times, failures
    )  # fmt: skip
