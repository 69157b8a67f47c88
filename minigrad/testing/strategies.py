"""How tests draw the arguments of an operation: small readable numbers, arrays of every layout in memory, empty ones among them.

An operation says beside its definition what it wants to be called with: elementwise ones by the `domains` of their arguments, others
by `cases`, a function of a `Draw` that returns the positional and the named arguments. Everything shrinks: sizes towards 1, layouts towards
contiguous, numbers towards whole ones near 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad.core.tensor import Tensor, make_tensor

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
DrawFunction = Callable[[st.SearchStrategy[Any]], Any]

FINEST = (
    8  # numbers are drawn as multiples of 1 / FINEST: exact in every float type, and never nearer to a kink than that
)
LARGEST_SIZE = 3
SPECIAL = (np.nan, np.inf, -np.inf)


@lru_cache
def readable_numbers(low: float, high: float, kinks: tuple[float, ...], integers: bool) -> Array:
    """The numbers that arrays are drawn from, the simplest first: whole ones before fractions, near to 0 before far, plus before minus."""
    step = 1 if integers else FINEST
    found = [i / step for i in range(int(np.ceil(low * step)), int(np.floor(high * step)) + 1)]
    found = [x for x in found if x not in kinks]
    if not found and integers:
        return readable_numbers(low, high, kinks, False)
    if not found:
        raise ValueError(f"array: no multiple of 1/{FINEST} lies between {low} and {high} without the kinks {kinks}")
    return np.array(sorted(found, key=lambda x: (x.as_integer_ratio()[1], abs(x), x < 0)))


class Draw:
    """What a function of `cases` draws with.

    Args:
        draw: Hypothesis's own draw function.
        dtype: of the arrays.
        integers: draw whole numbers only, so that sums and products are exact.
        empty: give every shape that may have one an axis of length 0.
    """

    def __init__(
        self, draw: DrawFunction, dtype: Any = np.float64, integers: bool = False, empty: bool = False
    ) -> None:
        self.draw = draw
        self.dtype = np.dtype(dtype)
        self.integers = integers
        self.empty = empty
        self.fixed: list[Array] = []  # those that must keep their layout
        self.free: list[
            Array
        ] = []  # those whose elements may change: arrays that `cases` computes may have to be as they are

    # --- sizes and choices ----------------------------------------------------------------------------------------

    def choice(self, *options: Any) -> Any:
        """One of the options; the first is the simplest."""
        return options[self.draw(st.integers(0, len(options) - 1))]

    def size(self, min: int = 0) -> int:
        """A length, rarely 0."""
        if self.empty and min == 0:
            return 0
        simplest_first = (1, 2, 3, 2, 3, 0) if min == 0 else tuple(range(min, max(min, LARGEST_SIZE) + 1))
        return int(self.choice(*simplest_first))

    def shape(self, min_dims: int = 0, max_dims: int = 3, min_size: int = 0) -> Shape:
        """Some lengths, at least `min_dims`, each at least `min_size`."""
        if self.empty and min_size == 0:
            min_dims = max(min_dims, 1)
        n = self.draw(st.integers(min_dims, max_dims))
        if self.empty and min_size == 0:
            place = self.draw(st.integers(0, n - 1))
            return tuple([0 if i == place else int(self.choice(1, 2, 3)) for i in range(n)])
        return tuple([self.size(min_size) for _ in range(n)])

    def broadcastable(self, shape: Shape) -> Shape:
        """A shape that broadcasts to the given one: axes are missing in front, or have length 1."""
        start = self.draw(st.integers(0, len(shape)))
        return tuple([self.choice(n, 1) for n in shape[start:]])

    def permutation(self, n: int) -> list[int]:
        """The axes 0 to n - 1 in some order."""
        return list(self.draw(st.permutations(range(n))))

    # --- arrays ---------------------------------------------------------------------------------------------------

    def array(
        self,
        shape: Sequence[int],
        low: float = -4.0,
        high: float = 4.0,
        kinks: tuple[float, ...] = (),
        special: bool = False,
    ) -> Array:
        """Numbers between `low` and `high`, away from the kinks; with `special` NaN and infinities among them."""
        table = readable_numbers(low, high, tuple(kinks), self.integers)
        table = np.append(table, SPECIAL) if special else table
        n = prod(shape)
        picks = np.frombuffer(self.draw(st.binary(min_size=n, max_size=n)), np.uint8)
        array = table[picks % len(table)].astype(self.dtype).reshape(shape)
        self.free.append(array)
        return array

    def booleans(self, shape: Sequence[int]) -> Array:
        """Truth values."""
        array = np.asarray(self.array(shape, 0, 1) >= 0.5)
        self.free.append(array)
        return array

    def contiguous(self, shape: Sequence[int]) -> Array:
        """Numbers whose order in memory no layout changes."""
        array = self.array(shape)
        self.fixed.append(array)
        return array

    def layout(self, array: Array) -> Array:
        """The array in some layout in memory.

        A stride of 0 makes all elements along an axis equal to the first: only arrays that were drawn just so can have one.
        """
        if any(array is a for a in self.fixed):
            return array
        layouts = [packed, transposed, reversed_, spread]
        if array.size > 1 and any(array is a for a in self.free):
            layouts.append(repeated)
        layout = self.choice(*layouts)
        return (
            array if layout is packed or array.ndim == 0 else layout(array, self.draw(st.integers(0, array.ndim - 1)))
        )

    # --- index expressions ----------------------------------------------------------------------------------------

    def index(self, shape: Shape, unique: bool = False) -> Any:
        """A key for x[key]: integers, slices, None, ..., arrays of integers and masks; with `unique` no element is named twice."""
        form = self.choice("basic", "array", "mask", "both")
        if form == "mask":
            return self.booleans(shape)
        if form == "array":
            return self.places(shape[0], unique)
        if form == "both" and len(shape) > 1:
            return (self.part(shape[0]), self.places(shape[1], unique))
        key = [self.part(n) for n in shape[: self.draw(st.integers(0, len(shape)))]]
        if self.choice(False, True):
            key.insert(self.draw(st.integers(0, len(key))), None)
        if self.choice(False, True):
            key.append(...)
        return key[0] if len(key) == 1 else tuple(key)

    def part(self, n: int) -> Any:
        """An integer or a slice that selects something of an axis of length n."""
        start = self.draw(st.integers(0, n - 1))
        return self.choice(
            slice(None),
            start,
            slice(start, None),
            start - n,
            slice(None, start),
            slice(None, None, 2),
            slice(None, None, -1),
        )

    def places(self, n: int, unique: bool) -> Array:
        """An array of indices into an axis of length n, counted from either end."""
        if unique:
            found = self.draw(st.permutations(range(n)))[: self.draw(st.integers(0, n))]
        else:
            found = self.draw(st.lists(st.integers(-n, n - 1), max_size=LARGEST_SIZE))
        return np.array(found, np.int64)


# --- layouts in memory ------------------------------------------------------------------------------------------------


def packed(array: Array, axis: int) -> Array:
    """As NumPy makes arrays."""
    return array


def transposed(array: Array, axis: int) -> Array:
    """The axes in another order in memory, the given one last."""
    return (
        np.moveaxis(np.moveaxis(array, axis, -1).copy(), -1, axis)
        if array.ndim > 1 and axis < array.ndim - 1
        else array.T.copy().T
    )


def reversed_(array: Array, axis: int) -> Array:
    """A negative stride."""
    return np.flip(np.flip(array, axis).copy(), axis)


def spread(array: Array, axis: int) -> Array:
    """A view of every second element of something larger, which starts after its beginning; what lies between is poison."""
    shape = list(array.shape)
    shape[axis] = 2 * shape[axis] + 1
    around = np.full(shape, np.nan if array.dtype.kind == "f" else 1).astype(array.dtype)
    inside = around[(slice(None),) * axis + (slice(1, None, 2),)]
    inside[...] = array
    return inside


def repeated(array: Array, axis: int) -> Array:
    """A stride of 0: one element in memory for all along the axis."""
    first = array[(slice(None),) * axis + (slice(0, 1),)].copy()
    return np.broadcast_to(first, array.shape) if array.shape[axis] else array


def memory_layouts() -> tuple[tuple[str, Callable[[Array], Array]], ...]:
    """All layouts but the usual one, by name, along one axis each; that of stride 0 changes the elements."""
    return (
        ("transposed", lambda a: transposed(a, 0)),
        ("reversed", lambda a: reversed_(a, a.ndim - 1)),
        ("with gaps and an offset", lambda a: spread(a, a.ndim - 1)),
        ("stride 0", lambda a: repeated(a, 0)),
    )


def described(array: Array) -> str:
    """The array as Python, with its strides where they are not the usual ones."""
    text = " ".join(np.array_repr(array, max_line_width=10**6).split())
    return text if array.flags.c_contiguous else f"{text[:-1]}, strides={array.strides})"


# --- calls ------------------------------------------------------------------------------------------------------------


class Call:
    """An operation with its arguments, as a function of those that have gradients.

    `inputs` are the float arrays among the tensor arguments.
    """

    __slots__ = ("args", "named", "op", "places")

    def __init__(self, op: Any, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.op = op
        self.args = args
        self.named = named
        n_tensors = len(args) if op.variadic else op.n_tensors
        self.places = [i for i, a in enumerate(args[:n_tensors]) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]

    @property
    def inputs(self) -> list[Array]:
        """The arrays that may have gradients."""
        return [self.args[i] for i in self.places]

    @property
    def names(self) -> list[str]:
        """What the operation calls them."""
        return [f"{self.op.tensors[0]}[{i}]" if self.op.variadic else self.op.tensors[i] for i in self.places]

    @property
    def arrays(self) -> list[Array]:
        """All array arguments, those without gradients and static ones too."""
        return [a for a in self.args if isinstance(a, np.ndarray)]

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """All outputs of the operation for these tensors in place of the inputs."""
        args = list(self.args)
        for i, a in enumerate(args[: len(args) if self.op.variadic else self.op.n_tensors]):
            if isinstance(a, np.ndarray):
                args[i] = make_tensor(a)
        for i, x in zip(self.places, tensors, strict=True):
            args[i] = x
        out = self.op(*args, **self.named)
        return out if isinstance(out, tuple) else (out,)

    def differentiable(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Those outputs that carry gradients."""
        outs = self(*tensors)
        outs = outs[: len(outs) - self.op.aux]
        return tuple([out for out in outs if out.dtype.kind == "f"])

    def with_inputs(self, arrays: Sequence[Array]) -> Call:
        """The same call with other arrays."""
        args = list(self.args)
        for i, array in zip(self.places, arrays, strict=True):
            args[i] = array
        return Call(self.op, tuple(args), self.named)

    def __repr__(self) -> str:
        parts = [described(a) if isinstance(a, np.ndarray) else repr(a) for a in self.args]
        parts += [f"{name}={value!r}" for name, value in self.named.items()]
        return f"{self.op.name}({', '.join(parts)})"


