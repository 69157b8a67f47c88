"""How tensors meet NumPy's functions and other libraries' arrays.

NumPy's elementwise functions become the operations of the same meaning here, so that np.exp(x) is a tensor with its gradient. Its other functions
see the array. Nothing ever drops a gradient silently.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.driver import cupy
from .device import check_device, placed
from .dtypes import result_type
from .primitive import Primitive
from .tensor import TABLE, Tensor, as_array, make_tensor, needs_grad

CUDA = 2  # in the DLPack protocol, a GPU's memory

OPERATIONS = {  # where NumPy calls it otherwise
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctan2": "atan2",
    "arctanh": "atanh", "conjugate": "conj", "degrees": "rad2deg", "divide": "div", "equal": "eq", "fabs": "abs", "floor_divide": "floor_divide",
    "greater": "gt", "greater_equal": "ge", "invert": "bitwise_not", "left_shift": "bitwise_left_shift", "less": "lt", "less_equal": "le",
    "multiply": "mul", "negative": "neg", "not_equal": "ne", "power": "pow", "radians": "deg2rad", "right_shift": "bitwise_right_shift",
    "rint": "round", "subtract": "sub",
}  # fmt: skip


def array_ufunc(ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
    """What NumPy calls for an elementwise function of a tensor, and for ndarray + tensor."""
    name: str = ufunc.__name__
    operation = TABLE.get(OPERATIONS.get(name, name))
    if method == "__call__" and not named and operation is not None:
        kind = result_type(*inputs)
        refused = [tensor not in operation.numbers for tensor in operation.tensors] if isinstance(operation, Primitive) else [False] * len(inputs)
        return operation(*[as_operand(x, kind, tensor_only) for x, tensor_only in zip(inputs, refused, strict=False)])
    outputs = named.pop("out", ())
    arrays = [detached(f"numpy.{ufunc.__name__}", x) for x in inputs]
    if outputs:
        named["out"] = tuple([detached(f"numpy.{ufunc.__name__}", x) for x in outputs])
    result = getattr(ufunc, method)(*arrays, **named)
    for x in outputs:
        if isinstance(x, Tensor):
            x.written()
    if outputs:
        return outputs[0] if len(outputs) == 1 else outputs
    return tuple([wrapped(r) for r in result]) if isinstance(result, tuple) else wrapped(result)


def as_operand(x: Any, kind: Any, tensor_only: bool) -> Any:
    """An array as a tensor; a number too, of the result's dtype, where the operation takes no numbers."""
    if isinstance(x, np.ndarray):
        return make_tensor(x)
    return make_tensor(np.asarray(x, kind)) if tensor_only and not isinstance(x, Tensor) else x


def array_function(function: Any, args: Any, named: Any) -> Any:
    """What NumPy calls for its other functions: they get, and give, arrays."""
    name = f"numpy.{function.__name__}"
    return function(*[plain(name, a) for a in args], **{key: plain(name, a) for key, a in named.items()})


def plain(name: str, value: Any) -> Any:
    """The value with arrays in place of tensors, also inside of lists and tuples."""
    if isinstance(value, (list, tuple)):
        return type(value)([plain(name, v) for v in value]) if type(value) in (list, tuple) else value
    return detached(name, value)


def detached(name: str, x: Any) -> Any:
    """The array of a tensor; refuses one that needs a gradient, of which NumPy knows nothing."""
    if isinstance(x, Tensor) and needs_grad(x):
        raise RuntimeError(
            f"{name}: this tensor needs a gradient, which NumPy would lose; use the operation of minigrad, or x.detach() if no gradient is wanted"
        )
    return as_array(x) if isinstance(x, Tensor) else x


def wrapped(result: Any) -> Any:
    return make_tensor(np.asarray(result)) if isinstance(result, (np.ndarray, np.generic)) else result


# --- DLPack -----------------------------------------------------------------------------------------------------------


def to_dlpack(x: Tensor, **named: Any) -> Any:
    """The capsule of the DLPack protocol, through which other libraries read this memory without copying it."""
    if needs_grad(x):
        raise BufferError("__dlpack__: this tensor needs a gradient, which other libraries would lose; use x.detach()")
    if type(x.array) is not np.ndarray:
        return x.array.__dlpack__(**named)
    if named.get("stream") is not None:
        raise BufferError(f"__dlpack__: tensors on the CPU have no streams, got stream={named['stream']!r}")
    return x.array.__dlpack__(**{name: value for name, value in named.items() if name != "stream"})


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's array, by the DLPack protocol.

    Args:
        ext_tensor: an object with `__dlpack__`: an array of NumPy, CuPy, JAX, a tensor of PyTorch, or a capsule that one of them gave.
        device: "cpu", or None for where it is.
        copy: True copies always; False never, which is an error where it cannot be shared.

    Raises:
        TypeError: an object without the protocol.
        RuntimeError: it lies where this process's processor cannot read it.

    >>> import minigrad, numpy
    >>> array = numpy.zeros(2)
    >>> minigrad.from_dlpack(array).add_(1)
    tensor([1., 1.], dtype=minigrad.float64)
    >>> array
    array([1., 1.])
    """
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = Capsule(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise TypeError(f"from_dlpack: expected an object with __dlpack__, got {type(ext_tensor).__name__}; minigrad.as_tensor takes arrays and lists")
    if not isinstance(ext_tensor, Capsule) and hasattr(ext_tensor, "__dlpack_device__") and ext_tensor.__dlpack_device__()[0] == CUDA:
        return make_tensor(placed(cupy().from_dlpack(ext_tensor), check_device("from_dlpack", "cuda" if device is None else device)))
    if device is not None and str(device).split(":")[0] != "cpu":
        raise RuntimeError(f"from_dlpack: device {str(device)!r} is not available; tensors live on 'cpu'")
    try:
        return make_tensor(np.from_dlpack(ext_tensor, copy=copy) if copy is not None else np.from_dlpack(ext_tensor))
    except (BufferError, RuntimeError, ValueError) as error:
        raise RuntimeError(f"from_dlpack: this {type(ext_tensor).__name__} cannot be shared: {error}") from error


class Capsule:
    """A capsule as an object with the protocol, which NumPy asks for."""

    def __init__(self, capsule: Any) -> None:
        self.capsule = capsule

    def __dlpack__(self, **named: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU

