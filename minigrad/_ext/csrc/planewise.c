#include "planewise.h"

#include <string.h>

#include "finish.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

enum {
    LARGEST = 7,             /* square filter that has a form of its own */
    STRIP_BYTES = 16 * 1024, /* what a strip reads stays in the first-level cache while vectors walk down it */
    STRIP_LINES = 256,       /* at most: products that are added one after the other, as rounding grows with them */
    TASK_ELEMENTS = 1 << 15,
    MOST_TASKS = 32,         /* of a filter gradient */
};

/* Targets read the source; in the adjoint the cotangent is the source. A slice is two axes of a plane, a strip some of
 * its lines, or all those of some planes. */
typedef struct {
    const conv_shape *shape;
    int adjoint;
    ptrdiff_t source_size[AXES], target_size[AXES];
    ptrdiff_t size, step, corner[AXES]; /* of the square filters; and where they begin to read */
    ptrdiff_t lines, strips, channels; /* of a strip, of a slice, of a strip */
    ptrdiff_t units, pieces, units_a_task, channels_a_task;
    const real *source, *filter, *bias, *cotangent;
    real *target, *sums; /* sums: [channel block, piece, channel, tap, LANES] */
} plan;

typedef struct {
    ptrdiff_t plane, channel, channels; /* the first among those of all images, and of its own */
    ptrdiff_t slice, first, last;
} strip;

/* Is this the adjoint of a convolution at stride 2? */
INLINE int is_spread(const plan *cut) { return cut->adjoint && cut->shape->stride[2] == 2; }

int planewise_takes(const conv_shape *shape, int adjoint)
{
    const ptrdiff_t size = shape->kernel[2], stride = shape->stride[2], odd = size / 2 % 2;
    if (VECTOR_BYTES == 16 || 3 * shape->out[2] <= LANES || shape->in_channels != 1 || shape->out_channels != 1)
        return 0;
    for (int axis = 1; axis < AXES; axis++)
        if (shape->kernel[axis] != size || shape->stride[axis] != stride || shape->dilation[axis] != 1 ||
            (adjoint && stride == 2 && shape->before[axis] % 2 != odd))
            return 0;
    return shape->kernel[0] == 1 && shape->stride[0] == 1 && shape->before[0] == 0 && shape->in[0] == shape->out[0] &&
           shape->groups > 1 && stride <= 2 && (size == 3 || size == 5 || size == LARGEST);
}

static plan make_plan(const conv_shape *shape, int adjoint)
{
    plan made = {.shape = shape, .adjoint = adjoint}, *cut = &made;
    for (int axis = 0; axis < AXES; axis++) {
        cut->source_size[axis] = adjoint ? shape->out[axis] : shape->in[axis];
        cut->target_size[axis] = adjoint ? shape->in[axis] : shape->out[axis];
        cut->corner[axis] = (adjoint ? 1 - shape->kernel[axis] : 0) + (adjoint ? 1 : -1) * shape->before[axis];
    }
    cut->size = shape->kernel[2];
    cut->step = adjoint ? 1 : shape->stride[2];
    const ptrdiff_t *size = cut->target_size, lines = larger(1, size[1]);
    const ptrdiff_t line_bytes = larger(1, larger(cut->source_size[2] * cut->step, size[2]) * (ptrdiff_t)sizeof(real));
    const ptrdiff_t fit = smaller(STRIP_LINES, larger(2 * LARGEST, STRIP_BYTES / line_bytes));
    cut->lines = round_up(ceil_div(lines, ceil_div(lines, fit)), 2);
    cut->strips = ceil_div(lines, cut->lines);
    cut->channels = smaller(shape->groups, larger(1, STRIP_BYTES / (lines * line_bytes)));
    if (cut->strips * size[0] > 1)
        cut->channels = 1;
    cut->units = volume(size) ? shape->batch * size[0] * cut->strips : 0; /* of each channel */
    return made;
}

/* The strip of this number among those of some channels. */
static strip find_strip(const plan *cut, ptrdiff_t unit, ptrdiff_t channel, ptrdiff_t channels)
{
    const ptrdiff_t first = unit % cut->strips * cut->lines, slice = unit / cut->strips;
    return (strip){
        .plane = slice / cut->target_size[0] * cut->shape->groups + channel,
        .channel = channel,
        .channels = channels,
        .slice = slice % cut->target_size[0],
        .first = first,
        .last = smaller(first + cut->lines, cut->target_size[1]),
    };
}

