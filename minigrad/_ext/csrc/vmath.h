/* Exponentials, logarithms and their kin of vectors.
 *
 * In float32 they are polynomials that were fitted for the smallest relative error, a few units in the last place at
 * most (tests/kernels/test_fused.py states how many); in float64 each lane calls the C library. */
#ifndef MINIGRAD_VMATH_H
#define MINIGRAD_VMATH_H

#include <math.h>

#include "simd.h"

/* a where the mask is set, b elsewhere. */
INLINE vec choose(int_vec mask, vec a, vec b) { return (vec)(((int_vec)a & mask) | ((int_vec)b & ~mask)); }
INLINE vec absolute(vec x) { return choose(x < 0, -x, x); }

#if REAL_BYTES == 8

INLINE vec each_lane(double (*function)(double), vec x)
{
    for (int lane = 0; lane < LANES; lane++)
        x[lane] = function(x[lane]);
    return x;
}
INLINE vec exp_of(vec x) { return each_lane(exp, x); }
INLINE vec expm1_of(vec x) { return each_lane(expm1, x); }
INLINE vec log_of(vec x) { return each_lane(log, x); }
INLINE vec log1p_of(vec x) { return each_lane(log1p, x); }
INLINE vec tanh_of(vec x) { return each_lane(tanh, x); }
INLINE vec erf_of(vec x) { return each_lane(erf, x); }

#else

/* c[0] + c[1] x + ... */
#define POLYNOMIAL(x, ...)                                                                                             \
    ({                                                                                                                 \
        const real coefficients[] = {__VA_ARGS__};                                                                     \
        vec value = broadcast(coefficients[sizeof coefficients / sizeof *coefficients - 1]);                           \
        UNROLL                                                                                                         \
        for (int power = (int)(sizeof coefficients / sizeof *coefficients) - 2; power >= 0; power--)                   \
            value = value * (x) + coefficients[power];                                                                 \
        value;                                                                                                         \
    })

/* exp(x) - 1 = 2^n (1 + tail) - 1 with |n log 2 - x| <= log(2) / 2; x within the range of finite results and a bit. */
INLINE vec exp_tail(vec x, int_vec *n)
{
    const vec magic = broadcast(0x1.8p23f); /* adding it rounds to an integer, which stands in the last bits then */
    const vec shifted = x * 0x1.715476p+0f + magic, turns = shifted - magic;
    *n = (int_vec)shifted - (int_vec)magic;
    const vec r = (x - turns * 0x1.62e4p-1f) - turns * 0x1.7f7d1cp-20f;
    return r + r * r * POLYNOMIAL(r, 0.49999993f, 0.166665148f, 0.041668457f, 0.00836941966f, 0.00138131366f);
}
INLINE vec power_of_two(int_vec n) { return (vec)((n + 127) << 23); }

INLINE vec exp_of(vec x)
{
    int_vec n;
    x = choose(x > 89, broadcast(89), choose(x < -105, broadcast(-105), x));
    const vec tail = exp_tail(x, &n);
    const int_vec half = n >> 1; /* 2^n itself may be out of range where the result is not */
    return (tail + 1) * power_of_two(half) * power_of_two(n - half);
}

INLINE vec expm1_of(vec x)
{
    int_vec n;
    x = choose(x > 89, broadcast(89), choose(x < -40, broadcast(-40), x));
    const vec tail = exp_tail(x, &n);
    const int_vec half = n >> 1;
    const vec first = power_of_two(half), second = power_of_two(n - half);
    const vec large = (tail + 1) * first * second - 1;
    return choose((n < 24) & (n > -64), tail * (first * second) + (first * second - 1), large);
}

INLINE vec log_of(vec x)
{
    const int_vec tiny = x < 0x1p-126f;
    const vec scaled = choose(tiny, x * 0x1p23f, x);
    const int_vec bits = (int_vec)scaled;
    const int_vec exponent = (bits - 0x3f2aaaab) & ~0x7fffff;
    const vec f = (vec)(bits - exponent) - 1; /* the mantissa, in [2/3, 4/3), less one */
    const int_vec doublings = (exponent >> 23) - (tiny & 23);
    const vec n = __builtin_convertvector(doublings, vec);
    const vec p = POLYNOMIAL(f, 0.333333358f, -0.249998156f, 0.199995875f, -0.166798344f, 0.143048219f, -0.121916585f,
                             0.107494676f, -0.128653388f, 0.120277896f);
    const vec square = f * f;
    const vec small = n * 0x1.7f7d1cp-20f + (square * f * p - square * 0.5f);
    vec y = n * 0x1.62e4p-1f + (f + small);
    y = choose(x == 0, broadcast(-INFINITY), choose(x < 0, broadcast(NAN), y));
    return choose((x == INFINITY) | (x != x), x, y);
}

/* log(1 + x): the rounding of 1 + x is known, and its effect on the logarithm to first order. */
INLINE vec log1p_of(vec x)
{
    const vec sum = x + 1, lost = x - (sum - 1);
    return choose(sum == INFINITY, sum, log_of(sum) + lost / sum);
}

INLINE vec tanh_of(vec x)
{
    const vec size = absolute(x), square = x * x;
    const vec near = x + x * square * POLYNOMIAL(square, -0.33333298f, 0.13331924f, -0.0537838214f, 0.0207959435f,
                                                 -0.0058951271f);
    const vec far = 1 - 2 / (exp_of(size + size) + 1);
    return choose(size < 0.6f, near, choose(x < 0, -far, far));
}

INLINE vec erf_of(vec x)
{
    const vec size = absolute(x), square = x * x;
    const vec near = x + x * POLYNOMIAL(square, 0.128379167f, -0.376126332f, 0.112836872f, -0.0268589414f,
                                        0.00519990639f, -0.000813000984f, 8.31676435e-05f);
    const vec bounded = choose(size > 4, broadcast(4), size);
    const vec p = POLYNOMIAL(bounded, 0.128648499f, 0.63515128f, 0.106236941f, -0.0237621206f, 0.00364248765f,
                             -0.000322811227f, 1.12320745e-05f);
    const vec far = 1 - exp_of(-(bounded + bounded * p));
    return choose(size < 0.93f, near, choose(x < 0, -far, choose(x == x, far, x)));
}

#endif

INLINE vec sigmoid_of(vec x)
{
    const vec power = exp_of(-absolute(x)); /* neither overflows nor loses small results */
    return choose(x < 0, power, broadcast(1)) / (1 + power);
}

#endif
