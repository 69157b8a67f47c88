"""Arrays that behave as CuPy's do and lie in the memory of the host: a class of their own, with the names and signatures of the real one.

They refuse what CuPy refuses: NumPy arrays as operands, keywords and methods that only NumPy has, implicit conversion.
"""

from __future__ import annotations

import inspect
import json
import operator
import re
import weakref
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .counts import bytes_of, counts

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text())
SCATTERED = {
    np.dtype(t) for t in ("int32", "float16", "float32", "float64", "complex64", "complex128", "uint32", "uint64")
}
WAITING = {
    "nonzero",
    "flatnonzero",
    "argwhere",
    "unique",
    "allclose",
    "array_equal",
    "isin",
    "bincount",
    "extract",
    "count_nonzero",
} - {"count_nonzero"}


@cache
def signature(text: str) -> inspect.Signature | None:
    """The signature that such a text describes."""
    text = re.sub(r"\b(_ndarray_base|int|Py_ssize_t|bint) (?=\w)", "", text).replace("<no value>", "None")
    text = re.sub(r"<[^>]*>", "None", text)
    scope: dict[str, Any] = {}
    try:
        exec(f"def function{text}: pass", {}, scope)
    except (SyntaxError, NameError):
        return None
    return inspect.signature(scope["function"])


def check(name: str, text: str | None, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Refuses arguments that CuPy's function does not take."""
    known = signature(text) if text is not None else None
    if known is not None:
        try:
            known.bind(*args, **named)
        except TypeError as error:
            raise TypeError(f"cupy.{name}{text}: {error}") from None


def unwrap(x: Any) -> Any:
    """The array of the host behind one of these; refuses NumPy's, as CuPy does."""
    if isinstance(x, ndarray):
        return counts.reads(x.host)
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if type(x) in (list, tuple):
        return type(x)([unwrap(v) for v in x])
    return x


def wrap(result: Any, sources: tuple[Any, ...] = (), name: str = "", numbers: tuple[int, ...] = ()) -> Any:
    """What a function of NumPy returned as one of CuPy would: 0-d arrays for numbers, views that know their base."""
    if isinstance(result, (np.ndarray, np.generic)):
        found = np.asarray(result)
        for source in sources:
            if isinstance(source, ndarray) and found is source.host:
                return source
        out = object.__new__(ndarray)
        out.host = found
        out.base = None
        for source in sources:
            if (
                isinstance(source, ndarray)
                and found.base is not None
                and found.size
                and np.may_share_memory(found, source.host)
            ):
                out.base = source.base if source.base is not None else source
                break
        else:
            if name and name not in ("empty", "empty_like"):  # memory alone
                counts.launched(name, bytes_of(found), numbers)
            out.own()
        counts.named = 0
        return out
    if isinstance(result, (list, tuple)):
        return (
            type(result)([wrap(r, sources, name) for r in result])
            if type(result) in (list, tuple)
            else tuple([wrap(r, sources, name) for r in result])
        )
    return result


def freed(nbytes: int) -> None:
    counts.live -= nbytes


class ndarray:
    """An array on the device that is not there."""

    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]
    host: np.ndarray[Any, Any]
    base: Any

    def __new__(cls, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> Any:
        return wrap(np.empty(shape, dtype, order), (), "empty")  # type: ignore[call-overload]

    def own(self) -> None:
        counts.live += self.host.nbytes
        counts.peak = max(counts.peak, counts.live)
        weakref.finalize(self, freed, self.host.nbytes)

    shape = property(lambda self: self.host.shape, lambda self, lengths: setattr(self.host, "shape", lengths))
    dtype = property(lambda self: self.host.dtype)
    ndim = property(lambda self: self.host.ndim)
    size = property(lambda self: self.host.size)
    nbytes = property(lambda self: self.host.nbytes)
    itemsize = property(lambda self: self.host.itemsize)
    strides = property(lambda self: self.host.strides)
    T = property(lambda self: wrap(self.host.T, (self,)))
    mT = property(lambda self: wrap(self.host.mT, (self,)))
    real = property(lambda self: wrap(self.host.real, (self,)))
    device = property(lambda self: SimpleNamespace(id=0))
    data = property(lambda self: SimpleNamespace(ptr=self.host.ctypes.data, device_id=0))

    @property
    def flags(self) -> Any:
        flags = self.host.flags
        return SimpleNamespace(
            c_contiguous=flags.c_contiguous,
            f_contiguous=flags.f_contiguous,
            forc=flags.forc,
            fnc=flags.fnc,
            owndata=self.base is None,
        )

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {**self.host.__array_interface__, "version": 3}

    def __array__(self, *args: Any, **named: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **named: Any) -> Any:
        found = by_name(function.__name__)
        return getattr(found, method)(*inputs, **named)

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any) -> Any:
        return by_name(function.__name__)(*args, **named)

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        counts.to_host.append(self.nbytes)
        counts.waits += 1
        return self.host.copy(order)  # type: ignore[arg-type]

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(
                f"{arr.dtype} array of shape {arr.shape} cannot be set to {self.dtype} array of shape {self.shape}"
            )
        counts.to_device.append(arr.nbytes)
        self.host[...] = arr

    def waited(self) -> np.ndarray[Any, Any]:
        counts.to_host.append(self.nbytes)
        counts.waits += 1
        return self.host

    def item(self) -> Any:
        return self.waited().item()

    def tolist(self) -> Any:
        return self.waited().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        return self.waited().tobytes(order)

    def __bool__(self) -> bool:
        return bool(self.waited())

    def __int__(self) -> int:
        return int(self.waited())

    def __float__(self) -> float:
        return float(self.waited())

    def __index__(self) -> int:
        return self.waited().__index__()

    def __len__(self) -> int:
        return len(self.host)

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self.host))])

    def __repr__(self) -> str:
        return repr(self.waited())

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __getitem__(self, key: Any) -> Any:
        note_masks(key)
        return wrap(self.host[unwrap(key)], (self,), "getitem")

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError(f"Unsupported type {type(value)}")
        note_masks(key)
        counts.launched("setitem")
        self.host[unwrap(key)] = value if isinstance(value, np.ndarray) else unwrap(value)

    def scatter_add(self, slices: Any, value: Any) -> None:
        by_name("add").at(self, slices, value)

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> Any:
        with np.errstate(all="ignore"):
            return wrap(counts.reads(self.host).astype(dtype, order, copy=copy), (self,), "astype")  # type: ignore[call-overload]

    def copy(self, order: str = "C") -> Any:
        return wrap(counts.reads(self.host).copy(order), (), "copy")  # type: ignore[arg-type]

    def view(self, dtype: Any = None, type: Any = None) -> Any:
        return wrap(self.host.view() if dtype is None else self.host.view(dtype), (self,))

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        return asarray, (self.get(),)


