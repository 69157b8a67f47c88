"""Inverses, determinants, decompositions and products of matrices, for each matrix of a batch: the last two axes are the matrix.

minigrad.linalg has the public names. Derivatives are those of Giles, "Collected matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008), where no other source is named; all are written in differentiable operations.
"""

from __future__ import annotations

import math
from operator import itemgetter

import numpy as np

from ..core.device import placed
from ..core.dtypes import check_one_dtype
from ..core.primitive import function, of_tensors, primitive
from ..core.tensor import as_array, make_tensor
from ..kernels.driver import to_host
from .convert import copy
from .creation import zeros
from .elementwise import where
from .index import get, put_at
from .linalg import matmul
from .reduce import sum
from .shape import as_int, check_dim, place_diagonal, transpose, tril, triu

__all__ = ["cholesky", "cross", "det", "inverse", "logdet", "matrix_power", "pinverse", "qr", "slogdet"]


def matrices(op, *arrays, square=False):
    """Refuses what is no matrix of floats, or not square."""
    for x in arrays:
        if x.ndim < 2:
            raise RuntimeError(f"{op}: expected a matrix, or a batch of them, got shape {x.shape}")
        if square and x.shape[-1] != x.shape[-2]:
            raise RuntimeError(f"{op}: expected square matrices, got shape {x.shape}")
        floats(op, x)


def floats(op, x):
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise RuntimeError(f"{op}: expected float32 or float64, got {x.dtype}")


def lapack(op, function, *args, **named):
    """Calls NumPy's linear algebra, whose errors say which operation failed."""
    try:
        return function(*args, **named)
    except np.linalg.LinAlgError as error:
        raise RuntimeError(f"{op}: {str(error)[:1].lower()}{str(error)[1:]}") from None


def eigen(op, A, UPLO="L"):
    """Eigenvalues and eigenvectors by NumPy, from one triangle."""
    check_finite(op, np.tril(A) if UPLO.upper() == "L" else np.triu(A))
    return lapack(op, np.linalg.eigh, A, UPLO)


def singular(op, A):
    """The thin singular value decomposition by NumPy."""
    check_finite(op, A)
    return lapack(op, np.linalg.svd, A, full_matrices=False)


def check_finite(op, A):
    """Refuses what LAPACK's iterations may never end with."""
    if not np.isfinite(A).all():
        raise RuntimeError(f"{op}: the algorithm does not converge, because the input has NaN or infinite elements")


def mT(x):
    """The last two axes exchanged."""
    return transpose(x, -2, -1)


def diagonal_of(x):
    """The diagonals of the matrices."""
    return x.diagonal(0, -2, -1)


def diagonal_matrices(x):
    """The matrices with these diagonals."""
    n = x.shape[-1]
    return place_diagonal(x, (*x.shape, n), 0, x.ndim - 1, x.ndim)


def identity_like(x):
    return make_tensor(np.eye(x.shape[-1], dtype=x.dtype))


def named(name, *fields):
    """A tuple of tensors whose places have names."""
    return type(name, (tuple,), {"__slots__": (), **{f: property(itemgetter(i)) for i, f in enumerate(fields)}})


QR = named("QR", "Q", "R")
SlogDet = named("SlogDet", "sign", "logabsdet")
LeastSquares = named("LeastSquares", "solution", "residuals", "rank", "singular_values")
Eigh = named("Eigh", "eigenvalues", "eigenvectors")


# --- inverses and systems of equations --------------------------------------------------------------------------------


