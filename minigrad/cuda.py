"""What scripts ask about GPUs. In this version there are none: questions are answered, seeds accepted, everything else refused with the reason."""

from __future__ import annotations

from typing import Any, NoReturn


def is_available() -> bool:
    """Whether a GPU can be used. Never raises.

    >>> import minigrad
    >>> minigrad.device("cuda" if minigrad.cuda.is_available() else "cpu")
    device(type='cpu')
    """
    return False


def why_not() -> str:
    """Why no GPU can be used, in words.

    >>> import minigrad
    >>> minigrad.cuda.why_not()
    'this version of minigrad computes on the CPU only'
    """
    return "this version of minigrad computes on the CPU only"


def device_count() -> int:
    """How many GPUs can be used."""
    return 0


def is_initialized() -> bool:
    """Whether a GPU is in use."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a GPU computes in bfloat16."""
    return False


def refuse(name: str) -> NoReturn:
    raise RuntimeError(f"cuda.{name}: no GPU is available: {why_not()}; ask minigrad.cuda.is_available() first")


def current_device() -> int:
    """The number of the current GPU.

    Raises:
        RuntimeError: there is none.
    """
    refuse("current_device")


def set_device(device: Any) -> None:
    """Makes a GPU the current one.

    Raises:
        RuntimeError: there is none.
    """
    refuse("set_device")


def get_device_name(device: Any = None) -> str:
    """The name of a GPU.

    Raises:
        RuntimeError: there is none.
    """
    refuse("get_device_name")


def get_device_properties(device: Any = None) -> Any:
    """The properties of a GPU.

    Raises:
        RuntimeError: there is none.
    """
    refuse("get_device_properties")


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a GPU.

    Raises:
        RuntimeError: there is none.
    """
    refuse("get_device_capability")


def synchronize(device: Any = None) -> None:
    """Waits until a GPU has done what it was given.

    Raises:
        RuntimeError: there is none; what runs on the CPU is done when its call returns.
    """
    refuse("synchronize")


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's random numbers, if there is one; `minigrad.manual_seed` seeds the CPU's."""
    int(seed)


def manual_seed_all(seed: int) -> None:
    """Seeds the random numbers of all GPUs that there are."""
    int(seed)


def empty_cache() -> None:
    """Gives memory that GPUs hold in reserve back: they hold none."""


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors take on a GPU."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors ever took on a GPU."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """Bytes that are held on a GPU."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Forgets the most bytes that tensors ever took."""
