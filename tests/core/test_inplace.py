"""Writing in place: gradients through the write, views that follow, and errors that say who and where.

The primitive write_view, which has no meaning outside this machinery, is tested here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor
from minigrad.autograd import grad
from minigrad.core.tensor import TABLE


def leaf(*values: Any) -> Tensor:
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


def weights(shape: tuple[int, ...]) -> Tensor:
    return minigrad.arange(1.0, 1.0 + int(np.prod(shape)), dtype=minigrad.float64).reshape(shape)


def same_gradients(in_place: Callable[..., Tensor], pure: Callable[..., Tensor], *arrays: Any) -> None:
    """Both functions have the same value, gradients and second derivatives."""
    results = []
    for function in (in_place, pure):
        xs = [minigrad.tensor(a, dtype=minigrad.float64, requires_grad=True) for a in arrays]
        out = function(*xs)
        first = grad((out * out * weights(out.shape)).sum(), xs, create_graph=True)
        second = grad(sum((g * g).sum() for g in first), xs, allow_unused=True, materialize_grads=True)
        results.append([out.detach().numpy(), *[t.detach().numpy() for t in (*first, *second)]])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


MATRIX = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
ROW = [0.5, -1.0, 2.0]


# --- gradients through writes -----------------------------------------------------------------------------------------


def test_each_operator() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        z += y
        z *= y
        z -= 3
        z /= y
        z **= 2
        return z

    same_gradients(written, lambda x, y: (((x + y) * y - 3) / y) ** 2, MATRIX, ROW)


def test_the_tensor_keeps_its_identity_and_memory() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    array = y.array
    z = y.add_(1)
    assert z is y
    assert y.array is array
    assert y.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    "key",
    [0, -1, slice(1), (slice(None), 1), (..., slice(None, None, 2)), (0, 2), [1, 0], (slice(None), [2, 0]), np.array(MATRIX) > 2.5],
    ids=["row", "last", "slice", "column", "step", "element", "list", "columns", "mask"],
)
def test_setitem(key: Any) -> None:
    shape = np.empty((2, 3))[key].shape
    index = minigrad.tensor(key) if isinstance(key, np.ndarray) else key

    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        z[index] = y
        return z

    def pure(x: Tensor, y: Tensor) -> Tensor:
        kept, place = np.ones((2, 3)), np.zeros((2, 3), int)
        kept[key] = 0
        place[key] = np.arange(int(np.prod(shape))).reshape(shape)
        spread = y.expand(shape).reshape(-1)[minigrad.tensor(place)]
        return x * minigrad.tensor(kept) + spread * minigrad.tensor(1 - kept)

    same_gradients(written, pure, MATRIX, 7.0)
    same_gradients(written, pure, MATRIX, np.arange(1.0, 1 + np.prod(shape)).reshape(shape))


def test_setitem_with_a_number_cuts_the_gradient_off() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y[1] = 100.0
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 2.0]


def test_setitem_into_a_tensor_without_history() -> None:
    x = leaf(1.0, 2.0)
    canvas = minigrad.zeros(4, dtype=minigrad.float64)
    canvas[1:3] = x
    assert canvas.requires_grad
    (canvas * weights((4,))).sum().backward()
    assert x.grad.tolist() == [2.0, 3.0]


@pytest.mark.parametrize("name", ["sin_", "abs_", "log_", "square_", "exp_", "sqrt_", "sigmoid_", "tanh_", "reciprocal_", "neg_"])
def test_the_gradient_of_the_write_itself(name: str) -> None:
    """Those that need their old input keep a copy of it; those that need their output find it in place."""
    same_gradients(lambda x: getattr(x * 1, name)(), lambda x: getattr(x, name[:-1])(), [0.3, 0.6])


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x, y: x.clamp_(0.4, 0.8) * y, lambda m, x, y: x.lerp_(y, 0.3), lambda m, x, y: x.addcmul_(y, y, value=2),
        lambda m, x, y: x.addcdiv_(y, y + 1), lambda m, x, y: x.mul_(y), lambda m, x, y: x.div_(y), lambda m, x, y: x.pow_(y),
        lambda m, x, y: x.atan2_(y), lambda m, x, y: x.remainder_(y), lambda m, x, y: x.copy_(y), lambda m, x, y: x.zero_() + y,
        lambda m, x, y: x.masked_fill_(y > 0.6, 3.0), lambda m, x, y: x.fill_(3.0) * y, lambda m, x, y: m.relu_(x - 0.5) * y,
        lambda m, x, y: m.nn.functional.silu(x, inplace=True) * y, lambda m, x, y: m.nn.functional.leaky_relu_(x - 0.5) * y,
    ],
)  # fmt: skip
def test_composites_and_pairs_as_in_torch(function: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch")
    a, b, weight = [0.3, 0.6], [0.5, 0.9], [1.0, 2.0]
    results = []
    for m in (minigrad, torch):
        x, y = (m.tensor(v, dtype=m.float64, requires_grad=True) for v in (a, b))
        out = function(m, x * 1, y)
        out.backward(m.tensor(weight, dtype=m.float64))
        results.append([out.tolist(), *[[0.0, 0.0] if v.grad is None else v.grad.tolist() for v in (x, y)]])
    np.testing.assert_allclose(*results, rtol=1e-12)


# --- views ------------------------------------------------------------------------------------------------------------


def test_a_write_into_a_view_reaches_its_base() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        z[0].mul_(y)
        return z

    same_gradients(written, lambda x, y: minigrad.stack([x[0] * y, x[1]]), MATRIX, ROW)


def test_a_write_into_the_base_reaches_its_views() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        view = z[0]
        z.mul_(y)
        return view

    same_gradients(written, lambda x, y: (x * y)[0], MATRIX, ROW)


def test_a_write_into_a_view_reaches_its_siblings() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        row, column = z[0], z[:, 1]
        row.mul_(y)
        return column

    same_gradients(written, lambda x, y: minigrad.stack([x[0] * y, x[1]])[:, 1], MATRIX, ROW)


def test_views_of_views_of_every_kind() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        turned = z.t()[1:].unsqueeze(0).squeeze(0)  # columns 1 and 2, as rows
        turned[1].add_(y[:2])
        turned.transpose(0, 1).mul_(2)
        z.view(-1)[0] = y[2]
        return z

    def pure(x: Tensor, y: Tensor) -> Tensor:
        first, second, third = x[:, 0], 2 * x[:, 1], 2 * (x[:, 2] + y[:2])
        return minigrad.stack([minigrad.cat([y[2:3], first[1:]]), second, third], 1)

    same_gradients(written, pure, MATRIX, ROW)


def test_writes_into_parts() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = x * 1
        a, b = z[0], z[1]
        left, right = z.tensor_split([1], 1)
        a.mul_(y)
        right.add_(1)
        b.sub_(y)
        return z * left

    def pure(x: Tensor, y: Tensor) -> Tensor:
        z = minigrad.stack([x[0] * y, x[1]])
        z = minigrad.cat([z[:, :1], z[:, 1:] + 1], 1)
        z = minigrad.stack([z[0], z[1] - y])
        return z * z[:, :1]

    same_gradients(written, pure, MATRIX, ROW)


SEVERAL: dict[str, Callable[[Tensor], Any]] = {
    "unbind": lambda x: x.unbind(0), "split": lambda x: x.split(1), "chunk": lambda x: x.chunk(2), "split_with_sizes": lambda x: x.split_with_sizes([1, 1]),
    "iter": lambda x: list(x), "view of one": lambda x: [part.reshape(-1) for part in x.unbind(1)],
}  # fmt: skip
SINGLE: dict[str, Callable[[Tensor], Any]] = {
    "tensor_split": lambda x: x.tensor_split(2), "hsplit": lambda x: x.hsplit(3), "select": lambda x: [x.select(0, 1)], "narrow": lambda x: [x.narrow(0, 0, 1)],
    "unsafe_chunk": lambda x: x.unsafe_chunk(2), "unsafe_split": lambda x: x.unsafe_split(1),
}  # fmt: skip


@pytest.mark.parametrize("name", [*SEVERAL, *SINGLE])
def test_of_several_views_that_one_call_returned_none_is_written_while_the_graph_is_recorded(name: str) -> None:
    """As in torch; where nothing needs a gradient, or under no_grad(), they are written as all views are."""
    views = {**SEVERAL, **SINGLE}[name]
    x, y = (minigrad.tensor(MATRIX, dtype=minigrad.float64, requires_grad=True) * 1 for _ in range(2))
    plain = minigrad.tensor(MATRIX, dtype=minigrad.float64)
    slopes = leaf(2.0)[0]
    if name in SINGLE:
        views(x)[0].mul_(2)
        assert x.tolist() != y.tolist()
    else:
        for part, operand in ((views(x)[0], 2.0), (views(plain)[0], slopes)):
            for write in (part.mul_, part.copy_, part.add_):
                with pytest.raises(RuntimeError, match=r"_: the tensor is one of the views that \w+ returned together, or a view of one"):
                    write(minigrad.as_tensor(operand).expand(part.shape))
        with pytest.raises(RuntimeError, match="setitem_: the tensor is one of the views"):
            views(x)[0][...] = 0.0
        assert x.tolist() == y.tolist()
        assert plain.tolist() == MATRIX
        with minigrad.no_grad():
            views(x)[0].mul_(2)
        assert x.tolist() != y.tolist()
    views(plain)[0].mul_(2)


def test_writes_into_a_transposed_base() -> None:
    def written(x: Tensor, y: Tensor) -> Tensor:
        z = (x * 1).t().clone().t()
        z.t().reshape(3, 2)[0] = y[:2]
        z.diagonal().mul_(y[1:])
        return z

    def pure(x: Tensor, y: Tensor) -> Tensor:
        column = y[:2]
        z = minigrad.cat([column.unsqueeze(1), x[:, 1:]], 1)
        scale = minigrad.ones(2, 3, dtype=minigrad.float64) - minigrad.eye(2, 3, dtype=minigrad.float64)
        return z * (scale + minigrad.cat([minigrad.diag(y[1:]), minigrad.zeros(2, 1, dtype=minigrad.float64)], 1))

    same_gradients(written, pure, MATRIX, ROW)


def test_single_elements_are_views_too() -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = x * 1
    first, second = y[0], y[1]
    first.mul_(10)
    second.add_(100)
    assert y.tolist() == [10.0, 102.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [10.0, 1.0, 1.0]


def test_a_view_made_before_the_base_had_history() -> None:
    x = leaf(1.0, 2.0)
    base = minigrad.zeros(2, 2, dtype=minigrad.float64)
    view = base[1]
    assert not view.requires_grad
    base[1] = x * 3
    assert view.requires_grad
    (view * weights((2,))).sum().backward()
    assert x.grad.tolist() == [3.0, 6.0]


def test_detach_shares_memory_and_counts_writes() -> None:
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y * y
    y.detach().zero_()
    assert y.tolist() == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="overwritten since"):
        z.sum().backward()


def test_data_shares_memory_and_counts_nothing() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    x.data.add_(1)
    assert x.tolist() == [2.0, 3.0]
    y.backward()
    assert x.grad.tolist() == [4.0, 6.0]


# --- version counters -------------------------------------------------------------------------------------------------


def test_a_storage_counts_its_writes_once_for_all_views() -> None:
    x = minigrad.zeros(2, 2)
    view, alias, copy = x[0], x.detach(), x.clone()
    x.add_(1)
    view.add_(1)
    alias[1] = 3.0
    x.written()
    assert {t._version for t in (x, view, alias)} == {4}
    assert copy._version == 0


def test_an_overwritten_value_is_refused_with_both_places() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError) as caught:
        z.sum().backward()
    text = str(caught.value)
    assert re.search(r"mul \(.*test_inplace\.py:\d+: z = y \* y\) saved its input '(input|other)'", text), text
    assert "a tensor of shape (2,)" in text
    assert re.search(r"add_ \(.*test_inplace\.py:\d+: y\.add_\(1\)\) has overwr", text), text
    assert "overwritten since" in text
    assert "x.clone()" in text


def test_an_overwritten_output_is_refused() -> None:
    x = leaf(1.0)
    y = x.exp()
    y += 1
    with pytest.raises(RuntimeError, match=r"exp .* saved its output, .*overwritten since"):
        y.backward()


def test_writes_that_nobody_minds() -> None:
    x = leaf(1.0)
    y = x + 1
    z = y + y
    y.mul_(5)
    z.backward()
    assert x.grad.tolist() == [2.0]


def test_an_array_written_from_outside() -> None:
    x = leaf(2.0)
    y = x * x
    with minigrad.no_grad():
        x.array += 1
        x.written()
    with pytest.raises(RuntimeError, match="was overwritten since"):
        y.backward()


def test_an_operation_with_itself_in_place() -> None:
    x = leaf(2.0)
    y = x * 1
    y.mul_(y)
    with pytest.raises(RuntimeError, match="overwritten"):
        y.backward()


# --- what is refused --------------------------------------------------------------------------------------------------


def test_leaves_are_not_written_while_recording() -> None:
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match=r"add_: a leaf that needs a gradient .* under no_grad\(\)"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a leaf"):
        x[0] = 5.0
    with pytest.raises(RuntimeError, match="mul_: a view of a leaf"):
        x[0:1].mul_(2)
    assert x.tolist() == [1.0, 2.0]


def test_leaves_may_be_written_under_no_grad() -> None:
    x = leaf(1.0, 2.0)
    with minigrad.no_grad():
        x -= 0.5 * x
        x[0] = 9.0
        x[1:].mul_(4)
    assert x.tolist() == [9.0, 4.0]
    assert x.is_leaf
    assert x.requires_grad
    (x * x).sum().backward()
    assert x.grad.tolist() == [18.0, 8.0]


def test_expanded_tensors_are_not_written() -> None:
    x = minigrad.zeros(3).expand(2, 3)
    with pytest.raises(RuntimeError, match="add_"):
        x.add_(1)
    with pytest.raises(RuntimeError):
        x[0, 0] = 1.0
    assert x.sum().item() == 0


def test_results_that_do_not_fit() -> None:
    x = minigrad.zeros(3)
    with pytest.raises(RuntimeError, match=r"add_: the result has shape \(2, 3\), which does not fit into the tensor's \(3,\)"):
        x.add_(minigrad.ones(2, 3))
    with pytest.raises(RuntimeError, match="mul_: the result has dtype float32, which cannot be cast to the tensor's int64"):
        minigrad.ones(2, dtype=minigrad.int64).mul_(1.5)
    y = minigrad.ones(2, dtype=minigrad.float64)
    y += minigrad.ones(2)
    y += 1
    assert (y.dtype, y.tolist()) == (minigrad.float64, [3.0, 3.0])


def test_read_only_arrays_are_not_written() -> None:
    array = np.zeros(3)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match=r"add_: the tensor's array is read-only; use a copy"):
        minigrad.from_numpy(array).add_(1)


def test_a_number_cannot_be_written_into() -> None:
    with pytest.raises(TypeError, match="add_: expected a tensor to write into, got float"):
        TABLE["add_"](1.0, 2.0)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [(5, 1.0, IndexError), ((0, 0, 0), 1.0, IndexError), (0, [1.0, 2.0], (RuntimeError, ValueError)), ("a", 1.0, (IndexError, TypeError))],
)
def test_setitem_that_does_not_fit(key: Any, value: Any, kind: Any) -> None:
    x = minigrad.zeros(2, 3)
    with pytest.raises(kind, match=r"setitem|getitem"):
        x[key] = value
    assert x.sum().item() == 0
    assert x._version == 0


def test_views_and_no_grad() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    with minigrad.no_grad():
        y[0] = 7.0
    assert y.requires_grad
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_view_made_under_no_grad_is_not_written_while_recording() -> None:
    """It has no history of its own, so its base would have the gradient of the old value."""
    y = leaf(1.0, 2.0) * 2
    with minigrad.no_grad():
        view = y[0]
    with pytest.raises(RuntimeError, match=r"mul_: this view was made under no_grad\(\), so the tensor it is a view of would not know"):
        view.mul_(3)
    with minigrad.no_grad():
        view.mul_(3)
    assert y.tolist() == [6.0, 4.0]


def test_a_view_that_is_a_leaf_of_its_own() -> None:
    base = minigrad.zeros(2, 2)
    view = base[0].requires_grad_()
    with pytest.raises(RuntimeError, match="add_: a leaf that needs a gradient"):
        view.add_(1)
    base.add_(1)
    assert view.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("write", [lambda y: y.mul_(3), lambda y: y[0].mul_(3), lambda y: y.view(-1).mul_(3)], ids=["whole", "part", "view"])
def test_retain_grad_is_about_the_latest_value(write: Callable[[Tensor], Tensor]) -> None:
    y = leaf(1.0, 2.0) * 2
    y.retain_grad()
    write(y)
    (y * y).sum().backward()
    assert y.grad.tolist() == (2 * y).tolist()


def test_windows_are_views() -> None:
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    apart, windows = y.unfold(0, 2, 2), y.unfold(0, 3, 1)
    assert windows.tolist() == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    apart[1].mul_(minigrad.tensor([10.0, 100.0], dtype=minigrad.float64))
    assert y.tolist() == [1.0, 2.0, 30.0, 400.0]
    assert windows[1].tolist() == [2.0, 30.0, 400.0]
    (windows * weights((2, 3))).sum().backward()
    assert x.grad.tolist() == [1.0, 6.0, 80.0, 600.0]
    with pytest.raises(RuntimeError, match=r"add_: several elements share one place in memory .* use a copy \(x.clone\(\)\)"):
        windows.add_(1)


F = minigrad.nn.functional
COPIES: dict[str, Callable[[Tensor], Tensor]] = {  # what torch promises to be no view of the input
    "flip": lambda x: x.flip(0), "flip nothing": lambda x: x.flip(()), "rot90 0": lambda x: x.rot90(0), "rot90 1": lambda x: x.rot90(1),
    "rot90 2": lambda x: x.rot90(2), "rot90 3": lambda x: x.rot90(3), "roll all": lambda x: x.roll(0), "roll": lambda x: x.roll(3, 0),
    "repeat": lambda x: x.repeat(1, 1), "tile": lambda x: x.tile((1,)), "diag": lambda x: x.diag(), "matrix_power": lambda x: minigrad.linalg.matrix_power(x, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(1, 0), "cat": lambda x: minigrad.cat([x]), "clone": lambda x: x.clone(),
    "interpolate": lambda x: F.interpolate(x[None, None], size=(3, 3)), "bilinear": lambda x: F.interpolate(x[None, None], size=(3, 3), mode="bilinear"),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x[None], 1), "pixel_unshuffle": lambda x: F.pixel_unshuffle(x[None], 1),
    "channel_shuffle": lambda x: F.channel_shuffle(x[None], 1), "clamp": lambda x: x.clamp(0, 99), "index_select": lambda x: x.index_select(0, minigrad.arange(3)),
    "sort": lambda x: x.sort(0)[0], "sum of one": lambda x: x[:1].sum(0), "max of one": lambda x: x[:1].max(0)[0], "pow": lambda x: x**1,
    "triu": lambda x: x.triu(-3), "masked_fill": lambda x: x.masked_fill(x > 99, 0.0), "tensor": lambda x: minigrad.tensor(x), "relu": F.relu,
}  # fmt: skip
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {  # what torch promises to be one
    "reshape": lambda x: x.reshape(-1), "view": lambda x: x.view(9), "flatten": lambda x: x.flatten(), "ravel": lambda x: x.ravel(), "t": lambda x: x.t(),
    "squeeze": lambda x: x.squeeze(), "unsqueeze": lambda x: x.unsqueeze(0), "expand": lambda x: x.expand(2, 3, 3), "permute": lambda x: x.permute(1, 0),
    "transpose": lambda x: x.transpose(0, 1), "T": lambda x: x.T, "mT": lambda x: x.mT, "movedim": lambda x: x.movedim(0, 1), "narrow": lambda x: x.narrow(0, 1, 1),
    "diagonal": lambda x: x.diagonal(), "unbind": lambda x: x.unbind()[0], "split": lambda x: x.split(2)[1], "chunk": lambda x: x.chunk(2)[1],
    "tensor_split": lambda x: x.tensor_split(2)[0], "hsplit": lambda x: x.hsplit(3)[0], "unfold": lambda x: x.unfold(0, 2, 1), "detach": lambda x: x.detach(),
    "unflatten": lambda x: x.unflatten(0, (3, 1)), "slice": lambda x: x[1:], "select": lambda x: x.select(0, 1), "atleast_3d": minigrad.atleast_3d,
    "broadcast_to": lambda x: x.broadcast_to((2, 3, 3)), "meshgrid": lambda x: minigrad.meshgrid(x[0], x[0], indexing="ij")[0], "numpy": lambda x: minigrad.from_numpy(x.numpy()),
    "item": lambda x: x[1, 2], "iter": lambda x: next(iter(x)), "data": lambda x: x.data, "to": lambda x: x.to(x.dtype), "contiguous": lambda x: x.contiguous(),
}  # fmt: skip


@pytest.mark.parametrize("name", [*COPIES, *VIEWS])
def test_who_shares_memory(name: str) -> None:
    x = minigrad.arange(1.0, 10.0).reshape(3, 3).clone()
    out = COPIES[name](x) if name in COPIES else VIEWS[name](x)
    out.array[...] = -1.0
    assert bool((x == -1).any()) == (name in VIEWS)


def test_contiguous_is_the_tensor_itself() -> None:
    x = leaf(1.0, 2.0)
    assert x.contiguous() is x
    y = x.expand(2, 2).contiguous()
    y.add_(1)
    assert (y.is_contiguous(), x.tolist()) == (True, [1.0, 2.0])
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


OVERLAPPING: list[Callable[[Tensor, Tensor], Any]] = [  # the tensor that is written, and the one that is read
    lambda x, y: x.add_(y.t()), lambda x, y: x[1:].add_(y[:-1]), lambda x, y: x.copy_(y.t()), lambda x, y: x[:-1].copy_(y[1:]),
    lambda x, y: x.__setitem__(slice(1, None), y[:-1]), lambda x, y: x[:, 0].mul_(y[0]), lambda x, y: x.t()[1].sub_(y[1]),
    lambda x, y: x.sub_(y.flip(1)), lambda x, y: x.masked_fill_(y > 3, y[1, 1]),
    lambda x, y: x.index_add_(0, minigrad.tensor([2, 1]), y[:2]), lambda x, y: x.lerp_(y.t(), 0.5), lambda x, y: x.clamp_(max=y.t()),
    lambda x, y: x.__setitem__([2, 0], y[:2]), lambda x, y: x.div_(y[1, 2]),
]  # fmt: skip


@pytest.mark.parametrize("write", OVERLAPPING)
def test_operands_that_overlap_are_read_before_they_are_written(write: Callable[[Tensor, Tensor], Any]) -> None:
    """torch refuses most of these; none of them may depend on the order in which elements are written."""
    x, y = (minigrad.arange(9.0).reshape(3, 3) ** 2 for _ in range(2))
    write(x, x)
    write(y, y.clone())
    assert x.tolist() == y.tolist()


@pytest.mark.parametrize("write", [lambda x: x.relu_(), lambda x: x.hardtanh_(0.0, 6.0)], ids=["relu_", "hardtanh_"])
@pytest.mark.parametrize("kind", ["bool", "complex64"])
def test_direct_writes_refuse_what_the_operation_refuses(write: Callable[[Tensor], Any], kind: str) -> None:
    x = minigrad.tensor(np.ones(3, kind))
    with pytest.raises(NotImplementedError, match=f"expected numbers, got {kind}"):
        write(x)
    assert (x == 1).all()


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int32"])
def test_direct_writes_give_what_the_operation_gives(kind: str, transposed: bool) -> None:
    numbers = np.linspace(-9, 9, 12).reshape(3, 4).astype(kind)
    for name, bounds in (("relu", ()), ("hardtanh", (-1, 6))):
        x = minigrad.tensor(numbers)
        x = x.t() if transposed else x
        expected, place = getattr(minigrad.nn.functional, name)(x, *bounds), x.data_ptr()
        getattr(x, name + "_")(*bounds)
        assert x.data_ptr() == place and (x == expected).all()


def test_recorded_hardtanh_in_place_has_the_derivatives_of_hardtanh() -> None:
    x = minigrad.tensor([-2.0, 0.5, 7.0], requires_grad=True)
    y = (x * x).hardtanh_(0.0, 6.0)
    (slope,) = grad(y.sum(), x, create_graph=True)
    assert slope.tolist() == [-4.0, 1.0, 0.0]
    (curvature,) = grad(slope.sum(), x)
    assert curvature.tolist() == [2.0, 2.0, 0.0]
