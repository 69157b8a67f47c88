"""How many threads the compiled kernels use."""

from __future__ import annotations

from operator import index

from . import cpu


def get_num_threads() -> int:
    """The number of threads that a kernel may use, the calling one included.

    It begins as MINIGRAD_NUM_THREADS or, without that, the number of processors that this process may use. The reference
    kernels, which run where the compiled ones are not built, count as one.

    >>> import minigrad
    >>> minigrad.get_num_threads() >= 1
    True
    """
    return 1 if cpu.compiled is None else int(cpu.compiled.get_num_threads())


def set_num_threads(num: int) -> None:
    """Sets the number of threads that a kernel may use, the calling one included; the reference kernels ignore it.

    Raises TypeError for what is no integer, RuntimeError, as torch, for less than one.

    >>> import minigrad
    >>> before = minigrad.get_num_threads()
    >>> minigrad.set_num_threads(1)
    >>> minigrad.get_num_threads()
    1
    >>> minigrad.set_num_threads(before)
    """
    try:
        threads = index(num)
    except TypeError:
        raise TypeError(f"set_num_threads: expected an int, but got {num!r}") from None
    if threads < 1:
        raise RuntimeError(f"set_num_threads: expected a positive number, but got {threads}")
    if cpu.compiled is not None:
        cpu.compiled.set_num_threads(threads)
