/* Strips: neighbouring columns of a matrix, held in vectors while its rows pass. */
#ifndef MINIGRAD_STRIP_H
#define MINIGRAD_STRIP_H

#include "simd.h"

enum { STRIP_VECTORS = 4, STRIP = STRIP_VECTORS * LANES };

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

#endif
