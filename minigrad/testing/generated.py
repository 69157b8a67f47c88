"""@laws: a class of tests, one for each law, for a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minigrad.core.primitive import Primitive
from minigrad.testing.adapters import subject_of
from minigrad.testing.checking import check, is_declared
from minigrad.testing.functions import LAWS_OF_FUNCTIONS
from minigrad.testing.operations import LAWS


def laws(fn: Any, *inputs: Any, only: Sequence[str] | None = None, **options: Any) -> Callable[[type], type]:
    """Fills a class with one test a law for a function: ``test_gradient``, ``test_repeated`` and so on.

    Args:
        fn, inputs: what to check, as for `check`.
        only: the names of the laws (default: all that may apply).
        options: other arguments of `check`, such as ``vjp``.

    Raises:
        ValueError: a law of this name is not known.

    >>> import numpy as np
    >>> from minigrad.testing import laws
    >>> @laws(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: (g * np.cos(x),))
    ... class TestSine:
    ...     pass
    >>> TestSine().test_gradient()
    """
    subject_of(
        fn, options.get("vjp"), options.get("framework"), inputs
    )  # what is wrong with the arguments shows here already
    if isinstance(fn, Primitive) and not inputs and is_declared(fn):
        known = [name for name, law in LAWS.items() if law.applies(fn)]
    else:
        known = list(LAWS_OF_FUNCTIONS)
    for name in only or ():
        if name not in known:
            raise ValueError(f"laws: expected the names of laws, which are {known}; got {name!r}")

    def fill(cls: type) -> type:
        for name in only or known:
            title = "test_" + name.replace(" ", "_").replace("-", "_")
            setattr(cls, title, made(name, title))
        return cls

    def made(name: str, title: str) -> Callable[[Any], None]:
        def test(self: Any) -> None:
            check(fn, *inputs, laws=[name], **options)

        test.__name__ = title
        test.__qualname__ = title
        test.__doc__ = (
            LAWS[name].__doc__
            if name in LAWS
            else LAWS_OF_FUNCTIONS[name].__doc__
            if name in LAWS_OF_FUNCTIONS
            else None
        )
        return test

    return fill
