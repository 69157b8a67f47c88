"""The memory that large arrays lie in, which is kept for the next ones when they go."""

from __future__ import annotations

from typing import Any

from . import cpu

COUNTS = {
    "allocated_bytes.all.current": "in_use",
    "allocated_bytes.all.peak": "in_use_peak",
    "reserved_bytes.all.current": "reserved",
    "reserved_bytes.all.peak": "reserved_peak",
    "allocation.all.current": "blocks",
    "allocation.all.allocated": "taken",
    "num_device_alloc": "mappings",
}


def memory_stats() -> dict[str, int]:
    """What the cache of memory for large arrays on the CPU holds, under the names of torch.cuda.memory_stats.

    Results of compiled kernels of 32 KiB and more lie in blocks of it: "allocated_bytes" and "allocation" count those in use,
    "reserved_bytes" the address space that the cache has from the system ("num_device_alloc" times), of which pages that no array
    has touched yet take no memory. All are 0 where the reference kernels run. The environment variable MINIGRAD_MEMORY, read once
    at import, leaves such arrays to NumPy if it is ``plain``.

    >>> import minigrad
    >>> before = minigrad.memory_stats()["allocated_bytes.all.current"]
    >>> x = minigrad.relu(minigrad.ones(1 << 20))
    >>> minigrad.memory_stats()["allocated_bytes.all.current"] - before >= 4 << 20
    True
    """
    counts: dict[str, Any] = {} if cpu.compiled is None else cpu.compiled.memory_stats()
    return {name: int(counts.get(count, 0)) for name, count in COUNTS.items()}


def reset_peak_memory_stats() -> None:
    """Lets the peaks of `memory_stats` begin anew from what is in use.

    >>> import minigrad
    >>> minigrad.reset_peak_memory_stats()
    """
    if cpu.compiled is not None:
        cpu.compiled.reset_peak_memory()


def empty_cache() -> None:
    """Returns to the system all memory of the cache that no array lies in.

    There is no need to call it before allocating more: the cache then does so itself. It helps other programs, after a large network.

    >>> import minigrad
    >>> minigrad.empty_cache()
    """
    if cpu.compiled is not None:
        cpu.compiled.trim_memory()
