"""The way to the GPU: CuPy, which is imported when a device is first asked for and never before."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import numpy

Array = Any  # numpy.ndarray or cupy.ndarray


@lru_cache(maxsize=1)
def status() -> tuple[bool, str]:
    """Whether a GPU computes here, and if not why, in words. Tried once, by a kernel and a matrix product; never raises."""
    if os.environ.get("MINIGRAD_DEVICE", "").lower() == "cpu":
        return False, "the environment variable MINIGRAD_DEVICE is 'cpu'"
    try:
        import cupy
    except Exception as error:  # a broken installation raises all sorts of things
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            return False, "the package cupy is not installed; `pip install 'minigrad[cuda12]'` (or cuda13) brings it"
        return False, f"the package cupy cannot be imported: {type(error).__name__}: {error}"
    try:
        if cupy.cuda.runtime.getDeviceCount() < 1:
            return False, "there is no GPU"
    except Exception as error:
        return False, f"there is no GPU, or no driver for one: {type(error).__name__}: {error}"
    try:
        x = cupy.ones((4, 4), numpy.float32)
        probe = cupy.RawModule(code=PROBE, options=("-std=c++17",)).get_function("probe")
        probe((1,), (16,), (x,))
        if float(cupy.matmul(x, x)[0, 0]) != 16.0:
            return False, "there is a GPU, but it computes wrong results"
    except Exception as error:
        return False, f"there is a GPU, but it cannot be used: {type(error).__name__}: {str(error)[:300]}"
    return True, ""


PROBE = 'extern "C" __global__ void probe(float* x) { x[threadIdx.x] += 1.0f; }'


def cupy() -> Any:
    """The module cupy.

    Raises:
        RuntimeError: no GPU can be used; it says why.
    """
    usable, reason = status()
    if not usable:
        raise RuntimeError(f"no GPU is available: {reason}; ask minigrad.cuda.is_available() first")
    import cupy

    return cupy


def count() -> int:
    """How many GPUs can be used."""
    return int(cupy().cuda.runtime.getDeviceCount()) if status()[0] else 0


def current() -> int:
    """The number of the GPU that is used where none is named."""
    return int(cupy().cuda.runtime.getDevice())


def on(index: int) -> AbstractContextManager[Any]:
    """A block in which arrays are made on this GPU."""
    return cupy().cuda.Device(index)  # type: ignore[no-any-return]


def index_of(array: Array) -> int:
    """The number of the GPU that an array of CuPy's is on."""
    return int(array.device.id)


def is_host(array: Array) -> bool:
    """Does the array lie in the memory of the host? (That of a tensor whose shape is not known yet has neither memory nor get.)"""
    return isinstance(array, (numpy.ndarray, numpy.generic)) or not hasattr(type(array), "get")


def to_host(array: Array) -> Array:
    """The array in the memory of the host: itself, or a copy, for which the host waits."""
    return array if is_host(array) else array.get()


MOST_KEPT = 1 << 16  # bytes of a constant that is kept on the device


@lru_cache(maxsize=1024)
def kept(content: bytes, dtype: str, shape: tuple[int, ...], index: int) -> Array:
    """An array with this content on a GPU; nobody may write to it."""
    return constant(numpy.frombuffer(content, dtype).reshape(shape), index)


def constant(array: Array, index: int) -> Array:
    """An array of the host on a GPU, to be read from any of its queues from now on: the host waits until it is there."""
    with on(index):
        out = cupy().asarray(array)
        cupy().cuda.get_current_stream().synchronize()
    return out


def beside(constant: Array, array: Array) -> Array:
    """An array of the host, which is only read, where another one is. Small ones stay there for the next time, so that a step copies nothing."""
    if is_host(array):
        return constant
    index = index_of(array)
    return kept(constant.tobytes(), constant.dtype.str, constant.shape, index) if constant.nbytes <= MOST_KEPT else to_device(constant, index)


def number_on(number: Array, index: int) -> Array:
    """A number of the host, with its dtype, on a GPU, where a kernel writes it: nothing is copied and nobody waits."""
    with on(index):
        return cupy().full((), number.item(), number.dtype)


def to_device(array: Array, index: int) -> Array:
    """The array on this GPU: itself, or a copy."""
    if not is_host(array) and index_of(array) == index:
        return array
    with on(index):
        return cupy().asarray(array) if is_host(array) else cupy().array(array)


def pinned(array: Array) -> Array:
    """A copy in memory of the host that stays in its place, from which a GPU reads while the host goes on."""
    memory = cupy().cuda.alloc_pinned_memory(max(array.nbytes, 1))
    out = numpy.frombuffer(memory, array.dtype, array.size).reshape(array.shape)
    out[...] = array
    return out
