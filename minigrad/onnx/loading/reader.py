"""A file's protocol buffer as a graph; what cannot be run is refused here, before anything is computed."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple, NoReturn

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.onnx.loading.elementwise import DTYPES
from minigrad.onnx.loading.graph import Graph, Node, described
from minigrad.onnx.loading.table import Reader, reader_of
from minigrad.onnx.loading.tensors import Files

DEEPEST = 12  # graphs inside of graphs
MOST_NODES = 1_000_000
FLOAT, INT, STRING, TENSOR, GRAPH, FLOATS, INTS, STRINGS, TYPE = 1, 2, 3, 4, 5, 6, 7, 8, 13


class Input(NamedTuple):
    """What the file says about an input: the number of its element type and its shape, where they are known."""

    name: str
    element: int | None
    shape: tuple[int | None, ...] | None


class Read(NamedTuple):
    """A file's graph, its inputs, and the tensors that it holds, by name."""

    graph: Graph
    inputs: list[Input]
    initializers: dict[str, Tensor]
    metadata: dict[str, str]


class GraphReader:
    """Turns the protocol buffer of a graph into a Graph."""

    def __init__(self, opset: int, files: Files) -> None:
        self.opset = opset
        self.files = files
        self.nodes = 0
        self.unsupported: dict[str, str] = {}

    def graph(self, proto: Any, outer: set[str], depth: int = 0) -> tuple[Graph, dict[str, Tensor]]:
        """The graph, and its initializers; those of graphs inside of nodes are constants."""
        if depth > DEEPEST:
            raise ValueError(f"onnx.load: graphs lie inside of graphs more than {DEEPEST} deep")
        self.nodes += len(proto.node)
        if self.nodes > MOST_NODES:
            raise ValueError(f"onnx.load: the graph has more than {MOST_NODES} nodes")
        if len(proto.sparse_initializer):
            raise NotImplementedError("onnx.load: the file has sparse initializers; there are no sparse tensors")
        initializers = {text(t.name): make_tensor(self.files.array(t)) for t in proto.initializer}
        inputs = [text(i.name) for i in proto.input if i.name not in initializers]
        known = {*outer, *initializers, *inputs}
        nodes = [self.node(node, known, depth) for node in proto.node]
        outputs = [text(o.name) for o in proto.output]
        for name in outputs:
            if name not in known:
                raise ValueError(f"onnx.load: the output {name!r} is given by no node")
        return Graph(inputs, outputs, nodes, initializers if depth else {}, self.opset), initializers

    def node(self, proto: Any, known: set[str], depth: int) -> Node:
        """One node, whose inputs are known and whose outputs are from now on."""
        node = Node(
            text(proto.op_type), tuple(map(text, proto.input)), tuple(map(text, proto.output)), {}, text(proto.name)
        )
        for name in node.inputs:
            if name and name not in known:
                raise ValueError(f"onnx.load: {described(node)} reads {name!r}, which nothing before it gives")
        for name in node.outputs:
            if name and name in known:
                raise ValueError(f"onnx.load: {described(node)} gives {name!r}, which there is already")
        reader = reader_of(node.kind, self.opset) if proto.domain in ("", "ai.onnx") else None
        if reader is None:
            self.unsupported[f"{text(proto.domain)}.{node.kind}".lstrip(".")] = ""
        else:
            for attribute in proto.attribute:
                node.attributes[text(attribute.name)] = self.attribute(attribute, node, known, depth)
            check_call(node, reader)
        known.update(node.outputs)
        return node

    def attribute(self, proto: Any, node: Node, known: set[str], depth: int) -> Any:
        if proto.ref_attr_name:
            refuse(node, f"the attribute {proto.name!r} refers to one of a function; inline it first (onnx.inliner)")
        if proto.type == GRAPH:
            return self.graph(proto.g, known, depth + 1)[0]
        if proto.type == TENSOR:
            return make_tensor(self.files.array(proto.t))
        simple = {FLOAT: "f", INT: "i", FLOATS: "floats", INTS: "ints"}
        if proto.type in simple:
            found = getattr(proto, simple[proto.type])
            return list(found) if proto.type in (FLOATS, INTS) else found
        try:
            if proto.type == STRING:
                return proto.s.decode()
            if proto.type == STRINGS:
                return [s.decode() for s in proto.strings]
        except UnicodeDecodeError:
            raise ValueError(f"onnx.load: {described(node)}: the attribute {proto.name!r} is no text") from None
        if proto.type == TYPE:
            return None
        return refuse(
            node, f"the attribute {proto.name!r} is of a kind, number {proto.type}, that no operator here takes"
        )


