"""Trains many networks for long, and fails if memory, objects, files or threads become more.

    python -m tests.soak --minutes 30

A round trains each network for a few steps from a new model on: loaders with and without worker processes, a gradient of a gradient, checkpoints written and
resumed, an exception in the middle of backward. A line is fitted to what the process holds after each round; the first rounds fill the caches.

After a hundred rounds objects, blocks and what malloc has given away stay level. Resident memory makes steps still, which a line over thousands of rounds shows
as a rise: pathlib interns the names of temporary files, which die again, and when their places in Python's table of interned strings are used up, after some
200 rounds, the table is made anew with twice as many: 0.96 MB for 0.42.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import minigrad
from minigrad import models, nn, optim
from minigrad.nn import functional as F
from minigrad.train import Checkpoint
from minigrad.utils.data import DataLoader, TensorDataset

WARM = 0.3  # the part of the rounds that fills caches
RANDOM = np.random.default_rng(0)


def pictures(count: int, channels: int, size: int) -> Any:
    return minigrad.from_numpy(RANDOM.normal(size=(count, channels, size, size)).astype("float32"))


def labels(count: int, classes: int) -> Any:
    return minigrad.from_numpy(RANDOM.integers(0, classes, count))


def steps(model: Any, optimizer: Any, loader: Any, loss_of: Callable[[Any, Any], Any]) -> None:
    for x, y in loader:
        loss = loss_of(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        assert np.isfinite(loss.item())


def digits(folder: Path) -> None:
    """A small LeNet, read by worker processes, with a checkpoint that another model resumes."""
    data = TensorDataset(pictures(12, 1, 28), labels(12, 10))
    model, again = models.lenet5(), models.lenet5()
    optimizer, scheduler = optim.SGD(model.parameters(), lr=0.01, momentum=0.9), None
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    steps(model, optimizer, DataLoader(data, 4, shuffle=True, num_workers=2), F.cross_entropy)
    scheduler.step()
    Checkpoint(folder / "digits", model=model, optimizer=optimizer, scheduler=scheduler).save(epoch=1)
    other = optim.SGD(again.parameters(), lr=0.01, momentum=0.9)
    assert Checkpoint(folder / "digits", model=again, optimizer=other, scheduler=optim.lr_scheduler.StepLR(other, 1)).resume() == {"epoch": 1}


def residual(folder: Path) -> None:
    """Batch norm, dropout, and evaluation without gradients."""
    block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2))
    model = nn.Sequential(nn.Conv2d(3, 8, 3), block, nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(5))
    model(pictures(2, 3, 18))
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    steps(model, optimizer, DataLoader(TensorDataset(pictures(12, 3, 18), labels(12, 5)), 6), F.cross_entropy)
    with minigrad.no_grad():
        model.eval()(pictures(4, 3, 18))
    minigrad.save(model.state_dict(), folder / "residual")
    model.load_state_dict(minigrad.load(folder / "residual"))


def segmentation(folder: Path) -> None:
    model = models.UNet(3, 2, width=4, depth=2)
    targets = minigrad.from_numpy(RANDOM.integers(0, 2, (4, 32, 32)))
    steps(model, optim.AdamW(model.parameters()), DataLoader(TensorDataset(pictures(4, 3, 32), targets), 2), F.cross_entropy)


def game(folder: Path) -> None:
    """Two players, and a penalty on the norm of a gradient."""
    generator = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 64), nn.Tanh())
    critic = nn.Sequential(nn.Linear(64, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    first, second = optim.RMSprop(generator.parameters()), optim.RMSprop(critic.parameters())
    for _ in range(3):
        made, true = generator(minigrad.randn(16, 8)), minigrad.randn(16, 64)
        between = (0.5 * made.detach() + 0.5 * true).requires_grad_()
        (slope,) = minigrad.autograd.grad(critic(between).sum(), between, create_graph=True)
        loss = critic(made.detach()).mean() - critic(true).mean() + ((slope.norm(dim=1) - 1) ** 2).mean()
        second.zero_grad()
        loss.backward()
        second.step()
        first.zero_grad()
        (-critic(made).mean()).backward()
        first.step()


def sequences(folder: Path) -> None:
    recurrent, head = nn.LSTM(6, 12, 2, batch_first=True, bidirectional=True), nn.Linear(24, 3)
    attention = nn.TransformerEncoderLayer(24, 4, 32, batch_first=True)
    parameters = [*recurrent.parameters(), *attention.parameters(), *head.parameters()]
    optimizer = optim.Adagrad(parameters)
    for length in (5, 9):
        states, _ = recurrent(minigrad.randn(4, length, 6))
        loss = F.cross_entropy(head(attention(states)[:, -1]), labels(4, 3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def failures(folder: Path) -> None:
    """Exceptions in forward, in a hook of backward and in a worker leave nothing behind."""
    model = nn.Sequential(nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 1))
    for _ in range(5):
        x = minigrad.randn(200, 50, requires_grad=True)
        hidden = model[0](x)

        def refuse(grad: Any) -> None:
            raise ArithmeticError("a hook's")

        hidden.register_hook(refuse)
        with contextlib.suppress(ArithmeticError):
            model[2](model[1](hidden)).sum().backward()
        with contextlib.suppress(RuntimeError):
            model(minigrad.randn(200, 49))
        with contextlib.suppress(ValueError):
            minigrad.load(Path(__file__))


NETWORKS = (digits, residual, segmentation, game, sequences, failures)


def held() -> dict[str, float]:
    """What this process holds."""
    gc.collect()
    holds: dict[str, float] = {"objects": len(gc.get_objects()), "threads": threading.active_count()}
    holds["allocated MB"] = minigrad.memory_stats()["allocated_bytes.all.current"] / 1e6
    with contextlib.suppress(FileNotFoundError):  # Linux has them
        holds["resident MB"] = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        holds["files"] = len(os.listdir("/proc/self/fd"))
    return holds


# What a fitted line may rise by over a run, whatever its length: what an allocator and Python keep for themselves varies by so much.
ALLOWED = {"objects": 50.0, "threads": 0.5, "files": 0.5, "allocated MB": 0.1, "resident MB": 2.0}


def rise(values: Sequence[float]) -> float:
    """How much the line fitted to the values after the warm ones rises from its begin to its end."""
    warm = values[int(WARM * len(values)) :]
    if len(warm) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(warm)), warm, 1)[0]) * (len(warm) - 1)


def rounds(folder: Path) -> Iterator[dict[str, float]]:
    while True:
        for train in NETWORKS:
            train(folder)
        yield held()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    seen: dict[str, array[float]] = {}  # thousands of rounds of dictionaries would be what grows
    with tempfile.TemporaryDirectory() as folder:
        for found in rounds(Path(folder)):
            for name, value in found.items():
                seen.setdefault(name, array("d")).append(value)
            if time.monotonic() > end and len(seen[name]) >= 10:
                break
    wrong = 0
    for name, values in seen.items():
        up = rise(values)
        wrong += up > ALLOWED[name]
        verdict = "MORE THAN" if up > ALLOWED[name] else "within"
        print(f"{name:12} {values[0]:12.1f} at first, {values[-1]:12.1f} at last; rises by {up:8.2f}, {verdict} {ALLOWED[name]:g}")
    print(f"{len(values)} rounds of {len(NETWORKS)} networks")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
