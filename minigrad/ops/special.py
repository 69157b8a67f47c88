"""Special functions, and the elementwise arithmetic of fewer users: logarithms of sums, bits, divisors, signs."""

from __future__ import annotations

import math

from ..core.dtypes import float64
from ..core.inplace import in_place
from ..core.primitive import PROMOTE, function, primitive
from ..core.tensor import TABLE, Tensor, make_tensor, register
from ..kernels import special, xp
from .arithmetic import pow, rsqrt
from .compare import isnan
from .creation import zeros_like
from .elementwise import flat, sign, where
from .families import NONZERO, POSITIVE, REAL, Domain, elementwise, known_as
from .transcendental import exp, log, sigmoid

__all__ = [
    "acosh", "angle", "arccosh", "arcsinh", "arctanh", "asinh", "atanh", "bitwise_left_shift", "bitwise_right_shift", "copysign",
    "deg2rad", "digamma", "erfc", "erfinv", "exp2", "float_power", "fmax", "fmin", "gcd", "heaviside", "hypot", "isneginf", "isposinf",
    "lcm", "ldexp", "lgamma", "logaddexp", "logaddexp2", "logit", "polygamma", "rad2deg", "sgn", "signbit", "sinc", "xlogy",
]  # fmt: skip


def floats_only(op, *arrays):
    """Refuses integers, where torch does."""
    for x in arrays:
        if getattr(x, "dtype", float64).kind in "biu":
            raise RuntimeError(f"{op}: expected floats, got {x.dtype}; convert with x.float()")


def integers_only(op, *arrays):
    for x in arrays:
        if getattr(x, "dtype", None) is not None and x.dtype.kind not in "iu":
            raise RuntimeError(f"{op}: expected integers, got {x.dtype}")


# --- one argument -----------------------------------------------------------------------------------------------------


@elementwise(oracle=lambda x: 2.0**x)
def exp2(input, /):
    """2 ** input."""
    return xp(input).exp2(input)


@exp2.vjp("input")
def _(g, out):
    return g * (out * math.log(2))


@elementwise(oracle=math.asinh)
def asinh(input, /):
    """The number whose hyperbolic sine is the input."""
    return xp(input).arcsinh(input)


@asinh.vjp("input")
def _(g, input):
    return g * rsqrt(input * input + 1.0)


@elementwise(Domain(1.125, 4.0), oracle=math.acosh)
def acosh(input, /):
    """The number, not below 0, whose hyperbolic cosine is the input."""
    return xp(input).arccosh(input)


@acosh.vjp("input")
def _(g, input):
    return g * rsqrt(input * input - 1.0)


@elementwise(Domain(-0.9, 0.9), oracle=math.atanh)
def atanh(input, /):
    """The number whose hyperbolic tangent is the input."""
    return xp(input).arctanh(input)


@atanh.vjp("input")
def _(g, input):
    return g / (1.0 - input * input)


@elementwise(oracle=math.erfc)
def erfc(input, /):
    """1 - erf(input), accurate where that is small."""
    return special.erfc(input)


@erfc.vjp("input")
def _(g, input):
    return g * (exp(-input * input) * (-2.0 / math.sqrt(math.pi)))


@elementwise(Domain(-0.9, 0.9))
def erfinv(input, /):
    """The number whose error function is the input; infinite at -1 and 1, NaN beyond."""
    return special.erfinv(input)


@erfinv.vjp("input")
def _(g, out):
    return g * (exp(out * out) * (0.5 * math.sqrt(math.pi)))


@elementwise(POSITIVE, oracle=math.lgamma)
def lgamma(input, /):
    """The logarithm of the absolute value of the gamma function.

    >>> import minigrad
    >>> minigrad.lgamma(minigrad.tensor([1.0, 2.0, 4.0])).exp()
    tensor([1., 1., 6.])
    """
    return special.lgamma(input)


@lgamma.vjp("input")
def _(g, input):
    return g * digamma(input)


@elementwise(POSITIVE)
def digamma(input, /):
    """The derivative of lgamma."""
    return special.digamma(input)


@digamma.vjp("input")
def _(g, input):
    return g * derivative_of_digamma(input, 1)


@elementwise(POSITIVE, method=False, writes=False)
def derivative_of_digamma(input, /, n=1):
    """The n-th derivative of digamma."""
    return special.polygamma(n, input)


@derivative_of_digamma.vjp("input")
def _(g, input, n):
    return g * derivative_of_digamma(input, n + 1)


@function(method=False)
def polygamma(n, input):
    """The n-th derivative of digamma."""
    if not isinstance(n, int):
        raise TypeError(f"polygamma: expected the order as an int, got {type(n).__name__}")
    if not 0 <= n <= 170:
        raise RuntimeError(f"polygamma: expected an order from 0 to 170, the last whose factorial is a float64, got {n}")
    return derivative_of_digamma(input, n) if n else digamma(input)


