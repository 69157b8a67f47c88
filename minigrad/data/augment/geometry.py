"""Moving the pixels of images and of the masks that belong to them: affine maps, mirrors, crops and borders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.dtypes import float32, float64
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.functional.padding import pad as pad_axes
from minigrad.nn.functional.resample import grid_sample
from minigrad.ops.creation import as_tensor
from minigrad.ops.elementwise import where
from minigrad.ops.joining import cat, stack

__all__ = ["affine", "affine_matrix", "crop", "hflip", "pad", "vflip"]


def batched(op: str, image: Any) -> tuple[Tensor, bool]:
    """An image with an axis of the batch in front, and whether that is new. Raises TypeError and ValueError for what is no image."""
    if not isinstance(image, Tensor):
        raise TypeError(
            f"{op}: expected a tensor, got {type(image).__name__}; minigrad.data.read_image makes one of a file"
        )
    if image.ndim not in (3, 4):
        raise ValueError(f"{op}: expected an image (C, H, W) or a batch (N, C, H, W), got shape {tuple(image.shape)}")
    return (image, False) if image.ndim == 4 else (image.unsqueeze(0), True)


def affine_matrix(
    angle: Any = 0.0, translate: Any = (0.0, 0.0), scale: Any = 1.0, shear: Any = (0.0, 0.0), dtype: Any = float32
) -> Tensor:
    """The matrix (2, 3), or (N, 2, 3) if an argument is a tensor with N values in front, of scaling, shearing, rotating and then shifting.

    angle: degrees counter-clockwise, as one sees the picture. translate: pixels to the right and down. scale: a factor. shear: degrees along x and y.
    Differentiable in all that are tensors.

    >>> import minigrad
    >>> minigrad.data.augment.affine_matrix(translate=(3.0, -1.0), scale=2.0)
    tensor([[ 2.,  0.,  3.],
            [ 0.,  2., -1.]])
    """
    turn, shift, factor, slant = (as_tensor(value, dtype=dtype) for value in (angle, translate, scale, shear))
    radians = turn * (-math.pi / 180)  # the y axis points down
    tangent = (slant * (math.pi / 180)).tan()
    cosine, sine = radians.cos() * factor, radians.sin() * factor
    along_x, along_y = tangent[..., 0], tangent[..., 1]
    rows = [
        [cosine - sine * along_y, cosine * along_x - sine, shift[..., 0]],
        [sine + cosine * along_y, sine * along_x + cosine, shift[..., 1]],
    ]
    shape = np.broadcast_shapes(*[entry.shape for row in rows for entry in row])
    return stack([stack([entry.expand(shape) for entry in row], -1) for row in rows], -2)


def affine(
    image: Tensor, matrix: Any, mode: str = "bilinear", padding_mode: str = "zeros", fill: float = 0.0
) -> Tensor:
    """The image (C, H, W) or the batch (N, C, H, W) moved by matrices (2, 3) or (N, 2, 3): what was at p comes to A p + t.

    The places p = (x, y) count in pixels from the centre of the image, x to the right and y down. Where nothing comes to, is `fill` (padding_mode "zeros"),
    the nearest pixel ("border") or the mirrored image ("reflection"). mode: of grid_sample; "nearest" keeps the values of a mask. Images of integers are
    rounded. A matrix that is exactly the identity gives exactly the image. Differentiable in the image and the matrix.
    Raises ValueError for shapes that do not fit and for a matrix that cannot be inverted.

    >>> import minigrad
    >>> image = minigrad.tensor([[[1.0, 2.0, 3.0]]])
    >>> minigrad.data.augment.affine(image, [[1, 0, 1], [0, 1, 0]])
    tensor([[[0., 1., 2.]]])
    """
    x, single = batched("affine", image)
    exact = x.dtype if x.dtype.kind == "f" else (float64 if mode == "nearest" else float32)
    move = as_tensor(matrix, dtype=exact)
    if move.ndim == 2:
        move = move.unsqueeze(0)
    if move.shape[1:] != (2, 3) or move.shape[0] not in (1, x.shape[0]):
        raise ValueError(
            f"affine: expected a matrix (2, 3) or ({x.shape[0]}, 2, 3), got shape {np.shape(getattr(matrix, 'array', matrix))}"
        )
    move = move.expand(x.shape[0], 2, 3)
    moved = x.to(exact) if fill == 0 else x.to(exact) - fill
    moved = grid_sample(moved, _places(move, x.shape[-2], x.shape[-1]), mode, padding_mode, align_corners=False)
    if fill != 0:
        moved = moved + fill
    if x.dtype.kind != "f":
        moved = moved.round().to(x.dtype)
    if not move.requires_grad:
        still = (move.array == np.eye(2, 3)).all(axis=(1, 2))
        if still.any():
            moved = where(make_tensor(still.reshape(-1, 1, 1, 1)), x, moved)
    return moved.squeeze(0) if single else moved


def _places(move: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel comes from, in the units of grid_sample: the inverse map, from -1 to 1 between the edges."""
    a, b, c, d = move[:, 0, 0], move[:, 0, 1], move[:, 1, 0], move[:, 1, 1]
    determinant = a * d - b * c
    if bool((determinant == 0).any()):
        raise ValueError("affine: a matrix cannot be inverted: it maps the image to a line")
    a, b, c, d = (
        entry.reshape(-1, 1, 1) for entry in (d / determinant, -b / determinant, -c / determinant, a / determinant)
    )
    y, x = np.mgrid[:height, :width].astype(move.dtype)
    right = make_tensor(x - (width - 1) / 2) - move[:, 0, 2].reshape(-1, 1, 1)
    down = make_tensor(y - (height - 1) / 2) - move[:, 1, 2].reshape(-1, 1, 1)
    return stack([(a * right + b * down) * (2 / width), (c * right + d * down) * (2 / height)], -1)


