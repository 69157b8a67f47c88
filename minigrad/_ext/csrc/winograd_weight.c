#include "gemm.h"
#include "scratch.h"
#include "threads.h"
#include "weight.h"
#include "winograd.h"
#include "winograd_patches.h"
#include "winograd_transforms.h"

#if REAL_BYTES == 4

enum {
    BLOCK_BYTES = 5 * 1024 * 1024,    /* of transformed tiles */
    SPLIT_BLOCK = 128,                /* tiles of a block, if these are not more bytes, else half as many */
    PARTIAL_BYTES = 16 * 1024 * 1024, /* for partial sums, all of them together */
    LEAST_SPLITS = 4,
    MOST_SPLITS = 16,
    TASK_CHANNELS = 2 * LANES, /* whose tiles one task transforms */
    SUM_CHANNELS = LANES,      /* whose gradients one task transforms */
    SERIAL_WORK = 1000 * 1000,
};

/* A step of a strided tile, whose sums are fetched and stored again after a block, in steps of a packed one. */
static const double STRIDED_COST = 1.5;

/* The adjoint of the product: with tiles V = B' x B and cotangents D = A g A' of their results, the gradient is G' S G
 * where S[point, channel, filter] = sum over tiles of V[point, channel, tile] * D[point, tile, filter]. Two ways to cut
 * the sum, chosen by the shape only, so that the order of summation never depends on the number of threads:
 *
 * Few sums: tiles are cut into `splits`; each task takes one through both transforms, block by block, and sums for
 * itself. Many sums: there is one split; for each block, all threads transform, and then share the points. */
typedef struct {
    const weight_gradient *gradient;
    tile_grid grid;
    ptrdiff_t tap_at[FILTER_TAPS];
    int points;
    ptrdiff_t block, blocks, splits;
    ptrdiff_t tile_pitch, cotangent_pitch; /* elements of a point of transformed tiles and cotangents */
    ptrdiff_t filter_pitch, sum_pitch;     /* of a channel of sums, and of a point of them */
    real *sums;                            /* [split][point][channel][filter] */
    ptrdiff_t current;                     /* many sums: the block in `tiles` and `cotangents` */
    real *tiles, *cotangents;
} plan;

/* The cotangents of a vector of tiles for LANES filters from `filter` on, with vectors along filters:
 * to[point * cut->cotangent_pitch + tile * TILE_COLUMNS]. */
INLINE void transform_cotangents(const int m, const plan *cut, const squares *where, ptrdiff_t filter, real *to)
{
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t plane = volume(gradient->from.grid), filters = smaller(LANES, gradient->filters - filter);
    const int chunked = cut->grid.chunked;
    vec along_tiles[MOST_POINTS][LANES];
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        vec square[MOST_OUTPUTS][MOST_OUTPUTS] = {{{0}}}, points[MOST_POINTS];
        if (lane < filters)
            read_squares(m, chunked, where, gradient->cotangent + (filter + lane) * plane, square);
        transform_square(transform_cotangent_line, m, m, tile_side(m), square[0], MOST_OUTPUTS, points);
        UNROLL
        for (int point = 0; point < tile_points(m); point++)
            along_tiles[point][lane] = points[point];
    }
    for (int point = 0; point < tile_points(m); point++) {
        transpose(along_tiles[point]);
        UNROLL
        for (int tile = 0; tile < LANES; tile++)
            store(to + point * cut->cotangent_pitch + tile * TILE_COLUMNS, along_tiles[point][tile]);
    }
}

/* The same for filters begin .. end - 1 and the tiles from `first_tile` on, which is `tile` of its block. */
static void cotangents_to_points(const plan *cut, ptrdiff_t first_tile, ptrdiff_t tile, ptrdiff_t begin, ptrdiff_t end,
                                 real *to)
{
    squares where;
    place_squares(&cut->grid, first_tile, &where);
    for (ptrdiff_t filter = begin; filter < end; filter += LANES) {
        real *first = to + (filter / TILE_COLUMNS * cut->block + tile) * TILE_COLUMNS + filter % TILE_COLUMNS;
        if (cut->grid.outputs == 2)
            transform_cotangents(2, cut, &where, filter, first);
        else
            transform_cotangents(4, cut, &where, filter, first);
    }
}

/* sums[channel][filter] = or += the products of one point of a block. */
static void multiply_point(const plan *cut, int point, const real *tiles, const real *cotangents, ptrdiff_t count,
                           real *sums, int accumulate)
{
    const row_panels panels = split_rows(cut->gradient->channels);
    const ptrdiff_t filters = cut->gradient->filters;
    for (ptrdiff_t panel = 0; panel < panels.count; panel++) {
        const ptrdiff_t row = panel_begin(panels, panel), height = panel_begin(panels, panel + 1) - row;
        for (ptrdiff_t filter = 0; filter < filters; filter += TILE_COLUMNS)
            strided_tile[height - 1][smaller(TILE_VECTORS, ceil_div(filters - filter, LANES)) - 1](
                count, tiles + point * cut->tile_pitch + row * STRIDED_PITCH,
                cotangents + point * cut->cotangent_pitch + filter * cut->block,
                sums + point * cut->sum_pitch + row * cut->filter_pitch + filter, cut->filter_pitch, accumulate);
    }
}

