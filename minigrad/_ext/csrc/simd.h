/* Vectors of `real` in the compiler's own vector types, and the sizes that follow from the register file. */
#ifndef MINIGRAD_SIMD_H
#define MINIGRAD_SIMD_H

#include "real.h"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE_ROWS 14 /* 14 x 2 accumulators + 2 loaded vectors + 1 broadcast = 31 of 32 registers */
#define TILE_VECTORS 2
#define WIDE_ROWS 9 /* 4 x 6 + 6 + 1 = 31, 6 x 4 + 4 + 1 = 29, 9 x 3 + 3 + 1 = 31 */
#define WIDE_VECTORS 6
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#define TILE_ROWS 6 /* 6 x 2 + 2 + 1 = 15 of 16 registers */
#define TILE_VECTORS 2
#define WIDE_ROWS 3 /* 2 x 4 + 4 + 1 = 13, 3 x 3 + 3 + 1 = 13 */
#define WIDE_VECTORS 4
#elif defined(NEON_TILES)
#define VECTOR_BYTES 16
#define TILE_ROWS 8 /* 8 x 3 + 3 + 2 (four broadcast scalars each) = 29 of 32 registers */
#define TILE_VECTORS 3
#define WIDE_ROWS 6 /* 4 x 6 + 6 + 1 = 31, 6 x 4 + 4 + 2 = 30 */
#define WIDE_VECTORS 6
#else
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define TILE_VECTORS 2
#define WIDE_ROWS 3
#define WIDE_VECTORS 4
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(__alignof__(real)), may_alias));

enum { LANES = VECTOR_BYTES / sizeof(real), TILE_COLUMNS = TILE_VECTORS * LANES };

/* A lane of integers is as wide as a lane of reals, so that comparisons of one select in both. */
#if REAL_BYTES == 4
typedef int32_t lane_int;
typedef uint32_t lane_bits;
#else
typedef int64_t lane_int;
typedef uint64_t lane_bits;
#endif
typedef lane_int int_vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_bits bits_vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_int unaligned_int_vec
    __attribute__((vector_size(VECTOR_BYTES), aligned(__alignof__(lane_int)), may_alias));

#define INLINE static inline __attribute__((always_inline))

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

INLINE vec load(const real *from) { return *(const unaligned_vec *)from; }
INLINE void store(real *to, vec value) { *(unaligned_vec *)to = value; }
INLINE int_vec load_ints(const lane_int *from) { return *(const unaligned_int_vec *)from; }
INLINE void store_ints(lane_int *to, int_vec value) { *(unaligned_int_vec *)to = value; }
INLINE vec zero_vector(void) { return (vec){0}; }
INLINE vec broadcast(real value)
{
    return value - zero_vector();
} /* x - 0 is x for every x, so no instruction remains */

/* Only lanes `begin` .. `end` - 1, or the first `count`, of LANES: the others are loaded as zeros, and their memory is
 * neither read nor written. */