/* What up to LANES windows read, which lie `step` apart from `place` on; zeros beyond the ends of the line and behind
 * the last window. `whole`: there are LANES windows, all inside. */
INLINE vec read_windows(const int whole, const ptrdiff_t step, const real *from, ptrdiff_t place, ptrdiff_t width,
                        ptrdiff_t windows)
{
    const ptrdiff_t begin = -place, end = smaller(width - place, smaller(windows, LANES) * step);
    from += place;
    if (step == 1)
        return whole ? load(from) : load_between(from, begin, end);
    return whole ? load_even(from)
                 : even_lanes(load_between(from, begin, end),
                              load_between(from + LANES, begin - LANES, end - LANES));
}

INLINE void store_windows(const int whole, real *to, vec value, ptrdiff_t windows)
{
    if (whole)
        store(to, value);
    else
        store_first(to, value, windows);
}

/* Where the slice of a strip's first plane begins. */
static const real *source_slice(const plan *cut, const strip *part)
{
    const ptrdiff_t *size = cut->source_size;
    return cut->source + (part->plane * size[0] + part->slice) * size[1] * size[2];
}
static ptrdiff_t target_slice(const plan *cut, const strip *part)
{
    const ptrdiff_t *size = cut->target_size;
    return (part->plane * size[0] + part->slice) * size[1] * size[2];
}

INLINE int are_whole(const plan *cut, const ptrdiff_t step, ptrdiff_t windows, ptrdiff_t lowest, ptrdiff_t highest)
{
    return windows >= LANES && lowest >= 0 && highest + step * LANES <= cut->source_size[2];
}

/* The sums of windows x, x + 1, ... of a filter of `size` x `size`, for each line of a strip. Every vector of the
 * source is loaded once for all the lines that read it: a line begins `live` - 1 steps before it is done, and a step
 * reads `step` lines of the source. */
INLINE void filter_column(const int size, const int step, const int whole, const plan *cut, const strip *part,
                          ptrdiff_t x)
{
    const int live = (size + step - 1) / step;
    const ptrdiff_t source_lines = cut->source_size[1], source_width = cut->source_size[2];
    const ptrdiff_t width = cut->target_size[2], windows = width - x, first = part->first, last = part->last;
    const ptrdiff_t left = x * step + cut->corner[2], top = cut->corner[1], forwards = cut->adjoint ? -1 : 1;
    const ptrdiff_t source_plane = volume(cut->source_size), target_plane = volume(cut->target_size);
    const real *source = source_slice(cut, part), *bias = cut->bias ? cut->bias + part->channel : 0;
    const real *filter = cut->filter + part->channel * size * size + (cut->adjoint ? size * size - 1 : 0);
    real *target = cut->target + target_slice(cut, part) + x;
    const int finishes = cut->shape->finish != NULL;
    channel_finish finish;
    for (ptrdiff_t channel = 0; channel < part->channels; channel++) {
        const vec begin = broadcast(bias ? bias[channel] : 0);
        vec weight[LARGEST * LARGEST], total[LARGEST];
        if (finishes)
            finish = finish_of(cut->shape->finish, part->channel + channel);
        UNROLL
        for (int i = 0; i < size * size; i++)
            weight[i] = broadcast(filter[i * forwards]);
        UNROLL
        for (int age = 0; age < live; age++)
            total[age] = begin;
        for (ptrdiff_t y = first; y < last + live - 1; y++) {
            UNROLL
            for (int below = 0; below < step; below++) {
                const ptrdiff_t row = y * step + below + top;
                if ((size_t)row >= (size_t)source_lines)
                    continue;
                UNROLL
                for (int i = 0; i < size; i++) {
                    const vec read =
                        read_windows(whole, step, source + row * source_width, left + i, source_width, windows);
                    UNROLL
                    for (int age = 0; age < live; age++)
                        if (age * step + below < size)
                            total[age] += weight[(age * step + below) * size + i] * read;
                }
            }
            if (y - (live - 1) >= first) {
                const vec sum = total[live - 1];
                store_windows(whole, target + (y - (live - 1)) * width,
                              finishes ? finished(&finish, sum, -zero_vector()) : sum, windows);
            }
            UNROLL
            for (int age = live - 1; age > 0; age--)
                total[age] = total[age - 1];
            total[0] = begin;
        }
        source += source_plane;
        target += target_plane;
        filter += size * size;
    }
}

