"""What every network's constructor function does with `weights=`, and the initialisations that several networks share."""

from __future__ import annotations

from os import PathLike
from typing import TypeVar

from minigrad import nn
from minigrad.io import load

Network = TypeVar("Network", bound=nn.Module)
Path = str | PathLike[str]


def with_weights(model: Network, weights: Path | None) -> Network:
    """The model with the weights of a file, or as it is.

    weights: the path of a state_dict that minigrad.save or the safetensors package wrote. Raises ValueError for another file, and RuntimeError
    naming the keys where it belongs to another network.
    """
    if weights is not None:
        model.load_state_dict(load(weights))
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
