/* The table through which everything outside of this folder calls the kernels. */
#ifndef MINIGRAD_KERNELS_H
#define MINIGRAD_KERNELS_H

#include <stdint.h>

#include "instructions.h"
#include "shapes.h"
#include "status.h"

/* The kernels of one element type, as declared and explained in conv.h, matmul.h, pool.h, formula.h, norm.h, softmax.h,
 * map_kernels.h, reduce.h, rows.h, separable.h, resample.h and random.h. */
typedef struct {
    status (*conv)(const conv_shape *shape, const void *x, const void *w, const void *bias, void *y);
    status (*conv_input)(const conv_shape *shape, const void *g, const void *w, const void *bias, void *x);
    status (*conv_weight)(const conv_shape *shape, const void *x, const void *g, void *w);
    status (*separable)(const separable_shape *shape, const void *x, void *y);
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
    status (*norm)(const norm_shape *shape, const void *x, const void *weight, const void *bias, const void *residual,
                   void *y, void *mean, void *var);
    status (*norm_input)(const norm_shape *shape, const void *g, const void *x, const void *weight, const void *bias,
                         const void *residual, const void *mean, const void *var, void *dx, void *passed,
                         void *weight_sums, void *bias_sums);
    status (*scale_channels)(ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t size, rectifier rectified, double slope,
                             const void *x, const void *scale, const void *shift, const void *residual, void *y);
    status (*softmax)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *x, void *y);
    status (*softmax_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *g,
                            const void *y, void *dx);
    status (*cross_entropy)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *x, const int64_t *target,
                            const void *weight, int64_t ignored, void *loss, void *largest, void *log_sum);
    status (*cross_entropy_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *g, int g_step,
                                  const void *x, const int64_t *target, const void *weight, int64_t ignored,
                                  const void *largest, const void *log_sum, void *dx);
    status (*map_unary)(int map, ptrdiff_t count, const void *x, double a, double b, void *y);
    status (*map_binary)(int map, ptrdiff_t count, int x_step, const void *x, int z_step, const void *z, double a,
                         double b, void *y);
    status (*sum_outer_inner)(ptrdiff_t outer, ptrdiff_t middle, ptrdiff_t inner, const void *x, void *sums);
    status (*add_rows)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t count, const int64_t *index, const void *source,
                       void *target);
    status (*resample)(ptrdiff_t outer, ptrdiff_t in, ptrdiff_t inner, ptrdiff_t out, ptrdiff_t count,
                       const int64_t *starts, const int64_t *columns, const double *weights, const void *x, void *y);
    status (*dropout)(ptrdiff_t count, uint64_t key, uint32_t threshold, double scale, const void *x, void *y);
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
