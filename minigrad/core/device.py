"""device: where tensors live, on the CPU or on a GPU, and what happens where arrays of both meet."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import local
from typing import Any

import numpy

from ..kernels import driver

TYPES = ("cpu", "cuda", "mps", "xpu", "meta")  # what can be named; tensors can be made on the first two


class device:
    """Where tensors live: "cpu" or "cuda". Others can be named and compared, so that scripts which choose between them run.

    In a ``with`` block it is the default device.

    Args:
        type: "cpu", or for example "cuda" or "cuda:1"; or another device.
        index: which one of several.

    >>> import minigrad
    >>> minigrad.device("cuda:1").index
    1
    >>> minigrad.zeros(2, device=minigrad.device("cpu")).device
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        if not isinstance(type, str):
            raise TypeError(f"device: expected a name such as 'cpu', got {type!r}")
        kind, colon, number = type.partition(":")
        if kind not in TYPES:
            raise RuntimeError(f"device: expected one of {', '.join(TYPES)}, got {type!r}")
        if colon and (index is not None or not number.isdecimal()):
            raise RuntimeError(
                f"device: expected a type and one index, such as 'cuda:1', got {type!r}"
                + (f" and {index}" if index is not None else "")
            )
        object.__setattr__(self, "type", kind)
        object.__setattr__(self, "index", int(number) if colon else index)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"device: {name!r} cannot be changed; make another device")

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r}" + (f", index={self.index})" if self.index is not None else ")")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> Any:
        return device, (str(self),)

    def __enter__(self) -> device:
        here = check_device("device", self)
        default.outer.append(default.device)
        default.device = here
        return self

    def __exit__(self, *exc: object) -> None:
        default.device = default.outer.pop()


CPU = device("cpu")


class Default(local):
    """Where tensors of this thread are made unless another device is named, and before the blocks that it is in."""

    device = CPU

    def __init__(self) -> None:
        self.outer: list[Any] = []


default = Default()


def check_device(op: str, place: Any) -> device:
    """The device of this name, or the default; refuses one that is not there.

    Raises:
        TypeError: not a name.
        RuntimeError: there is no such device; it says why.
    """
    if place is None:
        return default.device
    if place is CPU:
        return CPU
    if isinstance(place, int) and not isinstance(place, bool):
        place = device("cuda", place)
    if not isinstance(place, (str, device)):
        raise TypeError(f"{op}: expected a device such as 'cpu', got {place!r}")
    named = device(place)
    if named.type == "cpu" and named.index in (None, 0):
        return CPU
    if named.type != "cuda":
        raise RuntimeError(f"{op}: device {str(place)!r} is not available: tensors live on 'cpu' and 'cuda'")
    usable, reason = driver.status()
    if not usable:
        raise RuntimeError(f"{op}: device {str(place)!r} is not available: {reason}; tensors live on 'cpu'")
    if named.index is None:
        return on_gpu(driver.current())
    if named.index >= driver.count():
        raise RuntimeError(
            f"{op}: device {str(place)!r} is not available: there are {driver.count()} GPUs, numbered from 0"
        )
    return named


@lru_cache
def on_gpu(index: int) -> device:
    """The GPU of this number."""
    return device("cuda", index)


def device_of(array: Any) -> device:
    """Where an array lies."""
    return CPU if driver.is_host(array) else on_gpu(driver.index_of(array))


def placed(array: Any, where: device) -> Any:
    """The array on this device: itself if it is there, else a copy."""
    if where.type == "cpu":
        return driver.to_host(array)
    return driver.to_device(array, where.index or 0)


def made(where: device, function: str, *args: Any, **named: Any) -> Any:
    """The array that NumPy's or CuPy's function of this name makes on this device."""
    if where.type == "cpu":
        return getattr(numpy, function)(*args, **named)
    with driver.on(where.index or 0):
        return getattr(driver.cupy(), function)(*args, **named)


def together(op: str, arrays: list[Any], moves: bool = False) -> list[Any]:
    """The arrays of an operation, one of which is on a GPU, all on that GPU: those of the host may come along if they have no axes.

    With `moves`, the others go where the first one is, whatever their shape.

    Raises:
        RuntimeError: arrays of several devices meet.
    """
    where = (
        device_of(arrays[0])
        if moves
        else next(device_of(a) for a in arrays if hasattr(a, "dtype") and not driver.is_host(a))
    )
    found = []
    for a in arrays:
        if a is None or not hasattr(a, "dtype") or device_of(a) == where:
            found.append(a)
        elif moves:
            found.append(placed(a, where))
        elif driver.is_host(a) and a.ndim == 0:
            found.append(driver.number_on(a, where.index or 0))
        else:
            raise RuntimeError(
                f"{op}: expected all tensors on the same device, got {where} and {device_of(a)}; move one with x.to({str(where)!r})"
            )
    return found


def check_current(op: str, arrays: list[Any]) -> None:
    """Refuses arrays of another GPU than the current one, into whose queue kernels go."""
    where = next(device_of(a) for a in arrays if hasattr(a, "dtype") and not driver.is_host(a))
    if where.index != driver.current():
        raise RuntimeError(
            f"{op}: expected tensors on the current GPU, which is cuda:{driver.current()}, got {where}; "
            f"minigrad.cuda.set_device({where.index}) or `with minigrad.cuda.device({where.index}):` makes that the current one"
        )


def on_host(function: Callable[..., Any], arrays: list[Any], static: tuple[Any, ...]) -> Any:
    """What a function of the host's arrays gives for these of a GPU, on that GPU again. The host waits for them."""
    where = next(device_of(a) for a in arrays if hasattr(a, "dtype") and not driver.is_host(a))
    result = function(host_form(arrays), host_form(static))
    return tuple([placed(r, where) for r in result]) if isinstance(result, tuple) else placed(result, where)


def host_form(x: Any) -> Any:
    """The argument with arrays of the host in place of others, also inside of lists and tuples."""
    if type(x) in (list, tuple):
        return type(x)([host_form(y) for y in x])
    return driver.to_host(x) if hasattr(x, "__cuda_array_interface__") else x


def get_default_device() -> device:
    """Where tensors are made unless another device is named.

    >>> import minigrad
    >>> minigrad.get_default_device()
    device(type='cpu')
    """
    return default.device


def set_default_device(device: Any) -> None:
    """Says where this thread makes tensors unless another device is named; None for the CPU.

    Raises:
        RuntimeError: the device is not there.

    >>> import minigrad
    >>> minigrad.set_default_device("cpu")
    """
    default.device = CPU if device is None else check_device("set_default_device", device)
