"""The loader's workers: the same batches in the same order, errors told where they happen, and nothing that hangs or is left behind."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info
from minigrad.data.pool import Processes

FORMS = ["fork", "threads"]
pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are forked here, which is safe on Linux only"
)


class Calls(Dataset[Any]):
    """Sample i is what a function makes of i."""

    def __init__(self, function: Callable[[int], Any], count: int) -> None:
        self.function = function
        self.count = count

    def __getitem__(self, index: int) -> Any:
        return self.function(index)

    def __len__(self) -> int:
        return self.count


class Stream(IterableDataset[int]):
    """The numbers below count; divided among the workers if shared."""

    def __init__(self, count: int, shared: bool = True) -> None:
        self.count = count
        self.shared = shared

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        if info is None or not self.shared:
            return iter(range(self.count))
        return iter(range(info.id, self.count, info.num_workers))

    def __len__(self) -> int:
        return self.count


def loader(dataset: Any, num_workers: int = 2, form: str = "fork", **options: Any) -> DataLoader:
    """A loader with a limit on how long a batch may take, so that a test that would hang fails."""
    if num_workers:
        options = {"multiprocessing_context": form, "timeout": 60, **options}
    return DataLoader(dataset, num_workers=num_workers, **options)


def numbers(batches: Any) -> list[Any]:
    return [batch.tolist() for batch in batches]


def processes_of(iterator: Any) -> list[Any]:
    pool: Processes = iterator.pool
    return pool.processes


def run_script(script: str, tmp_path: Path) -> Any:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(minigrad.__file__).parents[1]), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip


def wait_for_end_of_group(leader: int, seconds: float) -> bool:
    """Whether all processes of a group have ended within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[2]) == leader and fields[0] != "Z":
                    alive.append(entry.name)
        if not alive:
            return True
        time.sleep(0.05)
    return False


# --- the same batches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("num_workers", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"drop_last": True},
        {"batch_size": None},
        {"shuffle": True},
        {"prefetch_factor": 1},
        {"persistent_workers": True},
    ],
)
def test_workers_change_nothing(num_workers: int, form: str, options: dict[str, Any]) -> None:
    x = minigrad.rand(23, 5, generator=minigrad.Generator().manual_seed(1))
    dataset = Calls(lambda i: {"x": x[i], "i": i, "name": str(i), "array": np.full((2, 3), i, np.float32)}, 23)
    options = {"batch_size": 4, **options}

    def epochs(workers: int) -> list[Any]:
        extra = (
            options
            if workers
            else {
                name: value for name, value in options.items() if name not in ("prefetch_factor", "persistent_workers")
            }
        )
        one = loader(dataset, workers, form, generator=minigrad.Generator().manual_seed(3), **extra)
        return [
            [
                (np.asarray(b["x"].numpy()).tolist(), np.asarray(b["i"]).tolist(), b["name"], b["array"].tolist())
                for b in one
            ]
            for _ in range(2)
        ]

    expected = epochs(0)
    assert epochs(num_workers) == expected
    assert (expected[0] != expected[1]) == bool(options.get("shuffle"))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_started_anew(method: str, tmp_path: Path) -> None:
    process = run_script(
        f"""
        import minigrad
        from minigrad.data import DataLoader, TensorDataset

        def main():
            x = minigrad.arange(70000.0).reshape(10, 7000)
            for _ in range(2):
                batches = list(DataLoader(TensorDataset(x), 4, num_workers=2, multiprocessing_context={method!r}, timeout=60))
                assert minigrad.equal(minigrad.cat([b[0] for b in batches]), x)
            print("done")

        if __name__ == "__main__":
            main()
        """,
        tmp_path,
    )
    out, err = process.communicate(timeout=120)
    assert (out, err, process.returncode) == ("done\n", "", 0)


