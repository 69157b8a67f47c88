"""Fractional max pooling: windows at random, so that the output may have any size (Graham, 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, prod
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels.geometry import per_axis
from minigrad.ops.families import of_host
from minigrad.ops.pool import pool_gather
from minigrad.ops.random import rand

Size = int | Sequence[int]
Ratio = float | Sequence[float]


@of_host
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest elements of windows of (N, C, H, W) or (C, H, W), placed at random but evenly, one for each output.

    output_size: of the output, or output_ratio: its size divided by the input's. return_indices: also their flat positions in the
    (H, W) plane. _random_samples: numbers in [0, 1) (N, C, 2) that place the windows, instead of random ones; those of
    more samples than there are do nothing.
    Raises ValueError without either size, RuntimeError for sizes and shapes that do not fit.

    >>> import minigrad
    >>> fractional_max_pool2d(minigrad.randn(20, 16, 50, 32), 3, output_size=(13, 12)).shape
    (20, 16, 13, 12)
    """
    return _pool(
        "fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


@of_host
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """fractional_max_pool2d for (N, C, D, H, W) or (C, D, H, W); _random_samples is (N, C, 3)."""
    return _pool(
        "fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


def _pool(
    op: str,
    rank: int,
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None,
    output_ratio: Ratio | None,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    if input.ndim not in (rank + 1, rank + 2) or 0 in input.shape[-rank - 1 :]:
        raise RuntimeError(
            f"{op}: expected input with {rank + 1} or {rank + 2} axes, none but the batch empty, got shape {tuple(input.shape)}"
        )
    plane = input.shape[-rank:]
    if output_size is None:
        if output_ratio is None:
            raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
        ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * rank
        if not all(isfinite(ratio) for ratio in ratios):
            raise ValueError(f"{op}: output_ratio must be a finite number, got {output_ratio}")
        output_size = [int(size * ratio) for size, ratio in zip(plane, ratios, strict=True)]
    kernel, outputs = per_axis(op, "kernel_size", kernel_size, rank), per_axis(op, "output_size", output_size, rank)
    for axis, (size, window, count) in enumerate(zip(plane, kernel, outputs, strict=True)):
        if window < 1 or count < 0 or count + window - 1 > size:
            raise RuntimeError(
                f"{op}: {count} windows of {window} do not fit into the {size} elements along spatial axis {axis}: "
                "the output size must be at most input size - kernel_size + 1"
            )
    planes: Any = input if input.ndim == rank + 2 else input.unsqueeze(0)
    if samples is not None and (
        samples.ndim != 3 or len(samples) < len(planes) or tuple(samples.shape[1:]) != (planes.shape[1], rank)
    ):
        raise RuntimeError(
            f"{op}: Expected _random_samples of shape {(*planes.shape[:2], rank)}, got {tuple(samples.shape)}"
        )
    draws: Any = rand(*planes.shape[:2], rank, dtype=planes.dtype) if samples is None else samples
    indices = make_tensor(_places_of_maxima(planes.array, kernel, outputs, draws.array[: len(planes)]))
    pooled = pool_gather(planes, indices)
    if input.ndim == rank + 1:
        pooled, indices = pooled.squeeze(0), indices.squeeze(0)
    return (pooled, indices) if return_indices else pooled


def _places_of_maxima(planes: Any, kernel: tuple[int, ...], outputs: tuple[int, ...], samples: Any) -> Any:
    """The flat position in its plane of the first largest element of each window: (N, C, *outputs)."""
    rank = len(kernel)
    count, channels, *sizes = planes.shape
    places = np.zeros((count, channels) + (1,) * (2 * rank), np.int64)
    for axis, (size, window, wanted) in enumerate(zip(sizes, kernel, outputs, strict=True)):
        # torch draws the number of the last axis first in two dimensions, and that of the first axis in three
        begins = _begins(size, window, wanted, samples[..., rank - 1 - axis if rank == 2 else axis])
        shape = [count, channels] + [1] * (2 * rank)
        shape[2 + axis], shape[2 + rank + axis] = wanted, window
        places = places * size + (begins[..., None] + np.arange(window)).reshape(shape)
    windows = places.reshape(count, channels, prod(outputs), prod(kernel))
    values = np.take_along_axis(planes.reshape(count, channels, 1, prod(sizes)), windows, 3)
    first = values.argmax(-1)[..., None]
    return np.take_along_axis(windows, first, 3).reshape(count, channels, *outputs)


def _begins(size: int, window: int, wanted: int, sample: Any) -> Any:
    """Where the windows along one axis begin (N, C, wanted): steps of nearly one length, the last window at the end."""
    sample = sample[..., None]
    alpha = sample.dtype.type((size - window) / max(wanted - 1, 1))
    begins = ((np.arange(wanted) + sample) * alpha).astype(np.int64) - (sample * alpha).astype(np.int64)
    if wanted:
        begins[..., -1] = size - window
    return begins
