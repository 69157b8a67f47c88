"""How minigrad's cost grows with batch, channels and image size, and what a second thread brings."""

from __future__ import annotations

from math import log
from typing import Any, NamedTuple

from .cases import SCALING
from .compare import PLAIN, SAMPLE_SECONDS, SUBJECT, Worker

HEADING = f"{'':10} {'1 thread':>11} {'2 threads':>11} {'speedup':>8} {'growth':>7}"


class Point(NamedTuple):
    """The cost of one amount: seconds a call with one and with two threads, the least of several samples by the clock on the wall."""

    what: str
    amount: int
    seconds: tuple[float, float]


def measure_scaling(rounds: int) -> list[Point]:
    """Measures and prints all of them. "growth" is the power of the amount with which the cost of one thread has grown since the line above."""
    workers: list[Worker] = []
    points: list[Point] = []
    try:
        workers.extend(Worker(SUBJECT, threads) for threads in (1, 2))
        for what, cases in SCALING.items():
            print(f"{what}:\n{HEADING}")
            for amount, case in cases:
                points.append(Point(what, amount, least_seconds(workers, case.name, rounds)))
                print(line(points[-1], points[-2] if amount != cases[0][0] else None), flush=True)
    finally:
        for worker in workers:
            worker.close()
    return points


def least_seconds(workers: list[Worker], name: str, rounds: int) -> tuple[float, float]:
    """The least time of a call for each worker, measured in turn."""
    estimates = [worker.ask("build", PLAIN, case=name)["seconds"] for worker in workers]
    least = [float("inf")] * 2
    for _ in range(rounds):
        for i, worker in enumerate(workers):
            repeats = max(1, round(SAMPLE_SECONDS / max(estimates[i], 1e-6)))
            least[i] = min(least[i], worker.ask("run", PLAIN, repeats=repeats, clock="wall")["seconds"])
    for worker in workers:
        worker.ask("forget")
    return least[0], least[1]


def line(point: Point, before: Point | None) -> str:
    """One line of the table."""
    one, two = point.seconds
    return f"{point.amount:10} {one * 1e3:8.3f} ms {two * 1e3:8.3f} ms {one / two:8.2f} {'' if before is None else format(growth(before, point), '7.2f')}".rstrip()


def growth(before: Point, point: Point) -> float:
    """log(time ratio) / log(amount ratio): 1 where the cost is proportional to the amount, 2 where it is to its square."""
    return log(point.seconds[0] / before.seconds[0]) / log(point.amount / before.amount)


def as_json(points: list[Point]) -> list[dict[str, Any]]:
    """All points; seconds of one and of two threads."""
    return [point._asdict() for point in points]
