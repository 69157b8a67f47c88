"""Losses that are no composites of other operations, because their gradient stays finite where the composite's would not."""

from __future__ import annotations

import math

from ..core.primitive import PROMOTE_TO_FLOAT, primitive
from ..kernels import xp
from .families import Domain

__all__: list[str] = []  # nn.functional has the public names

LEAST_LOG = -100.0  # torch's floor for the logarithm of a probability
LEAST_VARIANCE = 1e-12  # and for p (1 - p), which the gradient divides by


@primitive(
    promotion=PROMOTE_TO_FLOAT, method=False, laws="elementwise", domains=(Domain(0.01, 0.99), Domain(0.0, 1.0)),
    oracle=lambda p, target: -(target * math.log(p) + (1 - target) * math.log(1 - p)),
)  # fmt: skip
def binary_cross_entropy(input, target, /):
    """-(target log(input) + (1 - target) log(1 - input)), elementwise, with logarithms of at least -100."""
    array = xp(input)
    if not ((input >= 0) & (input <= 1)).all():
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
