"""Collective operations: every process of the group calls the same one, with tensors of the same shape and dtype."""

from __future__ import annotations

import enum
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.core.inplace import check_writable
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.distributed.group import Group, Pending, world
from minigrad.io import load, save
from minigrad.kernels import xp
from minigrad.kernels.settings import are_deterministic_algorithms_enabled


class ReduceOp(enum.Enum):
    """How the tensors of all processes become one, element by element."""

    SUM = "sum"
    AVG = "avg"
    PRODUCT = "product"
    MIN = "min"
    MAX = "max"


class Work:
    """A communication under way, from `async_op=True`: its tensors may be touched after wait().

    finish: what is left to do with the arrays when they have arrived.
    """

    def __init__(self, op: str, group: Group, pending: Pending, finish: Callable[[], None] | None = None) -> None:
        self.op = op
        self.group = group
        self.pending = pending
        self.finish = finish
        self.done = False

    def is_completed(self) -> bool:
        """Whether it is done, without waiting; a look also lets it go on."""
        if not self.done and self.pending.test():
            self.done = True
            if self.finish is not None:
                self.finish()
        return self.done

    def wait(self) -> None:
        """Waits until it is done. RuntimeError when the other processes have not taken part within the group's timeout."""
        self.group.wait(self.op, self.is_completed)


def all_reduce(tensor: Tensor, op: ReduceOp = ReduceOp.SUM, group: Group | None = None, async_op: bool = False) -> Work | None:
    """Replaces the tensor of every process by the sum (or what op says) of all of them, the same to the bit everywhere.

    With use_deterministic_algorithms(True) sums are added in the order of the ranks, whatever the network does; that takes more memory.
    async_op: return a Work at once. Raises TypeError for a dtype that op does not have, RuntimeError without a group, on the wrong device, or
    where the tensor may not be written, and when the others do not take part within the timeout.
    """
    group = group or world("all_reduce")
    check_tensor("all_reduce", tensor, group, written=True)
    check_reducible("all_reduce", tensor, op)
    array = tensor.array
    sent = staged(array)
    if op in (ReduceOp.SUM, ReduceOp.AVG) and are_deterministic_algorithms_enabled():
        parts: Any = xp(array).empty((group.size, *array.shape), sent.dtype)
        pending = group.backend.all_gather(parts, sent)
    else:
        parts = None
        pending = group.backend.all_reduce(sent, op.value)

    def finish() -> None:
        total = sent if parts is None else in_order(parts)
        if op is ReduceOp.AVG:
            total /= group.size
        if total is not array:
            array[...] = total
        tensor.written()

    return answer(Work("all_reduce", group, pending, finish), async_op)


def broadcast(tensor: Tensor, src: int, group: Group | None = None, async_op: bool = False) -> Work | None:
    """Replaces the tensor of every process by that of the process src. Raises as all_reduce does, and ValueError for a src that there is not."""
    group = group or world("broadcast")
    if not 0 <= src < group.size:
        raise ValueError(f"broadcast: expected src from 0 to {group.size - 1}, got {src}")
    check_tensor("broadcast", tensor, group, written=True)
    array = tensor.array
    sent = array if array.flags.c_contiguous else array.copy()

    def finish() -> None:
        if sent is not array:
            array[...] = sent
        tensor.written()

    return answer(Work("broadcast", group, group.backend.broadcast(sent, src), finish), async_op)


def all_gather(tensor_list: Sequence[Tensor], tensor: Tensor, group: Group | None = None, async_op: bool = False) -> Work | None:
    """Puts the tensor of the process of number i into tensor_list[i], for every i. Raises as all_reduce does, and ValueError for a list that does not fit."""
    group = group or world("all_gather")
    check_tensor("all_gather", tensor, group)
    check_list("all_gather", tensor_list, tensor, group, written=True)
    sent = tensor.array if tensor.array.flags.c_contiguous else tensor.array.copy()
    parts = xp(sent).empty((group.size, *sent.shape), sent.dtype)

    def finish() -> None:
        for target, part in zip(tensor_list, parts, strict=True):
            target.array[...] = part
            target.written()

    return answer(Work("all_gather", group, group.backend.all_gather(parts, sent), finish), async_op)


