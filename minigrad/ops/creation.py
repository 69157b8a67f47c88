"""Tensors out of nothing, and out of arrays."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ..core.device import CPU, check_device, device_of, made, placed
from ..core.dtypes import chosen_dtype, get_default_dtype, int64, result_type
from ..core.interchange import from_dlpack
from ..core.primitive import function
from ..core.tensor import Tensor, as_array, make_tensor, tensor

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_strided", "eye", "from_dlpack", "from_numpy", "frombuffer", "full",
    "full_like", "linspace", "logspace", "ones", "ones_like", "range", "scalar_tensor", "tensor", "tril_indices", "triu_indices", "zeros",
    "zeros_like",
]  # fmt: skip


def finished(op, array, device=None, requires_grad=False):
    """The tensor around a new array of the host, or around its copy on the device."""
    where = check_device(op, device)
    return around(array if where is CPU else placed(array, where), requires_grad)


def around(array, requires_grad):
    """The tensor around a new array, where that is."""
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


def number_as(op: str, number: Any, dtype: Any) -> Any:
    """A number (or 0-d tensor) in a dtype, as torch converts them: fractions are cut off, negative ones wrap around in unsigned integers.

    Raises:
        RuntimeError: it is too large for the dtype.
    """
    value = as_array(number)
    if isinstance(value, np.ndarray) or not hasattr(value, "__cuda_array_interface__"):
        return number_of_host(op, number, value, dtype)
    if value.ndim:
        raise RuntimeError(f"{op}: expected a number or a 0-d tensor, got shape {value.shape}")
    return value.astype(dtype)  # unchecked: the host would have to wait for it


def number_of_host(op, number, value, dtype):
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


def new(op, shape, dtype, device, requires_grad):
    """The tensor around the array that NumPy's or CuPy's function of the operation's name makes."""
    return around(made(check_device(op, device), op, shape, chosen_dtype(op, dtype, get_default_dtype())), requires_grad)


@function(method=False)
def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros of this shape.

    >>> import minigrad
    >>> minigrad.zeros(2, 3).shape
    (2, 3)
    """
    return new("zeros", as_shape("zeros", size), dtype, device, requires_grad)


@function(method=False)
def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones of this shape."""
    return new("ones", as_shape("ones", size), dtype, device, requires_grad)


@function(method=False)
def empty(*size, dtype=None, device=None, requires_grad=False, memory_format=None):
    """A tensor of this shape whose elements are whatever was in memory."""
    return new("empty", as_shape("empty", size), dtype, device, requires_grad)


@function(method=False)
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of this shape with every element equal to `fill_value`."""
    value = number_as("full", fill_value, chosen_dtype("full", dtype, result_type(as_array(fill_value))))
    where = device_of(value) if device is None and device_of(value) is not CPU else check_device("full", device)
    out = made(where, "empty", as_shape("full", (size,)), value.dtype)
    out[...] = value
    return around(out, requires_grad)


@function(method=False)
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """A matrix with ones on the diagonal."""
    return around(made(check_device("eye", device), "eye", n, m, dtype=chosen_dtype("eye", dtype, get_default_dtype())), requires_grad)


@function(method=False)
def arange(start=None, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to but without `end`.

    >>> import minigrad
    >>> minigrad.arange(3)
    tensor([0, 1, 2])
    """
    if end is None:
        start, end = None, start
    start, end, step = check_walk("arange", 0 if start is None else start, end, step)
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


def check_walk(op, start, end, step) -> tuple[Any, Any, Any]:
    """Where a range begins and ends, and its step, as Python's numbers; refuses steps that do not lead there."""
    start, end, step = [x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end, step)]
    for x in (start, end, step):
        if not isinstance(x, (int, float)):
            raise TypeError(f"{op}: expected numbers, got {type(x).__name__}")
    if not math.isfinite(start) or not math.isfinite(end) or not (end - start) * step >= 0 or step == 0:
        raise RuntimeError(f"{op}: a step of {step} does not lead from {start} to {end}")
    return start, end, step


def check_ends(op, start, end, steps):
    """The ends of a range as numbers; refuses what is none, and a number of steps that is negative or none."""
    if not isinstance(steps, int) or isinstance(steps, bool):
        raise TypeError(f"{op}: expected the number of steps as an integer, got {type(steps).__name__}")
    if steps < 0:
        raise RuntimeError(f"{op}: the number of steps cannot be negative, got {steps}")
    for x in (start, end):
        if isinstance(x, Tensor) and x.ndim:
            raise RuntimeError(f"{op}: expected numbers or 0-d tensors as ends, got a tensor of shape {x.shape}")
        if not isinstance(x, (Tensor, int, float, np.generic)):
            raise TypeError(f"{op}: expected numbers as ends, got {type(x).__name__}")
    return start, end


