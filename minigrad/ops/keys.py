"""What stands between the brackets of x[...], by torch's rules, as a key that NumPy reads in the same way.

The two differ where integers and arrays stand together: in torch an integer takes its axis away first, in NumPy it is one more array, which may
move the axes of the result. Such keys come apart into two: a basic one, which gives a view, and one of arrays for what the first leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.device import CPU, device_of, host_form, placed
from ..core.dtypes import int64
from ..core.tensor import Tensor
from ..kernels import xp
from ..kernels.driver import beside as on_device
from ..kernels.driver import is_host

WHOLE = slice(None)


def is_array(p: Any) -> bool:
    """Is it an array, of the host or of a GPU?"""
    return isinstance(p, np.ndarray) or hasattr(p, "__cuda_array_interface__")


def beside(op: str, key: Any, array: Any) -> Any:
    """The key with its arrays where the array is, to which those of the host are brought.

    Raises:
        RuntimeError: the array is on the host and the key on a GPU.
    """
    if type(key) is tuple:
        return tuple([beside(op, p, array) for p in key])
    if not is_array(key) or is_host(key) and is_host(array):
        return key
    if not is_host(key) and device_of(key) != device_of(array):
        raise RuntimeError(f"{op}: expected indices on the CPU or on the tensor's device {device_of(array)}, got {device_of(key)}; move them with index.cpu()")
    return on_device(key, array) if is_host(key) else placed(key, device_of(array))


def parse(key: Any, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """A key for a tensor of this shape as NumPy keys: one, and another to be applied to what it selects, or None.

    Raises:
        IndexError: an index is out of range, of another type, or there are too many; masks or arrays whose shapes do not fit.
        ValueError: a slice with a step that is not positive.
    """
    parts = [as_part(p) for p in key_parts(key)]
    used = sum([axes_used(p) for p in parts])
    if used > len(shape):
        raise IndexError(f"too many indices: {used} for a tensor of {len(shape)} dimensions")
    dots = [i for i, p in enumerate(parts) if p is Ellipsis]
    if dots:  # the first stands for all axes that are not mentioned, others for none
        parts[dots[0] : dots[0] + 1] = [WHOLE] * (len(shape) - used)
        parts = [p for p in parts if p is not Ellipsis]
    check(parts, shape)
    arrays = [p for p in parts if is_array(p)]
    truths = [p for p in parts if isinstance(p, bool)]
    if truths or arrays and any([isinstance(p, int) for p in parts]):
        return taken_apart(parts)
    check_together(arrays)
    return (parts[0] if len(parts) == 1 and arrays else tuple(parts)), None


def taken_apart(parts: list[Any]) -> tuple[Any, Any]:
    """A basic key, and one of arrays for the axes that it leaves."""
    basic: list[Any] = []
    arrays: list[Any] = []
    for p in parts:
        if is_array(p):
            basic += [WHOLE] * axes_used(p)
            arrays.append(p)
        elif isinstance(p, bool):
            basic.append(None)
            arrays.append(np.zeros(int(p), int64))  # True: the one element of the new axis; False: none of it
        else:
            basic.append(p)
            if not isinstance(p, int):
                arrays.append(WHOLE)
    check_together([a for a in arrays if is_array(a)])
    return tuple(basic), tuple(arrays)


def check(parts: list[Any], shape: tuple[int, ...]) -> None:
    """Refuses indices that are out of range and masks that do not fit."""
    axis = 0
    for p in parts:
        if isinstance(p, slice):
            check_slice(p)
        elif is_array(p):
            check_array(p, shape[axis : axis + axes_used(p)], axis)
        elif isinstance(p, int) and not isinstance(p, bool) and not -shape[axis] <= p < shape[axis]:
            raise IndexError(f"index {p} is out of range for dimension {axis} of length {shape[axis]}")
        axis += axes_used(p)


def key_parts(key: Any) -> Any:
    """The parts of a key; a list is one part, unless it holds what only a tuple can (torch then takes it for one)."""
    if isinstance(key, tuple):
        return key
    if isinstance(key, list) and any([p is None or p is Ellipsis or isinstance(p, (slice, list, tuple, range, Tensor, np.ndarray)) for p in key]):
        return key
    return (key,)


def as_part(p: Any) -> Any:
    """One part: None, ..., an int, a bool, a slice, an array of indices or a mask."""
    if p is None or p is Ellipsis or isinstance(p, (slice, bool)):
        return p
    if isinstance(p, Tensor):
        p = p.array
    elif isinstance(p, (list, tuple, range)):
        p = as_indices(p)
    if is_array(p) or isinstance(p, np.generic):
        if p.dtype.kind not in "biu":
            raise IndexError(f"tensors used as indices must hold integers or truth values, got {p.dtype}")
        if p.ndim == 0:
            return bool(p) if p.dtype.kind == "b" else int(p)
        return p.astype(bool) if p.dtype == np.uint8 else p
    try:
        return p.__index__()
    except AttributeError:
        raise IndexError(
            f"only integers, slices, ..., None, and tensors, arrays and lists of integers or truth values can be indices, got {type(p).__name__}"
        ) from None


def as_indices(values: Any) -> Any:
    """The array of a list of indices, which may hold tensors."""
    try:
        array = np.asarray([placed(v.array, CPU) if isinstance(v, Tensor) else as_indices(v) if isinstance(v, (list, tuple)) else v for v in values])
    except ValueError as error:
        raise IndexError(f"lists used as indices must hold sequences of equal lengths: {error}") from None
    return array.astype(int64) if array.size == 0 else array


def axes_used(p: Any) -> int:
    """How many axes of the tensor a part is about."""
    if p is None or p is Ellipsis or isinstance(p, bool):
        return 0
    return p.ndim if is_array(p) and p.dtype.kind == "b" else 1


def check_slice(p: slice) -> None:
    for end in (p.start, p.stop, p.step):
        if end is not None and not hasattr(end, "__index__"):
            raise TypeError(f"slices are made of integers and None, got {p}")
    if p.step is not None and p.step.__index__() <= 0:
        raise ValueError(f"a slice must have a positive step, got {p.step.__index__()}; flip(dims) reverses the order")


def check_array(p: Any, lengths: tuple[int, ...], axis: int) -> None:
    if p.dtype.kind == "b":
        if p.shape != lengths:
            raise IndexError(f"a mask of shape {p.shape} does not fit dimensions {axis} to {axis + p.ndim - 1}, of lengths {lengths}")
    elif p.size and is_host(p) and (p.min() < -lengths[0] or p.max() >= lengths[0]):
        raise IndexError(f"an index is out of range for dimension {axis} of length {lengths[0]}: found {p.min()} to {p.max()}")


def check_together(arrays: list[Any]) -> None:
    """Arrays of indices are broadcast together; a mask counts as the vector of its places."""
    found = [(int(xp(a).count_nonzero(a)),) if a.dtype.kind == "b" else a.shape for a in arrays]
    if len(found) > 1:
        try:
            np.broadcast_shapes(*found)
        except ValueError:
            raise IndexError(f"shape mismatch: indices of shapes {', '.join([str(s) for s in found])} cannot be broadcast together") from None


def selected_shape(shape: tuple[int, ...], key: Any) -> tuple[int, ...]:
    """The shape of an array of this shape at a NumPy key."""
    return np.broadcast_to(np.False_, shape)[host_form(key)].shape


def own(key: Any) -> Any:
    """The key with copies of its arrays: what a graph keeps must not change with what the caller does to them."""
    if is_array(key):
        return key.copy()
    return tuple([own(p) for p in key]) if isinstance(key, tuple) else key