def note_masks(key: Any) -> None:
    """A mask as key makes the host wait for the number of its places."""
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, ndarray) and part.dtype == bool:
            counts.waits += 1


def operand(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        raise TypeError(f"Unsupported type {type(x)}")
    return unwrap(x)


def operators(name: str) -> None:
    plain = getattr(operator, {"and": "and_", "or": "or_"}.get(name, name))

    def forward(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, np.generic, int, float, complex, list, tuple)):
            return NotImplemented
        with np.errstate(all="ignore"):
            return wrap(plain(counts.reads(self.host), operand(other)), (), name)

    def reflected(self: ndarray, other: Any) -> Any:
        if not isinstance(other, (ndarray, np.ndarray, np.generic, int, float, complex, list, tuple)):
            return NotImplemented
        with np.errstate(all="ignore"):
            return wrap(plain(operand(other), counts.reads(self.host)), (), name)

    setattr(ndarray, f"__{name}__", forward)
    if name in ("lt", "le", "gt", "ge", "eq", "ne"):
        return
    setattr(ndarray, f"__r{name}__", reflected)
    in_place = getattr(operator, "i" + name.rstrip("_"))

    def write(self: ndarray, other: Any) -> Any:
        with np.errstate(all="ignore"):
            self.host = in_place(counts.reads(self.host), operand(other))
        counts.launched(name, bytes_of(self.host))
        return self

    setattr(ndarray, f"__i{name}__", write)


for _name in [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "lt",
    "le",
    "gt",
    "ge",
    "eq",
    "ne",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]:
    operators(_name)
ndarray.__neg__ = lambda self: wrap(-self.host, (), "neg")  # type: ignore[attr-defined]
ndarray.__abs__ = lambda self: wrap(abs(self.host), (), "abs")  # type: ignore[attr-defined]
ndarray.__invert__ = lambda self: wrap(~self.host, (), "invert")  # type: ignore[attr-defined]


def method(name: str, text: str) -> Any:
    def call(self: ndarray, *args: Any, **named: Any) -> Any:
        check(f"ndarray.{name}", text, args, named)
        if name in WAITING:
            counts.waits += 1
        out = named.get("out")
        if name in ("transpose", "reshape"):
            args = tuple([tuple(a) if isinstance(a, list) else a for a in args])
        with np.errstate(all="ignore"):
            if name == "prod" and named.get("keepdims", 0) is None:
                del named["keepdims"]
            result = getattr(counts.reads(self.host), name)(*[unwrap(a) for a in args], **{k: unwrap(v) for k, v in named.items()})
        if result is None:  # in place
            counts.launched(name)
        return out if isinstance(out, ndarray) else wrap(result, (self,), name)

    return call


