"""What the fused kernels compute, in plain array code that NumPy and CuPy share: normalisation, softmax, activations, dropout, sums.

These are the specification and the oracle of the compiled ones, as reference.py is for windows; that module has their names too.
"""

from __future__ import annotations

import math
from typing import Any

from .namespace import xp
from .special import erf

Array = Any  # numpy.ndarray or cupy.ndarray
Moments = tuple[Array, Array, Array]

# --- normalisation ----------------------------------------------------------------------------------------------------


def along_channels(vector: Array, ndim: int) -> Array:
    """A vector (C) shaped to broadcast over (N, C, *)."""
    return vector.reshape((1, -1) + (1,) * (ndim - 2))


def sum_wide(x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over axes, which stay with length 1, added up in double precision."""
    return x.sum(axes, dtype="float64", keepdims=True)


def standardised(x: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> Moments:
    """(x - mean) / sqrt(var + eps) over the axes, in double precision, with the mean and the variance."""
    count = math.prod([x.shape[a] for a in axes])
    mean = sum_wide(x, axes) / count if centred else xp(x).zeros((1,) * x.ndim)
    var = sum_wide((x - mean) ** 2, axes) / count
    return (x - mean) / xp(x).sqrt(var + eps), mean, var


def standardised_input(g: Array, x: Array, mean: Array, var: Array, axes: tuple[int, ...], eps: float, centred: bool = True) -> Array:
    """The gradient of standardised with respect to x; in double precision as all that is computed from it."""
    count = math.prod([x.shape[a] for a in axes])
    scale = 1 / xp(x).sqrt(var.astype("float64") + eps)
    hat = (x - mean) * scale
    away = g - hat * (sum_wide(g * hat, axes) / count)
    return (away - sum_wide(g, axes) / count if centred else away) * scale


def rectified(y: Array, slope: float | None, residual: Array | None) -> Array:
    """y, or for a slope y + residual, what is negative of that multiplied with the slope, set to 0 if the slope is 0."""
    y = y if residual is None else y + residual
    if slope is None:
        return y
    return unary("leaky_relu", y, slope) if slope else unary("relu", y)


def rectified_input(g: Array, y: Array, slope: float, residual: Array | None) -> Array:
    """The gradient of rectified with respect to y, or to the residual."""
    y = y if residual is None else y + residual
    return binary("leaky_relu_input", g, y, slope) if slope else binary("relu_input", g, y)


def normalised(x: Array, weight: Array | None, bias: Array | None, mean: Array, var: Array, eps: float) -> Array:
    """x (N, C, *) minus the mean (C), over the root of the variance (C), times weight (C) plus bias (C)."""
    mean, var = (along_channels(m.astype("float64"), x.ndim) for m in (mean, var))
    y = (x - mean) / xp(x).sqrt(var + eps)
    y = y if weight is None else y * along_channels(weight, x.ndim)
    y = y if bias is None else y + along_channels(bias, x.ndim)
    return y.astype(x.dtype)


def batch_norm(
    x: Array,
    weight: Array | None,
    bias: Array | None,
    eps: float,
    slope: float | None = None,
    residual: Array | None = None,
) -> Moments:
    """Each channel of x (N, C, *) brought to mean 0 and variance 1, times weight (C) plus bias (C); and both moments (C).

    slope: residual, if there is one, is then added, and what is negative multiplied with the slope, or set to 0 if that is 0. The
    result is computed from the moments as they are returned, from which backward computes it again.
    """
    axes = (0, *range(2, x.ndim))
    _, mean, var = standardised(x, axes, eps)
    mean, var = mean.astype(x.dtype).reshape(-1), var.astype(x.dtype).reshape(-1)
    return rectified(normalised(x, weight, bias, mean, var, eps), slope, residual), mean, var


def batch_norm_input(
    g: Array,
    x: Array,
    weight: Array | None,
    mean: Array,
    var: Array,
    eps: float,
    slope: float | None = None,
    bias: Array | None = None,
    residual: Array | None = None,
) -> tuple[Array, ...]:
    """The gradients of batch_norm with respect to x, weight and bias, and to the residual if there is one."""
    if slope is not None:
        g = rectified_input(g, normalised(x, weight, bias, mean, var, eps), slope, residual)
    axes = (0, *range(2, x.ndim))
    wide_mean, wide_var = along_channels(mean, x.ndim), along_channels(var, x.ndim)
    weighted = g if weight is None else g * along_channels(weight, x.ndim)
    hat = (x - wide_mean) / xp(x).sqrt(wide_var.astype("float64") + eps)
    dx = standardised_input(weighted, x, wide_mean, wide_var, axes, eps).astype(x.dtype)
    dw, db = (sum_wide(a, axes).astype(x.dtype).reshape(-1) for a in (g * hat, g))
    return (dx, dw, db) if residual is None else (dx, dw, db, g)


def group_norm(x: Array, weight: Array | None, bias: Array | None, groups: int, eps: float) -> Moments:
    """As batch_norm, for each group of channels of each sample; both moments are (N, groups)."""
    grouped = x.reshape(x.shape[0], groups, math.prod(x.shape[1:]) // groups)
    hat, mean, var = standardised(grouped, (2,), eps)
    y = hat.reshape(x.shape)
    y = y if weight is None else y * along_channels(weight, x.ndim)
    y = y if bias is None else y + along_channels(bias, x.ndim)
    return y.astype(x.dtype), mean[..., 0].astype(x.dtype), var[..., 0].astype(x.dtype)


def group_norm_input(g: Array, x: Array, weight: Array | None, mean: Array, var: Array, groups: int, eps: float) -> Moments:
    """The gradients of group_norm with respect to x, weight and bias."""
    shape = (x.shape[0], groups, math.prod(x.shape[1:]) // groups)
    mean, var = mean[..., None], var[..., None]
    weighted = g if weight is None else g * along_channels(weight, x.ndim)
    hat = ((x.reshape(shape) - mean) / xp(x).sqrt(var.astype("float64") + eps)).reshape(x.shape)
    dx = standardised_input(weighted.reshape(shape), x.reshape(shape), mean, var, (2,), eps).reshape(x.shape)
    axes = (0, *range(2, x.ndim))
    return dx.astype(x.dtype), sum_wide(g * hat, axes).astype(x.dtype).reshape(-1), sum_wide(g, axes).astype(x.dtype).reshape(-1)


def row_norm(x: Array, weight: Array | None, bias: Array | None, ndim: int, centred: bool, eps: float) -> Moments:
    """The last `ndim` axes of x brought to mean 0 and variance 1 (not centred: to mean square 1), times weight plus bias of their shape."""
    hat, mean, var = standardised(x, tuple(range(-ndim, 0)), eps, centred)
    y = hat if weight is None else hat * weight
    y = y if bias is None else y + bias
    outer = x.shape[: x.ndim - ndim]
    mean = xp(x).broadcast_to(mean, var.shape)
    return y.astype(x.dtype), mean.reshape(outer).astype(x.dtype), var.reshape(outer).astype(x.dtype)


def row_norm_input(
    g: Array, x: Array, weight: Array | None, mean: Array, var: Array, ndim: int, centred: bool, eps: float
) -> Moments:
    """The gradients of row_norm with respect to x, weight and bias."""
    inner, outer = tuple(range(-ndim, 0)), tuple(range(x.ndim - ndim))
    mean, var = (m.reshape(m.shape + (1,) * ndim) for m in (mean, var))
    hat = (x - mean) / xp(x).sqrt(var.astype("float64") + eps)
    dx = standardised_input(g if weight is None else g * weight, x, mean, var, inner, eps, centred)
    shape = x.shape[x.ndim - ndim :]
    dw, db = sum_wide(g * hat, outer).reshape(shape), sum_wide(g, outer).reshape(shape)
    return dx.astype(x.dtype), dw.astype(x.dtype), db.astype(x.dtype)


def scale_channels(
    x: Array, scale: Array, shift: Array | None, slope: float | None = None, residual: Array | None = None
) -> Array:
    """x (N, C, *) times scale (C) plus shift (C); slope and residual as for batch_norm."""
    y = x * along_channels(scale, x.ndim)
    y = y if shift is None else y + along_channels(shift, x.ndim)
    return rectified(y, slope, residual)


def finish(y: Array, scale: Array | None, shift: Array | None, low: float, high: float, residual: Array | None = None) -> Array:
    """What a convolution for evaluation does to its results y (N, C, *): scaled and shifted, plus a residual, between two limits."""
    y = y if scale is None else scale_channels(y, scale, shift)
    return unary("hardtanh", y if residual is None else y + residual, low, high)


# --- softmax ----------------------------------------------------------------------------------------------------------


def softmax(x: Array, axis: int, logarithm: bool) -> Array:
    """exp(x) over its sum along an axis, or the logarithm of that."""
    shifted = x - x.max(axis, keepdims=True)
    powers = xp(x).exp(shifted)
    total = powers.sum(axis, keepdims=True)
    return shifted - xp(x).log(total) if logarithm else powers / total


def softmax_input(g: Array, y: Array, axis: int, logarithm: bool) -> Array:
    """The gradient of softmax, from that of its result and the result."""
    if logarithm:
        return g - xp(y).exp(y) * g.sum(axis, keepdims=True)
    return y * (g - (g * y).sum(axis, keepdims=True))


def cross_entropy(x: Array, target: Array, weight: Array | None, ignored: int) -> Moments:
    """-log softmax of x (N, C, *) at the classes target (N, *), each times its class's weight (C), 0 where it is to be ignored.

    With it come the maxima over the classes and the logarithms of the sums of exp(x - maximum). Raises IndexError for a target that
    is no class.
    """
    m, classes = xp(x), x.shape[1]
    skipped = target == ignored
    wrong = target[((target < 0) | (target >= classes)) & ~skipped]
    if wrong.size:
        raise IndexError(
            f"cross_entropy: Target {wrong[0]} is out of bounds: expected 0 <= target < {classes} (or ignore_index={ignored})"
        )
    place = m.where(skipped, 0, target)
    largest = x.max(1)
    log_sum = m.log(m.exp(x - largest[:, None]).sum(1))
    loss = largest - m.take_along_axis(x, place[:, None], 1)[:, 0] + log_sum
    loss = loss if weight is None else loss * weight[place]
    return m.where(skipped, x.dtype.type(0), loss), largest, log_sum


def cross_entropy_input(
    g: Array, x: Array, target: Array, weight: Array | None, ignored: int, largest: Array, log_sum: Array
) -> Array:
    """The gradient of cross_entropy with respect to x; g is (N, *), or () for one number for all."""
    m = xp(x)
    skipped = target == ignored
    place = m.where(skipped, 0, target)
    factor = m.broadcast_to(g, target.shape) if weight is None else g * weight[place]
    factor = m.where(skipped, x.dtype.type(0), factor)[:, None]
    right = m.arange(x.shape[1]).reshape(1, -1, *[1] * (x.ndim - 2)) == place[:, None]
    return factor * (m.exp(x - largest[:, None] - log_sum[:, None]) - right)


# --- functions of each element ----------------------------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    m = xp(x)
    power = m.exp(-m.absolute(x))
    return m.where(x < 0, power, 1) / (1 + power)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    m = xp(x)
    return m.maximum(x, 0) + m.log1p(m.exp(-m.absolute(x)))


def _expm1_below(x: Array) -> Array:
    """exp(x) - 1 for x < 0, else 0."""
    return xp(x).expm1(xp(x).minimum(x, 0))


def _distribution(x: Array) -> Array:
    """That of the normal distribution."""
    return (1 + erf(x * math.sqrt(0.5))) * 0.5


def _density(x: Array) -> Array:
    return xp(x).exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


def _gelu_tanh(x: Array) -> Array:
    """The hyperbolic tangent in the approximation of gelu."""
    return xp(x).tanh((x + 0.044715 * x * x * x) * math.sqrt(2 / math.pi))


def _gelu_tanh_input(g: Array, x: Array) -> Array:
    t = _gelu_tanh(x)
    inner = (1 + 3 * 0.044715 * x * x) * math.sqrt(2 / math.pi)
    return g * 0.5 * ((1 + t) + x * (1 - t * t) * inner)


def _silu_input(g: Array, x: Array) -> Array:
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


# Each is called with the element or elements and two numbers, a and b. At kinks the derivatives are torch's; a NaN stays one.
UNARY: dict[str, Any] = {
    "relu": lambda x, a, b: xp(x).maximum(x, 0),
    "leaky_relu": lambda x, a, b: xp(x).where(x > 0, x, x * x.dtype.type(a)),
    "elu": lambda x, a, b: xp(x).where(x <= 0, _expm1_below(x) * x.dtype.type(a), x),
    "hardtanh": lambda x, a, b: xp(x).where(x < a, a, xp(x).where(x > b, b, x)),
    "hardsigmoid": lambda x, a, b: xp(x).where(x <= -3, 0, xp(x).where(x >= 3, 1, (x + 3) / 6)),
    "hardswish": lambda x, a, b: xp(x).where(x <= -3, 0, xp(x).where(x >= 3, x, x * (x + 3) / 6)),
    "exp": lambda x, a, b: xp(x).exp(x),
    "log": lambda x, a, b: xp(x).log(x),
    "tanh": lambda x, a, b: xp(x).tanh(x),
    "sigmoid": lambda x, a, b: sigmoid(x),
    "erf": lambda x, a, b: erf(x),
    "softplus": lambda x, a, b: xp(x).where(x * a > b, x, softplus(x * x.dtype.type(a)) / x.dtype.type(a)),
    "gelu": lambda x, a, b: x * _distribution(x),
    "gelu_tanh": lambda x, a, b: x * ((1 + _gelu_tanh(x)) * 0.5),
    "silu": lambda x, a, b: x * sigmoid(x),
}
BINARY: dict[str, Any] = {
    "add": lambda x, z, a, b: x + z,
    "sub": lambda x, z, a, b: x - z,
    "mul": lambda x, z, a, b: x * z,
    "div": lambda x, z, a, b: x / z,
    "relu_input": lambda g, out, a, b: xp(out).where(out <= 0, 0, g),
    "leaky_relu_input": lambda g, x, a, b: xp(x).where(x > 0, g, g * x.dtype.type(a)),
    "elu_input": lambda g, x, a, b: xp(x).where(x <= 0, g * (xp(x).exp(xp(x).minimum(x, 0)) * x.dtype.type(a)), g),
    "hardtanh_input": lambda g, x, a, b: xp(x).where((x > a) & (x < b), g, 0),
    "hardsigmoid_input": lambda g, x, a, b: xp(x).where((x > -3) & (x < 3), g / 6, 0),
    "hardswish_input": lambda g, x, a, b: xp(x).where(x <= -3, 0, xp(x).where(x >= 3, g, g * (2 * x + 3) / 6)),
    "tanh_input": lambda g, out, a, b: g * (1 - out * out),
    "sigmoid_input": lambda g, out, a, b: g * (out * (1 - out)),
    "softplus_input": lambda g, x, a, b: xp(x).where(x * a > b, g, g * sigmoid(x * x.dtype.type(a))),
    "gelu_input": lambda g, x, a, b: g * (_distribution(x) + x * _density(x)),
    "gelu_tanh_input": lambda g, x, a, b: _gelu_tanh_input(g, x),
    "silu_input": lambda g, x, a, b: _silu_input(g, x),
    "logistic_loss": lambda x, target, a, b: (1 - target) * x + softplus(-x),
    "logistic_slope": lambda x, target, a, b: sigmoid(x) - target,
    "squared_difference": lambda x, z, a, b: (x - z) * (x - z),
    "scaled_product": lambda x, z, a, b: x * z * (z if x.ndim == 0 else x).dtype.type(a),
}


def unary(name: str, x: Array, a: float = 0.0, b: float = 0.0, out: Array | None = None) -> Array:
    """A function of each element, by its name; into `out`, which may be x."""
    found = xp(x).asarray(UNARY[name](x, a, b), x.dtype)
    if out is None:
        return found
    out[...] = found
    return out


def binary(name: str, x: Array, z: Array, a: float = 0.0, b: float = 0.0) -> Array:
    """A function of the elements of two arrays in the same place, by its name."""
    return xp(x).asarray(BINARY[name](x, z, a, b), (z if x.ndim == 0 else x).dtype)


def add_into(target: Array, x: Array) -> None:
    """target += x."""
    target += x


# --- dropout ----------------------------------------------------------------------------------------------------------

GROUP = 16  # counters, whose 64 words are taken first word first


def random_words(m: Any, count: int, key: int) -> Array:
    """The first random words of a key by Philox4x32-10 (Salmon et al., 2011), the counters in groups of 16."""
    groups = -(-count // (4 * GROUP))
    low = m.uint64(0xFFFFFFFF)
    counter = m.arange(groups * GROUP, dtype="uint64")
    a, b, c, d = counter & low, counter >> m.uint64(32), m.zeros_like(counter), m.zeros_like(counter)
    keys = [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        p, q = a * m.uint64(0xD2511F53), c * m.uint64(0xCD9E8D57)
        a, b, c, d = (q >> m.uint64(32)) ^ b ^ m.uint64(keys[0]), q & low, (p >> m.uint64(32)) ^ d ^ m.uint64(keys[1]), p & low
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    words = m.stack([w.reshape(groups, GROUP) for w in (a, b, c, d)], 1)
    return words.reshape(-1)[:count]


def dropout(x: Array, key: int, p: float) -> Array:
    """x with each element set to 0 with probability p, the others scaled by 1 / (1 - p); the key decides which."""
    kept = random_words(xp(x), x.size, key).reshape(x.shape) >= threshold(p)
    return xp(x).where(kept, x * x.dtype.type(1 / (1 - p)), x.dtype.type(0))


def threshold(p: float) -> int:
    """What a random word of 32 bits is less than with probability p."""
    return min(round(p * 2**32), 2**32 - 1)


# --- sums -------------------------------------------------------------------------------------------------------------


def sum_axes(x: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The sum over some axes."""
    return x.sum(axes, keepdims=keepdims)
