/* Normalisation over sets of elements, as batch, group, instance and layer norm need it. */
#ifndef MINIGRAD_NORM_H
#define MINIGRAD_NORM_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* y = (x - mean) / sqrt(var + eps) * weight + bias with the mean and the variance (biased) of each set, which go to
 * mean and var [sets]. Weight and bias may be NULL. */
status NAME(norm)(const norm_shape *shape, const void *x, const void *weight, const void *bias, void *y, void *mean,
                  void *var);

/* The gradient of norm with respect to x. For each set, or each part if parts have weights of their own, the sums of g
 * and of g times the normalised x go to bias_sums and weight_sums; not for weights of single elements. */
status NAME(norm_input)(const norm_shape *shape, const void *g, const void *x, const void *weight, const void *mean,
                        const void *var, void *dx, void *weight_sums, void *bias_sums);

/* The same sums for weights of single elements: [inner, length]. */
status NAME(norm_weight)(const norm_shape *shape, const void *g, const void *x, const void *mean, const void *var,
                         void *weight_sums, void *bias_sums);

/* norm and norm_input for sets that are neighbouring columns, `length` of them, of a matrix (parts, sets * length), with
 * one weight each; length is at most norm_columns_most(). */
ptrdiff_t NAME(norm_columns_most)(void);
status NAME(norm_columns)(const norm_shape *shape, const void *x, const void *weight, const void *bias, void *y,
                          void *mean, void *var);
status NAME(norm_columns_input)(const norm_shape *shape, const void *g, const void *x, const void *weight,
                                const void *mean, const void *var, void *dx, void *weight_sums, void *bias_sums);

/* y[n, c, s] = x[n, c, s] * scale[c] + shift[c]; shift may be NULL. */
status NAME(scale_channels)(ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t size, const void *x, const void *scale,
                            const void *shift, void *y);

#endif
