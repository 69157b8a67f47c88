/* Tiles of a plane: the patches that Winograd's algorithm reads and the squares of results that it writes. */
#ifndef MINIGRAD_WINOGRAD_TILES_H
#define MINIGRAD_WINOGRAD_TILES_H

#include "gather.h"

#define tile_grid_of NAME(tile_grid_of)
#define find_tile_products NAME(find_tile_products)
#define square_taps NAME(square_taps)
#define place_patches NAME(place_patches)
#define place_squares NAME(place_squares)

/* What becomes of a tile, along each axis:
 *
 * SQUARE_2 and _4: F(2, 3) and F(4, 3), tiles of 2 and 4 results of 3 taps at stride 1.
 * STRIDED_3 and _4: windows at stride 2 read even and odd elements in turn. Each of these two phases is a convolution at
 * stride 1 with every other of 3 or 4 taps, of which F(2, 2) gives tiles of 2 results; the phases' products are added
 * before they are transformed.
 * SPREAD_3 and _4: the adjoint in the source. Even and odd results are the phases, F(2, 2) gives two of each, and both
 * read the same transformed elements. */
typedef enum { NO_TILES, SQUARE_2, SQUARE_4, STRIDED_3, STRIDED_4, SPREAD_3, SPREAD_4 } tile_form;

enum {
    MOST_FILTER_TAPS = 16,
    MOST_OUTPUTS = 4, /* along each axis of a tile */
    MOST_SIDE = 6,    /* of elements, and of all that they are transformed to */
    MOST_POINTS = MOST_SIDE * MOST_SIDE,
};

#define FOR_EACH_WINDOW_FORM(DO) DO(SQUARE_2) DO(SQUARE_4) DO(STRIDED_3) DO(STRIDED_4)
#define FOR_EACH_FORM(DO) FOR_EACH_WINDOW_FORM(DO) DO(SPREAD_3) DO(SPREAD_4)

/* Along each axis: taps of the filter, elements from one tile to the next, elements that a tile reads (at most two
 * advances), results. */
INLINE int filter_side(tile_form form) { return form == STRIDED_4 || form == SPREAD_4 ? 4 : 3; }
INLINE int tile_advance(tile_form form) { return form == SQUARE_2 || form >= SPREAD_3 ? 2 : 4; }
INLINE int patch_side(tile_form form)
{
    return form == SQUARE_4 || form == STRIDED_4 ? 6 : form == STRIDED_3 ? 5 : form == SPREAD_3 ? 3 : 4;
}
INLINE int tile_outputs(tile_form form) { return form == SQUARE_4 || form >= SPREAD_3 ? 4 : 2; }

/* And what these are transformed to: elements of the source, factors (elements of the filter) and sums of products. */
INLINE int tile_inputs(tile_form form)
{
    return form == STRIDED_3 || form == SPREAD_4 ? 5 : form == SQUARE_2 || form == SPREAD_3 ? 4 : 6;
}
INLINE int tile_factors(tile_form form)
{
    return form == SQUARE_2 ? 4 : form == STRIDED_3 || form == SPREAD_3 ? 5 : 6;
}
INLINE int tile_sums(tile_form form)
{
    return form == STRIDED_3 || form == STRIDED_4 ? 3 : tile_factors(form);
}

/* What each factor, in two dimensions, is multiplied with, to which sum that is added, and whether it is the first. */
typedef struct {
    int count;
    struct {
        int8_t input, sum, first;
    } of[MOST_POINTS];
} tile_products;

void find_tile_products(tile_form form, tile_products *found);

/* Vectors run along tiles, line by line, image by image. If `chunked`, a vector is read in chunks, each of LANES elements
 * of one line of the plane, which are loaded whole and then dealt out to the tiles; if `chunked_results`, these are
 * written so. Lines are padded with idle tiles to whole chunks. Otherwise, for planes that this would mostly fill with
 * idle tiles, elements are copied one by one. */
