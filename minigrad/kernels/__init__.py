"""Arrays in, arrays out: the computations beneath the tensors, one module for each kind of device, all with the same names."""

from __future__ import annotations

from . import cpu, driver, reference
from .dispatch import of
from .namespace import xp

__all__ = ["cpu", "driver", "of", "reference", "xp"]
