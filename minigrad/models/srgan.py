"""SRGAN: C. Ledig et al., Photo-realistic single image super-resolution using a generative adversarial network, arXiv:1609.04802.

Enlargement is the sub-pixel convolution of W. Shi et al., arXiv:1609.05158.
"""

from __future__ import annotations

from typing import Any

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.models.gan import PatchDiscriminator, Players
from minigrad.models.weights import Path, with_weights


class ResidualBlock(nn.Module):
    """Two convolutions of 3x3 beside the identity."""

    def __init__(self, channels: int, batch_norm: bool = True) -> None:
        super().__init__()
        norms = [nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)] if batch_norm else [nn.Identity(), nn.Identity()]
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=not batch_norm), norms[0], nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=not batch_norm), norms[1],
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class SRResNet(nn.Module):
    """Pictures (N, channels, H, W) to pictures scale times as high and wide: what is missing beside a bicubic enlargement.

    scale: 2 or 4; width: channels inside; blocks: residual ones. Raises ValueError for another scale.

    >>> import minigrad
    >>> tuple(SRResNet(scale=2, width=8, blocks=1)(minigrad.zeros(1, 3, 6, 5)).shape)
    (1, 3, 12, 10)
    """

    def __init__(
        self, channels: int = 3, scale: int = 2, width: int = 64, blocks: int = 4, batch_norm: bool = False
    ) -> None:
        super().__init__()
        if scale not in (2, 4):
            raise ValueError(f"SRResNet: scale should be 2 or 4, but is {scale}")
        self.scale = scale
        self.first = nn.Sequential(nn.Conv2d(channels, width, 5, padding=2), nn.PReLU())
        self.blocks = nn.Sequential(*[ResidualBlock(width, batch_norm) for _ in range(blocks)])
        enlarging: list[nn.Module] = []
        for _ in range(scale // 2):
            enlarging += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()]
        self.enlarge = nn.Sequential(*enlarging, nn.Conv2d(width, channels, 5, padding=2))
        nn.init.zeros_(self.enlarge[-1].weight)  # it begins as bicubic enlargement
        nn.init.zeros_(self.enlarge[-1].bias)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        smooth = nn.functional.interpolate(x, scale_factor=self.scale, mode="bicubic", align_corners=False)
        return smooth + self.enlarge(features + self.blocks(features))


def srresnet(channels: int = 3, scale: int = 2, *, weights: Path | None = None, **kwargs: Any) -> SRResNet:
    """The generator of SRGAN; keyword arguments are those of SRResNet."""
    return with_weights(SRResNet(channels, scale, **kwargs), weights)


def srgan(channels: int = 3, scale: int = 2, width: int = 32, blocks: int = 4) -> Players:
    """The generator, and a discriminator of patches of the large pictures."""
    return Players(SRResNet(channels, scale, width, blocks), PatchDiscriminator(channels, width))
