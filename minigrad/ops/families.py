"""What the operations of a family have in common: promotion, the in-place form, what tests need to know of their domain, and pairs of results."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ..core.device import CPU
from ..core.inplace import in_place
from ..core.primitive import PROMOTE, PROMOTE_TO_FLOAT, primitive
from ..core.tensor import TABLE, Tensor, register


def of_host(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function of tensors that no other device computes: tensors of a GPU are brought to the host, and the results back. The host waits."""

    @wraps(f)
    def call(*args: Any, **named: Any) -> Any:
        where = CPU
        for x in (*args, *named.values()):
            for one in x if isinstance(x, (tuple, list)) else (x,):
                if isinstance(one, Tensor) and one.device is not CPU:
                    where = one.device
        if where is CPU:
            return f(*args, **named)
        return moved(f(*[moved(x, CPU) for x in args], **{name: moved(x, CPU) for name, x in named.items()}), where)

    return call


def moved(x: Any, where: Any) -> Any:
    """Tensors, also those in tuples and lists, on this device; anything else as it is."""
    if isinstance(x, Tensor):
        return TABLE["to"](x, where)
    if isinstance(x, (tuple, list)):
        parts = [moved(y, where) for y in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return x


class Domain:
    """Where a function of one number is defined and smooth.

    `low` and `high` bound it; `kinks` are points at which its derivative jumps or is infinite.
    """

    __slots__ = ("low", "high", "kinks")

    def __init__(self, low: float = -4.0, high: float = 4.0, kinks: tuple[float, ...] = ()) -> None:
        self.low = low
        self.high = high
        self.kinks = kinks


REAL = Domain()
POSITIVE = Domain(0.1, 4.0)
NONZERO = Domain(kinks=(0.0,))
INTEGER_KINKS = Domain(kinks=tuple(float(i) for i in range(-4, 5)))


def elementwise(*domains: Domain, to_float: bool = True, writes: bool = True, **facts: Any) -> Callable[[Any], Any]:
    """Declares an elementwise operation: operands are promoted, an in-place form exists if it `writes`, its arguments have these domains."""

    def declare(function: Any) -> Any:
        promotion = PROMOTE_TO_FLOAT if to_float else PROMOTE
        op = primitive(promotion=promotion, laws="elementwise", domains=domains or (REAL,), **facts)(function)
        if writes:
            in_place(op)
        return op

    return declare


def known_as(op: Any, *names: str) -> Any:
    """Gives an operation, and its in-place form, further names as methods; returns it."""
    for name in names:
        register(name, op)
        if op.__name__ + "_" in TABLE:
            register(name + "_", TABLE[op.__name__ + "_"])
    return op


class ValuesAndIndices(tuple[Tensor, Tensor]):
    """What max, min, sort and their like return along an axis: a pair with names."""

    @property
    def values(self) -> Tensor:
        """The elements chosen."""
        return self[0]

    @property
    def indices(self) -> Tensor:
        """Where they stood along the axis."""
        return self[1]