for _name, _text in NAMES["ndarray"].items():
    if _text is not None and not hasattr(ndarray, _name) and hasattr(np.ndarray, _name):
        setattr(ndarray, _name, method(_name, _text))


class Ufunc:
    """An elementwise function, with what CuPy's have: `at` for some, `reduce` and `accumulate` for sums and products."""

    def __init__(self, name: str) -> None:
        self.name, self.function = name, getattr(np, name)
        self.__name__ = name

    def __call__(self, *args: Any, **named: Any) -> Any:
        unknown = set(named) - {"out", "dtype", "casting"}
        if unknown:
            raise TypeError(f"cupy.{self.name}: Wrong arguments {unknown}")
        outputs = named.get("out")
        with np.errstate(all="ignore"):
            result = self.function(*[operand(a) for a in args], **{k: unwrap(v) for k, v in named.items()})
        if isinstance(outputs, ndarray):
            counts.launched(self.name)
            return outputs
        return wrap(result, (), self.name)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if not NAMES["ufuncs"][self.name]:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if a.dtype not in SCATTERED:
            raise TypeError(f"cupy.{self.name}.at does not support {a.dtype}")
        note_masks(indices)
        counts.launched(f"{self.name}.at")
        self.function.at(a.host, unwrap(indices), unwrap(b))

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        self.only_sums("reduce")
        return wrap(self.function.reduce(unwrap(array), axis, dtype, unwrap(out), keepdims), (), self.name)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        self.only_sums("accumulate")
        return wrap(self.function.accumulate(unwrap(array), axis, dtype, unwrap(out)), (), self.name)

    def only_sums(self, form: str) -> None:
        if self.name not in ("add", "multiply"):
            raise NotImplementedError(f"`{self.name}.{form}` is not supported yet")


class Function:
    """Another function of CuPy's, computed by NumPy's of the same name once its arguments have been checked."""

    def __init__(self, name: str, text: str | None, function: Any) -> None:
        self.__name__, self.text, self.function = name, text, function

    def __call__(self, *args: Any, **named: Any) -> Any:
        check(self.__name__, self.text, args, named)
        if self.__name__ in WAITING or self.__name__ == "repeat" and isinstance(args[1], ndarray):
            counts.waits += 1
        if self.__name__ == "where":
            for a in args:
                operand(a)
        sources = (*args, *[v for a in args if isinstance(a, (list, tuple)) for v in a])
        with np.errstate(all="ignore"):
            result = self.function(*[unwrap(a) for a in args], **{k: unwrap(v) for k, v in named.items()})
        out = named.get("out")
        if result is None:  # in place
            counts.launched(self.__name__)
        products = (2 * result.size * args[0].shape[-1],) if self.__name__ == "matmul" else ()
        return out if isinstance(out, ndarray) else wrap(result, sources, self.__name__, products)


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> Any:
    if isinstance(obj, ndarray):
        return wrap(np.array(obj.host, dtype=dtype, copy=copy or None, ndmin=ndmin), (obj,), "array")
    if isinstance(obj, (list, tuple)) and any([isinstance(x, ndarray) for x in obj]):
        return wrap(np.array([unwrap(x) for x in obj], dtype), (), "array")
    found = np.array(obj, dtype=dtype, ndmin=ndmin)
    if found.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {found.dtype}")
    counts.to_device.append(found.nbytes)
    return wrap(found)


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False, copy: Any = None) -> Any:
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    if not isinstance(a, ndarray):
        return array(a, dtype)
    if a.flags.c_contiguous and dtype in (None, a.dtype):
        return a
    return wrap(np.ascontiguousarray(a.host, dtype), (), "ascontiguousarray")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


OWN: dict[str, Any] = {
    "array": array,
    "asarray": asarray,
    "asanyarray": asarray,
    "ascontiguousarray": ascontiguousarray,
    "asnumpy": asnumpy,
    "ndarray": ndarray,
}


@cache
def by_name(name: str) -> Any:
    """What `cupy.<name>` is; AttributeError for what the real one does not have."""
    if name in OWN:
        return OWN[name]
    if name in NAMES["ufuncs"]:
        return Ufunc(name)
    if name in NAMES["functions"] and hasattr(np, name):
        return Function(name, NAMES["functions"][name], getattr(np, name))
    if (name in NAMES["constants"] or name in NAMES["dtypes"]) and hasattr(np, name):
        return getattr(np, name)
    raise AttributeError(f"module 'cupy' has no attribute {name!r}")
