"""ONNX: models written for other programs, and theirs run and trained here. Needs the extra: pip install 'minigrad[onnx]'."""

from __future__ import annotations

from minigrad.onnx.backend import Backend
from minigrad.onnx.exporting import export
from minigrad.onnx.loading import load

__all__ = ["Backend", "export", "load"]
