"""Whether networks converge the same with convolutions in the precision "high", by Winograd's algorithm too, as in "highest", by direct sums.

    python -m bench.convergence [--quick] [--only TEXT] [--json FILE] [--picture FILE]

Each network learns in both from the same weights and the same batches, and in "highest" from other seeds too. Rounding is amplified step by
step until two runs go their own ways, as runs of two seeds do from the start; so what lies between seeds is the yardstick. The two precisions
converge the same if their curves lie no further apart than those of the two seeds that differ most: over all epochs, and at the end.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __name__ == "__main__":  # the installed minigrad, and the source tree only where it is all there is
    sys.path.append(sys.path.pop(0))

import minigrad
import minigrad.nn.functional as F
from minigrad import Tensor, models, nn, train
from minigrad.backends.cpu import explain_conv, get_cpu_capability
from minigrad.data import augment
from minigrad.optim import SGD, Adam, Optimizer
from minigrad.optim.lr_scheduler import CosineAnnealingLR

from .networks import resnet18

DATA = Path(__file__).parents[1] / "examples" / "data"
PATCH, MARGIN = 64, 16  # pixels of a picture of nuclei, and those around it that an affine map needs


class Task(NamedTuple):
    """A network, and what it is to learn."""

    name: str
    score: str  # what `measure` says of pictures that were held out
    model: Callable[[], nn.Module]
    batch: Callable[[], tuple[Tensor, Tensor]]  # drawn at random
    held_out: list[tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    measure: Callable[[Tensor, Tensor], float]
    optimizer: Callable[[Any], Optimizer]  # of parameters


class Run(NamedTuple):
    """The curves of one training: a number for each epoch."""

    precision: str
    seed: int
    loss: list[float]
    score: list[float]


class Verdict(NamedTuple):
    """How far apart curves lie: by precision, and at most by seed."""

    curve: str
    part: str
    by_precision: float
    by_seed: float

    @property
    def agree(self) -> bool:
        return self.by_precision <= self.by_seed


class Drawn:
    """So many batches an epoch, each drawn anew."""

    def __init__(self, draw: Callable[[], tuple[Tensor, Tensor]], count: int) -> None:
        self.draw, self.count = draw, count

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(self.count):
            yield self.draw()


def emoji(width: int) -> Task:
    """ResNet-18 as for CIFAR, which sorts emoji on white, 3x32x32, into their eight categories; every fifth is held out."""
    with np.load(DATA / "emoji32.npz", allow_pickle=False) as file:
        pictures = minigrad.tensor(file["images"]).permute(0, 3, 1, 2).float() / 255
        labels = minigrad.tensor(np.unique(file["categories"], return_inverse=True)[1])
    pictures = pictures[:, :3] * pictures[:, 3:] + 1 - pictures[:, 3:]
    held = minigrad.arange(len(labels)) % 5 == 0
    learned, right = pictures[~held], labels[~held]
    change = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomAffine(20, translate=(0.1, 0.1), fill=1.0)])

    def batch() -> tuple[Tensor, Tensor]:
        chosen = minigrad.randint(0, len(right), (64,))
        return change(learned[chosen]), right[chosen]

    tested = list(zip(pictures[held].split(128), labels[held].split(128), strict=True))
    return Task(
        f"resnet18/{width} on emoji", "accuracy", lambda: resnet18(minigrad, width), batch, tested, F.cross_entropy, train.accuracy,
        lambda parameters: SGD(parameters, lr=0.02, momentum=0.9, weight_decay=5e-4),
    )  # fmt: skip


def nuclei(width: int) -> Task:
    """U-Net, which learns where nuclei are on patches of the left half of a microscope's picture; the right half is held out."""
    with np.load(DATA / "nuclei.npz", allow_pickle=False) as file:
        picture = minigrad.tensor(file["image"]).float() / 255
        mask = minigrad.tensor((file["instances"] > 0).astype(np.float32))
    left, right = zip(*(part.reshape(1, 1, *part.shape).split(part.shape[1] // 2, 3) for part in (picture, mask)), strict=True)
    change = augment.Compose([
        augment.RandomCrop(PATCH + 2 * MARGIN),
        augment.RandomHorizontalFlip(),
        augment.RandomAffine(180, scale=(0.8, 1.25), shear=10, padding_mode="reflection"),
        augment.CenterCrop(PATCH),
    ])  # fmt: skip
    return Task(
        f"unet/{width} on nuclei", "Dice", lambda: models.unet(1, 1, width=width, depth=3), lambda: change(*(half.expand(8, -1, -1, -1) for half in left)), [right],
        lambda logits, mask: F.binary_cross_entropy_with_logits(logits, mask) + train.dice_loss(logits, mask),
        lambda logits, mask: train.dice(logits > 0, mask), lambda parameters: Adam(parameters, lr=3e-3),
    )  # fmt: skip


def trained(task: Task, precision: str, seed: int, epochs: int, steps: int) -> Run:
    """One training; weights and batches are what the seed makes them."""
    minigrad.set_conv_precision(precision)
    minigrad.manual_seed(seed)
    model = task.model()
    optimizer = task.optimizer(model.parameters())
    history = train.fit(
        model, Drawn(task.batch, steps), task.loss, optimizer, epochs=epochs, scheduler=CosineAnnealingLR(optimizer, epochs),
        validation=task.held_out, metrics={task.score: task.measure}, progress=False,
    )  # fmt: skip
    return Run(precision, seed, history["loss"], history[f"validation {task.score}"])


def by_winograd(task: Task) -> tuple[int, int]:
    """Of the passes of a training step's convolutions those that "high" computes by Winograd's algorithm, and all."""
    passes: list[bool] = []

    def note(module: Any, inputs: tuple[Tensor, ...], out: Tensor) -> None:
        choices = explain_conv(tuple(inputs[0].shape), tuple(module.weight.shape), module.stride, module.padding)
        passes.extend(any("Winograd" in choice.algorithm for choice in choices if choice.of == of) for of in ("forward", "input", "weight"))

    minigrad.set_conv_precision("high")
    model = task.model()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    with minigrad.no_grad():
        model(task.batch()[0])
    return sum(passes), len(passes)


def apart(a: list[float], b: list[float]) -> float:
    """The root of the mean square of the differences."""
    return float(np.sqrt(np.mean(np.square(np.subtract(a, b)))))


def judged(task: Task, high: Run, highest: list[Run]) -> list[Verdict]:
    """high began as the first of those in "highest" did. Raises RuntimeError if it ended so too, to the bit."""
    if (high.loss, high.score) == (highest[0].loss, highest[0].score):
        raise RuntimeError(f'{task.name}: "high" rounds as "highest" does, so that nothing is compared')
    found = []
    for curve, of in (("training loss", lambda run: run.loss), (f"held-out {task.score}", lambda run: run.score)):
        for part, first in (("all epochs", 0), ("last third", len(high.loss) * 2 // 3)):
            seeds = [apart(of(a)[first:], of(b)[first:]) for a, b in combinations(highest, 2)]
            found.append(Verdict(curve, part, apart(of(high)[first:], of(highest[0])[first:]), max(seeds)))
    return found


def report(task: Task, winograd: tuple[int, int], high: Run, highest: list[Run], verdicts: list[Verdict]) -> None:
    """Prints the curves side by side, and what they are judged by."""
    print(f'{task.name}; "high" computes {winograd[0]} of {winograd[1]} passes of convolutions by Winograd\'s algorithm')
    print(f"{'':5} {'training loss':^37}   {'held-out ' + task.score:^37}")
    print("epoch" + f" {'highest':>9} {'high':>9} {'other seeds':>17}  " * 2)
    for epoch in range(len(high.loss)):
        line = f"{epoch + 1:5}"
        for curves in ([run.loss for run in (*highest, high)], [run.score for run in (*highest, high)]):
            first, *others, last = [curve[epoch] for curve in curves]
            line += f" {first:9.4f} {last:9.4f} {min(others):8.4f}-{max(others):<8.4f}  "
        print(line.rstrip())
    print(f"{'apart':34} {'by precision':>12} {'by seed, at most':>17}")
    for v in verdicts:
        print(f"{v.curve + ', ' + v.part:34} {v.by_precision:12.2g} {v.by_seed:17.2g}  {'within' if v.agree else 'BEYOND'}", flush=True)


def draw(path: Path, results: list[tuple[Task, Run, list[Run]]]) -> None:
    """The curves as a picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, grid = plt.subplots(len(results), 2, figsize=(10, 3.4 * len(results)), layout="constrained", squeeze=False)
    for axes, (task, high, highest) in zip(grid, results, strict=True):
        for axis, title, of in zip(axes, ("training loss", f"held-out {task.score}"), (lambda run: run.loss, lambda run: run.score), strict=True):
            epochs = range(1, len(high.loss) + 1)
            for i, other in enumerate(highest[1:]):
                axis.plot(epochs, of(other), color="silver", label="highest, other seeds" if i == 0 else None)
            axis.plot(epochs, of(highest[0]), color="tab:blue", label="highest")
            axis.plot(epochs, of(high), "--", color="tab:orange", label="high")
            axis.set(title=f"{task.name}: {title}", xlabel="epoch")
            axis.legend()
    figure.savefig(path, dpi=110)


def parse() -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.convergence",
        description='Trains a ResNet and a U-Net in the precisions "high" and "highest" and compares the curves. '
        "Exit status: 0 if they lie no further apart than those of two seeds, 1 if they do, 2 if nothing was compared.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="less of everything that is not named: 4 epochs of 6 steps, 3 seeds")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the network whose name contains this")
    parser.add_argument("--epochs", type=int, metavar="N", help="of each training (default: 12)")
    parser.add_argument("--steps", type=int, metavar="N", help="batches an epoch (default: 20)")
    parser.add_argument("--seeds", type=int, metavar="N", help='trainings in "highest", at least 3, the first of which "high" repeats (default: 4)')
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all curves there")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw them there (matplotlib)")
    options = parser.parse_args()
    for name, least, usual, quick in (("epochs", 1, 12, 4), ("steps", 1, 20, 6), ("seeds", 3, 4, 3)):
        if getattr(options, name) is None:
            setattr(options, name, quick if options.quick else usual)
        elif getattr(options, name) < least:
            parser.error(f"--{name} should be at least {least}, but is {getattr(options, name)}")
    return options


def main() -> int:
    """Trains, prints, judges; returns the exit status."""
    options = parse()
    results, written, agree = [], [], True
    for make in (emoji, nuclei):
        task = make(16)
        if options.only not in task.name:
            continue
        high, *highest = [
            trained(task, precision, seed, options.epochs, options.steps)
            for precision, seed in (("high", 0), *(("highest", seed) for seed in range(options.seeds)))
        ]
        try:
            verdicts = judged(task, high, highest)
        except RuntimeError as error:
            print(f"bench.convergence: {error}", file=sys.stderr)
            return 2
        winograd = by_winograd(task)
        report(task, winograd, high, highest, verdicts)
        results.append((task, high, highest))
        agree = agree and all(v.agree for v in verdicts)
        written.append({
            "network": task.name, "score": task.score, "winograd": winograd,
            "runs": [run._asdict() for run in (high, *highest)], "verdicts": [{**v._asdict(), "agree": v.agree} for v in verdicts],
        })  # fmt: skip
    if not results:
        print("bench.convergence: no network has such a name", file=sys.stderr)
        return 2
    if options.json is not None:
        options.json.write_text(json.dumps({"isa": get_cpu_capability(), "agree": agree, "networks": written}, indent=1) + "\n", encoding="utf-8")
    if options.picture is not None:
        draw(options.picture, results)
    print(f'"high" {"converges as" if agree else "DOES NOT CONVERGE AS"} "highest" does')
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