@st.composite
def calls(draw: DrawFunction, op: Any, dtype: Any = np.float64, integers: bool = False, empty: bool = False) -> Call:
    """Calls of a primitive with arguments out of its domain, its arrays in any layout."""
    source = Draw(draw, dtype, integers, empty)
    if "cases" in op.facts:
        args, named = op.facts["cases"](source)
    elif "domains" in op.facts:
        args, named = elementwise_arguments(source, op.facts["domains"]), {}
    elif op.facts.get("laws") == "reduction":
        args, named = reduction_arguments(source)
    else:
        raise TypeError(f"{op.name}: declares neither domains nor cases, so nobody knows how to call it in a test")
    n_tensors = len(args) if op.variadic else op.n_tensors
    laid_out = [source.layout(a) if isinstance(a, np.ndarray) else a for a in args[:n_tensors]]
    return Call(op, (*laid_out, *args[n_tensors:]), named)


def elementwise_arguments(draw: Draw, domains: Sequence[Any]) -> tuple[Array, ...]:
    """One array for each domain, with shapes that broadcast together; one of them, any, has the full shape."""
    shape = draw.shape()
    full = draw.draw(st.integers(0, len(domains) - 1))
    shapes = [shape if i == full else draw.broadcastable(shape) for i in range(len(domains))]
    return tuple([draw.array(s, d.low, d.high, d.kinks) for s, d in zip(shapes, domains, strict=True)])


