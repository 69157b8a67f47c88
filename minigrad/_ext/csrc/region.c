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
    region copy;
    for (int axis = 0; axis < AXES; axis++)
        copy.extent[axis] = size[axis] + taps->reach[axis];
    copy.phase_pitch = round_up(volume(copy.extent), LANES);
    copy.channel_pitch = taps->phases * copy.phase_pitch + LANES; /* fill_lines writes beyond the last phase */
    if (copy.channel_pitch / LANES % 2 == 0)
        copy.channel_pitch += LANES; /* an even pitch leaves cache sets unused */
    return copy;
}

/* Lines of a region that lie inside of the plane. */
typedef struct {
    const real *from, *end; /* of the first line, and of all that may be read */
    ptrdiff_t from_pitch, to_pitch, lines;
    ptrdiff_t before, count, after; /* elements of a line: zeros, copied, zeros */
    ptrdiff_t ahead;                /* where a coming line lies */
} line_block;

/* Whole vectors are written: each overwrites what those before it wrote beyond their ends. */
INLINE void fill_lines(const line_block *block, const ptrdiff_t step, real *to)
{
    const ptrdiff_t before = block->before, count = block->count, after = block->after, ahead = block->ahead;
    const real *from = block->from;
    for (ptrdiff_t line = 0; line < block->lines; line++, from += block->from_pitch, to += block->to_pitch) {
        store(to, zero_vector());
        for (ptrdiff_t x = LANES; x < before; x += LANES)
            store(to + x, zero_vector());
        real *write = to + before;
        ptrdiff_t x = 0;
        if (step <= 2 && block->end - from >= round_up(count, LANES) * step)
            for (; x < count; x += LANES) {
                __builtin_prefetch(from + x * step + ahead);
                if (step == 2)
                    __builtin_prefetch(from + x * step + ahead + LANES);
                store(write + x, step == 1 ? load(from + x) : load_even(from + 2 * x));
            }
        for (; x < count; x++)
            write[x] = from[x * step];
        write += count;
        store(write, zero_vector());
        for (x = LANES; x < after; x += LANES)
            store(write + x, zero_vector());
    }
}

static void fill_zeros(real *to, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i += LANES)
        store(to + i, zero_vector());
}

void fill_region(const gather *from, const shifts *taps, const region *copy, const ptrdiff_t first[AXES],
                 const real *source, ptrdiff_t channel, ptrdiff_t channels, real *to)
{
    const ptrdiff_t *plane = from->plane, *step = from->step, *extent = copy->extent, area = volume(plane);
    for (ptrdiff_t phase = 0; phase < taps->phases; phase++) {
        /* Along each axis, begin .. end - 1 read inside of the plane. */
        ptrdiff_t corner[AXES], begin[AXES], end[AXES];
        for (int axis = 0; axis < AXES; axis++) {
            corner[axis] = (first[axis] + taps->lowest[axis]) * step[axis] + taps->residue[phase][axis];
            begin[axis] = smaller(extent[axis], corner[axis] < 0 ? ceil_div(-corner[axis], step[axis]) : 0);
            end[axis] = corner[axis] < plane[axis] ? ceil_div(plane[axis] - corner[axis], step[axis]) : 0;
            end[axis] = larger(begin[axis], smaller(end[axis], extent[axis]));
        }
        line_block block = {
            .end = source + from->total,
            .from_pitch = step[1] * plane[2],
            .to_pitch = extent[2],
            .lines = end[2] > begin[2] ? end[1] - begin[1] : 0,
            .before = begin[2],
            .count = end[2] - begin[2],
            .after = extent[2] - end[2],
            .ahead = area,
        };
        for (ptrdiff_t c = 0; c < channels; c++) {
            real *slice = to + c * copy->channel_pitch + phase * copy->phase_pitch;
            for (ptrdiff_t i = 0; i < extent[0]; i++, slice += extent[1] * extent[2]) {
                if (i < begin[0] || i >= end[0] || block.lines == 0) {
                    fill_zeros(slice, extent[1] * extent[2]);
                    continue;
                }
                fill_zeros(slice, begin[1] * extent[2]);
                block.from = source + channel + c * area +
                    ((corner[0] + i * step[0]) * plane[1] + corner[1] + begin[1] * step[1]) * plane[2] + corner[2] +
                    begin[2] * step[2];
                real *inside = slice + begin[1] * extent[2];
                if (step[2] == 1)
                    fill_lines(&block, 1, inside);
                else if (step[2] == 2)
                    fill_lines(&block, 2, inside);
                else
                    fill_lines(&block, step[2], inside);
                fill_zeros(slice + end[1] * extent[2], (extent[1] - end[1]) * extent[2]);
            }
            store(slice, zero_vector()); /* tiles read beyond the last line */
        }
    }
}
