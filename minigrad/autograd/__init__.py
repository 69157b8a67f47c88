"""Derivatives as functions."""

from ..core.engine import backward, grad
from ..core.modes import enable_grad, no_grad, set_grad_enabled

__all__ = ["backward", "enable_grad", "grad", "no_grad", "set_grad_enabled"]
