"""Views by strides, and memory that is exchanged: as_strided (with its primitive, strided_view) and set_."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import grad, gradcheck, gradgradcheck

# size, stride and offset of a view of 12 elements
VIEWS: dict[str, tuple[Any, ...]] = {
    "whole": ((12,), (1,), 0), "transposed": ((4, 3), (1, 4), 0), "windows": ((10, 3), (1, 1), 0), "diagonal": ((3,), (5,), 0), "offset": ((2, 2), (4, 1), 5),
    "expanded": ((3, 2), (0, 1), 2), "element": ((), (), 7), "empty": ((0, 3), (3, 1), 0), "the last": ((1,), (9,), 11),
}  # fmt: skip
BASES: dict[str, Any] = {  # how the input lies in its memory
    "plain": lambda x: x, "matrix": lambda x: x.reshape(3, 4), "transposed": lambda x: x.reshape(3, 4).t(), "part": lambda x: x.reshape(3, 4)[1:, :2],
    "expanded": lambda x: x[4:6].expand(2, 2),
}  # fmt: skip


def numbers() -> Any:
    return np.arange(12.0) ** 2


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("view", [name for name in VIEWS if name != "empty"])  # whose gradient depends on nothing in torch
def test_as_strided_equals_that_of_torch_with_its_gradient(view: str, base: str) -> None:
    torch = pytest.importorskip("torch")
    results = []
    for m in (minigrad, torch):
        x = m.from_numpy(numbers()).requires_grad_()
        y = m.as_strided(BASES[base](x), *VIEWS[view])
        weight = m.arange(1.0, y.numel() + 1, dtype=m.float64).reshape(y.shape)
        (g,) = m.autograd.grad((y * y * weight).sum(), x, create_graph=True)
        (h,) = m.autograd.grad((g * g).sum(), x)
        results.append([tuple(y.shape), y.stride(), y.storage_offset(), y.tolist(), g.tolist(), h.tolist()])
    assert results[0] == results[1]


@pytest.mark.parametrize("view", VIEWS)
def test_the_gradients_of_as_strided(view: str) -> None:
    x = minigrad.from_numpy(numbers()).requires_grad_()
    assert gradcheck(lambda x: x.as_strided(*VIEWS[view]).sin(), x)
    assert gradgradcheck(lambda x: x.as_strided(*VIEWS[view]).sin(), x)


def test_without_an_offset_it_starts_where_the_input_does() -> None:
    x = minigrad.arange(12)
    assert x[3:].as_strided((2,), (2,)).tolist() == [3, 5]
    assert x[3:].as_strided((2,), (2,), 0).tolist() == [0, 2]


def test_a_view_by_strides_shares_memory_and_can_be_written() -> None:
    x = minigrad.ones(6, dtype=minigrad.float64, requires_grad=True)
    y = x * 1
    y.as_strided((3,), (2,), 1).mul_(minigrad.tensor([2.0, 3.0, 4.0]))
    assert y.tolist() == [1.0, 2.0, 1.0, 3.0, 1.0, 4.0]
    assert grad((y * y).sum(), x)[0].tolist() == [2.0, 8.0, 2.0, 18.0, 2.0, 32.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((3,), (2,), 8), "as_strided: places 8 to 12 do not all lie in the memory of 12 elements"),
        (((2,), (-1,), 3), "as_strided"),
        (((2,), (1,), -1), "as_strided: expected an offset that is not negative, got -1"),
        (((2, 2), (1,)), "as_strided: 2 lengths but 1 strides"),
        (((-2,), (1,)), "as_strided"),
    ],
)
def test_refusals(arguments: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        minigrad.arange(12).as_strided(*arguments)


def test_as_strided_in_place() -> None:
    x = minigrad.arange(6.0)
    row = x[:3]
    assert x.as_strided_((2, 2), (1, 3), 1) is x
    assert (x.tolist(), x.shape) == ([[1.0, 4.0], [2.0, 5.0]], (2, 2))
    with pytest.raises(RuntimeError, match="as_strided_ has given the tensor"):
        row.mul_(minigrad.ones(3, requires_grad=True))
    for y in (minigrad.ones(3, requires_grad=True), minigrad.ones(3)[1:]):
        with pytest.raises(RuntimeError, match="as_strided_: the tensor has a history or is a view"):
            y.as_strided_((1,), (1,))


def test_set_shares_the_memory_of_another_tensor() -> None:
    x, source = minigrad.zeros(2), minigrad.arange(4.0).reshape(2, 2)
    assert x.set_(source) is x
    source.add_(1)
    assert x.tolist() == source.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    leaf = minigrad.ones(2, requires_grad=True)
    with minigrad.no_grad():
        leaf.set_(minigrad.tensor([5.0]))
    (leaf * 2).sum().backward()
    assert leaf.grad.tolist() == [2.0]


@pytest.mark.parametrize(
    ("x", "source", "kind", "message"),
    [
        (minigrad.zeros(2), minigrad.arange(2), RuntimeError, "set_: expected operands of one dtype"),
        (minigrad.zeros(2), 3.0, TypeError, "set_: expected a tensor, got float"),
        (minigrad.zeros(2, requires_grad=True), minigrad.zeros(2), RuntimeError, "set_: no gradient flows"),
        (minigrad.zeros(2), minigrad.zeros(2, requires_grad=True), RuntimeError, "set_: no gradient flows"),
    ],
)
def test_what_set_refuses(x: Tensor, source: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        x.set_(source)
    assert x.tolist() == [0.0, 0.0]
