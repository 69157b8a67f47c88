/* Columns read in place from a padded copy of the source.
 *
 * The windows of a block are shifted views of one another: tap t of window p reads position p * step + tap[t]. Split
 * the source by its remainders by `step` into phases, and each phase into a dense copy with its padding; then every tap
 * is a constant distance in that copy, and row (channel, tap) of the implicit matrix needs no copy of its own. The
 * price: columns run over the padded width, so that a few at the end of each row mean nothing. */
#ifndef MINIGRAD_REGION_H
#define MINIGRAD_REGION_H

#include "gather.h"

#define find_shifts NAME(find_shifts)
#define region_of NAME(region_of)
#define fill_region NAME(fill_region)

/* tap[t] = (lowest + shift[t]) * step + residue[phase[t]], with all shifts between 0 and `reach`. */
typedef struct {
    ptrdiff_t lowest[AXES], reach[AXES];
    ptrdiff_t phases;
    ptrdiff_t (*residue)[AXES];
    ptrdiff_t (*shift)[AXES];
    ptrdiff_t *phase;
} shifts;

/* Bytes of memory that find_shifts() needs. */
INLINE size_t shifts_bytes(const gather *from) { return (size_t)from->taps * (2 * AXES + 1) * sizeof(ptrdiff_t); }
void find_shifts(const gather *from, void *memory, shifts *found);

/* The copy of what the windows first .. first + size - 1 of an image read. */
typedef struct {
    ptrdiff_t extent[AXES];
    ptrdiff_t phase_pitch, channel_pitch; /* elements from one to the next */
} region;

/* The layout of a region for `size` windows. */
region region_of(const shifts *taps, const ptrdiff_t size[AXES]);

/* Copies what the windows from `first` on read of `channels` planes, the first of which begins at `channel`. Writes up
 * to LANES elements beyond them. */
void fill_region(const gather *from, const shifts *taps, const region *copy, const ptrdiff_t first[AXES],
                 const real *source, ptrdiff_t channel, ptrdiff_t channels, real *to);

/* Where tap t of the region's first window lies in the copy of its channel. */
INLINE ptrdiff_t tap_in_region(const shifts *taps, const region *copy, ptrdiff_t tap)
{
    const ptrdiff_t *shift = taps->shift[tap];
    return taps->phase[tap] * copy->phase_pitch + (shift[0] * copy->extent[1] + shift[1]) * copy->extent[2] + shift[2];
}

#endif
