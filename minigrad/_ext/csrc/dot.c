#include "dot.h"

INLINE void multiply_lines(const int lefts, const int rights, const dot_shape *shape, const real *left,
                           const real *right, const int32_t *right_offset, real *sums)
{
    vec total[DOT_LEFT][DOT_RIGHT];
    const real *line[DOT_RIGHT];
    UNROLL
    for (int j = 0; j < rights; j++) {
        line[j] = right + right_offset[j];
        UNROLL
        for (int i = 0; i < lefts; i++)
            total[i][j] = load(sums + i * shape->sums_pitch + j * LANES);
    }
    const ptrdiff_t pitch = shape->left_pitch, whole = shape->width / LANES * LANES;
    int_vec rest;
    for (int lane = 0; lane < LANES; lane++)
        rest[lane] = lane < shape->width - whole ? -1 : 0;

    const ptrdiff_t next_left = shape->left_slab - shape->lines * shape->left_line;
    const ptrdiff_t next_right = shape->right_slab - shape->lines * shape->right_line;
    for (ptrdiff_t slab = 0; slab < shape->slabs; slab++) {
        for (ptrdiff_t y = 0; y < shape->lines; y++) {
            for (ptrdiff_t x = 0; x < shape->width; x += LANES) {
                vec factor[DOT_LEFT];
                UNROLL
                for (int i = 0; i < lefts; i++)
                    factor[i] = load(left + i * pitch + x);
                UNROLL
                for (int j = 0; j < rights; j++) {
                    vec other = load(line[j] + x);
                    if (x == whole) /* not zero times what follows: that could be infinite */
                        other = (vec)((int_vec)other & rest);
                    UNROLL
                    for (int i = 0; i < lefts; i++)
                        total[i][j] += factor[i] * other;
                }
            }
            left += shape->left_line;
            UNROLL
            for (int j = 0; j < rights; j++)
                line[j] += shape->right_line;
        }
        left += next_left;
        UNROLL
        for (int j = 0; j < rights; j++)
            line[j] += next_right;
    }
    UNROLL
    for (int j = 0; j < rights; j++) {
        UNROLL
        for (int i = 0; i < lefts; i++)
            store(sums + i * shape->sums_pitch + j * LANES, total[i][j]);
    }
}

#define DEFINE(lefts, rights)                                                                                          \
    static void dot_##lefts##x##rights(const dot_shape *shape, const real *left, const real *right,                    \
                                       const int32_t *right_offset, real *sums)                                        \
    {                                                                                                                  \
        multiply_lines(lefts, rights, shape, left, right, right_offset, sums);                                         \
    }

#if DOT_RIGHT == 4
#define DEFINE_ALL(lefts) DEFINE(lefts, 1) DEFINE(lefts, 2) DEFINE(lefts, 3) DEFINE(lefts, 4)
#define ALL(lefts) {dot_##lefts##x1, dot_##lefts##x2, dot_##lefts##x3, dot_##lefts##x4}
#else
#define DEFINE_ALL(lefts) DEFINE(lefts, 1) DEFINE(lefts, 2) DEFINE(lefts, 3)
#define ALL(lefts) {dot_##lefts##x1, dot_##lefts##x2, dot_##lefts##x3}
#endif

DEFINE_ALL(1)
DEFINE_ALL(2)
DEFINE_ALL(3)
#if DOT_LEFT == 6
DEFINE_ALL(4)
DEFINE_ALL(5)
DEFINE_ALL(6)
const dot_kernel dot_tile[DOT_LEFT][DOT_RIGHT] = {ALL(1), ALL(2), ALL(3), ALL(4), ALL(5), ALL(6)};
#else
const dot_kernel dot_tile[DOT_LEFT][DOT_RIGHT] = {ALL(1), ALL(2), ALL(3)};
#endif
