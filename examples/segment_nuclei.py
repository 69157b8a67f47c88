"""Finds the nuclei of cells: U-Net, SegNet and FCN learn on one half of a microscopy picture and are tested on the other.

    python examples/segment_nuclei.py --help

Red is what a network drew, green what a person drew.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from common import Batches, Parser, at_least_one, fail, pyplot, read_arrays, save_figure
from segmentation import draw_losses, judged, learn, networks, outlined, report

import minigrad
from minigrad.data import augment

PATCH, MARGIN = 64, 16  # pixels; what an affine map needs around a patch


def read_halves(path: Path) -> tuple[tuple[minigrad.Tensor, minigrad.Tensor], ...]:
    """The left and the right half, each a picture from 0 to 1 and a mask, both (1, 1, 512, 256)."""
    arrays = read_arrays(path, "image", "instances")
    image, instances = arrays["image"], arrays["instances"]
    if image.ndim != 2 or image.dtype != np.uint8 or instances.shape != image.shape or min(image.shape) < 2 * (PATCH + 2 * MARGIN):
        fail(f"{path}: expected image, uint8 (H, W), and instances of the same shape, but they are {image.dtype} {image.shape} and {instances.shape}")
    middle = image.shape[1] // 16 * 8  # divisible by eight, as U-Net wants it
    whole = minigrad.tensor(image).float() / 255, minigrad.tensor((instances > 0).astype(np.float32))
    return tuple(
        tuple(tensor[: len(image) // 8 * 8, columns].reshape(1, 1, len(image) // 8 * 8, -1) for tensor in whole)
        for columns in (slice(0, middle), slice(middle, 2 * middle))
    )


def main() -> None:
    parser = Parser("Trains U-Net, SegNet and FCN to find nuclei on one half of a picture, and tests them on the other.")
    parser.training(epochs=8, passes="times --steps", lr=3e-3, batch_size=8, width=16, full={"width": 64, "epochs": 100}, scheduled=True)
    parser.add_argument("--steps", type=at_least_one, default=20, metavar="N", help="batches an epoch")
    parser.data("nuclei.npz", "the picture")
    options = parser.options(minigrad)

    learned, tested = read_halves(options.data)
    change = augment.Compose([
        augment.RandomCrop(PATCH + 2 * MARGIN),
        augment.RandomHorizontalFlip(),
        augment.RandomAffine(180, scale=(0.8, 1.25), shear=10, padding_mode="reflection"),
        augment.CenterCrop(PATCH),
        augment.ColorJitter(brightness=0.2, contrast=0.2),
    ])  # fmt: skip

    def batch() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        return change(*(half.expand(options.batch_size, -1, -1, -1) for half in learned))

    losses, drawings, scores = {}, {}, {}
    for name, make in networks(1, options.width).items():
        minigrad.manual_seed(options.seed)
        model = make()
        losses[name] = learn(name, model, Batches(batch, options.steps), options)
        drawings[name], scores[name] = judged(model, *tested)
        report(name, scores[name])

    if options.plot:
        draw(losses, drawings, scores, *tested, options.out / "segment_nuclei.png")
    print(f"test Dice of U-Net {scores['U-Net']['Dice']:.3f}")


def draw(losses, drawings, scores, picture: minigrad.Tensor, mask: minigrad.Tensor, path: Path) -> None:
    figure, axes = pyplot().subplots(1, len(drawings) + 1, figsize=(15, 6.5), layout="constrained", width_ratios=[1, 1, 1, 1.2])
    figure.suptitle("Nuclei on the half that no network has seen: red drawn by the network, green by a person")
    for axis, (name, drawn) in zip(axes, drawings.items(), strict=False):
        title = f"{name}: Dice {scores[name]['Dice']:.3f}, IoU {scores[name]['IoU']:.3f}"
        outlined(axis, picture[0, 0].numpy(), drawn[0, 0].numpy().astype(float), mask[0, 0].numpy(), title)
    draw_losses(axes[-1], losses)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
