"""How adversarial training fails, and what helps: mode collapse, divergence, and a discriminator too strong to learn from.

    python examples/gan_failures.py --help

On a ring of eight Gaussians, where modes can be counted, and for the last failure on digits too. Each failure is provoked, measured and
shown beside its remedy. M. Arjovsky and L. Bottou, Towards principled methods for training generative adversarial networks, arXiv:1701.04862.
"""

from __future__ import annotations

import argparse
import math

from common import DATA, Parser, at_least_one, pyplot, save_figure
from mnist import read_digits

import minigrad
from minigrad import models, train
from minigrad.optim import SGD, Adam

LATENT, HIDDEN, BATCH = 8, 64, 128
MODES = minigrad.stack([minigrad.tensor([math.cos(i * math.pi / 4), math.sin(i * math.pi / 4)]) for i in range(8)]) * 0.7
SPREAD = 0.02


def ring(count: int) -> minigrad.Tensor:
    """Points around the eight modes."""
    return MODES[minigrad.randint(0, 8, (count,))] + SPREAD * minigrad.randn(count, 2)


def noise(count: int) -> minigrad.Tensor:
    return minigrad.randn(count, LATENT)


def play(options: argparse.Namespace, title: str, turns: int, k: int, lr: tuple[float, float], **more: object) -> tuple[minigrad.Tensor, dict]:
    """Plays on the ring; returns drawn points and the numbers of every turn."""
    from tqdm import tqdm

    minigrad.manual_seed(options.seed)
    pair = models.gan_mlp((2,), LATENT, HIDDEN)
    optimizers = [Adam(player.parameters(), lr=rate, betas=(0.5, 0.9)) for player, rate in zip(pair, lr, strict=True)]
    game = train.Game(*pair, *optimizers, noise=noise, **more)
    history: dict[str, list[float]] = {}
    for _ in tqdm(range(turns), desc=title, unit="turn", disable=options.quiet):
        for name, value in game.play([ring(BATCH) for _ in range(k)]).items():
            history.setdefault(name, []).append(value)
    with minigrad.no_grad():
        return pair.generator(noise(1000)), history


def vanishing(options: argparse.Namespace, data, pair: models.Players, steps: int) -> dict[str, list[float]]:
    """The length of the generator's gradient for each loss while only the discriminator learns.

    The critic of Wasserstein's loss learns beside it, with its penalty; all see the same generator, which never moves.
    """
    from tqdm import tqdm

    still = SGD(pair.generator.parameters(), lr=0.0)
    critic = models.gan_mlp(data(1).shape[1:], LATENT, HIDDEN).discriminator
    games = {
        "minimax": (pair.discriminator, {"loss": "minimax"}),
        "non-saturating": (pair.discriminator, {"loss": "non-saturating"}),
        "wasserstein": (critic, {"loss": "wasserstein", "penalty": 10.0}),
    }
    stuck = {player: SGD(player.parameters(), lr=0.0) for player in (pair.discriminator, critic)}
    moving = {player: Adam(player.parameters(), lr=1e-3) for player in (pair.discriminator, critic)}
    lengths: dict[str, list[float]] = {name: [] for name in games}
    for _ in tqdm(range(steps), desc="discriminator alone", unit="step", disable=options.quiet):
        for name, (player, more) in games.items():
            # Minimax and non-saturating have one discriminator: it learns once a step.
            optimizer = stuck[player] if name == "non-saturating" else moving[player]
            numbers = train.Game(pair.generator, player, still, optimizer, noise, **more).play([data(BATCH)])
            lengths[name].append(numbers["generator gradient"])
    return lengths


def main() -> None:
    parser = Parser("Provokes three failures of adversarial training, measures them, and shows their remedies.")
    parser.add_argument("--turns", type=at_least_one, default=1500, metavar="N", help="of each game on the ring")
    parser.add_argument("--steps", type=at_least_one, default=300, metavar="N", help="of the discriminator that learns alone")
    options = parser.options(minigrad)

    def covered(points: minigrad.Tensor) -> int:
        return train.modes_covered(points, MODES, radius=5 * SPREAD, at_least=20)[0]

    collapsed, _ = play(options, "mode collapse", options.turns, 1, (5e-3, 1e-3), loss="minimax")
    spread_out, _ = play(options, "its remedy", options.turns, 3, (1e-3, 1e-3), loss="wasserstein", penalty=1.0)
    print(f"mode collapse: {covered(collapsed)} of 8 modes covered; with a gradient penalty {covered(spread_out)}")

    _, free = play(options, "divergence", options.turns // 3, 3, (1e-3, 1e-3), loss="wasserstein")
    _, kept = play(options, "its remedy", options.turns // 3, 3, (1e-3, 1e-3), loss="wasserstein", penalty=1.0)
    sizes = [max(abs(value) for value in history["discriminator loss"][-20:]) for history in (free, kept)]
    print(f"divergence: Wasserstein's loss without a penalty reaches {sizes[0]:.3g}; with it {sizes[1]:.3g}")

    minigrad.manual_seed(options.seed)
    digits = 2 * read_digits(DATA / "mnist5k.npz")[0].tensors[0] - 1
    lengths = {
        "ring": vanishing(options, ring, models.gan_mlp((2,), LATENT, HIDDEN), options.steps),
        "digits": vanishing(
            options, lambda n: digits[minigrad.randint(0, len(digits), (n,))], models.gan_mlp((1, 28, 28), LATENT, HIDDEN), options.steps
        ),
    }
    for name, curves in lengths.items():
        ends = ", ".join(f"{loss} {values[-1]:.2g}" for loss, values in curves.items())
        print(f"a too strong discriminator, {name}: the generator's gradient after {options.steps} steps has the length {ends}")

    if options.plot:
        figure, axes = pyplot().subplots(2, 3, figsize=(14, 8.5), layout="constrained")
        figure.suptitle("Three failures of adversarial training and their remedies")
        for axis, points, title in (
            (axes[0, 0], collapsed, f"mode collapse: minimax, a fast generator\n{covered(collapsed)} of 8 modes"),
            (axes[1, 0], spread_out, f"remedy: Wasserstein with gradient penalty\n{covered(spread_out)} of 8 modes"),
        ):
            axis.scatter(*ring(500).numpy().T, s=4, color="lightgray", label="data")
            axis.scatter(*points.numpy().T, s=4, color="tab:red", label="drawn")
            axis.set(title=title, xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
            axis.legend(loc="upper right", fontsize=8)
        for axis, history, title in ((axes[0, 1], free, "divergence: Wasserstein without penalty"), (axes[1, 1], kept, "remedy: with penalty")):
            axis.plot(history["discriminator loss"], label="discriminator")
            axis.plot(history["generator loss"], label="generator")
            axis.set(title=title, xlabel="turn", ylabel="loss")
            axis.legend(fontsize=8)
        for axis, (name, curves) in zip(axes[:, 2], lengths.items(), strict=True):
            for loss in curves:
                axis.plot(curves[loss], label=loss)
            axis.set(title=f"a too strong discriminator, {name}", xlabel="steps of the discriminator alone", ylabel="length of the generator's gradient")
            axis.set_yscale("log")
            axis.legend(fontsize=8)
        save_figure(figure, options.out / "gan_failures.png")
    ratio = lengths["ring"]["non-saturating"][-1] / max(lengths["ring"]["minimax"][-1], 1e-30)
    print(f"modes {covered(collapsed)} -> {covered(spread_out)}, loss {sizes[0]:.3g} -> {sizes[1]:.3g}, gradient {ratio:.2g} times as long")


if __name__ == "__main__":
    main()
