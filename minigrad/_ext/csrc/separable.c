#include "separable.h"

#include "factor.h"
#include "finish.h"
#include "gemm.h"
#include "scratch.h"
#include "threads.h"

enum {
    CACHE_LINE = 64 / sizeof(real),
    WINDOW_BYTES = 96 * 1024, /* of widened lines, which stay in the second-level cache while they are filtered */
    LINES_A_PART = 6,         /* of results, at least: lines that two parts need are widened twice */
    TASKS_A_THREAD = 4,       /* so that threads end together */
    RESULTS = 4,              /* neighbours that are filtered together */
    MOST_TAPS = 25,           /* of which all are known when compiled */
    GROUP = 8,                /* panels of results that are narrowed together, at most */
    BAND_BYTES = 8 << 20,     /* of filtered lines, which are narrowed when all are there */
    BAND_LINES = 16,          /* at least, whatever they take */
    SLAB = STRIDED_STEPS / TILE_COLUMNS * TILE_COLUMNS, /* channels of a pixel that lie side by side */
};

/* What is done to results whose vectors hold channels. */
typedef struct {
    real *scale, *shift; /* of all channels, in whole tiles */
    real low, high;
} pixel_finish;

/* Filters are packed in tiles of channels: [tile, k, TILE_COLUMNS]. */
typedef struct {
    const separable_shape *shape;
    const real *x, *residual; /* these and y of one image; the residual may be NULL */
    real *y;
    ptrdiff_t taps, plane, results; /* results: of a plane */
    ptrdiff_t tiles, narrow_tiles;  /* of channels */
    ptrdiff_t padded_width, lines;        /* of a widened line; lines of results that are filtered at a time */
    ptrdiff_t band, first_line, last_line; /* lines of results of a band; that which is computed now, without the last */
    ptrdiff_t pitch, parts;               /* of a slab of filtered channels; of the band */
    row_panels line, panels;              /* a line of the input and the band's results, in panels of pixels */
    ptrdiff_t groups;                     /* of panels */
    real *widen, *filter, *narrow;
    pixel_finish widened, filtered, narrowed;
    real *packed; /* the input: for each line and panel [in_channels, pixels of the panel] */
    real *between; /* filtered: [channels / SLAB, results of the band, STRIDED_PITCH] */
} plan;

static ptrdiff_t vectors_of_tile(ptrdiff_t channels, ptrdiff_t tile)
{
    return ceil_div(smaller(TILE_COLUMNS, channels - tile * TILE_COLUMNS), LANES);
}

/* The same of one vector of channels. */
typedef struct {
    vec scale, shift;
    real low, high;
} vec_finish;

INLINE vec_finish finish_of_vector(const pixel_finish *finish, ptrdiff_t channel)
{
    return (vec_finish){load(finish->scale + channel), load(finish->shift + channel), finish->low, finish->high};
}

/* A NaN stays one. */
INLINE vec finished_between(const vec_finish *finish, vec value)
{
    return at_least(at_most(value * finish->scale + finish->shift, finish->high), finish->low);
}

/* --- packing ------------------------------------------------------------------------------------------------------ */

/* Bias, norm, weight and shift become one scale and shift. */
static void pack_finish(const finished_filters *filters, ptrdiff_t channels, const pixel_finish *to)
{
    const real *mean = filters->mean, *var = filters->var, *bias = filters->bias, eps = (real)filters->eps;
    const real *weight = filters->finish.scale, *shift = filters->finish.shift;
    for (ptrdiff_t i = 0; i < round_up(channels, TILE_COLUMNS); i++) {
        const int given = i < channels;
        real scale = var && given ? 1 / (real)sqrt(var[i] + eps) : 1;
        scale *= weight && given ? weight[i] : 1;
        to->scale[i] = scale;
        to->shift[i] = shift && given ? shift[i] : -(real)0; /* which a zero's sign survives */
        if (given && (bias || mean))
            to->shift[i] += scale * ((bias ? bias[i] : 0) - (mean ? mean[i] : 0));
    }
}

