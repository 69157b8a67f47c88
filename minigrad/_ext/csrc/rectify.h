/* What stands behind a norm, as loops over vectors compute it. */
#ifndef MINIGRAD_RECTIFY_H
#define MINIGRAD_RECTIFY_H

#include <math.h>

#include "shapes.h"
#include "vmath.h"

/* How elements that share a weight come out. Forward and backward compute them alike, to the bit: so the sign of what
 * came out need not be kept. */
typedef struct {
    vec centre, scale, shift, slope;
} outcome;

/* 1 / sqrt(var + eps) times a weight, for the variance that is handed out. */
INLINE real scale_of(real var, double eps, real weight) { return (real)(1 / sqrt((double)var + eps)) * weight; }

INLINE vec come_out(const outcome *how, vec x) { return (x - how->centre) * how->scale + how->shift; }

/* As the functions of these names in maps.c: a NaN stays one. */
INLINE vec rectify(const rectifier kind, const outcome *how, vec y)
{
    return kind == RELU ? choose(y <= 0, zero_vector(), y) : kind == LEAKY_RELU ? choose(y > 0, y, y * how->slope) : y;
}
INLINE vec let_pass(const rectifier kind, const outcome *how, vec y, vec g)
{
    return kind == RELU ? choose(y <= 0, zero_vector(), g) : kind == LEAKY_RELU ? choose(y > 0, g, g * how->slope) : g;
}

/* Calls run(kind, added, ...) with constants for the rectifier and for whether something is added before it. */
#define WITH_RECTIFIER(kind, added, run, ...)                                                                          \
    do {                                                                                                               \
        if ((kind) == NO_RECTIFIER)                                                                                    \
            run(NO_RECTIFIER, 0, __VA_ARGS__);                                                                         \
        else if ((kind) == RELU && (added))                                                                            \
            run(RELU, 1, __VA_ARGS__);                                                                                 \
        else if ((kind) == RELU)                                                                                       \
            run(RELU, 0, __VA_ARGS__);                                                                                 \
        else if (added)                                                                                                \
            run(LEAKY_RELU, 1, __VA_ARGS__);                                                                           \
        else                                                                                                           \
            run(LEAKY_RELU, 0, __VA_ARGS__);                                                                           \
    } while (0)

#endif
