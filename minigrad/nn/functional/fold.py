"""Sliding windows as columns, and columns back to images: torch's unfold and fold."""

from __future__ import annotations

from math import prod
from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.geometry import Windows, per_axis
from minigrad.ops.fold import fold_windows, unfold_windows

__all__ = ["fold", "unfold"]


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C, H, W) to (N, C * taps, windows): a column for each window, with what it reads.

    Raises RuntimeError for windows that do not fit.

    >>> import minigrad
    >>> minigrad.nn.functional.unfold(minigrad.arange(4.0).reshape(1, 1, 2, 2), 2)
    tensor([[[0.],
             [1.],
             [2.],
             [3.]]])
    """
    if input.ndim == 3:
        return unfold(input.unsqueeze(0), kernel_size, dilation, padding, stride).squeeze(0)  # type: ignore[no-any-return]
    kernel = per_axis("unfold", "kernel_size", kernel_size, 2)
    windows = Windows.conv(
        "unfold", 2, input.shape, (1, input.shape[1] if input.ndim > 1 else 1, *kernel), None, stride, padding, dilation, 1
    )
    columns = unfold_windows(input, windows)
    return columns.reshape(input.shape[0], input.shape[1] * prod(kernel), prod(windows.out_size))  # type: ignore[no-any-return]


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """(N, C * taps, windows) to (N, C, *output_size): adds up what the windows hand back. The adjoint of unfold.

    Raises RuntimeError for columns that do not fit the windows.
    """
    if input.ndim == 2:
        return fold(input.unsqueeze(0), output_size, kernel_size, dilation, padding, stride).squeeze(0)  # type: ignore[no-any-return]
    size = per_axis("fold", "output_size", output_size, 2)
    kernel = per_axis("fold", "kernel_size", kernel_size, 2)
    if min(kernel) < 1:
        raise RuntimeError(f"fold: kernel_size must be positive, got {kernel_size}")
    if input.ndim != 3 or input.shape[1] % prod(kernel):
        raise RuntimeError(
            f"fold: expected columns (N, C * {prod(kernel)}, windows) for kernel_size {kernel}, got shape {input.shape}"
        )
    channels = input.shape[1] // prod(kernel)
    windows = Windows.conv("fold", 2, (input.shape[0], 1, *size), (1, 1, *kernel), None, stride, padding, dilation, 1)
    if prod(windows.out_size) != input.shape[2]:
        raise RuntimeError(
            f"fold: output_size {size} has {prod(windows.out_size)} windows {windows.out_size}, but the input has {input.shape[2]} columns"
        )
    return fold_windows(input.reshape(input.shape[0], channels, prod(kernel), *windows.out_size), windows)
