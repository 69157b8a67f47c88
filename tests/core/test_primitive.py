"""@primitive: how an operation is defined, what a call accepts, and what wrong definitions and calls are told."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import grad
from minigrad.core.primitive import REGISTRY, primitive
from minigrad.core.tensor import TABLE


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Operations that a test defines leave no trace."""
    operations, table, methods = dict(REGISTRY), dict(TABLE), set(vars(Tensor))
    yield
    for known, before in ((REGISTRY, operations), (TABLE, table)):
        for name in set(known) - set(before):
            del known[name]
        known.update(before)
    for name in set(vars(Tensor)) - methods:
        delattr(Tensor, name)


def define_cube() -> Any:
    @primitive
    def cube(input, /):  # type: ignore[no-untyped-def]
        """input ** 3."""
        return input**3

    @cube.vjp("input")
    def _(g, input):  # type: ignore[no-untyped-def]
        return 3 * input * input * g

    return cube


def test_a_new_operation_in_five_lines() -> None:
    cube = define_cube()
    x = minigrad.tensor(2.0, requires_grad=True)
    y: Any = cube(x)
    for expected in (12.0, 12.0, 6.0):
        (y,) = grad(y, x, create_graph=True)
        assert y.item() == expected
    assert x.cube().item() == 8.0
    assert (cube.__name__, cube.__doc__, repr(cube)) == ("cube", "input ** 3.", "<primitive cube>")
    assert REGISTRY["cube"] is cube


def test_what_a_rule_may_ask_for() -> None:
    seen = {}

    @primitive(method=False)
    def scaled(input, other=None, /, power=2, *, factor=1.0):  # type: ignore[no-untyped-def]
        return factor * input**power if other is None else factor * input**power + other

    @scaled.vjp("input")
    def _(g, out, input, other_shape, power, factor):  # type: ignore[no-untyped-def]
        seen.update(out=out.tolist(), other_shape=other_shape, power=power, factor=factor)
        return g * factor * power * input ** (power - 1)

    @scaled.vjp("other")
    def _(g):  # type: ignore[no-untyped-def]
        return g

    x, y = minigrad.tensor([3.0], requires_grad=True), minigrad.ones(2, 1, requires_grad=True)
    scaled(x, y, 3, factor=2.0).sum().backward()
    assert seen == {"out": [[55.0], [55.0]], "other_shape": (2, 1), "power": 3, "factor": 2.0}
    assert x.grad.tolist() == [2 * 2.0 * 3 * 9.0]
    assert y.grad.tolist() == [[1.0], [1.0]]
    scaled(x, None, 2).backward()
    assert seen["other_shape"] == ()


def test_a_joint_rule() -> None:
    calls = []

    @primitive(method=False)
    def product(a, b, /):  # type: ignore[no-untyped-def]
        return a * b

    @product.vjp("a", "b")
    def _(g, a, b):  # type: ignore[no-untyped-def]
        calls.append(1)
        return g * b, g * a

    x, y = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(5.0, requires_grad=True)
    product(x, y).backward()
    assert (x.grad.item(), y.grad.item(), calls) == (5.0, 2.0, [1])
    z = minigrad.tensor(7.0)
    product(z, y).backward()
    assert (z.grad, y.grad.item()) == (None, 9.0)


def test_a_rule_runs_only_where_its_input_needs_a_gradient() -> None:
    ran = []

    @primitive(method=False)
    def both(a, b, /):  # type: ignore[no-untyped-def]
        return a + b

    @both.vjp("a")
    def _(g):  # type: ignore[no-untyped-def]
        ran.append("a")
        return g

    @both.vjp("b")
    def _(g):  # type: ignore[no-untyped-def]
        ran.append("b")
        return g

    x, y = minigrad.ones(1), minigrad.ones(1, requires_grad=True)
    both(x, y).backward()
    assert ran == ["b"]


def test_outputs_without_gradient() -> None:
    @primitive(method=False, aux=2)
    def parts(input, /):  # type: ignore[no-untyped-def]
        return input * 2, np.floor(input), input.argmax()[None]

    @parts.vjp("input")
    def _(g, aux):  # type: ignore[no-untyped-def]
        floor, place = aux
        return g * 2 + 0 * floor + 0 * place

    x = minigrad.tensor([1.5, 2.5], requires_grad=True)
    out, floor, place = parts(x)
    assert (out.requires_grad, floor.requires_grad, place.requires_grad) == (True, False, False)
    assert (floor.tolist(), place.tolist()) == ([1.0, 2.0], [1])
    out.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_several_outputs_with_gradients() -> None:
    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    a, b, c = x.unbind()
    (a * c).backward(retain_graph=True)
    assert x.grad.tolist() == [3.0, 0.0, 1.0]
    b.backward()
    assert x.grad.tolist() == [3.0, 1.0, 1.0]


