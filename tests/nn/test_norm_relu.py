"""A batch norm and the rectifier behind it are computed at once, in a Sequential or a residual block, which nobody can tell from the results."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import models, nn
from minigrad.models.resnet import BasicBlock, Bottleneck
from minigrad.nn.fusion import normalised_and_rectified
from minigrad.ops import normalization

SHAPES = {nn.BatchNorm1d: (4, 3), nn.BatchNorm2d: (4, 3, 5, 2), nn.BatchNorm3d: (2, 3, 2, 4, 3)}


def names(out: Any) -> set[str]:
    """The operations that a result was computed by."""
    found, waiting = set(), [out.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            found.add(node.name())
            waiting += [source for source, _ in node.next_functions]
    return found


def one_by_one(model: nn.Sequential) -> Callable[[Any], Any]:
    def run(x: Any) -> Any:
        for module in model:
            x = module(x)
        return x

    return run


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}, {"momentum": None}], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_gradients_and_statistics_are_those_of_both(kind: Any, options: Any, training: bool, dtype: str) -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(
        kind(3, **options), nn.ReLU(), kind(3, **options), nn.ReLU(inplace=True), kind(3, **options), nn.LeakyReLU(0.2, inplace=True), kind(3)
    ).to(minigrad.zeros(0, dtype=dtype).dtype)  # fmt: skip
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1, 1)
    model.train(training)
    twin = copy.deepcopy(model)
    x = minigrad.randn(*SHAPES[kind], dtype=dtype)
    found = []
    for net, run in ((model, model), (twin, one_by_one(twin))):
        given = x.clone().requires_grad_()
        for _ in range(2):
            out = run(given)
            (out * minigrad.arange(out.numel()).reshape(out.shape)).sum().backward()
        with minigrad.no_grad():
            plain = run(x)
        tensors = [out, plain, given.grad, *[p.grad for p in net.parameters()], *net.buffers()]
        found.append([t.detach().numpy() for t in tensors])
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_both_are_one_operation_and_their_gradient_is_differentiable() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    x = minigrad.randn(5, 2, dtype=minigrad.float64).requires_grad_()
    model.double()
    assert names(model(x)) & {"BatchNormReluBackward0", "BatchNormBackward0", "ReluBackward0"} == {"BatchNormReluBackward0"}
    assert names(model.eval()(x)) & {"ScaleChannelsReluBackward0", "ScaleChannelsBackward0", "ReluBackward0"} == {"ScaleChannelsReluBackward0"}
    (first,) = minigrad.autograd.grad(model.train()(x).square().sum(), x, create_graph=True)
    (second,) = minigrad.autograd.grad(first.square().sum(), x)
    (first,) = minigrad.autograd.grad(one_by_one(model)(x).square().sum(), x, create_graph=True)
    np.testing.assert_allclose(second.numpy(), minigrad.autograd.grad(first.square().sum(), x)[0].numpy(), rtol=1e-9, atol=1e-12)


def test_other_slopes_are_fused_or_left_alone() -> None:
    x = minigrad.randn(5, 2)
    x[0, 0] = -np.inf
    for slope, fused in ((0.2, True), (0.0, False), (-0.5, False), (np.float32(0.5), False), (np.inf, True), (np.nan, False)):
        model = nn.Sequential(nn.BatchNorm1d(2), nn.LeakyReLU(slope))
        for training in (True, False):
            model.train(training)
            given = x.clone().requires_grad_()
            out = model(given)
            assert ("Relu" in "".join(names(out) - {"LeakyReluBackward0"})) is fused
            np.testing.assert_array_equal(out.detach().numpy(), one_by_one(model)(given).detach().numpy())


class Own(nn.ReLU):
    def forward(self, input: Any) -> Any:
        return super().forward(input) + 1


def changed(norm: Any, relu: Any) -> dict[str, Callable[[], Any]]:
    return {
        "a hook on the norm": lambda: norm.register_forward_hook(lambda module, args, out: out - 1),
        "a hook before the ReLU": lambda: relu.register_forward_pre_hook(lambda module, args: (args[0] - 1,)),
        "a backward hook": lambda: norm.register_full_backward_hook(lambda module, inputs, outputs: None),
        "a forward of its own": lambda: setattr(norm, "forward", lambda x: x * 2),
    }


@pytest.mark.parametrize("what", changed(None, None))
def test_who_looks_between_them_sees_both(what: str) -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    changed(*model)[what]()
    x = minigrad.randn(5, 2, requires_grad=True)
    out = model(x)
    assert "BatchNormReluBackward0" not in names(out)
    np.testing.assert_array_equal(out.detach().numpy(), one_by_one(model)(x).detach().numpy())


def test_other_modules_stay_alone() -> None:
    x = minigrad.randn(5, 2, requires_grad=True)
    for modules in ([nn.BatchNorm1d(2), Own()], [nn.BatchNorm1d(2), nn.Identity(), nn.ReLU()], [nn.BatchNorm1d(2)], [nn.ReLU()]):
        model = nn.Sequential(*modules)
        out = model(x)
        assert "BatchNormReluBackward0" not in names(out)
        np.testing.assert_array_equal(out.detach().numpy(), one_by_one(model)(x).detach().numpy())


def test_nobody_looks_any_more() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    x = minigrad.randn(5, 2, requires_grad=True)
    with model[0].register_forward_hook(lambda *_: None), model[1].register_full_backward_pre_hook(lambda *_: None):
        assert "BatchNormReluBackward0" not in names(model(x))
    assert "BatchNormReluBackward0" in names(model(x))


# --- residual blocks --------------------------------------------------------------------------------------------------


def separately(norm: Any, rectifier: Any, input: Any, residual: Any) -> Any:
    out = norm(input)
    return rectifier(out if residual is None else out + residual)


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.ReLU(inplace=True), nn.LeakyReLU(0.2)], ids=str)
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_residual_is_added_between_norm_and_rectifier(kind: Any, training: bool, dtype: str, rectifier: Any) -> None:
    minigrad.manual_seed(0)
    norm = kind(3, dtype=minigrad.zeros(0, dtype=dtype).dtype).train(training)
    for parameter in norm.parameters():
        nn.init.uniform_(parameter, -1, 1)
    x, residual, weights = (minigrad.randn(*SHAPES[kind], dtype=dtype) for _ in range(3))
    found = []
    for run in (normalised_and_rectified, separately):
        this = copy.deepcopy(norm)
        given = [a.clone().requires_grad_() for a in (x, residual)]
        out = run(this, rectifier, *given)
        assert bool(names(out) & {"AddBackward0", "ReluBackward0", "LeakyReluBackward0"}) == (run is separately)
        (out * weights).sum().backward()
        tensors = [out, *[t.grad for t in (*given, *this.parameters())], *this.buffers()]
        found.append([t.detach().numpy() for t in tensors])
        first = minigrad.autograd.grad((run(this, rectifier, *given) * weights).sum(), given, create_graph=True)
        seconds = minigrad.autograd.grad(sum(f.square().sum() for f in first), given)
        found[-1] += [t.detach().numpy() for t in (*first, *seconds)]
    for i, (a, b) in enumerate(zip(*found, strict=True)):
        assert a.dtype == b.dtype
        if i < len(tensors):
            np.testing.assert_array_equal(a, b)
        else:  # by the composites
            np.testing.assert_allclose(a, b, rtol=1e-3 if dtype == "float32" else 1e-9, atol=np.abs(b).max() * (1e-4 if dtype == "float32" else 1e-12))


def test_a_residual_that_does_not_fit_is_added_as_ever() -> None:
    norm, relu = nn.BatchNorm1d(2), nn.ReLU()
    x = minigrad.randn(5, 2, requires_grad=True)
    for residual in (minigrad.randn(2), minigrad.randn(5, 2).half()):
        out = normalised_and_rectified(norm, relu, x, residual)
        assert "BatchNormReluBackward0" not in names(out)
        np.testing.assert_array_equal(out.detach().numpy(), separately(norm, relu, x, residual).detach().numpy())
    half = normalised_and_rectified(norm, relu, x.detach().half(), minigrad.randn(5, 2).half())
    assert half.dtype == minigrad.float16
    empty = normalised_and_rectified(norm, relu, minigrad.zeros(0, 2), minigrad.zeros(0, 2))
    assert tuple(empty.shape) == (0, 2)
    np.testing.assert_array_equal(normalised_and_rectified(nn.Identity(), relu, x.detach().clone(), x.detach()).numpy(), 2 * x.detach().relu().numpy())


@pytest.mark.parametrize("what", changed(None, None))
def test_who_looks_inside_a_block_sees_all(what: str) -> None:
    for block in (BasicBlock(4, 4), Bottleneck(8, 2)):
        block.double()
        x = minigrad.randn(2, block.conv1.in_channels, 5, 5, dtype=minigrad.float64, requires_grad=True)
        last = block.bn2 if isinstance(block, BasicBlock) else block.bn3
        assert not names(block(x)) & {"BatchNormBackward0", "ReluBackward0", "AddBackward0"}
        changed(last, block.relu)[what]()
        assert names(block(x)) & {"BatchNormBackward0", "MulBackward0"} and "ReluBackward0" in names(block(x))


@pytest.mark.parametrize("norm_layer", [nn.BatchNorm2d, nn.InstanceNorm2d, lambda channels: nn.GroupNorm(2, channels)])
@pytest.mark.parametrize("training", [True, False])
def test_blocks_give_what_they_give_one_by_one(norm_layer: Any, training: bool) -> None:
    minigrad.manual_seed(0)
    downsample = nn.Sequential(nn.Conv2d(4, 8, 1, 2), norm_layer(8))
    for block in (BasicBlock(4, 8, 2, downsample, norm_layer=norm_layer), Bottleneck(4, 2, 2, downsample, norm_layer=norm_layer)):
        block.train(training)
        twin = copy.deepcopy(block)
        for module in twin.modules():
            module.register_forward_hook(lambda *_: None)
        x, found = minigrad.randn(3, 4, 6, 6), []
        for net in (block, twin):
            given = x.clone().requires_grad_()
            out = net(given)
            (out * minigrad.arange(out.numel()).reshape(out.shape)).sum().backward()
            found.append([t.detach().numpy() for t in (out, given.grad, *[p.grad for p in net.parameters()], *net.buffers())])
        for a, b in zip(*found, strict=True):
            np.testing.assert_array_equal(a, b)


MODELS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "resnet18": (lambda: models.resnet18(num_classes=3), (2, 3, 32, 32)),
    "resnet50": (lambda: models.resnet50(num_classes=3), (2, 3, 32, 32)),
    "unet": (lambda: models.unet(1, 2, width=4, depth=2), (2, 1, 16, 16)),
    "segnet": (lambda: models.segnet(3, 2, width=4), (2, 3, 32, 32)),
    "generator": (lambda: models.dcgan(1, 16, latent=8, width=4).generator, (2, 8)),
    "discriminator": (lambda: models.dcgan(1, 16, latent=8, width=4).discriminator, (2, 1, 16, 16)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("training", [True, False])
def test_models_leave_no_rectifier_behind_a_norm_alone(name: str, training: bool) -> None:
    make, shape = MODELS[name]
    model = make().train(training)
    found, waiting, seen = [], [model(minigrad.randn(*shape, requires_grad=True)).grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            sources = [source for source, _ in node.next_functions]
            found.append((node.name(), {source.name() for source in sources if source is not None}))
            waiting += sources
    fused = {"BatchNormReluBackward0", "ScaleChannelsReluBackward0"}
    assert any(kind in fused for kind, _ in found)
    for kind, sources in found:
        assert not (kind in {"ReluBackward0", "LeakyReluBackward0"} and sources & {"BatchNormBackward0", "ScaleChannelsBackward0", "AddBackward0"})


def test_what_the_operations_refuse() -> None:
    x, scale = minigrad.ones(2, 3), minigrad.ones(3)
    for name, given in (("batch_norm_relu", (x, None, None)), ("scale_channels_relu", (x, scale, None))):
        operation = getattr(normalization, name)
        for residual, got in ((minigrad.ones(3), r"\(3,\) and float32"), (x.double(), r"\(2, 3\) and float64")):
            with pytest.raises(RuntimeError, match=rf"{name}: expected a residual of the input's shape \(2, 3\) and dtype float32, got {got}"):
                operation(*given, residual)
        for slope in (-0.5, np.nan):
            with pytest.raises(ValueError, match=f"{name}: expected slope >= 0, got {slope}"):
                operation(*given, slope=slope)
