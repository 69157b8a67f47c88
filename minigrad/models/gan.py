"""Pairs of a generator and a discriminator for pictures with values from -1 to 1, with and without labels.

gan_mlp: I. Goodfellow et al., Generative adversarial nets, arXiv:1406.2661. dcgan: A. Radford, L. Metz and S. Chintala, Unsupervised
representation learning with deep convolutional generative adversarial networks, arXiv:1511.06434. cgan: M. Mirza and S. Osindero,
Conditional generative adversarial nets, arXiv:1411.1784.

Every generator takes noise (N, latent), every discriminator pictures (N, channels, size, size) and gives logits (N,). Those that were made
for classes take labels (N,) beside them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.ops import cat


class Players(NamedTuple):
    """The two networks of an adversarial game."""

    generator: nn.Module
    discriminator: nn.Module


class MLPGenerator(nn.Module):
    """Fully connected layers from noise to a picture."""

    def __init__(self, shape: tuple[int, ...], latent: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, int(np.prod(shape))),
        )
        self.shape = shape

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z).tanh().reshape(-1, *self.shape)


class MLPDiscriminator(nn.Module):
    """Fully connected layers from a picture to a logit."""

    def __init__(self, shape: tuple[int, ...], hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(int(np.prod(shape)), hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
            nn.Linear(hidden, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).squeeze(1)


class DCGANGenerator(nn.Module):
    """Transposed convolutions from noise to a picture, each doubling the size."""

    def __init__(self, channels: int, size: int, latent: int, width: int, classes: int = 0) -> None:
        super().__init__()
        start, doublings = halvings(size)
        self.classes = classes
        here = width * 2 ** (doublings - 1)
        layers = [
            nn.ConvTranspose2d(latent + classes, here, start, bias=False),
            nn.BatchNorm2d(here),
            nn.ReLU(inplace=True),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.ConvTranspose2d(here, here // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(here // 2),
                nn.ReLU(inplace=True),
            ]
            here //= 2
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(here, channels, 4, 2, 1), nn.Tanh())
        self.apply(start_small)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        z = with_labels("the generator", z, labels, self.classes)
        return self.layers(z.reshape(*z.shape, 1, 1))


class DCGANDiscriminator(nn.Module):
    """Convolutions from a picture to a logit, each halving the size."""

    def __init__(self, channels: int, size: int, width: int, classes: int = 0, batch_norm: bool = True) -> None:
        super().__init__()
        start, count = halvings(size)
        self.classes = classes
        layers: list[nn.Module] = [nn.Conv2d(channels + classes, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for i in range(count - 1):
            before, after = width * 2**i, width * 2 ** (i + 1)
            layers += [nn.Conv2d(before, after, 4, 2, 1, bias=not batch_norm)]
            layers += [nn.BatchNorm2d(after)] if batch_norm else []
            layers += [nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * 2 ** (count - 1), 1, start))
        self.apply(start_small)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.layers(with_labels("the discriminator", x, labels, self.classes)).flatten()


def gan_mlp(shape: tuple[int, ...] = (1, 28, 28), latent: int = 64, hidden: int = 256) -> Players:
    """Fully connected players, as in the first paper; shape: of a picture, or of a point.

    >>> import minigrad
    >>> generator, discriminator = gan_mlp((2,), latent=4)
    >>> tuple(discriminator(generator(minigrad.randn(5, 4))).shape)
    (5,)
    """
    return Players(MLPGenerator(shape, latent, hidden), MLPDiscriminator(shape, hidden))


def dcgan(
    channels: int = 1, size: int = 32, latent: int = 64, width: int = 32, *, classes: int = 0, batch_norm: bool = True
) -> Players:
    """Convolutional players. size: of the pictures, 4 to 7 doubled a few times (28, 32, 64); width: channels at the finest level.

    classes: of labels that both players are told, 0 for none. batch_norm: in the discriminator; a gradient penalty wants it False.
    Raises ValueError for a size that is no such number.

    >>> import minigrad
    >>> generator, discriminator = dcgan(size=28, width=8)
    >>> pictures = generator(minigrad.randn(2, 64))
    >>> tuple(pictures.shape), tuple(discriminator(pictures).shape)
    ((2, 1, 28, 28), (2,))
    """
    return Players(
        DCGANGenerator(channels, size, latent, width, classes),
        DCGANDiscriminator(channels, size, width, classes, batch_norm),
    )


def cgan(classes: int = 10, channels: int = 1, size: int = 28, latent: int = 64, width: int = 32) -> Players:
    """Convolutional players that are told the label: generator(noise, labels), discriminator(pictures, labels).

    >>> import minigrad
    >>> generator, discriminator = cgan(width=8)
    >>> labels = minigrad.tensor([3, 9])
    >>> tuple(discriminator(generator(minigrad.randn(2, 64), labels), labels).shape)
    (2,)
    """
    return dcgan(channels, size, latent, width, classes=classes)


class PatchDiscriminator(nn.Module):
    """Judges every patch of a picture by itself: pictures (N, channels, H, W) to logits (N, 1, h, w).

    Of P. Isola et al., Image-to-image translation with conditional adversarial networks, arXiv:1611.07004; a condition is further channels.
    """

    def __init__(self, channels: int, width: int = 32, layers: int = 2) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        for _ in range(layers - 1):
            parts += [
                nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
                nn.BatchNorm2d(2 * width),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            width *= 2
        self.layers = nn.Sequential(*parts, nn.Conv2d(width, 1, 3, 1, 1))
        self.apply(start_small)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return self.layers(x if condition is None else cat([x, condition], 1))


def patch_discriminator(channels: int = 3, width: int = 32, layers: int = 2) -> PatchDiscriminator:
    """A discriminator of patches; channels: of the picture and of its condition together."""
    return PatchDiscriminator(channels, width, layers)


def with_labels(player: str, x: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """x with a channel more for each class, one where the label is that class and zero elsewhere."""
    if (labels is None) != (classes == 0):
        raise ValueError(
            f"{player} was made for {classes or 'no'} classes, but got {'no' if labels is None else 'some'} labels"
        )
    if labels is None:
        return x
    one_hot = nn.functional.one_hot(labels, classes).to(x.dtype)
    return cat([x, one_hot.reshape(*one_hot.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])], 1)


def halvings(size: int) -> tuple[int, int]:
    """The size from 4 to 7 that remains of size after halving it, and how often it was halved."""
    count = 0
    while size >= 8 and size % 2 == 0:
        size, count = size // 2, count + 1
    if not (4 <= size <= 7 and count):
        raise ValueError(
            f"dcgan: size should be 4, 5, 6 or 7 doubled at least once, such as 16, 28, 32 or 64, but {size} cannot be halved further"
        )
    return size, count


def start_small(module: nn.Module) -> None:
    """The paper's start: weights of standard deviation 0.02, those of norms around one."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d) and module.weight is not None:
        nn.init.normal_(module.weight, 1, 0.02)
