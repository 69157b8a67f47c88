"""Elementwise operations, comparisons and reductions of the registry against torch, on random arguments.

Each is called as a function, as a method and in place, with arrays of all dtypes and layouts, with numbers and 0-d tensors as operands. Values and
result dtypes must be torch's, what torch refuses must be refused, the inputs must stay as they were; in float64 gradients and second derivatives
must be torch's too. `pytest --hypothesis-profile=thorough` draws more examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.core.primitive import REGISTRY
from minigrad.core.tensor import make_tensor
from minigrad.testing.strategies import Draw

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own

DTYPES = [np.dtype(name) for name in ("float64", "float32", "int64", "float16", "int32", "uint8", "bool")]
TOLERANCE = {"float64": 1e-9, "float32": 2e-4, "float16": 2e-2}
CLEAN = (TypeError, ValueError, RuntimeError, IndexError)
UNSUPPORTED = ("not implemented for", "not supported", "does not support", "doesn't support")  # by torch's kernels, for a dtype

ELEMENTWISE = {name: op.facts["domains"] for name, op in REGISTRY.items() if "domains" in op.facts and hasattr(torch, name)}
COMPARISONS = [
    "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "logical_xor", "logical_not", "isnan", "isinf", "isfinite",
    "isposinf", "isneginf", "signbit",
]  # fmt: skip
BITS = [
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift", "gcd", "lcm",
]  # fmt: skip
REDUCTIONS = [
    "sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "all", "any", "norm", "logsumexp", "count_nonzero", "var", "std",
    "max", "min", "median", "nansum", "nanmean", "nanmedian",
]  # fmt: skip
RUNNING = [
    "cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "softmax", "log_softmax",
]  # fmt: skip
ONE_AXIS = {"prod", "argmax", "argmin", "max", "min", "median", "nanmedian", *RUNNING}
# Where torch's sets differ by more than rounding: it sums in half precision otherwise, or its derivative is another at a tie.
NO_HALF = {"logcumsumexp", "cumprod", "prod", "norm", "logsumexp", "std", "var"}


def as_torch(x: Any, grad: bool = False) -> Any:
    """The same values in torch, in a usual layout: torch has no negative strides."""
    return torch.tensor(x.copy(), requires_grad=grad) if isinstance(x, np.ndarray) else x


def as_ours(x: Any, grad: bool = False) -> Any:
    if not isinstance(x, np.ndarray):
        return x
    return make_tensor(x).requires_grad_() if grad else make_tensor(x)


def listed(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (tuple, list)) else [out]


def agree(what: str, got: Any, wanted: Any, tolerance: float | None = None) -> None:
    a, b = np.asarray(got.detach().numpy()), wanted.numpy(force=True)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, torch has {b.shape}"
    assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, torch has {b.dtype}"
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(a, b, what)
    else:
        tolerance = tolerance or TOLERANCE[a.dtype.name]
        size = float(np.abs(b[np.isfinite(b)].astype(float)).max(initial=1.0))
        np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=tolerance, atol=tolerance * size, err_msg=what)


def compare_calls(name: str, ours: Any, theirs: Any, args: tuple[Any, ...], named: dict[str, Any], differentiable: bool = True) -> None:
    """Calls both with the same arguments: the same values come out, or both refuse; the same derivatives in float64."""
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in args]
    differentiable &= all(a.dtype == np.float64 for a in args if isinstance(a, np.ndarray))
    xs, ts = [as_ours(a, differentiable) for a in args], [as_torch(a, differentiable) for a in args]
    try:
        wanted = listed(theirs(*ts, **named))
    except (RuntimeError, TypeError, IndexError, ValueError) as refusal:
        if not any(words in str(refusal) for words in UNSUPPORTED):
            with pytest.raises(CLEAN, match=name if name in REGISTRY else None):
                ours(*xs, **named)
            for a, b in zip(args, before, strict=True):
                np.testing.assert_array_equal(a, b)
        return
    got = listed(ours(*xs, **named))
    for i, (g, w) in enumerate(zip(got, wanted, strict=True)):
        agree(f"{name}: output {i}", g, w)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b, f"{name} changed its input")
    if not differentiable or not wanted[0].requires_grad:
        return
    leaves, their_leaves = [x for x in xs if hasattr(x, "grad")], [t for t in ts if torch.is_tensor(t)]
    weight = np.linspace(0.5, 2.0, wanted[0].numel()).reshape(wanted[0].shape)
    try:
        their_first = torch.autograd.grad(
            wanted[0], their_leaves, torch.tensor(weight), create_graph=True, allow_unused=True, materialize_grads=True
        )
    except RuntimeError as error:
        assert "is not implemented" in str(error)
        return
    if not got[0].requires_grad:  # the result of no elements depends on none
        assert not any(g.any() for g in their_first)
        return
    first = minigrad.autograd.grad(got[0], leaves, make_tensor(weight), create_graph=True, allow_unused=True, materialize_grads=True)
    for i, (g, w) in enumerate(zip(first, their_first, strict=True)):
        agree(f"{name}: gradient {i}", g, w, 1e-7)
    total = sum((g.square().sum() for g in their_first), torch.zeros(()))
    if not total.requires_grad:
        return
    ours_total = sum((g.square().sum() for g in first), minigrad.zeros(()))
    second = [minigrad.zeros_like(x) for x in leaves]
    if ours_total.requires_grad:  # torch also counts derivatives that are 0 everywhere
        second = minigrad.autograd.grad(ours_total, leaves, allow_unused=True, materialize_grads=True)
    their_second = torch.autograd.grad(total, their_leaves, allow_unused=True, materialize_grads=True)
    for i, (g, w) in enumerate(zip(second, their_second, strict=True)):
        finite = torch.where(w.isnan(), torch.tensor(g.numpy()), w)  # torch has none at 0 for sinc and others: 0 / 0
        agree(f"{name}: second derivative {i}", g, finite, 1e-6)


def compare_in_place(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
    """The in-place method writes what torch's writes, or both refuse and the tensor stays as it was."""
    target = args[0].copy()
    x, t = make_tensor(target), as_torch(args[0])
    try:
        wanted = getattr(t, name + "_")(*[as_torch(a) for a in args[1:]], **named)
    except (RuntimeError, TypeError, IndexError, ValueError) as refusal:
        if not any(words in str(refusal) for words in UNSUPPORTED):
            with pytest.raises(CLEAN):
                getattr(x, name + "_")(*[as_ours(a) for a in args[1:]], **named)
            np.testing.assert_array_equal(target, args[0])
        return
    got = getattr(x, name + "_")(*[as_ours(a) for a in args[1:]], **named)
    assert got is x
    agree(f"{name}_", got, wanted)


