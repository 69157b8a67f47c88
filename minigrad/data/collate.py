"""From a list of samples to one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor, tensor
from minigrad.kernels import driver
from minigrad.ops.joining import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """Samples with a new first axis: tensors, arrays and numbers become tensors; mappings and sequences keep their form.

    Raises TypeError for samples of another type, RuntimeError if they differ in length.

    >>> import minigrad
    >>> default_collate([(minigrad.zeros(2), 0), (minigrad.ones(2), 1)])
    [tensor([[0., 0.],
            [1., 1.]]), tensor([0, 1])]
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return _stacked(batch)
    if isinstance(first, (np.ndarray, np.generic)):
        if first.dtype.kind not in "biufc":
            raise TypeError(f"default_collate: batch must contain numbers; found arrays of {first.dtype}")
        return tensor(np.stack(batch))
    if isinstance(first, float):
        return tensor(batch, dtype="float64")
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError(
                "default_collate: each element in list of batch should be of equal size, got lengths "
                f"{sorted({len(sample) for sample in batch})}"
            )
        collated = [default_collate(samples) for samples in zip(*batch, strict=True)]
        return type(first)(*collated) if hasattr(first, "_fields") else collated
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {type(first).__name__}; pass a collate_fn of your own"
    )


def _stacked(batch: Sequence[Any]) -> Tensor:
    """The tensors along a new first axis: the stack of their arrays where that is all there is to it, which is an order of magnitude faster."""
    first = batch[0]
    for one in batch:
        if (
            not isinstance(one, Tensor)
            or one.requires_grad
            or one.dtype != first.dtype
            or one.shape != first.shape
            or not isinstance(one.array, np.ndarray)
        ):
            return stack(list(batch), 0)
    return make_tensor(np.stack([one.array for one in batch]))


def default_convert(sample: Any) -> Any:
    """A sample with its arrays made tensors: what a loader without batches gives."""
    if isinstance(sample, (np.ndarray, np.generic)) and sample.dtype.kind in "biufc":
        return tensor(sample)
    if isinstance(sample, Mapping):
        return {key: default_convert(value) for key, value in sample.items()}
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*map(default_convert, sample))
    if isinstance(sample, (tuple, list)):
        return [default_convert(value) for value in sample]
    return sample


def pin(batch: Any) -> Any:
    """A batch whose tensors lie in memory that a GPU reads while the host goes on; objects with a method pin_memory pin themselves."""
    if isinstance(batch, Tensor):
        return make_tensor(driver.pinned(batch.array)) if driver.is_host(batch.array) else batch
    if hasattr(batch, "pin_memory"):
        return batch.pin_memory()
    if isinstance(batch, Mapping):
        return {key: pin(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(pin, batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)([pin(value) for value in batch])
    return batch
