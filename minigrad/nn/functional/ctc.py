"""Connectionist temporal classification: the likelihood of a sequence of labels when nobody says at which time each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.functional.loss import _reduction
from minigrad.ops.alignment import LOG_ZERO, alignments
from minigrad.ops.families import of_host

Array = np.ndarray[Any, Any]


@of_host
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability that the outputs spell the targets, once repeated labels are merged and blanks dropped (Graves et al., 2006).

    log_probs: log-probabilities (T, N, C) or (T, C), as from log_softmax; targets: labels (N, S) padded to one length, or all of
    them one after the other (sum of target_lengths); input_lengths and target_lengths: (N), or one number without a batch.
    reduction: the mean divides each loss by the length of its target first. zero_infinity: a loss that is infinite, because the
    outputs are too short for the target, counts as 0, and so does its gradient.

    The gradient is the one along normalised log-probabilities, as in torch: what log_softmax makes of it, and of all higher
    derivatives, is exact. Raises RuntimeError for lengths, shapes and labels that do not fit,
    NotImplementedError for other dtypes than float32 and float64, ValueError for an unknown reduction.

    >>> import minigrad
    >>> log_probs = minigrad.tensor([[0.5, 0.5], [0.25, 0.75]]).log()
    >>> ctc_loss(log_probs, minigrad.tensor([1]), (2,), (1,)).exp()  # 1 / P(11, 10 or 01)
    tensor(1.1429)
    """
    reduction = _reduction("ctc_loss", None, None, reduction)
    batched = log_probs.ndim == 3
    if not batched:
        if log_probs.ndim != 2:
            raise RuntimeError(f"ctc_loss: expected log_probs (T, N, C) or (T, C), got shape {tuple(log_probs.shape)}")
        log_probs = log_probs.unsqueeze(1)
    if log_probs.dtype not in (np.float32, np.float64):
        raise NotImplementedError(
            f"ctc_loss: expected log_probs in float32 or float64, got {log_probs.dtype}; convert them"
        )
    if log_probs.numel() == 0:
        raise RuntimeError(f"ctc_loss: log_probs tensor must not be empty, got shape {tuple(log_probs.shape)}")
    steps, samples, classes = log_probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank must be in label range: expected 0 <= blank < {classes}, got {blank}")
    of_input = _lengths("input_lengths", input_lengths, samples, steps)
    of_target = _lengths("target_lengths", target_lengths, samples, None)
    labels = _padded_labels(targets, of_target, classes)

    # In float64: hundreds of steps of sums would leave few digits of a float32.
    likelihood: Any = _log_likelihood(log_probs.double(), labels, of_input, of_target, blank)
    impossible = likelihood.array <= LOG_ZERO / 2
    factors = np.where(impossible, 0.0 if zero_infinity else np.inf, 1.0)
    loss = (-likelihood * make_tensor(factors)).to(log_probs.dtype)
    if not batched:
        loss = loss.reshape(())
    if reduction == "mean":
        divisors = make_tensor(of_target.clip(1).astype(log_probs.dtype))
        return (loss / (divisors if batched else divisors.reshape(()))).mean()
    return loss.sum() if reduction == "sum" else loss


def _lengths(name: str, lengths: Any, samples: int, most: int | None) -> Array:
    numbers = lengths.array if isinstance(lengths, Tensor) else np.asarray(lengths)
    if numbers.dtype.kind not in "iu" and numbers.size:
        raise RuntimeError(f"ctc_loss: {name} must be integral, got {numbers.dtype}")
    numbers = numbers.reshape(-1).astype(np.int64)
    if numbers.size != samples:
        raise RuntimeError(
            f"ctc_loss: {name} must be of size batch_size: expected {samples} lengths, got {numbers.size}"
        )
    if numbers.min() < 0:
        raise RuntimeError(f"ctc_loss: Expected {name} to have value at least 0, but got value {numbers.min()}")
    if most is not None and numbers.max() > most:
        raise RuntimeError(f"ctc_loss: Expected {name} to have value at most {most}, but got value {numbers.max()}")
    return numbers


def _padded_labels(targets: Tensor, lengths: Array, classes: int) -> Array:
    """The labels of each sample in a row, those behind its end -1."""
    labels = targets.array
    if labels.dtype.kind not in "iu":
        raise RuntimeError(
            f"ctc_loss: expected targets of integers, got {labels.dtype}; convert them with targets.long()"
        )
    width = int(lengths.max())
    used = np.arange(width) < lengths[:, None]
    rows = np.full(used.shape, -1, np.int64)
    if labels.ndim == 1:
        if labels.size != lengths.sum():
            raise RuntimeError(
                f"ctc_loss: Expected targets to have size {lengths.sum()}, the sum of target_lengths, but got size {labels.size}"
            )
        rows[used] = labels
    elif labels.ndim == 2:
        if labels.shape[0] != lengths.size or labels.shape[1] < width:
            raise RuntimeError(
                f"ctc_loss: Expected targets to have {lengths.size} rows of size at least {width}, but got shape {labels.shape}"
            )
        rows[used] = labels[:, :width][used]
    else:
        raise RuntimeError(f"ctc_loss: Expected targets with 1 to 2 dimensions, but got shape {labels.shape}")
    wrong = rows[used & ((rows < 0) | (rows >= classes))]
    if wrong.size:
        raise RuntimeError(f"ctc_loss: targets must be class numbers below {classes}, got {wrong[0]}")
    return rows


def _log_likelihood(log_probs: Any, labels: Array, of_input: Array, of_target: Array, blank: int) -> Any:
    """The logarithm of the probability of each sample's labels."""
    found = alignments(log_probs, labels, of_input, of_target, blank)[0]
    mass = (log_probs.exp() * make_tensor(np.arange(len(log_probs))[:, None, None] < of_input[:, None])).sum((0, 2))
    # mass is a constant for normalised log-probabilities; its gradient makes each step's add up to zero, as in torch.
    return found - (mass - mass.detach())
