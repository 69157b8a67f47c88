"""Pooling: maxima with their indices, sums, and the adjoint of each.

max_pool finds an index for each window; all that follows only moves values to and from the elements that the indices name.
Indices are flat positions in the plane (*in) of one sample and channel.
"""

from __future__ import annotations

import numpy as np

from ..core.primitive import primitive
from ..kernels import of
from ..kernels.geometry import Windows, without_idle_taps

__all__ = ["max_pool", "max_unpool", "pool_gather", "pool_scatter", "sum_pool", "sum_pool_input"]


@primitive(method=False, aux=1, tied=True)
def max_pool(input, /, windows):
    """(N, C, *in) to the largest value of each window and its index, both (N, C, *out); the first of equal maxima."""
    return of(input).max_pool(input, without_idle_taps(windows))


@max_pool.vjp("input")
def _(g, aux, windows):
    return pool_scatter(g, aux, windows.in_size, windows)


@primitive(method=False, laws="linear")
def pool_scatter(input, indices, /, in_size, windows=None):
    """(N, C, *out) to (N, C, *in): adds each value to the element that its index names; given the windows, one of those in its window."""
    return of(input).pool_scatter(input, indices, in_size, windows)


@pool_scatter.vjp("input")
def _(g, indices):
    return pool_gather(g, indices)


@primitive(method=False, laws="linear")
def pool_gather(input, indices, /):
    """(N, C, *in) to (N, C, *out): the elements that the indices name."""
    return of(input).pool_gather(input, indices)


@pool_gather.vjp("input")
def _(g, indices, input_shape):
    return pool_scatter(g, indices, input_shape[2:])


@primitive(method=False, laws="linear")
def max_unpool(input, indices, /, in_size):
    """(N, C, *out) to (N, C, *in): writes each value to the element that its index names, zero elsewhere.

    Where an index occurs several times the last value stays, and each of them gets the gradient of that element, as in torch: the derivative
    is that of a function of positions that differ.
    """
    return of(input).max_unpool(input, indices, in_size)


@max_unpool.vjp("input")
def _(g, indices):
    return pool_gather(g, indices)


@primitive(method=False, laws="linear", tied=True)
def sum_pool(input, /, windows):
    """(N, C, *in) to the sum of each window, (N, C, *out)."""
    return of(input).sum_pool(input, without_idle_taps(windows))


@sum_pool.vjp("input")
def _(g, windows):
    return sum_pool_input(g, windows)


@primitive(method=False, laws="linear")
def sum_pool_input(input, /, windows):
    """(N, C, *out) to (N, C, *in): each window's value goes to all of its elements. The adjoint of sum_pool."""
    return of(input).sum_pool_input(input, without_idle_taps(windows))


@sum_pool_input.vjp("input")
def _(g, windows):
    return sum_pool(g, windows)


# --- how tests draw arguments -----------------------------------------------------------------------------------------


def windows_to_test(draw):
    """Windows of one to three axes that overlap, leave gaps, reach into padding or beyond the end."""
    return draw.choice(
        Windows((5,), (3,), (1,), (1,), ((1, 1),)),
        Windows((4, 5), (2, 2), (1, 2), (2, 1), ((0, 0), (1, 1)), ceil_mode=True),
        Windows((2, 3, 4), (2, 1, 3), (2, 2, 1), (1, 1, 1), ((1, 1), (0, 0), (1, 1))),
    )


def planes_to_test(draw, size):
    """An array of planes whose elements all differ, so that no maximum is about to change."""
    x = draw.array((draw.choice(1, 2), draw.choice(1, 2), *size))
    return x.argsort(None).argsort().reshape(x.shape).astype(x.dtype)


@max_pool.cases
def _(draw):
    windows = windows_to_test(draw)
    return (planes_to_test(draw, windows.in_size), windows), {}


@sum_pool.cases
def _(draw):
    windows = windows_to_test(draw)
    return (planes_to_test(draw, windows.in_size), windows), {}


@sum_pool_input.cases
def _(draw):
    windows = windows_to_test(draw)
    return (planes_to_test(draw, windows.out_size), windows), {}


def maxima_to_test(draw):
    """Planes, the maxima of their windows, the indices of those (some several times), and the size of the planes."""
    windows = windows_to_test(draw)
    x = planes_to_test(draw, windows.in_size)
    return x, *of(x).max_pool(x, windows), windows.in_size


@max_unpool.cases
def _(draw):
    _, values, indices, in_size = maxima_to_test(draw)
    places = np.unique(indices[0, 0])  # each once: the gradient is that of a function of such
    shape = (*values.shape[:2], *[1] * (values.ndim - 3), places.size)
    return (draw.array(shape), np.broadcast_to(places, shape).copy(), in_size), {}


@pool_scatter.cases
def _(draw):
    _, values, indices, in_size = maxima_to_test(draw)
    return (values, indices, in_size), {}


@pool_gather.cases
def _(draw):
    x, _, indices, _ = maxima_to_test(draw)
    return (x, indices), {}
