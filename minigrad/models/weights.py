"""What every network's constructor function does with `weights=`, and the initialisations that several networks share."""

from __future__ import annotations

import os
from os import PathLike
from typing import TypeVar

from minigrad import nn
from minigrad.core.tensor import Tensor
from minigrad.io import load

Network = TypeVar("Network", bound=nn.Module)
Path = str | PathLike[str]


def with_weights(model: Network, weights: Path | None, heads: tuple[str, ...] = ()) -> Network:
    """The model with the weights of a file, or as it is.

    weights: the path of a state_dict that minigrad.save, torch.save or the safetensors package wrote. heads: names of auxiliary heads, whose weights in
    the file are passed over where the model has no such heads. Raises TypeError for what is no path, FileNotFoundError without a file, ValueError for one
    that cannot be read or holds something else, and RuntimeError naming the keys where it belongs to another network.
    """
    if weights is None:
        return model
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"weights: expected the path of a file, got {type(weights).__name__}; nothing is downloaded")
    path = os.fspath(weights)
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"weights: there is no file {path!r}; nothing is downloaded: fetch the checkpoint and give its path"
        )
    state = load(path)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        held = f"a dict of {sorted(map(str, state))[:8]}" if isinstance(state, dict) else f"a {type(state).__name__}"
        raise ValueError(
            f"weights: {path} holds {held}, expected a state_dict: names and tensors. If that is in it, load the file with "
            "minigrad.load and give its part to load_state_dict"
        )
    absent = tuple(f"{name}." for name in heads if getattr(model, name) is None)
    model.load_state_dict({key: value for key, value in state.items() if not key.startswith(absent)})
    return model


def start_by_fan_out(model: nn.Module) -> None:
    """He's initialisation of the convolutions by what leaves them (arXiv:1502.01852); normalisation begins as the identity."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif (
            isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) and module.weight is not None and module.bias is not None
        ):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def start_truncated(model: nn.Module, std: float) -> None:
    """Normal weights cut off at two, of the given deviation, where a module has no `stddev` of its own."""
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(module.weight, mean=0.0, std=float(getattr(module, "stddev", std)), a=-2, b=2)
