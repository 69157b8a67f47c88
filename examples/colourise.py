"""Colours grey emoji: a U-Net gives each pixel its colour, trained by distance, then against a discriminator of patches.

    python examples/colourise.py --help

Where several colours are likely, distance alone asks for their mean, which is grey; the discriminator knows that nothing is that grey.
"""

from __future__ import annotations

from common import Batches, Parser
from pictures import read_emoji
from translation import answers, draw, learn, options_of_the_game

import minigrad
from minigrad import models, nn, train
from minigrad.data import augment

# Brightness and the two differences of colour of a pixel's red, green and blue: ITU-R recommendation BT.601.
TO_YUV = minigrad.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
TO_RGB = minigrad.linalg.inv(TO_YUV)


def mixed(pictures: minigrad.Tensor, weights: minigrad.Tensor) -> minigrad.Tensor:
    """Each pixel's channels times a matrix."""
    return nn.functional.conv2d(pictures, weights.reshape(*weights.shape, 1, 1))


def brightness(pictures: minigrad.Tensor) -> minigrad.Tensor:
    return mixed(pictures, TO_YUV[:1])


class Colouriser(nn.Module):
    """Grey pictures (N, 1, H, W) to coloured ones (N, 3, H, W) of the same brightness."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.unet = models.unet(1, 2, width=width, depth=3, up="bilinear")

    def forward(self, grey: minigrad.Tensor) -> minigrad.Tensor:
        return mixed(minigrad.cat([grey, self.unet(grey).tanh() / 2], 1), TO_RGB)


def colourfulness(pictures: minigrad.Tensor) -> float:
    """The mean difference of a pixel's largest channel from its smallest."""
    return float((pictures.max(1).values - pictures.min(1).values).mean())


def main() -> None:
    parser = Parser("Trains a network to colour grey emoji, and tests it on others.")
    parser.training(passes="times --steps", epochs=12, lr=3e-3, batch_size=32, width=12, full={"width": 64, "epochs": 100, "rounds": 100}, scheduled=True)
    options_of_the_game(parser, rounds=8, distance=20.0)
    options = parser.options(minigrad)

    emoji = read_emoji()
    learned, tested = (emoji.on_white()[chosen] for chosen in emoji.halves())
    change = augment.Compose([augment.RandomHorizontalFlip(), augment.RandomAffine(10, scale=(0.8, 1.1), fill=1.0)])

    def batch() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        true = change(learned[minigrad.randint(0, len(learned), (options.batch_size,))])
        return brightness(true), true

    def make() -> models.Players:
        return models.Players(Colouriser(options.width), models.gan.patch_discriminator(3 + 1, 2 * options.width))

    plain, vivid, losses, history = learn("colourise", make, Batches(batch, options.steps), options)

    grey = brightness(tested)
    coloured = {"grey": grey.expand(-1, 3, -1, -1), "by distance": answers(plain, grey), "with the game": answers(vivid, grey)}
    psnr = {name: float(train.psnr(pictures, tested)) for name, pictures in coloured.items()}
    for name, pictures in (coloured | {"true": tested}).items():
        print(f"{name:14} " + (f"PSNR {psnr[name]:.2f} dB, " if name in psnr else 17 * " ") + f"colourfulness {colourfulness(pictures):.3f}")

    if options.plot:
        shown = minigrad.arange(12) * 27 + 1
        draw(
            {name: pictures[shown] for name, pictures in (coloured | {"true": tested}).items()}, losses, history,
            "Emoji that the network has not seen, coloured", options.out / "colourise.png",
        )  # fmt: skip
    print(f"PSNR {psnr['by distance']:.2f} dB, with the game {psnr['with the game']:.2f} dB, left grey {psnr['grey']:.2f} dB")


if __name__ == "__main__":
    main()
