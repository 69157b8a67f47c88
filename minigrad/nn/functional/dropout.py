"""Dropout: elements or whole channels set to zero at random, in training."""

from __future__ import annotations

import warnings

import numpy

from minigrad.core.tensor import Tensor, make_tensor
from minigrad.ops import dropout as kernels
from minigrad.ops.random import default_generator, rand

# The value that a SELU tends to for large negative inputs, negated: scale * alpha (Klambauer et al., 2017).
SELU_FLOOR = 1.7580993408473766


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _kept(input: Tensor, p: float, channels: bool, value: float = 1.0) -> Tensor:
    """value with probability 1 - p, else 0: for each element, or for each channel of (N, C, *)."""
    if channels and input.ndim < 2:
        raise RuntimeError(f"dropout: Feature dropout requires at least 2 dimensions in the input, got {input.ndim}")
    shape = input.shape[:2] + (1,) * (input.ndim - 2) if channels else input.shape
    draws = rand(shape, dtype=input.dtype).array
    return make_tensor(numpy.asarray((draws >= p) * draws.dtype.type(value)))


def _drop(input: Tensor, p: float, training: bool, inplace: bool, channels: bool = False) -> Tensor:
    """Drops with probability p and scales what stays by 1 / (1 - p), so that the mean stays."""
    _check_probability(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    if channels or p == 1:
        factor = _kept(input, p, channels, 1 / (1 - p) if p < 1 else 0)
        return input.mul_(factor) if inplace else input * factor
    if input.dtype.kind != "f":
        raise RuntimeError(f"dropout: expected a floating-point dtype, got {input.dtype}; convert it with input.float()")
    key = int(default_generator.numbers.integers(2**64, dtype=numpy.uint64))
    return input.copy_(kernels.dropout(input, key, p)) if inplace else kernels.dropout(input, key, p)


def _alpha_drop(input: Tensor, p: float, training: bool, inplace: bool, channels: bool = False) -> Tensor:
    """Sets to SELU's floor instead of zero, then scales and shifts so that mean 0 and variance 1 stay."""
    _check_probability(p)
    if not training or p == 0 or input.numel() == 0:
        return input
    kept = _kept(input, p, channels)
    if p == 1:
        return input.mul_(kept) if inplace else input * kept
    scale = ((SELU_FLOOR**2 * p + 1) * (1 - p)) ** -0.5
    shift = ((kept - 1 + p) * (SELU_FLOOR * scale)).to(input.dtype)
    kept = kept * scale
    return input.mul_(kept).add_(shift) if inplace else input * kept + shift


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training sets each element to 0 with probability p and scales the rest by 1 / (1 - p) (Hinton et al., 2012).

    Raises ValueError unless p is in [0, 1].

    >>> import minigrad
    >>> dropout(minigrad.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    return _drop(input, p, training, inplace)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of SELUs (Klambauer et al., 2017)."""
    return _alpha_drop(input, p, training, inplace)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels of an input (N, C, *)."""
    return _alpha_drop(input, p, training, inplace, channels=True)


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drops whole channels of an input (N, C, L) or (C, L). Raises RuntimeError for another number of axes."""
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input of shape {tuple(input.shape)}"
        )
    return _drop_channels(input, p, training, inplace, batched=input.ndim == 3)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drops whole channels of an input (N, C, H, W). With three axes it is taken as (N, C, L), as in torch."""
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: Received a {input.ndim}-D input to dropout2d, which is deprecated; use dropout for element-wise dropout "
            "and dropout1d or dropout3d for inputs with another number of axes",
            stacklevel=2,
        )
    elif input.ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input, which is taken as (N, C, L); use dropout1d for that, "
            "or give a single sample (C, H, W) an axis for the batch with unsqueeze(0)",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, batched=True)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Drops whole channels of an input (N, C, D, H, W) or (C, D, H, W)."""
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated; use dropout for element-wise dropout "
            "and dropout1d or dropout2d for inputs with another number of axes",
            stacklevel=2,
        )
    return _drop_channels(input, p, training, inplace, batched=input.ndim == 5)


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    if batched:
        return _drop(input, p, training, inplace, channels=True)
    dropped = _drop(input.unsqueeze(0), p, training, inplace, channels=True)
    return input if inplace else dropped.squeeze(0)
