"""Sorts emoji into their eight categories: a small residual network, or one of Inception blocks, with augmentation against few examples.

    python examples/classify_emoji.py --help

Residual blocks: He et al., arXiv:1512.03385; Inception blocks: Szegedy et al., arXiv:1409.4842.
"""

from __future__ import annotations

from pathlib import Path

from common import Parser, at_least_one, checkpoint, fail, pyplot, save_figure
from pictures import read_emoji

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, train
from minigrad.data import DataLoader, TensorDataset, augment
from minigrad.models.googlenet import Inception
from minigrad.models.resnet import BasicBlock
from minigrad.optim import AdamW
from minigrad.optim.lr_scheduler import OneCycleLR


def residual(classes: int, width: int) -> nn.Module:
    """Three stages of residual blocks, each at half the size of the one before."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage in range(3):
        wide, stride = width * 2**stage, 1 + (stage > 0)
        shortcut = None
        if stride != 1:
            shortcut = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))
        layers += [BasicBlock(channels, wide, stride, shortcut), BasicBlock(wide, wide)]
        channels = wide
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, classes))


def inception(classes: int, width: int) -> nn.Module:
    """Inception blocks, two before each pooling."""
    layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    channels = width
    for stage in range(3):
        part = width * 2**stage // 4
        for _ in range(2):
            layers.append(Inception(channels, part, part, 2 * part, max(1, part // 2), part, part))
            channels = 5 * part
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(channels, classes))


NETWORKS = {"residual": residual, "inception": inception}


def split(labels: minigrad.Tensor, generator: minigrad.Generator) -> tuple[minigrad.Tensor, minigrad.Tensor]:
    """Numbers of the pictures to learn from and to be tested on, a fifth of each category."""
    learned, tested = [], []
    for category in range(int(labels.max()) + 1):
        members = (labels == category).nonzero().flatten()
        members = members[minigrad.randperm(len(members), generator=generator)]
        tested.append(members[: len(members) // 5])
        learned.append(members[len(members) // 5 :])
    return minigrad.cat(learned), minigrad.cat(tested)


def main() -> None:
    parser = Parser("Trains a network to sort emoji into their categories.")
    parser.add_argument("--blocks", choices=NETWORKS, default="residual", help="what the network is made of")
    parser.training(epochs=30, lr=1e-2, batch_size=64, width=16, full={"width": 64, "epochs": 100}, scheduled=True)
    parser.add_argument("--no-augment", dest="augment", action="store_false", help="learn from the pictures as they are")
    parser.add_argument("--train-size", type=at_least_one, metavar="N", help="learn from N random emoji only")
    options = parser.options(minigrad)

    emoji = read_emoji()
    pictures, labels, names = emoji.on_white(), emoji.labels, emoji.categories
    learned, tested = split(labels, minigrad.Generator().manual_seed(0))  # the same test whatever --seed is
    if options.train_size is not None:
        if options.train_size > len(learned):
            fail(f"argument --train-size: there are {len(learned)} emoji to train on, not {options.train_size}")
        learned = learned[minigrad.randperm(len(learned))[: options.train_size]]
    data, test = (TensorDataset(pictures[chosen], labels[chosen]) for chosen in (learned, tested))
    change = augment.Compose([
        augment.RandomHorizontalFlip(),
        augment.RandomAffine(20, translate=(0.1, 0.1), scale=(0.8, 1.15), fill=1.0),
        augment.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.3, hue=0.05),
        augment.Cutout(8, fill=1.0, p=0.5),
    ])  # fmt: skip

    model = NETWORKS[options.blocks](len(names), options.width)
    loader = DataLoader(data, batch_size=options.batch_size, shuffle=True)
    optimizer = AdamW(model.parameters(), lr=options.lr, weight_decay=0.05)
    scheduler = OneCycleLR(optimizer, options.lr, total_steps=options.epochs + 1)
    confusion = train.ConfusionMatrix(len(names))
    history = train.fit(
        model, loader, lambda scores, target: F.cross_entropy(scores, target, label_smoothing=0.1), optimizer,
        epochs=options.epochs, scheduler=scheduler, validation=DataLoader(test, batch_size=128), metrics={"accuracy": train.accuracy},
        augment=change if options.augment else None, progress=not options.quiet,
        checkpoint=checkpoint(options, "classify_emoji"),
    )  # fmt: skip
    train.evaluate(model, DataLoader(test, batch_size=128), F.cross_entropy, {"confusion": confusion})
    for name, recall in zip(names, confusion.recall.tolist(), strict=True):
        print(f"{name:20} {recall:.3f} of its test emoji found")
    most = float(labels[tested].bincount().max()) / len(tested)
    if options.plot:
        draw(model, pictures[tested], labels[tested], names, history, confusion, options.out / "classify_emoji.png")
    print(f"test accuracy {confusion.accuracy:.3f} (always the largest category: {most:.3f})")


def draw(model: nn.Module, pictures, labels, names, history, confusion, path: Path) -> None:
    figure = pyplot().figure(figsize=(14, 8), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.4, 1])
    curves, table = top.subplots(1, 2)
    for name, style in (("accuracy", ":"), ("validation accuracy", "-")):
        curves.plot(range(1, len(history[name]) + 1), history[name], style, label={"accuracy": "training (augmented)"}.get(name, "test"))
    curves.set_xlabel("epoch")
    curves.set_title("accuracy")
    curves.legend()
    share = confusion.matrix / confusion.matrix.sum(1, keepdim=True)
    table.imshow(share.numpy(), cmap="Blues", vmin=0, vmax=1)
    for row in range(len(names)):
        for column in range(len(names)):
            colour = "white" if share[row, column] > 0.5 else "black"
            table.text(column, row, int(confusion.matrix[row, column]), ha="center", va="center", fontsize=8, color=colour)
    table.set_xticks(range(len(names)), names, rotation=30, ha="right", fontsize=8)
    table.set_yticks(range(len(names)), names, fontsize=8)
    table.set_title("true category (row) and predicted one (column)")
    model.eval()
    with minigrad.no_grad():
        predicted = minigrad.cat([model(batch).argmax(1) for batch in pictures.split(128)])
    wrong = (predicted != labels).nonzero().flatten()
    wrong = wrong[:: max(1, len(wrong) // 24)][:24]  # they stand category by category, and each is to be seen
    bottom.suptitle("Sorted wrong: what the network said", fontsize=11)
    axes = bottom.subplots(2, 12)
    for axis in axes.ravel():
        axis.set_axis_off()
    for axis, index in zip(axes.ravel(), wrong.tolist(), strict=False):
        axis.imshow(pictures[index].permute(1, 2, 0).numpy().clip(0, 1))
        axis.set_title(names[int(predicted[index])], fontsize=7)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
