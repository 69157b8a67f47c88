"""Fills gaps in emoji: a U-Net sees what is left around a hole, trained by distance, then against a discriminator of patches.

    python examples/inpaint.py --help

It is compared with the smoothest filling (the solution of Laplace's equation from the hole's border). D. Pathak et al., Context encoders:
feature learning by inpainting, arXiv:1604.07379.
"""

from __future__ import annotations

from common import Batches, Parser, at_least_one
from pictures import read_emoji
from translation import answers, draw, learn, options_of_the_game

import minigrad
from minigrad import models, nn, train
from minigrad.data import augment

SIDE = 32  # pixels of an emoji
BORDER = 4  # pixels at each side that are never missing


def laplace(side: int) -> minigrad.Tensor:
    """What makes of a square's border its smoothest filling, in which every pixel is the mean of its four neighbours.

    A matrix of (side * side, (side + 2) * (side + 2)); it takes squares with their border, row by row, and looks at the border only.
    """
    places = [(row, column) for row in range(side + 2) for column in range(side + 2)]
    inside = [i for i, place in enumerate(places) if all(0 < at <= side for at in place)]
    steps = minigrad.tensor([[float(abs(r - y) + abs(c - x) == 1) for y, x in places] for r, c in (places[i] for i in inside)])
    equations = 4 * minigrad.eye(side * side) - steps[:, inside]
    steps[:, inside] = 0
    return minigrad.linalg.solve(equations, steps)


class Gaps:
    """Squares that are missing, one at a random place of each picture."""

    def __init__(self, side: int) -> None:
        self.side, self.smooth = side, laplace(side)

    def __call__(self, pictures: minigrad.Tensor) -> minigrad.Tensor:
        """Pictures (N, 3, SIDE, SIDE) with a gap that is filled smoothly, and beside them where it is: (N, 4, SIDE, SIDE)."""
        which = minigrad.arange(len(pictures)).reshape(-1, 1, 1)
        start = minigrad.randint(BORDER, SIDE - BORDER - self.side + 1, (2, len(pictures), 1, 1))
        around, inside = minigrad.arange(-1, self.side + 1), minigrad.arange(self.side)

        def at(places: minigrad.Tensor) -> tuple[minigrad.Tensor, ...]:
            return start[0] + places.reshape(1, -1, 1), start[1] + places.reshape(1, 1, -1)

        rows, columns = at(around)
        filling = self.smooth @ pictures[which, :, rows, columns].flatten(1, 2)
        given = minigrad.cat([pictures, minigrad.zeros(len(pictures), 1, SIDE, SIDE)], 1)
        rows, columns = at(inside)
        here = minigrad.cat([filling, minigrad.ones(len(pictures), self.side**2, 1)], 2)
        given[which, :, rows, columns] = here.reshape(-1, self.side, self.side, 4)
        return given


class Filler(nn.Module):
    """Pictures with a gap filled smoothly, and where it is (N, 4, H, W), to what they were (N, 3, H, W); what is there stays."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.unet = models.unet(4, 3, width=width, depth=3, up="bilinear")
        nn.init.zeros_(self.unet.head.weight)  # it begins with the smooth filling
        nn.init.zeros_(self.unet.head.bias)

    def forward(self, given: minigrad.Tensor) -> minigrad.Tensor:
        return given[:, :3] + self.unet(given) * given[:, 3:]


def main() -> None:
    parser = Parser("Trains a network to fill gaps in emoji, and tests it on others.")
    parser.training(passes="times --steps", epochs=16, lr=3e-3, batch_size=32, width=12, full={"width": 64, "epochs": 100, "rounds": 100}, scheduled=True)
    options_of_the_game(parser, rounds=8, distance=40.0)
    parser.add_argument("--hole", type=at_least_one, default=12, metavar="N", help="pixels of its side")
    options = parser.options(minigrad)
    if options.hole > SIDE - 2 * BORDER:
        parser.error(f"argument --hole: should be at most {SIDE - 2 * BORDER}, but is {options.hole}")

    emoji = read_emoji()
    learned, tested = (emoji.on_white()[chosen] for chosen in emoji.halves())
    change = augment.RandomHorizontalFlip()

    gaps = Gaps(options.hole)

    def batch() -> tuple[minigrad.Tensor, minigrad.Tensor]:
        true = change(learned[minigrad.randint(0, len(learned), (options.batch_size,))])
        return gaps(true), true

    def make() -> models.Players:
        return models.Players(Filler(options.width), models.gan.patch_discriminator(3 + 4, 2 * options.width))

    given = gaps(tested)
    smooth, missing = given[:, :3], given[:, 3:]
    plain, sharp, losses, history = learn("inpaint", make, Batches(batch, options.steps), options)

    filled = {"smooth": smooth, "by distance": answers(plain, given), "with the game": answers(sharp, given)}

    def quality(pictures: minigrad.Tensor) -> float:
        """PSNR of the pixels that were missing."""
        here = missing.expand_as(pictures) > 0
        return float(train.psnr(pictures[here], tested[here]))

    psnr = {name: quality(pictures) for name, pictures in filled.items()}
    for name, value in psnr.items():
        print(f"{name:14} PSNR in the gaps {value:.2f} dB")

    if options.plot:
        shown = minigrad.arange(12) * 27 + 1
        draw(
            {name: pictures[shown] for name, pictures in ({"given": smooth * (1 - missing) + missing / 2} | filled | {"true": tested}).items()}, losses, history,
            "Emoji that the network has not seen, filled", options.out / "inpaint.png",
        )  # fmt: skip
    print(f"PSNR in the gaps {psnr['by distance']:.2f} dB, with the game {psnr['with the game']:.2f} dB, smooth {psnr['smooth']:.2f} dB")


if __name__ == "__main__":
    main()