/* Tile `tile` of filters [channels, depth]. */
static void pack_tile(const real *filters, ptrdiff_t channels, ptrdiff_t depth, ptrdiff_t tile, real *packed)
{
    const ptrdiff_t first = tile * TILE_COLUMNS;
    real *to = packed + first * depth;
    const factor from = {filters + first * depth, 1, depth};
    const ptrdiff_t count = smaller(TILE_COLUMNS, channels - first);
    for (ptrdiff_t i = 0; i < count * depth; i += CACHE_LINE) /* memory is fastest in its order */
        __builtin_prefetch(from.start + i, 0, 2);
    pack_factor(&from, 0, depth, count, to, TILE_COLUMNS, to + depth * TILE_COLUMNS);
}

static status pack_filters(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const separable_shape *shape = cut->shape;
    if (task < cut->narrow_tiles) {
        pack_tile(shape->narrow.filter, shape->out_channels, shape->channels, task, cut->narrow);
        return OK;
    }
    pack_tile(shape->filter.filter, shape->channels, cut->taps, task - cut->narrow_tiles, cut->filter);
    if (shape->widen.filter)
        pack_tile(shape->widen.filter, shape->channels, shape->in_channels, task - cut->narrow_tiles, cut->widen);
    return OK;
}

static status pack_line(void *context, ptrdiff_t line)
{
    const plan *cut = context;
    const ptrdiff_t width = cut->shape->in[2], depth = cut->shape->in_channels;
    real *to = cut->packed + line * width * depth;
    for (ptrdiff_t panel = 0; panel < cut->line.count; panel++) {
        const ptrdiff_t first = panel_begin(cut->line, panel), pixels = panel_begin(cut->line, panel + 1) - first;
        const factor from = {cut->x + line * width + first, cut->plane, 1};
        pack_factor(&from, 0, depth, pixels, to + first * depth, pixels, to + (first + pixels) * depth);
    }
    return OK;
}

/* --- widening and filtering --------------------------------------------------------------------------------------- */

static void widen_line(const plan *cut, ptrdiff_t tile, ptrdiff_t line, real *to)
{
    const ptrdiff_t width = cut->shape->in[2], depth = cut->shape->in_channels;
    const ptrdiff_t vectors = vectors_of_tile(cut->shape->channels, tile);
    const real *filters = cut->widen + tile * TILE_COLUMNS * depth;
    for (ptrdiff_t panel = 0; panel < cut->line.count; panel++) {
        const ptrdiff_t first = panel_begin(cut->line, panel), pixels = panel_begin(cut->line, panel + 1) - first;
        real *sums = to + first * TILE_COLUMNS;
        packed_tile[pixels - 1][vectors - 1](depth, cut->packed + (line * width + first) * depth, filters, TILE_COLUMNS,
                                             sums, TILE_COLUMNS, NULL, 0);
        for (ptrdiff_t j = 0; j < vectors; j++) {
            const vec_finish finish = finish_of_vector(&cut->widened, tile * TILE_COLUMNS + j * LANES);
            for (real *at = sums + j * LANES; at < sums + pixels * TILE_COLUMNS; at += TILE_COLUMNS)
                store(at, finished_between(&finish, load(at)));
        }
    }
}

/* (channels, pixels) becomes (pixels, channels). */
static void turn_line(const plan *cut, ptrdiff_t tile, ptrdiff_t line, real *to)
{
    const ptrdiff_t width = cut->shape->in[2], first = tile * TILE_COLUMNS;
    const real *end = cut->x + cut->shape->channels * cut->plane;
    for (ptrdiff_t channel = first; channel < smaller(first + TILE_COLUMNS, cut->shape->channels); channel += LANES)
        for (ptrdiff_t x = 0; x < width; x += LANES)
            transpose_block(cut->x + channel * cut->plane + line * width + x, cut->plane,
                            cut->shape->channels - channel, width - x, end,
                            to + x * TILE_COLUMNS + channel - first, TILE_COLUMNS);
}

