"""MINIGRAD_PURE=1: run the .py files themselves, where a compiled module of the same name lies beside them.

The engine is then the text one reads: for debuggers, coverage and step-by-step study.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from typing import Any


class SourceFinder:
    """Finds this package's modules as .py files, before the ordinary finders see the compiled ones."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("minigrad.") or path is None:
            return None
        for folder in path:
            spec = FileFinder(folder, (SourceFileLoader, [".py"])).find_spec(name)
            if spec is not None and spec.loader is not None:
                return spec
        return None


def prefer_sources() -> None:
    """Installs the finder, once."""
    if not any(isinstance(finder, SourceFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, SourceFinder())  # type: ignore[arg-type]
