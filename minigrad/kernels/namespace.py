"""Which module computes with an array: numpy or cupy."""

from __future__ import annotations

import sys
from typing import Any

import numpy
from numpy import ndarray


def xp(array: Any) -> Any:
    """The module that computes with this array. CuPy is never imported here: only who has imported it has such arrays."""
    if type(array) is ndarray:
        return numpy
    cupy = sys.modules.get("cupy")
    return cupy if cupy is not None and isinstance(array, cupy.ndarray) else numpy
