"""The Jacobian, row by row or column by column, and the Hessian, which is the Jacobian of the gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from minigrad.core.modes import enable_grad
from minigrad.core.tensor import Tensor
from minigrad.ops import stack, zeros, zeros_like

from .values import (
    Tensors,
    called,
    check_gradients,
    check_single,
    filled,
    prepared,
    pull_back,
    pull_back_along_zeros,
    tensors_of,
)

__all__ = ["hessian", "jacobian"]


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivatives of each element of a function's output with respect to each element of its input.

    Args:
        func: a function of tensors that returns a tensor or a tuple of them.
        inputs: its argument, a tensor, or several, a tuple.
        create_graph: make the result differentiable.
        strict: refuse an input that an output does not depend on, instead of giving zeros.
        vectorize: accepted for torch's sake; the result is the same.
        strategy: "reverse-mode" takes a backward for each element of the output, "forward-mode" one for each element of the input, of the
            graph of backward: for functions with more outputs than inputs.

    Returns:
        a tensor of the output's shape followed by the input's; for several inputs a tuple of these, for several outputs a tuple of those.

    Raises:
        TypeError: something is not a tensor.
        ValueError: there is no such strategy.
        RuntimeError: strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import jacobian
    >>> jacobian(lambda x, y: x * y, (minigrad.tensor([1.0, 2.0]), minigrad.tensor(3.0)))
    (tensor([[3., 0.],
            [0., 3.]]), tensor([1., 2.]))
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"jacobian: expected strategy 'reverse-mode' or 'forward-mode', got {strategy!r}")
    inputs_are_tuple, inputs = tensors_of("jacobian", "inputs", inputs)
    with enable_grad():
        inputs = prepared(inputs, create_graph)
        is_tuple, outputs = called("jacobian", func, inputs, strict)
        make = by_rows if strategy == "reverse-mode" else by_columns
        blocks = make(outputs, inputs, create_graph, strict)
    if not create_graph:
        blocks = tuple(tuple(block.detach() for block in row) for row in blocks)
    found = blocks if inputs_are_tuple else tuple(row[0] for row in blocks)
    return found if is_tuple else found[0]


def unit_vectors(x: Tensor) -> Iterator[Tensor]:
    """For each element a tensor of x's shape with 1 there and 0 elsewhere."""
    for i in range(x.numel()):
        unit = zeros(x.numel(), dtype=x.dtype)
        unit[i] = 1
        yield unit.reshape(x.shape)


def block_of(parts: list[Tensor], shape: tuple[int, ...], dim: int, dtype: Any) -> Tensor:
    """Rows or columns put together, in the shape of a block."""
    return stack(parts, dim).reshape(shape) if parts else zeros(shape, dtype=dtype)


def by_rows(outputs: Tensors, inputs: Tensors, create_graph: bool, strict: bool) -> tuple[Tensors, ...]:
    """The blocks of the Jacobian by a pull-back of each unit cotangent."""
    blocks = []
    for i, out in enumerate(outputs):
        what = f"Output {i} of the user-provided function"
        rows = [
            filled(
                "jacobian",
                pull_back((out,), inputs, (unit,), create_graph, keep=True),
                inputs,
                strict,
                create_graph,
                what,
            )
            for unit in unit_vectors(out.detach())
        ]
        columns = zip(*rows, strict=True) if rows else [()] * len(inputs)
        blocks.append(
            tuple(
                block_of(list(column), (*out.shape, *x.shape), 0, x.dtype)
                for column, x in zip(columns, inputs, strict=True)
            )
        )
    return tuple(blocks)


def by_columns(outputs: Tensors, inputs: Tensors, create_graph: bool, strict: bool) -> tuple[Tensors, ...]:
    """The blocks of the Jacobian by a push-forward of each unit vector."""
    pulled, cotangents = pull_back_along_zeros(outputs, inputs)
    if strict:
        filled("jacobian", pulled, inputs, strict, True, "The output of the user-provided function")
    blocks: list[list[Tensor]] = [[] for _ in outputs]
    for slope, x in zip(pulled, inputs, strict=True):
        columns: list[list[Tensor]] = [[] for _ in outputs]
        for unit in unit_vectors(x.detach()):
            carried = pull_back((slope,), cotangents, (unit,), create_graph, keep=True)
            for column, g, out in zip(columns, carried, outputs, strict=True):
                column.append(zeros_like(out) if g is None else g)
        for row, column, out in zip(blocks, columns, outputs, strict=True):
            row.append(block_of(column, (*out.shape, *x.shape), -1, out.dtype))
    return tuple(tuple(row) for row in blocks)


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a scalar function.

    Args:
        func: a function of tensors that returns a tensor of one element.
        inputs: its argument, a tensor, or several, a tuple.
        create_graph: make the result differentiable.
        strict: refuse an input that the function or its gradient does not depend on, instead of giving zeros.
        vectorize: accepted for torch's sake; the result is the same.
        outer_jacobian_strategy: the strategy for the Jacobian of the gradient, as in `jacobian`.

    Returns:
        a tensor of the input's shape twice; for several inputs a tuple of tuples of the blocks.

    Raises:
        TypeError: something is not a tensor.
        ValueError: there is no such strategy.
        RuntimeError: the function is not scalar; strict mode finds something independent.

    >>> import minigrad
    >>> from minigrad.autograd.functional import hessian
    >>> hessian(lambda x: (x**3).sum(), minigrad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    inputs_are_tuple, inputs = tensors_of("hessian", "inputs", inputs)

    def gradient(*x: Tensor) -> Tensors:
        is_tuple, outputs = called("hessian", func, x, strict)
        check_single("hessian", is_tuple, outputs)
        slopes = pull_back(outputs, x, (None,), create_graph=True)
        check_gradients("hessian", slopes, strict, "jacobian")
        return filled("hessian", slopes, x, strict, strict, "The output of the user-provided function")

    blocks = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks if inputs_are_tuple else blocks[0][0]
