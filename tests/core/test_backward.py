"""grad and backward: what they take, what they visit, hooks on the way, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import grad
from minigrad.core.engine import at_end
from minigrad.core.modes import current_task


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


# --- grad() and backward(inputs=) -------------------------------------------------------------------------------------


def test_grad_leaves_grads_alone() -> None:
    x, y = leaf(2.0), leaf(3.0)
    assert [g.tolist() for g in grad(x * y, [x, y])] == [[3.0], [2.0]]
    assert (x.grad, y.grad) == (None, None)


def test_grad_of_a_result() -> None:
    x = leaf(2.0)
    y = x * x
    assert [g.tolist() for g in grad(y * y, [y, x], retain_graph=True)] == [[8.0], [32.0]]
    assert grad(y, y, retain_graph=True)[0].tolist() == [1.0]


def test_grad_visits_only_what_leads_to_the_inputs() -> None:
    x, y = leaf(2.0), leaf(3.0)
    seen = []
    z = y * 1
    z.register_hook(seen.append)
    grad(x * z, x)
    assert seen == []


def test_unused_inputs() -> None:
    x, y = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match=r"grad: the outputs do not depend on input 1 \(shape \(1,\)\); allow_unused=True"):
        grad(x * 2, [x, y])
    assert grad(x * 2, [x, y], allow_unused=True)[1] is None
    assert grad(x * 2, [x, y], materialize_grads=True)[1].tolist() == [0.0]
    with pytest.raises(RuntimeError, match=r"grad: input 0 .* needs no gradient"):
        grad(x * 2, minigrad.ones(1))


def test_backward_for_some_inputs_only() -> None:
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=[x])
    assert x.grad.tolist() == [3.0]
    assert y.grad is None
    (x * y).backward(inputs=x)
    assert x.grad.tolist() == [6.0]


def test_a_tensor_without_history_has_no_backward() -> None:
    with pytest.raises(RuntimeError, match="backward: tensor 0 needs no gradient"):
        minigrad.ones(1).backward()
    x = leaf(1.0)
    with minigrad.no_grad():
        y = x * 2
    with pytest.raises(RuntimeError, match="needs no gradient"):
        y.backward()


def test_only_one_element_starts_by_itself() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"only for one element, this tensor has shape \(2,\)"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match=r"the gradient has shape \(3,\) but the tensor has shape \(2,\)"):
        (x * 2).backward(minigrad.ones(3))
    x.reshape(2, 1)[0].reshape(1, 1).backward()
    assert x.grad.tolist() == [1.0, 0.0]


def test_a_leaf_is_its_own_graph() -> None:
    x = leaf(1.0, 2.0)
    x.backward(minigrad.tensor([3.0, 4.0], dtype=minigrad.float64))
    assert x.grad.tolist() == [3.0, 4.0]


# --- hooks and retained gradients -------------------------------------------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once() -> None:
    x = leaf(1.0)
    y = x * 2
    seen: list[list[float]] = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 3 + y * 4).backward()
    assert seen == [[7.0]]


def test_a_hook_may_replace_the_gradient() -> None:
    x = leaf(1.0)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: -g)
    y.backward()
    assert x.grad.tolist() == [-22.0]


def test_a_hook_can_be_removed() -> None:
    x = leaf(1.0)
    seen = []
    handle = x.register_hook(lambda g: seen.append("first"))
    x.register_hook(lambda g: seen.append("second"))
    (x * 2).backward()
    handle.remove()
    handle.remove()
    (x * 2).backward()
    assert seen == ["first", "second", "second"]


def test_a_hook_that_returns_nonsense() -> None:
    x = leaf(1.0)
    x.register_hook(lambda g: minigrad.ones(3))
    with pytest.raises(RuntimeError, match=r"hook: expected None or a tensor of shape \(1,\), float64, got \(3,\)"):
        (x * 2).backward()
    y = leaf(1.0)
    y.register_hook(lambda g: "no")
    with pytest.raises(TypeError, match="got str"):
        (y * 2).backward()
    z = leaf(1.0)
    z.register_hook(lambda g: g.float())
    with pytest.raises(RuntimeError, match=r"of shape \(1,\), float64, got \(1,\), float32"):
        (z * 2).backward()


def test_hooks_need_a_gradient() -> None:
    with pytest.raises(RuntimeError, match="register_hook: this tensor needs no gradient"):
        minigrad.ones(1).register_hook(print)
    with pytest.raises(RuntimeError, match="retain_grad: this tensor needs no gradient"):
        minigrad.ones(1).retain_grad()


def test_an_error_in_a_hook_leaves_recording_on() -> None:
    x = leaf(1.0)
    x.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2).backward()
    assert minigrad.is_grad_enabled()
    assert (x * 2).requires_grad


def test_retain_grad() -> None:
    x = leaf(2.0)
    y, z = x * 3, x * 5
    assert not y.retains_grad
    y.retain_grad()
    x.retain_grad()  # nothing happens: it is a leaf
    assert y.retains_grad
    (y * y * z).backward()
    assert y.grad.tolist() == [2 * 6 * 10.0]
    assert z.grad is None
    assert x.grad.tolist() == [3 * 45 * 4.0]


def test_backward_inside_a_hook() -> None:
    x, other = leaf(1.0), leaf(1.0)
    y = x * 2

    def hook(g: Tensor) -> None:
        assert not minigrad.is_grad_enabled()
        with minigrad.enable_grad():
            (other * 5).backward()

    y.register_hook(hook)
    (y * 3).backward()
    assert (x.grad.tolist(), other.grad.tolist()) == ([6.0], [5.0])


# --- what grad and backward take --------------------------------------------------------------------------------------


def test_a_batch_of_cotangents() -> None:
    x, unused = leaf(1.0, 2.0), leaf(1.0)
    y, z = x * x, x.sum()
    batch = minigrad.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=minigrad.float64)
    ones = minigrad.ones(3, dtype=minigrad.float64)
    by_x, by_unused = grad([y, z], [x, unused], [batch, ones], is_grads_batched=True, allow_unused=True, create_graph=True)
    assert by_x.tolist() == [[3.0, 1.0], [1.0, 5.0], [3.0, 5.0]]
    assert by_unused is None
    assert grad(by_x.sum(), x)[0].tolist() == [4.0, 4.0]
    assert grad(x * x, unused, batch, is_grads_batched=True, materialize_grads=True)[0].shape == (3, 1)
    y = x * x
    grad(y, x, batch, is_grads_batched=True)
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.sum().backward()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: grad(x.sum(), []), RuntimeError, "grad: inputs cannot be empty"),
        (lambda x: grad(x.sum(), x, materialize_grads=True, allow_unused=False), ValueError, "materialize_grads=True gives zeros"),
        (lambda x: grad(x.sum(), "x"), TypeError, "grad: expected inputs to be a tensor or a sequence of tensors, got str at index 0"),
        (lambda x: grad([x.sum(), 1.0], x), TypeError, "grad: expected outputs to be .* got float at index 1"),
        (lambda x: grad(x, x, 1.0), TypeError, "grad: the gradients must be a tensor, None or a sequence of these, got float"),
        (lambda x: grad(x, x, [1.0]), TypeError, "grad: a gradient must be a tensor or None, got float"),
        (lambda x: grad([x, x], x, [x.detach()]), RuntimeError, "grad: got 2 tensors and 1 gradients"),
        (lambda x: grad(x, x, x.detach(), is_grads_batched=True), RuntimeError, r"the gradient has shape \(\) but the tensor has shape \(2,\)"),
        (lambda x: grad([x, x], x, [x.detach(), x.detach()[:1]], is_grads_batched=True), RuntimeError, r"all of one length .* \[1, 2\]"),
        (lambda x: grad(x, x, x.detach()[:0], is_grads_batched=True), RuntimeError, r"one length above 0; got lengths \[0\]"),
        (lambda x: x.sum().backward(inputs=[]), RuntimeError, "backward: inputs cannot be empty"),
        (lambda x: x.sum().backward(inputs=[x, minigrad.ones(1)]), RuntimeError, "backward: input 1 .* needs no gradient"),
        (lambda x: minigrad.autograd.backward(x, x, grad_variables=x), RuntimeError, "grad_variables, which is its old name"),
        (lambda x: minigrad.autograd.backward([x.sum(), minigrad.ones(1)]), RuntimeError, "backward: tensor 1 needs no gradient"),
    ],
)
def test_wrong_arguments(call: Callable[[Tensor], Any], error: type[Exception], message: str) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=message):
        call(x)
    assert x.grad is None
    assert minigrad.is_grad_enabled()


def test_a_dictionary_of_inputs() -> None:
    x, y = leaf(2.0), leaf(3.0)
    assert {name: g.tolist() for name, g in grad(x * y, {"x": x, "y": y}).items()} == {"x": [3.0], "y": [2.0]}


def test_backward_for_inputs_that_are_no_leaves() -> None:
    x, w = leaf(2.0), leaf(5.0)
    y = x * w
    z = y * y
    z.backward(inputs=[y, w], retain_graph=True)
    assert (y.grad.tolist(), w.grad.tolist(), x.grad) == ([20.0], [40.0], None)
    z.backward(inputs=[y, y])
    assert y.grad.tolist() == [40.0]


def test_backward_for_inputs_runs_their_hooks() -> None:
    x, w = leaf(2.0), leaf(5.0)
    seen: list[str] = []
    x.register_post_accumulate_grad_hook(lambda p: seen.append("x"))
    w.register_post_accumulate_grad_hook(lambda p: seen.append("w"))
    (x * w).backward(inputs=x)
    grad(x * w, w)
    assert seen == ["x"]


def test_a_leaf_that_a_hook_waits_for_is_visited_after_its_last_use() -> None:
    first, second, shared = leaf(2.0), leaf(3.0), leaf(5.0)
    seen: list[Any] = []

    def note(name: str) -> Callable[[Tensor], None]:
        return lambda x: seen.append((name, x.grad.tolist()))

    for name, x in (("first", first), ("second", second), ("shared", shared)):
        x.register_post_accumulate_grad_hook(note(name))
    y = first * shared
    y.register_hook(lambda g: seen.append(("y", g.tolist())))
    z = (y * second + shared) * 1
    z.register_hook(lambda g: seen.append(("z", g.tolist())))
    z.backward(retain_graph=True)
    assert seen == [("z", [1.0]), ("second", [10.0]), ("y", [3.0]), ("first", [15.0]), ("shared", [7.0])]
    minigrad.autograd.backward([second, z, first])  # leaves to begin with
    assert [x.grad.tolist() for x in (first, second, shared)] == [[31.0], [21.0], [14.0]]
    assert len(seen) == 10


def test_a_leaf_that_a_hook_waits_for_comes_even_if_part_of_the_graph_has_no_gradient() -> None:
    class Stop(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x * 1

        @staticmethod
        def backward(ctx: Any, g: Tensor) -> None:
            return None

    x = leaf(2.0)
    seen: list[Any] = []
    x.register_post_accumulate_grad_hook(lambda x: seen.append(x.grad.tolist()))
    (x * 3 + Stop.apply(x * 5)).backward()
    assert seen == [[3.0]]


def test_what_fails_at_the_end_of_backward_leaves_the_modes_as_they_were() -> None:
    x = leaf(2.0)

    before = current_task()

    def fail(completed: bool) -> None:
        raise ValueError(f"at the end, {completed}")

    x.register_post_accumulate_grad_hook(lambda _: at_end(current_task(), fail))
    with pytest.raises(ValueError, match="at the end, True"):
        (x * 3).backward()
    assert current_task() == before
    assert (x * 1).requires_grad


def test_a_tensor_retains_its_gradient_through_a_write() -> None:
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    y.mul_(10)
    (y * 7).backward()
    assert (y.grad.tolist(), x.grad.tolist()) == ([7.0], [210.0])


def test_a_gradient_that_does_not_fit_its_tensor_cannot_be_assigned() -> None:
    x = minigrad.ones(2, 3, requires_grad=True)
    for new, kind, message in (
        (minigrad.ones(3, 2), RuntimeError, r"float32 of shape \(2, 3\), got float32 of shape \(3, 2\)"),
        (minigrad.ones(2, 3).double(), RuntimeError, "got float64"),
        (x, RuntimeError, "a tensor cannot be its own gradient"),
        (np.ones((2, 3), np.float32), TypeError, "grad: expected a tensor or None, got ndarray"),
    ):
        with pytest.raises(kind, match=message):
            x.grad = new
        assert x.grad is None
    x.grad = minigrad.ones(2, 3)
    x.sum().backward()
    assert x.grad.tolist() == [[2.0] * 3] * 2
    x.grad = None
    assert x.grad is None
