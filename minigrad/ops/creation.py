"""Tensors out of nothing, and out of arrays."""

from __future__ import annotations

import math

import numpy as np

from ..core.dtypes import get_default_dtype, int64, result_type
from ..core.primitive import function
from ..core.tensor import Tensor, as_array, check_device, make_tensor, tensor
from ..kernels import xp

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "full", "full_like", "linspace", "logspace", "ones",
    "ones_like", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip


def finished(op, array, device=None, requires_grad=False):
    """The tensor around a new array."""
    check_device(op, device)
    out = make_tensor(array)
    if requires_grad:
        out.requires_grad = True
    return out


def as_shape(op, size):
    """The shape given as one sequence or as several integers."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    try:
        shape = tuple([n.__index__() for n in size])
    except (AttributeError, TypeError):
        raise TypeError(f"{op}: expected a shape of integers, got {size!r}") from None
    if any([n < 0 for n in shape]):
        raise RuntimeError(f"{op}: lengths cannot be negative, got {shape}")
    return shape


def number_as(op, number, dtype):
    """A number (or 0-d tensor) in a dtype, as torch converts them: fractions are cut off, negative ones wrap around in unsigned integers.

    Raises:
        RuntimeError: it is too large for the dtype.
    """
    value = as_array(number)
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"{op}: expected a number or a 0-d tensor, got shape {value.shape}")
    if getattr(value, "dtype", None) is None and not isinstance(value, (int, float)):
        raise TypeError(f"{op}: expected a number, got {type(number).__name__}")
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        if not (-info.max if dtype.kind == "u" else info.min) <= value <= info.max:
            raise RuntimeError(f"{op}: {value} does not fit into {dtype}, which holds {info.min} to {info.max}")
    with np.errstate(all="ignore"):
        out = np.asarray(value).astype(dtype)
    if dtype.kind == "f" and np.isinf(out) and not np.isinf(value):
        raise RuntimeError(f"{op}: {value} does not fit into {dtype}, which holds at most {np.finfo(dtype).max}")
    return out


@function(method=False)
def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros of this shape.

    >>> import minigrad
    >>> minigrad.zeros(2, 3).shape
    (2, 3)
    """
    return finished("zeros", np.zeros(as_shape("zeros", size), dtype or get_default_dtype()), device, requires_grad)


@function(method=False)
def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones of this shape."""
    return finished("ones", np.ones(as_shape("ones", size), dtype or get_default_dtype()), device, requires_grad)


@function(method=False)
def empty(*size, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A tensor of this shape whose elements are whatever was in memory."""
    return finished("empty", np.empty(as_shape("empty", size), dtype or get_default_dtype()), device, requires_grad)


@function(method=False)
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of this shape with every element equal to `fill_value`."""
    value = number_as("full", fill_value, dtype or result_type(fill_value))
    return finished("full", np.full(as_shape("full", (size,)), value), device, requires_grad)


@function(method=False)
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """A matrix with ones on the diagonal."""
    return finished("eye", np.eye(n, m, dtype=dtype or get_default_dtype()), device, requires_grad)


@function(method=False)
def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to but without `end`.

    >>> import minigrad
    >>> minigrad.arange(3)
    tensor([0, 1, 2])
    """
    if end is None:
        start, end = 0, start
    start, end, step = [x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end, step)]
    for x in (start, end, step):
        if not isinstance(x, (int, float)):
            raise TypeError(f"arange: expected numbers, got {type(x).__name__}")
    if not math.isfinite(start) or not math.isfinite(end) or step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: a step of {step} does not lead from {start} to {end}")
    dtype = np.dtype(dtype or result_type(start, end, step))
    if dtype.kind == "b":
        raise NotImplementedError("arange: truth values cannot be counted; expected a dtype of numbers")
    if dtype == int64:
        start, end, step = int(start), int(end), int(step)
    n = math.ceil((end - start) / step)
    if dtype.kind in "iu":  # the number of elements is that of the numbers given (but for int64), their values those of the whole parts
        start, step = int(start), int(step)
    array = start + step * np.arange(n)
    return finished("arange", array.astype(dtype), device, requires_grad)


