"""The kernel of interpolation against products of matrices, for every instruction set that the processor has and several numbers of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from .geometries import examples, integers

compiled = pytest.importorskip("minigrad._ext.kernels")

Array = np.ndarray[Any, Any]


def each_isa() -> Iterator[str]:
    """Each instruction set in turn, while its kernels are chosen; the threads and the choice are as before afterwards."""
    before, threads = compiled.isa(), compiled.get_num_threads()
    try:
        for name in compiled.available_isas():
            compiled.set_isa(name)
            yield name
    finally:
        compiled.set_isa(before)
        compiled.set_num_threads(threads)


@st.composite
def sparse_lines(draw: st.DrawFn) -> tuple[int, Array, Array, Array]:
    """(n_in, starts, columns, weights): of interpolation, its adjoint, or anything at all, with small whole numbers as weights."""
    n_in, n_out, kind = draw(st.integers(1, 70)), draw(st.integers(0, 70)), draw(st.sampled_from(("near", "adjoint", "any")))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    taps = draw(st.integers(0, 3))
    counts = random.integers(0, 4, n_out) if kind == "any" else np.full(n_out, taps)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype("int64")
    places = np.repeat(np.arange(n_out) * n_in // max(1, n_out), counts) + np.concatenate([np.arange(n) for n in counts] or [[]])
    columns = random.integers(0, n_in, starts[-1]) if kind == "any" else np.clip(places, 0, n_in - 1).astype("int64")
    return n_in, starts, columns, random.integers(-4, 5, len(columns)).astype("float64")


@examples(60)
@given(line=sparse_lines(), outer=st.integers(1, 5), inner=st.sampled_from((1, 1, 2, 15, 16, 40)), dtype=st.sampled_from((np.float32, np.float64)))
@example(line=(30, np.arange(61), np.arange(60) // 2, np.ones(60)), outer=300, inner=1, dtype=np.float32)
@example(line=(30, np.arange(61), np.arange(60) // 2, np.ones(60)), outer=20, inner=60, dtype=np.float32)
@example(line=(60, np.arange(31) * 2, np.arange(60), np.ones(60)), outer=300, inner=1, dtype=np.float64)
def test_resampling_equals_a_product_of_matrices(line: tuple[int, Array, Array, Array], outer: int, inner: int, dtype: Any) -> None:
    n_in, starts, columns, weights = line
    matrix = np.zeros((len(starts) - 1, n_in))
    np.add.at(matrix, (np.repeat(np.arange(len(matrix)), np.diff(starts)), columns), weights)
    x = integers(7, outer, n_in, inner, dtype=dtype)
    expected = np.einsum("ji,oik->ojk", matrix, x.astype("f8")).astype(dtype)
    for _ in each_isa():
        for threads in (1, 2, 3):
            compiled.set_num_threads(threads)
            np.testing.assert_array_equal(compiled.resample(x, 1, starts, columns, weights), expected, strict=True)
            if inner == 1:
                lines = compiled.resample(x[..., 0].copy(), 1, starts, columns, weights)
                np.testing.assert_array_equal(lines, expected[..., 0], strict=True)


def test_elements_that_resampling_only_takes_keep_their_bits() -> None:
    x = np.array([[-0.0, np.nan, np.inf, -np.inf, 1e-30] * 8], np.float32)
    starts, columns, weights = np.arange(81), np.arange(80) // 2, np.ones(80)
    for _ in each_isa():
        uneven = compiled.resample(x, 1, np.array([0, 1, 4, 6]), np.array([2, 0, 0, 0, 4, 4]), np.array([-3.0, 2, 1, 1, 1, 2]))
        assert uneven.tobytes() == np.array([[-np.inf, -0.0, 3e-30]], np.float32).tobytes()
        assert compiled.resample(x, 1, starts, columns, weights).tobytes() == x.repeat(2, 1).tobytes()
        assert compiled.resample(x.T.copy(), 0, starts, columns, weights).tobytes() == x.T.repeat(2, 0).tobytes()


def test_resampling_refuses_taps_outside() -> None:
    x, starts, columns, weights = np.zeros((2, 3)), np.array([0, 1, 2]), np.array([0, 2]), np.ones(2)
    for wrong in (np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(IndexError, match="outside of the 3 elements"):
            compiled.resample(x, 1, starts, wrong, weights)
    for wrong in (np.array([0, 3, 2]), np.array([1, 1, 2]), np.array([0, 1, 1]), np.array([0, 1, 9])):
        with pytest.raises(IndexError, match="not in order"):
            compiled.resample(x, 1, wrong, columns, weights)
    for wrong_starts, wrong_columns, wrong_weights in ((starts.astype("int32"), columns, weights), (starts, columns.reshape(1, 2), weights), (starts, columns, np.ones(3))):
        with pytest.raises(TypeError, match="resample: expected"):
            compiled.resample(x, 1, wrong_starts, wrong_columns, wrong_weights)
    with pytest.raises(ValueError, match="expected at least one of starts"):
        compiled.resample(x, 1, starts[:0], columns[:0], weights[:0])
    with pytest.raises(ValueError, match="an axis of it"):
        compiled.resample(x, 2, starts, columns, weights)
