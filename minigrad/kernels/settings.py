"""How the kernels may round, and whether they must repeat themselves."""

from __future__ import annotations

from . import cpu

_precision = "high"  # of the reference kernels, which always sum directly
_matmul_precision = "highest"
_deterministic = False
_warn_only = False


def set_conv_precision(precision: str) -> None:
    """Sets how convolutions of float32 may round, on all threads.

    "high", the default: 3x3 convolutions, and 4x4 ones at stride 2, may use Winograd's algorithm where that is faster, with a relative
    error (in the 2-norm, of random data of up to 512 channels) below 1e-5. "highest": every sum of products is computed directly, with an
    error about a tenth of that. Convolutions of float64 are always direct. Raises ValueError for any other word.

    The error bounds are those of tests/kernels/test_winograd.py; the algorithm is Lavin and Gray's (2015).

    >>> import minigrad
    >>> minigrad.set_conv_precision("highest")
    >>> minigrad.get_conv_precision()
    'highest'
    >>> minigrad.set_conv_precision("high")
    """
    global _precision
    if precision not in ("highest", "high"):
        raise ValueError(f"set_conv_precision: expected 'highest' or 'high', but got {precision!r}")
    if cpu.compiled is not None:
        cpu.compiled.set_conv_precision(precision)
    _precision = precision


def get_conv_precision() -> str:
    """How convolutions of float32 may round: "high" or "highest".

    >>> import minigrad
    >>> minigrad.get_conv_precision()
    'high'
    """
    return _precision if cpu.compiled is None else str(cpu.compiled.get_conv_precision())


def set_float32_matmul_precision(precision: str) -> None:
    """Says how exact products of float32 matrices must be: "highest", "high" or "medium".

    Below "highest" a GPU that can may round their elements to TF32 (10 bits after the first) before it multiplies them, 1x1 convolutions and
    linear layers among them; sums stay in float32, and so do other convolutions. The CPU always computes in float32.

    Raises:
        ValueError: another word.

    >>> import minigrad
    >>> minigrad.set_float32_matmul_precision("high")
    >>> minigrad.backends.cuda.matmul.allow_tf32
    True
    >>> minigrad.set_float32_matmul_precision("highest")
    """
    global _matmul_precision
    words = ("highest", "high", "medium")
    if precision not in words:
        raise ValueError(f"set_float32_matmul_precision: expected one of {words}, got {precision!r}")
    _matmul_precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision was given.

    >>> import minigrad
    >>> minigrad.get_float32_matmul_precision()
    'highest'
    """
    return _matmul_precision


def allows_tf32() -> bool:
    """May products of float32 matrices round to TF32?"""
    return _matmul_precision != "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks that operations give the same bits for the same input, on the same instruction set and whatever the number of threads.

    minigrad's kernels always do: sums are cut by shape alone, gradients are gathered and never scattered by several threads at
    once, and algorithms are chosen by a model of their cost and never by timing. So this only remembers the wish, for scripts that
    state it. Raises TypeError for a mode that is no bool.

    >>> import minigrad
    >>> minigrad.use_deterministic_algorithms(True)
    >>> minigrad.are_deterministic_algorithms_enabled()
    True
    >>> minigrad.use_deterministic_algorithms(False)
    """
    global _deterministic, _warn_only
    for name, value in (("mode", mode), ("warn_only", warn_only)):
        if not isinstance(value, bool):
            raise TypeError(f"use_deterministic_algorithms: expected {name} to be a bool, but got {value!r}")
    _deterministic, _warn_only = mode, warn_only


def are_deterministic_algorithms_enabled() -> bool:
    """Whether use_deterministic_algorithms asked for the same bits each time.

    >>> import minigrad
    >>> minigrad.are_deterministic_algorithms_enabled()
    False
    """
    return _deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether use_deterministic_algorithms was to warn rather than raise.

    >>> import minigrad
    >>> minigrad.is_deterministic_algorithms_warn_only_enabled()
    False
    """
    return _deterministic and _warn_only


def set_flush_denormal(mode: bool) -> bool:
    """Makes the processor take numbers next to 0 (in float32 below 1.2e-38) for 0; returns whether it can.

    It computes with these denormal numbers as IEEE 754 says, but up to a hundred times as slowly, which dead gradients and decaying averages make
    noticeable. The setting is the calling thread's, for NumPy too, and that of the threads which help it with a kernel. It is off at the start.

    >>> import minigrad
    >>> tiny = minigrad.full((3,), 1e-40)
    >>> on = minigrad.set_flush_denormal(True)
    >>> (tiny * 0.5).tolist() == [0.0, 0.0, 0.0] or not on
    True
    >>> off = minigrad.set_flush_denormal(False)
    >>> bool((tiny * 0.5).all())
    True
    """
    return False if cpu.compiled is None else bool(cpu.compiled.set_flush_denormal(mode))
