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
};

/* A step of a strided tile, whose sums are fetched and stored again after a block, in steps of a packed one. */
static const double STRIDED_COST = 1.5;

/* The adjoint of the product: with tiles V = B' x B and cotangents D = A g A' of their results, the gradient is G' S G
 * where S[factor, channel, filter] = sum over tiles of V[input, channel, tile] * D[sum, tile, filter]. Two ways to cut
 * the sum, chosen by the shape only, so that the order of summation never depends on the number of threads:
 *
 * Few sums: tiles are cut into `splits`; each task takes one through both transforms, block by block, and sums for
 * itself. Many sums: there is one split; for each block, all threads transform, and then share the factors. */
typedef struct {
    const weight_gradient *gradient;
    tile_grid grid;
    ptrdiff_t tap_at[MOST_FILTER_TAPS];
    tile_products products;
    ptrdiff_t inputs, points; /* transformed elements of a tile, and of the cotangent of its results */
    ptrdiff_t block, blocks, splits;
    ptrdiff_t tile_pitch, cotangent_pitch; /* elements of an input, and of a point of cotangents */
    ptrdiff_t filter_pitch, sum_pitch;     /* of a channel of sums, and of a factor of them */
    real *sums;                            /* [split][factor][channel][filter] */
    ptrdiff_t current;                     /* many sums: the block in `tiles` and `cotangents` */
    real *tiles, *cotangents;
} plan;

/* The cotangents of a vector of tiles for LANES filters from `filter` on, with vectors along filters:
 * to[point * cut->cotangent_pitch + tile * TILE_COLUMNS]. */
INLINE void transform_cotangents(const tile_form form, const plan *cut, const squares *where, ptrdiff_t filter,
                                 real *to)
{
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t plane = volume(gradient->from.grid), filters = smaller(LANES, gradient->filters - filter);
    const int chunked = cut->grid.chunked_results, outputs = tile_outputs(form), points = tile_sums(form);
    vec along_tiles[MOST_POINTS][LANES];
    for (ptrdiff_t lane = 0; lane < LANES; lane++) {
        vec square[MOST_OUTPUTS][MOST_OUTPUTS] = {{{0}}}, transformed[MOST_POINTS];
        if (lane < filters)
            read_squares(outputs, chunked, where, gradient->cotangent + (filter + lane) * plane, square);
        transform_square(transform_cotangent_line, form, outputs, points, square[0], MOST_OUTPUTS, transformed);
        UNROLL
        for (int point = 0; point < points * points; point++)
            along_tiles[point][lane] = transformed[point];
    }
    for (int point = 0; point < points * points; point++) {
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
#define TRANSFORM(form)                                                                                                \
    case form:                                                                                                         \
        transform_cotangents(form, cut, &where, filter, first);                                                        \
        break;
        switch (cut->grid.form) {
            FOR_EACH_WINDOW_FORM(TRANSFORM)
        default:
            break;
        }
#undef TRANSFORM
    }
}

/* sums[channel][filter] = or += the products of one factor of a block. */
static void multiply_factor(const plan *cut, int factor, const real *tiles, const real *cotangents, ptrdiff_t count,
                           real *sums, int accumulate)
{
    const row_panels panels = split_rows(cut->gradient->channels);
    const ptrdiff_t filters = cut->gradient->filters;
    tiles += cut->products.of[factor].input * cut->tile_pitch;
    cotangents += cut->products.of[factor].sum * cut->cotangent_pitch;
    for (ptrdiff_t panel = 0; panel < panels.count; panel++) {
        const ptrdiff_t row = panel_begin(panels, panel), height = panel_begin(panels, panel + 1) - row;
        for (ptrdiff_t filter = 0; filter < filters; filter += TILE_COLUMNS)
            strided_tile[height - 1][smaller(TILE_VECTORS, ceil_div(filters - filter, LANES)) - 1](
                count, tiles + row * STRIDED_PITCH, cotangents + filter * cut->block,
                sums + factor * cut->sum_pitch + row * cut->filter_pitch + filter, cut->filter_pitch, NULL, accumulate);
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
    real *tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut->inputs * cut->tile_pitch) * sizeof(real));
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
        for (int factor = 0; factor < cut->products.count; factor++)
            multiply_factor(cut, factor, tiles, cotangents, count,
                            cut->sums + split * cut->products.count * cut->sum_pitch, block > begin);
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

