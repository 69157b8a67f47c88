"""Special functions that NumPy does not have, to the last digits of the dtype."""

from __future__ import annotations

import math
from typing import Any

import numpy

from .namespace import xp

_erf = numpy.vectorize(math.erf, otypes=[numpy.float64])
_erfc = numpy.vectorize(math.erfc, otypes=[numpy.float64])


def erf(x: Any) -> Any:
    """The error function, to the last digit of the dtype; CuPy brings its own."""
    if xp(x) is numpy:
        return _erf(x).astype(x.dtype) if x.size else x.copy()
    from cupyx.scipy.special import erf as cupy_erf

    return cupy_erf(x)


def erfc(x: Any) -> Any:
    """1 - erf(x), accurate where that is small."""
    if xp(x) is numpy:
        return _erfc(x).astype(x.dtype) if x.size else x.copy()
    from cupyx.scipy.special import erfc as cupy_erfc

    return cupy_erfc(x)


# Rational approximations of the inverse error function (as in MATLAB and Boost: P. J. Acklam's form), good to single precision.
_MIDDLE = ((-0.140543331, 0.914624893, -1.645349621, 0.886226899), (0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0))
_TAIL = ((1.641345311, 3.429567803, -1.624906493, -1.970840454), (1.637067800, 3.543889200, 1.0))


def erfinv(x: Any) -> Any:
    """The number whose error function is x: a rational approximation and two steps of Newton's method."""
    m = xp(x)
    y = x.astype(numpy.float64)
    far = m.sqrt(-m.log((1 - m.absolute(y)) / 2))
    out = m.where(
        m.absolute(y) <= 0.7,
        y * m.polyval(m.asarray(_MIDDLE[0]), y * y) / m.polyval(m.asarray(_MIDDLE[1]), y * y),
        m.copysign(m.polyval(m.asarray(_TAIL[0]), far) / m.polyval(m.asarray(_TAIL[1]), far), y),
    )
    for _ in range(2):
        out = out - (erf(out) - y) / (2 / math.sqrt(math.pi) * m.exp(-out * out))
    out = m.where(m.absolute(y) < 1, out, m.where(m.absolute(y) == 1, m.copysign(m.inf, y), m.nan))
    return out.astype(x.dtype)


def _log_gamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # a pole, or a result that is too large
        return math.inf


_lgamma = numpy.vectorize(_log_gamma, otypes=[numpy.float64])


def lgamma(x: Any) -> Any:
    """log |gamma(x)|; infinite at 0, -1, -2, ..."""
    if xp(x) is numpy:
        return _lgamma(x).astype(x.dtype) if x.size else x.copy()
    from cupyx.scipy.special import gammaln

    return gammaln(x)


BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B2, B4, ...
LARGE = 15.0  # from here on the asymptotic series below is exact to double precision


def digamma(x: Any) -> Any:
    """The derivative of log gamma: by its reflection, its recurrence and its asymptotic series (Abramowitz and Stegun 6.3)."""
    m = xp(x)
    y = x.astype(numpy.float64)
    negative = y < 0
    z = m.where(negative, 1 - y, y)
    out = m.zeros_like(z)
    while (z < LARGE).any():
        small = z < LARGE
        out = out - m.where(small, 1 / z, 0)
        z = m.where(small, z + 1, z)
    square = z**-2.0
    series = sum([b / (2 * k) * square**k for k, b in enumerate(BERNOULLI, 1)])
    out = out + m.log(z) - 0.5 / z - series
    out = m.where(negative, out - math.pi / m.tan(math.pi * (y - m.floor(y))), out)
    out = m.where(y == 0, m.copysign(m.inf, -y), m.where(negative & (y == m.floor(y)), m.nan, out))
    return m.where(m.isposinf(y), m.inf, out).astype(x.dtype)


def polygamma(n: int, x: Any) -> Any:
    """The n-th derivative of digamma: by the recurrence and the asymptotic series (Abramowitz and Stegun 6.4)."""
    if n == 0:
        return digamma(x)
    m = xp(x)
    y = x.astype(numpy.float64)
    mirrored = (y < 0) & (n == 1)
    z = m.where(mirrored, 1 - y, y)
    out = m.zeros_like(z)
    sign, factorial = -((-1) ** n), math.factorial(n)
    large = LARGE + n
    while (m.isfinite(z) & (z < large)).any():
        small = z < large
        out = out + m.where(small, sign * factorial / z ** (n + 1), 0)
        z = m.where(small, z + 1, z)
    series = math.factorial(n - 1) / z**n + factorial / (2 * z ** (n + 1))
    for k, b in enumerate(BERNOULLI, 1):
        series = series + b * (math.factorial(2 * k + n - 1) / math.factorial(2 * k)) / z ** (2 * k + n)
    out = out + sign * series
    if n == 1:
        # At a pole torch divides by the sine of a rounded multiple of pi, which is not 0: so do we.
        sine = m.where(y == m.floor(y), m.sin(x.dtype.type(math.pi) * x), m.sin(math.pi * (y - m.floor(y))))
        out = m.where(mirrored, (math.pi / sine) ** 2 - out, out)
    return m.where(m.isposinf(y), 0.0, out).astype(x.dtype)


TERMS = 24


def sinc(x: Any, order: int) -> Any:
    """The derivative of this order of sin(pi x) / (pi x): the power series near 0, elsewhere the recurrence for x * sinc(x)."""
    m = xp(x)
    y = x.astype(numpy.float64)
    near = m.absolute(y) < 1 + order
    inside = m.where(near, y, 0.0)
    series = m.zeros_like(inside)
    for k in range(TERMS + 4 * order, (order - 1) // 2, -1):  # sum of (-1)^k pi^2k x^(2k - order) (2k)! / ((2k + 1)! (2k - order)!)
        power = 2 * k - order
        if power >= 0:
            factor = math.exp(2 * k * math.log(math.pi) - math.lgamma(power + 1)) / (2 * k + 1)
            series = series + (-1) ** k * factor * inside**power
    outside = m.where(near, 1.0, y)
    recurrence = m.sin(math.pi * outside) / (math.pi * outside)
    for n in range(1, order + 1):
        slope = math.pi ** (n - 1) * m.sin(math.pi * outside + n * math.pi / 2)
        recurrence = (slope - n * recurrence) / outside
    out = m.where(near, series, recurrence)
    if order == 0:
        out = m.where(near & (y != 0), m.sin(math.pi * inside) / m.where(y == 0, 1.0, math.pi * inside), out)
    return out.astype(x.dtype)
