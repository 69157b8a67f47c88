"""backward: what it adds up, what it keeps, what it frees, and what it says when it cannot."""

from __future__ import annotations

import gc
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import grad


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Whatever is freed inside is freed by reference counts alone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# --- adding up --------------------------------------------------------------------------------------------------------


def test_a_tensor_used_twice_in_one_operation() -> None:
    x = leaf(3.0)
    (x * x).backward()
    assert x.grad.tolist() == [6.0]


def test_a_tensor_used_in_many_operations() -> None:
    x = leaf(2.0)
    (x * 2 + x * x + x.exp() * 0 + x).backward()
    assert x.grad.tolist() == [2 + 4 + 0 + 1]


def test_a_result_used_twice() -> None:
    x = leaf(2.0)
    y = x * 3
    (y * y).backward()
    assert x.grad.tolist() == [36.0]


def test_diamonds_one_below_the_other() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(40):  # 2**40 paths, 80 nodes
        y = y + y
    y.backward()
    assert x.grad.tolist() == [2.0**40]


def test_a_short_and_a_long_way_to_the_same_node() -> None:
    x = leaf(2.0)
    y = x * x
    z = y
    for _ in range(5):
        z = z * 1.0
    (z + y).backward()
    assert x.grad.tolist() == [8.0]


def test_gradients_of_leaves_accumulate_over_calls() -> None:
    x = leaf(1.0, 2.0)
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert x.grad is first, "the tensor stays the same, so that optimisers may hold it"
    assert x.grad.tolist() == [5.0, 5.0]


@pytest.mark.parametrize(("small", "large"), [((), (2, 3)), ((3,), (2, 3)), ((2, 1), (2, 3)), ((1, 1), (2, 3)), ((1, 3), (4, 2, 3))])
def test_broadcasting_is_undone(small: tuple[int, ...], large: tuple[int, ...]) -> None:
    a, b = minigrad.ones(*small, requires_grad=True), minigrad.ones(*large, requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.shape == small
    assert b.grad.shape == large
    assert np.all(a.grad.numpy() == b.numel() / a.numel())


def test_a_gradient_has_the_dtype_of_its_tensor() -> None:
    a, b = minigrad.ones(2, requires_grad=True), minigrad.ones(2, dtype=minigrad.float64, requires_grad=True)
    (a * b).sum().backward()
    assert (a.grad.dtype, b.grad.dtype) == (minigrad.float32, minigrad.float64)


def test_several_roots() -> None:
    x = leaf(1.0, 2.0)
    minigrad.autograd.backward([(x * 2).sum(), x * x], [None, minigrad.tensor([1.0, 10.0], dtype=minigrad.float64)])
    assert x.grad.tolist() == [4.0, 42.0]


def test_the_same_root_twice() -> None:
    x = leaf(3.0)
    y = x * x
    assert grad([y, y], x)[0].tolist() == [12.0]


# --- whose arrays -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x,
        lambda x: x + 0 * x,
        lambda x: x.clone() + x,
        lambda x: x.reshape(2, 2).t().reshape(4) + x,
        lambda x: x.view(4) + x.view(4) + x,
        lambda x: minigrad.cat([x[:2], x[2:]]) + x,
    ],
    ids=["itself", "sum", "clone", "reshape", "view", "cat"],
)
def test_the_cotangent_stays_the_callers(function: Callable[[Tensor], Tensor]) -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    g = minigrad.tensor([1.0, 2.0, 3.0, 4.0], dtype=minigrad.float64)
    function(x).backward(g)
    once = x.grad.tolist()
    function(x).backward(g)
    assert g.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert x.grad.tolist() == [2 * v for v in once]
    assert not np.shares_memory(x.grad.numpy(), g.numpy())


def test_two_leaves_do_not_share_a_gradient() -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (x + y).sum().backward()
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    x.grad.zero_()
    assert y.grad.tolist() == [1.0, 1.0]


def test_accumulation_does_not_write_into_saved_values() -> None:
    x, y = leaf(2.0), leaf(5.0)
    product = x * y
    for _ in range(2):
        product.backward(retain_graph=True)
    assert (x.tolist(), y.tolist()) == ([2.0], [5.0])
    assert (x.grad.tolist(), y.grad.tolist()) == ([10.0], [4.0])


def test_a_gradient_seen_by_a_hook_does_not_change_later() -> None:
    x = leaf(1.0)
    y = x * 1
    seen: list[Tensor] = []
    y.register_hook(seen.append)
    (y * 2 + x * 7).backward()
    x.grad += 100
    assert seen[0].tolist() == [2.0]


