/* Resampling along one axis: the product with a sparse matrix. */
#ifndef MINIGRAD_RESAMPLE_H
#define MINIGRAD_RESAMPLE_H

#include "real.h"
#include "status.h"

/* y[o, j, i] = sum of weights[k] x[o, columns[k], i] over k from starts[j] to starts[j + 1] - 1; x is [outer, in, inner], y
 * [outer, out, inner]. There are `count` columns and weights. BAD_INDEX if starts or columns lie outside. */
status NAME(resample)(ptrdiff_t outer, ptrdiff_t in, ptrdiff_t inner, ptrdiff_t out, ptrdiff_t count,
                      const int64_t *starts, const int64_t *columns, const double *weights, const void *x, void *y);

#endif
