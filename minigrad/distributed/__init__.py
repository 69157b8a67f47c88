"""Training in several processes, on one machine or many: collective operations over MPI or NCCL, and what is built of them.

    mpiexec -n 2 python train.py

Every process runs the same script. It calls `init_process_group`, wraps its model in `DistributedDataParallel`, and takes its share of the data by a
`DistributedSampler`. The communication itself is that of kept libraries: mpi4py on the host, cupyx.distributed between GPUs.
"""

from __future__ import annotations

from minigrad.distributed.checkpoint import Checkpoint
from minigrad.distributed.collectives import (
    ReduceOp,
    Work,
    all_gather,
    all_gather_into_tensor,
    all_gather_object,
    all_reduce,
    barrier,
    broadcast,
    reduce_scatter,
    reduce_scatter_tensor,
)
from minigrad.distributed.data_parallel import DistributedDataParallel
from minigrad.distributed.group import (
    Group,
    destroy_process_group,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)
from minigrad.distributed.sampler import DistributedSampler
from minigrad.distributed.sync_batchnorm import SyncBatchNorm
from minigrad.distributed.zero import ZeroRedundancyOptimizer

__all__ = [
    "Checkpoint",
    "DistributedDataParallel",
    "DistributedSampler",
    "Group",
    "ReduceOp",
    "SyncBatchNorm",
    "Work",
    "ZeroRedundancyOptimizer",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "destroy_process_group",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
    "reduce_scatter",
    "reduce_scatter_tensor",
]
