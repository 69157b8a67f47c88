"""Changing the resolution of images: interpolation, pixel shuffling, and sampling at given places."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from minigrad.core.dtypes import check_kind, check_one_dtype
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels.driver import beside
from minigrad.kernels.geometry import Windows
from minigrad.kernels.resampling import interpolating, keys
from minigrad.nn.functional.pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from minigrad.ops.blend import blend
from minigrad.ops.elementwise import where
from minigrad.ops.joining import stack
from minigrad.ops.pool import sum_pool_input
from minigrad.ops.resample import resample
from minigrad.ops.shape import apart

__all__ = [
    "affine_grid", "channel_shuffle", "grid_sample", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample",
    "upsample_bilinear", "upsample_nearest",
]  # fmt: skip

RANKS = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,), "bilinear": (2,), "trilinear": (3,), "bicubic": (2,)}
AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


# --- interpolation: one matrix for each axis --------------------------------------------------------------------------


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input (N, C, *in) at another resolution (N, C, *out), given as a size or as a factor.

    mode: "nearest", "nearest-exact", "linear" (1 axis), "bilinear", "bicubic" (2), "trilinear" (3) or "area" (means).
    align_corners: for the linear and cubic modes, whether the first and last pixels keep their places, rather than the
    outer edges. Raises ValueError for arguments that do not fit each other, NotImplementedError for a mode that does not
    exist for the number of axes or for antialias.

    >>> import minigrad
    >>> minigrad.nn.functional.interpolate(minigrad.tensor([[[1.0, 3.0]]]), scale_factor=2)
    tensor([[[1., 1., 3., 3.]]])
    >>> minigrad.nn.functional.interpolate(minigrad.tensor([[[1.0, 3.0]]]), size=3, mode="linear", align_corners=True)
    tensor([[[1., 2., 3.]]])
    """
    rank = input.ndim - 2
    if mode not in RANKS or rank not in RANKS[mode]:
        raise NotImplementedError(
            f"interpolate: mode {mode!r} does not exist for an input of shape {input.shape}; modes and their numbers of "
            f"axes after (N, C) are {RANKS}"
        )
    if align_corners is not None and mode in ("nearest", "nearest-exact", "area"):
        raise ValueError(f"interpolate: align_corners has no meaning for mode {mode!r}; leave it out")
    if antialias:
        raise NotImplementedError("interpolate: antialias=True is not available; blur the input before making it smaller")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: give either size or scale_factor, got size={size} and scale_factor={scale_factor}")
    in_size = input.shape[2:]
    scales: list[float | None] = [None] * rank
    if size is not None:
        try:
            out_size = [operator.index(n) for n in _for_each_axis("size", size, rank)]
        except TypeError:
            raise TypeError(f"interpolate: expected size as integers, got {size}") from None
    else:
        factors = _for_each_axis("scale_factor", scale_factor, rank)
        if not all([abs(float(f)) < 2**31 for f in factors]):
            raise RuntimeError(f"interpolate: expected scale_factor as finite numbers, got {scale_factor}")
        out_size = [math.floor(n * float(f)) for n, f in zip(in_size, factors, strict=True)]
        if not recompute_scale_factor:
            scales = [float(f) for f in factors]
    if min(in_size + tuple(out_size)) < 1:
        raise RuntimeError(f"interpolate: all sizes must be positive, got {in_size} to {tuple(out_size)}")
    if mode == "area":
        return AREA[rank](input, tuple(out_size))
    if input.dtype.kind not in "fu":
        raise NotImplementedError(f"interpolate: expected floats or uint8, got {input.dtype}; convert with x.float()")
    if input.dtype.kind == "u" and mode in ("linear", "trilinear"):
        raise NotImplementedError(f"interpolate: mode {mode!r} does not exist for {input.dtype}; convert with x.float()")
    kind = mode if mode.startswith("nearest") else "cubic" if mode == "bicubic" else "linear"
    if input.dtype.kind == "u" and kind != mode:
        array = input.array
        for axis in (1, 0):
            array = _bytes_along(array, 2 + axis, interpolating(kind, in_size[axis], out_size[axis], scales[axis], bool(align_corners)).dense)
        return make_tensor(array)
    times = tuple([n_out // n_in for n_in, n_out in zip(in_size, out_size, strict=True)])
    whole = [n_in * k == n_out and scale in (None, k) for n_in, n_out, k, scale in zip(in_size, out_size, times, scales, strict=True)]
    if mode.startswith("nearest") and all(whole):  # each pixel becomes a block: the adjoint of summing blocks
        return sum_pool_input(input, Windows(tuple(out_size), times, times, (1,) * rank, ((0, 0),) * rank))
    lines = [interpolating(kind, n_in, n_out, scale, bool(align_corners)) for n_in, n_out, scale in zip(in_size, out_size, scales, strict=True)]
    out = resample(input, tuple(lines))
    return apart(out, input)


def _for_each_axis(name: str, value: Any, rank: int) -> tuple[Any, ...]:
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    if len(values) != rank:
        raise ValueError(f"interpolate: {name} must be one number or {rank}, one for each axis after (N, C), got {value}")
    return values


def _bytes_along(x: Any, axis: int, matrix: Any) -> Any:
    """The product of a matrix with every line of bytes along an axis, as torch computes it: in whole numbers, and rounded to bytes again."""
    bits = 0
    while bits < 22 and int(0.5 + matrix.max() * 2 ** (bits + 1)) < 2**15:  # the weights have 16 bits
        bits += 1
    scaled = np.trunc(matrix * 2**bits + np.copysign(0.5, matrix))
    sums = np.moveaxis(np.moveaxis(x, axis, -1).astype(np.float64) @ scaled.T, -1, axis)
    return np.clip(np.floor((sums + 2 ** (bits - 1)) / 2**bits), 0, 255).astype(x.dtype)


def upsample(
    input: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None
) -> Tensor:
    """The older name of interpolate."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode "nearest"."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """interpolate with mode "bilinear" and the corner pixels keeping their places."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


# --- shuffling: channels to pixels and back ---------------------------------------------------------------------------


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """(*, C r^2, H, W) to (*, C, H r, W r): the sub-pixel convolution's rearrangement (Shi et al., 2016).

    Raises RuntimeError if the channels do not divide by r^2.
    """
    r = upscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-3] % (r * r):
        raise RuntimeError(
            f"pixel_shuffle: expected (*, C, H, W) with channels that divide by upscale_factor^2 = {r * r}, got shape {input.shape}"
        )
    *batch, channels, h, w = input.shape
    x = input.reshape(*batch, channels // (r * r), r, r, h, w)
    n = len(batch)
    x = x.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return apart(x.reshape(*batch, channels // (r * r), h * r, w * r), input)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """(*, C, H r, W r) to (*, C r^2, H, W): the inverse of pixel_shuffle.

    Raises RuntimeError if height or width do not divide by r.
    """
    r = downscale_factor
    if input.ndim < 3 or r < 1 or input.shape[-2] % r or input.shape[-1] % r:
        raise RuntimeError(
            f"pixel_unshuffle: expected (*, C, H, W) with height and width that divide by {r}, got shape {input.shape}"
        )
    *batch, channels, h, w = input.shape
    x = input.reshape(*batch, channels, h // r, r, w // r, r)
    n = len(batch)
    x = x.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return apart(x.reshape(*batch, channels * r * r, h // r, w // r), input)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """(N, C, *): the channels of each group dealt out in turn (ShuffleNet, Zhang et al., 2018).

    Raises RuntimeError if the channels do not divide by the groups.
    """
    if input.ndim < 3 or groups < 1 or input.shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: expected (N, C, *) with channels that divide by {groups}, got shape {input.shape}")
    n, channels, *rest = input.shape
    out = input.reshape(n, groups, channels // groups, *rest).transpose(1, 2).reshape(n, channels, *rest)
    return apart(out, input)


# --- sampling at places that a grid names: differentiable in the image and in the grid --------------------------------


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The grid (N, *out, d) of places that affine maps theta (N, d, d + 1) lead to, for an output of `size` (N, C, *out).

    Places run from -1 to 1 between the outer edges of the image (align_corners: between the centres of its corner pixels).
    Raises ValueError for shapes that do not fit (Jaderberg et al., 2015).

    >>> import minigrad
    >>> identity = minigrad.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> minigrad.nn.functional.affine_grid(identity, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    rank = len(size) - 2
    if rank not in (2, 3) or theta.shape != (size[0], rank, rank + 1):
        raise ValueError(f"affine_grid: size {tuple(size)} needs theta of shape {(size[0], rank, rank + 1)}, got {theta.shape}")
    axes = [np.linspace(-1, 1, n) * (1 if align_corners else (n - 1) / n) if n > 1 else np.zeros(1) for n in size[2:]]
    places = np.stack([*reversed(np.meshgrid(*axes, indexing="ij")), np.ones(tuple(size[2:]))], axis=-1)
    rows = make_tensor(beside(places.reshape(-1, rank + 1).astype(theta.dtype), theta.array))
    return rows.matmul(theta.transpose(1, 2)).reshape(size[0], *size[2:], rank)  # type: ignore[no-any-return]


def grid_sample(
    input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """The image (N, C, *in) read at the places (x, y[, z]) of a grid (N, *out, d): (N, C, *out).

    Places run from -1 to 1 between the outer edges of the image (align_corners: between the centres of its corner pixels).
    mode: "bilinear", "nearest" or (2-d only) "bicubic". padding_mode, for places outside: "zeros", "border" (the nearest
    pixel) or "reflection". Differentiable in both arguments, to every order. Raises ValueError for unknown modes and
    RuntimeError for shapes that do not fit (Jaderberg et al., 2015).
    """
    rank = input.ndim - 2
    if mode not in ("bilinear", "nearest", "bicubic") or (mode == "bicubic" and rank != 2):
        raise ValueError(f"grid_sample: mode must be 'bilinear', 'nearest' or, for 4-d input, 'bicubic', got {mode!r} for shape {input.shape}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"grid_sample: padding_mode must be 'zeros', 'border' or 'reflection', got {padding_mode!r}")
    if rank not in (2, 3) or grid.ndim != input.ndim or grid.shape[0] != input.shape[0] or grid.shape[-1] != rank:
        raise RuntimeError(
            f"grid_sample: expected an image (N, C, *in) and a grid (N, *out, d) with d axes each, 2 or 3, got {input.shape} and {grid.shape}"
        )
    check_one_dtype("grid_sample", input, grid)
    check_kind("grid_sample", "f", input)
    places = []
    for axis in range(rank):  # the grid names x first, the axes of the image end with x
        n = input.shape[2 + axis]
        place = grid[..., rank - 1 - axis]
        place = (place + 1) * ((n - 1) / 2) if align_corners else ((place + 1) * n - 1) / 2
        if mode != "bicubic":
            place = _inside(place, n, padding_mode, bool(align_corners))
        places.append(place)
    weights, indices = [], []
    for taps in product(*[_taps(place, mode) for place in places]):
        weight: Any = 1
        kept: Any = True
        index: Any = 0
        for axis, (place, part) in enumerate(taps):
            n = input.shape[2 + axis]
            if mode == "bicubic":
                place = _inside(place, n, padding_mode, bool(align_corners)).round()
            kept = (place >= 0) & (place <= n - 1) & kept
            index = index * n + place.clamp(0, n - 1).long()
            weight = weight * part
        weights.append(weight)
        indices.append(where(kept, index, -1))
    images, channels = input.shape[:2]
    shape = (images, len(weights), -1)
    out = blend(input.reshape(images, channels, -1), stack(weights, 1).reshape(shape), stack(indices, 1).reshape(shape).array)
    return out.reshape(images, channels, *grid.shape[1:-1])  # type: ignore[no-any-return]


def _taps(place: Tensor, mode: str) -> list[tuple[Tensor, Any]]:
    """The pixels along one axis that a place reads, and their weights, which depend on the place."""
    if mode == "nearest":
        return [(place.detach().round(), where(place == place, 1.0, place))]  # the place has an influence, whose derivative is 0
    left = place.detach().floor()
    part = place - left
    if mode == "bilinear":
        return [(left, 1 - part), (left + 1, part)]
    return [(left + k, keys((part - k).abs(), where)) for k in (-1, 0, 1, 2)]


def _inside(place: Tensor, n: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Brings places outside the image back, as the padding mode says."""
    if padding_mode == "reflection":
        low, span = (0.0, float(n - 1)) if align_corners else (-0.5, float(n))
        if span == 0:
            return place * 0.0
        distance = (place - low).abs()
        turns = (distance.detach() / span).floor()
        rest = distance - turns * span
        place = where(turns % 2 == 0, rest, span - rest) + low
    return place.clamp(0, n - 1) if padding_mode != "zeros" else place  # type: ignore[no-any-return]
