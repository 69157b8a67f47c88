/* Exponentials, logarithms and their kin of vectors.
 *
 * Polynomials that were fitted for the smallest relative error, a few units in the last place at most
 * (tests/kernels/test_fused.py states how many). */
#ifndef MINIGRAD_VMATH_H
#define MINIGRAD_VMATH_H

#include <math.h>

#include "simd.h"

/* a where the mask is set, b elsewhere. */
INLINE vec choose(int_vec mask, vec a, vec b) { return (vec)(((int_vec)a & mask) | ((int_vec)b & ~mask)); }

/* -0 is the bit of the sign alone. with_sign: `size`, which has none, with that of x. */
INLINE vec absolute(vec x) { return (vec)((int_vec)x & ~(int_vec)-zero_vector()); }
INLINE vec with_sign(vec size, vec x) { return (vec)((int_vec)size | ((int_vec)x & (int_vec)-zero_vector())); }

/* A NaN stays one. */
#if defined(__AVX512F__) && REAL_BYTES == 4
INLINE vec at_most(vec x, real bound) { return (vec)_mm512_min_ps((__m512)broadcast(bound), (__m512)x); }
INLINE vec at_least(vec x, real bound) { return (vec)_mm512_max_ps((__m512)broadcast(bound), (__m512)x); }
#elif defined(__AVX512F__)
INLINE vec at_most(vec x, real bound) { return (vec)_mm512_min_pd((__m512d)broadcast(bound), (__m512d)x); }
INLINE vec at_least(vec x, real bound) { return (vec)_mm512_max_pd((__m512d)broadcast(bound), (__m512d)x); }
#else
INLINE vec at_most(vec x, real bound) { return choose(x > bound, broadcast(bound), x); }
INLINE vec at_least(vec x, real bound) { return choose(x < bound, broadcast(bound), x); }
#endif

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

#if REAL_BYTES == 8
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define TWO_THIRDS 0x3fe5555555555555 /* its bits */
#define LOG_2_HIGH 0x1.62e42feep-1    /* so few bits that multiples of it are exact */
#define LOG_2_LOW 0x1.a39ef35793c76p-33
#define LARGEST_EXPONENT 710 /* exp overflows before */
#define SMALLEST_EXPONENT -746
#define ONE_LESS 40 /* expm1(-40) is -1, tanh(20) is 1 */
#define EXP_TERMS                                                                                                      \
    0.5, 0.16666666666666685, 0.04166666666666672, 0.008333333333316626, 0.0013888888888860288,                        \
        0.00019841269897369544, 2.4801587371023075e-05, 2.755723391311905e-06, 2.7557235160724314e-07,                 \
        2.511235412710656e-08, 2.0926500571789663e-09
#else
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define TWO_THIRDS 0x3f2aaaab
#define LOG_2_HIGH 0x1.62e4p-1f
#define LOG_2_LOW 0x1.7f7d1cp-20f
#define LARGEST_EXPONENT 89
#define SMALLEST_EXPONENT -105
#define ONE_LESS 40
#define EXP_TERMS 0.49999993f, 0.166665148f, 0.041668457f, 0.00836941966f, 0.00138131366f
#endif

/* Adding it rounds to an integer, which stands in the last bits then. */
#define ROUNDER broadcast((real)1.5 * (real)((int64_t)1 << MANTISSA_BITS))

/* exp(x) - 1 = 2^n (1 + tail) - 1 with |n log 2 - x| <= log(2) / 2; x within the range of finite results and a bit. */
INLINE vec exp_tail(vec x, vec *n)
{
    *n = (x * (real)1.4426950408889634 + ROUNDER) - ROUNDER;
    const vec r = (x - *n * LOG_2_HIGH) - *n * LOG_2_LOW;
    return r + r * r * POLYNOMIAL(r, EXP_TERMS);
}
INLINE int_vec whole(vec n) { return (int_vec)(n + ROUNDER) - (int_vec)ROUNDER; }
INLINE vec power_of_two(int_vec n) { return (vec)((n + EXPONENT_BIAS) << MANTISSA_BITS); }