INLINE void filter_square(const int size, const int step, const plan *cut, const strip *part)
{
    for (ptrdiff_t x = 0; x < cut->target_size[2]; x += LANES) {
        const ptrdiff_t left = x * step + cut->corner[2];
        if (are_whole(cut, step, cut->target_size[2] - x, left, left + size - 1))
            filter_column(size, step, 1, cut, part, x);
        else
            filter_column(size, step, 0, cut, part, x);
    }
}

/* The adjoint of stride 2, whose targets are pairs along both axes: half i % 2 of pair p + i / 2, less half the
 * padding, gets what tap i makes of source p, or tap i - 1 if the padding is odd. The sums of `live` pairs of lines
 * grow at once, as in filter_column. */
INLINE void spread_column(const int size, const int whole, const plan *cut, const strip *part, ptrdiff_t x)
{
    const int odd = size / 2 % 2, live = (size - 1 + odd) / 2 + 1;
    const ptrdiff_t source_lines = cut->source_size[1], source_width = cut->source_size[2];
    const ptrdiff_t width = cut->target_size[2], windows = width - 2 * x, first = part->first / 2, last = part->last;
    const ptrdiff_t left = x + (cut->shape->before[2] + odd) / 2, top = (cut->shape->before[1] + odd) / 2 - (live - 1);
    const ptrdiff_t source_plane = volume(cut->source_size), target_plane = volume(cut->target_size);
    const real *source = source_slice(cut, part), *bias = cut->bias ? cut->bias + part->channel : 0;
    const real *filter = cut->filter + part->channel * size * size;
    real *target = cut->target + target_slice(cut, part) + 2 * x;
    for (ptrdiff_t channel = 0; channel < part->channels; channel++) {
        const vec begin = broadcast(bias ? bias[channel] : 0);
        vec weight[LARGEST * LARGEST], total[(LARGEST / 2 + 1) * 4]; /* totals: [age, line, place in a pair] */
        UNROLL
        for (int i = 0; i < size * size; i++)
            weight[i] = broadcast(filter[i]);
        UNROLL
        for (int i = 0; i < live * 4; i++)
            total[i] = begin;
        for (ptrdiff_t y = first; 2 * (y - (live - 1)) < last; y++) {
            const ptrdiff_t row = y + top;
            if ((size_t)row < (size_t)source_lines) {
                UNROLL
                for (int i = odd; i < size + odd; i++) {
                    const vec read =
                        read_windows(whole, 1, source + row * source_width, left - i / 2, source_width, LANES);
                    UNROLL
                    for (int j = odd; j < size + odd; j++)
                        total[(live - 1 - j / 2) * 4 + j % 2 * 2 + i % 2] += weight[(j - odd) * size + i - odd] * read;
                }
            }
            UNROLL
            for (int below = 0; below < 2; below++) {
                const ptrdiff_t to = 2 * (y - (live - 1)) + below;
                if (to < 2 * first || to >= last)
                    continue;
                const vec *pair = total + (live - 1) * 4 + below * 2;
                store_windows(whole, target + to * width, low_pairs(pair[0], pair[1]), windows);
                store_windows(whole, target + to * width + LANES, high_pairs(pair[0], pair[1]), windows - LANES);
            }
            UNROLL
            for (int i = live * 4 - 1; i >= 0; i--)
                total[i] = i < 4 ? begin : total[i - 4];
        }
        source += source_plane;
        target += target_plane;
        filter += size * size;
    }
}

INLINE void spread_square(const int size, const plan *cut, const strip *part)
{
    const ptrdiff_t reach = (cut->shape->before[2] + size / 2 % 2) / 2;
    for (ptrdiff_t x = 0; 2 * x < cut->target_size[2]; x += LANES)
        if (are_whole(cut, 1, cut->target_size[2] / 2 - x, x + reach - size / 2, x + reach))
            spread_column(size, 1, cut, part, x);
        else
            spread_column(size, 0, cut, part, x);
}

static void filter_strip(const plan *cut, const strip *part)
{
    switch (is_spread(cut) ? -cut->size : cut->size * cut->step) {
    case 3: filter_square(3, 1, cut, part); return;
    case 5: filter_square(5, 1, cut, part); return;
    case 7: filter_square(7, 1, cut, part); return;
    case 3 * 2: filter_square(3, 2, cut, part); return;
    case 5 * 2: filter_square(5, 2, cut, part); return;
    case 7 * 2: filter_square(7, 2, cut, part); return;
    case -3: spread_square(3, cut, part); return;
    case -5: spread_square(5, cut, part); return;
    case -7: spread_square(7, cut, part); return;
    }
}

