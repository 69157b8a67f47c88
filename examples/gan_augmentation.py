"""Generated digits as further examples: a conditional GAN learns from few digits, and a classifier from these and from what the GAN draws.

    python examples/gan_augmentation.py --help

The GAN sees no digit that the classifier does not see. A drawn digit is used if a classifier of the few real ones reads in it what was asked
for. Both classifiers take equally many steps, and both are trained several times, so that the difference can be told from chance. With 20
examples of each digit it does not help: what the GAN draws is rougher than what it saw, and holds nothing else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from adversarial import digits_judge, draw_curves, draw_grid, play, players_of
from common import Parser, at_least_one, checkpoint, fail, pyplot, save_figure
from mnist import read_digits

import minigrad
from minigrad import models
from minigrad.data import DataLoader, TensorDataset

LATENT = 32


def accuracies(images: minigrad.Tensor, labels: minigrad.Tensor, test: list[minigrad.Tensor], options) -> list[float]:
    """The test accuracy of classifiers with different starts."""
    found = []
    for repeat in range(options.repeats):
        minigrad.manual_seed(options.seed + repeat)
        found.append(digits_judge(images, labels, True, max(1, 50 * options.steps // len(images))).accuracy(*test))
    return found


def main() -> None:
    parser = Parser("Compares classifiers of digits trained with and without digits that a GAN drew.")
    parser.training(epochs=250, lr=5e-4, batch_size=50, width=16, full={"width": 64, "epochs": 1000})
    parser.add_argument("--each", type=at_least_one, default=20, metavar="N", help="real examples of each digit")
    parser.add_argument("--drawn", type=at_least_one, default=2000, metavar="N", help="digits that the GAN draws")
    parser.add_argument("--repeats", type=at_least_one, default=3, metavar="N", help="trainings of each classifier")
    parser.add_argument("--steps", type=at_least_one, default=600, metavar="N", help="of each classifier, of 50 digits each")
    parser.data("mnist5k.npz", "the digits")
    options = parser.options(minigrad)

    digits, *test = read_digits(options.data)
    images, labels = digits.tensors
    chosen = minigrad.cat([(labels == digit).nonzero().flatten()[: options.each] for digit in range(10)])
    images, labels = images[chosen], labels[chosen]
    if len(images) < options.batch_size:
        fail(f"argument --batch-size: there are {len(images)} digits only")

    pair, spare = (models.cgan(latent=LATENT, width=options.width) for _ in range(2))
    game = players_of(pair, options.lr, lambda n: minigrad.randn(n, LATENT), spare.generator)
    loader = DataLoader(TensorDataset(2 * images - 1, labels), batch_size=options.batch_size, shuffle=True, drop_last=True)
    history = play(game, loader, options.epochs, checkpoint=checkpoint(options, "gan_augmentation"), quiet=options.quiet)

    minigrad.manual_seed(options.seed)
    asked = minigrad.arange(options.drawn) % 10
    with minigrad.no_grad():
        drawn = minigrad.cat([game.average.model(minigrad.randn(len(part), LATENT), part) for part in asked.split(250)])
    drawn = (drawn + 1) / 2
    judge = digits_judge(images, labels, True, max(1, 50 * options.steps // len(images)))
    good = judge.labels(drawn) == asked
    print(f"{int(good.sum())} of {len(drawn)} drawn digits are read as what was asked for")

    without = accuracies(images, labels, test, options)
    together = accuracies(minigrad.cat([images, drawn[good]]), minigrad.cat([labels, asked[good]]), test, options)
    for name, values in (("real digits only", without), ("real and drawn", together)):
        print(f"{name:17} test accuracy {np.mean(values):.3f} ({', '.join(f'{value:.3f}' for value in values)})")
    if options.plot:
        draw(images, labels, drawn, history, without, together, options.out / "gan_augmentation.png")
    print(f"test accuracy {np.mean(without):.3f} without and {np.mean(together):.3f} with drawn digits")


def draw(images, labels, drawn, history, without, together, path: Path) -> None:
    figure = pyplot().figure(figsize=(14, 7), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.6, 1])
    axes = left.subplots(1, 2)
    few = minigrad.stack([images[labels == digit][:10] for digit in range(10)], 1).flatten(0, 1) if len(images) >= 100 else images[:100]
    draw_grid(axes[0], 2 * few - 1, 10, "real digits")
    draw_grid(axes[1], 2 * drawn[:100] - 1, 10, "drawn digits, 0 to 9 a column each")
    first, *others = right.subplots(4, 1)
    first.plot(without, np.zeros(len(without)), "o", label="real only")
    first.plot(together, np.ones(len(together)), "o", label="real and drawn")
    first.set(title="test accuracy", yticks=[0, 1], yticklabels=["real only", "real and drawn"], ylim=(-0.5, 1.5))
    draw_curves(others, history)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