register("polygamma", lambda self, n: polygamma(n, self))


@elementwise(Domain(0.1, 0.9), oracle=lambda x: math.log(x / (1 - x)))
def logit(input, /, eps=None):
    """log(input / (1 - input)), the inverse of the logistic function; the input is moved into [eps, 1 - eps] if eps is given."""
    m = xp(input)
    z = input if eps is None else m.clip(input, eps, 1 - eps).astype(input.dtype)
    return m.log(z / (1 - z))


@logit.vjp("input")
def _(g, input, eps):
    low, outside = (0.0, math.nan) if eps is None else (eps, 0.0)
    inside = (input >= low) & (input <= 1.0 - low)
    z = where(inside, input, 0.5)
    return where(inside, g / (z * (1.0 - z)), outside)


@elementwise(oracle=lambda x: math.sin(math.pi * x) / (math.pi * x) if x else 1.0)
def sinc(input, /):
    """sin(pi * input) / (pi * input), and 1 at 0."""
    return special.sinc(input, 0)


@sinc.vjp("input")
def _(g, input):
    return g * derivative_of_sinc(input, 1)


@elementwise(method=False, writes=False)
def derivative_of_sinc(input, /, order=1):
    """The derivative of sinc of this order, also at 0, where the formula for it divides by 0."""
    return special.sinc(input, order)


@derivative_of_sinc.vjp("input")
def _(g, input, order):
    return g * derivative_of_sinc(input, order + 1)


@function
def deg2rad(input):
    """Degrees as radians."""
    return input * (math.pi / 180.0)


@function
def rad2deg(input):
    """Radians as degrees."""
    return input * (180.0 / math.pi)


@elementwise(NONZERO, oracle=lambda x: math.pi if x < 0 else 0.0)
def angle(input, /):
    """The angle to the positive real axis, in radians: pi for negative numbers, else 0."""
    m = xp(input)
    return m.where(m.isnan(input), input, m.where(input < 0, math.pi, 0.0)).astype(input.dtype)


angle.vjp("input")(flat)


@primitive(oracle=lambda x: math.copysign(1.0, x) < 0)
def signbit(input, /):
    """Whether the sign bit is set: for negative numbers and for -0.0."""
    return xp(input).signbit(input) if input.dtype.kind == "f" else input < 0


@primitive(oracle=lambda x: x == math.inf)
def isposinf(input, /):
    """Whether each element is plus infinity."""
    return input == math.inf


@primitive(oracle=lambda x: x == -math.inf)
def isneginf(input, /):
    """Whether each element is minus infinity."""
    return input == -math.inf


@signbit.cases
@isposinf.cases
@isneginf.cases
def _(draw):
    return (draw.array(draw.shape(), special=True),), {}


# --- two arguments ----------------------------------------------------------------------------------------------------


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=max)
def fmax(input, other, /):
    """The larger of the two; the other one if one is NaN. At a tie the input gets the gradient."""
    return xp(input).fmax(input, other)


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=min)
def fmin(input, other, /):
    """The smaller of the two; the other one if one is NaN. At a tie the input gets the gradient."""
    return xp(input).fmin(input, other)


@fmax.vjp("input", "other")
def _(g, input, other):
    return shares((input >= other) | isnan(as_tensor_like(other, input)), g)


@fmin.vjp("input", "other")
def _(g, input, other):
    return shares((input <= other) | isnan(as_tensor_like(other, input)), g)


def as_tensor_like(x, other):
    """The operand as a tensor: a number may stand in its place."""
    return x if isinstance(x, Tensor) else make_tensor(xp(other.array).asarray(x, other.dtype))


def shares(of_input, g):
    return where(of_input, g, 0.0), where(of_input, 0.0, g)


@elementwise(NONZERO, NONZERO, to_float=False, numbers=(), oracle=math.hypot)
def hypot(input, other, /):
    """sqrt(input**2 + other**2), without overflow; it has no derivative at the origin, where this gives NaN as torch does."""
    floats_only("hypot", input, other)
    return xp(input).hypot(input, other)


@hypot.vjp("input")
def _(g, out, input):
    return g * (input / out)


@hypot.vjp("other")
def _(g, out, other):
    return g * (other / out)


@elementwise(NONZERO, NONZERO, numbers=("other",), oracle=math.copysign)
def copysign(input, other, /):
    """The size of the input with the sign of the other."""
    return xp(input).copysign(input, other)


@copysign.vjp("input")
def _(g, out, input):
    return g * where(input == 0, 0.0, out / input)


@copysign.vjp("other")
def _(g):
    return zeros_like(g)


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=lambda x, y: math.log(math.exp(x) + math.exp(y)))
def logaddexp(input, other, /):
    """log(exp(input) + exp(other)), without overflow."""
    floats_only("logaddexp", input, other)
    return xp(input).logaddexp(input, other)


