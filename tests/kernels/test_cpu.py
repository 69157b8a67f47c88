"""The compiled kernels agree with the reference; what they do not take falls back; the switch chooses between them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minigrad import kernels
from minigrad.kernels import cpu, reference, threads

from .geometries import Array, draw_convolutions, draw_poolings, integers

ROOT = Path(__file__).parents[2]
CONVOLUTIONS = draw_convolutions(60, seed=3)
POOLINGS = draw_poolings(60, seed=4)
needs_compiled = pytest.mark.skipif(
    cpu.compiled is None, reason="the compiled kernels are not built, or are switched off"
)


def layouts(x: Array) -> list[Array]:
    """The same values contiguous, backwards in memory, in every second place, and at an odd address."""
    sparse = np.zeros([2 * n for n in x.shape], x.dtype)[tuple(slice(0, None, 2) for _ in x.shape)]
    sparse[...] = x
    odd = np.frombuffer(b"." + x.tobytes(), x.dtype, offset=1).reshape(x.shape)
    return [x, np.ascontiguousarray(x[..., ::-1])[..., ::-1], sparse, odd]


@pytest.mark.parametrize("case", range(len(CONVOLUTIONS)))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_convolutions_equal_the_reference_bit_for_bit_on_integers(case: int, dtype: Any) -> None:
    n, c, k, windows = CONVOLUTIONS[case]
    x = integers(case, n, c, *windows.in_size, dtype=dtype)
    w = integers(case + 1, k, c // windows.groups, *windows.kernel, dtype=dtype)
    g = integers(case + 2, n, k, *windows.out_size, dtype=dtype)
    out_bias, in_bias = integers(case + 3, k, dtype=dtype), integers(case + 4, c, dtype=dtype)
    expected = [
        reference.conv(x, w, out_bias, windows),
        reference.conv(x, w, None, windows),
        reference.conv_input(g, w, in_bias, windows),
        reference.conv_input(g, w, None, windows),
        reference.conv_weight(x, g, windows),
    ]
    for x_, w_, g_ in zip(layouts(x), layouts(w), layouts(g), strict=True):
        results = [
            cpu.conv(x_, w_, out_bias, windows),
            cpu.conv(x_, w_, None, windows),
            cpu.conv_input(g_, w_, in_bias, windows),
            cpu.conv_input(g_, w_, None, windows),
            cpu.conv_weight(x_, g_, windows),
        ]
        for result, right in zip(results, expected, strict=True):
            assert (result.dtype, result.shape) == (right.dtype, right.shape)
            assert np.array_equal(result, right)


@pytest.mark.parametrize("case", range(len(POOLINGS)))
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_poolings_equal_the_reference(case: int, dtype: Any) -> None:
    windows = POOLINGS[case]
    x = integers(case, 2, 3, *windows.in_size, dtype=dtype)
    if dtype != np.int32:
        x[x == 4], x[x < 0] = np.nan, -np.inf
    values, indices = reference.max_pool(x, windows)
    g = integers(case + 1, *values.shape, dtype=dtype)
    finite = integers(case, *x.shape, dtype=dtype)
    for x_, finite_, g_, indices_ in zip(layouts(x), layouts(finite), layouts(g), layouts(indices), strict=True):
        pairs = [
            (cpu.max_pool(x_, windows)[0], values),
            (cpu.max_pool(x_, windows)[1], indices),
            (cpu.pool_scatter(g_, indices_, windows.in_size), reference.pool_scatter(g, indices, windows.in_size)),
            (cpu.max_unpool(g_, indices_, windows.in_size), reference.max_unpool(g, indices, windows.in_size)),
            (cpu.pool_gather(x_, indices_), reference.pool_gather(x, indices)),
            (cpu.sum_pool(finite_, windows), reference.sum_pool(finite, windows)),
            (cpu.sum_pool_input(g_, windows), reference.sum_pool_input(g, windows)),
        ]
        for result, right in pairs:
            assert (result.dtype, result.shape) == (right.dtype, right.shape)
            assert np.array_equal(result, right, equal_nan=right.dtype.kind == "f")


@needs_compiled
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_a_large_convolution_is_as_accurate_as_its_dtype(dtype: Any, tolerance: float) -> None:
    from minigrad.kernels.geometry import Windows

    random = np.random.default_rng(0)
    windows = Windows((19, 23), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    x, w = random.standard_normal((2, 40, 19, 23)), random.standard_normal((33, 40, 3, 3))
    g = random.standard_normal((2, 33, 19, 23))
    for name, arguments in [("conv", (x, w, None)), ("conv_input", (g, w, None)), ("conv_weight", (x, g))]:
        exact = getattr(reference, name)(*arguments, windows)
        rounded = getattr(cpu, name)(*[a if a is None else a.astype(dtype) for a in arguments], windows)
        assert np.linalg.norm(rounded - exact) < tolerance * np.linalg.norm(exact)


def test_what_the_compiled_kernels_do_not_take_goes_to_the_reference() -> None:
    assert not cpu.takes(np.zeros((2, 2, 4), np.int64), 1)
    assert not cpu.takes(np.zeros((2, 2, 4), np.float16), 1)
    assert not cpu.takes(np.zeros((2, 2, 4), ">f4" if sys.byteorder == "little" else "<f4"), 1)
    assert not cpu.takes(np.zeros((2, 2, 1, 1, 1, 1)), 4)
    assert not cpu.takes(np.zeros((0, 2, 4)), 1)


def test_numpy_arrays_go_to_the_cpu_and_others_are_not_guessed() -> None:
    assert kernels.xp(np.zeros(3)) is np
    assert kernels.xp(np.float32(3)) is np
    assert kernels.of(np.zeros(3)) is cpu


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_switch_forces_the_reference_silently() -> None:
    done = run("from minigrad.kernels import cpu; print(cpu.compiled)", MINIGRAD_KERNELS="reference")
    assert (done.stdout.strip(), done.stderr) == ("None", "")


def test_an_unknown_switch_is_refused() -> None:
    done = run("import minigrad.kernels", MINIGRAD_KERNELS="quick")
    assert done.returncode != 0
    assert "ImportError: minigrad: MINIGRAD_KERNELS must be 'reference' or 'compiled', but is 'quick'" in done.stderr


UNBUILT = "import sys; sys.modules['minigrad._ext.kernels'] = None; import minigrad.kernels; print('imported')"


def test_without_compiled_kernels_one_warning_says_so() -> None:
    done = run(UNBUILT, MINIGRAD_KERNELS="")
    assert done.stdout.strip() == "imported"
    assert done.stderr.count("RuntimeWarning") == 1
    assert "its compiled kernels are not available" in done.stderr
    assert "To build them, install minigrad with `pip install .`" in done.stderr


def test_compiled_kernels_can_be_demanded() -> None:
    done = run(UNBUILT, MINIGRAD_KERNELS="compiled")
    assert done.returncode != 0
    assert "minigrad._ext.kernels" in done.stderr


def test_the_number_of_threads() -> None:
    before = threads.get_num_threads()
    assert before >= 1
    for wrong, kind in ((0, RuntimeError), (-2, RuntimeError), (1.5, TypeError), ("2", TypeError)):
        with pytest.raises(kind, match="set_num_threads: expected"):
            threads.set_num_threads(wrong)  # type: ignore[arg-type]
    assert threads.get_num_threads() == before


@needs_compiled
def test_results_do_not_depend_on_the_number_of_threads() -> None:
    from minigrad.kernels.geometry import Windows

    before = threads.get_num_threads()
    windows = Windows((31, 33), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    random = np.random.default_rng(0)
    x, w = random.standard_normal((4, 16, 31, 33)), random.standard_normal((24, 16, 3, 3))
    g = random.standard_normal((4, 24, 31, 33))
    results = []
    try:
        for number in (1, 2, 5):
            threads.set_num_threads(number)
            assert threads.get_num_threads() == number
            results.append(
                (cpu.conv(x, w, None, windows), cpu.conv_input(g, w, None, windows), cpu.conv_weight(x, g, windows))
            )
    finally:
        threads.set_num_threads(before)
    for other in results[1:]:
        for mine, theirs in zip(results[0], other, strict=True):
            assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
@pytest.mark.parametrize("indices", [np.array([2, -1, 0, 2]), np.array([[0, 1], [-3, 1]], np.int32), np.zeros((0,), np.int64)])
def test_rows_are_added_as_often_as_they_are_named(indices: Any, dtype: Any) -> None:
    target, source = np.arange(6).reshape(3, 2).astype(dtype), np.arange(2 * indices.size).reshape(*indices.shape, 2).astype(dtype)
    for rows in (source, source[..., :1]):
        expected, got = target.copy(), target.copy()
        np.add.at(expected, indices, rows)
        cpu.add_rows(got, indices, rows)
        np.testing.assert_array_equal(got, expected, strict=True)


def test_short_integers_count_many_rows_from_the_end() -> None:
    got = np.zeros((1000, 2), np.float32)
    cpu.add_rows(got, np.array([-1, 5, -1], np.int8), np.ones((3, 2), np.float32))
    assert got[[-1, 5]].tolist() == [[2, 2], [1, 1]]
    assert got.sum() == 6
