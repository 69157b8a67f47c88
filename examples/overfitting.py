"""What overfitting looks like, and what dropout does against it: a network learns a few handwritten digits by heart.

    python examples/overfitting.py --help

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).
"""

from __future__ import annotations

from pathlib import Path

from common import Parser, at_least_one, fail, probability, pyplot, save_figure
from mnist import fully_connected, read_digits

import minigrad
import minigrad.nn.functional as F
from minigrad.data import DataLoader, TensorDataset
from minigrad.optim import Adam
from minigrad.train import accuracy, fit


def learn(dropout: float, few: TensorDataset, test: TensorDataset, options) -> dict[str, list[float]]:
    """The history of a fully connected network's training."""
    minigrad.manual_seed(options.seed)
    model = fully_connected(dropout)
    return fit(
        model,
        DataLoader(few, batch_size=50, shuffle=True),
        F.cross_entropy,
        Adam(model.parameters(), lr=options.lr),
        epochs=options.epochs,
        validation=DataLoader(test, batch_size=250),
        metrics={"accuracy": accuracy},
        progress=not options.quiet,
    )


def draw(curves: dict[float, dict[str, list[float]]], digits: int, path: Path) -> None:
    figure, axes = pyplot().subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    figure.suptitle(f"Overfitting: {digits} digits, a fully connected network 784-300-100-10")
    for name, axis in zip(("loss", "accuracy"), axes, strict=True):
        for (dropout, history), colour in zip(curves.items(), ("tab:red", "tab:blue"), strict=True):
            epochs = range(1, len(history[name]) + 1)
            axis.plot(epochs, history[name], color=colour, linestyle=":", label=f"training, dropout {dropout:g}")
            axis.plot(epochs, history[f"validation {name}"], color=colour, label=f"test, dropout {dropout:g}")
        axis.set_xlabel("epoch")
        axis.set_ylabel(name)
        axis.legend()
    axes[0].set_ylim(0, 1)
    axes[1].set_ylim(0.7, 1.005)
    save_figure(figure, path)


def main() -> None:
    parser = Parser("Trains a fully connected network on few digits, without dropout and with it, and draws both curves of loss.")
    parser.add_argument("--digits", type=at_least_one, default=500, metavar="N", help="so many to train on")
    parser.add_argument("--dropout", type=probability, default=0.5, metavar="P", help="the probability that a unit is left out")
    parser.training(epochs=60, lr=1e-3, resume=False)
    parser.data("mnist5k.npz", "the digits")
    options = parser.options(minigrad)
    if not options.dropout:
        fail("argument --dropout: should be above 0, it is compared with 0")

    digits, *test = read_digits(options.data)
    if options.digits > len(digits):
        fail(f"argument --digits: there are {len(digits)} digits to train on, not {options.digits}")
    few = TensorDataset(*digits[: options.digits])
    curves = {}
    for dropout in (0.0, options.dropout):
        curves[dropout] = history = learn(dropout, few, TensorDataset(*test), options)
        print(
            f"dropout {dropout:g}: after {options.epochs} epochs the loss is {history['loss'][-1]:.3f} in training and "
            f"{history['validation loss'][-1]:.3f} in the test, where it was {min(history['validation loss']):.3f} at best; "
            f"test accuracy {history['validation accuracy'][-1]:.3f}"
        )
    if options.plot:
        draw(curves, options.digits, options.out / "overfitting.png")
    plain, dropped = (history["validation loss"][-1] for history in curves.values())
    print(f"dropout changes the test loss from {plain:.3f} to {dropped:.3f}")


if __name__ == "__main__":
    main()
