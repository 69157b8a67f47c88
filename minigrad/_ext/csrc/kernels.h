/* The table through which everything outside of this folder calls the kernels. */
#ifndef MINIGRAD_KERNELS_H
#define MINIGRAD_KERNELS_H

#include <stdint.h>

#include "instructions.h"
#include "shapes.h"
#include "status.h"

/* The kernels of one element type, as declared and explained in conv.h, matmul.h, pool.h and formula.h. */
typedef struct {
    status (*conv)(const conv_shape *shape, const void *x, const void *w, const void *bias, void *y);
    status (*conv_input)(const conv_shape *shape, const void *g, const void *w, const void *bias, void *x);
    status (*conv_weight)(const conv_shape *shape, const void *x, const void *g, void *w);
    status (*matmul)(const matmul_shape *shape, const void *a, const void *b, const void *bias, void *c);
    status (*max_pool)(const pool_shape *shape, const void *x, void *values, int64_t *indices);
    status (*sum_pool)(const pool_shape *shape, const void *x, void *sums);
    status (*sum_pool_input)(const pool_shape *shape, const void *g, void *x);
    status (*pool_scatter)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *g, const int64_t *indices,
                           void *x);
    status (*max_unpool)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *values, const int64_t *indices,
                         void *x);
    status (*pool_gather)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *x, const int64_t *indices,
                          void *values);
    status (*evaluate)(const formula *what, const double *constants, ptrdiff_t rows, const ptrdiff_t *starts,
                       void *const *pointers);
    status (*sum_of_squares)(ptrdiff_t rows, const ptrdiff_t *starts, void *const *pointers, double *sum);
} kernel_table;

/* An instruction set for which the kernels were compiled. */
typedef struct {
    const char *name;
    int (*supported)(void); /* by this processor */
    const kernel_table *kernels_float, *kernels_double;
} instruction_set;

/* From the plainest to the best; `instruction_set_count` of them. */
extern const instruction_set instruction_sets[];
extern const int instruction_set_count;

#endif