static ptrdiff_t tiles_of(const plan *cut, ptrdiff_t block)
{
    return smaller(cut->block, round_up(cut->grid.tiles - block * cut->block, LANES));
}

static status sum_split(void *context, ptrdiff_t split)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t begin = cut->blocks * split / cut->splits, end = cut->blocks * (split + 1) / cut->splits;
    real *tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut->points * cut->tile_pitch) * sizeof(real));
    real *cotangents = scratch(SCRATCH_TILES, (size_t)(cut->points * cut->cotangent_pitch) * sizeof(real));
    if (!tiles || !cotangents)
        return NO_MEMORY;
    for (ptrdiff_t block = begin; block < end; block++) {
        const ptrdiff_t first = block * cut->block, count = tiles_of(cut, block);
        for (ptrdiff_t tile = 0; tile < count; tile += LANES) {
            patches_to_points(&cut->grid, gradient->source, first + tile, 0, gradient->channels, tiles + tile,
                              STRIDED_PITCH, cut->tile_pitch);
            cotangents_to_points(cut, first + tile, tile, 0, gradient->filters, cotangents);
        }
        for (int point = 0; point < cut->points; point++)
            multiply_point(cut, point, tiles, cotangents, count, cut->sums + split * cut->points * cut->sum_pitch,
                           block > begin);
    }
    return OK;
}

static status transform_current(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t parts = ceil_div(gradient->channels, TASK_CHANNELS) + ceil_div(gradient->filters, TASK_CHANNELS);
    const ptrdiff_t tile = task / parts * LANES, first_tile = cut->current * cut->block + tile;
    const ptrdiff_t channel = task % parts * TASK_CHANNELS,
                    filter = channel - round_up(gradient->channels, TASK_CHANNELS);
    if (filter < 0)
        patches_to_points(&cut->grid, gradient->source, first_tile, channel,
                          smaller(channel + TASK_CHANNELS, gradient->channels), cut->tiles + tile, STRIDED_PITCH,
                          cut->tile_pitch);
    else
        cotangents_to_points(cut, first_tile, tile, filter, smaller(filter + TASK_CHANNELS, gradient->filters),
                             cut->cotangents);
    return OK;
}

static status multiply_current(void *context, ptrdiff_t point)
{
    const plan *cut = context;
    multiply_point(cut, (int)point, cut->tiles, cut->cotangents, tiles_of(cut, cut->current), cut->sums,
                   cut->current > 0);
    return OK;
}

/* Transforms the gradients of LANES filters from `filter` on and some channels, and adds up the splits. */
INLINE void transform_sums(const int m, const plan *cut, ptrdiff_t filter, ptrdiff_t first_channel, ptrdiff_t channels)
{
    const weight_gradient *gradient = cut->gradient;
    real along_filters[SUM_CHANNELS * FILTER_TAPS * LANES];
    for (ptrdiff_t channel = 0; channel < channels; channel++) {
        const real *sums = cut->sums + (first_channel + channel) * cut->filter_pitch + filter;
        vec points[MOST_POINTS], taps[FILTER_TAPS];
        UNROLL
        for (int point = 0; point < tile_points(m); point++) {
            points[point] = load(sums + point * cut->sum_pitch);
            for (ptrdiff_t split = 1; split < cut->splits; split++)
                points[point] += load(sums + (split * cut->points + point) * cut->sum_pitch);
        }
        transform_square(transform_gradient_line, m, tile_side(m), FILTER_SIDE, points, tile_side(m), taps);
        UNROLL
        for (int tap = 0; tap < FILTER_TAPS; tap++)
            store(along_filters + (channel * FILTER_TAPS + cut->tap_at[tap]) * LANES, taps[tap]);
    }
    const ptrdiff_t span = channels * FILTER_TAPS, filters = smaller(LANES, gradient->filters - filter);
    real *target = gradient->target + (filter * gradient->channels + first_channel) * FILTER_TAPS;
    for (ptrdiff_t element = 0; element < span; element += LANES) {
        vec square[LANES];
        UNROLL
        for (int i = 0; i < LANES; i++)
            square[i] = load(along_filters + (element + i) * LANES);
        transpose(square);
        for (ptrdiff_t row = 0; row < filters; row++) {
            real *to = target + row * gradient->channels * FILTER_TAPS + element;
            if (span - element >= LANES)
                store(to, square[row]);
            else
                store_first(to, square[row], span - element);
        }
    }
}

static status write_gradient(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t parts = ceil_div(gradient->channels, SUM_CHANNELS);
    const ptrdiff_t filter = task / parts * LANES, channel = task % parts * SUM_CHANNELS;
    const ptrdiff_t channels = smaller(SUM_CHANNELS, gradient->channels - channel);
    if (cut->grid.outputs == 2)
        transform_sums(2, cut, filter, channel, channels);
    else
        transform_sums(4, cut, filter, channel, channels);
    return OK;
}

