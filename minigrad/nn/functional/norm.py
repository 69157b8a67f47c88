"""Normalisations: torch's names and checks around the fused operations of ops."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.core.dtypes import check_kind
from minigrad.core.inplace import check_writable
from minigrad.core.modes import no_grad, recording
from minigrad.core.silence import restore, silence
from minigrad.core.tensor import Tensor, make_tensor
from minigrad.kernels import of, xp
from minigrad.kernels.driver import is_host
from minigrad.nn.functional.padding import pad
from minigrad.ops import normalization


def _check_channels(op: str, channels: int, **vectors: Tensor | None) -> None:
    for name, vector in vectors.items():
        if vector is not None and vector.numel() != channels:
            raise RuntimeError(f"{op}: {name} should contain {channels} elements not {vector.numel()}: one for each channel of the input")


def _check_dtypes(op: str, input: Tensor, **vectors: Tensor | None) -> None:
    """Parameters have the input's dtype, or float32 for an input in half precision."""
    if input.dtype.kind != "f":
        raise RuntimeError(f"{op}: expected an input of floats, got {input.dtype}; convert it with input.float()")
    for name, vector in vectors.items():
        if vector is not None and vector.dtype != input.dtype and (vector.dtype.itemsize, input.dtype.itemsize) != (4, 2):
            raise RuntimeError(
                f"{op}: expected {name} to have the input's dtype {input.dtype}, got {vector.dtype}; convert one of them with .to(dtype)"
            )


def update_running(running: Tensor | None, value: Any, momentum: float, factor: float = 1.0) -> None:
    """Moves a running statistic towards a factor times a new value by the fraction momentum: on arrays, since every layer of every step has two."""
    if running is not None:
        check_writable("batch_norm", running)
        array = running.array
        if not is_host(array):  # in one launch
            of(array).update(lambda new, old: (old * (1 - momentum) + new * factor * momentum,), [(value.array.reshape(array.shape), array)])
            running.written()
            return
        warnings = silence()
        try:
            array *= 1 - momentum
            array += momentum * (value.array * factor).reshape(array.shape)
        finally:
            restore(warnings)
        running.written()


