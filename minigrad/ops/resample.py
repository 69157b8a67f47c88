"""Resampling along the last axes: interpolation, and the padding modes on a GPU, are sparse matrices, one for each axis."""

from __future__ import annotations

from ..core.primitive import primitive
from ..kernels import of
from ..kernels.resampling import interpolating

__all__ = ["resample"]


@primitive(method=False, laws="linear")
def resample(input, /, lines):
    """(*, *in) to (*, *out): the last axes, as many as there are lines, each multiplied by the sparse matrix of its line."""
    return of(input).resample(input, lines)


@resample.vjp("input")
def _(g, lines):
    return resample(g, tuple([line.adjoint for line in lines]))


@resample.cases
def _(draw):
    rank = draw.choice(2, 1, 3)
    kind = draw.choice("linear", "nearest", "cubic", "nearest-exact")
    sizes = [
        (n, draw.choice(5, 2, 1) if kind.startswith("nearest") else 2 * n)
        for n in [draw.choice(3, 1, 4) for _ in range(rank)]
    ]
    lines = tuple(
        [interpolating(kind, n_in, n_out, None, False) for n_in, n_out in sizes]
    )  # whose weights float32 holds exactly
    if draw.choice(False, True):
        lines = tuple([line.adjoint for line in lines])
    return (draw.array((2, 1, *[line.n_in for line in lines])), lines), {}
