"""How kernels are compiled and started, and which arrays they take."""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy

from ..driver import cupy
from ..geometry import Ints, Windows
from ..namespace import xp

Array = Any  # cupy.ndarray
SOURCES = Path(__file__).parent
DEFINES = {
    "float16": ("-DHALF", "-DWIDE=float"),
    "float32": ("-DSTORED=float", "-DWIDE=float"),
    "float64": ("-DSTORED=double", "-DWIDE=double", "-DDOUBLE"),
}
OPTIONS = ("-std=c++17",)
WIDE = {"float16": "float32", "float32": "float32", "float64": "float64"}
NULL = numpy.uint64(0)
THREADS = 256
LARGEST = 2**31 - 2**20  # elements: places are counted in int
MOST_BLOCKS = 2**20 // THREADS  # where each thread takes several elements, so that the place it looks at last, past the end, is an int too


@cache
def source(name: str) -> str:
    """The text of a source file, after what they have in common."""
    return (SOURCES / "common.h").read_text() + (SOURCES / f"{name}.cu").read_text()


@cache
def module(text: str, kind: str) -> Any:
    """A source text compiled for arrays of this dtype."""
    return cupy().RawModule(code=text, options=(*OPTIONS, *DEFINES[kind]))


@cache
def kernel(file: str, name: str, kind: str) -> Any:
    """A kernel of a file, for arrays of this dtype."""
    return module(source(file), kind).get_function(name)


def argument(x: Any) -> Any:
    """An argument with the size that the kernel reads: int for integers, double for floats; arrays and NumPy's numbers as they are."""
    if type(x) is int or type(x) is bool:
        return numpy.int32(x)
    if type(x) is float:
        return numpy.float64(x)
    return NULL if x is None else x


def start(file: str, name: str, kind: Any, grid: Ints, threads: int, *arguments: Any) -> None:
    """Starts a kernel."""
    kernel(file, name, str(kind))(grid, (threads,), tuple([argument(a) for a in arguments]))


def each(file: str, name: str, kind: Any, size: int, *arguments: Any) -> None:
    """Starts a kernel whose threads take an element each, or several of very many."""
    start(file, name, kind, (min(-(-size // THREADS), MOST_BLOCKS),), THREADS, *arguments)


def packed(x: Array) -> Array:
    """The array in the layout that the kernels read: a copy unless it has it."""
    return x if x.flags.c_contiguous else xp(x).ascontiguousarray(x)


def pack(x: Array | None) -> Array | None:
    return None if x is None else packed(x)


def one_number(x: Array) -> tuple[Array, int]:
    """An array as kernels read it, and the step to its next element: 0 for one that is one number everywhere, as the gradient of a sum is."""
    if x.ndim == 0 or x.size > 1 and not any(x.strides):
        return x[(0,) * x.ndim], 0
    return packed(x), 1


def empty(like: Array, shape: Ints, kind: Any = None) -> Array:
    return xp(like).empty(shape, like.dtype if kind is None else kind)


def fits(x: Array) -> bool:
    """Can the kernels compute with this array?"""
    return x.dtype.name in DEFINES and 0 < x.size < LARGEST


def takes(x: Array, windows: Windows, *others: Array) -> bool:
    """Can the kernels of windows compute with these arrays?"""
    planes = prod(x.shape[:2]) * max(prod(windows.in_size), prod(windows.out_size))  # those of the result too
    return windows.rank <= 3 and all([fits(a) for a in (x, *others)]) and prod(windows.out_size) > 0 and planes < LARGEST


def block_for(length: int) -> int:
    """Threads of a block that walks along so many elements."""
    return min(THREADS, -(-length // 32) * 32)


@cache
def processors(index: int) -> int:
    """How many multiprocessors a GPU has: as many blocks run at once, or a few times that."""
    return int(cupy().cuda.Device(index).attributes["MultiProcessorCount"])
