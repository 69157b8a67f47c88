"""ONNX: models written for other programs, and theirs run and trained here. Needs the extra: pip install 'minigrad[onnx]'."""

from __future__ import annotations

from minigrad.onnx.exporting import export

__all__ = ["export"]
