"""What runs in each process: `mpiexec -n 2 python worker.py NAME ARGUMENTS`. Its result goes to a file in the folder RESULTS."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import minigrad
from minigrad import distributed as dist
from minigrad import nn, optim
from minigrad.nn import functional as F

DOUBLE = {"dtype": minigrad.float64}


def refused(call: Any) -> str:
    """The error that a call raises, in words."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def collectives() -> Any:
    """Each operation on tensors that tell the ranks apart, of several dtypes and layouts."""
    rank, size = dist.get_rank(), dist.get_world_size()
    found: dict[str, Any] = {}
    for dtype in (minigrad.float64, minigrad.float32, minigrad.float16, minigrad.int64, minigrad.uint8):
        for op in dist.ReduceOp:
            if op is dist.ReduceOp.AVG and dtype in (minigrad.int64, minigrad.uint8):
                continue
            x = minigrad.tensor([[1, 2, 3], [3, 1, 2]], dtype=dtype) + rank
            y = x.T  # not contiguous
            dist.all_reduce(y, op)
            assert y.dtype == dtype
            found[f"{op.name} {dtype}"] = x.tolist()
    scalar = minigrad.tensor(float(rank))
    work = dist.all_reduce(scalar, async_op=True)
    assert work is not None
    work.wait()
    found["scalar"] = [scalar.item(), work.is_completed()]
    version = scalar._version
    dist.broadcast(scalar, size - 1)
    found["version"] = scalar._version > version
    x = minigrad.full((2,), float(rank))
    dist.broadcast(x, size - 1)
    found["broadcast"] = x.tolist()
    parts = [minigrad.zeros(2) for _ in range(size)]
    dist.all_gather(parts, minigrad.tensor([rank, -rank], dtype=minigrad.float32))
    found["all_gather"] = [part.tolist() for part in parts]
    whole = minigrad.zeros(2 * size)
    dist.all_gather_into_tensor(whole, minigrad.tensor([rank, -rank], dtype=minigrad.float32))
    found["all_gather_into_tensor"] = whole.tolist()
    out = minigrad.zeros(2)
    dist.reduce_scatter(out, [minigrad.full((2,), float(10 * i + rank)) for i in range(size)])
    found["reduce_scatter"] = out.tolist()
    dist.reduce_scatter_tensor(out, minigrad.arange(2.0 * size) + rank, dist.ReduceOp.AVG)
    found["reduce_scatter_tensor"] = out.tolist()
    objects = dist.all_gather_object({"rank": rank, "x": minigrad.tensor([rank] * rank)})
    found["objects"] = [[o["rank"], o["x"].tolist()] for o in objects]
    dist.barrier()
    found["errors"] = [
        refused(lambda: dist.all_reduce([1.0])),
        refused(lambda: dist.all_reduce(minigrad.tensor([True]))),
        refused(lambda: dist.all_reduce(minigrad.tensor([1]), dist.ReduceOp.AVG)),
        refused(lambda: dist.all_reduce(minigrad.ones(1), "sum")),
        refused(lambda: dist.all_reduce(minigrad.ones(1).expand(3))),
        refused(lambda: dist.broadcast(minigrad.ones(1), size)),
        refused(lambda: dist.all_gather([minigrad.ones(1)] * (size + 1), minigrad.ones(1))),
        refused(lambda: dist.all_gather([minigrad.ones(2)] * size, minigrad.ones(1))),
        refused(lambda: dist.reduce_scatter_tensor(minigrad.ones(2), minigrad.ones(2))),
        refused(lambda: dist.init_process_group()),
    ]
    return found


def network(seed: int) -> nn.Module:
    minigrad.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, **DOUBLE), nn.BatchNorm2d(4, **DOUBLE), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 5, **DOUBLE), nn.Tanh(), nn.Linear(5, 3, **DOUBLE)
    )


def batches(count: int) -> Any:
    draw = minigrad.Generator().manual_seed(9)
    for _ in range(count):
        yield minigrad.randn(8, 1, 6, 6, generator=draw, **DOUBLE), minigrad.randint(0, 3, (8,), generator=draw)


def train(kind: str) -> Any:
    """Eight samples a step, shared out over the processes: the losses and the weights after it."""
    rank, size = dist.get_rank(), dist.get_world_size()
    if kind == "in order":
        minigrad.use_deterministic_algorithms(True)
    model = dist.SyncBatchNorm.convert_sync_batchnorm(network(seed=rank))  # the weights of rank 0 become everyone's
    parallel = dist.DistributedDataParallel(model, bucket_cap_mb=1e-3)
    optimizer: Any = optim.Adam(parallel.parameters(), lr=0.01)
    if kind == "zero":
        optimizer = dist.ZeroRedundancyOptimizer(parallel.parameters(), optim.Adam, lr=0.01)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    losses = []
    for images, labels in batches(5):
        images, labels = images[rank::size], labels[rank::size]
        optimizer.zero_grad()
        if kind == "accumulated":  # two halves, of which only the second communicates
            half = len(images) // 2
            with parallel.no_sync():
                (F.cross_entropy(parallel(images[:half]), labels[:half]) / 2).backward()
            images, labels = images[half:], labels[half:]
        loss = F.cross_entropy(parallel(images), labels)
        (loss / 2 if kind == "accumulated" else loss).backward()
        optimizer.step()
        scheduler.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean, dist.ReduceOp.AVG)
        losses.append(mean.item())
    own = len(optimizer.state)
    state = optimizer.state_dict()
    return {
        "losses": losses,
        "weights": [p.sum().item() for p in model.parameters()],
        "running": [model[1].running_mean.tolist(), model[1].running_var.tolist(), model[1].num_batches_tracked.item()],
        "buckets": len(parallel.buckets),
        "states": [own, len(state["state"]), state["param_groups"][0]["lr"]],
        "names": list(parallel.state_dict())[:2],
    }


