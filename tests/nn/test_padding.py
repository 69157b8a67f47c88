"""pad in all modes: by hand, against NumPy and torch, its derivatives, and its refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad.core.engine import grad
from minigrad.nn import functional as F

from .derivatives import check_two_orders, leaves, torch_or_skip

MODES = ["constant", "reflect", "replicate", "circular"]
NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("constant", [0, 0, 1, 2, 3, 4, 0, 0]),
        ("reflect", [3, 2, 1, 2, 3, 4, 3, 2]),
        ("replicate", [1, 1, 1, 2, 3, 4, 4, 4]),
        ("circular", [3, 4, 1, 2, 3, 4, 1, 2]),
    ],
)
def test_the_picture_in_the_docstring(mode: str, expected: list[int]) -> None:
    assert F.pad(minigrad.tensor([[1, 2, 3, 4]]), (2, 2), mode).tolist() == [expected]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_pad_equals_that_of_numpy(mode: str, axes: int, batch: tuple[int, ...]) -> None:
    x = np.arange(np.prod((*batch, 3, 5, 4, 6)[: len(batch) + 1 + axes])).reshape(
        (*batch, 3, 5, 4, 6)[: len(batch) + 1 + axes]
    )
    pairs = [(1, 2), (3, 0), (2, 3)][:axes]  # the last axis first
    widths = [(0, 0)] * (x.ndim - axes) + pairs[::-1]
    out = F.pad(minigrad.tensor(x), [n for pair in pairs for n in pair], mode=mode)
    assert np.array_equal(out.numpy(), np.pad(x, widths, mode=NUMPY_MODES[mode]))  # type: ignore[call-overload]
    assert out.dtype == x.dtype


@pytest.mark.parametrize("mode", MODES)
def test_negative_numbers_crop(mode: str) -> None:
    x = minigrad.tensor([[1, 2, 3, 4, 5]])
    assert F.pad(x, (-1, -2), mode).tolist() == [[2, 3]]
    assert F.pad(x, (-5, 0), mode).shape == (1, 0)


def test_a_crop_comes_before_the_wrap_but_after_the_reflection() -> None:
    x = minigrad.tensor([[1, 2, 3, 4, 5]])
    assert F.pad(x, (-1, 2), "circular").tolist() == [[2, 3, 4, 5, 2, 3]]
    assert F.pad(x, (-3, 3), "reflect").tolist() == [[4, 5, 4, 3, 2]]
    assert F.pad(x, (-6, 3), "replicate").tolist() == [[5, 5]]


def test_a_value_fills_any_dtype() -> None:
    assert F.pad(minigrad.tensor([1.5]), (1, 1), value=-np.inf).tolist() == [-np.inf, 1.5, -np.inf]
    assert F.pad(minigrad.tensor([1]), (0, 1), value=2.7).tolist() == [1, 2]
    assert F.pad(minigrad.tensor([True]), (0, 1)).tolist() == [True, False]
    assert F.pad(minigrad.zeros(2, 0), (1, 1), value=3).tolist() == [[3, 3], [3, 3]]


def test_nothing_to_pad_is_a_copy() -> None:
    x = minigrad.tensor([1.0, 2.0])
    y = F.pad(x, ())
    assert y.tolist() == [1.0, 2.0]
    assert not np.shares_memory(x.numpy(), y.numpy())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pads", [(1, 2, 2, 0), (-1, 2, 1, -2), (-1, -1, -1, -1)])
def test_two_orders(mode: str, pads: tuple[int, ...]) -> None:
    check_two_orders(lambda x: F.pad(x, pads, mode), np.random.default_rng(0).standard_normal((2, 3, 4)))


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_counts_how_often_an_element_was_used(mode: str) -> None:
    x = np.arange(12.0).reshape(1, 3, 4)
    (leaf,) = leaves(x)
    out = F.pad(leaf, (3, 1, 2, 1), mode, value=None)
    out.sum().backward()
    used = [(out.detach().numpy() == v).sum() for v in x.ravel()]
    if mode == "constant":
        used[0] = 1  # the padding is zeros too
    assert leaf.grad.numpy().ravel().tolist() == used


X = minigrad.zeros(1, 1, 4, 4)
MISTAKES: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: F.pad(X, (1, 2, 3)), RuntimeError, "pad: pad must have an even number of elements"),
    (lambda: F.pad(X, (1,) * 10), RuntimeError, "pad: pad has 10 elements, more than twice the 4 axes of the input"),
    (lambda: F.pad(X, (-3, -2)), RuntimeError, "pad: (-3, -2) takes more away from axis 3 than there is: input shape (1, 1, 4, 4)"),
    (lambda: F.pad(X, (0, 0, -5, 9)), RuntimeError, "pad: (-5, 9) takes more away from axis 2 than there is"),
    (
        lambda: F.pad(X, (4, 1, 1, 1), "reflect"),
        RuntimeError,
        "pad: mode 'reflect' can add at most 3 elements at each end of axis 3, but got (4, 1) with input shape (1, 1, 4, 4)",
    ),
    (lambda: F.pad(X, (1, 1, 5, 1), "circular"), RuntimeError, "pad: mode 'circular' can add at most 4 elements at each end of axis 2"),
    (lambda: F.pad(X[..., :0], (1, 1, 1, 1), "replicate"), RuntimeError, "pad: mode 'replicate' can add at most 0 elements"),
    (lambda: F.pad(X, (1, 1), "reflect"), NotImplementedError, "but got 1 axes to pad and input shape (1, 1, 4, 4)"),
    (lambda: F.pad(X, (1, 1), "mirror"), NotImplementedError, "'replicate' or 'circular', but got 'mirror'"),
    (lambda: F.pad(X, (1, 1, 1, 1), "reflect", 2.0), RuntimeError, "pad: value is for mode 'constant' only, but got value=2.0"),
    (lambda: F.pad(X, 1), TypeError, "pad: pad must be a tuple of ints, but got 1"),
    (lambda: F.pad(X, (1.0, 1)), TypeError, "pad: pad must be a tuple of ints, but got (1.0, 1)"),
    (lambda: F.pad(X.numpy(), (1, 1)), TypeError, "pad: input must be a Tensor, but got ndarray"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_named(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        call()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_pad_equals_that_of_torch(mode: str, axes: int) -> None:
    torch = torch_or_skip()
    random = np.random.default_rng(axes)
    for _ in range(30):
        x = random.standard_normal(random.integers(1, 6, axes + random.integers(1, 3)))
        crops = axes == 1 and mode != "circular"  # elsewhere torch reads garbage after a crop
        pads = random.integers(-2 if crops else 0, 5, 2 * axes).tolist()
        theirs = torch.tensor(x, requires_grad=True)
        (mine,) = leaves(x)
        try:
            expected = torch.nn.functional.pad(theirs, pads, mode)
        except RuntimeError:
            if mode == "constant":
                with pytest.raises(RuntimeError, match="pad: "):
                    F.pad(mine, pads, mode)
            continue  # in the other modes torch refuses empty results too
        out = F.pad(mine, pads, mode)
        assert np.array_equal(out.detach().numpy(), expected.detach().numpy())
        (g,) = grad((out * out).sum(), mine)
        (their_g,) = torch.autograd.grad((expected * expected).sum(), theirs)
        np.testing.assert_allclose(g.numpy(), their_g.numpy(), rtol=1e-12)