# --- wrong definitions ------------------------------------------------------------------------------------------------


def test_an_unknown_parameter_of_a_rule() -> None:
    cube = define_cube()
    with pytest.raises(TypeError, match=r"cube\.vjp: no value is called 'x'; expected out, aux, one of \('input',\)"):

        @cube.vjp("input")
        def _(g, x):  # type: ignore[no-untyped-def]
            return g

    with pytest.raises(TypeError, match="no value is called 'aux'"):

        @cube.vjp("input")
        def _(g, aux):  # type: ignore[no-untyped-def]
            return g


def test_a_rule_for_an_unknown_input() -> None:
    cube = define_cube()
    with pytest.raises(TypeError, match=r"cube\.vjp: no input is called 'other'; the inputs are \('input',\)"):
        cube.vjp("other")(lambda g: g)


def test_a_rule_with_the_wrong_number_of_gradients() -> None:
    @primitive(method=False)
    def pair(a, b, /):  # type: ignore[no-untyped-def]
        return a * b

    @pair.vjp("a", "b")
    def _(g):  # type: ignore[no-untyped-def]
        return (g,)

    x = minigrad.ones(1, requires_grad=True)
    with pytest.raises(RuntimeError, match="backward: the vjp of pair gave 1 gradients for 2 inputs"):
        pair(x, x).backward()


# --- calls ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: minigrad.exp(), "exp: argument 'input' is missing"),
        (lambda x: minigrad.add(x), "add: argument 'other' is missing"),
        (lambda x: minigrad.add(x, x, beta=1), r"add: unknown argument 'beta'; it takes \('input', 'other', 'alpha'\)"),
        (lambda x: minigrad.add(x, x, 2), r"add: expected at most 2 positional arguments \('input', 'other'\), got 3"),
        (lambda x: x.transpose(0), "transpose: argument 'dim1' is missing"),
        (lambda x: x.transpose(0, 1, dim0=1), "transpose: argument 'dim0' is given twice"),
        (lambda x: minigrad.exp(x, input=x), "exp: unknown argument 'input'|exp: argument 'input' is given twice"),
        (lambda x: x.sum(0, True, 3), "sum: expected at most 3 positional arguments"),
        (lambda x: x.softmax(), "softmax: argument 'dim' is missing"),
    ],
)
def test_wrong_arguments(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(minigrad.ones(2, 2))


def test_arguments_by_name_and_by_place() -> None:
    x, y = minigrad.ones(2, 3), minigrad.full((2, 3), 2.0)
    assert minigrad.add(input=x, other=y, alpha=2).tolist() == minigrad.add(x, y, alpha=2).tolist() == [[5.0] * 3] * 2
    assert minigrad.add(x, other=y).tolist() == [[3.0] * 3] * 2
    assert x.sum(1, True).shape == x.sum(dim=1, keepdim=True).shape == (2, 1)
    assert x.reshape(3, 2).shape == x.reshape((3, 2)).shape == x.reshape([3, 2]).shape == x.reshape(shape=(3, 2)).shape == (3, 2)


def test_errors_of_arrays_name_the_operation_and_its_operands() -> None:
    with pytest.raises(RuntimeError, match=r"^matmul: the inner lengths differ: 3 in shape \(2, 3\), 4 in shape \(4, 5\)$"):
        minigrad.ones(2, 3) @ minigrad.ones(4, 5)
    with pytest.raises((RuntimeError, TypeError), match=r"^bitwise_and: .*input float32\[2\]"):
        minigrad.ones(2) & minigrad.ones(2)


def test_primitives_can_be_pickled() -> None:
    for name in ("exp", "conv", "matmul"):
        assert pickle.loads(pickle.dumps(REGISTRY[name])) is REGISTRY[name]


# --- the user's line --------------------------------------------------------------------------------------------------


def place_of(x: Tensor) -> str:
    return str(x.grad_fn.place)


def test_a_node_knows_the_users_line() -> None:
    x = minigrad.ones(2, 2, requires_grad=True)
    results = [
        x.exp(),
        x + 1,
        minigrad.nn.functional.linear(x, x),
        x.var(),
        x[0],
        minigrad.stack([x, x]),
    ]
    first = test_a_node_knows_the_users_line.__code__.co_firstlineno
    for i, result in enumerate(results):
        assert re.fullmatch(rf".*test_primitive\.py:{first + 3 + i}: .*", place_of(result)), place_of(result)


def test_the_line_of_a_call_that_spans_several() -> None:
    def model(x: Tensor) -> Tensor:
        hidden = x * 2
        return hidden.exp()

    x = minigrad.ones(1, requires_grad=True)
    assert place_of(model(x)).endswith(f"test_primitive.py:{model.__code__.co_firstlineno + 2}: return hidden.exp()")
