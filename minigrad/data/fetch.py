"""From a dataset to batches, in whatever process or thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from minigrad.core.tensor import Tensor, tensor
from minigrad.data.collate import default_collate
from minigrad.data.dataset import IterableDataset, Subset, TensorDataset


class Fetcher:
    """Makes batches of a dataset: of the samples at some indices, or of the next ones of a stream.

    batched: whether what the sampler gives is a list of indices, or one index.
    """

    def __init__(self, dataset: Any, collate_fn: Callable[[Any], Any], batched: bool, drop_last: bool) -> None:
        self.dataset = dataset
        self.collate_fn = collate_fn
        self.batched = batched
        self.drop_last = drop_last
        self.stream: Iterator[Any] | None = iter(dataset) if isinstance(dataset, IterableDataset) else None

    def fetch(self, indices: Any) -> Any:
        """The batch of the samples at these indices; of a stream, of as many as there are indices. Raises StopIteration at its end."""
        if self.stream is not None:
            return self._next(self.stream, indices)
        if not self.batched:
            return self.collate_fn(self.dataset[indices])
        if self.collate_fn is default_collate:
            batch = _fetch_at_once(self.dataset, indices)
            if batch is not None:
                return batch
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[index] for index in indices])

    def _next(self, stream: Iterator[Any], indices: Any) -> Any:
        if not self.batched:
            return self.collate_fn(next(stream))
        samples = list(islice(stream, len(indices)))
        if not samples or (self.drop_last and len(samples) < len(indices)):
            raise StopIteration
        return self.collate_fn(samples)


def _fetch_at_once(dataset: Any, indices: list[Any]) -> list[Tensor] | None:
    """A batch of a TensorDataset, or of a Subset of one, by one indexing of each tensor; None for other datasets.

    Only for these very classes: a subclass may do something else with a sample.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[index] for index in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or not indices:
        return None
    places = tensor(indices)
    return [one[places] for one in dataset.tensors]
