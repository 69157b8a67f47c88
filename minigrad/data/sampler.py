"""Samplers: in which order the samples of a dataset are taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from minigrad.core.tensor import Tensor, tensor
from minigrad.ops.random import multinomial, rand, randint, randperm

Index = TypeVar("Index", covariant=True)


class Sampler(Generic[Index]):
    """Base class: a subclass defines __iter__, which gives indices, and usually __len__."""

    def __iter__(self) -> Iterator[Index]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__")


class SequentialSampler(Sampler[int]):
    """All samples in their order."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """The samples in random order, anew each time; or num_samples draws with replacement.

    num_samples: how many to take, over several random orders if it is more than there are. generator: where the order comes from.
    Raises TypeError and ValueError for arguments that make no sense.

    >>> import minigrad
    >>> sampler = RandomSampler(range(4), generator=minigrad.Generator().manual_seed(0))
    >>> sorted(sampler)
    [0, 1, 2, 3]
    """

    def __init__(
        self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        _check_number_of_samples(len(data_source) if num_samples is None else num_samples)
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        """How many indices it gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        total = len(self.data_source)
        if self.replacement:
            yield from randint(0, total, (self.num_samples,), generator=self.generator).tolist()
            return
        left = self.num_samples
        while left > 0:
            yield from randperm(total, generator=self.generator).tolist()[:left]
            left -= total

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Some indices in random order, anew each time."""

    def __init__(self, indices: Sequence[int], generator: Any = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """num_samples indices drawn with probabilities proportional to weights, which balances classes of unequal size.

    Raises ValueError for arguments that make no sense.
    """

    def __init__(
        self, weights: Sequence[float] | Tensor, num_samples: int, replacement: bool = True, generator: Any = None
    ) -> None:
        _check_number_of_samples(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got replacement={replacement}")
        self.weights: Tensor = tensor(weights).double()
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        return iter(multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist())

    def __len__(self) -> int:
        return self.num_samples


class StratifiedSampler(Sampler[int]):
    """All indices in a random order in which every stretch has the classes in their proportions, up to two samples of each.

    labels: the class of each sample. So has every batch of a BatchSampler, and of a DataLoader that is given it as its sampler.
    The members of a class of n lie at (j + u) / n, with one random u below 1 for each class. Raises ValueError for labels that are no vector.

    >>> import minigrad
    >>> labels = [0] * 6 + [1] * 3
    >>> order = list(StratifiedSampler(labels, generator=minigrad.Generator().manual_seed(0)))
    >>> [sorted(labels[i] for i in order[start : start + 3]) for start in (0, 3, 6)]
    [[0, 0, 1], [0, 0, 1], [0, 0, 1]]
    """

    def __init__(self, labels: Sequence[Any] | Tensor, generator: Any = None) -> None:
        self.labels = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
        if self.labels.ndim != 1 or self.labels.size == 0:
            raise ValueError(
                f"StratifiedSampler: labels should be a 1d sequence with elements, got shape {self.labels.shape}"
            )
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        shuffled = randperm(len(self), generator=self.generator).numpy()
        _, classes = np.unique(self.labels[shuffled], return_inverse=True)
        sizes = np.bincount(classes)
        by_class = np.argsort(classes, kind="stable")
        rank = np.empty_like(by_class)
        rank[by_class] = np.arange(len(self)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        start = rand(len(sizes), dtype="float64", generator=self.generator).numpy()
        places = (rank + start[classes]) / sizes[classes]
        return iter(shuffled[np.argsort(places, kind="stable")].tolist())

    def __len__(self) -> int:
        return len(self.labels)


class BatchSampler(Sampler[list[int]]):
    """Another sampler's indices in lists of batch_size; drop_last: without the last list if it is shorter.

    Raises ValueError for arguments that make no sense.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _check_number_of_samples(num_samples: Any) -> None:
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(f"num_samples should be a positive integer value, but got num_samples={num_samples}")
