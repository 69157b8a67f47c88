"""Checkpoints: the same gradients to the last bit, the same random numbers, and nothing kept in between."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor, nn
from minigrad.autograd import grad
from minigrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential, set_checkpoint_early_stop

Part = Callable[[Tensor], Tensor]


def network(inplace: bool = True) -> nn.Sequential:
    minigrad.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(inplace), nn.Dropout(0.5), nn.Linear(8, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 2), nn.Softmax(-1)
    )  # fmt: skip


def gradients(model: nn.Sequential, run: Callable[[Tensor], Tensor]) -> tuple[list[list[float]], list[float]]:
    """The gradients of the input and the parameters, and the random numbers that come next."""
    minigrad.manual_seed(3)
    x = minigrad.randn(3, 4, requires_grad=True)
    model.zero_grad()
    (run(x) ** 2).sum().backward()
    return [p.grad.reshape(-1).tolist() for p in (x, *model.parameters())], minigrad.rand(4).tolist()


def nested(model: nn.Sequential) -> Part:
    """Each layer in a checkpoint inside a checkpoint of the rest."""
    steps = list(model)

    def run(x: Tensor, i: int = 0) -> Tensor:
        if i == len(steps):
            return x
        y = checkpoint(steps[i], x, use_reentrant=False)
        result: Tensor = checkpoint(run, y, i + 1, use_reentrant=False)
        return result

    return run


VARIANTS: dict[str, Callable[[nn.Sequential], Part]] = {
    "one": lambda model: lambda x: checkpoint(model, x, use_reentrant=False),
    "default": lambda model: lambda x: checkpoint(model, x),
    "named": lambda model: lambda x: checkpoint(model.forward, input=x),
    "reentrant": lambda model: lambda x: checkpoint(model, x, use_reentrant=True),
    "whole": lambda model: lambda x: checkpoint(model, x, early_stop=False),
    "unchecked": lambda model: lambda x: checkpoint(model, x, determinism_check="none"),
    "sequential 2": lambda model: lambda x: checkpoint_sequential(model, 2, x),
    "sequential 3": lambda model: lambda x: checkpoint_sequential(model, 3, x, use_reentrant=False),
    "sequential 8": lambda model: lambda x: checkpoint_sequential(list(model), 8, x, use_reentrant=True),
    "twice": lambda model: lambda x: checkpoint(lambda y: checkpoint(model, y), x),
    "thrice": lambda model: (
        lambda x: checkpoint(lambda z: checkpoint(lambda y: checkpoint(model, y, early_stop=False), z), x)
    ),
    "nested": nested,
    "reentrant inside": lambda model: lambda x: checkpoint(lambda y: checkpoint(model, y, use_reentrant=True), x),
    "reentrant outside": lambda model: lambda x: checkpoint(lambda y: checkpoint(model, y), x, use_reentrant=True),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_and_random_numbers_are_the_same(variant: str) -> None:
    model = network(
        inplace=variant not in ("nested", "sequential 8")
    )  # a checkpoint must not begin with a write into its input
    assert gradients(model, VARIANTS[variant](model)) == gradients(model, model)


@given(
    st.lists(st.sampled_from(["exp", "sin", "tanh", "sigmoid", "relu"]), min_size=1, max_size=6),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_any_chain_in_any_segments(names: list[str], segments: int, seed: int) -> None:
    x = minigrad.tensor(np.random.default_rng(seed).standard_normal(3), requires_grad=True)
    steps = [getattr(minigrad, name) for name in names]
    segments = min(segments, len(steps))

    def derivatives(y: Tensor) -> list[list[float]]:
        (slope,) = grad(y.sum(), x, create_graph=True)
        return [slope.tolist(), *([grad(slope.sum(), x)[0].tolist()] if slope.requires_grad else [])]

    plain = x
    for step in steps:
        plain = step(plain)
    assert derivatives(checkpoint_sequential(steps, segments, x)) == derivatives(plain)


# --- what is kept -----------------------------------------------------------------------------------------------------


class Watched:
    """A function whose intermediate arrays are watched."""

    def __init__(self) -> None:
        self.arrays: list[weakref.ref[Any]] = []
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        for _ in range(3):
            x = x.exp()
            self.arrays.append(weakref.ref(x.array))
            x = x * 0.1
        return x

    def alive(self) -> int:
        return sum(reference() is not None for reference in self.arrays)


@contextmanager
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("reentrant", [False, True])
def test_nothing_is_kept_between_forward_and_backward(reentrant: bool) -> None:
    with no_collector():
        x = minigrad.ones(3, requires_grad=True)
        f = Watched()
        plain = f(x)
        assert f.alive() == 3, "exp keeps its results"
        del plain
        y = checkpoint(f, x, use_reentrant=reentrant)
        assert f.alive() == 0
        y.sum().backward()
        assert f.alive() == 0
        assert f.calls == 3


def test_in_place_writes_keep_nothing_either() -> None:
    with no_collector():
        arrays = []

        def f(x: Tensor) -> Tensor:
            y = x * 2
            arrays.append(weakref.ref(y.array))
            y.sigmoid_()
            return y * x

        x = minigrad.ones(3, requires_grad=True)
        y = checkpoint(f, x)
        assert arrays[0]() is None
        (slope,) = grad(y.sum(), x)
        np.testing.assert_array_equal(slope.numpy(), grad(f(x).sum(), x)[0].numpy())


def test_a_nested_checkpoint_keeps_not_even_its_input() -> None:
    with no_collector():
        inputs = []

        def f(x: Tensor) -> Tensor:
            y = x * 2
            inputs.append(weakref.ref(y.array))
            return checkpoint(minigrad.exp, y)  # type: ignore[no-any-return]

        x = minigrad.ones(3, requires_grad=True)
        y = checkpoint(f, x)
        assert inputs[0]() is None
        y.sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2), rtol=1e-6)


def test_with_retain_graph_a_second_backward_computes_again_and_keeps_nothing() -> None:
    with no_collector():
        f = Watched()
        x = minigrad.ones(3, requires_grad=True)
        y = checkpoint(f, x).sum()
        first = grad(y, x, retain_graph=True)[0]
        assert (f.calls, f.alive()) == (2, 0)
        second = grad(y, x)[0]
        assert (f.calls, f.alive()) == (3, 0)
        assert first.tolist() == second.tolist()
        with pytest.raises(RuntimeError, match="freed by an earlier backward"):
            grad(y, x)


def test_segments_free_their_values_one_after_the_other() -> None:
    """While the first segment is computed again, nothing of the second is left."""
    with no_collector():
        first, second = Watched(), Watched()
        seen = []
        x = minigrad.ones(3, requires_grad=True)
        y = checkpoint(first, x)
        y.register_hook(lambda g: seen.append(second.alive()))
        checkpoint(second, y).sum().backward()
        assert seen == [0]


def test_early_stop() -> None:
    ran = []

    def f(x: Tensor) -> Tensor:
        y = x.exp()
        ran.append("exp")
        z = y + 1
        ran.append("end")
        return z

    x = minigrad.ones(3, requires_grad=True)
    for early, expected in ((True, []), (False, ["exp", "end"])):
        y = checkpoint(f, x, early_stop=early)
        ran.clear()
        y.sum().backward()
        assert ran == expected
    with set_checkpoint_early_stop(False):
        y = checkpoint(f, x)
        ran.clear()
        y.sum().backward()
    assert ran == ["exp", "end"]


# --- randomness -------------------------------------------------------------------------------------------------------


def test_without_its_state_the_random_numbers_differ() -> None:
    x = minigrad.ones(1000, requires_grad=True)
    y = checkpoint(lambda x: nn.functional.dropout(x, 0.5) * x, x, preserve_rng_state=False)
    dropped = (y == 0).tolist()
    y.sum().backward()
    assert (x.grad == 0).tolist() != dropped
    x.grad = None
    y = checkpoint(lambda x: nn.functional.dropout(x, 0.5) * x, x)
    dropped = (y == 0).tolist()
    minigrad.rand(7)
    y.sum().backward()
    assert (x.grad == 0).tolist() == dropped


# --- what it goes with ------------------------------------------------------------------------------------------------


def test_arguments_of_all_kinds() -> None:
    a, b, c = (minigrad.tensor([v], requires_grad=v < 3) for v in (1.0, 2.0, 3.0))

    def f(a: Tensor, n: int, b: Tensor, *, c: Tensor, text: str = "") -> Any:
        assert (n, text, c.requires_grad) == (5, "yes", False)
        return {"sum": a * b * c + n, "text": text}, (a * b).exp()

    first, second = checkpoint(f, a, 5, b, c=c, text="yes")
    assert first["text"] == "yes"
    (first["sum"] * second).sum().backward()
    plain_first, plain_second = f(a, 5, b, c=c, text="yes")
    assert [a.grad.tolist(), b.grad.tolist()] == [
        g.tolist() for g in grad((plain_first["sum"] * plain_second).sum(), (a, b))
    ]


def test_without_recording_it_just_calls() -> None:
    f = Watched()
    with minigrad.no_grad():
        assert not checkpoint(f, minigrad.ones(2, requires_grad=True)).requires_grad
    with minigrad.inference_mode():
        assert checkpoint(f, minigrad.ones(2)).is_inference()
    assert not checkpoint(f, minigrad.ones(2)).requires_grad


def test_the_context_managers() -> None:
    seen: list[str] = []

    @contextmanager
    def note(what: str) -> Iterator[None]:
        seen.append(what)
        yield

    x = minigrad.ones(2, requires_grad=True)
    checkpoint(minigrad.exp, x, context_fn=lambda: (note("first"), note("again"))).sum().backward()
    assert seen == ["first", "again"]


def test_backward_inside_a_checkpoint() -> None:
    x = minigrad.tensor([0.5], dtype=minigrad.float64, requires_grad=True)

    def slope(x: Tensor) -> Tensor:
        return grad((x**3).sum(), x, create_graph=True)[0] * x  # type: ignore[no-any-return]

    assert grad(checkpoint(slope, x).sum(), x)[0].tolist() == grad(slope(x).sum(), x)[0].tolist() == [9 * 0.5**2]


def test_hooks_for_saved_tensors_around_it_see_the_inputs_only() -> None:
    shapes: list[tuple[int, ...]] = []

    def pack(x: Tensor) -> Tensor:
        shapes.append(x.shape)
        return x

    x = minigrad.ones(2, 3, requires_grad=True)
    with minigrad.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        y = checkpoint(lambda x: x.reshape(6).exp(), x)
    assert shapes == [(2, 3)]
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.e, rtol=1e-6)


def test_in_another_thread() -> None:
    x = minigrad.ones(3, requires_grad=True)
    y = checkpoint(lambda x: x.exp().sin(), x).sum()
    thread = threading.Thread(target=y.backward)
    thread.start()
    thread.join()
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.e) * np.e, rtol=1e-6)


# --- errors -----------------------------------------------------------------------------------------------------------


def alternating(*steps: Part) -> Part:
    """Another function each time."""
    calls = iter(steps)
    return lambda x: next(calls)(x)


def swallowing(x: Tensor) -> Tensor:
    """What must not keep a recomputation from ending early."""
    try:
        return x.exp()
    except Exception:
        return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            alternating(lambda x: x.exp(), lambda x: x * 1),
            r"saved 1 tensors at first and 0 when it ran again; .* at .*test_checkpoint\.py",
        ),
        (alternating(lambda x: x.exp().sin(), lambda x: x.exp()), "saved 2 tensors at first and 1 when it ran again"),
        (
            alternating(lambda x: x.exp(), lambda x: x[:1].exp()),
            r"saved tensor 0 had shape \(2,\), float32.* again shape \(1,\), float32",
        ),
        (alternating(lambda x: x.exp(), lambda x: x.double().exp()), "when it ran again shape .* float64"),
    ],
)
def test_a_function_that_does_something_else(function: Part, message: str) -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = checkpoint(function, x)
    with pytest.raises(CheckpointError, match=message):
        y.sum().backward()
    assert minigrad.is_grad_enabled()
    (x * x).sum().backward()  # nothing is left in force
    assert x.grad.tolist() == [2.0, 2.0]


def test_more_saved_tensors_are_noticed_without_early_stop() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = checkpoint(alternating(lambda x: x.exp(), lambda x: x.exp().sin()), x, early_stop=False)
    with pytest.raises(CheckpointError, match="saved 1 tensors at first and more when it ran again"):
        y.sum().backward()


def test_a_function_that_catches_exceptions() -> None:
    x = minigrad.ones(2, requires_grad=True)
    checkpoint(swallowing, x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.e, rtol=1e-6)


def test_an_input_that_was_overwritten() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = x * 1
    z = checkpoint(minigrad.exp, y)
    y += 1
    with pytest.raises(RuntimeError, match="overwritten since"):
        z.sum().backward()


def test_a_value_that_the_function_overwrites() -> None:
    def f(x: Tensor) -> Tensor:
        y = x.exp()
        y += 1
        return y.sin()

    x = minigrad.ones(2, requires_grad=True)
    for run in (f, lambda x: checkpoint(f, x)):
        with pytest.raises(RuntimeError, match="overwritten"):
            run(x).sum().backward()


def test_an_error_in_the_function() -> None:
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(ZeroDivisionError):
        checkpoint(lambda x: x.exp() * (1 / 0), x)
    y = checkpoint(alternating(lambda x: x.exp(), lambda x: 1 / 0), x)  # type: ignore[arg-type,return-value]
    state = minigrad.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    assert str(minigrad.get_rng_state()) == str(state)
    assert (x * x).requires_grad


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: checkpoint(minigrad.exp, x, determinism_check="all"), ValueError, "'default' or 'none', got 'all'"),
        (
            lambda x: checkpoint(minigrad.exp, input=x, use_reentrant=True),
            ValueError,
            "takes no keyword arguments for the function, got input",
        ),
        (
            lambda x: checkpoint(minigrad.exp, x, debug=True, use_reentrant=True),
            ValueError,
            "context_fn and debug are for use_reentrant=False",
        ),
        (lambda x: checkpoint_sequential([minigrad.exp], 2, x), ValueError, "cannot make 2 segments of 1 functions"),
        (lambda x: checkpoint_sequential([minigrad.exp], 0, x), ValueError, "cannot make 0 segments"),
        (
            lambda x: grad(checkpoint(minigrad.exp, x, use_reentrant=True).sum(), x),
            RuntimeError,
            "pass use_reentrant=False",
        ),
        (
            lambda x: checkpoint(minigrad.exp, x, use_reentrant=True).sum().backward(inputs=[x]),
            RuntimeError,
            "without inputs=",
        ),
        (
            lambda x: checkpoint(lambda x: x.detach(), x, use_reentrant=True).sum().backward(),
            RuntimeError,
            "no output .* needs a gradient",
        ),
    ],
)
def test_wrong_calls(call: Callable[[Tensor], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(minigrad.ones(2, requires_grad=True))


def test_the_old_variant_warns_if_no_gradient_can_flow() -> None:
    weight = minigrad.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="no gradient flows unless an input needs one"):
        assert not checkpoint(lambda x: x * weight, minigrad.ones(2), use_reentrant=True).requires_grad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checkpoint(lambda x: x * weight, minigrad.ones(2)).requires_grad