@primitive(method=False, on_host=True)
def inv(A, /):
    """The inverse of square matrices.

    >>> import minigrad
    >>> minigrad.linalg.inv(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    matrices("linalg.inv", A, square=True)
    return lapack("linalg.inv", np.linalg.inv, A)


@inv.vjp("A")
def _(g, out):
    return -matmul(matmul(mT(out), g), mT(out))


def well_conditioned(draw, n, batch=()):
    """Matrices that differ from 5 times the identity by less than 2 in each row."""
    return draw.array((*batch, n, n), -0.5, 0.5) + 5.0 * np.eye(n, dtype=draw.dtype)


@inv.cases
def _(draw):
    return (well_conditioned(draw, draw.choice(1, 2, 3), draw.choice((), (2,))),), {}


@primitive(method=False, on_host=True)
def solve_matrices(A, B, /):
    """The matrices X with A @ X = B, the axes before the last two being broadcast."""
    check_one_dtype("linalg.solve", A, B)
    matrices("linalg.solve", A, square=True)
    matrices("linalg.solve", B)
    if A.shape[-1] != B.shape[-2]:
        raise RuntimeError(f"linalg.solve: {A.shape[-1]} equations do not fit a right-hand side of {B.shape[-2]} rows: {A.shape}, {B.shape}")
    return lapack("linalg.solve", np.linalg.solve, A, B)


@solve_matrices.vjp("B")
def _(g, A):
    return solve_matrices(mT(A), g)


@solve_matrices.vjp("A")
def _(g, out, A):
    return -matmul(solve_matrices(mT(A), g), mT(out))


@solve_matrices.cases
def _(draw):
    n = draw.choice(1, 2, 3)
    return (well_conditioned(draw, n, draw.choice((), (2,))), draw.array((*draw.choice((), (2,)), n, draw.choice(1, 2)))), {}


def is_vector(A, B):
    """Does B stand for vectors and not for matrices? (torch's rule)"""
    return B.ndim == 1 or A.ndim - 1 == B.ndim and B.shape == A.shape[:-1]


@of_tensors
def solve(A, B, *, left=True):
    """The X with A @ X = B, or with `left=False` X @ A = B; B may be a vector, or a batch of them.

    Raises:
        RuntimeError: a matrix is not square, or singular.

    >>> import minigrad
    >>> minigrad.linalg.solve(minigrad.tensor([[2.0, 0.0], [0.0, 4.0]]), minigrad.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    matrices("linalg.solve", A, square=True)
    if is_vector(A, B):
        if not left:
            raise RuntimeError("linalg.solve: left=False is for matrices B, not for vectors")
        return solve_matrices(A, B.unsqueeze(-1)).squeeze(-1)
    return solve_matrices(A, B) if left else mT(solve_matrices(mT(A), mT(B)))


@of_tensors
def solve_triangular(input, B, *, upper, left=True, unitriangular=False):
    """The X with input @ X = B, or with `left=False` X @ input = B, where only one triangle of input counts.

    Args:
        input: square matrices.
        B: matrices.
        upper: which triangle counts.
        unitriangular: take input's diagonal as ones.
    """
    matrices("linalg.solve_triangular", input, square=True)
    matrices("linalg.solve_triangular", B)
    triangle = triu(input, int(unitriangular)) if upper else tril(input, -int(unitriangular))
    if unitriangular:
        triangle = triangle + identity_like(input)
    return solve_matrices(triangle, B) if left else mT(solve_matrices(mT(triangle), mT(B)))


@primitive(method=False, on_host=True)
def pseudo_inverse(A, /, atol, rtol, hermitian):
    """The pseudo-inverse: singular values not above max(atol, rtol * the largest) count as 0."""
    matrices("linalg.pinv", A, square=hermitian)
    if hermitian:
        values, left = eigen("linalg.pinv", A)
        right, sizes = np.swapaxes(left, -2, -1), np.abs(values)
    else:
        left, values, right = singular("linalg.pinv", A)
        sizes = values
    atol, rtol = (np.asarray(a)[..., None] for a in (atol, rtol))  # one for each matrix, if they are arrays
    limit = np.maximum(atol, rtol * sizes.max(-1, keepdims=True, initial=0.0))
    small = sizes <= limit
    inverse = np.where(small, 0, 1 / np.where(small, 1, values)).astype(A.dtype)
    return np.swapaxes(right, -2, -1) @ (inverse[..., None] * np.swapaxes(left, -2, -1))


@pseudo_inverse.vjp("A")
def _(g, out, A):  # Golub and Pereyra, "The differentiation of pseudo-inverses" (1973): the rank is taken as constant
    around = g - matmul(out, matmul(A, g))  # (I - A+ A) g
    beyond = g - matmul(matmul(g, A), out)  # g (I - A A+)
    return (
        matmul(mT(beyond), matmul(out, mT(out)))
        + matmul(matmul(mT(out), out), mT(around))
        - matmul(matmul(mT(out), g), mT(out))
    )


@pseudo_inverse.cases
def _(draw):
    n = draw.choice(2, 1, 3)
    wide = well_conditioned(draw, 3)[:n]
    return (draw.choice(wide, wide.T.copy()), 0.0, 1e-12, False), {}


@of_tensors
def pinv(input, *, atol=None, rtol=None, hermitian=False):
    """The Moore-Penrose pseudo-inverse, with singular values up to max(atol, rtol * the largest) taken as 0.

    Args:
        input: matrices of any shape.
        atol: 0 by default.
        rtol: by default the larger side times the dtype's precision, or 0 if an atol is given.
        hermitian: whether input is symmetric, which is taken from its lower triangle.
    """
    matrices("linalg.pinv", input)
    if rtol is None:
        rtol = 0.0 if atol is not None else max(input.shape[-2:]) * float(np.finfo(input.dtype).eps)
    return pseudo_inverse(input, 0.0 if atol is None else as_array(atol), as_array(rtol), hermitian)


@of_tensors
def lstsq(input, b, rcond=None, *, driver=None):
    """The X of least |input @ X - b|: (solution, residuals, rank, singular_values).

    Args:
        input: (..., m, n).
        b: (..., m, k) or (..., m).
        rcond: singular values up to this fraction of the largest count as 0; by default the larger side times the precision.
        driver: LAPACK's name of a method. The result is that of "gelsd"; singular values are given for "gelsd" and "gelss" only.

    The residuals, sums of squares, are empty unless m > n, all ranks are full and a driver other than "gelsy", the default, is named.
    """
    matrices("linalg.lstsq", input)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"linalg.lstsq: driver must be 'gels', 'gelsy', 'gelsd' or 'gelss', got {driver!r}")
    vector = is_vector(input, b)
    right = b.unsqueeze(-1) if vector else b
    m, n = input.shape[-2:]
    if right.ndim < 2 or right.shape[-2] != m:
        raise RuntimeError(f"linalg.lstsq: {m} equations do not fit a right-hand side of shape {b.shape}: input has shape {input.shape}")
    rcond = max(m, n) * float(np.finfo(input.dtype).eps) if rcond is None else rcond
    solution = matmul(pseudo_inverse(input, 0.0, rcond, False), right)
    values = np.linalg.svd(input.array, compute_uv=False)
    rank = (values > rcond * values.max(-1, keepdims=True, initial=0.0)).sum(-1)
    residuals = zeros(0, dtype=input.dtype)
    if m > n and driver not in (None, "gelsy") and bool((rank == n).all()):
        error = matmul(input, solution) - right
        residuals = sum(error * error, -2)
        residuals = residuals.squeeze(-1) if vector else residuals
    return LeastSquares((
        solution.squeeze(-1) if vector else solution,
        residuals,
        make_tensor(np.asarray(rank, np.int64)) if driver != "gels" else make_tensor(np.zeros(0, np.int64)),
        make_tensor(values) if driver in ("gelsd", "gelss") else zeros(0, dtype=input.dtype),
    ))  # fmt: skip


# --- determinants -----------------------------------------------------------------------------------------------------


@primitive(on_host=True)
def det(A, /):
    """The determinant of square matrices.

    >>> import minigrad
    >>> minigrad.linalg.det(minigrad.tensor([[1.0, 2.0], [3.0, 5.0]]))
    tensor(-1.)
    """
    matrices("linalg.det", A, square=True)
    return np.linalg.det(A).astype(A.dtype)


@det.vjp("A")
def _(g, out, A):
    n = A.shape[-1]
    g = g.unsqueeze(-1).unsqueeze(-1)
    if n == 0 or bool((np.linalg.matrix_rank(to_host(A.array)) == n).all()):
        return g * out.unsqueeze(-1).unsqueeze(-1) * mT(inv(A))
    return g * cofactors(A)


def cofactors(A):
    """For each element the determinant of the rest of the matrix, with its sign: the slopes of the determinant, also of singular matrices."""
    n = A.shape[-1]
    if n == 1:
        return A * 0.0 + 1.0
    others = placed(np.array([[j for j in range(n) if j != i] for i in range(n)]), A.device)
    minors = get(A, (..., others[:, None, :, None], others[None, :, None, :]))
    return det(minors) * make_tensor(placed((1.0 - 2.0 * (np.indices((n, n)).sum(0) % 2)).astype(A.dtype), A.device))


@det.cases
def _(draw):
    n = draw.choice(2, 1, 3)
    return (draw.array((*draw.choice((), (2,)), n, n)),), {}


@primitive(method=False, on_host=True, aux=1)
def log_abs_det(A, /):
    """log |det(A)| of square matrices, and the determinant's sign."""
    matrices("linalg.slogdet", A, square=True)
    signs, logs = np.linalg.slogdet(A)
    return np.asarray(logs, A.dtype), np.asarray(signs, A.dtype)


@log_abs_det.vjp("A")
def _(g, A):
    return g.unsqueeze(-1).unsqueeze(-1) * mT(inv(A))


@log_abs_det.cases
def _(draw):
    return (well_conditioned(draw, draw.choice(1, 2, 3), draw.choice((), (2,))),), {}


@function
def slogdet(A):
    """The sign and the logarithm of the absolute value of the determinant: (sign, logabsdet)."""
    logs, signs = log_abs_det(A)
    return SlogDet((signs, logs))


@function
def logdet(input):
    """The logarithm of the determinant; NaN if that is negative."""
    logs, signs = log_abs_det(input)
    return where(signs < 0, math.nan, logs)


# --- decompositions ---------------------------------------------------------------------------------------------------


@primitive(method=False, on_host=True, tested_by="ops/test_decompositions.py")
def lower_cholesky(A, /):
    """The lower triangular L with L @ L.mT = A, for symmetric positive definite matrices, of which the lower triangle is read."""
    matrices("linalg.cholesky", A, square=True)
    return lapack("linalg.cholesky", np.linalg.cholesky, A)


@lower_cholesky.vjp("A")
def _(g, out):  # Murray, "Differentiation of the Cholesky decomposition" (2016)
    inner = tril(matmul(mT(out), g))
    inner = inner - 0.5 * diagonal_matrices(diagonal_of(inner))
    upper = mT(out)
    outer = solve_matrices(upper, mT(solve_matrices(upper, mT(inner))))
    return 0.5 * (outer + mT(outer))


@of_tensors
def cholesky_factor(input, *, upper=False):
    """The lower triangular L with L @ L.mT = input (or with `upper` the U = L.mT), for symmetric positive definite matrices."""
    if upper:
        return mT(lower_cholesky(mT(input)))
    return lower_cholesky(input)


@function
def cholesky(input, upper=False):
    """The lower triangular L with L @ L.mT = input, or with `upper` the U = L.mT."""
    return cholesky_factor(input, upper=upper)


@primitive(method=False, on_host=True, parts=True)
def orthogonal_triangular(A, /, mode):
    """A = Q @ R with orthonormal columns in Q and an upper triangular R."""
    matrices("linalg.qr", A)
    return tuple(np.linalg.qr(A, mode))


@orthogonal_triangular.vjp("A")
def _(g, A, mode):  # Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020)
    m, n = A.shape[-2:]
    if mode == "complete" and m > n:
        raise RuntimeError(f"linalg.qr: with mode='complete' there is a gradient only up to as many rows as columns, got shape {A.shape}")
    g_q, g_r = g
    q, r = orthogonal_triangular(A, mode)
    if m >= n:
        return square_part(q, r, g_q, g_r)
    left, right = r[..., :m], A[..., m:]
    g_left, g_right = g_r[..., :m], g_r[..., m:]
    g_square = square_part(q, left, g_q + matmul(right, mT(g_right)), g_left)
    beside = matmul(q, g_right)
    shape = (*g_square.shape[:-1], n)
    return set_columns(g_square, shape, 0, m) + set_columns(beside, shape, m, n)


def square_part(q, r, g_q, g_r):
    """The gradient of A = q @ r where r is square."""
    inner = triu(matmul(g_r, mT(r)) - matmul(mT(q), g_q))
    symmetric = inner + mT(inner) - diagonal_matrices(diagonal_of(inner))
    return mT(solve_matrices(r, mT(g_q + matmul(q, symmetric))))


def set_columns(x, shape, start, stop):
    """Zeros of a shape with x in these columns."""
    return put_at(x, shape, (..., slice(start, stop)))


@orthogonal_triangular.cases
def _(draw):
    m, n = draw.choice((2, 2), (3, 2), (2, 3), (1, 1))
    return (well_conditioned(draw, 3)[:m, :n].copy(), "reduced"), {}


@function
def qr(input, some=True):
    """A = Q @ R with orthonormal columns in Q and an upper triangular R: (Q, R). With `some=False` Q is square."""
    return QR(orthogonal_triangular(input, "reduced" if some else "complete"))


@of_tensors
def orthogonal(A, mode="reduced"):
    """A = Q @ R with orthonormal columns in Q and an upper triangular R: (Q, R).

    Args:
        A: (..., m, n).
        mode: "reduced" gives Q of shape (..., m, min(m, n)); "complete" gives a square Q; "r" gives an empty Q.
    """
    if mode == "r":
        if A.requires_grad:
            raise RuntimeError("linalg.qr: there is no gradient with mode='r', since Q is not computed; use mode='reduced'")
        r = make_tensor(np.linalg.qr(A.array, "r"))
        return QR((zeros(0, dtype=A.dtype), r))
    if mode not in ("reduced", "complete"):
        raise RuntimeError(f"linalg.qr: mode must be 'reduced', 'complete' or 'r', got {mode!r}")
    return QR(orthogonal_triangular(A, mode))


@primitive(method=False, on_host=True, parts=True, tested_by="ops/test_decompositions.py")
def symmetric_eigen(A, /, UPLO):
    """The eigenvalues, in ascending order, and the eigenvectors of symmetric matrices."""
    matrices("linalg.eigh", A, square=True)
    return tuple(eigen("linalg.eigh", A, UPLO))


@symmetric_eigen.vjp("A")
def _(g, A, UPLO):
    g_values, g_vectors = g
    values, vectors = symmetric_eigen(A, UPLO)
    turned = matmul(mT(vectors), g_vectors)  # only its skew part moves the vectors
    inner = 0.5 * divided_by_gaps(turned - mT(turned), values) + diagonal_matrices(g_values)
    return matmul(matmul(vectors, inner), mT(vectors))


def divided_by_gaps(x, values):
    """x[i][j] / (values[j] - values[i]), and 0 between equal ones, whose vectors no derivative tells apart."""
    gaps = values.unsqueeze(-2) - values.unsqueeze(-1)
    equal = gaps == 0
    return where(equal, 0.0, x / where(equal, 1.0, gaps))


def separated(draw, n):
    """Symmetric matrices with eigenvalues near 0, 6, 12, ..."""
    a = draw.array((n, n), -0.5, 0.5)
    return a + a.T + 6.0 * np.diag(np.arange(1, n + 1)).astype(draw.dtype)


@of_tensors
def eigh(A, UPLO="L"):
    """The eigenvalues, in ascending order, and the eigenvectors (columns) of symmetric matrices, read from one triangle.

    The gradient with respect to the vectors is not defined where eigenvalues are equal, nor is the vectors' sign.
    """
    return Eigh(symmetric_eigen(A, check_triangle("linalg.eigh", UPLO)))


@of_tensors
def eigvalsh(input, UPLO="L"):
    """The eigenvalues of symmetric matrices in ascending order, read from the lower ("L") or the upper triangle ("U")."""
    return symmetric_eigen(input, check_triangle("linalg.eigvalsh", UPLO))[0]


def check_triangle(op, UPLO):
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"{op}: UPLO must be 'L' or 'U', got {UPLO!r}")
    return str(UPLO).upper()


