"""A depthwise convolution computed together with those of one tap around it: what the reference gives one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.kernels import reference
from minigrad.kernels.geometry import Windows

from .geometries import examples
from .test_compiled import THREADS, Array, assert_same, compiled, exact_sums, guarded, isa, keep_threads

__all__ = ["exact_sums", "isa", "keep_threads"]

Stage = tuple[Any, ...]


def pointwise(x: Array, filters: int) -> Windows:
    ones, rank = (1,) * (x.ndim - 2), x.ndim - 2
    return Windows.conv(f"conv{rank}d", rank, x.shape, (filters, x.shape[1], *ones))


def one_after_the_other(x: Array, windows: Windows, *stages: Stage | None, residual: Array | None = None) -> Array:
    """In the order of the definition: the convolution, its bias, the norm, the residual, the limits."""
    for place, stage in enumerate(stages):
        if stage is None:
            continue
        w, bias, mean, var, weight, shift, eps, low, high = stage
        x = reference.conv(x, w, bias, windows if place == 1 else pointwise(x, w.shape[0]))
        of_channels = (-1, *[1] * windows.rank)
        if var is not None:
            x = (x - mean.reshape(of_channels)) / np.sqrt(var + np.asarray(eps, x.dtype)).reshape(of_channels)
            x = x if weight is None else x * weight.reshape(of_channels)
            x = x if shift is None else x + shift.reshape(of_channels)
        if place == 2 and residual is not None:
            x = x + residual
        x = np.clip(x, x.dtype.type(low), x.dtype.type(high))
    return x


def whole_stage(random: np.random.Generator, shape: tuple[int, ...], dtype: Any, normed: bool, low: float, high: float) -> Stage:
    """Small integers, for which all sums are exact; variances are 1 or 1/4."""

    def of_channels(least: int = -2) -> Array:
        return random.integers(least, 3, shape[0]).astype(dtype)

    w = random.integers(-2, 3, shape).astype(dtype)
    bias = of_channels() if random.integers(2) else None
    if not normed:
        return w, bias, None, None, None, None, None, low, high
    var = random.choice([1.0, 0.25], shape[0]).astype(dtype)
    affine = (of_channels(), of_channels()) if random.integers(2) else (None, None)
    return w, bias, of_channels(), var, *affine, 0.0, low, high


LIMITS = ((0.0, 6.0), (-np.inf, 5.0), (-3.0, np.inf), (0.0, np.inf))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[int, int | None, int, Windows]:
    """(N, channels in or None, channels out, windows): sizes beyond vectors, tiles and slabs, uneven everything."""
    rank = draw(st.sampled_from((1, 2, 2)))
    channels = draw(st.sampled_from((1, 5, 16, 17, 31, 33, 48, 65, 260)))

    def sizes(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    kernel, stride, dilation = draw(
        st.one_of(
            st.sampled_from([((3,) * rank, (1,) * rank, (1,) * rank), ((3,) * rank, (2,) * rank, (1,) * rank)]),
            st.tuples(st.just(sizes(1, 5)), st.just(sizes(1, 3)), st.just(sizes(1, 2))),
        )
    )
    pads = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(rank))
    least = [max(1, (k - 1) * d + 1 - sum(p)) for k, d, p in zip(kernel, dilation, pads, strict=True)]
    size = tuple(n + draw(st.integers(0, 20)) for n in least)
    windows = Windows(size, kernel, stride, dilation, pads, channels)
    return draw(st.integers(0, 2)), draw(st.sampled_from((None, 1, 3, 16, 40))), draw(st.sampled_from((1, 15, 16, 24, 33, 50))), windows


def check(batch: int, inputs: int | None, outputs: int, windows: Windows, dtype: Any, seed: int, kept: bool = False) -> None:
    random = np.random.default_rng(seed)
    channels, ones = windows.groups, (1,) * windows.rank
    normed = bool(random.integers(2))
    first, second = LIMITS[random.integers(4)], LIMITS[random.integers(4)]
    widen = None if inputs is None else whole_stage(random, (channels, inputs, *ones), dtype, normed, *first)
    filters = whole_stage(random, (channels, 1, *windows.kernel), dtype, normed, *second)
    narrow = whole_stage(random, (outputs, channels, *ones), dtype, not normed, *((-np.inf, np.inf) if normed else (-9.0, 99.0)))
    x = random.integers(-2, 3, (batch, channels if inputs is None else inputs, *windows.in_size)).astype(dtype)
    residual = random.integers(-4, 5, (batch, outputs, *windows.out_size)).astype(dtype) if random.integers(2) else None
    expected = one_after_the_other(x, windows, widen, filters, narrow, residual=residual)
    stages = (widen, filters, narrow)
    assert_same(compiled.separable(x, windows, *stages, residual), expected)
    if kept:
        filters_kept = compiled.KeptFilters(stages)
        for _ in range(3):
            assert_same(compiled.separable(x, windows, *stages, residual, filters_kept), expected)


@examples(60)
@given(block=blocks(), dtype=st.sampled_from((np.float32, np.float64)), seed=st.integers(0, 2**16), threads=st.sampled_from(THREADS))
def test_blocks_equal_the_reference(block: tuple[int, int | None, int, Windows], dtype: Any, seed: int, threads: int) -> None:
    before = compiled.isa()
    compiled.set_num_threads(threads)
    try:
        for name in compiled.available_isas():
            compiled.set_isa(name)
            check(*block, dtype, seed)
    finally:
        compiled.set_isa(before)


def square(size: int, channels: int, stride: int, kernel: int = 3) -> Windows:
    pads = ((kernel // 2, kernel // 2),) * 2
    return Windows((size, size), (kernel, kernel), (stride, stride), (1, 1), pads, channels)


# Large enough for several threads, for planes in parts and lines in several ranges.
LARGE = {
    "long lines": (1, 16, 24, square(112, 40, 2)),
    "many lines": (1, 24, 32, square(56, 72, 1)),
    "many channels": (2, 96, 70, square(7, 600, 1)),
    "nothing before": (1, None, 16, square(60, 48, 1)),
    "five taps": (1, 8, 16, square(28, 70, 1, 5)),
    "five taps at stride 2": (1, 12, 30, square(29, 33, 2, 5)),
    "large filters": (1, 8, 16, square(40, 40, 2, 7)),
    "several bands": (2, 3, 5, Windows((100, 260), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), 200)),
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("threads", THREADS)
def test_large_blocks_equal_the_reference(name: str, threads: int, isa: str) -> None:
    compiled.set_num_threads(threads)
    for seed in range(2):
        check(*LARGE[name], np.float64 if threads == 2 else np.float32, seed, kept=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_that_of_the_arithmetic_and_of_no_thread(dtype: Any, isa: str) -> None:
    random = np.random.default_rng(0)
    windows = square(30, 70, 1)

    def stage(*shape: int) -> Stage:
        w = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        vectors = random.standard_normal((3, shape[0]))
        return tuple([a.astype(dtype) for a in (w, *vectors[:2], random.uniform(0.5, 2, shape[0]), *vectors[1:])])

    stages = [(*stage(*shape), 1e-5, 0.0, 6.0) for shape in ((70, 24, 1, 1), (70, 1, 3, 3), (40, 70, 1, 1))]
    x = random.standard_normal((2, 24, 30, 30)).astype(dtype)
    wide = [tuple([a.astype("f8") if isinstance(a, np.ndarray) else a for a in stage]) for stage in stages]
    expected = one_after_the_other(x.astype("f8"), windows, *wide)
    results = []
    for threads in THREADS:
        compiled.set_num_threads(threads)
        results.append(compiled.separable(x, windows, *stages))
    assert_same(results[1], results[0])
    assert_same(results[2], results[0])
    assert np.abs(results[0] - expected).max() < 50 * np.finfo(dtype).eps * np.abs(expected).max()


def test_a_nan_reaches_what_reads_it_and_nothing_else(isa: str) -> None:
    windows = square(9, 20, 1)
    random = np.random.default_rng(0)
    ones = np.ones
    stages = (
        (ones((20, 4, 1, 1), "f4"), *(None,) * 6, 0.0, 6.0),
        (ones((20, 1, 3, 3), "f4"), *(None,) * 6, 0.0, 6.0),
        (ones((5, 20, 1, 1), "f4"), *(None,) * 6, 0.0, 6.0),
    )
    x = random.standard_normal((1, 4, 9, 9)).astype("f4")
    x[0, 2, 4, 5] = np.nan
    found = np.isnan(compiled.separable(x, windows, *stages))
    expected = np.zeros_like(found)
    expected[..., 3:6, 4:7] = True
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", LARGE)
def test_nothing_is_read_beyond_the_arrays(name: str, isa: str) -> None:
    batch, inputs, outputs, windows = LARGE[name]
    random = np.random.default_rng(0)

    def end_of_memory(stage: Stage) -> Stage:
        return tuple([guarded(a)[0] if isinstance(a, np.ndarray) else a for a in stage])

    shapes = [None if inputs is None else (windows.groups, inputs, 1, 1), (windows.groups, 1, *windows.kernel), (outputs, windows.groups, 1, 1)]
    stages = [None if shape is None else end_of_memory(whole_stage(random, shape, np.float32, True, 0.0, 6.0)) for shape in shapes]
    x = guarded(random.integers(-2, 3, (batch, inputs or windows.groups, *windows.in_size)).astype("f4"))[0]
    residual = guarded(random.integers(-2, 3, (batch, outputs, *windows.out_size)).astype("f4"))[0]
    found = compiled.separable(x, windows, *stages, residual)
    assert_same(found, one_after_the_other(x, windows, *stages, residual=residual))


def test_what_does_not_fit_is_refused() -> None:
    windows = square(8, 20, 1)
    random = np.random.default_rng(0)
    shapes = ((20, 4, 1, 1), (20, 1, 3, 3), (6, 20, 1, 1))
    widen, filters, narrow = (whole_stage(random, shape, np.float32, True, 0.0, 6.0) for shape in shapes)
    x = np.zeros((2, 4, 8, 8), np.float32)

    def refused(error: type[Exception], message: str, *given: Any) -> None:
        with pytest.raises(error, match=message):
            compiled.separable(*given)

    refused(ValueError, r"shape of the input to be \(2, 4, 8, 8\), but got \(2, 4, 8, 7\)", x[..., :7].copy(), windows, widen, filters, narrow)
    refused(ValueError, r"shape of the input to be \(2, 20, 8, 8\), but got \(2, 4, 8, 8\)", x, windows, None, filters, narrow)
    refused(ValueError, r"shape of the filters to be \(20, 1, 3, 3\), but got \(20, 4, 1, 1\)", x, windows, widen, widen, narrow)
    refused(ValueError, r"shape of the filters to be \(20, 4, 1, 1\), but got \(6, 20, 1, 1\)", x, windows, narrow, filters, narrow)
    refused(ValueError, r"size of mean to be 20, but got 3", x, windows, widen, (*filters[:2], filters[2][:3], *filters[3:]), narrow)
    refused(ValueError, r"shape of bias to be \(6,\), but got \(20,\)", x, windows, widen, filters, (narrow[0], filters[2], *narrow[2:]))
    refused(TypeError, "var to be an array of float32, but got float64", x, windows, (*widen[:3], widen[3].astype("f8"), *widen[4:]), filters, narrow)
    refused(ValueError, r"shape of residual to be \(2, 6, 8, 8\)", x, windows, widen, filters, narrow, np.zeros((2, 6, 8, 7), np.float32))
    refused(ValueError, "C-contiguous", x.transpose(0, 1, 3, 2), windows, widen, filters, narrow)
    refused(ValueError, "1 or 2 axes in the plane", x[..., None], windows, widen, filters, narrow)
    others = compiled.KeptFilters((widen, filters, (*narrow[:8], 7.0)))
    refused(ValueError, "the filters that are kept are others", x, windows, widen, filters, narrow, None, others)
    refused(ValueError, "the filters that are kept are others", x, windows, widen, filters, narrow, None, compiled.KeptFilters(narrow[0]))
