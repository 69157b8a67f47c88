"""Ready-made parametrisations: weight, spectral and orthogonal ones."""

from __future__ import annotations

from typing import Any, TypeVar

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.nn.functional import normalize
from minigrad.nn.module import Module
from minigrad.nn.utils.orthogonal import orthogonal
from minigrad.nn.utils.parametrize import register_parametrization
from minigrad.nn.utils.spectral_norm import as_matrix, output_axis
from minigrad.nn.utils.weight_norm import norm_except_dim, scaled_to

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

AnyModule = TypeVar("AnyModule", bound=Module)


def _tensor_of(module: Module, name: str) -> Tensor:
    tensor = getattr(module, name, None)
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return tensor


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Any:
        return scaled_to(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Any, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: AnyModule, name: str = "weight", dim: int | None = 0) -> AnyModule:
    """Has a module learn a weight as lengths (original0) and directions (original1); returns it (Salimans and Kingma, 2016).

    dim: the axis of the slices that have a length each; None for one length. Raises ValueError if there is no tensor of this name.

    >>> import minigrad
    >>> layer = weight_norm(minigrad.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape
    (40, 1)
    """
    _tensor_of(module, name)
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(f"spectral_norm: expected dim between {-ndim} and {ndim - 1}, got {dim}")
        if n_power_iterations <= 0:
            raise ValueError(
                f"spectral_norm: Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            rows, columns = matrix.shape
            self._u: Tensor
            self._v: Tensor
            self.register_buffer("_u", normalize(matrix.new_empty(rows).normal_(), dim=0, eps=eps))
            self.register_buffer("_v", normalize(matrix.new_empty(columns).normal_(), dim=0, eps=eps))
            self._iterate(matrix, 15)

    def _iterate(self, matrix: Any, steps: int) -> None:
        with no_grad():
            for _ in range(steps):
                self._u.copy_(normalize(matrix.mv(self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(matrix.t().mv(self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Any:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        # Copies: the next call will write into the buffers, and the backward of this one may still want their values.
        return weight / self._u.clone().dot(matrix.mv(self._v.clone()))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: AnyModule, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> AnyModule:
    """Has a module use a weight divided by its largest singular value; returns the module (Miyato et al., 2018).

    Power iteration finds that value: n_power_iterations steps each time the weight is used in training. dim: the axis of the outputs,
    by default 1 for transposed convolutions and 0 otherwise. Raises ValueError if there is no tensor of this name or n_power_iterations
    is not positive, IndexError for a dim that is not there.

    >>> import minigrad
    >>> layer = spectral_norm(minigrad.nn.Linear(20, 40))
    >>> abs(minigrad.linalg.matrix_norm(layer.weight, 2).item() - 1) < 0.1
    True
    """
    weight = _tensor_of(module, name)
    norm = _SpectralNorm(weight, n_power_iterations, output_axis(module) if dim is None else dim, eps)
    return register_parametrization(module, name, norm)
