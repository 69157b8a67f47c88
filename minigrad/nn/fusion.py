"""What comes after one another and is computed at once where nobody looks between: batch norm and a rectifier; without gradients, a convolution too."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

import numpy as np

from minigrad.core.autocast import is_autocast_enabled
from minigrad.core.modes import recording, tracing
from minigrad.core.tensor import Tensor
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


def in_turn(modules: Iterable[Any], input: Any) -> Any:
    """What the last of the modules gives, each having got what the one before it gave."""
    conv = norm = None  # wait to see what follows
    for module in modules:
        if conv is not None:
            limits = LIMITS.get(type(module)) if is_plain(module) else None
            if limits is None and norm is None and follows(conv, module):
                norm = module
                continue
            input, conv, norm = finished(conv, norm, input, limits or NO_LIMITS), None, None
            if limits is not None:
                continue
        elif norm is not None:
            slope = slope_of(module)
            input, norm = norm(input) if slope is None else norm.normalised(input, slope), None
            if slope is not None:
                continue
        if type(module) in NORM_AFTER and not recording() and may_be_finished(module, input):
            conv = module
        elif type(module) in BATCH_NORMS and may_wait(module, input):
            norm = module
        else:
            input = module(input)
    if conv is not None:
        return finished(conv, norm, input, NO_LIMITS)
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
        and norm.running_mean is not None
        and norm.num_features == conv.out_channels
        and norm.running_mean.dtype == conv.weight.dtype
        and (norm.weight is None or norm.weight.dtype == conv.weight.dtype)
    )


def finished(conv: Any, norm: Any, input: Tensor, limits: tuple[float, float]) -> Any:
    """What the convolution gives, normalised and between limits."""
    if norm is None:
        return conv(input) if limits is NO_LIMITS else conv.finished(input, (None, None, *limits))
    scale, shift = scale_and_shift(norm.running_mean, norm.running_var, norm.weight, norm.bias, norm.eps)
    return conv.finished(input, (scale, shift, *limits))
