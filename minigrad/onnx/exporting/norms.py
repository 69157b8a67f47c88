"""How normalisations are written; batch norm in evaluation is recognised by what its scales were computed from."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from minigrad.onnx.exporting.builder import Builder, emits


def vector(b: Builder, x: Any, shape: Any, default: float) -> Any:
    """A weight or bias, or the constant that stands for none."""
    return b.constant(np.full(shape, default), b.dtype) if x is None else x


@emits("scale_channels")
def _(b: Builder, input: Any, scale: Any, shift: Any) -> Any:
    statistics = batch_norm_of(b, scale, shift)
    if statistics is not None:
        weight, bias, mean, var, eps = statistics
        vectors = [vector(b, weight, var.shape, 1), vector(b, bias, var.shape, 0), mean, var]
        return b.node("BatchNormalization", input, *vectors, epsilon=eps)
    column = [-1] + [1] * (len(input.shape) - 2)
    out = b.node("Mul", input, b.reshaped(scale, column))
    return out if shift is None else b.node("Add", out, b.reshaped(shift, column))


def batch_norm_of(b: Builder, scale: Any, shift: Any) -> Any:
    """Weight, bias, mean, var and eps, if scale = weight / sqrt(var + eps) and shift = bias - mean * scale."""
    made = b.maker(scale)
    weight = None
    if made is not None and made.op.name == "mul":
        inner, weight = (b.value_of(a) for a in made.args)
        made = b.maker(inner)
    if made is None or made.op.name != "rsqrt":
        return None
    made = b.maker(b.value_of(made.args[0]))
    if (
        made is None
        or made.op.name != "add"
        or not isinstance(made.args[1], (float, int))
        or made.static != made.op.defaults
    ):
        return None
    var, eps = b.value_of(made.args[0]), float(made.args[1])
    made = b.maker(shift)
    if made is None or made.static != made.op.defaults:
        return None
    bias = None
    if made.op.name == "sub":
        bias = b.value_of(made.args[0])
        made = b.maker(b.value_of(made.args[1]))
    if made is None or made.op.name != "mul" or b.value_of(made.args[1]) != scale:
        return None
    mean = b.value_of(made.args[0])
    if bias is None:
        made = b.maker(mean)
        if made is None or made.op.name != "neg":
            return None
        mean = b.value_of(made.args[0])
    return weight, bias, mean, var, eps


@emits("row_norm")
def _(b: Builder, input: Any, weight: Any, bias: Any, ndim: Any, centred: Any, eps: Any) -> Any:
    shape = input.shape[len(input.shape) - ndim :]
    if centred and b.opset >= 17:
        return b.node("LayerNormalization", input, vector(b, weight, shape, 1), bias, axis=-ndim, epsilon=float(eps))
    axes = list(range(-ndim, 0))
    away = b.node("Sub", input, mean(b, input, axes)) if centred else input
    spread = b.node("Sqrt", b.node("Add", mean(b, b.node("Mul", away, away), axes), b.scalar(eps)))
    out = b.node("Div", away, spread)
    out = out if weight is None else b.node("Mul", out, weight)
    return out if bias is None else b.node("Add", out, bias)


def mean(b: Builder, x: Any, axes: list[int]) -> Any:
    if b.opset >= 18:
        return b.node("ReduceMean", x, b.integers(axes), keepdims=1)
    return b.node("ReduceMean", x, axes=axes, keepdims=1)


@emits("group_norm")
def _(b: Builder, input: Any, weight: Any, bias: Any, groups: Any, eps: Any) -> Any:
    channels = input.shape[1]
    if groups == channels and len(input.shape) > 2:
        vectors = [vector(b, weight, (channels,), 1), vector(b, bias, (channels,), 0)]
        return b.node("InstanceNormalization", input, *vectors, epsilon=float(eps))
    grouped = b.reshaped(input, [input.shape[0], groups, prod(input.shape[1:]) // groups])
    vectors = [vector(b, None, (groups,), 1), vector(b, None, (groups,), 0)]
    out = b.reshaped(b.node("InstanceNormalization", grouped, *vectors, epsilon=float(eps)), input.shape)
    column = [-1] + [1] * (len(input.shape) - 2)
    out = out if weight is None else b.node("Mul", out, b.reshaped(weight, column))
    return out if bias is None else b.node("Add", out, b.reshaped(bias, column))
