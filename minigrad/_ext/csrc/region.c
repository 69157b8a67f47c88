#include "region.h"

static ptrdiff_t floor_div(ptrdiff_t a, ptrdiff_t b) { return a / b - (a % b < 0); }

void find_shifts(const gather *from, void *memory, shifts *found)
{
    found->residue = memory;
    found->shift = found->residue + from->taps;
    found->phase = (ptrdiff_t *)(found->shift + from->taps);
    found->phases = 0;
    for (int axis = 0; axis < AXES; axis++) {
        ptrdiff_t lowest = PTRDIFF_MAX, highest = PTRDIFF_MIN;
        for (ptrdiff_t tap = 0; tap < from->taps; tap++) {
            const ptrdiff_t shift = floor_div(from->tap[tap][axis], from->step[axis]);
            found->shift[tap][axis] = shift;
            lowest = smaller(lowest, shift);
            highest = larger(highest, shift);
        }
        for (ptrdiff_t tap = 0; tap < from->taps; tap++)
            found->shift[tap][axis] -= lowest;
        found->lowest[axis] = from->taps ? lowest : 0;
        found->reach[axis] = from->taps ? highest - lowest : 0;
    }
    for (ptrdiff_t tap = 0; tap < from->taps; tap++) {
        ptrdiff_t residue[AXES], phase = 0;
        for (int axis = 0; axis < AXES; axis++)
            residue[axis] = from->tap[tap][axis] - (found->shift[tap][axis] + found->lowest[axis]) * from->step[axis];
        for (; phase < found->phases; phase++)
            if (found->residue[phase][0] == residue[0] && found->residue[phase][1] == residue[1] &&
                found->residue[phase][2] == residue[2])
                break;
        if (phase == found->phases) {
            for (int axis = 0; axis < AXES; axis++)
                found->residue[phase][axis] = residue[axis];
            found->phases++;
        }
        found->phase[tap] = phase;
    }
}

region region_of(const shifts *taps, const ptrdiff_t size[AXES])
{
    region copy = {.pieces = NULL};
    for (int axis = 0; axis < AXES; axis++)
        copy.extent[axis] = size[axis] + taps->reach[axis];
    copy.most_pieces = round_up(volume(copy.extent), LANES);
    copy.phase_pitch = copy.most_pieces;
    copy.channel_pitch = taps->phases * copy.phase_pitch;
    if (copy.channel_pitch / LANES % 2 == 0)
        copy.channel_pitch += LANES; /* an even pitch leaves cache sets unused */
    return copy;
}

void place_region(const gather *from, const shifts *taps, ptrdiff_t image, const ptrdiff_t first[AXES],
                  const ptrdiff_t size[AXES], region *copy)
{
    piece *const pieces = copy->pieces;
    int32_t *const piece_count = copy->piece_count;
    *copy = region_of(taps, size);
    copy->pieces = pieces;
    copy->piece_count = piece_count;
    for (ptrdiff_t phase = 0; phase < taps->phases; phase++) {
        ptrdiff_t corner[1][AXES];
        gather dense = *from;
        for (int axis = 0; axis < AXES; axis++) {
            dense.grid[axis] = copy->extent[axis];
            corner[0][axis] = (first[axis] + taps->lowest[axis]) * from->step[axis] + taps->residue[phase][axis];
        }
        dense.taps = 1;
        dense.tap = (const ptrdiff_t (*)[AXES])corner;
        const ptrdiff_t count = volume(copy->extent);
        copy->piece_count[phase] = (int32_t)tabulate_pieces(&dense, 0, image * count, count, round_up(count, LANES), 0,
                                                            copy->pieces + phase * copy->most_pieces);
    }
}

void fill_region(const gather *from, const shifts *taps, const region *copy, const real *source, ptrdiff_t channel,
                 ptrdiff_t channels, real *to)
{
    const ptrdiff_t plane = volume(from->plane);
    for (ptrdiff_t c = 0; c < channels; c++)
        for (ptrdiff_t phase = 0; phase < taps->phases; phase++)
            gather_row(from, source, channel + c * plane, copy->pieces + phase * copy->most_pieces,
                       copy->piece_count[phase], to + c * copy->channel_pitch + phase * copy->phase_pitch);
}
