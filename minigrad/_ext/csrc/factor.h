/* A factor of a matrix product, brought into the order in which the microkernels read it. */
#ifndef MINIGRAD_FACTOR_H
#define MINIGRAD_FACTOR_H

#include "real.h"

#define pack_factor NAME(pack_factor)

/* A matrix whose element [k, i] is at k * step + i * pitch; i counts rows of the left factor, columns of the right. */
typedef struct {
    const real *start;
    ptrdiff_t step, pitch;
} factor;

/* to[k * to_pitch + i] = element [first + k, i] for all k < depth, i < count. Rows are written in whole vectors as long
 * as these end before `to_end`, and as far as they are written, padded with zeros. */
void pack_factor(const factor *from, ptrdiff_t first, ptrdiff_t depth, ptrdiff_t count, real *to, ptrdiff_t to_pitch,
                 const real *to_end);

#endif
