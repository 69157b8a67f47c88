"""Weight normalisation: a weight learned as length times direction (Salimans and Kingma, 2016)."""

from __future__ import annotations

from typing import Any, TypeVar

from minigrad.core.tensor import Tensor
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter, is_lazy
from minigrad.nn.utils.hooks import parameter_of, take_hook

AnyModule = TypeVar("AnyModule", bound=Module)


def norm_except_dim(v: Tensor, dim: int | None) -> Any:
    """The norms of the slices of v along dim, shaped to broadcast to v; the norm of all of v for None or -1, as in torch."""
    if dim is None or dim == -1:
        return v.norm()
    if not -v.ndim <= dim < v.ndim:
        raise IndexError(f"weight_norm: expected dim between {-v.ndim} and {v.ndim - 1}, got {dim}")
    others = [axis for axis in range(v.ndim) if axis != dim % v.ndim]
    return v.norm(2, others, True) if others else v.abs()


def scaled_to(v: Tensor, g: Tensor, dim: int | None) -> Any:
    """v with its slices along dim brought to the lengths g."""
    return v * (g / norm_except_dim(v, dim))


class WeightNorm:
    """The hook that computes module.<name> from <name>_g and <name>_v before each forward."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = dim

    def compute_weight(self, module: Module) -> Any:
        """The weight that the present length and direction stand for."""
        return scaled_to(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: AnyModule, name: str = "weight", dim: int | None = 0) -> AnyModule:
    """Has a module learn its parameter `name` as lengths <name>_g and directions <name>_v; returns the module.

    dim: the axis of the slices that have a length each; None for one length. nn.utils.parametrizations.weight_norm is the newer form.
    Raises RuntimeError if the parameter is normalised already, AttributeError if there is none, ValueError if it has no shape yet.

    >>> import minigrad
    >>> layer = weight_norm(minigrad.nn.Linear(20, 40))
    >>> layer.weight_g.shape, layer.weight_v.shape
    ((40, 1), (40, 20))
    """
    if take_hook(module, WeightNorm, name, remove=False) is not None:
        raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
    weight = parameter_of("weight_norm", module, name)
    if is_lazy(weight):
        raise ValueError(
            "The module passed to `WeightNorm` can't have uninitialized parameters. "
            "Make sure to run the dummy forward before applying weight normalization"
        )
    hook = WeightNorm(name, dim)
    delattr(module, name)
    module.register_parameter(f"{name}_g", Parameter(norm_except_dim(weight.detach(), dim)))
    module.register_parameter(f"{name}_v", Parameter(weight.detach()))
    hook(module, ())
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: AnyModule, name: str = "weight") -> AnyModule:
    """Makes the weight a parameter of its own again, with its present value; returns the module.

    Raises ValueError if weight_norm was not applied to it.
    """
    hook = take_hook(module, WeightNorm, name, remove=True)
    if hook is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    weight = hook.compute_weight(module)
    for suffix in ("", "_g", "_v"):
        delattr(module, name + suffix)
    setattr(module, name, Parameter(weight.detach()))
    return module
