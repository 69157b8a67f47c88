"""torch's import paths for what lives elsewhere here."""

from __future__ import annotations

from minigrad.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