static status multiply_current(void *context, ptrdiff_t factor)
{
    const plan *cut = context;
    multiply_factor(cut, (int)factor, cut->tiles, cut->cotangents, tiles_of(cut, cut->current), cut->sums,
                    cut->current > 0);
    return OK;
}

/* Transforms the gradients of LANES filters from `filter` on and some channels, and adds up the splits. */
INLINE void transform_sums(const tile_form form, const plan *cut, ptrdiff_t filter, ptrdiff_t first_channel,
                           ptrdiff_t channels)
{
    const weight_gradient *gradient = cut->gradient;
    const int side = filter_side(form), taps = side * side, factors = tile_factors(form);
    real along_filters[SUM_CHANNELS * MOST_FILTER_TAPS * LANES];
    for (ptrdiff_t channel = 0; channel < channels; channel++) {
        const real *sums = cut->sums + (first_channel + channel) * cut->filter_pitch + filter;
        vec total[MOST_POINTS], gradients[MOST_FILTER_TAPS];
        UNROLL
        for (int factor = 0; factor < factors * factors; factor++) {
            total[factor] = load(sums + factor * cut->sum_pitch);
            for (ptrdiff_t split = 1; split < cut->splits; split++)
                total[factor] += load(sums + (split * cut->products.count + factor) * cut->sum_pitch);
        }
        transform_square(transform_gradient_line, form, factors, side, total, factors, gradients);
        UNROLL
        for (int tap = 0; tap < taps; tap++)
            store(along_filters + (channel * taps + cut->tap_at[tap]) * LANES, gradients[tap]);
    }
    const ptrdiff_t span = channels * taps, filters = smaller(LANES, gradient->filters - filter);
    real *target = gradient->target + (filter * gradient->channels + first_channel) * taps;
    for (ptrdiff_t element = 0; element < span; element += LANES) {
        vec square[LANES];
        UNROLL
        for (int i = 0; i < LANES; i++)
            square[i] = load(along_filters + (element + i) * LANES);
        transpose(square);
        for (ptrdiff_t row = 0; row < filters; row++) {
            real *to = target + row * gradient->channels * taps + element;
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
#define TRANSFORM(form)                                                                                                \
    case form:                                                                                                         \
        transform_sums(form, cut, filter, channel, channels);                                                          \
        break;
    switch (cut->grid.form) {
        FOR_EACH_WINDOW_FORM(TRANSFORM)
    default:
        break;
    }
#undef TRANSFORM
    return OK;
}

static status sum_blocks(plan *cut, status (*run)(ptrdiff_t, task_body, void *))
{
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t parts = ceil_div(gradient->channels, TASK_CHANNELS) + ceil_div(gradient->filters, TASK_CHANNELS);
    cut->tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut->inputs * cut->tile_pitch) * sizeof(real));
    cut->cotangents = scratch(SCRATCH_TILES, (size_t)(cut->points * cut->cotangent_pitch) * sizeof(real));
    status result = cut->tiles && cut->cotangents ? OK : NO_MEMORY;
    for (cut->current = 0; cut->current < cut->blocks && result == OK; cut->current++) {
        result = run(tiles_of(cut, cut->current) / LANES * parts, transform_current, cut);
        if (result == OK)
            result = run(cut->products.count, multiply_current, cut);
    }
    return result;
}

/* Time in multiplications of a vector, measured on AVX-512 and AVX2. Unlike the cost of a product, with one term for
 * sums: they are written and read once more, and as large as transformed filters. */
