"""Linear algebra under torch's names: torch.linalg's functions, on the last two axes of their arguments.

>>> import minigrad
>>> A = minigrad.tensor([[4.0, 2.0], [2.0, 5.0]])
>>> L = minigrad.linalg.cholesky(A)
>>> minigrad.allclose(L @ L.mT, A)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ops.matrices import *  # noqa: F403 - the same names, with types
else:
    from .ops.decompositions import cholesky_factor as cholesky
    from .ops.decompositions import cross_product as cross
    from .ops.decompositions import (
        det,
        eigh,
        eigvalsh,
        inv,
        lstsq,
        matrix_power,
        multi_dot,
        pinv,
        slogdet,
        solve,
        solve_triangular,
        svdvals,
        vecdot,
    )
    from .ops.decompositions import orthogonal as qr
    from .ops.linalg import matmul
    from .ops.norms import matrix_norm, vector_norm
    from .ops.norms import vector_or_matrix_norm as norm

__all__ = [
    "cholesky", "cross", "det", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "multi_dot", "norm", "pinv",
    "qr", "slogdet", "solve", "solve_triangular", "svdvals", "vecdot", "vector_norm",
]  # fmt: skip
