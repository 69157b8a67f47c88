"""autograd.graph: nodes, hooks for saved tensors and for several gradients. What torch does is in test_parity.py."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor, nn
from minigrad.autograd import Variable, grad, gradcheck
from minigrad.autograd.graph import (
    GradientEdge,
    Node,
    disable_saved_tensors_hooks,
    get_gradient_edge,
    increment_version,
    register_multi_grad_hook,
    save_on_cpu,
    saved_tensors_hooks,
)


def leaf(*values: float) -> Tensor:
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


def same(x: Any) -> Any:
    return x


# --- saved tensors ----------------------------------------------------------------------------------------------------


class OnDisk:
    """torch's example: a file that goes with its object."""

    def __init__(self, folder: Path, x: Tensor) -> None:
        self.path = folder / f"{id(self)}.npy"
        np.save(self.path, x.numpy())

    def __del__(self) -> None:
        os.unlink(self.path)

    def load(self) -> Tensor:
        return minigrad.from_numpy(np.load(self.path))  # type: ignore[no-any-return]


def test_saved_tensors_on_disk(tmp_path: Path) -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(36, 5),
        nn.LogSoftmax(-1),
    )
    x = minigrad.randn(2, 1, 8, 8, requires_grad=True)

    def gradients() -> list[list[float]]:
        loss = (model(x)[:, 0] ** 2).sum()
        files.append(len(list(tmp_path.iterdir())))
        return [g.reshape(-1).tolist() for g in grad(loss, [x, *model.parameters()])]

    files: list[int] = []
    plain = gradients()
    with saved_tensors_hooks(lambda x: OnDisk(tmp_path, x), OnDisk.load):
        assert gradients() == plain
    assert files[0] == 0
    assert files[1] > 5
    gc.collect()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "function"),
    {
        "output": lambda x: x.exp(),
        "inputs": lambda x: x * x.flip(0),
        "auxiliary": lambda x: nn.functional.max_pool1d(x.reshape(1, 1, 3), 2) ** 2,
        "several": lambda x: minigrad.cat([x, x * x]).softmax(0),
        "variadic": lambda x: minigrad.stack([x * x, x.sin()]).prod(0),
        "in place": lambda x: (x * 1).mul_(x).exp_(),
        "views": lambda x: minigrad.cat([y * y for y in (x * 1).reshape(3, 1).unbind()]),
        "write into a view": lambda x: (y := x * x, y[1:].mul_(x[:2]), y.sin())[-1],
    }.items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_all_kinds_of_saved_values_pass_the_hooks(name: str, function: Callable[[Tensor], Tensor]) -> None:
    x = leaf(0.5, -0.3, 0.9)
    with saved_tensors_hooks(lambda x: x.numpy().tobytes(), None):  # type: ignore[arg-type]
        y = function(x)
    with pytest.raises(TypeError, match="NoneType"):
        y.sum().backward()

    def hooked(x: Tensor) -> Tensor:
        with saved_tensors_hooks(lambda x: x.numpy().copy(), lambda a: minigrad.tensor(a)):
            return function(x)

    np.testing.assert_array_equal(grad(hooked(x).sum(), x)[0].numpy(), grad(function(x).sum(), x)[0].numpy())
    assert gradcheck(hooked, (x,))


def test_the_original_need_not_live() -> None:
    x = leaf(1.0, 2.0)
    with saved_tensors_hooks(lambda x: x.numpy().copy(), minigrad.from_numpy):
        y = x.exp()
        array = weakref.ref(y.array)
        z = y * 2
        del y
    assert array() is None
    z.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp([1.0, 2.0]))


def test_as_a_decorator_and_in_threads() -> None:
    packed: list[int] = []

    @saved_tensors_hooks(lambda x: packed.append(x.numel()) or x, same)  # type: ignore[func-returns-value]
    def square(x: Tensor) -> Tensor:
        return x * x

    square(leaf(1.0, 2.0))
    assert packed == [2, 2]
    _ = leaf(1.0) * leaf(1.0)
    with saved_tensors_hooks(lambda x: packed.append(-1) or x, same):  # type: ignore[func-returns-value]
        thread = threading.Thread(target=lambda: leaf(1.0).exp())
        thread.start()
        thread.join()
    assert packed == [2, 2], "hooks belong to their thread"


def test_identical_hooks_notice_overwriting_all_the_same() -> None:
    x = leaf(1.0)
    y = x * 1
    with saved_tensors_hooks(same, same):
        z = y * y
    y += 1
    with pytest.raises(RuntimeError, match="has overwritten since"):
        z.backward()


