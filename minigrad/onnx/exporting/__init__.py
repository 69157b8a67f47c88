"""Models written as ONNX files: what the operations of one run are, written node by node."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from minigrad.core.tensor import Tensor
from minigrad.inference.trace import Ref, replaced
from minigrad.io.file import replacing
from minigrad.nn import Module
from minigrad.onnx.exporting import elementwise, indexing, norms, reductions, sampling, shapes, windows  # the tables
from minigrad.onnx.exporting.builder import Builder, Node, value
from minigrad.onnx.exporting.dynamic import FACTORS, Axis, merge
from minigrad.onnx.exporting.recording import Recording, recorded, resized
from minigrad.onnx.loading.module import BUFFERS
from minigrad.onnx.package import package

__all__ = ["export"]

OLDEST, DEFAULT, NEWEST = 13, 18, 22  # versions of the operators
DynamicAxes = Mapping[str, Mapping[int, str] | Iterable[int]]


def export(
    model: Module,
    args: Any,
    path: str | os.PathLike[str] | BinaryIO,
    *,
    dynamic_axes: DynamicAxes | None = None,
    opset: int = DEFAULT,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> None:
    """Writes a model as an ONNX file, which other programs can run: onnxruntime, TensorRT, OpenVINO, a browser.

    The model runs once, in evaluation, on `args` (a tensor, or a tuple of tensors for several arguments), and each operation that it
    uses becomes nodes; parameters and buffers keep their names. The lengths of all axes are those of the example, but for
    `dynamic_axes`: for the name of an input its axes of any length, as {"input": {0: "batch"}} or {"input": [0]}; axes that are named alike are as
    long as each other, and those of outputs follow. For these the model runs twice more, with longer ones.

    path: of a file, which is replaced only when all is written, or a binary file. opset: the version of the operators, 13 to 22.
    input_names, output_names: by default "input", "input_1", ..., "output", "output_1", ...

    Raises ImportError without the package onnx; TypeError for what is no module or no tensor; ValueError for names, axes or versions that do not exist;
    NotImplementedError, naming the operation, for one that is not written in ONNX; RuntimeError for a model that operations do not tell
    wholly: it draws random numbers, computes with NumPy, or branches on values.

    Example:
        minigrad.onnx.export(model, minigrad.ones(1, 3, 224, 224), "model.onnx", dynamic_axes={"input": {0: "batch"}})
    """
    onnx = package("onnx.export")
    inputs = args if isinstance(args, tuple) else (args,)
    check(model, inputs, opset)
    names = input_names_for(inputs, input_names)
    first = recorded(model, inputs)
    outs = names_of_outputs(first.out, output_names)
    axes = dynamic(inputs, names, outs, dynamic_axes or {})
    clash = (set(names) | set(outs)) & set(first.state) or {n for n in outs if n in names}
    if clash or len(set(outs)) < len(outs):
        raise ValueError(
            f"onnx.export: names must differ from each other and from those of parameters, got {sorted(clash) or outs}"
        )
    runs = [written(first, names, outs, opset)]
    shapes_of = [result_shapes(first)]
    if axes:
        order = list(dict.fromkeys(axis.name for axis in axes))
        for run in (0, 1):
            factors = {(names.index(a.input), a.axis): FACTORS[order.index(a.name)][run] for a in axes}
            longer = recorded(model, resized(inputs, factors))
            runs.append(written(longer, names, outs, opset))
            shapes_of.append(result_shapes(longer))
        merge(runs, axes)
    proto = assembled(
        onnx, runs[0], first, (names, outs), symbols(inputs, (names, outs), axes, dynamic_axes or {}, shapes_of), opset
    )
    onnx.checker.check_model(proto)
    if isinstance(path, (str, os.PathLike)):
        with replacing(os.fspath(path)) as file:
            file.write(proto.SerializeToString())
    else:
        path.write(proto.SerializeToString())


# --- what is given ----------------------------------------------------------------------------------------------------


def check(model: Any, inputs: tuple[Any, ...], opset: Any) -> None:
    if not isinstance(model, Module):
        raise TypeError(f"onnx.export: expected a module, got {type(model).__name__}")
    for x in inputs:
        if not isinstance(x, Tensor):
            raise TypeError(f"onnx.export: expected tensors as inputs, got {type(x).__name__}; a tuple holds several")
    if type(opset) is not int or not OLDEST <= opset <= NEWEST:
        raise ValueError(f"onnx.export: expected an opset from {OLDEST} to {NEWEST}, got {opset!r}")


def numbered(base: str, count: int) -> list[str]:
    return [base if i == 0 else f"{base}_{i}" for i in range(count)]


def input_names_for(inputs: tuple[Any, ...], given: Sequence[str] | None) -> list[str]:
    names = numbered("input", len(inputs)) if given is None else list(given)
    if len(names) != len(inputs) or len(set(names)) < len(names) or not all(isinstance(n, str) and n for n in names):
        raise ValueError(f"onnx.export: expected {len(inputs)} different input_names, one for each input, got {names}")
    return names


def names_of_outputs(out: Any, given: Sequence[str] | None) -> list[str]:
    found: list[Tensor] = []
    replaced(out, Tensor, found.append)
    if not found:
        raise TypeError(f"onnx.export: the model returned no tensor but {type(out).__name__}")
    names = numbered("output", len(found)) if given is None else list(given)
    if given is None and isinstance(out, dict) and all(isinstance(x, Tensor) for x in out.values()):
        names = [str(name) for name in out]
    if len(names) != len(found):
        raise ValueError(
            f"onnx.export: expected {len(found)} output_names, one for each tensor that the model returns, got {names}"
        )
    return names


def dynamic(inputs: tuple[Any, ...], names: list[str], outs: list[str], given: DynamicAxes) -> list[Axis]:
    """The dynamic axes of the inputs, with their lengths in the three runs."""
    found: list[tuple[str, int, str, int]] = []
    for name, axes in given.items():
        if name in outs and name not in names:  # whose lengths follow
            continue
        if name not in names:
            raise ValueError(
                f"onnx.export: dynamic_axes names {name!r}, but the inputs are {names} and the outputs {outs}"
            )
        x = inputs[names.index(name)]
        for axis in axes:
            if not -x.ndim <= axis < x.ndim:
                raise ValueError(f"onnx.export: dynamic_axes of {name!r}: {axis} is no axis of shape {tuple(x.shape)}")
            length = axes[axis] if isinstance(axes, Mapping) else f"{name}_{axis % x.ndim}"
            found.append((name, axis % x.ndim, length, x.shape[axis]))
    order = list(dict.fromkeys(length for _, _, length, _ in found))
    if len(order) > len(FACTORS):
        raise ValueError(f"onnx.export: at most {len(FACTORS)} different dynamic axes are possible, got {len(order)}")
    for length in order:
        sizes = {n for _, _, other, n in found if other == length}
        if len(sizes) > 1:
            raise ValueError(
                f"onnx.export: the axes named {length!r} have different lengths in the example: {sorted(sizes)}"
            )
    if any(n == 0 for *_, n in found):
        raise ValueError("onnx.export: a dynamic axis has length 0 in the example; give one of length 2 or more")
    return [
        Axis(name, axis, length, (n, *[n * f for f in FACTORS[order.index(length)]])) for name, axis, length, n in found
    ]


# --- the graph --------------------------------------------------------------------------------------------------------


def result_shapes(run: Recording) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    replaced(run.out, Tensor, lambda x: found.append(tuple(x.shape)))
    return found


def written(run: Recording, names: list[str], outs: list[str], opset: int) -> Builder:
    """The graph of one run, without what nothing needs."""
    program = run.program
    b = Builder(opset, {*names, *outs, *run.state})
    for number, name in enumerate([*names, *run.state]):
        b.values[number] = value(name, *program.kinds[number])
    for call in program.calls:
        b.write(call, [program.kinds[n] for n in call.outputs])
    results: list[Any] = []
    replaced(program.result, (Ref, np.ndarray), results.append)  # type: ignore[arg-type]
    renamed: dict[str, str] = {}
    made = {out for node in b.nodes for out in node.outputs}
    tail = []
    outputs: list[str] = [b.value_of(r) for r in results]
    for name, result in zip(outs, outputs, strict=True):
        if result in made and result not in renamed:
            renamed[result] = name
        else:
            tail.append(Node("Identity", (renamed.get(result, result),), (name,), {}, "an output"))
    b.nodes = [
        node._replace(
            inputs=tuple([renamed.get(x, x) for x in node.inputs]),
            outputs=tuple([renamed.get(x, x) for x in node.outputs]),
        )
        for node in b.nodes
    ] + tail
    needed, kept = set(outs), []
    for node in reversed(b.nodes):
        if needed.isdisjoint(node.outputs):
            continue
        used = [i for i, out in enumerate(node.outputs) if out in needed]
        needed.update(node.inputs)
        if node.kind == "MaxPool":
            node = node._replace(outputs=node.outputs[: used[-1] + 1])
        kept.append(node)
    b.nodes = kept[::-1]
    return b


def symbols(
    inputs: tuple[Any, ...], names: Any, axes: list[Axis], given: DynamicAxes, shapes_of: list[list[tuple[int, ...]]]
) -> Any:
    """The shapes of inputs and of outputs, with names for lengths that may change."""
    known = {(a.input, a.axis): a.name for a in axes}
    expected = [
        [known.get((name, i), n) for i, n in enumerate(x.shape)] for name, x in zip(names[0], inputs, strict=True)
    ]
    by_lengths = {a.lengths: a.name for a in axes}
    results = []
    for name, runs in zip(names[1], zip(*shapes_of, strict=True), strict=True):
        called = given.get(name, {})
        own = {axis % max(len(runs[0]), 1): called[axis] for axis in called} if isinstance(called, Mapping) else {}
        results.append(
            [
                lengths[0] if len(set(lengths)) == 1 else own.get(i, by_lengths.get(lengths, f"{name}_{i}"))
                for i, lengths in enumerate(zip(*runs, strict=True))
            ]
        )
    return expected, results


def assembled(onnx: Any, b: Builder, run: Recording, names: Any, shapes_of: Any, opset: int) -> Any:
    """The protocol buffer."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    used = {x for node in b.nodes for x in node.inputs}
    tensors: list[Any] = []
    replaced(run.out, Tensor, tensors.append)

    def info(name: str, dtype: Any, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    constants = [
        helper.make_node(
            "Constant", [], [name], value=numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape))
        )
        for name, array in b.constants.items()
        if name in used
    ]
    nodes = [
        helper.make_node(node.kind, node.inputs, node.outputs, name=f"{node.kind}_{i}", **node.attributes)
        for i, node in enumerate(b.nodes)
    ]
    kinds = run.program.kinds
    graph = helper.make_graph(
        constants + nodes,
        "minigrad",
        [info(name, kinds[i][1], shape) for i, (name, shape) in enumerate(zip(names[0], shapes_of[0], strict=True))],
        [info(name, x.dtype, shape) for name, x, shape in zip(names[1], tensors, shapes_of[1], strict=True)],
        [
            numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), name)
            for name, a in run.state.items()
            if name in used
        ],
    )
    imports = [helper.make_opsetid("", opset)]
    proto = helper.make_model(
        graph, producer_name="minigrad", opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports)
    )
    helper.set_model_props(proto, {BUFFERS: json.dumps([name for name in run.buffers if name in used])})
    if proto.ByteSize() >= 2**31:
        raise ValueError(
            f"onnx.export: the model has {proto.ByteSize()} bytes, and a protocol buffer holds less than 2 GiB"
        )
    return proto
