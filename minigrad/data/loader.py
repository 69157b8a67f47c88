"""DataLoader: batches of a dataset, shuffled if wanted, made in this process or by workers."""

from __future__ import annotations

import multiprocessing.context
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any

from minigrad.data.collate import default_collate, default_convert, pin
from minigrad.data.dataset import IterableDataset
from minigrad.data.fetch import Fetcher
from minigrad.data.pool import THREADS, Processes, Threads
from minigrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from minigrad.data.worker import EndOfStream, Failure, Plan
from minigrad.kernels import driver
from minigrad.ops.random import randint

DEFAULT_PREFETCH = 2


class DataLoader:
    """Goes through a dataset in batches, as often as it is iterated over.

    dataset: a Dataset, or anything with __getitem__ and __len__. batch_size: None gives the samples one by one.
    shuffle: a new random order each time; generator: where it comes from (by default the generator that manual_seed seeds).
    sampler, batch_sampler: the order, instead of shuffle. drop_last: without a last batch that is smaller.
    collate_fn: makes a batch of a list of samples.

    num_workers: how many processes make batches; 0 is this one. The batches come in the same order whatever their number, and what code of the dataset
    draws from Python's, NumPy's or minigrad's generator depends on the batch, not on the worker that makes it. A stream (IterableDataset) is gone
    through by each worker: it divides itself by get_worker_info. prefetch_factor: batches that each worker makes in advance (2).
    persistent_workers: keep them from one iteration to the next. worker_init_fn: called in each worker with its number. timeout: seconds to wait for a
    batch, 0 without end. multiprocessing_context: how processes start ("fork", "spawn", "forkserver"), or "threads" for threads instead.
    in_order: False gives batches as they get ready. pin_memory: batches lie in memory that a GPU reads while the host goes on; it has no effect, and a
    warning, where there is no GPU.

    Raises ValueError for arguments that exclude each other or make no sense, TypeError for those of a wrong kind. Iterating raises what the dataset raises, with the traceback of the worker;
    RuntimeError if a worker dies or needs longer than timeout.

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
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers)
        self._is_stream = isinstance(dataset, IterableDataset)
        _check_parts(dataset, sampler, batch_sampler, collate_fn, worker_init_fn)
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
        self._pins = pin_memory and driver.status()[0]
        if pin_memory and not self._pins:
            warnings.warn(
                "DataLoader: pin_memory=True, but there is no GPU that could read pinned memory; it has no effect",
                stacklevel=2,
            )
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = DEFAULT_PREFETCH if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._workers: Processes | Threads | None = None
        self._epoch = 0

    def __iter__(self) -> Iterator[Any]:
        # Drawn whether there are workers or not, so that their number changes nothing about the order.
        seed = int(randint(0, 2**62, (), generator=self.generator))
        if self.num_workers == 0:
            return _OwnIterator(self)
        return _WorkersIterator(self, seed)

    def __len__(self) -> int:
        if self._is_stream:
            samples = len(self.dataset)
            if self.batch_size is None:
                return samples
            return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def _finished(self, batch: Any) -> Any:
        """What is left to do with a batch in this process."""
        return pin(batch) if self._pins else batch

    def _indices(self) -> Iterator[Any]:
        """What each batch is asked for with: its indices, one index, or for a stream as many of anything as it is to have samples."""
        if self._is_stream:
            return repeat(None if self.batch_size is None else range(self.batch_size))
        return iter(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]

    def _batched(self) -> bool:
        return self.batch_sampler is not None

    def _pool(self) -> Processes | Threads:
        """The workers, those of the last time if they are to be kept."""
        if self._workers is not None and self._workers.close.alive:
            return self._workers
        plan = Plan(
            self.dataset, self.collate_fn, self._batched(), self.drop_last, self.worker_init_fn, self.num_workers
        )
        context = self.multiprocessing_context
        pool = Threads(plan) if context == THREADS else Processes(plan, context)
        if self.persistent_workers:
            self._workers = pool
        return pool


class _OwnIterator:
    """Batches made in this process, when they are asked for."""

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader
        self.indices = loader._indices()
        self.fetcher = Fetcher(loader.dataset, loader.collate_fn, loader._batched(), loader.drop_last)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self.loader._finished(self.fetcher.fetch(next(self.indices)))

    def __len__(self) -> int:
        return len(self.loader)


class _WorkersIterator:
    """Batches made by workers in advance. Batch i is the task of the (i mod n)-th of the n workers that have not come to the end of their stream."""

    def __init__(self, loader: DataLoader, seed: int) -> None:
        self.loader = loader
        self.indices = loader._indices()
        self.pool = loader._pool()
        loader._epoch += 1
        self.epoch = loader._epoch
        self.timeout = loader.timeout or None
        self.active = set(range(loader.num_workers))  # that have not come to the end of their stream
        self.last = -1  # the worker that was given the last task
        self.asked = 0
        self.owner: dict[int, int] = {}  # of each batch that is still to come, in order
        self.arrived: dict[int, Any] = {}
        for worker in self.active:
            self.pool.put(worker, ("epoch", self.epoch, seed))
        for _ in range(loader.num_workers * loader.prefetch_factor):  # type: ignore[operator]
            self._ask()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __len__(self) -> int:
        return len(self.loader)

    def __next__(self) -> Any:
        if self.loader.persistent_workers and self.epoch != self.loader._epoch:
            raise RuntimeError(
                "DataLoader: another iteration has begun, and persistent workers serve one at a time; use persistent_workers=False"
            )
        while self.owner:
            batch = self._wait()
            content, worker = self.arrived.pop(batch), self.owner.pop(batch)
            if isinstance(content, EndOfStream):
                self.active.discard(worker)
            self._ask()
            if isinstance(content, Failure):
                content.raise_again()
            if not isinstance(content, EndOfStream):
                return self.loader._finished(content)
        if not self.loader.persistent_workers:
            self.pool.close()
        raise StopIteration

    def _ask(self) -> None:
        """Gives the next worker the next batch to make, if there are any."""
        if not self.active:
            return
        indices = next(self.indices, EndOfStream)
        if indices is EndOfStream:
            return
        workers = self.loader.num_workers
        self.last = next(
            worker % workers
            for worker in range(self.last + 1, self.last + 1 + workers)
            if worker % workers in self.active
        )
        self.owner[self.asked] = self.last
        self.pool.put(self.last, (self.epoch, self.asked, indices))
        self.asked += 1

    def _wait(self) -> int:
        """Waits for the next batch, or without order for any, and returns its number."""
        first = next(iter(self.owner))
        while True:
            if self.loader.in_order and first in self.arrived:
                return first
            if not self.loader.in_order and self.arrived:
                return next(iter(self.arrived))
            # With persistent workers, answers to what an earlier iteration asked for may still come.
            self.arrived |= {
                batch: content for epoch, batch, content in self.pool.get(self.timeout) if epoch == self.epoch
            }


def _check_parts(dataset: Any, sampler: Any, batch_sampler: Any, collate_fn: Any, worker_init_fn: Any) -> None:
    """Raises TypeError for what cannot be gone through or called."""
    if not isinstance(dataset, IterableDataset):
        needed = ["__getitem__", *(["__len__"] if sampler is None and batch_sampler is None else [])]
        missing = [name for name in needed if not hasattr(dataset, name)]
        if missing:
            raise TypeError(
                f"DataLoader: dataset should be a Dataset, or have __getitem__ and __len__; {type(dataset).__name__} has no {' and no '.join(missing)}. "
                "What can only be gone through belongs in the __iter__ of an IterableDataset"
            )
    for name, order in (("sampler", sampler), ("batch_sampler", batch_sampler)):
        if order is not None and not hasattr(order, "__iter__") and not hasattr(order, "__getitem__"):
            raise TypeError(f"DataLoader: {name} option should be an iterable of indices, got {type(order).__name__}")
    for name, function in (("collate_fn", collate_fn), ("worker_init_fn", worker_init_fn)):
        if function is not None and not callable(function):
            raise TypeError(f"DataLoader: {name} option should be a function, got {type(function).__name__}")


def _check_workers(num_workers: Any, timeout: Any, context: Any, prefetch_factor: Any, persistent_workers: Any) -> None:
    """Raises ValueError or TypeError for options of workers that make no sense."""
    if not isinstance(num_workers, int) or num_workers < 0:
        raise ValueError(
            f"DataLoader: num_workers option should be an integer that is not negative; use num_workers=0 to disable workers, got {num_workers!r}"
        )
    if not isinstance(timeout, (int, float)):
        raise TypeError(f"DataLoader: timeout option should be a number of seconds, got {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"DataLoader: timeout option should be non-negative, got {timeout}")
    if num_workers == 0:
        given = {
            "prefetch_factor": prefetch_factor,
            "persistent_workers": persistent_workers,
            "multiprocessing_context": context,
            "timeout": timeout,
        }
        for name, value in given.items():
            if value:
                raise ValueError(f"DataLoader: {name} option needs workers, got {name}={value!r} and num_workers=0")
    if prefetch_factor is not None and (not isinstance(prefetch_factor, int) or prefetch_factor < 1):
        raise ValueError(f"DataLoader: prefetch_factor option should be a positive integer, got {prefetch_factor!r}")
    if isinstance(context, str):
        known = [*multiprocessing.get_all_start_methods(), THREADS]
        if context not in known:
            raise ValueError(
                f"DataLoader: multiprocessing_context option should specify a valid start method in {known}, got {context!r}"
            )
    elif context is not None and not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            f"DataLoader: multiprocessing_context option should be a valid context object or a string, got {type(context).__name__}"
        )
