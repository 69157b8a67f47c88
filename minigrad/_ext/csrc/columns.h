/* The columns of an implicit matrix product, block by block: where they come from and where their products go. */
#ifndef MINIGRAD_COLUMNS_H
#define MINIGRAD_COLUMNS_H

#include "gemm.h"
#include "implicit.h"
#include "region.h"
#include "status.h"

#define cut_columns NAME(cut_columns)
#define prepare_columns NAME(prepare_columns)
#define fill_columns NAME(fill_columns)

/* How columns reach the multiplication: gathered row by row into panels, or read in place from a region. There, tiles
 * follow either the padded lines, end to end, or each line of windows by itself; one of them wastes fewer lanes. A
 * filter of one tap reads the very planes of the source: who multiplies them first copies them for further rows. */
typedef enum { PANELS, PADDED_LINES, WINDOW_LINES, PLANES } column_form;

/* The columns of a product, cut into blocks. */
typedef struct {
    const implicit *product;
    column_form form;
    ptrdiff_t blocks;
    ptrdiff_t tile_vectors; /* of a tile, at most: more than TILE_VECTORS if there are few rows */
    ptrdiff_t depth_block; /* rows that are in place at a time: all blocks of the depth but the last have as many */
    int streamed;          /* filters are read once, row by row, and not packed */
    int dense;             /* the windows of an image fill its target plane in order */
    ptrdiff_t columns, column_block;  /* PANELS: windows of all images in a row, PLANES: of one, and of a block */
    shifts taps;                      /* of regions */
    ptrdiff_t size[AXES], cuts[AXES]; /* of regions: windows of a block, and blocks along each axis of the grid */
} column_plan;

/* Some vectors of columns: row k of vector j is at elements[offset + j * step + row_offset[k]]; in a copy of panels, at
 * copied[copy + k * TILE_COLUMNS + j * LANES]. If all are whole vectors and lie side by side in the target, products go
 * straight to `target`; else target is -1 and they go to the block's buffer, from column `buffer` on. */
typedef struct {
    ptrdiff_t target, copy;
    int32_t offset, step, vectors, buffer;
} tile;

/* Columns of the buffer that lie evenly spaced in the target. */
typedef struct {
    ptrdiff_t target;
    int32_t buffer, count;
} run;

typedef struct {
    const real *elements; /* of regions and planes */
    int32_t *row_offset;
    real *copied; /* where regions and panels are copied to, and planes by who multiplies them first; or NULL */
    tile *tiles;
    run *runs;
    ptrdiff_t tile_count, run_count, buffer; /* columns of the buffer */
    piece *pieces;                           /* PANELS: [taps, most_pieces] */
    int32_t *piece_count;
    ptrdiff_t most_pieces, panel_pitch;
    region copy;
    ptrdiff_t image, first[AXES]; /* of the region, or the planes */
} column_block;

/* Chooses a form and cuts for these panels of rows. `shift_memory` has shifts_bytes(). How columns are cut changes no result, and the cut of the
 * depth does not depend on the number of threads. */
void cut_columns(const implicit *product, row_panels panels, ptrdiff_t threads, void *shift_memory, column_plan *cut);

/* Lays a block out in the calling thread's scratch memory, to be multiplied with so many panels of a group's rows. */
status prepare_columns(const column_plan *cut, ptrdiff_t number, ptrdiff_t panels, column_block *block);

/* Brings rows begin .. begin + depth - 1 of a group's matrix into place; `begin` is a multiple of depth_block. */
void fill_columns(const column_plan *cut, column_block *block, ptrdiff_t group, ptrdiff_t begin, ptrdiff_t depth);

#endif