/* Lines first .. last - 1 of a tile of channels, which may lie beyond the plane, with the padding around. */
static void fill_lines(const plan *cut, ptrdiff_t tile, ptrdiff_t first, ptrdiff_t last, real *to)
{
    const separable_shape *shape = cut->shape;
    const ptrdiff_t left = shape->before[2], right = cut->padded_width - left - shape->in[2];
    for (ptrdiff_t line = first; line < last; line++, to += cut->padded_width * TILE_COLUMNS) {
        const int inside = line >= 0 && line < shape->in[1];
        real *pixels = to + left * TILE_COLUMNS;
        for (ptrdiff_t i = 0; i < (inside ? left : cut->padded_width) * TILE_COLUMNS; i += LANES)
            store(to + i, zero_vector());
        if (!inside)
            continue;
        if (shape->widen.filter)
            widen_line(cut, tile, line, pixels);
        else
            turn_line(cut, tile, line, pixels);
        for (ptrdiff_t i = 0; i < right * TILE_COLUMNS; i += LANES)
            store(pixels + shape->in[2] * TILE_COLUMNS + i, zero_vector());
    }
}

/* `count` neighbouring results of square filters for a vector of channels, the first of which reads from `from` on:
 * each pixel is loaded once for all that need it. */
INLINE void filter_pixels(const int count, const int taps, const int stride, const real *from, ptrdiff_t line,
                          const vec *filter, const vec_finish *finish, real *to)
{
    vec sums[RESULTS];
    UNROLL
    for (int i = 0; i < count; i++)
        sums[i] = zero_vector();
    UNROLL
    for (int y = 0; y < taps; y++)
        UNROLL
        for (int x = 0; x < (count - 1) * stride + taps; x++) {
            const vec pixel = load(from + y * line + x * TILE_COLUMNS);
            UNROLL
            for (int i = 0; i < count; i++)
                if (x >= i * stride && x < i * stride + taps)
                    sums[i] += pixel * filter[y * taps + x - i * stride];
        }
    UNROLL
    for (int i = 0; i < count; i++)
        store(to + i * STRIDED_PITCH, finished_between(finish, sums[i]));
}

INLINE void filter_by_squares(const plan *cut, const int taps, const int stride, const real *from, const real *filter,
                              const vec_finish *finish, real *to)
{
    const ptrdiff_t width = cut->shape->out[2], line = cut->padded_width * TILE_COLUMNS, next = stride * TILE_COLUMNS;
    vec factors[MOST_TAPS];
    UNROLL
    for (int tap = 0; tap < taps * taps; tap++)
        factors[tap] = load(filter + tap * TILE_COLUMNS);
    ptrdiff_t x = 0;
    for (; x + RESULTS <= width; x += RESULTS)
        filter_pixels(RESULTS, taps, stride, from + x * next, line, factors, finish, to + x * STRIDED_PITCH);
    for (; x < width; x++)
        filter_pixels(1, taps, stride, from + x * next, line, factors, finish, to + x * STRIDED_PITCH);
}

static void filter_line(const plan *cut, const real *from, const real *filter, const vec_finish *finish, real *to)
{
    const separable_shape *shape = cut->shape;
    const ptrdiff_t *kernel = shape->kernel, *dilation = shape->dilation, stride = shape->stride[2];
    const int square = kernel[1] == kernel[2] && kernel[1] <= 5 && dilation[1] == 1 && dilation[2] == 1;
#define BY_SQUARES(taps, step)                                                                                         \
    case (taps) * 2 + (step):                                                                                          \
        filter_by_squares(cut, taps, step, from, filter, finish, to);                                                  \
        return;
    switch (square && stride <= 2 ? kernel[1] * 2 + stride : 0) {
        BY_SQUARES(3, 1)
        BY_SQUARES(3, 2)
        BY_SQUARES(5, 1)
        BY_SQUARES(5, 2)
    }
#undef BY_SQUARES
    for (ptrdiff_t x = 0; x < shape->out[2]; x++, from += stride * TILE_COLUMNS) {
        vec sum = zero_vector();
        for (ptrdiff_t i = 0; i < kernel[1]; i++)
            for (ptrdiff_t j = 0; j < kernel[2]; j++)
                sum += load(from + (i * dilation[1] * cut->padded_width + j * dilation[2]) * TILE_COLUMNS) *
                    load(filter + (i * kernel[2] + j) * TILE_COLUMNS);
        store(to + x * STRIDED_PITCH, finished_between(finish, sum));
    }
}

