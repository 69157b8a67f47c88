"""Tensor: what it is made from, what dtype results have, and how it meets Python and NumPy."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.core.tensor import make_tensor

# --- creation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "dtype", "shape"),
    [
        (1.5, "float32", ()), (3, "int64", ()), (True, "bool", ()), ([1.0, 2], "float32", (2,)), ([1, 2], "int64", (2,)),
        ([True, False], "bool", (2,)), ([[1.0], [2.0]], "float32", (2, 1)), ([], "float32", (0,)), ([[], []], "float32", (2, 0)),
        (np.float64(1.5), "float64", ()), (np.array([1.5]), "float64", (1,)), (np.array([1], np.int16), "int16", (1,)),
        ([np.float64(1.5)], "float64", (1,)), (range(3), "int64", (3,)), ((1, 2.5), "float32", (2,)),
    ],
)  # fmt: skip
def test_dtypes_of_data(data: Any, dtype: str, shape: tuple[int, ...]) -> None:
    x = minigrad.tensor(data)
    assert (str(x.dtype), x.shape) == (dtype, shape)
    assert (x.requires_grad, x.is_leaf, x.grad) == (False, True, None)


def test_tensors_inside_sequences() -> None:
    assert minigrad.tensor([minigrad.tensor(1.0), minigrad.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert minigrad.tensor([minigrad.tensor([1, 2]), minigrad.tensor([3, 4])]).dtype == minigrad.int64


def test_tensor_copies() -> None:
    array = np.ones(2)
    x = minigrad.tensor(array)
    array[0] = 5
    assert x.tolist() == [1.0, 1.0]
    assert minigrad.tensor(x).array is not x.array


def test_what_tensor_refuses() -> None:
    with pytest.raises(TypeError, match="tensor: expected numbers"):
        minigrad.tensor("text")
    with pytest.raises(TypeError, match="tensor: expected numbers"):
        minigrad.tensor([None])
    with pytest.raises(ValueError, match="tensor: expected sequences of equal lengths"):
        minigrad.tensor([[1.0], [1.0, 2.0]])
    with pytest.raises(RuntimeError, match="only floating-point tensors can have gradients, this one is int64"):
        minigrad.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"tensor: device 'cuda:0' is not available"):
        minigrad.tensor(1.0, device="cuda:0")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda: minigrad.zeros(2, 3), np.zeros((2, 3), np.float32)), (lambda: minigrad.ones((2,)), np.ones(2, np.float32)),
        (lambda: minigrad.full((2,), 7), np.full(2, 7)), (lambda: minigrad.full((2,), 0.5), np.full(2, 0.5, np.float32)),
        (lambda: minigrad.eye(2, 3), np.eye(2, 3, dtype=np.float32)), (lambda: minigrad.arange(3), np.arange(3)),
        (lambda: minigrad.arange(1, 2, 0.25), np.arange(1, 2, 0.25, np.float32)), (lambda: minigrad.arange(5, 0, -2), np.array([5, 3, 1])),
        (lambda: minigrad.linspace(0, 1, 5), np.linspace(0, 1, 5, dtype=np.float32)),
        (lambda: minigrad.ones_like(minigrad.zeros(2, dtype=minigrad.int32)), np.ones(2, np.int32)),
        (lambda: minigrad.zeros(1, dtype=minigrad.float64).new_full((2,), 3), np.full(2, 3.0)),
        (lambda: minigrad.tensor([1.5], dtype=minigrad.int64), np.array([1])),
    ],
)  # fmt: skip
def test_creation(made: Any, expected: Any) -> None:
    x = made()
    assert x.dtype == expected.dtype
    np.testing.assert_array_equal(x.numpy(), expected)


def test_the_default_dtype() -> None:
    minigrad.set_default_dtype(minigrad.float64)
    try:
        assert {minigrad.tensor(1.0).dtype, minigrad.zeros(1).dtype, (minigrad.tensor([1]) / 2).dtype} == {minigrad.float64}
    finally:
        minigrad.set_default_dtype(minigrad.float32)
    with pytest.raises(TypeError, match="expected a floating-point dtype, got int64"):
        minigrad.set_default_dtype(minigrad.int64)


# --- result types -----------------------------------------------------------------------------------------------------

PROMOTED = """
         bool    uint8   int8    int16   int32   int64   float16 float32 float64
