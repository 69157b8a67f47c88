/* Vectors of `real` in the compiler's own vector types, and the sizes that follow from the register file. */
#ifndef MINIGRAD_SIMD_H
#define MINIGRAD_SIMD_H

#include "real.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define TILE_ROWS 14 /* 14 x 2 accumulators + 2 loaded vectors + 1 broadcast = 31 of 32 registers */
#define TILE_VECTORS 2
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#define TILE_ROWS 6 /* 6 x 2 + 2 + 1 = 15 of 16 registers */
#define TILE_VECTORS 2
#elif defined(NEON_TILES)
#define VECTOR_BYTES 16
#define TILE_ROWS 8 /* 8 x 3 + 3 + 2 (four broadcast scalars each) = 29 of 32 registers */
#define TILE_VECTORS 3
#else
#define VECTOR_BYTES 16
#define TILE_ROWS 6
#define TILE_VECTORS 2
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real unaligned_vec __attribute__((vector_size(VECTOR_BYTES), aligned(__alignof__(real)), may_alias));

enum { LANES = VECTOR_BYTES / sizeof(real), TILE_COLUMNS = TILE_VECTORS * LANES };

/* A lane of integers is as wide as a lane of reals, so that comparisons of one select in both. */
#if REAL_BYTES == 4
typedef int32_t lane_int;
#else
typedef int64_t lane_int;
#endif
typedef lane_int int_vec __attribute__((vector_size(VECTOR_BYTES)));
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

/* The first of every two elements. */
#if VECTOR_BYTES / REAL_BYTES == 16
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#elif VECTOR_BYTES / REAL_BYTES == 8
#define EVEN_LANES 0, 2, 4, 6, 8, 10, 12, 14
#elif VECTOR_BYTES / REAL_BYTES == 4
#define EVEN_LANES 0, 2, 4, 6
#else
#define EVEN_LANES 0, 2
#endif
INLINE vec load_even(const real *from)
{
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(load(from), load(from + LANES), EVEN_LANES);
#else
    typedef __typeof__((vec){0} == (vec){0}) lane_index;
    return __builtin_shuffle(load(from), load(from + LANES), (lane_index){EVEN_LANES});
#endif
}

#endif
