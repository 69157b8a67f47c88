"""The parameters of a model as one long vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor
from minigrad.nn.checks import expect
from minigrad.ops.joining import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, one after the other.

    >>> import minigrad
    >>> parameters_to_vector([minigrad.zeros(2, 2), minigrad.ones(1)])
    tensor([0., 0., 0., 0., 1.])
    """
    parameters = list(parameters)
    for parameter in parameters:
        expect("parameters_to_vector", "each parameter", parameter, Tensor)
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Writes a vector, as from parameters_to_vector, into the parameters.

    Raises TypeError if vec is no tensor, ValueError if it has another length than all parameters together.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor, but got {type(vec).__name__}")
    parameters = list(parameters)
    for parameter in parameters:
        expect("vector_to_parameters", "each parameter", parameter, Tensor)
    total = sum(parameter.numel() for parameter in parameters)
    if vec.numel() != total:
        raise ValueError(f"vector_to_parameters: the parameters have {total} elements but the vector has {vec.numel()}")
    start = 0
    with no_grad():
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.copy_(vec[start:stop].reshape(parameter.shape))
            start = stop
