/* Where the columns of an implicit matrix come from.
 *
 * A convolution is a product of a filter matrix with a matrix whose columns are windows of the source. That matrix is
 * never stored: a block of its columns is described once by a table of pieces (runs of columns that lie evenly spaced
 * in the source, or in the padding), and its rows are then copied from the table for every channel. */
#ifndef MINIGRAD_GATHER_H
#define MINIGRAD_GATHER_H

#include "shapes.h"
#include "simd.h"

#define tabulate_pieces NAME(tabulate_pieces)
#define gather_row NAME(gather_row)

/* Column (n, p) reads, for tap t, position p * step + tap[t] of image n's plane; outside of the plane it reads zero. */
typedef struct {
    ptrdiff_t grid[AXES];  /* windows per image and axis */
    ptrdiff_t plane[AXES]; /* sizes of a source plane */
    ptrdiff_t step[AXES];
    ptrdiff_t image_pitch; /* elements from one image to the next */
    ptrdiff_t total;       /* elements of the whole source: no read goes beyond them */
    ptrdiff_t taps;
    const ptrdiff_t (*tap)[AXES];
} gather;

/* `count` columns, written from `target` on and read from `source` on in steps of step[2]; zeros if source < 0. */
typedef struct {
    ptrdiff_t source;
    int32_t target, count;
} piece;

/* Describes columns first .. first + count - 1 of one tap, and zeros up to the next multiple of LANES.
 *
 * Columns go to panels of `width`, `pitch` elements apart. Returns the number of pieces, at most round_up(count,
 * LANES). */
ptrdiff_t tabulate_pieces(const gather *from, ptrdiff_t tap, ptrdiff_t first, ptrdiff_t count, ptrdiff_t width,
                          ptrdiff_t pitch, piece *pieces);

/* Writes one row, of the channel whose plane (of image 0) begins at `channel`. Writes up to LANES - 1 elements beyond
 * each piece, pieces in order. */
void gather_row(const gather *from, const real *source, ptrdiff_t channel, const piece *pieces, ptrdiff_t count,
                real *target);

#endif
