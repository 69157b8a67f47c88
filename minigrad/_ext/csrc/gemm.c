#include "gemm.h"

/* Where row k of the right factor is: at offsets[k] or, if these are NULL, at k * pitch; its vectors are `step` apart. */
typedef struct {
    const real *start;
    const int32_t *offsets;
    ptrdiff_t pitch, step;
} right_rows;

/* Inlined with constant `rows` and `vectors` and constant forms of the factors, so that the accumulators live in registers
 * and every loop over them is unrolled. */
INLINE void multiply(const int rows, const int vectors, ptrdiff_t depth, const real *a, const ptrdiff_t a_row,
                     const ptrdiff_t a_step, const right_rows b, const int by_offset, real *c, ptrdiff_t pitch,
                     const real *start, int accumulate, const int copies, real *copy)
{
    vec sums[TILE_ROWS][WIDE_VECTORS];
    if (accumulate) {
        UNROLL
        for (int i = 0; i < rows; i++) {
            UNROLL
            for (int j = 0; j < vectors; j++)
                sums[i][j] = load(c + i * pitch + j * LANES);
        }
    } else {
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec first = start ? broadcast(start[i]) : zero_vector();
            UNROLL
            for (int j = 0; j < vectors; j++)
                sums[i][j] = first;
        }
    }
    for (ptrdiff_t k = 0; k < depth; k++) {
        const real *row = b.start + (by_offset ? b.offsets[k] : k * b.pitch);
        const real *ahead = by_offset ? b.start + b.offsets[k + PREFETCH_STEPS] : row + PREFETCH_STEPS * b.pitch;
        vec right[WIDE_VECTORS];
        UNROLL
        for (int j = 0; j < vectors; j++) {
            right[j] = load(row + j * b.step);
            __builtin_prefetch(ahead + j * b.step);
            if (copies) {
                store(copy + k * TILE_COLUMNS + j * LANES, right[j]);
                __builtin_prefetch(row + TILE_COLUMNS + j * LANES, 0, 2);
            }
        }
        UNROLL
        for (int i = 0; i < rows; i++) {
            vec left = broadcast(a[i * a_row]);
            UNROLL
            for (int j = 0; j < vectors; j++)
                sums[i][j] += left * right[j];
        }
        a += a_step;
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < vectors; j++)
            store(c + i * pitch + j * LANES, sums[i][j]);
    }
}

#define DEFINE_OFFSET(rows, vectors)                                                                                   \
    static void offset_##rows##x##vectors(ptrdiff_t depth, const real *a, const real *b, const int32_t *b_rows,        \
                                          ptrdiff_t b_step, real *c, ptrdiff_t pitch, const real *start,               \
                                          int accumulate)                                                              \
    {                                                                                                                  \
        multiply(rows, vectors, depth, a, 1, rows, (right_rows){b, b_rows, 0, b_step}, 1, c, pitch, start,             \
                 accumulate, 0, NULL);                                                                                 \
    }
#define DEFINE_TILE(rows, vectors)                                                                                     \
    DEFINE_OFFSET(rows, vectors)                                                                                       \
    static void packed_##rows##x##vectors(ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_pitch, real *c,   \
                                          ptrdiff_t pitch, const real *start, int accumulate)                          \
    {                                                                                                                  \
        multiply(rows, vectors, depth, a, 1, rows, (right_rows){b, NULL, b_pitch, LANES}, 0, c, pitch, start,          \
                 accumulate, 0, NULL);                                                                                 \
    }                                                                                                                  \
    static void copying_##rows##x##vectors(ptrdiff_t depth, const real *a, const real *b, ptrdiff_t b_pitch, real *c,  \
                                           ptrdiff_t pitch, const real *start, int accumulate, real *copy)             \
    {                                                                                                                  \
        multiply(rows, vectors, depth, a, 1, rows, (right_rows){b, NULL, b_pitch, LANES}, 0, c, pitch, start,          \
                 accumulate, 1, copy);                                                                                 \
    }                                                                                                                  \
    static void strided_##rows##x##vectors(ptrdiff_t depth, const real *a, const real *b, real *c, ptrdiff_t pitch,    \
                                           const real *start, int accumulate)                                          \
    {                                                                                                                  \
        multiply(rows, vectors, depth, a, STRIDED_PITCH, 1, (right_rows){b, NULL, TILE_COLUMNS, LANES}, 0, c, pitch,   \
                 start, accumulate, 0, NULL);                                                                          \
    }

