"""Formulas: the compiled form gives what NumPy gives, to the bit, for every instruction set and number of threads; plans; refusals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from minigrad.kernels import cpu, reference
from minigrad.kernels.formula import NAMES, clamp, masked_fill, maximum, noted, planned, sign, sqrt

from .geometries import examples

compiled = pytest.importorskip("minigrad._ext.kernels")

DTYPES = (np.float32, np.float64)
UNARY: tuple[Callable[..., Any], ...] = (sqrt, sign, abs, lambda x: -x, lambda x: 1 - x, lambda x: 0.3 / x, lambda x: x * 0.1)
BINARY: tuple[Callable[..., Any], ...] = (
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    maximum,
    lambda x, y: clamp(x + y, -0.5, 0.7),
    lambda x, y: masked_fill(x, x < y, 0.7),
    lambda x, y: masked_fill(x, x > y, -1),
    lambda x, y: masked_fill(y, x == y, 2),
)
ODD = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-45, -1e-310, 1.0, -1.0, 3e38]


@pytest.fixture(autouse=True)
def keep_settings() -> Iterator[None]:
    isa, threads = compiled.isa(), compiled.get_num_threads()
    yield
    compiled.set_isa(isa)
    compiled.set_num_threads(threads)


def bits(x: Any) -> Any:
    """The bits of an array, with one NaN for all, and one zero: NumPy leaves open which one maximum(0.0, -0.0) is."""
    return (np.where(np.isnan(x), np.nan, x) + 0.0).tobytes()


def assert_same_everywhere(formula: Any, rows: list[tuple[Any, ...]]) -> None:
    """Each instruction set and number of threads changes the rows to the bits that the reference does."""
    expected = [tuple(x.copy() for x in row) for row in rows]
    reference.update(formula, expected)
    for isa in compiled.available_isas():
        for threads in (1, 3):
            compiled.set_isa(isa)
            compiled.set_num_threads(threads)
            got = [tuple(x.copy() for x in row) for row in rows]
            cpu.update(formula, got)
            for one, other in zip(got, expected, strict=True):
                assert [bits(x) for x in one] == [bits(x) for x in other], (isa, threads)


@st.composite
def formulas(draw: st.DrawFn) -> tuple[int, Any]:
    """A number of arguments and a formula of up to 12 operations on them, which uses its values in any order, several times or not."""
    arguments = draw(st.integers(1, 4))
    steps = []
    for number in range(arguments, arguments + draw(st.integers(0, 12))):
        operands = st.integers(0, number - 1)
        if draw(st.booleans()):
            steps.append((draw(st.sampled_from(UNARY)), (draw(operands),)))
        else:
            steps.append((draw(st.sampled_from(BINARY)), (draw(operands), draw(operands))))
    results = draw(st.lists(st.integers(0, arguments + len(steps) - 1), min_size=1, max_size=arguments))

    def formula(*arrays: Any) -> tuple[Any, ...]:
        values = list(arrays)
        for function, operands in steps:
            values.append(function(*[values[operand] for operand in operands]))
        return tuple(values[result] for result in results)

    return arguments, formula


@pytest.mark.parametrize("dtype", DTYPES)
@given(case=formulas(), seed=st.integers(0, 100), sizes=st.lists(st.integers(0, 700), min_size=1, max_size=3))
@example(case=(2, lambda a, b: (b, a)), seed=0, sizes=[300])
@example(case=(3, lambda a, b, c: (a + b, a + b, c)), seed=0, sizes=[300])
@example(case=(2, lambda a, b: (1.5, 2)), seed=0, sizes=[5])
@examples(60)
def test_any_formula_gives_what_numpy_gives(dtype: Any, case: tuple[int, Any], seed: int, sizes: list[int]) -> None:
    arguments, formula = case
    random = np.random.default_rng(seed)
    rows = [tuple(random.standard_normal(size).astype(dtype) for _ in range(arguments)) for size in sizes]
    assert_same_everywhere(formula, rows)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [*UNARY, *BINARY])
def test_odd_values(function: Any, dtype: Any) -> None:
    with np.errstate(all="ignore"):
        x, y = (side.astype(dtype).reshape(-1) for side in np.meshgrid(ODD, ODD))
    operands = 1 if function in UNARY else 2
    assert_same_everywhere(lambda x, y, out: (function(*(x, y)[:operands]),), [(x, y, np.zeros_like(x))])


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_all_sizes_longer_than_tasks_and_blocks(dtype: Any) -> None:
    random = np.random.default_rng(0)
    shapes = [(), (0,), (1,), (257,), (3, 5, 7), (70001,), (40, 1000), (16384,), (1,)]
    rows = [tuple(np.asarray(random.standard_normal(shape), dtype) for _ in range(3)) for shape in shapes]
    assert_same_everywhere(lambda g, p, m: (p - (m * 0.9 + g) * 0.1, m * 0.9 + g), rows)


def test_arrays_that_the_kernels_do_not_take_are_computed_all_the_same() -> None:
    def rows() -> list[tuple[Any, ...]]:
        x = np.arange(12.0).reshape(3, 4)
        swapped = np.arange(4.0).astype(">f8")
        return [
            (x.T.copy(), np.array(x.T, order="F")),
            (np.array(x, order="F"), x.copy()),
            (np.arange(8.0)[::2], np.arange(4.0)),
            (np.arange(4.0), np.arange(8.0)[::2]),
            (swapped, swapped.copy()),
            (np.arange(4, dtype=np.float16), np.ones(4, np.float16)),
            (np.arange(4, dtype=np.float64), np.ones(4, np.float32)),
        ]

    got, expected = rows(), rows()
    cpu.update(lambda g, p: (p - g * 0.5,), got)
    reference.update(lambda g, p: (p - g * 0.5,), expected)
    for one, other in zip(got, expected, strict=True):
        for x, y in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, y, strict=True)


def test_a_plan_is_short_and_made_once() -> None:
    def adam(g: Any, p: Any, m: Any, v: Any) -> tuple[Any, ...]:
        m = m + (g - m) * 0.1
        v = v * 0.999 + g * g * 0.001
        return p - m / (sqrt(v) / 0.5 + 1e-8) * 0.01, m, v

    plans = []
    for _ in range(2):
        notes, results = noted(adam, 4)
        assert len(notes.constants) == 6
        plans.append(planned(4, tuple(notes.steps), results))
    assert plans[0] is plans[1]
    assert plans[0].temporaries == 2
    assert len(plans[0].code) == 13  # one for each operation: results go straight to where they belong
    assert NAMES[plans[0].code[-1][0]] == "subtract"
    assert plans[0].code[-1][1] == 1


def test_a_formula_cannot_branch_on_elements() -> None:
    with pytest.raises(TypeError, match=r"a formula cannot branch on the elements of its arrays: use masked_fill\(\)"):
        noted(lambda x: (x if x > 0 else -x,), 1)


# --- the sum of squares -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sum_of_squares_is_exact_for_integers_and_the_same_for_all_threads(dtype: Any) -> None:
    random = np.random.default_rng(1)
    arrays = [random.integers(-9, 10, shape).astype(dtype) for shape in ((), (0,), (7,), (3, 50001), (16384,), (15, 17))]
    noise = [random.standard_normal(100_003).astype(dtype)]
    sums = []
    for isa in compiled.available_isas():
        compiled.set_isa(isa)
        for threads in (1, 2, 3):
            compiled.set_num_threads(threads)
            assert cpu.sum_of_squares(arrays) == reference.sum_of_squares(arrays) == sum(int((x * x).sum()) for x in arrays)
            sums.append((isa, cpu.sum_of_squares(noise)))
    assert len(set(sums)) == len(compiled.available_isas())
    assert all(total == pytest.approx(reference.sum_of_squares(noise), rel=1e-14) for _, total in sums)


def test_the_sum_of_squares_takes_all_layouts_and_dtypes() -> None:
    arrays = [np.arange(12.0).reshape(3, 4).T, np.arange(8, dtype=np.float32)[::2], np.ones(3, np.float16)]
    assert cpu.sum_of_squares(arrays) == 506 + 56 + 3
    assert cpu.sum_of_squares([np.array([3e30, 4e30], np.float32)]) == pytest.approx(25e60)
    assert math.isnan(cpu.sum_of_squares([np.array([1.0, math.nan]), np.ones(1)]))
    assert cpu.sum_of_squares([]) == 0


# --- refusals ---------------------------------------------------------------------------------------------------------

X = np.ones(3, np.float32)
READ_ONLY = np.ones(3, np.float32)
READ_ONLY.flags.writeable = False
ADD = [[0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compiled.evaluate(1, 0, [[14, 0, 0, 0, 0]], [], [(X,)]), ValueError, "there is no operation 14"),
        (lambda: compiled.evaluate(1, 0, [[0, 1, 0, 0, 0]], [], [(X,)]), ValueError, "names register 1, but there are 1"),
        (lambda: compiled.evaluate(1, 0, [[0, 0, 0, -1, 0]], [], [(X,)]), ValueError, "names register -1, but there are 1"),
        (lambda: compiled.evaluate(1, 0, [[0, 1, 0, 0, 0]], [2.0], [(X,)]), ValueError, "writes to a constant, register 1"),
        (lambda: compiled.evaluate(0, 0, ADD, [], [()]), ValueError, "expected 1 to 16 arrays a row, but got 0"),
        (lambda: compiled.evaluate(17, 0, ADD, [], [(X,) * 17]), ValueError, "expected 1 to 16 arrays a row, but got 17"),
        (lambda: compiled.evaluate(1, 33, ADD, [], [(X,)]), ValueError, "expected at most 32 constants and temporaries"),
        (lambda: compiled.evaluate(1, -1, ADD, [], [(X,)]), ValueError, "expected at most 32 constants and temporaries"),
        (lambda: compiled.evaluate(1, 0, ADD, [], []), ValueError, "expected at least one row"),
        (lambda: compiled.evaluate(1, 0, ADD, [], [(X, X)]), ValueError, "expected rows of 1 arrays, but got one of 2"),
        (lambda: compiled.evaluate(1, 0, ADD, [], [(3.0,)]), TypeError, "expected numpy.ndarrays, but got float"),
        (lambda: compiled.evaluate(1, 0, ADD, [], [(np.ones(3, int),)]), TypeError, "to be float32 or float64, but got int64"),
        (lambda: compiled.evaluate(2, 0, ADD, [], [(X, np.ones(3))]), TypeError, "expected arrays of float32, but got one of float64"),
        (lambda: compiled.evaluate(2, 0, ADD, [], [(X, np.ones(4, "f"))]), ValueError, r"one shape in a row, but got \[\(3,\), \(4,\)\]"),
        (lambda: compiled.evaluate(1, 0, ADD, [], [(np.ones(8, "f")[::2],)]), ValueError, "to be C-contiguous"),
        (lambda: compiled.evaluate(1, 0, ADD, [], [(READ_ONLY,)]), ValueError, "an array that the formula writes to is read-only"),
        (lambda: compiled.sum_of_squares([]), ValueError, "expected at least one row"),
        (lambda: compiled.sum_of_squares([X, 1]), TypeError, "expected numpy.ndarrays, but got int"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
    assert X.tolist() == READ_ONLY.tolist() == [1, 1, 1]