/* Lines that one range of results still needs and the one before has widened are moved, not widened again. */
static status filter_part(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const separable_shape *shape = cut->shape;
    const ptrdiff_t tile = task / cut->parts, part = task % cut->parts, first_channel = tile * TILE_COLUMNS;
    const ptrdiff_t band = cut->last_line - cut->first_line;
    const ptrdiff_t begin = cut->first_line + band * part / cut->parts;
    const ptrdiff_t end = cut->first_line + band * (part + 1) / cut->parts;
    const ptrdiff_t reach = (shape->kernel[1] - 1) * shape->dilation[1] + 1, stride = shape->stride[1];
    const ptrdiff_t line_size = cut->padded_width * TILE_COLUMNS;
    real *lines = scratch(SCRATCH_ROWS, (size_t)(((cut->lines - 1) * stride + reach) * line_size) * sizeof(real));
    if (!lines)
        return NO_MEMORY;
    real *to = cut->between + first_channel / SLAB * cut->pitch + first_channel % SLAB;
    ptrdiff_t there = begin * stride - shape->before[1]; /* lines before this are widened */
    for (ptrdiff_t y = begin; y < end; y += cut->lines) {
        const ptrdiff_t count = smaller(cut->lines, end - y);
        const ptrdiff_t first = y * stride - shape->before[1], last = first + (count - 1) * stride + reach;
        const ptrdiff_t kept = larger(0, there - first);
        const real *old = lines + (cut->lines * stride) * line_size;
        for (ptrdiff_t i = 0; i < kept * line_size; i += LANES)
            store(lines + i, load(old + i));
        fill_lines(cut, tile, first + kept, last, lines + kept * line_size);
        there = last;
        for (ptrdiff_t j = 0; j < vectors_of_tile(shape->channels, tile); j++) {
            const vec_finish finish = finish_of_vector(&cut->filtered, first_channel + j * LANES);
            const real *filter = cut->filter + first_channel * cut->taps + j * LANES;
            for (ptrdiff_t i = 0; i < count; i++)
                filter_line(cut, lines + i * stride * line_size + j * LANES, filter, &finish,
                            to + (y + i - cut->first_line) * shape->out[2] * STRIDED_PITCH + j * LANES);
        }
    }
    return OK;
}

/* --- narrowing ---------------------------------------------------------------------------------------------------- */

/* (pixels, channels) becomes (channels, pixels), finished; the pixels from the first one of the band on. */
static void turn_results(const plan *cut, ptrdiff_t tile, ptrdiff_t first, ptrdiff_t pixels, const real *sums)
{
    const ptrdiff_t begin = tile * TILE_COLUMNS, end = smaller(begin + TILE_COLUMNS, cut->shape->out_channels);
    for (ptrdiff_t channel = begin; channel < end; channel += LANES) {
        const vec_finish finish = finish_of_vector(&cut->narrowed, channel);
        for (ptrdiff_t pixel = 0; pixel < pixels; pixel += LANES) {
            const ptrdiff_t left = pixels - pixel;
            vec square[LANES];
            const real *from = sums + pixel * TILE_COLUMNS + channel - begin;
            for (int i = 0; i < LANES; i++)
                square[i] = i < left ? load(from + i * TILE_COLUMNS) * finish.scale + finish.shift : zero_vector();
            transpose(square);
            for (int i = 0; i < LANES && channel + i < end; i++) {
                const ptrdiff_t at = (channel + i) * cut->results + cut->first_line * cut->shape->out[2] + first + pixel;
                if (cut->residual)
                    square[i] += load_up_to(cut->residual + at, left);
                const vec value = at_most(square[i], finish.high);
                store_up_to(cut->y + at, choose(value <= finish.low, broadcast(finish.low), value), left);
            }
        }
    }
}

