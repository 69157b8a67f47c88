/* Products of matrices, which may be transposed or lie in every n-th place. */
#ifndef MINIGRAD_MATMUL_H
#define MINIGRAD_MATMUL_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* For each matrix of the batch: c[row, column] = bias[column] + sum over k of a[row, k] * b[k, column]. c is dense, the
 * bias may be NULL. Every sum runs over k in the same order, whatever the number of threads. */
status NAME(matmul)(const matmul_shape *shape, const void *a, const void *b, const void *bias, void *c);

#endif
