"""A training run as a process of its own, which a test kills: python -m tests.train.run FOLDER [EPOCH AFTER WHICH TO DIE]."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import numpy as np

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, optim, train
from minigrad.data import DataLoader, TensorDataset

EPOCHS = 5


class DiesAfter(train.CSVLog):
    """A log that ends the process the hard way when an epoch was written to it: before the checkpoint of that epoch is."""

    def __init__(self, path: Path, epoch: int) -> None:
        super().__init__(path)
        self.epoch = epoch

    def write(self, epoch: int, values: dict[str, float]) -> None:
        super().write(epoch, values)
        if epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def augmented(x: minigrad.Tensor) -> minigrad.Tensor:
    """Noise from all three global generators."""
    return x + 0.01 * minigrad.randn(x.shape) + 0.01 * float(np.random.standard_normal()) + 0.01 * random.random()


def main(folder: Path, die_after: int) -> None:
    minigrad.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    x = minigrad.randn(40, 1, 6, 6)
    labels = (x.mean((1, 2, 3)) > 0).long()
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 2)
    )
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    data = TensorDataset(x, labels)
    train.fit(
        model,
        DataLoader(data, batch_size=16, shuffle=True, generator=minigrad.Generator().manual_seed(1)),
        F.cross_entropy,
        optimizer,
        epochs=EPOCHS,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS),
        validation=DataLoader(data, batch_size=40),
        metrics={"accuracy": train.accuracy, "confusion": train.ConfusionMatrix(2)},
        augment=augmented,
        early_stopping=train.EarlyStopping("validation loss", patience=EPOCHS),
        checkpoint=folder / "run.checkpoint",
        logs=[DiesAfter(folder / "log.csv", die_after), train.JSONLog(folder / "log.jsonl")],
        progress=False,
    )
    minigrad.save(
        {**model.state_dict(), **{f"exp_avg {i}": s["exp_avg"] for i, s in optimizer.state_dict()["state"].items()}},
        folder / "end",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
