"""Keeping gradients within bounds, in place: one compiled pass over all of them for their norm, and one to scale them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad import kernels
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels.driver import is_host
from minigrad.kernels.formula import Formula, clamp
from minigrad.nn.checks import expect
from minigrad.ops.creation import tensor


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    parameters = list(parameters)
    for parameter in parameters:
        expect("clipping gradients", "each parameter", parameter, Tensor)
    gradients: list[Any] = [parameter.grad for parameter in parameters]
    return [gradient for gradient in gradients if gradient is not None]


def _update(tensors: list[Tensor], formula: Formula) -> None:
    """Writes what a formula gives for each tensor into it, once if it is there twice."""
    tensors = list(dict.fromkeys(tensors))
    if tensors:
        kernels.of(tensors[0].array).update(formula, [(one.array,) for one in tensors])
    for one in tensors:
        one.written()


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors taken as one vector.

    error_if_nonfinite: raise RuntimeError if it is NaN or infinite. foreach: there is one implementation, so this changes nothing.

    >>> import minigrad
    >>> get_total_norm([minigrad.tensor([3.0]), minigrad.tensor([[4.0]])])
    tensor(5.)
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for one in tensors:
        expect("get_total_norm", "each tensor", one, Tensor)
        if not one.is_floating_point():
            raise RuntimeError(f"get_total_norm: expected tensors of floats, got {one.dtype}; convert them with .float()")
    norm_type = float(norm_type)
    if not tensors:
        return tensor(0.0)
    if norm_type == 2:
        # Summed in float64: the square of a float32 above 1.8e19 is no float32.
        arrays = [one.array for one in tensors]
        if not is_host(arrays[0]) and not error_if_nonfinite:  # the norm stays on the device, for which nobody waits
            norm = kernels.of(arrays[0]).total_of_squares(arrays) ** 0.5
            return make_tensor(norm.astype(np.result_type(*[one.dtype for one in tensors])))
        total = math.sqrt(kernels.of(arrays[0]).sum_of_squares(arrays))
    else:
        with no_grad():
            norms = [one.detach().double().norm(norm_type).item() for one in tensors]
            total = tensor(norms, dtype="float64").norm(norm_type).item()
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be clipped. "
            "To disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return tensor(total, dtype=np.result_type(*[one.dtype for one in tensors]))


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales the gradients down, in place, by what brings their norm, which is total_norm, to at most max_norm.

    foreach: there is one implementation, so this changes nothing.
    """
    expect("clip_grads_with_norm_", "total_norm", total_norm, Tensor)
    if not is_host(total_norm.array):
        scale = (float(max_norm) / (total_norm.array + 1e-6)).clip(None, 1.0)
        gradients = list(dict.fromkeys(_gradients(parameters)))
        kernels.of(total_norm.array).scale([one.array for one in gradients], scale)
        for one in gradients:
            one.written()
        return
    factor = float(max_norm) / (float(total_norm) + 1e-6)
    if not factor >= 1:  # a NaN norm makes the gradients NaN, as in torch, rather than leave them as they are
        _update(_gradients(parameters), lambda g: (g * factor,))


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
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Brings every element of the gradients into [-clip_value, clip_value], in place.

    foreach: there is one implementation, so this changes nothing.
    """
    bound = float(clip_value)
    _update(_gradients(parameters), lambda g: (clamp(g, -bound, bound),))
