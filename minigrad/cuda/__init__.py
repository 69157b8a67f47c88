"""GPUs: whether there are any, which one is used, waiting for them, their memory and their random numbers.

Tensors get there by `x.to("cuda")`, `module.cuda()` or `device="cuda"`. CuPy does the work; it is imported when a GPU is first asked for.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from ..core.device import check_device
from ..core.device import device as _Device
from ..kernels import driver

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_available() -> bool:
    """Whether a GPU can be used. Never raises.

    >>> import minigrad
    >>> device = minigrad.device("cuda" if minigrad.cuda.is_available() else "cpu")
    """
    return driver.status()[0]


def why_not() -> str:
    """Why no GPU can be used, in words; empty if one can. Never raises.

    >>> import minigrad
    >>> minigrad.cuda.is_available() or len(minigrad.cuda.why_not()) > 0
    True
    """
    return driver.status()[1]


def device_count() -> int:
    """How many GPUs can be used."""
    return driver.count()


def is_initialized() -> bool:
    """Whether a GPU is in use: the first question about one begins to use it."""
    return driver.status.cache_info().currsize > 0 and driver.status()[0]


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether tensors of bfloat16 can be made on a GPU: never, NumPy has no such dtype."""
    return False


def refuse(name: str) -> NoReturn:
    raise RuntimeError(f"cuda.{name}: no GPU is available: {why_not()}; ask minigrad.cuda.is_available() first")


def number(name: str, device: Any) -> int:
    """The number of the GPU that is meant; refuses where there is none."""
    if not is_available():
        refuse(name)
    if device is None:
        return driver.current()
    found = check_device(f"cuda.{name}", device)
    if found.type != "cuda":
        raise ValueError(f"cuda.{name}: expected a GPU, got {str(found)!r}")
    return found.index or 0


def current_device() -> int:
    """The number of the current GPU.

    Raises:
        RuntimeError: there is none.
    """
    return number("current_device", None)


def set_device(device: Any) -> None:
    """Makes a GPU the current one, which "cuda" without a number means.

    Raises:
        RuntimeError: there is none.
    """
    index = number("set_device", device)
    driver.cupy().cuda.runtime.setDevice(index)


def get_device_name(device: Any = None) -> str:
    """The name of a GPU.

    Raises:
        RuntimeError: there is none.
    """
    return get_device_properties(number("get_device_name", device))["name"].decode()  # type: ignore[no-any-return]


def get_device_properties(device: Any = None) -> Any:
    """The properties of a GPU, as CUDA names them, in a dict.

    Raises:
        RuntimeError: there is none.
    """
    index = number("get_device_properties", device)
    return driver.cupy().cuda.runtime.getDeviceProperties(index)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a GPU, for example (8, 0).

    Raises:
        RuntimeError: there is none.
    """
    index = number("get_device_capability", device)
    found = str(driver.cupy().cuda.Device(index).compute_capability)
    return int(found[:-1]), int(found[-1])


def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done what it was given: what measures time asks for it.

    Raises:
        RuntimeError: there is none; what runs on the CPU is done when its call returns.
    """
    with driver.on(number("synchronize", device)):
        driver.cupy().cuda.runtime.deviceSynchronize()


# --- random numbers ---------------------------------------------------------------------------------------------------


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's random numbers, if there is one; `minigrad.manual_seed` seeds the CPU's and those of all GPUs."""
    from ..ops.random import generator_of

    if is_available():
        generator_of(check_device("cuda.manual_seed", "cuda")).manual_seed(seed)
    else:
        int(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the random numbers of all GPUs that there are."""
    from ..ops.random import generator_of

    int(seed)
    for index in range(device_count()):
        generator_of(check_device("cuda.manual_seed_all", index)).manual_seed(seed)


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of a GPU's generator of random numbers, as a tensor of bytes on the host.

    Raises:
        RuntimeError: there is no GPU.
    """
    from ..ops.random import generator_of

    return generator_of(check_device("cuda.get_rng_state", number("get_rng_state", device))).get_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Takes a GPU's generator of random numbers back to a state from get_rng_state.

    Raises:
        RuntimeError: there is no GPU.
    """
    from ..ops.random import generator_of

    generator_of(check_device("cuda.set_rng_state", number("set_rng_state", device))).set_state(new_state)


# --- memory -----------------------------------------------------------------------------------------------------------


def empty_cache() -> None:
    """Gives memory that CuPy holds in reserve back to the GPU."""
    if is_available():
        driver.cupy().get_default_memory_pool().free_all_blocks()
        driver.cupy().get_default_pinned_memory_pool().free_all_blocks()


def memory_allocated(device: Any = None) -> int:
    """Bytes that arrays take on a GPU; 0 if there is none."""
    return int(driver.cupy().get_default_memory_pool().used_bytes()) if is_available() else 0


