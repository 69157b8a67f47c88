"""MPI, by mpi4py: arrays on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

OPERATIONS = {"sum": "SUM", "avg": "SUM", "product": "PROD", "min": "MIN", "max": "MAX"}


class Request:
    """A communication of MPI's that is under way."""

    def __init__(self, request: Any) -> None:
        self.request = request

    def test(self) -> bool:
        return bool(self.request.Test())


class Mpi:
    """All processes that `mpiexec` started. Communications do not block: MPI carries them on whenever one is tested."""

    name = "mpi"

    def __init__(self) -> None:
        try:
            from mpi4py import MPI
        except ImportError as error:
            raise ImportError(
                f"init_process_group: backend 'mpi' needs mpi4py and an MPI; pip install 'minigrad[mpi]' ({error})"
            ) from error
        except RuntimeError as error:  # mpi4py is there, but it finds no MPI
            raise ImportError(f"init_process_group: mpi4py cannot load an MPI; pip install mpich, or the system's ({error})") from error
        self.mpi = MPI
        self.communicator = MPI.COMM_WORLD.Dup()  # what others do with MPI in this process does not mix with this
        self.rank = self.communicator.Get_rank()
        self.size = self.communicator.Get_size()
        self.host = self

    def holds(self, array: Any) -> bool:
        return isinstance(array, np.ndarray)

    def all_reduce(self, array: Any, op: str) -> Request:
        return Request(self.communicator.Iallreduce(self.mpi.IN_PLACE, array, getattr(self.mpi, OPERATIONS[op])))

    def broadcast(self, array: Any, root: int) -> Request:
        return Request(self.communicator.Ibcast(in_bytes(array), root))

    def all_gather(self, out: Any, array: Any) -> Request:
        return Request(self.communicator.Iallgather(in_bytes(array), in_bytes(out)))

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Request:
        return Request(self.communicator.Ireduce_scatter_block(array, out, getattr(self.mpi, OPERATIONS[op])))

    def barrier(self) -> Request:
        return Request(self.communicator.Ibarrier())

    def abort(self) -> None:
        self.communicator.Abort(1)

    def close(self) -> None:
        self.communicator.Free()


def in_bytes(array: Any) -> Any:
    """The memory of an array as bytes: MPI has no half precision, and need not know what it carries."""
    return array.reshape(-1).view(np.uint8)
