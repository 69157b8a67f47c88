"""Every public function that is composed of operations, every law; those of nn.functional are in tests/nn/test_laws_of_functions.py.

A function that neither list has is refused, so that it is tested from the moment it exists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import minigrad
from minigrad import tensor
from minigrad.core.primitive import COMPOSITES
from tests.compositions import POSITIVE, Case, cases_by_profile, keep_the_laws

MASK = tensor([[True, False, True], [False, True, True]])
PLACES = tensor([2, 0, 2])
INDEX = tensor([[0, 2, 1], [1, 1, 0]])  # into the columns of two rows
APART = tensor([[0, 2, 1], [1, 2, 0]])  # no position of a row twice


def regular(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of matrices that are far from singular."""
    return lambda a, *others: function(a + 4 * minigrad.eye(a.shape[-1], dtype=a.dtype), *others)


def definite(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of symmetric matrices with positive eigenvalues."""
    return lambda a, *others: function(a @ a.mT + minigrad.eye(a.shape[-1], dtype=a.dtype), *others)


CASES: dict[str, list[Case]] = {
    # one element at a time
    "frac": [(minigrad.frac, (3, 2))],
    "clamp": [(lambda x: x.clamp(-0.5, 1), (3, 2)), (minigrad.clamp, (3, 2), ((2,), (-2.0, -1.0)), ((3, 1), (0.0, 1.0)))],
    "clamp_min": [(lambda x: x.clamp_min(0.3), (3, 2)), (minigrad.clamp_min, (3, 2), (2,))],
    "clamp_max": [(lambda x: x.clamp_max(0.3), (3, 2)), (minigrad.clamp_max, (3, 2), (3, 1))],
    "where": [(lambda x, y: minigrad.where(MASK, x, y), (2, 3), (3,))],
    "nan_to_num": [(lambda x: x.nan_to_num(nan=2.0), (3, 2))],
    "rsub": [(lambda x, y: minigrad.rsub(x, y, alpha=3), (2, 3), (3,))],
    "lerp": [(minigrad.lerp, (2, 3), (3,), (2, 1)), (lambda x, y: x.lerp(y, 0.7), (2, 3), (3,))],
    "addcmul": [(lambda x, y, z: minigrad.addcmul(x, y, z, value=-2), (2, 3), (3,), (2, 1))],
    "addcdiv": [(lambda x, y, z: minigrad.addcdiv(x, y, z, value=-2), (2, 3), (3,), ((2, 1), POSITIVE))],
    "positive": [(minigrad.positive, (3,))],
    "prelu": [(minigrad.prelu, (2, 3, 2), (3,))],
    "polygamma": [(lambda x: minigrad.polygamma(1, x), ((3, 2), POSITIVE)), (lambda x: minigrad.polygamma(2, x), ((3,), POSITIVE))],
    "deg2rad": [(minigrad.deg2rad, (3,))],
    "rad2deg": [(minigrad.rad2deg, (3,))],
    "float_power": [(minigrad.float_power, ((2, 3), POSITIVE), (3,)), (lambda x: minigrad.float_power(x, 3), (2, 3))],
    "float_power_": [(lambda x, y: (x * 1).float_power_(y), ((2, 3), POSITIVE), (3,))],
    "ldexp": [(lambda x: minigrad.ldexp(x, tensor([2, -1, 0])), (2, 3))],
    "real": [(minigrad.real, (3,))],
    "conj": [(minigrad.conj, (3,))],
    # shapes
    "flatten": [(lambda x: x.flatten(1), (2, 3, 2))],
    "ravel": [(lambda x: x.T.ravel(), (2, 3))],
    "unflatten": [(lambda x: x.unflatten(1, (2, -1)), (2, 6))],
    "reshape_as": [(lambda x: x.reshape_as(MASK), (3, 2))],
    "view_as": [(lambda x: x.view_as(MASK), (6,))],
    "expand_as": [(lambda x: x.expand_as(MASK), (2, 1))],
    "broadcast_to": [(lambda x: x.broadcast_to((4, 2, 3)), (2, 1))],
    "broadcast_tensors": [(lambda x, y: minigrad.broadcast_tensors(x, y), (2, 1), (3,))],
    "movedim": [(lambda x: x.movedim((0, 2), (1, 0)), (2, 3, 4))],
    "swapaxes": [(lambda x: x.swapaxes(0, -1), (2, 3, 4))],
    "t": [(lambda x: x.t(), (2, 3)), (lambda x: x.t(), (3,))],
    "repeat": [(lambda x: x.repeat(2, 1, 3), (2, 3))],
    "tile": [(lambda x: x.tile((2,)), (2, 3))],
    "fliplr": [(minigrad.fliplr, (2, 3))],
    "flipud": [(minigrad.flipud, (2, 3))],
    "rot90": [(lambda x, turns=turns: x.rot90(turns, (0, 2)), (2, 3, 2)) for turns in (1, 2, -1)],
    "diag": [(lambda x: x.diag(1), (3,)), (lambda x: x.diag(-1), (3, 2))],
    "meshgrid": [(lambda x, y: minigrad.meshgrid(x, y, indexing="xy"), (2,), (3,))],
    "narrow": [(lambda x: x.narrow(1, 1, 2), (2, 4))],
    "select": [(lambda x: x.select(1, -1), (2, 3, 2))],
    "atleast_1d": [(minigrad.atleast_1d, ())],
    "atleast_2d": [(minigrad.atleast_2d, (3,))],
    "atleast_3d": [(minigrad.atleast_3d, (2, 3))],
    "repeat_interleave": [(lambda x: x.repeat_interleave(2, 1), (2, 3)), (lambda x: x.repeat_interleave(tensor([0, 2, 1]), 1), (2, 3))],
    "contiguous": [(lambda x: x.T.contiguous(), (2, 3))],
    "as_strided": [(lambda x: (x * 1).as_strided((3, 2), (1, 2), 1), (6,))],
    "transpose_": [(lambda x: (x * 1).transpose_(0, 2), (2, 3, 4))],
    "t_": [(lambda x: (x * 1).t_(), (2, 3))],
    "unsqueeze_": [(lambda x: (x * 1).unsqueeze_(1), (2, 3))],
    "squeeze_": [(lambda x: (x * 1).squeeze_(1), (2, 1, 3))],
    "swapaxes_": [(lambda x: (x * 1).swapaxes_(0, 1), (2, 3))],
    "adjoint": [(lambda x: x.adjoint(), (2, 3, 4))],
    # indices
    "gather": [(lambda x: x.gather(1, INDEX), (2, 3))],
    "take_along_dim": [(lambda x: x.take_along_dim(INDEX, 1), (1, 3)), (lambda x: x.take_along_dim(PLACES), (2, 3))],
    "scatter": [(lambda x, y: x.scatter(1, APART, y), (2, 3), (2, 3)), (lambda x: x.scatter(1, INDEX, 2.0), (2, 3))],
    "scatter_add": [(lambda x, y: x.scatter_add(1, INDEX, y), (2, 3), (2, 3))],
    "scatter_reduce": [
        (lambda x, y, how=how, self=self: x.scatter_reduce(1, INDEX, y, how, include_self=self), ((2, 3), POSITIVE), ((2, 3), POSITIVE))
        for how in ("sum", "prod", "mean", "amax", "amin") for self in (True, False)
    ],
    "index_reduce": [
        (lambda x, y, how=how: x.index_reduce(0, PLACES, y, how), ((3, 2), POSITIVE), ((3, 2), POSITIVE)) for how in ("prod", "mean", "amax", "amin")
    ],
    "index_select": [(lambda x: x.index_select(1, PLACES), (2, 3))],
    "index_add": [(lambda x, y: x.index_add(1, PLACES, y, alpha=-2), (2, 3), (2, 3))],
    "index_fill": [(lambda x: x.index_fill(1, PLACES, 2.0), (2, 3)), (lambda x, y: x.index_fill(1, PLACES, y), (2, 3), ())],
    "index_copy": [(lambda x, y: x.index_copy(1, tensor([2, 0]), y), (2, 3), (2, 2))],
    "index_put": [
        (lambda x, y: x.index_put((PLACES,), y, accumulate=True), (3, 2), (3, 2)),
        (lambda x, y: x.index_put((tensor([2, 0]), tensor([1, 1])), y), (3, 2), (2,)),
    ],
    "put": [(lambda x, y: x.put(PLACES, y, accumulate=True), (2, 3), (3,)), (lambda x, y: x.put(tensor([5, 1]), y), (2, 3), (2,))],
    "select_scatter": [(lambda x, y: x.select_scatter(y, 1, -1), (2, 3), (2,))],
    "slice_scatter": [(lambda x, y: x.slice_scatter(y, 1, 0, 3, 2), (2, 3), (2, 2))],
    "diagonal_scatter": [(lambda x, y: x.diagonal_scatter(y, 1), (2, 3), (2,))],
    "masked_fill": [(lambda x: x.masked_fill(MASK, 2.0), (2, 3)), (lambda x, y: x.masked_fill(MASK, y), (2, 3), ())],
    "masked_select": [(lambda x: x.masked_select(MASK), (3,))],
    "masked_scatter": [(lambda x, y: x.masked_scatter(MASK, y), (2, 3), (5,))],
    "take": [(lambda x: x.take(tensor([[5, 0], [0, -1]])), (2, 3))],
    # order
    "sort": [(lambda x: x.sort(0, descending=True)[0], (3, 2)), (lambda x: x.sort(stable=True)[0], (3,))],
    "topk": [(lambda x: x.topk(2, 1)[0], (2, 4)), (lambda x: x.topk(2, 0, largest=False)[0], (3,))],
    "kthvalue": [(lambda x: x.kthvalue(2, 0)[0], (3, 2))],
    "mode": [(lambda x: x.mode(0)[0], (3, 2))],
    "msort": [(minigrad.msort, (3, 2))],
    "aminmax": [(lambda x: tuple(x.aminmax(dim=1)), (2, 3)), (lambda x: tuple(x.aminmax()), (2, 3))],
    "cummax": [(lambda x: x.cummax(0)[0], (4, 2))],
    "cummin": [(lambda x: x.cummin(1)[0], (2, 4))],
    # reductions
    "prod": [(lambda x: x.prod(1), (2, 3)), (lambda x: x.prod(), (2, 3)), (lambda x: x.prod(0, keepdim=True), (3, 2))],
    "max": [(lambda x: x.max(), (2, 3)), (lambda x: x.max(1)[0], (2, 3)), (minigrad.max, (2, 3), (3,))],
    "min": [(lambda x: x.min(), (2, 3)), (lambda x: x.min(0, keepdim=True)[0], (2, 3)), (minigrad.min, (2, 3), (3,))],
    "median": [(lambda x: x.median(), (2, 3)), (lambda x: x.median(1)[0], (2, 4))],
    "nanmedian": [(lambda x: x.nanmedian(), (2, 3)), (lambda x: x.nanmedian(1)[0], (2, 4))],
    "var": [(lambda x: x.var(1), (2, 3)), (lambda x: x.var((0, 2), correction=0, keepdim=True), (2, 3, 2))],
    "std": [(lambda x: x.std(1), (2, 3)), (lambda x: x.std(unbiased=False), (2, 3))],
    "var_mean": [(lambda x: minigrad.var_mean(x, 1), (2, 3))],
    "std_mean": [(lambda x: minigrad.std_mean(x, 0, keepdim=True), (3, 2))],
    "norm": [(lambda x, p=p: x.norm(p, 1), (2, 3)) for p in (2, 1, 3, float("inf"), -1)] + [(lambda x: x.norm("fro"), (2, 3))],
    "nansum": [(lambda x: x.nansum(1), (2, 3))],
    "nanmean": [(lambda x: x.nanmean(0, True), (2, 3))],
    "quantile": [
        (lambda x, how=how: x.quantile(tensor([0.3, 0.75], dtype=x.dtype), 1, interpolation=how), (2, 4))
        for how in ("linear", "lower", "higher", "midpoint", "nearest")
    ],
    "nanquantile": [(lambda x: x.nanquantile(0.4), (2, 3))],
    "cov": [(lambda x: x.cov(), (2, 4)), (lambda x: minigrad.cov(x, correction=0, fweights=tensor([1, 2, 1])), (2, 3))],
    "corrcoef": [(lambda x: x.corrcoef(), (2, 4))],
    "dist": [(lambda x, y: minigrad.dist(x, y, 3), (2, 3), (3,))],
    "cdist": [(lambda x, y, p=p: minigrad.cdist(x, y, p), (2, 3), (4, 3)) for p in (2.0, 1.0, 3.0, float("inf"))],
    "pdist": [(minigrad.pdist, (3, 2))],
    "diff": [(lambda x, y: x.diff(2, 1, prepend=y), (2, 4), (2, 1))],
    "trapezoid": [(minigrad.trapezoid, (2, 3), (3,)), (lambda y: minigrad.trapezoid(y, dx=0.5, dim=0), (3, 2))],
    "cumulative_trapezoid": [(minigrad.cumulative_trapezoid, (2, 3), (3,))],
    "renorm": [(lambda x: x.renorm(2, 0, 1.5), (3, 2)), (lambda x: x.renorm(3, 1, 1.0), (2, 3, 2))],
    # pieces
    "split": [(lambda x: x.split(2, 1), (2, 5)), (lambda x: x.split((1, 3)), (4, 2))],
    "split_with_sizes": [(lambda x: x.split_with_sizes((1, 3), 1), (2, 4))],
    "unsafe_split": [(lambda x: minigrad.unsafe_split(x, 2, 1), (2, 3))],
    "chunk": [(lambda x: x.chunk(2, 1), (2, 3))],
    "unsafe_chunk": [(lambda x: minigrad.unsafe_chunk(x, 2), (3, 2))],
    "tensor_split": [(lambda x: x.tensor_split((1, 1, 3), 1), (2, 4)), (lambda x: x.tensor_split(3), (4,))],
    "hsplit": [(lambda x: x.hsplit(2), (2, 4))],
    "vsplit": [(lambda x: x.vsplit([1]), (3, 2))],
    "dsplit": [(lambda x: x.dsplit(2), (1, 2, 4))],
    "cat": [(lambda x, y: minigrad.cat((x, y, x), 1), (2, 3), (2, 1))],
    "stack": [(lambda x, y: minigrad.stack((x, y), 1), (2, 3), (2, 3))],
    "hstack": [(lambda x, y: minigrad.hstack((x, y)), (2, 3), (2, 1))],
    "vstack": [(lambda x, y: minigrad.vstack((x, y)), (2, 3), (3,))],
    "dstack": [(lambda x, y: minigrad.dstack((x, y)), (2, 3), (2, 3))],
    "column_stack": [(lambda x, y: minigrad.column_stack((x, y)), (2,), (2, 2))],
    "roll": [(lambda x: x.roll((1, -2), (0, 1)), (2, 3)), (lambda x: x.roll(2), (2, 3))],
    "diag_embed": [(lambda x: minigrad.diag_embed(x, 1, 0, 2), (2, 3))],
    "diagflat": [(lambda x: minigrad.diagflat(x, -1), (2, 2))],
    "block_diag": [(lambda x, y: minigrad.block_diag(x, y), (2, 3), (2,))],
    "kron": [(minigrad.kron, (2, 3), (2, 2)), (minigrad.kron, (2,), (2, 1, 2))],
    "cartesian_prod": [(lambda x, y: minigrad.cartesian_prod(x, y), (2,), (3,))],
    "combinations": [(lambda x: minigrad.combinations(x, 2, with_replacement=True), (3,))],
    # matrices
    "mm": [(minigrad.mm, (2, 3), (3, 4))],
    "bmm": [(minigrad.bmm, (2, 2, 3), (2, 3, 2))],
    "mv": [(minigrad.mv, (2, 3), (3,))],
    "dot": [(minigrad.dot, (3,), (3,))],
    "outer": [(minigrad.outer, (2,), (3,))],
    "inner": [(minigrad.inner, (2, 3), (4, 3))],
    "vdot": [(minigrad.vdot, (3,), (3,))],
    "addmm": [(lambda x, a, b: minigrad.addmm(x, a, b, beta=0.5, alpha=-2), (4,), (2, 3), (3, 4))],
    "addmv": [(lambda x, a, b: minigrad.addmv(x, a, b, beta=0.5, alpha=-2), (2,), (2, 3), (3,))],
    "addr": [(lambda x, a, b: minigrad.addr(x, a, b, beta=0.5, alpha=-2), (2, 3), (2,), (3,))],
    "baddbmm": [(lambda x, a, b: minigrad.baddbmm(x, a, b, beta=0.5, alpha=-2), (2, 1, 2), (2, 2, 3), (2, 3, 2))],
    "addbmm": [(lambda x, a, b: minigrad.addbmm(x, a, b, beta=0.5, alpha=-2), (2, 2), (2, 2, 3), (2, 3, 2))],
    "tensordot": [(lambda x, y: minigrad.tensordot(x, y, ([2, 0], [0, 1])), (2, 3, 4), (4, 2)), (lambda x, y: minigrad.tensordot(x, y, 1), (2, 3), (3, 2))],
    "trace": [(minigrad.trace, (2, 3))],
    "einsum": [
        (lambda x, y: minigrad.einsum("bij,bkj->bik", x, y), (2, 2, 3), (2, 3, 3)),
        (lambda x: minigrad.einsum("ii->i", x), (3, 3)),
        (lambda x, y, z: minigrad.einsum("i,ij,j", x, y, z), (2,), (2, 3), (3,)),
        (lambda x, y: minigrad.einsum("...i,i", x, y), (2, 3, 2), (2,)),
    ],
    "slogdet": [(regular(lambda a: minigrad.slogdet(a)[1]), (2, 3, 3))],
    "logdet": [(definite(minigrad.logdet), (3, 3))],
    "cholesky": [(definite(minigrad.cholesky), (3, 3)), (definite(lambda a: minigrad.cholesky(a, upper=True)), (2, 2, 2))],
    "qr": [(regular(lambda a: tuple(minigrad.qr(a))), (3, 3))],
    "matrix_power": [(lambda a: a.matrix_power(3), (2, 2)), (regular(lambda a: a.matrix_power(-2)), (2, 2))],
    "cross": [(minigrad.cross, (2, 3), (2, 3))],
    "inverse": [(regular(minigrad.inverse), (3, 3))],
    "pinverse": [(lambda a: minigrad.pinverse(a), (2, 3))],
    # dtypes and places
    "to": [(lambda x: x.to(minigrad.float64), (3,))],
    "type": [(lambda x: x.type(minigrad.float64), (3,))],
    "type_as": [(lambda x: x.type_as(minigrad.zeros(1, dtype=minigrad.float64)), (3,))],
    "cpu": [(lambda x: x.cpu(), (3,))],
}  # fmt: skip

# What they return does not depend on their input differentiably or is no tensor, or they refuse tensors with a history.
NOT_DIFFERENTIABLE = {
    "zeros", "ones", "empty", "full", "eye", "arange", "linspace", "logspace", "scalar_tensor", "tril_indices", "triu_indices", "zeros_like",
    "ones_like", "empty_like", "full_like", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor", "from_numpy", "as_tensor",
    "asarray", "frombuffer", "empty_strided", "range", "new", "new_empty_strided",
    "rand", "randn", "rand_like", "randn_like", "randint", "randint_like", "randperm", "bernoulli", "normal", "poisson", "binomial", "multinomial",
    "allclose", "equal", "nonzero", "argwhere", "argsort", "unique", "unique_consecutive", "isin", "searchsorted", "bucketize", "unravel_index",
    "bincount", "histc", "isreal", "is_neg", "heaviside",
    "numel", "size", "dim", "tolist", "is_floating_point", "is_complex", "is_signed", "is_nonzero", "is_same_size", "is_conj", "get_device",
    "is_contiguous", "stride", "element_size", "data_ptr", "storage_offset",
    "cuda", "as_strided_", "resize_", "resize_as_", "apply_", "map_",
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), cases_by_profile(CASES))
def test_laws(name: str, number: int) -> None:
    keep_the_laws(CASES[name][number])


def test_no_function_is_left_out() -> None:
    of_operations = {name: call for name, call in COMPOSITES.items() if call.__module__.startswith("minigrad.ops.")}
    listed = {
        of_operations[name] for name in (*CASES, *NOT_DIFFERENTIABLE)
    }  # other names of a function are the same function
    assert [name for name, call in of_operations.items() if call not in listed] == []
    assert not CASES.keys() & NOT_DIFFERENTIABLE
