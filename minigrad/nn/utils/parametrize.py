"""Parametrisations: a parameter or buffer computed by modules from others, which are what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from typing import Any, TypeVar

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.nn.container import ModuleDict, ModuleList
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter

__all__ = [
    "ParametrizationList", "cached", "is_parametrized", "register_parametrization", "remove_parametrizations",
    "type_before_parametrizations",
]  # fmt: skip

AnyModule = TypeVar("AnyModule", bound=Module)

_cache: dict[tuple[int, str], Any] = {}
_caching = 0


@contextmanager
def cached() -> Iterator[None]:
    """Computes each parametrised tensor only once within a `with` block, for layers that are called several times.

    >>> import minigrad
    >>> from minigrad.nn.utils import parametrizations
    >>> layer = parametrizations.weight_norm(minigrad.nn.Linear(2, 2))
    >>> with cached():
    ...     layer.weight is layer.weight
    True
    """
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


def _register(module: Module, name: str, tensor: Any) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check_same(what: str, got: Any, expected: Tensor) -> None:
    """Refuses a tensor that cannot stand for another one."""
    if not isinstance(got, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(got).__name__}")
    if got.dtype != expected.dtype or got.shape != expected.shape:
        raise ValueError(
            f"{what} may not change the dtype or the shape of the tensor, unless the `unsafe` flag is enabled: expected "
            f"{expected.dtype} of shape {tuple(expected.shape)}, got {got.dtype} of shape {tuple(got.shape)}"
        )


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, applied one after the other, and what they start from.

    That is `original`, or, if the first of them takes several tensors, `original0`, `original1` and so on.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        start: Any = original
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    try:
                        start = module.right_inverse(start)
                    except NotImplementedError:  # it starts from the tensor as it is
                        continue
        self.is_tensor = isinstance(start, Tensor)
        if not self.is_tensor and not isinstance(start, Sequence):
            raise ValueError(
                f"'right_inverse' must return a Tensor or a Sequence of tensors. Got {type(start).__name__}."
            )
        self.ntensors = 1 if self.is_tensor else len(start)
        before = original.detach()
        if isinstance(start, Tensor):
            if start.dtype != original.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype: "
                    f"the original has {original.dtype}, right_inverse(original) {start.dtype}"
                )
            if start is not original:
                original.data = start
            _register(self, "original", original)
        else:
            for i, one in enumerate(start):
                if not isinstance(one, Tensor):
                    raise ValueError(
                        f"'right_inverse' must return tensors. Got element {i} of type {type(one).__name__}."
                    )
                learned = isinstance(original, Parameter)
                _register(self, f"original{i}", Parameter(one.detach(), original.requires_grad) if learned else one)
        if not unsafe:
            _check_same("Registering a parametrization", self(), before)

    def _originals(self) -> list[Any]:
        return [self.original] if self.is_tensor else [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals to what the parametrisations make this value of.

        Raises RuntimeError if one of them has no right_inverse, ValueError if it returns something else than the originals are.
        """
        inverse: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                inverse = module.right_inverse(inverse)
            if not isinstance(inverse, Tensor if self.is_tensor else Sequence):
                kind = "a tensor" if self.is_tensor else "a sequence of tensors"
                raise ValueError(f"'right_inverse' must return {kind}. Got {type(inverse).__name__}.")
            values = [inverse] if self.is_tensor else list(inverse)
            if len(values) != self.ntensors:
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length {len(values)}."
                )
            for original, one in zip(self._originals(), values, strict=True):
                if not isinstance(one, Tensor) or one.dtype != original.dtype:
                    got = one.dtype if isinstance(one, Tensor) else type(one).__name__
                    raise ValueError(f"`right_inverse` returned {got} while the original has dtype {original.dtype}")
                original.data = one

    def forward(self) -> Any:
        first, *others = list(self)
        x = first(*self._originals())
        for module in others:
            x = module(x)
        return x


def _parametrized_property(name: str) -> property:
    def get(module: Any) -> Any:
        if not _caching:
            return module.parametrizations[name]()
        key = (id(module), name)
        if key not in _cache:
            _cache[key] = module.parametrizations[name]()
        return _cache[key]

    def set_original(module: Any, value: Tensor) -> None:
        module.parametrizations[name].right_inverse(value)

    return property(get, set_original)


def _refuse_pickling(module: Any) -> Any:
    raise RuntimeError(
        "Parametrized modules are saved through state_dict() only; save that, or remove the parametrizations first"
    )


def _deep_copy(module: Any, memo: dict[int, Any]) -> Any:
    replica = module.__new__(type(module))
    memo[id(module)] = replica
    vars(replica).update(deepcopy(vars(module), memo))
    return replica


def _adapt_class(module: Any, base: type[Module], names: Sequence[str]) -> None:
    """Gives a module a class with a property for each of these names: properties only work on classes, and others use its own."""
    members = {"__getstate__": _refuse_pickling, "__deepcopy__": _deep_copy, "__module__": base.__module__}
    properties = {name: _parametrized_property(name) for name in names}
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), {**members, **properties}) if names else base


def register_parametrization(
    module: AnyModule, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> AnyModule:
    """Has a module's parameter or buffer computed by another module from what is then learned instead; returns the module.

    What is learned is module.parametrizations.<tensor_name>.original: parametrization.right_inverse(tensor), if there is such a method.
    A second parametrisation is applied to the result of the first. unsafe: it may change dtype and shape.
    Raises ValueError if there is no such tensor, or if dtype or shape change.

    >>> import minigrad
    >>> class Symmetric(minigrad.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).t()
    >>> layer = register_parametrization(minigrad.nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.t()).all())
    True
    >>> list(layer.state_dict())
    ['bias', 'parametrizations.weight.original']
    """
    parametrization.train(module.training)
    target: Any = module
    if is_parametrized(module, tensor_name):
        present = getattr(module, tensor_name)
        if not unsafe:
            _check_same("A parametrization", parametrization(present), present)
            inverse = getattr(parametrization, "right_inverse", None)
            if inverse is not None:
                with suppress(NotImplementedError):
                    _check_same("parametrization.right_inverse", inverse(present), present)
        parametrizations = target.parametrizations[tensor_name]
        parametrizations.append(parametrization)
        parametrizations.unsafe |= unsafe
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    parametrizations = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe)
    base = type_before_parametrizations(module)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        target.parametrizations = ModuleDict()
    target.parametrizations[tensor_name] = parametrizations
    _adapt_class(module, base, list(target.parametrizations))
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this tensor of a module, or any, is parametrised."""
    parametrizations = getattr(module, "parametrizations", None)
    if not isinstance(parametrizations, ModuleDict):
        return False
    return len(parametrizations) > 0 if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: AnyModule, tensor_name: str, leave_parametrized: bool = True) -> AnyModule:
    """Makes a parametrised tensor an ordinary one again; returns the module.

    leave_parametrized: with its present value, otherwise with the original one. Raises ValueError if it is not parametrised, or if
    there is no one original tensor.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    target: Any = module
    parametrizations = target.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name)
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence of tensors."
        )
    base = type_before_parametrizations(module)
    del target.parametrizations[tensor_name]
    _adapt_class(module, base, list(target.parametrizations))
    if not target.parametrizations:
        del target.parametrizations
    _register(module, tensor_name, original)
    return module


def type_before_parametrizations(module: Module) -> type[Module]:
    """The class that a module has without its parametrisations."""
    base: type[Module] = type(module).__bases__[0] if is_parametrized(module) else type(module)
    return base
