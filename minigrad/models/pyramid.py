"""Pyramids of pictures: P. Burt and E. Adelson, The Laplacian pyramid as a compact image code (1983), in differentiable operations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import minigrad.nn.functional as F
from minigrad.core.tensor import Tensor, tensor

# With these weights blurring is the transpose of bilinear enlargement by two (but for its border and a factor).
BLUR = (0.125, 0.375, 0.375, 0.125)


def halve(picture: Tensor) -> Tensor:
    """Blurs a picture and takes every second pixel: (N, C, H, W) to (N, C, H/2, W/2). Raises ValueError for odd sizes.

    >>> import minigrad
    >>> halve(minigrad.ones(1, 1, 2, 4))
    tensor([[[[1., 1.]]]])
    """
    if picture.ndim != 4 or picture.shape[2] % 2 or picture.shape[3] % 2 or not picture.numel():
        raise ValueError(
            f"halve: expected pictures (N, C, H, W) of even height and width, but got {tuple(picture.shape)}"
        )
    channels = picture.shape[1]
    weights = tensor(BLUR, dtype=picture.dtype, device=picture.device)
    padded = F.pad(picture, (1, 1, 1, 1), mode="replicate")
    rows = F.conv2d(padded, weights.reshape(1, 1, 4, 1).expand(channels, 1, 4, 1), stride=(2, 1), groups=channels)
    return F.conv2d(rows, weights.reshape(1, 1, 1, 4).expand(channels, 1, 1, 4), stride=(1, 2), groups=channels)


def double(picture: Tensor) -> Tensor:
    """A smooth picture of twice the size: (N, C, H, W) to (N, C, 2H, 2W).

    >>> import minigrad
    >>> double(minigrad.tensor([[[[0.0, 4.0]]]]))[0, 0]
    tensor([[0., 1., 3., 4.],
            [0., 1., 3., 4.]])
    """
    return F.interpolate(picture, scale_factor=2, mode="bilinear", align_corners=False)


def gaussian_pyramid(picture: Tensor, levels: int) -> list[Tensor]:
    """The picture, its half, the half of that, ...: levels + 1 pictures. Raises ValueError for sizes that cannot be halved so often.

    >>> import minigrad
    >>> [tuple(level.shape) for level in gaussian_pyramid(minigrad.zeros(1, 3, 8, 12), 2)]
    [(1, 3, 8, 12), (1, 3, 4, 6), (1, 3, 2, 3)]
    """
    pyramid = [picture]
    for _ in range(levels):
        pyramid.append(halve(pyramid[-1]))
    return pyramid


def laplacian_pyramid(picture: Tensor, levels: int) -> list[Tensor]:
    """What each level adds to the enlarged next one, h_k = I_k - u(I_{k+1}), and last the smallest picture itself.

    >>> import minigrad
    >>> picture = minigrad.rand(1, 3, 8, 8)
    >>> minigrad.allclose(reconstruct(laplacian_pyramid(picture, 2)), picture)
    True
    """
    pyramid = gaussian_pyramid(picture, levels)
    return [finer - double(coarser) for finer, coarser in itertools.pairwise(pyramid)] + pyramid[-1:]


def reconstruct(pyramid: Sequence[Tensor]) -> Tensor:
    """The picture of a Laplacian pyramid: I_k = u(I_{k+1}) + h_k from the last level up. Raises ValueError for an empty pyramid."""
    if not pyramid:
        raise ValueError("reconstruct: expected at least one level")
    picture = pyramid[-1]
    for difference in reversed(pyramid[:-1]):
        picture = double(picture) + difference
    return picture
