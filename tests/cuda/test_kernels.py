"""The CUDA kernels against the reference, over the geometries of the laws, on both forms of the simulator. Simulated, not run on a GPU."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.kernels import driver, fused, reference
from minigrad.kernels.geometry import Windows
from minigrad.kernels.resampling import interpolating, taking
from minigrad.testing.strategies import Draw

from ..cudasim import standin
from .conftest import is_quick

pytestmark = pytest.mark.gpu
QUICK = is_quick()
KINDS = ("float32",) if QUICK else ("float32", "float32", "float64", "float16")
WIDE_KINDS = ("float32",) if QUICK else ("float32", "float64")
TOLERANCE = {"float64": 1e-12, "float32": 2e-5, "float16": 5e-3}


@pytest.fixture(params=["fast", "check"])
def cuda(request: pytest.FixtureRequest, device: str) -> Any:
    """The kernels, in one form of the simulator."""
    from minigrad.kernels import cuda

    before = standin.settings.mode
    standin.settings.mode = request.param
    yield cuda
    standin.settings.mode = before


def there(x: Any) -> Any:
    return driver.to_device(x, 0) if isinstance(x, np.ndarray) else x


def compare(what: str, got: Any, expected: Any, exact: bool) -> None:
    """Compares the results of a kernel with the reference's, to the bit or to the precision of their dtype."""
    pairs = zip(got, expected, strict=True) if isinstance(expected, tuple) else [(got, expected)]
    for a, b in pairs:
        a = driver.to_host(a)
        assert (a.shape, a.dtype) == (b.shape, b.dtype), what
        if exact:
            np.testing.assert_array_equal(a, b, err_msg=what)
        else:
            tolerance = TOLERANCE[b.dtype.name]
            size = float(np.abs(b[np.isfinite(b)].astype("float64")).max(initial=1.0))
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * size, err_msg=what)


def run(cuda: Any, name: str, *arguments: Any, exact: bool = False, expected: Any = None) -> None:
    """Runs a kernel and compares it."""
    standin.settings.seed += 1  # another order of threads and blocks
    got = getattr(cuda, name)(*[there(a) for a in arguments])
    compare(name, got, getattr(reference, name)(*arguments) if expected is None else expected, exact)


def numbers(draw: Any, kind: str, *shape: int, whole: bool = False) -> Any:
    """Numbers from -3 to 3, whole ones or halves and quarters too."""
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = generator.integers(-3, 4, shape) if whole else generator.integers(-24, 25, shape) / 8
    return x.astype(kind)


@st.composite
def windows(draw: Any, most_taps: int = 3) -> Windows:
    """Windows of one to three axes, with stride, dilation, padding on both sides, and groups."""
    source = Draw(draw)
    rank = source.choice(2, 1, 3)
    lengths, kernel, stride, dilation, padding = [], [], [], [], []
    for _ in range(rank):
        k, s, d = source.choice(*range(1, most_taps + 1)), source.choice(1, 2, 3), source.choice(1, 2)
        before, after = source.choice(0, 1, 2), source.choice(0, 1, 2)
        lengths.append(max(1, d * (k - 1) + 1 - before - after) + draw(st.integers(0, 5)))
        kernel.append(k), stride.append(s), dilation.append(d), padding.append((before, after))
    return Windows(
        tuple(lengths), tuple(kernel), tuple(stride), tuple(dilation), tuple(padding), groups=source.choice(1, 2, 3)
    )


def prop(function: Any) -> Any:
    """A property of a kernel that is checked on drawn data: on few in the quick profile, on as many as the profile says in others."""
    return settings(max_examples=6 if QUICK else settings().max_examples)(function)


def test_the_profile_is_the_one_that_was_asked_for() -> None:
    assert (settings().max_examples <= 12) is QUICK


