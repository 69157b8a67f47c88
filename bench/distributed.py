"""What communication between processes costs, how much of it backward hides, and what that predicts for more processes.

    mpiexec -n 2 python -m bench.distributed [--network resnet18] [--width 16] [--batch 16] [--rounds 5]

Rank 0 prints. The prediction is one: a model of two constants, fitted to this run, for processes that are connected as these are.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import minigrad
from minigrad import distributed as dist
from minigrad.nn import functional as F

from . import networks

SIZES = [2**k for k in range(10, 25, 2)]  # bytes
RANKS = (8, 32, 128, 512, 1024)
CLASSES = 10


def least_seconds(call: Callable[[], Any], rounds: int) -> float:
    """The least time of a call that all processes begin together, the slowest process counting."""
    least = math.inf
    for _ in range(rounds):
        dist.barrier()
        start = time.perf_counter()
        call()
        seconds = minigrad.tensor(time.perf_counter() - start, dtype=minigrad.float64)
        dist.all_reduce(seconds, dist.ReduceOp.MAX)
        least = min(least, seconds.item())
    return least


def latency_and_rate(seconds: list[float]) -> tuple[float, float]:
    """t = latency + bytes / rate by least squares on relative errors, so that small messages count as much as large ones."""
    t = np.array(seconds)
    columns = np.stack([np.ones(len(t)), np.array(SIZES, float)], 1) / t[:, None]
    (latency, per_byte), *_ = np.linalg.lstsq(columns, np.ones(len(t)), rcond=None)
    return max(latency, 0.0), 1 / max(per_byte, 1e-15)


def predicted(ranks: int, size: int, latency: float, rate: float, measured_with: int) -> float:
    """Seconds of an all_reduce among so many processes: log2(ranks) exchanges each way, and 2 (ranks - 1) / ranks times the bytes of one.

    The cost of the algorithm of Rabenseifner (Thakur et al., "Optimization of collective communication operations in MPICH", 2005).
    """

    def exchanges(p: int) -> float:
        return 2 * math.log2(p)

    def share(p: int) -> float:
        return 2 * (p - 1) / p

    return latency * exchanges(ranks) / exchanges(measured_with) + size / rate * share(ranks) / share(measured_with)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.distributed", description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["resnet18", "unet"], default="resnet18")
    parser.add_argument("--width", type=int, default=16, help="channels of the first layer")
    parser.add_argument("--batch", type=int, default=16, help="pictures of 32x32 for each process")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    dist.init_process_group()
    rank, size = dist.get_rank(), dist.get_world_size()
    if size == 1:
        parser.error("start it in several processes: mpiexec -n 2 python -m bench.distributed")

    def say(line: str) -> None:
        if rank == 0:
            print(line, flush=True)

    say(f"all_reduce among {size} processes, the least of {options.rounds}:")
    seconds = []
    for amount in SIZES:
        message = minigrad.ones(amount // 4)
        seconds.append(least_seconds(lambda message=message: dist.all_reduce(message, dist.ReduceOp.MAX), options.rounds))
        say(f"{amount / 1024:10.0f} KB {seconds[-1] * 1e3:9.3f} ms {amount / seconds[-1] / 1e9:7.2f} GB/s")
    latency, rate = latency_and_rate(seconds)
    say(f"fitted: {latency * 1e6:.0f} us and {rate / 1e9:.2f} GB/s")

    minigrad.manual_seed(0)
    model = dist.DistributedDataParallel(getattr(networks, options.network)(minigrad, options.width), broadcast_buffers=False)
    images = minigrad.randn(options.batch, 3, 32, 32)
    parameters = [p for p in model.parameters() if p.requires_grad]
    amount = sum(4 * p.numel() for p in parameters)

    def backward() -> None:
        model.zero_grad()
        out = model(images)
        F.mse_loss(out, minigrad.zeros_like(out)).backward()

    def alone() -> None:
        with model.no_sync():
            backward()

    def one_after_the_other() -> None:
        alone()
        dist.all_reduce(minigrad.cat([p.grad.reshape(-1) for p in parameters]), dist.ReduceOp.AVG)

    without, behind, within = (least_seconds(call, options.rounds) for call in (alone, one_after_the_other, backward))
    say(f"{options.network}, {amount / 2**20:.1f} MB of gradients in {len(model.buckets)} buckets:")
    for label, found in (("without communication", without), ("communication after backward", behind), ("communication during backward", within)):
        say(f"{label:>32} {found * 1e3:9.2f} ms")
    cost = behind - without
    if cost > 0:
        say(f"{'of the communication, hidden':>32} {max(0.0, min(1.0, (behind - within) / cost)):9.0%}")
    say("prediction, nothing of it hidden: each process with such a batch")
    for ranks in RANKS:
        communication = predicted(ranks, amount, latency, rate, size)
        say(f"{ranks:10} processes: {communication * 1e3:9.2f} ms of communication, {without / (without + communication):6.1%} of the time computing")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
