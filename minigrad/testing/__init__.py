"""Property tests for derivatives: `check` for any function, laws for operations, strategies that draw arguments, mutation of rules.

It needs Hypothesis, which nothing else in minigrad imports: install ``minigrad[test]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigrad.ops.families import Domain
    from minigrad.testing.checking import Result, check
    from minigrad.testing.generated import laws
    from minigrad.testing.mutation import Mutant, Score, mutate
    from minigrad.testing.numeric import compare, slopes
    from minigrad.testing.operations import LAWS, Law
    from minigrad.testing.report import GradientError
    from minigrad.testing.strategies import (
        Call,
        Draw,
        arrays,
        broadcastable_shapes,
        calls,
        convolutions,
        cotangents,
        dtypes,
        indices,
        layouts,
        poolings,
        shapes,
    )  # fmt: skip

_HOMES = {
    "minigrad.ops.families": ("Domain",),
    "minigrad.testing.checking": ("Result", "check"),
    "minigrad.testing.generated": ("laws",),
    "minigrad.testing.mutation": ("Mutant", "Score", "mutate"),
    "minigrad.testing.numeric": ("compare", "slopes"),
    "minigrad.testing.operations": ("LAWS", "Law"),
    "minigrad.testing.report": ("GradientError",),
    "minigrad.testing.strategies": (
        "Call", "Draw", "arrays", "broadcastable_shapes", "calls", "convolutions", "cotangents", "dtypes", "indices", "layouts", "poolings",
        "shapes",
    ),
}  # fmt: skip

__all__ = [
    "LAWS", "Call", "Domain", "Draw", "GradientError", "Law", "Mutant", "Result", "Score", "arrays", "broadcastable_shapes", "calls", "check",
    "compare", "convolutions", "cotangents", "dtypes", "indices", "laws", "layouts", "mutate", "poolings", "shapes", "slopes",
]  # fmt: skip


if not TYPE_CHECKING:  # for type checkers a module with this function has every name

    def __getattr__(name):
        """Names are imported when they are asked for: the pytest plugin is loaded where nobody needs Hypothesis, or has it."""
        from importlib import import_module

        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module 'minigrad.testing' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
