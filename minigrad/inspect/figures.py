"""Figures of what was found, drawn with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from minigrad.inspect.looking import Array, stretched


def new_figure(**options: Any) -> Any:
    """An empty figure that belongs to no window.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        figure: Any = import_module("matplotlib.figure").Figure
    except ImportError:
        raise ImportError("inspect: figures need matplotlib; pip install 'minigrad[examples]'") from None
    return figure(layout="constrained", **options)


def drawable(image: Array) -> Array:
    """An image (C, H, W) or (H, W) as imshow takes it, from 0 to 1."""
    shown = stretched(image)
    if shown.ndim == 3:
        return (
            shown[0] if shown.shape[0] == 1 else np.moveaxis(shown[:3], 0, -1) if shown.shape[0] >= 3 else shown.mean(0)
        )
    return shown


def side_by_side(
    pictures: Sequence[Array], titles: Sequence[str], signed: bool = False, columns: int = 8, title: str = ""
) -> Any:
    """A figure of pictures in rows; signed ones in red and blue around 0, all on one scale."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = new_figure(figsize=(max(3.0, 1.6 * columns), max(2.2, 1.75 * rows + (0.4 if title else 0))))
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    largest = max((float(np.abs(p).max()) for p in pictures), default=1.0) or 1.0
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, name in zip(axes, pictures, titles, strict=False):
        if signed:
            axis.imshow(picture if picture.ndim == 2 else picture.sum(0), cmap="RdBu_r", vmin=-largest, vmax=largest)
        else:
            axis.imshow(drawable(picture), cmap="gray")
        axis.set_title(name, fontsize=9)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def over_image(image: Array, heat: Array, title: str) -> Any:
    """A figure of an image, and beside it a map of its size laid over it."""
    figure = new_figure(figsize=(6.4, 3.4))
    left, right = figure.subplots(1, 2)
    left.imshow(drawable(image), cmap="gray")
    right.imshow(drawable(image), cmap="gray")
    shown = right.imshow(heat, cmap="magma", alpha=0.65)
    figure.colorbar(shown, ax=right, shrink=0.8)
    for axis in (left, right):
        axis.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure


def with_box(image: Array, heat: Array, box: Sequence[tuple[int, int]], title: str) -> Any:
    """A figure of an image with a frame in it, and beside it a map with the same frame."""
    rectangle = import_module("matplotlib.patches").Rectangle
    figure = new_figure(figsize=(6.8, 3.5))
    (top, bottom), (left, right) = box
    for axis, picture, cmap in zip(figure.subplots(1, 2), (drawable(image), heat), ("gray", "magma"), strict=True):
        axis.imshow(picture, cmap=cmap)
        axis.add_patch(
            rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor="#37b24d", linewidth=2)
        )
        axis.set_xlim(min(-0.5, left - 1), max(heat.shape[1] - 0.5, right))
        axis.set_ylim(max(heat.shape[0] - 0.5, bottom), min(-0.5, top - 1))
    figure.suptitle(title, fontsize=11)
    return figure


def tiled(pictures: Array, gap: int = 1) -> Array:
    """Pictures (K, H, W, ...) in one, as near to a square as goes, with white lines between them."""
    k, h, w = pictures.shape[:3]
    columns = int(np.ceil(np.sqrt(k)))
    rows = -(-k // columns)
    out = np.ones((rows * (h + gap) - gap, columns * (w + gap) - gap, *pictures.shape[3:]), pictures.dtype)
    for i, picture in enumerate(pictures):
        top, left = i // columns * (h + gap), i % columns * (w + gap)
        out[top : top + h, left : left + w] = picture
    return out
