"""What a worker of a DataLoader does, in its process or thread: it waits for tasks, makes batches, and sends them back."""

from __future__ import annotations

import os
import random
import signal
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from minigrad.data.fetch import Fetcher

SECONDS_TO_FINISH = 5.0  # for the batch at hand, when the loader needs no more


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this is. id: 0 to num_workers - 1. seed: its own. dataset: its own copy (in threads: the one of all)."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class _Current:
    """Of a process, or of this thread if its workers are threads."""

    process: WorkerInfo | None = None
    thread = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """Which worker of a DataLoader calls this; None outside of workers. A stream divides its samples among the workers by it.

    >>> import minigrad
    >>> class Numbers(minigrad.data.IterableDataset):
    ...     def __iter__(self):
    ...         info = minigrad.data.get_worker_info()
    ...         return iter(range(6) if info is None else range(info.id, 6, info.num_workers))
    >>> loader = minigrad.data.DataLoader(Numbers(), batch_size=3, num_workers=2, multiprocessing_context="threads")
    >>> [batch.tolist() for batch in loader]
    [[0, 2, 4], [1, 3, 5]]
    """
    return getattr(_Current.thread, "info", _Current.process)


class Failure:
    """An exception on its way to the process that iterates, with its traceback as a text."""

    def __init__(self, where: str, error: BaseException) -> None:
        self.where = where
        self.kind: type[BaseException] = type(error)
        self.text = "".join(traceback.format_exception(error))

    def raise_again(self) -> None:
        """Raises an exception of the same class if that can be made of a text, else a RuntimeError."""
        message = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if issubclass(self.kind, KeyError):
            raise self.kind(_Lines(message))
        try:
            error = self.kind(message)
        except Exception:
            error = RuntimeError(message)
        raise error


class _Lines(str):
    """A text that KeyError shows with its lines, not on one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class EndOfStream:
    """Sent in place of a batch when a worker's part of a stream has ended."""


@dataclass
class Plan:
    """What all workers of a loader are told once."""

    dataset: Any
    collate_fn: Callable[[Any], Any]
    batched: bool
    drop_last: bool
    worker_init_fn: Callable[[int], None] | None
    num_workers: int


class Worker:
    """Answers tasks: ("epoch", number, base seed) begins to go through the dataset, (number of the epoch, of the batch, indices) is a batch."""

    def __init__(self, plan: Plan, id: int, in_process: bool) -> None:
        self.plan = plan
        self.id = id
        self.in_process = in_process
        self.where = f"in DataLoader worker {'process' if in_process else 'thread'} {id}"
        self.fetcher: Fetcher | None = None
        self.failure: Failure | None = None
        self.started = False
        self.seed = 0

    def answer(self, task: tuple[Any, Any, Any]) -> tuple[int, int, Any] | None:
        """The answer to a task, if it has one: (epoch, batch, what was made)."""
        if task[0] == "epoch":
            self.begin(task[2])
            return None
        epoch, batch, indices = task
        return epoch, batch, self.failure if self.failure is not None else self.make(batch, indices)

    def begin(self, base_seed: int) -> None:
        plan = self.plan
        self.seed = base_seed
        info = WorkerInfo(self.id, plan.num_workers, base_seed + self.id, plan.dataset)
        if self.in_process:
            _Current.process = info
            seed_all(info.seed)
        else:
            _Current.thread.info = info
        try:
            if not self.started and plan.worker_init_fn is not None:
                plan.worker_init_fn(self.id)
            self.started = True
            self.fetcher = Fetcher(plan.dataset, plan.collate_fn, plan.batched, plan.drop_last)
            self.failure = None
        except Exception as error:
            self.failure = Failure(self.where, error)

    def make(self, batch: int, indices: Any) -> Any:
        assert self.fetcher is not None
        if self.in_process and self.fetcher.stream is None:
            seed_all(self.seed + (batch << 20))  # so what is drawn for a batch does not hang on which worker makes it
        try:
            return self.fetcher.fetch(indices)
        except StopIteration:
            if self.fetcher.stream is None:
                return Failure(self.where, RuntimeError("the dataset raised StopIteration"))
            return EndOfStream()
        except Exception as error:
            return Failure(self.where, error)


def seed_all(seed: int) -> None:
    """Seeds what the code of a dataset may draw from: Python's generator, NumPy's and minigrad's."""
    import numpy as np

    from minigrad.ops.random import manual_seed

    random.seed(seed)
    np.random.seed(seed % 2**32)
    manual_seed(seed % 2**63)  # type: ignore[no-untyped-call]


def run_in_process(plan: Plan, id: int, connection: Any, to_close: list[Any]) -> None:
    """The life of a process. Ends when it is told to, or when the other end of its connection is gone."""
    from minigrad.data.transfer import send
    from minigrad.kernels.threads import set_num_threads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; it is the loader that ends them
    for other in to_close:  # a process that was forked holds the ends of its brothers' connections too
        other.close()
    set_num_threads(1)
    tasks: SimpleQueue[Any] = SimpleQueue()
    blocked = threading.Event()
    threading.Thread(target=_listen, args=(connection, tasks, blocked), daemon=True).start()
    worker = Worker(plan, id, in_process=True)
    while (task := tasks.get()) is not None:
        answer = worker.answer(task)
        if answer is None:
            continue
        blocked.set()
        try:
            send(connection, answer)
        except (BrokenPipeError, ConnectionResetError):
            return
        except Exception as error:  # what was made cannot be pickled
            send(connection, (*answer[:2], Failure(worker.where, error)))
        blocked.clear()


def _listen(connection: Any, tasks: SimpleQueue[Any], blocked: threading.Event) -> None:
    """Takes tasks off the connection at once, so that neither end ever waits for the other to read."""
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            os._exit(1)
        tasks.put(task)
        if task is None:
            # Nobody will read what the worker may be about to send.
            if not blocked.is_set():
                threading.Event().wait(SECONDS_TO_FINISH)
            os._exit(0)


def run_in_thread(plan: Plan, id: int, tasks: SimpleQueue[Any], answers: SimpleQueue[Any]) -> None:
    """The life of a thread. Ends when it is told to."""
    worker = Worker(plan, id, in_process=False)
    while (task := tasks.get()) is not None:
        answer = worker.answer(task)
        if answer is not None:
            answers.put(answer)
