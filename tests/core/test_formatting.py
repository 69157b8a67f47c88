"""How tensors print: known texts, and several hundred random tensors side by side with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import minigrad

KNOWN: list[tuple[Any, dict[str, Any], str]] = [
    ([0.5, 2.0], {}, "tensor([0.5000, 2.0000])"),
    ([0.5, 2.0], {"precision": 2}, "tensor([0.50, 2.00])"),
    ([0.5, 2.0], {"sci_mode": True}, "tensor([5.0000e-01, 2.0000e+00])"),
    ([1.0, 1e5], {}, "tensor([1.0000e+00, 1.0000e+05])"),
    ([1.0, 1e5], {"sci_mode": False}, "tensor([1.0000e+00, 1.0000e+05])".replace("1.0000e+00", "     1.").replace("1.0000e+05", "100000.")),
    ([1e-5, 1e-5], {}, "tensor([1.0000e-05, 1.0000e-05])"),
    ([1.0, float("nan"), float("-inf")], {}, "tensor([1., nan, -inf])"),
    ([float("inf")], {}, "tensor([inf])"),
    ([0.0, -0.0], {}, "tensor([0., -0.])"),
    ([-1, 10], {}, "tensor([-1, 10])"),
    ([True, False], {}, "tensor([ True, False])"),
    (2.5, {}, "tensor(2.5000)"),
    (list(range(8)), {"threshold": 5}, "tensor([0, 1, 2,  ..., 5, 6, 7])"),
    (list(range(8)), {"threshold": 5, "edgeitems": 1}, "tensor([0,  ..., 7])"),
    (list(range(8)), {"threshold": 5, "edgeitems": 0}, "tensor([...], size=(8,))"),
    (list(range(6)), {"linewidth": 16}, "tensor([0, 1, 2,\n        3, 4, 5])"),
    ([[1, 2], [3, 4]], {"threshold": 1, "edgeitems": 1}, "tensor([[1, 2],\n        [3, 4]])"),
    (list(range(1001)), {"profile": "short"}, "tensor([   0,    1,  ...,  999, 1000])"),
    ([1.23456], {"profile": "short", "precision": 3}, "tensor([1.235])"),
]


@pytest.mark.parametrize(("data", "options", "text"), KNOWN, ids=[str(i) for i in range(len(KNOWN))])
def test_known_texts(data: Any, options: dict[str, Any], text: str) -> None:
    before = minigrad.get_printoptions()
    with minigrad.printoptions(**options):
        assert repr(minigrad.tensor(data)) == text
    assert minigrad.get_printoptions() == before


def test_a_whole_tensor_is_printed_by_the_full_profile() -> None:
    x = minigrad.arange(2000)
    with minigrad.printoptions(profile="full"):
        assert len(repr(x).split(",")) == 2000
    assert "..." in repr(x)


def test_what_set_printoptions_refuses() -> None:
    before = minigrad.get_printoptions()
    with pytest.raises(ValueError, match="set_printoptions: expected the profile 'default', 'short' or 'full', got 'long'"):
        minigrad.set_printoptions(profile="long")
    with pytest.raises(ValueError, match="set_printoptions: precision cannot be negative, got -1"):
        minigrad.set_printoptions(precision=-1)
    assert minigrad.get_printoptions() == before


DTYPES = ["float32", "float64", "float16", "int64", "int32", "uint8", "int8", "int16", "bool"]
OPTIONS = st.fixed_dictionaries({}, optional={
    "precision": st.integers(0, 8), "threshold": st.integers(0, 60), "edgeitems": st.integers(0, 4), "linewidth": st.integers(10, 130),
    "profile": st.sampled_from(["default", "short", "full"]), "sci_mode": st.booleans(),
})  # fmt: skip


@st.composite
def values(draw: Any) -> Any:
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=8))
    array = draw(arrays.arrays(np.float64, shape, elements=st.floats(-100, 100, width=32) | st.integers(-100, 100).map(float)))
    array = array * 10.0 ** draw(st.integers(-6, 9))
    if dtype.startswith("float") and draw(st.booleans()):
        array = np.where(draw(arrays.arrays(bool, shape)), draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0])), array)
    with np.errstate(all="ignore"):
        return np.asarray(array).astype(dtype)


@settings(max_examples=300, deadline=None)
@given(array=values(), options=OPTIONS, history=st.sampled_from(["none", "leaf", "result"]))
def test_random_tensors_as_in_torch(array: Any, options: dict[str, Any], history: str) -> None:
    torch = pytest.importorskip("torch")
    texts = []
    for m in (minigrad, torch):
        x = m.tensor(array.tolist(), dtype=getattr(m, str(array.dtype))).reshape(array.shape)
        if history != "none" and array.dtype.kind == "f":
            x.requires_grad_()
            x = x * 1 if history == "result" else x
        m.set_printoptions(profile="default")
        m.set_printoptions(**options)
        try:
            texts.append(repr(x))
        finally:
            m.set_printoptions(profile="default")
    ours, theirs = texts
    if "dtype=" in ours:  # the package's longer name may take the note to another line
        ours, theirs = (" ".join(t.replace("torch.", "minigrad.").split()) for t in (ours, theirs))
    assert ours == theirs
