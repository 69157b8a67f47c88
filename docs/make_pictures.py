"""Draws the pictures of docs/augmentation.md into docs/pictures. Needs matplotlib and pillow.

python docs/make_pictures.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import minigrad
from minigrad.data import augment

HERE = Path(__file__).parent
SHOWN = 6


def rows() -> dict[str, Callable[[Any], Any]]:
    """What each picture shows, by the name of its file, for a generator."""
    return {
        "mirror": lambda g: augment.RandomHorizontalFlip(generator=g),
        "rotation": lambda g: augment.RandomRotation(40, generator=g),
        "shift": lambda g: augment.RandomShift((0.25, 0.25), generator=g),
        "scale": lambda g: augment.RandomScale((0.6, 1.5), generator=g),
        "affine": lambda g: augment.RandomAffine(
            30, (0.1, 0.1), (0.7, 1.3), 20, padding_mode="reflection", generator=g
        ),
        "crop": lambda g: augment.RandomCrop(72, generator=g),
        "colour": lambda g: augment.ColorJitter(0.4, 0.4, 0.6, 0.15, generator=g),
        "cutout": lambda g: augment.Cutout(36, fill=0.5, generator=g),
        "compose": lambda g: augment.Compose(
            [
                augment.RandomHorizontalFlip(generator=g),
                augment.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), padding_mode="border", generator=g),
                augment.ColorJitter(0.3, 0.3, 0.3, 0.05, generator=g),
                augment.Cutout(24, generator=g),
            ]
        ),
    }


def photographs() -> tuple[Any, Any, Any]:
    """Two pictures (3, 96, 96), and a mask by hand that belongs to the first: 1 where the cat's eye is."""
    arrays = minigrad.data.read_npz(HERE / "pictures" / "photographs.npz")
    cat, cup = (arrays[name].permute(2, 0, 1).float() / 255 for name in ("cat", "cup"))
    y, x = np.mgrid[: cat.shape[1], : cat.shape[2]]
    return cat, cup, minigrad.tensor((((x - 26) / 16) ** 2 + ((y - 42) / 14) ** 2 < 1).astype(np.int64))


def draw(name: str, pictures: list[Any], titles: list[str] | None = None) -> None:
    figure, axes = plt.subplots(
        1, len(pictures), figsize=(1.6 * len(pictures), 1.9 if titles else 1.65), dpi=80, layout="constrained"
    )
    for place, (axis, picture) in enumerate(zip(axes, pictures, strict=True)):
        axis.imshow(picture.permute(1, 2, 0).clamp(0, 1).numpy())
        axis.set_axis_off()
        if titles:
            axis.set_title(titles[place], fontsize=8)
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
    plt.close(figure)
    # A palette makes the file a third of the size.
    Image.fromarray(np.ascontiguousarray(pixels)).quantize(160).save(HERE / "pictures" / f"{name}.png", optimize=True)


def overlaid(image: Any, mask: Any) -> Any:
    """The image with the mask in red upon it."""
    red = minigrad.tensor([1.0, 0.1, 0.1]).reshape(3, 1, 1)
    return minigrad.where(mask == 1, image * 0.55 + red * 0.45, image)


def main() -> None:
    image, other, mask = photographs()
    batch = image.unsqueeze(0).expand(SHOWN - 1, *image.shape)
    for seed, (name, make) in enumerate(rows().items()):
        generator = minigrad.Generator().manual_seed(seed + 11)
        draw(name, [image, *make(generator)(batch)])
    masks = mask.unsqueeze(0).expand(SHOWN - 1, *mask.shape)
    moved, followed = augment.RandomAffine(
        30, (0.15, 0.15), (0.7, 1.3), 15, generator=minigrad.Generator().manual_seed(3)
    )(batch, masks)
    draw("mask", [overlaid(image, mask), *[overlaid(one, its) for one, its in zip(moved, followed, strict=True)]])
    modes = ["constant", "reflect", "replicate", "circular"]
    draw("pad", [image, *[augment.pad(image, 20, padding_mode=mode) for mode in modes]], ["", *modes])
    pair = minigrad.stack([image, other])
    shares = [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    mixed = [augment.mixup(pair, minigrad.eye(2), share, [1, 0]) for share in shares]
    draw(
        "mixup",
        [images[0] for images, _ in mixed],
        [", ".join(f"{part:.1f}" for part in targets[0].tolist()) for _, targets in mixed],
    )
    draw(
        "normalize",
        [image, (augment.normalize(image, image.mean((1, 2)).tolist(), image.std((1, 2)).tolist()) + 2) / 4],
        ["before", "after, -2 to 2"],
    )


if __name__ == "__main__":
    main()
