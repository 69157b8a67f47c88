"""The networks of the lectures side by side: layers, parameters, operations, memory, and the time of a training step.

    python examples/architectures.py --help
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from common import Parser, at_least_one, fail, pyplot, save_figure

import minigrad
import minigrad.nn.functional as F
from minigrad import inspect, models, nn

# What makes the network, and the size of the pictures that it was made for.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "LeNet-5": (models.lenet5, (1, 28, 28)),
    "AlexNet": (models.alexnet, (3, 224, 224)),
    "ZFNet": (models.zfnet, (3, 224, 224)),
    "VGG-16": (lambda: models.vgg16(init_weights=False), (3, 224, 224)),
    "GoogLeNet": (lambda: models.googlenet(aux_logits=False, init_weights=False), (3, 224, 224)),
    "Inception v3": (lambda: models.inception_v3(aux_logits=False, init_weights=False), (3, 299, 299)),
    "ResNet-18": (models.resnet18, (3, 224, 224)),
    "ResNet-50": (models.resnet50, (3, 224, 224)),
    "MobileNetV2": (models.mobilenet_v2, (3, 224, 224)),
    "U-Net": (lambda: models.unet(3, 1), (3, 256, 256)),
    "SegNet": (models.segnet, (3, 256, 256)),
}


def step_time(model: nn.Module, size: tuple[int, ...], repeats: int) -> float:
    """Seconds for one picture forward and backward, the median."""
    x = minigrad.rand(2, *size)  # batch norm wants two pictures
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        answer = model(x)
        answer = answer if isinstance(answer, minigrad.Tensor) else answer[0]
        F.mse_loss(answer, minigrad.zeros_like(answer)).backward()
        times.append((time.perf_counter() - start) / len(x))
        model.zero_grad()
    return statistics.median(times)


def draw(rows: list[tuple[str, inspect.Summary, float]], path: Path) -> None:
    figure, axes = pyplot().subplots(1, 4, figsize=(14, 0.45 * len(rows) + 1.6), sharey=True, layout="constrained")
    figure.suptitle("The networks of the lectures, one picture each")
    columns = {
        "parameters, millions": lambda s, _: s.params / 1e6,
        "multiply-adds forward, thousand millions": lambda s, _: s.macs / 1e9,
        "activations forward, MB": lambda s, _: s.activation_bytes / 2**20,
        "training step here, seconds": lambda _, t: t,
    }
    names = [name for name, *_ in rows]
    for axis, (title, value), colour in zip(axes, columns.items(), ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=True):
        values = [value(summary, seconds) for _, summary, seconds in rows]
        bars = axis.barh(names, values, color=colour)
        axis.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
        axis.set_title(title, fontsize=9)
        axis.margins(x=0.25)
    axes[0].invert_yaxis()
    save_figure(figure, path)


def main() -> None:
    parser = Parser("Compares the networks of the lectures: parameters, operations, memory and time.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these networks only, by parts of their names")
    parser.add_argument("--repeats", type=at_least_one, default=1, metavar="N", help="steps that are timed, of which the median is taken")
    parser.add_argument("--layers", action="store_true", help="print the layers of each network too")
    options = parser.options(minigrad)
    chosen = {name: of for name, of in NETWORKS.items() if not options.only or any(part.lower() in name.lower() for part in options.only)}
    if not chosen:
        fail(f"argument --only: none of {', '.join(NETWORKS)} has {' or '.join(options.only)} in its name")

    rows = []
    print(f"{'network':14}{'input':>12}{'layers':>8}{'parameters':>14}{'multiply-adds':>17}{'activations':>14}{'step':>10}")
    for name, (make, size) in chosen.items():
        model = make()
        summary = inspect.summary(model, size)
        if options.layers:
            print(summary)
        seconds = step_time(model, size, options.repeats)
        learned = sum(layer.params > 0 and layer.kind in ("Conv2d", "ConvTranspose2d", "Linear") for layer in summary.layers)
        shape = "x".join(map(str, size[::-1][:2])) + f"x{size[0]}"
        print(
            f"{name:14}{shape:>12}{learned:8}{summary.params:14,}{summary.macs:17,}"
            f"{summary.activation_bytes / 2**20:11.1f} MB{1e3 * seconds:7.0f} ms",
            flush=True,
        )
        rows.append((name, summary, seconds))
    if options.plot:
        draw(rows, options.out / "architectures.png")
    largest = max(rows, key=lambda row: row[1].params)
    print(f"{len(rows)} networks; the largest is {largest[0]} with {largest[1].params:,} parameters")


if __name__ == "__main__":
    main()
