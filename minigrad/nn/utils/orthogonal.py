"""Matrices that stay orthogonal: maps of unconstrained matrices onto orthogonal ones (Lezcano-Casado, 2019)."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.module import Module
from minigrad.nn.utils.parametrize import register_parametrization
from minigrad.ops.creation import eye
from minigrad.ops.joining import cat
from minigrad.ops.linalg import matmul
from minigrad.ops.random import randn

AnyModule = TypeVar("AnyModule", bound=Module)
MAPS = ("matrix_exp", "cayley", "householder")
TERMS = 18  # of the exponential's series: enough for float64 where the norm is at most 1/2


def matrix_exponential(a: Any) -> Any:
    """exp of square matrices (*, n, n): its series at a / 2**s, squared s times."""
    norm = float(np.abs(a.array).sum(-1).max(initial=0.0))
    squarings = max(0, math.ceil(math.log2(norm)) + 1) if norm > 0.5 and math.isfinite(norm) else 0
    scaled = a / 2**squarings
    identity = eye(a.shape[-1], dtype=a.dtype)
    total = identity + scaled / TERMS
    for k in range(TERMS - 1, 0, -1):  # Horner's scheme
        total = identity + matmul(scaled, total) / k
    for _ in range(squarings):
        total = matmul(total, total)
    return total


def cayley_transform(a: Any) -> Any:
    """(I + a / 2) (I - a / 2)^-1."""
    identity = eye(a.shape[-1], dtype=a.dtype)
    return matmul((identity - a / 2).inverse(), identity + a / 2)


def householder_product(reflectors: Any) -> Any:
    """The first columns of the product of the reflections at the columns of (*, n, k), below whose diagonal of ones the rest stands."""
    n, k = reflectors.shape[-2:]
    below = reflectors.tril(-1)
    factors = 2 / (1 + (below * below).sum(-2))
    vectors = below + eye(n, k, dtype=below.dtype)
    product = eye(n, k, dtype=below.dtype)
    for i in range(k - 1, -1, -1):
        vector = vectors[..., i : i + 1]
        product = product - factors[..., None, i : i + 1] * vector * matmul(vector.mT, product)
    return product


def orthogonalised(matrix: Any) -> Any:
    """Q of the QR decomposition whose R has a positive diagonal."""
    q, r = np.linalg.qr(matrix.array)
    return make_tensor(q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[..., None, :])


def is_orthogonal(matrix: Any) -> bool:
    """Are the columns orthonormal, up to rounding?"""
    q = matrix.array
    away = np.abs(np.swapaxes(q, -1, -2) @ q - np.eye(q.shape[-1], dtype=q.dtype)).max(initial=0.0)
    return bool(away < 10 * q.shape[-2] * np.finfo(q.dtype).eps)


class _Orthogonal(Module):
    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, weight: Any) -> Any:
        wide = weight.shape[-2] < weight.shape[-1]
        tall = weight.mT if wide else weight
        n, k = tall.shape[-2:]
        if self.orthogonal_map == "householder":
            signs = make_tensor(np.trunc(np.diagonal(tall.array, axis1=-2, axis2=-1)))  # 1 and -1, which are not learned
            q = householder_product(tall) * signs.unsqueeze(-2)
        else:
            lower = tall.tril()
            if n != k:
                lower = cat([lower, lower.new_zeros(*lower.shape[:-2], n, n - k)], -1)
            skew = lower - lower.mT
            q = (matrix_exponential if self.orthogonal_map == "matrix_exp" else cayley_transform)(skew)[..., :k]
        if self.use_trivialization:
            q = matmul(self.base, q)
        return q.mT if wide else q

    def right_inverse(self, matrix: Any) -> Any:
        if matrix.shape != self.shape:
            raise ValueError(
                f"orthogonal: Expected a matrix or batch of matrices of shape {tuple(self.shape)}. "
                f"Got a tensor of shape {tuple(matrix.shape)}."
            )
        wide = matrix.shape[-2] < matrix.shape[-1]
        with no_grad():
            tall = matrix.mT if wide else matrix
            n, k = tall.shape[-2:]
            if not self.use_trivialization:
                if self.orthogonal_map != "householder":
                    raise NotImplementedError(
                        "orthogonal: It is not possible to assign to the matrix exponential or the Cayley parametrizations "
                        "when use_trivialization=False."
                    )
                reflectors = _reflectors_of(tall.array)
                return make_tensor(np.swapaxes(reflectors, -1, -2).copy() if wide else reflectors)
            if n != k:
                base = orthogonalised(cat([tall, randn(*tall.shape[:-2], n, n - k, dtype=tall.dtype)], -1))
            else:
                base = tall.clone() if is_orthogonal(tall) else orthogonalised(tall)
            self.base = base
            return -eye(*matrix.shape[-2:], dtype=matrix.dtype).expand(matrix.shape).clone()


def _reflectors_of(matrix: Any) -> Any:
    """Reflectors whose product is Q of the QR decomposition with a positive diagonal of R, with signs on their diagonal."""
    raw, factors = np.linalg.qr(matrix, mode="raw")
    reflectors = np.swapaxes(raw, -1, -2).copy()
    signs = np.sign(np.diagonal(reflectors, axis1=-2, axis2=-1))
    places = np.arange(reflectors.shape[-1])
    # LAPACK gives a factor of exactly 0 where it reflects nothing; a factor of 2 / (1 + 0) does.
    reflectors[..., places, places] = np.where(factors == 0, -signs, signs)
    return reflectors


def orthogonal(
    module: AnyModule, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> AnyModule:
    """Has a module use an orthogonal matrix, or a batch of them, as its weight; returns the module.

    orthogonal_map: "matrix_exp" or "cayley" of a skew-symmetric matrix, or "householder", a product of reflections; by default the first for
    square matrices and the last for others. use_trivialization: the map is taken around the present weight, which training starts from.
    Raises ValueError if there is no tensor of this name, or one with less than 2 axes, or for another map.

    >>> import minigrad
    >>> layer = orthogonal(minigrad.nn.Linear(20, 40))
    >>> minigrad.allclose(layer.weight.T @ layer.weight, minigrad.eye(20), atol=1e-5)
    True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"orthogonal: Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}')
    return register_parametrization(module, name, _Orthogonal(weight, orthogonal_map, use_trivialization), unsafe=True)