static status sum_blocks(plan *cut, status (*run)(ptrdiff_t, task_body, void *))
{
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t parts = ceil_div(gradient->channels, TASK_CHANNELS) + ceil_div(gradient->filters, TASK_CHANNELS);
    cut->tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut->points * cut->tile_pitch) * sizeof(real));
    cut->cotangents = scratch(SCRATCH_TILES, (size_t)(cut->points * cut->cotangent_pitch) * sizeof(real));
    status result = cut->tiles && cut->cotangents ? OK : NO_MEMORY;
    for (cut->current = 0; cut->current < cut->blocks && result == OK; cut->current++) {
        result = run(tiles_of(cut, cut->current) / LANES * parts, transform_current, cut);
        if (result == OK)
            result = run(cut->points, multiply_current, cut);
    }
    return result;
}

/* Time in multiplications of a vector, measured on AVX-512 and AVX2. Unlike the cost of a product, with one term for
 * sums: they are written and read once more, and as large as transformed filters. */
static double cost(const weight_gradient *gradient, int outputs)
{
    const tile_grid grid = tile_grid_of(&gradient->from, outputs, gradient->batch, gradient->filters);
    const double channels = (double)gradient->channels, filter_vectors = (double)ceil_div(gradient->filters, LANES);
    const double tile_vectors = (double)ceil_div(grid.tiles, LANES), copying = grid.chunked ? 0 : ELEMENT_COST * LANES;
    const double patch = (outputs == 2 ? 700 : 900) + copying * tile_points(outputs);
    const double cotangent = (outputs == 2 ? 800 : 1200) + copying * outputs * outputs;
    const double sum = outputs == 2 ? 2000 : 4300;
    return STRIDED_COST * tile_points(outputs) * channels * filter_vectors * tile_vectors * LANES +
           tile_vectors * (channels * patch + filter_vectors * LANES * cotangent) + channels * filter_vectors * sum;
}

int winograd_weight_outputs(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice)
{
    ptrdiff_t tap_at[FILTER_TAPS];
    if (algorithm == DIRECT || gradient->groups != 1 || !square_taps(&gradient->from, tap_at))
        return 0;
    choice->direct = STRIDED_COST * weight_work(gradient) / LANES;
    choice->winograd_2 = cost(gradient, 2);
    choice->winograd_4 = cost(gradient, 4);
    return cheapest_outputs(algorithm, choice);
}

status weight_by_winograd(const weight_gradient *gradient, int outputs)
{
    plan cut = {.gradient = gradient, .points = tile_points(outputs)};
    cut.grid = tile_grid_of(&gradient->from, outputs, gradient->batch, gradient->filters);
    square_taps(&gradient->from, cut.tap_at);
    const ptrdiff_t channels = gradient->channels, filters = gradient->filters;
    cut.filter_pitch = round_up(filters, LANES) + LANES; /* off the powers of two, as the others */
    cut.sum_pitch = channels * cut.filter_pitch;

    const ptrdiff_t sum_bytes = cut.points * cut.sum_pitch * (ptrdiff_t)sizeof(real);
    const ptrdiff_t tile_bytes = cut.points * (channels + filters) * (ptrdiff_t)sizeof(real);
    cut.block = tile_bytes * SPLIT_BLOCK <= BLOCK_BYTES ? SPLIT_BLOCK : SPLIT_BLOCK / 2;
    cut.blocks = ceil_div(cut.grid.tiles, cut.block);
    cut.splits = smaller(smaller(MOST_SPLITS, cut.blocks), PARTIAL_BYTES / sum_bytes);
    if (cut.splits < LEAST_SPLITS) {
        cut.splits = 1;
        cut.block = smaller(STRIDED_STEPS, round_up(cut.grid.tiles, LANES));
        cut.blocks = ceil_div(cut.grid.tiles, cut.block);
    }
    cut.tile_pitch = channels * STRIDED_PITCH + LANES;
    cut.cotangent_pitch = round_up(filters, TILE_COLUMNS) * cut.block + LANES;
    cut.sums = scratch(SCRATCH_SUMS, (size_t)(cut.splits * sum_bytes));
    if (!cut.sums)
        return NO_MEMORY;

    const double work = (double)cut.points * (double)cut.grid.tiles * (double)channels * (double)filters;
    status (*run)(ptrdiff_t, task_body, void *) = work < SERIAL_WORK ? serial_for : parallel_for;
    const status summed = cut.splits > 1 ? run(cut.splits, sum_split, &cut) : sum_blocks(&cut, run);
    if (summed != OK)
        return summed;
    return run(ceil_div(filters, LANES) * ceil_div(channels, SUM_CHANNELS), write_gradient, &cut);
}

#else

int winograd_weight_outputs(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice)
{
    (void)gradient, (void)algorithm, (void)choice;
    return 0;
}

status weight_by_winograd(const weight_gradient *gradient, int outputs)
{
    (void)outputs;
    return weight_by_panels(gradient);
}

#endif
