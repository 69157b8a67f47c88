"""Draws emoji with LAPGAN: one pair of players draws 8x8 pixels, each further pair adds the detail that doubles the size, 8 -> 16 -> 32.

    python examples/lapgan_emoji.py --help

Each level is a game of its own, over the levels of the Laplacian pyramids of real emoji. E. Denton et al., arXiv:1506.05751.
"""

from __future__ import annotations

from pathlib import Path

from adversarial import draw_curves, draw_grid, emoji_judge, play, players_of, report
from common import Batches, Parser, at_least_one, checkpoint, fail, pyplot, save_figure
from pictures import read_emoji

import minigrad
import minigrad.nn.functional as F
from minigrad import models, train
from minigrad.data import augment
from minigrad.models.pyramid import double, gaussian_pyramid

SIZES = (8, 16, 32)
LATENT = 64


def main() -> None:
    parser = Parser("Trains LAPGAN on emoji and judges what it draws.")
    parser.training(epochs=40, passes="times --steps, for each level", lr=5e-4, batch_size=32, width=32, full={"width": 128, "epochs": 200})
    parser.add_argument("--steps", type=at_least_one, default=20, metavar="N", help="turns an epoch")
    parser.add_argument("--category", nargs="+", default=["Smileys"], metavar="NAME", help="draw emoji of these only, by parts of the names")
    parser.add_argument("--drawn", type=at_least_one, default=320, metavar="N", help="emoji that are judged")
    parser.add_argument("--judge-epochs", type=at_least_one, default=15, metavar="N", help="of the classifier whose features the judgement is of")
    options = parser.options(minigrad)

    emoji = read_emoji()
    chosen = [name for name in emoji.categories if any(part.lower() in name.lower() for part in options.category)]
    if not chosen:
        fail(f"argument --category: none of {', '.join(emoji.categories)} has {' or '.join(options.category)} in its name")
    wanted = minigrad.tensor([name in chosen for name in emoji.categories])[emoji.labels]
    pictures = emoji.on_white()
    judge = emoji_judge(pictures, emoji.labels, options.quiet, options.judge_epochs)
    learned, tested = (pictures[part[wanted[part]]] for part in emoji.halves())
    change = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomAffine(5, translate=(0.03, 0.03), scale=(0.95, 1.05), fill=1.0)])

    minigrad.manual_seed(options.seed)
    model, average = (models.lapgan(3, SIZES, LATENT, options.width) for _ in range(2))
    histories = []
    for level, size in enumerate(SIZES):
        halvings = len(SIZES) - 1 - level

        def batch(level: int = level, halvings: int = halvings) -> tuple[minigrad.Tensor, ...]:
            """What the level draws, and the enlarged coarser picture that it is told, if there is one."""
            real = 2 * change(learned[minigrad.randint(0, len(learned), (options.batch_size,))]) - 1
            pyramid = gaussian_pyramid(real, len(SIZES) - 1)
            if level == 0:
                return (pyramid[-1],)
            coarse = double(pyramid[halvings + 1])
            return pyramid[halvings] - coarse, coarse

        def noise(count: int, level: int = level, size: int = size) -> minigrad.Tensor:
            return minigrad.randn(count, LATENT) if level == 0 else minigrad.randn(count, 1, size, size)

        pair = models.Players(model.generators[level], model.discriminators[level])
        game = players_of(pair, options.lr, noise, average.generators[level])
        histories.append(play(
            game, Batches(batch, options.steps), options.epochs, checkpoint=checkpoint(options, f"lapgan_{size}"), quiet=options.quiet,
            title=f"{size}x{size} ",
        ))  # fmt: skip

    minigrad.manual_seed(options.seed)
    with minigrad.no_grad():
        levels = [minigrad.cat(parts) for parts in zip(*(average.sample(part) for part in minigrad.randn(options.drawn, LATENT).split(64)), strict=True)]
    drawn = ((levels[-1] + 1) / 2).clamp(0, 1)
    distance = report(judge, drawn, learned[: options.drawn], tested)
    smooth = F.interpolate(((levels[0] + 1) / 2).clamp(0, 1), size=(SIZES[-1],) * 2, mode="bilinear", align_corners=False)
    without = train.frechet_distance(judge.features(smooth), judge.features(learned[: options.drawn]))
    if options.plot:
        draw(levels, learned, judge, histories, options.out / "lapgan_emoji.png")
    print(f"Frechet distance {distance:.1f}, of the smallest level enlarged {without:.1f}")


def draw(levels, learned, judge, histories, path: Path) -> None:
    """A dozen emoji at each level; more of the last; the nearest real ones, which tell drawing from learning by heart; curves."""
    figure = pyplot().figure(figsize=(16, 9), layout="constrained")
    figure.suptitle("LAPGAN: each level adds detail to the one before")
    left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1])
    rows = left.subplots(5, 1, height_ratios=[1, 1, 1, 1, 4])
    for axis, pictures in zip(rows, levels, strict=False):
        draw_grid(axis, F.interpolate(pictures[:12], size=(SIZES[-1],) * 2, mode="nearest"), 12, f"{pictures.shape[-1]}x{pictures.shape[-1]}")
    known = judge.features(learned)
    nearest = minigrad.cdist(judge.features(((levels[-1][:12] + 1) / 2).clamp(0, 1)), known).argmin(1)
    draw_grid(rows[3], 2 * learned[nearest] - 1, 12, "the nearest real emoji")
    draw_grid(rows[4], levels[-1][12:60], 12, "more")
    axes = right.subplots(len(SIZES), 3)
    for row, history, size in zip(axes, histories, SIZES, strict=True):
        draw_curves(row, history)
        row[0].set_ylabel(f"{size}x{size}")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
