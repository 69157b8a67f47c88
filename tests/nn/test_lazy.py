"""Lazy layers: ordinary ones after the first call, torch's in all they show, and parameters that refuse to be used before."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn.lazy import LazyModuleMixin

from .derivatives import torch_or_skip

# the lazy layer, an input, the layer it becomes
LAYERS: list[tuple[str, tuple[int, ...], str]] = [
    ("LazyLinear(3)", (2, 4), "Linear(4, 3)"),
    ("LazyLinear(3, bias=False)", (2, 5, 4), "Linear(4, 3, bias=False)"),
    ("LazyConv1d(4, 3)", (2, 6, 5), "Conv1d(6, 4, 3)"),
    ("LazyConv2d(4, (3, 2), stride=2, padding=1, groups=2, bias=False)", (2, 6, 5, 5), "Conv2d(6, 4, (3, 2), 2, 1, 1, 2, False)"),
    ("LazyConv2d(4, 3, padding='same', padding_mode='reflect')", (6, 5, 5), "Conv2d(6, 4, 3, padding='same', padding_mode='reflect')"),
    ("LazyConv3d(4, 2)", (1, 2, 3, 3, 3), "Conv3d(2, 4, 2)"),
    ("LazyConvTranspose1d(4, 3, 2, output_padding=1)", (2, 6, 5), "ConvTranspose1d(6, 4, 3, 2, output_padding=1)"),
    ("LazyConvTranspose2d(4, 3, groups=2, dilation=2)", (2, 6, 5, 5), "ConvTranspose2d(6, 4, 3, groups=2, dilation=2)"),
    ("LazyConvTranspose3d(4, 2, bias=False)", (1, 2, 3, 3, 3), "ConvTranspose3d(2, 4, 2, bias=False)"),
    ("LazyBatchNorm1d()", (4, 3), "BatchNorm1d(3)"),
    ("LazyBatchNorm2d(eps=0.01, momentum=None)", (4, 3, 2, 2), "BatchNorm2d(3, eps=0.01, momentum=None)"),
    ("LazyBatchNorm3d(bias=False)", (4, 3, 2, 2, 1), "BatchNorm3d(3, bias=False)"),
    ("LazyBatchNorm2d(affine=False)", (4, 3, 2, 2), "BatchNorm2d(3, affine=False)"),
    ("LazyInstanceNorm1d()", (4, 3, 2), "InstanceNorm1d(3, affine=True, track_running_stats=True)"),
    ("LazyInstanceNorm2d(track_running_stats=False)", (4, 3, 2, 2), "InstanceNorm2d(3, affine=True)"),
    ("LazyInstanceNorm3d(affine=False)", (4, 3, 2, 2, 2), "InstanceNorm3d(3, track_running_stats=True)"),
]  # fmt: skip
IDS = [call for call, _, _ in LAYERS]


def build(call: str, library: Any = minigrad) -> Any:
    return eval("nn." + call, {"nn": library.nn})


@pytest.mark.parametrize(("call", "shape", "becomes"), LAYERS, ids=IDS)
def test_the_first_call_makes_it_the_layer_it_stands_for(call: str, shape: tuple[int, ...], becomes: str) -> None:
    layer, expected = build(call), build(becomes)
    before = dict(layer.named_parameters())
    names = list(layer.state_dict())
    minigrad.manual_seed(3)
    output = layer(minigrad.randn(shape))
    assert type(layer) is type(expected)
    assert repr(layer) == repr(expected)
    assert list(layer.state_dict()) == list(expected.state_dict()) == names
    assert {name: (t.shape, t.dtype) for name, t in layer.state_dict().items()} == {
        name: (t.shape, t.dtype) for name, t in expected.state_dict().items()
    }
    for name, parameter in layer.named_parameters():
        assert parameter is before[name], "an optimiser may already have it"
        assert type(parameter) is nn.Parameter
    minigrad.manual_seed(3)
    minigrad.randn(shape)
    expected.reset_parameters()
    for name, parameter in expected.named_parameters():
        assert parameter.tolist() == layer.get_parameter(name).tolist()
    if output.requires_grad:
        output.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize(("call", "shape", "becomes"), LAYERS, ids=IDS)
def test_torch_shows_the_same(call: str, shape: tuple[int, ...], becomes: str) -> None:
    torch = torch_or_skip()
    ours, theirs = build(call), build(call, torch)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [repr(p) for p in ours.parameters()] == [repr(p) for p in theirs.parameters()]
    if len(shape) > 3 or "Instance" in call or "Conv" not in call:
        ours(minigrad.randn(shape))
        theirs(torch.randn(shape))
        assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(("call", "shape", "becomes"), LAYERS, ids=IDS)
def test_a_state_gives_the_parameters_their_shapes(call: str, shape: tuple[int, ...], becomes: str) -> None:
    expected = build(becomes)
    for assign in (False, True):
        layer = build(call)
        layer.load_state_dict(expected.state_dict(), assign=assign)
        x = minigrad.randn(shape)
        assert layer.train(False)(x).tolist() == expected.train(False)(x).tolist()
        assert type(layer) is type(expected)
        assert repr(layer) == repr(expected)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
@pytest.mark.parametrize(("call", "shape", "becomes"), LAYERS, ids=IDS)
def test_a_copy_before_the_first_call_is_lazy_too(call: str, shape: tuple[int, ...], becomes: str, copied: Any) -> None:
    layer = build(call).double()
    twin = copied(layer)
    assert repr(twin) == repr(layer)
    twin(minigrad.randn(shape).double())
    assert all(t.dtype == minigrad.float64 for t in twin.state_dict().values() if t.is_floating_point())
    assert repr(layer) == repr(build(call))


def test_states_without_shapes() -> None:
    lazy = nn.LazyLinear(3)
    lazy.load_state_dict(nn.LazyLinear(3).state_dict())
    assert lazy.has_uninitialized_params()
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter or buffer"):
        nn.Linear(4, 3).load_state_dict(lazy.state_dict())


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda w: w.shape, RuntimeError), (lambda w: w + 1, ValueError), (lambda w: w.sum(), ValueError), (lambda w: w[0], ValueError),
        (lambda w: w.tolist(), ValueError), (lambda w: minigrad.ones(2) @ w, ValueError), (lambda w: w.numel(), ValueError),
        (lambda w: w.data.zero_(), ValueError), (lambda w: np.asarray(w.data), ValueError),
    ],
)  # fmt: skip
def test_an_uninitialised_parameter_refuses_to_be_used(use: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="uninitialized parameter"):
        use(nn.UninitializedParameter())


def test_an_optimiser_may_take_them_but_not_step() -> None:
    layer = nn.LazyLinear(3)
    optimizer = minigrad.optim.SGD(layer.parameters(), lr=0.1)
    layer(minigrad.ones(1, 2)).sum().backward()
    before = layer.weight.tolist()
    optimizer.step()
    np.testing.assert_allclose(layer.weight.tolist(), np.array(before) - 0.1, rtol=1e-5)


def test_materialize() -> None:
    parameter = nn.UninitializedParameter(requires_grad=False, dtype=minigrad.float64)
    parameter.materialize((2, 3))
    assert (parameter.shape, parameter.dtype, parameter.requires_grad) == ((2, 3), minigrad.float64, False)
    buffer = nn.UninitializedBuffer(persistent=False)
    buffer.materialize((2,), dtype=minigrad.float16)
    assert (type(buffer), buffer.shape, buffer.dtype, buffer.persistent) == (nn.Buffer, (2,), minigrad.float16, False)


def test_a_lazy_module_of_ones_own() -> None:
    class Scale(LazyModuleMixin):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.UninitializedParameter()

        def initialize_parameters(self, x: minigrad.Tensor) -> None:
            self.factor.materialize(x.shape[-1:])
            nn.init.constant_(self.factor, 2.0)

        def forward(self, x: minigrad.Tensor) -> minigrad.Tensor:
            return x * self.factor

    scale = Scale()
    for _ in range(2):
        assert scale(minigrad.ones(2)).tolist() == [2.0, 2.0]

    class Forgetful(Scale):
        def initialize_parameters(self, x: minigrad.Tensor) -> None:
            pass

    with pytest.raises(RuntimeError, match="module Forgetful has not been fully initialized"):
        Forgetful()(minigrad.ones(2))

    class Undefined(LazyModuleMixin):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.UninitializedParameter()

    with pytest.raises(NotImplementedError, match="initialize_parameters is not implemented for Undefined"):
        Undefined()(minigrad.ones(2))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.LazyConv2d(4, 3)(minigrad.zeros(2, 2)), RuntimeError,
         r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d, but got input of size: \(2, 2\)"),
        (lambda: nn.LazyConv2d(4, 3, groups=2)(minigrad.zeros(1, 3, 5, 5)), ValueError, "in_channels must be divisible by groups, got 3 and groups=2"),
        (lambda: nn.LazyConv2d(3, 3, groups=2), ValueError, "out_channels must be divisible by groups"),
    ],
)  # fmt: skip
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_buffers_as_attributes() -> None:
    module = nn.Module()
    module.kept, module.passing = nn.Buffer(minigrad.zeros(2)), nn.Buffer(minigrad.zeros(3), persistent=False)
    assert [name for name, _ in module.named_buffers()] == ["kept", "passing"]
    assert list(module.state_dict()) == ["kept"]
    module.double()
    assert module.kept.dtype == module.passing.dtype == minigrad.float64
    assert not list(module.parameters())