def text(name: Any) -> str:
    """A name, which protobuf gives as bytes where they are no UTF-8."""
    if not isinstance(name, str):
        raise ValueError(f"onnx.load: {name!r} is no text, as names have to be")
    return name


def check_call(node: Node, reader: Reader) -> None:
    """Refuses attributes that the function does not know, and inputs or attributes that it misses."""
    parameters = inspect.signature(reader).parameters.values()
    named = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} - {"run"}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        unknown = set(node.attributes) - named
        if unknown:
            refuse(node, f"the attribute {sorted(unknown)[0]!r} is not known; known are {sorted(named)}")
    missing = [
        p.name
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in (*node.attributes, "run")
    ]
    if missing:
        raise ValueError(f"onnx.load: {described(node)}: the attribute {missing[0]!r} is missing")
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    least = len([p for p in positional if p.default is p.empty])
    if not least <= len(node.inputs) <= len(positional) or not all(node.inputs[:least]):
        raise ValueError(
            f"onnx.load: {described(node)}: expected {least} to {len(positional)} inputs, got {list(node.inputs)}"
        )


def refuse(node: Node, why: str) -> NoReturn:
    raise NotImplementedError(f"onnx.load: {described(node)}: {why}")


def read(proto: Any, folder: str | None) -> Read:
    """The graph of a model. Raises NotImplementedError, naming them, for operators that are not in the tables."""
    if not proto.HasField("graph"):
        raise ValueError("onnx.load: the file has no graph")
    if len(proto.functions):
        raise NotImplementedError(
            "onnx.load: the model has functions of its own; inline them first (onnx.inliner.inline_local_functions)"
        )
    versions = {o.domain: o.version for o in proto.opset_import}
    opset = max(versions.get("", 0), versions.get("ai.onnx", 0)) or 1
    reader = GraphReader(opset, Files(folder))
    graph, initializers = reader.graph(proto.graph, set())
    if reader.unsupported:
        raise NotImplementedError(
            f"onnx.load: the model uses operators that are not known in opset {opset}: {', '.join(sorted(reader.unsupported))}; "
            "minigrad.onnx.loading.table.reads registers functions for them"
        )
    for info in (*proto.graph.input, *proto.graph.output):
        element = element_of(info.type)
        if element and element not in DTYPES:
            raise NotImplementedError(
                f"onnx.load: {info.name!r} has the element type that the format numbers {element}, for which there are no tensors"
            )
    inputs = [input_of(i) for i in proto.graph.input if i.name in set(graph.inputs)]
    return Read(graph, inputs, initializers, {text(entry.key): text(entry.value) for entry in proto.metadata_props})


def element_of(kind: Any) -> int:
    """The number of the element type of a tensor, a sequence or an optional value; 0 if it is not told."""
    for _ in range(4):
        if kind.HasField("sequence_type"):
            kind = kind.sequence_type.elem_type
        elif kind.HasField("optional_type"):
            kind = kind.optional_type.elem_type
        else:
            break
    return int(kind.tensor_type.elem_type)


def input_of(info: Any) -> Input:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type"):
        return Input(info.name, None, None)
    shape = None
    if kind.HasField("shape"):
        shape = tuple([d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in kind.shape.dim])
    return Input(info.name, kind.elem_type or None, shape)
