"""What a network learned for one task helps with another that has few examples.

    python examples/transfer.py --help

First digits: a network that can tell 0 to 4 learns 5 to 9 from a few examples of each. Then pictures: one that can sort emoji into five
categories learns the three others; or one from a file of torchvision's does. Each time the pretrained network
(its filters frozen, or following at a fifth of the head's learning rate) is compared with one that starts at random.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from classify_emoji import residual
from common import DATA, Parser, at_least_one, fail, pyplot, save_figure
from mnist import read_digits, small_vgg
from pictures import read_emoji

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.data import DataLoader, TensorDataset
from minigrad.optim import Adam

RATE = 2e-3  # of Adam; filters that were learned before follow at a fifth of it
STARTS = ("at random", "pretrained, frozen", "pretrained, fine-tuned")
Examples = tuple[minigrad.Tensor, minigrad.Tensor]


def head_of(model: nn.Module) -> list[nn.Parameter]:
    """The parameters of the fully connected layers, which name the classes: each task has its own."""
    return [parameter for module in model.modules() if isinstance(module, nn.Linear) for parameter in module.parameters()]


def fit(model: nn.Module, examples: Examples, epochs: int, groups: list[dict], options: argparse.Namespace) -> None:
    loader = DataLoader(TensorDataset(*examples), batch_size=50, shuffle=True)
    train.fit(model, loader, F.cross_entropy, Adam(groups), epochs=epochs, progress=not options.quiet)


def accuracy(model: nn.Module, examples: Examples) -> float:
    loader = DataLoader(TensorDataset(*examples), batch_size=250)
    return train.evaluate(model, loader, F.cross_entropy, {"accuracy": train.accuracy})["accuracy"]


def start(make: Callable[[int], nn.Module], weights: dict, how: str, classes: int) -> tuple[nn.Module, list[dict]]:
    """A network for the new task, and its parameters with their learning rates."""
    model = make(classes)
    if how == "at random":
        return model, [{"params": model.parameters(), "lr": RATE}]
    head = head_of(model)
    names = {name for name, parameter in model.named_parameters() if any(parameter is one for one in head)}
    own = model.state_dict()
    model.load_state_dict({name: own[name] if name in names else value for name, value in weights.items()})
    body = [parameter for name, parameter in model.named_parameters() if name not in names]
    if how == "pretrained, frozen":
        for parameter in body:
            parameter.requires_grad_(False)
        return model, [{"params": head, "lr": RATE}]
    return model, [{"params": body, "lr": RATE / 5}, {"params": head, "lr": RATE}]


def few(examples: Examples, each: int) -> Examples:
    """The first examples of every class."""
    images, labels = examples
    chosen = minigrad.cat([(labels == label).nonzero().flatten()[:each] for label in range(int(labels.max()) + 1)])
    return images[chosen], labels[chosen]


def only(examples: Examples, classes: list[int]) -> Examples:
    """The examples of some classes, which are numbered from 0 on."""
    images, labels = examples
    number = minigrad.full((int(labels.max()) + 1,), -1, dtype=minigrad.int64)
    number[classes] = minigrad.arange(len(classes))
    chosen = number[labels] >= 0
    return images[chosen], number[labels][chosen]


def compare(
    title: str, make: Callable[[int], nn.Module], weights: dict, learned: Examples, tested: Examples, options: argparse.Namespace
) -> dict[str, list[float]]:
    """The accuracy on the new task for every number of examples and every start."""
    classes = int(learned[1].max()) + 1
    results: dict[str, list[float]] = {how: [] for how in STARTS}
    for each in options.examples:
        for how in STARTS:
            minigrad.manual_seed(options.seed)
            model, groups = start(make, weights, how, classes)
            fit(model, few(learned, each), options.epochs, groups, options)
            results[how].append(accuracy(model, tested))
        print(f"{title}, {each:3d} examples each: " + ", ".join(f"{how} {values[-1]:.3f}" for how, values in results.items()), flush=True)
    return results


def digits_network(classes: int) -> nn.Module:
    model = small_vgg(0.0)
    model[-1] = nn.Linear(model[-1].in_features, classes)
    return model


def emoji_network(classes: int) -> nn.Module:
    return residual(classes, 16)


def torchvision_network(classes: int) -> nn.Module:
    """ResNet-18, which sees the emoji enlarged."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), models.resnet18(num_classes=classes))


