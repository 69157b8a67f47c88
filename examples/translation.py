"""What the examples that turn one picture into another share: a training by distance alone, then the game, and a table of pictures.

P. Isola et al., Image-to-image translation with conditional adversarial networks, arXiv:1611.07004.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from adversarial import draw_curves, draw_grid, play, players_of
from common import Parser, at_least_one, checkpoint, positive, pyplot, save_figure

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.optim import Adam
from minigrad.optim.lr_scheduler import CosineAnnealingLR


def options_of_the_game(parser: Parser, rounds: int, distance: float) -> None:
    parser.add_argument("--steps", type=at_least_one, default=40, metavar="N", help="batches an epoch")
    parser.add_argument("--rounds", type=at_least_one, default=rounds, metavar="N", help="epochs of the game, after those of the distance alone")
    parser.add_argument("--game-lr", type=positive, default=2e-4, metavar="RATE", help="learning rate of both players")
    parser.add_argument("--distance", type=positive, default=distance, metavar="WEIGHT", help="of the distance from the true picture beside the game")


def learn(
    name: str, make: Callable[[], models.Players], batches: Iterable[tuple[minigrad.Tensor, minigrad.Tensor]], options: argparse.Namespace
) -> tuple[nn.Module, nn.Module, list[float], dict[str, list[float]]]:
    """Teaches the generator from batches (input, true picture): by distance alone, then against the discriminator.

    Returns the generator after each, the losses of the first training, and the history of the game. The discriminator sees a picture and
    the input that it was made of.
    """
    pair, spare = make(), make()
    optimizer = Adam(pair.generator.parameters(), lr=options.lr)
    history = train.fit(
        pair.generator, batches, F.l1_loss, optimizer, epochs=options.epochs, scheduler=CosineAnnealingLR(optimizer, options.epochs),
        checkpoint=checkpoint(options, f"{name}_distance"), progress=not options.quiet,
    )  # fmt: skip
    plain = make().generator
    plain.load_state_dict(pair.generator.state_dict())
    game = players_of(
        pair, options.game_lr, None, spare.generator, further=lambda drawn, true, _: options.distance * F.l1_loss(drawn, true),
    )  # fmt: skip
    played = play(game, Turned(batches), options.rounds, checkpoint=checkpoint(options, f"{name}_game"), quiet=options.quiet)
    return plain.eval(), game.average.model, history["loss"], played


class Turned:
    """Batches (input, true picture) as the game wants them: samples first, then what they are made of."""

    def __init__(self, batches: Any) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Any:
        return ((true, given) for given, true in self.batches)


def answers(model: nn.Module, given: minigrad.Tensor) -> minigrad.Tensor:
    with minigrad.no_grad():
        return minigrad.cat([model(batch) for batch in given.split(64)]).clamp(0, 1)


def draw(columns: dict[str, minigrad.Tensor], losses: list[float], history: dict[str, list[float]], title: str, path: Path) -> None:
    """A column of pictures from 0 to 1 for each title, and the curves of both trainings."""
    figure = pyplot().figure(figsize=(2.1 * len(columns) + 4, 9.5), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subfigures(1, 2, width_ratios=[2.1 * len(columns), 4])
    for axis, (name, pictures) in zip(left.subplots(1, len(columns)), columns.items(), strict=True):
        draw_grid(axis, 2 * pictures - 1, 1, name)
    first, *others = right.subplots(4, 1)
    first.plot(range(1, len(losses) + 1), losses)
    first.set_title("distance, before the game", fontsize=10)
    first.set_xlabel("epoch")
    draw_curves(others, history)
    save_figure(figure, path)
