"""Pooling: examples by hand, gradients of overlapping windows, ties, the way back, and parity with torch."""

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
from minigrad.kernels import cpu
from minigrad.kernels.geometry import Windows
from minigrad.nn import functional as F
from minigrad.ops import pool

from .derivatives import check_two_orders, leaves, torch_or_skip

Array = np.ndarray[Any, Any]


def distinct(seed: int, *shape: int) -> Array:
    """Numbers no two of which are near each other: no maximum is about to change."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) / 8.0


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_max_pool_by_hand() -> None:
    x = minigrad.tensor([[[1.0, 2.0, 3.0], [8.0, 0.0, 4.0], [7.0, 6.0, 5.0]]])
    values, indices = F.max_pool2d(x, 2, stride=1, return_indices=True)
    assert values.tolist() == [[[8.0, 4.0], [8.0, 6.0]]]
    assert indices.tolist() == [[[3, 5], [3, 7]]]


def test_gradients_of_overlapping_maxima_add_up() -> None:
    (x,) = leaves(np.array([[[1.0, 2.0, 3.0], [8.0, 0.0, 4.0], [7.0, 6.0, 5.0]]]))
    F.max_pool2d(x, 2, stride=1).backward(minigrad.tensor([[[1.0, 10.0], [100.0, 1000.0]]]).double())
    assert x.grad.tolist() == [[[0, 0, 0], [101, 0, 10], [0, 1000, 0]]]


def test_the_first_of_equal_maxima_gets_the_gradient() -> None:
    (x,) = leaves(np.full((1, 1, 4), 7.0))
    F.max_pool1d(x, 3, stride=1).sum().backward()
    assert x.grad.tolist() == [[[1, 1, 0, 0]]]


def test_padding_never_wins() -> None:
    (x,) = leaves(np.array([[-3.0, -2.0, -5.0]]))
    out = F.max_pool1d(x, 2, stride=2, padding=1)
    assert out.tolist() == [[-3.0, -2.0]]
    out.sum().backward()
    assert x.grad.tolist() == [[1, 1, 0]]


def test_ceil_mode_keeps_the_rest() -> None:
    x = minigrad.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    assert F.max_pool1d(x, 2).tolist() == [[2.0, 4.0]]
    assert F.max_pool1d(x, 2, ceil_mode=True).tolist() == [[2.0, 4.0, 5.0]]
    assert F.sum_pool1d(x, 2, ceil_mode=True).tolist() == [[3.0, 7.0, 5.0]]
    assert F.avg_pool1d(x, 2, ceil_mode=True).tolist() == [[1.5, 3.5, 5.0]]


def test_dilated_windows_skip_elements() -> None:
    assert F.max_pool1d(minigrad.tensor([[9.0, 1.0, 2.0, 8.0, 3.0]]), 2, stride=1, dilation=2).tolist() == [
        [9.0, 8.0, 3.0]
    ]


def test_average_counts_padding_only_if_asked_to() -> None:
    x = minigrad.tensor([[6.0, 6.0, 6.0]])
    assert F.avg_pool1d(x, 3, stride=1, padding=1).tolist() == [[4.0, 6.0, 4.0]]
    assert F.avg_pool1d(x, 3, stride=1, padding=1, count_include_pad=False).tolist() == [[6.0, 6.0, 6.0]]
    assert F.avg_pool2d(x[None], (1, 3), divisor_override=2).tolist() == [[[9.0]]]


def test_a_global_average() -> None:
    x = distinct(1, 2, 3, 4, 5)
    assert np.allclose(F.adaptive_avg_pool2d(minigrad.tensor(x), 1).numpy()[:, :, 0, 0], x.mean((2, 3)), rtol=1e-14)


def test_adaptive_windows_that_do_not_divide_overlap() -> None:
    x = minigrad.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    assert F.adaptive_avg_pool1d(x, 2).tolist() == [[2.0, 4.0]]
    assert F.adaptive_max_pool1d(x, 3).tolist() == [[2.0, 4.0, 5.0]]
    assert F.adaptive_avg_pool1d(x, 0).shape == (1, 0)


def test_an_infinity_stays_in_its_own_adaptive_window() -> None:
    x = minigrad.tensor([[np.inf, 1.0, 2.0, 3.0, 4.0]])
    assert F.adaptive_avg_pool1d(x, 2).tolist() == [[np.inf, 3.0]]


# --- there and back ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_puts_maxima_back(rank: int) -> None:
    pool, unpool = getattr(F, f"max_pool{rank}d"), getattr(F, f"max_unpool{rank}d")
    x = distinct(1, 2, 3, *(5, 6, 7)[:rank]) + 1
    (leaf,) = leaves(x)
    values, indices = pool(leaf, 2, return_indices=True)
    back = unpool(values, indices, 2, output_size=x.shape)
    kept = back.detach().numpy() != 0
    assert back.shape == x.shape
    assert kept.sum() == values.numel()
    assert np.array_equal(back.detach().numpy()[kept], x[kept])
    again, _ = pool(back, 2, return_indices=True)
    assert np.array_equal(again.detach().numpy(), values.detach().numpy())
    (back * back).sum().backward()
    assert np.array_equal(leaf.grad.numpy(), np.where(kept, 2 * x, 0))


def test_unpooling_to_the_default_size() -> None:
    values, indices = F.max_pool2d(
        minigrad.tensor(distinct(1, 1, 1, 8, 6)), 3, stride=2, padding=1, return_indices=True
    )
    assert values.shape == (1, 1, 4, 3)
    assert F.max_unpool2d(values, indices, 3, stride=2, padding=1, output_size=(8, 6)).shape == (1, 1, 8, 6)
    assert F.max_unpool2d(values, indices.clamp(max=34), 3, stride=2, padding=1).shape == (1, 1, 7, 5)


def test_values_that_unpooling_puts_in_one_place_all_have_its_gradient() -> None:
    """The last one stays; as in torch the gradient is that of a function of places that differ."""
    (values,) = leaves(np.array([[2.0, 3.0, 5.0]]))
    indices = minigrad.tensor([[1, 3, 1]])
    out = F.max_unpool1d(values, indices, 2, output_size=(5,))
    assert out.tolist() == [[0, 5, 0, 3, 0]]
    out.sum().backward()
    assert values.grad.tolist() == [[1, 1, 1]]


# --- all orders of derivative -----------------------------------------------------------------------------------------

FUNCTIONS: list[Callable[[Tensor], Tensor]] = [
    lambda x: F.max_pool2d(x, 3, stride=1, padding=1),
    lambda x: F.max_pool2d(x, 2, stride=(1, 2), dilation=2, ceil_mode=True),
    lambda x: F.avg_pool2d(x, 3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    lambda x: F.sum_pool2d(x, (2, 3), stride=1),
    lambda x: F.lp_pool2d(x + 1, 3, 2),
    lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    lambda x: F.adaptive_max_pool2d(x, (2, 3)),
    lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2, output_size=(4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=range(len(FUNCTIONS)))
def test_two_orders(function: Callable[[Tensor], Tensor]) -> None:
    check_two_orders(function, distinct(1, 1, 2, 4, 5))


@pytest.mark.parametrize(
    "name", ["sum_pool", "sum_pool_input", "pool_scatter", "max_unpool", "pool_gather"]
)
def test_two_orders_of_the_adjoints(name: str) -> None:
    overlapping = {} if name == "max_unpool" else {"stride": (1, 2), "padding": 1}
    windows = Windows.pool("pool", 2, (1, 2, 4, 5), 2 if name == "max_unpool" else 3, **overlapping)
    plane, values = distinct(1, 1, 2, 4, 5), distinct(2, 1, 2, *windows.out_size)
    indices = pool.max_pool(minigrad.tensor(plane), windows)[1]
    start = values if name in ("sum_pool_input", "pool_scatter", "max_unpool") else plane
    rest: tuple[Any, ...] = (windows,)
    if not name.startswith("sum_pool"):
        rest = (indices,) if name.endswith("gather") else (indices, windows.in_size)
    check_two_orders(lambda x: getattr(pool, name)(x, *rest), start)


# --- layouts, batches, dtypes -----------------------------------------------------------------------------------------

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("max_pool", (2,), {"stride": 1}),
    ("avg_pool", (3,), {"padding": 1}),
    ("sum_pool", (2,), {"stride": 1}),
    ("lp_pool", (2.0, 2), {}),
    ("adaptive_max_pool", (3,), {}),
    ("adaptive_avg_pool", (3,), {}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), CALLS)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_batch_and_layout_do_not_matter(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], rank: int
) -> None:
    function = getattr(F, f"{name}{rank}d")
    x = distinct(1, 2, 3, *(4, 5, 6)[:rank])
    expected = function(minigrad.tensor(x), *arguments, **options).numpy()
    before = x.copy()
    for same in (x, np.ascontiguousarray(x.T).T, np.repeat(x, 2, -1)[..., ::2]):
        assert np.array_equal(function(make_tensor(same), *arguments, **options).numpy(), expected)
    assert np.array_equal(x, before)
    for i in range(2):
        assert np.array_equal(function(minigrad.tensor(x[i]), *arguments, **options).numpy(), expected[i])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_indices_without_batch(rank: int) -> None:
    x = distinct(1, 3, *(4, 5, 6)[:rank])
    for name, size in (("max_pool", 2), ("adaptive_max_pool", 3)):
        values, indices = getattr(F, f"{name}{rank}d")(minigrad.tensor(x), size, return_indices=True)
        assert np.array_equal(
            np.take_along_axis(x.reshape(3, -1), indices.numpy().reshape(3, -1), 1), values.numpy().reshape(3, -1)
        )


def test_integers() -> None:
    x = minigrad.tensor([[1, 5, 3, -4, -4, -3]])
    assert F.max_pool1d(x, 3).tolist() == [[5, -3]]
    assert F.sum_pool1d(x, 3).tolist() == [[9, -11]]
    assert F.avg_pool1d(x, 3).tolist() == [[3, -3]]  # rounded towards zero, as torch's avg_pool2d
    assert F.avg_pool1d(x, 3).dtype == minigrad.int64


def test_nan_is_not_hidden() -> None:
    x = minigrad.tensor([[1.0, np.nan, 3.0, 4.0]])
    assert np.isnan(F.max_pool1d(x, 2).numpy()).tolist() == [[True, False]]


# --- mistakes ---------------------------------------------------------------------------------------------------------

X, VALUES, INDICES = minigrad.zeros(1, 1, 8, 8), minigrad.zeros(1, 1, 4, 4), minigrad.zeros(1, 1, 4, 4).long()
MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.max_pool2d(X, 9), RuntimeError, "max_pool2d: the windows do not fit: a kernel of 9x9"),
    (lambda: F.max_pool2d(X, 3, padding=2), RuntimeError, "max_pool2d: padding must be at most half of the kernel size"),
    (lambda: F.avg_pool2d(X, 3, padding=2), RuntimeError, "avg_pool2d: padding must be at most half of the kernel size"),
    (lambda: F.sum_pool2d(X, 0), RuntimeError, "sum_pool2d: kernel_size must be positive"),
    (lambda: F.max_pool3d(X[0], 2), RuntimeError, "max_pool3d: input must have 5 axes"),
    (lambda: F.max_pool2d(X.numpy(), 2), TypeError, "max_pool2d: input must be a Tensor, but got ndarray"),
    (lambda: F.max_pool2d(X > 0, 2), RuntimeError, "max_pool2d: input must hold numbers, but is bool"),
    (lambda: F.avg_pool2d(X, 2, divisor_override=0), RuntimeError, "avg_pool2d: divisor_override must not be zero"),
    (lambda: F.adaptive_avg_pool2d(X, (3,)), RuntimeError, "adaptive_avg_pool2d: output_size must be an int or a tuple of 2 ints"),
    (lambda: F.adaptive_avg_pool2d(X, -1), RuntimeError, "adaptive_avg_pool2d: output_size must be non-negative"),
    (lambda: F.adaptive_max_pool1d(X, 2), RuntimeError, "adaptive_max_pool1d: input must have 3 axes, or 2 without a batch"),
    (lambda: F.max_unpool2d(VALUES, INDICES + 99, 2), RuntimeError, "max_unpool2d: index 99 lies outside of the output plane of 8x8"),
    (lambda: F.max_unpool2d(VALUES, INDICES + 64, 2), RuntimeError, "max_unpool2d: index 64 lies outside"),
    (lambda: F.max_unpool2d(VALUES, INDICES - 1, 2), RuntimeError, "max_unpool2d: index -1 lies outside"),
    (lambda: F.max_unpool2d(VALUES, VALUES, 2), RuntimeError, "max_unpool2d: indices must be an int64 Tensor"),
    (lambda: F.max_unpool2d(VALUES, INDICES[..., 1:], 2), RuntimeError, "max_unpool2d: indices must have the shape of input"),
    (
        lambda: F.max_unpool2d(VALUES, INDICES, 2, output_size=(8, 10)),
        ValueError,
        "max_unpool2d: output_size (8, 10) is impossible on axis 1: pooling gives this input only from sizes between 7 and 9",
    ),
    (lambda: F.max_unpool2d(VALUES, INDICES, 2, output_size=(8,)), ValueError, "output_size must have 2 or 4 numbers, but got 1"),
    (lambda: F.max_unpool2d(VALUES[..., :1], INDICES[..., :1], 1, padding=1), RuntimeError, "max_unpool2d: the output would be 2x-1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


# --- parity with torch ------------------------------------------------------------------------------------------------


def compare(name: str, x: Array, *arguments: Any, indices: bool = False, **options: Any) -> None:
    """Values, indices and gradients, of a function of minigrad and of torch; both may refuse."""
    torch = torch_or_skip()
    theirs = torch.tensor(x, requires_grad=True)
    (mine,) = leaves(x)
    more = {"return_indices": True} if indices else {}
    try:
        expected = getattr(torch.nn.functional, name)(theirs, *arguments, **options, **more)
    except RuntimeError as refusal:
        if "smaller than kernel size" in str(refusal):
            return  # torch's avg_pool3d alone refuses what padding or ceil_mode would let fit
        with pytest.raises(RuntimeError, match=name):
            getattr(F, name)(mine, *arguments, **options, **more)
        return
    out = getattr(F, name)(mine, *arguments, **options, **more)
    if indices:
        (out, found), (expected, their_found) = out, expected
        assert np.array_equal(found.numpy(), their_found.numpy())
        assert found.dtype == minigrad.int64
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    (g,) = grad((out * out).sum(), mine)
    (their_g,) = torch.autograd.grad((expected * expected).sum(), theirs)
    np.testing.assert_allclose(g.numpy(), their_g.numpy(), rtol=1e-11)


@pytest.mark.parametrize("name", ["max_pool", "sum_pool", "sum_pool_input"])
def test_windows_much_larger_than_the_plane_cost_no_more_than_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = getattr(cpu, name)
    calls = []

    def noticed(x: Array, windows: Windows) -> Any:
        assert windows.kernel == (5, 2)
        calls.append(windows)
        return kernel(x, windows)

    monkeypatch.setattr(cpu, name, noticed)
    given, results = distinct(3, 2, 3, 5, 7), []
    for size in (2**30, 7):
        x = minigrad.tensor(given, requires_grad=True)
        y = (F.max_pool2d if name == "max_pool" else F.avg_pool2d)(x, (size, 2), stride=(size, 2), ceil_mode=True)
        y.square().sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for huge, wide in zip(*results, strict=True):
        np.testing.assert_array_equal(huge, wide)
    assert len(calls) == 2


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_max_pool_equals_that_of_torch(rank: int, ceil_mode: bool) -> None:
    x = distinct(1, 2, 3, *(7, 8, 5)[:rank])
    for kernel, stride, padding, dilation in product((1, 2, 3), (None, 1, 2, 3), (0, 1), (1, 2)):
        compare(f"max_pool{rank}d", x, kernel, stride, padding, dilation, ceil_mode, indices=True)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_pool_equals_that_of_torch(rank: int, ceil_mode: bool, count_include_pad: bool) -> None:
    x = distinct(1, 2, 3, *(7, 8, 5)[:rank])
    for kernel, stride, padding in product((1, 2, 3, 6), (None, 1, 2, 3), (0, 1, 2)):
        compare(f"avg_pool{rank}d", x, kernel, stride, padding, ceil_mode, count_include_pad)
        if rank > 1:
            compare(f"avg_pool{rank}d", x, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override=5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_pools_equal_those_of_torch(rank: int) -> None:
    x = distinct(1, 2, 3, *(7, 8, 5)[:rank])
    for size in (1, 2, 3, 4, 5, 7, 9):
        compare(f"adaptive_avg_pool{rank}d", x, size)
        compare(f"adaptive_max_pool{rank}d", x, size, indices=True)
    if rank > 1:
        compare(f"adaptive_avg_pool{rank}d", x, (None, 3, 2)[:rank])
        compare(f"adaptive_max_pool{rank}d", x, (4, None, 5)[:rank], indices=True)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lp_pool_equals_that_of_torch(rank: int) -> None:
    x = distinct(1, 2, 3, *(7, 8, 5)[:rank]) + 1
    for norm_type, kernel, stride, ceil_mode in product((1, 2.0, 3), (2, 3), (None, 2), (False, True)):
        compare(f"lp_pool{rank}d", x, norm_type, kernel, stride, ceil_mode)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_max_unpool_equals_that_of_torch(rank: int) -> None:
    torch = torch_or_skip()
    x = distinct(1, 2, 3, *(6, 8, 5)[:rank])
    for kernel, stride in ((2, 2), (2, 3), ((3, 2, 2)[:rank], None)):
        values, indices = getattr(torch.nn.functional, f"max_pool{rank}d")(
            torch.tensor(x), kernel, stride, return_indices=True
        )
        for size in (None, x.shape[2:], x.shape):
            name, options = f"max_unpool{rank}d", {"kernel_size": kernel, "stride": stride, "output_size": size}
            try:
                expected = getattr(torch.nn.functional, name)(values, indices, **options)
            except (ValueError, RuntimeError) as refusal:
                with pytest.raises(type(refusal)):
                    getattr(F, name)(minigrad.tensor(values.numpy()), minigrad.tensor(indices.numpy()), **options)
                continue
            out = getattr(F, name)(minigrad.tensor(values.numpy()), minigrad.tensor(indices.numpy()), **options)
            assert np.array_equal(out.numpy(), expected.numpy())
