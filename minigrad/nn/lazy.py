"""Layers that take the size of their input from the first one they are called with, and are ordinary layers from then on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from minigrad.core.tensor import Tensor
from minigrad.nn.batchnorm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _InstanceNorm,
    _RunningNorm,
)
from minigrad.nn.checks import expect
from minigrad.nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _ConvNd,
    _Convolution,
    _TransposedConvolution,
)
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import UninitializedBuffer, UninitializedParameter, UninitializedTensorMixin, is_lazy
from minigrad.ops.creation import tensor


class LazyModuleMixin(Module):
    """A module some of whose parameters are UninitializedParameter until the first call.

    Subclasses define initialize_parameters(*args, **kwargs), which gets the arguments of the first call and materialises them, and
    cls_to_become, the class the module has afterwards (None to stay what it is).
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialises the parameters for the arguments of the first call; subclasses define it."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {type(self).__name__}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module, without those below it, has no shape yet."""
        return any(is_lazy(member) for member in (*self._parameters.values(), *self._buffers.values()))

    def reset_parameters(self) -> None:
        """Draws the initial weights anew, once there are any."""
        if not self.has_uninitialized_params():
            super().reset_parameters()  # type: ignore[misc]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # A module whose parameters came with a state still has to learn the size of its input.
        if self.cls_to_become is not None or self.has_uninitialized_params():
            self.initialize_parameters(*args, **kwargs)
            if self.has_uninitialized_params():
                raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        if self.cls_to_become is None:
            return super().__call__(*args, **kwargs)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return self(*args, **kwargs)


def _materialize(member: Any, *shape: int) -> None:
    if isinstance(member, UninitializedTensorMixin):
        member.materialize(shape)


# -- linear ------------------------------------------------------------------------------------------------------------


class LazyLinear(LazyModuleMixin, Linear):
    """A Linear whose in_features is the length of the last axis of its first input.

    >>> import minigrad
    >>> layer = minigrad.nn.LazyLinear(30)
    >>> layer(minigrad.zeros(128, 20)).shape
    (128, 30)
    >>> layer
    Linear(in_features=20, out_features=30, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_features, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None

    def reset_parameters(self) -> None:
        if self.in_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        expect(type(self).__name__, "input", input, Tensor)
        self.in_features = input.shape[-1]
        if self.has_uninitialized_params():
            _materialize(self.weight, self.out_features, self.in_features)
            _materialize(self.bias, self.out_features)
            self.reset_parameters()


# -- convolutions ------------------------------------------------------------------------------------------------------


class _LazyConvNd(LazyModuleMixin, _ConvNd):
    """What lazy convolutions share: in_channels is the number of channels of the first input."""

    def _wait(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None

    def reset_parameters(self) -> None:
        if self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        expect(type(self).__name__, "input", input, Tensor)
        if input.ndim not in (self.rank + 1, self.rank + 2):
            raise RuntimeError(
                f"Expected {self.rank + 1}D (unbatched) or {self.rank + 2}D (batched) input to {type(self).__name__}, "
                f"but got input of size: {tuple(input.shape)}"
            )
        self.in_channels = input.shape[-self.rank - 1]
        if self.in_channels % self.groups != 0:
            raise ValueError(
                f"{type(self).__name__}: in_channels must be divisible by groups, got {self.in_channels} and groups={self.groups}"
            )
        if self.has_uninitialized_params():
            outer, inner = (
                (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
            )
            _materialize(self.weight, outer, inner // self.groups, *self.kernel_size)
            _materialize(self.bias, self.out_channels)
            self.reset_parameters()


class _LazyConvolution(_LazyConvNd, _Convolution):
    def __init__(
        self,
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
        super().__init__(0, out_channels, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._wait(bias, device, dtype)


class _LazyTransposedConvolution(_LazyConvNd, _TransposedConvolution):
    def __init__(
        self,
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
        super().__init__(
            0, out_channels, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode
        )
        self._wait(bias, device, dtype)


class LazyConv1d(_LazyConvolution, Conv1d):
    """A Conv1d whose in_channels is that of its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConvolution, Conv2d):
    """A Conv2d whose in_channels is that of its first input.

    >>> import minigrad
    >>> layer = minigrad.nn.LazyConv2d(10, kernel_size=5)
    >>> layer(minigrad.zeros(1, 3, 32, 32)).shape
    (1, 10, 28, 28)
    >>> layer
    Conv2d(3, 10, kernel_size=(5, 5), stride=(1, 1))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConvolution, Conv3d):
    """A Conv3d whose in_channels is that of its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyTransposedConvolution, ConvTranspose1d):
    """A ConvTranspose1d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyTransposedConvolution, ConvTranspose2d):
    """A ConvTranspose2d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyTransposedConvolution, ConvTranspose3d):
    """A ConvTranspose3d whose in_channels is that of its first input."""

    cls_to_become = ConvTranspose3d


# -- normalisation -----------------------------------------------------------------------------------------------------


class _LazyNorm(LazyModuleMixin, _RunningNorm):
    """What lazy normalisations share: num_features is the number of channels of the first input."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(0, eps, momentum, False, False, bias=False)  # type: ignore[call-arg]
        self.affine = affine
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            self.bias = UninitializedParameter(device=device, dtype=dtype) if bias else None
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = tensor(0)

    def initialize_parameters(self, input: Tensor) -> None:
        expect(type(self).__name__, "input", input, Tensor)
        unbatched = isinstance(self, _InstanceNorm) and input.ndim == self.ndim - 1
        self.num_features = input.shape[0 if unbatched else 1]
        if self.has_uninitialized_params():
            for member in (self.weight, self.bias, self.running_mean, self.running_var):
                _materialize(member, self.num_features)
            self.reset_parameters()


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A BatchNorm1d whose num_features is the number of channels of its first input.

    >>> import minigrad
    >>> layer = minigrad.nn.LazyBatchNorm1d()
    >>> layer(minigrad.randn(4, 3)).shape
    (4, 3)
    >>> layer.num_features
    3
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A BatchNorm2d whose num_features is the number of channels of its first input."""

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A BatchNorm3d whose num_features is the number of channels of its first input."""

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """An InstanceNorm1d whose num_features is the number of channels of its first input."""

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """An InstanceNorm2d whose num_features is the number of channels of its first input."""

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """An InstanceNorm3d whose num_features is the number of channels of its first input."""

    cls_to_become = InstanceNorm3d