def test_grads_can_be_written_to() -> None:
    x = leaf(1.0, 2.0)
    x.sum().backward()  # the gradient arrives as one number expanded
    x.grad.mul_(3)
    x.grad[0] = 7.0
    assert x.grad.tolist() == [7.0, 3.0]


# --- what is kept, what is freed --------------------------------------------------------------------------------------


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(RuntimeError, match="backward: the values saved by mul") as caught:
        y.backward()
    text = str(caught.value)
    assert re.search(r"test_engine\.py:\d+: y = x \* x\)", text), f"the user's line is missing: {text}"
    assert "retain_graph=True" in text


def test_a_graph_that_saved_nothing_may_run_again() -> None:
    x = leaf(2.0)
    y = x + x
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4.0]


def test_saved_values_are_freed_by_backward() -> None:
    x = leaf(1.0)
    y = x.exp()
    array = weakref.ref(y.array)
    z = y * 2
    del y
    assert array() is not None, "exp keeps its output"
    z.backward()
    assert array() is None


def test_only_what_a_gradient_needs_is_saved() -> None:
    x, constant = leaf(1.0), minigrad.ones(1, dtype=minigrad.float64)
    seen = weakref.ref(x.array)
    y = x * constant  # the gradient of x needs only the constant
    x.data = np.zeros(1)
    assert seen() is None
    assert y.requires_grad


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("create_graph", [False, True])
def test_nothing_is_left_to_the_garbage_collector(create_graph: bool) -> None:
    def train() -> None:
        x = minigrad.ones(4, 4, requires_grad=True)
        y = (x.exp() @ x).relu().softmax(1)
        a, b = y.chunk(2)
        z = minigrad.cat([a * b, a[0:1]]).sum() + y.reshape(-1)[3] + y.t().mean()
        y.retain_grad()
        y.register_hook(lambda g: g * 2)
        w = z * 1
        w += 1
        w.backward(create_graph=create_graph)
        if create_graph:
            (grad((x.grad**2).sum(), x, create_graph=True)[0] ** 2).sum().backward()

    train()
    gc.collect()
    train()
    assert gc.collect() == 0


@pytest.mark.usefixtures("no_collector")
def test_arrays_are_freed_at_once() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    z = y.exp().sum()
    z.backward(create_graph=True)
    arrays = [weakref.ref(t.array) for t in (x, y, z, x.grad)]
    del x, y, z
    assert [a() for a in arrays] == [None] * 4


# --- depth ------------------------------------------------------------------------------------------------------------


# Python 3.13 lets C calls nest so deep before it steps in that freeing its own nested tuples crashes a thread of 256 KB.
SMALL_STACK = (256 if sys.version_info < (3, 13) else 512) * 1024


