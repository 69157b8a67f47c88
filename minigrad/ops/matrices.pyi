# Written by `python -m tests.stubs`: what type checkers and editors know of minigrad.linalg.

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..core.tensor import Tensor

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = float | np.generic
Index: TypeAlias = int | np.integer[Any]
Indices: TypeAlias = Index | Sequence[Index]
Operand: TypeAlias = Tensor | Array | Number
DType: TypeAlias = np.dtype[Any] | type[Any] | str

class QR(NamedTuple):
    Q: Tensor
    R: Tensor

class SlogDet(NamedTuple):
    sign: Tensor
    logabsdet: Tensor

class Eigh(NamedTuple):
    eigenvalues: Tensor
    eigenvectors: Tensor

class LeastSquares(NamedTuple):
    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

def cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.mT = input (or with `upper` the U = L.mT), for symmetric positive definite matrices."""

def cross(input: Tensor, other: Tensor, *, dim: Index = -1) -> Tensor:
    """The cross product of 3-vectors along an axis, the other axes being broadcast."""

def det(A: Tensor) -> Tensor:
    """The determinant of square matrices."""

def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """The eigenvalues, in ascending order, and the eigenvectors (columns) of symmetric matrices, read from one triangle."""

def eigvalsh(input: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices in ascending order, read from the lower ("L") or the upper triangle ("U")."""

def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices."""

def lstsq(input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X of least |input @ X - b|: (solution, residuals, rank, singular_values)."""

def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product over the last two axes, the axes before them being broadcast; vectors count as a row or a column."""

def matrix_norm(input: Tensor, ord: float | str = "fro", dim: Indices = ..., keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The norm of matrices."""

def matrix_power(input: Tensor, n: Index) -> Tensor:
    """The n-th power of square matrices; of their inverses for negative n."""

def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The matrix product of two or more matrices, in the order that takes the fewest multiplications; the ends may be vectors."""

def norm(input: Tensor, ord: float | str | None = None, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The norm of vectors, along one axis, or of matrices, along two: see vector_norm and matrix_norm."""

def pinv(input: Tensor, *, atol: Tensor | float | None = None, rtol: Tensor | float | None = None, hermitian: bool = False) -> Tensor:
    """The Moore-Penrose pseudo-inverse, with singular values up to max(atol, rtol * the largest) taken as 0."""

def qr(A: Tensor, mode: str = "reduced") -> QR:
    """A = Q @ R with orthonormal columns in Q and an upper triangular R: (Q, R)."""

def slogdet(A: Tensor) -> SlogDet:
    """The sign and the logarithm of the absolute value of the determinant: (sign, logabsdet)."""

def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X with A @ X = B, or with `left=False` X @ A = B; B may be a vector, or a batch of them."""

def solve_triangular(input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The X with input @ X = B, or with `left=False` X @ input = B, where only one triangle of input counts."""

def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values of matrices, in descending order."""

def vecdot(x: Tensor, y: Tensor, *, dim: Index = -1) -> Tensor:
    """The sum of the products of elements along an axis, the other axes being broadcast."""

def vector_norm(x: Tensor, ord: float = 2, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The norm (sum |x|**ord)**(1/ord) over axes, all of them by default, as of one vector; largest or smallest |x| for ord inf, -inf."""
