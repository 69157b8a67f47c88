#include "channelwise.h"

#include <string.h>

#include "scratch.h"
#include "simd.h"
#include "threads.h"

enum {
    TOGETHER = 8,              /* windows that are summed together, so that additions do not wait for one another */
    SUMMED_TAPS = 9,           /* of a filter gradient at once, for the same reason */
    MOST_TAPS = 256,
    MOST_PHASES = 64,
    REGION_BYTES = 256 * 1024, /* what a block reads stays in the second-level cache */
    TASK_ELEMENTS = 1 << 15,
    MOST_TASKS = 32, /* of a filter gradient */
    CHAIN = 256,     /* products that are added one after the other: rounding grows with their number */
};

/* How targets read the source: along each axis target i * phases + phase reads, for each tap of that phase, source i *
 * step + lowest + shift[tap]. A convolution has one phase and its stride as step; its adjoint in x has one phase for
 * each remainder by the stride, and steps of 1. */
typedef struct {
    ptrdiff_t batch, channels, taps;
    ptrdiff_t source_size[AXES], target_size[AXES], step[AXES], phases[AXES], lowest[AXES], reach[AXES];
    ptrdiff_t *first_tap; /* of each phase, and behind the last */
    ptrdiff_t *index;     /* of each tap in the filter */
    ptrdiff_t (*shift)[AXES];
    ptrdiff_t size[AXES], cuts[AXES]; /* targets of a block, and blocks along each axis */
    ptrdiff_t units, pieces;          /* blocks of all images, and into how many tasks they are cut */
    const real *source, *filter, *bias, *cotangent;
    real *target, *sums; /* sums: [channel block, piece, tap, LANES] */
} plan;

/* What a task works on: a part of the planes of some channels of an image. */
typedef struct {
    ptrdiff_t image, channel, channels;
    ptrdiff_t first[AXES], size[AXES]; /* targets */
    ptrdiff_t corner[AXES], extent[AXES];   /* of what they read */
    ptrdiff_t begin[AXES], inside[AXES];    /* the part of it that lies in the plane, from the corner */
} block;

static ptrdiff_t span(const plan *cut, int axis, ptrdiff_t size)
{
    return (ceil_div(size, cut->phases[axis]) - 1) * cut->step[axis] + cut->reach[axis] + 1;
}

int channelwise_takes(const conv_shape *shape)
{
    if (shape->in_channels != 1 || shape->out_channels != 1 || shape->groups < LANES ||
        volume(shape->kernel) > MOST_TAPS || volume(shape->stride) > MOST_PHASES)
        return 0;
    ptrdiff_t read = VECTOR_BYTES; /* by one line of one block of the smallest size, at most */
    for (int axis = 0; axis < AXES; axis++)
        read *= smaller(REGION_BYTES, (shape->kernel[axis] - 1) * shape->dilation[axis] + 2 * shape->stride[axis]);
    return read <= REGION_BYTES;
}

static status list_taps(const conv_shape *shape, int adjoint, plan *cut)
{
    ptrdiff_t phases = 1;
    for (int axis = 0; axis < AXES; axis++) {
        cut->source_size[axis] = adjoint ? shape->out[axis] : shape->in[axis];
        cut->target_size[axis] = adjoint ? shape->in[axis] : shape->out[axis];
        cut->step[axis] = adjoint ? 1 : shape->stride[axis];
        cut->phases[axis] = adjoint ? shape->stride[axis] : 1;
        cut->lowest[axis] = PTRDIFF_MAX;
        phases *= cut->phases[axis];
    }
    const size_t taps = (size_t)volume(shape->kernel) + 1; /* one that belongs to another phase may follow the last */
    cut->shift = scratch(SCRATCH_TAPS, taps * (sizeof *cut->shift + sizeof *cut->index) +
                                           (size_t)(phases + 1) * sizeof *cut->first_tap);
    if (!cut->shift)
        return NO_MEMORY;
    cut->index = (ptrdiff_t *)(cut->shift + taps);
    cut->first_tap = cut->index + taps;

    ptrdiff_t highest[AXES] = {0}, count = 0, phase = 0, place[AXES], remainder[AXES];
    for (remainder[0] = 0; remainder[0] < cut->phases[0]; remainder[0]++)
        for (remainder[1] = 0; remainder[1] < cut->phases[1]; remainder[1]++)
            for (remainder[2] = 0; remainder[2] < cut->phases[2]; remainder[2]++) {
                cut->first_tap[phase++] = count;
                for (place[0] = 0; place[0] < shape->kernel[0]; place[0]++)
                    for (place[1] = 0; place[1] < shape->kernel[1]; place[1]++)
                        for (place[2] = 0; place[2] < shape->kernel[2]; place[2]++) {
                            int touches = 1;
                            for (int axis = 0; axis < AXES; axis++) {
                                ptrdiff_t shift = place[axis] * shape->dilation[axis] - shape->before[axis];
                                if (adjoint) {
                                    shift = remainder[axis] - shift;
                                    touches &= shift % shape->stride[axis] == 0;
                                    shift /= shape->stride[axis];
                                }
                                cut->shift[count][axis] = shift;
                            }
                            if (!touches)
                                continue;
                            for (int axis = 0; axis < AXES; axis++) {
                                const ptrdiff_t shift = cut->shift[count][axis];
                                highest[axis] = count ? larger(highest[axis], shift) : shift;
                                cut->lowest[axis] = smaller(cut->lowest[axis], shift);
                            }
                            cut->index[count++] =
                                (place[0] * shape->kernel[1] + place[1]) * shape->kernel[2] + place[2];
                        }
            }
    cut->first_tap[phase] = count;
    cut->taps = count;
    for (int axis = 0; axis < AXES; axis++) {
        cut->reach[axis] = highest[axis] - cut->lowest[axis];
        for (ptrdiff_t tap = 0; tap < count; tap++)
            cut->shift[tap][axis] -= cut->lowest[axis];
    }
    return OK;
}

static status make_plan(const conv_shape *shape, int adjoint, plan *cut)
{
    cut->batch = shape->batch;
    cut->channels = shape->groups;
    if (list_taps(shape, adjoint, cut) != OK)
        return NO_MEMORY;
    /* Whole lines if they fit, and as many as do. */
    ptrdiff_t bytes = VECTOR_BYTES * span(cut, 0, 1);
    for (int axis = 0; axis < AXES; axis++)
        cut->size[axis] = axis == 0 ? 1 : cut->phases[axis];
    for (int axis = AXES - 1; axis > 0; axis--) {
        const ptrdiff_t fixed = bytes * (axis == 2 ? span(cut, 1, 1) : span(cut, 2, cut->size[2]));
        const ptrdiff_t steps = larger(1, 1 + (REGION_BYTES / fixed - cut->reach[axis] - 1) / cut->step[axis]);
        const ptrdiff_t most = ceil_div(cut->target_size[axis], cut->phases[axis]);
        cut->size[axis] = ceil_div(most, ceil_div(most, steps)) * cut->phases[axis];
    }
    for (int axis = 0; axis < AXES; axis++)
        cut->cuts[axis] = ceil_div(cut->target_size[axis], cut->size[axis]);
    cut->units = cut->batch * volume(cut->cuts);
    return OK;
}

/* `offset`: where each tap reads, from where a target does. */
static void place_block(const plan *cut, ptrdiff_t channel_block, ptrdiff_t unit, block *part, ptrdiff_t *offset)
{
    const ptrdiff_t *cuts = cut->cuts;
    part->channel = channel_block * LANES;
    part->channels = smaller(LANES, cut->channels - part->channel);
    part->image = unit / volume(cuts);
    part->first[0] = unit / cuts[2] / cuts[1] % cuts[0];
    part->first[1] = unit / cuts[2] % cuts[1];
    part->first[2] = unit % cuts[2];
    for (int axis = 0; axis < AXES; axis++) {
        part->first[axis] *= cut->size[axis];
        part->size[axis] = smaller(cut->size[axis], cut->target_size[axis] - part->first[axis]);
        part->corner[axis] = part->first[axis] / cut->phases[axis] * cut->step[axis] + cut->lowest[axis];
        part->extent[axis] = span(cut, axis, part->size[axis]);
        part->begin[axis] = smaller(part->extent[axis], larger(0, -part->corner[axis]));
        const ptrdiff_t end = smaller(part->extent[axis], cut->source_size[axis] - part->corner[axis]);
        part->inside[axis] = larger(0, end - part->begin[axis]);
    }
    for (ptrdiff_t tap = 0; tap < cut->taps; tap++) {
        const ptrdiff_t *shift = cut->shift[tap];
        offset[tap] = ((shift[0] * part->extent[1] + shift[1]) * part->extent[2] + shift[2]) * LANES;
    }
}

/* Elements of the largest block's source and targets, and of what transposes write beyond them. */
static ptrdiff_t source_elements(const plan *cut)
{
    return (span(cut, 0, cut->size[0]) * span(cut, 1, cut->size[1]) * span(cut, 2, cut->size[2]) + LANES) * LANES;
}
static ptrdiff_t target_elements(const plan *cut) { return (volume(cut->size) + LANES) * LANES; }

/* `count` positions of some planes, in lines of `width` that become `pitch` apart; what lies `ahead` comes next. */
static void read_lines(const real *from, ptrdiff_t plane, ptrdiff_t channels, ptrdiff_t count, const real *end,
                       ptrdiff_t ahead, ptrdiff_t width, ptrdiff_t pitch, real *to)
{
    real square[LANES * LANES];
    ptrdiff_t x = 0;
    for (ptrdiff_t i = 0; i < count; i += LANES) {
        const ptrdiff_t taken = smaller(LANES, count - i);
        for (ptrdiff_t channel = 0; channel < channels; channel++)
            __builtin_prefetch(from + channel * plane + i + ahead);
        if (x + taken <= width) {
            transpose_block(from + i, plane, channels, taken, end, to + x * LANES, LANES);
            x += taken;
        } else {
            transpose_block(from + i, plane, channels, taken, end, square, LANES);
            for (ptrdiff_t j = 0; j < taken; j++, x++) {
                if (x == width) {
                    x = 0;
                    to += pitch * LANES;
                }
                store(to + x * LANES, load(square + j * LANES));
            }
        }
        if (x == width) {
            x = 0;
            to += pitch * LANES;
        }
    }
}

static void fill_zeros(real *to, ptrdiff_t positions) { memset(to, 0, (size_t)(positions * LANES) * sizeof(real)); }

/* What a block reads, zero outside of the planes, where the zeros of a block before that was laid out alike remain. */
static void read_source(const plan *cut, const block *part, block *before, const real *source, real *to)
{
    const ptrdiff_t *size = cut->source_size, *corner = part->corner, *extent = part->extent, plane = volume(size);
    const ptrdiff_t *begin = part->begin, *inside = part->inside;
    const real *from = source + (part->image * cut->channels + part->channel) * plane;
    const real *end = source + cut->batch * cut->channels * plane;
    const ptrdiff_t ahead = cut->channels * plane;
    if (memcmp(extent, before->extent, sizeof part->extent) || memcmp(begin, before->begin, sizeof part->begin) ||
        memcmp(inside, before->inside, sizeof part->inside))
        fill_zeros(to, volume(extent));
    *before = *part;
    if (volume(inside) == 0)
        return;
    const int whole = inside[2] == size[2]; /* then lines follow one another */
    for (ptrdiff_t z = begin[0]; z < begin[0] + inside[0]; z++) {
        const real *line = from + ((corner[0] + z) * size[1] + corner[1] + begin[1]) * size[2] + corner[2] + begin[2];
        real *write = to + ((z * extent[1] + begin[1]) * extent[2] + begin[2]) * LANES;
        if (whole) {
            read_lines(line, plane, part->channels, inside[1] * inside[2], end, ahead, inside[2], extent[2], write);
            continue;
        }
        for (ptrdiff_t y = 0; y < inside[1]; y++)
            read_lines(line + y * size[2], plane, part->channels, inside[2], end, ahead, inside[2], extent[2],
                       write + y * extent[2] * LANES);
    }
}

