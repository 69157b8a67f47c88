"""Cuts emoji out of photographs: U-Net, SegNet and FCN learn where a pasted picture is, and are tested on other emoji before another photo.

    python examples/segment_emoji.py --help
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from common import DATA, Parser, at_least_one, fail, positive, pyplot, read_arrays, save_figure
from segmentation import Batches, judged, learn, networks, outlined, report

import minigrad
from minigrad.data import augment

SIDE = 48  # pixels of a scene, with an emoji of 32 somewhere in it
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")  # the last one for the test
TEST_SCENES = 256


def read_emoji(path: Path) -> tuple[minigrad.Tensor, minigrad.Tensor]:
    """Emoji to learn from and to be tested on, four fifths and one fifth: (N, 4, SIDE, SIDE), colours and opacity from 0 to 1."""
    images = read_arrays(path, "images")["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (32, 32, 4):
        fail(f"{path}: images should be uint8 of shape (N, 32, 32, 4), but is {images.dtype} of {images.shape}")
    emoji = augment.pad(minigrad.tensor(images).permute(0, 3, 1, 2).float() / 255, (SIDE - 32) // 2)
    tested = minigrad.arange(len(emoji)) % 5 == 0
    return emoji[~tested], emoji[tested]


def scenes(emoji: minigrad.Tensor, photos: minigrad.Tensor, count: int, move: augment.RandomAffine, cut: augment.RandomCrop):
    """Emoji at random places, sizes and angles before parts of photos: pictures (N, 3, SIDE, SIDE) and masks (N, 1, SIDE, SIDE)."""
    front = move(emoji[minigrad.randint(0, len(emoji), (count,))])
    back = cut(photos[minigrad.randint(0, len(photos), (count,))])
    colours, opacity = front[:, :3], front[:, 3:]
    return opacity * colours + (1 - opacity) * back, (opacity > 0.5).float()


def main() -> None:
    parser = Parser("Trains U-Net, SegNet and FCN to find emoji before photographs.")
    parser.add_argument("--epochs", type=at_least_one, default=8, metavar="N", help="times --steps")
    parser.add_argument("--steps", type=at_least_one, default=25, metavar="N", help="batches an epoch")
    parser.add_argument("--batch-size", type=at_least_one, default=16, metavar="N", help="scenes a step")
    parser.add_argument("--width", type=at_least_one, default=16, metavar="N", help="channels of the first level")
    parser.add_argument("--lr", type=positive, default=3e-3, metavar="RATE", help="learning rate of Adam at the start")
    parser.add_argument("--full", action="store_true", help="the papers' 64 channels and 100 epochs")
    parser.add_argument("--resume", action="store_true", help="keep checkpoints in the folder, and go on from them")
    options = parser.options(minigrad)
    if options.full:
        options.width, options.epochs = 64, 100

    learned, tested = read_emoji(DATA / "emoji32.npz")
    photos = read_arrays(DATA / "photos.npz", *PHOTOS)
    backs = minigrad.tensor(np.stack([photos[name] for name in PHOTOS])).permute(0, 3, 1, 2).float() / 255
    move = augment.RandomAffine(30, translate=(0.15, 0.15), scale=(0.7, 1.2))
    cut = augment.Compose([augment.RandomCrop(SIDE), augment.RandomHorizontalFlip(), augment.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.5, hue=0.5)])
    test = scenes(tested, backs[-1:], TEST_SCENES, move, cut)

    drawings, scores = {}, {}
    for name, make in networks(3, options.width).items():
        minigrad.manual_seed(options.seed)
        model = make()
        learn(name, model, Batches(lambda: scenes(learned, backs[:-1], options.batch_size, move, cut), options.steps), options)
        drawings[name], scores[name] = judged(model, *test)
        report(name, scores[name])

    if options.plot:
        draw(drawings, *test, options.out / "segment_emoji.png")
    print(f"test Dice of U-Net {scores['U-Net']['Dice']:.3f}")


def draw(drawings, pictures: minigrad.Tensor, masks: minigrad.Tensor, path: Path) -> None:
    count = 10
    figure, axes = pyplot().subplots(len(drawings), count, figsize=(1.3 * count, 1.5 * len(drawings) + 0.6), layout="constrained")
    figure.suptitle("Emoji and a photograph that no network has seen: red drawn by the network, green the truth")
    for row, (name, drawn) in zip(axes, drawings.items(), strict=True):
        for i, axis in enumerate(row):
            picture = pictures[i].permute(1, 2, 0).numpy().clip(0, 1)
            outlined(axis, picture, drawn[i, 0].numpy().astype(float), masks[i, 0].numpy(), name if i == 0 else "")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
