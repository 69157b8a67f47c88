"""Where the wrong elements of an array are, in words; and why a derivative may have raised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minigrad.testing.report import Array


def place_pattern(wrong: Array, x: Array | None) -> str:
    """Where in an array these elements are, in words."""
    if wrong.all() or not wrong.any() or wrong.ndim == 0:
        return ""
    for axis in range(wrong.ndim):
        n = wrong.shape[axis]
        for k, name in ((0, "first"), (n - 1, "last")):
            slices = np.zeros(wrong.shape, bool)
            slices[(slice(None),) * axis + (k,)] = True
            if n > 2 and (wrong == slices).all():
                return f"at the {name} index of axis {axis}"
            if n > 2 and (wrong == ~slices).all():
                return f"everywhere but at the {name} index of axis {axis}"
        if n > 2:
            ends = np.zeros(wrong.shape, bool)
            ends[(slice(None),) * axis + ([0, n - 1],)] = True
            if (wrong == ends).all():
                return f"at the border, both ends of axis {axis},"
    if wrong.ndim > 1:
        inside = np.zeros(wrong.shape, bool)
        inside[tuple([slice(1, -1)] * wrong.ndim)] = True
        if inside.any() and (wrong == ~inside).all():
            return "at the border"
        if wrong.ndim == 2 and min(wrong.shape) > 1 and (wrong == diagonal(wrong.shape)).all():
            return "on the diagonal"
        if wrong.ndim == 2 and wrong.shape[0] == wrong.shape[1] > 1 and (wrong != diagonal(wrong.shape)).all():
            return "off the diagonal"
        if (
            wrong.ndim == 2
            and min(wrong.shape) > 2
            and np.count_nonzero(wrong) > 2
            and (fills(wrong, np.tril) or fills(wrong, np.triu))
        ):
            return "in one triangle of the matrix"
    return where_values(wrong, x) if x is not None else ""


def fills(wrong: Array, triangle: Callable[[Array], Array]) -> bool:
    """Do these elements make up most of a triangle, and nothing else?"""
    inside = triangle(np.ones(wrong.shape)) > 0
    return bool(wrong[inside & ~diagonal(wrong.shape)].mean() > 0.6 and not wrong[~inside].any())


def diagonal(shape: tuple[int, ...]) -> Array:
    return np.arange(shape[0])[:, None] == np.arange(shape[1])


def where_values(wrong: Array, x: Array, ties: bool = True) -> str:
    """For which values of the input these elements are wrong."""
    if wrong.all() or not wrong.any():
        return ""
    bad, good = x[wrong].astype(np.float64), x[~wrong].astype(np.float64)
    if not bad.any() and good.all():
        return "where the input is 0"
    if (bad < 0).all() and (good >= 0).all():
        return "where the input is negative"
    if (bad > 0).all() and (good <= 0).all():
        return "where the input is positive"
    if wrong.size > 3:
        if np.abs(bad).min() > np.abs(good).max():
            return f"where the input is large (beyond {np.abs(good).max():.4g})"
        if np.abs(bad).max() < np.abs(good).min():
            return f"where the input is small (up to {np.abs(bad).max():.4g})"
        if bad.min() > good.max():
            return f"where the input is above {good.max():.4g}"
        if bad.max() < good.min():
            return f"where the input is below {good.min():.4g}"
        if wrong.size > 7 and bad.size > 2 and not ((bad.min() < good) & (good < bad.max())).any():
            return f"where the input is between {bad.min():.4g} and {bad.max():.4g}"
    values, counts = np.unique(x, return_counts=True)
    tied = np.isin(x, values[counts > 1])
    if ties and tied.any() and (wrong <= tied).all() and not tied.all():
        return "where elements of the input are equal"
    return ""


def shape_reason(text: str) -> str:
    """Why a derivative may have raised."""
    low = text.lower()
    if "invalid gradient" in low or "broadcast" in low or "shape" in low or "mismatch" in low or "size" in low:
        return "shapes: forgotten unbroadcast, transpose, or keepdims"
    if "modified by an inplace" in low or "overwritten" in low:
        return "a saved value was overwritten in place"
    return ""
