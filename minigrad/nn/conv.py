"""Convolution layers. Each is a thin subclass, for its number of spatial axes, of one N-d layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from minigrad.core.tensor import Tensor
from minigrad.kernels.geometry import per_axis
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.conv import convolution
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.creation import empty

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions and transposed convolutions share: sizes, weight, bias and their start."""

    rank: ClassVar[int]  # the number of spatial axes
    transposed: ClassVar[bool] = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | str | Sequence[int],
        dilation: int | Sequence[int],
        output_padding: int | Sequence[int],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if groups <= 0:
            raise ValueError(f"{name}: groups must be a positive integer, got {groups}")
        for side, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels < 0 or channels % groups != 0:
                raise ValueError(f"{name}: {side} must be divisible by groups, got {side}={channels} and groups={groups}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"{name}: padding_mode must be one of {PADDING_MODES}, but got padding_mode={padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = self._sizes("kernel_size", kernel_size, least=1)
        self.stride = self._sizes("stride", stride, least=1)
        self.dilation = self._sizes("dilation", dilation, least=1)
        self.padding = self._checked_padding(padding)
        self.output_padding = self._sizes("output_padding", output_padding, least=0)
        self.groups = groups
        self.padding_mode = padding_mode
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty((outer, inner // groups, *self.kernel_size), device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def _sizes(self, name: str, value: Any, least: int) -> tuple[int, ...]:
        sizes = per_axis(type(self).__name__, name, value, self.rank)
        if min(sizes) < least:
            raise ValueError(f"{type(self).__name__}: {name} must be at least {least}, got {value!r}")
        return sizes

    def _checked_padding(self, padding: int | str | Sequence[int]) -> str | tuple[int, ...]:
        name = type(self).__name__
        if not isinstance(padding, str):
            return self._sizes("padding", padding, least=0)
        if padding not in ("same", "valid"):
            raise ValueError(f"{name}: invalid padding string {padding!r}, should be one of 'same', 'valid'")
        if padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{name}: padding='same' is not supported for strided convolutions, got stride={self.stride}")
        return padding

    def reset_parameters(self) -> None:
        """Draws the initial weights anew: uniform on [-k, k] with k = 1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * self.rank:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * self.rank:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * self.rank:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Convolution(_ConvNd):
    """A convolution of self.rank spatial axes."""

    convolve: ClassVar[Callable[..., Tensor]]  # F.conv1d, F.conv2d or F.conv3d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype
        )

    def _amounts(self) -> list[int]:
        """How much F.pad adds before and after each axis, the last axis first, for the padding modes other than zeros."""
        amounts = []
        for axis in reversed(range(self.rank)):
            if self.padding == "same":
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                amounts += [total // 2, total - total // 2]
            elif self.padding == "valid":
                amounts += [0, 0]
            else:
                amounts += 2 * [int(self.padding[axis])]
        return amounts

    def forward(self, input: Tensor) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._amounts(), mode=self.padding_mode)
            padding = 0
        return self.convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def finished(self, input: Tensor, finish: tuple[Tensor | None, Tensor | None, float, float]) -> Tensor:
        """The convolution of a batch, padded with zeros, with what comes after it: a scale and a shift of each channel, and two limits."""
        op, sizes = f"conv{self.rank}d", (self.stride, self.padding, self.dilation, self.groups)
        return convolution(op, self.rank, input, self.weight, self.bias, *sizes, finish)


class Conv1d(_Convolution):
    """Convolves (N, C_in, L) or (C_in, L) with weight (C_out, C_in / groups, k) and adds bias (C_out).

    The output has length (L + 2 padding - dilation (k - 1) - 1) / stride + 1, rounded down. padding: a number, 'same' or 'valid'.
    padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.

    >>> import minigrad
    >>> minigrad.nn.Conv1d(16, 33, 3, stride=2)(minigrad.zeros(20, 16, 50)).shape
    (20, 33, 24)
    """

    rank = 1
    convolve = staticmethod(F.conv1d)


class Conv2d(_Convolution):
    """Convolves (N, C_in, H, W) or (C_in, H, W) with weight (C_out, C_in / groups, kh, kw) and adds bias (C_out).

    Each output axis is (size + 2 padding - dilation (k - 1) - 1) / stride + 1 long, rounded down. padding: a number, a pair, 'same' or 'valid'.
    padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.

    >>> import minigrad
    >>> layer = minigrad.nn.Conv2d(3, 10, kernel_size=5, padding=2)
    >>> layer(minigrad.zeros(1, 3, 32, 32)).shape
    (1, 10, 32, 32)
    >>> sum(parameter.numel() for parameter in layer.parameters())
    760
    """

    rank = 2
    convolve = staticmethod(F.conv2d)


class Conv3d(_Convolution):
    """Convolves (N, C_in, D, H, W) or (C_in, D, H, W) with weight (C_out, C_in / groups, kd, kh, kw) and adds bias (C_out).

    Each output axis is (size + 2 padding - dilation (k - 1) - 1) / stride + 1 long, rounded down. padding: a number, a triple, 'same' or 'valid'.
    padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'.

    >>> import minigrad
    >>> minigrad.nn.Conv3d(1, 2, 3, padding="same")(minigrad.zeros(1, 1, 4, 5, 6)).shape
    (1, 2, 4, 5, 6)
    """

    rank = 3
    convolve = staticmethod(F.conv3d)


class _TransposedConvolution(_ConvNd):
    """A transposed convolution of self.rank spatial axes."""

    transposed = True
    convolve: ClassVar[Callable[..., Tensor]]  # F.conv_transpose1d, F.conv_transpose2d or F.conv_transpose3d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        name = type(self).__name__
        if padding_mode != "zeros":
            raise ValueError(f'{name}: Only "zeros" padding mode is supported, got padding_mode={padding_mode!r}')
        if isinstance(padding, str):
            raise TypeError(f"{name}: padding must be a number or one number for each axis, got {padding!r}")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        output_padding = self.output_padding if output_size is None else self._padding_for(input, output_size)
        return self.convolve(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )

    def _padding_for(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that gives the output this size: strided convolutions of several sizes end in the same one."""
        name = type(self).__name__
        wanted = tuple(output_size)
        lead = input.ndim - self.rank
        if len(wanted) == input.ndim:
            wanted = wanted[lead:]
        if len(wanted) != self.rank:
            raise ValueError(
                f"{name}: requires output_size to have {self.rank} or {input.ndim} elements (got {len(wanted)}) "
                f"for an input of shape {tuple(input.shape)}"
            )
        least = [
            (input.shape[lead + axis] - 1) * self.stride[axis]
            - 2 * int(self.padding[axis])
            + self.dilation[axis] * (self.kernel_size[axis] - 1)
            + 1
            for axis in range(self.rank)
        ]
        most = [size + step - 1 for size, step in zip(least, self.stride, strict=True)]
        if any(not low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"{name}: requested an output size of {list(wanted)}, but valid sizes range from {least} to {most} "
                f"for an input of {list(input.shape[lead:])}"
            )
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_TransposedConvolution):
    """The transpose of Conv1d: input (N, C_in, L) or (C_in, L), weight (C_in, C_out / groups, k).

    The output has length (L - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1; output_size in the call chooses output_padding.

    >>> import minigrad
    >>> minigrad.nn.ConvTranspose1d(4, 2, 3, stride=2)(minigrad.zeros(1, 4, 10)).shape
    (1, 2, 21)
    """

    rank = 1
    convolve = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_TransposedConvolution):
    """The transpose of Conv2d: input (N, C_in, H, W) or (C_in, H, W), weight (C_in, C_out / groups, kh, kw).

    Each output axis is (size - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1 long; output_size in the call chooses output_padding.

    >>> import minigrad
    >>> upsample = minigrad.nn.ConvTranspose2d(16, 16, 3, stride=2, padding=1)
    >>> upsample(minigrad.zeros(1, 16, 6, 6), output_size=(12, 12)).shape
    (1, 16, 12, 12)
    """

    rank = 2
    convolve = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_TransposedConvolution):
    """The transpose of Conv3d: input (N, C_in, D, H, W) or (C_in, D, H, W), weight (C_in, C_out / groups, kd, kh, kw).

    Each output axis is (size - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1 long; output_size in the call chooses output_padding.

    >>> import minigrad
    >>> minigrad.nn.ConvTranspose3d(2, 1, 2, stride=2)(minigrad.zeros(1, 2, 3, 3, 3)).shape
    (1, 1, 6, 6, 6)
    """

    rank = 3
    convolve = staticmethod(F.conv_transpose3d)
