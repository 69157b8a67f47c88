"""A checkpoint of all processes in one file, with which any number of them can go on."""

from __future__ import annotations

from typing import Any

from minigrad import train
from minigrad.distributed.collectives import all_gather_object, barrier
from minigrad.distributed.group import get_rank, is_initialized


class Checkpoint(train.Checkpoint):
    """train.Checkpoint in several processes: all call save() and resume(), rank 0 writes.

    Every process goes on with its own random numbers. With as many processes as before a run continues to the bit; with others, models,
    optimisers and schedulers continue, and the processes beyond those that were saved take over the random numbers of the first ones again.
    Without a group it is train.Checkpoint.
    """

    def random_state(self) -> Any:
        mine = super().random_state()
        return all_gather_object(mine) if is_initialized() else [mine]

    def set_random_state(self, state: Any) -> None:
        super().set_random_state(state[get_rank() % len(state)])

    def write(self, content: dict[str, Any]) -> None:
        if get_rank() == 0:
            super().write(content)
        if is_initialized():
            barrier()
