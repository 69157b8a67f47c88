"""DistributedSampler: which samples each process takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from typing import Any

from minigrad.data.sampler import Sampler
from minigrad.distributed.group import get_rank, get_world_size
from minigrad.ops.random import Generator, randperm


class DistributedSampler(Sampler[int]):
    """This process's share of the indices of a dataset: every num_replicas-th, from the number rank on.

    shuffle: in an order that all processes draw alike from seed and the epoch, which set_epoch must tell before each. drop_last: leave out the rest
    that does not go round; without it some samples at the start are taken twice, so that all shares are of one length.
    Raises ValueError for a rank that there is not.

    >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.num_replicas = get_world_size() if num_replicas is None else num_replicas
        self.rank = get_rank() if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(f"DistributedSampler: expected rank from 0 to {self.num_replicas - 1}, got {self.rank}")
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0
        count = len(dataset)
        self.num_samples = count // self.num_replicas if drop_last else math.ceil(count / self.num_replicas)
        self.total_size = self.num_samples * self.num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch comes, so that its order is another."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        if self.shuffle:
            generator: Any = Generator()  # type: ignore[no-untyped-call]
            indices = randperm(count, generator=generator.manual_seed(self.seed + self.epoch)).tolist()
        else:
            indices = list(range(count))
        repeated = indices * math.ceil(self.total_size / count) if count else []
        return iter(repeated[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples
