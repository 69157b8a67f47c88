/* The implicit matrix product: filters times gathered columns, the general algorithm behind convolution and its
 * adjoint. */
#ifndef MINIGRAD_IMPLICIT_H
#define MINIGRAD_IMPLICIT_H

#include "gather.h"
#include "shapes.h"
#include "status.h"

#define implicit_product NAME(implicit_product)

enum { MOST_SHARED = 6 }; /* rows that lie between one another in a line of the target; no more than TILE_ROWS */

/* For each group and column (n, p): target[n, group * rows + row, p * target_step + target_start]
 *     = bias[group * rows + row] + sum over channel, tap of filter[group, row, channel, tap] * source column. */
typedef struct {
    gather from;
    ptrdiff_t batch, groups, rows, channels; /* rows and channels of one group */
    const real *source;
    const real *filter; /* an element is at group * filter_pitch[0] + row * [1] + channel * [2] + filter_tap[tap] */
    ptrdiff_t filter_pitch[3];
    const ptrdiff_t *filter_tap;
    const real *bias; /* or NULL */
    real *target;
    ptrdiff_t target_plane[AXES], target_step[AXES], target_start[AXES];
    /* If 1, each row has a plane of the target. Else a step has so many places, and row r * shared + p writes to place p
     * of the steps of plane r: target_start is 0, and there is one bias a plane. */
    ptrdiff_t shared;
    const conv_finish *finish; /* or NULL; then results lie side by side */
    kept_filters *kept;        /* or NULL */
    int alone; /* no other product writes to the places between target steps: they become the bias */
} implicit;

status implicit_product(const implicit *product);

/* Is the depth in the filter's own order, so that rows are read as they lie? */
static inline int rows_in_order(const implicit *product)
{
    const ptrdiff_t taps = product->from.taps;
    return product->filter_pitch[2] == taps && (taps == 0 || product->filter_tap[taps - 1] == taps - 1);
}

#endif
