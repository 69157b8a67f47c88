"""Batch norm in evaluation, folded into the layer before it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

from minigrad.core.tensor import Tensor
from minigrad.nn.batchnorm import _BatchNorm
from minigrad.nn.checks import expect
from minigrad.nn.conv import _ConvNd
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter

Convolution = TypeVar("Convolution", bound=_ConvNd)
Affine = TypeVar("Affine", bound=Linear)


def _check_fusible(op: str, layer: Any, bn: _BatchNorm) -> None:
    expect(op, "the layer", layer, Module)
    expect(op, "bn", bn, _BatchNorm)
    if layer.training or bn.training:
        raise ValueError(f"{op}: Fusion only for eval! call eval() on both modules first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError(f"{op}: bn.running_mean and bn.running_var must not be None")


def fuse_conv_bn_eval(conv: Convolution, bn: _BatchNorm, transpose: bool = False) -> Convolution:
    """A copy of a convolution that computes what it and the batch norm behind it compute, both in evaluation.

    transpose: it is a transposed convolution. Raises ValueError for modules in training or without running statistics.

    >>> import minigrad
    >>> conv, bn = minigrad.nn.Conv2d(3, 4, 3).eval(), minigrad.nn.BatchNorm2d(4).eval()
    >>> x = minigrad.randn(1, 3, 8, 8)
    >>> minigrad.allclose(fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-5)
    True
    """
    _check_fusible("fuse_conv_bn_eval", conv, bn)
    fused: Any = deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused  # type: ignore[no-any-return]


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Any,
    bn_rv: Any,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and the bias of the convolution that computes what one with conv_w and conv_b and a batch norm behind it compute."""
    scale, bias = _scale_and_bias(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = ((1, -1) if transpose else (-1, 1)) + (1,) * (conv_w.ndim - 2)
    return _as_parameters(conv_w, conv_w * scale.reshape(shape), conv_b, bias)


def fuse_linear_bn_eval(linear: Affine, bn: _BatchNorm) -> Affine:
    """A copy of a Linear that computes what it and the batch norm behind it compute, both in evaluation.

    Raises ValueError for modules in training, without running statistics, or with different numbers of features.
    """
    _check_fusible("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (linear.out_features, 1):
        raise ValueError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1, "
            f"got linear.out_features={linear.out_features} and bn.num_features={bn.num_features}"
        )
    fused: Any = deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused  # type: ignore[no-any-return]


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Any,
    bn_rv: Any,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The weight and the bias of the Linear that computes what one with linear_w and linear_b and a batch norm behind it compute."""
    scale, bias = _scale_and_bias(linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return _as_parameters(linear_w, linear_w * scale.unsqueeze(-1), linear_b, bias.expand(linear_w.shape[0]))


def _scale_and_bias(bias: Any, mean: Any, var: Any, eps: float, weight: Any, shift: Any) -> tuple[Any, Any]:
    """What batch norm multiplies with, and what then is added."""
    scale = (var + eps).rsqrt()
    if weight is not None:
        scale = scale * weight
    total = (-mean if bias is None else bias - mean) * scale
    return scale, total if shift is None else total + shift


def _as_parameters(old_weight: Tensor, weight: Any, old_bias: Tensor | None, bias: Any) -> tuple[Parameter, Parameter]:
    bias_dtype = old_weight.dtype if old_bias is None else old_bias.dtype
    return (
        Parameter(weight.detach().to(old_weight.dtype), old_weight.requires_grad),
        Parameter(bias.detach().to(bias_dtype).contiguous(), old_bias is not None and old_bias.requires_grad),
    )
