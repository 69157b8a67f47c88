"""Arrays in, arrays out: the computations beneath the tensors, one module for each kind of device, all with the same names."""

from __future__ import annotations

from typing import Any

import numpy

from . import cpu, driver, reference
from .namespace import xp

__all__ = ["cpu", "driver", "of", "reference", "xp"]


def of(array: Any) -> Any:
    """The kernels for this array: the CPU's, those that its type brings along, or CUDA's."""
    if type(array) is not numpy.ndarray and hasattr(array, "kernels"):
        return array.kernels
    if xp(array) is numpy:
        return cpu
    from . import cuda

    return cuda
