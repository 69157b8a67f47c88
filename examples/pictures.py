"""The pictures that several examples learn from: emoji with their names and categories, and photographs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from common import DATA, check_pictures, fail, read_arrays

import minigrad

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


class Emoji(NamedTuple):
    """Emoji (N, 4, 32, 32), colours and opacity from 0 to 1; N names; N numbers of categories, and the categories' names."""

    pictures: minigrad.Tensor
    names: list[str]
    labels: minigrad.Tensor
    categories: list[str]

    def on_white(self) -> minigrad.Tensor:
        """Without opacity: (N, 3, 32, 32)."""
        colours, opacity = self.pictures[:, :3], self.pictures[:, 3:]
        return colours * opacity + 1 - opacity

    def halves(self) -> tuple[minigrad.Tensor, minigrad.Tensor]:
        """The numbers of those to learn from and of those to be tested on, four fifths and one fifth."""
        numbers = minigrad.arange(len(self.names))
        return numbers[numbers % 5 != 0], numbers[numbers % 5 == 0]


def read_emoji(path: Path = DATA / "emoji32.npz") -> Emoji:
    arrays = read_arrays(path, "images", "names", "categories")
    images = arrays["images"]
    check_pictures(path, "images", images, 32, 32, 4)
    for name in ("names", "categories"):
        if arrays[name].shape != (len(images),) or arrays[name].dtype.kind != "U":
            fail(f"{path}: {name} should be {len(images)} texts, but is {arrays[name].dtype} of {arrays[name].shape}")
    categories, labels = np.unique(arrays["categories"], return_inverse=True)
    pictures = minigrad.tensor(images).permute(0, 3, 1, 2).float() / 255
    return Emoji(pictures, arrays["names"].tolist(), minigrad.tensor(labels.astype(np.int64)), categories.tolist())


def read_photos(path: Path = DATA / "photos.npz") -> minigrad.Tensor:
    """Photographs (4, 3, 256, 256) from 0 to 1."""
    arrays = read_arrays(path, *PHOTOS)
    photos = np.stack([arrays[name] for name in PHOTOS])
    check_pictures(path, "each photograph", photos, 256, 256, 3)
    return minigrad.tensor(photos).permute(0, 3, 1, 2).float() / 255