/* The targets of a block, which are one stretch of each plane: several lines only if they are whole. */
static ptrdiff_t target_place(const plan *cut, const block *part, ptrdiff_t *plane)
{
    const ptrdiff_t *size = cut->target_size, *first = part->first;
    *plane = volume(size);
    return (part->image * cut->channels + part->channel) * *plane + (first[0] * size[1] + first[1]) * size[2] +
        first[2];
}

static void write_targets(const plan *cut, const block *part, const real *from)
{
    ptrdiff_t plane;
    const ptrdiff_t count = volume(part->size), lines = part->size[2] == cut->target_size[2] ? 1 : part->size[1];
    real *to = cut->target + target_place(cut, part, &plane);
    for (ptrdiff_t line = 0; line < lines; line++, to += cut->target_size[2], from += part->size[2] * LANES)
        for (ptrdiff_t i = 0; i < count / lines; i += LANES) {
            const ptrdiff_t taken = smaller(LANES, count / lines - i);
            vec square[LANES];
            UNROLL
            for (int j = 0; j < LANES; j++)
                square[j] = load(from + (i + j) * LANES);
            transpose(square);
            for (ptrdiff_t channel = 0; channel < part->channels; channel++)
                __builtin_prefetch(to + channel * plane + i + cut->channels * plane, 1);
            if (taken == LANES)
                for (ptrdiff_t channel = 0; channel < part->channels; channel++)
                    store(to + channel * plane + i, square[channel]);
            else
                for (ptrdiff_t channel = 0; channel < part->channels; channel++)
                    store_first(to + channel * plane + i, square[channel], taken);
        }
}

/* The sums of `windows` neighbours, each over the same taps. */
INLINE void sum_taps(const int windows, ptrdiff_t taps, const ptrdiff_t *offset, const real *weight, vec bias,
                     const real *from, ptrdiff_t step, real *to, ptrdiff_t to_step)
{
    vec total[TOGETHER];
    UNROLL
    for (int i = 0; i < windows; i++)
        total[i] = bias;
    for (ptrdiff_t tap = 0; tap < taps; tap++) {
        const vec factor = load(weight + tap * LANES);
        const real *read = from + offset[tap];
        UNROLL
        for (int i = 0; i < windows; i++)
            total[i] += factor * load(read + i * step);
    }
    UNROLL
    for (int i = 0; i < windows; i++)
        store(to + i * to_step, total[i]);
}

static void sum_line(ptrdiff_t windows, ptrdiff_t taps, const ptrdiff_t *offset, const real *weight, vec bias,
                     const real *from, ptrdiff_t step, real *to, ptrdiff_t to_step)
{
    for (; windows >= TOGETHER; windows -= TOGETHER, from += TOGETHER * step, to += TOGETHER * to_step)
        sum_taps(TOGETHER, taps, offset, weight, bias, from, step, to, to_step);
    if (windows & 4) {
        sum_taps(4, taps, offset, weight, bias, from, step, to, to_step);
        from += 4 * step;
        to += 4 * to_step;
    }
    if (windows & 2) {
        sum_taps(2, taps, offset, weight, bias, from, step, to, to_step);
        from += 2 * step;
        to += 2 * to_step;
    }
    if (windows & 1)
        sum_taps(1, taps, offset, weight, bias, from, step, to, to_step);
}

