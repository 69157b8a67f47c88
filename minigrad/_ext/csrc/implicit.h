/* The implicit matrix product: filters times gathered columns, the general algorithm behind convolution and its
 * adjoint. */
#ifndef MINIGRAD_IMPLICIT_H
#define MINIGRAD_IMPLICIT_H

#include "gather.h"
#include "status.h"

#define implicit_product NAME(implicit_product)

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
} implicit;

status implicit_product(const implicit *product);

#endif