def test_an_error_while_packing_leaves_the_modes_as_they_were() -> None:
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), saved_tensors_hooks(lambda x: 1 / 0, same):
        x.exp()
    assert x.exp().requires_grad
    x.exp().backward()


@pytest.mark.parametrize(
    ("pack", "unpack", "error", "message"),
    [
        (same, lambda x: 1, TypeError, "expected the unpack hook to return a tensor, got int"),
        (same, lambda x: x[:1], RuntimeError, r"returned a tensor of shape \(1,\), the saved one had shape \(2,\)"),
        (lambda x: x.add_(1), same, RuntimeError, "the pack hook wrote into its tensor"),
    ],
)
def test_wrong_hooks(pack: Any, unpack: Any, error: type[Exception], message: str) -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(error, match=message):
        with saved_tensors_hooks(pack, unpack):
            y = (x * 1).exp()
        y.sum().backward()


def test_hooks_may_be_forbidden() -> None:
    with disable_saved_tensors_hooks("not here"):
        with pytest.raises(RuntimeError, match="not here"), saved_tensors_hooks(same, same):
            pass
        with disable_saved_tensors_hooks("nor here"), pytest.raises(RuntimeError, match="nor here"), save_on_cpu():
            pass
    with (
        saved_tensors_hooks(same, same),
        pytest.raises(RuntimeError, match="too late"),
        disable_saved_tensors_hooks("too late"),
    ):
        pass
    with save_on_cpu(pin_memory=False):
        x = leaf(3.0)
        assert grad(x * x, x)[0].item() == 6.0


# --- nodes and edges --------------------------------------------------------------------------------------------------


def test_a_walk_over_the_graph() -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0)
    y = ((x * w).exp().unbind()[1] + 1).sum()

    def names(node: Node) -> Any:
        return (node.name(), *[names(n) if n is not None else None for n, _ in node.next_functions])

    leaves = ("MulBackward0", ("AccumulateGrad",), ("AccumulateGrad",))
    assert names(y.grad_fn) == ("SumBackward0", ("AddBackward0", ("UnbindBackward0", ("ExpBackward0", leaves)), None))
    assert isinstance(y.grad_fn, Node)
    assert y.grad_fn.metadata == {}


def test_edges_instead_of_tensors() -> None:
    x = leaf(2.0, 3.0)
    first, second = (x * x).unbind()
    edge = get_gradient_edge(second)
    assert isinstance(edge, GradientEdge)
    assert (edge.node.name(), edge.output_nr) == ("UnbindBackward0", 1)
    z = (first * second) ** 2
    assert grad(z, edge, retain_graph=True)[0].item() == 2 * 4.0**2 * 9.0
    assert grad(z, [get_gradient_edge(x), edge], retain_graph=True)[0].tolist() == [2 * 36 * 9 * 4.0, 2 * 36 * 4 * 6.0]
    end = get_gradient_edge(z)
    del z, first, second
    minigrad.autograd.backward(end)
    assert x.grad.tolist() == [2 * 36 * 9 * 4.0, 2 * 36 * 4 * 6.0]
    with pytest.raises(
        RuntimeError, match=r"UnbindBackward0 has several outputs: get_gradient_edge\(tensor\) gives the edge of one"
    ):
        grad(x.unbind()[0], GradientEdge(edge.node, 1))
    with pytest.raises(RuntimeError, match="get_gradient_edge: this tensor needs no gradient"):
        get_gradient_edge(minigrad.ones(1))


def test_hooks_of_a_node_with_several_outputs() -> None:
    x = leaf(1.0, 2.0)
    a, b = x.unbind()
    seen: list[Any] = []
    a.grad_fn.register_prehook(lambda out: seen.append([g.item() for g in out]))
    a.grad_fn.register_hook(lambda into, out: (into[0] * 10,))
    (a * 3 + b * 5).backward()
    assert (seen, x.grad.tolist()) == ([[3.0, 5.0]], [30.0, 50.0])


def test_a_hook_of_a_node_reaches_wanted_inputs_only() -> None:
    x, w = leaf(2.0), leaf(3.0)
    seen: list[Tensor] = []
    w.register_hook(seen.append)
    y = x * w
    y.grad_fn.register_hook(lambda into, out: (into[0], minigrad.ones(1, dtype=minigrad.float64)))
    assert grad(y, x)[0].tolist() == [3.0]
    assert seen == []


def test_hooks_of_an_accumulating_node() -> None:
    x = leaf(1.0)
    node = (x * 2).grad_fn.next_functions[0][0]
    seen: list[Any] = []
    node.register_prehook(lambda out: (out[0] * 100,))
    node.register_hook(lambda into, out: seen.append((into, out[0].item(), x.grad.item())))
    (x * 3).backward()
    assert seen == [((), 300.0, 300.0)]