static status convolve_units(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t channel_block = task / cut->pieces, piece = task % cut->pieces;
    const ptrdiff_t kernel = cut->taps;
    block part, before = {0};
    ptrdiff_t offset[MOST_TAPS + SUMMED_TAPS] = {0}; /* those behind the last tap are summed for nobody */
    real *source = scratch(SCRATCH_COLUMNS, (size_t)source_elements(cut) * sizeof(real));
    real *targets = scratch(SCRATCH_TILES, (size_t)target_elements(cut) * sizeof(real));
    real *weight = scratch(SCRATCH_PIECES, (size_t)(kernel * LANES) * sizeof(real));
    if (!source || !targets || !weight)
        return NO_MEMORY;

    const ptrdiff_t channel = channel_block * LANES, channels = smaller(LANES, cut->channels - channel);
    for (ptrdiff_t tap = 0; tap < kernel; tap++)
        for (ptrdiff_t i = 0; i < LANES; i++)
            weight[tap * LANES + i] = i < channels ? cut->filter[(channel + i) * kernel + cut->index[tap]] : 0;
    const vec bias = cut->bias ? load_first(cut->bias + channel, channels) : zero_vector();

    const ptrdiff_t *phases = cut->phases, *step = cut->step;
    for (ptrdiff_t unit = cut->units * piece / cut->pieces; unit < cut->units * (piece + 1) / cut->pieces; unit++) {
        place_block(cut, channel_block, unit, &part, offset);
        read_source(cut, &part, &before, cut->source, source);
        for (ptrdiff_t y = 0; y < part.size[1]; y++) {
            const ptrdiff_t line_phase = part.first[0] % phases[0] * phases[1] + y % phases[1];
            const real *from = source + y / phases[1] * step[1] * part.extent[2] * LANES;
            for (ptrdiff_t x = 0; x < smaller(phases[2], part.size[2]); x++) {
                const ptrdiff_t phase = line_phase * phases[2] + x, first = cut->first_tap[phase];
                sum_line(ceil_div(part.size[2] - x, phases[2]), cut->first_tap[phase + 1] - first, offset + first,
                         weight + first * LANES, bias, from, step[2] * LANES,
                         targets + (y * part.size[2] + x) * LANES, phases[2] * LANES);
            }
        }
        write_targets(cut, &part, targets);
    }
    return OK;
}

static status convolve(plan *cut)
{
    if (cut->units == 0)
        return OK;
    const ptrdiff_t channel_blocks = ceil_div(cut->channels, LANES);
    const ptrdiff_t units_a_task = ceil_div(TASK_ELEMENTS, volume(cut->size) * LANES);
    cut->pieces = ceil_div(cut->units, units_a_task);
    const double work = (double)cut->batch * (double)cut->channels * (double)cut->taps *
        (double)smaller(volume(cut->target_size), volume(cut->source_size));
    return (work < SERIAL_PRODUCTS ? serial_for : parallel_for)(channel_blocks * cut->pieces, convolve_units, cut);
}

status channelwise_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y)
{
    plan cut = {.source = x, .filter = w, .bias = bias, .target = y};
    return make_plan(shape, 0, &cut) == OK ? convolve(&cut) : NO_MEMORY;
}

status channelwise_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x)
{
    plan cut = {.source = g, .filter = w, .bias = bias, .target = x};
    return make_plan(shape, 1, &cut) == OK ? convolve(&cut) : NO_MEMORY;
}

/* sums[tap] += what `lines` of `width` windows read at SUMMED_TAPS taps, times their cotangents. */
static void correlate(ptrdiff_t lines, ptrdiff_t width, const real *source, ptrdiff_t source_line, ptrdiff_t step,
                      const ptrdiff_t *offset, const real *cotangent, ptrdiff_t cotangent_line, real *sums)
{
    vec total[SUMMED_TAPS];
    UNROLL
    for (int tap = 0; tap < SUMMED_TAPS; tap++)
        total[tap] = zero_vector();
    for (ptrdiff_t y = 0; y < lines; y++, source += source_line, cotangent += cotangent_line) {
        const real *from = source;
        for (ptrdiff_t x = 0; x < width; x++, from += step) {
            const vec factor = load(cotangent + x * LANES);
            UNROLL
            for (int tap = 0; tap < SUMMED_TAPS; tap++)
                total[tap] += factor * load(from + offset[tap]);
        }
    }
    UNROLL
    for (int tap = 0; tap < SUMMED_TAPS; tap++)
        store(sums + tap * LANES, load(sums + tap * LANES) + total[tap]);
}

