"""What the stand-in for CuPy has been asked to do since the last reset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


def bytes_of(x: Any) -> int:
    """The bytes of memory that an array of the host names: one that is broadcast names fewer than it has elements."""
    lengths = [n for n, stride in zip(x.shape, x.strides, strict=True) if stride] if isinstance(x, np.ndarray) else []
    return x.itemsize * int(np.prod(lengths)) if isinstance(x, np.ndarray) and x.size else 0


@dataclass
class Counts:
    """Launches of kernels (by name), times that the host waited, bytes copied to and from the host, bytes in use.

    work has for each launch its name, the bytes of the arrays that it names, and the whole numbers among its arguments (of a product of
    matrices: the operations).
    """

    launches: int = 0
    kernels: dict[str, int] = field(default_factory=dict)
    waits: int = 0
    to_device: list[int] = field(default_factory=list)  # the bytes of each copy
    to_host: list[int] = field(default_factory=list)
    work: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    named: int = 0  # bytes of operands that the next launch reads
    live: int = 0
    peak: int = 0

    def launched(self, name: str, written: int = 0, numbers: tuple[int, ...] = ()) -> None:
        self.launches += 1
        self.kernels[name] = self.kernels.get(name, 0) + 1
        self.work.append((name, self.named + written, numbers))
        self.named = 0

    def reads(self, x: Any) -> Any:
        """Notes an operand of the next launch; returns it."""
        self.named += bytes_of(x)
        return x

    def reset(self) -> None:
        self.launches = self.waits = 0
        self.kernels, self.to_device, self.to_host, self.work, self.named = {}, [], [], [], 0


counts = Counts()
