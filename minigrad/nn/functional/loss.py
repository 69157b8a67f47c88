"""Losses: how far a prediction is from its target, as one number ('mean', 'sum') or element by element ('none')."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.core.dtypes import check_kind, check_one_dtype, int64, uint8
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp
from minigrad.kernels.driver import is_host
from minigrad.nn.functional.activation import logsigmoid
from minigrad.nn.functional.linear import pairwise_distance
from minigrad.ops import loss as kernels
from minigrad.ops.elementwise import tied

REDUCTIONS = ("none", "mean", "sum")


def older_reduction(owner: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that torch's two older arguments stand for."""
    average = size_average is None or size_average
    reduction = "none" if reduce is False else "mean" if average else "sum"
    warnings.warn(
        f"{owner}: size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.", stacklevel=4
    )
    return reduction


def _reduction(
    op: str, size_average: bool | None, reduce: bool | None, reduction: str, allowed: tuple[str, ...] = REDUCTIONS
) -> str:
    """The reduction asked for, in whichever way."""
    if size_average is not None or reduce is not None:
        reduction = older_reduction(op, size_average, reduce)
    if reduction not in allowed:
        raise ValueError(f"{op}: {reduction!r} is not a valid value for reduction: expected one of {allowed}")
    return reduction


def _reduced(loss: Tensor, reduction: str) -> Any:
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _check_broadcast(op: str, *tensors: Tensor) -> None:
    shapes = [x.shape for x in tensors]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        raise RuntimeError(f"{op}: the shapes {', '.join(map(str, shapes))} cannot be broadcast together") from None


def _warn_of_broadcasting(op: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        _check_broadcast(op, input, target)
        warnings.warn(
            f"{op}: using a target size {tuple(target.shape)} that is different to the input size {tuple(input.shape)}. "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def _check_weight(op: str, input: Tensor, weight: Tensor) -> None:
    if weight.shape != input.shape:
        raise ValueError(
            f"{op}: weight and input must have the same size, got weight {tuple(weight.shape)} and input {tuple(input.shape)}"
        )


# -- regression --------------------------------------------------------------------------------------------------------


def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The squared error (input - target)^2; with weights the mean is their weighted mean.

    >>> import minigrad
    >>> mse_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 5.0]))
    tensor(4.5000)
    """
    _warn_of_broadcasting("mse_loss", input, target)
    reduction = _reduction("mse_loss", size_average, reduce, reduction)
    return _weighted("mse_loss", kernels.squared_error(input, target), input, weight, reduction)


def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The absolute error |input - target|; with weights the mean is their weighted mean.

    >>> import minigrad
    >>> l1_loss(minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 5.0]))
    tensor(1.5000)
    """
    _warn_of_broadcasting("l1_loss", input, target)
    reduction = _reduction("l1_loss", size_average, reduce, reduction)
    return _weighted("l1_loss", (input - target).abs(), input, weight, reduction)


def _weighted(op: str, errors: Any, input: Tensor, weight: Tensor | None, reduction: str) -> Any:
    if weight is None:
        return _reduced(errors, reduction)
    _check_weight(op, input, weight)
    errors = errors * weight
    return errors.sum() / weight.sum() if reduction == "mean" else _reduced(errors, reduction)


