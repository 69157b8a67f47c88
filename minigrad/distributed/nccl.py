"""NCCL, by cupyx.distributed: arrays on GPUs, one GPU a process. What starts it and carries other things than arrays is MPI.

Simulated, not run on a GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.distributed.mpi import Mpi
from minigrad.kernels import driver

OPERATIONS = {"sum": "sum", "avg": "sum", "product": "prod", "min": "min", "max": "max"}


class Queued:
    """A communication in the stream's order: whatever reads its result comes after it there, so that the host need not wait."""

    def test(self) -> bool:
        return True


class Nccl:
    """The processes that `mpiexec` started, each with the GPU of its number."""

    name = "nccl"

    def __init__(self) -> None:
        cupy = driver.cupy()
        from cupyx.distributed import NCCLBackend

        self.host = Mpi()
        self.rank, self.size = self.host.rank, self.host.size
        cupy.cuda.Device(self.rank % cupy.cuda.runtime.getDeviceCount()).use()
        self.array = cupy.ndarray
        self.carrier = NCCLBackend(self.size, self.rank, use_mpi=True)

    def holds(self, array: Any) -> bool:
        return isinstance(array, self.array)

    def all_reduce(self, array: Any, op: str) -> Queued:
        self.carrier.all_reduce(array, array, OPERATIONS[op])
        return Queued()

    def broadcast(self, array: Any, root: int) -> Queued:
        self.carrier.broadcast(array.reshape(-1).view(np.uint8), root)
        return Queued()

    def all_gather(self, out: Any, array: Any) -> Queued:
        self.carrier.all_gather(array.reshape(-1).view(np.uint8), out.reshape(-1).view(np.uint8), array.nbytes)
        return Queued()

    def reduce_scatter(self, out: Any, array: Any, op: str) -> Queued:
        self.carrier.reduce_scatter(array, out, out.size, OPERATIONS[op])
        return Queued()

    def barrier(self) -> Queued:
        self.carrier.barrier()
        return Queued()

    def abort(self) -> None:
        self.host.abort()

    def close(self) -> None:
        self.carrier.stop()
        self.host.close()
