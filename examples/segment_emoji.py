"""Cuts emoji out of photographs: U-Net, SegNet and FCN learn where a pasted picture is, and are tested on other emoji before another photo.

    python examples/segment_emoji.py --help
"""

from __future__ import annotations

from pathlib import Path

from common import Batches, Parser, at_least_one, pyplot, save_figure
from pictures import read_emoji, read_photos
from segmentation import draw_losses, judged, learn, networks, outlined, report

import minigrad
from minigrad.data import augment

SIDE = 48  # pixels of a scene, with an emoji of 32 somewhere in it
TEST_SCENES = 256


def scenes(emoji: minigrad.Tensor, photos: minigrad.Tensor, count: int, move: augment.Augmentation, cut: augment.Augmentation):
    """Emoji at random places, sizes and angles before parts of photos: pictures (N, 3, SIDE, SIDE) and masks (N, 1, SIDE, SIDE)."""
    front = move(emoji[minigrad.randint(0, len(emoji), (count,))])
    back = cut(photos[minigrad.randint(0, len(photos), (count,))])
    colours, opacity = front[:, :3], front[:, 3:]
    return opacity * colours + (1 - opacity) * back, (opacity > 0.5).float()


def main() -> None:
    parser = Parser("Trains U-Net, SegNet and FCN to find emoji before photographs.")
    parser.training(epochs=10, passes="times --steps", lr=3e-3, batch_size=16, width=16, full={"width": 64, "epochs": 100}, scheduled=True)
    parser.add_argument("--steps", type=at_least_one, default=40, metavar="N", help="batches an epoch")
    options = parser.options(minigrad)

    emoji = read_emoji()
    learned, tested = (augment.pad(emoji.pictures[chosen], (SIDE - 32) // 2) for chosen in emoji.halves())
    backs = read_photos()
    move = augment.RandomAffine(30, translate=(0.15, 0.15), scale=(0.7, 1.2))
    # Three photographs are few: what lies behind an emoji comes at all scales, from even colours to whole objects.
    cut = augment.Compose([
        augment.RandomCrop(2 * SIDE),
        augment.RandomAffine(180, scale=(0.5, 3), padding_mode="reflection"),
        augment.CenterCrop(SIDE),
        augment.RandomHorizontalFlip(),
        augment.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.5, hue=0.5),
    ])  # fmt: skip
    test = scenes(tested, backs[-1:], TEST_SCENES, move, cut)

    losses, drawings, scores = {}, {}, {}
    for name, make in networks(3, options.width).items():
        minigrad.manual_seed(options.seed)
        model = make()
        batches = Batches(lambda: scenes(learned, backs[:-1], options.batch_size, move, cut), options.steps)
        losses[name] = learn(name, model, batches, options)
        drawings[name], scores[name] = judged(model, *test)
        report(name, scores[name])

    if options.plot:
        draw(losses, drawings, *test, options.out / "segment_emoji.png")
    print(f"test Dice of U-Net {scores['U-Net']['Dice']:.3f}")


def draw(losses, drawings, pictures: minigrad.Tensor, masks: minigrad.Tensor, path: Path) -> None:
    count = 10
    figure = pyplot().figure(figsize=(1.3 * count + 4, 1.5 * len(drawings) + 0.6), layout="constrained")
    figure.suptitle("Emoji and a photograph that no network has seen: red drawn by the network, green the truth")
    left, right = figure.subfigures(1, 2, width_ratios=[1.3 * count, 4])
    for row, (name, drawn) in zip(left.subplots(len(drawings), count), drawings.items(), strict=True):
        for i, axis in enumerate(row):
            picture = pictures[i].permute(1, 2, 0).numpy().clip(0, 1)
            outlined(axis, picture, drawn[i, 0].numpy().astype(float), masks[i, 0].numpy(), name if i == 0 else "")
    draw_losses(right.subplots(), losses)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
