"""SyncBatchNorm: batch norm whose mean and variance are those of the batches of all processes."""

from __future__ import annotations

from typing import Any, cast

from minigrad.autograd import Function
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.distributed.collectives import all_reduce
from minigrad.distributed.group import Group, world
from minigrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d, _BatchNorm
from minigrad.nn.functional.norm import update_running
from minigrad.nn.module import Module
from minigrad.ops.arithmetic import rsqrt
from minigrad.ops.joining import cat


class SumOverRanks(Function):
    """The sum of a tensor over all processes. What each of them does with the sum comes back in the gradient: the sum of the gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        total = x.detach().clone()
        all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (g,) = grad_outputs
        return cast("Tensor", SumOverRanks.apply(g, ctx.group)), None


class SyncBatchNorm(_BatchNorm):
    """Batch norm of (N, C, *) over the batches of all processes, in training; in evaluation it is batch norm.

    Arguments and state are those of BatchNorm2d; process_group: by default all processes. Variances are means of squared deviations from the
    common mean, which is the more exact way and takes two small communications. Raises ValueError for inputs without a batch or channels.
    """

    ndims = (2, 3, 4, 5)

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Group | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self.process_group = process_group

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        group = self.process_group or world("SyncBatchNorm")
        if group.size == 1:
            return super().forward(input)
        self.check_input(input)
        momentum = self.count_batch()
        dims = [0, *range(2, input.ndim)]
        shape = (1, -1, *[1] * (input.ndim - 2))
        count = input.new_full((1,), input.numel() // input.shape[1])
        sums: Any = SumOverRanks.apply(cat([input.sum(dims), count]), group)
        mean, total = sums[:-1] / sums[-1], sums[-1].item()
        if total <= 1:
            raise ValueError(f"SyncBatchNorm: expected more than 1 value per channel when training, got input size {tuple(input.shape)}")
        deviations = input - mean.reshape(shape)
        squares: Any = SumOverRanks.apply((deviations * deviations).sum(dims), group)
        var = squares / total
        if self.track_running_stats:
            with no_grad():
                update_running(self.running_mean, mean, momentum)
                update_running(self.running_var, var * (total / (total - 1)), momentum)
        out = deviations * rsqrt(var + self.eps).reshape(shape)
        if self.weight is not None:
            out = out * self.weight.reshape(shape)
        return out if self.bias is None else out + self.bias.reshape(shape)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Group | None = None) -> Module:
        """The module with every batch norm in it replaced by a SyncBatchNorm of the same parameters and statistics.

        >>> import minigrad
        >>> SyncBatchNorm.convert_sync_batchnorm(minigrad.nn.Sequential(minigrad.nn.BatchNorm2d(3)))
        Sequential(
          (0): SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
        )
        """
        if isinstance(module, (BatchNorm1d, BatchNorm2d, BatchNorm3d)):
            new = cls(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats, process_group)
            new.weight, new.bias = module.weight, module.bias
            for name in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(new, name, getattr(module, name))
            return new.train(module.training)
        for name, child in module.named_children():
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module
