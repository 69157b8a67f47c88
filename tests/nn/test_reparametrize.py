"""Weight and spectral normalisation, parametrisations, fusion with batch norm, and modules that are not initialised."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.engine import grad
from minigrad.nn.utils import (
    clip_grads_with_norm_,
    fuse_conv_bn_eval,
    fuse_conv_bn_weights,
    fuse_linear_bn_eval,
    parametrizations,
    parametrize,
    remove_spectral_norm,
    remove_weight_norm,
    skip_init,
    spectral_norm,
    weight_norm,
)

from .derivatives import check_two_orders, torch_or_skip

# the layer, the shape of an input, and how it is reparametrised
CASES = [
    (layer, shape, how)
    for layer, shape in (("Linear(3, 4)", (5, 3)), ("Conv2d(2, 4, 3)", (1, 2, 5, 5)), ("ConvTranspose2d(2, 3, 3)", (1, 2, 4, 4)))
    for how in (
        "weight_norm(layer)", "weight_norm(layer, dim=1)", "weight_norm(layer, dim=None)", "weight_norm(layer, 'bias')",
        "spectral_norm(layer)", "spectral_norm(layer, n_power_iterations=3, dim=1)",
        "parametrizations.weight_norm(layer)", "parametrizations.weight_norm(layer, dim=1)", "parametrizations.weight_norm(layer, dim=None)",
        "parametrizations.spectral_norm(layer)", "parametrizations.spectral_norm(layer, n_power_iterations=2)",
        "parametrizations.spectral_norm(layer, 'bias', dim=0)",
    )
]  # fmt: skip
HOOKED = {"weight_norm": (weight_norm, remove_weight_norm), "spectral_norm": (spectral_norm, remove_spectral_norm)}


def build(library: Any, layer: str) -> Any:
    return eval("nn." + layer, {"nn": library.nn}).double()


def apply(library: Any, layer: Any, how: str) -> Any:
    return eval("utils." + how, {"utils": library.nn.utils, "layer": layer})


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize(("layer", "shape", "how"), CASES, ids=[f"{layer}-{how}" for layer, _, how in CASES])
def test_parity_with_torch(layer: str, shape: tuple[int, ...], how: str) -> None:
    torch = torch_or_skip()
    ours, theirs = build(minigrad, layer), build(torch, layer)
    ours.load_state_dict({name: t.numpy().copy() for name, t in theirs.state_dict().items()})
    ours, theirs = apply(minigrad, ours, how), apply(torch, theirs, how)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    random = {name: t.numpy().copy() for name, t in theirs.state_dict().items() if "spectral" in how}
    assert {name: tuple(t.shape) for name, t in ours.state_dict().items()} == {
        n: tuple(t.shape) for n, t in theirs.state_dict().items()
    }
    ours.load_state_dict({**ours.state_dict(), **random})
    for name, t in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), t.numpy(), rtol=1e-12, err_msg=name)
    data = np.random.default_rng(0).standard_normal(shape)
    for training in (True, True, False):
        x, y = minigrad.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        got, expected = ours.train(training)(x), theirs.train(training)(y)
        np.testing.assert_allclose(got.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-12)
        first = grad((got**3).sum(), [x, *ours.parameters()], create_graph=True)
        their_first = torch.autograd.grad((expected**3).sum(), [y, *theirs.parameters()], create_graph=True)
        for a, b in zip(first, their_first, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-8, atol=1e-9)
        if "weight_norm" in how and "None" not in how:
            continue  # torch's second derivative fails its own gradgradcheck here; ours is compared with differences below
        second = grad(sum((g * g).sum() for g in first), [x, *ours.parameters()])
        their_second = torch.autograd.grad(sum((g * g).sum() for g in their_first), [y, *theirs.parameters()])
        for a, b in zip(second, their_second, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", HOOKED)
def test_the_hooked_forms_come_off_again(kind: str) -> None:
    put, take = HOOKED[kind]
    layer = nn.Conv2d(2, 4, 3)
    plain = repr(layer), list(layer.state_dict())
    x = minigrad.randn(1, 2, 5, 5)
    normalised = put(layer).eval()
    expected = normalised(x)
    with pytest.raises(RuntimeError, match=f"Cannot register two {kind} hooks on the same parameter weight"):
        put(layer)
    assert take(layer) is layer
    np.testing.assert_allclose(layer(x).detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert (repr(layer), sorted(layer.state_dict())) == (plain[0], sorted(plain[1]))
    with pytest.raises(ValueError, match=f"{kind} of 'weight' not found in"):
        take(layer)


@pytest.mark.parametrize("kind", HOOKED)
def test_the_hooked_forms_refuse(kind: str) -> None:
    put, _ = HOOKED[kind]
    with pytest.raises(AttributeError, match=rf"{kind}: Linear has no parameter 'wait'; it has \['weight', 'bias'\]"):
        put(nn.Linear(2, 2), "wait")
    with pytest.raises(ValueError, match="can't have uninitialized parameters"):
        put(nn.LazyLinear(2))


def test_spectral_norm_tends_to_the_largest_singular_value() -> None:
    layer = spectral_norm(nn.Linear(6, 4).double(), n_power_iterations=100)
    layer(minigrad.zeros(1, 6).double())
    assert np.linalg.svd(layer.weight.detach().numpy())[1][0] == pytest.approx(1)
    layer = parametrizations.spectral_norm(nn.ConvTranspose1d(3, 5, 2).double(), n_power_iterations=100)
    matrix = layer.weight.detach().numpy().swapaxes(0, 1).reshape(5, -1)
    assert np.linalg.svd(matrix)[1][0] == pytest.approx(1)
    for norm in (spectral_norm, parametrizations.spectral_norm):
        with pytest.raises(
            ValueError, match="Expected n_power_iterations to be positive, but got n_power_iterations=0"
        ):
            norm(nn.Linear(2, 2), n_power_iterations=0)


# --- parametrize ------------------------------------------------------------------------------------------------------


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.triu() + x.triu(1).t()

    def right_inverse(self, x: Any) -> Any:
        return x.triu()


class Scaled(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return self.factor * x

    def right_inverse(self, x: Any) -> Any:
        return x / self.factor


class Returns(nn.Module):
    """A parametrisation that returns what it is told to."""

    def __init__(self, forward: Any, right_inverse: Any = None) -> None:
        super().__init__()
        self.result = forward
        if right_inverse is not None:
            self.right_inverse = right_inverse

    def forward(self, *xs: Any) -> Any:
        return self.result(*xs)


register = parametrize.register_parametrization


def test_a_parametrised_weight_is_computed_and_can_be_set() -> None:
    layer = register(nn.Linear(3, 3), "weight", Symmetric())
    assert type(layer).__name__ == "ParametrizedLinear"
    assert isinstance(layer, nn.Linear)
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    assert parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")
    register(layer, "weight", Scaled(2.0))
    register(layer, "bias", Scaled(4.0))
    assert list(layer.state_dict()) == ["parametrizations.weight.original", "parametrizations.bias.original"]
    layer.weight = minigrad.ones(3, 3)
    assert layer.weight.tolist() == minigrad.ones(3, 3).tolist()
    assert layer.parametrizations.weight.original.tolist() == (0.5 * minigrad.ones(3, 3)).triu().tolist()
    layer(minigrad.ones(1, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad.tolist() == [[2, 4, 4], [0, 2, 4], [0, 0, 2]]
    assert layer.parametrizations.bias.original.grad.tolist() == [4, 4, 4]


@pytest.mark.parametrize("leave_parametrized", [True, False])
def test_parametrisations_come_off_again(leave_parametrized: bool) -> None:
    layer = nn.Linear(3, 3)
    weight = layer.weight
    register(register(layer, "weight", Symmetric()), "bias", Scaled(2.0))
    twin = copy.deepcopy(layer)
    value = layer.weight.tolist()
    original = layer.parametrizations.weight.original.tolist()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized)
    assert layer.weight is weight, "an optimiser may have it"
    assert layer.weight.tolist() == (value if leave_parametrized else original)
    assert type(layer).__name__ == "ParametrizedLinear"
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    assert not parametrize.is_parametrized(layer)
    assert parametrize.is_parametrized(twin, "weight"), "a copy keeps its own"
    assert twin.weight.tolist() == value
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        parametrize.remove_parametrizations(layer, "weight")


def test_several_originals() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    value = layer.weight.tolist()
    with pytest.raises(ValueError, match="Cannot leave unparametrized"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    layer.weight = 2 * layer.weight.detach()
    np.testing.assert_allclose(layer.weight.tolist(), 2 * np.array(value), rtol=1e-6)
    parametrize.remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter)
    np.testing.assert_allclose(layer.weight.tolist(), 2 * np.array(value), rtol=1e-6)


def test_a_parametrised_buffer() -> None:
    layer = nn.BatchNorm1d(3)
    register(layer, "running_var", Scaled(2.0))
    assert layer.running_var.tolist() == [1, 1, 1]
    assert dict(layer.named_buffers())["parametrizations.running_var.original"].tolist() == [0.5, 0.5, 0.5]


def test_cached_computes_once() -> None:
    calls = []
    layer = register(nn.Linear(2, 2), "weight", Returns(lambda x: calls.append(1) or x * 1))
    calls.clear()
    with parametrize.cached():
        assert layer.weight is layer.weight
        with parametrize.cached():
            assert layer.weight is layer.weight
        assert layer.weight is layer.weight
    assert len(calls) == 1
    assert layer.weight is not layer.weight


def test_a_parametrised_module_is_saved_by_its_state_only() -> None:
    layer = register(nn.Linear(3, 3), "weight", Symmetric())
    with pytest.raises(RuntimeError, match=r"saved through state_dict\(\) only"):
        pickle.dumps(layer)
    other = register(nn.Linear(3, 3), "weight", Symmetric())
    other.load_state_dict(layer.state_dict())
    assert other.weight.tolist() == layer.weight.tolist()
    assert layer.double().weight.dtype == minigrad.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: register(nn.Linear(2, 2), "wait", Symmetric()), ValueError, "does not have a parameter, a buffer, or a parametrized element with name 'wait'"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: x.double())), ValueError, r"expected float32 of shape \(2, 2\), got float64"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: x[0])), ValueError, r"expected float32 of shape \(2, 2\), got float32 of shape \(2,\)"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: 3)), ValueError, "must return a tensor. Got int"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: x, lambda x: 3)), ValueError, "must return a Tensor or a Sequence of tensors. Got int"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: x, lambda x: (x, 3))), ValueError, "Got element 1 of type int"),
        (lambda: register(nn.Linear(2, 2), "weight", Returns(lambda x: x, lambda x: x.double())), ValueError, "may not change the dtype: the original has float32"),
        (lambda: register(register(nn.Linear(2, 2), "weight", Symmetric()), "weight", Returns(lambda x: x[0])), ValueError, "A parametrization may not change"),
        (lambda: register(register(nn.Linear(2, 2), "weight", Symmetric()), "weight", Returns(lambda x: x, lambda x: x[0])), ValueError,
         "parametrization.right_inverse may not change"),
        (lambda: setattr(register(nn.Linear(2, 2), "weight", Returns(lambda x: x)), "weight", minigrad.zeros(2, 2)), RuntimeError,
         "parametrization Returns does not implement right_inverse"),
        (lambda: parametrize.ParametrizationList([], nn.Parameter(minigrad.zeros(2))), ValueError, "requires one or more modules"),
        (lambda: parametrizations.weight_norm(nn.Linear(2, 2), "wait"), ValueError, "has no parameter or buffer with name 'wait'"),
        (lambda: parametrizations.spectral_norm(nn.Linear(2, 2), dim=2), IndexError, "expected dim between -2 and 1, got 2"),
        (lambda: weight_norm(nn.Linear(2, 2), dim=2), IndexError, "expected dim between -2 and 1, got 2"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_unsafe_parametrisations_may_change_the_shape() -> None:
    layer = register(nn.Linear(3, 2), "weight", Returns(lambda x: x.t()), unsafe=True)
    assert layer.weight.shape == (3, 2)


def test_two_orders_of_derivatives_of_the_normalised_weight() -> None:
    from minigrad.nn.utils.weight_norm import scaled_to

    random = np.random.default_rng(0)
    check_two_orders(lambda v, g: scaled_to(v, g, 0), random.standard_normal((2, 3)), random.standard_normal((2, 1)))


# --- fusion, initialisation -------------------------------------------------------------------------------------------


def used(norm: Any, *shape: int) -> Any:
    """A batch norm that has seen something."""
    norm(minigrad.randn(*shape, dtype=norm.running_mean.dtype) * 3 + 1)
    if norm.weight is not None:
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias)
    return norm.eval()


@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        ("Conv1d(2, 4, 3)", "BatchNorm1d(4)", (3, 2, 6)), ("Conv2d(2, 4, 3, bias=False, groups=2)", "BatchNorm2d(4, affine=False)", (3, 2, 6, 6)),
        ("Conv3d(2, 4, 2)", "BatchNorm3d(4)", (3, 2, 3, 3, 3)), ("ConvTranspose2d(2, 4, 3)", "BatchNorm2d(4)", (3, 2, 5, 5)),
        ("Linear(2, 4)", "BatchNorm1d(4)", (3, 2)), ("Linear(2, 4, bias=False)", "BatchNorm1d(4, affine=False)", (3, 2)),
    ],
)  # fmt: skip
def test_fusion_computes_the_same(layer: str, norm: str, shape: tuple[int, ...]) -> None:
    before, after = (eval("nn." + call, {"nn": nn}).double() for call in (layer, norm))
    x = minigrad.randn(shape).double()
    after = used(after, *before(x).shape).double()
    before.eval()
    if "Linear" in layer:
        fused = fuse_linear_bn_eval(before, after)
    else:
        fused = fuse_conv_bn_eval(before, after, transpose="Transpose" in layer)
    np.testing.assert_allclose(fused(x).detach().numpy(), after(before(x)).detach().numpy(), rtol=1e-9, atol=1e-12)
    assert fused is not before
    assert fused.weight.dtype == fused.bias.dtype == minigrad.float64
    assert fused.weight.requires_grad


def test_fusion_of_a_linear_with_one_feature() -> None:
    linear, norm = nn.Linear(3, 4).eval(), used(nn.BatchNorm1d(1), 8, 1)
    assert fuse_linear_bn_eval(linear, norm).bias.shape == (4,)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fuse_conv_bn_eval(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1).eval()), "Fusion only for eval!"),
        (lambda: fuse_linear_bn_eval(nn.Linear(1, 1).eval(), nn.BatchNorm1d(1)), "Fusion only for eval!"),
        (
            lambda: fuse_conv_bn_eval(nn.Conv2d(1, 1, 1).eval(), nn.BatchNorm2d(1, track_running_stats=False).eval()),
            "must not be None",
        ),
        (
            lambda: fuse_linear_bn_eval(nn.Linear(1, 3).eval(), nn.BatchNorm1d(2).eval()),
            "got linear.out_features=3 and bn.num_features=2",
        ),
    ],
)
def test_fusion_refuses(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_fused_weights_keep_their_dtypes() -> None:
    ones = minigrad.ones(2).double()
    weight, bias = fuse_conv_bn_weights(minigrad.ones(2, 1, 1), None, ones, ones, 0.0, None, None)
    assert (weight.dtype, bias.dtype) == (minigrad.float32, minigrad.float32)
    assert bias.tolist() == [-1, -1]


def test_skip_init() -> None:
    minigrad.manual_seed(0)
    expected = minigrad.rand(1).item()
    minigrad.manual_seed(0)
    layer = skip_init(nn.Conv2d, 2, 3, kernel_size=3, device="cpu")
    assert type(layer) is nn.Conv2d
    assert layer.weight.shape == (3, 2, 3, 3)
    assert minigrad.rand(1).item() == expected, "nothing was drawn"
    assert repr(layer) == repr(nn.Conv2d(2, 3, 3))
    layer.reset_parameters()
    assert layer.weight.abs().max().item() <= 1 / np.sqrt(18) + 1e-6
    with pytest.raises(RuntimeError, match="Expected a Module; got <class 'int'>"):
        skip_init(int)
    with pytest.raises(RuntimeError, match="Dropout must support a 'device' arg"):
        skip_init(nn.Dropout)


def test_clip_grads_with_a_norm_that_is_known() -> None:
    parameter = nn.Parameter(minigrad.zeros(2))
    parameter.grad = minigrad.tensor([3.0, 4.0])
    clip_grads_with_norm_(parameter, 1.0, minigrad.tensor(10.0))
    np.testing.assert_allclose(parameter.grad.tolist(), [0.3, 0.4], rtol=1e-5)
    clip_grads_with_norm_([parameter], 1.0, minigrad.tensor(0.5))
    np.testing.assert_allclose(parameter.grad.tolist(), [0.3, 0.4], rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
@pytest.mark.parametrize("name", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("around", [True, False])
def test_orthogonal_matrices(shape: tuple[int, ...], name: str, around: bool) -> None:
    """The map itself is torch's, with its gradient and its inverse; what it gives is orthogonal."""
    torch = torch_or_skip()
    random = np.random.default_rng(4)
    start, values, g = random.standard_normal((3, *shape))

    def build(library: Any) -> Any:
        module = library.nn.Module()
        module.w = library.nn.Parameter(library.tensor(start))
        return library.nn.utils.parametrizations.orthogonal(module, "w", name, use_trivialization=around)

    ours, theirs = build(minigrad), build(torch)
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    if around or name == "householder":
        np.testing.assert_allclose(
            ours.parametrizations.w.original.detach().numpy(), theirs.parametrizations.w.original.detach().numpy(), atol=1e-12
        )
    if name == "householder":  # the signs on the diagonal are not learned
        places = np.arange(min(shape[-2:]))
        values[..., places, places] = np.sign(values[..., places, places])
    state = {key: values if key.endswith("original") else value.numpy() for key, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    w = ours.w
    np.testing.assert_allclose(w.detach().numpy(), theirs.w.detach().numpy(), atol=1e-10)
    w.backward(minigrad.tensor(g))
    theirs.w.backward(torch.tensor(g))
    np.testing.assert_allclose(
        ours.parametrizations.w.original.grad.numpy(), theirs.parametrizations.w.original.grad.numpy(), atol=1e-9
    )
    tall = w.detach().numpy() if shape[-2] >= shape[-1] else np.swapaxes(w.detach().numpy(), -1, -2)
    np.testing.assert_allclose(np.swapaxes(tall, -1, -2) @ tall, np.broadcast_to(np.eye(tall.shape[-1]), (*tall.shape[:-2], tall.shape[-1], tall.shape[-1])), atol=1e-10)


def test_orthogonal_refuses() -> None:
    orthogonal = minigrad.nn.utils.parametrizations.orthogonal
    with pytest.raises(ValueError, match="no parameter or buffer with name 'other'"):
        orthogonal(minigrad.nn.Linear(2, 2), "other")
    with pytest.raises(ValueError, match="Got a tensor of 1 dimensions"):
        orthogonal(minigrad.nn.Linear(2, 2), "bias")
    with pytest.raises(ValueError, match="orthogonal_map has to be one of"):
        orthogonal(minigrad.nn.Linear(2, 2), orthogonal_map="qr")
    layer = orthogonal(minigrad.nn.Linear(3, 3), "weight", "cayley", use_trivialization=False)
    with pytest.raises(NotImplementedError, match="not possible to assign"):
        layer.weight = minigrad.eye(3)
    with pytest.raises(ValueError, match=r"shape \(3, 3\)"):
        orthogonal(minigrad.nn.Linear(3, 3)).weight = minigrad.ones(2, 2)
