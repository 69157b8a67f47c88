"""Writes the stubs: `python -m tests.stubs`."""

from __future__ import annotations

from tests.stubs.writing import written

for path, text in written().items():
    path.write_text(text)
