#include <string.h>

#include "scratch.h"
#include "threads.h"
#include "weight.h"

/* Filter gradients of few channels. Vectors run along the filters, and what a tap reads is one number for all of them,
 * taken from where it lies: nothing is gathered. Only the cotangent is copied, to [window, filter]. */

#if VECTOR_BYTES == 64 || defined(NEON_TILES)
enum { MOST_SUMS = 28 }; /* + the cotangent + a number of 32 registers */
#else
enum { MOST_SUMS = 12 };
#endif

enum {
    MOST_LINES = 5, /* of taps that are summed at once */
    MOST_CHANNELS = 16,
    BLOCK_WINDOWS = 512,
};

/* Lines of windows are cut into blocks, and these into `splits`, which depends on the shape only, so that the order of
 * summation does too. */
typedef struct {
    const weight_gradient *gradient;
    const conv_shape *shape;
    ptrdiff_t filters; /* rounded up to whole vectors */
    ptrdiff_t lines, cuts, blocks, splits;
    int inside;      /* no tap ever reads padding: the source is read where it is */
    ptrdiff_t pitch; /* else of the lines of its padded copy */
    real *sums;      /* [splits, channels, taps, filters] */
} plan;

/* Windows that are summed over, and how far apart things lie for them. */
typedef struct {
    ptrdiff_t lines, width;
    ptrdiff_t line, step, tap_line; /* in the source: lines of windows, windows, lines of taps */
    ptrdiff_t filters;              /* in the cotangent: windows; in the sums: taps */
} windows;

/* sums[tap, lane] += source of the tap times cotangent[window, lane], for `down` lines of `across` taps. */
INLINE void add_taps(const int across, const int down, const windows *over, const real *source, const real *cotangent,
                     real *sums)
{
    vec total[MOST_SUMS];
    UNROLL
    for (int tap = 0; tap < down * across; tap++)
        total[tap] = load(sums + tap * over->filters);
    for (ptrdiff_t y = 0; y < over->lines; y++) {
        const real *line[MOST_LINES];
        UNROLL
        for (int i = 0; i < down; i++)
            line[i] = source + y * over->line + i * over->tap_line;
        for (ptrdiff_t x = 0; x < over->width; x++) {
            const vec factor = load(cotangent);
            UNROLL
            for (int i = 0; i < down; i++) {
                UNROLL
                for (int j = 0; j < across; j++)
                    total[i * across + j] += factor * broadcast(line[i][x * over->step + j]);
            }
            cotangent += over->filters;
        }
    }
    UNROLL
    for (int tap = 0; tap < down * across; tap++)
        store(sums + tap * over->filters, total[tap]);
}

static void add_lines_of_taps(ptrdiff_t across, ptrdiff_t down, const windows *over, const real *source,
                              const real *cotangent, real *sums)
{
#define TAPS(across, down)                                                                                             \
    case (across) * 8 + (down):                                                                                        \
        if ((across) * (down) <= MOST_SUMS)                                                                            \
            add_taps(across, down, over, source, cotangent, sums);                                                     \
        break;
#define LINES(across) TAPS(across, 1) TAPS(across, 2) TAPS(across, 3) TAPS(across, 4) TAPS(across, 5)
    switch (across * 8 + down) {
        LINES(3)
        LINES(4)
        LINES(5)
        LINES(7)
    }
#undef LINES
#undef TAPS
}

int taps_take(const weight_gradient *gradient, const conv_shape *shape)
{
    const ptrdiff_t across = shape->kernel[2], width = shape->out[2];
    if (shape->groups != 1 || shape->kernel[0] != 1 || shape->in[0] != 1 || shape->out[0] != 1 || shape->dilation[2] != 1 ||
        gradient->channels > MOST_CHANNELS || !(across == 7 || (across >= 3 && across <= 5)))
        return 0;
    const double filled = (double)gradient->filters / (double)round_up(gradient->filters, LANES);
    return filled >= (dots_take(gradient) ? (double)width / (double)round_up(width, LANES) : 0.5);
}

/* Copies what `lines` lines of windows read of a plane, with its padding. */
static void copy_padded(const plan *cut, const real *plane, ptrdiff_t first, ptrdiff_t lines, real *to)
{
    const conv_shape *shape = cut->shape;
    const ptrdiff_t height = (lines - 1) * shape->stride[1] + (shape->kernel[1] - 1) * shape->dilation[1] + 1;
    const ptrdiff_t left = smaller(shape->before[2], cut->pitch), width = smaller(shape->in[2], cut->pitch - left);
    for (ptrdiff_t row = 0; row < height; row++, to += cut->pitch) {
        const ptrdiff_t y = first * shape->stride[1] - shape->before[1] + row;
        const int empty = y < 0 || y >= shape->in[1];
        for (ptrdiff_t x = 0; x < left; x++)
            to[x] = 0;
        for (ptrdiff_t x = 0; x < width; x++)
            to[left + x] = empty ? 0 : plane[y * shape->in[2] + x];
        for (ptrdiff_t x = left + width; x < cut->pitch; x++)
            to[x] = 0;
    }
}

