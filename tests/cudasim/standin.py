"""The stand-in for the package cupy: arrays.py, kernels that run on the simulator, and as much of cupy.cuda as is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from . import simulator
from .arrays import NAMES, Function, Ufunc, by_name, ndarray, unwrap, wrap
from .counts import bytes_of, counts

# alone: a source text is compiled for each kernel of it that is asked for; compute_types: what cuBLAS was told, by dtype
settings = SimpleNamespace(mode="fast", seed=1, alone=False, compute_types={})


class RawKernel:
    """A kernel of CUDA C, started as CuPy starts one."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = ()) -> None:
        self.code, self.name, self.options = code, name, options
        if settings.mode != "counting" and name not in compiled(self).kernels:
            raise RuntimeError(f"CUDA_ERROR_NOT_FOUND: {name}: named symbol not found")

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        if not isinstance(args, tuple):
            raise TypeError("Argument 'args' has incorrect type (expected tuple)")
        numbers = tuple([int(a) for a in args if isinstance(a, np.int32)])
        counts.named = 0
        counts.launched(self.name, sum([bytes_of(a.host) for a in args if isinstance(a, ndarray)]), numbers)
        if settings.mode == "counting":  # launches are counted, and compute nothing
            return
        plain = [unwrap(a) for a in args]
        module = compiled(self)
        module.kernel(self.name)(grid, block, plain, shared_mem, settings.seed)


def compiled(kernel: RawKernel) -> simulator.Module:
    """What a kernel is compiled to, in the mode of now."""
    only = kernel.name if settings.alone else None
    return simulator.compiled(kernel.code, kernel.options, settings.mode, only)


class RawModule:
    """A source text of CUDA C."""

    def __init__(
        self,
        code: str | None = None,
        *,
        path: Any = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        name_expressions: Any = None,
    ) -> None:
        assert code is not None and name_expressions is None
        self.code, self.options = code, tuple(options)

    def get_function(self, name: str) -> RawKernel:
        return RawKernel(self.code, name, self.options)


class Device:
    """The one device."""

    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)
        if self.id:
            raise RuntimeError("cudaErrorInvalidDevice: invalid device ordinal")

    compute_capability = "80"
    attributes = {"MultiProcessorCount": 108}
    mem_info = (1 << 33, 1 << 34)

    def use(self) -> None:
        pass

    def synchronize(self) -> None:
        counts.waits += 1

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Stream:
    """A queue of work; here everything is done at once."""

    null: Any = None

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority: Any = None
    ) -> None:
        self.ptr, self.done = 0, True

    def use(self) -> Stream:
        return self

    def synchronize(self) -> None:
        counts.waits += 1

    def record(self, event: Any = None) -> Any:
        return event or Event()

    def wait_event(self, event: Any) -> None:
        pass

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


Stream.null = Stream(null=True)


class Event:
    """A place in a queue."""

    done = True

    def __init__(self, block: bool = True, disable_timing: bool = False, interprocess: bool = False) -> None:
        pass

    def record(self, stream: Any = None) -> None:
        pass

    def synchronize(self) -> None:
        counts.waits += 1


class MemoryPool:
    """Where arrays get their memory."""

    def used_bytes(self) -> int:
        return counts.live

    def total_bytes(self) -> int:
        return max(counts.live, counts.peak)

    def free_all_blocks(self, stream: Any = None) -> None:
        counts.peak = counts.live


class Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return by_name(name)


def special(name: str) -> Any:
    """An elementwise function of cupyx.scipy.special, computed by SciPy."""
    if name not in NAMES["special"]:
        raise AttributeError(f"module 'cupyx.scipy.special' has no attribute {name!r}")

    def call(*args: Any) -> Any:
        import scipy.special

        with np.errstate(all="ignore"):
            return wrap(np.asarray(getattr(scipy.special, name)(*[unwrap(a) for a in args])), (), name)

    return call


class Special(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return special(name)


def elapsed_time(start: Any, end: Any) -> float:
    return 0.0


def modules() -> dict[str, Any]:
    """What stands in sys.modules for CuPy."""
    pool = MemoryPool()
    cupy = Module("cupy")
    runtime = SimpleNamespace(
        getDeviceCount=lambda: 1,
        deviceSynchronize=lambda: Device().synchronize(),
        getDeviceProperties=lambda index: {
            "name": b"simulated, not a GPU",
            "totalGlobalMem": 1 << 34,
            "multiProcessorCount": 108,
            "major": 8,
            "minor": 0,
        },
        getDevice=lambda: 0,
        setDevice=lambda index: Device(index).use(),
        memGetInfo=lambda: (1 << 33, 1 << 34),
        CUDARuntimeError=RuntimeError,
    )
    cuda = ModuleType("cupy.cuda")
    cuda.__dict__.update(
        Device=Device, Stream=Stream, Event=Event, MemoryPool=MemoryPool, runtime=runtime, get_current_stream=lambda device_id=-1: Stream.null,
        get_elapsed_time=elapsed_time, is_available=lambda: True, alloc_pinned_memory=bytearray,
    )  # fmt: skip
    core = SimpleNamespace(
        set_compute_type=lambda dtype, kind: settings.compute_types.update({dtype: kind}),
        _routines_linalg=SimpleNamespace(COMPUTE_TYPE_DEFAULT=1, COMPUTE_TYPE_TF32=7),
    )
    linalg = ModuleType("cupy.linalg")
    for name, text in NAMES["linalg"].items():
        if hasattr(np.linalg, name):
            linalg.__dict__[name] = Function(f"linalg.{name}", text, getattr(np.linalg, name))
    tricks = ModuleType("cupy.lib.stride_tricks")
    tricks.__dict__["as_strided"] = lambda x, shape=None, strides=None: wrap(
        np.lib.stride_tricks.as_strided(x.host, shape, strides), (x,)
    )
    cupy.__dict__.update(
        cuda=cuda, _core=core, linalg=linalg, lib=SimpleNamespace(stride_tricks=tricks), ndarray=ndarray, RawKernel=RawKernel, RawModule=RawModule, ufunc=Ufunc,
        get_default_memory_pool=lambda: pool, get_default_pinned_memory_pool=lambda: pool, __version__=f"{NAMES['version']}+simulated", __path__=[],
        get_array_module=lambda *args: cupy if any([isinstance(a, ndarray) for a in args]) else np,
    )  # fmt: skip
    cupyx, scipy, scipy_special = ModuleType("cupyx"), ModuleType("cupyx.scipy"), Special("cupyx.scipy.special")
    cupyx.__path__ = scipy.__path__ = []
    scipy.__dict__["special"] = scipy_special
    cupyx.__dict__["scipy"] = scipy
    return {
        "cupy": cupy, "cupy.cuda": cuda, "cupy.linalg": linalg, "cupy.lib.stride_tricks": tricks,
        "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": scipy_special,
    }  # fmt: skip


@contextmanager
def installed(mode: str = "fast", seed: int = 1) -> Iterator[Any]:
    """A block in which `import cupy` gives the stand-in, its kernels running in this mode."""
    if "cupy" in sys.modules:
        raise RuntimeError("cupy is there already")
    settings.mode, settings.seed = mode, seed
    found = modules()
    sys.modules.update(found)
    try:
        yield found["cupy"]
    finally:
        for name in found:
            del sys.modules[name]