def test_what_is_drawn_depends_on_the_batch_and_not_on_the_workers() -> None:
    dataset = Calls(lambda i: [random.random(), np.random.rand(), minigrad.rand(()).item()], 12)

    def drawn(workers: int, seed: int, **options: Any) -> list[Any]:
        minigrad.manual_seed(seed)
        return [[x.tolist() for x in batch] for batch in loader(dataset, workers, batch_size=3, **options)]

    one = drawn(1, 0)
    assert len({value for batch in one for values in batch for value in values}) == 36
    assert drawn(2, 0) == drawn(3, 0) == drawn(2, 0, persistent_workers=True) == drawn(2, 0, prefetch_factor=5) == one
    assert drawn(2, 1) != one


def test_the_state_of_the_generators_here_does_not_change() -> None:
    def after(workers: int) -> list[float]:
        random.seed(1)
        np.random.seed(1)
        minigrad.manual_seed(1)
        list(loader(Calls(lambda i: i, 4), workers))
        return [random.random(), np.random.rand(), minigrad.rand(()).item()]

    assert after(2) == after(1) == after(0)


def test_each_epoch_draws_anew_with_persistent_workers_too() -> None:
    for persistent in (False, True):
        one = loader(Calls(lambda i: random.random(), 6), batch_size=3, persistent_workers=persistent)
        assert numbers(one) != numbers(one)


# --- who the workers are ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_worker_info(form: str) -> None:
    dataset = Calls(
        lambda i: (info := get_worker_info(), info.id, info.num_workers, info.seed, info.dataset.count)[1:], 6
    )
    minigrad.manual_seed(5)
    batches = list(loader(dataset, 3, form, batch_size=None))
    assert [tuple(batch[:2]) for batch in batches] == [(0, 3), (1, 3), (2, 3)] * 2
    assert [batch[2] - batches[0][2] for batch in batches] == [0, 1, 2] * 2
    assert {batch[3] for batch in batches} == {6}
    assert get_worker_info() is None


@pytest.mark.parametrize("form", FORMS)
def test_worker_init_fn_is_called_once_in_each(form: str) -> None:
    calls: list[int] = []
    dataset = Calls(lambda i: list(calls), 4)
    for persistent in (False, True):
        calls.clear()
        one = loader(dataset, 2, form, batch_size=None, worker_init_fn=calls.append, persistent_workers=persistent)
        for epoch in range(2):
            found = list(one)
            if form == "fork":
                assert found == [[0], [1], [0], [1]]
            else:
                assert len(calls) == (2 if persistent else 2 * (epoch + 1))


def test_seeds_in_worker_init_fn() -> None:
    seen = []
    minigrad.manual_seed(5)

    def init(worker: int) -> None:
        seen.append(minigrad.initial_seed() == get_worker_info().seed)  # type: ignore[union-attr]

    assert list(loader(Calls(lambda i: list(seen), 2), batch_size=None, worker_init_fn=init)) == [[True], [True]]


def test_workers_use_one_thread_each() -> None:
    assert list(loader(Calls(lambda i: minigrad.get_num_threads(), 2), batch_size=None)) == [1, 1]


def test_workers_compute_after_this_process_has_used_threads() -> None:
    """The pool of threads of the kernels does not survive a fork; the first kernel of the child starts a new one."""
    conv = nn.Conv2d(3, 8, 3)
    x = minigrad.rand(4, 3, 32, 32)
    expected = conv(x).sum((1, 2, 3)).tolist()
    assert [
        value.item() for value in loader(Calls(lambda i: conv(x[i : i + 1]).sum().detach(), 4), batch_size=None)
    ] == pytest.approx(expected, rel=1e-4)


def test_persistent_workers_are_kept() -> None:
    for persistent in (True, False):
        one = loader(Calls(lambda i: os.getpid(), 4), batch_size=None, persistent_workers=persistent)
        first, second = list(one), list(one)
        assert (first == second) == persistent
        assert os.getpid() not in first


