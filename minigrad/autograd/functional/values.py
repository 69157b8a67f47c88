"""What the functions of this package share: tuples in and out, checks, and the two ways to carry a vector through a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.engine import grad
from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor
from minigrad.ops import zeros_like

Tensors = tuple[Tensor, ...]


def tensors_of(op: str, what: str, x: Any) -> tuple[bool, Tensors]:
    """Whether it is a tuple, and the tensors as one."""
    is_tuple = isinstance(x, tuple)
    found: tuple[Any, ...] = x if is_tuple else (x,)
    for i, one in enumerate(found):
        if not isinstance(one, Tensor):
            where = f"the value at index {i}" if is_tuple else "it"
            raise TypeError(
                f"{op}: The {what} given to {op} must be either a Tensor or a tuple of Tensors, but {where} is {type(one).__name__}"
            )
    return is_tuple, found


def prepared(inputs: Tensors, create_graph: bool, need_graph: bool = True) -> Tensors:
    """Inputs of their own, whose derivatives are asked for: connected with the caller's graph only if there is to be a larger one."""
    return tuple(
        x.view(x.shape) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph) for x in inputs
    )


def called(op: str, func: Callable[..., Any], inputs: Tensors, strict: bool) -> tuple[bool, Tensors]:
    """What the function returns."""
    is_tuple, outputs = tensors_of(op, "outputs of the user-provided function", func(*inputs))
    if strict:
        for i, out in enumerate(outputs):
            if not out.requires_grad:
                raise RuntimeError(
                    f"{op}: Output {i} of the user-provided function does not require gradients. In strict mode the outputs must be "
                    "computed from the inputs by differentiable operations"
                )
    return is_tuple, outputs


def vector_for(op: str, v: Any, refs: Tensors, refs_are_tuple: bool, create_graph: bool, what: str) -> Tensors:
    """The vector v, checked against the tensors that it belongs to; 1 for a single element."""
    if v is None:
        if len(refs) != 1 or refs[0].numel() != 1:
            raise RuntimeError(
                f"{op}: The vector v can only be None if {what} is a single Tensor with a single element"
            )
        return (zeros_like(refs[0]) + 1,)
    _, vectors = tensors_of(op, "v", v)
    if len(vectors) != len(refs):
        if refs_are_tuple:
            raise RuntimeError(f"{op}: v is a tuple of invalid length: should be {len(refs)} but got {len(vectors)}")
        raise RuntimeError(f"{op}: The given v should contain a single Tensor, got {len(vectors)}")
    for i, (x, ref) in enumerate(zip(vectors, refs, strict=True)):
        if x.shape != ref.shape:
            entry = f"Entry {i} in " if refs_are_tuple else ""
            raise RuntimeError(f"{op}: {entry}v has invalid size: should be {ref.shape} but got {x.shape}")
    return prepared(vectors, create_graph, need_graph=False)


def pull_back(
    outputs: Any, inputs: Tensors, v: Any, create_graph: bool, keep: bool = False
) -> tuple[Tensor | None, ...]:
    """v times the Jacobian: the cotangents of the outputs carried to the inputs; None for an input that none depends on."""
    pairs = [(out, w) for out, w in zip(outputs, v, strict=True) if out is not None and out.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    roots, cotangents = zip(*pairs, strict=True)
    found: tuple[Tensor | None, ...] = grad(
        roots, inputs, cotangents, create_graph or keep, create_graph, allow_unused=True
    )
    return found


def pull_back_along_zeros(outputs: Any, inputs: Tensors) -> tuple[tuple[Tensor | None, ...], Tensors]:
    """The linear map cotangents -> pull_back(cotangents), as a graph, with its arguments.

    Its own pull_back is the Jacobian times a vector: the transpose of the transpose. Where it is evaluated makes no difference.
    """
    with enable_grad():
        cotangents = tuple(zeros_like(out, requires_grad=True) for out in outputs)
        return pull_back(outputs, inputs, cotangents, create_graph=True), cotangents


def filled(op: str, found: Any, refs: Tensors, strict: bool, create_graph: bool, what: str) -> Tensors:
    """Zeros where no derivative was found: refused in strict mode, as is a derivative that depends on nothing if it is to have a graph."""
    if strict:
        for i, g in enumerate(found):
            if g is None:
                raise RuntimeError(f"{op}: {what} is independent of input {i}. This is not allowed in strict mode")
            if create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"{op}: the derivative of {what} is independent of input {i}. This is not allowed in strict mode when create_graph=True"
                )
    return tuple(zeros_like(ref) if g is None else g for g, ref in zip(found, refs, strict=True))


def given_back(found: Tensors, is_tuple: bool, create_graph: bool) -> Any:
    """The results as the caller gave the arguments: a tuple or one tensor; without a graph unless that was asked for."""
    out = found if create_graph else tuple(x.detach() for x in found)
    return out if is_tuple else out[0]


def check_single(op: str, is_tuple: bool, outputs: Tensors) -> None:
    """Refuses a function that is not scalar."""
    if is_tuple:
        raise RuntimeError(f"{op}: The function given to {op} should return a single Tensor, got a tuple")
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"{op}: The Tensor returned by the function given to {op} should contain a single element, got {outputs[0].shape}"
        )


def check_gradients(op: str, gradients: Any, strict: bool, what: str) -> None:
    """In strict mode, refuses first derivatives that are constant, where second ones are asked for."""
    if not strict:
        return
    for i, g in enumerate(gradients):
        if g is None:
            raise RuntimeError(
                f"{op}: The output of the user-provided function is independent of input {i}. This is not allowed in strict mode"
            )
        if not g.requires_grad:
            raise RuntimeError(
                f"{op}: the {what} of the user-provided function with respect to input {i} is independent of the input. This is not allowed "
                f"in strict mode (it is so of a linear function, for example)"
            )
