"""Keeping gradients within bounds, in place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.ops.creation import tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    gradients: list[Any] = [parameter.grad for parameter in parameters]
    return [gradient for gradient in gradients if gradient is not None]


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all tensors taken as one vector.

    error_if_nonfinite: raise RuntimeError if it is NaN or infinite.

    >>> import minigrad
    >>> get_total_norm([minigrad.tensor([3.0]), minigrad.tensor([[4.0]])])
    tensor(5.)
    """
    if isinstance(tensors, Tensor):
        tensors = [tensors]
    norm_type = float(norm_type)
    with no_grad():
        # In float64: the square of a float32 above 1.8e19 is no float32.
        norms = [one.detach().double().norm(norm_type).item() for one in tensors]
    total = tensor(norms, dtype="float64").norm(norm_type).item() if norms else 0.0
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return tensor(total)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales the gradients down, in place, so that the norm of all of them as one vector is at most max_norm; returns what it was.

    foreach: there is one implementation, so this changes nothing. Raises RuntimeError for a norm that is not finite, if asked to
    (Pascanu et al., 2013).

    >>> import minigrad
    >>> weight = minigrad.tensor([0.0, 0.0], requires_grad=True)
    >>> weight.grad = minigrad.tensor([3.0, 4.0])
    >>> clip_grad_norm_([weight], max_norm=1.0)
    tensor(5.)
    >>> weight.grad
    tensor([0.6000, 0.8000])
    """
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    factor = float(max_norm) / (total.item() + 1e-6)
    if not factor >= 1:  # a NaN norm makes the gradients NaN, as in torch, rather than leave them as they are
        with no_grad():
            for gradient in gradients:
                gradient.mul_(factor)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Brings every element of the gradients into [-clip_value, clip_value], in place.

    foreach: there is one implementation, so this changes nothing.
    """
    bound = float(clip_value)
    with no_grad():
        for gradient in _gradients(parameters):
            gradient.clamp_(-bound, bound)
