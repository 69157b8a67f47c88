"""Exported models compute in onnxruntime what they compute here: every operation in the tables, networks, axes of any length."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import models, nn
from minigrad.core.primitive import REGISTRY
from minigrad.core.tensor import make_tensor
from minigrad.onnx.exporting import NEWEST, OLDEST
from minigrad.onnx.exporting.builder import EMITTERS
from minigrad.testing.strategies import calls
from tests.onnx.agreement import assert_agree, assert_exports, exported, onnx, results, run, used

for module in walk_packages(minigrad.__path__, "minigrad."):
    if module.name.startswith(("minigrad.ops", "minigrad.nn")):
        import_module(module.name)

# Their laws are tested elsewhere, or they need a device; here they have tests of their own below.
BY_HAND = {"move", "strided_view", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor"}


class Applied(nn.Module):
    """An operation as a model."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def forward(self, *inputs: Any) -> Any:
        outs = self.call(*inputs)
        return outs[: len(outs) - self.call.op.aux] if self.call.op.name != "max_pool" else outs


def test_the_tables_name_operations_that_exist() -> None:
    assert set(EMITTERS) <= set(REGISTRY)
    assert len(EMITTERS) > 120


@pytest.mark.parametrize("name", sorted(set(EMITTERS) - BY_HAND))
def test_operation(name: str) -> None:
    @settings(max_examples=6)
    @given(data=st.data())
    def check(data: Any) -> None:
        call = data.draw(calls(REGISTRY[name], np.float32))
        assume(call.inputs and all(x.size for x in call.inputs))
        model, inputs = Applied(call), tuple([make_tensor(x) for x in call.inputs])
        expected = results(model, *inputs)
        for opset in (OLDEST, 19, NEWEST):
            try:
                data = exported(model, inputs, opset=opset)
            except NotImplementedError as error:
                assert opset == OLDEST and "exists from opset" in str(error)
            else:
                assert_agree(run(data, *call.inputs), expected, 2e-5, least=0.01)

    check()


class Computed(nn.Module):
    """A function as a model, with what it is given as state."""

    def __init__(self, function: Any, **state: Any) -> None:
        super().__init__()
        self.function = function
        for name, x in state.items():
            self.register_buffer(name, x)

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


x34 = minigrad.linspace(-2, 2, 12).reshape(3, 4)
x2345 = minigrad.linspace(-3, 3, 120).reshape(2, 3, 4, 5)
i34 = minigrad.arange(12).reshape(3, 4)
F = nn.functional

