"""Losses as operations: because their gradient stays finite where a composite's would not, or because one pass does what a composite does
in many."""

from __future__ import annotations

import math

import numpy as np

from ..core.dtypes import float16, float32
from ..core.primitive import PROMOTE_TO_FLOAT, primitive
from ..core.tensor import make_tensor
from ..kernels import of, xp
from ..kernels.driver import is_host
from .activation import log_softmax, softplus
from .elementwise import where
from .families import REAL, Domain
from .index import gather

__all__: list[str] = []  # nn.functional has the public names

LEAST_LOG = -100.0  # torch's floor for the logarithm of a probability
LEAST_VARIANCE = 1e-12  # and for p (1 - p), which the gradient divides by


@primitive(
    promotion=PROMOTE_TO_FLOAT, method=False, laws="elementwise", domains=(Domain(0.01, 0.99), Domain(0.0, 1.0)),
    accepts="f", oracle=lambda p, target: -(target * math.log(p) + (1 - target) * math.log(1 - p)),
)  # fmt: skip
def binary_cross_entropy(input, target, /):
    """-(target log(input) + (1 - target) log(1 - input)), elementwise, with logarithms of at least -100."""
    array = xp(input)
    if is_host(input) and not ((input >= 0) & (input <= 1)).all():  # elsewhere the result is NaN, and nobody waits
        raise RuntimeError(
            "binary_cross_entropy: all elements of input should be between 0 and 1 (apply a sigmoid first, "
            "or use binary_cross_entropy_with_logits)"
        )
    log_p = array.maximum(array.log(input), LEAST_LOG)
    log_q = array.maximum(array.log1p(-input), LEAST_LOG)
    return -(target * log_p + (1 - target) * log_q)


@binary_cross_entropy.vjp("input")
def _(g, input, target):
    return g * (input - target) / (input * (1 - input)).clamp_min(LEAST_VARIANCE)


@binary_cross_entropy.vjp("target")
def _(g, input):
    return g * ((-input).log1p().clamp_min(LEAST_LOG) - input.log().clamp_min(LEAST_LOG))


# --- cross entropy of classes -----------------------------------------------------------------------------------------


def cross_entropy_of_operations(input, target, weight, ignored, reduction):
    skipped = target == ignored
    place = where(skipped, 0, target)
    loss = -gather(log_softmax(input, 1), 1, place.unsqueeze(1)).squeeze(1)
    if weight is not None:
        loss = loss * make_tensor(weight.astype(input.dtype, copy=False)[place.array])
    loss = loss.masked_fill(skipped, 0)
    if reduction == "none":
        return loss
    total = loss.to(sums_in(input.dtype)).sum()
    if reduction == "mean":
        total = total / make_tensor(xp(target.array).asarray(counted(target.array, weight, ignored, total.dtype)))
    return total.to(input.dtype)


def sums_in(dtype):
    """The dtype in which losses are added up and counted: float16 ends at 65504, which the pixels of one picture exceed."""
    return float32 if dtype == float16 else dtype


def counted(target, weight, ignored, dtype):
    """What a mean over the targets divides by: their number without those that are ignored, or the sum of their classes' weights."""
    skipped = target == ignored
    if weight is not None:
        return (weight[xp(target).where(skipped, 0, target)] * ~skipped).sum(dtype=dtype)
    if is_host(target):
        return dtype.type(target.size - np.count_nonzero(skipped))
    return (~skipped).sum(dtype=dtype)  # which stays on the device: nobody waits for it


@primitive(method=False, aux=2, accepts="f", equals=cross_entropy_of_operations)
def cross_entropy(input, target, /, weight=None, ignored=-100, reduction="none"):
    """-log_softmax(input) at the target's class, times the class's weight (an array), 0 where the target is the class that is ignored.

    Shapes: input (N, C, *), target (N, *), weight (C). With the losses (N, *), their "sum" or "mean" come the maxima over the classes
    and the logarithms of the sums of exp(input - maximum). Raises IndexError for a target that is no class.
    """
    kernels = of(input)
    weight = as_dtype(weight, input.dtype)
    loss, largest, log_sum = kernels.cross_entropy(input, target, weight, ignored)
    if reduction == "none":
        return loss, largest, log_sum
    wide = sums_in(input.dtype)
    total = kernels.sum_axes(loss.astype(wide, copy=False), tuple(range(loss.ndim)), False)
    if reduction == "mean":
        total = total / counted(target, weight, ignored, wide)
    return total.astype(input.dtype, copy=False), largest, log_sum


@cross_entropy.vjp("input")
def _(g, input, target, aux, weight, ignored, reduction):
    largest, log_sum = aux
    weight = as_dtype(weight, input.dtype)
    slope = g.array
    if reduction == "mean":
        count = counted(target.array, weight, ignored, sums_in(input.dtype))
        slope = xp(slope).asarray(slope / count, dtype=input.dtype)
    found = of(g.array).cross_entropy_input(slope, input.array, target.array, weight, ignored, largest.array, log_sum.array)
    return make_tensor(found)


def as_dtype(weight, dtype):
    return None if weight is None else weight.astype(dtype, copy=False)


@cross_entropy.cases
def _(draw):
    classes = draw.choice(3, 1)
    shape = draw.choice((4,), (2, 3), (1, 2, 2))
    target = np.asarray(draw.array(shape)).astype(np.int64) % (classes + 1)
    target[(0,) * len(shape)] = 0  # the mean of none would be NaN
    weight = draw.choice(None, np.arange(1, classes + 1) / 4)
    reduction = draw.choice("none", "sum", "mean")
    return (draw.array((shape[0], classes, *shape[1:])), target), {"weight": weight, "ignored": classes, "reduction": reduction}


# --- elementwise losses -----------------------------------------------------------------------------------------------


def logistic_loss_of_operations(input, target):
    return (1 - target) * input + softplus(-input)


@primitive(
    promotion=PROMOTE_TO_FLOAT, method=False, laws="elementwise", domains=(REAL, REAL), equals=logistic_loss_of_operations,
    accepts="f", oracle=lambda x, target: (1 - target) * x + math.log1p(math.exp(-x)),
)  # fmt: skip
def logistic_loss(input, target, /):
    """The binary cross entropy of sigmoid(input), elementwise: (1 - target) * input + log(1 + exp(-input))."""
    return of(input).binary("logistic_loss", input, target)


@logistic_loss.vjp("input")
def _(g, input, target):
    kernels = of(g.array)
    return make_tensor(kernels.binary("mul", g.array, kernels.binary("logistic_slope", input.array, target.array)))


@logistic_loss.vjp("target")
def _(g, input):
    return g * -input


def squared_error_of_operations(input, target):
    difference = input - target
    return difference * difference


@primitive(
    promotion=PROMOTE_TO_FLOAT, method=False, laws="elementwise", domains=(REAL, REAL), equals=squared_error_of_operations,
    accepts="f", oracle=lambda x, target: (x - target) ** 2,
)  # fmt: skip
def squared_error(input, target, /):
    """(input - target)**2."""
    return of(input).binary("squared_difference", input, target)


@squared_error.vjp("input")
def _(g, input, target):
    return error_slope(g, input, target, 2.0)


@squared_error.vjp("target")
def _(g, input, target):
    return error_slope(g, input, target, -2.0)


def error_slope(g, input, target, factor):
    """g * factor * (input - target)."""
    kernels = of(g.array)
    return make_tensor(kernels.binary("scaled_product", g.array, kernels.binary("sub", input.array, target.array), factor))
