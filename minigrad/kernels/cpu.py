"""The kernels for NumPy arrays: compiled where they can be, else the reference.

The compiled kernels take C-contiguous float32 and float64 arrays with one to three axes in the plane. The environment variable
MINIGRAD_KERNELS, read once at import, forces one kind for tests: ``reference`` or ``compiled``.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from numpy import ascontiguousarray, dtype

from . import reference
from .formula import noted, planned
from .geometry import Ints, Windows
from .reference import unpool_gather as unpool_gather  # has no compiled form

Array = Any  # numpy.ndarray
COMPILED_DTYPES = (dtype("float32"), dtype("float64"))


def _load_compiled() -> Any:
    """The module of compiled kernels, or None."""
    choice = os.environ.get("MINIGRAD_KERNELS", "")
    if choice not in ("", "compiled", "reference"):
        raise ImportError(f"minigrad: MINIGRAD_KERNELS must be 'reference' or 'compiled', but is {choice!r}")
    if choice == "reference":
        return None
    try:
        return import_module("minigrad._ext.kernels")
    except ImportError as reason:
        if choice == "compiled":
            raise
        import warnings

        warnings.warn(
            f"minigrad: its compiled kernels are not available ({reason}), so convolutions and pooling run on the "
            f"reference kernels, which give the same results many times slower. To build them, install minigrad with "
            f"`pip install .` from its source tree; to silence this warning, set MINIGRAD_KERNELS=reference.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


compiled = _load_compiled()


def packed(x: Array) -> Array:
    """The array in the layout that the compiled kernels read: a copy unless it has it."""
    x = ascontiguousarray(x)
    return x if x.flags.aligned else x.copy()


def takes(x: Array, rank: int) -> bool:
    """Can the compiled kernels compute with this array?"""
    return compiled is not None and x.dtype in COMPILED_DTYPES and rank <= 3 and x.size > 0


def conv(x: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The convolution of x with the filters w."""
    if takes(x, windows.rank):
        bias = None if bias is None else packed(bias)
        return compiled.conv(packed(x), packed(w), bias, windows)
    return reference.conv(x, w, bias, windows)


def conv_input(g: Array, w: Array, bias: Array | None, windows: Windows) -> Array:
    """The adjoint of conv in x, the transposed convolution."""
    if takes(g, windows.rank) and w.size:
        bias = None if bias is None else packed(bias)
        return compiled.conv_input(packed(g), packed(w), bias, windows)
    return reference.conv_input(g, w, bias, windows)


def conv_weight(x: Array, g: Array, windows: Windows) -> Array:
    """The adjoint of conv in w."""
    if takes(x, windows.rank):
        return compiled.conv_weight(packed(x), packed(g), windows)
    return reference.conv_weight(x, g, windows)


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product over the last two axes, the axes before them being broadcast, plus one number a column.

    A vector on the left counts as a row, one on the right as a column.
    """
    if compiled is None or a.dtype not in COMPILED_DTYPES or a.dtype != b.dtype or a.ndim + b.ndim < 3:
        return reference.matmul(a, b, bias)
    if bias is not None:
        bias = packed(bias)
    if a.ndim == 1:
        return compiled.matmul(in_steps(a[None]), in_steps(b), bias)[..., 0, :]
    if b.ndim == 1:
        return compiled.matmul(in_steps(a), in_steps(b[:, None]), bias)[..., 0]
    return compiled.matmul(in_steps(a), in_steps(b), bias)


def in_steps(x: Array) -> Array:
    """The array as the compiled matrix product reads it: aligned and in steps of whole elements; a copy unless it is."""
    return x if compiled.in_steps(x) else x.copy()


def max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of each window and its flat index in the input plane."""
    if takes(x, windows.rank):
        found: tuple[Array, Array] = compiled.max_pool(packed(x), windows)
        return found
    return reference.max_pool(x, windows)


def pool_scatter(g: Array, indices: Array, in_size: Ints) -> Array:
    """Adds each value to the element of the plane that its index names."""
    if takes(g, len(in_size)):
        return compiled.pool_scatter(packed(g), packed(indices), in_size)
    return reference.pool_scatter(g, indices, in_size)


def max_unpool(x: Array, indices: Array, in_size: Ints) -> Array:
    """Writes each value to the element of the plane that its index names; the last of several wins."""
    if takes(x, len(in_size)):
        return compiled.max_unpool(packed(x), packed(indices), in_size)
    return reference.max_unpool(x, indices, in_size)


def pool_gather(x: Array, indices: Array) -> Array:
    """Reads the elements of the plane that the indices name."""
    if takes(x, x.ndim - 2):
        return compiled.pool_gather(packed(x), packed(indices))
    return reference.pool_gather(x, indices)


def sum_pool(x: Array, windows: Windows) -> Array:
    """The sum of each window."""
    if takes(x, windows.rank):
        return compiled.sum_pool(packed(x), windows)
    return reference.sum_pool(x, windows)


def sum_pool_input(g: Array, windows: Windows) -> Array:
    """The adjoint of sum_pool."""
    if takes(g, windows.rank):
        return compiled.sum_pool_input(packed(g), windows)
    return reference.sum_pool_input(g, windows)


def update(formula: Any, rows: list[tuple[Array, ...]]) -> None:
    """Writes what a formula gives for each row of arrays into the last ones of the row, as many as it returns."""
    if compiled is None:
        reference.update(formula, rows)
        return
    arguments = len(rows[0])
    notes, results = noted(formula, arguments)
    plan = planned(arguments, tuple(notes.steps), results)
    if ready(rows):
        compiled.evaluate(arguments, plan.temporaries, plan.code, notes.constants, rows)
        return
    by_dtype: dict[Any, list[tuple[Array, ...]]] = {}
    for row in rows:
        changed = row[arguments - len(results) :]
        kind = row[0].dtype
        if kind in COMPILED_DTYPES and all([x.dtype == kind for x in row]) and all([x.flags.carray for x in changed]):
            read = [x if x.flags.carray else x.copy() for x in row[: arguments - len(results)]]
            by_dtype.setdefault(kind, []).append((*read, *changed))
        else:
            reference.update(formula, (row,))
    for alike in by_dtype.values():
        compiled.evaluate(arguments, plan.temporaries, plan.code, notes.constants, alike)


def ready(rows: list[tuple[Array, ...]]) -> bool:
    """Can the compiled kernels take all of these arrays at once, as they are?"""
    kind = rows[0][0].dtype
    if kind not in COMPILED_DTYPES:
        return False
    for row in rows:
        for x in row:
            if x.dtype is not kind or not x.flags.carray:
                return False
    return True


def sum_of_squares(arrays: list[Array]) -> float:
    """The sum of the squares of all elements, computed in float64."""
    total = 0.0
    for kind in dict.fromkeys([x.dtype for x in arrays]):
        same = [x for x in arrays if x.dtype == kind]
        if compiled is not None and kind in COMPILED_DTYPES:
            total += compiled.sum_of_squares([x if x.flags.carray else x.copy() for x in same])
        else:
            total += reference.sum_of_squares(same)
    return total
