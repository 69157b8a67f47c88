"""What scripts ask and set about the libraries behind torch's operations. None of them is here; switches for them are kept, and do nothing, but for
`backends.cuda.matmul.allow_tf32`, which GPUs follow.
`backends.cpu` is about the kernels that are.

>>> import minigrad
>>> minigrad.backends.cudnn.benchmark = True
>>> minigrad.backends.cudnn.is_available(), minigrad.backends.mps.is_available()
(False, False)
"""

from __future__ import annotations

from typing import Any

from ..kernels.settings import allows_tf32, set_float32_matmul_precision
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


class Matmul(Backend):
    """Products of matrices on a GPU: allow_tf32 is another word for set_float32_matmul_precision."""

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 may be rounded to TF32 there."""
        return allows_tf32()

    def __setattr__(self, switch: str, value: Any) -> None:
        if switch == "allow_tf32":
            set_float32_matmul_precision("high" if value else "highest")
        else:
            super().__setattr__(switch, value)


cudnn = Backend("cudnn", enabled=True, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True)
cuda = Backend("cuda", matmul=Matmul("cuda.matmul"))
mps = Backend("mps")
mkldnn = Backend("mkldnn", enabled=True)
mkl = Backend("mkl")
openmp = Backend("openmp")
