"""x[key]: every mixture of integers, slices, None, ..., truth values, arrays and masks means what it means in torch."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import Tensor

# --- known answers ----------------------------------------------------------------------------------------------------

X = np.arange(24).reshape(2, 3, 4)
MASK = X % 5 == 0
KNOWN: list[tuple[Any, Any]] = [
    # where an integer and arrays stand together the integer goes first, which NumPy sees differently
    ((0, slice(None), [1, 2, 1]), X[0][:, [1, 2, 1]]),
    ((slice(None), 1, [0, 3]), X[:, 1][:, [0, 3]]),
    (([1, 0], slice(None), 2), X[:, :, 2][[1, 0]]),
    (([1, 0], 0, [2, 3]), X[:, 0][[1, 0], [2, 3]]),
    (([0, 1], slice(None), [1, 2]), X[[0, 1], :, [1, 2]]),
    ((slice(None), [0, 1], [1, 2]), X[:, [0, 1], [1, 2]]),
    ((..., [0, 1]), X[..., [0, 1]]),
    ((None, [0, 1], None), X[None, [0, 1], None]),
    (range(2), X[[0, 1]]),
    ((slice(None), (0, 2)), X[:, [0, 2]]),
    ([], X[:0]),
    (True, X[None]),
    (False, X[None][:0]),
    ((slice(None), True, [2, 0]), X[:, None][:, [0], [2, 0]]),
    ((0, True), X[0][None]),
    (MASK, X[MASK]),
    ((slice(None), MASK[0]), X[:, MASK[0]]),
    ((MASK[:, :, 0], 1), X[:, :, 1][MASK[:, :, 0]]),
    ((1, MASK[0, :, 0]), X[1][MASK[0, :, 0]]),
    (MASK.astype(np.uint8), X[MASK]),
    ([True, False], X[:1]),
    (([[0], [1]], [0, 2]), X[[[0], [1]], [0, 2]]),
    ([[0, 1], [1, 2]], X[[0, 1], [1, 2]]),  # a list of lists is a tuple, as in torch
    ([slice(None), 1], X[:, 1]),
    ((..., ...), X),
    ((1, ..., -1), X[1, ..., -1]),
    ((np.int64(1), np.array(2), np.array([0, 1], np.int32)), X[1, 2, [0, 1]]),
    ((slice(-2, 100, 2), slice(3, 1)), X[-2:100:2, 3:1]),
]


def as_tensors(key: Any) -> Any:
    """The key with its arrays as tensors."""
    if isinstance(key, tuple):
        return tuple([as_tensors(k) for k in key])
    return minigrad.tensor(key) if isinstance(key, np.ndarray) else key


@pytest.mark.parametrize("convert", [lambda key: key, as_tensors], ids=["arrays", "tensors"])
@pytest.mark.parametrize(("key", "expected"), KNOWN, ids=[repr(key)[:50] for key, _ in KNOWN])
def test_known_answers(key: Any, expected: Any, convert: Any) -> None:
    """Reading, writing a number, writing a tensor; X numbers its elements, so that what is read says which were meant."""
    x = minigrad.tensor(X)
    got = x[convert(key)]
    assert tuple(got.shape) == expected.shape
    np.testing.assert_array_equal(got.numpy(), expected)
    x[convert(key)] = -1
    np.testing.assert_array_equal(x.numpy(), np.where(np.isin(X, expected), -1, X))
    y = minigrad.zeros_like(x)
    y[convert(key)] = minigrad.tensor(expected)
    np.testing.assert_array_equal(y.numpy(), np.where(np.isin(X, expected), X, 0))


@pytest.mark.parametrize(
    "key", [0, (0, 1, 2), slice(1, None), (..., None), (), (slice(None), 1), ..., None, np.int64(1), np.array(1)], ids=repr
)
def test_integers_and_slices_give_views(key: Any) -> None:
    x = minigrad.zeros(2, 3, 4)
    view = x[key]
    view += 1
    assert x.sum().item() == view.numel()
    assert view._version == x._version == 1


def test_arrays_give_copies() -> None:
    x = minigrad.zeros(2, 3, 4)
    for key in ([0], True, minigrad.tensor([True, False]), (0, [0])):
        x[key].add_(1)
    assert x.sum().item() == 0


# --- what is refused --------------------------------------------------------------------------------------------------

REFUSED: list[tuple[Any, type[Exception], str]] = [
    (2, IndexError, "index 2 is out of range for dimension 0 of length 2"),
    ((0, -4), IndexError, "index -4 is out of range for dimension 1 of length 3"),
    ((..., 4), IndexError, "index 4 is out of range for dimension 2 of length 4"),
    ((0, 0, 0, 0), IndexError, "too many indices: 4 for a tensor of 3 dimensions"),
    ((None, 0, 0, ..., 0, 0), IndexError, "too many indices: 4 for a tensor of 3 dimensions"),
    ([0, 2], IndexError, "an index is out of range for dimension 0 of length 2: found 0 to 2"),
    ((slice(None), [-4]), IndexError, "an index is out of range for dimension 1 of length 3: found -4 to -4"),
    (([0, 1], [0, 1, 2]), IndexError, r"indices of shapes \(2,\), \(3,\) cannot be broadcast together"),
    ((MASK, 0), IndexError, "too many indices: 4"),
    (MASK[:, :2], IndexError, r"a mask of shape \(2, 2, 4\) does not fit dimensions 0 to 2, of lengths \(2, 3, 4\)"),
    ((slice(None), MASK[:, 0, 0]), IndexError, r"a mask of shape \(2,\) does not fit dimensions 1 to 1, of lengths \(3,\)"),
    (slice(None, None, -1), ValueError, r"a slice must have a positive step, got -1; flip\(dims\) reverses the order"),
    ((0, slice(None, None, 0)), ValueError, "a slice must have a positive step, got 0"),
    (slice(0.5, None), TypeError, "slices are made of integers and None"),
    (1.0, IndexError, "only integers, slices, .* can be indices, got float"),
    (np.float64(1), IndexError, "must hold integers or truth values, got float64"),
    ("a", IndexError, "can be indices, got str"),
    ({}, IndexError, "can be indices, got dict"),
    (np.array([1.0]), IndexError, "must hold integers or truth values, got float64"),
    ([1.0], IndexError, "must hold integers or truth values, got float64"),
    ([[0, 1], [0]], IndexError, "cannot be broadcast|equal lengths"),
]


@pytest.mark.parametrize(("key", "kind", "message"), REFUSED, ids=[repr(key)[:50] for key, *_ in REFUSED])
def test_keys_that_do_not_fit(key: Any, kind: type[Exception], message: str) -> None:
    if repr(key) == "[[0, 1], [0]]":
        key = ([[0, 1], [0, 0], [1, 1]], [0, 1, 1])
    x = minigrad.zeros(2, 3, 4)
    with pytest.raises(kind, match=f"^getitem: .*({message})"):
        x[key]
    with pytest.raises(kind, match=f"^setitem: .*({message})"):
        x[key] = 1.0
    assert x.sum().item() == 0 and x._version == 0


@pytest.mark.parametrize(
    ("key", "value", "kind", "message"),
    [
        (0, minigrad.ones(2, 4), RuntimeError, r"setitem: a value of shape \(2, 4\) cannot be broadcast to \(3, 4\)"),
        (slice(None), minigrad.ones(2, 1, 1, 4), RuntimeError, r"a value of shape \(2, 1, 1, 4\) cannot be broadcast to \(2, 3, 4\)"),
        ([0, 1], minigrad.ones(3), RuntimeError, r"a value of shape \(3,\) cannot be broadcast to \(2, 3, 4\)"),
        (MASK, minigrad.ones(2, 1), RuntimeError, r"a value of shape \(2, 1\) cannot be broadcast to \(5,\)"),
        ((0, [0, 1]), minigrad.ones(5), RuntimeError, r"a value of shape \(5,\) cannot be broadcast to \(2, 4\)"),
        ([0], minigrad.ones(1, dtype=minigrad.float64), RuntimeError, "setitem: the source must have the input's dtype float32, got float64"),
        (0, "text", TypeError, "setitem: expected a number, a tensor or an array as value, got str"),
        (0, None, TypeError, "got NoneType"),
    ],
)
def test_values_that_do_not_fit(key: Any, value: Any, kind: type[Exception], message: str) -> None:
    x = minigrad.zeros(2, 3, 4)
    with pytest.raises(kind, match=message):
        x[key] = value
    assert x.sum().item() == 0 and x._version == 0


def test_values_with_axes_of_length_1_in_front() -> None:
    x = minigrad.zeros(2, 3)
    x[0] = minigrad.ones(1, 1, 3)
    x[[1]] = minigrad.full((1, 1, 1, 3), 2.0)
    assert x.tolist() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize(
    ("indices", "values", "kind", "message"),
    [
        ([0, 1], minigrad.ones(2), TypeError, "index_put: expected tensors and None as indices, got int"),
        (minigrad.tensor([0]), minigrad.ones(1), TypeError, "index_put: expected a tuple of index tensors, got Tensor"),
        ((minigrad.tensor([5]),), minigrad.ones(1), IndexError, "index_put: an index is out of range for dimension 0"),
        ((minigrad.tensor(True),), minigrad.ones(1), IndexError, "index_put: a mask must have the shape of the axes"),
        ((minigrad.tensor([0]),) * 3, minigrad.ones(1), IndexError, "index_put: too many indices"),
        ((minigrad.tensor([0, 1]),), minigrad.ones(3), RuntimeError, r"index_put: a value of shape \(3,\) cannot be broadcast to \(2, 2\)"),
        # NumPy's own add.at crashes on this
        ((None, minigrad.zeros(0, dtype=minigrad.int64)), minigrad.ones(1, 1, 0, 1, 1), RuntimeError, "index_put: a value of shape"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accumulate", [False, True])
def test_what_index_put_refuses(indices: Any, values: Any, kind: type[Exception], message: str, accumulate: bool) -> None:
    x = minigrad.zeros(2, 2)
    for call in (x.index_put, x.index_put_):
        with pytest.raises(kind, match=message):
            call(indices, values, accumulate)
    assert x.sum().item() == 0


def test_a_graph_has_its_own_indices() -> None:
    """What is done to an index afterwards does not change the gradient."""
    for name in ("getitem", "gather", "index_select", "take", "scatter_add", "index_add", "index_put", "mask", "setitem"):
        x = minigrad.arange(3.0, requires_grad=True)
        index = minigrad.tensor([True, False, False]) if name == "mask" else minigrad.tensor([0, 0])
        y = x * 1
        if name in ("getitem", "mask"):
            out = y[index]
        elif name in ("gather", "index_select"):
            out = getattr(y, name)(0, index)
        elif name == "take":
            out = y.take(index)
        elif name == "setitem":
            y[index] = 0.0
            out = y
        elif name == "index_put":
            out = minigrad.zeros(3).index_put((index,), y[:2], accumulate=True) * minigrad.arange(1.0, 4.0)
        else:
            out = getattr(minigrad.zeros(3), name)(0, index, y[:2]) * minigrad.arange(1.0, 4.0)
        index.fill_(1)
        out.sum().backward()
        expected = {"mask": [1.0, 0.0, 0.0], "setitem": [0.0, 1.0, 1.0], "scatter_add": [1.0, 1.0, 0.0], "index_add": [1.0, 1.0, 0.0]}
        assert x.grad.tolist() == expected.get(name, [1.0, 1.0, 0.0] if name == "index_put" else [2.0, 0.0, 0.0]), name


# --- side by side with torch ------------------------------------------------------------------------------------------


class Key:
    """A key that can be made for both frameworks: `("tensor", array)` stands for a tensor."""

    def __init__(self, parts: list[Any], single: bool) -> None:
        self.parts = parts
        self.single = single and len(parts) == 1

    def of(self, m: Any) -> Any:
        made = [m.tensor(p[1]) if isinstance(p, tuple) and p[:1] == ("tensor",) else p for p in self.parts]
        return made[0] if self.single else tuple(made)

    def __repr__(self) -> str:
        return repr(self.parts[0] if self.single else tuple(self.parts))


@st.composite
def keys(draw: Any) -> tuple[tuple[int, ...], Key]:
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=3)))
    parts: list[Any] = []
    axis = 0
    for _ in range(draw(st.integers(0, len(shape) + 1))):
        n = shape[axis] if axis < len(shape) else 1
        form = draw(st.sampled_from(["int", "slice", "none", "...", "truth", "list", "tensor", "array", "mask", "0-d", "truth tensor", "uint8"]))
        if form == "..." and Ellipsis not in parts:
            parts.append(...)
            axis += draw(st.integers(0, max(len(shape) - axis, 0)))
            continue
        parts.append(draw_part(draw, form, n))
        axis += form not in ("none", "truth", "truth tensor")
    return shape, Key(parts, draw(st.booleans()))


def draw_part(draw: Any, form: str, n: int) -> Any:
    if form == "int":
        return draw(st.integers(-n - (n == 0), n))  # n itself is out of range
    if form in ("list", "tensor", "array", "0-d"):
        shape = {"0-d": (), "list": (2,)}.get(form) or draw(st.sampled_from([(2,), (1,), (0,), (2, 1), (1, 3)]))
        if form == "0-d":
            shape = ()
        values = [draw(st.integers(-n, max(n - 1, 0))) for _ in range(int(np.prod(shape)))]
        array = np.array(values, np.int64).reshape(shape)
        return values if form == "list" else array if form == "array" else ("tensor", array)
    if form in ("mask", "uint8"):
        mask = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool if form == "mask" else np.uint8)
        return ("tensor", mask) if form == "uint8" or draw(st.booleans()) else mask
    end = st.none() | st.integers(-n - 1, n + 1)
    return {
        "none": None, "...": slice(None), "truth": draw(st.booleans()), "truth tensor": ("tensor", np.array(draw(st.booleans()))),
        "slice": slice(draw(end), draw(end), draw(st.sampled_from([None, 1, 2, 3, -1]))),
    }[form]  # fmt: skip


def outcome(m: Any, mode: str, shape: tuple[int, ...], key: Key, drop: int, ones: int) -> Any:
    """The result, its gradients and second derivatives; or the exception."""
    x = m.tensor(np.linspace(0.5, 1.5, int(np.prod(shape))).reshape(shape), dtype=m.float64, requires_grad=True)
    leaves = [x]
    try:
        if mode == "get":
            y = x[key.of(m)]
        else:
            y = x * 1
            found = tuple(y.detach()[key.of(m)].shape)
            given = found[min(drop, len(found)) :]
            given = tuple([1 if i < ones else n for i, n in enumerate(given)])
            value = m.tensor(np.linspace(2, 3, int(np.prod(given))).reshape(given), dtype=m.float64, requires_grad=True)
            leaves.append(value)
            if mode == "set":
                y[key.of(m)] = value
            elif mode == "number":
                y[key.of(m)] = 2.0
            else:
                made = key.of(m)
                y = y.index_put(made if isinstance(made, tuple) else (made,), value, accumulate=True)
        weights = m.tensor(np.linspace(1, 2, int(np.prod(tuple(y.shape)))).reshape(tuple(y.shape)), dtype=m.float64)
        first = m.autograd.grad((y * y * weights).sum(), leaves, create_graph=True, allow_unused=True, materialize_grads=True)
        squares = sum((g * g).sum() for g in first)
        second = [g * 0 for g in first]
        if squares.requires_grad:
            second = m.autograd.grad(squares, leaves, allow_unused=True, materialize_grads=True)
    except (IndexError, ValueError, TypeError, RuntimeError) as error:
        return error
    return [t.detach().numpy() for t in (y, *first, *second)]


@settings(max_examples=400, deadline=None)
@given(drawn=keys(), mode=st.sampled_from(["get", "set", "number", "put"]), drop=st.integers(0, 1), ones=st.integers(0, 1))
def test_random_keys_as_in_torch(drawn: Any, mode: str, drop: int, ones: int) -> None:
    torch = pytest.importorskip("torch")
    shape, key = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # uint8 masks, lists of lists
        expected = outcome(torch, mode, shape, key, drop, ones)
    found = outcome(minigrad, mode, shape, key, drop, ones)
    if isinstance(expected, Exception):
        odd = ("ntensor >= 3", "masked_fill_ only supports boolean masks")  # torch's bugs: 0-d tensors, uint8 masks
        assert isinstance(found, Exception) or any(text in str(expected) for text in odd), expected
        return
    if isinstance(found, Exception) and minigrad.zeros(shape).numel() == 0:
        return  # torch lets indices that are out of range pass where the result has no elements
    if isinstance(found, Exception) and mode == "put" and "0-d one" in str(found):
        return
    assert not isinstance(found, Exception), found
    for a, b in zip(found, expected, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_indices_of_a_tensor_subclass_are_tensors() -> None:
    x = minigrad.arange(3)
    index = minigrad.nn.Parameter(minigrad.tensor([2, 0]), requires_grad=False)
    assert isinstance(x[index], Tensor)
    assert x[index].tolist() == [2, 0]


def test_numbers_are_assigned_to_integers_as_they_are_converted() -> None:
    x = minigrad.zeros(3, dtype=minigrad.uint8)
    x[0] = -5
    x[1] = 2.7
    assert x.tolist() == [251, 2, 0]
    with pytest.raises(RuntimeError, match="setitem: 300 does not fit into uint8, which holds 0 to 255"):
        x[2] = 300
    x.copy_(-1)
    assert x.tolist() == [255, 255, 255]