def scale_and_shift(mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any]:
    """What running statistics multiply with and then add: computed on arrays where no gradient is asked for, as in most evaluations."""
    given = (mean, var, weight, bias)
    if recording() and any([x is not None and x.requires_grad for x in given]):
        scale = (var + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        return _vector(scale), _vector(shift)
    mean, var, weight, bias = [None if x is None else x.array.reshape(-1) for x in given]
    warnings = silence()
    try:
        scale = 1 / xp(var).sqrt(var + eps)
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
    finally:
        restore(warnings)
    return make_tensor(scale), make_tensor(shift)


def _vector(parameter: Tensor | None) -> Any:
    """A parameter of any shape as a vector of channels."""
    return parameter if parameter is None or parameter.ndim == 1 else parameter.reshape(-1)


def _single(x: Any) -> Any:
    """Half precision as single, in which statistics are computed: squares would overflow."""
    return x.float() if x is not None and x.dtype == "float16" else x


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of input (N, C, *) brought to mean 0 and variance 1, then scaled by weight (C) and shifted by bias (C).

    training: use the statistics of the batch and move the running ones, in place, towards them (the variance unbiased)
    by the fraction momentum; otherwise use the running ones. Raises ValueError for a batch of one value per channel or a bad eps,
    RuntimeError for statistics that are missing or of another length (Ioffe and Szegedy, 2015).

    >>> import minigrad
    >>> batch_norm(minigrad.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    return normalised_batch(input, running_mean, running_var, weight, bias, training, momentum, eps)


def normalised_batch(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    slope: float | None = None,
    residual: Tensor | None = None,
) -> Tensor:
    """What batch_norm gives; for a slope, what leaky_relu (relu for 0) gives of that, or of that plus a residual.

    All at once write and read fewer arrays. A residual has the input's shape and dtype.
    """
    if input.ndim < 2 and input.numel():
        raise ValueError(f"batch_norm: expected input (N, C, *), got shape {tuple(input.shape)}")
    if input.numel() == 0:
        empty = input.clone() if weight is None else input * weight.reshape(-1)[0]
        return empty if residual is None else empty + residual
    if input.dtype == "float16":
        statistics = running_mean, running_var, _single(weight), _single(bias)
        wide = normalised_batch(_single(input), *statistics, training, momentum, eps, slope, _single(residual))
        return wide.half()  # type: ignore[no-any-return]
    channels = input.shape[1]
    _check_channels("batch_norm", channels, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm eps must be {'positive during training' if training else 'non-negative'}, but got {eps}")
    _check_dtypes("batch_norm", input, weight=weight, bias=bias)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError("batch_norm: Expected running_mean and running_var to be defined when training=False")
        scale, shift = scale_and_shift(running_mean, running_var, weight, bias, eps)
        if slope is None:
            return normalization.scale_channels(input, scale, shift)  # type: ignore[no-any-return]
        return normalization.scale_channels_relu(input, scale, shift, residual, slope)  # type: ignore[no-any-return]
    count = input.numel() // channels if channels else 0
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(input.shape)}")
    weight, bias = _vector(weight), _vector(bias)
    if slope is None:
        output, mean, var = normalization.batch_norm(input, weight, bias, eps)
    else:
        output, mean, var = normalization.batch_norm_relu(input, weight, bias, residual, eps, slope)
    update_running(running_mean, mean, momentum)
    update_running(running_var, var, momentum, count / max(count - 1, 1))
    return output  # type: ignore[no-any-return]


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample of input (N, C, *) brought to mean 0 and variance 1, then scaled and shifted.

    use_input_stats: False takes the running statistics instead. Raises ValueError for planes of one element,
    RuntimeError for statistics that are missing or of another length (Ulyanov et al., 2016).
    """
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("instance_norm: Expected running_mean and running_var to be defined when use_input_stats is false")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if input.ndim < 3:
        raise ValueError(f"instance_norm: expected input (N, C, *) with at least one axis after C, got shape {tuple(input.shape)}")
    _check_channels("instance_norm", input.shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    _check_dtypes("instance_norm", input, weight=weight, bias=bias)
    count = math.prod(input.shape[2:])
    if count == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {tuple(input.shape)}")
    if input.dtype == "float16":
        out = instance_norm(_single(input), running_mean, running_var, _single(weight), _single(bias), True, momentum, eps)
        return out.half()  # type: ignore[no-any-return]
    output, mean, var = normalization.group_norm(input, _vector(weight), _vector(bias), input.shape[1], eps)
    with no_grad():
        update_running(running_mean, mean.mean(0), momentum)
        update_running(running_var, var.mean(0), momentum, count / max(count - 1, 1))
    return output  # type: ignore[no-any-return]


def _normalised_axes(op: str, input: Tensor, normalized_shape: Sequence[int]) -> tuple[int, ...]:
    """The last axes, which must have this shape."""
    shape = tuple(normalized_shape)
    if not shape:
        raise RuntimeError(f"{op}: Expected normalized_shape to be at least 1-dimensional, got {shape}")
    if tuple(input.shape[-len(shape) :]) != shape:
        expected = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(
            f"{op}: Given normalized_shape={list(shape)}, expected input with shape [{expected}], but got input of size {list(input.shape)}"
        )
    return tuple(range(-len(shape), 0))


def _check_shape(op: str, shape: Sequence[int], **tensors: Tensor | None) -> None:
    for name, tensor in tensors.items():
        if tensor is not None and tuple(tensor.shape) != tuple(shape):
            raise RuntimeError(
                f"{op}: Expected {name} to be of same shape as normalized_shape {list(shape)}, but got {name} of shape {list(tensor.shape)}"
            )


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The last axes, of shape normalized_shape, brought to mean 0 and variance 1, then scaled and shifted.

    weight, bias: of shape normalized_shape. Raises RuntimeError if the shapes do not match (Ba et al., 2016).

    >>> import minigrad
    >>> layer_norm(minigrad.tensor([1.0, 3.0]), (2,), eps=0)
    tensor([-1.,  1.])
    """
    axes = _normalised_axes("layer_norm", input, normalized_shape)
    _check_shape("layer_norm", normalized_shape, weight=weight, bias=bias)
    if input.dtype == "float16":
        return layer_norm(_single(input), normalized_shape, _single(weight), _single(bias), eps).half()  # type: ignore[no-any-return]
    _check_dtypes("layer_norm", input, weight=weight, bias=bias)
    return normalization.row_norm(input, weight, bias, len(axes), True, eps)[0]  # type: ignore[no-any-return]


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """The last axes, of shape normalized_shape, divided by their root mean square, then scaled (Zhang and Sennrich, 2019).

    eps: added to the mean square; by default the machine epsilon of input's dtype.
    """
    axes = _normalised_axes("rms_norm", input, normalized_shape)
    _check_shape("rms_norm", normalized_shape, weight=weight)
    _check_dtypes("rms_norm", input, weight=weight)
    if eps is None:
        eps = float(np.finfo(input.dtype).eps)
    if input.dtype == "float16":
        return rms_norm(_single(input), normalized_shape, _single(weight), eps).half()  # type: ignore[no-any-return]
    return normalization.row_norm(input, weight, None, len(axes), False, eps)[0]  # type: ignore[no-any-return]


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Each group of channels of each sample of input (N, C, *) brought to mean 0 and variance 1, then scaled and shifted.

    weight, bias: (C). Raises RuntimeError if num_groups does not divide C (Wu and He, 2018).
    """
    if input.ndim < 2:
        raise RuntimeError(f"group_norm: expected input (N, C, *), got shape {tuple(input.shape)}")
    samples, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups != 0:
        raise RuntimeError(
            "group_norm: Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    _check_channels("group_norm", channels, weight=weight, bias=bias)
    _check_dtypes("group_norm", input, weight=weight, bias=bias)
    if samples * channels // num_groups * math.prod(input.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {tuple(input.shape)}")
    if input.dtype == "float16":
        return group_norm(_single(input), num_groups, _single(weight), _single(bias), eps).half()  # type: ignore[no-any-return]
    return normalization.group_norm(input, _vector(weight), _vector(bias), num_groups, eps)[0]  # type: ignore[no-any-return]


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """input / (k + alpha * mean of the squares of the size nearest channels)^beta (Krizhevsky et al., 2012).

    input: (N, C, *). Raises ValueError for an input with less than 3 axes.
    """
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    check_kind("local_response_norm", "fiu", input)
    if input.numel() == 0:
        return input
    channels = input.shape[1]
    squares = pad(input * input, (0, 0) * (input.ndim - 2) + (size // 2, (size - 1) // 2))
    total: Any = squares.narrow(1, 0, channels)
    for offset in range(1, size):
        total = total + squares.narrow(1, offset, channels)
    return input / (total * (alpha / size) + k) ** beta


def normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12) -> Tensor:
    """Vectors along dim divided by their p-norm, or by eps if that is larger.

    >>> import minigrad
    >>> normalize(minigrad.tensor([3.0, 4.0]), dim=0)
    tensor([0.6000, 0.8000])
    """
    return input / input.norm(p, dim, True).clamp_min(eps)