#if TILE_VECTORS == 3
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2) DEFINE_TILE(rows, 3)
#define TILES(form, rows) {form##_##rows##x1, form##_##rows##x2, form##_##rows##x3}
#else
#define DEFINE_TILES(rows) DEFINE_TILE(rows, 1) DEFINE_TILE(rows, 2)
#define TILES(form, rows) {form##_##rows##x1, form##_##rows##x2}
#endif

DEFINE_TILES(1)
DEFINE_TILES(2)
DEFINE_TILES(3)
DEFINE_TILES(4)
DEFINE_TILES(5)
DEFINE_TILES(6)
#define TO_6(form) TILES(form, 1), TILES(form, 2), TILES(form, 3), TILES(form, 4), TILES(form, 5), TILES(form, 6)
#if TILE_ROWS >= 8
DEFINE_TILES(7)
DEFINE_TILES(8)
#define TO_8(form) TO_6(form), TILES(form, 7), TILES(form, 8)
#endif
#if TILE_ROWS == 14
DEFINE_TILES(9)
DEFINE_TILES(10)
DEFINE_TILES(11)
DEFINE_TILES(12)
DEFINE_TILES(13)
DEFINE_TILES(14)
#define ALL_TILES(form)                                                                                                \
    TO_8(form), TILES(form, 9), TILES(form, 10), TILES(form, 11), TILES(form, 12), TILES(form, 13), TILES(form, 14)
#elif TILE_ROWS == 8
#define ALL_TILES TO_8
#else
#define ALL_TILES TO_6
#endif

const packed_tile_kernel packed_tile[TILE_ROWS][TILE_VECTORS] = {ALL_TILES(packed)};
const copying_tile_kernel copying_tile[TILE_ROWS][TILE_VECTORS] = {ALL_TILES(copying)};
const offset_tile_kernel offset_tile[TILE_ROWS][TILE_VECTORS] = {ALL_TILES(offset)};
const strided_tile_kernel strided_tile[TILE_ROWS][TILE_VECTORS] = {ALL_TILES(strided)};

#if WIDE_VECTORS == 6 && TILE_VECTORS == 2
#define TO_3(rows) DEFINE_OFFSET(rows, 3)
#define TO_4(rows) TO_3(rows) DEFINE_OFFSET(rows, 4)
#define TO_WIDEST(rows) TO_4(rows) DEFINE_OFFSET(rows, 5) DEFINE_OFFSET(rows, 6)
TO_WIDEST(1) TO_WIDEST(2) TO_WIDEST(3) TO_WIDEST(4) TO_4(5) TO_4(6) TO_3(7) TO_3(8) TO_3(9)
#define WIDE(rows) {offset_##rows##x3, offset_##rows##x4, offset_##rows##x5, offset_##rows##x6}
const offset_tile_kernel wide_tile[WIDE_ROWS][WIDE_VECTORS - TILE_VECTORS] = {
    WIDE(1), WIDE(2), WIDE(3), WIDE(4),
    {offset_5x3, offset_5x4}, {offset_6x3, offset_6x4},
    {offset_7x3}, {offset_8x3}, {offset_9x3},
};
#elif WIDE_VECTORS == 6
#define TO_WIDEST(rows) DEFINE_OFFSET(rows, 4) DEFINE_OFFSET(rows, 5) DEFINE_OFFSET(rows, 6)
TO_WIDEST(1) TO_WIDEST(2) TO_WIDEST(3) TO_WIDEST(4) DEFINE_OFFSET(5, 4) DEFINE_OFFSET(6, 4)
#define WIDE(rows) {offset_##rows##x4, offset_##rows##x5, offset_##rows##x6}
const offset_tile_kernel wide_tile[WIDE_ROWS][WIDE_VECTORS - TILE_VECTORS] = {
    WIDE(1), WIDE(2), WIDE(3), WIDE(4), {offset_5x4}, {offset_6x4},
};
#else
#define TO_WIDEST(rows) DEFINE_OFFSET(rows, 3) DEFINE_OFFSET(rows, 4)
TO_WIDEST(1) TO_WIDEST(2) DEFINE_OFFSET(3, 3)
const offset_tile_kernel wide_tile[WIDE_ROWS][WIDE_VECTORS - TILE_VECTORS] = {
    {offset_1x3, offset_1x4}, {offset_2x3, offset_2x4}, {offset_3x3},
};
#endif