/* The same for a block, in stretches of about CHAIN windows. */
static void correlate_block(const plan *cut, const block *part, const real *source, const ptrdiff_t *offset,
                            const real *cotangent, real *sums)
{
    const ptrdiff_t step = cut->step[2] * LANES, line = cut->step[1] * part->extent[2] * LANES;
    const ptrdiff_t width = smaller(part->size[2], CHAIN), lines = CHAIN / width;
    for (ptrdiff_t y = 0; y < part->size[1]; y += lines)
        for (ptrdiff_t x = 0; x < part->size[2]; x += width)
            correlate(smaller(lines, part->size[1] - y), smaller(width, part->size[2] - x),
                      source + y * line + x * step, line, step, offset,
                      cotangent + (y * part->size[2] + x) * LANES, part->size[2] * LANES, sums);
}

static status correlate_units(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t channel_block = task / cut->pieces, piece = task % cut->pieces;
    const ptrdiff_t taps = round_up(cut->taps, SUMMED_TAPS);
    block part, before = {0};
    ptrdiff_t offset[MOST_TAPS + SUMMED_TAPS] = {0}; /* those behind the last tap are summed for nobody */
    real *source = scratch(SCRATCH_COLUMNS, (size_t)source_elements(cut) * sizeof(real));
    real *cotangent = scratch(SCRATCH_TILES, (size_t)target_elements(cut) * sizeof(real));
    if (!source || !cotangent)
        return NO_MEMORY;
    real *sums = cut->sums + task * taps * LANES;
    fill_zeros(sums, taps);
    for (ptrdiff_t unit = cut->units * piece / cut->pieces; unit < cut->units * (piece + 1) / cut->pieces; unit++) {
        place_block(cut, channel_block, unit, &part, offset);
        read_source(cut, &part, &before, cut->source, source);
        ptrdiff_t plane;
        const real *from = cut->cotangent + target_place(cut, &part, &plane);
        const real *end = cut->cotangent + cut->batch * cut->channels * plane;
        const ptrdiff_t lines = part.size[2] == cut->target_size[2] ? 1 : part.size[1];
        const ptrdiff_t count = volume(part.size) / lines;
        for (ptrdiff_t line = 0; line < lines; line++)
            read_lines(from + line * cut->target_size[2], plane, part.channels, count, end, cut->channels * plane, count, count,
                       cotangent + line * count * LANES);
        for (ptrdiff_t tap = 0; tap < taps; tap += SUMMED_TAPS)
            correlate_block(cut, &part, source, offset + tap, cotangent, sums + tap * LANES);
    }
    return OK;
}

status channelwise_weight(const conv_shape *shape, const real *x, const real *g, real *w)
{
    plan cut = {.source = x, .cotangent = g};
    if (make_plan(shape, 0, &cut) != OK)
        return NO_MEMORY;
    const ptrdiff_t channel_blocks = ceil_div(cut.channels, LANES), taps = round_up(cut.taps, SUMMED_TAPS);
    cut.pieces = larger(1, smaller(cut.units, MOST_TASKS / channel_blocks));
    const size_t sums = (size_t)(channel_blocks * cut.pieces * taps * LANES);
    cut.sums = scratch(SCRATCH_SUMS, sums * sizeof(real));
    if (!cut.sums)
        return NO_MEMORY;
    const double work = (double)cut.batch * (double)cut.channels * (double)cut.taps * (double)volume(cut.target_size);
    const status summed = (work < SERIAL_PRODUCTS ? serial_for : parallel_for)(channel_blocks * cut.pieces,
                                                                           correlate_units, &cut);
    if (summed != OK)
        return summed;
    for (ptrdiff_t channel = 0; channel < cut.channels; channel++) {
        const real *of_channel = cut.sums + channel / LANES * cut.pieces * taps * LANES + channel % LANES;
        for (ptrdiff_t tap = 0; tap < cut.taps; tap++) {
            real total = 0;
            for (ptrdiff_t piece = 0; piece < cut.pieces; piece++)
                total += of_channel[(piece * taps + tap) * LANES];
            w[channel * cut.taps + cut.index[tap]] = total;
        }
    }
    return OK;
}
