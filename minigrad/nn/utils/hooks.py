"""What the reparametrisations that work by hooks have in common."""

from __future__ import annotations

from typing import Any

from minigrad.nn.checks import expect
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter


def parameter_of(op: str, module: Module, name: str) -> Parameter:
    """The parameter of this name."""
    expect(op, "name", name, str)
    if name not in module._parameters:
        raise AttributeError(
            f"{op}: {type(module).__name__} has no parameter {name!r}; it has {list(module._parameters)}"
        )
    return module._parameters[name]


def take_hook(module: Module, kind: type, name: str, remove: bool) -> Any:
    """The forward pre-hook of this kind for this parameter, taken off if asked; None if there is none."""
    expect(kind.__name__, "module", module, Module)
    for entry in module._hooks.forward_pre if module._hooks is not None else []:
        hook: Any = entry[0]
        if isinstance(hook, kind) and getattr(hook, "name", None) == name:
            if remove:
                module._hook_table().forward_pre.remove(entry)
            return hook
    return None
