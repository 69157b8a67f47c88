"""A loaded graph as a module: its weights are parameters, so it can be trained."""

from __future__ import annotations

import json
from typing import Any

from minigrad.core.tensor import Tensor
from minigrad.nn import Module, Parameter
from minigrad.onnx.loading.budget import Budget
from minigrad.onnx.loading.elementwise import DTYPES
from minigrad.onnx.loading.graph import Graph
from minigrad.onnx.loading.reader import Input, Read

BUFFERS = "minigrad.buffers"  # in the metadata of files that minigrad has written: the names of initializers that are no parameters

# Which inputs of an operator are learned; of the binary ones any that is no single number.
LEARNED: dict[str, tuple[int, ...]] = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "Gather": (0,), "PRelu": (1,), "BatchNormalization": (1, 2),
    "InstanceNormalization": (1, 2), "LayerNormalization": (1, 2), "GroupNormalization": (1, 2), "RMSNormalization": (1,),
    "RNN": (1, 2, 3, 5), "GRU": (1, 2, 3, 5), "LSTM": (1, 2, 3, 5, 6, 7), "Add": (0, 1), "Sub": (0, 1), "Mul": (0, 1), "Div": (0, 1),
    "Transpose": (0,), "Reshape": (0,), "Einsum": (0, 1, 2),
}  # fmt: skip
ELEMENTWISE = ("Add", "Sub", "Mul", "Div")


class Holder(Module):
    """What stands between the dots of a name."""


class OnnxModule(Module):
    """The model of an ONNX file. Called with tensors in the order of the file's inputs (`input_names`), or by their names."""

    def __init__(self, read: Read, max_bytes: int) -> None:
        super().__init__()
        self.graph, constants = (read.graph, {}) if BUFFERS in read.metadata else taken_constants(read.graph)
        self.inputs = read.inputs
        self.max_bytes = max_bytes
        self.places: dict[str, str] = {}  # of each tensor of the state, its name in the module
        tensors = read.initializers | constants
        learned = learned_names(read, tensors)
        for name, tensor in tensors.items():
            self.places[name] = self.hold(name, tensor, name in learned)
        self.eval()

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs, in order."""
        return list(self.graph.inputs)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in order."""
        return list(self.graph.outputs)

    def hold(self, name: str, tensor: Tensor, learned: bool) -> str:
        """Makes a tensor part of the state, under its own name where modules can have such names; returns that."""
        parts = name.split(".")
        holder: Module = self
        path = []
        for part in parts[:-1]:
            if not part or part not in holder._modules and hasattr(holder, part):
                break
            if part not in holder._modules:
                holder.add_module(part, Holder())
            holder = holder._modules[part]  # type: ignore[assignment]
            path.append(part)
        rest = name.split(".")[len(path) :]
        last = "_".join(rest) or "tensor"
        while hasattr(holder, last) or last in holder._modules:
            last += "_"
        if learned:
            holder.register_parameter(last, Parameter(tensor))
        else:
            holder.register_buffer(last, tensor)
        return ".".join([*path, last])

    def held(self, place: str) -> Any:
        holder: Any = self
        *path, last = place.split(".")
        for part in path:
            holder = holder._modules[part]
        return holder._parameters[last] if last in holder._parameters else holder._buffers[last]

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The outputs: one value, or a tuple of several. Raises TypeError or ValueError for inputs that the file does not describe."""
        if len(inputs) > len(self.inputs):
            raise TypeError(f"onnx.load: the model has the inputs {self.input_names}, got {len(inputs)} values")
        given = dict(zip(self.input_names, inputs, strict=False))
        for name, x in named.items():
            if name not in self.graph.inputs or name in given:
                raise TypeError(
                    f"onnx.load: {name!r} is {'given twice' if name in given else f'no input; the inputs are {self.input_names}'}"
                )
            given[name] = x
        for info in self.inputs:
            if info.name not in given:
                raise TypeError(f"onnx.load: the input {info.name!r} is missing; the inputs are {self.input_names}")
            check_input(info, given[info.name])
        values = given | {name: self.held(place) for name, place in self.places.items()}
        budget = Budget(self.max_bytes)
        for value in (*values.values(), *self.graph.constants.values()):
            budget.know(value)
        outs = self.graph.run(values, self.training, budget)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def extra_repr(self) -> str:
        return f"inputs={self.input_names}, outputs={self.output_names}, nodes={len(self.graph.nodes)}"


def check_input(info: Input, x: Any) -> None:
    if info.element is None:  # a sequence or an optional value
        return
    if not isinstance(x, Tensor):
        raise TypeError(f"onnx.load: the input {info.name!r} must be a tensor, got {type(x).__name__}")
    if info.element in DTYPES and x.dtype != DTYPES[info.element]:
        raise TypeError(
            f"onnx.load: the input {info.name!r} must have the dtype {DTYPES[info.element]}, got {x.dtype}; convert it with .to(dtype)"
        )
    fits = (
        info.shape is None
        or len(info.shape) == x.ndim
        and all(n is None or n == m for n, m in zip(info.shape, x.shape, strict=True))
    )
    if not fits:
        shape = ", ".join(["any" if n is None else str(n) for n in info.shape or ()])
        raise ValueError(f"onnx.load: the input {info.name!r} must have the shape ({shape}), got {tuple(x.shape)}")


def taken_constants(graph: Graph) -> tuple[Graph, dict[str, Tensor]]:
    """The floats of Constant nodes that are read as weights, which some tools write in place of initializers, and the graph without them."""
    wanted = read_as_weight(graph)
    found = {}
    for node in graph.nodes:
        value = node.attributes.get("value") if node.kind == "Constant" else None
        if value is not None and value.dtype.kind == "f" and value.numel() > 1 and node.outputs[0] in wanted:
            found[node.outputs[0]] = value
    nodes = [node for node in graph.nodes if node.kind != "Constant" or node.outputs[0] not in found]
    return Graph(graph.inputs, graph.outputs, nodes, graph.constants, graph.opset), found


def read_as_weight(graph: Graph) -> set[str]:
    return {node.inputs[i] for node in graph.nodes for i in LEARNED.get(node.kind, ()) if i < len(node.inputs)}


def learned_names(read: Read, tensors: dict[str, Tensor]) -> set[str]:
    """Which of the tensors are parameters: those that operators read where weights stand, or those that minigrad wrote as such."""
    floats = {name for name, x in tensors.items() if x.dtype.kind == "f"}
    if BUFFERS in read.metadata:
        try:
            buffers = set(json.loads(read.metadata[BUFFERS]))
        except (ValueError, TypeError):
            raise ValueError(f"onnx.load: the metadata {BUFFERS!r} of the file is damaged") from None
        return floats - buffers
    numbers = {name for name in floats if tensors[name].ndim == 0}
    weights = read_as_weight(read.graph)
    return (floats & weights) - numbers
