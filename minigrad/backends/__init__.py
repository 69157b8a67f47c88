"""What scripts ask and set about the libraries behind torch's operations. None of them is here; switches for them are kept, and do nothing.
`backends.cpu` is about the kernels that are.

>>> import minigrad
>>> minigrad.backends.cudnn.benchmark = True
>>> minigrad.backends.cudnn.is_available(), minigrad.backends.mps.is_available()
(False, False)
"""

from __future__ import annotations

from typing import Any

from . import cpu as cpu


class Backend:
    """A library that is not here. Its switches can be set and read, others than it has are errors."""

    name: str

    def __init__(self, name: str, **switches: Any) -> None:
        vars(self).update(name=name, **switches)

    def __setattr__(self, switch: str, value: Any) -> None:
        if switch not in vars(self):
            raise AttributeError(f"backends.{self.name}: no switch is called {switch!r}; there are {', '.join([s for s in vars(self) if s != 'name'])}")
        vars(self)[switch] = value

    def is_available(self) -> bool:
        """Whether the library can be used: never."""
        return False

    def is_built(self) -> bool:
        """Whether the library was built in: never."""
        return False

    def version(self) -> int | None:
        """The library's version: None."""
        return None


cudnn = Backend("cudnn", enabled=True, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True)
cuda = Backend("cuda", matmul=Backend("cuda.matmul", allow_tf32=False))
mps = Backend("mps")
mkldnn = Backend("mkldnn", enabled=True)
mkl = Backend("mkl")
openmp = Backend("openmp")
