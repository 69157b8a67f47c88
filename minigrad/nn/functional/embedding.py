"""Look-up tables: rows by number, and bags of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.core.dtypes import check_kind
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import xp
from minigrad.kernels.driver import is_host
from minigrad.ops.creation import arange
from minigrad.ops.elementwise import where
from minigrad.ops.families import of_host


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
        raise RuntimeError(
            f"embedding: weight must have shape (num_embeddings, embedding_dim), got {tuple(weight.shape)}"
        )
    if input.dtype.kind not in "iu":
        raise RuntimeError(f"embedding: input must hold row numbers (int32 or int64), got {input.dtype}")
    rows = weight.shape[0]
    used = input.detach()
    low, high = (int(used.array.min()), int(used.array.max())) if used.numel() and is_host(used.array) else (0, -1)
    if low < 0 or high >= rows:
        raise IndexError(f"embedding: index out of range: weight has {rows} rows, input has values from {low} to {high}")
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ValueError(f"embedding: padding_idx {padding_idx} must be within num_embeddings ({rows})")
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
        weight[rows] = weight[rows] * where(norms > max_norm, max_norm / (norms + 1e-7), 1)


@of_host
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of weight (num_embeddings, embedding_dim) that each bag names: (bags, embedding_dim).

    input: row numbers, bags of one length (bags, length), or all bags one after the other (*) with the place where each begins in
    offsets (bags). include_last_offset: offsets ends with the place behind the last bag. per_sample_weights: of input's shape, factors
    of the rows in a sum. padding_idx: a row that counts for nothing. max_norm, scale_grad_by_freq: as in embedding. An empty bag is 0.
    Raises ValueError, RuntimeError and NotImplementedError for arguments that do not go together.

    >>> import minigrad
    >>> weight = minigrad.tensor([[1.0], [2.0], [4.0]])
    >>> embedding_bag(minigrad.tensor([0, 1, 2]), weight, minigrad.tensor([0, 2]), mode="sum")
    tensor([[3.],
            [4.]])
    """
    check_kind("embedding_bag", "f", weight)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: mode has to be one of sum, mean or max, got {mode!r}")
    if weight.ndim != 2:
        raise ValueError(f"embedding_bag: weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("embedding_bag: max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None:
        if mode != "sum":
            raise NotImplementedError(
                f"embedding_bag: per_sample_weights is only supported for mode='sum' (got mode='{mode}')"
            )
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not None, "
                f"then it must have the same shape as the input ({tuple(input.shape)})"
            )
        per_sample_weights = per_sample_weights.reshape(-1)
    starts = _starts_of_bags(input, offsets, include_last_offset)
    if padding_idx is not None:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise RuntimeError(
                f"embedding_bag: padding_idx must be within the number of embeddings, {-rows} through {rows - 1}, but got {padding_idx}"
            )
        padding_idx %= rows

    numbers = input.array.reshape(-1)
    bags = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    used = np.arange(numbers.size) < bags.size
    if padding_idx is not None:
        used &= numbers != padding_idx
    bags = bags[used[: bags.size]]
    looked_up: Any = embedding(make_tensor(numbers), weight, None, max_norm, norm_type, scale_grad_by_freq, sparse)
    if not used.all():
        looked_up = looked_up[make_tensor(used)]
    if per_sample_weights is not None:
        looked_up = looked_up * per_sample_weights[make_tensor(used)].unsqueeze(1)
    if mode == "max":
        return _largest_of_bags(looked_up, bags, len(starts) - 1)
    if input.ndim == 2 and used.all():  # bags of one length: a sum along an axis is faster than one by places
        total = looked_up.reshape(*input.shape, weight.shape[1]).sum(1)
    else:
        total = weight.new_zeros((len(starts) - 1, weight.shape[1])).index_add(0, make_tensor(bags), looked_up)
    if mode == "mean":
        counts = np.bincount(bags, minlength=len(starts) - 1).clip(1).astype(weight.dtype)
        total = total / make_tensor(counts[:, None])
    return total


def _starts_of_bags(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> Any:
    """Where each bag begins among all row numbers, and where the last one ends."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "embedding_bag: if input is 2D, then offsets has to be None, as input is treated as a mini-batch of fixed length sequences"
            )
        bags, length = input.shape
        return np.arange(bags + 1) * length
    if input.ndim != 1:
        raise ValueError(f"embedding_bag: input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None or offsets.ndim != 1:
        got = None if offsets is None else tuple(offsets.shape)
        raise ValueError(f"embedding_bag: offsets has to be a 1D Tensor for an input of one axis, but got {got}")
    if offsets.dtype.kind not in "iu":
        raise RuntimeError(f"embedding_bag: offsets must be integers, got {offsets.dtype}")
    starts, length = offsets.array, input.shape[0]
    if starts.size and starts[0] != 0:
        raise RuntimeError(
            f"embedding_bag: offsets[0] has to be 0, i.e., the first bag has to start from position 0. However, got {starts[0]}"
        )
    if starts.size and starts[-1] > length:
        raise RuntimeError(
            f"embedding_bag: offsets[-1] can not be greater than input's length {length} but got {starts[-1]}"
        )
    if (np.diff(starts) < 0).any():
        raise RuntimeError(f"embedding_bag: offsets must not decrease, got {starts.tolist()}")
    if include_last_offset:
        if not starts.size:
            raise RuntimeError("embedding_bag: include_last_offset wants at least one offset, got none")
        return starts
    return np.append(starts, length)


def _largest_of_bags(rows: Any, bags: Any, count: int) -> Any:
    """The maxima of each bag, taken from the first row that has them; 0 for an empty bag."""
    lengths = np.bincount(bags, minlength=count)
    width = int(lengths.max(initial=0))
    if width == 0:
        return rows.sum(0).expand(count, -1)  # the sum of no rows: zeros that belong to the graph
    ends = lengths.cumsum()
    places = (ends - lengths)[:, None] + np.arange(width)
    present = np.arange(width) < lengths[:, None]
    candidates = np.where(present[:, :, None], rows.array[np.where(present, places, 0)], -np.inf)
    winners = np.where(lengths > 0, ends - lengths, 0)[:, None] + candidates.argmax(1)
    return rows.gather(0, make_tensor(np.where(lengths[:, None] > 0, winners, 0))).masked_fill(
        make_tensor(lengths[:, None] == 0), 0
    )


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class numbers (*) as rows (*, num_classes) of zeros with a single one, in int64.

    num_classes: by default one more than the largest number. Raises RuntimeError for numbers that do not fit.

    >>> import minigrad
    >>> one_hot(minigrad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if input.dtype != "int64":
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {input.dtype}; convert it with .long()")
    if input.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("one_hot: can not infer the number of classes from an empty tensor; pass num_classes")
        return input.new_empty((*input.shape, num_classes)).long()
    if int(input.min()) < 0:
        raise RuntimeError(f"one_hot: class values must be non-negative, got {int(input.min())}")
    largest = int(input.max())
    if num_classes == -1:
        num_classes = largest + 1
    elif num_classes < 1 or largest >= num_classes:
        raise RuntimeError(f"one_hot: class values must be smaller than num_classes={num_classes}, got {largest}")
    return (input.unsqueeze(-1) == arange(num_classes, device=input.device)).long()
