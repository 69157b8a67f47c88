"""Enlarges photographs: a network with sub-pixel convolutions, trained by distance, then as the generator of SRGAN, against bicubic.

    python examples/super_resolution.py --help

One photograph is held out; patches of it are halved and enlarged again. Training by distance gives the best figures, the game gives sharper
pictures with worse ones. C. Ledig et al., arXiv:1609.04802.
"""

from __future__ import annotations

from common import Batches, Parser, at_least_one
from pictures import PHOTOS, read_photos
from translation import answers, draw, learn, options_of_the_game

import minigrad
import minigrad.nn.functional as F
from minigrad import models, nn, train
from minigrad.data import augment
from minigrad.models.pyramid import gaussian_pyramid

PATCH = 64  # pixels of a patch of the held-out photograph
SHOWN = (5, 9, 6, 10)  # patches around the middle


class OfThePicture(nn.Module):
    """SRGAN's discriminator does not see what a picture was made of."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, picture: minigrad.Tensor, small: minigrad.Tensor) -> minigrad.Tensor:
        return self.discriminator(picture)


def main() -> None:
    parser = Parser("Trains a network to enlarge photographs and compares it with bicubic enlargement on one it has not seen.")
    parser.training(epochs=20, passes="times --steps", lr=2e-3, batch_size=8, width=24, full={"width": 64, "blocks": 16, "epochs": 200, "rounds": 100}, scheduled=True)
    options_of_the_game(parser, rounds=8, distance=10.0)
    parser.add_argument("--blocks", type=at_least_one, default=3, metavar="N", help="residual blocks")
    parser.add_argument("--scale", type=int, choices=[2, 4], default=2, help="how often larger")
    parser.add_argument("--held-out", choices=PHOTOS, default="chelsea", help="the photograph for the test")
    options = parser.options(minigrad)

    photos, tested = read_photos(), PHOTOS.index(options.held_out)
    learned = photos[[i for i in range(len(PHOTOS)) if i != tested]]
    cut = augment.Compose([
        augment.RandomCrop(48),
        augment.RandomHorizontalFlip(),
        augment.RandomVerticalFlip(),
        augment.ColorJitter(brightness=0.2, contrast=0.2, saturation=0.3, hue=0.5),
    ])  # fmt: skip

    def small(pictures: minigrad.Tensor) -> minigrad.Tensor:
        return gaussian_pyramid(pictures, options.scale // 2)[-1]

    def batch() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        large = cut(learned[minigrad.randint(0, len(learned), (options.batch_size,))])
        return small(large), large

    def make() -> models.Players:
        generator, discriminator = models.srgan(3, options.scale, options.width, options.blocks)
        return models.Players(generator, OfThePicture(discriminator))

    plain, sharp, losses, history = learn("super_resolution", make, Batches(batch, options.steps), options)

    true = photos[tested].unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH).permute(1, 2, 0, 3, 4).reshape(-1, 3, PATCH, PATCH)
    given = small(true)
    bicubic = F.interpolate(given, scale_factor=options.scale, mode="bicubic", align_corners=False).clamp(0, 1)
    enlarged = {"bicubic": bicubic, "trained by distance": answers(plain, given), "SRGAN": answers(sharp, given)}
    psnr = {name: float(train.psnr(pictures, true)) for name, pictures in enlarged.items()}
    for name, pictures in enlarged.items():
        print(f"{name:20} PSNR {psnr[name]:.2f} dB, SSIM {float(train.ssim(pictures, true)):.4f}")

    if options.plot:
        nearest = F.interpolate(given, scale_factor=options.scale, mode="nearest")
        columns = {"given": nearest} | {f"{name}, {psnr[name]:.2f} dB": pictures for name, pictures in enlarged.items()} | {"true": true}
        shown = list(SHOWN)
        draw(
            {name: pictures[shown] for name, pictures in columns.items()}, losses, history,
            f"Enlarged {options.scale} times, a photograph that the network has not seen", options.out / "super_resolution.png",
        )  # fmt: skip
    print(f"PSNR {psnr['trained by distance']:.2f} dB, bicubic {psnr['bicubic']:.2f} dB")


if __name__ == "__main__":
    main()
