"""Function: the examples of torch's documentation, and what backward and messages must get right."""

from __future__ import annotations

import gc
import re
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor
from minigrad.autograd import Function, grad, gradcheck, gradgradcheck
from minigrad.autograd.function import once_differentiable
from minigrad.core.primitive import REGISTRY


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


# --- torch's examples -------------------------------------------------------------------------------------------------


class Exp(Function):
    @staticmethod
    def forward(ctx: Any, i: Tensor) -> Tensor:
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (result,) = ctx.saved_tensors
        return grad_output * result


class LinearFunction(Function):
    @staticmethod
    def forward(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        input, weight, bias = inputs
        ctx.save_for_backward(input, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Any:
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class MulConstant(Function):
    @staticmethod
    def forward(tensor: Tensor, constant: float) -> Tensor:
        return tensor * constant

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        _, constant = inputs
        ctx.set_materialize_grads(False)
        ctx.constant = constant

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor | None) -> Any:
        if grad_output is None:
            return None, None
        return grad_output * ctx.constant, None


class Cube(Function):
    """Saves an intermediate value by making it an output."""

    @staticmethod
    def forward(x: Tensor) -> tuple[Tensor, Tensor]:
        return x**3, 3 * x**2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0], output[1])

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, grad_slope: Tensor) -> Tensor:
        x, slope = ctx.saved_tensors
        return grad_output * slope + grad_slope * 6 * x


