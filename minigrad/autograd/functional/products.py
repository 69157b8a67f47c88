"""Products with the Jacobian and the Hessian, which need no matrix: a vector is carried through the graph.

A vector-Jacobian product is one backward. A Jacobian-vector product takes two: backward is linear in its cotangent, so its own backward is
the transposed map, which is the one looked for (J. Townsend, "A new trick for calculating Jacobian vector products", 2017). Products with the
Hessian are the same two products with the Jacobian of the gradient (B. Pearlmutter, "Fast exact multiplication by the Hessian", 1994).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad.core.modes import enable_grad

from .values import (
    Tensors,
    called,
    check_gradients,
    check_single,
    filled,
    given_back,
    prepared,
    pull_back,
    pull_back_along_zeros,
    tensors_of,
    vector_for,
)

__all__ = ["hvp", "jvp", "vhp", "vjp"]


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's value, and a vector times its Jacobian.

    Args:
        func: a function of tensors that returns a tensor or a tuple of them.
        inputs: its argument, a tensor, or several, a tuple.
        v: the vector, of the shapes of the output; may be left out for one element.
        create_graph: make value and product differentiable.
        strict: refuse an input that the output does not depend on, instead of giving zeros.

    Returns:
        the value, and the product in the shapes of the inputs.

    Raises:
        TypeError: something is not a tensor.
        RuntimeError: v does not have the output's shape; strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import vjp
    >>> vjp(lambda x: x**2, minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with enable_grad():
        inputs_are_tuple, inputs = tensors_of("vjp", "inputs", inputs)
        inputs = prepared(inputs, create_graph)
        is_tuple, outputs = called("vjp", func, inputs, strict)
        v = vector_for("vjp", v, outputs, is_tuple, create_graph, "the output of the user-provided function")
    found = pull_back(outputs, inputs, v, create_graph)
    product = filled("vjp", found, inputs, strict, create_graph, "The output of the user-provided function")
    return given_back(outputs, is_tuple, create_graph), given_back(product, inputs_are_tuple, create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The function's value, and its Jacobian times a vector, by two backwards.

    Args:
        func: a function of tensors that returns a tensor or a tuple of them.
        inputs: its argument, a tensor, or several, a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make value and product differentiable.
        strict: refuse an input that the output does not depend on, instead of giving zeros.

    Returns:
        the value, and the product in the shapes of the outputs.

    Raises:
        TypeError: something is not a tensor.
        RuntimeError: v does not have the inputs' shapes; strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import jvp
    >>> jvp(lambda x: (x**2).sum(), minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
    (tensor(5.), tensor(42.))
    """
    with enable_grad():
        inputs_are_tuple, inputs = tensors_of("jvp", "inputs", inputs)
        inputs = prepared(inputs, create_graph)
        v = vector_for("jvp", v, inputs, inputs_are_tuple, create_graph, "the input to the user-provided function")
        is_tuple, outputs = called("jvp", func, inputs, strict)
    pulled, cotangents = pull_back_along_zeros(outputs, inputs)
    if strict:
        filled("jvp", pulled, inputs, strict, True, "The output of the user-provided function")
    found = pull_back(pulled, cotangents, v, create_graph)
    product = filled("jvp", found, outputs, strict, create_graph, "The product of the Jacobian")
    return given_back(outputs, is_tuple, create_graph), given_back(product, is_tuple, create_graph)


def gradient(
    op: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[bool, Tensors, Tensors, Tensors, Any]:
    """What both products with the Hessian begin with: inputs, the vector, the value and the gradient, with their graph."""
    with enable_grad():
        inputs_are_tuple, inputs = tensors_of(op, "inputs", inputs)
        inputs = prepared(inputs, create_graph)
        v = vector_for(op, v, inputs, inputs_are_tuple, create_graph, "the input to the user-provided function")
        is_tuple, outputs = called(op, func, inputs, strict)
        check_single(op, is_tuple, outputs)
        slopes = pull_back(outputs, inputs, (None,), create_graph=True)
        check_gradients(op, slopes, strict, "jacobian")
    return inputs_are_tuple, inputs, v, outputs, slopes


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a scalar function, and a vector times its Hessian.

    Args:
        func: a function of tensors that returns a tensor of one element.
        inputs: its argument, a tensor, or several, a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make value and product differentiable.
        strict: refuse an input that the gradient does not depend on, instead of giving zeros.

    Returns:
        the value, and the product in the shapes of the inputs.

    Raises:
        TypeError: something is not a tensor.
        RuntimeError: the function is not scalar; v does not have the inputs' shapes; strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import vhp
    >>> vhp(lambda x: (x**3).sum(), minigrad.tensor([1.0, 2.0]), minigrad.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    inputs_are_tuple, inputs, v, outputs, slopes = gradient("vhp", func, inputs, v, create_graph, strict)
    found = pull_back(slopes, inputs, v, create_graph)
    product = filled("vhp", found, inputs, strict, create_graph, "The jacobian of the user-provided function")
    return given_back(outputs, False, create_graph), given_back(product, inputs_are_tuple, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a scalar function, and its Hessian times a vector.

    Where second derivatives are continuous the Hessian is symmetric, and `vhp` gives the same with one backward less.

    Args:
        func: a function of tensors that returns a tensor of one element.
        inputs: its argument, a tensor, or several, a tuple.
        v: the vector, of the shapes of the inputs; may be left out for one element.
        create_graph: make value and product differentiable.
        strict: refuse an input that the gradient does not depend on, instead of giving zeros.

    Returns:
        the value, and the product in the shapes of the inputs.

    Raises:
        TypeError: something is not a tensor.
        RuntimeError: the function is not scalar; v does not have the inputs' shapes; strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import hvp
    >>> hvp(lambda x, y: (x * x * y).sum(), (minigrad.tensor([2.0]), minigrad.tensor([3.0])), (minigrad.tensor([1.0]), minigrad.tensor([10.0])))
    (tensor(12.), (tensor([46.]), tensor([4.])))
    """
    inputs_are_tuple, inputs, v, outputs, slopes = gradient("hvp", func, inputs, v, create_graph, strict)
    known = [(slope, x, w) for slope, x, w in zip(slopes, inputs, v, strict=True) if slope is not None]
    pulled, cotangents = pull_back_along_zeros([slope for slope, _, _ in known], inputs)
    if strict:
        filled("hvp", pulled, inputs, strict, True, "The jacobian of the user-provided function")
    carried = iter(pull_back(pulled, cotangents, v, create_graph))
    found = [None if slope is None else next(carried) for slope in slopes]
    product = filled("hvp", found, inputs, strict, create_graph, "The product of the Hessian")
    return given_back(outputs, False, create_graph), given_back(product, inputs_are_tuple, create_graph)
