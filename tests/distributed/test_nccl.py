"""The host's side of NCCL: which calls of cupyx.distributed each collective becomes. Simulated, not run on a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import distributed as dist
from minigrad.kernels import driver

pytest.importorskip("mpi4py")


class Carrier:
    """Records what NCCL would be asked for, as the only process."""

    calls: list[tuple[Any, ...]] = []

    def __init__(self, n_devices: int, rank: int, use_mpi: bool) -> None:
        self.calls[:] = [("init", n_devices, rank, use_mpi)]

    def all_reduce(self, in_array: Any, out_array: Any, op: str) -> None:
        self.calls.append(("all_reduce", in_array.dtype.name, in_array is out_array, op))

    def broadcast(self, in_out_array: Any, root: int) -> None:
        self.calls.append(("broadcast", in_out_array.dtype.name, in_out_array.size, root))

    def all_gather(self, in_array: Any, out_array: Any, count: int) -> None:
        self.calls.append(("all_gather", in_array.dtype.name, out_array.size, count))
        out_array[...] = in_array

    def reduce_scatter(self, in_array: Any, out_array: Any, count: int, op: str) -> None:
        self.calls.append(("reduce_scatter", in_array.size, count, op))
        out_array[...] = in_array.reshape(out_array.shape)

    def barrier(self) -> None:
        self.calls.append(("barrier",))

    def stop(self) -> None:
        self.calls.append(("stop",))


@pytest.fixture
def nccl(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    used: list[int] = []
    device = SimpleNamespace(use=lambda: used.append(0))
    cuda = SimpleNamespace(Device=lambda index: device, runtime=SimpleNamespace(getDeviceCount=lambda: 8))
    monkeypatch.setattr(driver, "cupy", lambda: SimpleNamespace(ndarray=np.ndarray, cuda=cuda))
    module = ModuleType("cupyx.distributed")
    module.NCCLBackend = Carrier  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupyx", ModuleType("cupyx"))
    monkeypatch.setitem(sys.modules, "cupyx.distributed", module)
    dist.init_process_group("nccl")
    assert used == [0]
    yield Carrier.calls
    dist.destroy_process_group()
    assert Carrier.calls[-1] == ("stop",)


def test_calls(nccl: list[tuple[Any, ...]]) -> None:
    x = minigrad.arange(4.0)
    dist.all_reduce(x)
    dist.all_reduce(x, dist.ReduceOp.MAX)
    dist.broadcast(x, 0)
    out = minigrad.zeros(4)
    dist.all_gather_into_tensor(out, x)
    assert out.tolist() == x.tolist()
    dist.reduce_scatter_tensor(out, x * 2)
    assert out.tolist() == (x * 2).tolist()
    dist.barrier()
    assert nccl == [
        ("init", 1, 0, True),
        ("all_reduce", "float32", True, "sum"),
        ("all_reduce", "float32", True, "max"),
        ("broadcast", "uint8", 16, 0),
        ("all_gather", "uint8", 16, 16),
        ("reduce_scatter", 4, 4, "sum"),
        ("barrier",),
    ]


def test_training(nccl: list[tuple[Any, ...]]) -> None:
    model = dist.DistributedDataParallel(minigrad.nn.Linear(3, 2))
    model(minigrad.ones(1, 3)).sum().backward()
    assert nccl[1:3] == [("broadcast", "uint8", 24, 0), ("broadcast", "uint8", 8, 0)]  # weight and bias, as bytes
    assert nccl[3:] == [("all_reduce", "float32", True, "sum")]  # one bucket
