"""Files that are damaged or mean harm are refused with an error that says why, and in little memory."""

from __future__ import annotations

import io
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from tests.onnx.agreement import exported, onnx
from tests.onnx.test_load import loaded, model_of

helper = onnx.helper
node = helper.make_node
FILE = exported(
    nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(18, 2)), (minigrad.ones(1, 1, 5, 5),)
)

# What may come of a file: an error of these, with a message of ours, or a module.
REFUSALS = (ValueError, NotImplementedError, MemoryError, TypeError, IndexError, RuntimeError)


def tried(data: bytes, *inputs: Any) -> None:
    """Loads and runs a file, which may only fail in ways that are documented."""
    try:
        model = loaded(data, max_bytes=2**24)
        with minigrad.no_grad():
            model(*inputs)
    except REFUSALS as error:
        assert str(error).startswith("onnx.load: "), error


@given(length=st.integers(0, len(FILE) - 1))
def test_truncated(length: int) -> None:
    with pytest.raises(ValueError, match=r"^onnx.load: "):
        loaded(FILE[:length])


@given(data=st.data())
def test_changed_bytes(data: Any) -> None:
    changed = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 8))):
        changed[data.draw(st.integers(0, len(FILE) - 1))] = data.draw(st.integers(0, 255))
    tried(bytes(changed), minigrad.ones(1, 1, 5, 5))


@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    tried(data)


