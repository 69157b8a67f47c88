"""Every public operation side by side with torch: value, gradient and second derivative, in float64."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import ops
from minigrad.ops import random

torch = pytest.importorskip("torch")

Shape = tuple[int, ...]
CASES: list[tuple[str, Callable[..., Any], tuple[Shape, ...], str]] = []


def case(names: str, function: Callable[..., Any], *shapes: Shape, numbers: str = "normal") -> None:
    """A function of the framework and of tensors of these shapes; `numbers` are normal, positive, or small (in [-0.9, 0.9])."""
    CASES.append((names, function, shapes, numbers))


def each(names: str, *shapes: Shape, numbers: str = "normal") -> None:
    """The functions of these names, called with the tensors alone."""
    for name in names.split():
        case(name, lambda m, *xs, name=name: getattr(m, name)(*xs), *shapes, numbers=numbers)


# --- elementwise ------------------------------------------------------------------------------------------------------

for shapes in (((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (2, 1, 4)), ((), (2,)), ((0, 3), (3,))):
    each("add sub mul div maximum minimum atan2 rsub remainder fmod", *shapes)
    case("add sub mul div", lambda m, x, y: (x + 2 * y - y / 3) * (1 - x), *shapes)
each("subtract multiply divide true_divide arctan2", (3, 4), (4,))
case("floor_divide", lambda m, x, y: m.floor_divide(x.detach(), y.detach()), (3, 4), (4,))
each("abs absolute neg negative positive exp expm1 sin cos tan sinh cosh tanh atan arctan sigmoid erf square sign floor ceil round trunc fix frac", (3, 4))
each("log log2 log10 log1p sqrt rsqrt reciprocal", (3, 4), numbers="positive")
each("asin arcsin acos arccos", (3, 4), numbers="small")
each("pow", (3, 4), (4,), numbers="positive")
case("pow", lambda m, x: x**2 + x**3 - x**1 + x**0, (3, 4))
case("pow", lambda m, x: 2**x + x**-1.5 + x**0.5, (3, 4), numbers="positive")
case("add sub", lambda m, x, y: m.add(x, y, alpha=2) * m.sub(x, y, alpha=0.5), (3, 4), (4,))
case("div", lambda m, x, y: m.div(x, y, rounding_mode="floor") + m.div(x, y, rounding_mode="trunc"), (3, 4), (4,))
case("round", lambda m, x: m.round(x, decimals=1), (3, 4))
case("clamp clip", lambda m, x: x.clamp(-0.5, 0.5) * m.clip(x, min=0.1) + x.clamp(max=0), (30,))
case("clamp", lambda m, x, low, high: m.clamp(x, low, high), (30,), (30,), (30,))
case("clamp_min clamp_max", lambda m, x: m.clamp_min(x, 0.1) * m.clamp_max(x, 0.2), (30,))
case("where", lambda m, x, y: m.where(x > 0, x * y, y) + m.where(y > 0, x, 0.0) + x.where(x > 1, y), (3, 4), (4,))
case("lerp", lambda m, x, y: m.lerp(x, y, 0.3), (3, 4), (4,))
case("lerp", lambda m, x, y, w: m.lerp(x, y, w), (3, 4), (4,), (3, 1))
case("addcmul addcdiv", lambda m, x, y: m.addcmul(x, x, y, value=2) + m.addcdiv(x, y, y + 9, value=0.5), (3,), (3,))
case("nan_to_num", lambda m, x: m.nan_to_num(m.log(x), nan=2.0, neginf=-5.0), (3, 4))
case("clone", lambda m, x: m.clone(x) * x.clone(), (3,))
case("fill", lambda m, x, y: m.fill(x, y) * x, (3,), ())
case("log exp", lambda m, x: m.log(x * 0) + m.exp(x * 0 + 1000), (3,))

# --- comparisons ------------------------------------------------------------------------------------------------------

each("eq ne lt le gt ge greater greater_equal less less_equal not_equal isclose logical_and logical_or logical_xor", (3, 4), (4,))
each("isnan isinf isfinite logical_not", (3, 4))
case("isnan isinf isfinite", lambda m, x: m.stack([f(x / (x > 0)) for f in (m.isnan, m.isinf, m.isfinite)]), (3, 4))
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    case(name, lambda m, x, y, name=name: getattr(m, name)((x * 9).long(), (y * 9).long()), (3, 4), (4,))
    case(name, lambda m, x, y, name=name: getattr(m, name)(x > 0, y > 0), (3, 4), (4,))
case("bitwise_not", lambda m, x: m.stack([m.bitwise_not((x * 9).long()), (~(x > 0)).long()]), (3, 4))
case("allclose equal", lambda m, x, y: m.tensor([m.allclose(x, y), m.allclose(x, x + 1e-12), m.equal(x, x), m.equal(x, y)]), (3,), (3,))

# --- reductions -------------------------------------------------------------------------------------------------------

DIMS: list[Any] = [None, 0, -1, (0, 2)]
for dim in DIMS:
    for keep in (False, True):
        for name in ("sum", "mean", "var", "std"):
            case(name, lambda m, x, n=name, d=dim, k=keep: getattr(x, n)(dim=d, keepdim=k) * 2, (2, 3, 4))
        if dim is not None:
            for name in ("amax", "amin", "logsumexp"):
                case(name, lambda m, x, n=name, d=dim, k=keep: getattr(m, n)(x, d, k) * 2, (2, 3, 4))
        for name in ("all", "any"):
            case(name, lambda m, x, n=name, d=dim, k=keep: getattr(m, n)(x > -1, *(() if d is None else (d, k))), (2, 3, 4))
        case("norm", lambda m, x, d=dim, k=keep: m.norm(x, dim=d, keepdim=k), (2, 3, 4))
case("var std var_mean std_mean", lambda m, x: m.var(x, 1, correction=0) * m.std_mean(x, 1)[0] + m.var_mean(x, 1)[1], (3, 4))
case("norm", lambda m, x: x.norm(1) + x.norm(3, dim=0).sum() + x.norm(float("inf"), dim=1).sum() + x.norm(0), (3, 4))
case("max min", lambda m, x: x.max(1)[0].sum() * x.min(0, keepdim=True).values + x.max() * x.min(), (3, 4))
case("max min", lambda m, x: m.stack([x.max(1).indices, m.min(x, 1)[1]]), (3, 4))
case("max min", lambda m, x, y: m.max(x, y) * m.min(x, y), (3, 4), (3, 4))
case("argmax argmin", lambda m, x: m.stack([x.argmax(1), m.argmin(x, dim=1), x.argmax().expand(3)]), (3, 4))
case("median", lambda m, x: x.median(1)[0] * x.median(), (3, 5))
case("prod", lambda m, x: x.prod() + x.prod(0).sum() * x.prod(1, keepdim=True), (3, 4))
case("prod", lambda m, x: (x * (x > 0)).prod(0), (3, 4))
case("cumsum cumprod", lambda m, x: x.cumsum(1) * m.cumprod(x, 0), (3, 4))
case("cumprod", lambda m, x: (x * (x > 0)).cumprod(1), (3, 4))
case("count_nonzero", lambda m, x: m.count_nonzero(x > 0, 1) + m.count_nonzero(x > 0), (3, 4))
case("sum mean prod", lambda m, x: m.stack([x.sum(), x.prod(), x.sum(0).sum()]), (0, 3))

# --- shapes -----------------------------------------------------------------------------------------------------------

case("reshape ravel flatten", lambda m, x: x.reshape(2, -1).t().reshape(-1) * m.ravel(x) + m.flatten(x), (3, 4))
case("permute transpose swapaxes swapdims", lambda m, x: m.permute(x, (2, 0, 1)) + m.transpose(x, 0, 2).swapaxes(1, 2) * x.swapdims(-1, 0).mT, (2, 3, 2))
case("movedim moveaxis", lambda m, x: m.movedim(x, 0, 2) + m.moveaxis(x, (0, 1), (2, 0)), (2, 2, 2))
case("t", lambda m, x: m.t(x) * x.T + x.mT, (3, 4))
case("squeeze unsqueeze", lambda m, x: m.squeeze(x).unsqueeze(0) * m.unsqueeze(x.squeeze(1), -1).squeeze(-1).squeeze((0,)), (3, 1, 4))
case("broadcast_to", lambda m, x: m.broadcast_to(x, (2, 3, 4)) * x.expand(2, -1, 4), (3, 1))
case("broadcast_tensors", lambda m, x, y: m.mul(*m.broadcast_tensors(x, y)), (3, 1), (1, 4))
case("unflatten", lambda m, x: m.unflatten(x, 1, (2, -1)).flatten(0, 1), (3, 4))
case("cat concat concatenate", lambda m, x, y: m.cat([x, y * 2, x], 1) * 2 + m.concat((x, x, y), -1) * m.concatenate([y, x, x], 1), (3, 4), (3, 2))
case("cat", lambda m, x, y: m.cat([x, m.zeros(0, dtype=x.dtype), y]), (2, 3), (0, 3))
case("stack hstack vstack dstack", lambda m, x, y: m.stack([x, y], -1) + m.dstack([x, y]) * m.vstack([x, y])[:3, :, None] + m.hstack([y, x])[:, :4, None], (3, 4), (3, 4))
case("hstack vstack", lambda m, x, y: m.hstack([x, y]).sum() * m.vstack([x, y]), (3,), (3,))
case("split chunk tensor_split", lambda m, x: m.split(x, 2, 1)[0] * x.chunk(2, 1)[1] + m.tensor_split(x, 3, 1)[0] + x.split([1, 3], 1)[0], (3, 4))
case("split chunk tensor_split", lambda m, x: m.cat([p * (i + 1) for i, p in enumerate((*m.split(x, 3), *m.chunk(x, 4), *x.tensor_split((2, 3))))]), (5, 2))
case("unbind", lambda m, x: m.unbind(x)[1] * x.unbind(1)[0][0], (3, 4))
case("flip fliplr flipud", lambda m, x: m.flip(x, (0, 1)) * m.fliplr(x) + m.flipud(x), (3, 4))
case("roll", lambda m, x: m.roll(x, 1, 1) * x.roll(-1) + x.roll((1, 2), (0, 1)), (3, 4))
case("rot90", lambda m, x: m.rot90(x) * x.rot90(-1) + x.rot90(2).t(), (3, 4))
case("tile repeat_interleave", lambda m, x: m.tile(x, (2, 2)) * x.repeat(2, 2) + m.repeat_interleave(x.repeat_interleave(2, 0), 2, dim=1), (3, 4))
case("tril triu diag diagonal", lambda m, x: m.tril(x) + m.triu(x, 1) * 2 + m.diag(m.diagonal(x)) * m.diag(m.diag(x, 1), -1), (3, 3))
case("diagonal", lambda m, x: m.diagonal(x, 1, 0, 2) * x.diagonal(dim1=1, dim2=2, offset=-1).sum(), (3, 4, 3))
case("meshgrid", lambda m, x, y: m.mul(*m.meshgrid(x, y, indexing="ij")) + m.mul(*m.meshgrid(x, y, indexing="xy")).t(), (3,), (4,))
case("narrow select", lambda m, x: m.narrow(x, 1, 1, 2) * m.select(x, 1, -1)[:, None], (3, 4))
case("atleast_1d atleast_2d atleast_3d", lambda m, x, y: m.atleast_1d(x) + m.atleast_2d(y) * m.atleast_3d(x) + m.atleast_3d(y), (), (3,))

# --- indices ----------------------------------------------------------------------------------------------------------

case("narrow", lambda m, x: x[1:, ::2] * x[0, 1] + x[[0, 2, 2]][:2, :2] + x[m.tensor([1, 1])][:, None, :2].squeeze(1) + x[..., -1, None][:2], (3, 4))
case("where", lambda m, x: x[x > 0] * x[m.tensor([0, 1, 0]), m.tensor([1, 2, 3])].sum() + x[x[:, 0] > -9].sum(), (3, 4))
INDEX = [[0, 0], [1, 3], [2, 1]]
case("gather", lambda m, x: m.gather(x, 1, m.tensor(INDEX)), (3, 4))
case("scatter_add", lambda m, x, y: m.scatter_add(x, 1, m.tensor(INDEX), y), (3, 4), (3, 2))
case("scatter", lambda m, x, y: m.scatter(x, 1, m.tensor([[0, 1], [1, 3], [2, 1]]), y) + m.scatter(x, 0, m.tensor([[2, 1, 0, 0]]), 5.0), (3, 4), (3, 2))
case("take take_along_dim", lambda m, x: m.take(x, m.tensor([[0, 5], [11, 0]])) * m.take_along_dim(x, m.tensor([[1, 0], [2, 0], [0, 0]]), 1)[:2], (3, 4))
case("index_select", lambda m, x: m.index_select(x, 1, m.tensor([3, 0, 0])), (3, 4))
case("index_add", lambda m, x, y: m.index_add(x, 0, m.tensor([2, 0, 2]), y, alpha=2), (3, 4), (3, 4))
case("index_copy", lambda m, x, y: m.index_copy(x, 0, m.tensor([2, 0]), y), (3, 4), (2, 4))
case("index_fill", lambda m, x: m.index_fill(x, 1, m.tensor([2, 0]), 7.0), (3, 4))
case("index_put", lambda m, x, y: m.index_put(x, (m.tensor([0, 2]), m.tensor([1, 3])), y), (3, 4), (2,))
case("index_put", lambda m, x, y: m.index_put(x, (m.tensor([0, 0]),), y, accumulate=True), (3, 4), (2, 4))
case("put", lambda m, x, y: x.put(m.tensor([1, 5]), y), (3, 4), (2,))
case("select_scatter diagonal_scatter", lambda m, x, y: m.select_scatter(x, y, 0, 1) * m.diagonal_scatter(x, y), (3, 3), (3,))
case("masked_fill masked_select", lambda m, x: m.masked_fill(x, x > 1, 2.0) * m.masked_select(x, x < 0).sum(), (3, 4))
case("masked_scatter", lambda m, x, y: m.masked_scatter(x, x > 0, y), (3, 4), (12,))
case("sort topk argsort", lambda m, x: m.sort(x, 1).values * m.topk(x, 4, 1)[0] + x.sort(0, descending=True)[0], (3, 4))
case("argsort topk", lambda m, x: m.cat([m.argsort(x, 1), x.topk(2, 1, largest=False)[1], x.argsort(dim=1, descending=True)], 1), (3, 4))
case("nonzero argwhere", lambda m, x: m.cat([m.nonzero(x > 0), m.argwhere(x > 0), m.stack(m.where(x > 0), 1)], 1), (3, 4))

# --- linear algebra ---------------------------------------------------------------------------------------------------

for a, b in (
    ((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 1, 3, 4), (5, 4, 2)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)),
    ((3, 4), (2, 4, 5)), ((3, 0), (0, 5)), ((0, 4), (4, 5)),
):  # fmt: skip
    case("matmul", lambda m, x, y: m.matmul(x, y) * (x @ y), a, b)
each("mm", (3, 4), (4, 2))
each("bmm", (2, 3, 4), (2, 4, 2))
each("mv", (3, 4), (4,))
each("dot", (4,), (4,))
each("outer", (3,), (4,))
each("inner", (3, 4), (2, 4))
case("addmm", lambda m, x, a, b: m.addmm(x, a, b, beta=0.5, alpha=2), (2,), (3, 4), (4, 2))
case("baddbmm", lambda m, x, a, b: m.baddbmm(x, a, b, beta=0.5, alpha=2), (2, 1, 2), (2, 3, 4), (2, 4, 2))
case("tensordot", lambda m, x, y: m.tensordot(x, y, 2) * m.tensordot(x, y, ([1, 2], [0, 1])), (2, 3, 4), (3, 4, 2))
case("addbmm", lambda m, x, a, b: m.addbmm(x, a, b, beta=0.5, alpha=2), (3, 2), (2, 3, 4), (2, 4, 2))
case("addmv", lambda m, x, a, b: m.addmv(x, a, b, beta=0.5, alpha=2), (3,), (3, 4), (4,))
case("addr", lambda m, x, a, b: m.addr(x, a, b, beta=0.5, alpha=2), (3, 4), (3,), (4,))
each("vdot", (4,), (4,))
case("pdist", lambda m, x: m.pdist(x.detach()), (4, 3))
each("trace pinverse", (3, 3))
for equation, *shapes in (  # type: ignore[assignment]
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ii,jk->ij", (3, 3), (4, 5)), ("...ij,kj->...ik", (2, 3, 4), (5, 4)), ("ij->ji", (2, 3)),
    ("ij,j", (2, 3), (3,)), ("i,i->", (3,), (3,)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("nchw,oc->nohw", (2, 3, 2, 2), (4, 3)), ("ii->i", (3, 3)),
    ("ij,ij->i", (2, 3), (2, 3)), ("i,j->ij", (2,), (3,)), ("b...,b...->b", (2, 3, 2), (2, 3, 2)),
):  # fmt: skip
    case("einsum", lambda m, *xs, e=equation: m.einsum(e, *xs), *shapes)  # type: ignore[arg-type]

# --- activations ------------------------------------------------------------------------------------------------------

each("relu", (3, 4))
case("softmax log_softmax", lambda m, x: m.softmax(x, 1) * m.log_softmax(x, 0), (3, 4))
case("softmax log_softmax", lambda m, x: m.softmax(x * 1000, 1) + m.log_softmax(x * 1000, 0), (3, 4))

# --- conversion and creation ------------------------------------------------------------------------------------------

case("numel is_tensor is_floating_point", lambda m, x: m.tensor([m.numel(x), m.is_tensor(x), m.is_tensor(1), m.is_floating_point(x)]), (3, 4))
case("zeros_like ones_like full_like", lambda m, x: m.zeros_like(x) + m.ones_like(x) + m.full_like(x, 3), (3, 4))
case("empty empty_like", lambda m, x: m.tensor(m.empty(2, 3).shape + m.empty_like(x).shape), (3, 4))
case("zeros ones full eye", lambda m: m.zeros(2, 3) + m.ones((2, 3)) + m.full((2, 3), 4.0) + m.eye(2, 3))
case("arange linspace", lambda m: m.cat([m.arange(3), m.arange(1, 6, 2), m.arange(0.0, 1.0, 0.25), m.linspace(-1, 1, 5), m.linspace(0, 1, 1)]))
case("logspace scalar_tensor", lambda m: m.logspace(-1, 1, 5) * m.scalar_tensor(2.5))
case("tril_indices triu_indices", lambda m: m.cat([m.tril_indices(3, 4, 1), m.triu_indices(3, 4, -1), m.triu_indices(2, 2)], 1))
case("tensor as_tensor asarray from_numpy", lambda m: m.tensor([[1, 2.5]]) + m.as_tensor([1.0]) + m.asarray([2.0]) + m.from_numpy(np.ones((1, 2))))


def draw(generator: np.random.Generator, shape: Shape, numbers: str) -> Any:
    if numbers == "positive":
        return generator.random(shape) + 0.5
    return generator.uniform(-0.9, 0.9, shape) if numbers == "small" else generator.normal(size=shape)


def array_of(x: Any) -> Any:
    return np.asarray(x.detach().numpy(force=True))


def compare(got: Any, expected: Any, what: str, tolerance: float) -> None:
    a, b = array_of(got), array_of(expected)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, torch has {b.shape}"
    assert a.dtype == b.dtype, f"{what}: dtype {a.dtype}, torch has {b.dtype}"
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize(("names", "function", "shapes", "numbers"), CASES, ids=[f"{i} {c[0]} {list(c[2])}" for i, c in enumerate(CASES)])
def test_as_torch(names: str, function: Callable[..., Any], shapes: tuple[Shape, ...], numbers: str) -> None:
    generator = np.random.default_rng(7)
    arrays = [draw(generator, shape, numbers) for shape in shapes]
    ours = [minigrad.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    out, expected = function(minigrad, *ours), function(torch, *theirs)
    compare(out, expected, "value", 1e-11)
    if not expected.requires_grad:
        return
    weight = generator.normal(size=tuple(expected.shape))
    first = minigrad.autograd.grad(out, ours, minigrad.tensor(weight), create_graph=True, materialize_grads=True)
    wanted = torch.autograd.grad(expected, theirs, torch.tensor(weight), create_graph=True, materialize_grads=True)
    for i, (g, w) in enumerate(zip(first, wanted, strict=True)):
        compare(g, w, f"gradient of input {i}", 1e-10)
    squares = sum(((g * g).sum() for g in first), minigrad.zeros(()))
    wanted_squares = sum((g * g).sum() for g in wanted)
    if not (torch.is_tensor(wanted_squares) and wanted_squares.requires_grad):
        return
    second = [minigrad.zeros_like(x) for x in ours]
    if squares.requires_grad:  # torch also counts derivatives that are 0 everywhere
        second = minigrad.autograd.grad(squares, ours, allow_unused=True, materialize_grads=True)
    wanted_second = torch.autograd.grad(wanted_squares, theirs, allow_unused=True, materialize_grads=True)
    for i, (g, w) in enumerate(zip(second, wanted_second, strict=True)):
        compare(g, w, f"second derivative of input {i}", 1e-9)


def test_no_operation_is_left_out() -> None:
    """Every public name, or another name of the same function, is here or in the files about the less used operations."""
    covered = {name for names, *_ in CASES for name in names.split()} | set(random.__all__)
    here = Path(__file__)
    tests = here.parents[1]
    for file in (*tests.glob("ops/test_*.py"), *tests.glob("nn/test_*.py"), here.with_name("test_metadata.py")):
        covered |= set(re.findall(r"\w+", file.read_text()))
    functions = {id(getattr(minigrad, name, None)) for name in covered}
    assert [name for name in ops.__all__ if name not in covered and id(getattr(minigrad, name)) not in functions] == []
