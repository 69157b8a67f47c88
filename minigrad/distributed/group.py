"""The processes that work together: how they find each other, and how an error in one ends them all."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol

BACKENDS = ("mpi", "nccl")
PATIENCE = 20e-6  # seconds that a waiting process leaves the core to others between two looks


class Pending(Protocol):
    """A communication that is under way."""

    def test(self) -> bool:
        """Whether it is done; lets it go on if not."""
        ...


class Backend(Protocol):
    """What carries arrays between processes. Every array is contiguous; what is given stays as it is until the communication is done."""

    name: str
    rank: int
    size: int

    @property
    def host(self) -> Backend:
        """What carries NumPy's arrays: itself, or another."""
        ...

    def holds(self, array: Any) -> bool:
        """Whether it can carry this array, which may lie on the wrong device."""
        ...

    def all_reduce(self, array: Any, op: str) -> Pending: ...

    def broadcast(self, array: Any, root: int) -> Pending: ...

    def all_gather(self, out: Any, array: Any) -> Pending: ...

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Pending: ...

    def barrier(self) -> Pending: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


class Group:
    """The processes of one run: this one's number, how many there are, and what carries arrays between them."""

    def __init__(self, backend: Backend, timeout: float) -> None:
        self.backend = backend
        self.rank = backend.rank
        self.size = backend.size
        self.timeout = timeout

    def wait(self, op: str, done: Callable[[], bool]) -> None:
        """Looks until a communication is done. RuntimeError when the other processes have not taken part within the timeout."""
        start = time.monotonic()
        while not done():
            if time.monotonic() - start > self.timeout:
                raise RuntimeError(
                    f"{op}: rank {self.rank} of {self.size} has waited for {self.timeout:g} s; another process has ended, "
                    "hangs, or calls other operations in another order; init_process_group(timeout=...) sets how long to wait"
                )
            time.sleep(PATIENCE)

    def __repr__(self) -> str:
        return f"Group(backend={self.backend.name!r}, rank={self.rank}, size={self.size})"


class World:
    """The group of all processes, and the hook for errors that stood before it."""

    group: Group | None = None
    excepthook: Any = None


def is_available(backend: str = "mpi") -> bool:
    """Whether the package of a backend is installed.

    >>> is_available("pigeons")
    False
    """
    packages = {"mpi": "mpi4py", "nccl": "cupyx"}
    return backend in packages and find_spec(packages[backend]) is not None


def is_initialized() -> bool:
    """Whether init_process_group has been called.

    >>> is_initialized()
    False
    """
    return World.group is not None


def init_process_group(backend: str | None = None, *, timeout: float | timedelta = 600.0) -> None:
    """Joins the other processes of this run, which were started together: `mpiexec -n 4 python script.py`.

    backend: "mpi" for tensors on the host, by mpi4py, the default; "nccl" for tensors on GPUs, one a process, by cupyx.distributed.
    timeout: after how many seconds a communication that the others do not take part in raises RuntimeError.

    From then on an exception that nobody catches ends all processes, after its traceback: the others would wait for this one for ever.
    Raises ValueError for another backend or timeout, ImportError, naming the extra, where its package is missing, RuntimeError when called twice.
    """
    name = "mpi" if backend is None else backend
    if name not in BACKENDS:
        raise ValueError(f"init_process_group: expected backend to be one of {', '.join(BACKENDS)}, got {backend!r}")
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    if not seconds > 0:
        raise ValueError(f"init_process_group: expected a timeout above 0 seconds, got {timeout}")
    if World.group is not None:
        raise RuntimeError("init_process_group: called twice; destroy_process_group() comes between")
    carrier: Backend
    if name == "mpi":
        from minigrad.distributed.mpi import Mpi

        carrier = Mpi()
    else:
        from minigrad.distributed.nccl import Nccl

        carrier = Nccl()
    World.group = Group(carrier, seconds)
    World.excepthook, sys.excepthook = sys.excepthook, end_all


def end_all(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Shows an exception that nobody caught, and ends all processes."""
    group = World.group
    if group is None or group.size == 1:
        World.excepthook(kind, error, where)
        return
    lines = traceback.format_exception(kind, error, where)
    sys.stderr.write("".join(f"[rank {group.rank}] {line}" for part in lines for line in part.splitlines(keepends=True)))
    sys.stderr.flush()
    group.backend.abort()


def destroy_process_group() -> None:
    """Leaves the group. All processes must call it, or none: what is under way is waited for.

    RuntimeError where there is no group, or when the others have not come here within the timeout.
    """
    group = World.group
    if group is None:
        raise RuntimeError("destroy_process_group: there is no group; init_process_group() makes it")
    group.wait("destroy_process_group", group.backend.host.barrier().test)
    group.backend.close()
    World.group = None
    sys.excepthook = World.excepthook


def world(op: str) -> Group:
    """The group of all processes; RuntimeError before init_process_group."""
    if World.group is None:
        raise RuntimeError(f"{op}: call minigrad.distributed.init_process_group() first")
    return World.group


def get_rank() -> int:
    """The number of this process, from 0; 0 where there is no group.

    >>> get_rank()
    0
    """
    return 0 if World.group is None else World.group.rank


def get_world_size() -> int:
    """How many processes there are; 1 where there is no group.

    >>> get_world_size()
    1
    """
    return 1 if World.group is None else World.group.size
