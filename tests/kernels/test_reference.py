"""The reference kernels against the bare definition in Python loops, against torch, and against each other as adjoints."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from minigrad.kernels import reference
from minigrad.kernels.geometry import Windows

from .geometries import Array, all_windows, draw_convolutions, draw_poolings, integers, reads

CONVOLUTIONS = draw_convolutions(40, seed=1)
POOLINGS = draw_poolings(40, seed=2)
DTYPES = [np.float32, np.float64, np.int64, np.int8, np.float16]


def naive_conv(x: Array, w: Array, windows: Windows) -> Array:
    filters, channels = w.shape[:2]
    out = np.zeros((x.shape[0], filters, *windows.out_size), x.dtype)
    for n, k, window in product(range(x.shape[0]), range(filters), all_windows(windows)):
        first = k // (filters // windows.groups) * channels
        for tap, place in reads(windows, window):
            for c in range(channels):
                out[(n, k, *window)] += x[(n, first + c, *place)] * w[(k, c, *tap)]
    return out


def operands(case: int, dtype: Any = np.int64) -> tuple[Array, Array, Array, Windows]:
    n, c, k, windows = CONVOLUTIONS[case]
    x = integers(case, n, c, *windows.in_size, dtype=dtype)
    w = integers(case + 1, k, c // windows.groups, *windows.kernel, dtype=dtype)
    g = integers(case + 2, n, k, *windows.out_size, dtype=dtype)
    return x, w, g, windows


@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
def test_conv_is_its_definition(case: int) -> None:
    x, w, _, windows = operands(case)
    bias = integers(7, w.shape[0])
    out = reference.conv(x, w, bias, windows)
    assert np.array_equal(out, naive_conv(x, w, windows) + bias.reshape(-1, *[1] * windows.rank))
    assert out.dtype == x.dtype


@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
def test_the_three_faces_of_a_convolution_are_adjoint(case: int) -> None:
    """<g, conv(x, w)> = <conv_input(g, w), x> = <conv_weight(x, g), w>, exactly, because all numbers are integers."""
    x, w, g, windows = operands(case)
    inner = (g * reference.conv(x, w, None, windows)).sum()
    assert (reference.conv_input(g, w, None, windows) * x).sum() == inner
    assert (reference.conv_weight(x, g, windows) * w).sum() == inner


@pytest.mark.parametrize("case", range(0, len(CONVOLUTIONS), 4))
@pytest.mark.parametrize("dtype", DTYPES)
def test_all_dtypes_give_the_same_integers(case: int, dtype: Any) -> None:
    exact_x, exact_w, exact_g, windows = operands(case)
    x, w, g, _ = operands(case, dtype)
    pairs = [
        (reference.conv(x, w, None, windows), reference.conv(exact_x, exact_w, None, windows)),
        (reference.conv_input(g, w, None, windows), reference.conv_input(exact_g, exact_w, None, windows)),
        (reference.conv_weight(x, g, windows), reference.conv_weight(exact_x, exact_g, windows)),
    ]
    for result, expected in pairs:
        assert result.dtype == dtype
        assert np.array_equal(result, expected.astype(dtype))  # int8 wraps around


def test_float16_rounds_once() -> None:
    x = np.ones((1, 1, 4096), np.float16)
    windows = Windows((4096,), (4096,), (1,), (1,), ((0, 0),))
    assert reference.conv(x, x, None, windows).item() == 4096  # one by one, 2048 + 1 would stay 2048
    assert reference.sum_pool(x, windows).item() == 4096


def test_conv_input_adds_its_bias() -> None:
    x, w, g, windows = operands(3)
    bias = integers(9, x.shape[1])
    expected = reference.conv_input(g, w, None, windows) + bias.reshape(-1, *[1] * windows.rank)
    assert np.array_equal(reference.conv_input(g, w, bias, windows), expected)


@pytest.mark.parametrize("shape", [(0, 3, 5, 5), (2, 0, 5, 5)])
def test_empty_batches_and_channels(shape: tuple[int, ...]) -> None:
    windows = Windows.conv("conv2d", 2, shape, (4, shape[1], 3, 3))
    x, w = np.ones(shape), np.ones((4, shape[1], 3, 3))
    out = reference.conv(x, w, np.arange(4.0), windows)
    assert out.shape == (shape[0], 4, 3, 3)
    assert (out == np.arange(4.0).reshape(4, 1, 1)).all()
    assert reference.conv_input(out, w, None, windows).shape == shape
    assert not reference.conv_weight(x, out, windows).any()


@pytest.mark.parametrize("case", range(len(POOLINGS)))
def test_max_pool_is_its_definition(case: int) -> None:
    windows = POOLINGS[case]
    x = integers(case, 2, 3, *windows.in_size)
    values, indices = reference.max_pool(x, windows)
    for n, c, window in product(range(2), range(3), all_windows(windows)):
        candidates = [
            (x[(n, c, *place)], np.ravel_multi_index(place, windows.in_size)) for _, place in reads(windows, window)
        ]
        best = max(value for value, _ in candidates)
        assert values[(n, c, *window)] == best
        assert indices[(n, c, *window)] == next(index for value, index in candidates if value == best)
    assert (values.dtype, indices.dtype) == (x.dtype, np.int64)


def test_max_pool_of_minus_infinity_never_points_into_the_padding() -> None:
    windows = Windows.pool("max_pool1d", 1, (1, 1, 4), 2, padding=1)
    values, indices = reference.max_pool(np.full((1, 1, 4), -np.inf), windows)
    assert indices.tolist() == [[[0, 1, 3]]]
    assert (values == -np.inf).all()


def test_max_pool_propagates_nan() -> None:
    windows = Windows.pool("max_pool1d", 1, (1, 1, 6), 3)
    values, indices = reference.max_pool(np.array([[[1.0, np.nan, 3.0, np.nan, 9.0, np.nan]]]), windows)
    assert np.isnan(values).all()
    assert indices.tolist() == [[[1, 5]]]


@pytest.mark.parametrize("case", range(len(POOLINGS)))
def test_scatter_and_gather_are_adjoint(case: int) -> None:
    windows = POOLINGS[case]
    x = integers(case, 2, 3, *windows.in_size)
    values, indices = reference.max_pool(x, windows)
    assert np.array_equal(reference.pool_gather(x, indices), values)
    g = integers(case + 1, *values.shape)
    assert (reference.pool_scatter(g, indices, windows.in_size) * x).sum() == (g * values).sum()


def test_scatter_adds_where_unpool_overwrites() -> None:
    values, indices = np.array([[[2.0, 3.0, 5.0]]]), np.array([[[1, 3, 1]]])
    assert reference.pool_scatter(values, indices, (4,)).tolist() == [[[0, 7, 0, 3]]]
    assert reference.max_unpool(values, indices, (4,)).tolist() == [[[0, 5, 0, 3]]]


@pytest.mark.parametrize("case", range(len(POOLINGS)))
def test_sum_pool_is_its_definition_and_has_its_adjoint(case: int) -> None:
    windows = POOLINGS[case]
    x = integers(case, 2, 3, *windows.in_size)
    out = reference.sum_pool(x, windows)
    for n, c, window in product(range(2), range(3), all_windows(windows)):
        assert out[(n, c, *window)] == sum(x[(n, c, *place)] for _, place in reads(windows, window))
    g = integers(case + 1, *out.shape)
    assert (reference.sum_pool_input(g, windows) * x).sum() == (g * out).sum()


def test_unfold_and_fold_are_adjoint() -> None:
    for case, (n, c, _, windows) in enumerate(CONVOLUTIONS):
        x = integers(case, n, c, *windows.in_size)
        columns = reference.unfold(x, windows)
        g = integers(case + 1, *columns.shape)
        assert (reference.fold(g, windows) * x).sum() == (g * columns).sum()


@pytest.mark.parametrize("case", range(0, len(CONVOLUTIONS), 5))
def test_inputs_are_neither_changed_nor_handed_back(case: int) -> None:
    x, w, g, windows = operands(case)
    for kernel, arguments in [
        (reference.conv, (x, w, None, windows)),
        (reference.conv_input, (g, w, None, windows)),
        (reference.conv_weight, (x, g, windows)),
        (reference.sum_pool, (x, windows)),
        (reference.sum_pool_input, (np.broadcast_to(g[:, :1], (*x.shape[:2], *windows.out_size)).copy(), windows)),
    ]:
        before = [a.copy() for a in arguments if isinstance(a, np.ndarray)]
        result = kernel(*arguments)
        after = [a for a in arguments if isinstance(a, np.ndarray)]
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
        assert not any(np.shares_memory(result, a) for a in after)


@pytest.mark.parametrize("case", range(0, len(CONVOLUTIONS), 2))
def test_conv_and_its_gradients_equal_those_of_torch(case: int) -> None:
    torch = pytest.importorskip("torch")
    x, w, g, windows = operands(case, np.float64)
    leaf_x, leaf_w = (torch.tensor(a, requires_grad=True) for a in (x, w))
    lopsided = [n for pad in reversed(windows.padding) for n in pad]
    out = getattr(torch.nn.functional, f"conv{windows.rank}d")(
        torch.nn.functional.pad(leaf_x, lopsided), leaf_w, None, windows.stride, 0, windows.dilation, windows.groups
    )
    out.backward(torch.tensor(g))
    assert np.array_equal(reference.conv(x, w, None, windows), out.detach().numpy())
    assert np.array_equal(reference.conv_input(g, w, None, windows), leaf_x.grad.numpy())
    assert np.array_equal(reference.conv_weight(x, g, windows), leaf_w.grad.numpy())


@pytest.mark.parametrize("case", range(len(POOLINGS)))
def test_max_pool_equals_that_of_torch(case: int) -> None:
    torch = pytest.importorskip("torch")
    windows = POOLINGS[case]
    x = integers(case, 2, 3, *windows.in_size, dtype=np.float64)
    x[x == 4], x[x < 0] = np.nan, -np.inf
    values, indices = getattr(torch.nn.functional, f"max_pool{windows.rank}d")(
        torch.tensor(x), windows.kernel, windows.stride, [before for before, _ in windows.padding], windows.dilation,
        windows.ceil_mode, True
    )  # fmt: skip
    mine = reference.max_pool(x, windows)
    assert np.array_equal(mine[0], values.numpy(), equal_nan=True)
    assert np.array_equal(mine[1], indices.numpy())
