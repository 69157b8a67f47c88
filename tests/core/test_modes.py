"""no_grad, enable_grad, set_grad_enabled: with blocks, decorators, nested, in many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import minigrad
from minigrad import Tensor, enable_grad, is_grad_enabled, no_grad, set_grad_enabled


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
