"""How weights start: torch's initialisers, which fill a tensor in place and return it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from minigrad.core.modes import no_grad
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.nn.checks import expect

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


Filler = TypeVar("Filler", bound=Callable[..., Tensor])


def _filling(function: Filler) -> Filler:
    """The function, which refuses to fill what is no tensor, and to take tensors for the numbers that say how."""

    @wraps(function)
    def call(tensor: Tensor, *args: Any, **named: Any) -> Tensor:
        expect(function.__name__, "tensor", tensor, Tensor)
        if any(isinstance(value, Tensor) and value.ndim for value in (*args, *named.values())):
            raise TypeError(f"{function.__name__}: expected numbers after the tensor that is to be filled, got a tensor")
        return function(tensor, *args, **named)

    return call  # type: ignore[return-value]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights must grow to keep the variance through a nonlinearity.

    nonlinearity: 'linear', 'conv1d' and the like, 'sigmoid', 'tanh', 'relu', 'selu', or 'leaky_relu', whose slope param is (default 0.01).
    Raises ValueError for another name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, bool) or not isinstance(param, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        else:
            slope = param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}: expected one of {sorted([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


@_filling
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fills with draws from the uniform distribution on [a, b)."""
    with no_grad():
        tensor.uniform_(a, b, generator=generator)
    return tensor


@_filling
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fills with draws from the normal distribution."""
    with no_grad():
        tensor.normal_(mean, std, generator=generator)
    return tensor


@_filling
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Tensor:
    """Fills with draws from the normal distribution restricted to [a, b].

    Raises ValueError unless a < b and std > 0.

    >>> import minigrad
    >>> bool(trunc_normal_(minigrad.empty(1000), std=1.0).abs().max() <= 2)
    True
    """
    if not (a < b and std > 0):
        raise ValueError(f"trunc_normal_: expected a < b and std > 0, got a={a}, b={b}, std={std}")
    low, high = (a - mean) / std, (b - mean) / std
    inside = (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    highest = min(max(0.0, low), high)  # where the restricted density is largest
    with no_grad():
        flat = tensor.new_empty(tensor.numel())
        filled = 0
        while filled < flat.numel():
            draws = tensor.new_empty(tensor.numel())
            # Rejection: propose from the normal, or, where the interval has little of it, uniformly.
            if inside > 0.2:
                draws.normal_(generator=generator)
                kept = draws[(draws >= low).logical_and(draws <= high)]
            else:
                draws.uniform_(low, high, generator=generator)
                density = ((highest**2 - draws**2) / 2).exp()
                kept = draws[tensor.new_empty(tensor.numel()).uniform_(generator=generator) < density]
            kept = kept[: flat.numel() - filled]
            flat[filled : filled + kept.numel()] = kept
            filled += kept.numel()
        tensor.copy_((flat * std + mean).clamp_(a, b).reshape(tensor.shape))
    return tensor


@_filling
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills with one value."""
    with no_grad():
        tensor.fill_(val)
    return tensor


@_filling
def ones_(tensor: Tensor) -> Tensor:
    """Fills with 1."""
    return constant_(tensor, 1.0)


@_filling
def zeros_(tensor: Tensor) -> Tensor:
    """Fills with 0."""
    return constant_(tensor, 0.0)


@_filling
def eye_(tensor: Tensor) -> Tensor:
    """Makes a 2-d tensor the identity, so that a linear layer keeps its input as far as it can.

    >>> import minigrad
    >>> eye_(minigrad.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    with no_grad():
        tensor.zero_()
        for i in range(min(tensor.shape)):
            tensor[i, i] = 1
    return tensor


@_filling
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Makes the weight of a convolution pass each input channel on as it is, as far as there are output channels.

    tensor: (out_channels, in_channels / groups, *kernel) with 1 to 3 kernel axes. Raises ValueError if groups does not divide out_channels.

    >>> import minigrad
    >>> dirac_(minigrad.empty(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"dirac_: only tensors with 3, 4, or 5 dimensions are supported, got shape {tuple(tensor.shape)}")
    out_channels = tensor.shape[0]
    if groups <= 0 or out_channels % groups != 0:
        raise ValueError(f"dirac_: the {out_channels} output channels must be divisible by groups={groups}")
    per_group = out_channels // groups
    center = tuple(size // 2 for size in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, tensor.shape[1])):
                tensor[(group * per_group + channel, channel, *center)] = 1
    return tensor


def _fans(tensor: Tensor) -> tuple[int, int]:
    """How many inputs feed one output of a layer with this weight, and how many outputs one input feeds."""
    if tensor.ndim < 2:
        raise ValueError(
            f"Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got shape {tuple(tensor.shape)}"
        )
    taps = math.prod(tensor.shape[2:])
    return tensor.shape[1] * taps, tensor.shape[0] * taps


def _chosen_fan(tensor: Tensor, mode: str) -> int:
    fans = {"fan_in": 0, "fan_out": 1}
    if not isinstance(mode, str) or mode.lower() not in fans:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return _fans(tensor)[fans[mode.lower()]]


@_filling
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fills uniformly on [-a, a] with a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    if tensor.numel() == 0:
        return tensor
    bound = gain * math.sqrt(6.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


@_filling
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fills from the normal distribution with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    if tensor.numel() == 0:
        return tensor
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


@_filling
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Fills uniformly on [-b, b] with b = gain * sqrt(3 / fan) (He et al., 2015).

    a: the slope of the leaky ReLU that follows. mode: 'fan_in' keeps the variance forward, 'fan_out' backward.
    """
    if tensor.numel() == 0:
        return tensor
    bound = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _chosen_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


@_filling
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Tensor:
    """Fills from the normal distribution with std = gain / sqrt(fan) (He et al., 2015).

    a: the slope of the leaky ReLU that follows. mode: 'fan_in' keeps the variance forward, 'fan_out' backward.
    """
    if tensor.numel() == 0:
        return tensor
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_chosen_fan(tensor, mode)), generator)


@_filling
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Fills with a random (semi-)orthogonal matrix, the axes after the first taken as one (Saxe et al., 2013).

    >>> import minigrad
    >>> w = orthogonal_(minigrad.empty(2, 3))
    >>> minigrad.allclose(w @ w.T, minigrad.eye(2), atol=1e-6)
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: only tensors with 2 or more dimensions are supported, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    from minigrad.kernels import xp

    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    with no_grad():
        draws = tensor.new_empty((max(rows, columns), min(rows, columns))).normal_(generator=generator).array
        linalg = xp(draws).linalg
        # LAPACK knows no float16.
        q, r = linalg.qr(draws if draws.dtype.itemsize >= 4 else draws.astype("float32"))
        # The signs of R's diagonal make Q uniformly distributed (Mezzadri, 2006).
        q *= xp(draws).sign(r.diagonal())
        matrix = q.T if rows < columns else q
        tensor.copy_(make_tensor(gain * matrix.reshape(tensor.shape)))
    return tensor


@_filling
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fills a matrix from the normal distribution, then sets a fraction of each column, chosen at random, to 0 (Martens, 2010)."""
    if tensor.ndim != 2:
        raise ValueError(f"sparse_: only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    from minigrad.ops.random import randperm

    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[randperm(rows, generator=generator)[:zeros], column] = 0
    return tensor
