"""The table of ONNX operators: each is a function on tensors, whose keyword arguments are the operator's attributes.

    @reads("LeakyRelu")
    def _(input, *, alpha=0.01):
        return F.leaky_relu(input, alpha)

An operator that has changed has a function for each version that counts: `since` is the first one it is for. Inputs that are left out are
None. A function that takes `run` is told how it runs: see `Run`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.onnx.loading.budget import Budget

Reader = Callable[..., Any]
TABLE: dict[str, list[tuple[int, Reader]]] = {}


class Run(NamedTuple):
    """What a function may want to know about a node, and about the run that it is part of."""

    kind: str
    outputs: int  # how many outputs are named
    opset: int
    training: bool
    budget: Budget

    def room(self, shape: Any, dtype: Any) -> None:
        """Refuses a result that would be too large, before there is one."""
        size = prod([int(n) for n in shape]) * np.dtype(dtype).itemsize
        if size > self.budget.left:
            raise MemoryError(
                f"onnx.load: {self.kind} asks for a tensor of shape {tuple(int(n) for n in shape)} and dtype {np.dtype(dtype)}, which is {size} "
                f"bytes, more than is left of max_bytes={self.budget.max_bytes}; pass a larger max_bytes to load if the file is to be trusted"
            )


def reads(*names: str, since: int = 1) -> Callable[[Reader], Reader]:
    """Registers the function of these operators, from a version on."""

    def register(reader: Reader) -> Reader:
        for name in names:
            TABLE.setdefault(name, []).append((since, reader))
            TABLE[name].sort(key=lambda entry: entry[0])
        return reader

    return register


def reader_of(kind: str, opset: int) -> Reader | None:
    """The function of an operator in a version; None if there is none."""
    found = [reader for since, reader in TABLE.get(kind, ()) if since <= opset]
    return found[-1] if found else None


def ints(x: Any) -> list[int]:
    """The numbers of a tensor or of an attribute."""
    if isinstance(x, Tensor):
        return [int(n) for n in np.atleast_1d(x.numpy())]
    return [int(n) for n in x]


def axis_of(axis: int, ndim: int, kind: str) -> int:
    """An axis counted from the front."""
    if not -ndim <= axis < max(ndim, 1):
        raise ValueError(f"onnx.load: {kind}: {axis} is no axis of a tensor with {ndim} dimensions")
    return axis % ndim if ndim else 0


def constant(x: Any, dtype: Any = None) -> Tensor:
    """An array or a number as a tensor."""
    return make_tensor(np.asarray(x, dtype))


def refuse(run: Run, why: str) -> Any:
    raise NotImplementedError(f"onnx.load: {run.kind} (opset {run.opset}): {why}")
