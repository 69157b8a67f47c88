"""What is switched on in this thread: is the graph being recorded?"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

try:
    import cython
except ImportError:
    from . import uncompiled as cython

if not cython.compiled:  # modes.pxd declares it as a C thread-local, which is read in a nanosecond
    from threading import local

    class Mode(local):
        recording = True

    mode = Mode()


def recording() -> bool:
    """Does this thread record what it computes?"""
    return mode.recording


def set_recording(on: bool) -> bool:
    """Turns recording on or off in this thread; returns what it was."""
    before = mode.recording
    mode.recording = on
    return before


def is_grad_enabled() -> bool:
    """Whether operations are being recorded for backward in this thread.

    >>> import minigrad
    >>> with minigrad.no_grad():
    ...     minigrad.is_grad_enabled()
    False
    """
    return bool(recording())


class GradMode:
    """Switches recording inside a ``with`` block, or around every call of a decorated function."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.before: list[bool] = []  # a stack: one object may be entered again inside itself

    def __enter__(self) -> None:
        self.before.append(bool(set_recording(self.on)))

    def __exit__(self, *exc: object) -> None:
        set_recording(self.before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def decorated(*args: Any, **named: Any) -> Any:
            with type(self)(self.on):
                return function(*args, **named)

        return decorated


class set_grad_enabled(GradMode):
    """Switches recording on or off, at once and until the end of the ``with`` block if it is used as one.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(mode)
        self.outside = bool(set_recording(mode))

    def __enter__(self) -> None:
        set_recording(self.on)

    def __exit__(self, *exc: object) -> None:
        set_recording(self.outside)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        set_recording(self.outside)  # as a decorator it must not leak to the lines that follow
        return GradMode(self.on)(function)


class no_grad(GradMode):
    """Inside it nothing is recorded: results need no gradient. A ``with`` block or a decorator.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        if callable(function):  # used as `@no_grad` without the call
            self.__init__()  # type: ignore[misc]
            return self(function)
        return self

    def __init__(self, on: Any = False) -> None:
        super().__init__(False)


class enable_grad(GradMode):
    """Inside it operations are recorded, also within `no_grad`. A ``with`` block or a decorator.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.no_grad(), minigrad.enable_grad():
    ...     y = x * 2
    >>> y.requires_grad
    True
    """

    def __init__(self, on: Any = True) -> None:
        super().__init__(True)
