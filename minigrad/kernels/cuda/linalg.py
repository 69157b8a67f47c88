"""Products of matrices, by cuBLAS."""

from __future__ import annotations

from .. import reference
from ..driver import cupy
from ..settings import allows_tf32
from .launch import Array


class Applied:
    """What CuPy was told last."""

    tf32 = False


def matmul(a: Array, b: Array, bias: Array | None = None) -> Array:
    """The matrix product over the last two axes, the axes before them being broadcast, plus one number a column.

    Numbers of float32 are rounded to TF32 before they are multiplied if set_float32_matmul_precision allows it.
    """
    if allows_tf32() != Applied.tf32:
        core = cupy()._core
        choice = (
            core._routines_linalg.COMPUTE_TYPE_TF32 if allows_tf32() else core._routines_linalg.COMPUTE_TYPE_DEFAULT
        )
        core.set_compute_type("float32", choice)
        Applied.tf32 = allows_tf32()
    return reference.matmul(a, b, bias)