@pytest.mark.parametrize("word", [b"Gemm", b"epsilon", b"output", b"0.weight", b"minigrad.buffers"])
def test_names_that_are_no_text(word: bytes) -> None:
    assert word in FILE
    with pytest.raises(ValueError, match=r"onnx.load: b'.*' is no text|is given by no node|reads '"):
        loaded(FILE.replace(word, b"\xff" * len(word), 1))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        minigrad.onnx.load(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("a text")
    with pytest.raises(ValueError, match="no ONNX file, or a damaged one"):
        minigrad.onnx.load(tmp_path / "text.onnx")


# --- sizes ------------------------------------------------------------------------------------------------------------

big = np.array([2**20, 2**20])
BOMBS: dict[str, Any] = {
    "ConstantOfShape": ([node("ConstantOfShape", ["s"], ["y"])], {"s": big}),
    "more elements than numbers": ([node("ConstantOfShape", ["s"], ["y"])], {"s": np.array([2**62, 2**62])}),
    "Expand": ([node("Expand", ["x", "s"], ["a"]), node("Exp", ["a"], ["y"])], {"s": np.array([2**20, 2**20, 1])}),
    "Tile": ([node("Tile", ["x", "s"], ["y"])], {"s": np.array([2**40])}),
    "Range": ([node("Range", ["a", "b", "c"], ["y"])], {"a": np.int64(0), "b": np.int64(2**60), "c": np.int64(1)}),
    "Pad": ([node("Pad", ["x", "s"], ["y"])], {"s": np.array([2**40, 0])}),
    "Pad by its edge": ([node("Pad", ["x", "s"], ["y"], mode="edge")], {"s": np.array([2**40, 0])}),
    "Resize": ([node("Resize", ["x", "", "s"], ["y"])], {"s": np.array([1e12], "float32")}),
    "OneHot": ([node("OneHot", ["i", "d", "v"], ["y"])], {"i": np.arange(4), "d": np.int64(2**50), "v": np.array([0.0, 1.0], "float32")}),
    "products": ([node("Unsqueeze", ["x", "one"], ["a"]), node("Tile", ["a", "s"], ["b"]), node("Transpose", ["b"], ["c"]), node("MatMul", ["b", "c"], ["y"])], {"one": np.array([1]), "s": np.array([2**16, 1])}),
    "sums that broadcast": ([node("Tile", ["x", "s"], ["a"]), node("Unsqueeze", ["a", "one"], ["b"]), node("Add", ["a", "b"], ["y"])], {"one": np.array([1]), "s": np.array([2**16])}),
    "doubled again and again": ([node("Concat", [f"v{i}" if i else "x"] * 2, [f"v{i + 1}"], axis=0) for i in range(60)] + [node("Identity", ["v60"], ["y"])], {}),
    "many of moderate size": ([node("ConstantOfShape", ["s"], [f"v{i}"]) for i in range(300)] + [node("Concat", [f"v{i}" for i in range(300)], ["y"], axis=0)], {"s": np.array([2**21])}),
    "many, seen through views": ([n for i in range(300) for n in (node("ConstantOfShape", ["s"], [f"a{i}"]), node("Reshape", [f"a{i}", "flat"], [f"b{i}"]), node("Identity", [f"b{i}"], [f"v{i}"]))] + [node("Concat", [f"v{i}" for i in range(300)], ["y"], axis=0)], {"s": np.array([2**20, 2]), "flat": np.array([-1])}),
    "Conv with padding": ([node("Reshape", ["x", "s"], ["a"]), node("Conv", ["a", "w"], ["y"], pads=[2**40, 0])], {"s": np.array([1, 1, 4]), "w": np.ones((1, 1, 1), "float32")}),
    "ConvTranspose": ([node("Reshape", ["x", "s"], ["a"]), node("ConvTranspose", ["a", "w"], ["y"], strides=[2**40])], {"s": np.array([1, 1, 4]), "w": np.ones((1, 1, 1), "float32")}),
    "Gather": ([node("Tile", ["i", "s"], ["j"]), node("Tile", ["x", "s"], ["a"]), node("Reshape", ["a", "rows"], ["b"]), node("Gather", ["b", "j"], ["y"])], {"i": np.array([0]), "s": np.array([2**17]), "rows": np.array([4, -1])}),
    "Einsum": ([node("Tile", ["x", "s"], ["a"]), node("Einsum", ["a", "a", "a"], ["y"], equation="i,j,k->ijk")], {"s": np.array([2**10])}),
    "EyeLike": ([node("ConstantOfShape", ["s"], ["a"]), node("EyeLike", ["a"], ["b"]), node("MatMul", ["b", "b"], ["c"]), node("Tile", ["c", "s"], ["y"])], {"s": np.array([2**11, 2**11])}),
    "a batch of windows": ([node("Reshape", ["x", "s"], ["a"]), node("MaxPool", ["a"], ["y"], kernel_shape=[1], pads=[2**40, 2**40])], {"s": np.array([1, 1, 4])}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_do_not_go_off(name: str) -> None:
    nodes, tensors = BOMBS[name]
    model = loaded(model_of(nodes, {"x": (4,)}, {"y": ("n",)}, tensors), max_bytes=2**28)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(
        (MemoryError, ValueError), match=r"^onnx.load: .*(max_bytes|larger than|not negative|cannot be)"
    ):
        model(minigrad.ones(4))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 3 * 2**18  # kilobytes: three times max_bytes


def test_what_is_allowed_can_be_raised() -> None:
    data = model_of([node("ConstantOfShape", ["s"], ["y"])], {}, {"y": ("n",)}, {"s": np.array([2**12])})
    with pytest.raises(
        MemoryError,
        match=r"shape \(4096,\) and dtype float32, which is 16384 bytes, more than is left of max_bytes=16383; pass a larger",
    ):
        loaded(data, max_bytes=16383)()
    assert loaded(data, max_bytes=16384)().shape == (4096,)


def tensor_that_lies(**fields: Any) -> bytes:
    proto = onnx.load_from_string(FILE)
    tensor = proto.graph.initializer[0]
    for name, value in fields.items():
        if name in ("dims", "external_data"):
            tensor.ClearField(name)
            getattr(tensor, name).extend(value)
        elif value is None:
            tensor.ClearField(name)
        else:
            setattr(tensor, name, value)
    return bytes(proto.SerializeToString())


LIES: dict[str, Any] = {
    "more elements than there are": ({"dims": [2**40]}, "needs .* bytes, the file has 72"),
    "fewer": ({"dims": [1]}, "needs 4 bytes, the file has 72"),
    "a negative length": ({"dims": [-2, -9]}, "has the shape"),
    "no data": ({"raw_data": None}, "needs 18 elements, the file has 0"),
    "too many axes": ({"dims": [1] * 70}, "has the shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_tensors_that_lie(name: str) -> None:
    fields, message = LIES[name]
    with pytest.raises(ValueError, match=f"onnx.load: tensor .*{message}"):
        loaded(tensor_that_lies(**fields))


@pytest.mark.parametrize("kind", [8, 14, 15, 16, 17, 22])
def test_element_types_without_tensors(kind: int) -> None:
    with pytest.raises(
        NotImplementedError, match=f"onnx.load: tensor .* has the element type that the format numbers {kind}"
    ):
        loaded(tensor_that_lies(data_type=kind))


# --- other files ------------------------------------------------------------------------------------------------------


def external(folder: Path, location: str, **entries: Any) -> Path:
    """A file with a tensor whose data is in another file."""
    pairs = {"location": location, **{k: str(v) for k, v in entries.items()}}
    fields = [onnx.StringStringEntryProto(key=k, value=v) for k, v in pairs.items()]
    path = folder / "model.onnx"
    path.write_bytes(tensor_that_lies(raw_data=None, data_location=1, external_data=fields))
    return path


def test_data_in_the_same_folder(tmp_path: Path) -> None:
    values = np.arange(20, dtype="float32")
    values.tofile(tmp_path / "weights.bin")
    model = minigrad.onnx.load(external(tmp_path, "weights.bin", offset=8, length=72))
    np.testing.assert_array_equal(next(iter(model.parameters())).detach().numpy().reshape(-1), values[2:])
    with pytest.raises(ValueError, match="load the model by its path"):
        minigrad.onnx.load(io.BytesIO((tmp_path / "model.onnx").read_bytes()))


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "", "link", "linked/secret", ".", "\0", "sub", "none"],
)
def test_data_elsewhere(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    np.arange(20, dtype="float32").tofile(tmp_path / "secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path)
    with pytest.raises(
        ValueError, match=r"onnx.load: tensor .* (not inside of the model's folder|no file in the model's folder)"
    ):
        minigrad.onnx.load(external(folder, location))


@pytest.mark.parametrize(
    "entries", [{"offset": -8}, {"offset": 2**60}, {"length": 2**60}, {"length": 4}, {"offset": "x"}, {"offset": 40}]
)
def test_parts_that_are_not_there(tmp_path: Path, entries: dict[str, Any]) -> None:
    np.arange(20, dtype="float32").tofile(tmp_path / "weights.bin")
    with pytest.raises(ValueError, match=r"onnx.load: tensor .* (are named in|is no number)"):
        minigrad.onnx.load(external(tmp_path, "weights.bin", **entries))


# --- graphs -----------------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    """An If in an If in an If ..."""
    out = helper.make_tensor_value_info("y", 1, [])
    graph = helper.make_graph([node("Constant", [], ["y"], value_float=1.0)], "inner", [], [out])
    for i in range(depth):
        inner = node("If", ["c"], [f"y{i}"], then_branch=graph, else_branch=graph) if i == 0 else None
        other = helper.make_graph([node("Constant", [], ["y"], value_float=2.0)], "other", [], [out])
        inner = inner or node("If", ["c"], [f"y{i}"], then_branch=graph, else_branch=other)
        graph = helper.make_graph([inner], f"level{i}", [], [helper.make_tensor_value_info(f"y{i}", 1, [])])
    return graph


def test_graphs_in_graphs() -> None:
    def data(depth: int) -> bytes:
        graph = nested(depth)
        graph.input.append(helper.make_tensor_value_info("c", 9, []))
        return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString())

    assert loaded(data(3))(minigrad.tensor(True)).item() == 1
    for depth in (14, 20):
        with pytest.raises(ValueError, match="more than 12 deep"):
            loaded(data(depth))


def test_graphs_too_deep_for_the_parser() -> None:
    """Nested messages made by hand: each a graph in an attribute of a node of a graph."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size >= 128:
            length += bytes([size % 128 + 128])
            size //= 128
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(2000):
        graph = field(1, field(5, field(6, graph)))
    with pytest.raises(ValueError, match=r"onnx.load: "):
        loaded(field(7, graph))


def loop(count: int) -> bytes:
    """A loop that does nothing so often."""
    body = helper.make_graph(
        [node("Identity", ["going"], ["on"]), node("Identity", ["x"], ["y"])], "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("going", 9, []), helper.make_tensor_value_info("x", 1, [1])],
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("y", 1, [1])],
    )  # fmt: skip
    return model_of(
        [node("Loop", ["n", "", "x0"], ["out"], body=body)], {"x0": (1,)}, {"out": (1,)}, {"n": np.int64(count)}
    )


def gathering(count: int, size: int, kind: str) -> bytes:
    """A loop that gathers a tensor of each step, or carries one of the same size on."""
    body = helper.make_graph(
        [node("Identity", ["going"], ["on"]), node("ConstantOfShape", ["size"], ["new"])], "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("going", 9, [])] + [helper.make_tensor_value_info("old", 1, ["n"])] * (kind == "carries"),
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("new", 1, ["n"])],
    )  # fmt: skip
    outer = ["n", "", "x"] if kind == "carries" else ["n", ""]
    return model_of(
        [node("Loop", outer, ["y"], body=body)],
        {"x": (4,)},
        {"y": ("n",)},
        {"n": np.int64(count), "size": np.array([size])},
    )


def test_what_loops_gather_is_counted_and_what_they_drop_is_not() -> None:
    x = minigrad.ones(4)
    assert loaded(gathering(5, 2**10, "gathers"), max_bytes=2**16)(x).shape == (5, 2**10)
    assert loaded(gathering(1000, 2**10, "carries"), max_bytes=2**14)(x).shape == (2**10,)
    with pytest.raises(MemoryError, match=r"onnx.load: .* more than (is left of )?max_bytes=268435456"):
        loaded(gathering(10**6, 2**20, "gathers"), max_bytes=2**28)(x)


def test_loops_that_do_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minigrad.onnx.loading.budget.MOST_STEPS", 1000)
    assert loaded(loop(400))(minigrad.ones(1)).tolist() == [1]
    with pytest.raises(RuntimeError, match=r"onnx.load: loops of the graph ran more than 1000 nodes"):
        loaded(loop(2**60))(minigrad.ones(1))


GRAPHS: dict[str, Any] = {
    "a value that nothing gives": ([node("Relu", ["z"], ["y"])], "reads 'z', which nothing before it gives"),
    "a cycle": ([node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])], "reads 'b', which nothing before"),
    "a value given twice": ([node("Relu", ["x"], ["y"]), node("Exp", ["x"], ["y"])], "gives 'y', which there is already"),
    "an input overwritten": ([node("Relu", ["x"], ["x"])], "gives 'x', which there is already"),
    "an output that nothing gives": ([node("Relu", ["x"], ["z"])], "the output 'y' is given by no node"),
    "too many inputs": ([node("Relu", ["x", "x"], ["y"])], r"expected 1 to 1 inputs, got \['x', 'x'\]"),
    "too few inputs": ([node("Add", ["x"], ["y"])], "expected 2 to 2 inputs"),
    "an input left out": ([node("Add", ["x", ""], ["y"])], "expected 2 to 2 inputs"),
    "a missing attribute": ([node("Concat", ["x", "x"], ["y"])], "the attribute 'axis' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_that_make_no_sense(name: str) -> None:
    nodes, message = GRAPHS[name]
    with pytest.raises(ValueError, match=f"onnx.load: .*{message}"):
        loaded(model_of(nodes, {"x": (2,)}, {"y": (2,)}))


UNKNOWN: dict[str, Any] = {
    "operators": ([node("Relu", ["x"], ["a"]), node("NonMaxSuppression", ["x", "x"], ["y"]), node("Foo", ["x"], ["z"], domain="com.bar")], "not known in opset 18: NonMaxSuppression, com.bar.Foo; minigrad.onnx"),
    "attributes": ([node("Relu", ["x"], ["y"], slope=1.0)], r"Relu \(which gives y\): the attribute 'slope' is not known"),
    "of a function": ([node("Elu", ["x"], ["y"])], "refers to one of a function"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_named(name: str) -> None:
    nodes, message = UNKNOWN[name]
    proto = onnx.load_from_string(model_of(nodes, {"x": (2,)}, {"y": (2,)}))
    if name == "of a function":
        proto.graph.node[0].attribute.append(onnx.AttributeProto(name="alpha", type=1, ref_attr_name="a"))
    with pytest.raises(NotImplementedError, match=f"onnx.load: .*{message}"):
        loaded(proto.SerializeToString())


RUNS: dict[str, Any] = {
    "shapes that do not fit": ([node("Add", ["x", "w"], ["y"])], {"w": np.ones(3, "float32")}, ValueError, "cannot be broadcast"),
    "an index out of range": ([node("Gather", ["x", "i"], ["y"])], {"i": np.array([5])}, IndexError, "out of range for an axis of length 4"),
    "a reshape that does not fit": ([node("Reshape", ["x", "s"], ["y"])], {"s": np.array([3])}, RuntimeError, r"Reshape \(which gives y\) with inputs of shapes \[\(4,\), \(1,\)\]"),
    "a division of integers by 0": ([node("Div", ["i", "i"], ["y"])], {"i": np.array([0])}, ValueError, "integers are divided by 0"),
    "a window larger than its input": ([node("Reshape", ["x", "s"], ["a"]), node("MaxPool", ["a"], ["y"], kernel_shape=[9])], {"s": np.array([1, 1, 4])}, ValueError, "larger than the padded input"),
    "an axis that there is not": ([node("Softmax", ["x"], ["y"], axis=4)], {}, IndexError, "Softmax"),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_errors_name_the_node(name: str) -> None:
    nodes, tensors, kind, message = RUNS[name]
    model = loaded(model_of(nodes, {"x": (4,)}, {"y": ("n",)}, tensors))
    with pytest.raises(kind, match=f"onnx.load: .*{message}"):
        model(minigrad.ones(4))


def test_no_memory_beyond_the_file_is_asked_for() -> None:
    """In a process that may have little: a file that asks for much fails with a Python error, not by a signal."""
    code = (
        "import io, resource, numpy as np, minigrad; from tests.onnx.test_hostile import tensor_that_lies, loaded, BOMBS, model_of\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
        "for data in [tensor_that_lies(dims=[2**40])] + [model_of(n, {'x': (4,)}, {'y': ('n',)}, t) for n, t in BOMBS.values()]:\n"
        "    try: loaded(data, max_bytes=2**28)(minigrad.ones(4)); print('ran')\n"
        "    except (ValueError, MemoryError) as error: assert str(error).startswith('onnx.load: '), error\n"
        "print('done')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )
    assert found.returncode == 0 and found.stdout == "done\n", found.stderr[-2000:]
