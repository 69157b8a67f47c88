"""Derivatives of functions: products with the Jacobian and the Hessian, and these matrices themselves."""

from .matrices import hessian, jacobian
from .products import hvp, jvp, vhp, vjp

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]
