"""A batch norm and the ReLU behind it in a Sequential are computed at once, which nobody can tell from the results."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn

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
    model = nn.Sequential(kind(3, **options), nn.ReLU(), kind(3, **options), nn.ReLU(inplace=True), kind(3)).to(minigrad.zeros(0, dtype=dtype).dtype)
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
