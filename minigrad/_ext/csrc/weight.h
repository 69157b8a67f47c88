/* The filter gradient: the correlation of the windows of the source with the cotangent, summed over all windows. */
#ifndef MINIGRAD_WEIGHT_H
#define MINIGRAD_WEIGHT_H

#include "gather.h"
#include "status.h"

#define weight_product NAME(weight_product)
#define weight_by_panels NAME(weight_by_panels)
#define weight_by_dots NAME(weight_by_dots)
#define dots_take NAME(dots_take)

/* target[group * filters + filter, channel, tap] = sum over columns of cotangent[group, filter, column] * source[group,
 * channel, tap, column]. */
typedef struct {
    gather from;
    ptrdiff_t batch, groups, channels, filters; /* channels and filters of one group */
    const real *source, *cotangent;
    real *target;
} weight_gradient;

/* Chooses among the algorithms below and Winograd's; none of their results depends on the number of threads. */
status weight_product(const weight_gradient *gradient, const conv_shape *shape);

/* Both for gradients and windows that are not empty. */
status weight_by_panels(const weight_gradient *gradient); /* an implicit matrix product, for any shape */
status weight_by_dots(const weight_gradient *gradient);   /* inner products, for few products of many positions */

/* Is the gradient small enough for inner products? */
int dots_take(const weight_gradient *gradient);

/* Multiplications in all. */
INLINE double weight_work(const weight_gradient *gradient)
{
    return (double)gradient->batch * (double)volume(gradient->from.grid) * (double)gradient->groups *
           (double)gradient->filters * (double)gradient->channels * (double)gradient->from.taps;
}

#endif
