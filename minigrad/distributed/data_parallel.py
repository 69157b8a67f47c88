"""DistributedDataParallel: every process has the whole model and a part of each batch; backward averages the gradients over all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad.core.engine import at_end
from minigrad.core.modes import current_task, no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.distributed.collectives import ReduceOp, Work, all_gather_object, all_reduce, broadcast
from minigrad.distributed.group import Group, world
from minigrad.kernels import xp
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter

MEGABYTE = 2**20
FIRST_BUCKET = 1.0  # megabytes: the sooner the first is full, the sooner the communication begins


class Bucket:
    """Parameters whose gradients travel together."""

    def __init__(self, parameters: list[Parameter]) -> None:
        self.parameters = parameters
        self.missing = len(parameters)  # how many gradients this backward has not given yet
        self.flat: Tensor | None = None
        self.work: Work | None = None

    def launch(self, group: Group) -> None:
        """Copies the gradients into one array, zeros for those that there are not, and sends it on its way."""
        arrays = [
            xp(p.array).zeros(p.numel(), p.array.dtype) if p.grad is None else p.grad.array.reshape(-1)
            for p in self.parameters
        ]
        self.flat = make_tensor(xp(arrays[0]).concatenate(arrays))
        self.work = all_reduce(self.flat, ReduceOp.AVG, group, async_op=True)

    def arrive(self, used: Any) -> None:
        """Waits for the average and puts it into the gradients of the parameters that any process has used."""
        assert self.work is not None and self.flat is not None
        self.work.wait()
        start = 0
        for p, anywhere in zip(self.parameters, used, strict=True):
            stop = start + p.numel()
            if anywhere:
                part = self.flat.array[start:stop].reshape(p.shape)
                if p.grad is None:
                    p.grad = make_tensor(part.copy())
                else:
                    p.grad.array[...] = part
                    p.grad.written()
            start = stop
        self.flat = self.work = None


class DistributedDataParallel(Module):
    """Wraps a model for training in several processes: after backward() every parameter's `.grad` is the mean over all of them.

    The parameters and buffers of rank 0 are sent to all first. During backward the gradients are gathered into buckets of about bucket_cap_mb
    megabytes, last layers first, and each bucket is on its way while backward goes on with the layers before it.

    broadcast_buffers: before each forward of a training, send rank 0's buffers, such as running statistics, to all. find_unused_parameters: a
    process may leave some parameters out of its graph; those that none has used keep their `.grad`. Without it the next forward raises RuntimeError
    that names them. process_group: by default all processes. `state_dict` has the names with "module." before them, as in torch;
    `model.module.state_dict()` those of the model itself.

    Raises RuntimeError without a group, for a model without parameters that need a gradient, or when the processes have different models.
    Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training" (2020).
    """

    def __init__(
        self,
        module: Module,
        *,
        broadcast_buffers: bool = True,
        process_group: Group | None = None,
        bucket_cap_mb: float = 25,
        find_unused_parameters: bool = False,
    ) -> None:
        super().__init__()
        self.group = process_group or world("DistributedDataParallel")
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.names = {id(p): name for name, p in module.named_parameters()}
        trained = [p for p in module.parameters() if p.requires_grad]
        if not trained:
            raise RuntimeError("DistributedDataParallel: the model has no parameter that requires a gradient; it needs no wrapping")
        if not bucket_cap_mb > 0:
            raise ValueError(f"DistributedDataParallel: expected bucket_cap_mb above 0, got {bucket_cap_mb}")
        check_same_everywhere(module, self.group)
        with no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                broadcast(tensor, 0, self.group)
        self.buckets = in_buckets(trained[::-1], bucket_cap_mb)
        self.bucket_of = {id(p): bucket for bucket in self.buckets for p in bucket.parameters}
        self.synchronised = True
        self.task = 0  # the backward that is running
        self.given: set[int] = set()  # the ids of the parameters that it has reached
        self.launched = 0  # how many buckets are on their way: always the first ones, in every process
        self.left_out: list[str] = []
        self.abandoned: list[Work] = []  # those of backwards that failed; their arrays must stay until the others have taken part
        for p in trained:
            p.register_post_accumulate_grad_hook(self._has_gradient)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        if self.left_out:
            names, self.left_out = self.left_out, []
            raise RuntimeError(
                f"DistributedDataParallel: rank {self.group.rank}'s backward gave no gradient to {', '.join(names[:5])}"
                f"{', ...' if len(names) > 5 else ''} ({len(names)} parameters); use them all in the loss, set requires_grad to False, or pass "
                "find_unused_parameters=True"
            )
        if self.broadcast_buffers and self.training and self.synchronised:
            with no_grad():
                for buffer in self.module.buffers():
                    broadcast(buffer, 0, self.group)
        return self.module(*inputs, **named)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Inside, backward adds to the gradients of this process only; the first backward after it sends what has come together.

        A loss of several batches, accumulated, costs one communication instead of several.
        """
        before, self.synchronised = self.synchronised, False
        try:
            yield
        finally:
            self.synchronised = before

    def _has_gradient(self, parameter: Tensor) -> None:
        """Called by the engine when a parameter's gradient is complete."""
        if not self.synchronised:
            return
        if self.task != current_task():
            self._begin()
        self.given.add(id(parameter))
        self.bucket_of[id(parameter)].missing -= 1
        self._launch(complete_only=True)
        for bucket in self.buckets[: self.launched]:
            if bucket.work is not None:
                bucket.work.pending.test()  # a look lets MPI go on

    def _begin(self) -> None:
        self.task = current_task()
        self.launched = 0
        self.given.clear()
        self.abandoned = [work for work in self.abandoned if not work.is_completed()]
        for bucket in self.buckets:
            bucket.missing, bucket.work, bucket.flat = len(bucket.parameters), None, None
        at_end(self.task, self._end)

    def _launch(self, complete_only: bool) -> None:
        """Sends the next buckets: in their order, so that all processes send the same ones first."""
        while self.launched < len(self.buckets) and not (complete_only and self.buckets[self.launched].missing):
            self.buckets[self.launched].launch(self.group)
            self.launched += 1

    def _end(self, completed: bool) -> None:
        """Called by the engine when the backward has ended."""
        self.task = 0
        try:
            if completed:
                self._average()
        finally:
            self.abandoned += [bucket.work for bucket in self.buckets if bucket.work is not None]

    def _average(self) -> None:
        """Sends what has not gone yet, and puts the means into the gradients."""
        self._launch(complete_only=False)
        parameters = [p for bucket in self.buckets for p in bucket.parameters]
        given = np.array([id(p) in self.given for p in parameters])
        used = given
        if self.find_unused_parameters:
            together = make_tensor(xp(parameters[0].array).asarray(given.astype(np.int32)))
            all_reduce(together, ReduceOp.MAX, self.group)
            used = together.cpu().numpy() > 0
        elif not given.all():
            self.left_out = [self.names[id(p)] for p, there in zip(parameters, given, strict=True) if not there]
        start = 0
        for bucket in self.buckets:
            bucket.arrive(used[start : start + len(bucket.parameters)])
            start += len(bucket.parameters)


