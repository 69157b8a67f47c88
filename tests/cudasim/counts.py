"""What the stand-in for CuPy has been asked to do since the last reset."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Counts:
    """Launches of kernels (by name), times that the host waited, bytes copied to and from the host, bytes in use."""

    launches: int = 0
    kernels: dict[str, int] = field(default_factory=dict)
    waits: int = 0
    to_device: list[int] = field(default_factory=list)  # the bytes of each copy
    to_host: list[int] = field(default_factory=list)
    live: int = 0
    peak: int = 0

    def launched(self, name: str) -> None:
        self.launches += 1
        self.kernels[name] = self.kernels.get(name, 0) + 1

    def reset(self) -> None:
        self.launches = self.waits = 0
        self.kernels, self.to_device, self.to_host = {}, [], []


counts = Counts()
