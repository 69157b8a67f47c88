"""Tensor: an array, its gradient, and the node of the graph that made it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from .device import CPU, check_device, device_of, placed
from .dtypes import CATEGORY, chosen_dtype, get_default_dtype
from .graph import AWAITED, Leaf, Saved, Version, source_of, start, watch
from .graph import RemovableHandle as RemovableHandle
from .modes import inference
from .size import Size

if TYPE_CHECKING:
    from typing import Self

    from . import uncompiled as cython  # Cython's own stubs would make what it decorates untyped
    from .methods import (
        Methods as object,  # what operations register; a class that Cython compiles can have no base but this
    )
    from .methods import Operand
else:
    try:
        import cython
    except ImportError:
        from . import uncompiled as cython


# Not binding: methods taken from the class, as in Tensor.detach(3), then check what they are called on.
@cython.binding(False)
@cython.embedsignature(True)
@cython.embedsignature.format("clinic")
@cython.freelist(1024)
@cython.cclass
class Tensor(object):
    """An array that remembers how it was computed, so that `backward` can find its gradient.

    `array` is the NumPy (or CuPy) array. `node` made it: None for a tensor without history, a `Leaf` for one whose
    gradient was asked for, and `tracked` tells whether a gradient is needed at all. A view also knows the tensor it
    is a view of (`base`), the way there (`path`: primitives with their static arguments), and how many rewritings of the
    base's history it has `seen`; OPAQUE there marks what a custom Function returned although it is not alone in its memory.

    `Tensor(...)` itself is as in torch; `minigrad.tensor(...)` keeps the dtype of its data and is what new code wants.

    Args:
        data: nested sequences of numbers or an array, copied to the default float; another tensor, whose memory is shared; or the lengths of an
            uninitialised tensor: Tensor(2, 3). Tensor() is empty.
        requires_grad: whether backward is to fill `.grad`.
        device: "cpu".

    >>> import minigrad
    >>> x = minigrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = (
        "array", "_grad", "node", "tracked", "version", "base", "path", "seen", "__weakref__",
    )  # fmt: skip
    if TYPE_CHECKING:
        array: Any
        _grad: Any
        node: Any
        tracked: bool
        version: Any
        base: Any
        path: Any
        seen: int
    __array_priority__ = 1000  # of two operands NumPy's old rules prefer the tensor

    def __init__(self, *data: Any, requires_grad: bool = False, device: Any = None) -> None:
        self.array = array_of(data)
        if device is not None:
            self.array = placed(self.array, check_device("Tensor", device))
        self._grad = None
        self.node = None
        self.version = INFERENCE if inference() else None
        self.base = None
        self.path = ()
        self.seen = 0
        self.tracked = False
        if requires_grad:
            self.requires_grad = True

    # --- what autograd is about -----------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient is to be computed for this tensor."""
        return needs_grad(self)

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        if on and self.array.dtype.kind not in "fc":
            raise RuntimeError(f"requires_grad: only floating-point tensors can have gradients, this one is {self.array.dtype}")
        if on and self.is_inference() and not inference():
            raise RuntimeError("requires_grad: an inference tensor cannot be given it outside inference_mode; use a clone (x.clone())")
        if not on and self.node is not None and not isinstance(self.node, Leaf):
            raise RuntimeError("requires_grad: cannot be switched off on the result of an operation; use x.detach()")
        if on != self.tracked:
            self.tracked = on
            if not on and self.node is not None and self.node.watch is None:  # hooks stay for when it is switched on again
                self.node = None

    @property
    def grad(self) -> Any:
        """The gradient that backward has added up so far; None before the first."""
        return self._grad

    @grad.setter
    def grad(self, new: Any) -> None:
        if new is not None:
            if not isinstance(new, Tensor):
                raise TypeError(f"grad: expected a tensor or None, got {type(new).__name__}")
            if new is self:
                raise RuntimeError("grad: a tensor cannot be its own gradient")
            if new.array.shape != self.array.shape or new.array.dtype != self.array.dtype:
                raise RuntimeError(
                    f"grad: a gradient has the shape and dtype of its tensor, {self.array.dtype} of shape {self.array.shape}, "
                    f"got {new.array.dtype} of shape {new.array.shape}"
                )
        self._grad = new

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` in place and returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this tensor."""
        return not needs_grad(self) or self.node is None or isinstance(self.node, Leaf)

    @property
    def grad_fn(self) -> Any:
        """The node of the graph that made this tensor; None for a leaf."""
        return None if self.is_leaf else source_of(self.node)[0]

    @property
    def output_nr(self) -> int:
        """Which of its node's outputs this tensor is."""
        return 0 if self.is_leaf else source_of(self.node)[1]

    @property
    def retains_grad(self) -> bool:
        """Whether backward fills `.grad` of this result of an operation."""
        return not self.is_leaf and self.node.watch is not None and self.node.watch.retained is not None

    def retain_grad(self) -> None:
        """Asks backward to fill `.grad` although this tensor is not a leaf."""
        if not needs_grad(self):
            raise RuntimeError("retain_grad: this tensor needs no gradient (requires_grad is False)")
        if not self.is_leaf:
            watch(self.node).retained = weakref.ref(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls `hook(grad)` when this tensor's gradient is known; what it returns, if anything, replaces the gradient."""
        if not needs_grad(self):
            raise RuntimeError("register_hook: this tensor needs no gradient (requires_grad is False)")
        return RemovableHandle(watch(edge_of(self)).on_gradient, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> RemovableHandle:
        """Calls `hook(tensor)` whenever backward has added to this leaf's `.grad`: right after its last use, while backward goes on with the others.

        >>> import minigrad
        >>> x = minigrad.ones(2, requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda p: print("grad is", p.grad))
        >>> (x * 3).sum().backward()
        grad is tensor([3., 3.])
        """
        if not needs_grad(self):
            raise RuntimeError("register_post_accumulate_grad_hook: this tensor needs no gradient (requires_grad is False)")
        if not self.is_leaf:
            raise RuntimeError("register_post_accumulate_grad_hook: only a leaf's .grad is accumulated; use register_hook")
        leaf = edge_of(self)
        AWAITED.add(leaf)
        return RemovableHandle(watch(leaf).accumulated, hook)

    def is_inference(self) -> bool:
        """Whether this tensor was made in inference mode."""
        return self.version is INFERENCE

    def detach(self) -> Tensor:
        """The same array without history. Writes to either are seen, and noticed, by both."""
        out: Tensor = make_tensor(self.array)
        out.version = version_of(self)
        return out

    def detach_(self) -> Tensor:
        """Cuts this tensor off from its history, in place."""
        if self.base is not None:
            raise RuntimeError("detach_: this tensor is a view of another; use detach()")
        if self.retains_grad:
            self.node.watch.retained = None
        self.node = None
        self.tracked = False
        return self

    @property
    def data(self) -> Tensor:
        """The same array without history; writes to it go unnoticed by backward. `detach` is the safe form."""
        out: Tensor = make_tensor(self.array)
        out.version = INFERENCE if self.is_inference() else None
        return out

    @data.setter
    def data(self, new: Any) -> None:
        self.array = as_array(new)
        self.version = None
        if isinstance(self.node, Leaf):  # a new leaf with the old one's hooks: shape and dtype may have changed
            watched = self.node.watch
            self.node = make_leaf(self)
            self.node.watch = watched

    def written(self) -> None:
        """Says that the array was written to from outside, so that backward refuses values that are gone."""
        version: Version = version_of(self)
        version.writes += 1
        version.writer = None

    @property
    def _base(self) -> Tensor | None:
        """The tensor that this one is a view of; None if it is none."""
        return self.base  # type: ignore[no-any-return]

    def _is_view(self) -> bool:
        """Whether this is a view of another tensor."""
        return self.base is not None

    @property
    def _version(self) -> int:
        """How often the storage has been written to."""
        if self.is_inference():
            raise RuntimeError("_version: writes to inference tensors are not counted")
        return 0 if self.version is None else int(self.version.writes)

    # --- the array ------------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The length along each axis."""
        lengths = self.array.shape
        found = SIZES.get(lengths)
        return found if found is not None else new_size(lengths)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes  # type: ignore[no-any-return]

    def __hash__(self) -> int:  # defining == takes the inherited one away
        return id(self) >> 4

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len: a 0-d tensor has no length")
        return self.array.shape[0]  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor; use x.item() for its value")
        return iter(OPERATORS.table["unbind"](self))

    def item(self) -> Any:
        """The value of a tensor with one element, as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"item: expected a tensor with one element, got shape {self.array.shape}")
        return self.array.item()

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError(
                f"bool: the truth of a tensor with {self.array.size} elements is ambiguous; use x.any() or x.all()"
            )
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError(
                f"only integer tensors of one element can be used as an index, this one is {self.array.dtype} of shape {self.array.shape}"
            )
        return int(self.item())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **named: Any) -> Any:
        from .interchange import array_ufunc

        return array_ufunc(ufunc, method, *inputs, **named)

    def __array_function__(self, function: Any, types: Any, args: Any, named: Any) -> Any:
        from .interchange import array_function

        return array_function(function, args, named)

    def __dlpack__(self, **named: Any) -> Any:
        from .interchange import to_dlpack

        return to_dlpack(self, **named)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()

    def numpy(self, *, force: bool = False) -> Any:
        """The NumPy array of this tensor, sharing memory.

        Raises:
            RuntimeError: the tensor needs a gradient, which NumPy would not follow (`force=True` detaches).
            TypeError: the tensor is on a GPU (`force=True` copies).
        """
        if needs_grad(self) and not force:
            raise RuntimeError("numpy: this tensor needs a gradient, which NumPy would lose; use x.detach().numpy()")
        if type(self.array) is not ndarray and not force:
            where = device_of(self.array)
            if where.type != "cpu":
                raise TypeError(f"numpy: this tensor is on {where}, where NumPy cannot read it; use x.cpu().numpy()")
        return placed(self.array, CPU) if force else self.array

    def __repr__(self) -> str:
        from .formatting import format_tensor

        return format_tensor(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.array.ndim == 0 and type(self) is Tensor else object.__format__(self, spec)

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be copied or pickled; use x.detach() (its history would be lost)")
        from .copying import owner_of, place_in

        state = dict(vars(self)) if hasattr(self, "__dict__") else {}
        where = device_of(self.array)
        if where is not CPU:
            return rebuild, (type(self), placed(self.array, CPU), self.requires_grad, state, str(where))
        owner = owner_of(self.array)
        return rebuild, (type(self), owner, self.requires_grad, state, place_in(owner, self.array))

    def __deepcopy__(self, memo: dict[Any, Any]) -> Tensor:
        from .copying import deep_copy

        if not self.is_leaf:
            self.__reduce__()  # which says what is wrong
        state = dict(vars(self)) if hasattr(self, "__dict__") else {}
        if device_of(self.array) is CPU:
            array, version = deep_copy(self.array, memo)
        else:
            array, version = self.array.copy(), Version()
        out: Tensor = rebuild(type(self), array, self.requires_grad, state)
        out.version = version
        if self.grad is not None:
            out.grad = self.grad.__deepcopy__(memo)
        memo[id(self)] = out
        return out

    # --- operators: each is a primitive, or a composite, registered under its name --------------------------------

    def __add__(self, other: Operand) -> Tensor: return OPERATORS.add.operate(self, other)
    def __radd__(self, other: Operand) -> Tensor: return OPERATORS.add.operate(other, self)
    def __sub__(self, other: Operand) -> Tensor: return OPERATORS.sub.operate(self, other)
    def __rsub__(self, other: Operand) -> Tensor: return OPERATORS.sub.operate(other, self)
    def __mul__(self, other: Operand) -> Tensor: return OPERATORS.mul.operate(self, other)
    def __rmul__(self, other: Operand) -> Tensor: return OPERATORS.mul.operate(other, self)
    def __truediv__(self, other: Operand) -> Tensor: return OPERATORS.div.operate(self, other)
    def __rtruediv__(self, other: Operand) -> Tensor: return OPERATORS.div.operate(other, self)
    def __pow__(self, other: Operand) -> Tensor: return OPERATORS.pow.operate(self, other)
    def __rpow__(self, other: Operand) -> Tensor: return OPERATORS.pow.operate(other, self)
    def __matmul__(self, other: Operand) -> Tensor: return OPERATORS.matmul.operate(self, other)
    def __rmatmul__(self, other: Operand) -> Tensor: return OPERATORS.matmul.operate(other, self)
    def __floordiv__(self, other: Operand) -> Tensor: return OPERATORS.table["floor_divide"].operate(self, other)
    def __rfloordiv__(self, other: Operand) -> Tensor: return OPERATORS.table["floor_divide"].operate(other, self)
    def __mod__(self, other: Operand) -> Tensor: return OPERATORS.table["remainder"].operate(self, other)
    def __rmod__(self, other: Operand) -> Tensor: return OPERATORS.table["remainder"].operate(other, self)
    def __and__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_and"].operate(self, other)
    def __rand__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_and"].operate(other, self)
    def __or__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_or"].operate(self, other)
    def __ror__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_or"].operate(other, self)
    def __xor__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_xor"].operate(self, other)
    def __rxor__(self, other: Operand) -> Tensor: return OPERATORS.table["bitwise_xor"].operate(other, self)
    def __eq__(self, other: Any) -> Tensor: return OPERATORS.table["eq"].operate(self, other)  # type: ignore[override]
    def __ne__(self, other: Any) -> Tensor: return OPERATORS.table["ne"].operate(self, other)  # type: ignore[override]
    def __lt__(self, other: Operand) -> Tensor: return OPERATORS.table["lt"].operate(self, other)
    def __le__(self, other: Operand) -> Tensor: return OPERATORS.table["le"].operate(self, other)
    def __gt__(self, other: Operand) -> Tensor: return OPERATORS.table["gt"].operate(self, other)
    def __ge__(self, other: Operand) -> Tensor: return OPERATORS.table["ge"].operate(self, other)
    def __neg__(self) -> Tensor: return OPERATORS.table["neg"](self)
    def __pos__(self) -> Tensor: return self
    def __abs__(self) -> Tensor: return OPERATORS.table["abs"](self)
    def __invert__(self) -> Tensor: return OPERATORS.table["bitwise_not"](self)
    def __getitem__(self, key: Any) -> Tensor: return OPERATORS.table["getitem"](self, key)
    def __setitem__(self, key: Any, value: Any) -> None: OPERATORS.table["setitem_"](self, value, key)
    def __delitem__(self, key: Any) -> None: raise TypeError("del: elements cannot be taken out of a tensor; x[mask] keeps those wanted")
    def __iadd__(self, other: Operand) -> Self: return OPERATORS.table["add_"](self, other)
    def __isub__(self, other: Operand) -> Self: return OPERATORS.table["sub_"](self, other)
    def __imul__(self, other: Operand) -> Self: return OPERATORS.table["mul_"](self, other)
    def __itruediv__(self, other: Operand) -> Self: return OPERATORS.table["div_"](self, other)
    def __ipow__(self, other: Operand) -> Self: return OPERATORS.table["pow_"](self, other)
    def __ifloordiv__(self, other: Operand) -> Self: return OPERATORS.table["floor_divide_"](self, other)
    def __imod__(self, other: Operand) -> Self: return OPERATORS.table["remainder_"](self, other)
    def __iand__(self, other: Operand) -> Self: return OPERATORS.table["bitwise_and_"](self, other)
    def __ior__(self, other: Operand) -> Self: return OPERATORS.table["bitwise_or_"](self, other)
    def __ixor__(self, other: Operand) -> Self: return OPERATORS.table["bitwise_xor_"](self, other)
    def __ilshift__(self, other: Operand) -> Self: return OPERATORS.table["bitwise_left_shift_"](self, other)
    def __irshift__(self, other: Operand) -> Self: return OPERATORS.table["bitwise_right_shift_"](self, other)
    def __reversed__(self) -> Tensor: return OPERATORS.table["flip"](self, 0) if self.array.ndim else self

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, (Tensor, int, float, complex, np.generic)):
            raise TypeError(f"in: a tensor contains numbers and tensors, got {type(value).__name__}")
        return bool((self.array == as_array(value)).any())

    if not TYPE_CHECKING:  # for type checkers a class with this method has every name

        def __getattr__(self, name):
            """Called for names that nothing has registered."""
            hint = ""
            if not name.startswith("_"):
                from difflib import get_close_matches

                hint = "".join([f"; did you mean {near!r}?" for near in get_close_matches(name, dir(Tensor), 1)])
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")


@cython.cclass
class Operation:
    """What an operator calls."""

    __slots__ = ()

    def operate(self, x: Any, y: Any) -> Any:
        raise NotImplementedError


class Operators:
    """The operations behind Python's operators: the hot ones as fields, all of them in `table` by name."""

    __slots__ = ("add", "sub", "mul", "div", "pow", "matmul", "table")
    if TYPE_CHECKING:
        add: Any
        sub: Any
        mul: Any
        div: Any
        pow: Any
        matmul: Any
        table: dict[str, Any]


SIZES: dict[Any, Any] = {}  # programs see few shapes and ask for them often
INFERENCE: Version = Version()  # what all inference tensors share: their writes are not counted
OPAQUE = -1
OPERATORS: Operators = Operators()
TABLE: dict[str, Any] = {}  # the same table for other modules: a name that is typed in a .pxd cannot be imported from Python
OPERATORS.table = TABLE


def register(name: str, operation: Any, method: bool = True) -> None:
    """Gives Tensor the method of this name, and Python's operators what is behind them."""
    OPERATORS.table[name] = operation
    if name in ("add", "sub", "mul", "div", "pow", "matmul"):
        setattr(OPERATORS, name, operation)
    if method and name not in Tensor.__dict__:
        setattr(Tensor, name, operation)


def make_tensor(array: Any) -> Tensor:
    """A tensor around an array, without copying and without history."""
    out: Tensor = Tensor.__new__(Tensor)
    out.array = array
    if not cython.compiled:
        out._grad = out.node = out.version = out.base = None
        out.path = ()
        out.seen = 0
        out.tracked = False
    if inference():
        out.version = INFERENCE
    return out


def as_array(x: Any) -> Any:
    """The array of a tensor; an array or a number as it is, lists as arrays of torch's dtypes."""
    if isinstance(x, Tensor):
        t: Tensor = x
        return t.array
    if isinstance(x, (list, tuple)):
        return tensor(x).array
    return x


def new_size(lengths: Any) -> Size:
    """The Size of these lengths, kept for the next time."""
    if len(SIZES) >= 1024:
        SIZES.clear()
    size = SIZES[lengths] = Size(lengths)
    return size


def array_of(data: tuple[Any, ...]) -> Any:
    """The array that Tensor(*data) is made around."""
    if len(data) == 1 and not isinstance(data[0], int):
        if isinstance(data[0], Tensor):
            return as_array(data[0])
        if not isinstance(data[0], Size):
            return array_of_numbers(data[0])
        data = tuple(data[0])
    return np.empty(Size(data) if data else 0, get_default_dtype())


def version_of(x: Tensor) -> Version:
    """The write counter of a tensor's storage, made when it is first needed."""
    if x.version is None:
        x.version = Version()
    return x.version


def needs_grad(x: Tensor) -> bool:
    """Is a gradient needed? A view first looks whether its base's history has changed."""
    if x.base is not None and x.seen != x.version.rebased:
        OPERATORS.table["refresh"](x)
    return x.tracked


def edge_of(a: Any) -> Any:
    """Who gets the gradient of this argument: the node that made it, its leaf, or None."""
    if isinstance(a, Tensor):
        x: Tensor = a
        if needs_grad(x):
            if x.node is None:
                x.node = make_leaf(x)
            return x.node
    return None


def make_leaf(x: Tensor) -> Leaf:
    leaf: Leaf = Leaf.__new__(Leaf)
    start(leaf, x.array.shape, x.array.dtype)
    leaf.tensor = weakref.ref(x)
    return leaf


def save(array: Any, node: Any, version: Version) -> Saved:
    """Keeps an array for backward."""
    if version is INFERENCE:
        raise RuntimeError(
            "inference tensors cannot be saved for backward: nobody counts the writes to them; use a clone (x.clone()), or no_grad "
            "instead of inference_mode"
        )
    saved: Saved = Saved.__new__(Saved)
    saved.array = array
    saved.node = node
    saved.version = version
    saved.writes = version.writes
    return saved


def rebuild(cls: Any, owner: Any, requires_grad: bool, state: dict[str, Any], place: Any = None) -> Tensor:
    """Undoes pickling: of tensors that shared memory, all come with the array that owned it."""
    from .copying import part

    if isinstance(place, str):  # it was on a device
        owner, place = placed(owner, check_device("pickle", place)), None
    out: Tensor = cls.__new__(cls)
    Tensor.__init__(out, make_tensor(part(owner, place)), requires_grad=requires_grad)
    if state:
        vars(out).update(state)
    return out


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`.

    Args:
        data: a number, nested sequences of numbers or tensors, an array or a tensor.
        dtype: the element type; by default that of the array, the default float for Python floats, int64 for Python
            integers, bool for truth values.
        device: "cpu", or where the array is to live.
        requires_grad: whether backward is to fill `.grad`.

    Raises:
        TypeError: `data` cannot be made into an array of numbers.
        ValueError: the nested sequences have different lengths.

    >>> import minigrad
    >>> minigrad.tensor([[1, 2], [3, 4]]).dtype
    dtype('int64')
    """
    where = check_device("tensor", device)
    dtype = chosen_dtype("tensor", dtype)
    if isinstance(data, Tensor):
        data = data.array
        if type(data) is not ndarray and device_of(data).type != "cpu":  # a copy of what is on a GPU stays there
            return finished_tensor(placed(data.astype(dtype or data.dtype, copy=True), where if device is not None else device_of(data)), requires_grad)
    elif not isinstance(data, (ndarray, np.generic)):
        data = from_numbers(data, dtype)
    array = np.array(data, dtype=dtype)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind not in CATEGORY:
        raise TypeError(f"tensor: expected numbers, got {array.dtype} (from {type(data).__name__})")
    return finished_tensor(array if where is CPU else placed(array, where), requires_grad)


def finished_tensor(array: Any, requires_grad: bool) -> Tensor:
    """The tensor around a new array."""
    out: Tensor = make_tensor(array)
    if requires_grad:
        out.requires_grad = True
    return out


def array_of_numbers(data: Any) -> Any:
    """A copy of nested sequences or of an array, in the default float."""
    if not isinstance(data, (list, tuple, ndarray)):
        raise TypeError(f"Tensor: expected nested sequences, an array or lengths, got {type(data).__name__}; minigrad.tensor(...) takes numbers")
    array = from_numbers(data, None) if isinstance(data, (list, tuple)) else data
    if array.dtype.kind not in "fiub":
        raise TypeError(f"Tensor: expected real numbers, got {array.dtype}")
    return np.array(array, get_default_dtype())


def from_numbers(data: Any, dtype: Any) -> Any:
    """An array of nested sequences, which may hold tensors; Python floats become the default float."""
    if isinstance(data, (list, tuple)):
        data = [placed(x.array, CPU) if isinstance(x, Tensor) else as_nested(x) for x in data]
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(f"tensor: expected sequences of equal lengths: {error}") from None
    if dtype is not None and dtype.kind in "iu" and array.dtype.kind in "iufO" and array.size:
        check_range("tensor", array, dtype)
    if dtype is None and array.dtype == np.float64 and not holds_arrays(data):
        return array.astype(get_default_dtype())
    return array.astype(get_default_dtype()) if array.size == 0 and dtype is None else array


def check_range(op: str, array: Any, dtype: Any) -> None:
    """Refuses numbers that integers of this dtype cannot hold; negative ones may wrap around in unsigned ones, as in torch."""
    info = np.iinfo(dtype)
    low, high = [np.asarray(x).item() for x in (array.min(), array.max())]  # Python's numbers: compared exactly
    if not ((-info.max if dtype.kind == "u" else info.min) <= low and high <= info.max):
        raise RuntimeError(f"{op}: {low if high <= info.max else high} does not fit into {dtype}, which holds {info.min} to {info.max}")


def as_nested(x: Any) -> Any:
    return [placed(y.array, CPU) if isinstance(y, Tensor) else as_nested(y) for y in x] if isinstance(x, (list, tuple)) else x


def holds_arrays(x: Any) -> bool:
    """Does the first element come from an array, with a dtype of its own?"""
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    return isinstance(x, (ndarray, np.generic))