@elementwise(REAL, REAL, to_float=False, numbers=(), oracle=lambda x, y: math.log2(2.0**x + 2.0**y))
def logaddexp2(input, other, /):
    """log2(2**input + 2**other), without overflow."""
    floats_only("logaddexp2", input, other)
    return xp(input).logaddexp2(input, other)


def gap(x, y):
    """x - y, and 0 between infinities of one sign."""
    same = (x == y) & ((x == math.inf) | (x == -math.inf))
    return where(same, 0.0, x - y)


@logaddexp.vjp("input")
def _(g, input, other):
    return g * sigmoid(gap(input, other))


@logaddexp.vjp("other")
def _(g, input, other):
    return g * sigmoid(gap(other, input))


@logaddexp2.vjp("input")
def _(g, input, other):
    return g * sigmoid(gap(input, other) * math.log(2))


@logaddexp2.vjp("other")
def _(g, input, other):
    return g * sigmoid(gap(other, input) * math.log(2))


@elementwise(NONZERO, POSITIVE, oracle=lambda x, y: x * math.log(y))
def xlogy(input, other, /):
    """input * log(other), and 0 where the input is 0."""
    m = xp(input)
    return m.where((input == 0) & ~m.isnan(other), 0, input * m.log(other)).astype(m.result_type(input, other))


@xlogy.vjp("input")
def _(g, input, other):
    other = as_tensor_like(other, g)
    blank = (input == 0) & (other <= 0)
    return where(blank, 0.0, g * log(where(blank, 1.0, other)))


@xlogy.vjp("other")
def _(g, input, other):
    return g * (input / other)


@function
def float_power(input, exponent):
    """input ** exponent in double precision."""
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError(f"float_power: expected a tensor, got {type(input).__name__} and {type(exponent).__name__}")
    base = input.double() if isinstance(input, Tensor) else float(input)
    return pow(base, exponent.double() if isinstance(exponent, Tensor) else float(exponent))


@function
def float_power_(self, exponent):
    """float_power in place, for tensors of double precision."""
    if self.dtype != float64:
        raise RuntimeError(f"float_power_: the result is float64, which the tensor's {self.dtype} cannot hold; convert with x.double()")
    return TABLE["pow_"](self, exponent.double() if isinstance(exponent, Tensor) else float(exponent))


@function
def heaviside(input, values):
    """0 below 0, the values at 0, 1 above: the step function."""
    for x in (input, values):
        if not isinstance(x, Tensor):
            raise TypeError(f"heaviside: expected tensors, got {type(x).__name__}; minigrad.tensor(...) makes one")
    if values.dtype != input.dtype:
        raise RuntimeError(f"heaviside: the values must have the input's dtype {input.dtype}, got {values.dtype}")
    return where(input == 0, values, (input > 0).to(input.dtype))


@function
def ldexp(input, other):
    """input * 2**other."""
    if not isinstance(input, Tensor) or not isinstance(other, Tensor):
        raise TypeError(f"ldexp: expected tensors, got {type(input).__name__} and {type(other).__name__}; minigrad.tensor(...) makes one")
    return input * pow(2.0, other)


@primitive(promotion=PROMOTE)
def bitwise_left_shift(input, other, /):
    """The bits of the input moved to the left by the other: input * 2**other, modulo the dtype's range."""
    integers_only("bitwise_left_shift", input, other)
    return xp(input).left_shift(input, other)


@primitive(promotion=PROMOTE)
def bitwise_right_shift(input, other, /):
    """The bits of the input moved to the right by the other, copies of the sign coming in: floor(input / 2**other)."""
    integers_only("bitwise_right_shift", input, other)
    return xp(input).right_shift(input, other)


@primitive(promotion=PROMOTE, numbers=())
def gcd(input, other, /):
    """The greatest common divisor of integers."""
    integers_only("gcd", input, other)
    return xp(input).gcd(input, other)


@primitive(promotion=PROMOTE, numbers=())
def lcm(input, other, /):
    """The least common multiple of integers."""
    integers_only("lcm", input, other)
    return xp(input).lcm(input, other)


@bitwise_left_shift.cases
@bitwise_right_shift.cases
@gcd.cases
@lcm.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(shape, 0, 4).astype("int64"), draw.array(draw.broadcastable(shape), 0, 4).astype("int64")), {}


for composite in (deg2rad, rad2deg, heaviside, ldexp, bitwise_left_shift, bitwise_right_shift, gcd, lcm):
    in_place(composite)

arccosh, arcsinh, arctanh = known_as(acosh, "arccosh"), known_as(asinh, "arcsinh"), known_as(atanh, "arctanh")
sgn = known_as(sign, "sgn")
register("__lshift__", lambda self, other: bitwise_left_shift(self, other))
register("__rshift__", lambda self, other: bitwise_right_shift(self, other))