typedef struct {
    const gather *from;
    tile_form form;
    int chunked, chunked_results;
    ptrdiff_t corner[2];         /* what the first tile reads first */
    ptrdiff_t result[2];         /* sizes of a plane of results */
    ptrdiff_t lines, line_tiles; /* of an image; with idle tiles */
    ptrdiff_t tiles;             /* of all images */
    ptrdiff_t image_pitch;       /* of the array of results, with `channels` */
} tile_grid;

/* Are these windows of one plane, `step` apart, whose taps are the places of a square of `side`? Then tap_at[place] is
 * the tap at each of them. */
int square_taps(const gather *from, int side, int step, ptrdiff_t tap_at[MOST_FILTER_TAPS]);

/* The tiles for planes of results of the given size, the first of which read what the lowest taps do. */
tile_grid tile_grid_of(const gather *from, tile_form form, const ptrdiff_t result[AXES], ptrdiff_t batch,
                       ptrdiff_t channels);

/* Chunks lie in the source itself if they are inside of the plane, else in a padded copy. */
typedef struct {
    ptrdiff_t offset;
    int inside;
} chunk_row;

/* Where the patches of a vector of tiles come from. */
typedef struct {
    chunk_row rows[MOST_OUTPUTS][MOST_SIDE]; /* chunked: [chunk][row of the patch] */
    ptrdiff_t copies;
    piece copy[MOST_POINTS * LANES]; /* what is copied for each channel; zeros stay where they are */
    real copied[MOST_OUTPUTS * MOST_SIDE * (LANES + MOST_OUTPUTS) + MOST_POINTS * LANES];
} patches;

/* Where the results of a vector of tiles lie. */
typedef struct {
    piece rows[MOST_OUTPUTS][MOST_OUTPUTS]; /* chunked: [chunk][row of the tile]; `count` elements from `source` on */
    ptrdiff_t copies;
    piece copy[MOST_OUTPUTS * MOST_OUTPUTS * LANES]; /* otherwise: `target` is the place in [row][column][lane] */
} squares;

void place_patches(const tile_grid *grid, ptrdiff_t first_tile, ptrdiff_t channels, patches *where);
void place_squares(const tile_grid *grid, ptrdiff_t first_tile, squares *where);

/* Element j of each tile, from a line of tiles, and back. */
INLINE void deal(const int outputs, const vec line[], vec element[])
{
    if (outputs == 2) {
        element[0] = even_lanes(line[0], line[1]);
        element[1] = odd_lanes(line[0], line[1]);
    } else {
        const vec even[2] = {even_lanes(line[0], line[1]), even_lanes(line[2], line[3])};
        const vec odd[2] = {odd_lanes(line[0], line[1]), odd_lanes(line[2], line[3])};
        element[0] = even_lanes(even[0], even[1]);
        element[1] = even_lanes(odd[0], odd[1]);
        element[2] = odd_lanes(even[0], even[1]);
        element[3] = odd_lanes(odd[0], odd[1]);
    }
}
INLINE void collect(const int outputs, const vec element[], vec line[])
{
    if (outputs == 2) {
        line[0] = low_pairs(element[0], element[1]);
        line[1] = high_pairs(element[0], element[1]);
    } else {
        const vec even[2] = {low_pairs(element[0], element[2]), high_pairs(element[0], element[2])};
        const vec odd[2] = {low_pairs(element[1], element[3]), high_pairs(element[1], element[3])};
        line[0] = low_pairs(even[0], odd[0]);
        line[1] = high_pairs(even[0], odd[0]);
        line[2] = low_pairs(even[1], odd[1]);
        line[3] = high_pairs(even[1], odd[1]);
    }
}

/* Copies runs of up to LANES + 2 elements, without touching anything beside them. */
INLINE void copy_run(const real *from, ptrdiff_t count, real *to)
{
    if (count >= LANES) {
        const vec begin = load(from), end = load(from + count - LANES);
        store(to, begin);
        store(to + count - LANES, end);
    } else {
        for (ptrdiff_t i = 0; i < count; i++)
            to[i] = from[i];
    }
}