def main() -> None:
    parser = Parser("Compares pretrained networks with random ones on tasks with few examples.")
    parser.add_argument("--examples", type=at_least_one, nargs="+", default=[1, 3, 10, 30], metavar="N", help="of each new class")
    parser.training(epochs=30, passes="passes over the few examples", resume=False)
    parser.add_argument("--pretraining", type=at_least_one, default=10, metavar="N", help="passes over the first task's examples")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="a ResNet-18 in torchvision's format (.pth or .safetensors) to start from with the emoji"
    )
    options = parser.options(minigrad)
    trained = {}
    if options.checkpoint is not None:
        try:
            trained = models.resnet18(weights=options.checkpoint).state_dict()
        except (OSError, ValueError, RuntimeError) as error:
            fail(f"argument --checkpoint: {error}")

    digits, *test_digits = read_digits(DATA / "mnist5k.npz")
    low, high = list(range(5)), list(range(5, 10))
    minigrad.manual_seed(options.seed)
    reader = digits_network(len(low))
    fit(reader, only(tuple(digits.tensors), low), options.pretraining, [{"params": reader.parameters(), "lr": RATE}], options)
    print(f"the digits 0 to 4 are told apart with an accuracy of {accuracy(reader, only(tuple(test_digits), low)):.3f}")

    results = {
        "Digits 5 to 9 after 0 to 4": compare(
            "digits 5 to 9", digits_network, reader.state_dict(), only(tuple(digits.tensors), high), only(tuple(test_digits), high), options
        )
    }

    emoji = read_emoji()
    pictures, labels = emoji.on_white(), emoji.labels
    new = [emoji.categories.index(name) for name in ("Animals & Nature", "Food & Drink", "Smileys & Emotion")]
    old = [label for label in range(len(emoji.categories)) if label not in new]
    order = minigrad.randperm(len(labels), generator=minigrad.Generator().manual_seed(0))
    sorted_by_chance = pictures[order], labels[order]
    minigrad.manual_seed(options.seed)
    if options.checkpoint is not None:
        make, title = torchvision_network, f"Three categories of emoji after {options.checkpoint.name}"
        weights = {f"1.{name}": value for name, value in trained.items()}
    else:
        make, title = emoji_network, "Three categories of emoji after five others"
        sorter = make(len(old))
        fit(sorter, only(sorted_by_chance, old), options.pretraining, [{"params": sorter.parameters(), "lr": RATE}], options)
        path = options.out / "emoji_sorter.safetensors"
        minigrad.save(sorter.state_dict(), path)
        weights = minigrad.load(path)
    images, numbers = only(sorted_by_chance, new)
    half = len(images) // 2
    results[title] = compare(
        "emoji", make, weights, (images[:half], numbers[:half]), (images[half:], numbers[half:]), options
    )

    if options.plot:
        figure, axes = pyplot().subplots(1, len(results), figsize=(12, 4.5), layout="constrained")
        for axis, (title, curves) in zip(axes, results.items(), strict=True):
            for how, values in curves.items():
                axis.plot(options.examples, values, "o-", label=how)
            axis.set_xscale("log")
            axis.set_xticks(options.examples, [str(each) for each in options.examples])
            axis.minorticks_off()
            axis.set_xlabel("examples of each new class")
            axis.set_ylabel("test accuracy")
            axis.set_title(title)
            axis.legend()
        save_figure(figure, options.out / "transfer.png")
    gains = [np.mean(np.subtract(curves["pretrained, fine-tuned"], curves["at random"])) for curves in results.values()]
    print("fine-tuning gains on average " + " and ".join(f"{gain:+.3f}" for gain in gains))


if __name__ == "__main__":
    main()
