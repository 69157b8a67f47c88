"""Spectral normalisation: a weight divided by its largest singular value, for discriminators of GANs (Miyato et al., 2018)."""

from __future__ import annotations

from typing import Any, TypeVar

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.nn.conv import _TransposedConvolution
from minigrad.nn.functional import normalize
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, is_lazy
from minigrad.nn.utils.hooks import parameter_of, take_hook

AnyModule = TypeVar("AnyModule", bound=Module)


def output_axis(module: Module) -> int:
    """The axis of a layer's weight that stands for its outputs."""
    return 1 if isinstance(module, _TransposedConvolution) else 0


def as_matrix(weight: Tensor, dim: int) -> Any:
    """The weight as a matrix whose rows are its slices along dim."""
    axes = [dim, *[axis for axis in range(weight.ndim) if axis != dim]]
    return weight.permute(axes).flatten(1) if dim else weight.flatten(1)


class SpectralNorm:
    """The hook that computes module.<name> from <name>_orig before each forward.

    Power iteration finds the largest singular value: in training each call goes a few steps on from the vectors <name>_u and <name>_v.
    """

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"spectral_norm: Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight divided by its largest singular value, as far as the vectors know it."""
        weight, u, v = (getattr(module, self.name + suffix) for suffix in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                left, right = u, v
                for _ in range(self.n_power_iterations):
                    right = normalize(matrix.t().mv(left), dim=0, eps=self.eps)
                    left = normalize(matrix.mv(right), dim=0, eps=self.eps)
                u.copy_(left)
                v.copy_(right)
        # Copies: the next call will write into the buffers, and the backward of this one may still want their values.
        return weight / u.clone().dot(matrix.mv(v.clone()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: AnyModule, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> AnyModule:
    """Has a module use its parameter `name` divided by its largest singular value; returns the module.

    The parameter is called <name>_orig from then on. n_power_iterations: steps towards the singular value in each call in training.
    dim: the axis of the outputs, by default 1 for transposed convolutions and 0 otherwise.
    Raises RuntimeError if the parameter is normalised already, AttributeError if there is none, ValueError if it has no shape yet or
    n_power_iterations is not positive.

    >>> import minigrad
    >>> layer = spectral_norm(minigrad.nn.Linear(20, 40))
    >>> layer.weight_u.shape
    (40,)
    """
    if take_hook(module, SpectralNorm, name, remove=False) is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    hook = SpectralNorm(name, n_power_iterations, output_axis(module) if dim is None else dim, eps)
    weight = parameter_of("spectral_norm", module, name)
    if is_lazy(weight):
        raise ValueError(
            "The module passed to `SpectralNorm` can't have uninitialized parameters. "
            "Make sure to run the dummy forward before applying spectral normalization"
        )
    rows, columns = as_matrix(weight.detach(), hook.dim).shape
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for suffix, size in (("_u", rows), ("_v", columns)):
        module.register_buffer(name + suffix, normalize(weight.detach().new_empty(size).normal_(), dim=0, eps=eps))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: AnyModule, name: str = "weight") -> AnyModule:
    """Makes the weight a parameter of its own again, with its present value; returns the module.

    Raises ValueError if spectral_norm was not applied to it.
    """
    hook = take_hook(module, SpectralNorm, name, remove=True)
    if hook is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    with no_grad():
        weight = hook.compute_weight(module, do_power_iteration=False)
    for suffix in ("", "_u", "_v", "_orig"):
        delattr(module, name + suffix)
    module.register_parameter(name, Parameter(weight.detach()))
    return module