def in_small_thread(work: Callable[[], Any]) -> Any:
    """Runs something in a thread with a small stack, where recursion into depth would crash."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    before = threading.stack_size(SMALL_STACK)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_chain_of_100_000_operations(create_graph: bool) -> None:
    length = 100_000

    def work() -> list[float]:
        x = leaf(1.0)
        y = x
        for _ in range(length):
            y = y * 1.0 if create_graph else y + 1.0
        y.backward(create_graph=create_graph)
        result = x.grad.tolist()
        node = weakref.ref(y.grad_fn)
        x.grad = None
        del y  # the whole chain goes with it
        assert node() is None
        return list(result)

    assert in_small_thread(work) == [1.0]


@pytest.mark.usefixtures("no_collector")
def test_a_deep_graph_without_backward_is_freed() -> None:
    def work() -> Any:
        y = leaf(1.0)
        for _ in range(30_000):
            y = (y * y).clone()
        for _ in range(30_000):  # views of views remember their way
            y = y.reshape(1)
        node = weakref.ref(y.grad_fn)
        del y
        return node()

    assert in_small_thread(work) is None


@pytest.mark.usefixtures("no_collector")
def test_a_deep_chain_of_in_place_writes() -> None:
    def work() -> list[float]:
        x = leaf(2.0)
        y = x * 1
        for _ in range(20_000):
            y += 1
        y.backward()
        return list(x.grad.tolist())

    assert in_small_thread(work) == [1.0]


# --- higher orders ----------------------------------------------------------------------------------------------------


def test_three_orders_of_a_power() -> None:
    x = leaf(3.0)
    y: Any = x**4
    for expected in (4 * 27.0, 12 * 9.0, 24 * 3.0, 24.0):
        (y,) = grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.tolist(), [expected], rtol=1e-12)


def test_three_orders_of_a_composition() -> None:
    x = leaf(0.7)
    y: Any = x.sin().exp()
    s, c = np.sin(0.7), np.cos(0.7)
    for expected in (c, c * c - s, c**3 - 3 * s * c - c):
        (y,) = grad(y, x, create_graph=True)
        np.testing.assert_allclose(y.tolist(), [expected * np.exp(s)], rtol=1e-12)


def test_mixed_second_derivatives() -> None:
    x, y = leaf(2.0), leaf(3.0)
    (by_x,) = grad(x**2 * y**3, x, create_graph=True)
    assert grad(by_x, y)[0].tolist() == [2 * 2 * 3 * 9.0]


def test_create_graph_fills_grads_that_can_be_differentiated() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    slope = x.grad
    assert slope.requires_grad
    x.grad = None
    slope.backward()
    assert x.grad.tolist() == [12.0]


def test_create_graph_accumulates_without_writing() -> None:
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    first = x.grad
    (x**2).backward(create_graph=True)
    assert first.tolist() == [12.0]
    assert x.grad.tolist() == [16.0]
    assert grad(x.grad, x)[0].tolist() == [14.0]


def test_without_create_graph_gradients_are_constants() -> None:
    x = leaf(2.0)
    (x**3).backward()
    assert not x.grad.requires_grad
    assert not grad(x**3, x)[0].requires_grad


def test_the_gradient_with_respect_to_the_cotangent() -> None:
    x, g = leaf(1.0, 2.0), leaf(1.0, 1.0)
    (pulled,) = grad(x * x, x, g, create_graph=True)
    assert grad(pulled, g, minigrad.tensor([1.0, 10.0], dtype=minigrad.float64))[0].tolist() == [2.0, 40.0]


# --- fused operations -------------------------------------------------------------------------------------------------


def test_the_inputs_of_a_fused_operation_may_depend_on_each_other() -> None:
    """Its composite gives the derivative by each input with the others fixed: what they have to do with it comes after."""
    x = leaf(1.0, 2.0, 4.0, 7.0)

    def outputs(layer: Callable[..., Tensor]) -> list[list[float]]:
        batch = x.reshape(2, 2)
        y = layer(batch, batch[0] * 2.0, batch[1] * batch[0])
        (first,) = grad((y * y).sum(), x, create_graph=True)
        (second,) = grad((first * first).sum(), x)
        return [first.tolist(), second.tolist()]

    def by_hand(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        away = x - x.mean(0)
        return away / ((away * away).mean(0) + 0.5).sqrt() * weight + bias

    fused = outputs(lambda x, w, b: minigrad.nn.functional.batch_norm(x, None, None, w, b, True, eps=0.5))
    np.testing.assert_allclose(fused, outputs(by_hand), rtol=1e-9)


def test_a_fused_operation_frees_what_it_kept_for_its_composite() -> None:
    x = leaf(1.0, 2.0)
    y = minigrad.nn.functional.gelu(x).sum()
    y.backward(create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="were freed by an earlier backward"):
        y.backward()


# --- threads ----------------------------------------------------------------------------------------------------------


def test_backward_in_several_threads() -> None:
    shared = leaf(*range(1, 9))
    results: dict[int, list[float]] = {}

    def work(n: int) -> None:
        for _ in range(50):
            y = shared
            for _ in range(20):
                y = y * 1.0 + shared * 0.0
            results[n] = grad((y * n).sum(), shared)[0].tolist()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: [float(n)] * 8 for n in range(1, 5)}


def test_the_derivatives_of_a_power_where_the_exponent_is_0() -> None:
    """The slope by the base is y x**(y - 1): for y = 0 it is taken as the constant 0, as in torch, whatever x is."""
    x, y = leaf(2.0, 0.0), leaf(0.0, 0.0)
    (by_x,) = grad((x**y).sum(), x, create_graph=True)
    assert by_x.tolist() == [0.0, 0.0]
    assert grad(by_x[0], y)[0].tolist() == [0.0, 0.0]


def test_gradients_that_are_infinite_come_without_warnings() -> None:
    x = leaf(0.0, 1.0)
    (x.sqrt() * leaf(0.0, 1.0)).sum().backward()
    assert str(x.grad.tolist()) == "[nan, 0.5]"
