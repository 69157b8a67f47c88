"""Several processes against one: the same sums, losses, weights and states, and an end for all when one fails."""

from __future__ import annotations

import functools
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import distributed as dist
from tests.distributed.launch import WORKER, results, start

RANKS = (1, 2, 4)


@functools.cache
def trained(kind: str, ranks: int) -> list[Any]:
    return results("train", ranks, kind)


@pytest.mark.parametrize("ranks", RANKS)
def test_collectives(ranks: int) -> None:
    found = results("collectives", ranks)
    base = np.array([[1, 2, 3], [3, 1, 2]])
    every = np.stack([base + rank for rank in range(ranks)])
    expected = {"SUM": every.sum(0), "AVG": every.mean(0), "PRODUCT": every.prod(0), "MIN": every.min(0), "MAX": every.max(0)}
    for rank, got in enumerate(found):
        for key, value in got.items():
            op, _, dtype = key.partition(" ")
            if op in expected:
                assert value == expected[op].astype(dtype).tolist(), key  # uint8 counts modulo 256
        assert got["scalar"] == [sum(range(ranks)), True]
        assert got["version"]
        assert got["broadcast"] == [ranks - 1.0] * 2
        assert got["all_gather"] == [[r, -r] for r in range(ranks)]
        assert got["all_gather_into_tensor"] == [x for r in range(ranks) for x in (r, -r)]
        assert got["reduce_scatter"] == [10.0 * rank * ranks + sum(range(ranks))] * 2
        assert got["reduce_scatter_tensor"] == [2 * rank + i + (ranks - 1) / 2 for i in (0, 1)]
        assert got["objects"] == [[r, [r] * r] for r in range(ranks)]


def test_what_collectives_refuse() -> None:
    for got in results("collectives", 2):
        for error, expected in zip(
            got["errors"],
            [
                "TypeError: all_reduce: expected a tensor, got list",
                "TypeError: all_reduce: ReduceOp.SUM is not for tensors of bool",
                "TypeError: all_reduce: ReduceOp.AVG is not for tensors of int64",
                "TypeError: all_reduce: expected op to be a ReduceOp, such as ReduceOp.SUM, got 'sum'",
                "RuntimeError: all_reduce: several elements share one place in memory",
                "ValueError: broadcast: expected src from 0 to 1, got 2",
                "ValueError: all_gather: expected a list of 2 tensors, one for each process, got 3",
                "ValueError: all_gather: expected tensors of shape (1,)",
                "ValueError: reduce_scatter_tensor: expected an input of 2 x 2 elements",
                "RuntimeError: init_process_group: called twice",
            ],
            strict=True,
        ):
            assert error.startswith(expected), error


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("kind", ["plain", "zero", "in order"])
def test_several_processes_train_as_one(kind: str, ranks: int) -> None:
    (alone,) = trained("plain", 1)
    for got in trained(kind, ranks):
        np.testing.assert_allclose(got["losses"], alone["losses"], rtol=1e-10)
        np.testing.assert_allclose(got["weights"], alone["weights"], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(got["running"][0], alone["running"][0], rtol=1e-8)
        np.testing.assert_allclose(got["running"][1], alone["running"][1], rtol=1e-8)
        assert got["running"][2] == alone["running"][2] == 5
        assert got["buckets"] > 1
        assert got["names"] == ["module.0.weight", "module.0.bias"]
        assert got["states"][1:] == alone["states"][1:]
        assert got["weights"] == trained(kind, ranks)[0]["weights"]  # to the bit


def test_runs_are_the_same_to_the_bit() -> None:
    assert trained("in order", 4) == results("train", 4, "in order")


@pytest.mark.parametrize("ranks", [2, 4])
def test_the_state_is_spread(ranks: int) -> None:
    shares = [got["states"][0] for got in trained("zero", ranks)]
    assert sum(shares) == trained("zero", ranks)[0]["states"][1]
    assert max(shares) < sum(shares)


def test_accumulation_without_communication() -> None:
    (alone,), several = trained("accumulated", 1), trained("accumulated", 2)
    # Each half has its own statistics here, so that only the processes agree; and the last losses are those of another half.
    assert several[0]["weights"] == several[1]["weights"]
    assert alone["weights"] != several[0]["weights"]
    assert np.isfinite(several[0]["losses"]).all()


def test_parameters_that_a_process_leaves_out() -> None:
    first, second = results("unused", 2, "find")
    assert first["grads"] == second["grads"]
    assert first["grads"][3] == [0.5, 0.5]  # the bias of the layer that one of two processes used
    assert first["grads"][4:] == [None, None]  # nobody used it
    assert first["again"] == second["again"] == "nothing was raised"
    first, second = results("unused", 2, "do not")
    assert "rank 0's backward gave no gradient to layers.2.bias, layers.2.weight" in first["again"]
    assert "rank 1's backward gave no gradient to layers.2.bias, layers.2.weight, layers.1.bias" in second["again"]
    assert "find_unused_parameters=True" in second["again"]


def test_buckets_leave_while_backward_goes_on() -> None:
    assert results("overlapping", 2) == [[0, 2, 4, 6]] * 2


def test_a_backward_that_fails_and_the_next() -> None:
    for got in results("failing", 2):
        assert got == {"error": "ValueError: of a hook", "abandoned": 2, "left": 0, "grad": [1.5, 1.5]}


def test_what_cannot_be_wrapped() -> None:
    for got in results("differing", 2):
        assert got[0].startswith("RuntimeError: DistributedDataParallel: the models of ranks")
        assert "weight (2, 2) float32" in got[0]
        assert "no parameter that requires a gradient" in got[1]
        assert got[2].startswith("ValueError: ZeroRedundancyOptimizer: LBFGS")
        assert got[3].startswith("TypeError: ZeroRedundancyOptimizer: expected optimizer_class")


def test_second_derivatives_of_common_statistics() -> None:
    (alone,) = results("gradient_of_gradient", 1)
    several = results("gradient_of_gradient", 2)
    for order in ("first", "second"):
        together = np.empty((4, 2))
        for rank, got in enumerate(several):
            together[rank::2] = got[order]
        np.testing.assert_allclose(together, alone[order], rtol=1e-9, atol=1e-11)


def test_a_killed_process_and_the_checkpoint(tmp_path: Path) -> None:
    whole = results("resumable", 2, tmp_path / "whole", 5, -1)
    before = time.monotonic()
    killed = start(2, Path(__file__).with_name("worker.py"), "resumable", tmp_path / "killed", 5, 3)
    assert killed.returncode != 0
    assert time.monotonic() - before < 60
    resumed = results("resumable", 2, tmp_path / "killed", 5, -1)
    assert [got["from"] for got in resumed] == [3, 3]
    assert resumed[0]["losses"] == whole[0]["losses"]  # to the bit, random numbers included
    (alone,) = results("resumable", 1, tmp_path / "killed", 7, -1)  # another number of processes goes on
    assert alone["from"] == 5
    assert len(alone["losses"]) == 7


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("raise", "ValueError: something of the user's went wrong"),
        ("kill", "KILLED"),
        ("hang", "another process has ended, hangs, or calls other operations"),
    ],
)
def test_one_that_fails_ends_all(how: str, message: str) -> None:
    before = time.monotonic()
    done = start(2, WORKER, "hanging", how, "all_reduce")
    assert done.returncode != 0
    assert time.monotonic() - before < 50
    assert message.lower() in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("operation", ["all_gather_object", "barrier", "destroy_process_group"])
