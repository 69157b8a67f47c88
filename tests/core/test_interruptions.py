"""A signal's handler may raise wherever Python looks for signals: what backward switches on and off is as before then.

Python looks for them as a function of Python begins and after one of C, as a profiler is called: here a profiler raises, at one place after another.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core import engine, modes


class Rung(Exception):
    """What the handler raises."""


def interrupted(work: Callable[[], Any], place: int) -> bool:
    """Does the work with an exception at the place of this number; False if it was done before."""
    events = 0

    def profiler(frame: Any, event: str, argument: Any) -> None:
        nonlocal events
        if event in ("call", "c_return"):
            events += 1
            if events > place:
                raise Rung

    outside = sys.getprofile()
    try:
        sys.setprofile(profiler)
        work()
    except Rung:
        return True
    finally:
        sys.setprofile(outside)
    return False


def state() -> tuple[Any, ...]:
    return minigrad.is_grad_enabled(), modes.recording(), modes.inference(), modes.current_task(), np.geterr()


def chain() -> Any:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    return x, (x * x).exp().sum()


def backward() -> None:
    _, y = held
    y.backward(retain_graph=True)


def twice() -> None:
    x, y = held
    (slope,) = minigrad.autograd.grad(y, x, create_graph=True)
    slope.backward(x.detach())


held = chain()


@pytest.mark.parametrize("around", [minigrad.enable_grad, minigrad.no_grad])
@pytest.mark.parametrize("work", [backward, twice])
def test_backward(work: Callable[[], None], around: Any) -> None:
    global held
    with around():
        before, place = state(), 0
        while True:
            with minigrad.enable_grad():
                held = chain()
            if not interrupted(work, place):
                break
            assert state() == before, place
            place += 1
    assert place >= (100 if engine.__file__.endswith(".py") else 1)  # what is compiled calls little of Python


@pytest.mark.parametrize("mode", [minigrad.no_grad, minigrad.enable_grad, minigrad.inference_mode])
@pytest.mark.parametrize("around", [minigrad.enable_grad, minigrad.no_grad])
def test_a_block_that_was_not_entered(mode: Any, around: Any) -> None:
    with around():
        before, place = state(), 0
        while interrupted((block := mode()).__enter__, place):
            assert state() == before, place
            place += 1
        block.__exit__()
        assert state() == before