def hflip(image: Tensor) -> Tensor:
    """The image (..., H, W) mirrored left to right."""
    return image.flip(-1)  # type: ignore[no-any-return]


def vflip(image: Tensor) -> Tensor:
    """The image (..., H, W) mirrored upside down."""
    return image.flip(-2)  # type: ignore[no-any-return]


def pad(image: Tensor, padding: int | Sequence[int], fill: float = 0.0, padding_mode: str = "constant") -> Tensor:
    """The image (C, H, W) or (N, C, H, W) with a border: of one width, of (left and right, top and bottom), or of (left, top, right, bottom).

    padding_mode: "constant" (`fill`), "reflect", "replicate" or "circular". Raises ValueError for another number of widths.

    >>> import minigrad
    >>> minigrad.data.augment.pad(minigrad.ones(1, 1, 1), (1, 0)).tolist()
    [[[0.0, 1.0, 0.0]]]
    """
    widths = (padding,) * 4 if isinstance(padding, int) else tuple(padding) * (2 if len(padding) == 2 else 1)
    if len(widths) != 4:
        raise ValueError(f"pad: expected one width, two or four, got {padding}")
    left, top, right, bottom = widths
    x, single = batched("pad", image)
    value = fill if padding_mode == "constant" else None
    out = pad_axes(x, (left, right, top, bottom), padding_mode, value)
    return out.squeeze(0) if single else out


def crop(image: Tensor, top: Any, left: Any, height: int, width: int) -> Tensor:
    """The part (..., height, width) of an image that begins at a row and a column; of a batch, each at its own if they are sequences.

    Raises ValueError for a part that is not within the image.

    >>> import minigrad
    >>> minigrad.data.augment.crop(minigrad.arange(6).reshape(1, 2, 3), 0, 1, 2, 1).tolist()
    [[[1], [4]]]
    """
    x, single = batched("crop", image)
    tops, lefts = (
        np.broadcast_to(np.asarray(getattr(one, "array", one)), (x.shape[0],)).tolist() for one in (top, left)
    )
    for y0, x0 in zip(tops, lefts, strict=True):
        if y0 < 0 or x0 < 0 or height < 1 or width < 1 or y0 + height > x.shape[-2] or x0 + width > x.shape[-1]:
            raise ValueError(
                f"crop: {height} x {width} pixels from row {y0} and column {x0} are not within an image of {x.shape[-2]} x {x.shape[-1]}; pad it first"
            )
    if len(set(zip(tops, lefts, strict=True))) == 1:
        out = x[..., tops[0] : tops[0] + height, lefts[0] : lefts[0] + width]
    else:
        out = cat(
            [
                x[i : i + 1, :, y0 : y0 + height, x0 : x0 + width]
                for i, (y0, x0) in enumerate(zip(tops, lefts, strict=True))
            ]
        )
    return out.squeeze(0) if single else out
