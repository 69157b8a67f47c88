"""Hiding parts of images and mixing images with each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.data.augment.geometry import batched
from minigrad.nn.functional.embedding import one_hot
from minigrad.ops.creation import as_tensor
from minigrad.ops.elementwise import where

__all__ = ["cutout", "mixup"]


def cutout(image: Tensor, top: Any, left: Any, height: int, width: int, fill: float = 0.0) -> Tensor:
    """The image (C, H, W) or batch with `fill` in a rectangle, or in one for each image; what lies outside the image counts for nothing.

    Source: DeVries and Taylor, arXiv:1708.04552.

    >>> import minigrad
    >>> minigrad.data.augment.cutout(minigrad.ones(1, 2, 3), -1, 1, 2, 5).tolist()
    [[[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]]
    """
    x, single = batched("cutout", image)
    y0, x0 = (np.asarray(getattr(one, "array", one)).reshape(-1, 1, 1, 1) for one in (top, left))
    y, column = np.arange(x.shape[-2]).reshape(-1, 1), np.arange(x.shape[-1])
    hidden = (y >= y0) & (y < y0 + height) & (column >= x0) & (column < x0 + width)
    out = where(make_tensor(np.broadcast_to(hidden, (x.shape[0], 1, *x.shape[-2:]))), fill, x).to(x.dtype)
    return out.squeeze(0) if single else out


def mixup(
    images: Tensor, targets: Tensor, weight: Any, order: Any, num_classes: int | None = None
) -> tuple[Tensor, Tensor]:
    """Images (N, ...) and their targets mixed with those in another order: weight times the one, 1 - weight times the other.

    targets: numbers of classes (N,), which become shares (N, num_classes), or shares already. weight: one, or one for each image, between 0 and 1.
    Raises ValueError for numbers of classes without num_classes, and for a weight outside of 0 to 1. Source: Zhang et al., arXiv:1710.09412.

    >>> import minigrad
    >>> images, shares = mixup(minigrad.tensor([[0.0], [4.0]]), minigrad.tensor([0, 1]), 0.75, [1, 0], num_classes=2)
    >>> images.tolist(), shares.tolist()
    ([[1.0], [3.0]], [[0.75, 0.25], [0.25, 0.75]])
    """
    if targets.dtype.kind != "f":
        if num_classes is None:
            raise ValueError("mixup: numbers of classes become shares of num_classes classes; say how many there are")
        targets = one_hot(targets.long(), num_classes).to(images.dtype)
    share = as_tensor(weight, dtype=images.dtype)
    if not bool(((share >= 0) & (share <= 1)).all()):
        raise ValueError("mixup: weight must be between 0 and 1")
    places = as_tensor(order).long()

    def mixed(x: Tensor) -> Tensor:
        own = (share.reshape(-1, *[1] * (x.ndim - 1)) if share.ndim else share).to(x.dtype)
        return x * own + x[places] * (1 - own)

    return mixed(images), mixed(targets)