def test_persistent_workers_after_an_iteration_that_was_left() -> None:
    one = loader(Calls(lambda i: i, 9), batch_size=2, persistent_workers=True)
    for batch in one:
        assert batch.tolist() == [0, 1]
        break
    assert numbers(one) == [[0, 1], [2, 3], [4, 5], [6, 7], [8]]
    left = iter(one)
    next(left)
    assert len(list(one)) == 5
    with pytest.raises(RuntimeError, match="another iteration has begun, and persistent workers serve one at a time"):
        next(left)


@pytest.mark.parametrize("form", FORMS)
def test_two_iterations_at_once(form: str) -> None:
    one = loader(Calls(lambda i: i, 4), 2, form, batch_size=2)
    assert [(a.tolist(), b.tolist()) for a in one for b in one] == [
        (x, y) for x in ([0, 1], [2, 3]) for y in ([0, 1], [2, 3])
    ]


def test_a_loader_within_the_worker_of_a_loader() -> None:
    inner = DataLoader(range(4), 2, num_workers=2, multiprocessing_context="threads", timeout=60)
    assert list(loader(Calls(lambda i: sum(int(batch.sum()) for batch in inner) + i, 4), batch_size=None)) == [
        6,
        7,
        8,
        9,
    ]


def test_without_order_the_first_that_is_ready_comes_first() -> None:
    def slow(i: int) -> int:
        time.sleep(1.5 if i == 0 else 0)
        return i

    assert list(loader(Calls(slow, 4), batch_size=None)) == [0, 1, 2, 3]
    found = list(loader(Calls(slow, 4), batch_size=None, in_order=False))
    assert sorted(found) == [0, 1, 2, 3]
    assert found[0] == 1


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_streams(form: str) -> None:
    assert numbers(loader(Stream(7), 2, form, batch_size=2)) == [[0, 2], [1, 3], [4, 6], [5]]
    assert numbers(loader(Stream(7), 2, form, batch_size=2, drop_last=True)) == [[0, 2], [1, 3], [4, 6]]
    assert numbers(loader(Stream(3, shared=False), 2, form, batch_size=2)) == [[0, 1], [0, 1], [2], [2]]
    assert list(loader(Stream(2), 3, form, batch_size=None)) == [0, 1]
    assert list(loader(Stream(0), 2, form)) == []
    persistent = loader(Stream(5), 2, form, batch_size=2, persistent_workers=True)
    assert numbers(persistent) == numbers(persistent) == [[0, 2], [1, 3], [4]]


class Uneven(IterableDataset[int]):
    """Worker w gives 3 w + 1 numbers."""

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        return iter(range(100 * info.id, 100 * info.id + 3 * info.id + 1))  # type: ignore[union-attr]


@pytest.mark.parametrize("prefetch_factor", [1, 2, 5])
def test_streams_of_different_lengths(prefetch_factor: int) -> None:
    found = list(loader(Uneven(), 3, batch_size=None, prefetch_factor=prefetch_factor))
    assert sorted(found) == [0, *range(100, 104), *range(200, 207)]
    assert [n for n in found if n < 200 and n >= 100] == [100, 101, 102, 103]