static status narrow_group(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t tile = task / cut->groups, group = task % cut->groups, depth = cut->shape->channels;
    const ptrdiff_t panel_first = cut->panels.count * group / cut->groups;
    const ptrdiff_t panel_last = cut->panels.count * (group + 1) / cut->groups;
    const ptrdiff_t first = panel_begin(cut->panels, panel_first), end = panel_begin(cut->panels, panel_last);
    const ptrdiff_t vectors = vectors_of_tile(cut->shape->out_channels, tile);
    real *sums = scratch(SCRATCH_TILES, (size_t)((end - first) * TILE_COLUMNS) * sizeof(real));
    if (!sums)
        return NO_MEMORY;
    for (ptrdiff_t done = 0; done < depth; done += SLAB) {
        const real *filters = cut->narrow + (tile * depth + done) * TILE_COLUMNS;
        const real *from = cut->between + done / SLAB * cut->pitch;
        for (ptrdiff_t panel = panel_first; panel < panel_last; panel++) {
            const ptrdiff_t pixel = panel_begin(cut->panels, panel);
            const ptrdiff_t height = panel_begin(cut->panels, panel + 1) - pixel;
            strided_tile[height - 1][vectors - 1](smaller(SLAB, depth - done), from + pixel * STRIDED_PITCH,
                                                  filters, sums + (pixel - first) * TILE_COLUMNS, TILE_COLUMNS, NULL,
                                                  done > 0);
        }
    }
    turn_results(cut, tile, first, end - first, sums);
    return OK;
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static real *take(real **memory, ptrdiff_t count)
{
    real *taken = *memory;
    *memory += count;
    return taken;
}

static pixel_finish take_finish(real **memory, const finished_filters *filters, ptrdiff_t tiles)
{
    const ptrdiff_t channels = tiles * TILE_COLUMNS;
    real *scale = take(memory, channels);
    return (pixel_finish){scale, take(memory, channels), (real)filters->finish.low, (real)filters->finish.high};
}

static const char layout;

static status prepare_filters(plan *cut, status (*run)(ptrdiff_t, task_body, void *))
{
    const separable_shape *shape = cut->shape;
    const ptrdiff_t channels = cut->tiles * TILE_COLUMNS, out_channels = cut->narrow_tiles * TILE_COLUMNS;
    const ptrdiff_t widening = shape->widen.filter ? shape->in_channels : 0;
    const ptrdiff_t count = channels * (widening + cut->taps + 4) + out_channels * (shape->channels + 2);
    int ready;
    real *memory = kept_place(shape->kept, &layout, (size_t)count * sizeof(real), &ready);
    const int keeps = memory != NULL;
    if (!memory)
        memory = scratch(SCRATCH_FILTER, (size_t)count * sizeof(real));
    if (!memory)
        return NO_MEMORY;
    cut->widen = take(&memory, channels * widening);
    cut->filter = take(&memory, channels * cut->taps);
    cut->narrow = take(&memory, out_channels * shape->channels);
    cut->widened = take_finish(&memory, &shape->widen, cut->tiles);
    cut->filtered = take_finish(&memory, &shape->filter, cut->tiles);
    cut->narrowed = take_finish(&memory, &shape->narrow, cut->narrow_tiles);
    if (ready)
        return OK;
    pack_finish(&shape->widen, shape->channels, &cut->widened);
    pack_finish(&shape->filter, shape->channels, &cut->filtered);
    pack_finish(&shape->narrow, shape->out_channels, &cut->narrowed);
    const status packed = (count < SERIAL_ELEMENTS ? serial_for : run)(cut->narrow_tiles + cut->tiles, pack_filters, cut);
    if (packed == OK && keeps)
        shape->kept->layout = &layout;
    return packed;
}

static ptrdiff_t slabs(const plan *cut) { return ceil_div(cut->shape->channels, SLAB); }

static status allocate(plan *cut)
{
    cut->between = scratch(SCRATCH_SUMS, (size_t)(slabs(cut) * cut->pitch) * sizeof(real));
    cut->packed = NULL;
    if (cut->shape->widen.filter)
        cut->packed = scratch(SCRATCH_SHIFTS, (size_t)(cut->plane * cut->shape->in_channels) * sizeof(real));
    return cut->between && (cut->packed || !cut->shape->widen.filter) ? OK : NO_MEMORY;
}

static double multiplications(const plan *cut)
{
    const separable_shape *shape = cut->shape;
    const double widening = (double)cut->plane * (double)(shape->widen.filter ? shape->in_channels : 0);
    const double rest = (double)cut->results * (double)(cut->taps + shape->out_channels);
    return (widening + rest) * (double)shape->channels;
}

/* How many lines of results are in place at a time: in both stages. */
static void cut_lines(plan *cut)
{
    const separable_shape *shape = cut->shape;
    const ptrdiff_t width = shape->out[2], lines = shape->out[1];
    cut->line = split_rows(shape->in[2]);
    const ptrdiff_t read = (width - 1) * shape->stride[2] + (shape->kernel[2] - 1) * shape->dilation[2] + 1;
    cut->padded_width = larger(read, shape->before[2] + shape->in[2]);
    const ptrdiff_t window_line = cut->padded_width * shape->stride[1] * TILE_COLUMNS * (ptrdiff_t)sizeof(real);
    cut->lines = smaller(lines, larger(1, WINDOW_BYTES / window_line));
    const ptrdiff_t line = slabs(cut) * width * STRIDED_PITCH * (ptrdiff_t)sizeof(real);
    cut->band = ceil_div(lines, ceil_div(lines, larger(BAND_LINES, BAND_BYTES / line)));
    cut->pitch = cut->band * width * STRIDED_PITCH;
}

static status compute_image(plan *cut, ptrdiff_t tasks, status (*run)(ptrdiff_t, task_body, void *))
{
    const separable_shape *shape = cut->shape;
    status result = cut->packed ? run(shape->in[1], pack_line, cut) : OK;
    for (cut->first_line = 0; cut->first_line < shape->out[1] && result == OK; cut->first_line += cut->band) {
        cut->last_line = smaller(cut->first_line + cut->band, shape->out[1]);
        const ptrdiff_t lines = cut->last_line - cut->first_line;
        cut->parts = larger(1, smaller(ceil_div(tasks, cut->tiles), lines / LINES_A_PART));
        result = run(cut->tiles * cut->parts, filter_part, cut);
        cut->panels = split_rows(lines * shape->out[2]);
        cut->groups = larger(ceil_div(cut->panels.count, GROUP), ceil_div(tasks, cut->narrow_tiles));
        cut->groups = smaller(cut->panels.count, cut->groups);
        if (result == OK)
            result = run(cut->narrow_tiles * cut->groups, narrow_group, cut);
    }
    return result;
}

status NAME(separable)(const separable_shape *shape, const void *x, void *y)
{
    plan cut = {
        .shape = shape,
        .taps = volume(shape->kernel),
        .plane = volume(shape->in),
        .results = volume(shape->out),
        .tiles = ceil_div(shape->channels, TILE_COLUMNS),
        .narrow_tiles = ceil_div(shape->out_channels, TILE_COLUMNS),
    };
    if (shape->batch == 0 || cut.results == 0 || shape->out_channels == 0)
        return OK;
    const int threads = multiplications(&cut) < SERIAL_PRODUCTS ? 1 : get_num_threads();
    status (*run)(ptrdiff_t, task_body, void *) = threads == 1 ? serial_for : parallel_for;
    cut_lines(&cut);
    status result = allocate(&cut);
    if (result == OK)
        result = prepare_filters(&cut, run);
    const real *residual = shape->narrow.finish.residual;
    for (ptrdiff_t image = 0; image < shape->batch && result == OK; image++) {
        cut.x = (const real *)x + image * shape->in_channels * cut.plane;
        cut.y = (real *)y + image * shape->out_channels * cut.results;
        cut.residual = residual ? residual + image * shape->out_channels * cut.results : NULL;
        result = compute_image(&cut, threads == 1 ? 1 : TASKS_A_THREAD * threads, run);
    }
    return result;
}