@primitive(method=False, on_host=True, parts=True)
def thin_svd(A, /):
    """A = U @ diag(S) @ Vh, with as many singular values, in descending order, as the shorter side is long."""
    matrices("linalg.svd", A)
    return tuple(singular("linalg.svd", A))


@thin_svd.vjp("A")
def _(g, A):  # Townsend, "Differentiating the singular value decomposition" (2016)
    g_u, g_s, g_vh = g
    u, s, vh = thin_svd(A)
    v, g_v = mT(vh), mT(g_vh)
    squares = s * s
    left, right = matmul(mT(u), g_u), matmul(vh, g_v)
    rows, columns = s.unsqueeze(-1), s.unsqueeze(-2)
    inner = divided_by_gaps(left - mT(left), squares) * columns + rows * divided_by_gaps(right - mT(right), squares)
    out = matmul(matmul(u, inner + diagonal_matrices(g_s)), vh)
    inverse = where(s == 0, 0.0, 1.0 / where(s == 0, 1.0, s))
    if A.shape[-2] > s.shape[-1]:
        out = out + matmul((g_u - matmul(u, left)) * inverse.unsqueeze(-2), vh)
    if A.shape[-1] > s.shape[-1]:
        out = out + matmul(u, mT((g_v - matmul(v, right)) * inverse.unsqueeze(-2)))
    return out


