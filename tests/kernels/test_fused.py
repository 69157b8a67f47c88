"""The compiled kernels without windows against fused.py: for every instruction set that the processor has and several numbers of threads.

Errors are stated: of sums and norms relative to the largest result, of functions of each element in units in the last place (of
float32), both against the specification in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.kernels import cpu, fused

compiled = pytest.importorskip("minigrad._ext.kernels")

Array = np.ndarray[Any, Any]
THREADS = (1, 2, 3)
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}
LENGTHS = (1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 129)  # around the lengths of vectors


@pytest.fixture(params=compiled.available_isas())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = compiled.isa()
    compiled.set_isa(request.param)
    yield request.param
    compiled.set_isa(before)


@pytest.fixture(autouse=True)
def keep_threads() -> Iterator[None]:
    before = compiled.get_num_threads()
    yield
    compiled.set_num_threads(before)


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def check(what: str, got: Array, expected: Array, tolerance: float, least: float = 1e-30) -> None:
    """Compares relative to the largest finite element, or to `least` where larger numbers cancel."""
    assert got.shape == expected.shape, what
    size = np.abs(expected[np.isfinite(expected)]).max(initial=least)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * size, err_msg=what)


def on_all_threads(function: Callable[[], Any]) -> Any:
    """The arrays that a kernel gives, which must be the same to the bit for every number of threads."""
    found = []
    for threads in THREADS:
        compiled.set_num_threads(threads)
        result = function()
        found.append(result if isinstance(result, tuple) else (result,))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b, strict=True)
    return found[0]


# --- norms ------------------------------------------------------------------------------------------------------------

PLANES = [
    (2, 3), (70, 5), (150, 70), (1, 4, 9), (3, 5, 2), (5, 7, 9), (9, 6, 4, 4), (130, 9, 4, 4), (4, 33, 3, 5), (6, 5, 7, 7),
    (3, 4, 31, 33), (4, 64, 16, 16), (2, 3, 70, 71), (1, 2, 120, 100), (2, 2, 3, 4, 5),
]  # fmt: skip
NORMS: dict[str, tuple[list[tuple[int, ...]], Callable[[tuple[int, ...]], tuple[Any, ...]], Callable[[tuple[int, ...]], tuple[int, ...]]]] = {
    "batch_norm": (PLANES, lambda shape: (1e-5,), lambda shape: shape[1:2]),
    "group_norm": (
        [(3, 8), (70, 40), (330, 140), (2, 4, 7), (5, 6, 4, 4), (2, 64, 16, 16), (2, 4, 70, 71)],
        lambda shape: (2, 1e-5),
        lambda shape: shape[1:2],
    ),
    "row_norm": ([(5, n) for n in LENGTHS[1:]] + [(200, 300), (700, 70), (130, 9000), (3, 9000)], lambda shape: (1, True, 1e-5), lambda shape: shape[1:]),
}
ROWS_OF_TWO_AXES = ((7, 5, 6), (2, True, 1e-5), (5, 6))


def check_norm(name: str, shape: tuple[int, ...], options: tuple[Any, ...], vector: tuple[int, ...], dtype: str) -> None:
    x, g, weight, bias = normal(1, *shape) * 3 + 2, normal(2, *shape), normal(3, *vector), normal(4, *vector)
    for w, b in ((weight, bias), (weight, None), (None, bias), (None, None)):
        wide = getattr(fused, name)(x.astype(dtype).astype(float), *[v if v is None else v.astype(dtype).astype(float) for v in (w, b)], *options)
        short = [v if v is None else v.astype(dtype) for v in (x, g, w, b)]
        for got, expected in zip(
            on_all_threads(lambda s=short: getattr(compiled, name)(s[0], s[2], s[3], *options)), wide, strict=True
        ):
            assert got.dtype == dtype
            check(name, got, expected, 10 * TOLERANCE[dtype])
        mean, var = (m.astype(dtype) for m in wide[1:])
        exact = getattr(fused, name + "_input")(
            short[1].astype(float), short[0].astype(float), None if w is None else short[2].astype(float), mean.astype(float), var.astype(float), *options
        )  # fmt: skip
        terms = float(np.abs(g).max() / np.sqrt(var.min() + 1e-5))  # what a gradient is the difference of
        for got, expected in zip(
            on_all_threads(lambda s=short, m=mean, v=var: getattr(compiled, name + "_input")(s[1], s[0], s[2], m, v, *options)), exact, strict=True
        ):  # fmt: skip
            assert got.dtype == dtype
            check(name + "_input", got, expected, 10 * TOLERANCE[dtype], terms)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name in NORMS for shape in NORMS[name][0]])
def test_norms_equal_the_specification(name: str, shape: tuple[int, ...], dtype: str, isa: str) -> None:
    _, options, vector = NORMS[name]
    check_norm(name, shape, options(shape), vector(shape), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_rows_of_several_axes_and_rows_without_their_mean(dtype: str, isa: str) -> None:
    check_norm("row_norm", *ROWS_OF_TWO_AXES, dtype)
    for rows in (40, 150):
        check_norm("row_norm", (rows, 37), (1, False, 1e-5), (37,), dtype)


@pytest.mark.parametrize("shape", [(64, 4, 16, 16), (100, 40), (200, 8, 2, 2), (1, 2, 200, 200)])
def test_the_variance_of_numbers_far_from_zero(shape: tuple[int, ...], isa: str) -> None:
    x = (normal(0, *shape) + 10000).astype(np.float32)
    _, mean, var = compiled.batch_norm(x, None, None, 1e-5)
    axes = (0, *range(2, x.ndim))
    np.testing.assert_allclose(mean, x.mean(axes, dtype=float), rtol=1e-7)
    np.testing.assert_allclose(var, x.var(axes, dtype=float), rtol=2e-6)


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3, 3), (6, 5, 20, 20)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(shape: tuple[int, ...], value: float, isa: str) -> None:
    x = normal(0, *shape).astype(np.float32)
    x[2, 3, ...] = value
    y, mean, var = compiled.batch_norm(x, None, None, 1e-5)
    others = [0, 1, 2, 4]
    assert np.isnan(y[:, 3]).all() and np.isfinite(y[:, others]).all()
    assert not np.isfinite(mean[3]) and np.isnan(var[3]) and np.isfinite(var[others]).all()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", PLANES)
def test_channels_are_scaled(shape: tuple[int, ...], dtype: str, isa: str) -> None:
    x, scale, shift = (a.astype(dtype) for a in (normal(1, *shape), normal(2, shape[1]), normal(3, shape[1])))
    for b in (shift, None):
        (got,) = on_all_threads(lambda b=b: compiled.scale_channels(x, scale, b))
        check("scale_channels", got, fused.scale_channels(x.astype(float), scale, b), TOLERANCE[dtype])


def near_zero(shape: tuple[int, ...], dtype: str) -> tuple[Array, Array, Array]:
    """An array, weight and bias for which many results of a batch norm are 0 or next to it, as rounding has it."""
    x = np.random.default_rng(5).integers(-3, 4, shape).astype(dtype)
    weight = normal(3, shape[1]).astype(dtype)
    y, _, _ = compiled.batch_norm(x, weight, None, 1e-5)
    places = (np.arange(shape[1]) % shape[0], np.arange(shape[1]), *[0] * (len(shape) - 2))
    return x, weight, -y[places]


@pytest.mark.parametrize("kernels", [compiled, fused], ids=["compiled", "reference"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", PLANES)
def test_a_rectified_batch_norm_is_both_one_after_the_other_to_the_bit(shape: tuple[int, ...], dtype: str, kernels: Any, isa: str) -> None:
    x, w, b = near_zero(shape, dtype)
    g, r = normal(2, *shape).astype(dtype), np.random.default_rng(6).integers(-1, 2, shape).astype(dtype)
    g[0, 0], w[-1], r[-1, -1, ...] = 0, np.inf, -np.inf
    for slope in (0.0, 0.25):
        for weight, bias in ((w, b), (w, None), (None, b), (None, None)):
            for residual in (None, r):
                known = weight, bias, 1e-5
                plain, mean, var = kernels.batch_norm(x, *known)
                y = plain if residual is None else plain + residual
                out, *moments = on_all_threads(lambda a=(*known, slope, residual): kernels.batch_norm(x, *a))
                np.testing.assert_array_equal(out, fused.rectified(y, slope, None), strict=True)
                np.testing.assert_array_equal(moments, [mean, var], strict=True)
                passed = fused.rectified_input(g, y, slope, None)
                expected = kernels.batch_norm_input(passed, x, weight, mean, var, 1e-5)
                expected = expected if residual is None else (*expected, passed)
                found = on_all_threads(lambda a=(weight, mean, var, 1e-5, slope, bias, residual): kernels.batch_norm_input(g, x, *a))
                for got, right in zip(found, expected, strict=True):
                    np.testing.assert_array_equal(got, right, strict=True)


def test_results_next_to_zero_are_there_to_be_told_apart(isa: str) -> None:
    x, weight, bias = near_zero((4, 64, 16, 16), "float32")
    y, _, _ = compiled.batch_norm(x, weight, bias, 1e-5)
    assert (np.abs(y) < 1e-6).mean() > 0.1
    if isa != "baseline":  # where nothing is rounded between product and sum
        assert ((y > 0) & (y < 1e-6)).any() and ((y < 0) & (y > -1e-6)).any()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_a_rectifier_behind_a_norm_lets_pass_what_one_of_its_own_does(slope: float, value: float, isa: str) -> None:
    for shape in ((6, 5), (6, 5, 3, 3), (6, 5, 20, 20), (1, 5, 3)):
        x, g, r = (normal(i, *shape).astype(np.float32) for i in range(3))
        x[-1, 3], r[0, 2], weight = value, value, np.array([1, value, 1, 1, 1], np.float32)
        for known in ((weight, None), (None, weight)):
            for residual in (None, r):
                plain, mean, var = compiled.batch_norm(x, *known, 1e-5)
                y = plain if residual is None else plain + residual
                np.testing.assert_array_equal(compiled.batch_norm(x, *known, 1e-5, slope, residual)[0], fused.rectified(y, slope, None))
                passed = fused.rectified_input(g, y, slope, None)
                expected = compiled.batch_norm_input(passed, x, known[0], mean, var, 1e-5)
                found = compiled.batch_norm_input(g, x, known[0], mean, var, 1e-5, slope, known[1], residual)
                for got, right in zip(found, expected if residual is None else (*expected, passed), strict=True):
                    np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("kernels", [compiled, fused], ids=["compiled", "reference"])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", PLANES)
def test_scaled_channels_are_rectified(shape: tuple[int, ...], dtype: str, kernels: Any, isa: str) -> None:
    x, scale, shift, r = (a.astype(dtype) for a in (normal(1, *shape), normal(2, shape[1]), normal(3, shape[1]), normal(4, *shape)))
    x[0, 0], x[-1, -1], r[0, -1] = 0, np.nan, -np.inf
    for b in (shift, None):
        for residual in (None, r):
            plain = kernels.scale_channels(x, scale, b)
            for slope in (0.0, 0.25):
                expected = fused.rectified(plain, slope, residual)
                (got,) = on_all_threads(lambda a=(scale, b, slope, residual): kernels.scale_channels(x, *a))
                np.testing.assert_array_equal(got, expected, strict=True)


# --- softmax ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("logarithm", [False, True])
def test_softmax_equals_the_specification(logarithm: bool, dtype: str, isa: str) -> None:
    cases = [((4, n), 1) for n in LENGTHS] + [((3, 5, n), 1) for n in LENGTHS] + [((7, 40), 0), ((2, 300, 9, 9), 1), ((90, 1000), 1)]
    for shape, axis in cases:
        x, g = (5 * normal(1, *shape)).astype(dtype), normal(2, *shape).astype(dtype)
        (y,) = on_all_threads(lambda x=x, axis=axis: compiled.softmax(x, axis, logarithm))
        check(f"softmax {shape}", y, fused.softmax(x.astype(float), axis, logarithm), 2 * TOLERANCE[dtype])
        (dx,) = on_all_threads(lambda g=g, y=y, axis=axis: compiled.softmax_input(g, y, axis, logarithm))
        expected = fused.softmax_input(g.astype(float), y.astype(float), axis, logarithm)
        check(f"softmax_input {shape}", dx, expected, 10 * TOLERANCE[dtype])


def test_softmax_of_infinities_and_nan(isa: str) -> None:
    x = np.array([[0, -np.inf, 1], [-np.inf] * 3, [np.inf, 0, 0], [np.nan, 0, 0], [1000, 0, -1000]], np.float32)
    for data, axis in ((x, 1), (np.ascontiguousarray(x.T), 0)):
        for logarithm in (False, True):
            expected = fused.softmax(data, axis, logarithm)
            np.testing.assert_allclose(compiled.softmax(data, axis, logarithm), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(5, 1), (64, 10), (9, 1000), (2, 3, 5), (4, 2, 40, 50), (3, 21, 17), (40, 300, 2)])
def test_cross_entropy_equals_the_specification(shape: tuple[int, ...], dtype: str, isa: str) -> None:
    classes, places = shape[1], (shape[0], *shape[2:])
    x, weight = (4 * normal(1, *shape)).astype(dtype), (normal(2, classes) ** 2).astype(dtype)
    target = np.random.default_rng(3).integers(0, classes, places)
    target[0] = -100
    for w in (None, weight):
        expected = fused.cross_entropy(x.astype(float), target, w, -100)
        results = on_all_threads(lambda w=w: compiled.cross_entropy(x, target, w, -100))
        for got, right in zip(results, expected, strict=True):
            check("cross_entropy", got, right, 2 * TOLERANCE[dtype])
        for g in (normal(4, *places).astype(dtype), np.array(0.5, dtype)):
            (dx,) = on_all_threads(lambda g=g, w=w, r=results: compiled.cross_entropy_input(g, x, target, w, -100, *r[1:]))
            exact = fused.cross_entropy_input(g, x.astype(float), target, w, -100, *expected[1:])
            check("cross_entropy_input", dx, exact, 5 * TOLERANCE[dtype])


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 30)])
@pytest.mark.parametrize("wrong", [4, -1, 2**40])
def test_cross_entropy_refuses_what_is_no_class(shape: tuple[int, ...], wrong: int, isa: str) -> None:
    x, target = np.zeros(shape, np.float32), np.zeros((shape[0], *shape[2:]), np.int64)
    losses = compiled.cross_entropy(x, target, None, -100)
    target[-1] = wrong
    with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds: expected 0 <= target < 4"):
        compiled.cross_entropy(x, target, None, -100)
    with pytest.raises(IndexError, match=f"Target {wrong} is out of bounds: expected 0 <= target < 4"):
        compiled.cross_entropy_input(losses[0], x, target, None, -100, *losses[1:])


# --- functions of each element ----------------------------------------------------------------------------------------

# The largest error in units in the last place, for functions that are not a few exact operations.
ULPS = {"exp": 1.5, "log": 1.5, "tanh": 3.0, "erf": 2.0, "sigmoid": 3.0, "softplus": 3.0, "elu": 2.0}
CONSTANTS = {"leaky_relu": (0.2, 0.0), "elu": (1.0, 0.0), "hardtanh": (-1.0, 2.0), "softplus": (1.0, 20.0), "scaled_product": (-2.0, 0.0)}
SPECIAL = np.array([0.0, -0.0, 1.0, -1.0, 3.0, -3.0, np.inf, -np.inf, np.nan, 88.0, 89.0, -88.0, -104.0, 1e-40, 1e-45, 3e38])


def constants(name: str) -> tuple[float, float]:
    return CONSTANTS.get(name.removesuffix("_input"), CONSTANTS.get(name, (0.0, 0.0)))


def test_the_specification_has_the_same_functions() -> None:
    for names, call in ((fused.UNARY, compiled.map_unary), (fused.BINARY, compiled.map_binary)):
        for name in names:
            call(name, np.ones(3), *([np.ones(3)] if call is compiled.map_binary else []), *constants(name))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", fused.UNARY)
def test_functions_of_one_array(name: str, dtype: str, isa: str) -> None:
    for n in (*LENGTHS, 70000):
        x = (3 * normal(n, n)).astype(dtype)
        x = np.abs(x) if name == "log" else x
        (got,) = on_all_threads(lambda x=x: compiled.map_unary(name, x, *constants(name)))
        check(name, got, fused.unary(name, x.astype(float), *constants(name)), 3 * TOLERANCE[dtype])
    again = x.copy()
    assert compiled.map_unary(name, again, *constants(name), out=again) is again
    np.testing.assert_array_equal(again, got)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", fused.BINARY)
def test_functions_of_two_arrays(name: str, dtype: str, isa: str) -> None:
    for n in (*LENGTHS, 70000):
        x, z = normal(n, n).astype(dtype), normal(n + 1, n).astype(dtype)
        z = np.where(np.abs(z) < 0.1, 1, z).astype(dtype) if name == "div" else z
        for left, right in ((x, z), (np.array(x[0]), z), (x, np.array(z[0]))):
            (got,) = on_all_threads(lambda a=left, b=right: compiled.map_binary(name, a, b, *constants(name)))
            expected = fused.BINARY[name](left.astype(float), right.astype(float), *constants(name))
            check(name, got, expected, 4 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ULPS)
def test_the_last_digits(name: str, dtype: str, isa: str) -> None:
    x = np.concatenate([s * normal(k, 50000) for k, s in enumerate((1e-9, 1e-6, 1e-2, 0.5, 3.0, 25.0, 200.0))]).astype(dtype)
    x = np.abs(x) if name == "log" else x
    wide = np.float64 if dtype == "float32" else np.longdouble  # no wider everywhere; the C library's own error is small
    exact = fused.unary(name, x.astype(wide), *constants(name))
    range_ = np.finfo(dtype)
    keep = (np.abs(exact) < range_.max) & (np.abs(exact) > range_.tiny)
    got, exact = compiled.map_unary(name, x, *constants(name))[keep], exact[keep]
    assert (np.abs(got.astype(wide) - exact) / np.spacing(np.abs(exact).astype(dtype))).max() < ULPS[name]


def test_what_gelu_leaves_of_negative_numbers_has_digits(isa: str) -> None:
    """Half of x times erfc: as x times 1 + erf, which is 0 in float32 from -5.5 on, it would have none from -4 on."""
    x = np.linspace(-5.8, 6, 40001).astype(np.float32)
    exact = np.array([v / 2 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])
    np.testing.assert_allclose(compiled.map_unary("gelu", x, 0, 0), exact, rtol=5e-6)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 + v * math.exp(-v * v / 2) / math.sqrt(2 * math.pi) for v in x.tolist()])
    np.testing.assert_allclose(compiled.map_binary("gelu_input", np.ones_like(x), x, 0, 0), exact, rtol=1e-5, atol=3e-7)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_keep_the_sign_of_zero(name: str, dtype: str, isa: str) -> None:
    x = np.array([0.0, -0.0], dtype)
    assert np.signbit(compiled.map_unary(name, x)).tolist() == [False, True]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", fused.UNARY)
def test_special_numbers(name: str, dtype: str, isa: str) -> None:
    x = SPECIAL.astype(dtype)
    expected = fused.unary(name, x.astype(float), *constants(name)).astype(dtype)
    np.testing.assert_allclose(compiled.map_unary(name, x, *constants(name)), expected, rtol=2e-5, atol=1e-43)


@pytest.mark.parametrize("name", [n for n in fused.BINARY if n.endswith("_input")])
def test_slopes_at_kinks_and_of_special_numbers(name: str, isa: str) -> None:
    x = np.append(SPECIAL[:-1], 2.0).astype(np.float32)  # without what overflows when it is squared
    g = np.full(x.shape, 0.5, np.float32)
    expected = fused.binary(name, g.astype(float), x.astype(float), *constants(name)).astype(np.float32)
    np.testing.assert_allclose(compiled.map_binary(name, g, x, *constants(name)), expected, rtol=2e-5, atol=1e-37)


def test_large_arrays_are_added_in_place_whatever_their_layout() -> None:
    n = 200
    for dtype in (np.float32, np.float64, np.float16, np.int64):
        x, z = (np.arange(i, i + n * n).reshape(n, n).astype(dtype) for i in (0, 7))
        odd = np.frombuffer(b"." + z.tobytes(), dtype, offset=1).reshape(n, n)
        for other in (z, z.T, np.broadcast_to(z[:1], z.shape), odd, z.astype(np.float16 if dtype == np.float16 else dtype)):
            for target in (x.copy(), np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
                expected = target + other
                cpu.add_into(target, other)
                np.testing.assert_array_equal(target, expected)
    frozen = np.ones((n, n))
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        cpu.add_into(frozen, np.ones((n, n)))


def test_large_tensors_are_added_and_multiplied() -> None:
    x, y = (minigrad.tensor(normal(seed, 300, 200)).requires_grad_() for seed in (1, 2))
    ((x + y) * x + x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * x.detach().numpy() + y.detach().numpy() + 1, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(y.grad.numpy(), x.detach().numpy())


# --- dropout ----------------------------------------------------------------------------------------------------------


def test_philox_gives_the_published_words() -> None:
    words = fused.random_words(np, 64, 0)
    assert [hex(w) for w in words[::16]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    key = 0x299F31D0A4093822  # a counter of digits of pi would need its upper words: here only the key differs
    assert len(set(fused.random_words(np, 64, key).tolist()) & set(words.tolist())) == 0


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_equals_the_specification_bit_for_bit(p: float, dtype: str, isa: str) -> None:
    for n in (*LENGTHS, 1000, 70000):
        x = normal(n, n).astype(dtype)
        for key in (0, 12345, 2**64 - 1):
            (got,) = on_all_threads(lambda x=x, key=key: compiled.dropout(x, key, fused.threshold(p), 1 / (1 - p)))
            np.testing.assert_array_equal(got, fused.dropout(x, key, p), strict=True)
    kept = np.count_nonzero(got) / got.size
    assert abs(kept - (1 - p)) < 5 * math.sqrt(p * (1 - p) / got.size)


def test_dropout_of_what_is_not_finite(isa: str) -> None:
    x = np.full(640, np.nan, np.float32)
    got = compiled.dropout(x, 1, fused.threshold(0.5), 2.0)
    assert set(np.isnan(got).tolist()) == {True, False} and (got[~np.isnan(got)] == 0).all()


# --- sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 200000), (3, 5, 7), (40, 1, 3000), (500, 70, 1), (9, 300, 1), (8, 6, 900), (1, 2000, 30), (2, 2, 140000)])
def test_sums(shape: tuple[int, int, int], dtype: str, isa: str) -> None:
    whole = np.random.default_rng(0).integers(-8, 9, shape).astype(dtype)
    (got,) = on_all_threads(lambda: compiled.sum_outer_inner(whole, *shape))
    np.testing.assert_array_equal(got, whole.sum((0, 2), dtype=dtype), strict=True)
    x = (normal(1, *shape) + 1).astype(dtype)
    (got,) = on_all_threads(lambda: compiled.sum_outer_inner(x, *shape))
    check("sum", got, x.sum((0, 2), dtype=np.longdouble), TOLERANCE[dtype] / 4)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (3,), (0, 1), (0, 2), (0, 2, 3), (1, 3), (2, 3), (0, 1, 2, 3)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_over_any_axes(axes: tuple[int, ...], keepdims: bool) -> None:
    for shape in ((8, 9, 10, 11), (2, 3, 4, 5), (2, 0, 3, 4)):
        x = np.arange(math.prod(shape), dtype=float).reshape(shape)
        for data in (x, np.asfortranarray(x), x[::-1]):
            got = cpu.sum_axes(data, axes, keepdims)
            np.testing.assert_array_equal(got, data.sum(axes, keepdims=keepdims), strict=True)


# --- what does not fit ------------------------------------------------------------------------------------------------

X = np.ones((2, 4, 3), np.float32)
V = np.ones(4, np.float32)
T = np.zeros((2, 3), np.int64)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: compiled.batch_norm(X, V[:3].copy(), None, 0.1), ValueError, "batch_norm: expected the size of weight to be 4, but got 3"),
        (lambda: compiled.batch_norm(X, V.astype(float), None, 0.1), TypeError, "batch_norm: expected weight to be an array of float32"),
        (lambda: compiled.batch_norm(X[..., ::2], V, None, 0.1), ValueError, "batch_norm: expected x to be C-contiguous"),
        (lambda: compiled.batch_norm(X[:0], V, None, 0.1), ValueError, r"expected x \(N, C, \*\) with elements"),
        (lambda: compiled.batch_norm(V, V, None, 0.1), ValueError, r"expected x \(N, C, \*\) with elements"),
        (lambda: compiled.batch_norm([1.0], V, None, 0.1), TypeError, "expected x to be a numpy.ndarray, but got list"),
        (lambda: compiled.batch_norm(X.astype(int), V, None, 0.1), TypeError, "expected x to be float32 or float64, but got int64"),
        (lambda: compiled.batch_norm_input(X[:1], X, V, V, V, 0.1), ValueError, "expected the shape of g to be"),
        (lambda: compiled.batch_norm_input(X, X, V, V[:2].copy(), V, 0.1), ValueError, "expected the shape of mean to be"),
        (lambda: compiled.batch_norm(X, V, None, 0.1, None, X), ValueError, "batch_norm: expected a slope with the residual"),
        (lambda: compiled.batch_norm(X, V, None, 0.1, 0.0, X[:1]), ValueError, "expected the shape of residual to be"),
        (lambda: compiled.batch_norm(X, V, None, 0.1, 0.0, X.astype(float)), TypeError, "expected residual to be an array of float32"),
        (lambda: compiled.batch_norm(X, V, None, 0.1, "0"), TypeError, "must be real number"),
        (lambda: compiled.batch_norm_input(X, X, V, V, V, 0.1, 0.0, V, X[:1]), ValueError, "expected the shape of residual to be"),
        (lambda: compiled.batch_norm_input(X, X, V, V, V, 0.1, 0.0, V[:2].copy()), ValueError, "expected the size of bias to be 4, but got 2"),
        (lambda: compiled.batch_norm_input(X, X, V, V, V, 0.1, None, None, X), ValueError, "expected a slope with the residual"),
        (lambda: compiled.scale_channels(X, V, None, None, X), ValueError, "scale_channels: expected a slope with the residual"),
        (lambda: compiled.scale_channels(X, V, None, 0.0, X[..., :1].copy()), ValueError, "expected the shape of residual to be"),
        (lambda: compiled.group_norm(X, V, None, 3, 0.1), ValueError, "4 channels cannot be split into 3 groups"),
        (lambda: compiled.group_norm(X, V, None, 0, 0.1), ValueError, "4 channels cannot be split into 0 groups"),
        (lambda: compiled.row_norm(X, None, None, 4, True, 0.1), ValueError, "expected an array with elements and some of its 3 axes"),
        (lambda: compiled.row_norm(X, None, None, 0, True, 0.1), ValueError, "expected an array with elements and some of its 3 axes"),
        (lambda: compiled.scale_channels(X, V[:3].copy(), None), ValueError, "expected the size of scale to be 4"),
        (lambda: compiled.softmax(X, 3, False), ValueError, "an axis of it"),
        (lambda: compiled.softmax(X, -1, False), ValueError, "an axis of it"),
        (lambda: compiled.softmax_input(X[:1], X, 1, False), ValueError, "expected the shape of g to be"),
        (lambda: compiled.cross_entropy(X, T[:1], None, -100), ValueError, "expected the shape of target to be"),
        (lambda: compiled.cross_entropy(X, T.astype(np.int32), None, -100), TypeError, "expected target to be an array of int64"),
        (lambda: compiled.map_unary("cosine", X), KeyError, "cosine"),
        (lambda: compiled.map_unary("exp", X, out=X[:1]), ValueError, "expected the shape of out to be"),
        (lambda: compiled.map_binary("add", X, V), ValueError, "expected the shape of z to be"),
        (lambda: compiled.map_binary("add", X, X.astype(float)), TypeError, "expected z to be an array of float32"),
        (lambda: compiled.sum_outer_inner(X, 2, 4, 4), ValueError, "cannot be seen as"),
        (lambda: compiled.sum_outer_inner(X, -2, 4, -3), ValueError, "cannot be seen as"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


def test_layouts_types_and_empty_arrays_that_the_kernels_do_not_take() -> None:
    x = normal(0, 4, 6, 5)
    weight = normal(1, 6)
    right = fused.batch_norm(x, weight, None, 0.1)
    sparse = np.zeros((8, 6, 10))[::2, :, ::2]
    sparse[...] = x
    for data in (np.asfortranarray(x), x[::-1][::-1], sparse):
        for got, expected in zip(cpu.batch_norm(data, weight, None, 0.1), right, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    half = x.astype(np.float16)
    assert cpu.unary("gelu", half).dtype == np.float16
    assert cpu.unary("relu", np.array([-1, 2])).tolist() == [0, 2]
    assert cpu.unary("exp", np.zeros((0, 3))).shape == (0, 3)
    assert cpu.binary("mul", np.broadcast_to(np.float32(2), (3,)), np.ones(3, np.float32)).tolist() == [2, 2, 2]
    assert type(cpu.unary("gelu", np.array(1, np.float16))) is np.ndarray  # not a scalar, into which nothing can be added
    assert cpu.dropout(np.zeros((0, 2)), 5, 0.5).shape == (0, 2)