/* cotangent[filter, window] becomes [window, filter], with zeros up to the last whole vector. */
static void transpose_cotangent(const plan *cut, ptrdiff_t image, ptrdiff_t first, ptrdiff_t count, real *to)
{
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t area = volume(cut->shape->out), filters = gradient->filters;
    const real *from = gradient->cotangent + image * filters * area + first;
    const real *end = gradient->cotangent + gradient->batch * filters * area;
    for (ptrdiff_t window = 0; window < count; window += LANES)
        for (ptrdiff_t filter = 0; filter < filters; filter += LANES)
            transpose_block(from + filter * area + window, area, filters - filter, count - window, end,
                            to + window * cut->filters + filter, cut->filters);
}

static status sum_split(void *context, ptrdiff_t split)
{
    const plan *cut = context;
    const conv_shape *shape = cut->shape;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t across = shape->kernel[2], width = shape->out[2], plane = volume(shape->in), taps = volume(shape->kernel);
    const ptrdiff_t height = (cut->lines - 1) * shape->stride[1] + (shape->kernel[1] - 1) * shape->dilation[1] + 1;
    const ptrdiff_t pitch = cut->inside ? shape->in[2] : cut->pitch;
    windows over = {.width = width, .line = shape->stride[1] * pitch, .step = shape->stride[2],
                    .tap_line = shape->dilation[1] * pitch, .filters = cut->filters};
    real *cotangent = scratch(SCRATCH_TILES, (size_t)(cut->lines * width * cut->filters) * sizeof(real));
    real *copy = scratch(SCRATCH_COLUMNS, (size_t)(cut->inside ? 0 : height * pitch) * sizeof(real));
    if (!cotangent || !copy)
        return NO_MEMORY;
    const ptrdiff_t sums_size = gradient->channels * taps * cut->filters;
    real *sums = cut->sums + split * sums_size;
    memset(sums, 0, (size_t)sums_size * sizeof(real));
    const ptrdiff_t most = smaller(MOST_LINES, MOST_SUMS / across);
    for (ptrdiff_t block = cut->blocks * split / cut->splits; block < cut->blocks * (split + 1) / cut->splits; block++) {
        const ptrdiff_t image = block / cut->cuts, first = block % cut->cuts * cut->lines;
        over.lines = smaller(cut->lines, shape->out[1] - first);
        transpose_cotangent(cut, image, first * width, over.lines * width, cotangent);
        for (ptrdiff_t channel = 0; channel < gradient->channels; channel++) {
            const real *of_channel = gradient->source + (image * gradient->channels + channel) * plane;
            const real *source = cut->inside ? of_channel + first * over.line : copy;
            if (!cut->inside)
                copy_padded(cut, of_channel, first, over.lines, copy);
            for (ptrdiff_t y = 0; y < shape->kernel[1]; y += most)
                for (ptrdiff_t filter = 0; filter < cut->filters; filter += LANES)
                    add_lines_of_taps(across, smaller(most, shape->kernel[1] - y), &over, source + y * over.tap_line,
                                      cotangent + filter,
                                      sums + (channel * taps + y * across) * cut->filters + filter);
        }
    }
    return OK;
}

/* Adds the splits up, and turns [tap, filter] into the filters' own order. */
static void add_splits(const plan *cut)
{
    const ptrdiff_t rows = cut->gradient->channels * cut->gradient->from.taps, filters = cut->gradient->filters;
    for (ptrdiff_t row = 0; row < rows; row++)
        for (ptrdiff_t filter = 0; filter < filters; filter += LANES) {
            vec total = zero_vector();
            for (ptrdiff_t split = 0; split < cut->splits; split++)
                total += load(cut->sums + (split * rows + row) * cut->filters + filter);
            for (ptrdiff_t lane = 0; lane < smaller(LANES, filters - filter); lane++)
                cut->gradient->target[(filter + lane) * rows + row] = total[lane];
        }
}

status weight_by_taps(const weight_gradient *gradient, const conv_shape *shape)
{
    plan cut = {.gradient = gradient, .shape = shape, .filters = round_up(gradient->filters, LANES), .inside = 1};
    for (int axis = 0; axis < AXES; axis++) {
        const ptrdiff_t reach = (shape->out[axis] - 1) * shape->stride[axis] + (shape->kernel[axis] - 1) * shape->dilation[axis] + 1;
        cut.inside &= shape->before[axis] == 0 && reach <= shape->in[axis];
        cut.pitch = reach; /* of the last axis, in the end */
    }
    cut.lines = larger(1, smaller(shape->out[1], BLOCK_WINDOWS / shape->out[2]));
    cut.cuts = ceil_div(shape->out[1], cut.lines);
    cut.blocks = gradient->batch * cut.cuts;
    const double work = weight_work(gradient);
    const ptrdiff_t sums_bytes = gradient->channels * gradient->from.taps * cut.filters * (ptrdiff_t)sizeof(real);
    cut.splits = weight_splits(gradient, cut.blocks, sums_bytes);
    cut.sums = scratch(SCRATCH_SUMS, (size_t)(cut.splits * sums_bytes));
    if (!cut.sums)
        return NO_MEMORY;
    const status summed = (work < SERIAL_PRODUCTS ? serial_for : parallel_for)(cut.splits, sum_split, &cut);
    if (summed == OK)
        add_splits(&cut);
    return summed;
}