@thin_svd.cases
def _(draw):
    a = separated(draw, 3)
    return (draw.choice(a[:2, :2], a[:2], a[:, :2].copy()),), {}


@of_tensors
def svdvals(A, *, driver=None):
    """The singular values of matrices, in descending order."""
    return thin_svd(A)[1]


# --- products ---------------------------------------------------------------------------------------------------------


@function
def matrix_power(input, n):
    """The n-th power of square matrices; of their inverses for negative n."""
    if input.ndim < 2 or input.shape[-1] != input.shape[-2] or input.dtype.kind == "b":
        raise RuntimeError(f"linalg.matrix_power: expected square matrices of numbers, got {input.dtype} of shape {input.shape}")
    n = as_int("linalg.matrix_power", "the exponent", n)
    if n < 0:
        input, n = inv(input), -n
    if n == 0:
        return copy(input, identity_like(input))
    if n == 1:
        return input.clone()
    out = None
    while n:  # by repeated squaring
        if n % 2:
            out = input if out is None else matmul(out, input)
        n //= 2
        input = matmul(input, input) if n else input
    return out


@of_tensors
def multi_dot(tensors):
    """The matrix product of two or more matrices, in the order that takes the fewest multiplications; the ends may be vectors.

    The order is found as in Cormen et al., "Introduction to Algorithms", 15.2.
    """
    tensors = list(tensors)
    n = len(tensors)
    if n < 2:
        raise RuntimeError(f"linalg.multi_dot: expected at least 2 tensors, got {n}")
    first, last = tensors[0].ndim == 1, tensors[-1].ndim == 1
    if first:
        tensors[0] = tensors[0].unsqueeze(0)
    if last:
        tensors[-1] = tensors[-1].unsqueeze(1)
    for i, x in enumerate(tensors):
        if x.ndim != 2:
            raise RuntimeError(f"linalg.multi_dot: expected matrices (vectors at the ends), got shape {x.shape} at place {i}")
        if i and tensors[i - 1].shape[1] != x.shape[0]:
            raise RuntimeError(f"linalg.multi_dot: tensors {i - 1} and {i}, of shapes {tensors[i - 1].shape} and {x.shape}, cannot be multiplied")
    sides = [x.shape[0] for x in tensors] + [tensors[-1].shape[1]]
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [(cost[i][k] + cost[k + 1][j] + sides[i] * sides[k + 1] * sides[j + 1], k) for k in range(i, j)]
            cost[i][j], cut[i][j] = min(options)

    def product(i, j):
        return tensors[i] if i == j else matmul(product(i, cut[i][j]), product(cut[i][j] + 1, j))

    out = product(0, n - 1)
    if first:
        out = out.squeeze(0)
    return out.squeeze(-1) if last else out


