"""Activations: torch's names and options around the primitives of ops, and those that are built from others.

Each derivative at a kink is the one torch takes; which branch of a `where` holds the kink decides it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from minigrad.core.dtypes import check_kind
from minigrad.core.modes import recording
from minigrad.core.tensor import Tensor
from minigrad.ops import activation as kernels
from minigrad.ops import transcendental
from minigrad.ops.arithmetic import mul
from minigrad.ops.creation import number_as
from minigrad.ops.elementwise import tied, where

# Klambauer et al., 2017: with these a SELU keeps mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def _applied(function: Callable[..., Any], input: Tensor, inplace: bool, *options: Any) -> Tensor:
    """function(input, *options), written over input if inplace; a graph then goes on from a copy of what input was."""
    if not inplace:
        return function(input, *options)
    return input.copy_(function(input.clone() if recording() else input, *options))


# -- rectifiers --------------------------------------------------------------------------------------------------------


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(0, x).

    >>> import minigrad
    >>> relu(minigrad.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_() if inplace else input.relu()


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, negative_slope * x elsewhere."""
    return _applied(kernels.leaky_relu, input, inplace, negative_slope)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where it is positive, weight * x elsewhere (He et al., 2015).

    weight: one element, or one for each channel of an input (N, C, *). Raises RuntimeError for another number.
    """
    return kernels.prelu(input, weight)  # type: ignore[no-any-return]


def rrelu(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """Leaky ReLU whose slope is drawn from [lower, upper) for each element in training, and their mean otherwise (Xu et al., 2015).

    Raises RuntimeError if lower is larger than upper.
    """
    if not lower <= upper:
        raise RuntimeError(f"rrelu: Lower bound should be less than or equal to the upper bound, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    slopes = input.detach().new_empty(input.shape).uniform_(lower, upper)
    return _applied(lambda x: where(x > 0, tied(x), slopes * x), input, inplace)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where it exceeds threshold, value elsewhere."""
    return _thresholded(input, threshold, value, inplace)


