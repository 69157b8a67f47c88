"""Derivatives by differences, and gradcheck on top of them: what is right passes, also on kinks and in float32, what is wrong does not."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.autograd import GradcheckError, KinkWarning, gradcheck, gradgradcheck
from minigrad.autograd.numeric import KINK, SMOOTH, UNKNOWN, Probe
from minigrad.core.primitive import REGISTRY, primitive
from minigrad.core.tensor import TABLE

# --- differences ------------------------------------------------------------------------------------------------------

SMOOTH_FUNCTIONS = {
    "exp": (np.exp, np.exp, (1.0, -2.0, 0.0)),
    "sin": (np.sin, np.cos, (1.0, 0.0, 1000.0)),
    "fast sin": (lambda x: np.sin(100 * x), lambda x: 100 * np.cos(100 * x), (0.3, 0.0)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, (5.0, 0.1)),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), (2.0, 1e-3)),
    "1/x": (lambda x: 1 / x, lambda x: -1 / x**2, (0.01, -3.0)),
    "x**4": (lambda x: x**4, lambda x: 4 * x**3, (0.0, 300.0)),
    "linear": (lambda x: 3 * x, lambda x: 3 + 0 * x, (1.25, -1e6)),
    "constant": (lambda x: 0 * x + 3, lambda x: 0 * x, (1.0,)),
    "tiny": (lambda x: 1e-10 * np.sin(x), lambda x: 1e-10 * np.cos(x), (1.0,)),
    "near a kink": (np.abs, np.sign, (1e-5, -1e-6)),
    "second derivative jumps": (
        lambda x: np.where(x > 0, x, np.expm1(x)),
        lambda x: np.where(x > 0, 1.0, np.exp(x)),
        (0.0,),
    ),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", SMOOTH_FUNCTIONS)
def test_the_error_of_differences_is_what_they_say(name: str, dtype: Any) -> None:
    function, derivative, points = SMOOTH_FUNCTIONS[name]
    for x in points:
        if dtype == np.float32 and (abs(x) < 1e-2 and x or abs(x) > 999 or name == "fast sin"):
            continue  # float32 has not the digits
        found = Probe(function, [np.array([x], dtype)]).column(0, (0,))
        expected = derivative(np.array([x], dtype).astype(np.float64))
        assert found.state[0] == SMOOTH
        assert abs(found.value[0] - expected[0]) <= 3 * found.error[0]
        assert found.error[0] <= (1e-5 if dtype == np.float64 else 2e-3) * max(abs(expected[0]), abs(function(x)), 1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    ("function", "left", "right"),
    [
        (np.abs, -1, 1),
        (lambda x: np.maximum(x, 0), 0, 1),
        (lambda x: np.maximum(x, 2 * x), 1, 2),
        (lambda x: np.exp(x) * np.abs(x), -1, 1),
        (lambda x: np.clip(x, -1, 0) + 3, 1, 0),
    ],
)
def test_kinks_have_two_slopes(function: Any, left: float, right: float, dtype: Any) -> None:
    found = Probe(function, [np.array([0.0], dtype)]).column(0, (0,))
    assert found.state[0] == KINK
    np.testing.assert_allclose(
        [found.left[0], found.right[0]], [left, right], rtol=0.06 if dtype == np.float32 else 1e-3, atol=0.06
    )


@pytest.mark.parametrize(
    "function",
    [np.sign, np.floor, np.sqrt, lambda x: np.heaviside(x, 0.5), lambda x: 1 / x, lambda x: np.sqrt(np.abs(x)), np.log],
)
def test_jumps_cusps_and_edges_are_not_judged(function: Any) -> None:
    with np.errstate(all="ignore"):
        found = Probe(function, [np.array([0.0])]).column(0, (0,))
    assert found.state[0] == UNKNOWN


def test_the_point_is_left_as_it_was() -> None:
    x = np.array([0.1, 0.2], np.float32)
    before = x.copy()
    probe = Probe(np.exp, [x])
    probe.gradient(0, np.ones(2))
    probe.along([np.ones(2)])
    assert (x == before).all()


def test_noise_is_measured() -> None:
    rough = Probe(lambda x: np.sin(x.astype(np.float32)).astype(np.float64), [np.array([0.7])])
    fine = Probe(np.sin, [np.array([0.7])])
    assert fine.noise[0] < 1e-15 < 1e-9 < rough.noise[0] < 1e-6
    found = rough.column(0, (0,))
    assert abs(found.value[0] - np.cos(0.7)) <= 3 * found.error[0] < 1e-4


# --- gradcheck --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    """Operations that a test defines leave no trace."""
    known = [(d, dict(d)) for d in (REGISTRY, TABLE)]
    yield
    for now, before in known:
        now.clear()
        now.update(before)


def tensor(*values: Any, dtype: Any = minigrad.float64) -> Any:
    return minigrad.tensor(values if len(values) > 1 else values[0], dtype=dtype, requires_grad=True)


def custom(forward: Any, rule: Any) -> Any:
    """An operation of one argument with this rule."""
    op = primitive(method=False)(forward)
    op.vjp("x")(rule)
    return op


def square(x: Any, /) -> Any:
    return x * x


RIGHT = {
    "tanh": (minigrad.tanh, [(0.5, -1.0)]),
    "mul": (lambda x, y: x * y, [(0.5, -1.0), (2.0, 3.0)]),
    "broadcast": (lambda x, y: x + y, [((1.0,), (2.0,)), (2.0, 3.0)]),
    "matmul": (lambda x, y: x @ y, [((1.0, 2.0),), ((0.5,), (1.5,))]),
    "two outputs": (lambda x: (x.sin(), x.cos()), [(0.5, -1.0)]),
    "max with indices": (lambda x: x.max(0), [(0.5, -1.0)]),
    "unused": (lambda x, y: x * 2, [(0.5,), (1.0,)]),
    "constant output": (lambda x: (x * 2, minigrad.ones(2)), [(0.5,)]),
    "empty": (lambda x: x * 2, [np.zeros((0, 3))]),
    "0-d": (lambda x: x.exp(), [0.5]),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("dtype", [minigrad.float64, minigrad.float32])
@pytest.mark.parametrize("name", RIGHT)
def test_right_gradients_pass(name: str, dtype: Any, fast: bool) -> None:
    function, points = RIGHT[name]
    inputs = [tensor(p, dtype=dtype) for p in points]
    assert gradcheck(function, inputs, fast_mode=fast, check_grad_dtypes=True)
    assert gradcheck(function, inputs, fast_mode=fast, check_forward_ad=True, check_undefined_grad=False)
    if name != "empty":
        assert gradgradcheck(function, inputs, fast_mode=fast, gen_non_contig_grad_outputs=True)


WRONG = {
    "sign": lambda g, x: -2 * g * x,
    "factor": lambda g, x: g * x,
    "a little off": lambda g, x: 2.02 * g * x,
    "one element": lambda g, x: 2 * g * x * minigrad.tensor([1.0, 1.5], dtype=x.dtype),
    "not a number": lambda g, x: 2 * g * x / (x - x),
    "not multiplied by g": lambda g, x: 2 * x,
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("dtype", [minigrad.float64, minigrad.float32])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradients_do_not(name: str, dtype: Any, fast: bool) -> None:
    op = custom(square, WRONG[name])
    x = tensor(0.5, -1.0, dtype=dtype)
    with pytest.raises(GradcheckError, match="gradcheck: "):
        gradcheck(op, x, fast_mode=fast)
    assert not gradcheck(op, x, fast_mode=fast, raise_exception=False)


def test_the_message_names_the_element() -> None:
    op = custom(square, WRONG["one element"])
    with pytest.raises(
        GradcheckError,
        match=r"the gradient of output 0 at \[1\] with respect to input 0 at \[1\] is -3.0, but differences give -2 with",
    ):
        gradcheck(op, tensor(0.5, -1.0))


def test_a_wrong_second_derivative_is_found() -> None:
    op = custom(square, lambda g, x: 2 * g * x.detach())
    assert gradcheck(op, tensor(0.5, -1.0))
    with pytest.raises(GradcheckError):
        gradgradcheck(op, tensor(0.5, -1.0))
    assert not gradgradcheck(op, tensor(0.5, -1.0), raise_exception=False)


@pytest.mark.parametrize("dtype", [minigrad.float64, minigrad.float32])
@pytest.mark.parametrize(
    "function",
    [
        minigrad.relu,
        minigrad.abs,
        lambda x: x.clamp(0, 1),
        lambda x: x.max(),
        lambda x: x.amax(0),
        lambda x: x.median(),
        lambda x: x.norm(),
    ],
    ids=["relu", "abs", "clamp", "max", "amax", "median", "norm"],
)
def test_kinks_are_named_and_are_no_errors(function: Any, dtype: Any) -> None:
    x = minigrad.zeros(3, dtype=dtype, requires_grad=True)
    with pytest.warns(KinkWarning, match="lies on a kink of slopes .* between them"):
        assert gradcheck(function, x)


def test_a_gradient_beyond_both_slopes_is_an_error() -> None:
    op = custom(lambda x, /: np.abs(x), lambda g, x: g * (2 * (x >= 0).to(x.dtype) * 1.5 - 1))
    with pytest.raises(GradcheckError, match="on a kink, where it has to be between the slopes -1 and 1"):
        gradcheck(op, tensor(0.0, 0.0))


def test_a_jump_is_not_judged() -> None:
    with pytest.warns(KinkWarning, match="differences give no slope"):
        assert gradcheck(lambda x: x.floor() + x, tensor(1.0, 0.5))


def test_a_cut_graph_is_found() -> None:
    x = tensor(0.5, -1.0)
    with pytest.raises(GradcheckError, match="was the graph cut"):
        gradcheck(lambda x: x.detach() * 2, x)
    assert gradcheck(lambda x: minigrad.ones(2), x)


def test_a_backward_with_memory_is_found() -> None:
    calls: list[None] = []

    def rule(g: Any, x: Any) -> Any:
        calls.append(None)
        return 2 * g * x * (1 + 1e-9 * len(calls))

    op = custom(square, rule)
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(op, tensor(0.5, -1.0))
    assert gradcheck(op, tensor(0.5, -1.0), nondet_tol=1e-3)


def test_a_backward_that_adds_something_is_found() -> None:
    op = custom(square, lambda g, x: 2 * g * x + 1e-7)
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(op, tensor(0.5, -1.0))


def test_parameters_that_the_function_holds_may_be_inputs() -> None:
    layer = minigrad.nn.Linear(2, 3)
    x = tensor((0.5, -1.0), dtype=minigrad.float32)
    before = [p.tolist() for p in layer.parameters()]
    assert gradcheck(lambda x, *_: layer(x), (x, *layer.parameters()))
    assert [p.tolist() for p in layer.parameters()] == before


def test_inputs_that_cannot_be_checked_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(minigrad.exp, minigrad.ones(2))
    with pytest.raises(RuntimeError, match=r"input 0 \(shape \(3,\)\) has a dimension with stride 0.*contiguous"):
        gradcheck(minigrad.exp, minigrad.ones(1).expand(3).requires_grad_())
    with pytest.raises(NotImplementedError, match="vmap"):
        gradcheck(minigrad.exp, tensor(1.0), check_batched_grad=True)
    with pytest.raises(ValueError, match="check_forward_ad and check_backward_ad"):
        gradcheck(minigrad.exp, tensor(1.0), check_backward_ad=False)
    with pytest.raises(ValueError, match="check_fwd_over_rev and check_rev_over_rev"):
        gradgradcheck(minigrad.exp, tensor(1.0), check_rev_over_rev=False)


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck"])
def test_arguments_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    mine, theirs = (inspect.signature(getattr(m.autograd, name)).parameters for m in (minigrad, torch))
    assert [(p.name, p.kind, p.default) for p in mine.values()] == [
        (p.name, p.kind, p.default) for p in theirs.values()
    ]


def test_nothing_is_said_where_all_is_smooth() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert gradcheck(minigrad.relu, tensor(1e-5, -0.5))