/* x 2^n, which may be out of the range of normal numbers. */
INLINE vec times_power(vec x, vec n)
{
#if defined(__AVX512F__) && REAL_BYTES == 4
    return (vec)_mm512_scalef_ps((__m512)x, (__m512)n);
#elif defined(__AVX512F__)
    return (vec)_mm512_scalef_pd((__m512d)x, (__m512d)n);
#else
    const int_vec half = whole(n) >> 1; /* 2^n itself may be out of range where the result is not */
    return x * power_of_two(half) * power_of_two(whole(n) - half);
#endif
}

INLINE vec exp_of(vec x)
{
    vec n;
    const vec tail = exp_tail(at_most(at_least(x, SMALLEST_EXPONENT), LARGEST_EXPONENT), &n);
    return times_power(tail + 1, n);
}

/* For x so near to zero that exp(x) is a normal number. */
INLINE vec exp_of_small(vec x)
{
    vec n;
    const vec tail = exp_tail(x, &n), power = power_of_two(whole(n));
    return tail * power + power;
}

INLINE vec expm1_of(vec x)
{
    vec turns;
    const vec tail = exp_tail(at_most(at_least(x, -ONE_LESS), LARGEST_EXPONENT), &turns);
    const int_vec n = whole(turns), half = n >> 1;
    const vec first = power_of_two(half), second = power_of_two(n - half);
    const vec large = (tail + 1) * first * second - 1;
    return choose(n <= MANTISSA_BITS, tail * (first * second) + (first * second - 1), large);
}

INLINE vec log_of(vec x)
{
    const int_vec tiny = x < power_of_two((int_vec){0} + 1 - EXPONENT_BIAS);
    const vec scaled = choose(tiny, x * (real)((int64_t)1 << MANTISSA_BITS), x);
    const bits_vec bits = (bits_vec)scaled; /* without a sign: the differences wrap for negative x, whose result is not theirs */
    const bits_vec exponent = (bits - TWO_THIRDS) & ~(((lane_bits)1 << MANTISSA_BITS) - 1);
    const vec f = (vec)(bits - exponent) - 1; /* the mantissa, in [2/3, 4/3), less one */
    const int_vec doublings = ((int_vec)exponent >> MANTISSA_BITS) - (tiny & MANTISSA_BITS);
    const vec n = (vec)(doublings + (int_vec)ROUNDER) - ROUNDER;
    const vec square = f * f;
#if REAL_BYTES == 8
    /* log(1 + f) = 2 atanh(s), the terms arranged so that the large ones are exact. */
    const vec s = f / (f + 2), z = s * s;
    const vec rest = z * POLYNOMIAL(z, 0.666666666666666, 0.4000000000005826, 0.2857142855546353, 0.22222224335839783,
                                    0.18181663611919688, 0.15391183383560264, 0.13172432138245932,
                                    0.13850754462573725);
    const vec small = n * LOG_2_LOW + (s * (square * 0.5 + rest) - square * 0.5);
#else
    const vec p = POLYNOMIAL(f, 0.333333358f, -0.249998156f, 0.199995875f, -0.166798344f, 0.143048219f, -0.121916585f,
                             0.107494676f, -0.128653388f, 0.120277896f);
    const vec small = n * LOG_2_LOW + (square * f * p - square * 0.5f);
#endif
    vec y = n * LOG_2_HIGH + (f + small);
    y = choose(x == 0, broadcast(-INFINITY), choose(x < 0, broadcast(NAN), y));
    return choose((x == INFINITY) | (x != x), x, y);
}

/* log(1 + x): the rounding of 1 + x is known, and its effect on the logarithm to first order. */
INLINE vec log1p_of(vec x)
{
    const vec sum = x + 1, lost = x - (sum - 1);
    return choose(sum == INFINITY, sum, log_of(sum) + lost / sum);
}

