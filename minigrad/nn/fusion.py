"""What comes after one another and is computed at once where nobody looks between: batch norm and a rectifier; without gradients, a
convolution too, and a depthwise one with its neighbours of one tap."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.autocast import is_autocast_enabled
from minigrad.core.modes import recording, tracing
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import cpu
from minigrad.kernels.geometry import Windows
from minigrad.nn.activation import LeakyReLU, ReLU, ReLU6
from minigrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from minigrad.nn.conv import Conv1d, Conv2d, Conv3d
from minigrad.nn.functional.norm import scale_and_shift
from minigrad.nn.module import Module

BATCH_NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)
NORM_AFTER = {Conv1d: BatchNorm1d, Conv2d: BatchNorm2d, Conv3d: BatchNorm3d}
LIMITS = {ReLU: (0.0, inf), ReLU6: (0.0, 6.0)}
NO_LIMITS = (-inf, inf)


def is_plain(module: Module) -> bool:
    """Is a call of this module its class's forward, with nobody looking on?"""
    return not module._hooks and "forward" not in module.__dict__


def may_wait(module: Module, input: Any) -> bool:
    """May this module be computed together with what follows it?"""
    return type(input) is Tensor and is_plain(module) and not tracing()


def slope_of(module: Module) -> float | None:
    """By what a rectifier multiplies negative numbers, if it may be computed together with what comes before it; else None."""
    if type(module) is ReLU:
        return 0.0 if is_plain(module) else None
    slope = module.negative_slope if type(module) is LeakyReLU and is_plain(module) else None
    return slope if type(slope) is float and slope > 0 else None


def fits(residual: Any, input: Tensor) -> bool:
    """Can it be added to the normalised input without a rounding, cast or broadcast of its own?"""
    like = type(residual) is Tensor and residual.shape == input.shape and residual.dtype == input.dtype
    return like and input.dtype.itemsize >= 4


def normalised_and_rectified(norm: Any, rectifier: Module, input: Tensor, residual: Tensor | None = None) -> Any:
    """rectifier(norm(input)), or rectifier(norm(input) + residual): at once where that is possible and nobody can tell."""
    slope = slope_of(rectifier) if type(norm) in BATCH_NORMS and may_wait(norm, input) else None
    if slope is not None and (residual is None or fits(residual, input)):
        return norm.normalised(input, slope, residual)
    out = norm(input)
    if residual is not None:
        out += residual
    return rectifier(out)


# --- one module after the other ---------------------------------------------------------------------------------------


class FinishedConv(NamedTuple):
    """A convolution with what comes after it: a batch norm in evaluation, or None, and two limits."""

    conv: Any
    norm: Any
    limits: tuple[float, float]

    def __call__(self, input: Tensor) -> Any:
        """What the convolution gives, normalised and between limits."""
        norm = self.norm
        if norm is None:
            return self.conv(input) if self.limits is NO_LIMITS else self.conv.finished(input, (None, None, *self.limits))
        scale, shift = scale_and_shift(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)
        return self.conv.finished(input, (scale, shift, *self.limits))

    def for_kernel(self) -> tuple[Any, ...]:
        """Filters, bias, statistics, weight and bias of the norm as arrays, its eps, and limits."""
        conv, norm = self.conv, self.norm
        given = (conv.weight, conv.bias)
        given += (None,) * 4 if norm is None else (norm.running_mean, norm.running_var, norm.weight, norm.bias)
        return *[None if x is None else x.array for x in given], None if norm is None else norm.eps, *self.limits


def in_turn(modules: Iterable[Any], input: Any) -> Any:
    """What the last of the modules gives, each having got what the one before it gave."""
    block: list[FinishedConv] = []  # these wait too
    conv = norm = None  # wait to see what follows
    for module in modules:
        if conv is not None:
            limits = LIMITS.get(type(module)) if is_plain(module) else None
            if limits is None and norm is None and follows(conv, module):
                norm = module
                continue
            input, conv, norm = joined(block, FinishedConv(conv, norm, limits or NO_LIMITS), input), None, None
            if limits is not None:
                continue
        elif norm is not None:
            slope = slope_of(module)
            input, norm = norm(input) if slope is None else norm.normalised(input, slope), None
            if slope is not None:
                continue
        if type(module) in NORM_AFTER and not recording() and may_be_finished(module, input):
            conv = module
            continue
        input = computed(block, input)
        if type(module) in BATCH_NORMS and may_wait(module, input):
            norm = module
        else:
            input = module(input)
    if conv is not None:
        return computed(block, joined(block, FinishedConv(conv, norm, NO_LIMITS), input))
    input = computed(block, input)
    return input if norm is None else norm(input)


