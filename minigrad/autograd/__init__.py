"""Derivatives: backward and grad, functions that give derivatives, operations of one's own, and what looks into the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.engine import backward, grad
from ..core.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from . import function, graph, variable
from .anomaly import detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
from .function import Function

# The function takes the place of its module, as in torch.
from .gradcheck import GradcheckError, KinkWarning, gradcheck, gradgradcheck
from .variable import Variable

if TYPE_CHECKING:
    from . import functional

__all__ = [
    "Function", "GradcheckError", "KinkWarning", "Variable", "backward", "detect_anomaly", "enable_grad", "grad", "gradcheck", "gradgradcheck",
    "inference_mode", "is_anomaly_check_nan_enabled", "is_anomaly_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled",
]  # fmt: skip


if not TYPE_CHECKING:  # for type checkers a module with this function has every name

    def __getattr__(name):
        """What few programs need is imported when it is first asked for."""
        from importlib import import_module

        if name == "functional":
            return import_module(".functional", __name__)
        raise AttributeError(f"module 'minigrad.autograd' has no attribute {name!r}")