def memory_reserved(device: Any = None) -> int:
    """Bytes that are held on a GPU, by arrays and in reserve for further ones; 0 if there is none."""
    return int(driver.cupy().get_default_memory_pool().total_bytes()) if is_available() else 0


def max_memory_allocated(device: Any = None) -> int:
    """At most so many bytes were ever taken on a GPU since the last reset_peak_memory_stats: what is held for arrays and in reserve."""
    return memory_reserved(device)


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes ever held on a GPU since the last reset_peak_memory_stats."""
    return memory_reserved(device)


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forgets the most bytes that tensors ever took, by giving the reserve back."""
    empty_cache()


def memory_stats(device: Any = None) -> dict[str, int]:
    """Bytes in use and held on a GPU, under torch's names; empty if there is none.

    >>> import minigrad
    >>> stats = minigrad.cuda.memory_stats()
    >>> stats == {} or stats["allocated_bytes.all.current"] >= 0
    True
    """
    if not is_available():
        return {}
    used, held = memory_allocated(device), memory_reserved(device)
    return {
        "allocated_bytes.all.current": used, "allocated_bytes.all.peak": held,
        "reserved_bytes.all.current": held, "reserved_bytes.all.peak": held,
    }  # fmt: skip


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """Bytes that are free on a GPU, and all that it has.

    Raises:
        RuntimeError: there is none.
    """
    with driver.on(number("mem_get_info", device)):
        free, total = driver.cupy().cuda.runtime.memGetInfo()
    return int(free), int(total)


# --- queues of work ---------------------------------------------------------------------------------------------------


class Stream:
    """A queue of work on a GPU: what is in one queue runs in order, what is in several may run at once.

    Raises:
        RuntimeError: there is no GPU.
    """

    def __init__(self, device: Any = None, priority: int = 0, *, _queue: Any = None) -> None:
        self.index = number("Stream", device)
        with driver.on(self.index):
            self.queue = driver.cupy().cuda.Stream(non_blocking=True, priority=priority) if _queue is None else _queue

    def synchronize(self) -> None:
        """Waits until all that is in this queue is done."""
        self.queue.synchronize()

    def record_event(self, event: Event | None = None) -> Event:
        """Marks how far the queue has come."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Has what follows in this queue wait for an event."""
        self.queue.wait_event(event.mark)

    def wait_stream(self, stream: Stream) -> None:
        """Has what follows in this queue wait for what is in another now."""
        self.wait_event(stream.record_event())

    def query(self) -> bool:
        """Whether all that is in this queue is done."""
        return bool(self.queue.done)

    def __enter__(self) -> Stream:
        self.queue.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.queue.__exit__(*exc)


class Event:
    """A mark in a queue, which can be waited for; two of them measure time.

    Raises:
        RuntimeError: there is no GPU.
    """

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        number("Event", None)
        self.mark = driver.cupy().cuda.Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Puts the mark at the end of a queue, the current one by default."""
        self.mark.record((current_stream() if stream is None else stream).queue)

    def wait(self, stream: Stream | None = None) -> None:
        """Has a queue, the current one by default, wait for the mark."""
        (current_stream() if stream is None else stream).wait_event(self)

    def synchronize(self) -> None:
        """Waits until the mark is reached."""
        self.mark.synchronize()

    def query(self) -> bool:
        """Whether the mark is reached."""
        return bool(self.mark.done)

    def elapsed_time(self, end_event: Event) -> float:
        """The milliseconds between this mark and another."""
        return float(driver.cupy().cuda.get_elapsed_time(self.mark, end_event.mark))


def current_stream(device: Any = None) -> Stream:
    """The queue that work is put into now.

    Raises:
        RuntimeError: there is no GPU.
    """
    index = number("current_stream", device)
    return Stream(index, _queue=driver.cupy().cuda.get_current_stream(index))


def default_stream(device: Any = None) -> Stream:
    """The queue that work is put into unless another is chosen.

    Raises:
        RuntimeError: there is no GPU.
    """
    return Stream(number("default_stream", device), _queue=driver.cupy().cuda.Stream.null)


@contextmanager
def stream(stream: Stream | None) -> Iterator[None]:
    """A block whose work is put into this queue; None leaves it where it is."""
    if stream is None:
        yield
    else:
        with stream:
            yield


@contextmanager
def device(device: Any) -> Iterator[None]:
    """A block in which this GPU, by its number or name, is the current one; a negative number and None change nothing.

    Raises:
        RuntimeError: it is not there.
    """
    if device is None or isinstance(device, int) and device < 0:
        yield
    else:
        with driver.on(number("device", device)):
            yield


def device_of(obj: Any) -> Any:
    """A block in which the GPU of a tensor is the current one; a tensor of the CPU changes nothing."""
    where: _Device = obj.device
    return device(where.index if where.type == "cuda" else None)


from . import amp as amp  # noqa: E402 - it asks is_available, which stands above
