/* Inner products of lines: the microkernel for filter gradients with few products, where vectors run along the summed
 * axis. */
#ifndef MINIGRAD_DOT_H
#define MINIGRAD_DOT_H

#include "simd.h"

#define dot_tile NAME(dot_tile)

#if VECTOR_BYTES == 64 || defined(NEON_TILES)
#define DOT_LEFT 6 /* 6 x 4 sums + 6 + 1 of 32 registers */
#define DOT_RIGHT 4
#else
#define DOT_LEFT 3
#define DOT_RIGHT 3
#endif

/* What the inner products run over: `slabs` of `lines` of `width` elements. */
typedef struct {
    ptrdiff_t slabs, lines, width;
    ptrdiff_t left_slab, right_slab; /* from one slab to the next */
    ptrdiff_t left_line, right_line; /* from one line to the next */
    ptrdiff_t left_pitch;            /* from one left factor to the next */
    ptrdiff_t sums_pitch;            /* from one left factor's sums to the next's */
} dot_shape;

/* sums[i * sums_pitch + j * LANES + lane] += those products left[i] * right[j] that fall into the lane.
 *
 * Right factor j begins at right[right_offset[j]]. Lines of the left factors are zero from `width` to the next multiple
 * of LANES; what follows a line of the right factors is read but not used. */
typedef void (*dot_kernel)(const dot_shape *shape, const real *left, const real *right, const int32_t *right_offset,
                           real *sums);

/* Indexed by [left factors - 1] and [right factors - 1]. */
extern const dot_kernel dot_tile[DOT_LEFT][DOT_RIGHT];

#endif
