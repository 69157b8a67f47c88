"""minigrad.data under torch's import path."""

from __future__ import annotations

from minigrad.data import *  # noqa: F403
from minigrad.data import __all__  # noqa: F401
