"""Which kernels compute with an array: every operation asks, so this is compiled."""

from __future__ import annotations

from typing import Any

import numpy
from numpy import ndarray

from . import cpu
from .namespace import xp


def of(array: Any) -> Any:
    """The kernels for this array: the CPU's, those that its type brings along, or CUDA's."""
    if type(array) is ndarray:
        return cpu
    if hasattr(array, "kernels"):
        return array.kernels
    if xp(array) is numpy:
        return cpu
    from . import cuda

    return cuda
