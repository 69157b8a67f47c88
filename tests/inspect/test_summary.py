"""What layers cost: against known figures of known networks, and against the arrays of a real pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import inspect, models, nn
from minigrad.inspect.trace import tensors_in

from .nets import Residual, UNet, state_of, waves

MILLION = 1e6
# Parameters and multiply-adds at 224 (299 for Inception), in millions, as torchvision documents them for its weights.
KNOWN = {"alexnet": (61.1, 714), "vgg16": (138.4, 15470), "googlenet": (None, 1498), "inception_v3": (None, 5713), "resnet50": (25.6, 4089), "mobilenet_v2": (3.5, 300.8)}  # fmt: skip


def made(name: str) -> nn.Module:
    fast = {"init_weights": False} if name in ("vgg16", "googlenet", "inception_v3") else {}
    return getattr(models, name)(**fast)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def vgg16() -> inspect.Summary:
    return inspect.summary(made("vgg16"), (3, 224, 224))


def test_the_figures_of_the_course_for_vgg16(vgg16: inspect.Summary) -> None:
    assert vgg16.params == 138_357_544
    assert vgg16["classifier.0"].params - 4096 == vgg16["classifier.0"].macs == 102_760_448
    assert vgg16["features.30"].output_shape == (1, 512, 7, 7)
    # The course's table, row by row: memory of convolutions and poolings, the rectifiers in place.
    convs = [layer.activations for layer in vgg16.layers if layer.kind in ("Conv2d", "MaxPool2d")]
    wide = [64 * 224**2, 128 * 112**2, 256 * 56**2, 512 * 28**2, 512 * 14**2]
    pools = [64 * 112**2, 128 * 56**2, 256 * 28**2, 512 * 14**2, 512 * 7**2]
    assert convs == [n for count, w, p in zip((2, 2, 3, 3, 3), wide, pools, strict=True) for n in (*(w,) * count, p)]
    assert vgg16.input_activations == 150_528


def test_the_activations_of_vgg16_lie_around_the_course_total() -> None:
    """The course prints 24M for what its own rows add up to 15.2M; with a map for each rectifier, as most frameworks keep it, they are 28.8M."""
    in_place = inspect.summary(made("vgg16"), (3, 224, 224))
    model = made("vgg16")
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    apart = inspect.summary(model, (3, 224, 224))
    copied = 2 * 512 * 7 * 7  # the average pooling of 7x7 to 7x7, and what the course has no row for
    assert in_place.activations == 15_237_608 + copied // 2
    assert (
        apart.activations
        == in_place.activations
        + sum(layer.activations for layer in in_place.layers if layer.kind == "Conv2d")
        + 2 * 4096
    )
    assert in_place.activation_bytes == 4 * in_place.activations
    assert in_place.activations < 24e6 < apart.activations


@pytest.mark.parametrize("name", KNOWN)
def test_known_costs(name: str) -> None:
    model = made(name)
    size = 299 if name == "inception_v3" else 224
    table = inspect.summary(model, (3, size, size))
    params, macs = KNOWN[name]
    assert table.params == sum(p.numel() for p in model.parameters())
    if params is not None:
        assert round(table.params / MILLION, 1) == params
        assert sum(layer.params for layer in table.layers) == table.params
    assert abs(table.macs / MILLION - macs) < 0.6
    assert table.flops == 2 * table.macs


NETS: dict[str, Any] = {
    "lenet": (lambda: models.lenet5(), (1, 28, 28)),
    "unet": (lambda: UNet(), (1, 16, 24)),
    "unet 4": (lambda: UNet(4), (1, 16, 16)),
    "residual": (lambda: nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), Residual(), nn.AvgPool2d(2)), (3, 21, 17)),
    "resnet": (lambda: models.resnet18(), (3, 64, 64)),
    "norms": (lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.GroupNorm(2, 4), nn.PReLU(), nn.AdaptiveAvgPool1d(3), nn.Flatten(), nn.LayerNorm(12)), (2, 11)),
    "volume": (lambda: nn.Sequential(nn.Conv3d(1, 2, (1, 2, 3), dilation=(1, 2, 1)), nn.Softplus(), nn.MaxPool3d(2)), (1, 4, 6, 7)),
    "attention": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [(2, 5, 8)]),
    "recurrent": (lambda: nn.LSTM(3, 4), [(5, 2, 3)]),
    "embedding": (lambda: nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3)), (7,)),
    "upsample": (lambda: nn.Sequential(nn.Conv2d(1, 2, 3), nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(1), nn.ZeroPad2d(1), nn.Conv2d(2, 1, 3)), (1, 8, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_shapes_are_those_of_a_pass_with_data(name: str) -> None:
    make, size = NETS[name]
    model = make()
    model.eval()
    before = state_of(model)
    table = inspect.summary(model, size)
    assert state_of(model) == before
    shape = size[0] if isinstance(size, list) else (1, *size)
    x = minigrad.zeros(*shape, dtype=minigrad.int64) if name == "embedding" else waves(*shape)
    with inspect.trace(model) as calls, minigrad.no_grad():
        model(x)
    real = {call.name: next(iter(tensors_in(call.output))).shape for call in calls.calls}
    assert {layer.name: tuple(layer.output_shape) for layer in table.layers} == {
        layer.name: tuple(real[layer.name]) for layer in table.layers
    }


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 3, padding=1), nn.AvgPool2d(2)), 24),
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 3, dilation=2), nn.Conv2d(1, 1, 2, stride=3)), 20),
        (lambda: nn.Sequential(nn.Conv2d(1, 2, 1), Residual(), nn.Conv2d(2, 1, 3)), 20),
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 2, stride=2), nn.ConvTranspose2d(1, 1, 4, stride=2)), 16),
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 3), nn.Upsample(scale_factor=2), nn.Conv2d(1, 1, 3, stride=2)), 16),
        (lambda: nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Flatten(), nn.Linear(49, 1)), 15),
    ],
)
def test_a_receptive_field_is_where_the_gradient_is_not_zero(make: Any, size: int) -> None:
    """With positive weights nothing cancels, so what a unit sees is the support of its gradient."""
    model = make()
    for p in model.parameters():
        p.data = p.data.abs() + 0.1
    layer = inspect.summary(model, (1, size, size)).layers[-1]
    assert layer.field is not None
    x = minigrad.rand(1, 1, size, size, requires_grad=True)
    out = model(x)
    unit = tuple(n // 2 for n in layer.field.plane)
    (out[(0, 0, *unit)] if out.ndim == 4 else out.sum()).backward()
    seen = np.argwhere(x.grad.numpy()[0, 0])
    box = layer.field.box(unit)
    assert [tuple(b) for b in zip(seen.min(0), seen.max(0) + 1, strict=True)] == [
        (max(0, low), min(size, high)) for low, high in box
    ]


def test_where_ways_of_different_fineness_join_the_field_holds_all_that_is_seen() -> None:
    model = UNet(4)
    for p in model.parameters():
        p.data = p.data.abs() + 0.1
    field = inspect.summary(model, (1, 32, 32)).layers[-1].field
    assert field is not None
    x = minigrad.rand(1, 1, 32, 32, requires_grad=True)
    out = model(x)
    for unit in [(15, 15), (16, 15), (17, 18)]:
        x.grad = None
        out[(0, 0, *unit)].backward(retain_graph=True)
        seen = np.argwhere(x.grad.numpy()[0, 0])
        for (low, high), first, last in zip(field.box(unit), seen.min(0), seen.max(0), strict=True):
            assert low <= first and last < high and (high - low) - (last + 1 - first) <= 8


def test_layers_called_twice_count_their_parameters_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            return self.layer(self.layer(x))

    table = inspect.summary(Twice(), (3,))
    assert [layer.params for layer in table.layers] == [12, 0] and table.params == 12 and table.macs == 18


def test_functions_in_a_forward_are_counted_with_their_module() -> None:
    class Functional(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.conv2d(x, minigrad.ones(4, 1, 3, 3))

    (row,) = inspect.summary(Functional(), (1, 1, 5, 5)).layers
    assert (row.name, row.kind, row.macs) == ("", "Functional", 4 * 9 * 9)


@pytest.mark.parametrize(
    ("size", "error"), [("ab", TypeError), ((1, 2.5, 3), TypeError), ((1, 0, 3), TypeError), ((2, 5, 5), RuntimeError)]
)
def test_bad_sizes_are_refused(size: Any, error: type[Exception]) -> None:
    model = nn.Conv2d(1, 1, 3)
    before = state_of(model)
    with pytest.raises(error, match=r"input_size|channels"):
        inspect.summary(model, size)
    assert state_of(model) == before


def test_lazy_parameters_are_refused() -> None:
    with pytest.raises(RuntimeError, match="has no shape yet"):
        inspect.summary(nn.LazyLinear(2), (3,))
    with pytest.raises(TypeError, match="expected a module, got int"):
        inspect.summary(3, (3,))  # type: ignore[arg-type]