FUNCTIONS: dict[str, Any] = {
    "integers meet floats": (lambda x, i: x * i + 2 * i - 1.5, x34, i34),
    "integers divide": (lambda i: (i // 5 - 3) % 4 + i.div(7), i34 - 6),
    "integers floored": (lambda i: (i - 6) // 4, i34),
    "truth values": (lambda x: ((x > 0) & (x < 1)) | ~(x <= 1.5) ^ (x == 0), x34),
    "bits": (lambda i: (i & 6) ^ (~i | 1), i34),
    "comparisons with numbers": (lambda i: (i > 2.5, i == 3, i != 4), i34),
    "masks": (lambda x: x.masked_fill(x < 0, -1.0), x34),
    "a computed mask selects": (lambda x: x[x > 0], x34),
    "computed rows": (lambda x, i: x[i[0] % 3], x34, i34),
    "computed columns": (lambda x, i: x[:, i[:, 0] % 4], x34, i34),
    "gather": (lambda x, i: x.gather(1, i % 4), x34, i34),
    "scatter": (lambda x, i: x.scatter_add(0, i % 3, x) + x.scatter(1, i % 4, 2.0), x34, i34),
    "slices, numbers and new axes": (lambda x: x[:, None, 1, ..., 1:-1:2, ::2].flip(0), x2345),
    "negative numbers": (lambda x: (x[-1, :, -2], x[..., -1]), x2345),
    "written parts": (lambda x: written_part(x), x34),
    "in place": (lambda x: x.clone().mul_(2).add_(1).relu_(), x34),
    "sums, means, extrema": (lambda x: (x.sum(), x.mean(1, True), x.amax((0, 2)), x.var(0), x.norm(dim=-1), x.argmax(), x.argmin(1)), x2345),
    "sums of integers": (lambda i: (i.sum(0), i.cumsum(1), i.prod(1), (i > 3).sum(), i.amax(0)), i34),
    "any and all": (lambda x: ((x > 0).any(1), (x > -5).all(), x.count_nonzero(0)), x34),
    "joined and cut": (lambda x: (minigrad.cat(x.split([1, 3], 1)[::-1], 1), minigrad.stack(x.unbind(0), 1), x.chunk(2, -1)[1]), x34),
    "turned": (lambda x: x.permute(3, 1, 0, 2).transpose(0, -1).reshape(6, -1).t(), x2345),
    "one over": (lambda x: 1 / (2 - 1 / (x + 5) ** 2.5) ** -2, x34),
    "products": (lambda x: minigrad.einsum("bchw,dchv->bdwv", x, x) @ x[0, 0, :, :].sum(0), x2345),
    "as doubles": (lambda x: x.double().exp().float().long().to(minigrad.int32), x34),
    "bilinear": (lambda x: F.interpolate(x, size=(7, 3), mode="bilinear", align_corners=False), x2345),
    "bicubic": (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=True), x2345),
    "nearest": (lambda x: F.interpolate(x, scale_factor=3) + F.interpolate(x, size=(12, 15)), x2345),
    "nearest, not whole": (lambda x: F.interpolate(x, size=(7, 8)), x2345),
    "sampled at places": (lambda x, g: F.grid_sample(x, g, align_corners=False) + F.grid_sample(x, g, "bicubic", "reflection", True), x2345, minigrad.linspace(-1.3, 1.2, 80).reshape(2, 4, 5, 2)),
    "pools": (lambda x: (F.max_pool2d(x, 2, ceil_mode=True), F.avg_pool2d(x, 3, 1, 1), F.avg_pool2d(x, 3, 2, 1, count_include_pad=False)), x2345),
    "pools to a size": (lambda x: (F.adaptive_avg_pool2d(x, (2, 3)), F.adaptive_max_pool2d(x, 1), F.adaptive_avg_pool2d(x, 1)), x2345),
    "unpooled": (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(4, 5)), x2345),
    "padding": (lambda x: (F.pad(x, (1, 2, -1, 1), value=3.0), F.pad(x, (1, 2, 1, 1), mode="reflect"), F.pad(x, (2, 2), mode="circular") if x.ndim == 3 else x), x2345),
    "shuffled pixels": (lambda x: F.pixel_unshuffle(F.pixel_shuffle(x.transpose(1, 2), 2), 2), x2345),
    "local response": (lambda x: F.local_response_norm(x, 3), x2345),
    "instances": (lambda x: (F.instance_norm(x), F.group_norm(x, 3), F.group_norm(x, 1)), x2345),
    "layers": (lambda x: (F.layer_norm(x, (4, 5)), F.rms_norm(x, (5,))), x2345),
    "the batch's own statistics": (lambda x: F.batch_norm(x, None, None, training=True), x2345),
    "distances": (lambda x: (F.cosine_similarity(x, x + 1), F.normalize(x), F.softmin(x, 1), F.log_softmax(x, 2)), x2345),
    "losses": (lambda x: (F.mse_loss(x, x * 2), F.binary_cross_entropy(x.sigmoid(), (x > 0).float()), F.smooth_l1_loss(x, -x)), x2345),
    "of classes": (lambda x: F.cross_entropy(x, minigrad.tensor([1, 0, 3])), x34),
}  # fmt: skip


def written_part(x: Any) -> Any:
    out = minigrad.zeros_like(x) + x
    return out.index_fill(1, minigrad.tensor([1]), 7.0)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(name: str) -> None:
    function, *inputs = FUNCTIONS[name]
    assert_exports(Computed(function), *inputs)


class Indexed(nn.Module):
    """A table that is read at numbers computed from the input."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    def forward(self, x: Any) -> Any:
        return self.table((x * x).long() % 5) + x.sum()


class Twice(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x, x, x)


LAYERS: dict[str, Any] = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, 2, "valid", 2, 2), (2, 4, 11)),
    "conv2d": (lambda: nn.Conv2d(3, 4, (3, 2), 2, (1, 0), bias=False), (2, 3, 7, 8)),
    "conv2d, reflected": (lambda: nn.Conv2d(3, 4, 3, padding=2, padding_mode="reflect"), (2, 3, 7, 8)),
    "conv3d": (lambda: nn.Conv3d(2, 3, 2, padding="same"), (1, 2, 4, 5, 3)),
    "conv_transpose2d": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, dilation=2), (2, 4, 3, 5)),
    "without a batch": (lambda: nn.Conv2d(3, 4, 3), (3, 7, 8)),
    "batch norm": (lambda: nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3, affine=False)), (4, 3)),
    "prelu": (lambda: nn.PReLU(3), (2, 3, 4)),
    "activations": (lambda: nn.Sequential(nn.GELU(), nn.SiLU(), nn.Mish(), nn.CELU(), nn.SELU(), nn.Hardswish(), nn.Softsign(), nn.GLU(1), nn.Tanhshrink()), (2, 4, 3)),
    "lstm": (lambda: nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True), (2, 5, 3)),
    "gru": (lambda: nn.GRU(3, 4), (5, 2, 3)),
    "rnn": (lambda: nn.RNN(3, 4, nonlinearity="relu"), (5, 2, 3)),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True), (2, 5, 8)),
    "linear, its weight normalised": (lambda: nn.utils.weight_norm(nn.Linear(3, 4)), (2, 3)),
    "embedding": (lambda: Indexed(nn.Embedding(5, 3)), (2, 4)),
    "bags": (lambda: Indexed(nn.EmbeddingBag(5, 3, mode="mean")), (2, 4)),
    "attention": (lambda: Twice(nn.MultiheadAttention(8, 2)), (3, 2, 8)),
    "dropout": (lambda: nn.Sequential(nn.Dropout(), nn.Linear(3, 4)), (2, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    minigrad.manual_seed(0)
    make, shape = LAYERS[name]
    assert_exports(make(), minigrad.randn(shape))


# --- networks ---------------------------------------------------------------------------------------------------------

SMALL = {"lenet5": (1, 28), "mobilenet_v2": (3, 32), "unet": (1, 16), "dcgan": (1, 28)}
ALL = SMALL | {
    "alexnet": (3, 64), "zfnet": (3, 96), "vgg11": (3, 32), "vgg16_bn": (3, 32), "googlenet": (3, 64), "inception_v3": (3, 75),
    "resnet18": (3, 40), "resnet34": (3, 32), "resnet50": (3, 32), "resnet101": (3, 32), "resnet152": (3, 32), "segnet": (3, 32), "fcn": (3, 32), "srresnet": (3, 16),
}  # fmt: skip
NETWORKS = [pytest.param(name, marks=() if name in SMALL else pytest.mark.networks) for name in ALL]


def network(name: str) -> Any:
    """A network that has learned something, as far as its batch norms can tell."""
    minigrad.manual_seed(0)
    small = {"unet": {"width": 8}, "dcgan": {"size": 28}} if name in SMALL else {}
    made = getattr(models, name)(**small.get(name, {}))
    return used(made.discriminator if name == "dcgan" else made)


@pytest.mark.parametrize("name", NETWORKS)
def test_network(name: str) -> None:
    channels, size = ALL[name]
    model = network(name)
    data = assert_exports(
        model,
        minigrad.randn(2, channels, size, size),
        others=((minigrad.randn(3, channels, size, size),),),
        dynamic_axes={"input": {0: "batch"}},
        least=1.0,
    )
    graph = onnx.load_from_string(data).graph
    held = {t.name for t in graph.initializer}
    assert held <= set(model.state_dict()) and set(dict(model.named_parameters())) - held <= {
        n for n in model.state_dict() if ".aux" in n or n.startswith(("aux", "AuxLogits"))
    }
    assert {"Conv", "Gemm"} & {n.op_type for n in graph.node} and not {"Reciprocal", "Sqrt"} & {
        n.op_type for n in graph.node
    }
    assert graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_generator_of_the_dcgan() -> None:
    model = used(models.dcgan(size=28, width=8).generator)
    latent = minigrad.randn(2, 64)
    assert_exports(model, latent, others=((minigrad.randn(5, 64),),), dynamic_axes={"input": [0]})


# --- axes of any length -----------------------------------------------------------------------------------------------


def dims(info: Any) -> list[Any]:
    return [d.dim_param or d.dim_value for d in info.type.tensor_type.shape.dim]


def test_pictures_of_any_size() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 4, 2, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    )  # fmt: skip
    shapes = [(1, 3, 6, 10), (4, 3, 12, 8)]
    data = assert_exports(
        model,
        minigrad.randn(2, 3, 8, 8),
        others=tuple([(minigrad.randn(s),) for s in shapes]),
        dynamic_axes={"input": {0: "n", 2: "h", -1: "w"}},
    )
    graph = onnx.load_from_string(data).graph
    assert dims(graph.input[0]) == ["n", 3, "h", "w"] and dims(graph.output[0]) == ["n", 2]


def test_lengths_that_follow_from_others() -> None:
    def function(x: Any, y: Any) -> Any:
        n, t, c = x.shape
        halves = x.reshape(n, t // 2, 2 * c)
        return (
            halves.expand(3, n, t // 2, 2 * c),
            x[:, -1] + y,
            x.reshape(n * t, c),
            minigrad.zeros(n, t + 1) + y[:, :1],
        )

    x, y = minigrad.randn(2, 4, 3), minigrad.randn(2, 3)
    others = (minigrad.randn(5, 8, 3), minigrad.randn(5, 3))
    data = assert_exports(
        Computed(function), x, y, others=(others,), dynamic_axes={"input": {0: "n", 1: "t"}, "input_1": {0: "n"}}
    )
    outs = onnx.load_from_string(data).graph.output
    assert dims(outs[1]) == ["n", 3] and dims(outs[2])[0] == "output_2_0"


def test_axes_of_outputs_may_be_named() -> None:
    model = Computed(lambda x: (x.exp(), x.reshape(-1)))
    given = {"input": [0], "output": {0: "n"}, "output_1": {-1: "all"}}
    outs = onnx.load_from_string(exported(model, (minigrad.ones(2, 3),), dynamic_axes=given)).graph.output
    assert [dims(o) for o in outs] == [["n", 3], ["all"]]


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x + x.shape[0] ** 2, "in a way that no rule of lengths gives"),
        (lambda x: x if x.shape[0] < 5 else x.exp(), "for other lengths"),
        (lambda x: x.softmax(0) if x.shape[0] < 5 else x.exp(), "written otherwise"),
    ],
)
def test_what_depends_on_a_length_otherwise_is_refused(function: Any, why: str) -> None:
    with pytest.raises(RuntimeError, match=rf"onnx.export: the axes n cannot be dynamic: .*{why}"):
        exported(Computed(function), (minigrad.randn(2, 3),), dynamic_axes={"input": {0: "n"}})


# --- names, state and errors ------------------------------------------------------------------------------------------


def test_names_and_versions() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    proto = onnx.load_from_string(
        exported(model, (minigrad.ones(1, 2),), opset=15, input_names=["x"], output_names=["y"])
    )
    assert [i.name for i in proto.graph.input] == ["x"] and [o.name for o in proto.graph.output] == ["y"]
    assert {t.name for t in proto.graph.initializer} == {"0.weight", "0.bias"} and proto.opset_import[0].version == 15
    assert [n.op_type for n in proto.graph.node] == ["Gemm", "Tanh"] and proto.producer_name == "minigrad"
    by_name = Computed(lambda x: {"sum": x.sum(), "same": x})
    assert [o.name for o in onnx.load_from_string(exported(by_name, (minigrad.ones(2),))).graph.output] == [
        "sum",
        "same",
    ]


def test_the_model_stays_as_it_was(tmp_path: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    model[2].eval()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    minigrad.onnx.export(model, minigrad.randn(2, 1, 5, 5), tmp_path / "model.onnx")
    assert [m.training for m in model.modules()] == [True, True, True, False]
    assert all(bool((before[name] == x).all()) for name, x in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert [f.name for f in tmp_path.iterdir()] == ["model.onnx"]


def test_shared_parameters_and_frozen_layers() -> None:
    layer = nn.Linear(3, 3)
    model = nn.Sequential(layer, nn.ReLU(), layer, nn.BatchNorm1d(3).requires_grad_(False))
    data = assert_exports(model, minigrad.randn(2, 3))
    assert [t.name for t in onnx.load_from_string(data).graph.initializer][:2] == ["0.weight", "0.bias"]


def test_a_file_is_written_wholly_or_not_at_all(tmp_path: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    with pytest.raises(NotImplementedError):
        minigrad.onnx.export(Computed(lambda x: x.lgamma()), minigrad.ones(2), path)
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


one = (minigrad.ones(2, 2),)
REFUSED: dict[str, Any] = {
    "no module": (lambda: minigrad.onnx.export(len, one, "x"), TypeError, "expected a module, got builtin_function"),
    "no tensor": (lambda: exported(nn.ReLU(), (np.ones(2),)), TypeError, "expected tensors as inputs, got ndarray"),
    "old": (lambda: exported(nn.ReLU(), one, opset=12), ValueError, "expected an opset from 13 to 22, got 12"),
    "no version": (lambda: exported(nn.ReLU(), one, opset="18"), ValueError, "got '18'"),
    "names": (lambda: exported(nn.ReLU(), one, input_names=["a", "b"]), ValueError, "expected 1 different input_names"),
    "outputs": (lambda: exported(nn.ReLU(), one, output_names=[]), ValueError, "expected 1 output_names"),
    "same names": (lambda: exported(nn.Linear(2, 2), one, input_names=["weight"]), ValueError, "names must differ"),
    "no input": (lambda: exported(nn.ReLU(), one, dynamic_axes={"x": [0]}), ValueError, "names 'x', but the inputs are"),
    "no axis": (lambda: exported(nn.ReLU(), one, dynamic_axes={"input": [2]}), ValueError, "2 is no axis of shape"),
    "axes alike": (lambda: exported(Computed(minigrad.add), (one[0], minigrad.ones(1, 2)), dynamic_axes={"input": {0: "n"}, "input_1": {0: "n"}}), ValueError, "different lengths"),
    "no operator": (lambda: exported(Computed(lambda x: x.lgamma()), one), NotImplementedError, r"onnx.export: lgamma \(.*test_export.py:\d+.*no ONNX operator .*write it in other operations"),
    "later operator": (lambda: exported(Computed(lambda x: x.tril()), one, opset=13), NotImplementedError, "pass opset=14"),
    "random": (lambda: exported(Computed(lambda x: x + minigrad.rand(2)), one), RuntimeError, "draws random numbers"),
    "decides": (lambda: exported(Computed(lambda x: x if x.sum() > 0 else -x), one), RuntimeError, "onnx.export: the model cannot be followed"),
    "NumPy": (lambda: exported(Computed(lambda x: minigrad.from_numpy(x.numpy()[0]) * 2), one), RuntimeError, "reached otherwise than by an operation"),
    "nothing": (lambda: exported(Computed(lambda x: None), one), TypeError, "returned no tensor but NoneType"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        call()


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"onnx.export: .*pip install 'minigrad\[onnx\]'"):
        exported(nn.ReLU(), one)
