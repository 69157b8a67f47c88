"""Old names that still work for a while: whoever uses one is told what to use instead, and which version no longer has it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


def warn_deprecated(what: str, use: str, *, since: str, until: str, stacklevel: int = 2) -> None:
    """Tells the user's line that `what`, deprecated since one version, is gone in another, and what to use.

    It is a FutureWarning, which Python shows once for each line that causes one. stacklevel: 2 names the line that calls the function that calls this.

    >>> import warnings
    >>> def area(width, height=1.0, length=None):
    ...     if length is not None:
    ...         warn_deprecated("area: length", "height", since="0.2", until="0.4")
    ...         height = length
    ...     return width * height
    >>> with warnings.catch_warnings(record=True, action="always") as seen:
    ...     area(2.0, length=3.0)
    6.0
    >>> print(seen[0].message)
    area: length is deprecated since 0.2 and goes in 0.4; use height
    """
    warnings.warn(f"{what} is deprecated since {since} and goes in {until}; use {use}", FutureWarning, stacklevel=stacklevel + 1)


def deprecated(use: str, *, since: str, until: str) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Makes every call of a function warn, as warn_deprecated does, and its docstring say it too.

    >>> @deprecated("minigrad.flatten", since="0.2", until="0.4")
    ... def ravel_all(x):
    ...     return x.flatten()
    >>> print(ravel_all.__doc__)
    Deprecated since 0.2, gone in 0.4: use minigrad.flatten.
    """

    def decorate(function: Callable[Given, Result]) -> Callable[Given, Result]:
        @functools.wraps(function)
        def warning(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            warn_deprecated(function.__qualname__, use, since=since, until=until)
            return function(*args, **kwargs)

        said = f"Deprecated since {since}, gone in {until}: use {use}."
        warning.__doc__ = f"{said}\n\n{function.__doc__}" if function.__doc__ else said
        return warning

    return decorate
