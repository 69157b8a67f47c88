"""Affine and bilinear maps, and the distances between vectors."""

from __future__ import annotations

from typing import Any

from minigrad.core.dtypes import check_one_dtype
from minigrad.core.tensor import Tensor
from minigrad.ops.linalg import linear as affine


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x A^T + b: input (*, in_features), weight (out_features, in_features) or (in_features), bias (out_features).

    Raises RuntimeError if the numbers of features or the dtypes differ.

    >>> import minigrad
    >>> linear(minigrad.ones(2, 3), minigrad.ones(1, 3), minigrad.tensor([0.5]))
    tensor([[3.5000],
            [3.5000]])
    """
    shape, weights = tuple(input.shape), tuple(weight.shape)  # whose entries cost less than those of a Size
    biases = weights[:1] if bias is None else tuple(bias.shape)
    if len(weights) == 2 and shape and shape[-1] == weights[1] and biases == weights[:1]:
        output: Tensor = affine(input, weight, bias)
        return output
    if len(weights) not in (1, 2):
        raise RuntimeError(f"linear: weight must have shape (out_features, in_features) or (in_features), got {weights}")
    if not shape or shape[-1] != weights[-1]:
        raise RuntimeError(
            f"linear: input has {shape[-1] if shape else 0} features but weight expects {weights[-1]}: "
            f"weight shape {weights}, input shape {shape}"
        )
    if bias is not None and biases and len(weights) == 2 and biases[-1] not in (1, weights[0]):
        raise RuntimeError(
            f"linear: bias has shape {biases} but weight has {weights[0]} output features: weight shape {weights}, input shape {shape}"
        )
    check_one_dtype("linear", input, weight, bias)
    output = input.matmul(weight.t())
    return output if bias is None else output + bias


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = x1^T A_k x2 + b_k: inputs (*, I) and (*, J), weight (K, I, J), bias (K), output (*, K).

    Raises RuntimeError if the shapes do not fit.

    >>> import minigrad
    >>> bilinear(minigrad.tensor([[1.0, 2.0]]), minigrad.tensor([[3.0]]), minigrad.ones(1, 2, 1))
    tensor([[9.]])
    """
    check_one_dtype("bilinear", input1, input2, weight)
    if weight.ndim != 3:
        raise RuntimeError(
            f"bilinear: weight must have shape (out_features, in1_features, in2_features), got {tuple(weight.shape)}"
        )
    features, first, second = weight.shape
    if input1.ndim == 0 or input1.shape[:-1] != input2.shape[:-1] or input2.ndim == 0:
        raise RuntimeError(
            f"bilinear: input batch dimensions do not match: input1 has shape {tuple(input1.shape)}, input2 {tuple(input2.shape)}"
        )
    for name, input, expected in (("input1", input1, first), ("input2", input2, second)):
        if input.shape[-1] != expected:
            raise RuntimeError(
                f"bilinear: {name} size does not match weight size: got {input.shape[-1]} but expected {expected}"
            )
    if bias is not None and tuple(bias.shape) != (features,):
        raise RuntimeError(
            f"bilinear: bias size does not match weight size: got {tuple(bias.shape)} but expected {features}"
        )
    left: Any = input1.matmul(weight.permute(1, 0, 2).reshape(first, features * second))
    left = left.reshape(*input1.shape[:-1], features, second)
    output: Tensor = left.matmul(input2.unsqueeze(-1)).squeeze(-1)
    return output if bias is None else output + bias


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along dim; norms below eps count as eps.

    >>> import minigrad
    >>> cosine_similarity(minigrad.tensor([3.0, 4.0]), minigrad.tensor([4.0, 3.0]), dim=0)
    tensor(0.9600)
    """
    for x in (x1, x2):
        if x.dtype.kind != "f":
            raise RuntimeError(f"cosine_similarity: expected floats, got {x.dtype}; convert with x.float()")
    wide = x1 * x2
    x1, x2 = (x1.expand(wide.shape), x2.expand(wide.shape)) if x1.shape != x2.shape else (x1, x2)
    # Each norm is bounded for itself, so that a zero vector has cosine 0 and gradient 0 rather than 0 / 0.
    return wide.sum(dim) / (_norm_at_least(x1, dim, eps) * _norm_at_least(x2, dim, eps))


def _norm_at_least(x: Tensor, dim: int, eps: float) -> Any:
    return (x * x).sum(dim).clamp_min(eps * eps).sqrt()


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last axis.

    >>> import minigrad
    >>> pairwise_distance(minigrad.tensor([[0.0, 0.0]]), minigrad.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim)
