"""device: where tensors live. In this version that is the CPU."""

from __future__ import annotations

from typing import Any

TYPES = ("cpu", "cuda", "mps", "xpu", "meta")  # what can be named; tensors can be made on the first only


class device:
    """Where tensors live: "cpu". Others can be named and compared, so that scripts which choose between them run.

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
            raise RuntimeError(f"device: expected a type and one index, such as 'cuda:1', got {type!r}" + (f" and {index}" if index is not None else ""))
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
        check_device("device", self)
        return self

    def __exit__(self, *exc: object) -> None:
        pass


CPU = device("cpu")


def check_device(op: str, place: Any) -> None:
    """Refuses a device that is not there."""
    if place is None or place is CPU:
        return
    if not isinstance(place, (str, device)):
        raise TypeError(f"{op}: expected a device such as 'cpu', got {place!r}")
    named = device(place)
    if named.type != "cpu" or named.index not in (None, 0):
        raise RuntimeError(f"{op}: device {str(place)!r} is not available: this version of minigrad computes on the CPU only; tensors live on 'cpu'")


def get_default_device() -> device:
    """Where tensors are made unless another device is named: the CPU."""
    return CPU


def set_default_device(device: Any) -> None:
    """Says where tensors are made; only the CPU (or None, for the default) is there.

    Raises:
        RuntimeError: any other device.

    >>> import minigrad
    >>> minigrad.set_default_device("cpu")
    """
    check_device("set_default_device", device)
