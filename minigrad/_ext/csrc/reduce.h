/* Sums of arrays. */
#ifndef MINIGRAD_REDUCE_H
#define MINIGRAD_REDUCE_H

#include "real.h"
#include "status.h"

/* sums[middle] of x[outer, middle, inner] over the first and the last axis. Rounds once for each 4096 elements at most,
 * in an order that the shape alone decides. */
status NAME(sum_outer_inner)(ptrdiff_t outer, ptrdiff_t middle, ptrdiff_t inner, const void *x, void *sums);

#endif
