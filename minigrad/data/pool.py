"""The workers of a DataLoader, seen from where it is iterated over: processes or threads that take tasks and give answers."""

from __future__ import annotations

import os
import signal
import time
import weakref
from multiprocessing import connection, get_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from minigrad.data.transfer import receive
from minigrad.data.worker import SECONDS_TO_FINISH, Plan, run_in_process, run_in_thread

THREADS = "threads"


class Processes:
    """One process for each worker, each with a connection of its own: one that dies cannot hold a lock that the others wait for.

    context: how processes start ("fork", "spawn", "forkserver", a multiprocessing context, or None for Python's default).
    """

    def __init__(self, plan: Plan, context: Any) -> None:
        context = get_context(context) if context is None or isinstance(context, str) else context
        self.processes: list[Any] = []
        self.connections: list[Any] = []
        self.close = weakref.finalize(self, _end, os.getpid(), self.processes, self.connections)
        forks = context.get_start_method() == "fork"
        for id in range(plan.num_workers):
            ours, theirs = context.Pipe()
            others = [*self.connections, ours] if forks else []
            process = context.Process(
                target=run_in_process, args=(plan, id, theirs, others), daemon=True, name=f"DataLoader worker {id}"
            )
            try:
                process.start()
            except BaseException:
                ours.close()
                self.close()
                raise
            finally:
                theirs.close()
            self.processes.append(process)
            self.connections.append(ours)

    def put(self, worker: int, task: Any) -> None:
        """Gives a worker a task."""
        try:
            self.connections[worker].send(task)
        except (BrokenPipeError, ConnectionResetError):
            self._fail(worker)

    def get(self, timeout: float | None) -> list[Any]:
        """Answers, one at least. Raises RuntimeError if a worker has died, or none answers within so many seconds."""
        sentinels = {process.sentinel: worker for worker, process in enumerate(self.processes)}
        ready = connection.wait([*self.connections, *sentinels], timeout)
        if not ready:
            raise _timed_out(timeout)
        answers = []
        for one in self.connections:  # what a worker sent before it died still counts
            if one in ready:
                try:
                    answers.append(receive(one))
                except (EOFError, OSError):
                    self._fail(self.connections.index(one))
        if not answers:
            self._fail(next(sentinels[one] for one in ready if one in sentinels))
        return answers

    def _fail(self, worker: int) -> None:
        process = self.processes[worker]
        process.join(SECONDS_TO_FINISH)
        code = process.exitcode
        for other in self.processes:  # nobody waits for their batches any more
            other.terminate()
        self.close()
        if code is not None and code < 0:
            raise RuntimeError(
                f"DataLoader worker (pid {process.pid}) is killed by signal: {signal.strsignal(-code)}. If the system ran out of memory, use fewer workers "
                "(num_workers) or smaller batches"
            )
        raise RuntimeError(f"DataLoader worker (pid {process.pid}) exited unexpectedly with exit code {code}")


def _end(owner: int, processes: list[Any], connections: list[Any]) -> None:
    """Lets the processes finish their batch, and ends those that take too long."""
    if os.getpid() != owner:  # a copy of the pool in a process that was forked
        return
    for one in connections:
        try:
            one.send(None)
        except OSError:  # it is gone already
            continue
    for one in connections:
        one.close()
    deadline = time.monotonic() + SECONDS_TO_FINISH
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.terminate()
            process.join(1)
        if process.is_alive():
            process.kill()
            process.join()


class Threads:
    """One thread for each worker. They share the dataset and the default generators, and pay off where samples are made outside of Python."""

    def __init__(self, plan: Plan) -> None:
        self.answers: SimpleQueue[Any] = SimpleQueue()
        self.tasks: list[SimpleQueue[Any]] = [SimpleQueue() for _ in range(plan.num_workers)]
        self.close = weakref.finalize(self, _tell, self.tasks)
        for id, tasks in enumerate(self.tasks):
            Thread(
                target=run_in_thread, args=(plan, id, tasks, self.answers), daemon=True, name=f"DataLoader worker {id}"
            ).start()

    def put(self, worker: int, task: Any) -> None:
        """Gives a worker a task."""
        self.tasks[worker].put(task)

    def get(self, timeout: float | None) -> list[Any]:
        """An answer. Raises RuntimeError if there is none within so many seconds."""
        try:
            return [self.answers.get(timeout=timeout)]
        except Empty:
            raise _timed_out(timeout) from None


def _tell(queues: list[SimpleQueue[Any]]) -> None:
    for tasks in queues:
        tasks.put(None)


def _timed_out(timeout: float | None) -> RuntimeError:
    return RuntimeError(
        f"DataLoader timed out after {timeout} seconds: no worker had a batch by then; raise timeout, or 0 to wait without end"
    )
