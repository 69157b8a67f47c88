"""Loaded files compute what the models compute that were written, or what onnxruntime computes, and can be trained."""

from __future__ import annotations

import copy
import io
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.tensor import make_tensor
from tests.onnx.agreement import assert_agree, exported, onnx, results, run, used
from tests.onnx.test_export import ALL, FUNCTIONS, LAYERS, NETWORKS, Computed, network

helper = onnx.helper


def loaded(data: bytes, **named: Any) -> Any:
    return minigrad.onnx.load(io.BytesIO(data), **named)


def model_of(
    nodes: Any,
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    initializers: dict[str, Any] | None = None,
    opset: int = 18,
) -> bytes:
    """A file made of nodes; inputs and outputs are shapes, or arrays of that shape and dtype."""

    def info(name: str, like: Any) -> Any:
        dtype = like.dtype if hasattr(like, "dtype") else np.dtype("float32")
        shape = like.shape if hasattr(like, "dtype") else like
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)

    graph = helper.make_graph(
        nodes, "test", [info(*x) for x in inputs.items()], [info(*x) for x in outputs.items()],
        [onnx.numpy_helper.from_array(a, name) for name, a in (initializers or {}).items()],
    )  # fmt: skip
    imports = [helper.make_opsetid("", opset)]
    return helper.make_model(
        graph, opset_imports=imports, ir_version=helper.find_min_ir_version_for(imports)
    ).SerializeToString()


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    function, *inputs = FUNCTIONS[name]
    model = Computed(function).eval()
    assert_agree(results(loaded(exported(model, tuple(inputs))), *inputs), results(model, *inputs))


def both(name: str) -> tuple[Any, Any, Any]:
    """A layer, the same loaded, and an input."""
    minigrad.manual_seed(0)
    make, shape = LAYERS[name]
    model, x = make().eval(), minigrad.randn(shape)
    return model, loaded(exported(model, (x,))), x


def first(out: Any) -> Any:
    return out[0] if isinstance(out, tuple) else out


@pytest.mark.parametrize("name", LAYERS)
def test_layer_and_its_gradients(name: str) -> None:
    model, again, x = both(name)
    assert not again.training and set(dict(again.named_parameters())) == set(dict(model.named_parameters()))
    assert_agree(results(again, x), results(model, x))
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    for m, given in zip((model, again), inputs, strict=True):
        (first(m(given)) * minigrad.arange(first(m(x)).numel()).reshape(first(m(x)).shape)).sum().backward()
    gradients = [
        [given.grad, *[p.grad for _, p in sorted(m.named_parameters())]]
        for m, given in zip((model, again), inputs, strict=True)
    ]
    assert_agree([g.numpy() for g in gradients[1]], [g.numpy() for g in gradients[0]])


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str) -> None:
    channels, size = ALL[name]
    model, x = network(name), minigrad.randn(2, channels, size, size)
    again = loaded(exported(model, (x,), dynamic_axes={"input": {0: "batch"}}))
    assert_agree(results(again, x), results(model, x), least=1.0)
    missing, unexpected = model.load_state_dict(again.state_dict(), strict=False)
    assert not unexpected and all("num_batches_tracked" in n or "aux" in n.lower() for n in missing)