def reduction_arguments(draw: Draw) -> tuple[tuple[Array], dict[str, Any]]:
    """An array, and the axes to reduce: all, one or several."""
    x = draw.array(draw.shape())
    dims: Any = [None]
    if x.ndim:
        dims += [
            draw.draw(st.integers(-x.ndim, x.ndim - 1)),
            tuple(draw.permutation(x.ndim)[: draw.draw(st.integers(1, x.ndim))]),
        ]
    dim = draw.choice(*dims)
    return (x,), {"keepdim": draw.choice(False, True)} | ({} if dim is None else {"dim": dim})


# --- strategies by themselves -----------------------------------------------------------------------------------------


@st.composite
def shapes(draw: DrawFunction, min_dims: int = 0, max_dims: int = 3, min_size: int = 0) -> Shape:
    """Shapes of a few short axes; axes of length 0 are rare."""
    return Draw(draw).shape(min_dims, max_dims, min_size)


@st.composite
def broadcastable_shapes(draw: DrawFunction, count: int = 2, max_dims: int = 3) -> tuple[Shape, ...]:
    """So many shapes that broadcast together; one of them, any, has the full shape."""
    source = Draw(draw)
    shape = source.shape(0, max_dims)
    full = draw(st.integers(0, count - 1))
    return tuple([shape if i == full else source.broadcastable(shape) for i in range(count)])


def dtypes(kinds: str = "f") -> st.SearchStrategy[Any]:
    """Types of elements: of floats "f", whole numbers "i" and "u", truth values "b", the widest of each first.

    >>> from hypothesis import find
    >>> from minigrad.testing import dtypes
    >>> find(dtypes("fi"), lambda dtype: True)
    dtype('float64')
    """
    all_types = ("float64", "float32", "int64", "int32", "int16", "int8", "uint8", "bool")
    chosen = [np.dtype(name) for name in all_types if np.dtype(name).kind in kinds]
    if not chosen:
        raise ValueError(f"dtypes: expected kinds among the letters f, i, u and b, got {kinds!r}")
    return st.sampled_from(chosen)