@function(method=False)
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    dtype = np.dtype(dtype or get_default_dtype())
    if dtype.kind in "iu":
        start, end = int(start), int(end)
    if steps < 0:
        raise RuntimeError(f"linspace: the number of steps cannot be negative, got {steps}")
    array = np.linspace(float(start), float(end), steps).astype(dtype)
    return finished("linspace", array, device, requires_grad)


@function(method=False)
def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` powers of the base, from base**start to base**end, with equal ratios.

    >>> import minigrad
    >>> minigrad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    number = int if np.dtype(dtype or float).kind in "iu" else float  # torch brings the ends to the dtype
    array = np.logspace(number(start), number(end), steps, base=base).astype(dtype or get_default_dtype())
    return finished("logspace", array, device, requires_grad)


@function(method=False)
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor, of the default float type unless another is given."""
    return finished("scalar_tensor", number_as("scalar_tensor", s, dtype or get_default_dtype()), device, requires_grad)


def triangle_indices(op, indices, row, col, offset, dtype, device):
    if row < 0 or col < 0:
        raise RuntimeError(f"{op}: lengths cannot be negative, got {row} rows and {col} columns")
    return finished(op, np.stack(indices(row, offset, col)).astype(dtype or int64), device)


@function(method=False)
def tril_indices(row, col, offset=0, *, dtype=None, device=None):
    """Rows and columns, as the two rows of a matrix, of the elements on and below a diagonal of a matrix."""
    return triangle_indices("tril_indices", np.tril_indices, row, col, offset, dtype, device)


@function(method=False)
def triu_indices(row, col, offset=0, *, dtype=None, device=None):
    """Rows and columns, as the two rows of a matrix, of the elements on and above a diagonal of a matrix."""
    return triangle_indices("triu_indices", np.triu_indices, row, col, offset, dtype, device)


def like(op, input, fill, dtype, device, requires_grad):
    """A tensor of the input's shape, dtype and device, made by NumPy's or CuPy's function of this name."""
    array = getattr(xp(input.array), fill)(input.array.shape, dtype or input.array.dtype)
    return finished(op, array, device, requires_grad)


@function(method=False)
def zeros_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Zeros of the input's shape and dtype."""
    return like("zeros_like", input, "zeros", dtype, device, requires_grad)


@function(method=False)
def ones_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """Ones of the input's shape and dtype."""
    return like("ones_like", input, "ones", dtype, device, requires_grad)


@function(method=False)
def empty_like(input, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A tensor of the input's shape and dtype whose elements are whatever was in memory."""
    return like("empty_like", input, "empty", dtype, device, requires_grad)


@function(method=False)
def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, memory_format=None):
    """The input's shape and dtype, with every element equal to `fill_value`."""
    out = like("full_like", input, "empty", dtype, device, False)
    out.array[...] = number_as("full_like", fill_value, out.dtype)
    return finished("full_like", out.array, None, requires_grad)


@function
def new_zeros(self, *size, dtype=None, device=None, requires_grad=False):
    """Zeros of a shape, with this tensor's dtype."""
    return zeros(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@function
def new_ones(self, *size, dtype=None, device=None, requires_grad=False):
    """Ones of a shape, with this tensor's dtype."""
    return ones(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@function
def new_empty(self, *size, dtype=None, device=None, requires_grad=False):
    """An unfilled tensor of a shape, with this tensor's dtype."""
    return empty(*size, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@function
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of a shape, filled with one value, with this tensor's dtype."""
    return full(size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@function
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A tensor with a copy of `data`, with this tensor's dtype."""
    return tensor(data, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


@function(method=False)
def from_numpy(ndarray):
    """A tensor that shares the memory of a NumPy array.

    Raises:
        TypeError: not an array, or not one of numbers.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(ndarray).__name__}; minigrad.tensor takes lists and numbers")
    if ndarray.dtype.kind not in "biufc" or not ndarray.dtype.isnative:
        raise TypeError(f"from_numpy: expected an array of numbers in native byte order, got dtype {ndarray.dtype}")
    return make_tensor(ndarray)


@function(method=False, alias=("asarray",))
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without copying where it is a tensor or an array of the wanted dtype already."""
    if isinstance(data, Tensor):
        return data if dtype is None or data.dtype == dtype else data.to(dtype)
    if isinstance(data, np.ndarray):
        return from_numpy(data if dtype is None else data.astype(dtype, copy=False))
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor
