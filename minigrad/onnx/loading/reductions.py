"""Operators that take axes together, and products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.core.tensor import make_tensor
from minigrad.nn import functional as F
from minigrad.onnx.loading.table import Reader, Run, axis_of, ints, reads
from minigrad.ops.decompositions import det


def of_dtype(function: Reader) -> Reader:
    """Integers stay of their dtype."""
    return lambda x, axes, keep: function(x, axes, keep).to(x.dtype)


def in_floats(function: Reader) -> Reader:
    """As it is in floats, given back in the dtype."""
    return lambda x, axes, keep: (
        function(x, axes, keep) if x.dtype.kind == "f" else function(x.double(), axes, keep).to(x.dtype)
    )


def extreme(function: Reader, truths: Reader, empty: Any) -> Reader:
    """Of no elements the least, or the greatest, that the dtype has."""

    def reduce(x: Any, axes: Any, keep: bool) -> Any:
        if x.dtype.kind == "b":
            return truths(x, axes, keep) if axes else x
        if all(x.shape[a] for a in axes):
            return function(x, axes, keep)
        bound = (
            empty(np.inf) if x.dtype.kind == "f" else np.iinfo(x.dtype).min if empty(1) < 0 else np.iinfo(x.dtype).max
        )
        shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keep or d not in axes]
        return make_tensor(np.full(shape, bound, x.dtype))

    return reduce


def product(x: Any, axes: Any, keep: bool) -> Any:
    for axis in sorted(axes, reverse=True):
        x = ops.prod(x, axis, keep).to(x.dtype)
    return x


REDUCTIONS: dict[str, Reader] = {
    "ReduceSum": of_dtype(ops.sum),
    "ReduceMean": in_floats(ops.mean),
    "ReduceProd": product,
    "ReduceMax": extreme(ops.amax, ops.any, lambda x: -x),
    "ReduceMin": extreme(ops.amin, ops.all, lambda x: x),
    "ReduceL1": of_dtype(lambda x, axes, keep: x.abs().sum(axes, keep)),
    "ReduceL2": in_floats(lambda x, axes, keep: (x * x).sum(axes, keep).sqrt()),
    "ReduceSumSquare": of_dtype(lambda x, axes, keep: (x * x).sum(axes, keep)),
    "ReduceLogSum": in_floats(lambda x, axes, keep: x.sum(axes, keep).log()),
    "ReduceLogSumExp": in_floats(lambda x, axes, keep: x.logsumexp(axes, keep)),
}


def reduced(kind: str, x: Any, axes: Any, keep: int, noop: int = 0) -> Any:
    """Over these axes; over none of them, all or nothing is reduced."""
    if not axes and noop:
        return x
    axes = tuple([axis_of(a, x.ndim, kind) for a in axes or range(x.ndim)]) if x.ndim else ()
    if not axes:  # of a number
        return REDUCTIONS[kind](x.reshape(1), (0,), False)
    return REDUCTIONS[kind](x, axes, bool(keep))


def with_attribute(input: Any, *, axes: Any = None, keepdims: int = 1, run: Run) -> Any:
    return reduced(run.kind, input, axes, keepdims)


def with_input(input: Any, axes: Any = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0, run: Run) -> Any:
    return reduced(run.kind, input, None if axes is None else ints(axes), keepdims, noop_with_empty_axes)


for name in REDUCTIONS:
    reads(name)(with_attribute)
    reads(name, since=13 if name == "ReduceSum" else 18)(with_input)


def running(function: Reader) -> Reader:
    def apply(input: Any, axis: Any, *, exclusive: int = 0, reverse: int = 0, run: Run) -> Any:
        """exclusive: each element's own value is left out; reverse: from the end."""
        along = axis_of(int(axis.numpy().reshape(-1)[0]), input.ndim, run.kind)
        x = input.flip(along) if reverse else input
        out = function(x, along).to(input.dtype)
        if exclusive:
            start = ops.full_like(out.narrow(along, 0, 1), 0 if run.kind == "CumSum" else 1)
            out = ops.cat([start, out.narrow(along, 0, out.shape[along] - 1)], along)
        return out.flip(along) if reverse else out

    return apply


reads("CumSum", since=11)(running(ops.cumsum))
reads("CumProd", since=26)(running(ops.cumprod))


# --- matrices ---------------------------------------------------------------------------------------------------------


@reads("MatMul")
def _(input: Any, other: Any, *, run: Run) -> Any:
    if input.ndim > 1 and other.ndim > 1:
        lead = np.broadcast_shapes(input.shape[:-2], other.shape[:-2])
        run.room([*lead, input.shape[-2], other.shape[-1]], input.dtype)
    return ops.matmul(input, other)


@reads("Gemm", since=7)
def _(
    a: Any, b: Any, c: Any = None, *, alpha: float = 1.0, beta: float = 1.0, transA: int = 0, transB: int = 0, run: Run
) -> Any:
    a = a.t() if transA else a
    run.room([a.shape[0], b.shape[0 if transB else 1]], a.dtype)
    if transB and alpha == 1 and (c is None or beta == 1 and c.ndim == 1 and c.shape[0] == b.shape[0]):
        return F.linear(a, b, c)
    out = a @ (b.t() if transB else b)
    out = out if alpha == 1 else (out * alpha).to(a.dtype)
    return out if c is None else out + (c if beta == 1 else (c * beta).to(a.dtype))


@reads("Einsum", since=12)
def _(*inputs: Any, equation: str, run: Run) -> Any:
    terms, _, wanted = equation.replace(" ", "").partition("->")
    letters = [set(term.replace("...", "")) for term in terms.split(",")]
    lengths: dict[str, int] = {}
    for term, x in zip(terms.split(","), inputs, strict=True):
        rest = x.ndim - len(term.replace("...", ""))
        names = term.replace("...", "." * max(rest, 0))
        lengths.update({a: max(n, lengths.get(a, 1)) for a, n in zip(names, x.shape, strict=False) if a != "."})
    for i in range(1, len(inputs)):  # what the products of the first ones leave, axis by axis
        left = set().union(*letters[: i + 1]) & set(wanted).union(*letters[i + 1 :])
        run.room([lengths.get(a, 1) for a in left], inputs[0].dtype)
    return ops.einsum(equation, *inputs)


@reads("Det", since=11)
def _(input: Any) -> Any:
    return det(input)


@reads("MatMulInteger", since=10)
def _(a: Any, b: Any, a_zero: Any = None, b_zero: Any = None) -> Any:
    return ops.matmul(*[whole(x, zero, at) for x, zero, at in ((a, a_zero, -2), (b, b_zero, -1))])


def whole(x: Any, zero: Any, axis: int) -> Any:
    """Quantised numbers as they count from their zero, one for the whole or one for each row or column."""
    if zero is None:
        return x.int()
    zero = zero.int()
    if zero.ndim == 1 and zero.numel() > 1:
        zero = zero.reshape([-1 if d == x.ndim + axis else 1 for d in range(x.ndim)])
    return x.int() - zero


# --- norms and losses -------------------------------------------------------------------------------------------------


@reads("LpNormalization")
def _(input: Any, *, axis: int = -1, p: int = 2) -> Any:
    size = ops.abs(input).sum(axis, True) if p == 1 else ops.sqrt((input * input).sum(axis, True))
    return ops.where(size == 0, ops.zeros_like(input), input / ops.where(size == 0, ops.ones_like(size), size))


@reads("MeanVarianceNormalization", since=9)
def _(input: Any, *, axes: Any = (0, 2, 3)) -> Any:
    away = input - input.mean(tuple(axes), True)
    return away / (ops.sqrt((away * away).mean(tuple(axes), True)) + 1e-9)


def weighted_loss(log_probabilities: Any, target: Any, weight: Any, reduction: str, ignored: int | None) -> Any:
    skipped = target == (ignored if ignored is not None else -(2**62))
    place = ops.where(skipped, ops.zeros_like(target), target).long()
    loss = -log_probabilities.gather(1, place.unsqueeze(1)).squeeze(1)
    share = ops.ones_like(loss) if weight is None else weight[place]
    share = share.masked_fill(skipped, 0.0)
    loss = loss * share
    if reduction == "none":
        return loss
    return loss.sum() if reduction == "sum" else loss.sum() / share.sum()


@reads("NegativeLogLikelihoodLoss", since=12)
def _(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean", ignore_index: int | None = None) -> Any:
    return weighted_loss(input, target, weight, reduction, ignore_index)


@reads("SoftmaxCrossEntropyLoss", since=12)
def _(
    scores: Any, labels: Any, weights: Any = None, *, reduction: str = "mean", ignore_index: int | None = None, run: Run
) -> Any:
    logs = F.log_softmax(scores, 1)
    loss = weighted_loss(logs, labels, weights, reduction, ignore_index)
    return (loss, logs) if run.outputs > 1 else loss


@reads("SwiGLU", since=28)
def _(gate: Any, input: Any, *, alpha: float = 1.0) -> Any:
    return gate * (gate * alpha).sigmoid() * input
