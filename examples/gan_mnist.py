"""Draws handwritten digits: a generator against a discriminator, with the algorithm and the losses of the lecture.

    python examples/gan_mnist.py --help
    python examples/gan_mnist.py --conditional      # digits on demand
    python examples/gan_mnist.py --loss wasserstein --penalty 10 --k 3

A classifier that was trained on real digits judges what is drawn. With --conditional the discriminator also learns that real digits with the
labels of others are wrong: S. Reed et al., arXiv:1605.05396.
"""

from __future__ import annotations

from adversarial import digits_judge, draw_curves, draw_grid, play, players_of
from common import Parser, at_least_one, at_least_zero, checkpoint, fail, probability, pyplot, save_figure
from mnist import read_digits

import minigrad
from minigrad import models, nn, train
from minigrad.data import DataLoader, TensorDataset
from minigrad.train.adversarial import LOSSES, losses

DRAWN = 1000  # digits that are judged


def main() -> None:
    parser = Parser("Trains a GAN on handwritten digits and judges what it draws.")
    parser.add_argument("--loss", choices=sorted(LOSSES), default="non-saturating", help="of both players")
    parser.add_argument("--k", type=at_least_one, default=1, metavar="N", help="steps of the discriminator for one of the generator")
    parser.add_argument("--penalty", type=at_least_zero, default=0.0, metavar="WEIGHT", help="of the gradient penalty, 10 for WGAN-GP")
    parser.add_argument("--label-smoothing", type=probability, default=0.0, metavar="S", help="real digits are labelled 1 - S")
    parser.add_argument("--spectral-norm", action="store_true", help="keeps the discriminator's layers Lipschitz")
    parser.add_argument("--conditional", action="store_true", help="both players are told the digit")
    parser.add_argument("--fully-connected", action="store_true", help="players without convolutions, as in the first paper")
    parser.training(epochs=25, lr=5e-4, batch_size=64, width=24, full={"width": 64, "epochs": 100})
    parser.add_argument("--train-size", type=at_least_one, default=4000, metavar="N", help="digits to learn from")
    parser.data("mnist5k.npz", "the digits")
    options = parser.options(minigrad)
    if options.conditional and options.fully_connected:
        fail("--conditional is for convolutional players; leave out --fully-connected")
    try:
        loss = losses(options.loss, options.label_smoothing)
    except ValueError as error:
        fail(f"argument --label-smoothing: {error}")
    digits, test_images, test_labels = read_digits(options.data)
    images, labels = (tensor[: options.train_size] for tensor in digits.tensors)
    if len(images) < options.train_size:
        fail(f"argument --train-size: there are {len(images)} digits to train on, not {options.train_size}")
    if len(images) < options.k * options.batch_size:
        fail(f"argument --batch-size: a turn takes {options.k * options.batch_size} digits, but there are {len(images)}")

    judge = digits_judge(images, labels, options.quiet, epochs=10, distorted=True)
    recognised = float((judge.labels(test_images) == test_labels).float().mean())
    print(f"the judge recognises {recognised:.3f} of the real test digits")

    latent, classes = 64, 10 * options.conditional
    pair, spare = (
        models.gan_mlp((1, 28, 28), latent) if options.fully_connected
        else models.dcgan(1, 28, latent, options.width, classes=classes, batch_norm=not options.penalty)
        for _ in range(2)
    )  # fmt: skip
    if options.spectral_norm:
        for module in pair.discriminator.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.utils.spectral_norm(module)
    game = players_of(pair, options.lr, lambda n: minigrad.randn(n, latent), spare.generator, loss=loss, penalty=options.penalty, mismatched=options.conditional)
    parts = (2 * images - 1, labels) if options.conditional else (2 * images - 1,)
    loader = DataLoader(TensorDataset(*parts), batch_size=options.batch_size, shuffle=True, drop_last=True)
    history = play(game, loader, options.epochs, options.k, checkpoint(options, "gan_mnist"), options.quiet)

    minigrad.manual_seed(options.seed)
    asked = minigrad.arange(DRAWN) % 10
    generator = game.average.model
    with minigrad.no_grad():
        drawn = minigrad.cat([
            generator(minigrad.randn(len(part), latent), *([part] if options.conditional else [])) for part in asked.split(250)
        ])  # fmt: skip
    seen = judge.labels((drawn + 1) / 2)
    features, real = judge.features((drawn + 1) / 2), judge.features(test_images)
    precision, recall = train.precision_recall(features, real)
    distance, floor = train.frechet_distance(features, real), train.frechet_distance(judge.features(images[:DRAWN]), real)
    counts = seen.bincount(minlength=10)
    print(f"Frechet distance to the test digits {distance:.1f} ({floor:.1f} for other real digits), precision {precision:.3f}, recall {recall:.3f}")
    print(f"drawn digits the judge sees of each kind: {' '.join(str(int(count)) for count in counts)}")
    if options.plot:
        figure = pyplot().figure(figsize=(13, 7), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
        title = "asked for 0 to 9, a column each" if options.conditional else f"drawn after {options.epochs} epochs"
        draw_grid(left.subplots(), drawn[:100], 10, title)
        draw_curves(right.subplots(3, 1), history)
        save_figure(figure, options.out / "gan_mnist.png")
    if options.conditional:
        print(f"recognised of the digits asked for {float((seen == asked).float().mean()):.3f}")
    else:
        print(f"Frechet distance {distance:.1f} with {int((counts > 0).sum())} of 10 digits")


if __name__ == "__main__":
    main()
