"""What the examples of segmentation share: the networks, their training, and pictures with outlines."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from common import PROGRAM, checkpoint

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.optim import Adam
from minigrad.optim.lr_scheduler import CosineAnnealingLR

Batch = tuple[minigrad.Tensor, minigrad.Tensor]


def networks(channels: int, width: int) -> dict[str, Callable[[], nn.Module]]:
    """The networks for pictures with so many channels, by name; all answer with a logit a pixel."""
    return {
        "U-Net": lambda: models.unet(channels, 1, width=width, depth=3),
        "SegNet": lambda: models.segnet(channels, 1, width=width, stages=(2, 2, 3)),
        "FCN": lambda: models.fcn(channels, 1, width=width),
    }


def bce_and_dice(logits: minigrad.Tensor, mask: minigrad.Tensor) -> minigrad.Tensor:
    """Each pixel by itself, and the overlap of the whole."""
    return F.binary_cross_entropy_with_logits(logits, mask) + train.dice_loss(logits, mask)


def learn(name: str, model: nn.Module, batches: Iterable[Batch], options: argparse.Namespace) -> list[float]:
    """Trains a model and returns the loss of each epoch; goes on where a checkpoint was left."""
    optimizer = Adam(model.parameters(), lr=options.lr)
    history = train.fit(
        model, batches, bce_and_dice, optimizer, epochs=options.epochs, scheduler=CosineAnnealingLR(optimizer, options.epochs),
        checkpoint=checkpoint(options, f"{Path(PROGRAM).stem}_{name.lower()}"), progress=not options.quiet,
    )  # fmt: skip
    return history["loss"]


def judged(model: nn.Module, pictures: minigrad.Tensor, masks: minigrad.Tensor) -> tuple[minigrad.Tensor, dict[str, float]]:
    """The masks that a model draws, and how good they are."""
    model.eval()
    with minigrad.no_grad():
        drawn = minigrad.cat([model(batch) for batch in pictures.split(32)]) > 0
    right = float((drawn == (masks > 0.5)).float().mean())
    return drawn, {"IoU": train.iou(drawn, masks), "Dice": train.dice(drawn, masks), "pixel accuracy": right}


def report(name: str, numbers: dict[str, float]) -> None:
    print(f"{name:8}" + "  ".join(f"{metric} {value:.3f}" for metric, value in numbers.items()), flush=True)


def outlined(axis: Any, picture: object, drawn: object, mask: object, title: str) -> None:
    """A picture with the drawn mask's outline in red and the true one's in green."""
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    for outline, colour in ((mask, "lime"), (drawn, "red")):
        if 0 < outline.sum() < outline.size:
            axis.contour(outline, levels=[0.5], colors=colour, linewidths=0.8)
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()


def draw_losses(axis: Any, losses: dict[str, list[float]]) -> None:
    """Each network's loss over the epochs."""
    for name, values in losses.items():
        axis.plot(range(1, len(values) + 1), values, label=name)
    axis.set(xlabel="epoch", ylabel="training loss (BCE + Dice)")
    axis.legend()
