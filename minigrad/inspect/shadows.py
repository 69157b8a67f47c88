"""Arrays that have a shape and a dtype but no memory, and kernels that compute with them: a network runs on them without its data.

A shadow is one element seen with strides of 0. Whatever NumPy does with views is right on it as it stands; elementwise functions, convolutions,
poolings and products give shadows again; of all else the result is computed on zeros and only its shape is kept. So every network,
with whatever branches its forward has, tells its shapes by its own code, and what does not fit is refused by the checks that refuse it in earnest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minigrad import nn
from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.inspect.fields import Field
from minigrad.kernels import cpu
from minigrad.kernels.geometry import Windows

Array = Any


class Shadow(np.ndarray[Any, Any]):
    """An array without memory of its own; it knows what its units see of the input, and the run it belongs to."""

    field: Field | None = None
    kernels: ShapeKernels

    def __array_finalize__(self, source: Any) -> None:
        self.field = getattr(source, "field", None)
        if isinstance(source, Shadow):
            self.kernels = source.kernels

    @property  # type: ignore[misc]
    def strides(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Those it would have with memory of its own, so that writing to it is not refused."""
        return tuple([self.itemsize * prod(self.shape[i + 1 :]) for i in range(self.ndim)])

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if out is not None:
            return out[0] if len(out) == 1 else out
        arrays = [plain(x) for x in inputs]
        if method == "__call__" and ufunc.signature is None:
            shape = np.broadcast_shapes(*[np.shape(x) for x in arrays])
            if 0 not in shape:
                single = ufunc(
                    *[x[(slice(0, 1),) * x.ndim] if isinstance(x, np.ndarray) else x for x in arrays], **options
                )
                several = single if isinstance(single, tuple) else (single,)
                results = tuple([self.like(shape, x.dtype, *inputs) for x in several])
                return results if isinstance(single, tuple) else results[0]
        return self.kernels.shadowed(getattr(ufunc, method)(*arrays, **options), inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        found: list[Any] = []
        result = function(
            *[stripped(x, found) for x in args], **{name: stripped(x, found) for name, x in kwargs.items()}
        )
        return self.kernels.shadowed(result, found)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        """The shadow of the converted array."""
        return self.like(self.shape, dtype, self)

    def copy(self, order: Any = "C") -> Any:
        """A shadow with memory after all: what compiled kernels ask for when the other operand of theirs is no shadow."""
        copied = np.zeros(self.shape, self.dtype).view(Shadow)
        copied.kernels, copied.field = self.kernels, self.field
        return copied

    def like(self, shape: tuple[int, ...], dtype: Any, *inputs: Any) -> Shadow:
        """A shadow of the same run, computed from these inputs."""
        return self.kernels.shadow(shape, dtype, hull_of(inputs))


def plain(x: Any) -> Any:
    """The zeros that a shadow stands for."""
    return x.view(np.ndarray) if isinstance(x, Shadow) else x


def stripped(x: Any, found: list[Any]) -> Any:
    """An argument with its shadows made plain; they are added to those found."""
    if isinstance(x, (list, tuple)):
        return type(x)([stripped(one, found) for one in x])
    if isinstance(x, Shadow):
        found.append(x)
    return plain(x)


def hull_of(inputs: Any) -> Field | None:
    """What a unit sees that is computed from units of these."""
    hull: Field | None = None
    for x in inputs:
        field = x.field if isinstance(x, Shadow) else None
        hull = field if hull is None else hull if field is None else hull.hull(field)
    return hull


class ShapeKernels:
    """The kernels of one run on shadows: shapes, multiplications and receptive fields instead of values.

    `heard` is called with every convolution, pooling and product: its name, its windows or None, and its multiply-adds.
    """

    def __init__(self, heard: Callable[[str, Windows | None, int], None]) -> None:
        self.heard = heard

    def shadow(self, shape: tuple[int, ...], dtype: Any, field: Field | None = None) -> Shadow:
        """A new shadow."""
        found: Shadow = as_strided(np.zeros(1, dtype), shape, (0,) * len(shape)).view(Shadow)
        found.kernels = self
        found.field = field
        return found

    def shadowed(self, result: Any, inputs: Any) -> Any:
        """Results as shadows: only their shapes are kept."""
        if isinstance(result, (tuple, list)):
            return type(result)([self.shadowed(x, inputs) for x in result])
        if isinstance(result, (np.ndarray, np.generic)):
            return self.shadow(result.shape, result.dtype, hull_of(inputs))
        return result

    def __getattr__(self, name: str) -> Callable[..., Any]:
        kernel = getattr(cpu, name)

        def run(*args: Any) -> Any:
            return self.shadowed(kernel(*[plain(x) for x in args]), args)

        return run

    # --- windows ------------------------------------------------------------------------------------------------------

    def conv(self, x: Array, w: Array, bias: Array | None, windows: Windows) -> Shadow:
        shape = (x.shape[0], w.shape[0], *windows.out_size)
        self.heard("convolution", windows, prod(shape) * prod(w.shape[1:]))
        return self.shadow(shape, x.dtype, through(x, windows))

    def conv_input(self, g: Array, w: Array, bias: Array | None, windows: Windows) -> Shadow:
        self.heard("transposed convolution", windows, g.size * prod(w.shape[1:]))
        field = getattr(g, "field", None)
        if field is not None:
            field = field.spread(windows) if len(field.plane) == windows.rank else field.whole()
        shape = (g.shape[0], w.shape[1] * windows.groups, *windows.in_size)
        return self.shadow(shape, g.dtype, field)

    def max_pool(self, x: Array, windows: Windows) -> tuple[Shadow, Shadow]:
        self.heard("pooling", windows, 0)
        shape, field = (*x.shape[:2], *windows.out_size), through(x, windows)
        return self.shadow(shape, x.dtype, field), self.shadow(shape, np.int64, field)

    def sum_pool(self, x: Array, windows: Windows) -> Shadow:
        self.heard("pooling", windows, 0)
        return self.shadow((*x.shape[:2], *windows.out_size), x.dtype, through(x, windows))

    def sum_pool_input(self, g: Array, windows: Windows) -> Shadow:
        return self.shadow((*g.shape[:2], *windows.in_size), g.dtype, hull_of((g,)))

    # --- products -----------------------------------------------------------------------------------------------------

    def matmul(self, a: Array, b: Array, bias: Array | None = None) -> Shadow:
        rows = (1, *a.shape) if a.ndim == 1 else a.shape
        columns = (*b.shape, 1) if b.ndim == 1 else b.shape
        shape = (*np.broadcast_shapes(rows[:-2], columns[:-2]), rows[-2], columns[-1])
        self.heard("product", None, prod(shape) * rows[-1])
        shape = shape[:-1] if b.ndim == 1 else shape
        shape = (*shape[:-2], shape[-1]) if a.ndim == 1 else shape
        field = hull_of((a, b))
        if (
            field is not None
        ):  # a fixed matrix, which is no shadow, interpolates; one of weights or activations reads everything
            field = field.whole() if isinstance(a, Shadow) and isinstance(b, Shadow) else field.wider()
        return self.shadow(shape, a.dtype, field)

    # --- what leaves the shape as it is -------------------------------------------------------------------------------

    def unary(self, name: str, x: Array, *numbers: float, out: Array | None = None) -> Shadow:
        return self.shadow(x.shape, x.dtype, hull_of((x,)))

    def binary(self, name: str, x: Array, z: Array, *numbers: float) -> Shadow:
        return self.shadow(np.broadcast_shapes(x.shape, z.shape), z.dtype, hull_of((x, z)))

    def scale_channels(
        self, x: Array, scale: Array, shift: Array | None, slope: float | None = None, residual: Array | None = None
    ) -> Shadow:
        return self.shadow(x.shape, x.dtype, hull_of((x,) if residual is None else (x, residual)))

    def softmax(self, x: Array, axis: int, logarithm: bool) -> Shadow:
        return self.shadow(x.shape, x.dtype, hull_of((x,)))

    def sum_axes(self, x: Array, axes: tuple[int, ...], keepdims: bool) -> Shadow:
        shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
        field = hull_of((x,))
        seen_whole = field is not None and any(axis >= 2 for axis in axes)
        return self.shadow(tuple(shape), x.dtype, field.whole() if seen_whole and field is not None else field)

    def add_into(self, target: Array, x: Array) -> None:
        """Nothing: there are no values."""


def through(x: Array, windows: Windows) -> Field | None:
    """The field after windows, if that of the input is known."""
    field = getattr(x, "field", None)
    return None if field is None else field.through(windows) if len(field.plane) == windows.rank else field.whole()


@contextmanager
def in_shadow(model: nn.Module, kernels: ShapeKernels) -> Iterator[None]:
    """A block in which all parameters and buffers of a model are shadows, and the model is in evaluation mode; afterwards it is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    arrays = [(x, x.array) for x in (*model.parameters(), *model.buffers())]
    try:
        model.eval()
        for x, array in arrays:
            x.array = kernels.shadow(array.shape, array.dtype)
        with no_grad():
            yield
    finally:
        for x, array in arrays:
            x.array = array
        for module, training in modes:
            module.training = training


def shadow_input(kernels: ShapeKernels, shape: tuple[int, ...], dtype: Any) -> Tensor:
    """A tensor without data, of which every position sees itself."""
    return make_tensor(kernels.shadow(shape, dtype, Field.of_input(shape[2:])))
