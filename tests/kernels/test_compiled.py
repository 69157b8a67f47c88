"""The compiled kernels against the reference: for every instruction set that the processor has and several numbers of threads.

Data are small integers, for which sums of products are exact in any order: the kernels must agree to the bit.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minigrad.kernels import reference
from minigrad.kernels.geometry import Windows

from .geometries import examples

compiled = pytest.importorskip("minigrad._ext.kernels")
cpus = pytest.importorskip("minigrad._ext.cpus")

Array = np.ndarray[Any, Any]
DTYPES = (np.float32, np.float64)
THREADS = (1, 2, 3)


@pytest.fixture(params=compiled.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = compiled.isa()
    compiled.set_isa(request.param)
    yield request.param
    compiled.set_isa(before)


@pytest.fixture(autouse=True)
def exact_sums() -> Iterator[None]:
    before = compiled.get_conv_precision()
    compiled.set_conv_precision("highest")
    yield
    compiled.set_conv_precision(before)


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    before = compiled.get_num_threads()
    yield
    compiled.set_num_threads(before)


def integers(seed: int, shape: tuple[int, ...], dtype: Any) -> Array:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def assert_same(got: Array, expected: Array) -> None:
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected, strict=True)


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[int, int, int, Windows]:
    """(N, C, K, windows) of 1 to 3 axes. Sizes reach beyond vectors, tiles and blocks along each axis in turn."""
    rank = draw(st.integers(1, 3))
    numbers = lambda low, high: draw(st.tuples(*[st.integers(low, high)] * rank))  # noqa: E731
    in_size = numbers(1, (90, 24, 9)[rank - 1])
    padding = tuple(zip(numbers(0, 3), numbers(0, 3), strict=True))
    groups = draw(st.sampled_from((1, 1, 1, 2, 3)))
    windows = Windows(in_size, numbers(1, 4), numbers(1, 4), numbers(1, 3), padding, groups)
    assume(min(windows.out_size) > 0)
    channels, filters = groups * draw(st.integers(1, 12)), groups * draw(st.integers(1, 20))
    return draw(st.integers(0, 4)), channels, filters, windows


@st.composite
def depthwise_squares(draw: st.DrawFn) -> tuple[int, int, int, Windows]:
    """Depthwise convolutions of planes with square filters, which have kernels of their own."""
    size, stride = draw(st.sampled_from((3, 5, 7))), draw(st.sampled_from((1, 2)))
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))  # noqa: E731
    channels = draw(st.integers(1, 20))
    windows = Windows(pair(1, 45), (size, size), (stride, stride), (1, 1), (pair(0, size), pair(0, size)), channels)
    assume(min(windows.out_size) > 0)
    return draw(st.integers(0, 3)), channels, channels, windows


@st.composite
def whole_planes(draw: st.DrawFn) -> tuple[int, int, int, Windows]:
    """One window, which reads the whole plane: a product of matrices."""
    size = draw(st.tuples(*[st.integers(1, 5)] * draw(st.integers(1, 3))))
    rank = len(size)
    windows = Windows(size, size, draw(st.tuples(*[st.integers(1, 3)] * rank)), (1,) * rank, ((0, 0),) * rank)
    return draw(st.integers(0, 4)), draw(st.integers(1, 5)), draw(st.integers(1, 20)), windows


def case(n: int, c: int, k: int, size: tuple[int, ...], kernel: tuple[int, ...], stride: int, pad: int, groups: int = 1,
         dilation: int = 1) -> tuple[int, int, int, Windows]:  # fmt: skip
    rank = len(size)
    return n, c, k, Windows(size, kernel, (stride,) * rank, (dilation,) * rank, ((pad, pad),) * rank, groups)


# Large enough for several threads, and together for every algorithm and every way to cut a product.
LARGE = {
    "3x3": case(4, 16, 40, (24, 24), (3, 3), 1, 1),
    "few filters": case(16, 3, 5, (28, 28), (5, 5), 1, 2),
    "many channels on small planes": case(3, 150, 70, (4, 5), (3, 3), 1, 1),
    "stride 2": case(6, 12, 30, (25, 25), (3, 3), 2, 1),
    "stride 3, dilation 2": case(6, 20, 18, (33, 31), (4, 4), 3, 2, dilation=2),
    "stride beyond the kernel": case(8, 20, 30, (40, 40), (2, 2), 4, 0),
    "1x1": case(3, 70, 50, (17, 17), (1, 1), 1, 0),
    "1x1, few channels": case(2, 5, 9, (90, 91), (1, 1), 1, 0),
    "1x1, two filters": case(3, 70, 2, (17, 19), (1, 1), 1, 0),
    "1x1, two filters, whole vectors": case(5, 70, 2, (32, 32), (1, 1), 1, 0),
    "1x1, two filters, several blocks": case(3, 9, 2, (64, 80), (1, 1), 1, 0),
    "1x1, groups of few filters": case(3, 18, 6, (16, 16), (1, 1), 1, 0, groups=3),
    "1x1, three filters, short planes": case(3, 40, 3, (6, 7), (1, 1), 1, 0),
    "few channels, many filters": case(9, 3, 40, (33, 30), (4, 4), 2, 1),
    "few channels, no padding": case(7, 6, 16, (14, 15), (5, 5), 1, 0),
    "no padding, groups of more rows than a panel": case(5, 40, 24, (9, 10), (5, 4), 1, 0, groups=2),
    "nothing but padding around": case(9, 20, 16, (6, 7), (5, 4), 1, 4),
    "no padding, three axes, dilation": case(4, 5, 18, (7, 6, 9), (3, 2, 3), 1, 0, dilation=2),
    "few channels, 7x7": case(3, 3, 24, (40, 38), (7, 7), 2, 3),
    "few channels, dilated lines": case(2, 4, 20, (40, 38), (3, 3), 1, 2, dilation=2),
    "1x1, one image of many channels": case(1, 700, 90, (7, 7), (1, 1), 1, 0),
    "1x1, groups": case(2, 80, 60, (11, 11), (1, 1), 1, 0, groups=2),
    "two filters": case(3, 20, 2, (30, 50), (3, 3), 1, 1),
    "four filters, short lines": case(4, 9, 4, (20, 14), (3, 3), 1, 1),
    "three channels up": case(4, 3, 30, (32, 34), (4, 4), 2, 1),
    "windows side by side": case(3, 36, 20, (24, 22), (2, 2), 2, 0),
    "windows side by side, many channels": case(2, 40, 350, (32, 34), (2, 2), 2, 0),
    "1x1, stride 2": case(3, 40, 33, (36, 34), (1, 1), 2, 0),
    "1x1, stride 2, volumes": case(2, 20, 33, (4, 6, 70), (1, 1, 1), 2, 0),
    "windows side by side, three apart": case(2, 10, 12, (9, 99), (3, 3), 3, 0),
    "windows side by side, far apart": case(2, 10, 12, (21, 98), (7, 7), 7, 0),
    "windows side by side, volumes": case(2, 10, 9, (4, 6, 38), (2, 2, 2), 2, 0),
    "depthwise": case(4, 48, 48, (30, 30), (3, 3), 1, 1, groups=48),
    "depthwise, stride 2": case(3, 40, 40, (37, 45), (3, 3), 2, 1, groups=40),
    "depthwise, stride 3": case(2, 9, 9, (50, 23), (5, 5), 3, 2, groups=9),
    "depthwise 5x5": case(3, 20, 20, (30, 34), (5, 5), 1, 2, groups=20),
    "depthwise 5x5, stride 2": case(3, 20, 20, (41, 46), (5, 5), 2, 2, groups=20),
    "depthwise 5x5, stride 2, odd padding": case(3, 20, 20, (41, 46), (5, 5), 2, 1, groups=20),
    "depthwise 7x7, stride 2": case(2, 9, 9, (70, 61), (7, 7), 2, 3, groups=9),
    "depthwise, stride 2, no padding": case(3, 18, 18, (37, 45), (3, 3), 2, 0, groups=18),
    "depthwise, dilated": case(2, 10, 10, (30, 34), (3, 3), 1, 4, groups=10, dilation=4),
    "depthwise, two filters each": case(2, 20, 40, (21, 20), (5, 3), 1, 1, groups=20),
    "depthwise, several blocks": case(1, 3, 3, (300, 280), (7, 7), 1, 3, groups=3),
    "depthwise, long lines": case(1, 2, 2, (9000,), (5,), 1, 2, groups=2),
    "depthwise, small planes": case(3, 300, 300, (7, 7), (3, 3), 1, 1, groups=300),
    "depthwise, short lines": case(2, 35, 35, (15, 13), (3, 3), 1, 1, groups=35),
    "depthwise, short lines, dilated": case(2, 34, 34, (13, 12), (5, 5), 1, 4, groups=34, dilation=2),
    "depthwise, stride beyond the kernel": case(3, 33, 33, (21, 22), (2, 2), 4, 0, groups=33),
    "depthwise, stride beyond the plane": case(3, 33, 33, (3, 5), (2, 2), 6, 0, groups=33),
    "depthwise, several blocks, stride 2": case(2, 18, 18, (300, 90), (3, 3), 2, 1, groups=18),
    "depthwise, long lines, stride 2": case(1, 17, 17, (30000,), (5,), 2, 2, groups=17),
    "depthwise, volumes, stride 2": case(2, 19, 19, (7, 9, 10), (3, 3, 3), 2, 1, groups=19),
    "depthwise, volumes": case(2, 6, 6, (9, 10, 18), (3, 3, 3), 1, 1, groups=6),
    "pairs of channels": case(2, 24, 24, (19, 21), (3, 3), 2, 1, groups=12),
    "groups": case(4, 24, 36, (20, 20), (3, 3), 1, 1, groups=3),
    "one image, many filters": case(1, 40, 200, (9, 9), (3, 3), 1, 1),
    "long lines": case(2, 4, 6, (40000,), (9,), 1, 4),
    "long lines, dilated": case(2, 20, 30, (5000,), (3,), 2, 8, dilation=8),
    "large kernel": case(2, 3, 8, (40, 40), (19, 19), 1, 9),
    "kernel of the whole plane": case(6, 8, 90, (12, 12), (12, 12), 1, 0),
    "few pixels": case(50, 70, 131, (7, 7), (1, 1), 1, 0),
    "few pixels of volumes": case(2, 80, 65, (5, 1, 7), (1, 1, 1), 1, 0),
    "volumes": case(2, 6, 20, (12, 14, 16), (3, 3, 3), 1, 1),
    "wide rows": case(1, 3, 9, (6, 3000), (3, 5), 1, 2),
}


def check_convolution(n: int, c: int, k: int, windows: Windows, dtype: Any, seed: int) -> None:
    x = integers(seed, (n, c, *windows.in_size), dtype)
    w = integers(seed + 1, (k, c // windows.groups, *windows.kernel), dtype)
    g = integers(seed + 2, (n, k, *windows.out_size), dtype)
    out_bias, in_bias = integers(seed + 3, (k,), dtype), integers(seed + 4, (c,), dtype)
    for bias in (out_bias, None):
        assert_same(compiled.conv(x, w, bias, windows), reference.conv(x, w, bias, windows))
    for bias in (in_bias, None):
        assert_same(compiled.conv_input(g, w, bias, windows), reference.conv_input(g, w, bias, windows))
    assert_same(compiled.conv_weight(x, g, windows), reference.conv_weight(x, g, windows))


@examples(60)
@given(shape=convolutions() | depthwise_squares() | whole_planes(), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 1000))
@example(shape=(0, 2, 3, Windows((4,), (2,), (1,), (1,), ((0, 0),))), dtype=np.float32, seed=0)
@example(shape=(1, 1, 1, Windows((1,), (1,), (1,), (1,), ((0, 0),))), dtype=np.float32, seed=0)
@example(shape=(1, 1, 1, Windows((1,), (3,), (1,), (1,), ((2, 2),))), dtype=np.float64, seed=0)
def test_convolutions_equal_the_reference(shape: tuple[int, int, int, Windows], dtype: Any, seed: int) -> None:
    before = compiled.isa()
    try:
        for name in compiled.available_isas():
            compiled.set_isa(name)
            check_convolution(*shape, dtype, seed)
    finally:
        compiled.set_isa(before)


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("threads", THREADS)
def test_large_convolutions_equal_the_reference(name: str, threads: int, isa: str) -> None:
    compiled.set_num_threads(threads)
    check_convolution(*LARGE[name], np.float64 if threads == 2 else np.float32, 7)


@pytest.mark.parametrize("precision", ["highest", "high"])
@pytest.mark.parametrize("name", LARGE)
def test_results_are_finished_and_filters_kept(name: str, precision: str, isa: str) -> None:
    compiled.set_conv_precision(precision)
    n, c, k, windows = LARGE[name]
    random = np.random.default_rng(0)
    x = random.standard_normal((n, c, *windows.in_size), np.float32)
    w = random.standard_normal((k, c // windows.groups, *windows.kernel), np.float32)
    bias, residual = random.standard_normal(k, np.float32), random.standard_normal((n, k, *windows.out_size), np.float32)
    x[0, 0].flat[0] = np.nan
    scale, shift = random.standard_normal(k, np.float32), random.standard_normal(k, np.float32)
    plain, kept = compiled.conv(x, w, bias, windows), compiled.KeptFilters(w)
    of_channels = (-1, *[1] * windows.rank)
    scaled = (plain.astype("f8") * scale.reshape(of_channels) + shift.reshape(of_channels)).astype("f4")
    for threads in (2, 1):
        compiled.set_num_threads(threads)
        for added, low, high in ((None, 0.0, np.inf), (None, 0.0, 0.5), (residual, -np.inf, np.inf), (residual, 0.0, np.inf)):
            finish = {"residual": added, "low": low, "high": high}
            expected = np.clip(plain if added is None else plain + added, np.float32(low), np.float32(high))
            assert_same(compiled.conv(x, w, bias, windows, **finish), expected)
            assert_same(compiled.conv(x, w, bias, windows, **finish, kept=kept), expected)
            expected = np.clip(scaled if added is None else scaled + added, np.float32(low), np.float32(high))
            found = compiled.conv(x, w, bias, windows, scale, shift, **finish)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.nanmax(np.abs(plain)))


def test_kept_filters_are_used_only_as_they_were_packed() -> None:
    """Another shape, precision or instruction set packs anew, and leaves what is kept alone."""
    w = np.random.default_rng(0).standard_normal((40, 16, 3, 3), np.float32)
    kept = compiled.KeptFilters(w)
    before = compiled.isa()
    try:
        for isa in compiled.available_isas() * 2:
            compiled.set_isa(isa)
            for precision in ("high", "highest"):
                compiled.set_conv_precision(precision)
                for size in (30, 12, 5):
                    windows = Windows((size, size), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
                    x = np.random.default_rng(size).standard_normal((2, 16, size, size), np.float32)
                    assert_same(compiled.conv(x, w, None, windows, kept=kept), compiled.conv(x, w, None, windows))
    finally:
        compiled.set_isa(before)
    with pytest.raises(ValueError, match="the filters that are kept are others"):
        compiled.conv(x, w.copy(), None, windows, kept=kept)
    with pytest.raises(ValueError, match=r"shape of residual to be \(2, 40, 5, 5\), but got \(2, 40, 5\)"):
        compiled.conv(x, w, None, windows, residual=np.zeros((2, 40, 5), np.float32))
    with pytest.raises(TypeError, match="residual to be an array of float32, but got float64"):
        compiled.conv(x, w, None, windows, residual=np.zeros((2, 40, 5, 5)))
    with pytest.raises(ValueError, match="size of scale to be 40, but got 39"):
        compiled.conv(x, w, None, windows, np.zeros(39, np.float32), np.zeros(40, np.float32))
    with pytest.raises(TypeError, match="shift"):
        compiled.conv(x, w, None, windows, np.zeros(40, np.float32))


@pytest.mark.parametrize("name", LARGE)
def test_rounding_does_not_depend_on_the_number_of_threads(name: str) -> None:
    n, c, k, windows = LARGE[name]
    random = np.random.default_rng(0)
    x = random.standard_normal((n, c, *windows.in_size), np.float32)
    w = random.standard_normal((k, c // windows.groups, *windows.kernel), np.float32)
    results = []
    for threads in THREADS:
        compiled.set_num_threads(threads)
        y = compiled.conv(x, w, None, windows)
        results.append((y, compiled.conv_input(y, w, None, windows), compiled.conv_weight(x, y, windows)))
    for other in results[1:]:
        for got, expected in zip(other, results[0], strict=True):
            assert_same(got, expected)


@pytest.mark.parametrize("name", LARGE)
def test_error_is_that_of_the_arithmetic(name: str, isa: str) -> None:
    n, c, k, windows = LARGE[name]
    random = np.random.default_rng(0)
    x = random.standard_normal((n, c, *windows.in_size))
    w = random.standard_normal((k, c // windows.groups, *windows.kernel))
    g = random.standard_normal((n, k, *windows.out_size))
    short = [a.astype(np.float32) for a in (x, w, g)]
    for exact, got in (
        (reference.conv(x, w, None, windows), compiled.conv(short[0], short[1], None, windows)),
        (reference.conv_input(g, w, None, windows), compiled.conv_input(short[2], short[1], None, windows)),
        (reference.conv_weight(x, g, windows), compiled.conv_weight(short[0], short[2], windows)),
    ):
        assert np.linalg.norm(got - exact) <= 1e-6 * np.linalg.norm(exact)


@np.errstate(invalid="ignore")
def test_infinities_and_nans_reach_only_the_windows_that_read_them(isa: str) -> None:
    windows = Windows((7, 9), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    x = np.ones((2, 2, 7, 9), np.float32)
    x[0, 0, 3, 8], x[1, 1, 6, 0] = np.inf, np.nan
    w = np.ones((3, 2, 3, 3), np.float32)
    y = compiled.conv(x, w, None, windows)
    assert_same(y, reference.conv(x, w, None, windows))
    g = np.ones_like(y)
    assert_same(compiled.conv_weight(x, g, windows), reference.conv_weight(x, g, windows))
    g[0, 0, 3, 8], x[...] = np.inf, 1
    assert_same(compiled.conv_weight(x, g, windows), reference.conv_weight(x, g, windows))
    assert_same(compiled.conv_input(g, w, None, windows), reference.conv_input(g, w, None, windows))


@st.composite
def poolings(draw: st.DrawFn) -> tuple[int, int, Windows]:
    rank = draw(st.integers(1, 3))
    numbers = lambda low, high: draw(st.tuples(*[st.integers(low, high)] * rank))  # noqa: E731
    kernel = numbers(1, 4)
    padding = tuple((draw(st.integers(0, k // 2)),) * 2 for k in kernel)
    in_size = numbers(1, (90, 40, 9)[rank - 1])
    windows = Windows(in_size, kernel, numbers(1, 4), numbers(1, 2), padding, 1, draw(st.booleans()))
    assume(min(windows.out_size) > 0 and not any(0 in counts for counts in windows.taps_inside()))
    return draw(st.integers(0, 3)), draw(st.integers(1, 4)), windows


@st.composite
def square_poolings(draw: st.DrawFn) -> tuple[int, int, Windows]:
    """Squares that are two apart, which have a kernel of their own, padded on one side, on both or on none."""
    size = draw(st.sampled_from((2, 3)))
    pads = tuple((draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))) for _ in range(2))
    in_size = (draw(st.integers(1, 12)), draw(st.integers(1, 80)))
    windows = Windows(in_size, (size, size), (draw(st.integers(1, 3)), 2), (1, 1), pads)
    assume(min(windows.out_size) > 0 and not any(0 in counts for counts in windows.taps_inside()))
    return draw(st.integers(1, 2)), draw(st.integers(1, 3)), windows


@st.composite
def tilings(draw: st.DrawFn) -> tuple[int, int, Windows]:
    """Windows side by side, whose sums have a kernel of their own on the way back; the last may be cut short or missing."""
    rank = draw(st.integers(1, 3))
    size = draw(st.tuples(*[st.integers(1, 4)] * rank))
    in_size = draw(st.tuples(*[st.integers(1, most) for most in (5, 9, 80)[3 - rank :]]))
    windows = Windows(in_size, size, size, (1,) * rank, ((0, 0),) * rank, 1, draw(st.booleans()))
    assume(min(windows.out_size) > 0)
    return draw(st.integers(1, 2)), draw(st.integers(1, 3)), windows


def check_pooling(n: int, c: int, windows: Windows, dtype: Any, seed: int) -> None:
    x, g = integers(seed, (n, c, *windows.in_size), dtype), integers(seed + 1, (n, c, *windows.out_size), dtype)
    assert_same(compiled.sum_pool(x, windows), reference.sum_pool(x, windows))
    assert_same(compiled.sum_pool_input(g, windows), reference.sum_pool_input(g, windows))
    special = x.copy()
    places = np.random.default_rng(seed).random(x.shape)
    special[places < 0.1], special[places > 0.9] = np.nan, -np.inf
    assert_same(compiled.sum_pool(special, windows), reference.sum_pool(special, windows))
    for data in (x, special, np.full_like(x, -np.inf)):
        values, indices = compiled.max_pool(data, windows)
        expected_values, expected_indices = reference.max_pool(data, windows)
        assert_same(values, expected_values)
        assert_same(indices, expected_indices)
    assert_same(compiled.pool_gather(x, indices), reference.pool_gather(x, indices))
    for name in ("pool_scatter", "max_unpool"):
        got = getattr(compiled, name)(g, indices, windows.in_size)
        assert_same(got, getattr(reference, name)(g, indices, windows.in_size))


@examples(120)
@given(shape=poolings() | square_poolings() | tilings(), dtype=st.sampled_from(DTYPES), seed=st.integers(0, 1000))
def test_poolings_equal_the_reference(shape: tuple[int, int, Windows], dtype: Any, seed: int) -> None:
    before = compiled.isa()
    try:
        for name in compiled.available_isas():
            compiled.set_isa(name)
            check_pooling(*shape, dtype, seed)
    finally:
        compiled.set_isa(before)


@pytest.mark.parametrize("threads", THREADS)
def test_large_poolings_equal_the_reference(threads: int, isa: str) -> None:
    compiled.set_num_threads(threads)
    check_pooling(8, 40, Windows((33, 35), (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)), 1, True), np.float32, 3)
    check_pooling(2, 9, Windows((128, 128), (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0))), np.float64, 4)
    check_pooling(2, 5, Windows((4, 9, 75), (1, 3, 2), (1, 2, 2), (1, 1, 1), ((0, 0), (0, 0), (0, 0))), np.float32, 5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "count", "shape"), [(1, 5, ()), (7, 0, (3,)), (30, 900, (67,)), (5, 40, (2, 33)), (900, 70, (1030,))])
@pytest.mark.parametrize("threads", THREADS)
def test_rows_are_added_in_order(rows: int, count: int, shape: tuple[int, ...], dtype: Any, threads: int, isa: str) -> None:
    compiled.set_num_threads(threads)
    random = np.random.default_rng(rows)
    indices = random.integers(0, rows, count)
    target, source = random.standard_normal((rows, *shape)).astype(dtype), random.standard_normal((count, *shape)).astype(dtype)
    expected = target.copy()
    np.add.at(expected, indices, source)
    target, source = guarded(target)[0] if count else target, guarded(source)[0] if count else source
    compiled.add_rows(target, indices, source)
    assert_same(target, expected)


def test_rows_that_are_not_there_are_refused_before_anything_is_written() -> None:
    target, source = np.zeros((3, 2), np.float32), np.ones((2, 2), np.float32)
    for index in (-1, 3):
        with pytest.raises(IndexError, match="outside of the 3 rows"):
            compiled.add_rows(target, np.array([0, index]), source)
    with pytest.raises(TypeError, match="a vector of int64, but got int32"):
        compiled.add_rows(target, np.array([0, 1], np.int32), source)
    with pytest.raises(TypeError, match="source to be an array of float32, but got float64"):
        compiled.add_rows(target, np.array([0, 1]), source.astype(np.float64))
    with pytest.raises(ValueError, match=r"shape of source to be \(2, 2\), but got \(3, 2\)"):
        compiled.add_rows(target, np.array([0, 1]), np.ones((3, 2), np.float32))
    target.flags.writeable = False
    with pytest.raises(ValueError, match="target to be writeable"):
        compiled.add_rows(target, np.array([0, 1]), source)
    assert not target.any()


def guarded(array: Array) -> tuple[Array, mmap.mmap]:
    """A copy whose last byte is the last one before a page that may not be read."""
    page = mmap.PAGESIZE
    size = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, size + page)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    assert protect(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy, memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("name", LARGE)
def test_nothing_is_read_beyond_the_arrays(name: str, isa: str) -> None:
    n, c, k, windows = LARGE[name]
    x, w, g, bias = (
        guarded(integers(i, shape, np.float32))[0]
        for i, shape in enumerate(
            (
                (n, c, *windows.in_size),
                (k, c // windows.groups, *windows.kernel),
                (n, k, *windows.out_size),
                (k,),
            )
        )
    )
    compiled.conv(x, w, bias, windows)
    compiled.conv_input(g, w, None, windows)
    compiled.conv_weight(x, g, windows)
    pool = Windows(windows.in_size, windows.kernel, windows.stride, windows.dilation, windows.padding)
    values, indices = compiled.max_pool(x, pool)
    values, indices = guarded(values)[0], guarded(np.maximum(indices, 0))[0]
    compiled.sum_pool(x, pool)
    compiled.sum_pool_input(values, pool)
    compiled.pool_scatter(values, indices, windows.in_size)
    compiled.max_unpool(values, indices, windows.in_size)
    compiled.pool_gather(x, indices)


def test_several_python_threads_at_once() -> None:
    compiled.set_num_threads(2)
    n, c, k, windows = LARGE["3x3"]
    failures = []

    def train(seed: int) -> None:
        try:
            for step in range(5):
                check_convolution(n, c, k, windows, np.float32, 100 * seed + step)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=train, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_computes_with_threads_of_its_own() -> None:
    compiled.set_num_threads(2)
    check_convolution(*LARGE["3x3"], np.float32, 0)  # the parent's workers are running now
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python warns that threads do not survive a fork
        child = os.fork()
    if child == 0:
        signal.alarm(60)  # a deadlock shall not outlive the test
        try:
            check_convolution(*LARGE["3x3"], np.float32, 1)
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    check_convolution(*LARGE["3x3"], np.float32, 2)


WINDOWS = Windows((5, 5), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
X, W, G = np.zeros((2, 3, 5, 5), np.float32), np.zeros((4, 3, 3, 3), np.float32), np.zeros((2, 4, 5, 5), np.float32)
INDICES = np.zeros((2, 4, 5, 5), np.int64)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compiled.conv(X[:, :2].copy(), W, None, WINDOWS), ValueError, "conv: expected the shape of the filters"),
        (lambda: compiled.conv(X[:, :, :4].copy(), W, None, WINDOWS), ValueError, "conv: expected the shape of the input"),
        (lambda: compiled.conv(X, W[..., :2].copy(), None, WINDOWS), ValueError, "conv: expected the shape of the filters"),
        (lambda: compiled.conv(X, W, np.zeros(3, np.float32), WINDOWS), ValueError, "conv: expected the shape of bias"),
        (lambda: compiled.conv(X, W, np.zeros(4), WINDOWS), TypeError, "conv: expected bias to be an array of float32"),
        (lambda: compiled.conv(X, W.astype(np.float64), None, WINDOWS), TypeError, "conv: expected w to be an array of float32"),
        (lambda: compiled.conv(X.astype(int), W, None, WINDOWS), TypeError, "conv: expected x to be float32 or float64"),
        (lambda: compiled.conv(X.astype(">f4"), W, None, WINDOWS), ValueError, "conv: expected x to be C-contiguous"),
        (lambda: compiled.conv(X[:, :, :, ::-1], W, None, WINDOWS), ValueError, "conv: expected x to be C-contiguous"),
        (lambda: compiled.conv(X, W[:, :, ::-1], None, WINDOWS), ValueError, "conv: expected w to be C-contiguous"),
        (lambda: compiled.conv([1.0], W, None, WINDOWS), TypeError, "conv: expected x to be a numpy.ndarray, but got list"),
        (lambda: compiled.conv(X[0, 0], W, None, WINDOWS), ValueError, "conv: expected x to have 3 to 5 axes"),
        (lambda: compiled.conv(X, W[0, 0, 0], None, WINDOWS), ValueError, "conv: expected w to have 4 axes"),
        (lambda: compiled.conv(X[:, :, 0].copy(), W[:, :, 0].copy(), None, WINDOWS), ValueError, "shape of the input"),
        (lambda: compiled.conv_input(X, W, None, WINDOWS), ValueError, "conv_input: expected the shape of the output"),
        (lambda: compiled.conv_input(G[:1, :, :2].copy(), W, None, WINDOWS), ValueError, "shape of the output"),
        (lambda: compiled.conv_weight(X, G[:1].copy(), WINDOWS), ValueError, "conv_weight: expected the shape of the input"),
        (lambda: compiled.max_pool(X[..., :4].copy(), WINDOWS), ValueError, "max_pool: expected the shape of the input"),
        (lambda: compiled.sum_pool(X.astype(bool), WINDOWS), TypeError, "sum_pool: expected x to be float32 or float64"),
        (lambda: compiled.sum_pool_input(X[..., :4].copy(), WINDOWS), ValueError, "sum_pool_input: expected the shape"),
        (lambda: compiled.pool_scatter(G, INDICES[:1], (5, 5)), ValueError, "pool_scatter: expected the shape of indices"),
        (lambda: compiled.pool_scatter(G, INDICES.astype(np.int32), (5, 5)), TypeError, "to be an array of int64"),
        (lambda: compiled.pool_scatter(G, INDICES + 25, (5, 5)), IndexError, r"pool_scatter: an index .* size \(5, 5\)"),
        (lambda: compiled.pool_scatter(G, INDICES - 1, (5, 5)), IndexError, "pool_scatter: an index lies outside"),
        (lambda: compiled.max_unpool(G, INDICES + 4, (2, 2)), IndexError, "max_unpool: an index lies outside"),
        (lambda: compiled.pool_gather(G, INDICES + 25), IndexError, "pool_gather: an index lies outside"),
        (lambda: compiled.pool_gather(X, INDICES), ValueError, "pool_gather: expected the batch and channels"),
        (lambda: compiled.set_num_threads(0), ValueError, "set_num_threads: expected a number from 1 to 4096, but got 0"),
        (lambda: compiled.set_conv_precision("low"), ValueError, "set_conv_precision: expected 'highest' or 'high', but got 'low'"),
        (lambda: compiled.set_conv_algorithm("fft"), ValueError, "set_conv_algorithm: expected one of auto, direct, winograd2"),
        (lambda: compiled.set_isa("mmx"), ValueError, "'mmx'.*is not available.*baseline"),
    ],
)  # fmt: skip
def test_bad_arguments_raise(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("stride", (0, 1), "windows.stride must lie between 1 and"),
        ("dilation", (1, 2**40), "windows.dilation must lie between 1 and"),
        ("kernel", (3,), "windows.kernel must have 2 entries"),
        ("padding", ((-1, 0), (1, 1)), "windows.padding must lie between 0 and"),
        ("in_size", (), "expected windows with 1 to 3 axes"),
        ("groups", 0, "cannot be split into 0 groups"),
        ("groups", 2, "cannot be split into 2 groups"),
    ],
)
def test_bad_windows_raise(name: str, value: Any, message: str) -> None:
    class Forged:
        """What Windows would not let through."""

    forged: Any = Forged()
    for field in ("in_size", "kernel", "stride", "dilation", "padding", "groups", "out_size"):
        setattr(forged, field, getattr(WINDOWS, field))
    setattr(forged, name, value)
    with pytest.raises(ValueError, match=message):
        compiled.conv(X, W, None, forged)


def test_inputs_may_be_read_only_and_stay_as_they_are() -> None:
    x, w, g = (integers(i, a.shape, np.float32) for i, a in enumerate((X, W, G)))
    before = [a.copy() for a in (x, w, g)]
    for a in (x, w, g):
        a.flags.writeable = False
    compiled.conv(x, w, None, WINDOWS)
    compiled.conv_input(g, w, None, WINDOWS)
    compiled.conv_weight(x, g, WINDOWS)
    compiled.max_pool(x, WINDOWS)
    for a, b in zip((x, w, g), before, strict=True):
        assert_same(a, b)


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=600
    )


IMPORT = "import minigrad._ext.kernels as k; "


def test_the_environment_chooses_the_instruction_set() -> None:
    for name in compiled.available_isas():
        assert run_python(IMPORT + "print(k.isa())", MINIGRAD_ISA=name).stdout.strip() == name
    assert run_python(IMPORT + "print(k.isa())", MINIGRAD_ISA="").stdout.strip() == compiled.available_isas()[-1]


def test_an_unknown_instruction_set_names_the_available_ones() -> None:
    result = run_python(IMPORT, MINIGRAD_ISA="sse9")
    assert result.returncode != 0
    assert "ValueError: the instruction set 'sse9'" in result.stderr
    assert ", ".join(compiled.available_isas()) in result.stderr


def test_the_environment_sets_the_number_of_threads() -> None:
    assert run_python(IMPORT + "print(k.get_num_threads())", MINIGRAD_NUM_THREADS="3").stdout.strip() == "3"
    for wrong in ("0", "-2", "many"):
        result = run_python(IMPORT, MINIGRAD_NUM_THREADS=wrong)
        assert result.returncode != 0
        assert f"ValueError: MINIGRAD_NUM_THREADS must be a positive integer, but is '{wrong}'" in result.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs processor affinity")
def test_the_default_number_of_threads_honours_affinity() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + IMPORT + "print(k.get_num_threads())"
    )
    assert run_python(code, MINIGRAD_NUM_THREADS="").stdout.strip() == "1"


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/user/job\n", {"user/job/cpu.max": "150000 100000\n", "user/cpu.max": "max 100000\n"}, 1.5),
        ("0::/user/job\n", {"user/job/cpu.max": "800000 100000\n", "user/cpu.max": "200000 100000\n"}, 2.0),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("3:cpu,cpuacct:/job\n2:memory:/\n", {"cpu/job/cpu.cfs_quota_us": "50000", "cpu/job/cpu.cfs_period_us": "100000"}, 0.5),
        ("3:cpu:/job\n", {"cpu/job/cpu.cfs_quota_us": "-1", "cpu/job/cpu.cfs_period_us": "100000"}, None),
        ("", {}, None),
    ],
)  # fmt: skip
def test_control_groups_limit_the_number_of_threads(
    tmp_path: Any, membership: str, files: dict[str, str], expected: float | None
) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert cpus.cgroup_quota(str(tmp_path), str(tmp_path / "membership")) == expected


# Each needs a buffer of 72 MB: the packed filter, its partial sums, or a packed row panel.
GREEDY = {
    "conv": "kernels.conv(x, w, None, windows)",
    "conv_input": "kernels.conv_input(y, w, None, windows)",
    "conv_weight": "kernels.conv_weight(x, y, windows)",
    "matmul": "kernels.matmul(wide, tall)",
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a limit on the address space")
@pytest.mark.parametrize("op", GREEDY)
def test_lack_of_memory_is_an_error_and_no_crash(op: str) -> None:
    code = f"""
