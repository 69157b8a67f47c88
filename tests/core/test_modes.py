"""no_grad, enable_grad, set_grad_enabled: with blocks, decorators, nested, in many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import minigrad
from minigrad import (
    Tensor,
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    nn,
    no_grad,
    set_grad_enabled,
)


def recorded() -> bool:
    return bool((minigrad.ones(1, requires_grad=True) * 2).requires_grad)


def test_recording_is_on_by_default() -> None:
    assert is_grad_enabled()
    assert recorded()


def test_blocks_nest() -> None:
    with no_grad():
        assert not recorded()
        with enable_grad():
            assert recorded()
            with no_grad():
                assert not recorded()
            assert recorded()
        assert not recorded()
    assert recorded()


def test_an_error_leaves_the_mode_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), no_grad():
        _ = 1 / 0
    assert recorded()


def test_one_object_may_be_entered_inside_itself() -> None:
    off = no_grad()
    with off:
        with off:
            assert not recorded()
        assert not recorded()
    assert recorded()


@pytest.mark.parametrize(
    "decorator", [lambda f: no_grad()(f), no_grad, lambda f: set_grad_enabled(False)(f)], ids=["no_grad()", "no_grad", "set_grad_enabled"]
)
def test_decorators(decorator: Callable[..., Any]) -> None:
    @decorator
    def evaluate(value: float, *, scale: float = 1.0) -> tuple[bool, float]:
        """Says so."""
        return recorded(), value * scale

    assert recorded()
    assert evaluate(2.0, scale=3.0) == (False, 6.0)
    assert recorded()
    assert (evaluate.__name__, evaluate.__doc__) == ("evaluate", "Says so.")


def test_a_decorated_function_may_call_itself() -> None:
    @no_grad()
    def countdown(n: int) -> list[bool]:
        return [recorded(), *(countdown(n - 1) if n else [])]

    assert countdown(3) == [False] * 4
    assert recorded()


def test_enable_grad_as_a_decorator() -> None:
    @enable_grad()
    def inner() -> bool:
        return recorded()

    with no_grad():
        assert inner()
        assert not recorded()


def test_set_grad_enabled_is_a_function_too() -> None:
    set_grad_enabled(False)
    try:
        assert not recorded()
        with set_grad_enabled(True):
            assert recorded()
        assert not recorded()
    finally:
        set_grad_enabled(True)
    assert recorded()


def test_results_under_no_grad_are_leaves() -> None:
    x = minigrad.ones(2, requires_grad=True)
    with no_grad():
        y = x * 2
        view = x[0:1]
    assert (y.requires_grad, y.is_leaf, y.grad_fn) == (False, True, None)
    assert (view.requires_grad, view.is_leaf) == (False, True)


def test_what_was_recorded_outside_stays() -> None:
    x = minigrad.ones(1, requires_grad=True)
    y = x * 2
    with no_grad():
        assert y.requires_grad
        y.backward()
    assert x.grad.tolist() == [2.0]


def test_modes_belong_to_their_thread() -> None:
    wrong: list[str] = []
    start = threading.Barrier(6)

    def work(off: bool) -> None:
        start.wait()
        for _ in range(300):
            if not is_grad_enabled():
                wrong.append("a thread begins, and goes on, with recording on")
            if off:
                with no_grad():
                    if recorded():
                        wrong.append("recorded inside no_grad")
            elif not recorded():
                wrong.append("another thread's no_grad stopped recording here")

    threads = [threading.Thread(target=work, args=(i % 2 == 0,)) for i in range(6)]
    with no_grad():  # of this thread only
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_backward_does_not_record() -> None:
    x = minigrad.ones(1, requires_grad=True)
    y = x * x
    modes: list[bool] = []

    def see(g: Tensor) -> None:
        modes.append(is_grad_enabled())

    y.register_hook(see)
    y.backward(retain_graph=True)
    y.backward(create_graph=True)
    assert modes == [False, True]
    assert is_grad_enabled()


# --- inference mode ---------------------------------------------------------------------------------------------------


def made_in_inference_mode() -> Tensor:
    with inference_mode():
        return minigrad.ones(2) * 3


def test_inference_tensors_come_from_everything() -> None:
    x = minigrad.ones(2, requires_grad=True)
    with inference_mode():
        made = [
            minigrad.tensor([1.0]),
            Tensor([1.0]),
            minigrad.zeros(2),
            minigrad.rand(2),
            minigrad.from_numpy(x.detach().numpy()),
            x + 1,
            x.clone(),
            x.sum(),
            minigrad.cat([x, x]),
            *x.exp().unbind(),
            x.max(0)[1],
            x > 0,
            (x * 2)[0],
            nn.Linear(2, 2).weight,
            nn.functional.conv2d(minigrad.ones(1, 1, 2, 2), minigrad.ones(1, 1, 1, 1)),
        ]
        views = [x[0], x.reshape(2, 1), x.t(), x.detach(), *x.unbind()]
    assert [t.is_inference() for t in made] == [True] * len(made)
    assert [t.is_inference() for t in views] == [False] * len(views)
    assert not any(t.requires_grad for t in made if not isinstance(t, nn.Parameter))


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda x, q: x * q, "inference tensors cannot be saved for backward: .* use a clone"),
        (lambda x, q: q.requires_grad_(), "requires_grad: an inference tensor cannot be given it outside inference_mode"),
        (lambda x, q: q.add_(1), "add_: an inference tensor cannot be written in place outside inference_mode"),
        (lambda x, q: q.t().mul_(2), "mul_: an inference tensor"),
        (lambda x, q: q.__setitem__(0, 5.0), "an inference tensor cannot be written in place"),
        (lambda x, q: q.copy_(x.detach()), "copy_: an inference tensor"),
        (lambda x, q: q.fill_(0), "an inference tensor cannot be written in place"),
        (lambda x, q: nn.init.zeros_(q), "an inference tensor cannot be written in place"),
        (lambda x, q: q.uniform_(), "an inference tensor cannot be written in place"),
        (lambda x, q: nn.Parameter(q), "requires_grad: an inference tensor"),
        (lambda x, q: q._version, "writes to inference tensors are not counted"),
    ],
)
def test_what_inference_tensors_refuse(use: Callable[[Tensor, Tensor], Any], message: str) -> None:
    x, q = minigrad.ones(2, requires_grad=True), made_in_inference_mode()
    with pytest.raises(RuntimeError, match=message):
        use(x, q)
    assert q.tolist() == [3.0, 3.0]
    assert (q.requires_grad, q.is_inference()) == (False, True)


def test_what_inference_tensors_allow() -> None:
    x, q = minigrad.ones(2, requires_grad=True), made_in_inference_mode()
    (x + q).sum().backward()
    (x * q.clone()).sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]
    with no_grad():
        assert (x * q).tolist() == [3.0, 3.0]
    with inference_mode():
        q.add_(1)
        q[0] = 7.0
        n = minigrad.ones(1).requires_grad_()
    assert q.tolist() == [7.0, 4.0]
    (n * 5).backward()
    assert n.grad.tolist() == [5.0]


def test_backward_in_inference_mode() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = (x * x).sum()
    with inference_mode():
        y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_writing_into_a_recorded_tensor_in_inference_mode_is_noticed() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = x * 1
    z = y * y
    with inference_mode():
        y.add_(1)
    with pytest.raises(RuntimeError, match="has overwritten since"):
        z.sum().backward()


def test_a_view_looked_at_first_in_inference_mode_keeps_its_history() -> None:
    x = minigrad.ones(2, requires_grad=True)
    base = x * 1
    view = base[:1]
    base.mul_(3)
    with inference_mode():
        assert view.requires_grad
    view.sum().backward()
    assert x.grad.tolist() == [3.0, 0.0]


def test_modes_inside_inference_mode() -> None:
    x = minigrad.ones(1, requires_grad=True)
    with inference_mode():
        assert (is_grad_enabled(), is_inference_mode_enabled()) == (False, True)
        with enable_grad():
            assert is_grad_enabled()
            assert not (x * 2).requires_grad
            with no_grad():
                assert not is_grad_enabled()
            assert is_grad_enabled()
        with inference_mode(False):
            assert (is_grad_enabled(), is_inference_mode_enabled()) == (True, False)
            assert (x * 2).requires_grad
        assert (is_grad_enabled(), is_inference_mode_enabled()) == (False, True)
    assert (is_grad_enabled(), is_inference_mode_enabled()) == (True, False)
    with no_grad(), inference_mode(False):
        assert (x * 2).requires_grad


def test_inference_mode_and_hooks_belong_to_their_thread() -> None:
    seen: list[tuple[bool, bool]] = []

    def work() -> None:
        seen.append((is_inference_mode_enabled(), (minigrad.ones(1, requires_grad=True) * 2).requires_grad))

    with inference_mode():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [(False, True)]


# --- generators -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [no_grad, no_grad(), set_grad_enabled, inference_mode, inference_mode()], ids=lambda mode: str(mode)[:40])
def test_a_decorated_generator_function(mode: Any) -> None:
    decorator = mode(False) if mode is set_grad_enabled else mode
    closed: list[bool] = []

    @decorator
    def steps(n: int) -> Any:
        """Says so."""
        try:
            for i in range(n):
                got = yield recorded(), i
                if got is not None:
                    yield got
        except KeyError:
            yield recorded()
        finally:
            closed.append(recorded())
        return "end"

    assert steps.__doc__ == "Says so."
    assert list(steps(2)) == [(False, 0), (False, 1)]
    generator = steps(3)
    assert recorded()
    assert next(generator) == (False, 0)
    assert recorded()
    assert generator.send("sent") == "sent"
    assert generator.throw(KeyError()) is False
    with pytest.raises(StopIteration, match="end"):
        next(generator)
    generator = steps(3)
    next(generator)
    generator.close()
    assert closed == [False] * 3
    generator = steps(3)
    next(generator)
    with pytest.raises(ZeroDivisionError):
        generator.throw(ZeroDivisionError())
    assert recorded()
