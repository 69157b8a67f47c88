/* Softmax and the cross entropy of classes, over the middle axis of arrays [outer, classes, inner]. */
#ifndef MINIGRAD_SOFTMAX_H
#define MINIGRAD_SOFTMAX_H

#include "real.h"
#include "status.h"

/* y = exp(x) / sum(exp(x)), or its logarithm. */
status NAME(softmax)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *x, void *y);

/* The gradient with respect to x, from that of the output and the output. */
status NAME(softmax_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *g,
                           const void *y, void *dx);

/* loss[outer, inner] = -log_softmax(x)[target] * weight[target], 0 where target is `ignored`. largest and log_sum, as
 * loss, are the maximum of x and the logarithm of the sum of exp(x - largest). weight may be NULL. BAD_INDEX for a
 * target that is no class. */
status NAME(cross_entropy)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *x, const int64_t *target,
                           const void *weight, int64_t ignored, void *loss, void *largest, void *log_sum);

/* The gradient with respect to x; g[outer, inner], or one number for all if g_step is 0. */
status NAME(cross_entropy_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *g, int g_step,
                                 const void *x, const int64_t *target, const void *weight, int64_t ignored,
                                 const void *largest, const void *log_sum, void *dx);

#endif
