"""Derivatives as functions."""

from ..core.engine import backward, grad
from ..core.modes import enable_grad, no_grad, set_grad_enabled

# The function takes the place of its module, as in torch.
from .gradcheck import GradcheckError, KinkWarning, gradcheck, gradgradcheck

__all__ = [
    "GradcheckError", "KinkWarning", "backward", "enable_grad", "grad", "gradcheck", "gradgradcheck", "no_grad", "set_grad_enabled",
]  # fmt: skip
