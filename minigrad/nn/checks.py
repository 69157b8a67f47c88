"""What functions say of an argument that is of another kind than they need."""

from __future__ import annotations

from typing import Any


def expect(op: str, argument: str, value: Any, kind: type) -> None:
    """Raises TypeError unless value is of this kind."""
    if not isinstance(value, kind):
        raise TypeError(f"{op}: expected {argument} to be a {kind.__name__}, got {type(value).__name__}")
