"""torch's import paths for what lives elsewhere here."""

from __future__ import annotations

from minigrad.utils import data

__all__ = ["data"]
