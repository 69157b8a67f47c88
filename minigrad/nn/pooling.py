"""Pooling layers. Each is a thin subclass, for its number of spatial axes, of one N-d layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn.module import Module
from minigrad.nn.sizes import repeated


class _MaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self.pool(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest value of each window of (N, C, L) or (C, L); with return_indices also where it was, for MaxUnpool1d."""

    pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest value of each window of (N, C, H, W) or (C, H, W); with return_indices also where it was, for MaxUnpool2d.

    stride: by default kernel_size. ceil_mode: round the output size up, so that no element is left out.

    >>> import minigrad
    >>> minigrad.nn.MaxPool2d(2)(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[4.]]])
    """

    pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest value of each window of (N, C, D, H, W) or (C, D, H, W); with return_indices also where it was, for MaxUnpool3d."""

    pool = staticmethod(F.max_pool3d)


class _MaxUnpool(Module):
    rank: ClassVar[int]
    unpool: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, self.rank)
        self.stride = repeated(kernel_size if stride is None else stride, self.rank)
        self.padding = repeated(padding, self.rank)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self.unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Puts each value back where MaxPool1d found it, zeros elsewhere; output_size in the call, if the pooled size was rounded."""

    rank = 1
    unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """Puts each value back where MaxPool2d found it, zeros elsewhere; output_size in the call, if the pooled size was rounded.

    >>> import minigrad
    >>> x = minigrad.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> values, indices = minigrad.nn.MaxPool2d(2, return_indices=True)(x)
    >>> minigrad.nn.MaxUnpool2d(2)(values, indices)
    tensor([[[[0., 0.],
              [0., 4.]]]])
    """

    rank = 2
    unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """Puts each value back where MaxPool3d found it, zeros elsewhere; output_size in the call, if the pooled size was rounded."""

    rank = 3
    unpool = staticmethod(F.max_unpool3d)


class AvgPool1d(Module):
    """The mean of each window of (N, C, L) or (C, L); count_include_pad: padding counts as zeros."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False, count_include_pad: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size = repeated(kernel_size, 1)
        self.stride = repeated(kernel_size if stride is None else stride, 1)
        self.padding = repeated(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self.pool(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The mean of each window of (N, C, H, W) or (C, H, W).

    count_include_pad: padding counts as zeros. divisor_override: divide by this rather than by the size of the window.

    >>> import minigrad
    >>> minigrad.nn.AvgPool2d(2)(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2.5000]]])
    """

    pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W); options as AvgPool2d."""

    pool = staticmethod(F.avg_pool3d)


class _SumPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.pool(input, self.kernel_size, self.stride, self.padding, ceil_mode=self.ceil_mode)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, ceil_mode={self.ceil_mode}"


class SumPool1d(_SumPool):
    """The sum of each window of (N, C, L) or (C, L); an extension of torch's layers."""

    pool = staticmethod(F.sum_pool1d)


class SumPool2d(_SumPool):
    """The sum of each window of (N, C, H, W) or (C, H, W); an extension of torch's layers.

    >>> import minigrad
    >>> minigrad.nn.SumPool2d(2)(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[10.]]])
    """

    pool = staticmethod(F.sum_pool2d)


class SumPool3d(_SumPool):
    """The sum of each window of (N, C, D, H, W) or (C, D, H, W); an extension of torch's layers."""

    pool = staticmethod(F.sum_pool3d)


class _LPPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self.pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, L) or (C, L), p being norm_type."""

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, H, W) or (C, H, W), p being norm_type.

    >>> import minigrad
    >>> minigrad.nn.LPPool2d(2, (1, 2))(minigrad.tensor([[[3.0, 4.0]]]))
    tensor([[[5.]]])
    """

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPool):
    """(sum of x^p)^(1/p) over each window of (N, C, D, H, W) or (C, D, H, W), p being norm_type."""

    pool = staticmethod(F.lp_pool3d)


class _AdaptiveAvgPool(Module):
    pool: ClassVar[Callable[..., Tensor]]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self.pool(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of output_size windows that together cover (N, C, L) or (C, L)."""

    pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of output_size windows that together cover (N, C, H, W) or (C, H, W); None keeps an axis as it is.

    >>> import minigrad
    >>> minigrad.nn.AdaptiveAvgPool2d(1)(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2.5000]]])
    """

    pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of output_size windows that together cover (N, C, D, H, W) or (C, D, H, W); None keeps an axis as it is."""

    pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Module):
    pool: ClassVar[Callable[..., Any]]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self.pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest values of output_size windows that together cover (N, C, L) or (C, L)."""

    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest values of output_size windows that together cover (N, C, H, W) or (C, H, W); None keeps an axis as it is.

    >>> import minigrad
    >>> minigrad.nn.AdaptiveMaxPool2d(1)(minigrad.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[4.]]])
    """

    pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest values of output_size windows that together cover (N, C, D, H, W) or (C, D, H, W); None keeps an axis as it is."""

    pool = staticmethod(F.adaptive_max_pool3d)


class _FractionalMaxPool(Module):
    rank: ClassVar[int]
    pool: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"{name}: only one of output_size and output_ratio may be specified")
        self.kernel_size = repeated(kernel_size, self.rank)
        self.return_indices = return_indices
        self._random_samples: Tensor | None
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else repeated(output_size, self.rank)
        self.output_ratio = None if output_ratio is None else repeated(output_ratio, self.rank)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"{name}: output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        samples = self._random_samples
        return self.pool(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, samples)


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest elements of windows of (N, C, H, W) or (C, H, W), placed at random but evenly (Graham, 2014).

    output_size: of the output, or output_ratio: its size divided by the input's, between 0 and 1.

    >>> import minigrad
    >>> minigrad.nn.FractionalMaxPool2d(3, output_ratio=0.5)(minigrad.randn(20, 16, 50, 32)).shape
    (20, 16, 25, 16)
    """

    rank = 2
    pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest elements of windows of (N, C, D, H, W) or (C, D, H, W), placed at random but evenly (Graham, 2014)."""

    rank = 3
    pool = staticmethod(F.fractional_max_pool3d)