def all_gather_into_tensor(
    output_tensor: Tensor, input_tensor: Tensor, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Puts the tensors of all processes one after the other into output_tensor, along axis 0 or along a new axis before it."""
    group = group or world("all_gather_into_tensor")
    check_tensor("all_gather_into_tensor", output_tensor, group, written=True)
    if output_tensor.numel() != group.size * input_tensor.numel():
        raise ValueError(
            f"all_gather_into_tensor: expected an output of {group.size} x {input_tensor.numel()} elements, "
            f"got shape {tuple(output_tensor.shape)} for inputs of shape {tuple(input_tensor.shape)}"
        )
    with no_grad():
        return all_gather(list(output_tensor.view(group.size, *input_tensor.shape)), input_tensor, group, async_op)


def reduce_scatter(
    output: Tensor, input_list: Sequence[Tensor], op: ReduceOp = ReduceOp.SUM, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Puts the sum (or what op says) of all processes' input_list[i] into the output of the process of number i. Raises as all_gather does."""
    group = group or world("reduce_scatter")
    check_tensor("reduce_scatter", output, group, written=True)
    check_list("reduce_scatter", input_list, output, group)
    check_reducible("reduce_scatter", output, op)
    library = xp(output.array)
    sent = library.stack([staged(part.array) for part in input_list])
    result = library.empty(output.shape, sent.dtype)

    def finish() -> None:
        output.array[...] = result / group.size if op is ReduceOp.AVG else result
        output.written()

    return answer(Work("reduce_scatter", group, group.backend.reduce_scatter(result, sent, op.value), finish), async_op)


def reduce_scatter_tensor(
    output: Tensor, input: Tensor, op: ReduceOp = ReduceOp.SUM, group: Group | None = None, async_op: bool = False
) -> Work | None:
    """Puts the part of the number of each process, of the sum of all inputs, into its output; the parts lie along axis 0."""
    group = group or world("reduce_scatter_tensor")
    if input.numel() != group.size * output.numel():
        raise ValueError(
            f"reduce_scatter_tensor: expected an input of {group.size} x {output.numel()} elements, "
            f"got shape {tuple(input.shape)} for outputs of shape {tuple(output.shape)}"
        )
    with no_grad():
        return reduce_scatter(output, list(input.reshape(group.size, *output.shape)), op, group, async_op)


def all_gather_object(obj: Any, group: Group | None = None) -> list[Any]:
    """What every process has given, in the order of the ranks: tensors, numbers, texts and containers of them, all that minigrad.save saves.

    Nothing that arrives is executed, unlike torch's function of this name, which sends pickles.
    RuntimeError without a group, and when the others do not take part within the timeout.
    """
    group = group or world("all_gather_object")
    file = io.BytesIO()
    save(obj, file)
    data = np.frombuffer(file.getvalue(), np.uint8)
    host = group.backend.host
    sizes = np.empty(group.size, np.int64)
    group.wait("all_gather_object", host.all_gather(sizes, np.array([data.size])).test)
    parts = np.empty((group.size, sizes.max()), np.uint8)
    sent = np.pad(data, (0, parts.shape[1] - data.size))
    group.wait("all_gather_object", host.all_gather(parts, sent).test)
    return [load(io.BytesIO(part[:size].tobytes())) for part, size in zip(parts, sizes, strict=True)]


def barrier(group: Group | None = None, async_op: bool = False) -> Work | None:
    """Waits until every process has come here."""
    group = group or world("barrier")
    return answer(Work("barrier", group, group.backend.barrier()), async_op)


def answer(work: Work, async_op: bool) -> Work | None:
    """The work itself, or None when it is done."""
    if async_op:
        return work
    work.wait()
    return None


def staged(array: Any) -> Any:
    """The array, or a copy that can be sent and added up: contiguous, and not of half precision, which MPI does not have."""
    if array.dtype == "float16":
        return array.astype("float32", order="C")
    return array if array.flags.c_contiguous else array.copy()


def in_order(parts: Any) -> Any:
    """Their sum, added up from the first to the last."""
    total = parts[0].copy()
    for part in parts[1:]:
        total += part
    return total


def check_tensor(op: str, tensor: Tensor, group: Group, written: bool = False) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{op}: expected a tensor, got {type(tensor).__name__}")
    if not group.backend.holds(tensor.array):
        raise RuntimeError(
            f"{op}: the backend {group.backend.name!r} does not carry tensors on {tensor.device}; 'mpi' is for the host and 'nccl' for GPUs"
        )
    if written:
        with no_grad():
            check_writable(op, tensor)


def check_list(op: str, tensors: Sequence[Tensor], like: Tensor, group: Group, written: bool = False) -> None:
    if len(tensors) != group.size:
        raise ValueError(f"{op}: expected a list of {group.size} tensors, one for each process, got {len(tensors)}")
    for x in tensors:
        check_tensor(op, x, group, written)
        if x.shape != like.shape or x.dtype != like.dtype:
            raise ValueError(
                f"{op}: expected tensors of shape {tuple(like.shape)} and dtype {like.dtype} like the other argument, got {tuple(x.shape)} and {x.dtype}"
            )


def check_reducible(op: str, tensor: Tensor, how: ReduceOp) -> None:
    if not isinstance(how, ReduceOp):
        raise TypeError(f"{op}: expected op to be a ReduceOp, such as ReduceOp.SUM, got {how!r}")
    if tensor.dtype.kind == "b" or (how is ReduceOp.AVG and tensor.dtype.kind != "f"):
        raise TypeError(f"{op}: {how} is not for tensors of {tensor.dtype}; convert with x.float() or x.int()")