def test_handles_remove_their_hook_only() -> None:
    x = leaf(1.0)
    y = x * 2
    seen: list[str] = []
    with y.grad_fn.register_hook(lambda into, out: seen.append("inside")):
        y.grad_fn.register_hook(lambda into, out: seen.append("stays"))
        y.backward(retain_graph=True)
    y.backward(retain_graph=True)
    handle = x.register_post_accumulate_grad_hook(lambda x: seen.append("accumulated"))
    y.backward(retain_graph=True)
    handle.remove()
    y.backward()
    assert seen == ["inside", "stays", "stays", "stays", "accumulated", "stays"]


def test_wrong_hooks_of_nodes() -> None:
    x = leaf(1.0, 2.0)
    for attach, message in (
        (
            lambda y: y.grad_fn.register_prehook(lambda out: out + out),
            "register_prehook: expected None or 1 gradients, got 2",
        ),
        (lambda y: y.grad_fn.register_hook(lambda into, out: ()), "register_hook: expected None or 1 gradients, got 0"),
        (
            lambda y: y.grad_fn.register_hook(lambda into, out: (into[0][:1],)),
            r"register_hook: expected None or a tensor of shape \(2,\)",
        ),
        (lambda y: x.register_post_accumulate_grad_hook(lambda x: x), "the hook must return None"),
    ):
        y = x.exp()
        attach(y)
        with pytest.raises(RuntimeError, match=message):
            y.sum().backward()


def test_a_gradient_penalty_through_hooks() -> None:
    """Hooks of a backward that is recorded are part of what is recorded."""
    x = leaf(3.0)
    y = x * x
    y.grad_fn.register_hook(lambda into, out: tuple(None if g is None else g * x for g in into))
    (slope,) = grad(y, x, create_graph=True)
    assert slope.item() == 2 * 3.0 * 3.0
    assert grad(slope, x)[0].item() == 4 * 3.0


# --- several gradients ------------------------------------------------------------------------------------------------


def test_a_hook_for_several_gradients_is_called_once_per_backward() -> None:
    a, b = leaf(1.0), leaf(2.0)
    c = a * b
    seen: list[Any] = []
    register_multi_grad_hook([a, b], lambda grads: seen.append([g.item() for g in grads]))
    for _ in range(2):
        c.backward(retain_graph=True)
    assert seen == [[2.0, 1.0]] * 2


def test_a_failed_backward_calls_it_not() -> None:
    a, b = leaf(1.0), leaf(2.0)
    c = a * 2
    seen: list[Any] = []
    register_multi_grad_hook([a, b], seen.append)
    a.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        c.backward()
    assert seen == []


def test_threads_do_not_mix() -> None:
    seen: list[Any] = []
    a, b = leaf(1.0), leaf(1.0)
    register_multi_grad_hook([a, b], lambda grads: seen.append(tuple(g.item() for g in grads)))

    def work(n: int) -> None:
        for _ in range(100):
            grad((a * n + b * n).sum(), (a, b))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == sorted([(float(n), float(n)) for n in range(4)] * 100)


def test_errors_of_hooks_for_several_gradients() -> None:
    with pytest.raises(ValueError, match="expected mode 'all' or 'any', got 'some'"):
        register_multi_grad_hook([leaf(1.0)], print, mode="some")
    with pytest.raises(RuntimeError, match="this tensor needs no gradient"):
        register_multi_grad_hook([minigrad.ones(1)], print)


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_increment_version() -> None:
    x = leaf(1.0)
    y = x * 1
    z = y.exp()
    z.numpy(force=True)[...] = 5
    increment_version(z)
    assert z._version == 1
    with pytest.raises(RuntimeError, match="overwritten since"):
        z.backward()
    increment_version([y, y])
    assert y._version == 2
    with minigrad.inference_mode():
        inference = minigrad.ones(1)
    with pytest.raises(RuntimeError, match="not counted"):
        increment_version(inference)


def test_variable() -> None:
    data = minigrad.ones(2)
    x = Variable(data, requires_grad=True)
    assert isinstance(x, Tensor)
    assert isinstance(x, Variable)
    assert not isinstance(3.0, Variable)
    assert x.array is data.array
    assert (x.requires_grad, data.requires_grad, Variable(data).requires_grad) == (True, False, False)
    with pytest.raises(TypeError, match="Variable: expected a tensor, got list"):
        Variable([1.0])
