/* The filter gradient: the correlation of the windows of the source with the cotangent, summed over all windows. */
#ifndef MINIGRAD_WEIGHT_H
#define MINIGRAD_WEIGHT_H

#include "gather.h"
#include "status.h"

#define weight_product NAME(weight_product)
#define weight_by_panels NAME(weight_by_panels)
#define weight_by_dots NAME(weight_by_dots)
#define weight_by_taps NAME(weight_by_taps)
#define taps_take NAME(taps_take)
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

/* All for gradients and windows that are not empty. */
status weight_by_panels(const weight_gradient *gradient); /* an implicit matrix product, for any shape */
status weight_by_dots(const weight_gradient *gradient);   /* inner products, for few products of many positions */

/* Is the gradient small enough for inner products? */
int dots_take(const weight_gradient *gradient);

/* The same for convolutions of planes with few channels, tap by tap for all filters; and has it enough of these? */
status weight_by_taps(const weight_gradient *gradient, const conv_shape *shape);
int taps_take(const weight_gradient *gradient, const conv_shape *shape);

/* Multiplications in all. */
INLINE double weight_work(const weight_gradient *gradient)
{
    return (double)gradient->batch * (double)volume(gradient->from.grid) * (double)gradient->groups *
           (double)gradient->filters * (double)gradient->channels * (double)gradient->from.taps;
}

/* Into how many parts, each with its own sums of so many bytes, blocks of windows are cut: that depends on the shape
 * only, so that the order of summation does too. */
INLINE ptrdiff_t weight_splits(const weight_gradient *gradient, ptrdiff_t blocks, ptrdiff_t sums_bytes)
{
    enum {
        MOST = 32,
        MOST_BYTES = 4 * 1024 * 1024, /* of the sums of all */
        WORK = 2 * 1000 * 1000,       /* multiplications that are worth a split */
    };
    const ptrdiff_t worth = 1 + (ptrdiff_t)(weight_work(gradient) / WORK);
    return smaller(smaller(MOST, blocks), smaller(larger(1, MOST_BYTES / sums_bytes), worth));
}

#endif
