"""What is switched on in this thread: is the graph being recorded, and how are values saved for backward?"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import local
from typing import Any

try:
    import cython
except ImportError:
    from . import uncompiled as cython

if not cython.compiled:  # modes.pxd declares it as a C thread-local, which is read in a nanosecond

    class Mode(local):
        grad = True  # what no_grad and its like have set
        inference = False
        recording = True  # grad and not inference: what operations ask
        packing = False  # are there hooks for saved tensors?
        tracing = False  # does somebody look at the operations?
        casting = False  # are the inputs of some operations cast?
        task = 0  # the number of the backward that is running, 0 for none

    mode = Mode()


class SavingHooks(local):
    """The hooks for saved tensors of this thread, the innermost last; or the reason why there may be none."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Callable[..., Any], Callable[..., Any]]] = []
        self.forbidden: str | None = None


saving_hooks = SavingHooks()


class Tracers(local):
    """Who is told of every operation of this thread: see inference/trace.py."""

    def __init__(self) -> None:
        self.current: Any = None


tracers = Tracers()


class Casters:
    """Who casts the inputs of operations: see autocast.py, which puts itself here when it is first asked for."""

    current: Any = None


casters = Casters()


def recording() -> bool:
    """Does this thread record what it computes?"""
    return mode.recording


def grad_mode() -> bool:
    """What recording was set to in this thread, whether inference mode keeps it off or not."""
    return mode.grad


def set_recording(on: bool) -> bool:
    """Turns recording on or off in this thread (inference mode keeps it off); returns what it was set to."""
    before = mode.grad
    mode.grad = on
    mode.recording = on and not mode.inference
    return before


def inference() -> bool:
    """Are tensors made now inference tensors?"""
    return mode.inference


def set_inference(on: bool) -> bool:
    """Turns inference mode on or off in this thread; returns what it was."""
    before = mode.inference
    mode.inference = on
    mode.recording = mode.grad and not on
    return before


def packing() -> bool:
    """Do values saved for backward go through hooks?"""
    return mode.packing


def tracing() -> bool:
    """Is somebody told of every operation?"""
    return mode.tracing


def set_tracer(tracer: Any) -> Any:
    """From now on tells this of the operations of this thread, none if it is None; returns who was told."""
    before = tracers.current
    tracers.current = tracer
    mode.tracing = tracer is not None
    return before


def casting() -> bool:
    """Are the inputs of some operations cast?"""
    return mode.casting


def set_casting(on: bool) -> bool:
    """From now on the inputs of operations of this thread go through autocast.py, or no longer; returns whether they did."""
    before = mode.casting
    mode.casting = on
    return before


def push_saving_hooks(pack: Callable[..., Any], unpack: Callable[..., Any]) -> None:
    """From now on what is saved for backward in this thread goes through these hooks."""
    if saving_hooks.forbidden is not None:
        raise RuntimeError(saving_hooks.forbidden)
    saving_hooks.pairs.append((pack, unpack))
    mode.packing = True


def pop_saving_hooks() -> None:
    """Ends what the last push_saving_hooks began."""
    saving_hooks.pairs.pop()
    mode.packing = len(saving_hooks.pairs) > 0


def current_task() -> Any:
    """The number of the backward that runs in this thread, negative if it is one for some inputs only; 0 outside."""
    return mode.task


def set_task(task: Any) -> Any:
    """Notes which backward runs in this thread now; returns which did before."""
    before = mode.task
    mode.task = task
    return before


def is_grad_enabled() -> bool:
    """Whether operations are being recorded for backward in this thread.

    >>> import minigrad
    >>> with minigrad.no_grad():
    ...     minigrad.is_grad_enabled()
    False
    """
    return bool(mode.grad)


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference mode.

    >>> import minigrad
    >>> with minigrad.inference_mode():
    ...     minigrad.is_inference_mode_enabled()
    True
    """
    return bool(mode.inference)


GENERATOR = 0x20  # inspect.CO_GENERATOR; inspect itself is slow to import


def inside(context: Callable[[], Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a `with` block around each of its calls, or around each step if it is a generator function."""
    code = getattr(function, "__code__", None)
    if code is not None and code.co_flags & GENERATOR:

        @wraps(function)
        def stepwise(*args: Any, **named: Any) -> Any:
            steps = function(*args, **named)
            resume, value = steps.send, None
            while True:
                try:
                    with context():
                        item = resume(value)
                except StopIteration as end:
                    return end.value
                try:
                    value = yield item
                    resume = steps.send
                except GeneratorExit:
                    with context():
                        steps.close()
                    raise
                except BaseException as error:
                    resume, value = steps.throw, error

        return stepwise

    @wraps(function)
    def decorated(*args: Any, **named: Any) -> Any:
        with context():
            return function(*args, **named)

    return decorated


class GradMode:
    """Switches recording inside a ``with`` block, or around every call of a decorated function."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self.before: list[bool] = []  # a stack: one object may be entered again inside itself

    def __enter__(self) -> None:
        self.before.append(grad_mode())
        set_recording(self.on)  # last: a signal's handler may raise until here

    def __exit__(self, *exc: object) -> None:
        set_recording(self.before.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return inside(lambda: GradMode(self.on), function)


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
        if mode is not True and mode is not False:
            raise TypeError(f"set_grad_enabled: expected True or False, got {type(mode).__name__}")
        super().__init__(mode)
        self.outside = grad_mode()
        set_recording(mode)

    def __enter__(self) -> None:
        set_recording(self.on)

    def __exit__(self, *exc: object) -> None:
        set_recording(self.outside)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        set_recording(self.outside)  # as a decorator it must not leak to the lines that follow
        return super().__call__(function)


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

    def __new__(cls, function: Any = None) -> Any:
        self = super().__new__(cls)
        if callable(function):
            self.__init__()  # type: ignore[misc]
            return self(function)
        return self

    def __init__(self, on: Any = True) -> None:
        super().__init__(True)


class inference_mode:
    """As `no_grad`, and what is made inside never takes part in recorded computations. A ``with`` block or a decorator.

    New tensors are inference tensors: their writes are not counted, so backward cannot save them, and outside they can neither be
    written in place nor be given requires_grad; `clone()` makes ordinary tensors of them. `enable_grad` has no effect
    inside; `inference_mode(False)` leaves the mode.

    >>> import minigrad
    >>> x = minigrad.ones(2, requires_grad=True)
    >>> with minigrad.inference_mode():
    ...     y = x * 2
    >>> y.requires_grad, y.is_inference(), x.is_inference()
    (False, True, False)
    """

    def __new__(cls, mode: Any = True) -> Any:
        self = super().__new__(cls)
        if callable(mode):  # used as `@inference_mode` without the call
            self.__init__()  # type: ignore[misc]
            return self(mode)
        return self

    def __init__(self, mode: Any = True) -> None:
        self.on = bool(mode)
        self.before: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self.before.append((inference(), grad_mode()))
        try:
            set_inference(self.on)
            set_recording(not self.on)
        except BaseException:  # of a signal's handler
            self.__exit__()
            raise

    def __exit__(self, *exc: object) -> None:
        inference_before, grad_before = self.before.pop()
        set_inference(inference_before)
        set_recording(grad_before)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return inside(lambda: inference_mode(self.on), function)
