"""Whether tensors can live on a GPU, so that scripts which ask may run: in this version they live in the memory of the host."""

from __future__ import annotations


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