@st.composite
def arrays(
    draw: DrawFunction,
    shape: Any = None,
    dtype: Any = np.float64,
    domain: Any = (-4.0, 4.0),
    kinks: tuple[float, ...] = (),
    integers: bool = False,
    layout: bool = False,
    ties: bool = False,
    distance: float = 0.0,
) -> Array:
    """Arrays of readable numbers, multiples of 1/8, often with ties among them.

    Args:
        shape: the shape, or a strategy for it (default: any of up to 3 axes).
        dtype: a type of floats, or a strategy for it.
        domain: the bounds (low, high), or a `Domain`.
        kinks: numbers that are left out.
        integers: whole numbers only.
        layout: in any layout in memory: transposed, reversed, with gaps, of stride 0.
        ties: two elements at least are equal, where there are two.
        distance: how far numbers stay from the kinks.

    >>> from hypothesis import find
    >>> from minigrad.testing import arrays
    >>> find(arrays((2,), domain=(0.5, 2)), lambda a: a.sum() > 2).tolist()
    [1.0, 2.0]
    """
    source = Draw(draw, draw(dtype) if isinstance(dtype, st.SearchStrategy) else dtype, integers)
    chosen = source.shape() if shape is None else draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    low, high = (domain.low, domain.high) if hasattr(domain, "low") else domain
    forbidden = (*getattr(domain, "kinks", ()), *kinks)
    near = [
        x
        for x in readable_numbers(low, high, (), integers).tolist()
        if any(abs(x - kink) < distance for kink in forbidden)
    ]
    array = source.array((chosen,) if isinstance(chosen, int) else tuple(chosen), low, high, (*forbidden, *near))
    if ties and array.size > 1:
        flat = array.reshape(-1)  # a view: arrays are made contiguous
        first = draw(st.integers(0, array.size - 2))
        flat[first + 1] = flat[first]
    return source.layout(array) if layout else array


@st.composite
def layouts(draw: DrawFunction, array: Array) -> Array:
    """The elements of an array in any layout in memory but that of stride 0, which would change them."""
    return Draw(draw).layout(array)


@st.composite
def indices(draw: DrawFunction, shape: Shape, unique: bool = False) -> Any:
    """Keys for ``x[key]`` of arrays of a shape: integers, slices, None, ..., arrays of integers, masks; with `unique` no element is named twice."""
    return Draw(draw).index(shape, unique)


@st.composite
def convolutions(
    draw: DrawFunction, dims: int = 2, dtype: Any = np.float64, integers: bool = False
) -> tuple[Array, Array, dict[str, Any]]:
    """An input, a weight and the named arguments of a convolution in 1 to 3 dimensions that fit together."""
    source = Draw(draw, dtype, integers)
    groups = source.choice(1, 2)
    kernel = [source.choice(1, 2, 3) for _ in range(dims)]
    geometry: dict[str, Any] = {
        "stride": tuple([source.choice(1, 2) for _ in kernel]),
        "padding": tuple([source.choice(0, 1, 2) for _ in kernel]),
        "dilation": tuple([source.choice(1, 2) for _ in kernel]),
    }
    lengths = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 3))
        for k, p, d in zip(kernel, geometry["padding"], geometry["dilation"], strict=True)
    ]
    channels = source.choice(1, 2)
    x = source.array((source.choice(1, 2), groups * channels, *lengths))
    w = source.array((groups * source.choice(1, 2), channels, *kernel))
    return x, w, geometry | {"groups": groups}


@st.composite
def poolings(draw: DrawFunction, dims: int = 2, dtype: Any = np.float64) -> tuple[Array, dict[str, Any]]:
    """An input, with ties, and the named arguments of a pooling in 1 to 3 dimensions that fit together."""
    source = Draw(draw, dtype)
    kernel = tuple([source.choice(1, 2, 3) for _ in range(dims)])
    padding = tuple([source.choice(0, k // 2) for k in kernel])
    geometry = {"kernel_size": kernel, "stride": tuple([source.choice(1, 2) for _ in kernel]), "padding": padding}
    lengths = [max(1, k - 2 * p) + draw(st.integers(0, 3)) for k, p in zip(kernel, padding, strict=True)]
    return source.array((source.choice(1, 2), source.choice(1, 2), *lengths), -2, 2), geometry


@st.composite
def cotangents(draw: DrawFunction, outputs: Sequence[Any], integers: bool = False) -> list[Array]:
    """For each output an array of its shape and dtype to weight it with, in any layout."""
    found = []
    for out in outputs:
        source = Draw(draw, out.dtype, integers)
        found.append(source.layout(source.array(out.shape, -2.0, 2.0)))
    return found