def test_the_order_of_streams_is_torchs() -> None:
    torch = pytest.importorskip("torch")

    class Theirs(torch.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[int]:
            info = torch.utils.data.get_worker_info()
            return iter(range(100 * info.id, 100 * info.id + 3 * info.id + 1))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may find three workers many
        theirs = torch.utils.data.DataLoader(Theirs(), batch_size=2, num_workers=3, multiprocessing_context="fork")
        expected = numbers(theirs)
    assert numbers(loader(Uneven(), 3, batch_size=2)) == expected


# --- errors -----------------------------------------------------------------------------------------------------------


class Odd(Exception):
    """Cannot be made of a text alone."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def failing(error: BaseException) -> Callable[[int], int]:
    def sample(i: int) -> int:
        if i == 3:
            raise error
        return i

    return sample


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad picture"), ValueError),
        (KeyError("bad picture"), KeyError),
        (Odd(1, 2), RuntimeError),
        (StopIteration(), RuntimeError),
    ],
)
def test_an_error_of_the_dataset_comes_with_its_traceback(
    error: BaseException, kind: type[BaseException], form: str
) -> None:
    iterator = iter(loader(Calls(failing(error), 6), 2, form, batch_size=None))
    assert [next(iterator) for _ in range(3)] == [0, 1, 2]
    place = "thread" if form == "threads" else "process"
    shown = "RuntimeError" if isinstance(error, StopIteration) else type(error).__name__
    with pytest.raises(kind) as caught:
        next(iterator)
    text = str(caught.value)
    assert text.startswith(f"Caught {shown} in DataLoader worker {place} 1.\nOriginal ")
    if not isinstance(error, StopIteration):
        assert "in sample" in text
        assert "raise error" in text
        assert (str(error) if not isinstance(error, KeyError) else "bad picture") in text
    assert list(iterator) == [4, 5]  # the others are there


@pytest.mark.parametrize("form", FORMS)
def test_errors_of_collate_init_and_streams(form: str) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("no")

    for options in ({"collate_fn": fail}, {"worker_init_fn": fail}):
        with pytest.raises(ValueError, match="no"):
            list(loader(Calls(lambda i: i, 4), 2, form, **options))

    class Broken(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            yield 1
            raise ValueError("no more")

    iterator = iter(loader(Broken(), 1, form, batch_size=None))
    assert next(iterator) == 1
    with pytest.raises(ValueError, match="no more"):
        next(iterator)


def test_what_cannot_be_pickled_is_told() -> None:
    with pytest.raises(Exception, match="pickle") as caught:
        next(iter(loader(Calls(lambda i: lambda: i, 2), batch_size=None)))
    assert "in DataLoader worker process 0" in str(caught.value)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            r"DataLoader worker \(pid [0-9]+\) is killed by signal: Killed\. If the system ran out of memory",
        ),
        (lambda: os.kill(os.getpid(), signal.SIGTERM), r"is killed by signal: Terminated"),
        (lambda: os._exit(3), "exited unexpectedly with exit code 3"),
    ],
)
@pytest.mark.parametrize("persistent", [False, True])
def test_a_worker_that_dies_is_told_at_once(end: Callable[[], None], message: str, persistent: bool) -> None:
    def sample(i: int) -> int:
        if i == 5:
            end()
        return i

    start = time.monotonic()
    one = loader(Calls(sample, 9), batch_size=None, persistent_workers=persistent)
    iterator = iter(one)
    with pytest.raises(RuntimeError, match=message):
        list(iterator)
    assert time.monotonic() - start < 20
    assert not any(process.is_alive() for process in processes_of(iterator))
    with pytest.raises(RuntimeError, match=message):  # new workers, the same end
        list(one)


def test_a_worker_killed_from_outside_while_another_is_waited_for() -> None:
    def sample(i: int) -> int:
        time.sleep(30 if i == 0 else 0)
        return i

    iterator = iter(loader(Calls(sample, 9), batch_size=None))
    threading.Timer(0.5, os.kill, (processes_of(iterator)[1].pid, signal.SIGKILL)).start()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="is killed by signal: Killed"):
        next(iterator)
    assert time.monotonic() - start < 15


def test_a_worker_killed_while_it_sends() -> None:
    """The memory of its batches goes with it."""
    before = set(os.listdir("/dev/shm"))
    iterator = iter(loader(Calls(lambda i: np.full(1_000_000, i, np.float32), 60), batch_size=None, prefetch_factor=20))
    next(iterator)
    for process in processes_of(iterator):
        os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="is killed by signal: Killed"):
        list(iterator)
    assert set(os.listdir("/dev/shm")) <= before


@pytest.mark.parametrize("form", FORMS)
def test_timeout(form: str) -> None:
    iterator = iter(loader(Calls(lambda i: time.sleep(3 * i), 4), 2, form, batch_size=None, timeout=0.5))
    next(iterator)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.5 seconds"):
        next(iterator)


# --- nothing is left behind -------------------------------------------------------------------------------------------


def test_leaving_a_loop_ends_the_workers() -> None:
    iterator = iter(loader(Calls(lambda i: np.zeros(300_000), 100), batch_size=None, prefetch_factor=4))
    next(iterator)
    processes = processes_of(iterator)
    assert all(process.is_alive() for process in processes)
    start = time.monotonic()
    del iterator
    gc.collect()
    assert not any(process.is_alive() for process in processes)
    assert time.monotonic() - start < 4


def test_a_finished_loop_ends_the_workers_and_the_iterator_stays_finished() -> None:
    iterator = iter(loader(Calls(lambda i: i, 3), batch_size=None))
    assert list(iterator) == [0, 1, 2]
    assert not any(process.is_alive() for process in processes_of(iterator))
    assert next(iterator, "end") == "end"


def test_no_file_descriptors_are_lost() -> None:
    def once() -> None:
        for batch in loader(Calls(lambda i: np.zeros(100_000), 6), batch_size=2):
            assert batch.shape == (2, 100_000)

    once()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        once()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


# A shell that runs the tests in the background may have had its children ignore the interrupt.
LOOP = """
    import os, signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from minigrad.data import DataLoader, Dataset

    class Slow(Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, i):
            time.sleep(0.05)
            return i

    for batch in DataLoader(Slow(), 2, num_workers=2, multiprocessing_context={form!r}):
        print("batch", flush=True)
"""


@pytest.mark.parametrize("form", FORMS)
def test_control_c_ends_everything_with_one_traceback(form: str, tmp_path: Path) -> None:
    process = run_script(LOOP.format(form=form), tmp_path)
    assert process.stdout.readline() == "batch\n"
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert err.count("Traceback") == 1
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert wait_for_end_of_group(process.pid, 10)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_when_their_loader_is_killed(number: int, tmp_path: Path) -> None:
    process = run_script(LOOP.format(form="fork"), tmp_path)
    assert process.stdout.readline() == "batch\n"
    os.kill(process.pid, number)
    assert process.wait(30) == -number
    assert wait_for_end_of_group(process.pid, 20)
    process.communicate()


# --- what travels -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 3, 50_000])
def test_tensors_and_arrays_arrive_as_they_were(size: int) -> None:
    def sample(i: int) -> Any:
        base = np.arange(2 * size, dtype=np.float32).reshape(2, size) + i
        return {
            "view": minigrad.from_numpy(base.T), "part": base[:, ::2], "parameter": nn.Parameter(minigrad.ones(size)), "bytes": b"x" * size,
            "int": np.arange(size, dtype=np.int16), "empty": minigrad.zeros(0, 3), "bool": minigrad.tensor(True), "text": "\u00e4" * size,
        }  # fmt: skip

    here = [sample(i) for i in range(3)]
    for there, expected in zip(
        loader(Calls(sample, 3), batch_size=None, collate_fn=lambda one: one), here, strict=True
    ):
        for name, value in expected.items():
            assert type(there[name]) is type(value)
            if hasattr(value, "dtype"):
                assert (there[name].dtype, there[name].shape) == (value.dtype, value.shape)
                assert np.array_equal(np.asarray(there[name].tolist()), np.asarray(value.tolist()))
            else:
                assert there[name] == value
        assert there["parameter"].requires_grad
        assert not there["view"].requires_grad
        there["int"] += 1  # writable, and nobody else's
        there["view"].add_(1)


def test_batches_stay_when_their_workers_are_gone() -> None:
    batches = list(loader(Calls(lambda i: np.full(100_000, i), 5)))
    gc.collect()
    assert [set(batch[0].tolist()) for batch in batches] == [{i} for i in range(5)]


def test_long_lists_of_indices_and_long_answers_do_not_block_each_other() -> None:
    texts = loader(Calls(lambda i: str(i) * 30, 400_000), batch_size=100_000, prefetch_factor=2, collate_fn=list)
    assert [len(batch) for batch in texts] == [100_000] * 4


def test_a_network_learns_from_a_loader_with_workers() -> None:
    x = minigrad.randn(64, 4, generator=minigrad.Generator().manual_seed(0))
    y = (x.sum(1) > 0).long()

    def train(workers: int) -> list[float]:
        minigrad.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = minigrad.optim.SGD(model.parameters(), lr=0.5)
        losses = []
        for _ in range(3):
            for a, b in loader(TensorDataset(x, y), workers, batch_size=16, shuffle=True):
                loss = nn.functional.cross_entropy(model(a), b)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    assert train(2) == train(0)
    assert train(0)[-1] < train(0)[0]


# --- arguments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_workers": -1}, ValueError, "num_workers option should be an integer that is not negative"),
        ({"num_workers": 1.5}, ValueError, "num_workers option should be an integer"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative, got -1"),
        (
            {"prefetch_factor": 2},
            ValueError,
            "prefetch_factor option needs workers, got prefetch_factor=2 and num_workers=0",
        ),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs workers"),
        ({"multiprocessing_context": "fork"}, ValueError, "multiprocessing_context option needs workers"),
        (
            {"num_workers": 1, "prefetch_factor": 0},
            ValueError,
            "prefetch_factor option should be a positive integer, got 0",
        ),
        (
            {"num_workers": 1, "multiprocessing_context": "magic"},
            ValueError,
            r".* valid start method in \[.*'threads'\], got 'magic'",
        ),
        ({"num_workers": 1, "multiprocessing_context": 3}, TypeError, ".* valid context object or a string, got int"),
        ({"timeout": "x"}, TypeError, "timeout option should be a number of seconds, got str"),
        ({"timeout": float("nan")}, ValueError, "timeout option should be non-negative, got nan"),
        ({"collate_fn": 3}, TypeError, "collate_fn option should be a function, got int"),
        ({"num_workers": 1, "worker_init_fn": 3}, TypeError, "worker_init_fn option should be a function, got int"),
        ({"sampler": 3}, TypeError, "sampler option should be an iterable of indices, got int"),
        ({"batch_sampler": 3}, TypeError, "batch_sampler option should be an iterable of indices, got int"),
        ({"dataset": None}, TypeError, "dataset should be .*; NoneType has no __getitem__ and no __len__"),
        (
            {"dataset": iter([1])},
            TypeError,
            ".* list_iterator has no __getitem__ and no __len__.* of an IterableDataset",
        ),
        ({"dataset": {1}, "sampler": [0]}, TypeError, ".*; set has no __getitem__"),
    ],
)
def test_refusals(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"DataLoader: {message}"):
        DataLoader(**{"dataset": range(3), **options})


def test_a_dataset_without_length_needs_a_sampler() -> None:
    class Squares:
        def __getitem__(self, index: int) -> int:
            return index**2

    assert [x.tolist() for x in DataLoader(Squares(), 2, sampler=[3, 1, 2])] == [[9, 1], [4]]
    assert [x.tolist() for x in DataLoader(Squares(), batch_sampler=[[4]])] == [[16]]
    with pytest.raises(TypeError, match="Squares has no __len__"):
        DataLoader(Squares())


def test_pinning_without_a_gpu_warns_as_in_torch() -> None:
    with pytest.warns(UserWarning, match="pin_memory=True, but there is no GPU") as caught:
        assert numbers(DataLoader(range(2), pin_memory=True)) == [[0], [1]]
    assert caught[0].filename == __file__


def test_arguments_are_torchs() -> None:
    torch = pytest.importorskip("torch")
    from inspect import signature

    ours, theirs = signature(DataLoader.__init__).parameters, signature(torch.utils.data.DataLoader.__init__).parameters
    assert [(p.name, p.kind, p.default) for p in ours.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]
