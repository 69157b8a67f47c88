"""Compiled products of matrices against NumPy's: every instruction set, any strides, several numbers of threads.

Data are small integers, for which sums of products are exact in any order: the kernels must agree to the bit.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minigrad.kernels import cpu, reference

from .geometries import examples

compiled = pytest.importorskip("minigrad._ext.kernels")

Array = np.ndarray[Any, Any]
THREADS = (1, 2, 3)
SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 13, 14, 15, 16, 17, 31, 32, 33, 65, 100, 330, 700)  # around vectors, tiles and blocks
BATCHES = [((), ()), ((3,), (3,)), ((2, 1), (3,)), ((), (4,)), ((2, 3), ()), ((0,), (1,)), ((99999, 0), (0,))]
LARGE = [
    (1, 900, 3000),
    (3000, 900, 1),
    (4, 700, 333),
    (64, 784, 256),
    (300, 64, 500),
    (1500, 1000, 33),
    (2000, 3, 2000),
]


@pytest.fixture(autouse=True)
def keep_settings() -> Iterator[None]:
    before = compiled.isa(), compiled.get_num_threads()
    yield
    compiled.set_isa(before[0])
    compiled.set_num_threads(before[1])


def matrices(shape: tuple[int, ...], dtype: Any, layout: str, seed: int) -> Array:
    """Small integers in one of the ways in which matrices lie in memory."""
    random = np.random.default_rng(seed)
    if layout == "transposed":
        return random.integers(-4, 5, (*shape[:-2], shape[-1], shape[-2])).astype(dtype).swapaxes(-1, -2)
    if layout == "sparse":
        sparse = random.integers(-4, 5, [2 * n for n in shape]).astype(dtype)
        return sparse[tuple(slice(None, None, 2) for _ in shape)]
    plain = random.integers(-4, 5, shape).astype(dtype)
    return plain[..., ::-1, ::-1] if layout == "backwards" else plain


LAYOUTS = st.sampled_from(("plain", "transposed", "sparse", "backwards"))


@examples(150)
@given(
    sizes=st.tuples(*[st.sampled_from(SIZES)] * 3).filter(lambda sizes: np.prod(sizes) < 1e6),
    batch=st.sampled_from(BATCHES),
    layouts=st.tuples(LAYOUTS, LAYOUTS),
    dtype=st.sampled_from((np.float32, np.float64)),
    with_bias=st.booleans(),
)
@example(sizes=(0, 3, 4), batch=((), ()), layouts=("plain", "plain"), dtype=np.float32, with_bias=True)
@example(sizes=(3, 0, 4), batch=((), ()), layouts=("plain", "plain"), dtype=np.float32, with_bias=True)
@example(sizes=(3, 0, 4), batch=((), ()), layouts=("plain", "plain"), dtype=np.float64, with_bias=False)
def test_products_equal_numpys(
    sizes: tuple[int, int, int], batch: Any, layouts: tuple[str, str], dtype: Any, with_bias: bool
) -> None:
    rows, depth, columns = sizes
    a = matrices((*batch[0], rows, depth), dtype, layouts[0], 1)
    b = matrices((*batch[1], depth, columns), dtype, layouts[1], 2)
    bias = matrices((columns,), dtype, "plain", 3) if with_bias else None
    expected = reference.matmul(a, b, bias)
    for isa in compiled.available_isas():
        compiled.set_isa(isa)
        got = compiled.matmul(a, b, bias)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("sizes", LARGE)
@pytest.mark.parametrize("isa", compiled.available_isas())
def test_large_products_equal_numpys(sizes: tuple[int, int, int], threads: int, isa: str) -> None:
    compiled.set_isa(isa)
    compiled.set_num_threads(threads)
    rows, depth, columns = sizes
    for left, right in (("plain", "plain"), ("transposed", "plain"), ("plain", "transposed"), ("sparse", "backwards")):
        a, b = matrices((rows, depth), np.float32, left, 1), matrices((depth, columns), np.float32, right, 2)
        bias = matrices((columns,), np.float32, "plain", 3)
        np.testing.assert_array_equal(compiled.matmul(a, b, bias), a @ b + bias, strict=True)


def test_large_batches_equal_numpys() -> None:
    a, b = matrices((40, 33, 50), np.float64, "plain", 1), matrices((40, 50, 35), np.float64, "transposed", 2)
    for threads in THREADS:
        compiled.set_num_threads(threads)
        np.testing.assert_array_equal(compiled.matmul(a, b), a @ b, strict=True)


@pytest.mark.parametrize("sizes", LARGE)
def test_rounding_does_not_depend_on_the_number_of_threads(sizes: tuple[int, int, int]) -> None:
    rows, depth, columns = sizes
    random = np.random.default_rng(0)
    a, b = random.standard_normal((3, rows, depth), np.float32), random.standard_normal((depth, columns), np.float32)
    results = []
    for threads in (*THREADS, 8):
        compiled.set_num_threads(threads)
        results.append((compiled.matmul(a[0], b), compiled.matmul(a, b[None])))
    for other in results[1:]:
        assert np.array_equal(other[0], results[0][0]) and np.array_equal(other[1], results[0][1])


@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("isa", compiled.available_isas())
def test_error_is_that_of_the_arithmetic(dtype: Any, bound: float, isa: str) -> None:
    compiled.set_isa(isa)
    random = np.random.default_rng(0)
    for rows, depth, columns in LARGE:
        a, b = random.standard_normal((rows, depth)), random.standard_normal((depth, columns))
        error = compiled.matmul(a.astype(dtype), b.astype(dtype)) - a.astype(dtype).astype(float) @ b.astype(dtype)
        assert np.linalg.norm(error) <= bound * np.linalg.norm(a @ b)


@np.errstate(invalid="ignore")
@pytest.mark.parametrize("isa", compiled.available_isas())
@pytest.mark.parametrize("rows", [1, 3, 30])
def test_infinities_and_nans_stay_in_their_rows_and_columns(rows: int, isa: str) -> None:
    compiled.set_isa(isa)
    for layout in ("plain", "transposed"):
        a, b = np.ones((rows, 37), np.float32), matrices((37, 41), np.float32, layout, 0)
        b[...] = 1
        a[0, 36], b[5, 40] = np.inf, np.nan
        np.testing.assert_array_equal(compiled.matmul(a, b), a @ b)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("isa", compiled.available_isas())
@pytest.mark.parametrize("sizes", [(1, 37, 41), (3, 37, 41), (30, 37, 41), (100, 333, 35), (5, 3, 7), (33, 65, 1)])
def test_nothing_is_read_beyond_the_arrays(sizes: tuple[int, int, int], isa: str) -> None:
    compiled.set_isa(isa)
    rows, depth, columns = sizes
    for transposed in (False, True):
        a, b = matrices((rows, depth), np.float32, "plain", 1), matrices((depth, columns), np.float32, "plain", 2)
        near_a = guarded(a.T).T if transposed else guarded(a)
        near_b = guarded(b.T).T if transposed else guarded(b)
        np.testing.assert_array_equal(compiled.matmul(near_a, near_b), a @ b)


def guarded(array: Array) -> Array:
    """A copy whose last byte is the last one before a page that may not be read; it is never unmapped."""
    page = mmap.PAGESIZE
    size = -(-array.nbytes // page) * page
    memory = mmap.mmap(-1, size + page)
    KEPT.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy


KEPT: list[mmap.mmap] = []


def test_vectors_count_as_a_row_or_a_column() -> None:
    a, b = matrices((2, 5, 7), np.float32, "plain", 1), matrices((7,), np.float32, "plain", 2)
    np.testing.assert_array_equal(cpu.matmul(a, b), a @ b, strict=True)
    np.testing.assert_array_equal(cpu.matmul(b, a.swapaxes(1, 2)), b @ a.swapaxes(1, 2), strict=True)
    np.testing.assert_array_equal(cpu.matmul(b, b), b @ b)


def test_any_array_is_taken_by_the_wrapper() -> None:
    a = matrices((9, 7), np.float32, "plain", 1)
    odd = np.frombuffer(b"." + a.tobytes(), a.dtype, offset=1).reshape(a.shape)
    fields = np.zeros((9, 7), np.dtype([("x", "i1"), ("y", "f4")]))["y"]
    fields[...] = a
    for other in (odd, fields, a.astype(">f4")):
        np.testing.assert_array_equal(cpu.matmul(other, a.T), a @ a.T)
    assert cpu.matmul(a.astype(int), a.T.astype(int)).dtype == int


def test_what_does_not_fit_is_refused() -> None:
    a = np.ones((2, 3), np.float32)
    for error, arguments, message in (
        (TypeError, (a, a.T.astype(float)), "expected b to be an array of float32, but got float64"),
        (TypeError, (a, [1.0]), "expected b to be an array of float32, but got list"),
        (TypeError, (a.astype(int), a.T.astype(int)), "expected a to be float32 or float64, but got int64"),
        (ValueError, (a, a), r"the inner lengths differ: shapes \(2, 3\) and \(2, 3\)"),
        (ValueError, (a[0], a.T), "expected a to have at least 2 axes"),
        (ValueError, (a, a.T, a[0]), "expected the shape of bias to be"),
        (ValueError, (a[None, None][:, [0, 0]], np.stack([a.T] * 3)), "broadcast"),
    ):
        with pytest.raises(error, match=message):
            compiled.matmul(*arguments)
