"""What the examples of adversarial training share: the turns with a bar and a checkpoint, judges of what is drawn, curves and grids."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from common import fail

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.data import DataLoader, TensorDataset, augment
from minigrad.optim import Adam
from minigrad.optim.lr_scheduler import CosineAnnealingLR

Noise = Callable[[int], minigrad.Tensor]


def players_of(pair: models.Players, lr: float, noise: Noise | None, copy: nn.Module, **more: Any) -> train.Game:
    """A game with the optimizers that DCGAN's authors recommend, and an averaged generator, which is the copy."""
    make = [Adam(player.parameters(), lr=lr, betas=(0.5, 0.999)) for player in pair]
    return train.Game(*pair, *make, noise=noise, average=train.ExponentialAverage(pair.generator, copy, decay=0.98), **more)


def play(
    game: train.Game, loader: Iterable[Any], epochs: int, k: int = 1, checkpoint: Path | None = None, quiet: bool = False, title: str = "",
    every_turn: bool = False, after: Callable[[], dict[str, float]] | None = None,
) -> dict[str, list[float]]:
    """Plays so many epochs of turns of k batches each; returns the means of an epoch's numbers, or the numbers of every turn.

    title: goes before the bars. after: measures something after each epoch.
    """
    from tqdm import tqdm

    keeper = None
    if checkpoint is not None:
        parts = {
            "generator": game.generator, "discriminator": game.discriminator, "generator_optimizer": game.generator_optimizer,
            "discriminator_optimizer": game.discriminator_optimizer, "average": game.average,
        }  # fmt: skip
        keeper = train.Checkpoint(checkpoint, **{name: part for name, part in parts.items() if part is not None})
    saved = keeper.resume() if keeper is not None else None
    history, first = (saved["history"], saved["epoch"] + 1) if saved else ({}, 1)
    for epoch in range(first, epochs + 1):
        numbers: dict[str, list[float]] = {}
        batches: list[Any] = []
        bar = tqdm(loader, desc=f"{title}epoch {epoch:2d}/{epochs}", unit="batch", disable=quiet)
        for batch in bar:
            batches.append(batch if isinstance(batch, minigrad.Tensor) or len(batch) > 1 else batch[0])
            if len(batches) < k:
                continue
            for name, value in game.play(batches).items():
                numbers.setdefault(name, []).append(value)
            batches = []
            bar.set_postfix({name.split()[0][0] + " " + name.split()[1]: f"{values[-1]:.2f}" for name, values in numbers.items() if "loss" in name}, refresh=False)
        for name, values in numbers.items():
            history.setdefault(name, []).extend(values if every_turn else [float(np.mean(values))])
        if not all(math.isfinite(values[-1]) for values in history.values()):
            fail(f"the game diverged in epoch {epoch}; try a smaller --lr")
        for name, value in (after() if after is not None else {}).items():
            history.setdefault(name, []).append(value)
        if keeper is not None:
            keeper.save(epoch=epoch, history=history)
    return history


class Judge:
    """A classifier trained on real pictures: what it recognises, and its features, over which Frechet distances are taken.

    Distances over this network's features compare runs of these examples with each other, and with nothing published.
    """

    def __init__(
        self, body: nn.Module, head: nn.Module, images: minigrad.Tensor, labels: minigrad.Tensor, epochs: int, quiet: bool,
        change: Callable[[minigrad.Tensor], minigrad.Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.body, self.head = body, head
        model = nn.Sequential(body, head)
        loader = DataLoader(TensorDataset(images, labels), batch_size=50, shuffle=True)
        optimizer = Adam(model.parameters(), lr=2e-3)
        train.fit(
            model, loader, F.cross_entropy, optimizer, epochs=epochs, augment=change, progress=not quiet,
            scheduler=CosineAnnealingLR(optimizer, epochs),
        )  # fmt: skip
        model.eval()

    def features(self, images: minigrad.Tensor) -> minigrad.Tensor:
        """The answers of the last layer but one, (N, D)."""
        with minigrad.no_grad():
            return minigrad.cat([self.body(batch) for batch in images.split(250)])

    def labels(self, images: minigrad.Tensor) -> minigrad.Tensor:
        with minigrad.no_grad():
            return self.head(self.features(images)).argmax(1)

    def accuracy(self, images: minigrad.Tensor, labels: minigrad.Tensor) -> float:
        return float((self.labels(images) == labels).float().mean())


def digits_judge(images: minigrad.Tensor, labels: minigrad.Tensor, quiet: bool, epochs: int, distorted: bool = False) -> Judge:
    """LeNet-5 that knows digits from 0 to 1; distorted: it learns from slightly turned, moved and stretched ones, which makes it better."""
    model = models.lenet5()
    body = nn.Sequential(model.features, nn.Flatten(), model.classifier[:-1])
    change = augment.RandomAffine(10, translate=(0.08, 0.08), scale=(0.9, 1.1), shear=5) if distorted else None
    return Judge(body, model.classifier[-1], images, labels, epochs, quiet, change)


def emoji_judge(pictures: minigrad.Tensor, labels: minigrad.Tensor, quiet: bool, epochs: int) -> Judge:
    """A small network that knows the categories of emoji from 0 to 1."""
    layers: list[nn.Module] = []
    for before, after, side in ((3, 24, 5), (24, 48, 3), (48, 96, 3)):
        layers += [nn.Conv2d(before, after, side, 2, side // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    body, head = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(96, int(labels.max()) + 1)
    change = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomAffine(10, translate=(0.1, 0.1), scale=(0.85, 1.15), fill=1.0)])
    return Judge(body, head, pictures, labels, epochs, quiet, change)


def report(judge: Judge, drawn: minigrad.Tensor, real: minigrad.Tensor, others: minigrad.Tensor) -> float:
    """Prints how far the drawn pictures are from real ones, beside how far other real ones are; returns the Frechet distance."""
    features, known = judge.features(drawn), judge.features(real)
    precision, recall = train.precision_recall(features, known)
    distance, floor = train.frechet_distance(features, known), train.frechet_distance(judge.features(others), known)
    print(f"Frechet distance {distance:.1f} ({floor:.1f} for other real pictures), precision {precision:.3f}, recall {recall:.3f}")
    return distance


def draw_grid(axis: Any, pictures: minigrad.Tensor, columns: int, title: str = "") -> None:
    """Pictures (N, C, H, W) with values from -1 to 1 in rows."""
    shown = ((pictures.detach() + 1) / 2).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    rows = -(-len(shown) // columns)
    height, width, channels = shown.shape[1:]
    sheet = np.ones((rows * (height + 2), columns * (width + 2), channels))
    for i, picture in enumerate(shown):
        top, left = i // columns * (height + 2), i % columns * (width + 2)
        sheet[top : top + height, left : left + width] = picture
    axis.imshow(sheet.squeeze(-1) if channels == 1 else sheet, cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, fontsize=10)
    axis.set_axis_off()


def draw_curves(axes: Any, history: dict[str, list[float]]) -> None:
    """The players' losses, their scores, and the lengths of their gradients."""
    for axis, names, title in (
        (axes[0], ("discriminator loss", "generator loss"), "losses"),
        (axes[1], ("real score", "fake score"), "mean score"),
        (axes[2], ("discriminator gradient", "generator gradient"), "gradient's length"),
    ):
        for name in names:
            axis.plot(range(1, len(history[name]) + 1), history[name], label=name.split()[0])
        axis.set_title(title, fontsize=10)
        axis.set_xlabel("epoch")
        axis.legend(fontsize=8)
    axes[2].set_yscale("log")
