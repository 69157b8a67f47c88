"""The cache of memory: blocks never overlap, neighbours join when they are freed, threads and forks may share it."""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.kernels import cpu

if cpu.compiled is None:
    pytest.skip("the compiled kernels are not built", allow_module_level=True)

compiled = cpu.compiled
LARGE = 1 << 15  # bytes, from which on the cache serves


@pytest.fixture(autouse=True)
def cached():
    """Whatever MINIGRAD_MEMORY says."""
    gc.collect()
    compiled.set_memory("cached")
    yield
    compiled.set_memory(os.environ.get("MINIGRAD_MEMORY") or "cached")


def in_use():
    return minigrad.memory_stats()["allocated_bytes.all.current"]


def block_at(array):
    return array.__array_interface__["data"][0]


def exercise(seed, rounds=400):
    """Takes and gives blocks of many sizes, each filled with a number of its own; returns whether all kept theirs."""
    rng = random.Random(seed)
    held = {}
    intact = True
    for number in range(rounds):
        if held and rng.random() < 0.48:
            key = rng.choice(list(held))
            intact &= bool((held.pop(key) == key).all())
        else:
            array = compiled.empty((rng.randrange(LARGE // 4, LARGE * 4),), np.float32)
            array[...] = number
            held[number] = array
    return intact and all(bool((array == key).all()) for key, array in held.items())


def test_blocks_in_use_never_overlap():
    before = in_use()
    assert all(exercise(seed) for seed in range(5))
    assert in_use() == before


def test_several_threads_may_take_and_give_at_once():
    before, results = in_use(), []
    threads = [threading.Thread(target=lambda seed=seed: results.append(exercise(seed))) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 6
    assert in_use() == before


def test_a_freed_block_serves_the_next_array_of_its_size():
    first = compiled.empty((1 << 20,), np.float32)
    where = block_at(first)
    del first
    assert block_at(compiled.empty((1 << 20,), np.float32)) == where


def test_freed_neighbours_become_one_block():
    minigrad.empty_cache()
    parts = [compiled.empty((1 << 18,), np.float32) for _ in range(16)]
    where, reserved = min(map(block_at, parts)), minigrad.memory_stats()["reserved_bytes.all.current"]
    for i in (*range(0, 16, 2), *range(1, 16, 2)):
        parts[i] = None
    whole = compiled.empty((1 << 22,), np.float32)
    assert block_at(whole) <= where
    assert minigrad.memory_stats()["reserved_bytes.all.current"] == reserved


def test_emptying_the_cache_returns_what_nothing_uses_and_keeps_the_rest():
    kept = compiled.empty((1 << 20,), np.float32)
    kept[...] = 7
    passing = compiled.empty((200 << 20,), np.uint8)
    passing[...] = 1
    before = minigrad.memory_stats()["reserved_bytes.all.current"]
    resident = resident_bytes()
    del passing
    minigrad.empty_cache()
    assert minigrad.memory_stats()["reserved_bytes.all.current"] <= before
    if resident:
        assert resident_bytes() < resident - (150 << 20)
    assert (kept == 7).all()


def resident_bytes():
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def test_counts():
    gc.collect()
    before = minigrad.memory_stats()
    minigrad.reset_peak_memory_stats()
    x = compiled.empty((1 << 20,), np.float32)
    held = minigrad.memory_stats()
    del x
    after = minigrad.memory_stats()
    size = held["allocated_bytes.all.current"] - before["allocated_bytes.all.current"]
    assert 4 << 20 <= size < (4 << 20) + LARGE + 4096
    assert held["allocation.all.current"] == before["allocation.all.current"] + 1
    assert held["allocation.all.allocated"] == before["allocation.all.allocated"] + 1
    assert after["allocated_bytes.all.current"] == before["allocated_bytes.all.current"]
    assert after["allocated_bytes.all.peak"] == held["allocated_bytes.all.current"]
    assert (
        after["reserved_bytes.all.peak"] >= after["reserved_bytes.all.current"] >= after["allocated_bytes.all.current"]
    )
    assert after["num_device_alloc"] >= 1


@pytest.mark.parametrize("shape", [(1 << 20,), (64, 3, 50, 50), (1 << 13, 1), (LARGE // 8 + 1,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.bool_])
def test_arrays_are_aligned_and_whole(shape, dtype):
    array = compiled.empty(shape, dtype)
    assert array.shape == shape and array.dtype == dtype and array.flags.carray and array.flags.owndata
    if array.nbytes >= LARGE:
        assert block_at(array) % 64 == 0
    array.resize((2 * array.size,), refcheck=False)
    assert array.size == 2 * np.prod(shape)


def test_a_resized_array_keeps_its_elements():
    array = compiled.empty((1 << 16,), np.int64)
    array[...] = np.arange(1 << 16)
    array.resize((1 << 18,), refcheck=False)
    assert (array[: 1 << 16] == np.arange(1 << 16)).all()


def test_too_much_is_a_memory_error_that_leaves_the_cache_usable():
    for shape in ((1 << 60,), (1 << 46,)):
        with pytest.raises(MemoryError):
            compiled.empty(shape, np.float32)
    assert exercise(0, 50)
    with pytest.raises(ValueError, match="negative"):
        compiled.empty((-1,), np.float32)
    with pytest.raises(ValueError, match="too big"):
        compiled.empty((1 << 62, 1 << 62), np.float32)


def test_plain_memory_is_numpys():
    compiled.set_memory("plain")
    before = in_use()
    x = compiled.empty((1 << 20,), np.float32)
    assert in_use() == before
    del x
    with pytest.raises(ValueError, match="MINIGRAD_MEMORY must be 'cached' or 'plain', but is 'paper'"):
        compiled.set_memory("paper")


def test_numpys_own_arrays_stay_with_its_allocator():
    before = in_use()
    x = compiled.empty((1 << 20,), np.float32)
    held = in_use()
    assert held > before
    y = x + x  # NumPy's allocation
    assert in_use() == held
    del x, y


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_has_a_cache_of_its_own():
    script = (
        "import os, sys, threading, numpy as np\n"
        "from tests.kernels.test_memory import exercise\n"
        "busy = threading.Thread(target=exercise, args=(1, 4000)); busy.start()\n"
        "children = []\n"
        "for i in range(8):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(0 if exercise(i, 60) else 1)\n"
        "    children.append(pid)\n"
        "busy.join()\n"
        "sys.exit(any(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children))\n"
    )
    paths = [str(Path(minigrad.__file__).parents[1]), str(Path(__file__).parents[2])]  # the package under test, and tests
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=120, env=environment)
