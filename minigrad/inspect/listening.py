"""Hearing every operation that runs in this thread: what the profiler and the search for the first bad value are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock, get_ident
from time import perf_counter
from typing import Any

from minigrad.core.primitive import REGISTRY, Primitive

Heard = Callable[[Primitive, tuple[Any, ...], Any, float, float], None]

LISTENERS: list[tuple[int, Heard, bool]] = []  # with their threads, and whether they want to see what is overwritten
ORIGINALS: list[tuple[Primitive, str, Any]] = []  # what the listened operations ran before
LOCK = Lock()


@contextmanager
def listening(heard: Heard, keep_overwritten: bool = False) -> Iterator[None]:
    """A block in which `heard(operation, arguments, result, start, end)` is called after each operation of this thread, with its arrays.

    keep_overwritten: of an operation in place the first argument is to be as it was before, a copy.
    Operations run as ever while nobody listens: only then do their functions stand in wrappers.
    """
    entry = (get_ident(), heard, keep_overwritten)
    with LOCK:
        if not LISTENERS:
            install()
        LISTENERS.append(entry)
    try:
        yield
    finally:
        with LOCK:
            LISTENERS.remove(entry)
            if not LISTENERS:
                for op, name, function in ORIGINALS:
                    setattr(op, name, function)
                ORIGINALS.clear()


def install() -> None:
    """Puts a wrapper around what each operation runs."""
    for op in list(REGISTRY.values()):
        for name in ("forward", "in_place"):
            function = getattr(op, name)
            if function is not None:
                ORIGINALS.append((op, name, function))
                setattr(op, name, heard_by_all(op, function, writes=name == "in_place"))


def heard_by_all(op: Primitive, function: Callable[..., Any], writes: bool) -> Callable[..., Any]:
    """The function, which tells the listeners of its thread of each call."""

    @wraps(function)
    def run(*args: Any, **named: Any) -> Any:
        thread = get_ident()
        listeners = [(heard, keeps) for listener, heard, keeps in list(LISTENERS) if listener == thread]
        before = (args[0].copy(), *args[1:]) if writes and any(keeps for _, keeps in listeners) else args
        start = perf_counter()
        result = function(*args, **named)
        end = perf_counter()
        for heard, _ in listeners:
            heard(op, before, args[0] if writes else result, start, end)
        return result

    return run