class Sinh(Function):
    """Saves intermediate values and returns them, so that double backward knows them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        expx, expnegx = minigrad.exp(x), minigrad.exp(-x)
        ctx.save_for_backward(expx, expnegx)
        return (expx - expnegx) / 2, expx, expnegx

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor, grad_exp: Tensor, grad_negexp: Tensor) -> Tensor:
        expx, expnegx = ctx.saved_tensors
        return grad_out * (expx + expnegx) / 2 + grad_exp * expx - grad_negexp * expnegx


class LegendrePolynomial3(Function):
    @staticmethod
    def forward(ctx: Any, input: Tensor) -> Tensor:
        ctx.save_for_backward(input)
        return 0.5 * (5 * input**3 - 3 * input)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        (input,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * input**2 - 1)


class Sort(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        values, indices = x.sort()
        ctx.mark_non_differentiable(indices)
        ctx.save_for_backward(x, indices)
        return values, indices

    @staticmethod
    def backward(ctx: Any, g1: Tensor, g2: Tensor) -> Tensor:
        x, indices = ctx.saved_tensors
        return minigrad.zeros_like(x).index_add(0, indices, g1)


class Inplace(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        x_npy = x.detach().numpy()  # x_npy shares storage with x
        x_npy += 1
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> Tensor:
        return grad_output


class StraightThrough(Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


CHECKED: dict[str, Callable[[Tensor], Any]] = {
    "exp": Exp.apply,
    "constant": lambda x: MulConstant.apply(x, 5.0),
    "cube": lambda x: Cube.apply(x)[0],
    "cube and slope": Cube.apply,
    "sinh": lambda x: Sinh.apply(x)[0],
    "all of sinh": Sinh.apply,
    "Legendre": LegendrePolynomial3.apply,
    "sort": lambda x: Sort.apply(x)[0],
    "in place": lambda x: Inplace.apply(x * 1),
    "in place of a view": lambda x: Inplace.apply((x * 1)[1:]),
    "of each other": lambda x: Exp.apply(LegendrePolynomial3.apply(x) * Exp.apply(x)),
    "linear": lambda x: LinearFunction.apply(x.reshape(1, 3), x.reshape(1, 3).expand(2, 3), None),
    "linear with a bias": lambda x: LinearFunction.apply(x.reshape(3, 1), x.reshape(3, 1), x),
}


@pytest.mark.parametrize("name", CHECKED)
def test_examples_against_numeric_derivatives(name: str) -> None:
    x = leaf(0.3, -0.7, 1.1)
    assert gradcheck(CHECKED[name], (x,))
    assert gradgradcheck(CHECKED[name], (x,))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.sampled_from(["exp", "sin", "tanh", "sigmoid"]))
def test_a_function_of_an_operation_is_the_operation(values: list[float], name: str) -> None:
    """Forward calls the operation and backward its own backward: to the last bit the same, of both orders."""
    operation = getattr(minigrad, name)

    class Same(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return operation(x)  # type: ignore[no-any-return]

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            with minigrad.enable_grad():
                return grad(operation(x), x, g, create_graph=True)[0]  # type: ignore[no-any-return]

    x = leaf(*values)
    for f in (operation, Same.apply):
        (first,) = grad(f(x).sum(), x, create_graph=True)
        (second,) = grad(first.sum(), x)
        if f is operation:
            expected = first.tolist(), second.tolist()
    assert (first.tolist(), second.tolist()) == expected


def test_the_straight_through_estimator() -> None:
    x = leaf(-1.0, 2.0)
    y = StraightThrough.apply(x)
    (y * leaf(3.0, 4.0)).sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([0.0, 1.0], [3.0, 4.0])


# --- the graph --------------------------------------------------------------------------------------------------------


def test_its_node() -> None:
    x, n = leaf(1.0), 3
    y = MulConstant.apply(x, n)
    line = sys._getframe().f_lineno - 1
    node = y.grad_fn
    assert (node.name(), repr(node), node.constant, node.needs_input_grad) == (
        "MulConstantBackward",
        "<MulConstantBackward>",
        3,
        (True, False),
    )
    assert node.next_functions == ((x.node, 0),)
    assert re.fullmatch(rf".*test_function\.py:{line}: y = MulConstant\.apply\(x, n\)", str(node.place))
    with pytest.raises(AttributeError, match="nothing"):
        _ = node.nothing
    with pytest.raises(AttributeError, match="MulBackward0 has no attribute 'nothing'"):
        _ = (x * 2).grad_fn.nothing


def test_it_is_no_operation_of_the_package() -> None:
    Exp.apply(leaf(1.0))
    assert "Exp" not in REGISTRY
    assert not hasattr(Tensor, "Exp")


def test_only_what_is_asked_for_is_run() -> None:
    ran = []

    class Seen(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            ran.append(1)
            return g

    x, w = leaf(1.0), leaf(2.0)
    y = Seen.apply(x)
    z = Seen.apply(w)
    assert grad((y * z).sum(), y)[0].tolist() == [2.0]
    assert ran == []
    assert grad((y * Seen.apply(w)).sum(), w)[0].tolist() == [1.0]
    assert ran == [1]


def test_one_output_used_several_times() -> None:
    x = leaf(2.0)
    cubed, slope = Cube.apply(x)
    (cubed * cubed + slope * cubed + slope).sum().backward()
    np.testing.assert_allclose(x.grad.tolist(), [6 * 2.0**5 + 15 * 2.0**4 + 12])


def test_nothing_is_left_to_the_garbage_collector() -> None:
    def train() -> None:
        x = leaf(0.5, 1.0)
        a, b, _ = Sinh.apply(x)
        y = Inplace.apply(Cube.apply(Exp.apply(x) * a)[0])
        (slope,) = grad((y * b).sum(), x, create_graph=True)
        slope.sum().backward()
        Sort.apply(x)
        MulConstant.apply(x, 2)

    train()
    gc.collect()
    gc.disable()
    try:
        train()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_is_saved_is_freed_by_backward() -> None:
    x = leaf(1.0)
    y = Exp.apply(x)
    array = weakref.ref(y.array)
    z = y * 2
    del y
    assert array() is not None
    z.backward()
    assert array() is None


def test_a_deep_chain() -> None:
    lengths = []

    def work() -> None:
        x = leaf(1.0)
        y = x
        for _ in range(20_000):
            y = MulConstant.apply(y, 1.0)
        y.backward()
        lengths.append(x.grad.item())
        for _ in range(20_000):
            y = LegendrePolynomial3.apply(y)
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None

    before = threading.stack_size((256 if sys.version_info < (3, 13) else 512) * 1024)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert lengths == [1.0]


def test_modes_inside() -> None:
    modes = []

    class Modes(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            modes.append(minigrad.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            modes.append(minigrad.is_grad_enabled())
            return g * 2

    x = leaf(1.0)
    y = Modes.apply(x)
    grad(y, x, retain_graph=True)
    grad(y, x, create_graph=True)
    assert modes == [False, False, True]
    with minigrad.no_grad():
        assert not Modes.apply(x).requires_grad
    with minigrad.inference_mode():
        assert Modes.apply(x).is_inference()


def test_a_gradient_computed_with_a_graph_of_its_own_is_cut_off() -> None:
    class Graph(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> Tensor:
            with minigrad.enable_grad():
                return g * 2 * ctx.saved_tensors[0]  # type: ignore[no-any-return]

    x = leaf(3.0)
    Graph.apply(x).backward()
    assert (x.grad.tolist(), x.grad.requires_grad) == ([6.0], False)


def test_a_parameter_that_forward_returns_stays_the_leaf_it_was() -> None:
    weight, x = leaf(2.0), leaf(3.0)
    y = made(lambda ctx, x: weight, lambda ctx, g: g * 100).apply(x)
    (y + weight * 7).backward()
    assert (weight.is_leaf, weight.grad.tolist(), x.grad.tolist()) == (True, [7.0], [100.0])


def test_backward_in_several_threads() -> None:
    x = leaf(0.5)
    results: dict[int, list[float]] = {}

    def work(n: int) -> None:
        for _ in range(50):
            results[n] = grad(MulConstant.apply(Exp.apply(x), n).sum(), x)[0].tolist()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose([results[n][0] for n in range(4)], [n * np.exp(0.5) for n in range(4)])


# --- errors -----------------------------------------------------------------------------------------------------------


def made(forward: Any = None, backward: Any = None) -> Any:
    methods = {"forward": forward or (lambda ctx, x: x * 1), "backward": backward or (lambda ctx, g: g)}
    return type("Mine", (Function,), {name: staticmethod(method) for name, method in methods.items()})


def kept(x: Tensor) -> Tensor:
    """A value whose saved inputs are overwritten."""
    y = x * 1
    z = LegendrePolynomial3.apply(y)
    y += 1
    return z  # type: ignore[no-any-return]


def used_twice(x: Tensor) -> Any:
    y = LegendrePolynomial3.apply(x)
    y.sum().backward()
    return y.sum()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: Function.apply(x), NotImplementedError, r"define the static method forward\(ctx, \*args\)"),
        (
            lambda x: type("No", (Function,), {"forward": staticmethod(lambda c, x: x * 1)}).apply(x),
            NotImplementedError,
            "define .* backward",
        ),
        (lambda x: made()()(x), RuntimeError, r"Mine: a Function is not called but applied, Mine\.apply\(\.\.\.\)"),
        (lambda x: made().apply(x, x), TypeError, "takes 2 positional arguments but 3 were given"),
        (
            lambda x: made(lambda ctx, x, *, n=1: x * n).apply(x, n=2),
            TypeError,
            r"Mine\.apply: forward takes 'n' by name only",
        ),
        (lambda x: made(lambda ctx, x: ctx.save_for_backward(x, 3)), None, ""),
        (
            lambda x: made(lambda ctx, x: ctx.save_for_backward(x, 3)).apply(x),
            TypeError,
            "expected tensors or None, got int at index 1",
        ),
        (
            lambda x: made(None, lambda ctx, g: (g, g)).apply(x),
            RuntimeError,
            r"Mine\.backward: returned 2 gradients, expected 1",
        ),
        (
            lambda x: made(lambda ctx, x, n: x * n).apply(x, 2),
            RuntimeError,
            r"Mine\.backward: returned 1 gradients, expected 2, one or None",
        ),
        (
            lambda x: made(lambda c, x, n: x * n, lambda c, g: (g, g)).apply(x, 2),
            RuntimeError,
            "argument 1 of forward, which was no tensor",
        ),
        (
            lambda x: made(None, lambda ctx, g: 1.0).apply(x),
            RuntimeError,
            "expected a tensor or None as gradient 0, got float",
        ),
        (
            lambda x: made(None, lambda ctx, g: g[:1]).apply(x),
            RuntimeError,
            r"gradient 0 of shape \(1,\), its argument has shape \(2,\)",
        ),
        (lambda x: made(None, lambda ctx, g: ctx.saved_tensors[0]).apply(x), IndexError, "tuple index out of range"),
        (
            lambda x: made(lambda ctx, x: (ctx.mark_dirty(x), x.add_(1))[1]).apply(x),
            RuntimeError,
            "Mine: a leaf that needs a gradient cannot",
        ),
        (
            lambda x: made(lambda ctx, x: (ctx.mark_dirty(x), x + 1)[1]).apply(x * 1),
            RuntimeError,
            "marked dirty is not among the outputs",
        ),
        (
            lambda x: made(lambda ctx, x: (ctx.mark_dirty(3), x + 1)[1]).apply(x),
            RuntimeError,
            "mark_dirty takes tensors that forward was given",
        ),
        (
            lambda x: made(lambda c, x: (c.mark_non_differentiable(3), x + 1)[1]).apply(x),
            TypeError,
            "takes outputs of forward, got int",
        ),
        (
            lambda x: made(lambda ctx, x: x).apply(x * 1).mul_(2),
            RuntimeError,
            r"^mul_: .* a custom Function returned.*use a clone",
        ),
        (
            kept,
            RuntimeError,
            r"LegendrePolynomial3 \(.*test_function.py:\d+: z = .*\) saved tensor 0 of save_for_backward.*which add_ .* has overwritten since",
        ),
        (
            used_twice,
            RuntimeError,
            r"saved by LegendrePolynomial3 \(.*\) were freed by an earlier backward; pass retain_graph=True",
        ),
    ],
)
def test_wrong_definitions_and_calls(call: Any, error: type[Exception] | None, message: str) -> None:
    x = leaf(1.0, 2.0)
    if error is None:
        call(x)
        return
    with pytest.raises(error, match=message):
        call(x).sum().backward()
    assert x.tolist() == [1.0, 2.0] or "leaf" in message
    assert minigrad.is_grad_enabled()


def test_once_differentiable() -> None:
    class Square(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: Tensor) -> Tensor:
            """In NumPy."""
            (x,) = ctx.saved_tensors
            return minigrad.from_numpy(2 * x.detach().numpy() * g.detach().numpy())  # type: ignore[no-any-return]

    x = leaf(3.0)
    Square.apply(x).backward()
    assert x.grad.tolist() == [6.0]
    for cotangent in (None, leaf(1.0)):  # where it is constant, the second derivative would be lost without a word
        (slope,) = grad(Square.apply(x), x, cotangent, create_graph=True)
        assert slope.tolist() == [6.0]
        with pytest.raises(
            RuntimeError, match="trying to differentiate twice a function that was marked with @once_differentiable"
        ):
            slope.backward()
    assert Square.backward.__doc__ == "In NumPy."
