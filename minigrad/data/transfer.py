"""Batches from one process to another: arrays through shared memory, the rest as a pickle through a pipe.

The memory has no name, so that nothing is left behind when a process is killed: its file descriptor travels with the pickle.
"""

from __future__ import annotations

import mmap
import os
import pickle
import tempfile
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

# Below this many bytes a copy through the pipe costs less than the calls that set memory up.
SMALLEST_SHARED = 1 << 16
ALIGNMENT = 64


def send(connection: Connection, message: Any) -> None:
    """Sends what can be pickled. Raises what pickling raises before anything is sent."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(message, 5, buffer_callback=buffers.append)
    sizes = [buffer.raw().nbytes for buffer in buffers]
    shared = sum(sizes) >= SMALLEST_SHARED and hasattr(reduction, "send_handle")
    connection.send_bytes(
        pickle.dumps((data, sizes if shared else [bytearray(buffer) for buffer in buffers], shared), 5)
    )
    if shared:
        descriptor = _memory()
        try:
            _fill(descriptor, buffers, sizes)
            reduction.send_handle(connection, descriptor, os.getppid())
        finally:
            os.close(descriptor)


def receive(connection: Connection) -> Any:
    """What was sent; its arrays lie in the shared memory, which lives as long as they do."""
    data, buffers, shared = pickle.loads(connection.recv_bytes())
    if shared:
        sizes, descriptor = buffers, reduction.recv_handle(connection)
        try:
            memory = memoryview(mmap.mmap(descriptor, _places(sizes)[-1]))
        finally:
            os.close(descriptor)
        buffers = [memory[begin : begin + size] for begin, size in zip(_places(sizes), sizes, strict=False)]
    return pickle.loads(data, buffers=buffers)


def _places(sizes: list[int]) -> list[int]:
    """Where each buffer begins, and the size of the whole."""
    places = [0]
    for size in sizes:
        places.append(places[-1] + -(-size // ALIGNMENT) * ALIGNMENT)
    return places


def _memory() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("minigrad")
    with tempfile.TemporaryFile() as file:  # has no name either
        return os.dup(file.fileno())


def _fill(descriptor: int, buffers: list[pickle.PickleBuffer], sizes: list[int]) -> None:
    places = _places(sizes)
    os.ftruncate(descriptor, places[-1])
    for begin, buffer in zip(places, buffers, strict=False):
        rest = buffer.raw()
        while rest.nbytes:
            written = os.pwrite(descriptor, rest, begin)
            begin, rest = begin + written, rest[written:]
