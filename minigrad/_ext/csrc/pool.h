/* Pooling: what windows of a plane have as their maximum or sum, and the adjoints. */
#ifndef MINIGRAD_POOL_H
#define MINIGRAD_POOL_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* x[planes, in], values and indices[planes, out]; an index counts the elements of the unpadded plane. The first of
 * equal maxima wins; a NaN beats every number and every NaN before it. A window without any element of the plane has
 * value -inf and index -1. Planes have fewer than 2^31 elements. */
status NAME(max_pool)(const pool_shape *shape, const void *x, void *values, int64_t *indices);

status NAME(sum_pool)(const pool_shape *shape, const void *x, void *sums);    /* x[planes, in], sums[planes, out] */
status NAME(sum_pool_input)(const pool_shape *shape, const void *g, void *x); /* g[planes, out], x[planes, in] */

/* Planes of `in` elements and planes of `out` indices into them. */
status NAME(pool_scatter)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *g, const int64_t *indices,
                          void *x); /* adds */
status NAME(max_unpool)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *values, const int64_t *indices,
                        void *x); /* assigns */
status NAME(pool_gather)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *x, const int64_t *indices,
                         void *values);

#endif