def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where the error d is smaller than beta, |d| - beta / 2 elsewhere (Girshick, 2015).

    Raises RuntimeError for a negative beta.

    >>> import minigrad
    >>> smooth_l1_loss(minigrad.tensor([0.5, 3.0]), minigrad.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    _warn_of_broadcasting("smooth_l1_loss", input, target)
    reduction = _reduction("smooth_l1_loss", size_average, reduce, reduction)
    check_kind("smooth_l1_loss", "f", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}")
    difference = input - target
    distance = difference.abs()
    if beta == 0:
        return _reduced(distance, reduction)
    # difference^2 rather than distance^2: |d| has no second derivative at 0.
    near = difference * difference * (0.5 / beta)
    return _reduced(near.where(distance < beta, distance - 0.5 * beta), reduction)


def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """d^2 / 2 where the error d is at most delta, delta (|d| - delta / 2) elsewhere (Huber, 1964).

    Raises RuntimeError unless delta is positive.

    >>> import minigrad
    >>> huber_loss(minigrad.tensor([0.5, 3.0]), minigrad.zeros(2), reduction="none", delta=2.0)
    tensor([0.1250, 4.0000])
    """
    _warn_of_broadcasting("huber_loss", input, target)
    reduction = _reduction("huber_loss", None, None, reduction)
    check_kind("huber_loss", "f", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}")
    difference = input - target
    distance = difference.abs()
    loss = (0.5 * difference * difference).where(distance <= delta, delta * (distance - 0.5 * delta))
    if weight is not None:
        _check_weight("huber_loss", input, weight)
        loss = loss * weight
    return _reduced(loss, reduction)


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of counts under a Poisson distribution whose rate is exp(input), or input if not log_input.

    full: adds Stirling's approximation of log(target!), which does not depend on input. eps: keeps log(input + eps) finite.
    """
    reduction = _reduction("poisson_nll_loss", size_average, reduce, reduction)
    _check_broadcast("poisson_nll_loss", input, target)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return _reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """The negative log likelihood of target under a normal distribution with mean input and variance var (at least eps).

    var: of input's shape, or with a last axis of 1 or none, or a number. full: adds the constant log(2 pi) / 2.
    Raises ValueError for negative variances or another shape.
    """
    _check_broadcast("gaussian_nll_loss", input, target)
    if isinstance(var, (int, float)):
        var = input.detach().new_full(input.shape, var)
    if bool((var < 0).any()):
        raise ValueError("gaussian_nll_loss: var has negative entry/entries")
    if var.shape != input.shape:
        if input.shape[:-1] == var.shape:
            var = var.unsqueeze(-1)
        elif input.ndim != var.ndim or sum(v for i, v in zip(input.shape, var.shape, strict=True) if i != v) != 1:
            raise ValueError(
                f"gaussian_nll_loss: var is of incorrect size {tuple(var.shape)}: expected that of input {tuple(input.shape)}, "
                "or the same with one axis of length 1"
            )
    reduction = _reduction("gaussian_nll_loss", None, None, reduction)
    var = var.clone()
    with no_grad():  # the gradient passes the clamp as if it were not there
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return _reduced(loss, reduction)


# -- classification ----------------------------------------------------------------------------------------------------


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Minus the log-probability of the right class; the mean is weighted by the classes' weights.

    input: log-probabilities (N, C, d1, d2, ...) or (C); target: class numbers (N, d1, d2, ...) or (); weight: (C).
    Targets equal to ignore_index do not count. Raises ValueError and RuntimeError for shapes and dtypes that do not
    match, IndexError for a class that is not there.

    >>> import minigrad
    >>> nll_loss(minigrad.tensor([[-0.5, -1.0], [-2.0, -0.25]]), minigrad.tensor([0, 1]))
    tensor(0.3750)
    """
    reduction = _reduction("nll_loss", size_average, reduce, reduction)
    check_kind("nll_loss", "f", input)
    _check_classes("nll_loss", input, target, weight)
    picked, weights = _picked("nll_loss", input, target, weight, ignore_index)
    loss = -picked if weights is None else -picked * weights
    return _weighted_mean(loss, weights) if reduction == "mean" else _reduced(loss, reduction)


def _check_classes(op: str, input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Checks input (N, C, *) or (C) against target (N, *) or ()."""
    if input.ndim == 0:
        raise ValueError(f"{op}: expected input with at least 1 dimension (C) or (N, C, *), got a 0-d tensor")
    if target.dtype != int64 and target.dtype != uint8:
        raise RuntimeError(f"{op}: expected target dtype to be Long or Byte (class numbers in int64 or uint8), got {target.dtype}; convert it with target.long()")
    shape, got = tuple(input.shape), tuple(target.shape)  # whose slices cost less than those of a Size
    expected = shape[:1] + shape[2:] if len(shape) > 1 else ()
    if len(shape) > 1 and got and shape[0] != got[0]:
        raise ValueError(
            f"{op}: Expected input batch_size ({shape[0]}) to match target batch_size ({got[0]}): input shape {shape}, target shape {got}"
        )
    if got != expected:
        raise RuntimeError(f"{op}: Expected target size {expected}, got {got}, for an input of shape {shape}")
    _check_class_weight(op, input, weight)


def _check_class_weight(op: str, input: Tensor, weight: Tensor | None) -> None:
    if weight is None:
        return
    classes = input.shape[1 if input.ndim > 1 else 0]
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"{op}: weight tensor should be defined either for all {classes} classes or no classes, got shape {tuple(weight.shape)}"
        )
    if weight.dtype != input.dtype:
        raise RuntimeError(f"{op}: expected scalar type {input.dtype} but found {weight.dtype} for weight; convert it with weight.to(...)")


def _picked(op: str, log_probabilities: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int) -> tuple[Any, Any]:
    """The log-probability of each target's class, and what each target counts: its class's weight, 0 if ignored; None for 1 each."""
    axis = 1 if log_probabilities.ndim > 1 else 0
    classes = log_probabilities.shape[axis]
    numbers = target.array.astype("int64", copy=False)
    ignored = numbers == ignore_index
    here = is_host(numbers)  # elsewhere the host would have to wait to see them
    some_ignored = not here or bool(ignored.any())
    if some_ignored:
        numbers = xp(numbers).where(ignored, 0, numbers)
    if here and numbers.size and (int(numbers.min()) < 0 or int(numbers.max()) >= classes):
        wrong = int(numbers.min()) if int(numbers.min()) < 0 else int(numbers.max())
        raise IndexError(f"{op}: Target {wrong} is out of bounds: expected 0 <= target < {classes} (or ignore_index={ignore_index})")
    target = make_tensor(numbers)
    picked = tied(log_probabilities).gather(axis, target.unsqueeze(axis)).squeeze(axis)
    weights = None if weight is None else weight[target]
    if some_ignored:
        mask = make_tensor(ignored)
        weights = (picked.new_ones(picked.shape) if weights is None else weights).masked_fill(mask, 0)
        picked = picked.masked_fill(mask, 0)  # it may be -inf, and 0 * inf is not 0
    return picked, weights


def _weighted_mean(loss: Any, weights: Any) -> Any:
    return loss.mean() if weights is None else loss.sum() / weights.sum()


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy between logits and targets: nll_loss of their log_softmax, stable for logits of any size.

    input: logits (N, C, d1, d2, ...) or (C); target: class numbers (N, d1, d2, ...) or (), or probabilities of input's
    shape; weight: (C). label_smoothing: the share of each target that is spread evenly over the classes (Szegedy et al., 2015).
    Raises ValueError and RuntimeError for shapes, dtypes and smoothing that do not fit, IndexError for a class that is not there.

    >>> import minigrad
    >>> cross_entropy(minigrad.tensor([[0.0, 0.0], [1000.0, 0.0]]), minigrad.tensor([0, 0]))
    tensor(0.3466)
    """
    reduction = _reduction("cross_entropy", size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"cross_entropy: label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if target.dtype.kind == "f" and input.shape == target.shape:
        if ignore_index >= 0:
            raise RuntimeError("cross_entropy: ignore_index is not supported for floating point target")
        return _cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)
    _check_classes("cross_entropy", input, target, weight)
    if not label_smoothing and (weight is None or not weight.requires_grad):
        return _cross_entropy_of_classes(input, target, weight, ignore_index, reduction)
    axis = 1 if input.ndim > 1 else 0
    log_probabilities = input.log_softmax(axis)
    picked, weights = _picked("cross_entropy", log_probabilities, target, weight, ignore_index)
    loss = -picked if weights is None else -picked * weights
    if label_smoothing:
        each = log_probabilities if weight is None else log_probabilities * _along(weight, axis, input.ndim)
        spread = -each.sum(axis).masked_fill(target == ignore_index, 0)
        loss = (1 - label_smoothing) * loss + (label_smoothing / input.shape[axis]) * spread
    return _weighted_mean(loss, weights) if reduction == "mean" else _reduced(loss, reduction)


def _cross_entropy_of_classes(input: Tensor, target: Tensor, weight: Tensor | None, ignored: int, reduction: str) -> Any:
    """The fused form: without smoothing, and with weights that are constants."""
    classes = target if target.array.dtype is int64 else make_tensor(target.array.astype("int64"))
    constants = None if weight is None else weight.array
    if input.ndim > 1:
        return kernels.cross_entropy(input, classes, constants, ignored, reduction)[0]
    return kernels.cross_entropy(input.unsqueeze(0), classes.unsqueeze(0), constants, ignored, reduction)[0].reshape(())


def _along(vector: Tensor, axis: int, ndim: int) -> Any:
    """A vector shaped to broadcast along one axis of a tensor with ndim axes."""
    return vector.reshape((-1,) + (1,) * (ndim - 1 - axis))


def _cross_entropy_of_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Any:
    _check_class_weight("cross_entropy", input, weight)
    axis = 1 if input.ndim > 1 else 0
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        target = target * _along(weight, axis, input.ndim)
    loss = -(input.log_softmax(axis) * target).sum(axis)
    # sum over count rather than mean: a weighted target does not change what the mean divides by
    return loss.sum() / (input.numel() / classes) if reduction == "mean" else _reduced(loss, reduction)


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) for probabilities p = input and t = target, both logarithms at least -100.

    weight: broadcast to input. Raises ValueError if the shapes differ, RuntimeError for an input outside of [0, 1].

    >>> import minigrad
    >>> binary_cross_entropy(minigrad.tensor([0.5, 0.0]), minigrad.tensor([1.0, 1.0]), reduction="none")
    tensor([  0.6931, 100.0000])
    """
    reduction = _reduction("binary_cross_entropy", size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy: target size {tuple(target.shape)} is different from input size {tuple(input.shape)}; "
            "please ensure they have the same size"
        )
    check_one_dtype("binary_cross_entropy", input, target)
    loss = kernels.binary_cross_entropy(input, target)
    return _reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input), stable for logits of any size.

    weight: broadcast to input; pos_weight: weight of the positive targets, broadcast to input. Raises ValueError if the shapes differ.

    >>> import minigrad
    >>> binary_cross_entropy_with_logits(minigrad.tensor([0.0, -1000.0]), minigrad.tensor([1.0, 1.0]), reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    reduction = _reduction("binary_cross_entropy_with_logits", size_average, reduce, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"binary_cross_entropy_with_logits: Target size {tuple(target.shape)} must be the same as "
            f"input size {tuple(input.shape)}"
        )
    if pos_weight is None:
        loss: Any = kernels.logistic_loss(input, target)
    else:
        loss = (1 - target) * input - logsigmoid(input) * ((pos_weight - 1) * target + 1)
    return _reduced(loss if weight is None else loss * weight, reduction)


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The pointwise Kullback-Leibler divergence t (log t - input) of probabilities t = target from log-probabilities input.

    reduction: also 'batchmean', the sum divided by the length of the first axis, which is the divergence of the definition.
    log_target: target holds log-probabilities.

    >>> import minigrad
    >>> kl_div(minigrad.tensor([[0.5, 0.5]]).log(), minigrad.tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)
    """
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn(
            "kl_div: reduction='mean' divides the total loss by both the batch size and the support size; "
            "'batchmean' divides only by the batch size, and aligns with the KL math definition.",
            stacklevel=2,
        )
    reduction = _reduction("kl_div", size_average, reduce, reduction, (*REDUCTIONS, "batchmean"))
    check_kind("kl_div", "f", input, target)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        # t log t is 0 at t = 0
        loss = target * (target.masked_fill(target == 0, 1).log() - input)
    if reduction == "batchmean":
        return loss.sum() / input.shape[0] if input.ndim else loss.sum()
    return _reduced(loss, reduction)


# -- margins and similarities ------------------------------------------------------------------------------------------


def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)) for targets 1 and -1."""
    reduction = _reduction("soft_margin_loss", size_average, reduce, reduction)
    _check_broadcast("soft_margin_loss", input, target)
    check_kind("soft_margin_loss", "f", input, target)
    return _reduced(-logsigmoid(target * input), reduction)


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where target is 1 (similar), max(0, margin - input) where it is -1 (dissimilar)."""
    reduction = _reduction("hinge_embedding_loss", size_average, reduce, reduction)
    similar = input.masked_fill(target == -1, 0)
    dissimilar = (margin - input).clamp_min(0).masked_fill(target == 1, 0)
    return _reduced(similar + dissimilar, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin): target 1 wants input1 to be the larger, -1 input2.

    Raises RuntimeError if the numbers of axes differ.
    """
    reduction = _reduction("margin_ranking_loss", size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss: all input tensors should have same dimension but got sizes: "
            f"input1: {tuple(input1.shape)}, input2: {tuple(input2.shape)}, target: {tuple(target.shape)}"
        )
    return _reduced((-target * (input1 - input2) + float(margin)).clamp_min(0), reduction)


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where it is -1.

    input1, input2: (N, D) with target (N), or (D) with target (). Raises RuntimeError for other shapes.
    """
    reduction = _reduction("cosine_embedding_loss", size_average, reduce, reduction)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            "cosine_embedding_loss: expected inputs (N, D) with target (N), or inputs (D) with a 0-d target, got input sizes "
            f"{tuple(input1.shape)} and {tuple(input2.shape)}, target size {tuple(target.shape)}"
        )
    tiny = 1e-12  # keeps the cosine of a zero vector finite
    squares1 = (input1 * input1).sum(-1) + tiny
    squares2 = (input2 * input2).sum(-1) + tiny
    cosine = (input1 * input2).sum(-1) / (squares1 * squares2).sqrt()
    alike = (1 - cosine).masked_fill(target != 1, 0)
    unlike = (cosine - margin).clamp_min(0).masked_fill(target != -1, 0)
    return _reduced(alike + unlike, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d being pairwise_distance (Balntas et al., 2016).

    anchor, positive, negative: (N, D) or (D). swap: takes d(positive, negative) where it is smaller than d(anchor, negative).
    Raises ValueError unless margin is positive, RuntimeError if the numbers of axes differ.
    """
    reduction = _reduction("triplet_margin_loss", size_average, reduce, reduction)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "triplet_margin_loss: The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    _check_broadcast("triplet_margin_loss", anchor, positive, negative)
    near: Any = pairwise_distance(anchor, positive, p, eps)
    far: Any = pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = far.minimum(pairwise_distance(positive, negative, p, eps))
    return _reduced((margin + near - far).clamp_min(0), reduction)
