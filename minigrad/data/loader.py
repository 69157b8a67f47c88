"""DataLoader: batches of a dataset, shuffled if wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from minigrad.core.tensor import Tensor, tensor
from minigrad.data.collate import default_collate, default_convert
from minigrad.data.dataset import IterableDataset, Subset, TensorDataset
from minigrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler


class DataLoader:
    """Goes through a dataset in batches, as often as it is iterated over.

    dataset: a Dataset, or anything with __getitem__ and __len__. batch_size: None gives the samples one by one.
    shuffle: a new random order each time; generator: where it comes from (by default the generator that manual_seed seeds).
    sampler, batch_sampler: the order, instead of shuffle. drop_last: without a last batch that is smaller.
    collate_fn: makes a batch of a list of samples. pin_memory has no effect, there is nothing to pin.
    Raises ValueError for arguments that exclude each other or are not supported (num_workers, timeout, worker_init_fn).

    >>> import minigrad
    >>> dataset = minigrad.data.TensorDataset(minigrad.arange(5), minigrad.arange(5) ** 2)
    >>> for x, y in DataLoader(dataset, batch_size=3):
    ...     print(x, y)
    tensor([0, 1, 2]) tensor([0, 1, 4])
    tensor([3, 4]) tensor([ 9, 16])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Any = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        _refuse_workers(
            num_workers=num_workers,
            timeout=timeout,
            worker_init_fn=worker_init_fn,
            multiprocessing_context=multiprocessing_context,
            prefetch_factor=prefetch_factor,
            persistent_workers=persistent_workers,
        )
        self._is_stream = isinstance(dataset, IterableDataset)
        if self._is_stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader: an IterableDataset gives its samples in its own order; leave out shuffle, sampler and batch_sampler"
            )
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: batch_size=None disables batching and is mutually exclusive with drop_last")
        if sampler is None and not self._is_stream:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None:
            batch_sampler = BatchSampler(() if sampler is None else sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.generator = generator

    def __iter__(self) -> Iterator[Any]:
        if self._is_stream:
            return self._stream()
        if self.batch_sampler is None:
            assert self.sampler is not None
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        return (self._fetch(indices) for indices in self.batch_sampler)

    def _fetch(self, indices: list[Any]) -> Any:
        """The batch of the samples at these indices."""
        if self.collate_fn is default_collate:
            batch = _fetch_at_once(self.dataset, indices)
            if batch is not None:
                return batch
        if hasattr(self.dataset, "__getitems__"):
            return self.collate_fn(self.dataset.__getitems__(indices))
        return self.collate_fn([self.dataset[index] for index in indices])

    def _stream(self) -> Iterator[Any]:
        samples = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, samples)
            return
        while batch := list(islice(samples, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)

    def __len__(self) -> int:
        if self._is_stream:
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]


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


def _refuse_workers(**options: Any) -> None:
    for name, value in options.items():
        if value:
            raise ValueError(f"DataLoader: {name}={value!r} is not supported, batches are made in this process; leave it out")