bool     bool    uint8   int8    int16   int32   int64   float16 float32 float64
uint8    uint8   uint8   int16   int16   int32   int64   float16 float32 float64
int8     int8    int16   int8    int16   int32   int64   float16 float32 float64
int16    int16   int16   int16   int16   int32   int64   float16 float32 float64
int32    int32   int32   int32   int32   int32   int64   float16 float32 float64
int64    int64   int64   int64   int64   int64   int64   float16 float32 float64
float16  float16 float16 float16 float16 float16 float16 float16 float32 float64
float32  float32 float32 float32 float32 float32 float32 float32 float32 float64
float64  float64 float64 float64 float64 float64 float64 float64 float64 float64
"""
TABLE = [line.split() for line in PROMOTED.strip().splitlines()]
PAIRS = [(row[0], column, row[i + 1]) for row in TABLE[1:] for i, column in enumerate(TABLE[0])]


@pytest.mark.parametrize(("a", "b", "expected"), PAIRS)
def test_promotion_of_two_tensors(a: str, b: str, expected: str) -> None:
    x, y = minigrad.ones(2, dtype=np.dtype(a)), minigrad.ones(2, dtype=np.dtype(b))
    assert str((x * y).dtype) == expected
    assert str(minigrad.promote_types(a, b)) == expected
    assert minigrad.result_type(x, y) == expected


@pytest.mark.parametrize(
    ("tensor", "number", "expected"),
    [
        ("float32", 2, "float32"), ("float32", 2.5, "float32"), ("float16", 2.5, "float16"), ("float64", 1e-300, "float64"),
        ("int32", 2, "int32"), ("int32", 2.5, "float32"), ("uint8", 3, "uint8"), ("bool", 2, "int64"), ("bool", 2.5, "float32"),
        ("bool", True, "bool"), ("float16", 2, "float16"), ("int8", True, "int8"),
    ],
)  # fmt: skip
def test_promotion_with_a_number(tensor: str, number: Any, expected: str) -> None:
    x = minigrad.ones(2, dtype=np.dtype(tensor))
    assert str((x * number).dtype) == expected
    assert str((number * x).dtype) == expected


@pytest.mark.parametrize(
    ("large", "small", "expected"),
    [
        ("float32", "float64", "float32"), ("int32", "int64", "int32"), ("int32", "float64", "float64"), ("bool", "int8", "int8"),
        ("float16", "float64", "float16"), ("uint8", "int64", "uint8"), ("int64", "float16", "float16"),
    ],
)  # fmt: skip
def test_a_0d_tensor_counts_only_by_its_category(large: str, small: str, expected: str) -> None:
    x, y = minigrad.ones(2, dtype=np.dtype(large)), minigrad.ones((), dtype=np.dtype(small))
    assert str((x + y).dtype) == expected
    assert str((y + x).dtype) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda i: i / 2, "float32"), (lambda i: i / i, "float32"), (lambda i: i // 2, "int64"), (lambda i: i**2, "int64"),
        (lambda i: i.exp(), "float32"), (lambda i: i.float().sum(), "float32"), (lambda i: i.sum(), "int64"), (lambda i: (i > 0).sum(), "int64"),
        (lambda i: i > 0, "bool"), (lambda i: i.int().sum(), "int64"), (lambda i: i.int().cumsum(0), "int64"), (lambda i: i.int().prod(), "int64"),
        (lambda i: i.argmax(), "int64"), (lambda i: i.int().max(), "int32"), (lambda i: minigrad.where(i > 0, i, 0.5), "float32"),
        (lambda i: i.sqrt(), "float32"), (lambda i: i.abs(), "int64"), (lambda i: i.double().exp(), "float64"), (lambda i: i.half() * 2.5, "float16"),
        (lambda i: i.softmax(0, dtype=minigrad.float64), "float64"), (lambda i: i.clamp(0, 1), "int64"), (lambda i: i.float().mean(), "float32"),
        (lambda i: i.mean(dtype=minigrad.float64), "float64"), (lambda i: 1 / i, "float32"), (lambda i: i & 1, "int64"),
    ],
)  # fmt: skip
def test_result_types_of_functions(function: Any, expected: str) -> None:
    assert str(function(minigrad.tensor([1, 2])).dtype) == expected


def test_float32_stays_float32_through_everything() -> None:
    x = minigrad.ones(3, requires_grad=True)
    y = (((x * 2.0 + 1) / 3 - x**2).exp().sum() * np.float64(0.5)).sqrt().mean()
    y.backward()
    assert (y.dtype, x.grad.dtype) == (minigrad.float32, minigrad.float32)


def test_means_of_integers_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"mean: expected floats, got int64; convert with x.float\(\)"):
        minigrad.tensor([1, 2]).mean()


# --- Python -----------------------------------------------------------------------------------------------------------


def test_numbers_out() -> None:
    assert minigrad.tensor([[2.5]]).item() == 2.5
    assert isinstance(minigrad.tensor(3).item(), int)
    assert isinstance(minigrad.tensor(True).item(), bool)
    assert float(minigrad.tensor([2.5])) == 2.5
    assert int(minigrad.tensor(2.5)) == 2
    assert [10, 20, 30][minigrad.tensor(1)] == 20
    assert f"{minigrad.tensor(2.345):.2f}" == "2.35" or f"{minigrad.tensor(2.345):.2f}" == "2.34"
    assert 2.0 in minigrad.tensor([1.0, 2.0])
    assert minigrad.ones(2, 3).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda: minigrad.ones(2).item(), RuntimeError, r"item: expected a tensor with one element, got shape \(2,\)"),
        (lambda: bool(minigrad.ones(2)), RuntimeError, "bool: the truth of a tensor with 2 elements is ambiguous"),
        (lambda: bool(minigrad.ones(0)), RuntimeError, "bool: the truth of a tensor with 0 elements is ambiguous"),
        (lambda: len(minigrad.tensor(1.0)), TypeError, "len: a 0-d tensor has no length"),
        (lambda: list(minigrad.tensor(1.0)), TypeError, "iteration over a 0-d tensor"),
        (lambda: [1, 2][minigrad.tensor(1.0)], TypeError, "only integer tensors of one element can be used as an index, this one is float32"),
        (lambda: minigrad.ones(2).numpy_(), AttributeError, "numpy_"),
    ],
)  # fmt: skip
def test_what_a_tensor_refuses(function: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        function()


def test_iteration_and_length() -> None:
    x = minigrad.arange(6).reshape(3, 2)
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    a, b, c = minigrad.tensor([1.0, 2.0, 3.0])
    assert (a.item(), b.item(), c.item()) == (1.0, 2.0, 3.0)


def test_comparisons_and_hashing() -> None:
    x = minigrad.tensor([1.0, 2.0])
    assert (x == minigrad.tensor([1.0, 3.0])).tolist() == [True, False]
    assert (x != 1).tolist() == [False, True]
    assert (1.5 < x).tolist() == [False, True]  # noqa: SIM300
    assert len({x, x, x.clone()}) == 2


def test_operands_of_other_kinds() -> None:
    x = minigrad.ones(2)
    with pytest.raises(TypeError):
        x + "text"
    with pytest.raises(TypeError):
        x * None

    class Other:
        def __radd__(self, other: Any) -> str:
            return "mine"

    assert x + Other() == "mine"


def test_whole_numbers_divided() -> None:
    i = minigrad.tensor([7, -7])
    assert ((i // 2).tolist(), (i % 3).tolist(), i.fmod(3).tolist()) == ([3, -4], [1, 2], [1, -1])
    assert ((15 // i).tolist(), i.div(2, rounding_mode="trunc").tolist(), (i / 2).tolist()) == ([2, -3], [3, -3], [3.5, -3.5])
    for divide in (lambda: i // 0, lambda: i % minigrad.tensor([1, 0]), lambda: 5 // minigrad.tensor([0]), lambda: i.fmod(0)):
        with pytest.raises(RuntimeError, match=r"(floor_divide|remainder|fmod): integers cannot be divided by zero"):
            divide()
    assert (minigrad.ones(1) // 0).tolist() == [np.inf]


def test_shapes_that_do_not_broadcast() -> None:
    with pytest.raises(RuntimeError, match=r"add: the shapes cannot be broadcast .*float32\[3\].*float32\[4\]"):
        minigrad.ones(3) + minigrad.ones(4)


# --- NumPy ------------------------------------------------------------------------------------------------------------


def test_numpy_shares_memory_both_ways() -> None:
    array = np.zeros(3, np.float32)
    x = minigrad.from_numpy(array)
    array[0] = 1
    x[1] = 2.0
    assert x.tolist() == [1.0, 2.0, 0.0]
    assert array.tolist() == [1.0, 2.0, 0.0]
    assert x.numpy() is array
    assert minigrad.as_tensor(array).array is array
    assert np.shares_memory(np.asarray(x), array)
    assert minigrad.as_tensor(x) is x


def test_numpy_of_what_needs_a_gradient() -> None:
    x = minigrad.ones(2, requires_grad=True)
    for function in (x.numpy, (x * 2).numpy, lambda: np.asarray(x)):
        with pytest.raises(RuntimeError, match=r"numpy: this tensor needs a gradient.* x\.detach\(\)\.numpy\(\)"):
            function()
    assert x.numpy(force=True) is x.array
    assert x.detach().numpy() is x.array


def test_arrays_and_tensors_in_one_expression() -> None:
    x = minigrad.ones(2, dtype=minigrad.float64, requires_grad=True)
    for y in (np.array([1.0, 2.0]) * x, x * np.array([1.0, 2.0]), np.float64(2.0) * x):
        assert isinstance(y, Tensor)
        assert y.requires_grad


def test_what_from_numpy_refuses() -> None:
    with pytest.raises(TypeError, match=r"from_numpy: expected a numpy.ndarray, got list"):
        minigrad.from_numpy([1.0])
    with pytest.raises(TypeError, match="native byte order"):
        minigrad.from_numpy(np.zeros(2, ">f4"))
    with pytest.raises(TypeError, match="expected an array of numbers"):
        minigrad.from_numpy(np.array(["a"]))


# --- histories --------------------------------------------------------------------------------------------------------


def test_leaves_and_results() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = x * 2
    assert (x.is_leaf, x.grad_fn, x.requires_grad) == (True, None, True)
    assert (y.is_leaf, repr(y.grad_fn), y.requires_grad) == (False, "<MulBackward0>", True)
    assert (minigrad.ones(2) * 2).is_leaf


def test_detach() -> None:
    x = minigrad.ones(2, requires_grad=True)
    y = (x * 2).detach()
    assert (y.requires_grad, y.grad_fn) == (False, None)
    z = x * 3
    z.detach_()
    assert (z.requires_grad, z.is_leaf) == (False, True)
    with pytest.raises(RuntimeError, match="detach_: this tensor is a view"):
        (x * 3)[0].detach_()


def test_requires_grad_on_and_off() -> None:
    x = minigrad.ones(2)
    assert x.requires_grad_() is x
    assert x.requires_grad
    x.requires_grad = False
    assert not (x * 2).requires_grad
    y = minigrad.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=r"cannot be switched off on the result of an operation; use x.detach\(\)"):
        y.requires_grad = False


def test_data_can_be_exchanged() -> None:
    x = minigrad.ones(2, requires_grad=True)
    x.data = minigrad.tensor([3.0, 4.0, 5.0])
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0, 8.0, 10.0]


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_duplicates(duplicate: Any) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = duplicate(x)
    assert (type(y), y.tolist(), y.requires_grad, y.dtype) == (Tensor, [1.0, 2.0], True, x.dtype)
    assert not np.shares_memory(x.array, y.array)
    (y * 2).sum().backward()
    assert x.grad is None
    with pytest.raises(RuntimeError, match="only leaf tensors can be copied or pickled"):
        duplicate(x * 2)


SHARED: dict[str, Any] = {
    "slice": lambda x: x[1:, ::2], "transpose": lambda x: x.t(), "element": lambda x: x[1, 2], "reversed columns": lambda x: minigrad.from_numpy(x.numpy()[:, ::-1]),
    "expand": lambda x: x[0].expand(4, 3), "windows": lambda x: x[0].unfold(0, 2, 1), "view of a view": lambda x: x[1:].reshape(-1)[1:], "whole": lambda x: x.detach(),
}  # fmt: skip


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", SHARED)
def test_duplicates_of_views_share_memory_as_the_originals_do(name: str, order: Any, duplicate: Any) -> None:
    base = minigrad.from_numpy(np.array(np.arange(6.0).reshape(2, 3), order=order))
    view = SHARED[name](base)
    for first, second in (duplicate([base, view]), duplicate([view, base])[::-1]):
        assert (first.tolist(), second.tolist(), second.stride()) == (base.tolist(), view.tolist(), view.stride())
        first.add_(10)
        assert second.tolist() == (view + 10).tolist()
        assert base.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    alone = duplicate(view)
    assert (alone.tolist(), alone.dtype) == (view.tolist(), view.dtype)


def test_a_write_to_a_copied_base_shows_in_the_graph_of_its_copied_view() -> None:
    base = minigrad.zeros(2)
    base, view = copy.deepcopy([base, base[1:]])
    x = minigrad.ones(1, requires_grad=True)
    y = x * view
    base.add_(1)
    with pytest.raises(RuntimeError, match="saved its input 'other'"):
        y.backward()


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_duplicates_of_what_has_no_owner_of_its_dtype(duplicate: Any) -> None:
    memory = np.frombuffer(b"\0\0\0\0\0\0\x80\x3f", np.uint8)
    for x in (minigrad.from_numpy(memory.view(np.float32).copy()[1:]), make_tensor(memory.view(np.float32)[1:]), minigrad.zeros(0, 3)[:, 1:]):
        assert (duplicate(x).tolist(), duplicate(x).shape, duplicate(x).dtype) == (x.tolist(), x.shape, x.dtype)


def test_deepcopy_copies_the_gradient_and_keeps_sharing() -> None:
    x = minigrad.tensor([1.0], requires_grad=True)
    (x * 3).backward()
    a, b = copy.deepcopy([x, x])
    assert a is b
    assert a.grad.tolist() == [3.0]
    a.grad.zero_()
    assert x.grad.tolist() == [3.0]


# --- printing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: minigrad.tensor([1.0, 2.0]), "tensor([1., 2.])"),
        (lambda: minigrad.tensor(1.5), "tensor(1.5000)"),
        (lambda: minigrad.tensor([1, 2]), "tensor([1, 2])"),
        (lambda: minigrad.tensor([True]), "tensor([True])"),
        (lambda: minigrad.tensor([]), "tensor([])"),
        (lambda: minigrad.zeros(2, 0), "tensor([], size=(2, 0))"),
        (lambda: minigrad.tensor([1.0], dtype=minigrad.float64), "tensor([1.], dtype=minigrad.float64)"),
        (lambda: minigrad.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: minigrad.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<MulBackward0>)"),
        (lambda: minigrad.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
    ],
)
def test_repr(made: Any, text: str) -> None:
    assert repr(made()) == text


def test_long_tensors_are_abbreviated() -> None:
    assert "..." in repr(minigrad.zeros(5000))


def test_methods_of_the_class_check_what_they_are_called_on() -> None:
    """In a process of its own: compiled methods that did not would crash it."""
    code = (
        "import minigrad\n"
        "from minigrad.core.graph import Leaf, Node\n"
        "from minigrad.core.primitive import Primitive\n"
        "for owner in (minigrad.Tensor, Node, Leaf, Primitive):\n"
        "    for name, method in vars(owner).items():\n"
        "        if callable(method) and not isinstance(method, (type, staticmethod, Primitive)) and name not in ('__hash__', '__class__'):\n"
        "            for args in (('a',), (3, 4), (object(), None, None)):\n"
        "                try:\n"
        "                    method(*args)\n"
        "                except Exception:\n"
        "                    pass\n"
        "print('alive')\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["alive"]), done.stderr
