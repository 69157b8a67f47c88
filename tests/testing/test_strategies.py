"""Strategies draw what they say, and shrink to small readable cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

import minigrad.nn.functional as F
from minigrad import from_numpy
from minigrad.testing import (
    Domain,
    arrays,
    broadcastable_shapes,
    convolutions,
    cotangents,
    dtypes,
    indices,
    layouts,
    poolings,
    shapes,
)

QUIET = settings(max_examples=60, derandomize=True, database=None, deadline=None)
SEARCH = settings(max_examples=2000, derandomize=True, database=None, deadline=None)


def simplest(strategy: Any, condition: Any = lambda value: True) -> Any:
    return find(strategy, condition, settings=SEARCH)


@pytest.mark.parametrize(
    ("strategy", "condition", "shrunk"),
    [
        (dtypes("fib"), lambda d: True, "dtype('float64')"),
        (dtypes("fib"), lambda d: d.itemsize < 4, "dtype('int16')"),
        (shapes(), lambda s: len(s) == 2, "(1, 1)"),
        (shapes(min_dims=1), lambda s: max(s) > 1, "(2,)"),
        (broadcastable_shapes(), lambda s: s[0] != s[1], "((1,), ())"),
        (broadcastable_shapes(3), lambda s: len({*s}) == 3, "((1, 2), (2,), (1, 1))"),
        (arrays(), lambda a: a.size > 1, "array([0., 0.])"),
        (arrays((2,)), lambda a: a.sum() > 4, "array([1. , 3.25])"),
        (arrays((2, 2), domain=(0.5, 3)), lambda a: True, "array([[1., 1.], [1., 1.]])"),
        (arrays((3,), integers=True, kinks=(0.0,)), lambda a: True, "array([1., 1., 1.])"),
        (arrays((2,), distance=0.5, kinks=(0.0,)), lambda a: True, "array([1., 1.])"),
        (arrays((2,), dtypes()), lambda a: a.dtype == np.float32, "array([0., 0.], dtype=float32)"),
        (indices((3, 2)), lambda k: isinstance(k, tuple), "()"),
        (indices((3, 2)), lambda k: isinstance(k, np.ndarray) and k.dtype.kind == "i" and k.size, "array([0])"),
        (indices((3, 2)), lambda k: isinstance(k, slice) and k.step == -1, "slice(None, None, -1)"),
    ],
)
def test_shrunk_examples_are_readable(strategy: Any, condition: Any, shrunk: str) -> None:
    assert " ".join(repr(simplest(strategy, condition)).split()) == shrunk


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_geometries_are_valid_and_shrink(dims: int) -> None:
    convolve = getattr(F, f"conv{dims}d")
    maximum, mean = getattr(F, f"max_pool{dims}d"), getattr(F, f"avg_pool{dims}d")
    seen: set[str] = set()

    @QUIET
    @given(st.data())
    def run(data: Any) -> None:
        x, weight, geometry = data.draw(convolutions(dims))
        out = convolve(from_numpy(x), from_numpy(weight), None, **geometry)
        assert out.ndim == dims + 2
        assert out.numel() > 0
        seen.update(name for name in ("stride", "dilation") if max(geometry[name]) > 1)
        seen.update(name for name in ("padding",) if max(geometry[name]) > 0)
        seen.update(["groups"] if geometry["groups"] > 1 else [])
        x, geometry = data.draw(poolings(dims))
        assert maximum(from_numpy(x), **geometry).numel() > 0
        assert mean(from_numpy(x), **geometry).numel() > 0

    run()
    assert seen == {"stride", "dilation", "padding", "groups"}
    x, weight, geometry = simplest(convolutions(dims))
    ones = (1,) * (dims + 2)
    assert (x.shape, weight.shape, geometry) == (
        ones,
        ones,
        {"stride": ones[2:], "padding": (0,) * dims, "dilation": ones[2:], "groups": 1},
    )
    x, weight, geometry = simplest(convolutions(dims), lambda c: max(c[2]["dilation"]) > 1 and max(c[1].shape[2:]) > 1)
    assert x.size <= 3
    assert not x.any()
    x, geometry = simplest(poolings(dims), lambda c: max(c[1]["kernel_size"]) > 2)
    assert (x.size, max(geometry["kernel_size"])) == (3, 3)


def test_arrays_keep_their_promises() -> None:
    @QUIET
    @given(st.data())
    def run(data: Any) -> None:
        tied = data.draw(arrays((2, 3), ties=True))
        assert np.unique(tied).size < tied.size
        far = data.draw(arrays((5,), kinks=(0.0, 1.0), distance=0.25))
        assert min(np.abs(far).min(), np.abs(far - 1).min()) >= 0.25
        whole = data.draw(arrays(shapes(), integers=True))
        assert (whole == np.round(whole)).all()
        inside = data.draw(arrays((4,), domain=Domain(-1.0, 2.0, (0.0,))))
        assert ((inside >= -1) & (inside <= 2) & (inside != 0)).all()
        assert data.draw(arrays((0, 3))).shape == (0, 3)

    run()


def strides_of(array: Any) -> str:
    if any(s < 0 for s in array.strides):
        return "reversed"
    if 0 in array.strides:
        return "stride 0"
    if array.flags.c_contiguous:
        return "contiguous"
    return "transposed" if array.strides[0] < array.strides[1] else "offset view"


def test_layouts_are_all_drawn_and_shrink_to_the_usual_one() -> None:
    values = np.arange(6.0).reshape(2, 3)
    seen: dict[str, set[str]] = {"arrays": set(), "layouts": set(), "cotangents": set()}

    @settings(QUIET, max_examples=200)
    @given(st.data())
    def run(data: Any) -> None:
        seen["arrays"].add(strides_of(data.draw(arrays((2, 3), layout=True))))
        again = data.draw(layouts(values))
        np.testing.assert_array_equal(again, values)
        seen["layouts"].add(strides_of(again))
        (g,) = data.draw(cotangents([values.astype(np.float32)]))
        assert (g.shape, g.dtype) == ((2, 3), np.float32)
        seen["cotangents"].add(strides_of(g))

    run()
    kinds = {"contiguous", "transposed", "reversed", "offset view"}
    assert seen == {"arrays": kinds | {"stride 0"}, "layouts": kinds, "cotangents": kinds | {"stride 0"}}
    assert strides_of(simplest(arrays((2, 3), layout=True))) == "contiguous"


def test_keys_fit_and_name_elements_once_if_asked() -> None:
    @QUIET
    @given(st.data())
    def run(data: Any) -> None:
        x = np.arange(12).reshape(4, 3)
        x[data.draw(indices((4, 3)))]
        once = x[data.draw(indices((4, 3), unique=True))]
        assert np.unique(once).size == np.size(once)

    run()


def test_wrong_kinds_of_types_are_refused() -> None:
    with pytest.raises(ValueError, match="dtypes: expected kinds among the letters f, i, u and b, got 'c'"):
        dtypes("c")
