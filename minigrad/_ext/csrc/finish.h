/* What a convolution for inference does besides: results are finished while they are near, and packed filters kept. */
#ifndef MINIGRAD_FINISH_H
#define MINIGRAD_FINISH_H

#include "memory.h"
#include "shapes.h"
#include "vmath.h"

/* A conv_finish (shapes.h) but for its residual, for the results of one channel. */
typedef struct {
    vec scale, shift;
    real low, high;
    int scaled;
} channel_finish;

INLINE channel_finish finish_of(const conv_finish *finish, ptrdiff_t channel)
{
    channel_finish found = {.low = (real)finish->low, .high = (real)finish->high, .scaled = finish->scale != NULL};
    if (found.scaled) {
        found.scale = broadcast(((const real *)finish->scale)[channel]);
        found.shift = broadcast(((const real *)finish->shift)[channel]);
    }
    return found;
}

/* A NaN stays one, and a zero that low stands for has its sign. */
INLINE vec finished(const channel_finish *finish, vec value, vec residual)
{
    if (finish->scaled)
        value = value * finish->scale + finish->shift;
    value = at_most(value + residual, finish->high);
    return choose(value <= finish->low, broadcast(finish->low), value);
}

/* Finishes `count` results from `to` on, of one channel; `residual` is NULL or what is added to them. */
INLINE void finish_run(const channel_finish *finish, const real *residual, real *to, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += LANES) {
        const vec added = residual ? load_up_to(residual + i, count - i) : -zero_vector();
        store_up_to(to + i, finished(finish, load_up_to(to + i, count - i), added), count - i);
    }
}

/* Where filters of this layout are kept, or are to be written: then they are not yet `ready`. NULL if nothing is kept,
 * something else is, or there is no memory. `layout` is an address that no other layout has. */
INLINE void *kept_place(kept_filters *kept, const void *layout, size_t bytes, int *ready)
{
    *ready = 0;
    if (!kept)
        return NULL;
    if (!kept->memory) {
        kept->memory = memory_take(bytes);
        kept->bytes = kept->memory ? bytes : 0;
    }
    *ready = kept->layout == layout && kept->bytes == bytes;
    return *ready || (!kept->layout && kept->bytes == bytes) ? kept->memory : NULL;
}

#endif
