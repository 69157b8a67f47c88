"""Property tests for derivatives: strategies that draw the arguments of operations, and the laws that every operation keeps.

It needs Hypothesis, which nothing else in minigrad imports: install ``minigrad[test]``.
"""

from __future__ import annotations

from minigrad.testing.laws import LAWS, Law
from minigrad.testing.numeric import GradientError, Slopes, compare, slopes
from minigrad.testing.strategies import Call, Draw, calls, cotangents

__all__ = ["LAWS", "Call", "Draw", "GradientError", "Law", "Slopes", "calls", "compare", "cotangents", "slopes"]