def _thresholded(input: Tensor, bound: float, value: float, inplace: bool) -> Tensor:
    return _applied(kernels.threshold, input, inplace, bound, value)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x, at least min_val and at most max_val. Raises ValueError if min_val is larger than max_val."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if input.dtype.kind in "iu":
        if input.dtype.kind == "u" and min_val < 0:
            raise RuntimeError(f"hardtanh: the lower bound {min_val} does not fit into {input.dtype}, which has no negative numbers")
        min_val, max_val = (int(number_as("hardtanh", bound, input.dtype)) for bound in (min_val, max_val))
    return input.hardtanh_(min_val, max_val) if inplace else kernels.hardtanh(input, min_val, max_val)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x), 6)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(0, x / 6 + 1 / 2), 1) (Howard et al., 2019)."""
    return _applied(kernels.hardsigmoid, input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x) (Howard et al., 2019)."""
    return _applied(kernels.hardswish, input, inplace)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """The first half along dim times the sigmoid of the second (Dauphin et al., 2016). Raises RuntimeError for an odd axis."""
    if input.ndim == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    check_kind("glu", "f", input)
    if not -input.ndim <= dim < input.ndim:
        raise IndexError(f"glu: dim must be in [{-input.ndim}, {input.ndim - 1}], got {dim}")
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"glu: Halving dimension must be even, but dimension {dim} is size {size}")
    return input.narrow(dim, 0, size // 2) * input.narrow(dim, size // 2, size // 2).sigmoid()


# -- smooth ones -------------------------------------------------------------------------------------------------------


def sigmoid(input: Tensor, slope: float = 1.0) -> Tensor:
    """1 / (1 + exp(-slope * x)); slope is an extension of torch's.

    >>> import minigrad
    >>> sigmoid(minigrad.tensor([0.0, 1.0]), slope=2.0)
    tensor([0.5000, 0.8808])
    """
    return transcendental.sigmoid(input if slope == 1 else mul(input, slope))


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(x)), stable for x of any size."""
    return -kernels.softplus(-input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return input.tanh()


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)."""
    check_kind("tanhshrink", "fiu", input)
    return input - input.tanh()


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)."""
    return input / (input.abs() + 1)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, a smooth ReLU; x itself where beta x exceeds threshold."""
    return kernels.softplus(input, beta, threshold)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, alpha (exp(x) - 1) elsewhere (Clevert et al., 2015)."""
    return _applied(kernels.elu, input, inplace, alpha)


def _negative(x: Any) -> Any:
    """x where it is negative, else 0: where() drops the exponential of the others, but it must not overflow."""
    return where(x < 0, x, 0.0)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(0, x) + min(0, alpha (exp(x / alpha) - 1)) (Barron, 2017). Raises RuntimeError if alpha is 0."""
    check_kind("celu", "f", input)
    if alpha == 0:
        raise RuntimeError("celu: ZeroDivisionError: alpha cannot be 0 for CELU")
    return _applied(lambda x: where(x < 0, alpha * (_negative(x) / alpha).expm1(), x), input, inplace)  # at 0 the curvature is 0, as in torch


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale * elu(x, alpha) with constants that keep mean 0 and variance 1 (Klambauer et al., 2017)."""
    return _applied(lambda x: SELU_SCALE * elu(x, SELU_ALPHA), input, inplace)


def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016).

    approximate: 'none', or 'tanh' for an approximation by tanh. Raises RuntimeError for another word.

    >>> import minigrad
    >>> gelu(minigrad.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    if approximate == "none":
        return kernels.gelu(input)  # type: ignore[no-any-return]
    if approximate == "tanh":
        return kernels.gelu_tanh(input)  # type: ignore[no-any-return]
    raise RuntimeError(f"gelu: approximate argument must be either 'none' or 'tanh', got {approximate!r}")


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x), also called swish (Elfwing et al., 2017)."""
    return _applied(kernels.silu, input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    return _applied(lambda x: x * kernels.softplus(x).tanh(), input, inplace)


# -- shrinkage ---------------------------------------------------------------------------------------------------------


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where |x| exceeds lambd, 0 elsewhere."""
    return kernels.hardshrink(input, lambd)  # type: ignore[no-any-return]


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x brought towards 0 by lambd, as far as 0. Raises RuntimeError if lambd is negative."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambda must be greater or equal to 0, but found to be {lambd}.")
    return kernels.softshrink(input, lambd)  # type: ignore[no-any-return]


# -- normalised over an axis -------------------------------------------------------------------------------------------


def _axis(op: str, input: Tensor, dim: int | None) -> int:
    """The axis asked for; without one torch's old choice, with a warning."""
    if dim is not None:
        return dim
    warnings.warn(
        f"{op}: Implicit dimension choice for {op} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=3,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) divided by its sum along dim.

    >>> import minigrad
    >>> softmax(minigrad.tensor([0.0, 0.0]), dim=0)
    tensor([0.5000, 0.5000])
    """
    return input.softmax(_axis("softmax", input, dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """log(softmax(x)), stable for x of any size."""
    return input.log_softmax(_axis("log_softmax", input, dim), dtype=dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """softmax(-x)."""
    return (-input).softmax(_axis("softmin", input, dim), dtype=dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax of the logits plus Gumbel noise, over tau: a differentiable draw of one class along dim (Jang et al., 2016).

    hard: gives the one-hot row of the class drawn, with the gradient of the soft one. eps: has no effect, as in torch.
    """
    noise = -logits.detach().new_empty(logits.shape).exponential_().log()
    soft: Any = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    drawn = soft.detach().argmax(dim, keepdim=True)
    one_hot = soft.detach().new_zeros(soft.shape).scatter(dim, drawn, 1.0)
    return one_hot - soft.detach() + soft


# -- torch's names for inplace=True ------------------------------------------------------------------------------------


def relu_(input: Tensor) -> Tensor:
    """relu, in place."""
    return relu(input, inplace=True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu, in place."""
    return leaky_relu(input, negative_slope, inplace=True)


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """rrelu, in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold, in place."""
    return _thresholded(input, threshold, value, inplace=True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh, in place."""
    return hardtanh(input, min_val, max_val, inplace=True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """elu, in place."""
    return elu(input, alpha, inplace=True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu, in place."""
    return celu(input, alpha, inplace=True)


def selu_(input: Tensor) -> Tensor:
    """selu, in place."""
    return selu(input, inplace=True)