def test_convolution_is_exact_on_whole_numbers(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        w = draw(windows())
        kind = draw(st.sampled_from(KINDS))
        channels, filters = draw(st.sampled_from([(1, 1), (2, 3), (1, 2), (3, 1), (1, 9), (5, 33), (2, 70), (33, 2)]))
        n = draw(st.integers(1, 3))
        x = numbers(draw, kind, n, channels * w.groups, *w.in_size, whole=True)
        f = numbers(draw, kind, filters * w.groups, channels, *w.kernel, whole=True)
        g = numbers(draw, kind, n, filters * w.groups, *w.out_size, whole=True)
        bias = numbers(draw, kind, filters * w.groups, whole=True) if draw(st.booleans()) else None
        run(cuda, "conv", x, f, bias, w, exact=True)
        run(
            cuda,
            "conv_input",
            g,
            f,
            None if bias is None else numbers(draw, kind, channels * w.groups, whole=True),
            w,
            exact=True,
        )
        run(cuda, "conv_weight", x, g, w, exact=True)

    check()


@pytest.mark.parametrize(("channels", "filters"), [(32, 128), (130, 40)])
def test_convolution_of_many_channels_cuts_its_sums_into_parts(cuda: Any, channels: int, filters: int) -> None:
    w = Windows((7, 6), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    generator = np.random.default_rng(0)
    x, f, g = (
        generator.integers(-3, 4, shape).astype("float32")
        for shape in ((2, channels, 7, 6), (filters, channels, 3, 3), (2, filters, 7, 6))
    )
    run(cuda, "conv", x, f, generator.integers(-3, 4, filters).astype("float32"), w, exact=True)
    run(cuda, "conv_input", g, f, None, w, exact=True)
    run(cuda, "conv_weight", x, g, w, exact=True)


def test_pooling(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        w = draw(windows())
        w = Windows(w.in_size, w.kernel, w.stride, w.dilation, w.padding)
        kind = draw(st.sampled_from(KINDS))
        n, c = draw(st.integers(1, 3)), draw(st.integers(1, 2))
        x = numbers(draw, kind, n, c, *w.in_size, whole=True)
        g = numbers(draw, kind, n, c, *w.out_size, whole=True)
        run(cuda, "sum_pool", x, w, exact=True)
        run(cuda, "sum_pool_input", g, w, exact=True)
        values, indices = reference.max_pool(x, w)
        if indices.min() < 0:
            return  # windows all in the padding, which no public operation makes
        run(cuda, "max_pool", x, w, exact=True)
        run(cuda, "pool_scatter", g, indices, w.in_size, exact=True)
        run(cuda, "pool_scatter", g, indices, w.in_size, w, exact=True)
        run(cuda, "max_unpool", values, indices, w.in_size, exact=True)
        run(cuda, "pool_gather", x, indices, exact=True)

    check()


def test_a_nan_is_the_largest_of_its_window(cuda: Any) -> None:
    x = np.array([[[1.0, np.nan, 3.0, 2.0]]], "float32")
    run(cuda, "max_pool", x, Windows((4,), (2,), (1,), (1,), ((0, 0),)), exact=True)


def test_normalisation(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        kind = draw(st.sampled_from(WIDE_KINDS))
        groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        shape = (
            draw(st.integers(1, 4)),
            groups * per_group,
            *draw(st.sampled_from([(), (5,), (3, 40), (2, 3, 2), (1500,)])),
        )
        x, g = numbers(draw, kind, *shape) + draw(st.sampled_from([0, 100])), numbers(draw, kind, *shape)
        x = x.astype(kind)
        weight, bias = (numbers(draw, kind, shape[1]) if draw(st.booleans()) else None for _ in range(2))
        eps = 1e-3
        expected = fused.batch_norm(x, weight, bias, eps)
        run(cuda, "batch_norm", x, weight, bias, eps)
        run(cuda, "batch_norm_input", g, x, weight, *expected[1:], eps)
        slope, residual = draw(st.sampled_from([0.0, 0.25])), numbers(draw, kind, *shape) if draw(st.booleans()) else None
        run(cuda, "batch_norm", x, weight, bias, eps, slope, residual)
        y = expected[0]
        away = np.where(np.abs(y) < 1, np.where(y < 0, -1, 1), 0).astype(kind)  # no result where the rounding decides on the sign
        run(cuda, "batch_norm_input", g, x, weight, *expected[1:], eps, slope, bias, away)
        signs = np.where(np.indices(shape).sum(0) % 2, -1, 1)
        apart = (signs * (1 + np.abs(x - x.round()) / 2)).astype(kind)
        run(cuda, "batch_norm_input", g, apart, weight, *fused.batch_norm(apart, weight, None, eps)[1:], eps, slope, None)
        expected = fused.group_norm(x, weight, bias, groups, eps)
        run(cuda, "group_norm", x, weight, bias, groups, eps)
        run(cuda, "group_norm_input", g, x, weight, *expected[1:], groups, eps)
        last = draw(st.integers(1, len(shape) - 1))
        centred = draw(st.booleans())
        weight, bias = (
            numbers(draw, kind, *shape[len(shape) - last :]) if draw(st.booleans()) else None for _ in range(2)
        )
        x = (x - 100 * (x.mean() > 50)).astype(kind)
        expected = fused.row_norm(x, weight, bias, last, centred, eps)
        run(cuda, "row_norm", x, weight, bias, last, centred, eps)
        run(cuda, "row_norm_input", g, x, weight, *expected[1:], last, centred, eps)
        scale = numbers(draw, kind, shape[1])
        run(cuda, "scale_channels", x, scale, None)
        run(cuda, "scale_channels", x, scale, scale)
        run(cuda, "scale_channels", x, scale, scale, slope, residual)

    check()


def test_softmax_and_cross_entropy(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        kind = draw(st.sampled_from(WIDE_KINDS))
        shape = (
            draw(st.integers(1, 4)),
            draw(st.sampled_from([1, 3, 40, 300])),
            *draw(st.sampled_from([(), (3,), (2, 2)])),
        )
        x, g = numbers(draw, kind, *shape), numbers(draw, kind, *shape)
        for logarithm in (False, True):
            axis = draw(st.integers(0, len(shape) - 1))
            y = reference.softmax(x, axis, logarithm)
            run(cuda, "softmax", x, axis, logarithm)
            run(cuda, "softmax_input", g, y, axis, logarithm)
        target = np.abs(numbers(draw, "int64", shape[0], *shape[2:])) % shape[1]
        ignored = draw(st.sampled_from([-100, 0]))
        weight = np.abs(numbers(draw, kind, shape[1])) if draw(st.booleans()) else None
        _, largest, log_sum = reference.cross_entropy(x, target, weight, ignored)
        run(cuda, "cross_entropy", x, target, weight, ignored)
        slopes = numbers(draw, kind, *target.shape)
        run(cuda, "cross_entropy_input", slopes, x, target, weight, ignored, largest, log_sum)

    check()


def test_a_target_that_is_no_class_gives_nan(cuda: Any) -> None:
    x = np.zeros((3, 4), "float32")
    loss, largest, log_sum = cuda.cross_entropy(there(x), there(np.array([1, 4, -1])), None, -100)
    np.testing.assert_array_equal(np.isnan(driver.to_host(loss)), [False, True, True])
    slopes = cuda.cross_entropy_input(
        there(np.ones(3, "float32")), there(x), there(np.array([1, 4, -1])), None, -100, largest, log_sum
    )
    np.testing.assert_array_equal(np.isnan(driver.to_host(slopes)).all(1), [False, True, True])


@pytest.mark.parametrize("kind", WIDE_KINDS)
def test_functions_of_each_element(cuda: Any, kind: str) -> None:
    x = (np.arange(-40, 41) / 8).astype(kind)
    z = np.roll(x, 7)
    parameters = {
        "hardtanh": (-1.0, 2.0),
        "hardtanh_input": (-1.0, 2.0),
        "softplus": (2.0, 5.0),
        "softplus_input": (2.0, 5.0),
    }
    for name in fused.UNARY:
        at = np.abs(x) + np.array(1, kind) if name == "log" else x
        run(cuda, "unary", name, at, *parameters.get(name, (0.5, 0.0)))
    for name in fused.BINARY:
        right = np.abs(z) + np.array(1, kind) if name == "div" else z
        run(cuda, "binary", name, x, right, *parameters.get(name, (0.5, 0.0)))
        run(cuda, "binary", name, np.array(3.0, kind), right, *parameters.get(name, (0.5, 0.0)))
    special = np.array([np.nan, np.inf, -np.inf, 0.0], kind)
    for name in ("relu", "leaky_relu", "elu", "sigmoid", "softplus", "silu"):
        with np.errstate(all="ignore"):
            expected = fused.unary(name, special, *parameters.get(name, (0.5, 0.0)))
        run(cuda, "unary", name, special, *parameters.get(name, (0.5, 0.0)), expected=expected)


@pytest.mark.parametrize("kind", dict.fromkeys(KINDS))
def test_dropout_drops_what_it_drops_on_the_cpu(cuda: Any, kind: str) -> None:
    for size in (1, 63, 64, 1000):
        x = np.arange(1, size + 1).astype(kind)
        for p in (0.0, 0.5, 0.75):
            run(cuda, "dropout", x, 0xFEDCBA9876543210, p, exact=True)


def test_random_numbers_have_their_distributions(cuda: Any) -> None:
    for kind in ("float32", "float64", "float16"):
        u = driver.to_host(cuda.uniform((4099,), np.dtype(kind), 12345)).astype("float64")
        assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.02 and abs(u.var() - 1 / 12) < 0.005
        n = driver.to_host(cuda.normal((4099,), np.dtype(kind), 12345)).astype("float64")
        assert abs(n.mean()) < 0.06 and abs(n.var() - 1) < 0.08 and abs((n**4).mean() - 3) < 0.5
        np.testing.assert_array_equal(driver.to_host(cuda.normal((4099,), np.dtype(kind), 12345)), n.astype(kind))
        assert (driver.to_host(cuda.normal((4099,), np.dtype(kind), 12346)) != n.astype(kind)).mean() > 0.9


def test_adding_at_places_keeps_the_order(cuda: Any) -> None:
    generator = np.random.default_rng(0)
    for kind in (*WIDE_KINDS, "int64", "int32"):
        for key in (
            generator.integers(0, 5, 40),
            (generator.integers(0, 5, 40), generator.integers(0, 3, 40)),
            (slice(None), np.array([0, 0, 2])),
        ):
            out = generator.integers(-5, 5, (5, 3)).astype(kind)
            source = generator.integers(-5, 5, out[key].shape).astype(kind)
            expected = out.copy()
            np.add.at(expected, key, source)
            got = there(out)
            cuda.add_at(got, tuple(there(k) for k in key) if isinstance(key, tuple) else there(key), there(source))
            np.testing.assert_array_equal(driver.to_host(got), expected)


def test_a_formula_updates_many_arrays_in_one_launch(cuda: Any) -> None:
    from minigrad.kernels.formula import clamp, masked_fill, maximum, sign, sqrt

    def formula(x: Any, g: Any, moment: Any) -> tuple[Any, Any]:
        moment = 0.9 * moment + 0.1 * g * g
        step = clamp(g / (sqrt(moment) + 1e-3), -2.0, 2.0) + maximum(sign(g), 0.0)
        return masked_fill(step, x > 1, 0.5), moment

    generator = np.random.default_rng(0)
    for kind in WIDE_KINDS:
        rows = [
            tuple(generator.integers(-8, 9, size).astype(kind) / 4 for _ in range(2)) + (np.ones(size, kind),)
            for size in (1, 5, 1024, 2500)
        ]

        there_rows = [tuple(there(x) for x in row) for row in rows]
        counts = standin.counts
        before = counts.kernels.get("update", 0)
        cuda.update(formula, there_rows)
        assert counts.kernels.get("update", 0) == before + 1 or "simulated" not in driver.cupy().__version__
        reference.update(formula, rows)
        for row, got in zip(rows, there_rows, strict=True):
            for a, b in zip(row, got, strict=True):
                np.testing.assert_allclose(driver.to_host(b), a, rtol=TOLERANCE[kind], atol=TOLERANCE[kind])
    assert cuda.sum_of_squares([there(np.array([3.0, 4.0], "float32")), there(np.array([12.0]))]) == 169.0


def test_resampling_is_exact_where_weights_are(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        kind = draw(st.sampled_from(KINDS))
        lines = []
        for _ in range(draw(st.integers(1, 3))):
            n = draw(st.integers(1, 4))
            lines.append(
                draw(
                    st.sampled_from(
                        [
                            interpolating("linear", n, 2 * n, 2.0, False),
                            interpolating("nearest", n, draw(st.integers(1, 7)), None, False),
                            taking(n, tuple(np.abs(np.arange(1 - n, n)).tolist())),
                        ]
                    )
                )
            )
        found = tuple([line.adjoint if draw(st.booleans()) else line for line in lines])
        x = numbers(draw, kind, *draw(st.sampled_from([(2, 3), (1,), ()])), *[line.n_in for line in found], whole=True)
        run(cuda, "resample", x, found, exact=True)
        weights = interpolating("linear", 5, 7, None, True), interpolating("cubic", 4, 3, None, False)
        run(cuda, "resample", numbers(draw, kind, 2, 5, 4), weights)

    check()


def test_weighted_sums_of_named_elements_are_exact(cuda: Any) -> None:
    @prop
    @given(data=st.data())
    def check(data: Any) -> None:
        draw = data.draw
        kind = draw(st.sampled_from(KINDS))
        images, channels, taps, places, plane = (draw(st.integers(1, most)) for most in (3, 3, 4, 7, 9))
        x, g = (
            numbers(draw, kind, images, channels, plane, whole=True),
            numbers(draw, kind, images, channels, places, whole=True),
        )
        weights = numbers(draw, kind, images, taps, places, whole=True)
        indices = np.random.default_rng(draw(st.integers(0, 99))).integers(-1, plane, weights.shape)
        run(cuda, "blend", x, weights, indices, exact=True)
        run(cuda, "match", g, x, indices, exact=True)
        run(cuda, "spread", g, weights, indices, plane, exact=True)

    check()


def test_gradients_are_unscaled_in_one_launch(cuda: Any) -> None:
    generator = np.random.default_rng(0)
    for kinds in (("float32",), ("float32", "float64", "float16")):
        for bad in (None, np.inf, -np.inf, np.nan):
            arrays = [
                generator.integers(-8, 9, size).astype(kinds[i % len(kinds)])
                for i, size in enumerate((1, 5, 1024, 2500, 0))
            ]
            arrays.append(generator.integers(-8, 9, (4, 6)).astype("float32").T)
            if bad is not None:
                arrays[3][1700] = bad
            inverse = np.asarray(0.25, "float32")
            copies = [there(x) for x in arrays]
            before = standin.counts.kernels.get("unscale", 0)
            found = cuda.unscale(copies, there(inverse))
            if "simulated" in driver.cupy().__version__:
                assert standin.counts.kernels["unscale"] == before + len(kinds)
            expected = reference.unscale(arrays, inverse)
            assert (found.shape, found.dtype, float(found), float(expected)) == (
                (),
                np.float32,
                bad is not None,
                bad is not None,
            )
            for a, b in zip(copies, arrays, strict=True):
                np.testing.assert_array_equal(driver.to_host(a), b)


def test_many_arrays_take_few_launches(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    update = sys.modules["minigrad.kernels.cuda.update"]

    assert update.rows_at_once(1, 2) == update.MOST_ROWS
    for arguments in (1, 4, 20, 100):  # of a row: pointers, its first block and its size
        assert update.rows_at_once(arguments, 9) * (8 * arguments + 8) + 9 * 8 <= update.MOST_BYTES
    monkeypatch.setattr(update, "MOST_ROWS", 6)  # kernels of many rows take g++ a while
    generator = np.random.default_rng(0)
    for kinds in (("float32",), ("float32", "float64", "float16")):
        arrays = [generator.integers(-8, 9, 1 + i % 7 * 400).astype(kinds[i % len(kinds)]) for i in range(15)]
        arrays += [generator.integers(-8, 9, (4, 6)).astype("float32").T, np.zeros((0, 3), "float32")]
        for name, number in (("total_of_squares", None), ("scale", np.asarray(0.25)), ("unscale", np.asarray(0.5, "float32"))):
            copies = [there(x) for x in arrays]
            kernel = {"total_of_squares": "squares"}.get(name, name)
            before = standin.counts.kernels.get(kernel, 0)
            found = getattr(cuda, name)(copies, *[there(a) for a in (number,) if a is not None])
            assert standin.counts.kernels.get(kernel, 0) == before + 3 or "simulated" not in driver.cupy().__version__
            if number is None:
                assert float(found) == reference.sum_of_squares(arrays)
            else:
                for a, b in zip(copies, arrays, strict=True):
                    np.testing.assert_array_equal(driver.to_host(a), b * number.astype(b.dtype))
    huge = np.array([3e30, 4e30], "float32")
    assert float(cuda.total_of_squares([there(huge)])) == pytest.approx(25e60)
    assert float(cuda.total_of_squares([there(np.zeros(0, "float32"))])) == 0.0


def test_positions_that_lie_in_no_plane_are_left_out(cuda: Any) -> None:
    """To raise an error the host would have to wait; no memory but the arrays' own may be touched."""
    x, indices = there(np.arange(1, 9, dtype="float32").reshape(1, 2, 4)), there(np.array([[[0, 6, 2**40, -1], [5, -7, 1, 0]]]))
    g = there(np.arange(12, dtype="float32").reshape(1, 2, 6))
    np.testing.assert_array_equal(driver.to_host(cuda.max_unpool(x, indices, (6,))), [[[1, 0, 0, 0, 0, 0], [8, 7, 0, 0, 0, 5]]])
    np.testing.assert_array_equal(driver.to_host(cuda.pool_scatter(x, indices, (6,))), [[[1, 0, 0, 0, 0, 0], [8, 7, 0, 0, 0, 5]]])
    np.testing.assert_array_equal(driver.to_host(cuda.pool_gather(g, indices)), [[[0, 0, 0, 0], [11, 0, 7, 6]]])


def test_random_numbers_are_drawn_in_pieces(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch counts places in int: from 2**31 numbers on there are several."""
    for draw in (cuda.uniform, cuda.normal):
        for kind in ("float32", "float64"):
            whole = driver.to_host(draw((3, 37), kind, 5))
            with monkeypatch.context() as patch:
                patch.setattr(sys.modules["minigrad.kernels.cuda.random"], "PIECE", 16)
                np.testing.assert_array_equal(driver.to_host(draw((3, 37), kind, 5)), whole)


def test_places_of_the_largest_arrays_are_ints(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit goes to the reference: results that are larger than what they are computed from, and launches of too many blocks."""
    from minigrad.kernels.cuda import launch

    assert launch.MOST_BLOCKS * launch.THREADS + launch.LARGEST <= 2**31
    kernels = ("blend", "conv", "pool")
    w = Windows((4,), (2,), (1,), (1,), ((2, 2),))
    x, weights, indices = np.ones((1, 2, 4), "float32"), np.ones((1, 1, 9), "float32"), np.zeros((1, 1, 9), "int64")
    for name in kernels:
        monkeypatch.setattr(sys.modules[f"minigrad.kernels.cuda.{name}"], "LARGEST", 10)
    monkeypatch.setattr(launch, "LARGEST", 10)
    standin.counts.reset()
    run(cuda, "sum_pool", x, w, exact=True)
    run(cuda, "max_pool", x, Windows((4,), (2,), (1,), (1,), ((1, 1),)), exact=True)
    run(cuda, "blend", x, weights, indices, exact=True)
    many = Windows((2,), (1,), (2,), (1,), ((0, 0),), groups=65536)
    monkeypatch.setattr(sys.modules["minigrad.kernels.cuda.conv"], "LARGEST", 2**31)
    monkeypatch.setattr(launch, "LARGEST", 2**31)
    x, f, g = np.ones((1, 2 * 65536, 2), "float32"), np.ones((65536, 2, 1), "float32"), np.ones((1, 65536, 1), "float32")
    run(cuda, "conv", x, f, None, many, exact=True)
    run(cuda, "conv_input", g, f, None, many, exact=True)
    run(cuda, "conv_weight", x, g, many, exact=True)
    assert not {"sum_pool", "max_pool", "blend"} & {*standin.counts.kernels}
