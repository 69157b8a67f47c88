"""Anomaly detection: which operation's rule gave the first NaN, where the user called that operation, and what went in and came out."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .graph import Node, Saved
from .tensor import Tensor


class Lookout:
    """Examines what every node of one walk computes.

    A NaN is an error. An infinity is none by itself, since a later rule may well multiply it away in a mask; so the first one is
    noted, told together with a NaN that comes after it, and warned of if infinities reach the end of the walk.
    """

    def __init__(self, check_nan: bool) -> None:
        self.check_nan = check_nan
        self.first_infinity = ""
        self.infinity_arrived = False

    def examine(self, node: Node, grad_outputs: tuple[Any, ...], grad_inputs: list[Any]) -> None:
        """Raises for the first NaN among the gradients for a node's inputs, and notes the first infinity."""
        if not self.check_nan:
            return
        for i, g in enumerate(grad_inputs):
            if g is None or g.dtype.kind not in "fc" or np.isfinite(g.array).all():
                continue
            if np.isnan(g.array).any():
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {i}th output.\n"
                    + report(node, grad_outputs, grad_inputs)
                    + (
                        f"\nBefore that, the first infinity of this backward:\n{self.first_infinity}"
                        if self.first_infinity
                        else ""
                    )
                )
            if not self.first_infinity and all(x is None or np.isfinite(x.array).all() for x in grad_outputs):
                self.first_infinity = f"Function '{node.name()}' returned inf values in its {i}th output.\n" + report(
                    node, grad_outputs, grad_inputs
                )

    def arrived(self, g: Tensor) -> None:
        """Sees a gradient that has reached a leaf."""
        self.infinity_arrived |= bool(self.first_infinity) and bool(np.isinf(g.array).any())

    def close(self) -> None:
        """Warns if infinities have reached a leaf."""
        if self.infinity_arrived:
            warnings.warn(
                f"detect_anomaly: a gradient is infinite.\n{self.first_infinity}", RuntimeWarning, stacklevel=2
            )

    def explain(self, node: Node, error: Exception) -> None:
        """Adds to an error in a rule where its operation was called."""
        error.add_note(f"This happened in the backward of {node.name()}, recorded at {node.place}")


def report(node: Node, grad_outputs: tuple[Any, ...], grad_inputs: list[Any]) -> str:
    """Where a node comes from, and the statistics of its tensors."""
    primitive = node.primitive
    names = ["input"] * len(grad_inputs) if primitive.variadic else primitive.tensors
    lines = [f"  {primitive.name} was called at {node.place}"]
    lines += [f"  gradient of output {i}: {statistics(g)}" for i, g in enumerate(grad_outputs) if g is not None]
    for i, saved in enumerate(node.saved or ()):
        if isinstance(saved, Saved):
            lines.append(f"  saved {names[i] if i < len(names) else 'value'} ({i}): {statistics(saved)}")
    if node.output is not None:
        lines.append(f"  saved output: {statistics(node.output)}")
    lines += [f"  gradient of {names[i]} ({i}): {statistics(g)}" for i, g in enumerate(grad_inputs) if g is not None]
    return "\n".join(lines)


def statistics(x: Any) -> str:
    """For example: shape (2, 3), float32, finite values from -1 to 2.5, 1 nan, 0 inf."""
    a = x.array
    if not isinstance(a, np.ndarray):
        return f"shape {a.shape}, {a.dtype}, packed by a hook for saved tensors"
    text = f"shape {a.shape}, {a.dtype}"
    if a.dtype.kind != "f":
        return text
    finite = a[np.isfinite(a)]
    values = f"finite values from {finite.min():g} to {finite.max():g}" if finite.size else "no finite values"
    return f"{text}, {values}, {np.count_nonzero(np.isnan(a))} nan, {np.count_nonzero(np.isinf(a))} inf"
