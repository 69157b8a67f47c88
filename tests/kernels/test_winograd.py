"""Winograd's algorithm for 3x3 filters, and for 3x3 and 4x4 filters at stride 2, against direct summation, for every
instruction set and several numbers of threads.

On small integers the transforms for tiles of 2x2 are exact (they halve, and never divide by three), and those for tiles
of 4x4 are off by far less than a half, so that rounded results must be the exact integers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from minigrad.kernels import reference
from minigrad.kernels.geometry import Windows

from .geometries import examples
from .test_compiled import case, guarded, integers

compiled = pytest.importorskip("minigrad._ext.kernels")

Array = np.ndarray[Any, Any]
Shape = tuple[int, int, int, Windows]
THREADS = (1, 2, 3)
# Against float64 in the 2-norm; what is documented is the larger of them.
ERROR_BOUNDS = {"winograd2": 2e-6, "winograd4": 1e-5}


@pytest.fixture(autouse=True)
def keep_settings() -> Iterator[None]:
    isa, threads, precision = compiled.isa(), compiled.get_num_threads(), compiled.get_conv_precision()
    yield
    compiled.set_isa(isa)
    compiled.set_num_threads(threads)
    compiled.set_conv_precision(precision)


@pytest.fixture(params=compiled.available_isas())
def isa(request: pytest.FixtureRequest) -> str:
    compiled.set_isa(request.param)
    return str(request.param)


def all_three(*arguments: Any, kernels: Any = compiled) -> tuple[Array, Array, Array]:
    x, w, g, out_bias, in_bias, windows = arguments
    return (
        kernels.conv(x, w, out_bias, windows),
        kernels.conv_input(g, w, in_bias, windows),
        kernels.conv_weight(x, g, windows),
    )


def normal(shape: Shape, dtype: Any = np.float32) -> tuple[Any, ...]:
    n, c, k, windows = shape
    random = np.random.default_rng(0)
    sizes = (
        (n, c, *windows.in_size),
        (k, c // windows.groups, *windows.kernel),
        (n, k, *windows.out_size),
        (k,),
        (c,),
    )
    return *(random.standard_normal(size).astype(dtype) for size in sizes), windows


def same(got: tuple[Array, ...], expected: tuple[Array, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """(N, C, K, windows): planes from less than one tile to several vectors of tiles, with any padding."""
    most = draw(st.sampled_from((5, 40)))
    in_size = draw(st.tuples(st.integers(1, most), st.integers(1, most)))
    pad = st.tuples(st.integers(0, 3), st.integers(0, 3))
    padding = draw(st.tuples(pad, pad))
    kernel, stride = draw(st.sampled_from(((3, 1), (3, 2), (4, 2))))
    assume(all(size + sum(around) >= kernel for size, around in zip(in_size, padding, strict=True)))
    windows = Windows(in_size, (kernel, kernel), (stride, stride), (1, 1), padding)
    return draw(st.integers(0, 6)), draw(st.integers(1, 70)), draw(st.integers(1, 40)), windows


@examples(120)
@given(shape=shapes(), threads=st.sampled_from(THREADS), bias=st.booleans(), seed=st.integers(0, 1000))
@example(shape=case(40, 33, 29, (4, 4), (3, 3), 1, 1), threads=2, bias=True, seed=0)
@example(shape=case(3, 9, 15, (37, 64), (3, 3), 1, 1), threads=3, bias=True, seed=0)
@example(shape=case(1, 1, 1, (1, 1), (3, 3), 1, 1), threads=1, bias=True, seed=0)
@example(shape=case(3, 40, 33, (37, 64), (4, 4), 2, 1), threads=3, bias=True, seed=0)
@example(shape=case(30, 29, 33, (8, 8), (3, 3), 2, 1), threads=2, bias=True, seed=0)
@example(shape=case(1, 1, 1, (1, 2), (4, 4), 2, 3), threads=1, bias=True, seed=0)
def test_integers_are_exact(shape: Shape, threads: int, bias: bool, seed: int) -> None:
    n, c, k, windows = shape
    x = integers(seed, (n, c, *windows.in_size), np.float32)
    w = integers(seed + 1, (k, c, *windows.kernel), np.float32)
    g = integers(seed + 2, (n, k, *windows.out_size), np.float32)
    biases = (integers(seed + 3, (k,), np.float32), integers(seed + 4, (c,), np.float32)) if bias else (None, None)
    expected = all_three(x, w, g, *biases, windows, kernels=reference)
    compiled.set_num_threads(threads)
    for name in compiled.available_isas():
        compiled.set_isa(name)
        compiled.set_conv_algorithm("winograd2")
        for got, exact in zip(all_three(x, w, g, *biases, windows), expected, strict=True):
            np.testing.assert_array_equal(got, exact, strict=True)
        compiled.set_conv_algorithm("winograd4")
        for got, exact in zip(all_three(x, w, g, *biases, windows), expected, strict=True):
            np.testing.assert_array_equal(np.rint(got), exact, strict=True)


# Large enough for several threads, and together for every schedule and every way to read and write tiles.
LARGE = {
    "whole vectors in each line": case(2, 40, 31, (64, 64), (3, 3), 1, 1),
    "lines of a part of a vector": case(5, 20, 50, (16, 16), (3, 3), 1, 1),
    "odd lines": case(6, 13, 37, (15, 21), (3, 3), 1, 0),
    "one tile an image": case(37, 70, 45, (4, 4), (3, 3), 1, 1),
    "few tiles, many channels": case(2, 300, 260, (6, 5), (3, 3), 1, 1),
    "many tiles, many channels": case(3, 260, 130, (28, 28), (3, 3), 1, 1),
    "more padding than plane": case(7, 24, 30, (3, 2), (3, 3), 1, 3),
    "one channel": case(3, 1, 1, (50, 50), (3, 3), 1, 1),
}
# At stride 2 the phases have tiles of 2x2 and no others.
STRIDED = {
    "stride 2, whole vectors in each line": case(2, 40, 31, (64, 64), (3, 3), 2, 1),
    "stride 2, 4x4, lines of a part of a vector": case(5, 20, 50, (32, 32), (4, 4), 2, 1),
    "stride 2, odd lines": case(6, 13, 37, (15, 21), (3, 3), 2, 1),
    "stride 2, one tile an image": case(37, 70, 45, (4, 4), (4, 4), 2, 1),
    "stride 2, few tiles, many channels": case(2, 300, 260, (9, 7), (3, 3), 2, 1),
    "stride 2, many tiles, many channels": case(3, 260, 130, (32, 32), (4, 4), 2, 1),
    "stride 2, more padding than plane": case(7, 24, 30, (3, 2), (4, 4), 2, 3),
}
WAYS = [(name, algorithm) for name in LARGE for algorithm in ERROR_BOUNDS] + [(name, "winograd2") for name in STRIDED]
SHAPES = LARGE | STRIDED


@pytest.mark.parametrize(("name", "algorithm"), WAYS)
def test_error_is_within_the_documented_bound(name: str, algorithm: str, isa: str) -> None:
    exact = all_three(*normal(SHAPES[name], np.float64), kernels=reference)
    compiled.set_conv_algorithm("direct")
    direct = all_three(*normal(SHAPES[name]))
    compiled.set_conv_algorithm(algorithm)
    for got, expected, other in zip(all_three(*normal(SHAPES[name])), exact, direct, strict=True):
        assert np.linalg.norm(got - expected) <= ERROR_BOUNDS[algorithm] * np.linalg.norm(expected)
        assert not np.array_equal(got, other)  # it was not computed directly


@pytest.mark.parametrize("channels", [64, 512])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (4, 2)])
def test_error_of_network_layers_is_within_the_documented_bound(channels: int, kernel: int, stride: int) -> None:
    """Layers as networks have them: inputs after a ReLU, which are far from zero mean."""
    x, w, g, out_bias, in_bias, windows = normal(case(8, channels, 48, (8, 8), (kernel, kernel), stride, 1), np.float64)
    x, w = np.maximum(x, 0), w / np.sqrt(kernel**2 * channels / 2)
    exact = all_three(x, w, g, out_bias, in_bias, windows, kernels=reference)
    short = [a.astype(np.float32) for a in (x, w, g, out_bias, in_bias)]
    for algorithm, bound in ERROR_BOUNDS.items():
        compiled.set_conv_algorithm(algorithm)
        for got, expected in zip(all_three(*short, windows), exact, strict=True):
            assert np.linalg.norm(got - expected) <= bound * np.linalg.norm(expected)


@pytest.mark.parametrize(("name", "algorithm"), WAYS)
def test_rounding_does_not_depend_on_the_number_of_threads(name: str, algorithm: str, isa: str) -> None:
    compiled.set_conv_algorithm(algorithm)
    compiled.set_num_threads(1)
    alone = all_three(*normal(SHAPES[name]))
    for threads in (2, 3, 8):
        compiled.set_num_threads(threads)
        assert same(all_three(*normal(SHAPES[name])), alone)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize(("name", "algorithm"), WAYS)
def test_nothing_is_read_beyond_the_arrays(name: str, algorithm: str, isa: str) -> None:
    compiled.set_conv_algorithm(algorithm)
    *arrays, windows = normal(SHAPES[name])
    kept = [guarded(a) for a in arrays]
    assert same(all_three(*(a for a, _ in kept), windows), all_three(*arrays, windows))


@pytest.mark.parametrize(
    "shape",
    [
        case(2, 8, 8, (12, 12), (3, 3), 3, 1),
        case(2, 8, 8, (12, 12), (3, 3), 1, 1, dilation=2),
        case(2, 8, 8, (12, 12), (3, 3), 2, 1, dilation=2),
        case(2, 8, 8, (12, 12), (4, 4), 2, 1, groups=2),
        case(2, 8, 8, (12, 12), (5, 5), 2, 2),
        case(2, 8, 8, (6, 7, 8), (4, 4, 4), 2, 1),
        case(2, 8, 8, (12, 12), (3, 3), 1, 1, groups=2),
        case(2, 8, 8, (12, 12), (5, 5), 1, 2),
        case(2, 8, 8, (12, 12), (9, 1), 1, 4),
        case(2, 8, 8, (40,), (9,), 1, 4),
        case(2, 8, 8, (6, 7, 8), (3, 3, 3), 1, 1),
        case(2, 8, 8, (1, 7, 8), (3, 3, 3), 1, 1),
    ],
    ids=[
        "stride 3",
        "dilation",
        "stride 2 dilation",
        "stride 2 groups",
        "stride 2 5x5",
        "stride 2 4x4x4",
        "groups",
        "5x5",
        "9x1",
        "9",
        "3x3x3",
        "3x3x3 on one slice",
    ],
)
def test_other_shapes_are_computed_directly(shape: Shape) -> None:
    compiled.set_conv_algorithm("direct")
    direct = all_three(*normal(shape))
    for algorithm in ERROR_BOUNDS:
        compiled.set_conv_algorithm(algorithm)
        assert same(all_three(*normal(shape)), direct)


def test_strides_have_no_tiles_of_four() -> None:
    for kernel in (3, 4):
        arguments = normal(case(2, 64, 64, (32, 32), (kernel, kernel), 2, 1))
        compiled.set_conv_algorithm("direct")
        direct = all_three(*arguments)
        compiled.set_conv_algorithm("winograd4")
        assert same(all_three(*arguments), direct)


def test_a_plane_may_be_one_slice_of_a_volume() -> None:
    """A kernel of (1, 3, 3) on one slice is a convolution of planes."""
    windows = Windows((1, 30, 33), (1, 3, 3), (1, 1, 1), (1, 1, 1), ((0, 0), (1, 1), (0, 2)))
    plane = Windows((30, 33), (3, 3), (1, 1), (1, 1), ((1, 1), (0, 2)))
    x, w, g, *biases, _ = normal((2, 9, 20, windows))
    compiled.set_conv_algorithm("winograd4")
    slices = all_three(x, w, g, *biases, windows)
    planes = all_three(x[:, :, 0].copy(), w[:, :, 0].copy(), g[:, :, 0].copy(), *biases, plane)
    assert same(tuple(a[:, :, 0] for a in slices), planes)


PAYING = case(4, 64, 64, (32, 32), (3, 3), 1, 1)


def test_float64_is_always_direct() -> None:
    arguments = normal(case(2, 16, 16, (12, 12), (3, 3), 1, 1), np.float64)
    compiled.set_conv_precision("highest")
    highest = all_three(*arguments)
    for algorithm in ("auto", *ERROR_BOUNDS):
        compiled.set_conv_algorithm(algorithm)
        assert same(all_three(*arguments), highest)


def test_precision_decides_whether_winograd_may_be_chosen() -> None:
    arguments = normal(PAYING)
    compiled.set_conv_algorithm("direct")
    direct = all_three(*arguments)
    assert compiled.get_conv_precision() == "highest"
    compiled.set_conv_algorithm("winograd4")
    winograd = all_three(*arguments)
    compiled.set_conv_precision("highest")
    assert compiled.get_conv_precision() == "highest"
    assert same(all_three(*arguments), direct)
    compiled.set_conv_precision("high")
    assert compiled.get_conv_precision() == "high"
    assert same(all_three(*arguments), winograd)


def test_the_choice_does_not_depend_on_the_number_of_threads() -> None:
    compiled.set_conv_precision("high")
    for n in (1, 2, 3, 5, 9):
        for channels in (3, 12, 20, 40):
            shape = case(n, channels, 24, (9, 9), (3, 3), 1, 1)
            results = []
            for threads in THREADS:
                compiled.set_num_threads(threads)
                results.append(all_three(*normal(shape)))
            assert same(results[0], results[1]) and same(results[0], results[2])


def test_few_channels_are_computed_directly() -> None:
    arguments = normal(case(4, 3, 8, (16, 16), (3, 3), 1, 1))
    compiled.set_conv_precision("highest")
    direct = all_three(*arguments)
    compiled.set_conv_precision("high")
    assert same(all_three(*arguments), direct)


@pytest.mark.parametrize("algorithm", ERROR_BOUNDS)
@np.errstate(invalid="ignore")
def test_infinities_and_nans_reach_the_windows_that_read_them_and_only_their_tiles(algorithm: str) -> None:
    windows = Windows((24, 24), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    x, w = np.ones((2, 3, 24, 24), np.float32), np.ones((5, 3, 3, 3), np.float32)
    x[0, 1, 10, 10], x[1, 0, 23, 23] = np.inf, np.nan
    compiled.set_conv_algorithm(algorithm)
    y = compiled.conv(x, w, None, windows)
    read = ~np.isfinite(reference.conv(x, w, None, windows))
    assert not np.isfinite(y[read]).any()
    assert np.isfinite(y[0, :, :8]).all() and np.isfinite(y[0, :, :, 16:]).all() and np.isfinite(y[1, :, :20]).all()