def test_training_goes_on_as_it_would_have() -> None:
    """With the statistics of the batch, which move the running ones, and with the same losses."""
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    used(model)
    x, target = minigrad.randn(6, 1, 5, 5), minigrad.tensor([0, 1, 2, 0, 1, 2])
    again = loaded(exported(model, (x,), dynamic_axes={"input": [0]}))
    losses = []
    for m in (model, again):
        m.train()
        optimizer = minigrad.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            loss = nn.functional.cross_entropy(m(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and losses[0] < 0.7
    for name, tensor in again.state_dict().items():
        np.testing.assert_allclose(tensor.numpy(), model.state_dict()[name].numpy(), rtol=1e-4, atol=1e-6)
    assert {"1.running_mean", "1.running_var"} == set(dict(again.named_buffers()))


# --- files of others --------------------------------------------------------------------------------------------------

OCR = {
    "ch_PP-OCRv4_det_infer": (1, 3, 64, 96),
    "ch_PP-OCRv4_rec_infer": (2, 3, 48, 100),
    "ch_ppocr_mobile_v2.0_cls_infer": (2, 3, 48, 192),
}


@pytest.mark.parametrize("name", OCR)
def test_networks_that_read_text(name: str) -> None:
    """Of the package rapidocr-onnxruntime; only its files are used."""
    package = find_spec("rapidocr_onnxruntime")
    if package is None:
        pytest.skip("rapidocr-onnxruntime is not installed")
    path = Path(str(package.origin)).parent / "models" / f"{name}.onnx"
    model = minigrad.onnx.load(path)
    x = np.random.default_rng(0).uniform(-1, 1, OCR[name]).astype("float32")
    expected = run(path.read_bytes(), x)
    assert_agree(results(model, make_tensor(x)), expected, least=1.0)
    model.train()
    first(model(make_tensor(x))).sum().backward()
    parameters = list(model.parameters())
    assert len(parameters) > 100 and all(p.grad is not None for p in parameters)
    model(make_tensor(np.concatenate([x, x])))


def test_initializers_are_parameters_where_weights_stand() -> None:
    weights = {
        "w": np.ones((3, 2), "float32"),
        "two": np.float32(2),
        "table": np.eye(3, dtype="float32"),
        "i": np.array([0, 2]),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Mul", ["a", "two"], ["b"]),
        helper.make_node("Gather", ["table", "i"], ["c"]),
        helper.make_node("Exp", ["b"], ["y"]),
    ]
    model = loaded(model_of(nodes, {"x": (2, 3)}, {"y": (2, 2), "c": (2, 3)}, weights))
    assert set(dict(model.named_parameters())) == {"w", "table"} and set(dict(model.named_buffers())) == {"two", "i"}
    assert model.input_names == ["x"] and model.output_names == ["y", "c"]
    y, c = model(x=minigrad.ones(2, 3))
    assert c.tolist() == [[1, 0, 0], [0, 0, 1]] and y.shape == (2, 2)
    assert "inputs=['x'], outputs=['y', 'c'], nodes=4" in repr(model)


@pytest.mark.parametrize("name", ["a/b:0", "a..b", ".", "training", "forward", "graph.x", "a.b", "weights."])
def test_any_name_finds_a_place(name: str) -> None:
    weights = {name: np.full((2,), 2, "float32"), "a": np.ones((2,), "float32"), "a_": np.ones((2,), "float32")}
    nodes = [
        helper.make_node("Add", ["x", name], ["y"]),
        helper.make_node("Add", ["y", "a"], ["z"]),
        helper.make_node("Add", ["z", "a_"], ["w"]),
    ]
    model = loaded(model_of(nodes, {"x": (2,)}, {"w": (2,)}, weights))
    assert model(minigrad.zeros(2)).tolist() == [4, 4] and len(model.state_dict()) == 3 == len(list(model.parameters()))


def test_copies_files_and_dtypes() -> None:
    model, again, x = both("transformer")
    for other in (copy.deepcopy(again), pickle.loads(pickle.dumps(again))):
        assert_agree(results(other, x), results(model, x))
    state = {name: t * 2 for name, t in again.state_dict().items()}
    again.load_state_dict(state)
    model.load_state_dict(state)
    assert_agree(results(again, x), results(model, x))


def test_a_path_and_an_image_of_its_own_export(tmp_path: Path) -> None:
    model, _, x = both("conv2d")
    minigrad.onnx.export(model, x, tmp_path / "a.onnx")
    again = minigrad.onnx.load(str(tmp_path / "a.onnx"))
    minigrad.onnx.export(again, x, tmp_path / "b.onnx")
    assert_agree(results(minigrad.onnx.load(tmp_path / "b.onnx"), x), results(model, x))
    assert_agree(run((tmp_path / "b.onnx").read_bytes(), x.numpy()), results(model, x))


OLD = {
    "Softmax of old": (helper.make_node("Softmax", ["x"], ["y"], axis=1), 12, lambda x: x.reshape(2, 12).softmax(1).reshape(2, 3, 4)),
    "Clip of old": (helper.make_node("Clip", ["x"], ["y"], min=-0.5, max=1.0), 10, lambda x: x.clamp(-0.5, 1)),
    "Squeeze of old": (helper.make_node("Unsqueeze", ["x"], ["y"], axes=[0, -1]), 12, lambda x: x[None, ..., None]),
    "Pad of old": (helper.make_node("Pad", ["x"], ["y"], pads=[0, 0, 1, 0, 0, 2], value=3.0), 10, lambda x: nn.functional.pad(x, (1, 2), value=3.0)),
    "ReduceSum of old": (helper.make_node("ReduceSum", ["x"], ["y"], axes=[1], keepdims=0), 12, lambda x: x.sum(1)),
    "Slice of old": (helper.make_node("Slice", ["x"], ["y"], starts=[1, 0], ends=[9, -1], axes=[1, 2]), 9, lambda x: x[:, 1:, :-1]),
    "Split of old": (helper.make_node("Split", ["x"], ["y", "z"], split=[1, 2], axis=1), 12, lambda x: x.split([1, 2], 1)),
    "Upsample of old": (helper.make_node("Upsample", ["x"], ["y"], scales=[1.0, 2.0, 3.0]), 8, lambda x: x.repeat_interleave(2, 1).repeat_interleave(3, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_older_versions_of_operators(name: str) -> None:
    node, opset, function = OLD[name]
    x = minigrad.linspace(-2, 2, 24).reshape(2, 3, 4)
    expected = [t.numpy() for t in (function(x) if isinstance(function(x), tuple) else (function(x),))]
    data = model_of([node], {"x": x.numpy()}, dict(zip(node.output, expected, strict=True)), opset=opset)
    assert_agree(results(loaded(data), x), expected)


@pytest.mark.parametrize(
    ("start", "end", "step"),
    [(-1, -(2**63) + 1, -1), (5, 0, -2), (9, 9, -1), (1, 2**62, 3), (-9, -1, 1), (3, 3, 1), (2, -9, -1), (0, 5, -1)],
)
def test_slices_end_where_numpy_ends(start: int, end: int, step: int) -> None:
    x = np.arange(6, dtype="float32")
    bounds = {"s": np.array([start]), "e": np.array([end]), "a": np.array([0]), "t": np.array([step])}
    node = helper.make_node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    model = loaded(model_of([node], {"x": x}, {"y": ("n",)}, bounds))
    np.testing.assert_array_equal(model(make_tensor(x)).numpy(), x[slice(start, end, step)])


def test_wrong_inputs_are_refused() -> None:
    model = loaded(model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": ("n", 3)}, {"y": ("n", 3)}))
    for inputs, kind, message in (
        ((), TypeError, "the input 'x' is missing"),
        ((minigrad.ones(1, 3),) * 2, TypeError, r"inputs \['x'\], got 2 values"),
        ((np.ones((1, 3)),), TypeError, "must be a tensor, got ndarray"),
        ((minigrad.ones(1, 3).double(),), TypeError, "must have the dtype float32, got float64"),
        ((minigrad.ones(1, 4),), ValueError, r"must have the shape \(any, 3\), got \(1, 4\)"),
        ((minigrad.ones(3),), ValueError, r"got \(3,\)"),
    ):
        with pytest.raises(kind, match=message):
            model(*inputs)
    with pytest.raises(TypeError, match="no input; the inputs are"):
        model(z=minigrad.ones(1, 3))
    with pytest.raises(TypeError, match="given twice"):
        model(minigrad.ones(1, 3), x=minigrad.ones(1, 3))