/* t / (t + 2) of t = expm1(2 |x|). */
INLINE vec tanh_of(vec x)
{
    vec n;
    const vec size = absolute(x);
    const vec tail = exp_tail(at_most(size + size, ONE_LESS), &n), power = power_of_two(whole(n));
    const vec t = tail * power + (power - 1);
    return with_sign(t / (t + 2), x);
}

INLINE vec erf_of(vec x)
{
    const vec size = absolute(x), square = x * x;
#if REAL_BYTES == 8
    const real between = 1;
    const vec near = x + x * POLYNOMIAL(square, 0.12837916709551256, -0.3761263890318355, 0.11283791670945247,
                                        -0.026866170643275167, 0.0052239776074155175, -0.0008548325989343559,
                                        0.00012055295310669145, -1.4924744487149468e-05, 1.6447515641674908e-06,
                                        -1.620916125755842e-07, 1.3722916515880054e-08, -7.801083435171415e-10);
    /* 1 - erf(x) = exp(-x^2) times a polynomial in 1 / (x + 2). */
    const vec bounded = at_most(size, 6), t = 1 / (bounded + 2);
    const vec p = POLYNOMIAL(t, -2.980769323771592e-06, 0.5643705684950227, 1.1234080121490637, 2.056694649347007,
                             1.9127460799748055, 9.796030411040595, -40.71629945325455, 159.94007628994396,
                             -507.8303407653847, 989.8462712469193, -1147.537993096228, 744.3277165543457,
                             -211.00090098849986);
    const vec far = 1 - p * exp_of_small(-(bounded * bounded));
#else
    const real between = 0.93f;
    const vec near = x + x * POLYNOMIAL(square, 0.128379167f, -0.376126332f, 0.112836872f, -0.0268589414f,
                                        0.00519990639f, -0.000813000984f, 8.31676435e-05f);
    const vec bounded = at_most(size, 4);
    const vec p = POLYNOMIAL(bounded, 0.128648499f, 0.63515128f, 0.106236941f, -0.0237621206f, 0.00364248765f,
                             -0.000322811227f, 1.12320745e-05f);
    const vec far = 1 - exp_of_small(-(bounded + bounded * p));
#endif
    return choose(size < between, near, with_sign(far, x));
}

/* The distribution function of the normal distribution. For float that of -|x| is 2^-p, and p a polynomial that was fitted:
 * one for all x, within 1e-7, and what is left for negative x keeps five digits where 1 + erf has none. */
INLINE vec normal_cdf_of(vec x)
{
#if REAL_BYTES == 8
    return (1 + erf_of(x * 0.7071067811865476)) * 0.5;
#else
    const real end = 5.9f; /* beyond, 1 is the nearest number to the result */
    const vec size = absolute(x), s = at_most(size, end);
    const vec p = POLYNOMIAL(s, 1, 1.15110695f, 0.459191948f, 0.0525395498f, -0.00710178819f, 0.000131151304f,
                             0.000215404812f, -5.77096689e-05f, 7.75894205e-06f, -5.61850584e-07f, 1.73656094e-08f);
    const vec n = (p + ROUNDER) - ROUNDER, r = n - p;
    const vec fraction = POLYNOMIAL(r, 1, 0.693147182f, 0.240226477f, 0.0555033237f, 0.00961843692f, 0.00133988739f,
                                    0.00015353362f); /* 2^r */
    const vec rest = choose(size > end, zero_vector(), fraction * power_of_two(-whole(n)));
    return choose(x < 0, rest, 1 - rest);
#endif
}

INLINE vec sigmoid_of(vec x)
{
    const vec power = exp_of(-absolute(x)); /* neither overflows nor loses small results */
    return choose(x < 0, power, broadcast(1)) / (1 + power);
}

#endif
