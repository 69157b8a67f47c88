"""The processor: its instruction set, and how convolutions are computed on it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

from minigrad.kernels import cpu
from minigrad.kernels.geometry import Windows
from minigrad.kernels.settings import get_conv_precision

__all__ = ["ConvChoice", "explain_conv", "get_cpu_capability"]

_METHODS = {
    "product": "implicit matrix product",
    "depthwise": "depthwise kernel",
    "winograd2": "Winograd F(2x2, 3x3)",
    "winograd4": "Winograd F(4x4, 3x3)",
    "taps": "sums for each tap, with vectors of filters",
    "winograd_phases": "Winograd F(2x2, 2x2) of each phase",
    "dots": "inner products",
    "panels": "implicit matrix product",
    "whole_planes": "matrix product",
    "pixels": "matrix product, with vectors of channels",
    "spreading": "products for each tap, added where it shifts them",
    "reference": "reference kernel",
}


class ConvChoice(NamedTuple):
    """How one pass of a convolution is computed: "forward", "input" or "weight", by which algorithm and why.

    Strides split the gradient of the input into phases, each a convolution of its own; `phase` counts them, unless one algorithm
    takes them all at once.
    """

    of: str
    phase: int
    algorithm: str
    reason: str


def get_cpu_capability() -> str:
    """The instruction set of the compiled kernels: "BASELINE", "AVX2", "AVX512" or "NEON"; "NO" if they were not built.

    >>> import minigrad
    >>> minigrad.backends.cpu.get_cpu_capability() in ("NO", "BASELINE", "AVX2", "AVX512", "NEON")
    True
    """
    return "NO" if cpu.compiled is None else str(cpu.compiled.isa()).upper()


def explain_conv(
    input_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    dtype: Any = numpy.float32,
) -> list[ConvChoice]:
    """The algorithms of a convolution's forward pass and of its two gradients, and why they were chosen.

    Shapes: input (N, C, *in), weight (K, C / groups, *kernel), of one to three spatial axes. The choice depends on these, on
    the dtype, the instruction set and `minigrad.set_conv_precision`, and on nothing else. Raises as conv2d does.

    >>> import minigrad
    >>> minigrad.backends.cpu.explain_conv((8, 4, 9, 9), (4, 4, 5, 5), dtype=minigrad.float64)[0].of
    'forward'
    """
    input_shape, weight_shape = tuple(input_shape), tuple(weight_shape)
    rank = len(weight_shape) - 2
    if rank < 1 or len(input_shape) != len(weight_shape):
        raise RuntimeError(
            f"explain_conv: expected an input shape (N, C, *in) and a weight shape (K, C / groups, *kernel), but got "
            f"{input_shape} and {weight_shape}"
        )
    windows = Windows.conv("explain_conv", rank, input_shape, weight_shape, None, stride, padding, dilation, groups)
    found = []
    for of, op in (("forward", "conv"), ("input", "conv_input"), ("weight", "conv_weight")):
        if cpu.compiled is None or numpy.dtype(dtype) not in cpu.COMPILED_DTYPES or rank > 3:
            choices: list[tuple[str, Any]] = [("reference", None)]
        else:
            choices = cpu.compiled.choices(op, windows, input_shape[0], input_shape[1], weight_shape[0], dtype)
        found += [
            ConvChoice(of, phase, _METHODS[method], _reason(method, costs, dtype))
            for phase, (method, costs) in enumerate(choices)
        ]
    return found


def _reason(method: str, costs: tuple[float, float, float] | None, dtype: Any) -> str:
    if method == "reference":
        return "the compiled kernels are not built, or do not take this dtype or number of axes"
    if method == "depthwise":
        return "groups of so few filters have no matrix to multiply"
    if method == "whole_planes":
        return "the only window reads the whole plane: images and filters are rows of matrices"
    if method == "pixels":
        return "vectors of so few pixels would be partly empty"
    if method == "spreading":
        return "much of what windows would read lies beyond the source"
    if costs is not None:
        direct, of_2, of_4 = costs
        if not of_4:
            return f"estimated costs: direct 1, F(2x2, 2x2) of each phase {of_2 / direct:.2f}"
        return f"estimated costs: direct 1, F(2x2, 3x3) {of_2 / direct:.2f}, F(4x4, 3x3) {of_4 / direct:.2f}"
    if numpy.dtype(dtype) != numpy.float32:
        return "only float32 may round as Winograd's algorithm does"
    if get_conv_precision() == "highest":
        return 'the precision of convolutions is "highest"'
    return (
        "Winograd's algorithm is for dense 3x3 windows at stride 1, or 3x3 and 4x4 windows at stride 2, without groups"
    )
