"""Resampling by sparse matrices, one for each axis (resample.cu)."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy

from .. import reference
from ..driver import constant
from ..resampling import Line
from .launch import LARGEST, WIDE, Array, each, empty, fits, packed

AS_IT_IS = Line(1, numpy.arange(2), numpy.zeros(1, int), numpy.ones(1))


@lru_cache(maxsize=1024)
def tables(line: Line, kind: str, index: int) -> tuple[Array, Array, Array]:
    """A line on the device."""
    columns, weights = (line.columns, line.weights) if len(line.columns) else (numpy.zeros(1), numpy.zeros(1))
    arrays = line.starts.astype("int32"), columns.astype("int32"), weights.astype(kind)
    return constant(arrays[0], index), constant(arrays[1], index), constant(arrays[2], index)


def resample(x: Array, lines: tuple[Line, ...]) -> Array:
    """The last axes of an array resampled, all in one launch."""
    outer = x.shape[: x.ndim - len(lines)]
    shape = (*outer, *[line.n_out for line in lines])
    if not fits(x) or len(lines) > 3 or not 0 < prod(shape) < LARGEST:
        return reference.resample(x, lines)
    out = empty(x, shape)
    all_lines = (AS_IT_IS,) * (3 - len(lines)) + lines
    found = [tables(line, WIDE[x.dtype.name], x.device.id) for line in all_lines]
    each("resample", "resample", x.dtype, out.size, packed(x), out, out.size, *[line.n_in for line in all_lines],
         *[line.n_out for line in all_lines], *[table for line in found for table in line])  # fmt: skip
    return out
