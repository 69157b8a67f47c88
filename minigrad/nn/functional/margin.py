"""Losses that want right classes to score higher than others by a margin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.core.dtypes import check_kind
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.functional.activation import logsigmoid
from minigrad.nn.functional.linear import pairwise_distance
from minigrad.nn.functional.loss import _reduced, _reduction
from minigrad.ops.families import of_host


def _as_rows(op: str, input: Tensor) -> Tensor:
    """Scores (N, C), (C) or () as (N, C)."""
    if input.ndim > 2 or (input.ndim and input.shape[-1] == 0):
        raise RuntimeError(
            f"{op}: Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )
    rows: Tensor = input if input.ndim == 2 else input.reshape(1, -1)
    return rows


def _check_labels(op: str, target: Tensor, least: int, classes: int) -> None:
    if target.dtype != np.int64:
        raise RuntimeError(
            f"{op}: expected target of class numbers in int64, got {target.dtype}; convert it with target.long()"
        )
    labels = target.array
    if labels.size and not least <= int(labels.min()) <= int(labels.max()) < classes:
        raise RuntimeError(
            f"{op}: target out of range: expected {least} <= target < {classes}, got {labels.min()} to {labels.max()}"
        )


@of_host
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of max(0, margin - input[target] + input[i])^p over the other classes i, divided by the number of classes.

    input: scores (N, C) or (C); target: class numbers (N) or (); p: 1 or 2; weight: of each class (C).
    Raises ValueError for another p or a weight that is no vector, RuntimeError for shapes and targets that do not fit.

    >>> import minigrad
    >>> multi_margin_loss(minigrad.tensor([[0.1, 0.2, 0.4, 0.8]]), minigrad.tensor([3]))
    tensor(0.3250)
    """
    op = "multi_margin_loss"
    check_kind(op, "f", input)
    reduction = _reduction(op, size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError(f"{op}: only p == 1 and p == 2 supported, got {p}")
    if weight is not None and weight.ndim != 1:
        raise ValueError(f"{op}: weight must be one-dimensional, got shape {tuple(weight.shape)}")
    rows = _as_rows(op, input)
    samples, classes = rows.shape
    if target.shape != (samples,) and not (input.ndim < 2 and target.ndim == 0):
        raise RuntimeError(
            f"{op}: target tensor should be 1-D with size equal to the number of input samples. "
            f"Expected target size [{samples}], but got {list(target.shape)}. Input has shape {list(input.shape)}"
        )
    _check_labels(op, target, 0, classes)
    if weight is not None and weight.shape[0] != classes:
        raise RuntimeError(f"{op}: inconsistent weight size, expected {classes} but got {list(weight.shape)}")
    labels = target.reshape(-1, 1)
    # relu rather than clamp_min: at the margin itself the gradient is 0, as in torch
    slack: Any = (margin - rows.gather(1, labels) + rows).relu()
    if p == 2:
        slack = slack * slack
    if weight is not None:
        slack = slack * weight[labels]
    right = make_tensor(labels.array == np.arange(classes))
    return _reduced((slack.masked_fill(right, 0).sum(1) / classes).reshape(target.shape), reduction)


@of_host
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of max(0, 1 - input[j] + input[i]) over right classes j and wrong ones i, divided by the number of classes.

    input: scores (N, C) or (C); target: of the same shape, class numbers that end with the first -1.
    Raises RuntimeError for shapes and targets that do not fit.

    >>> import minigrad
    >>> multilabel_margin_loss(minigrad.tensor([[0.1, 0.2, 0.4, 0.8]]), minigrad.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    op = "multilabel_margin_loss"
    check_kind(op, "f", input)
    reduction = _reduction(op, size_average, reduce, reduction)
    rows = _as_rows(op, input)
    if target.shape != input.shape:
        raise RuntimeError(
            f"{op}: inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    classes = rows.shape[1]
    _check_labels(op, target, -1, classes)
    labels = target.array.reshape(rows.shape)
    counts = (labels >= 0).cumprod(1).sum(1)
    labels = labels[:, : counts.max(initial=0)]
    listed = np.arange(labels.shape[1]) < counts[:, None]
    labels = np.where(listed, labels, 0)
    right = np.zeros(rows.shape, bool)
    right[np.nonzero(listed)[0], labels[listed]] = True
    slack: Any = (1 - rows.gather(1, make_tensor(labels)).unsqueeze(2) + rows.unsqueeze(1)).relu()
    counted = listed[:, :, None] & ~right[:, None, :]
    loss = slack.masked_fill(make_tensor(~counted), 0).sum((1, 2)) / classes
    return _reduced(loss if input.ndim == 2 else loss.reshape(()), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over the classes, the last axis, of the binary cross entropy between sigmoid(input) and target.

    weight: broadcast to input.

    >>> import minigrad
    >>> multilabel_soft_margin_loss(minigrad.zeros(1, 2), minigrad.tensor([[0.0, 1.0]]))
    tensor(0.6931)
    """
    reduction = _reduction("multilabel_soft_margin_loss", size_average, reduce, reduction)
    loss: Any = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return _reduced(loss.sum(input.ndim - 1) / input.shape[-1], reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) for a distance d of one's own, by default pairwise_distance.

    swap: takes d(positive, negative) where it is smaller than d(anchor, negative). Raises ValueError unless margin is positive,
    RuntimeError if the numbers of axes differ.

    >>> import minigrad
    >>> a, b = minigrad.zeros(1, 2), minigrad.ones(1, 2)
    >>> triplet_margin_with_distance_loss(a, b, a, distance_function=lambda x, y: (x - y).abs().sum(-1))
    tensor(3.)
    """
    op = "triplet_margin_with_distance_loss"
    reduction = _reduction(op, None, None, reduction)
    if margin <= 0:
        raise ValueError(f"{op}: margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            f"{op}: The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    distance: Callable[..., Any] = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return _reduced((margin + near - far).clamp_min(0), reduction)