def test_nothing_waits_for_ever(operation: str) -> None:
    before = time.monotonic()
    done = start(2, WORKER, "hanging", "hang", operation)
    assert done.returncode != 0
    assert time.monotonic() - before < 50
    assert f"RuntimeError: {operation}: rank 0 of 2 has waited for 3 s" in done.stdout + done.stderr


def test_without_a_group() -> None:
    import minigrad

    assert (dist.get_rank(), dist.get_world_size(), dist.is_initialized()) == (0, 1, False)
    for call in (
        lambda: dist.all_reduce(minigrad.ones(1)),
        dist.barrier,
        lambda: dist.DistributedDataParallel(minigrad.nn.Linear(1, 1)),
        dist.destroy_process_group,
    ):
        with pytest.raises(RuntimeError, match="init_process_group"):
            call()
    with pytest.raises(ValueError, match="expected backend to be one of mpi, nccl, got 'pigeons'"):
        dist.init_process_group("pigeons")
    with pytest.raises(ValueError, match="expected a timeout above 0 seconds, got 0"):
        dist.init_process_group(timeout=0)


@pytest.mark.parametrize("count", [0, 1, 5, 8])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_samplers_share_a_dataset(count: int, shuffle: bool, drop_last: bool) -> None:
    samplers = [dist.DistributedSampler(range(count), 3, rank, shuffle, seed=4, drop_last=drop_last) for rank in range(3)]
    shares = [list(sampler) for sampler in samplers]
    assert [len(share) for share in shares] == [len(sampler) for sampler in samplers]
    assert len({len(share) for share in shares}) == 1
    taken = [i for share in shares for i in share]
    if drop_last:
        assert len(set(taken)) == len(taken) == count // 3 * 3
    else:
        assert set(taken) == set(range(count))
        assert len(taken) == -(-count // 3) * 3
    if shuffle and count == 8:
        samplers[0].set_epoch(1)
        assert list(samplers[0]) != shares[0]
    with pytest.raises(ValueError, match="expected rank from 0 to 2, got 3"):
        dist.DistributedSampler(range(count), 3, 3)


def test_the_script_of_the_guide_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    script = tmp_path / "train.py"
    script.write_text(block.replace('"out/', f'"{tmp_path}/').replace("range(start, 20)", "range(start, EPOCHS)"))
    for ranks, epochs in ((2, 10), (4, 20)):
        text = script.read_text()
        script.write_text(f"EPOCHS = {epochs}\n" + text)
        done = start(ranks, script)
        script.write_text(text)
        assert done.returncode == 0, done.stderr
    loss = re.search(r"loss (\d+\.\d+) with 4 processes", done.stdout)
    assert loss is not None
    assert float(loss[1]) < 0.5


def test_what_communication_costs_is_measured() -> None:
    root = Path(__file__).parents[2]
    command = "import sys; sys.path.append(sys.argv[1]); sys.argv[1:] = ['--rounds', '1', '--width', '4', '--batch', '2']; from bench.distributed import main; main()"
    done = start(2, "-c", command, root)
    assert done.returncode == 0, done.stderr
    assert re.search(r"fitted: \d+ us and \d+\.\d\d GB/s", done.stdout), done.stdout
    amounts = [int(n) for n in re.findall(r"^ +(\d+) processes: ", done.stdout, re.MULTILINE)]
    shares = [float(x) for x in re.findall(r"(\d+\.\d)% of the time computing", done.stdout)]
    assert amounts == [8, 32, 128, 512, 1024]
    assert shares == sorted(shares, reverse=True) and 0 < shares[0] <= 100
