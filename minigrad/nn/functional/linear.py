"""Affine maps, look-up tables and the distances between vectors."""

from __future__ import annotations

from typing import Any

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp
from minigrad.ops.creation import arange


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x A^T + b: input (*, in_features), weight (out_features, in_features) or (in_features), bias (out_features).

    Raises RuntimeError if the numbers of features differ.

    >>> import minigrad
    >>> linear(minigrad.ones(2, 3), minigrad.ones(1, 3), minigrad.tensor([0.5]))
    tensor([[3.5000],
            [3.5000]])
    """
    if weight.ndim not in (1, 2):
        raise RuntimeError(
            f"linear: weight must have shape (out_features, in_features) or (in_features), got {tuple(weight.shape)}"
        )
    if input.ndim == 0 or input.shape[-1] != weight.shape[-1]:
        features = input.shape[-1] if input.ndim else 0
        raise RuntimeError(
            f"linear: input has {features} features but weight expects {weight.shape[-1]}: "
            f"weight shape {tuple(weight.shape)}, input shape {tuple(input.shape)}"
        )
    if bias is not None and bias.ndim and weight.ndim == 2 and bias.shape[-1] not in (1, weight.shape[0]):
        raise RuntimeError(
            f"linear: bias has shape {tuple(bias.shape)} but weight has {weight.shape[0]} output features: "
            f"weight shape {tuple(weight.shape)}"
        )
    output: Tensor = input.matmul(weight.t())
    return output if bias is None else output + bias


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of weight (num_embeddings, embedding_dim) that input (*) names: output (*, embedding_dim).

    padding_idx: a row that gets no gradient. max_norm: scales the rows that are used down to this norm first, in place.
    scale_grad_by_freq: divides the gradient of each row by how often it is used.
    Raises TypeError for an input that is not of integers, IndexError for a row that is not there.

    >>> import minigrad
    >>> embedding(minigrad.tensor([2, 0]), minigrad.tensor([[0.0], [1.0], [2.0]]))
    tensor([[2.],
            [0.]])
    """
    if sparse:
        raise ValueError("embedding: sparse=True is not supported, there are no sparse tensors; leave it out")
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: weight must have shape (num_embeddings, embedding_dim), got {tuple(weight.shape)}")
    if input.dtype.kind not in "iu":
        raise RuntimeError(f"embedding: input must hold row numbers (int32 or int64), got {input.dtype}")
    rows = weight.shape[0]
    used = input.detach()
    if used.numel() and (int(used.min()) < 0 or int(used.max()) >= rows):
        raise IndexError(
            f"embedding: index out of range: weight has {rows} rows, input has values from {int(used.min())} to {int(used.max())}"
        )
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise AssertionError(f"embedding: padding_idx {padding_idx} must be within num_embeddings ({rows})")
        padding_idx %= rows
    if max_norm is not None:
        _shrink_rows(weight, used, max_norm, norm_type)
    output: Tensor = weight[input]
    if padding_idx is None and not scale_grad_by_freq:
        return output
    if padding_idx is not None:
        output = output.detach().where((used == padding_idx).unsqueeze(-1), output)
    if scale_grad_by_freq:
        flat = used.reshape(-1).long()
        times_used = weight.new_zeros(rows).scatter_add(0, flat, weight.new_ones(used.numel()))
        share = times_used.reciprocal()[used].unsqueeze(-1)
        # The value of output, with the gradient of share * output.
        output = output + (share - 1) * (output - output.detach())
    return output


def _shrink_rows(weight: Tensor, used: Tensor, max_norm: float, norm_type: float) -> None:
    with no_grad():
        rows = make_tensor(xp(used.array).unique(used.array))
        norms = weight[rows].norm(norm_type, 1, True)
        weight[rows] = weight[rows] * (norms > max_norm).to(weight.dtype).mul(max_norm / (norms + 1e-7) - 1).add(1)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers (*) as rows (*, num_classes) of zeros with a single one, in int64.

    num_classes: by default one more than the largest number. Raises RuntimeError for numbers that do not fit.

    >>> import minigrad
    >>> one_hot(minigrad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in "iu":
        raise RuntimeError(f"one_hot is only applicable to index tensor, got {tensor.dtype}; convert it with .long()")
    if tensor.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("one_hot: can not infer the number of classes from an empty tensor; pass num_classes")
        return tensor.new_empty((*tensor.shape, num_classes)).long()
    if int(tensor.min()) < 0:
        raise RuntimeError(f"one_hot: class values must be non-negative, got {int(tensor.min())}")
    largest = int(tensor.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1 or largest >= num_classes:
        raise RuntimeError(f"one_hot: class values must be smaller than num_classes={num_classes}, got {largest}")
    return (tensor.unsqueeze(-1) == arange(num_classes)).long()


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
