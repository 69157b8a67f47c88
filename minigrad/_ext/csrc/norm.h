/* Normalisation over sets of elements, as batch, group, instance and layer norm need it. */
#ifndef MINIGRAD_NORM_H
#define MINIGRAD_NORM_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* y = (x - mean) / sqrt(var + eps) * weight + bias with the mean and the variance (biased) of each set, which go to
 * mean and var [sets]. Weight and bias may be NULL. With a rectifier y = rectified(that + residual); `residual`, of the
 * shape of x, may be NULL too. */
status NAME(norm)(const norm_shape *shape, const void *x, const void *weight, const void *bias, const void *residual,
                  void *y, void *mean, void *var);

/* The gradient of norm with respect to x, and to a residual if there was one: `passed`. For each set, or each part if
 * parts have weights of their own, the sums of what the rectifier lets pass of g and of that times the normalised x go
 * to bias_sums and weight_sums; for weights of single elements they are [inner, length], over all sets. */
status NAME(norm_input)(const norm_shape *shape, const void *g, const void *x, const void *weight, const void *bias,
                        const void *residual, const void *mean, const void *var, void *dx, void *passed,
                        void *weight_sums, void *bias_sums);

/* norm and norm_input for sets that are neighbouring columns, `length` of them, of a matrix (parts, sets * length), with
 * one weight each; length is at most norm_columns_most(). */
ptrdiff_t NAME(norm_columns_most)(void);
status NAME(norm_columns)(const norm_shape *shape, const void *x, const void *weight, const void *bias,
                          const void *residual, void *y, void *mean, void *var);
status NAME(norm_columns_input)(const norm_shape *shape, const void *g, const void *x, const void *weight,
                                const void *bias, const void *residual, const void *mean, const void *var, void *dx,
                                void *passed, void *weight_sums, void *bias_sums);

/* y[n, c, s] = x[n, c, s] * scale[c] + shift[c], or rectified(that + residual[n, c, s]); shift and residual may be
 * NULL. */
status NAME(scale_channels)(ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t size, rectifier rectified, double slope,
                            const void *x, const void *scale, const void *shift, const void *residual, void *y);

#endif