@function(method=False)
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    dtype = np.dtype(chosen_dtype("linspace", dtype, get_default_dtype()))
    start, end = check_ends("linspace", start, end, steps)
    if dtype.kind in "iu":
        start, end = int(start), int(end)
    array = np.linspace(float(start), float(end), steps).astype(dtype)
    return finished("linspace", array, device, requires_grad)


@function(method=False)
def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` powers of the base, from base**start to base**end, with equal ratios.

    >>> import minigrad
    >>> minigrad.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    start, end = check_ends("logspace", start, end, steps)
    number = int if np.dtype(dtype or float).kind in "iu" else float  # torch brings the ends to the dtype
    array = np.logspace(number(start), number(end), steps, base=base).astype(chosen_dtype("logspace", dtype, get_default_dtype()))
    return finished("logspace", array, device, requires_grad)


@function(method=False)
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor, of the default float type unless another is given."""
    return finished("scalar_tensor", number_as("scalar_tensor", s, chosen_dtype("scalar_tensor", dtype, get_default_dtype())), device, requires_grad)


def triangle_indices(op, indices, row, col, offset, dtype, device, requires_grad):
    if row < 0 or col < 0:
        raise RuntimeError(f"{op}: lengths cannot be negative, got {row} rows and {col} columns")
    return finished(op, np.stack(indices(row, offset, col)).astype(dtype or int64), device, requires_grad)


@function(method=False)
def tril_indices(row, col, offset=0, *, dtype=None, device=None, requires_grad=False):
    """Rows and columns, as the two rows of a matrix, of the elements on and below a diagonal of a matrix."""
    return triangle_indices("tril_indices", np.tril_indices, row, col, offset, dtype, device, requires_grad)


@function(method=False)
def triu_indices(row, col, offset=0, *, dtype=None, device=None, requires_grad=False):
    """Rows and columns, as the two rows of a matrix, of the elements on and above a diagonal of a matrix."""
    return triangle_indices("triu_indices", np.triu_indices, row, col, offset, dtype, device, requires_grad)


def like(op, input, fill, dtype, device, requires_grad):
    """A tensor of the input's shape, dtype and device, made by NumPy's or CuPy's function of this name."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{op}: expected a tensor, got {type(input).__name__}")
    where = device_of(input.array) if device is None else check_device(op, device)
    return around(made(where, fill, input.array.shape, chosen_dtype(op, dtype, input.array.dtype)), requires_grad)


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
    return around(out.array, requires_grad)


@function
def new_zeros(self, *size, dtype=None, device=None, requires_grad=False):
    """Zeros of a shape, with this tensor's dtype."""
    return zeros(*size, dtype=dtype or self.dtype, device=self.device if device is None else device, requires_grad=requires_grad)


@function
def new_ones(self, *size, dtype=None, device=None, requires_grad=False):
    """Ones of a shape, with this tensor's dtype."""
    return ones(*size, dtype=dtype or self.dtype, device=self.device if device is None else device, requires_grad=requires_grad)


@function
def new_empty(self, *size, dtype=None, device=None, requires_grad=False):
    """An unfilled tensor of a shape, with this tensor's dtype."""
    return empty(*size, dtype=dtype or self.dtype, device=self.device if device is None else device, requires_grad=requires_grad)


@function
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of a shape, filled with one value, with this tensor's dtype."""
    return full(size, fill_value, dtype=dtype or self.dtype, device=self.device if device is None else device, requires_grad=requires_grad)


@function
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False):
    """A tensor with a copy of `data`, with this tensor's dtype."""
    return tensor(data, dtype=dtype or self.dtype, device=self.device if device is None else device, requires_grad=requires_grad)


@function(method=False)
def from_numpy(ndarray):
    """A tensor that shares the memory of a NumPy array; one that is read-only stays so.

    Raises:
        TypeError: not an array, or not one of numbers in native byte order.

    >>> import minigrad, numpy
    >>> array = numpy.zeros(2)
    >>> minigrad.from_numpy(array).add_(1)
    tensor([1., 1.], dtype=minigrad.float64)
    >>> array
    array([1., 1.])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"from_numpy: expected a numpy.ndarray, got {type(ndarray).__name__}; minigrad.tensor takes lists and numbers")
    return make_tensor(plain_array("from_numpy", ndarray))


def plain_array(op, array):
    """The array as an ndarray of numbers: without its subclass, of which tensors know nothing."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{op}: tensors have no masks; fill the masked array first (array.filled(0))")
    if array.dtype.kind not in "biufc" or not array.dtype.isnative or array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise TypeError(f"{op}: expected an array of numbers in native byte order, got dtype {array.dtype}; array.astype(...) converts")
    if any([s % array.itemsize for s in array.strides]):
        raise ValueError(f"{op}: the strides {array.strides} are no multiples of the element size {array.itemsize}; use array.copy()")
    return array if type(array) is np.ndarray else array.view(np.ndarray)


@function(method=False)
def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without copying where it is a tensor or an array of the wanted dtype already."""
    where = check_device("as_tensor", device)
    if isinstance(data, np.ndarray):
        data = make_tensor(plain_array("as_tensor", data))
        where = CPU if device is None and where is CPU else where
    elif not isinstance(data, Tensor):
        return tensor(data, dtype=dtype, device=device)
    elif device is None:
        where = data.device
    return data.to(where, data.dtype if dtype is None else chosen_dtype("as_tensor", dtype))


@function(method=False)
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor of an object: another tensor, an array, an object with DLPack or a buffer, or numbers in sequences. Copied only where it must be.

    Args:
        obj: what it is made from.
        dtype: the element type; by default that of the object.
        device: "cpu".
        copy: True copies always; False never, which is an error where it would have to be.
        requires_grad: whether backward is to fill `.grad`; if not, the result has no history.

    Raises:
        ValueError: `copy=False`, but the object's memory cannot be shared.
    """
    source = obj
    if isinstance(obj, (bytearray, memoryview, bytes)):
        source = frombuffer(obj, dtype=chosen_dtype("asarray", dtype, get_default_dtype()))
    elif hasattr(obj, "__dlpack__") and not isinstance(obj, (Tensor, np.ndarray)):
        source = from_dlpack(obj)
    out = as_tensor(source, dtype, device)
    shared = out is source or isinstance(source, np.ndarray) and np.may_share_memory(out.array, source)
    if copy is False and not shared:
        raise ValueError(f"asarray: the memory of this {type(obj).__name__} cannot be shared as {out.dtype}; leave copy=False out")
    if copy and shared:
        out = out.clone()
    if out.requires_grad and not requires_grad:
        out = out.detach()
    return out.requires_grad_() if requires_grad and not out.requires_grad else out


@function(method=False)
def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A vector that shares the memory of an object with Python's buffer protocol; it is read-only if the object is.

    Args:
        buffer: for example a bytearray.
        dtype: the type of its elements.
        count: how many to take; -1 for all that follow.
        offset: at which byte to begin.
        requires_grad: whether backward is to fill `.grad`.

    >>> import minigrad
    >>> minigrad.frombuffer(bytearray([1, 2, 3]), dtype=minigrad.uint8, offset=1)
    tensor([2, 3], dtype=minigrad.uint8)
    """
    try:
        array = np.frombuffer(buffer, chosen_dtype("frombuffer", dtype), count, offset)
    except (ValueError, TypeError) as error:
        raise ValueError(f"frombuffer: {error} (count {count}, offset {offset})") from None
    return around(array, requires_grad)


@function(method=False)
def empty_strided(size, stride, *, dtype=None, device=None, requires_grad=False):
    """An unfilled tensor of this shape whose elements lie in memory as far apart as the strides say."""
    shape, strides = as_shape("empty_strided", (size,)), as_shape("empty_strided", (stride,))
    if len(shape) != len(strides):
        raise RuntimeError(f"empty_strided: {len(shape)} lengths but {len(strides)} strides")
    dtype = chosen_dtype("empty_strided", dtype, get_default_dtype())
    n = sum([s * (n - 1) for n, s in zip(shape, strides, strict=True)]) + 1 if 0 not in shape else 0
    if any([s * dtype.itemsize > sys.maxsize for s in strides]):
        raise RuntimeError(f"empty_strided: no memory has elements that far apart: shape {shape}, strides {strides}")
    array = np.lib.stride_tricks.as_strided(np.empty(n, dtype), shape, [s * dtype.itemsize for s in strides])
    return finished("empty_strided", array, device, requires_grad)


@function(method=False)
def range(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to and with `end`, as floats. Older scripts have it; arange is what Python's range does."""
    if end is None:
        start, end = 0, start
    start, end, step = check_walk("range", start, end, step)
    array = start + step * np.arange(int((end - start) / step) + 1)
    return finished("range", array.astype(chosen_dtype("range", dtype, get_default_dtype())), device, requires_grad)
