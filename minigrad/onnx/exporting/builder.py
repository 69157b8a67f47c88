"""What a graph is made of while it is written, and the table of the functions that write each operation.

    @emits("relu")
    def _(b, input):
        return b.node("Relu", input)

The function is told the operation's arguments by their names, tensors as `Value`s (numbers and None as they are), and returns the Value of
its output, or a tuple of them. Returning an argument itself writes nothing: the two are one value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minigrad.core.dtypes import float32
from minigrad.inference.trace import Call, Ref, replaced

Emitter = Callable[..., Any]
EMITTERS: dict[str, Emitter] = {}


def emits(*names: str) -> Callable[[Emitter], Emitter]:
    """Registers how the operations of these names are written."""

    def register(emitter: Emitter) -> Emitter:
        EMITTERS.update(dict.fromkeys(names, emitter))
        return emitter

    return register


class Value(str):
    """A value of the graph: its name, with its shape and dtype where they are known."""

    shape: tuple[int, ...]
    dtype: Any


def value(name: str, shape: tuple[int, ...], dtype: Any) -> Value:
    out = Value(name)
    out.shape, out.dtype = tuple(shape), dtype
    return out


class Node(NamedTuple):
    """One node; an empty name stands for an input or an output that is left out."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    source: str  # the operation that it writes, and where that was called


