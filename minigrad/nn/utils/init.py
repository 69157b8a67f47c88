"""Modules without the time to initialise them, for weights that are loaded anyway."""

from __future__ import annotations

from inspect import signature
from typing import Any, TypeVar

from minigrad.nn.module import Module

AnyModule = TypeVar("AnyModule", bound=Module)


def skip_init(module_cls: type[AnyModule], *args: Any, **kwargs: Any) -> AnyModule:
    """module_cls(*args, **kwargs), its parameters being memory that is not initialised.

    Raises RuntimeError if it is no module, or one whose constructor does not take a device.

    >>> import minigrad
    >>> skip_init(minigrad.nn.Linear, 2, 3).weight.shape
    (3, 2)
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"skip_init: Expected a Module; got {module_cls}")
    if "device" not in signature(module_cls).parameters:
        raise RuntimeError(f"skip_init: {module_cls.__name__} must support a 'device' arg to skip initialization")

    def leave(module: Any) -> None:
        """In the place of the method that draws the initial weights."""

    bare: Any = type(module_cls.__name__, (module_cls,), {"reset_parameters": leave, "_reset_parameters": leave})
    module = bare(*args, **kwargs)
    module.__class__ = module_cls
    return module  # type: ignore[no-any-return]
