"""Settings that scripts for torch make: those that mean something here take effect, the others are kept and answered."""

from __future__ import annotations

from typing import Any

from .dtypes import set_default_dtype


def set_default_tensor_type(t: Any) -> None:
    """Sets the default dtype by a type such as minigrad.DoubleTensor; older scripts do, new ones call set_default_dtype."""
    set_default_dtype(getattr(t, "dtype", t))


def typename(obj: Any) -> str:
    """The name of a tensor's type, or of an object's class with its module.

    >>> import minigrad
    >>> minigrad.typename(minigrad.ones(1))
    'minigrad.FloatTensor'
    """
    from .tensor import TABLE, Tensor

    if isinstance(obj, Tensor):
        return str(TABLE["type"](obj))
    return f"{type(obj).__module__}.{type(obj).__qualname__}" if type(obj).__module__ != "builtins" else type(obj).__qualname__