class Builder:
    """Collects nodes and constants. While an operation is written, `kinds` are the shapes and dtypes of its outputs."""

    def __init__(self, opset: int, names: set[str]) -> None:
        self.opset = opset
        self.names = set(names)
        self.nodes: list[Node] = []
        self.constants: dict[str, Any] = {}
        self.lengths: set[str] = set()  # the constants that are lengths of axes: a dynamic axis may change them
        self.values: dict[int, Value] = {}  # of each Ref
        self.makers: dict[str, Call] = {}  # of each value, the operation that gives it
        self.call: Call
        self.kinds: list[tuple[tuple[int, ...], Any]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first output of the operation that is being written."""
        return self.kinds[0][0]

    @property
    def dtype(self) -> Any:
        """Of the first output of the operation that is being written."""
        return self.kinds[0][1]

    def fresh(self, base: str) -> str:
        """A name that is not taken."""
        name, n = base, 0
        while name in self.names:
            n += 1
            name = f"{base}_{n}"
        self.names.add(name)
        return name

    def node(self, kind: str, *inputs: str | None, outputs: int = 1, **attributes: Any) -> Any:
        """Writes a node and returns its output, or a tuple of several; attributes that are None are left out."""
        given = ["" if x is None else x for x in inputs]
        while given and not given[-1]:
            given.pop()
        names = tuple([value(self.fresh(kind), (), None) for _ in range(outputs)])
        kept = {name: x for name, x in attributes.items() if x is not None}
        self.nodes.append(Node(kind, tuple(given), names, kept, f"{self.call.op.name} ({self.call.place})"))
        return names[0] if outputs == 1 else names

    def constant(self, x: Any, dtype: Any = None) -> Value:
        """An array or a number as a value."""
        array = np.asarray(x, dtype)
        name = value(self.fresh("constant"), array.shape, array.dtype)
        self.constants[name] = array
        return name

    def sizes(self, lengths: Any) -> Value:
        """Lengths of axes as a value, which may depend on a dynamic axis."""
        name = self.constant(lengths, np.int64)
        self.lengths.add(name)
        return name

    def integers(self, numbers: Any) -> Value:
        """Numbers of axes and the like as a value."""
        return self.constant(numbers, np.int64)

    def cast(self, x: Value, dtype: Any) -> Value:
        """The value in another dtype."""
        if x.dtype == dtype:
            return x
        out: Value = self.node("Cast", x, to=type_number(dtype))
        out.shape, out.dtype = x.shape, np.dtype(dtype)
        return out

    def tensor(self, x: Any, dtype: Any = None) -> Value:
        """An argument as a value, numbers included."""
        if not isinstance(x, Value):
            return self.constant(x, dtype)
        return x if dtype is None else self.cast(x, dtype)

    def together(self, *xs: Any, dtype: Any = None) -> list[Value]:
        """Arguments brought to one dtype, by default the one that they have in common."""
        dtype = common_dtype(xs) if dtype is None else dtype
        return [self.tensor(x, dtype) for x in xs]

    def reshaped(self, x: str, shape: Any) -> Any:
        """The value in another shape."""
        out = self.node("Reshape", x, self.sizes(shape), allowzero=1 if 0 in shape and self.opset >= 14 else None)
        out.dtype = getattr(x, "dtype", None)
        return out

    def spread(self, x: Any, shape: Any) -> Any:
        """The value broadcast to a shape."""
        return self.node("Expand", x, self.sizes(shape))

    def axes(self, kind: str, x: str, axes: Any) -> Any:
        """Squeeze or Unsqueeze."""
        return self.node(kind, x, self.integers(list(axes))) if len(axes) else x

    def scalar(self, x: float, dtype: Any = None) -> Value:
        """A number in the output's dtype."""
        return self.constant(x, self.dtype if dtype is None else dtype)

    def maker(self, x: Any) -> Call | None:
        """The operation that gives this value."""
        return self.makers.get(x)

    def value_of(self, x: Any) -> Any:
        """The value that an argument of a recorded operation stands for."""
        if isinstance(x, Ref):
            return self.values[x.number]
        return self.constant(x) if isinstance(x, np.ndarray) else x

    def needs(self, opset: int, what: str) -> None:
        """Refuses what older versions of the operators cannot say."""
        if self.opset < opset:
            raise NotImplementedError(
                f"onnx.export: {self.call.op.name} ({self.call.place}): {what} exists from opset {opset} on, got opset={self.opset}; "
                f"pass opset={opset}"
            )

    def refuse(self, why: str) -> Any:
        raise NotImplementedError(f"onnx.export: {self.call.op.name} ({self.call.place}): {why}")

    def write(self, call: Call, kinds: list[tuple[tuple[int, ...], Any]]) -> None:
        """Writes one recorded operation."""
        emitter = EMITTERS.get(call.op.name)
        self.call, self.kinds = call, kinds
        if emitter is None:
            self.refuse(
                "no ONNX operator is written for this operation; compute it outside of the model, write it in other operations, "
                "or register how it is written with minigrad.onnx.exporting.builder.emits"
            )
            return
        tensors = [self.value_of(a) for a in call.args]
        static = replaced(call.static, Ref, self.value_of)
        arguments = dict(zip(call.op.static_names, static, strict=True))
        if call.op.variadic:
            arguments[call.op.tensors[0]] = tensors
        else:
            arguments.update(zip(call.op.tensors, tensors, strict=True))
        code = emitter.__code__
        found = emitter(self, *[arguments.get(name) for name in code.co_varnames[1 : code.co_argcount]])
        for number, out, (shape, dtype) in zip(
            call.outputs, found if isinstance(found, tuple) else (found,), kinds, strict=False
        ):
            kept = value(out, shape, dtype)
            self.values[number] = kept
            self.makers.setdefault(kept, call)


def common_dtype(xs: Any) -> Any:
    """The dtype that arguments meet in; a number only says whether it is a float."""
    dtypes = [x.dtype for x in xs if isinstance(x, Value)]
    if not dtypes:
        return np.dtype(float32)
    found = np.result_type(*dtypes)
    numbers = [x for x in xs if not isinstance(x, Value)]
    if found.kind != "f" and any(isinstance(x, (float, np.floating)) for x in numbers):
        return np.dtype(float32)
    if found.kind == "b" and any(type(x) is int for x in numbers):
        return np.dtype(np.int64)
    return found


def type_number(dtype: Any) -> int:
    """How the format numbers this dtype."""
    from minigrad.onnx.package import package

    return int(package("onnx.export").helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))
