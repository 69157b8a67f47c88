"""Saving and loading: tensors, and containers of them, in files that the safetensors package can read."""

from __future__ import annotations

from minigrad.io.file import load, save

__all__ = ["load", "save"]