def operands(data: Any, domains: Any, dtypes: list[Any]) -> tuple[Any, ...]:
    """An array for each domain, in any of the dtypes and layouts; a second one may be a number, or 0-d."""
    source = Draw(data.draw)
    shape = source.shape(max_dims=2)
    found: list[Any] = []
    for i, domain in enumerate(domains):
        dtype = source.choice(*dtypes)
        form = source.choice("array", "array", "number", "0-d") if i else "array"
        kinks = (*domain.kinks, 0.0) if i else domain.kinks  # no division by zero: integers refuse it, and where torch does is its kernel's choice
        array = source.array(shape if form == "array" else (), domain.low, domain.high, kinks)
        if dtype.kind in "iub":
            array = np.where(np.abs(array) < 1, 1, array) if i else array
            array = np.asarray(np.abs(array) if dtype.kind == "u" else array)  # of 0-d arrays these make numbers
        array = source.layout(array.astype(dtype)) if form == "array" else array.astype(dtype)
        found.append(array.item() if form == "number" else array)
    return tuple(found)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name: str) -> None:
    @given(data=st.data())
    def check(data: Any) -> None:
        args = operands(data, ELEMENTWISE[name], [DTYPES[0]] * 6 + DTYPES)
        compare_calls(name, getattr(minigrad, name), getattr(torch, name), args, {})
        if hasattr(torch.Tensor, name):
            compare_calls(name, getattr(minigrad.Tensor, name), getattr(torch.Tensor, name), args, {}, differentiable=False)
        if hasattr(torch.Tensor, name + "_"):
            compare_in_place(name, args, {})

    check()


@pytest.mark.parametrize("name", [*COMPARISONS, *BITS])
def test_comparisons_and_bits(name: str) -> None:
    n = len(REGISTRY[name].tensors)

    @given(data=st.data())
    def check(data: Any) -> None:
        source = Draw(data.draw)
        shape = source.shape(max_dims=2)
        dtypes = DTYPES if name in COMPARISONS else [DTYPES[2], DTYPES[4], DTYPES[5], DTYPES[6], DTYPES[0]]
        args: list[Any] = []
        for i in range(n):
            dtype = source.choice(*dtypes)
            array = source.array(shape, 0 if dtype.kind == "u" or "shift" in name else -4, 4, special=dtype.kind == "f").astype(dtype)
            form = source.choice("array", "array", "number", "0-d") if i else "array"
            args.append(source.layout(array) if form == "array" else array.reshape(-1)[0] if array.size else np.zeros((), dtype))
            args[-1] = args[-1].item() if form == "number" else np.asarray(args[-1])
        compare_calls(name, getattr(minigrad, name), getattr(torch, name), tuple(args), {})
        if hasattr(torch.Tensor, name):
            compare_calls(name, getattr(minigrad.Tensor, name), getattr(torch.Tensor, name), tuple(args), {})
        if hasattr(torch.Tensor, name + "_"):
            compare_in_place(name, tuple(args), {})

    check()


@pytest.mark.parametrize("name", [*REDUCTIONS, *RUNNING])
def test_reductions(name: str) -> None:
    @given(data=st.data())
    def check(data: Any) -> None:
        source = Draw(data.draw)
        shape = source.shape(max_dims=3)
        dtype = source.choice(*[DTYPES[0]] * 6 + [d for d in DTYPES if d.name != "float16" or name not in NO_HALF])
        n = int(np.prod(shape))
        values = np.asarray(np.array(source.permutation(n), float).reshape(shape) / 2 + 0.5)  # all different: where several tie is a test of its own
        array = source.layout(values.astype(dtype)) if dtype.kind == "f" else values.astype(dtype)
        dims: list[Any] = [None, 0, -1, len(shape) if n or name not in ("cummax", "cummin") else 0]  # which look at no dim of no elements
        if name not in ONE_AXIS and len(shape) > 1:
            dims += [(0, 1), (-1, 0), (0, -len(shape))]
        dim = source.choice(*dims)
        named = {} if dim is None and name not in RUNNING and name not in ("logsumexp", "amax", "amin") else {"dim": 0 if dim is None else dim}
        if named and name not in RUNNING and name != "count_nonzero":
            named["keepdim"] = source.choice(False, True)
        compare_calls(name, getattr(minigrad, name), getattr(torch, name), (array,), named)
        if hasattr(torch.Tensor, name):
            compare_calls(name, getattr(minigrad.Tensor, name), getattr(torch.Tensor, name), (array,), named, differentiable=False)
        if hasattr(torch.Tensor, name + "_"):
            compare_in_place(name, (array,), named)

    check()
