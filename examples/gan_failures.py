"""How adversarial training fails, and what helps: five failures of the lecture, each provoked, measured and shown.

    python examples/gan_failures.py --help

On a ring of eight Gaussians, where modes can be counted, and on handwritten digits:

1. Mode collapse: a generator that learns faster than its discriminator runs to one mode, and on to the next when that is found out.
2. Divergence: Wasserstein's loss without a bound on the discriminator's slope has no end. The remedy of both is a gradient penalty.
3. A too strong discriminator: the gradient of the minimax loss vanishes; those of the other losses do not.
4. Correlations that do not exist: the coordinates of the ring are not correlated, those of what a collapsed generator draws are.
5. Sensitivity: how many modes are covered with other learning rates.

M. Arjovsky and L. Bottou, Towards principled methods for training generative adversarial networks, arXiv:1701.04862.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from adversarial import Judge, digits_judge, draw_grid, play
from common import DATA, Batches, Parser, at_least_one, checkpoint, pyplot, save_figure
from mnist import read_digits

import minigrad
from minigrad import models, train
from minigrad.optim import SGD, Adam

BATCH = 128
MODES = minigrad.stack([minigrad.tensor([math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)]) for i in range(8)]) * 0.7
SPREAD = 0.02
DRAWN = 1000  # samples that are judged
AT_LEAST = 20  # of them make a mode covered
RATES = (1e-4, 1e-3, 1e-2)
PENALISED = {"loss": "wasserstein", "penalty": 1.0}


class Subject(NamedTuple):
    """What is learned: gives so many samples, and says how many modes samples cover."""

    name: str
    data: Callable[[int], minigrad.Tensor]
    covered: Callable[[minigrad.Tensor], int]
    modes: int
    latent: int
    hidden: int

    def players(self) -> models.Players:
        return models.gan_mlp(tuple(self.data(1).shape[1:]), self.latent, self.hidden)

    def noise(self, count: int) -> minigrad.Tensor:
        return minigrad.randn(count, self.latent)


def ring(count: int) -> minigrad.Tensor:
    """Points around the eight modes."""
    return MODES[minigrad.randint(0, 8, (count,))] + SPREAD * minigrad.randn(count, 2)


def on_ring(points: minigrad.Tensor) -> int:
    return train.modes_covered(points, MODES, radius=5 * SPREAD, at_least=AT_LEAST)[0]


def subjects(options: argparse.Namespace) -> tuple[Subject, Subject]:
    digits, *_ = read_digits(DATA / "mnist5k.npz")
    images, labels = digits.tensors
    judge: Judge = digits_judge(images, labels, options.quiet, epochs=3)
    images = 2 * images - 1

    def digits_seen(drawn: minigrad.Tensor) -> int:
        return int((judge.labels((drawn + 1) / 2).bincount(minlength=10) >= AT_LEAST).sum())

    return (
        Subject("ring", ring, on_ring, 8, latent=8, hidden=64),
        Subject("digits", lambda count: images[minigrad.randint(0, len(images), (count,))], digits_seen, 10, latent=32, hidden=128),
    )


def game_of(
    options: argparse.Namespace, subject: Subject, title: str, epochs: int, k: int, rates: tuple[float, float], **more: object
) -> tuple[minigrad.Tensor, dict[str, list[float]]]:
    """Plays a game with these learning rates of generator and discriminator.

    Returns what the generator draws in the end, the numbers of every turn, and after each epoch how many modes are covered and the mean of
    the first two numbers of what is drawn.
    """
    minigrad.manual_seed(options.seed)
    pair = subject.players()
    optimizers = [Adam(player.parameters(), lr=rate, betas=(0.5, 0.9)) for player, rate in zip(pair, rates, strict=True)]
    game = train.Game(*pair, *optimizers, noise=subject.noise, **more)

    def drawn() -> minigrad.Tensor:
        with minigrad.no_grad():
            return pair.generator(subject.noise(DRAWN))

    def measured() -> dict[str, float]:
        samples = drawn()
        x, y = samples.flatten(1).mean(0)[:2].tolist()
        return {"modes": subject.covered(samples), "x": x, "y": y}

    path = checkpoint(options, f"gan_failures_{subject.name}_{title}".replace(",", "").replace(" ", "_"))
    batches = Batches(lambda: subject.data(BATCH), k * options.turns)
    history = play(game, batches, epochs, k, path, options.quiet, f"{subject.name}, {title}, ", every_turn=True, after=measured)
    return drawn(), history


def vanishing(options: argparse.Namespace, subject: Subject) -> dict[str, list[float]]:
    """The length of the generator's gradient for each loss while only the discriminator learns.

    The critic of Wasserstein's loss learns beside it, with its penalty; all see the same generator, which never moves.
    """
    from tqdm import tqdm

    minigrad.manual_seed(options.seed)
    pair, critic = subject.players(), subject.players().discriminator
    still = SGD(pair.generator.parameters(), lr=0.0)
    games = {
        "minimax": (pair.discriminator, {"loss": "minimax"}),
        "non-saturating": (pair.discriminator, {"loss": "non-saturating"}),
        "wasserstein": (critic, {"loss": "wasserstein", "penalty": 10.0}),
    }
    stuck = {player: SGD(player.parameters(), lr=0.0) for player in (pair.discriminator, critic)}
    moving = {player: Adam(player.parameters(), lr=1e-3) for player in (pair.discriminator, critic)}
    lengths: dict[str, list[float]] = {name: [] for name in games}
    for _ in tqdm(range(options.steps), desc=f"{subject.name}, discriminator alone", unit="step", disable=options.quiet):
        batch = subject.data(BATCH)
        for name, (player, more) in games.items():
            # Minimax and non-saturating have one discriminator: it learns once a step.
            optimizer = stuck[player] if name == "non-saturating" else moving[player]
            numbers = train.Game(pair.generator, player, still, optimizer, subject.noise, **more).play([batch])
            lengths[name].append(numbers["generator gradient"])
    return lengths


def correlation(points: minigrad.Tensor) -> float:
    return float(np.corrcoef(points.numpy().T)[0, 1])


def main() -> None:
    parser = Parser("Provokes five failures of adversarial training, measures them, and shows what helps.")
    parser.training(epochs=15, passes="times --turns, of each game", full={"epochs": 60, "steps": 2000})
    parser.add_argument("--turns", type=at_least_one, default=100, metavar="N", help="turns an epoch")
    parser.add_argument("--steps", type=at_least_one, default=300, metavar="N", help="of the discriminator that learns alone")
    options = parser.options(minigrad)
    both = subjects(options)
    third = max(1, options.epochs // 3)

    collapse, divergence, lengths = {}, {}, {}
    for subject in both:
        (failed, numbers), (mended, better) = collapse[subject.name] = (
            game_of(options, subject, "mode collapse", options.epochs, 1, (5e-3, 1e-3), loss="non-saturating"),
            game_of(options, subject, "its remedy", options.epochs, 3, (1e-3, 1e-3), **PENALISED),
        )
        counts = f"{max(numbers['modes']):.0f} of {subject.modes}"
        print(f"mode collapse, {subject.name}: at most {counts} modes are covered at a time; with a gradient penalty {better['modes'][-1]:.0f}", flush=True)
        if subject.name == "ring":
            print(
                f"correlations that do not exist: {correlation(failed):.2f} between the coordinates of what is drawn,"
                f" with a gradient penalty {correlation(mended):.2f}, of the data {correlation(ring(10000)):.2f}"
            )

        divergence[subject.name] = (
            game_of(options, subject, "divergence", third, 3, (1e-3, 1e-3), loss="wasserstein")[1],
            game_of(options, subject, "divergence remedied", third, 3, (1e-3, 1e-3), **PENALISED)[1],
        )
        sizes = [largest(history) for history in divergence[subject.name]]
        print(f"divergence, {subject.name}: Wasserstein's loss without a penalty reaches {sizes[0]:.3g}; with it {sizes[1]:.3g}", flush=True)

        lengths[subject.name] = vanishing(options, subject)
        ends = ", ".join(f"{loss} {values[-1]:.2g}" for loss, values in lengths[subject.name].items())
        print(f"a too strong discriminator, {subject.name}: after {options.steps} steps the generator's gradient has the length {ends}", flush=True)

    grids = {}
    for name, k, more in (("non-saturating", 1, {"loss": "non-saturating"}), ("with a gradient penalty", 3, PENALISED)):
        grids[name] = [
            [game_of(options, both[0], f"{name}, {g:g} and {d:g}", third, k, (g, d), **more)[1]["modes"][-1] for d in RATES] for g in RATES
        ]
        print(f"sensitivity: with {len(RATES) ** 2} pairs of learning rates, {name}, from {np.min(grids[name]):.0f} to {np.max(grids[name]):.0f} of 8 modes are covered")

    if options.plot:
        draw(collapse, divergence, lengths, grids, options.out / "gan_failures.png")
    (_, numbers), (_, better) = collapse["ring"]
    sizes = [largest(history) for history in divergence["ring"]]
    ratio = lengths["ring"]["non-saturating"][-1] / max(lengths["ring"]["minimax"][-1], 1e-30)
    print(
        f"modes {max(numbers['modes']):.0f} -> {better['modes'][-1]:.0f}, loss {sizes[0]:.3g} -> {sizes[1]:.3g},"
        f" gradient {ratio:.2g} times as long"
    )


def largest(history: dict[str, list[float]]) -> float:
    """How large the discriminator's loss was in the second half of a game."""
    losses = history["discriminator loss"]
    return max(abs(value) for value in losses[len(losses) // 2 :])


def draw(collapse, divergence, lengths, grids, path: Path) -> None:
    """A row for mode collapse, one for divergence, one for the gradient that vanishes and for other learning rates."""
    figure, axes = pyplot().subplots(3, 4, figsize=(17, 13), layout="constrained")
    figure.suptitle("How adversarial training fails, and what helps")
    kinds = ("generator five times as fast", "remedy: Wasserstein with gradient penalty")
    for column, ((points, history), kind) in enumerate(zip(collapse["ring"], kinds, strict=True)):
        axis = axes[0, column]
        axis.scatter(*ring(500).numpy().T, s=4, color="lightgray", label="data")
        axis.scatter(*points.numpy().T, s=4, color="tab:red", label="drawn")
        if column == 0:
            axis.plot(history["x"], history["y"], "o-", color="tab:blue", lw=0.8, ms=3, label="centre after each epoch")
        counted = f"at most {max(history['modes']):.0f} of 8 modes at a time" if column == 0 else f"{history['modes'][-1]:.0f} of 8 modes"
        axis.set(title=f"{kind}\n{counted}, correlation {correlation(points):.2f}", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
        axis.legend(loc="upper right", fontsize=8)
    for axis, (pictures, history), kind in zip(axes[0, 2:], collapse["digits"], kinds, strict=True):
        draw_grid(axis, pictures[:64], 8, f"{kind}\n{history['modes'][-1]:.0f} of 10 digits")
    for axes_here, (name, games) in zip((axes[1, :2], axes[1, 2:]), divergence.items(), strict=True):
        for axis, history, title in zip(axes_here, games, ("divergence: Wasserstein without penalty", "remedy: with penalty"), strict=True):
            axis.plot(history["discriminator loss"], label="discriminator")
            axis.plot(history["generator loss"], label="generator")
            axis.set(title=f"{title}, {name}", xlabel="turn", ylabel="loss")
            axis.legend(fontsize=8)
    for axis, (name, curves) in zip(axes[2, :2], lengths.items(), strict=True):
        for loss in curves:
            axis.plot(curves[loss], label=loss)
        axis.set(title=f"a too strong discriminator, {name}", xlabel="steps of the discriminator alone", ylabel="length of the generator's gradient")
        axis.set_yscale("log")
        axis.legend(fontsize=8)
    for axis, (name, grid) in zip(axes[2, 2:], grids.items(), strict=True):
        axis.imshow(grid, vmin=0, vmax=8, cmap="viridis")
        for row, column in np.ndindex(len(RATES), len(RATES)):
            count = grid[row][column]
            axis.text(column, row, f"{count:.0f}", ha="center", va="center", color="black" if count > 4 else "white")
        ticks = {"ticks": range(len(RATES)), "labels": [f"{rate:g}" for rate in RATES]}
        axis.set_xticks(**ticks)
        axis.set_yticks(**ticks)
        axis.set(title=f"sensitivity: modes covered,\n{name}", xlabel="discriminator's learning rate", ylabel="generator's")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
