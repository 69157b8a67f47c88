"""Unfolding images into the columns that windows read, and folding them back: each is the adjoint of the other."""

from __future__ import annotations

from ..core.primitive import primitive
from ..kernels import reference
from ..kernels.geometry import Windows

__all__ = ["fold_windows", "unfold_windows"]


@primitive(method=False, laws="linear")
def unfold_windows(input, /, windows):
    """(N, C, *in) to (N, C, taps, *out): what each tap of each window reads. Also known as im2col."""
    return reference.unfold(input, windows)


@unfold_windows.vjp("input")
def _(g, windows):
    return fold_windows(g, windows)


@primitive(method=False, laws="linear")
def fold_windows(input, /, windows):
    """(N, C, taps, *out) to (N, C, *in): adds up what each tap of each window hands back. Also known as col2im."""
    return reference.fold(input, windows)


@fold_windows.vjp("input")
def _(g, windows):
    return unfold_windows(g, windows)


WINDOWS_TO_TEST = Windows((4, 3), (2, 3), (2, 1), (1, 1), ((0, 1), (1, 0)))


@unfold_windows.cases
def _(draw):
    return (draw.array((draw.choice(1, 2), 2, *WINDOWS_TO_TEST.in_size)), WINDOWS_TO_TEST), {}


@fold_windows.cases
def _(draw):
    return (draw.array((draw.choice(1, 2), 2, 6, *WINDOWS_TO_TEST.out_size)), WINDOWS_TO_TEST), {}
