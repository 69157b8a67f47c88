"""Weights and images by formula, so that two frameworks can be given the same without a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

# Those that torchvision has too, with the size of the images that they are compared on.
NETWORKS = {
    "alexnet": 64, "vgg11": 32, "vgg11_bn": 32, "vgg13": 32, "vgg13_bn": 32, "vgg16": 32, "vgg16_bn": 32, "vgg19": 32, "vgg19_bn": 32,
    "googlenet": 64, "inception_v3": 75, "resnet18": 64, "resnet34": 64, "resnet50": 64, "resnet101": 64, "resnet152": 64,
    "mobilenet_v2": 64,
}  # fmt: skip


def waves(shape: tuple[int, ...], phase: int) -> np.ndarray[Any, Any]:
    """Numbers in [-1, 1] that look like noise, the same ones again after the first million."""
    numbers = np.arange(min(int(np.prod(shape)), 1_000_003), dtype=np.int64)
    # In integers, so that every machine has the same: a multiplicative hash, and of it 16 bits.
    mixed = (numbers + 1013 * (phase + 1)) * 2654435761 % 2**32 >> 16
    return np.resize((mixed / 2.0**15 - 1).astype(np.float32), shape)


def weight(name: str, shape: tuple[int, ...], position: int) -> np.ndarray[Any, Any]:
    """An entry of a state_dict, of a size that keeps activations in range."""
    if name.endswith("running_var"):
        return np.abs(waves(shape, position)) + np.float32(0.5)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if len(shape) == 1:
        return waves(shape, position) / 4 + np.float32(name.endswith("weight"))
    values = waves(shape, position)
    values *= np.float32((6 / np.prod(shape[1:])) ** 0.5)
    return values


def image(size: int) -> np.ndarray[Any, Any]:
    return waves((1, 3, size, size), 7)


def digest(entries: Iterable[tuple[str, tuple[int, ...]]]) -> str:
    """A fingerprint of the names, shapes and order of a state_dict's entries."""
    text = "\n".join(f"{name} {tuple(shape)}" for name, shape in entries)
    return hashlib.sha256(text.encode()).hexdigest()
