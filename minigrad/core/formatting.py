"""How a tensor prints: as torch prints it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dtypes import bool_, get_default_dtype, int64


def format_tensor(x: Any) -> str:
    """For example ``tensor([1., 2.], requires_grad=True)``."""
    name = "Parameter containing:\n" if type(x).__name__ == "Parameter" else ""
    body = np.array2string(x.array, precision=4, separator=", ", prefix="tensor(", threshold=1000, suffix=")")
    notes = []
    if x.array.size == 0 and x.array.ndim != 1:
        notes.append(f"size={x.shape}")
    if x.dtype not in (get_default_dtype(), int64, bool_):
        notes.append(f"dtype=minigrad.{x.dtype}")
    if x.grad_fn is not None:
        notes.append(f"grad_fn={x.grad_fn!r}")
    elif x.requires_grad:
        notes.append("requires_grad=True")
    return f"{name}tensor({', '.join([body, *notes])})"
