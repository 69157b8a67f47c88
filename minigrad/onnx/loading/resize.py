"""Resize: along each axis a matrix, whose rows say which elements make one of the result."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.tensor import make_tensor
from minigrad.onnx.loading.table import Run, axis_of, ints, reads, refuse


def positions(mode: str, n_in: int, n_out: int, scale: float, roi: tuple[float, float]) -> Any:
    """Where in the input each element of the output lies, by the coordinate transformation of this name."""
    x = np.arange(n_out, dtype=np.float64)
    if mode == "align_corners":
        length = scale * n_in  # which a scale may make a fraction
        return x * ((n_in - 1) / (length - 1)) if length != 1 else x * 0.0
    if mode == "asymmetric":
        return x / scale
    if mode == "half_pixel":
        return (x + 0.5) / scale - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = n_out / (scale * n_in)
        return n_in / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if n_out > 1 else x * 0.0
    if mode == "tf_half_pixel_for_nn":
        return (x + 0.5) / scale
    if mode == "tf_crop_and_resize":
        start, end = roi
        if n_out > 1:
            return start * (n_in - 1) + x * ((end - start) * (n_in - 1) / (n_out - 1))
        return np.full(1, 0.5 * (start + end) * (n_in - 1))
    return None


ROUNDED: dict[str, Callable[[Any], Any]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def cubic(distance: Any, a: float) -> Any:
    """Keys (1981)."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def matrix(n_in: int, place: Any, mode: str, nearest: str, a: float, exclude: bool, shrink: float) -> Any:
    """The matrix (n_out, n_in); `shrink` below 1 widens the filter, against aliasing."""
    out = np.zeros((len(place), n_in))
    rows = np.arange(len(place))
    if mode == "nearest":
        index = np.clip(ROUNDED[nearest](place), 0, n_in - 1).astype(int)
        out[rows, index] = 1
        return out
    reach = 1 if mode == "linear" else 2
    span = math.ceil(reach / shrink)
    first = np.floor(place).astype(int) - span + 1
    taps = first[:, None] + np.arange(2 * span)
    distance = (place[:, None] - taps) * shrink
    weights = np.maximum(1 - np.abs(distance), 0) if mode == "linear" else cubic(distance, a)
    if exclude:
        weights = np.where((taps < 0) | (taps >= n_in), 0.0, weights)
    if exclude or shrink < 1:
        weights = weights / weights.sum(1, keepdims=True)
    np.add.at(out, (rows[:, None], np.clip(taps, 0, n_in - 1)), weights)
    return out


def resized(
    x: Any, scales: Any, sizes: Any, roi: Any, axes: Any, run: Run, *, mode: str, transform: str = "half_pixel", nearest: str = "round_prefer_floor",
    a: float = -0.75, exclude: int = 0, antialias: int = 0, policy: str = "stretch", outside: float = 0.0,
) -> Any:  # fmt: skip
    axes = list(range(x.ndim)) if axes is None else [axis_of(n, x.ndim, run.kind) for n in axes]
    lengths = [x.shape[d] for d in axes]
    if sizes is not None:
        ratios = [n / m for n, m in zip(sizes, lengths, strict=True)]
        if policy != "stretch":
            ratio = (min if policy == "not_larger" else max)(ratios)
            ratios = [ratio] * len(ratios)
            sizes = [math.floor(ratio * n + 0.5) for n in lengths]
    else:
        ratios = [float(s) for s in scales]
        if not all(math.isfinite(r) and r > 0 for r in ratios):
            raise ValueError(f"onnx.load: {run.kind}: scales must be positive, got {ratios}")
        sizes = [math.floor(n * r) for n, r in zip(lengths, ratios, strict=True)]
    if len(sizes) != len(axes) or min([*sizes, *lengths], default=1) < 1:
        raise ValueError(
            f"onnx.load: {run.kind}: expected {len(axes)} positive lengths, got {list(sizes)} for shape {tuple(x.shape)}"
        )
    full = list(x.shape)
    for d, n in zip(axes, sizes, strict=True):
        full[d] = n
        run.room([n, x.shape[d]], np.float64)
    run.room(full, x.dtype)
    dtype = x.dtype
    x = x if dtype.kind == "f" else x.double()
    beyond: Any = None
    for i, (d, n, ratio) in enumerate(zip(axes, sizes, ratios, strict=True)):
        edges = (float(roi[i]), float(roi[i + len(axes)])) if roi is not None and len(roi) else (0.0, 1.0)
        place = positions(transform, x.shape[d], n, ratio, edges)
        if place is None or mode not in ("nearest", "linear", "cubic") or nearest not in ROUNDED:
            return refuse(run, f"mode {mode!r} with {transform!r} and {nearest!r} is not known")
        if transform == "tf_crop_and_resize":
            out = ((place < 0) | (place > x.shape[d] - 1)).reshape([-1 if k == d else 1 for k in range(x.ndim)])
            beyond = out if beyond is None else beyond | out
        if n == x.shape[d] and np.array_equal(place, np.arange(n)):
            continue
        weights = matrix(x.shape[d], place, mode, nearest, a, bool(exclude), min(1.0, ratio) if antialias else 1.0)
        if mode == "nearest":
            x = x.index_select(d, make_tensor(weights.argmax(1)))
        else:
            x = x.movedim(d, -1).matmul(make_tensor(weights.T.astype(x.dtype))).movedim(-1, d)
    if beyond is not None:
        x = x.masked_fill(make_tensor(np.broadcast_to(beyond, x.shape).copy()), outside)
    return x if x.dtype == dtype else x.round().to(dtype) if mode == "nearest" else x.to(dtype)


@reads("Upsample")
def _(input: Any, *, mode: str = "nearest", scales: Any, run: Run) -> Any:
    return resized(input, scales, None, None, None, run, mode=mode, transform="asymmetric", nearest="floor")


@reads("Upsample", since=9)
@reads("Resize", since=10)
def _(input: Any, scales: Any, *, mode: str = "nearest", run: Run) -> Any:
    return resized(input, scales.numpy(), None, None, None, run, mode=mode, transform="asymmetric", nearest="floor")


@reads("Resize", since=11)
def _(
    input: Any, roi: Any = None, scales: Any = None, sizes: Any = None, *, antialias: int = 0, axes: Any = None,
    coordinate_transformation_mode: str = "half_pixel", cubic_coeff_a: float = -0.75, exclude_outside: int = 0, extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch", mode: str = "nearest", nearest_mode: str = "round_prefer_floor", run: Run,
) -> Any:  # fmt: skip
    given = None if sizes is None or not sizes.numel() else ints(sizes)
    return resized(
        input, None if scales is None else scales.numpy(), given, None if roi is None else roi.numpy(), axes, run, mode=mode,
        transform=coordinate_transformation_mode, nearest=nearest_mode, a=cubic_coeff_a, exclude=exclude_outside, antialias=antialias,
        policy=keep_aspect_ratio_policy, outside=extrapolation_value,
    )  # fmt: skip
