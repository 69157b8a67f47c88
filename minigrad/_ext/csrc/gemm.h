/* The matrix-multiply microkernels: the only place where convolutions multiply. */
#ifndef MINIGRAD_GEMM_H
#define MINIGRAD_GEMM_H

#include "simd.h"

#define packed_tile NAME(packed_tile)
#define copying_tile NAME(copying_tile)
#define offset_tile NAME(offset_tile)
#define strided_tile NAME(strided_tile)
#define wide_tile NAME(wide_tile)

enum {
    PREFETCH_STEPS = 8,  /* how far ahead of the multiplication the right operand is fetched */
    STRIDED_STEPS = 256, /* longest product of a strided tile */
    STRIDED_PITCH = STRIDED_STEPS +
        16, /* off the powers of two, so that the rows of a tile fall into different cache sets */
};

/* C[rows, columns] = start or C, plus sum over k < depth of A[row, k] B[k, column].
 *
 * a: A packed, A[row, k] at a[k * rows + row]. b: row k of B at b[k * b_pitch]; rows beyond the last may be fetched, but
 * are not read. c, pitch: C[row, column] at c[row * pitch + column], written in whole vectors. start: the initial value
 * of each row, NULL for zero; not used if `accumulate`, when C itself is. */
typedef void (*packed_tile_kernel)(ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_pitch, real *c,
                                   ptrdiff_t pitch, const real *start, int accumulate);

/* The same, and writes B to copy[k * TILE_COLUMNS + column]: the stores hide behind the multiplications, and further
 * rows find the columns packed. The rows of B are lines of a matrix, from which the next tile is fetched as well. */
typedef void (*copying_tile_kernel)(ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_pitch, real *c,
                                    ptrdiff_t pitch, const real *start, int accumulate, real *copy);

/* The same as packed_tile with vector j of row k of B at b[b_rows[k] + j * b_step]; b_rows has PREFETCH_STEPS valid
 * entries more than `depth`. */
typedef void (*offset_tile_kernel)(ptrdiff_t depth, const real *a, const real *b, const int32_t *b_rows,
                                   ptrdiff_t b_step, real *c, ptrdiff_t pitch, const real *start, int accumulate);

/* The same as packed_tile with A[row, k] at a[row * STRIDED_PITCH + k] and row k of B at b[k * TILE_COLUMNS]. */
typedef void (*strided_tile_kernel)(ptrdiff_t depth, const real *a, const real *b, real *c, ptrdiff_t pitch,
                                    const real *start, int accumulate);

/* Indexed by [rows - 1] and [vectors of columns - 1]. */
extern const packed_tile_kernel packed_tile[TILE_ROWS][TILE_VECTORS];
extern const copying_tile_kernel copying_tile[TILE_ROWS][TILE_VECTORS];
extern const offset_tile_kernel offset_tile[TILE_ROWS][TILE_VECTORS];
extern const strided_tile_kernel strided_tile[TILE_ROWS][TILE_VECTORS];

/* A tile of few rows has few sums, and each multiplication waits for the one before it: up to WIDE_ROWS rows there are
 * wider ones, as wide as the registers allow. Indexed by [rows - 1] and [vectors of columns - TILE_VECTORS - 1]. */
extern const offset_tile_kernel wide_tile[WIDE_ROWS][WIDE_VECTORS - TILE_VECTORS];

/* The most vectors of columns of a tile of so many rows. */
INLINE ptrdiff_t widest_tile(ptrdiff_t rows)
{
    if (WIDE_VECTORS == 6)
        return rows <= 4 ? 6 : rows <= 6 ? 4 : rows <= WIDE_ROWS ? 3 : TILE_VECTORS;
    return rows <= 2 ? 4 : rows <= WIDE_ROWS ? 3 : TILE_VECTORS;
}

INLINE offset_tile_kernel offset_kernel(ptrdiff_t rows, ptrdiff_t vectors)
{
    return vectors > TILE_VECTORS ? wide_tile[rows - 1][vectors - TILE_VECTORS - 1]
                                  : offset_tile[rows - 1][vectors - 1];
}

/* A matrix's rows in panels of nearly equal height: 64 rows are 4 x 13 + 12, not 4 x 14 + 8. */
typedef struct {
    ptrdiff_t count, height, taller; /* the first `taller` panels have one set of rows more than `height` */
    ptrdiff_t set;                   /* rows of a set */
} row_panels;

/* Panels of whole sets of rows, at most TILE_ROWS each. */
INLINE row_panels split_sets(ptrdiff_t sets, ptrdiff_t rows_of_set)
{
    ptrdiff_t count = ceil_div(sets, TILE_ROWS / rows_of_set);
    return (row_panels){count, count ? sets / count : 0, count ? sets % count : 0, rows_of_set};
}
INLINE ptrdiff_t tallest_panel(row_panels panels) { return panels.set * (panels.height + (panels.taller > 0)); }
INLINE row_panels split_rows(ptrdiff_t rows) { return split_sets(rows, 1); }
INLINE ptrdiff_t panel_begin(row_panels panels, ptrdiff_t panel)
{
    return panels.set * (panel * panels.height + smaller(panel, panels.taller));
}

#endif
