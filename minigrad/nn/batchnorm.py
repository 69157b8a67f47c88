"""Normalisation with running statistics: batch norm and instance norm."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from minigrad.core.tensor import Tensor
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.functional.norm import normalised_batch
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.ops.creation import empty, ones, tensor, zeros


class _RunningNorm(Module):
    """Weight, bias and running statistics of num_features channels."""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(empty(num_features, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(empty(num_features, device=device, dtype=dtype)) if affine and bias else None
        self.running_mean: Tensor | None
        self.running_var: Tensor | None
        self.num_batches_tracked: Tensor | None
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if track_running_stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forgets the running statistics: mean 0, variance 1, no batch seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forgets the running statistics and sets weight to 1 and bias to 0."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _before_load(self, state: dict[str, Any], prefix: str, strict: bool, missing: list[str], errors: list[str]) -> None:
        # As in torch: states older than the count of batches have none.
        if self.num_batches_tracked is not None:
            state.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._before_load(state, prefix, strict, missing, errors)

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_RunningNorm):
    ndims: ClassVar[tuple[int, ...]]  # how many axes an input may have

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def check_input(self, input: Tensor) -> None:
        """ValueError for an input with another number of axes."""
        if input.ndim not in self.ndims:
            expected = " or ".join(f"{ndim}D" for ndim in self.ndims)
            raise ValueError(
                f"{type(self).__name__}: expected {expected} input (got {input.ndim}D input), shape {tuple(input.shape)}"
            )

    def count_batch(self) -> float:
        """Counts the batch, if statistics follow it; returns the fraction by which they do."""
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:  # the running statistics are then the mean over all batches
                momentum = 1.0 / self.num_batches_tracked.item()
        return momentum

    def forward(self, input: Tensor) -> Tensor:
        return self.normalised(input)

    def normalised(self, input: Tensor, slope: float | None = None, residual: Tensor | None = None) -> Tensor:
        """What a call gives; for a slope, what a rectifier with that slope below 0 gives of it, or of it plus a residual."""
        self.check_input(input)
        momentum = self.count_batch()
        use_running = self.track_running_stats or not self.training
        return normalised_batch(
            input,
            self.running_mean if use_running else None,
            self.running_var if use_running else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            momentum,
            self.eps,
            slope,
            residual,
        )


class BatchNorm1d(_BatchNorm):
    """Normalises each channel of (N, C) or (N, C, L) over the batch, then scales and shifts it (Ioffe and Szegedy, 2015).

    In evaluation it uses running statistics, which follow those of the batches by the fraction momentum (None: their mean).
    """

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Normalises each channel of (N, C, H, W) over the batch, then scales and shifts it (Ioffe and Szegedy, 2015).

    In evaluation it uses running statistics, which follow those of the batches by the fraction momentum (None: their mean).

    >>> import minigrad
    >>> layer = minigrad.nn.BatchNorm2d(3)
    >>> layer(minigrad.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    >>> layer.running_mean
    tensor([0.1000, 0.1000, 0.1000])
    """

    ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalises each channel of (N, C, D, H, W) over the batch, then scales and shifts it (Ioffe and Szegedy, 2015).

    In evaluation it uses running statistics, which follow those of the batches by the fraction momentum (None: their mean).
    """

    ndims = (5,)


class _InstanceNorm(_RunningNorm):
    ndim: ClassVar[int]  # of an input with its axis of samples

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        name = type(self).__name__
        if input.ndim not in (self.ndim - 1, self.ndim):
            raise ValueError(
                f"{name}: expected {self.ndim - 1}D or {self.ndim}D input (got {input.ndim}D input), shape {tuple(input.shape)}"
            )
        axis = input.ndim - self.ndim + 1
        if input.shape[axis] != self.num_features:
            if self.affine:
                raise ValueError(
                    f"{name}: expected input's size at dim={axis} to match num_features ({self.num_features}), "
                    f"but got: {input.shape[axis]}."
                )
            warnings.warn(
                f"{name}: input's size at dim={axis} does not match num_features. You can silence this warning by not passing in "
                "num_features, which is not used because affine=False",
                stacklevel=2,
            )
        samples = input.unsqueeze(0) if axis == 0 else input
        output = F.instance_norm(
            samples,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return output.squeeze(0) if axis == 0 else output


class InstanceNorm1d(_InstanceNorm):
    """Normalises each channel of each sample of (N, C, L) or (C, L) (Ulyanov et al., 2016)."""

    ndim = 3


class InstanceNorm2d(_InstanceNorm):
    """Normalises each channel of each sample of (N, C, H, W) or (C, H, W) (Ulyanov et al., 2016).

    >>> import minigrad
    >>> minigrad.nn.InstanceNorm2d(3)(minigrad.ones(2, 3, 4, 4)).abs().max()
    tensor(0.)
    """

    ndim = 4


class InstanceNorm3d(_InstanceNorm):
    """Normalises each channel of each sample of (N, C, D, H, W) or (C, D, H, W) (Ulyanov et al., 2016)."""

    ndim = 5