def in_buckets(parameters: Sequence[Parameter], megabytes: float) -> list[Bucket]:
    """The parameters in their order, those of one dtype and device side by side, in pieces of about this size; the first piece is smaller."""
    buckets: list[Bucket] = []
    for kind in dict.fromkeys((p.dtype, str(p.device)) for p in parameters):
        piece: list[Parameter] = []
        size = 0.0
        for p in parameters:
            if (p.dtype, str(p.device)) != kind:
                continue
            piece.append(p)
            size += p.array.nbytes / MEGABYTE
            if size >= (megabytes if buckets else min(megabytes, FIRST_BUCKET)):
                buckets.append(Bucket(piece))
                piece, size = [], 0.0
        if piece:
            buckets.append(Bucket(piece))
    return buckets


def check_same_everywhere(module: Module, group: Group) -> None:
    """RuntimeError unless all processes have parameters and buffers of the same names, shapes and dtypes."""
    mine = [f"{name} {tuple(x.shape)} {x.dtype}" for name, x in (*module.named_parameters(), *module.named_buffers())]
    for rank, theirs in enumerate(all_gather_object(mine, group)):
        if theirs != mine:
            differing = sorted({*mine} ^ {*theirs}) or ["their order"]
            raise RuntimeError(
                f"DistributedDataParallel: the models of ranks {group.rank} and {rank} differ in {', '.join(differing[:4])}; "
                "every process must build the same one"
            )