static status filter_strips(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t groups = cut->shape->groups, of_image = cut->units / cut->shape->batch;
    const ptrdiff_t blocks = ceil_div(groups, cut->channels);
    const ptrdiff_t last = smaller(cut->units * blocks, (task + 1) * cut->units_a_task);
    for (ptrdiff_t unit = task * cut->units_a_task; unit < last; unit++) {
        const ptrdiff_t image = unit / (blocks * of_image), channel = unit / of_image % blocks * cut->channels;
        const strip part = find_strip(cut, image * of_image + unit % of_image, channel,
                                      smaller(cut->channels, groups - channel));
        filter_strip(cut, &part);
    }
    return OK;
}

static double work_of(const conv_shape *shape)
{
    return (double)(shape->batch * shape->groups) * (double)volume(shape->kernel) *
           (double)smaller(volume(shape->in), volume(shape->out));
}

static status filter_planes(const conv_shape *shape, int adjoint, const real *source, const real *filter,
                            const real *bias, real *target)
{
    plan cut = make_plan(shape, adjoint);
    cut.source = source;
    cut.filter = filter;
    cut.bias = bias;
    cut.target = target;
    const ptrdiff_t units = cut.units * ceil_div(shape->groups, cut.channels);
    cut.units_a_task = ceil_div(TASK_ELEMENTS, larger(1, cut.channels * cut.lines * cut.target_size[2]));
    return (work_of(shape) < SERIAL_PRODUCTS ? serial_for : parallel_for)(ceil_div(units, cut.units_a_task), filter_strips,
                                                                     &cut);
}

status planewise_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y)
{
    return filter_planes(shape, 0, x, w, bias, y);
}

status planewise_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x)
{
    return filter_planes(shape, 1, g, w, bias, x);
}

/* sums += what the windows of a strip from x on read at some columns of a square filter, times their cotangents. */
INLINE void correlate_column(const int size, const int step, const int columns, const int whole, const plan *cut,
                             const strip *part, ptrdiff_t x, ptrdiff_t column, real *sums)
{
    const int live = (size + step - 1) / step;
    const ptrdiff_t source_lines = cut->source_size[1], source_width = cut->source_size[2];
    const ptrdiff_t width = cut->target_size[2], windows = width - x, first = part->first, last = part->last;
    const ptrdiff_t left = x * step + cut->corner[2] + column, top = cut->corner[1];
    const ptrdiff_t source_plane = volume(cut->source_size), target_plane = volume(cut->target_size);
    const real *source = source_slice(cut, part), *cotangent = cut->cotangent + target_slice(cut, part);
    sums += column * LANES;
    for (ptrdiff_t channel = 0; channel < part->channels; channel++) {
        vec total[LARGEST * LARGEST], factor[LARGEST] = {zero_vector()}, read[LARGEST];
        UNROLL
        for (int i = 0; i < size * columns; i++)
            total[i] = zero_vector();
        for (ptrdiff_t y = first; y < last + live - 1; y++) {
            UNROLL
            for (int age = live - 1; age > 0; age--)
                factor[age] = factor[age - 1];
            if (y < last)
                factor[0] = read_windows(whole, 1, cotangent + y * width, x, width, windows);
            UNROLL
            for (int below = 0; below < step; below++) {
                const ptrdiff_t row = y * step + below + top;
                if ((size_t)row >= (size_t)source_lines)
                    continue;
                UNROLL
                for (int i = 0; i < columns; i++)
                    read[i] = read_windows(whole, step, source + row * source_width, left + i, source_width, windows);
                UNROLL
                for (int age = 0; age < live; age++) {
                    if (age * step + below >= size || y - age < first || y - age >= last)
                        continue;
                    UNROLL
                    for (int i = 0; i < columns; i++)
                        total[(age * step + below) * columns + i] += factor[age] * read[i];
                }
            }
        }
        UNROLL
        for (int i = 0; i < size; i++) {
            UNROLL
            for (int j = 0; j < columns; j++) {
                real *sum = sums + (i * size + j) * LANES;
                store(sum, load(sum) + total[i * columns + j]);
            }
        }
        source += source_plane;
        cotangent += target_plane;
        sums += size * size * LANES;
    }
}

