"""Convolutions and transposed convolutions of one, two and three axes, with torch's arguments.

All are one N-d operation: what differs is the number of axes, and the name in error messages. "Convolution" is the
cross-correlation out[n, k, j] = bias[k] + sum over c, t of weight[k, c, t] * input[n, c, j * stride + t * dilation - padding];
V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016), draws all its forms.
"""

from __future__ import annotations

from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.kernels.geometry import Windows
from minigrad.ops.conv import conv, conv_input
from minigrad.ops.finished_conv import finished_conv

Size = int | tuple[int, ...] | list[int]

__all__ = ["conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Convolves along one axis: input ([N,] C, W), weight (K, C / groups, F), bias (K), output ([N,] K, (W - F + 2P) / S + 1).

    padding: a number for both ends, 'valid' for none, or 'same' for an output as long as the input (stride 1).
    dilation: the distance of the elements that a filter reads. groups: channels are split into as many independent parts.
    Raises RuntimeError for shapes that do not fit together or differing dtypes, TypeError for sizes that are no integers.

    >>> import minigrad
    >>> signal = minigrad.tensor([[1.0, 2.0, 4.0, 8.0]])
    >>> minigrad.nn.functional.conv1d(signal, minigrad.tensor([[[-1.0, 1.0]]]))
    tensor([[1., 2., 4.]])
    """
    return convolution("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Convolves a picture: input ([N,] C, H, W), weight (K, C / groups, FH, FW), bias (K), output ([N,] K, H', W').

    Along each axis W' = (W - F + 2P) / S + 1, rounded down. Arguments and errors as for `conv1d`; a tuple gives one
    number for each axis.

    >>> import minigrad
    >>> picture, filters = minigrad.ones(1, 3, 32, 32), minigrad.ones(10, 3, 5, 5)
    >>> minigrad.nn.functional.conv2d(picture, filters, stride=1, padding=2).shape
    (1, 10, 32, 32)
    """
    return convolution("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Convolves a volume: input ([N,] C, D, H, W), weight (K, C / groups, FD, FH, FW), bias (K), output ([N,] K, D', H', W').

    Arguments and errors as for `conv1d`; a tuple gives one number for each axis.

    >>> import minigrad
    >>> minigrad.nn.functional.conv3d(minigrad.ones(1, 2, 4, 8, 8), minigrad.ones(6, 2, 3, 3, 3), padding=(0, 1, 1)).shape
    (1, 6, 2, 8, 8)
    """
    return convolution("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of a convolution along one axis: input ([N,] C, W), weight (C, K / groups, F), bias (K), output ([N,] K, W').

    It is the gradient of conv1d in its input: each element spreads over all that conv1d would have read it from. So
    W' = (W - 1) S - 2P + dilation (F - 1) + output_padding + 1, where output_padding chooses among the lengths that
    conv1d would map to W. Raises RuntimeError for shapes that do not fit together or differing dtypes, TypeError for
    sizes that are no integers.

    >>> import minigrad
    >>> minigrad.nn.functional.conv_transpose1d(minigrad.tensor([[1.0, 2.0]]), minigrad.tensor([[[1.0, 10.0]]]), stride=2)
    tensor([[ 1., 10.,  2., 20.]])
    """
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of conv2d: input ([N,] C, H, W), weight (C, K / groups, FH, FW), bias (K), output ([N,] K, H', W').

    Sizes, arguments and errors as for `conv_transpose1d`; a tuple gives one number for each axis.

    >>> import minigrad
    >>> x, weight = minigrad.ones(1, 8, 16, 16), minigrad.ones(8, 4, 3, 3)
    >>> minigrad.nn.functional.conv_transpose2d(x, weight, stride=2, padding=1, output_padding=1).shape
    (1, 4, 32, 32)
    """
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of conv3d: input ([N,] C, D, H, W), weight (C, K / groups, FD, FH, FW), bias (K), output ([N,] K, D', H', W').

    Sizes, arguments and errors as for `conv_transpose1d`; a tuple gives one number for each axis.

    >>> import minigrad
    >>> minigrad.nn.functional.conv_transpose3d(minigrad.ones(1, 4, 2, 2, 2), minigrad.ones(4, 3, 2, 2, 2), stride=2).shape
    (1, 3, 4, 4, 4)
    """
    return _conv_transpose(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def convolution(
    op: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    finish: tuple[Tensor | None, Tensor | None, float, float] | None = None,
) -> Tensor:
    """The convolution; with scale, shift and limits of `finished_conv` if these are given, for a batch."""
    _check_operands(op, input, weight, bias)
    windows = Windows.conv(
        op, rank, input.shape, weight.shape, None if bias is None else bias.shape, stride, padding, dilation, groups
    )
    if finish is not None:
        scale, shift, low, high = finish
        return finished_conv(input, weight, bias, scale, shift, windows, low, high)  # type: ignore[no-any-return]
    if input.ndim == rank + 2:
        return conv(input, weight, bias, windows)
    return conv(input.unsqueeze(0), weight, bias, windows).squeeze(0)


def _conv_transpose(
    op: str,
    rank: int,
    input: Tensor,
    weight: Tensor,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
) -> Tensor:
    _check_operands(op, input, weight, bias)
    windows = Windows.conv_transpose(
        op, rank, input.shape, weight.shape, None if bias is None else bias.shape,
        stride, padding, output_padding, groups, dilation,
    )  # fmt: skip
    if input.ndim == rank + 2:
        return conv_input(input, weight, bias, windows)
    return conv_input(input.unsqueeze(0), weight, bias, windows).squeeze(0)


def _check_operands(op: str, input: Any, weight: Any, bias: Any) -> None:
    for name, x in (("input", input), ("weight", weight), ("bias", bias)):
        if not isinstance(x, Tensor):
            if x is None and name == "bias":
                continue
            raise TypeError(
                f"{op}: {name} must be a Tensor, but got {type(x).__name__}; minigrad.tensor(...) makes one"
            )
        if x.dtype != input.dtype:
            raise RuntimeError(
                f"{op}: {name} is {x.dtype} but input is {input.dtype}; convert one of them, as in input.to({name}.dtype)"
            )
    if input.dtype.kind == "b":
        raise RuntimeError(f"{op}: input must hold numbers, but is bool; convert it, as in input.float()")