/* Reads the patches of the channel whose plane (of image 0) begins at `plane`: patch[row][column]. Planes are too short
 * for the processor to foresee where the next channel's lines are: those `ahead` elements on are fetched. */
INLINE void read_patches(const tile_form form, int chunked, patches *where, const real *plane, ptrdiff_t ahead,
                         vec patch[MOST_SIDE][MOST_SIDE])
{
    const int side = patch_side(form), advance = tile_advance(form);
    if (chunked) {
        for (const piece *p = where->copy; p < where->copy + where->copies; p++) {
            copy_run(plane + p->source, p->count, where->copied + p->target);
            __builtin_prefetch(plane + p->source + ahead);
        }
        const real *const base[2] = {where->copied, plane};
        UNROLL
        for (int row = 0; row < side; row++) {
            vec line[MOST_OUTPUTS], next[MOST_OUTPUTS], further[MOST_OUTPUTS];
            UNROLL
            for (int chunk = 0; chunk < advance; chunk++) {
                const chunk_row *at = &where->rows[chunk][row];
                line[chunk] = load(base[at->inside] + at->offset);
                next[chunk] = load(base[at->inside] + at->offset + advance);
                __builtin_prefetch(base[at->inside] + at->offset + ahead);
            }
            deal(advance, line, patch[row]);
            deal(advance, next, further);
            UNROLL
            for (int column = advance; column < side; column++)
                patch[row][column] = further[column - advance];
        }
    } else {
        for (const piece *p = where->copy; p < where->copy + where->copies; p++)
            where->copied[p->target] = plane[p->source];
        UNROLL
        for (int row = 0; row < side; row++) {
            UNROLL
            for (int column = 0; column < side; column++)
                patch[row][column] = load(where->copied + (row * side + column) * LANES);
        }
    }
}

/* Writes square[row][column] to the channel whose plane (of image 0) begins at `plane`. */
INLINE void write_squares(const int outputs, int chunked, const squares *where, vec square[MOST_OUTPUTS][MOST_OUTPUTS],
                          real *plane)
{
    if (chunked) {
        UNROLL
        for (int row = 0; row < outputs; row++) {
            vec line[MOST_OUTPUTS];
            collect(outputs, square[row], line);
            UNROLL
            for (int chunk = 0; chunk < outputs; chunk++) {
                const piece *at = &where->rows[chunk][row];
                if (at->count == LANES)
                    store(plane + at->source, line[chunk]);
                else
                    store_first(plane + at->source, line[chunk], at->count);
            }
        }
    } else {
        real elements[MOST_OUTPUTS * MOST_OUTPUTS * LANES];
        UNROLL
        for (int row = 0; row < outputs; row++) {
            UNROLL
            for (int column = 0; column < outputs; column++)
                store(elements + (row * outputs + column) * LANES, square[row][column]);
        }
        for (const piece *p = where->copy; p < where->copy + where->copies; p++)
            plane[p->source] = elements[p->target];
    }
}

/* Reads what write_squares() writes; zeros beyond the plane. */
INLINE void read_squares(const int outputs, int chunked, const squares *where, const real *plane,
                         vec square[MOST_OUTPUTS][MOST_OUTPUTS])
{
    if (chunked) {
        UNROLL
        for (int row = 0; row < outputs; row++) {
            vec line[MOST_OUTPUTS];
            UNROLL
            for (int chunk = 0; chunk < outputs; chunk++) {
                const piece *at = &where->rows[chunk][row];
                line[chunk] = at->count == LANES ? load(plane + at->source) : load_first(plane + at->source, at->count);
            }
            deal(outputs, line, square[row]);
        }
    } else {
        real elements[MOST_OUTPUTS * MOST_OUTPUTS * LANES] = {0};
        for (const piece *p = where->copy; p < where->copy + where->copies; p++)
            elements[p->target] = plane[p->source];
        UNROLL
        for (int row = 0; row < outputs; row++) {
            UNROLL
            for (int column = 0; column < outputs; column++)
                square[row][column] = load(elements + (row * outputs + column) * LANES);
        }
    }
}

#endif