import resource
import numpy as np
import minigrad._ext.kernels as kernels
from minigrad.kernels.geometry import Windows
windows = Windows((24, 24), (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
x, w, y = np.ones((1, 1000, 24, 24), np.float32), np.ones((2000, 1000, 3, 3), np.float32), np.ones((1, 2000, 22, 22), np.float32)
# 30 rows: one block of rows, whatever an instruction set's tiles
wide, tall = np.ones((30, 600000), np.float32), np.ones((600000, 1), np.float32)[:, [0] * 6]
kernels.set_conv_precision("highest")
kernels.set_memory("plain")
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + w.nbytes * (3 if "{op}" == "conv_weight" else 1) // 2, -1))
try:
    {GREEDY[op]}
except MemoryError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print({GREEDY[op]}.min())
"""
    result = run_python(code, MINIGRAD_NUM_THREADS="2")
    assert result.returncode == 0, result.stderr
    message, least = result.stdout.splitlines()
    match = re.fullmatch(op + r": no memory for a working buffer of (\d+) bytes", message)
    assert match is not None and 70e6 < int(match[1]) < 90e6, message
    assert float(least) >= 1


def test_no_status_of_a_kernel_is_overlooked() -> None:
    """Where Cython's sources are: each call's status is kept, and each function that keeps one looks at it."""
    sources = sorted(Path(__file__).parents[2].joinpath("minigrad", "_ext").glob("*.pxi"))
    if not sources:
        pytest.skip("the sources are not here")
    calls = 0
    for source in sources:
        for function in re.split(r"\n(?=def |cdef )", source.read_text(encoding="utf-8")):
            found = re.findall(r"^ *(.*?)(?:table\.)?\bkernels\.\w+\(", function, re.MULTILINE)
            calls += len(found)
            assert all(before == "result = " for before in found), function
            assert not found or "_check_status(" in function, function
    assert calls >= 28


def test_the_stub_names_what_there_is() -> None:
    """kernels.pyi, which editors and type checkers read, against the module itself."""
    tree = ast.parse((Path(cpus.__file__).with_name("kernels.pyi")).read_text(encoding="utf-8"))
    described = {node.name: [a.arg for a in node.args.args] for node in tree.body if isinstance(node, ast.FunctionDef)}
    defined = {
        name: list(inspect.signature(value).parameters)
        for name, value in vars(compiled).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == compiled.__name__ and not isinstance(value, type)
    }
    assert described == defined
