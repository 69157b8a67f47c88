"""The command: python -m bench."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from .cases import CASES
from .compare import REFERENCE, SUBJECT, Result, Worker, WorkerError, measure
from .engines import ENGINES, installed
from .report import HEADING, as_json, rows
from .scaling import as_json as scaling_as_json
from .scaling import measure_scaling
from .steps import Case


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Times minigrad and PyTorch in turn, each in a process of its own, on the same code. "
        "The ratio is PyTorch's time over minigrad's, so more than 1 means that minigrad is faster; "
        "PyTorch computes in the faster of its two memory layouts. "
        "Optimized inference is timed beside onnxruntime and OpenVINO too, where they are installed.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and only the cases that take little time")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only cases whose name or group contains this (repeatable)")
    parser.add_argument("--layers", action="store_true", help="only single layers, pass by pass")
    parser.add_argument("--scaling", action="store_true", help="instead, how minigrad's own cost grows with batch, channels and image size, and with 1 and 2 threads")
    parser.add_argument("--threads", type=_at_least_one, default=2, metavar="N", help="threads of each; one is timed by the processor's clock, which a busy machine disturbs least")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where both compute; on a GPU the kernels are timed beside CuPy's first (bench.kernels); bench.launches counts what a step asks of it")
    parser.add_argument("--rounds", type=_at_least_one, metavar="N", help="samples of each (default: 15, with --quick 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    return parser.parse_args(arguments)


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"should be at least 1, but is {number}")
    return number


def main() -> int:
    """Runs the comparison; returns the exit status."""
    options = parse()
    if options.json is not None and not options.json.resolve().parent.is_dir():
        return _fail(f"--json: there is no folder {options.json.resolve().parent}")
    if options.scaling:
        return _scaling(options)
    wanted = [text.lower() for text in options.only or [""]]
    group = "layers" if options.layers else ""
    cases = [
        case
        for case in CASES
        if group in case.group and any(text in f"{case.group}: {case.name}".lower() for text in wanted) and (case.quick or not options.quick)
    ]
    if not cases:
        return _fail("no case has such a name; --list names them")
    if options.list:
        print("\n".join(f"{case.group}: {case.name}" for case in cases))
        return 0
    if options.device == "cuda":  # the project's kernels beside CuPy's; without a GPU the first worker says so too
        subprocess.run([sys.executable, "-m", "bench.kernels"], check=False)
    if find_spec("torch") is None:
        return _fail("PyTorch is not installed: pip install 'minigrad[parity]'")

    workers = []
    try:
        workers = [Worker(SUBJECT, options.threads, options.device)]
        workers.append(Worker(REFERENCE, options.threads, options.device))
        both = [worker.ask("rates") for worker in workers]
        if options.device == "cpu" and any(case.infers is not None for case in cases):
            workers.extend(Worker(engine, options.threads) for engine in installed())
            absent = ["onnx"] if find_spec("onnx") is None else [engine for engine in ENGINES if engine not in installed()]
            if absent:
                print(f"not installed, so not compared: {', '.join(absent)}")
        rates = {name: max(rate[name] for rate in both) for name in ("operations", "bytes")}
        results, failures = _compare(cases, workers, options.rounds or (5 if options.quick else 15), rates)
    except WorkerError as error:
        return _fail(str(error))
    finally:
        for worker in workers:
            worker.close()
    if options.json is not None:
        identities = {worker.framework: worker.identity for worker in workers}
        options.json.write_text(json.dumps(as_json(results, failures, identities, rates), indent=1) + "\n", encoding="utf-8")
    return 1 if failures else 0


def _scaling(options: argparse.Namespace) -> int:
    try:
        points = measure_scaling(options.rounds or (3 if options.quick else 15))
    except WorkerError as error:
        return _fail(str(error))
    if options.json is not None:
        options.json.write_text(json.dumps(scaling_as_json(points), indent=1) + "\n", encoding="utf-8")
    return 0


def _compare(cases: list[Case], workers: list[Worker], rounds: int, rates: dict[str, float]) -> tuple[list[Result], dict[str, str]]:
    """Measures and prints case by case: minigrad, PyTorch and engines."""
    subject, reference, *engines = workers
    for worker in workers:
        print(worker.framework, ", ".join(f"{key} {value}" for key, value in worker.identity.items()))
    print(f"machine: {rates['operations'] / 1e9:.0f} GFLOP/s in a matrix product, {rates['bytes'] / 1e9:.1f} GB/s in a copy")
    print(HEADING)
    results: list[Result] = []
    failures: dict[str, str] = {}
    group = ""
    for case in cases:
        if case.group != group:
            group = case.group
            print(f"{group}:")
        try:
            results.append(measure(case, subject, reference, rounds, engines))
            failures |= {f"{case.name}, {engine}": error for engine, error in results[-1].failures.items()}
            print(rows(results[-1], rates), flush=True)
        except WorkerError as error:
            failures[case.name] = str(error)
            print(f"{case.name:46} failed: {error}", flush=True)
    return results, failures


def _fail(message: str) -> int:
    print(f"bench: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