#if defined(__AVX512F__)
typedef unsigned lane_set;
INLINE lane_set first_lanes(ptrdiff_t count) { return (1u << larger(0, smaller(count, LANES))) - 1; }
#if REAL_BYTES == 4
INLINE vec load_masked(const real *from, lane_set lanes) { return (vec)_mm512_maskz_loadu_ps((__mmask16)lanes, from); }
INLINE void store_masked(real *to, vec value, lane_set lanes)
{
    _mm512_mask_storeu_ps(to, (__mmask16)lanes, (__m512)value);
}
#else
INLINE vec load_masked(const real *from, lane_set lanes) { return (vec)_mm512_maskz_loadu_pd((__mmask8)lanes, from); }
INLINE void store_masked(real *to, vec value, lane_set lanes)
{
    _mm512_mask_storeu_pd(to, (__mmask8)lanes, (__m512d)value);
}
#endif
#elif defined(__AVX2__)
typedef int_vec lane_set;
INLINE lane_set first_lanes(ptrdiff_t count)
{
    static const lane_int eight_and_none[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return load_ints(eight_and_none + 8 - larger(0, smaller(count, LANES)));
}
#if REAL_BYTES == 4
INLINE vec load_masked(const real *from, lane_set lanes) { return (vec)_mm256_maskload_ps(from, (__m256i)lanes); }
INLINE void store_masked(real *to, vec value, lane_set lanes)
{
    _mm256_maskstore_ps(to, (__m256i)lanes, (__m256)value);
}
#else
INLINE vec load_masked(const real *from, lane_set lanes) { return (vec)_mm256_maskload_pd(from, (__m256i)lanes); }
INLINE void store_masked(real *to, vec value, lane_set lanes)
{
    _mm256_maskstore_pd(to, (__m256i)lanes, (__m256d)value);
}
#endif
#endif
#if defined(__AVX2__)
INLINE vec load_between(const real *from, ptrdiff_t begin, ptrdiff_t end)
{
    return load_masked(from, first_lanes(end) & ~first_lanes(begin));
}
INLINE void store_first(real *to, vec value, ptrdiff_t count) { store_masked(to, value, first_lanes(count)); }
#else
INLINE vec load_between(const real *from, ptrdiff_t begin, ptrdiff_t end)
{
    real part[LANES] = {0};
    for (ptrdiff_t lane = larger(0, begin); lane < LANES && lane < end; lane++)
        part[lane] = from[lane];
    return load(part);
}
INLINE void store_first(real *to, vec value, ptrdiff_t count)
{
    real part[LANES];
    store(part, value);
    for (int lane = 0; lane < LANES && lane < count; lane++)
        to[lane] = part[lane];
}
#endif
INLINE vec load_first(const real *from, ptrdiff_t count) { return load_between(from, 0, count); }

/* Whole vectors, or the first `count` lanes. */
INLINE vec load_up_to(const real *from, ptrdiff_t count)
{
    return count >= LANES ? load(from) : load_first(from, count);
}
INLINE void store_up_to(real *to, vec value, ptrdiff_t count)
{
    if (count >= LANES)
        store(to, value);
    else
        store_first(to, value, count);
}

INLINE real sum_lanes(vec value)
{
    real part[LANES];
    store(part, value);
    UNROLL
    for (int half = LANES / 2; half > 0; half /= 2) {
        UNROLL
        for (int lane = 0; lane < half; lane++)
            part[lane] += part[lane + half];
    }
    return part[0];
}

/* Lanes of two vectors, which stand one after the other: every other one, or those of two halves in turn. */
#if VECTOR_BYTES / REAL_BYTES == 16
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define LOW_PAIRS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define HIGH_PAIRS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#elif VECTOR_BYTES / REAL_BYTES == 8
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#define ODD_LANES 1, 3, 5, 7, 9, 11, 13, 15
#define LOW_PAIRS 0, 8, 1, 9, 2, 10, 3, 11
#define HIGH_PAIRS 4, 12, 5, 13, 6, 14, 7, 15
#elif VECTOR_BYTES / REAL_BYTES == 4
#define EVEN_LANES 0, 2, 4, 6
#define ODD_LANES 1, 3, 5, 7
#define LOW_PAIRS 0, 4, 1, 5
#define HIGH_PAIRS 2, 6, 3, 7
#else
#define EVEN_LANES 0, 2
#define ODD_LANES 1, 3
#define LOW_PAIRS 0, 2
#define HIGH_PAIRS 1, 3
#endif

#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (__typeof__((a) == (b))){__VA_ARGS__})
#endif
INLINE vec even_lanes(vec a, vec b) { return SHUFFLE(a, b, EVEN_LANES); }
INLINE vec odd_lanes(vec a, vec b) { return SHUFFLE(a, b, ODD_LANES); }
INLINE vec low_pairs(vec a, vec b) { return SHUFFLE(a, b, LOW_PAIRS); }
INLINE vec high_pairs(vec a, vec b) { return SHUFFLE(a, b, HIGH_PAIRS); }
INLINE vec load_even(const real *from) { return even_lanes(load(from), load(from + LANES)); }

/* Writes the first `count` lanes, at most LANES, to every other element; those between stay as they are, but may be
 * written again. */
INLINE void store_even(real *to, vec value, ptrdiff_t count)
{
#if defined(__AVX512F__)
    const vec low = low_pairs(value, value), high = high_pairs(value, value);
    const uint64_t elements = UINT64_C(0x55555555) & ((UINT64_C(1) << 2 * smaller(count, LANES)) - 1);
    store_masked(to, low, (unsigned)(elements & ((1u << LANES) - 1)));
    store_masked(to + LANES, high, (unsigned)(elements >> LANES));
#else
    if (count > LANES) {
        const vec between = odd_lanes(load(to), load(to + LANES));
        store(to, low_pairs(value, between));
        store(to + LANES, high_pairs(value, between));
    } else {
        real part[LANES];
        store(part, value);
        for (int lane = 0; lane < LANES && lane < count; lane++)
            to[2 * lane] = part[lane];
    }
#endif
}

/* Row i of a square becomes column i: each round interleaves the two halves of the rows. */
INLINE void transpose(vec rows[LANES])
{
    UNROLL
    for (int round = 1; round < LANES; round *= 2) {
        vec mixed[LANES];
        UNROLL
        for (int i = 0; i < LANES / 2; i++) {
            mixed[2 * i] = low_pairs(rows[i], rows[i + LANES / 2]);
            mixed[2 * i + 1] = high_pairs(rows[i], rows[i + LANES / 2]);
        }
        UNROLL
        for (int i = 0; i < LANES; i++)
            rows[i] = mixed[i];
    }
}

/* The same for a block in memory: up to LANES rows, of which up to LANES elements each are read, become columns.
 *
 * `end` is where memory that may be read ends. Rows that are missing become zeros. Of the result, all vectors
 * below `columns` are written, whole. */
INLINE void transpose_block(const real *from, ptrdiff_t pitch, ptrdiff_t rows, ptrdiff_t columns, const real *end,
                            real *to, ptrdiff_t to_pitch)
{
    vec square[LANES];
    if (rows >= LANES && from + (LANES - 1) * pitch + LANES <= end) {
        UNROLL
        for (int row = 0; row < LANES; row++)
            square[row] = load(from + row * pitch);
    } else {
        for (int row = 0; row < LANES; row++) {
            const real *line = from + row * pitch;
            square[row] = row >= rows ? zero_vector() : line + LANES <= end ? load(line) : load_first(line, end - line);
        }
    }
    transpose(square);
    if (columns >= LANES) {
        UNROLL
        for (int i = 0; i < LANES; i++)
            store(to + i * to_pitch, square[i]);
    } else {
        for (int i = 0; i < columns; i++)
            store(to + i * to_pitch, square[i]);
    }
}

#endif
