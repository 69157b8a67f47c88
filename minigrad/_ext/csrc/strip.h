/* Strips: neighbouring columns of a matrix, held in vectors while its rows pass. */
#ifndef MINIGRAD_STRIP_H
#define MINIGRAD_STRIP_H

#include "simd.h"

enum {
    STRIP_VECTORS = 4,
    STRIP = STRIP_VECTORS * LANES,
    CHUNK = 64, /* rows whose sums are taken in `real` */
};

/* Vector j of a row of which the strip has `width` columns, at most STRIP; what follows them is zero. */
INLINE vec load_strip(const real *row, ptrdiff_t width, int j)
{
    if ((j + 1) * LANES <= width)
        return load(row + j * LANES);
    return j * LANES < width ? load_first(row + j * LANES, width - j * LANES) : zero_vector();
}
INLINE void store_strip(real *row, ptrdiff_t width, int j, vec value)
{
    if ((j + 1) * LANES <= width)
        store(row + j * LANES, value);
    else if (j * LANES < width)
        store_first(row + j * LANES, value, width - j * LANES);
}

/* Adds the lanes of a strip's sums to STRIP numbers. */
INLINE void add_up(double *sums, const vec part[STRIP_VECTORS])
{
    real lanes[STRIP];
    for (int j = 0; j < STRIP_VECTORS; j++)
        store(lanes + j * LANES, part[j]);
    for (int i = 0; i < STRIP; i++)
        sums[i] += (double)lanes[i];
}

#endif
