"""Changing the colours of images whose values run from 0 to 1, each image by its own factors. All are differentiable in image and factors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.data.augment.geometry import batched
from minigrad.ops.creation import as_tensor

__all__ = ["adjust_brightness", "adjust_contrast", "adjust_hue", "adjust_saturation", "grey", "normalize"]

# Of red, green and blue in the luma of television (ITU-R BT.601), and in the two axes of colour of NTSC's YIQ.
LUMA = (0.299, 0.587, 0.114)
YIQ = np.array([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])


def floats(op: str, image: Any, colours: bool = False) -> tuple[Tensor, bool]:
    """A batch of images of floats. Raises ValueError for others, and where three colours are needed but are not there."""
    x, single = batched(op, image)
    if x.dtype.kind != "f":
        raise ValueError(f"{op}: expected floats from 0 to 1, got {x.dtype}; convert with x.float() / 255")
    if colours and x.shape[1] != 3:
        raise ValueError(f"{op}: expected the channels red, green and blue, got {x.shape[1]} channels")
    return x, single


def grey(image: Tensor) -> Tensor:
    """The brightness (..., 1, H, W) of an image; the mean of the channels if they are not red, green and blue."""
    if image.shape[-3] != 3:
        return image.mean(-3, keepdim=True)  # type: ignore[no-any-return]
    return (image * as_tensor(LUMA, dtype=image.dtype).reshape(3, 1, 1)).sum(-3, keepdim=True)


def _blend(image: Tensor, other: Any, factor: Any, single: bool) -> Tensor:
    """factor times the image and the rest of the other, within 0 and 1."""
    share = as_tensor(factor, dtype=image.dtype)
    share = share.reshape(-1, 1, 1, 1) if share.ndim else share
    out = (image * share + other * (1 - share)).clamp(0, 1)
    return out.squeeze(0) if single else out


def adjust_brightness(image: Tensor, factor: Any) -> Tensor:
    """The image times a factor, 0 for black and 1 for no change; of a batch, one factor or one for each."""
    x, single = floats("adjust_brightness", image)
    return _blend(x, 0.0, factor, single)


def adjust_contrast(image: Tensor, factor: Any) -> Tensor:
    """The image drawn towards its mean brightness (factor 0) or away from it (more than 1)."""
    x, single = floats("adjust_contrast", image)
    return _blend(x, grey(x).mean((-3, -2, -1), keepdim=True), factor, single)


def adjust_saturation(image: Tensor, factor: Any) -> Tensor:
    """The image drawn towards grey (factor 0) or away from it (more than 1)."""
    x, single = floats("adjust_saturation", image)
    return _blend(x, grey(x), factor, single)


def adjust_hue(image: Tensor, turns: Any) -> Tensor:
    """The colours turned around the axis of grey by so many turns, -0.5 to 0.5: a rotation in the plane of colour of YIQ, which keeps the luma."""
    x, single = floats("adjust_hue", image, colours=True)
    angle = as_tensor(turns, dtype=x.dtype) * (2 * math.pi)
    angle = angle.reshape(-1, 1, 1) if angle.ndim else angle.reshape(1, 1, 1)
    back, away = np.linalg.inv(YIQ)[:, 1:], YIQ[1:]
    # The change by the rotation, not the rotation itself: none is exactly none.
    same = as_tensor(back @ away, dtype=x.dtype)
    across = as_tensor(back @ np.array([[0, -1], [1, 0]]) @ away, dtype=x.dtype)
    change = same * (angle.cos() - 1) + across * angle.sin()
    n, channels, height, width = x.shape
    moved = change.matmul(x.reshape(n, channels, -1)).reshape(n, channels, height, width)
    out = (x + moved).clamp(0, 1)
    return out.squeeze(0) if single else out


def normalize(image: Tensor, mean: Sequence[float] | float, std: Sequence[float] | float) -> Tensor:
    """(image - mean) / std for each channel.

    Raises ValueError for a deviation that is not positive, or for another number of channels.

    >>> import minigrad
    >>> minigrad.data.augment.normalize(minigrad.ones(1, 1, 2), 0.5, 0.25).tolist()
    [[[2.0, 2.0]]]
    """
    x, single = floats("normalize", image)
    centre, spread = (as_tensor(value, dtype=x.dtype).reshape(-1, 1, 1) for value in (mean, std))
    if not bool((spread > 0).all()):
        raise ValueError(f"normalize: std must be positive, got {std}")
    for values in (centre, spread):
        if values.shape[0] not in (1, x.shape[1]):
            raise ValueError(f"normalize: {values.shape[0]} values for an image of {x.shape[1]} channels")
    out = (x - centre) / spread
    return out.squeeze(0) if single else out