@of_tensors
def cross_product(input, other, *, dim=-1):
    """The cross product of 3-vectors along an axis, the other axes being broadcast."""
    if input.ndim != other.ndim:
        raise RuntimeError(f"linalg.cross: expected as many dimensions in both, got shapes {input.shape} and {other.shape}")
    dim = check_dim("linalg.cross", dim, input.ndim)
    if input.ndim == 0 or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(f"linalg.cross: dimension {dim} must have length 3, got shapes {input.shape} and {other.shape}")
    before = (slice(None),) * dim
    next_one, one_after = (*before, np.array([1, 2, 0])), (*before, np.array([2, 0, 1]))
    return get(input, next_one) * get(other, one_after) - get(input, one_after) * get(other, next_one)


@function
def cross(input, other, dim=None):
    """The cross product of 3-vectors along an axis, by default the first of length 3."""
    if dim is None:
        lengths = np.broadcast_shapes(input.shape, other.shape)
        if 3 not in lengths:
            raise RuntimeError(f"cross: no dimension has length 3: shapes {input.shape} and {other.shape}")
        dim = lengths.index(3)
    return cross_product(input, other, dim=dim)


@of_tensors
def vecdot(x, y, *, dim=-1):
    """The sum of the products of elements along an axis, the other axes being broadcast."""
    if x.dtype.kind != "f" or y.dtype.kind != "f":
        raise RuntimeError(f"linalg.vecdot: expected floats, got {x.dtype} and {y.dtype}")
    return sum(x * y, dim)


@function
def inverse(input):
    """The inverse of square matrices: linalg.inv."""
    return inv(input)


@function
def pinverse(input, rcond=1e-15):
    """The pseudo-inverse of matrices: linalg.pinv with a relative tolerance."""
    return pinv(input, rtol=rcond)