def may_be_finished(conv: Any, input: Any) -> bool:
    """May this convolution be computed together with what follows it? The kernels for that are the CPU's."""
    return (
        may_wait(conv, input)
        and conv.padding_mode == "zeros"
        and input.ndim == conv.rank + 2
        and type(input.array) is np.ndarray
        and input.dtype.kind == "f"
        and input.dtype.itemsize >= 4
        and input.dtype == conv.weight.dtype
        and not is_autocast_enabled("cpu")
    )


def follows(conv: Any, norm: Any) -> bool:
    """Is this a batch norm in evaluation that fits behind the convolution?"""
    return (
        type(norm) is NORM_AFTER[type(conv)]
        and is_plain(norm)
        and not norm.training
        and norm.eps >= 0
        and norm.running_mean is not None
        and norm.num_features == conv.out_channels
        and all([v is None or v.dtype == conv.weight.dtype for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)])
    )


# --- separable convolutions -------------------------------------------------------------------------------------------


def joined(block: list[FinishedConv], stage: FinishedConv, input: Tensor) -> Any:
    """What can be computed now that this convolution is the next, else the input: a depthwise convolution waits for the one of
    one tap behind it, and one of one tap for the depthwise one."""
    conv, before = stage.conv, block[-1].conv if block else None
    fits = before is not None and before.out_channels == conv.in_channels
    if fits and is_depthwise(before) and is_pointwise(conv):
        stages = [*block, stage]
        block.clear()
        return computed_at_once(stages, input)
    if not (fits and is_pointwise(before) and is_depthwise(conv)):
        input = computed(block, input)
    if not (is_pointwise(conv) or is_depthwise(conv)):
        return stage(input)
    block.append(stage)
    return input


def is_pointwise(conv: Any) -> bool:
    """Has each filter one tap, for every pixel?"""
    ones = conv.rank * (1,)
    return (
        conv.kernel_size == ones and conv.stride == ones and conv.groups == 1 and conv.padding in (conv.rank * (0,), "same", "valid")
    )


def is_depthwise(conv: Any) -> bool:
    """Has each channel a filter of its own?"""
    return conv.groups == conv.in_channels == conv.out_channels > 1 and conv.rank <= 2  # type: ignore[no-any-return]


def computed(block: list[FinishedConv], input: Any) -> Any:
    """What the convolutions that waited give, one after the other; none is left."""
    stages = block.copy()
    block.clear()
    for stage in stages:
        input = stage(input)
    return input


def computed_at_once(stages: list[FinishedConv], input: Tensor) -> Any:
    """What a depthwise convolution gives with the one of one tap behind it, and perhaps one before."""
    conv = stages[-2].conv
    given = [stage.for_kernel() for stage in stages]
    sound = all([is_sound(stage.conv, *vectors) for stage, (*vectors, _, _, _) in zip(stages, given, strict=True)])
    if sound and input.shape[1] == stages[0].conv.in_channels and cpu.takes(input.array, conv.rank):
        shape, sizes = (input.shape[0], conv.in_channels, *input.shape[2:]), (conv.stride, conv.padding, conv.dilation, conv.groups)
        windows = Windows.conv(f"conv{conv.rank}d", conv.rank, shape, conv.weight.shape, None, *sizes)
        if cpu.separable_pays(windows, len(stages) == 3):
            before = given[0] if len(given) == 3 else None
            return make_tensor(cpu.separable(input.array, windows, before, *given[-2:]))
    return computed(stages, input)


def is_sound(conv: Any, filters: Any, *vectors: Any) -> bool:
    """Are these what the convolution says it has? Who put others in their place finds them used, or the error of the operation."""
    size = (conv.out_channels, conv.in_channels // conv.groups, *conv.kernel_size)
    return filters.shape == size and all(
        [v is None or (type(v) is np.ndarray and v.shape == size[:1] and v.dtype == filters.dtype) for v in vectors]
    )