static double cost(const weight_gradient *gradient, tile_form form)
{
    static const double patch_cost[] = {0, 700, 900, 600, 600}, cotangent_cost[] = {0, 800, 1200, 150, 150};
    static const double sum_cost[] = {0, 2000, 4300, 1000, 1200};
    const tile_grid grid = tile_grid_of(&gradient->from, form, gradient->from.grid, gradient->batch, gradient->filters);
    const double channels = (double)gradient->channels, filter_vectors = (double)ceil_div(gradient->filters, LANES);
    const double tile_vectors = (double)ceil_div(grid.tiles, LANES);
    const double copying = LANES * (form < STRIDED_3 ? ELEMENT_COST : 0.7 * PHASE_ELEMENT_COST);
    const double patch = patch_cost[form] + (grid.chunked ? 0 : copying * patch_side(form) * patch_side(form));
    const double cotangent =
        cotangent_cost[form] + (grid.chunked_results ? 0 : copying * tile_outputs(form) * tile_outputs(form));
    const double products = tile_factors(form) * tile_factors(form);
    /* Tiles of fewer rows wait for their sums. */
    const double rows = form < STRIDED_3 ? channels : (double)larger(4, gradient->channels);
    return STRIDED_COST * products * rows * filter_vectors * tile_vectors * LANES +
           tile_vectors * (channels * patch + filter_vectors * LANES * cotangent) +
           channels * filter_vectors * sum_cost[form];
}

/* Direct summation at stride 2, with what it takes to gather windows and to transpose cotangents. */
static double direct_phases_cost(const weight_gradient *gradient)
{
    const gather *from = &gradient->from;
    const double lines = (double)(gradient->batch * from->grid[1] * ceil_div(from->grid[2], LANES));
    const double rows = (double)gradient->channels * (double)from->taps;
    return 1.25 * weight_work(gradient) / LANES + lines * (10 * rows + 30 * (double)gradient->filters);
}

tile_form winograd_weight_form(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice)
{
    ptrdiff_t tap_at[MOST_FILTER_TAPS];
    if (algorithm == DIRECT || gradient->groups != 1)
        return NO_TILES;
    if (square_taps(&gradient->from, 3, 1, tap_at)) {
        choice->direct = STRIDED_COST * weight_work(gradient) / LANES;
        choice->winograd_2 = cost(gradient, SQUARE_2);
        choice->winograd_4 = cost(gradient, SQUARE_4);
        return cheapest_square(algorithm, choice);
    }
    for (tile_form form = STRIDED_3; form <= STRIDED_4; form++)
        if (square_taps(&gradient->from, filter_side(form), 2, tap_at)) {
            choice->direct = direct_phases_cost(gradient);
            choice->winograd_2 = cost(gradient, form);
            return cheaper_phases(form, algorithm, choice);
        }
    return NO_TILES;
}

status weight_by_winograd(const weight_gradient *gradient, tile_form form)
{
    plan cut = {
        .gradient = gradient,
        .inputs = tile_inputs(form) * tile_inputs(form),
        .points = tile_sums(form) * tile_sums(form),
    };
    cut.grid = tile_grid_of(&gradient->from, form, gradient->from.grid, gradient->batch, gradient->filters);
    find_tile_products(form, &cut.products);
    square_taps(&gradient->from, filter_side(form), form < STRIDED_3 ? 1 : 2, cut.tap_at);
    const ptrdiff_t channels = gradient->channels, filters = gradient->filters;
    cut.filter_pitch = round_up(filters, LANES) + LANES; /* off the powers of two, as the others */
    cut.sum_pitch = channels * cut.filter_pitch;

    const ptrdiff_t sum_bytes = cut.products.count * cut.sum_pitch * (ptrdiff_t)sizeof(real);
    const ptrdiff_t tile_bytes = (cut.inputs * channels + cut.points * filters) * (ptrdiff_t)sizeof(real);
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

    const double work = (double)cut.products.count * (double)cut.grid.tiles * (double)channels * (double)filters;
    status (*run)(ptrdiff_t, task_body, void *) = work < SERIAL_PRODUCTS ? serial_for : parallel_for;
    const status summed = cut.splits > 1 ? run(cut.splits, sum_split, &cut) : sum_blocks(&cut, run);
    if (summed != OK)
        return summed;
    return run(ceil_div(filters, LANES) * ceil_div(channels, SUM_CHANNELS), write_gradient, &cut);
}

#else

tile_form winograd_weight_form(const weight_gradient *gradient, conv_algorithm algorithm, conv_choice *choice)
{
    (void)gradient, (void)algorithm, (void)choice;
    return NO_TILES;
}

status weight_by_winograd(const weight_gradient *gradient, tile_form form)
{
    (void)form;
    return weight_by_panels(gradient);
}

#endif