INLINE void correlate_square(const int size, const int step, const plan *cut, const strip *part, real *sums)
{
    const int columns = size == 3 || VECTOR_BYTES == 64 ? 3 : 1; /* that there are registers for */
    for (ptrdiff_t x = 0; x < cut->target_size[2]; x += LANES) {
        const ptrdiff_t left = x * step + cut->corner[2];
        const int whole = are_whole(cut, step, cut->target_size[2] - x, left, left + size - 1);
        ptrdiff_t column = 0;
        for (; column + columns <= size; column += columns)
            if (whole)
                correlate_column(size, step, columns, 1, cut, part, x, column, sums);
            else
                correlate_column(size, step, columns, 0, cut, part, x, column, sums);
        for (; column < size; column++)
            if (whole)
                correlate_column(size, step, 1, 1, cut, part, x, column, sums);
            else
                correlate_column(size, step, 1, 0, cut, part, x, column, sums);
    }
}

static void correlate_strip(const plan *cut, const strip *part, real *sums)
{
    switch (cut->size * cut->step) {
    case 3: correlate_square(3, 1, cut, part, sums); return;
    case 5: correlate_square(5, 1, cut, part, sums); return;
    case 7: correlate_square(7, 1, cut, part, sums); return;
    case 3 * 2: correlate_square(3, 2, cut, part, sums); return;
    case 5 * 2: correlate_square(5, 2, cut, part, sums); return;
    case 7 * 2: correlate_square(7, 2, cut, part, sums); return;
    }
}

static status correlate_strips(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t taps = volume(cut->shape->kernel), groups = cut->shape->groups;
    const ptrdiff_t piece = task % cut->pieces, first = task / cut->pieces * cut->channels_a_task;
    const ptrdiff_t channels = smaller(cut->channels_a_task, groups - first);
    real *sums = cut->sums + task * cut->channels_a_task * taps * LANES;
    memset(sums, 0, (size_t)(channels * taps * LANES) * sizeof(real));
    for (ptrdiff_t unit = cut->units * piece / cut->pieces; unit < cut->units * (piece + 1) / cut->pieces; unit++)
        for (ptrdiff_t channel = 0; channel < channels; channel += cut->channels) {
            const strip part = find_strip(cut, unit, first + channel, smaller(cut->channels, channels - channel));
            correlate_strip(cut, &part, sums + channel * taps * LANES);
        }
    return OK;
}

/* The sums of a channel block, added over its pieces and lanes. */
static status add_pieces(void *context, ptrdiff_t block)
{
    const plan *cut = context;
    const ptrdiff_t taps = volume(cut->shape->kernel), first = block * cut->channels_a_task;
    const ptrdiff_t count = smaller(cut->channels_a_task, cut->shape->groups - first) * taps;
    const ptrdiff_t pitch = cut->channels_a_task * taps * LANES;
    const real *sums = cut->sums + block * cut->pieces * pitch;
    for (ptrdiff_t i = 0; i < count; i += LANES) {
        vec square[LANES];
        for (ptrdiff_t j = 0; j < LANES; j++) {
            square[j] = zero_vector();
            for (ptrdiff_t piece = 0; piece < cut->pieces && i + j < count; piece++)
                square[j] += load(sums + piece * pitch + (i + j) * LANES);
        }
        transpose(square);
        UNROLL
        for (int half = LANES / 2; half > 0; half /= 2) {
            UNROLL
            for (int j = 0; j < half; j++)
                square[j] += square[j + half];
        }
        store_first(cut->target + first * taps + i, square[0], count - i);
    }
    return OK;
}

status planewise_weight(const conv_shape *shape, const real *x, const real *g, real *w)
{
    plan cut = make_plan(shape, 0);
    cut.source = x;
    cut.cotangent = g;
    cut.target = w;
    cut.channels_a_task = smaller(LANES, ceil_div(shape->groups, 2));
    const ptrdiff_t blocks = ceil_div(shape->groups, cut.channels_a_task);
    cut.pieces = larger(1, smaller(cut.units, MOST_TASKS / blocks));
    const size_t sums = (size_t)(blocks * cut.pieces * cut.channels_a_task * volume(shape->kernel) * LANES);
    cut.sums = scratch(SCRATCH_SUMS, sums * sizeof(real));
    if (!cut.sums)
        return NO_MEMORY;
    status (*run)(ptrdiff_t, task_body, void *) = work_of(shape) < SERIAL_PRODUCTS ? serial_for : parallel_for;
    const status summed = run(blocks * cut.pieces, correlate_strips, &cut);
    return summed == OK ? run(blocks, add_pieces, &cut) : summed;
}
