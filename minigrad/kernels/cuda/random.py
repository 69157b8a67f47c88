"""Dropout and random numbers, by a generator that counts (random.cu)."""

from __future__ import annotations

from typing import Any

import numpy

from .. import reference
from ..driver import cupy
from ..fused import threshold
from ..geometry import Ints
from ..namespace import xp
from .launch import Array, each, empty, fits, packed

PIECE = 1 << 30  # numbers that a launch draws at most


def dropout(x: Array, key: int, p: float) -> Array:
    """x with each element set to 0 with probability p, the others scaled by 1 / (1 - p); the same elements as on the CPU."""
    if not fits(x):
        return reference.dropout(x, key, p)
    out = empty(x, x.shape)
    each(
        "random",
        "dropout",
        x.dtype,
        -(-x.size // 64) * 16,
        packed(x),
        out,
        x.size,
        numpy.uint64(key),
        numpy.uint32(threshold(p)),
        float(1 / (1 - p)),
    )
    return out


def random_numbers(name: str, shape: Ints, kind: Any, key: int) -> Array:
    """Random numbers of a key, drawn as float64 or float32 (float16 through that)."""
    double = kind == "float64"
    out = cupy().empty(shape, "float64" if double else "float32")
    each_counter = 2 if double else 4  # numbers that a counter gives
    for first in range(0, out.size, PIECE):
        piece = out.reshape(-1)[first : first + PIECE]
        counters, begin = -(-piece.size // each_counter), numpy.uint64(first // each_counter)
        each("random", name + "_double" * double, "float32", counters, piece, piece.size, begin, numpy.uint64(key))
    return out


def uniform(shape: Ints, kind: Any, key: int) -> Array:
    """Numbers uniform in [0, 1)."""
    out = random_numbers("uniform", shape, kind, key)
    if kind != "float16":
        return out
    m = xp(out)
    return (m.floor(out * 2048) / 2048).astype(kind)


def normal(shape: Ints, kind: Any, key: int) -> Array:
    """Numbers from the normal distribution of mean 0 and variance 1."""
    return random_numbers("normal", shape, kind, key).astype(kind, copy=False)
