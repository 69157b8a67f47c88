"""Where in the user's program an operation was called: kept for every node, turned into words only for a message."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

try:
    import cython
except ImportError:
    from . import uncompiled as cython

PACKAGE = os.path.dirname(os.path.abspath(str(sys.modules[__name__.split(".")[0]].__file__))) + os.sep


class Place:
    """A place in a program: a code object and the offset of an instruction in it."""

    __slots__ = ("code", "offset")
    if TYPE_CHECKING:
        code: Any
        offset: int

    def __str__(self) -> str:
        """For example ``train.py:12: loss = model(x)``."""
        if self.code is None:
            return "an unknown place"
        line = self.code.co_firstlineno
        for start, end, number in self.code.co_lines():
            if start <= self.offset < end and number is not None:
                line = number
        from linecache import getline

        text = getline(self.code.co_filename, line).strip()
        return f"{self.code.co_filename}:{line}" + (f": {text}" if text else "")


def here() -> Place:
    """The innermost place outside this package."""
    place: Place = Place.__new__(Place)
    if cython.compiled:  # source.pxd walks the interpreter's frames in C
        place.code = minigrad_caller(PACKAGE, cython.address(place.offset))  # type: ignore[name-defined,attr-defined]  # noqa: F821
        return place
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame = frame.f_back
    place.code, place.offset = (None, 0) if frame is None else (frame.f_code, frame.f_lasti)
    return place
