"""The package `onnx`, which only reads and writes the format: an extra, imported where it is used."""

from __future__ import annotations

import importlib
from typing import Any


def package(asked_by: str) -> Any:
    """The module onnx, with its submodules; ImportError that names the extra where it is not installed."""
    try:
        for name in ("checker", "helper", "numpy_helper"):
            importlib.import_module(f"onnx.{name}")
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError(
            f"{asked_by}: reading and writing ONNX needs the package onnx; pip install 'minigrad[onnx]' ({error})"
        ) from error
