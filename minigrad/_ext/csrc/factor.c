#include "factor.h"

#include "simd.h"

void pack_factor(const factor *from, ptrdiff_t first, ptrdiff_t depth, ptrdiff_t count, real *to, ptrdiff_t to_pitch,
                 const real *to_end)
{
    const real *start = from->start + first * from->step;
    if (from->pitch == 1) {
        for (ptrdiff_t k = 0; k < depth; k++) {
            const real *read = start + k * from->step;
            real *write = to + k * to_pitch;
            ptrdiff_t i = 0;
            for (; i + LANES <= count; i += LANES)
                store(write + i, load(read + i));
            if (i < count && write + i + LANES <= to_end)
                store(write + i, load_first(read + i, count - i));
            else if (i < count)
                store_first(write + i, load_first(read + i, count - i), count - i);
        }
    } else if (from->step == 1) {
        for (ptrdiff_t i = 0; i < count; i += LANES)
            for (ptrdiff_t k = 0; k < depth; k += LANES) {
                const real *read = start + k + i * from->pitch;
                const ptrdiff_t rows = smaller(LANES, count - i), steps = smaller(LANES, depth - k);
                vec square[LANES];
                if (rows == LANES && steps == LANES) {
                    UNROLL
                    for (int row = 0; row < LANES; row++)
                        square[row] = load(read + row * from->pitch);
                } else {
                    for (int row = 0; row < LANES; row++)
                        square[row] = row < rows ? load_first(read + row * from->pitch, steps) : zero_vector();
                }
                transpose(square);
                for (int step = 0; step < LANES && step < steps; step++) {
                    real *write = to + (k + step) * to_pitch + i;
                    if (rows < LANES && (to_pitch - i < LANES || write + LANES > to_end))
                        store_first(write, square[step], rows);
                    else
                        store(write, square[step]);
                }
            }
    } else {
        for (ptrdiff_t k = 0; k < depth; k++)
            for (ptrdiff_t i = 0; i < round_up(count, LANES) && to + k * to_pitch + i < to_end && i < to_pitch; i++)
                to[k * to_pitch + i] = i < count ? start[k * from->step + i * from->pitch] : 0;
    }
}
