"""Normalisations."""

from __future__ import annotations

from typing import Any

from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Run, axis_of, reads


def column(vector: Any, ndim: int) -> Any:
    """A vector of channels shaped to broadcast over (N, C, *)."""
    return vector.reshape((1, -1) + (1,) * (ndim - 2))


@reads("BatchNormalization", since=7)
def _(
    input: Any,
    scale: Any,
    bias: Any,
    mean: Any,
    var: Any,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    spatial: int = 1,
    training_mode: int = 0,
    run: Run,
) -> Any:
    """While the module is in training the statistics of the batch, and the running ones move towards them."""
    if not training_mode:
        if scale.dtype == input.dtype == mean.dtype and input.dtype.kind == "f":
            return F.batch_norm(input, mean, var, scale, bias, run.training, 1 - momentum, epsilon)
        away = (input - column(mean, input.ndim)) * column((var + epsilon).rsqrt() * scale, input.ndim)
        return (away + column(bias, input.ndim)).to(input.dtype)
    axes = (0, *range(2, input.ndim))
    now, spread = input.mean(axes), input.var(axes, unbiased=False)
    away = (input - column(now, input.ndim)) * column((spread + epsilon).rsqrt() * scale, input.ndim)
    out = (away + column(bias, input.ndim)).to(input.dtype)
    if run.outputs == 1:
        return out
    return out, *[(old * momentum + new * (1 - momentum)).to(old.dtype) for old, new in ((mean, now), (var, spread))]


@reads("InstanceNormalization")
def _(input: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5) -> Any:
    return F.group_norm(input, input.shape[1], scale, bias, epsilon)


@reads("GroupNormalization", since=18)
def _(input: Any, scale: Any, bias: Any, *, epsilon: float = 1e-5, num_groups: int, stash_type: int = 1) -> Any:
    """Up to version 20 a scale and a bias for each group."""
    each = input.shape[1] // num_groups
    if scale.shape[0] == num_groups != input.shape[1]:
        scale, bias = scale.repeat_interleave(each), bias.repeat_interleave(each)
    return F.group_norm(input, num_groups, scale, bias, epsilon)


@reads("LayerNormalization", since=17)
def _(
    input: Any, scale: Any, bias: Any = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1, run: Run
) -> Any:
    axis = axis_of(axis, input.ndim, "LayerNormalization")
    shape = tuple(input.shape[axis:])
    if run.outputs == 1 and tuple(scale.shape) == shape and (bias is None or tuple(bias.shape) == shape):
        return F.layer_norm(input, shape, scale, bias, epsilon)
    axes = tuple(range(axis, input.ndim))
    mean = input.mean(axes, True)
    away = input - mean
    inverse = ((away * away).mean(axes, True) + epsilon).rsqrt()
    out = away * inverse * scale
    out = out if bias is None else out + bias
    return (out, mean, inverse) if run.outputs > 1 else out


@reads("RMSNormalization", since=23)
def _(input: Any, scale: Any, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    axes = tuple(range(axis_of(axis, input.ndim, "RMSNormalization"), input.ndim))
    wide = input.float() if input.dtype == "float16" and stash_type == 1 else input
    return (wide * ((wide * wide).mean(axes, True) + epsilon).rsqrt()).to(input.dtype) * scale
