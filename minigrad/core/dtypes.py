"""Result types: torch's rules, which differ from NumPy's where integers meet floats and where a 0-d tensor meets a larger one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import dtype, generic

float16 = dtype("float16")
float32 = dtype("float32")
float64 = dtype("float64")
uint8 = dtype("uint8")
int8 = dtype("int8")
int16 = dtype("int16")
int32 = dtype("int32")
int64 = dtype("int64")
bool_ = dtype("bool")



class BFloat16:
    """The name of a dtype that NumPy does not have: autocast emulates it, tensors cannot have it."""

    def __repr__(self) -> str:
        return "minigrad.bfloat16"

    def __reduce__(self) -> str:
        return "bfloat16"


bfloat16 = BFloat16()
_default = [float32]
CATEGORY = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}


def get_default_dtype() -> np.dtype[Any]:
    """The dtype of tensors made from Python floats.

    >>> import minigrad
    >>> minigrad.get_default_dtype()
    dtype('float32')
    """
    return _default[0]


def set_default_dtype(d: Any) -> None:
    """Sets the dtype of tensors made from Python floats: one of the floating-point types.

    >>> import minigrad
    >>> minigrad.set_default_dtype(minigrad.float64)
    >>> minigrad.tensor(1.5).dtype
    dtype('float64')
    >>> minigrad.set_default_dtype(minigrad.float32)
    """
    chosen = dtype(d)
    if chosen.kind != "f":
        raise TypeError(f"set_default_dtype: expected a floating-point dtype, got {chosen}")
    _default[0] = chosen


def chosen_dtype(op: str, d: Any, default: Any = None) -> Any:
    """The dtype that an argument asks for, the default for None; refuses what tensors cannot hold."""
    if d is None:
        return default
    try:
        found = dtype(d)
    except TypeError:
        found = None
    if d is bfloat16:
        raise TypeError(f"{op}: tensors cannot have bfloat16, which NumPy does not know; use float32, or autocast, which rounds to bfloat16")
    if found is None or found.kind not in CATEGORY or not found.isnative or found.kind == "f" and found.itemsize > 8:
        raise TypeError(f"{op}: expected a dtype of numbers such as minigrad.float32, got {d!r}")
    return found


def can_cast(from_: Any, to: Any) -> bool:
    """Whether a result of one dtype may be written into a tensor of the other: into its own category (bool < integer < float) or a higher one.

    >>> import minigrad
    >>> minigrad.can_cast(minigrad.float64, minigrad.float16), minigrad.can_cast(minigrad.float32, minigrad.int64)
    (True, False)
    """
    if from_ is None or to is None:
        raise TypeError(f"can_cast: expected two dtypes, got {from_} and {to}")
    return CATEGORY[chosen_dtype("can_cast", from_).kind] <= CATEGORY[chosen_dtype("can_cast", to).kind]


def finfo(type: Any = None) -> Any:
    """What a floating-point type can represent: `eps`, `max`, `min`, `tiny`, `smallest_normal`, `bits`, `resolution`; by default of the default dtype.

    >>> import minigrad
    >>> float(minigrad.finfo(minigrad.float32).eps) == 2**-23
    True
    """
    found = chosen_dtype("finfo", type, _default[0])
    if found.kind != "f":
        raise TypeError(f"finfo: expected a floating-point dtype, got {found}; iinfo is for integers")
    return np.finfo(found)


def iinfo(type: Any) -> Any:
    """What an integer type can represent: `min`, `max` and `bits`.

    >>> import minigrad
    >>> minigrad.iinfo(minigrad.uint8).max
    255
    """
    found = chosen_dtype("iinfo", type)
    if found is None or found.kind not in "iu":
        raise TypeError(f"iinfo: expected an integer dtype, got {found}; finfo is for floating-point types")
    return np.iinfo(found)


def promote_types(type1: Any, type2: Any) -> np.dtype[Any]:
    """The smallest dtype that holds both, by torch's table: an integer never widens a float.

    >>> import minigrad
    >>> minigrad.promote_types(minigrad.int64, minigrad.float16)
    dtype('float16')
    """
    a, b = dtype(type1), dtype(type2)
    if a.kind in "fc" and b.kind in "iub":
        return a
    if b.kind in "fc" and a.kind in "iub":
        return b
    return np.promote_types(a, b)


def number_type(x: Any) -> np.dtype[Any]:
    """The dtype torch gives a Python (or NumPy) number before it meets a tensor."""
    if isinstance(x, (bool, np.bool_)):
        return bool_
    if isinstance(x, (int, np.integer)):
        return int64
    if isinstance(x, (float, np.floating)):
        return _default[0]
    if isinstance(x, (complex, np.complexfloating)):
        return promote_types(_default[0], np.complex64)
    raise TypeError(f"expected a tensor or a number, got {type(x).__name__}")


def result_type(*operands: Any) -> np.dtype[Any]:
    """The dtype of an operation on these tensors, arrays and numbers.

    Arrays with axes decide; 0-d arrays, and after them Python numbers, count only where they are of a higher
    category (bool < integer < float < complex).

    >>> import minigrad
    >>> minigrad.result_type(minigrad.ones(2, dtype=minigrad.int32), 1.5)
    dtype('float32')
    """
    ranks: list[Any] = [None, None, None]  # arrays with axes, 0-d arrays, numbers
    for x in operands:
        x = getattr(x, "array", x)
        if isinstance(x, generic) or not hasattr(x, "dtype"):
            rank, kind = 2, number_type(x)
        else:
            rank, kind = (0 if x.ndim else 1), x.dtype
        ranks[rank] = kind if ranks[rank] is None else promote_types(ranks[rank], kind)
    result: Any = None
    for kind in ranks:
        if result is None or kind is not None and CATEGORY[kind.kind] > CATEGORY[result.kind]:
            result = kind
    return dtype(result)


def promote(operands: list[Any], to_float: bool) -> list[Any]:
    """Casts the arrays and numbers of one operation to their common dtype (with `to_float`, integers to the default float)."""
    target = result_type(*operands)
    if to_float and target.kind in "iub":
        target = _default[0]
    if any([hasattr(x, "__cuda_array_interface__") for x in operands]):  # there numbers stay numbers: they are arguments of kernels
        return [x.astype(target, copy=False) if hasattr(x, "astype") else np.asarray(x).astype(target)[()] for x in operands]
    return [
        np.asarray(x).astype(target) if isinstance(x, generic) or not hasattr(x, "astype") else x.astype(target, copy=False)
        for x in operands
    ]


def check_one_dtype(op: str, *operands: Any) -> None:
    """Refuses arrays or tensors of different dtypes, for the operations that do not promote; None is left out."""
    dtypes = [x.dtype for x in operands if x is not None]
    if any([d is not dtypes[0] and d != dtypes[0] for d in dtypes]):
        raise RuntimeError(f"{op}: expected operands of one dtype, got {' and '.join([str(d) for d in dtypes])}; convert with x.to(dtype)")


ACCEPTED = {"f": "floating-point numbers", "fiu": "numbers"}


def check_kind(op: str, kinds: str, *operands: Any) -> None:
    """Refuses operands whose common dtype is of a kind that torch does not have the operation for."""
    found = result_type(*[x for x in operands if x is not None])
    if found.kind not in kinds:
        raise NotImplementedError(f"{op}: expected {ACCEPTED[kinds]}, got {found}; convert with x.float()")
