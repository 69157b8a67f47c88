"""Parameter: a tensor that a module learns. Buffer: one that belongs to its state. And both before their shape is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from minigrad.core.device import check_device
from minigrad.core.dtypes import get_default_dtype
from minigrad.core.size import Size
from minigrad.core.tensor import Tensor, make_tensor, version_of


class Parameter(Tensor):
    """A leaf tensor that a Module it is assigned to lists among its parameters.

    data: the initial value, whose memory is shared (an empty tensor if left out). requires_grad: False freezes it.

    >>> import minigrad
    >>> minigrad.nn.Parameter(minigrad.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any = None, requires_grad: bool = True) -> None:
        super().__init__(*(() if data is None else (make_tensor(data) if isinstance(data, np.ndarray) else data,)))
        if isinstance(data, Tensor):
            self.version = version_of(data)  # type: ignore[assignment]
        self.requires_grad = requires_grad


class Buffer(Tensor):
    """A tensor that a Module it is assigned to lists among its buffers: part of its state, but not learned.

    data: the initial value, whose memory is shared. persistent: whether state_dict() has it.

    >>> import minigrad
    >>> module = minigrad.nn.Module()
    >>> module.mean = minigrad.nn.Buffer(minigrad.zeros(2))
    >>> list(module.state_dict())
    ['mean']
    """

    def __init__(self, data: Any = None, *, persistent: bool = True) -> None:
        super().__init__(*(() if data is None else (data,)))
        if isinstance(data, Tensor):
            self.version = version_of(data)  # type: ignore[assignment]
        self.persistent = persistent


class _NoArray:
    """Stands in a tensor for an array whose shape is not known yet: it has a dtype, which may change, and refuses all else."""

    __slots__ = ("dtype",)
    __array_ufunc__ = None

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(get_default_dtype() if dtype is None else dtype)

    def astype(self, dtype: Any, **options: Any) -> _NoArray:
        return _NoArray(dtype)

    def __getattr__(self, name: str) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a lazy module or an "
            "UninitializedParameter. Call the module with a dummy batch to initialize the parameters first."
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.shape


class UninitializedTensorMixin(Tensor):
    """A tensor whose shape is not known yet: its dtype can change, all else has to wait for materialize()."""

    cls_to_become: ClassVar[type[Tensor]]

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Makes this very object a tensor of the shape, with memory that is not initialised, and of the class it stands for."""
        check_device("materialize", device)
        self.data = make_tensor(np.empty(tuple(shape), self.dtype if dtype is None else dtype))
        self.__class__ = self.cls_to_become  # type: ignore[assignment]

    @property
    def shape(self) -> Size:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` when "
            "trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the parameters before "
            "accessing their attributes."
        )

    def detach(self) -> Self:
        """The tensor itself: a state_dict() holds what has no values yet as it is."""
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        function, arguments = self.__reduce__()
        memo[id(self)] = function(*arguments)
        return memo[id(self)]  # type: ignore[no-any-return]


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A Parameter whose shape is not known yet.

    >>> import minigrad
    >>> weight = minigrad.nn.UninitializedParameter()
    >>> weight
    <UninitializedParameter>
    >>> weight.materialize((2, 3))
    >>> type(weight).__name__, weight.shape
    ('Parameter', (2, 3))
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        check_device("UninitializedParameter", device)
        super().__init__(None, requires_grad)
        self.data = _NoArray(dtype)  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A Buffer whose shape is not known yet."""

    cls_to_become = Buffer

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        check_device("UninitializedBuffer", device)
        super().__init__(None, persistent=persistent)
        self.data = _NoArray(dtype)  # type: ignore[assignment]
        self.requires_grad = requires_grad

    def __reduce__(self) -> Any:
        return type(self), (self.requires_grad, None, self.dtype, self.persistent)


def is_lazy(param: Any) -> bool:
    """Whether this is an UninitializedParameter or an UninitializedBuffer."""
    return isinstance(param, UninitializedTensorMixin)
