"""torch's import paths for what lives elsewhere here."""

from __future__ import annotations

from minigrad.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
