"""What all checks of a session have in common; the pytest plugin sets it. It imports nothing, so that the plugin costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

EXAMPLES = {"quick": 20, "thorough": 200}


class Session:
    """How many examples a check draws, from which seed (None: the same every time), and who wants to know its outcome."""

    max_examples = EXAMPLES["quick"]
    seed: int | None = None
    record: Callable[[str, Mapping[str, str]], None] | None = None


def told(name: str, outcome: Mapping[str, str]) -> None:
    """Hands on what a check found of each law."""
    if Session.record is not None:
        Session.record(name, outcome)
