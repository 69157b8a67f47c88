"""Convolutions: the identities of the textbook, all orders of derivative, and parity with torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.core.engine import grad
from minigrad.core.tensor import make_tensor
from minigrad.kernels.geometry import Windows
from minigrad.nn import functional as F
from minigrad.ops.conv import conv_weight

from .derivatives import check_two_orders, leaves, torch_or_skip

Array = np.ndarray[Any, Any]
CONV: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE: dict[int, Callable[..., Tensor]] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def integers(seed: int, *shape: int) -> Array:
    """Small integers in float64: sums of their products are exact, so identities hold as equalities."""
    return np.random.default_rng(seed).integers(-5, 6, shape).astype(np.float64)


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


# --- worked examples --------------------------------------------------------------------------------------------------


def test_ten_filters_on_a_small_picture() -> None:
    weight, bias = minigrad.zeros(10, 3, 5, 5), minigrad.zeros(10)
    assert F.conv2d(minigrad.zeros(1, 3, 32, 32), weight, bias, stride=1, padding=2).shape == (1, 10, 32, 32)
    assert weight.numel() + bias.numel() == 760


def test_an_edge_filter_by_hand() -> None:
    x = minigrad.tensor([[[1.0, 1.0, 5.0], [1.0, 1.0, 5.0], [1.0, 1.0, 5.0]]])
    edges = minigrad.tensor([[[[-1.0, 1.0]]]])
    assert F.conv2d(x, edges, minigrad.tensor([10.0])).tolist() == [[[10.0, 14.0], [10.0, 14.0], [10.0, 14.0]]]


# --- the identities of the textbook, exactly --------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_input_gradient_is_the_full_convolution_with_the_rotated_filter(rank: int) -> None:
    axes = tuple(range(2, 2 + rank))
    x, w = leaves(integers(1, 2, 3, *(6, 5, 4)[:rank]), integers(2, 4, 3, *(3, 2, 3)[:rank]))
    out = CONV[rank](x, w)
    g = minigrad.tensor(integers(3, *out.shape))
    out.backward(g)
    rotated = w.detach().flip(axes).transpose(0, 1)
    full = CONV[rank](g, rotated, padding=[k - 1 for k in w.shape[2:]])
    assert np.array_equal(x.grad.numpy(), full.numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_weight_gradient_is_the_convolution_of_input_and_output_gradient(rank: int) -> None:
    x, w = leaves(integers(1, 2, 3, *(6, 5, 4)[:rank]), integers(2, 4, 3, *(3, 2, 3)[:rank]))
    out = CONV[rank](x, w)
    g = minigrad.tensor(integers(3, *out.shape))
    out.backward(g)
    # Samples take the place of channels: each filter sums over them.
    correlation = CONV[rank](x.detach().transpose(0, 1), g.transpose(0, 1)).transpose(0, 1)
    assert np.array_equal(w.grad.numpy(), correlation.numpy())


@pytest.mark.parametrize(("stride", "dilation", "padding"), [(2, 1, 0), (3, 1, 2), (1, 2, 1), (2, 2, 3)])
def test_stride_and_dilation_change_places_in_the_weight_gradient(stride: int, dilation: int, padding: int) -> None:
    x, w = leaves(integers(1, 2, 3, 11, 10), integers(2, 4, 3, 3, 2))
    out = F.conv2d(x, w, stride=stride, dilation=dilation, padding=padding)
    g = minigrad.tensor(integers(3, *out.shape))
    out.backward(g)
    correlation = F.conv2d(
        x.detach().transpose(0, 1), g.transpose(0, 1), stride=dilation, dilation=stride, padding=padding
    ).transpose(0, 1)
    assert np.array_equal(w.grad.numpy(), correlation.numpy()[:, :, :3, :2])  # beyond: rows that no window has read


@pytest.mark.parametrize("bias", [False, True])
def test_bias_gradient_is_the_sum_over_its_channel(bias: bool) -> None:
    x, w, b = leaves(integers(1, 2, 3, 5, 5), integers(2, 4, 3, 3, 3), integers(3, 4))
    out = F.conv2d(x, w, b if bias else None)
    g = integers(4, *out.shape)
    out.backward(minigrad.tensor(g))
    assert b.grad is None if not bias else np.array_equal(b.grad.numpy(), g.sum((0, 2, 3)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolution_is_the_input_gradient(rank: int) -> None:
    options: dict[str, Any] = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}
    x, w = leaves(integers(1, 2, 4, *(9, 11, 9)[:rank]), integers(2, 6, 2, *(3, 2, 3)[:rank]))
    out = CONV[rank](x, w, **options)
    g = minigrad.tensor(integers(3, *out.shape))
    out.backward(g)
    smallest = CONV_TRANSPOSE[rank](g, w.detach(), **options)
    missing = [n - m for n, m in zip(x.shape[2:], smallest.shape[2:], strict=True)]
    transposed = CONV_TRANSPOSE[rank](g, w.detach(), output_padding=missing, **options)
    assert np.array_equal(x.grad.numpy(), transposed.numpy())


def test_convolution_with_a_filter_as_large_as_the_input_is_a_linear_layer() -> None:
    x, w, b = integers(1, 3, 2, 4, 5), integers(2, 6, 2, 4, 5), integers(3, 6)
    out = F.conv2d(minigrad.tensor(x), minigrad.tensor(w), minigrad.tensor(b))
    assert np.array_equal(out.numpy().reshape(3, 6), x.reshape(3, -1) @ w.reshape(6, -1).T + b)


def test_groups_are_independent_convolutions() -> None:
    x, w, b = integers(1, 2, 6, 7, 7), integers(2, 9, 2, 3, 3), integers(3, 9)
    whole = F.conv2d(minigrad.tensor(x), minigrad.tensor(w), minigrad.tensor(b), groups=3).numpy()
    for i in range(3):
        channels, filters = slice(2 * i, 2 * i + 2), slice(3 * i, 3 * i + 3)
        part = F.conv2d(minigrad.tensor(x[:, channels]), minigrad.tensor(w[filters]), minigrad.tensor(b[filters]))
        assert np.array_equal(whole[:, filters], part.numpy())


@pytest.mark.parametrize(
    ("kernel", "dilation", "before", "after"), [(3, 1, 1, 1), (4, 1, 1, 2), (2, 3, 1, 2), (1, 1, 0, 0)]
)
def test_same_padding_is_padding_by_hand(kernel: int, dilation: int, before: int, after: int) -> None:
    x, w = integers(1, 2, 3, 8), integers(2, 4, 3, kernel)
    out = F.conv1d(minigrad.tensor(x), minigrad.tensor(w), padding="same", dilation=dilation)
    padded = np.pad(x, ((0, 0), (0, 0), (before, after)))
    by_hand = F.conv1d(minigrad.tensor(padded), minigrad.tensor(w), padding="valid", dilation=dilation)
    assert out.shape == (2, 4, 8)
    assert np.array_equal(out.numpy(), by_hand.numpy())


# --- all orders of derivative -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": (2, 1)},
        {"groups": 2, "stride": (1, 2)},
        {"padding": "same"},
    ],
)
def test_two_orders_of_conv2d(options: dict[str, Any]) -> None:
    weight = normal(2, 2, 2 // options.get("groups", 1), 2, 3)
    check_two_orders(lambda x, w, b: F.conv2d(x, w, b, **options), normal(1, 1, 2, 4, 5), weight, normal(3, 2))


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"dilation": 2, "groups": 2}]
)
def test_two_orders_of_conv_transpose2d(options: dict[str, Any]) -> None:
    weight = normal(2, 2, 2 // options.get("groups", 1), 2, 3)
    check_two_orders(
        lambda x, w, b: F.conv_transpose2d(x, w, b, **options), normal(1, 1, 2, 3, 2), weight, normal(3, 2)
    )


def test_two_orders_of_the_weight_gradient() -> None:
    windows = Windows.conv("conv2d", 2, (2, 4, 3, 4), (2, 2, 2, 3), stride=(1, 2), padding=1, groups=2)
    check_two_orders(lambda x, g: conv_weight(x, g, windows), normal(1, 2, 4, 3, 4), normal(2, 2, 2, *windows.out_size))


def test_the_third_derivative_of_the_trilinear_form() -> None:
    """<g, conv(x, w)> differentiated once in each argument, along u, v, t, is <t, conv(u, v)>, exactly."""
    x, w = leaves(integers(1, 2, 2, 6, 6), integers(2, 3, 2, 3, 3))
    windows: dict[str, Any] = {"stride": 2, "padding": 1}
    (g,) = leaves(integers(3, *F.conv2d(x, w, **windows).shape))
    u, v, t = (minigrad.tensor(integers(i, *a.shape)) for i, a in ((4, x), (5, w), (6, g)))
    form = (g * F.conv2d(x, w, **windows)).sum()
    (in_x,) = grad(form, x, create_graph=True)
    (in_xw,) = grad((in_x * u).sum(), w, create_graph=True)
    (in_xwg,) = grad((in_xw * v).sum(), g)
    assert (in_xwg * t).sum().item() == (t * F.conv2d(u, v, **windows)).sum().item() != 0


# --- layouts, batches, dtypes -----------------------------------------------------------------------------------------


def test_layout_does_not_matter() -> None:
    x, w = integers(1, 2, 3, 6, 8), integers(2, 4, 3, 3, 3)
    expected = F.conv2d(minigrad.tensor(x), minigrad.tensor(w)).numpy()
    g = integers(3, *expected.shape)
    results = []
    for turn in (
        lambda a: a,
        lambda a: np.ascontiguousarray(a.T).T,
        lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    ):
        leaf_x, leaf_w = (make_tensor(turn(a)) for a in (x, w))
        leaf_x.requires_grad = leaf_w.requires_grad = True
        out = F.conv2d(leaf_x, leaf_w)
        assert np.array_equal(out.detach().numpy(), expected)
        out.backward(make_tensor(turn(g)))
        results.append((leaf_x.grad.numpy(), leaf_w.grad.numpy()))
    for in_x, in_w in results[1:]:
        assert np.array_equal(in_x, results[0][0])
        assert np.array_equal(in_w, results[0][1])


def test_a_cotangent_of_stride_zero() -> None:
    x, w = leaves(integers(1, 2, 3, 5, 5), integers(2, 4, 3, 3, 3))
    F.conv2d(x, w).sum().backward()  # sum spreads one number over the shape of its input
    x_dense, w_dense = leaves(integers(1, 2, 3, 5, 5), integers(2, 4, 3, 3, 3))
    F.conv2d(x_dense, w_dense).backward(minigrad.tensor(np.ones((2, 4, 3, 3))))
    assert np.array_equal(x.grad.numpy(), x_dense.grad.numpy())
    assert np.array_equal(w.grad.numpy(), w_dense.grad.numpy())


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_an_input_without_batch(rank: int) -> None:
    x, w, b = integers(1, 4, *(6, 5, 4)[:rank]), integers(2, 4, 4, *(3,) * rank), integers(3, 4)
    for function in (CONV[rank], CONV_TRANSPOSE[rank]):
        alone, batched = leaves(x, x[None])
        out = function(alone, minigrad.tensor(w), minigrad.tensor(b), padding=1)
        expected = function(batched, minigrad.tensor(w), minigrad.tensor(b), padding=1)
        assert np.array_equal(out.detach().numpy()[None], expected.detach().numpy())
        (out * out).sum().backward()
        (expected * expected).sum().backward()
        assert np.array_equal(alone.grad.numpy()[None], batched.grad.numpy())


def test_integer_tensors_convolve_exactly() -> None:
    x, w = integers(1, 2, 3, 6, 6), integers(2, 4, 3, 3, 3)
    out = F.conv2d(minigrad.tensor(x.astype(np.int64)), minigrad.tensor(w.astype(np.int64)), padding=1)
    assert out.dtype == minigrad.int64
    assert np.array_equal(out.numpy(), F.conv2d(minigrad.tensor(x), minigrad.tensor(w), padding=1).numpy())


def test_an_empty_batch() -> None:
    x, w = leaves(np.zeros((0, 3, 5, 5)), integers(2, 4, 3, 3, 3))
    out = F.conv2d(x, w)
    assert out.shape == (0, 4, 3, 3)
    out.sum().backward()
    assert x.grad.shape == (0, 3, 5, 5)
    assert not w.grad.numpy().any()


# --- mistakes ---------------------------------------------------------------------------------------------------------

PICTURE, FILTERS = minigrad.zeros(1, 3, 8, 8), minigrad.zeros(4, 3, 3, 3)
MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (
        lambda: F.conv2d(minigrad.zeros(1, 3, 32, 32), minigrad.zeros(8, 4, 3, 3)),
        RuntimeError,
        (
            "conv2d: input has 3 channels but weight expects 4 (groups=1): weight shape (8, 4, 3, 3), "
            "input shape (1, 3, 32, 32)"
        ),
    ),
    (lambda: F.conv2d(PICTURE[0, :1, :2, :2], FILTERS[:, :1]), RuntimeError, "conv2d: the windows do not fit"),
    (lambda: F.conv2d(PICTURE, FILTERS, stride=0), RuntimeError, "conv2d: stride must be positive"),
    (lambda: F.conv2d(PICTURE, FILTERS, bias=minigrad.zeros(5)), RuntimeError, "conv2d: bias must have one element"),
    (lambda: F.conv1d(PICTURE, FILTERS[0]), RuntimeError, "conv1d: input must have 3 axes"),
    (lambda: F.conv3d(PICTURE, FILTERS), RuntimeError, "conv3d: weight must have 5 axes"),
    (
        lambda: F.conv2d(PICTURE, FILTERS.double()),
        RuntimeError,
        "conv2d: weight is float64 but input is float32; convert one of them, as in input.to(weight.dtype)",
    ),
    (lambda: F.conv2d(PICTURE, FILTERS, minigrad.zeros(4).double()), RuntimeError, "conv2d: bias is float64 but input is float32"),
    (lambda: F.conv2d(PICTURE.numpy(), FILTERS), TypeError, "conv2d: input must be a Tensor, but got ndarray"),
    (lambda: F.conv2d(PICTURE, None), TypeError, "conv2d: weight must be a Tensor, but got NoneType"),
    (lambda: F.conv2d(PICTURE, FILTERS, 1), TypeError, "conv2d: bias must be a Tensor, but got int"),
    (lambda: F.conv2d(PICTURE, FILTERS, padding=1.0), TypeError, "conv2d: padding must be made of ints"),
    (lambda: F.conv2d(PICTURE > 0, FILTERS > 0), RuntimeError, "conv2d: input must hold numbers, but is bool"),
    (
        lambda: F.conv_transpose2d(PICTURE, FILTERS),
        RuntimeError,
        "conv_transpose2d: input has 3 channels but weight expects 4 (groups=1)",
    ),
    (
        lambda: F.conv_transpose2d(PICTURE, FILTERS.transpose(0, 1), output_padding=1),
        RuntimeError,
        "conv_transpose2d: output_padding must be smaller than stride or dilation",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


# --- parity with torch ------------------------------------------------------------------------------------------------


def compare(name: str, arrays: list[Array], options: dict[str, Any]) -> None:
    """Value, first and second derivatives of a function of minigrad and of torch, in float64."""
    torch = torch_or_skip()
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    try:
        expected = getattr(torch.nn.functional, name)(*theirs, **options)
    except RuntimeError:
        with pytest.raises(RuntimeError, match=name):
            getattr(F, name)(*leaves(*arrays), **options)
        return
    mine = leaves(*arrays)
    out = getattr(F, name)(*mine, **options)
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-10, atol=1e-10)
    weights = [normal(i, *a.shape) for i, a in enumerate(arrays)]
    first = grad((out * out).sum(), mine, create_graph=True)
    their_first = torch.autograd.grad((expected * expected).sum(), theirs, create_graph=True)
    second = grad(sum((g * minigrad.tensor(w)).sum() for g, w in zip(first, weights, strict=True)), mine)
    their_second = torch.autograd.grad(
        sum((g * torch.tensor(w)).sum() for g, w in zip(their_first, weights, strict=True)), theirs
    )
    for got, right in zip([*first, *second], [*their_first, *their_second], strict=True):
        np.testing.assert_allclose(got.detach().numpy(), right.detach().numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_conv_equals_that_of_torch(rank: int, groups: int, bias: bool) -> None:
    plane, kernel = (7, 6, 5)[:rank], (3, 2, 3)[:rank]
    arrays = [normal(1, 2, 4, *plane), normal(2, 6, 4 // groups, *kernel), normal(3, 6)][: 2 + bias]
    for stride, padding, dilation in product((1, 2, 3), (0, 1, 3, "same", "valid"), (1, 2)):
        compare(f"conv{rank}d", arrays, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_conv_transpose_equals_that_of_torch(rank: int, groups: int, bias: bool) -> None:
    plane, kernel = (4, 3, 2)[:rank], (3, 2, 3)[:rank]
    arrays = [normal(1, 2, 4, *plane), normal(2, 4, 6 // groups, *kernel), normal(3, 6)][: 2 + bias]
    for stride, padding, output_padding, dilation in product((1, 2, 3), (0, 1, 2), (0, 1, 2), (1, 3)):
        options = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
        compare(f"conv_transpose{rank}d", arrays, {**options, "groups": groups})
