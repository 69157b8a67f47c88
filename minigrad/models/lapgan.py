"""LAPGAN: E. Denton et al., Deep generative image models using a Laplacian pyramid of adversarial networks, arXiv:1506.05751."""

from __future__ import annotations

import itertools

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.gan import Players, gan_mlp, start_small
from minigrad.models.pyramid import double
from minigrad.ops import cat, randn


class LevelGenerator(nn.Module):
    """From noise and the enlarged coarser picture to what is missing: noise (N, 1, H, W) and pictures (N, channels, H, W)."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, width, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
            nn.Conv2d(width, channels, 3, padding=1),
        )  # fmt: skip
        self.apply(start_small)

    def forward(self, z: Tensor, coarse: Tensor) -> Tensor:
        return self.layers(cat([z, coarse], 1))


class LevelDiscriminator(nn.Module):
    """Whether a difference belongs to the enlarged coarser picture: two times (N, channels, H, W) to logits (N,)."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * channels, width, 3, padding=1), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True),
            nn.Flatten(), nn.Linear(2 * width * (size // 4) ** 2, 1),
        )  # fmt: skip

    def forward(self, difference: Tensor, coarse: Tensor) -> Tensor:
        # The sum too is a picture that should look right: the paper's first layer adds the two.
        return self.layers(cat([difference + coarse, coarse], 1)).squeeze(1)


class LAPGAN(nn.Module):
    """One pair of players a level: the first, fully connected, draws small pictures from noise, each further one adds detail to the enlarged.

    channels: of the pictures; sizes: of the levels, each twice the one before; latent: of the first level's noise; width: channels of the
    convolutions; the first level's layers have eight times as many units.
    Raises ValueError for other sizes.

    >>> import minigrad
    >>> model = lapgan(sizes=(8, 16), width=8)
    >>> [tuple(picture.shape) for picture in model.sample(minigrad.randn(2, 64))]
    [(2, 3, 8, 8), (2, 3, 16, 16)]
    """

    def __init__(
        self, channels: int = 3, sizes: tuple[int, ...] = (8, 16, 32), latent: int = 64, width: int = 64
    ) -> None:
        super().__init__()
        if not sizes or any(after != 2 * before for before, after in itertools.pairwise(sizes)):
            raise ValueError(f"LAPGAN: each size should be twice the one before, but sizes are {sizes}")
        self.sizes = sizes
        first = gan_mlp((channels, sizes[0], sizes[0]), latent, 8 * width)
        players = [first] + [
            Players(LevelGenerator(channels, width), LevelDiscriminator(channels, size, width)) for size in sizes[1:]
        ]
        self.generators = nn.ModuleList(pair.generator for pair in players)
        self.discriminators = nn.ModuleList(pair.discriminator for pair in players)

    def sample(self, z: Tensor) -> list[Tensor]:
        """The pictures that the levels make one after the other, from the smallest; z: the first level's noise (N, latent)."""
        pictures = [self.generators[0](z)]
        for size, generator in zip(self.sizes[1:], list(self.generators)[1:], strict=True):
            coarse = double(pictures[-1])
            noise = randn(len(z), 1, size, size, dtype=z.dtype, device=z.device)
            pictures.append(coarse + generator(noise, coarse))
        return pictures


def lapgan(channels: int = 3, sizes: tuple[int, ...] = (8, 16, 32), latent: int = 64, width: int = 64) -> LAPGAN:
    """LAPGAN for pictures of the last of these sizes."""
    return LAPGAN(channels, sizes, latent, width)
