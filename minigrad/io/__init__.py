"""Saving and loading: tensors, and containers of them, in files that the safetensors package can read."""

from __future__ import annotations

from minigrad.io.file import load, save
from minigrad.io.torch_file import load_torch

__all__ = ["load", "load_torch", "save"]