def unused(find: str) -> Any:
    """Rank 1 leaves the second layer out, and nobody uses the third."""
    layers = nn.ModuleList([nn.Linear(2, 2, **DOUBLE) for _ in range(3)])

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: Any) -> Any:
            x = self.layers[0](x)
            return self.layers[1](x) if dist.get_rank() == 0 else x

    parallel = dist.DistributedDataParallel(Net(), find_unused_parameters=find == "find")
    x = minigrad.ones(1, 2, **DOUBLE)
    parallel(x).sum().backward()
    grads = [None if p.grad is None else p.grad.tolist() for p in parallel.parameters()]
    again = refused(lambda: parallel(x))
    return {"grads": grads, "again": again}


def overlapping() -> Any:
    """How many buckets, of one parameter each, are on their way when backward comes to each of the four layers' results."""
    model = nn.Sequential(*[nn.Linear(2, 2, **DOUBLE) for _ in range(4)])
    parallel = dist.DistributedDataParallel(model, bucket_cap_mb=1e-6)
    launched: list[int] = []
    for layer in model:
        layer.register_forward_hook(lambda _, args, out: out.register_hook(lambda g: launched.append(parallel.launched)) and None)
    parallel(minigrad.ones(1, 2, **DOUBLE)).sum().backward()
    return launched


def failing() -> Any:
    """A backward that fails in every process, with buckets on their way; the next ones are right."""
    model = nn.Sequential(nn.Linear(2, 300, **DOUBLE), nn.Linear(300, 2, **DOUBLE))
    parallel = dist.DistributedDataParallel(model, bucket_cap_mb=1e-6)

    def fail(g: Any) -> None:
        raise ValueError("of a hook")

    x = minigrad.ones(1, 2, **DOUBLE)
    hook = model[1].register_forward_pre_hook(lambda _, args: args[0].register_hook(fail) and None)
    error = refused(lambda: parallel(x).sum().backward())
    abandoned = len(parallel.abandoned)
    hook.remove()
    for _ in range(2):
        parallel.zero_grad()
        (parallel(x).sum() * (dist.get_rank() + 1)).backward()
    return {"error": error, "abandoned": abandoned, "left": len(parallel.abandoned), "grad": model[1].bias.grad.tolist()}


def differing() -> Any:
    """Models of other sizes in each process, and models that need no wrapping."""
    return [
        refused(lambda: dist.DistributedDataParallel(nn.Linear(2, 2 + dist.get_rank()))),
        refused(lambda: dist.DistributedDataParallel(nn.ReLU())),
        refused(lambda: dist.ZeroRedundancyOptimizer(nn.Linear(1, 1).parameters(), optim.LBFGS)),
        refused(lambda: dist.ZeroRedundancyOptimizer(nn.Linear(1, 1).parameters(), nn.Linear)),
    ]


def gradient_of_gradient() -> Any:
    """Second derivatives go through the statistics of all processes."""
    norm = dist.SyncBatchNorm(2, **DOUBLE)
    draw = minigrad.Generator().manual_seed(1)
    everything = minigrad.randn(4, 2, generator=draw, **DOUBLE)
    size = dist.get_world_size()
    x = everything[dist.get_rank() :: size].clone().requires_grad_()
    (g,) = minigrad.autograd.grad((norm(x) ** 3).sum(), x, create_graph=True)
    (second,) = minigrad.autograd.grad((g * g).sum(), x)
    return {"first": g.tolist(), "second": second.tolist()}


def resumable(path: str, steps: str, die: str) -> Any:
    """Trains with a checkpoint after each step; rank 1 is killed in step `die`."""
    rank, size = dist.get_rank(), dist.get_world_size()
    minigrad.use_deterministic_algorithms(True)
    model = dist.DistributedDataParallel(network(seed=rank))
    optimizer = dist.ZeroRedundancyOptimizer(model.parameters(), optim.Adam, lr=0.01)
    checkpoint = dist.Checkpoint(path, model=model.module, optimizer=optimizer)
    progress = checkpoint.resume() or {"step": 0, "losses": []}
    losses = list(progress["losses"])
    for step, (images, labels) in enumerate(batches(int(steps))):
        if step < progress["step"]:
            continue
        if rank == 1 and step == int(die):
            os.kill(os.getpid(), signal.SIGKILL)
        images = images[rank::size] + 0.01 * minigrad.randn(1, **DOUBLE)  # each process has random numbers of its own
        loss = F.cross_entropy(model(images), labels[rank::size])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.detach().clone()
        dist.all_reduce(mean, dist.ReduceOp.AVG)
        losses.append(mean.item())
        checkpoint.save(step=step + 1, losses=losses)
    return {"losses": losses, "from": progress["step"]}


def hanging(how: str, operation: str) -> Any:
    """Rank 1 does not come to the second operation: the others must not wait for ever."""
    x = minigrad.ones(2)
    calls: dict[str, Any] = {
        "all_reduce": lambda: dist.all_reduce(x),
        "all_gather_object": lambda: dist.all_gather_object({"x": x}),
        "barrier": dist.barrier,
        "destroy_process_group": dist.destroy_process_group,
    }
    if operation != "destroy_process_group":
        calls[operation]()
    if dist.get_rank() == 1:
        if how == "raise":
            raise ValueError("something of the user's went wrong")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
    calls[operation]()


if __name__ == "__main__":
    _, name, *arguments = sys.argv
    dist.init_process_group("mpi", timeout=3 if name == "hanging" else 60)
    result = globals()[name](*arguments)
    Path(os.environ["RESULTS"], f"{dist.get_rank()}.json").write_text(json.dumps(result))
    dist.destroy_process_group()
