#include "winograd.h"

#include "finish.h"
#include "gemm.h"
#include "scratch.h"
#include "threads.h"
#include "winograd_patches.h"
#include "winograd_transforms.h"

#if REAL_BYTES == 4

enum {
    TILES_BYTES = 896 * 1024, /* transformed tiles that stay in the second-level cache */
    MOST_BLOCK = 64,          /* tiles of a block */
    FEW_TILES = 128,          /* so many are transformed once, for all panels of filters */
    FILTER_CHANNELS = 64,     /* a chunk of filters is transformed and used while it is in the second-level cache */
    PANELS_AT_ONCE = 2,       /* that share one reading of the tiles */
    PATCH_CHANNELS = 32,      /* whose tiles one task transforms */
    TRANSPOSED_CHANNELS = 16,
    PACKING_COST = 27,    /* multiplications of a vector that take as long as packing one filter directly */
    TAP_PACKING_COST = 5, /* or one tap of it, at stride 2 */
};

/* A tile of one vector takes this many times half the time of one of two. */
static const double NARROW_COST = 1.5;

/* Transformed tiles V[input, channel, tile] times transformed filters U[factor, row, channel] are transformed results
 * M[sum, row, tile]: one matrix product for each factor. Two ways to cut it:
 *
 * Many tiles: all filters are transformed first; then each task takes a block of tiles through all three steps.
 * Few tiles: all tiles are transformed first; then each task takes a group of row panels, and transforms their filters
 * in chunks of channels, so that transformed filters, which are four times as large as filters, never leave the cache.
 *
 * Every result is summed channel by channel, so that neither the cut nor the number of threads changes it. */
typedef struct {
    const implicit *product;
    tile_grid grid;
    ptrdiff_t tap_index[MOST_FILTER_TAPS]; /* where the tap for each place of the square stands in the filter */
    tile_products products;
    ptrdiff_t inputs, sums; /* transformed elements of a tile, and of its results */
    row_panels panels;
    ptrdiff_t panel_height;      /* of the tallest */
    ptrdiff_t panels_at_once;    /* panels that are multiplied before their results are written */
    ptrdiff_t channels_at_once;  /* channels of filters that are transformed before they are multiplied */
    ptrdiff_t panel_pitch;       /* elements of a panel of transformed filters */
    ptrdiff_t block, tile_pitch; /* tiles of a block, elements of an input of them */
    real *filters; /* many: [group][factor][panel of the group][channel][row] */
    real *tiles;   /* few: [input][channel][tile] */
} plan;

/* Up to LANES rows of `span` elements, with vectors along rows: to[element]. Writes whole squares. */
static void transpose_rows(const real *from, ptrdiff_t pitch, ptrdiff_t rows, ptrdiff_t span, const real *end, real *to)
{
    for (ptrdiff_t element = 0; element < span; element += LANES) {
        vec square[LANES];
        UNROLL
        for (int row = 0; row < LANES; row++) {
            const real *line = from + row * pitch + element;
            square[row] = row >= rows ? zero_vector() : end - line >= LANES ? load(line) : load_first(line, end - line);
        }
        transpose(square);
        UNROLL
        for (int i = 0; i < LANES; i++)
            store(to + (element + i) * LANES, square[i]);
    }
}

/* Transforms the filters of some rows and channels, to[factor * pitch + channel * rows + row]. Writes up to LANES
 * elements beyond each factor. */
INLINE void transform_filters(const tile_form form, const plan *cut, ptrdiff_t first_row, ptrdiff_t rows,
                              ptrdiff_t first_channel, ptrdiff_t channels, real *to, ptrdiff_t pitch)
{
    const implicit *product = cut->product;
    const ptrdiff_t row_pitch = product->filter_pitch[1], channel_pitch = product->filter_pitch[2];
    const int side = filter_side(form), taps = side * side;
    const real *end = product->filter + product->rows * product->channels * taps;
    real transposed[(TRANSPOSED_CHANNELS * MOST_FILTER_TAPS + LANES) * LANES];
    for (ptrdiff_t done = 0; done < channels; done += TRANSPOSED_CHANNELS) {
        const ptrdiff_t count = smaller(TRANSPOSED_CHANNELS, channels - done);
        /* Whole vectors are stored: the last rows first, what is written beyond them is overwritten. */
        for (ptrdiff_t row = (rows - 1) / LANES * LANES; row >= 0; row -= LANES) {
            const real *from = product->filter + (first_row + row) * row_pitch + (first_channel + done) * channel_pitch;
            if (channel_pitch == taps)
                transpose_rows(from, row_pitch, rows - row, count * taps, end, transposed);
            else
                for (ptrdiff_t channel = 0; channel < count; channel++)
                    transpose_rows(from + channel * channel_pitch, row_pitch, rows - row, taps, end,
                                   transposed + channel * taps * LANES);
            for (ptrdiff_t channel = 0; channel < count; channel++) {
                vec filter[MOST_FILTER_TAPS], factors[MOST_POINTS];
                UNROLL
                for (int tap = 0; tap < taps; tap++)
                    filter[tap] = load(transposed + (channel * taps + cut->tap_index[tap]) * LANES);
                transform_square(transform_filter_line, form, side, tile_factors(form), filter, side, factors);
                UNROLL
                for (int factor = 0; factor < tile_factors(form) * tile_factors(form); factor++)
                    store(to + factor * pitch + (done + channel) * rows + row, factors[factor]);
            }
        }
    }
}

/* Finishes results of a channel. */
INLINE void finish_squares(const tile_form form, const implicit *product, int chunked, const squares *where,
                           ptrdiff_t channel, vec square[MOST_OUTPUTS][MOST_OUTPUTS])
{
    const int outputs = tile_outputs(form);
    const channel_finish finish = finish_of(product->finish, channel);
    const real *residual = product->finish->residual;
    vec added[MOST_OUTPUTS][MOST_OUTPUTS];
    if (residual)
        read_squares(outputs, chunked, where, residual + channel * volume(product->target_plane), added);
    else
        for (int i = 0; i < outputs * outputs; i++)
            added[i / outputs][i % outputs] = -zero_vector();
    UNROLL
    for (int i = 0; i < outputs * outputs; i++) {
        vec *value = &square[i / outputs][i % outputs];
        *value = finished(&finish, *value, added[i / outputs][i % outputs]);
    }
}

/* Writes the results of a vector of tiles, from[sum * pitch + row * cut->block]. */
INLINE void transform_sums(const tile_form form, const plan *cut, ptrdiff_t first_tile, ptrdiff_t first_row,
                           ptrdiff_t rows, const real *from, ptrdiff_t pitch)
{
    const implicit *product = cut->product;
    const ptrdiff_t plane = volume(product->target_plane);
    const int chunked = cut->grid.chunked_results, sums = tile_sums(form), outputs = tile_outputs(form);
    squares where;
    place_squares(&cut->grid, first_tile, &where);
    for (ptrdiff_t row = 0; row < rows; row++) {
        vec points[MOST_POINTS], results[MOST_OUTPUTS * MOST_OUTPUTS], square[MOST_OUTPUTS][MOST_OUTPUTS];
        UNROLL
        for (int sum = 0; sum < sums * sums; sum++)
            points[sum] = load(from + sum * pitch + row * cut->block);
        transform_square(transform_output_line, form, sums, outputs, points, sums, results);
        const vec bias = product->bias ? broadcast(product->bias[first_row + row]) : zero_vector();
        UNROLL
        for (int i = 0; i < outputs * outputs; i++)
            square[i / outputs][i % outputs] = results[i] + bias;
        if (product->finish)
            finish_squares(form, product, chunked, &where, first_row + row, square);
        write_squares(outputs, chunked, &where, square, product->target + (first_row + row) * plane);
    }
}

static void filters_to_factors(const plan *cut, ptrdiff_t first_row, ptrdiff_t rows, ptrdiff_t first_channel,
                              ptrdiff_t channels, real *to, ptrdiff_t pitch)
{
#define TRANSFORM(form)                                                                                                \
    case form:                                                                                                         \
        transform_filters(form, cut, first_row, rows, first_channel, channels, to, pitch);                             \
        break;
    switch (cut->grid.form) {
        FOR_EACH_FORM(TRANSFORM)
    case NO_TILES:
        break;
    }
#undef TRANSFORM
}

static void sums_to_results(const plan *cut, ptrdiff_t first_tile, ptrdiff_t first_row, ptrdiff_t rows,
                              const real *from, ptrdiff_t pitch)
{
#define TRANSFORM(form)                                                                                                \
    case form:                                                                                                         \
        transform_sums(form, cut, first_tile, first_row, rows, from, pitch);                                           \
        break;
    switch (cut->grid.form) {
        FOR_EACH_FORM(TRANSFORM)
    case NO_TILES:
        break;
    }
#undef TRANSFORM
}

/* Row panels that are multiplied before their results are written. */
typedef struct {
    ptrdiff_t begin, end, first_row, rows;
    ptrdiff_t sum_pitch; /* elements of a sum of their products */
} panel_group;

static panel_group group_of(const plan *cut, ptrdiff_t number)
{
    panel_group group = {.begin = number * cut->panels_at_once};
    group.end = smaller(cut->panels.count, group.begin + cut->panels_at_once);
    group.first_row = panel_begin(cut->panels, group.begin);
    group.rows = panel_begin(cut->panels, group.end) - group.first_row;
    group.sum_pitch = group.rows * cut->block + LANES; /* off the powers of two */
    return group;
}

/* sums[sum][row][tile] = or += filters[factor][panel][channel][row] times tiles[input][channel][tile]. */
static void multiply_factors(const plan *cut, const panel_group *group, const real *filters, const real *tiles,
                            ptrdiff_t channels, ptrdiff_t count, real *sums, int accumulate)
{
    for (int factor = 0; factor < cut->products.count; factor++) {
        const int add = accumulate || !cut->products.of[factor].first;
        const real *right = tiles + cut->products.of[factor].input * cut->tile_pitch;
        for (ptrdiff_t panel = group->begin; panel < group->end; panel++) {
            const ptrdiff_t row = panel_begin(cut->panels, panel), height = panel_begin(cut->panels, panel + 1) - row;
            real *to =
                sums + cut->products.of[factor].sum * group->sum_pitch + (row - group->first_row) * cut->block;
            for (ptrdiff_t tile = 0; tile < count; tile += TILE_COLUMNS)
                packed_tile[height - 1][smaller(TILE_COLUMNS, count - tile) / LANES - 1](
                    channels, filters, right + tile, cut->block, to + tile, cut->block, NULL, add);
            filters += cut->panel_pitch;
        }
    }
}

static void write_results(const plan *cut, const panel_group *group, ptrdiff_t first_tile, ptrdiff_t count,
                          const real *sums)
{
    for (ptrdiff_t tile = 0; tile < count; tile += LANES)
        sums_to_results(cut, first_tile + tile, group->first_row, group->rows, sums + tile, group->sum_pitch);
}

static real *scratch_for_sums(const plan *cut)
{
    const ptrdiff_t rows = smaller(cut->panels_at_once * cut->panel_height, cut->product->rows);
    return scratch(SCRATCH_TILES, (size_t)(cut->sums * (rows * cut->block + LANES)) * sizeof(real));
}

static status transform_panel(void *context, ptrdiff_t panel)
{
    const plan *cut = context;
    const ptrdiff_t row = panel_begin(cut->panels, panel), rows = panel_begin(cut->panels, panel + 1) - row;
    const panel_group group = group_of(cut, panel / cut->panels_at_once);
    const ptrdiff_t pitch = (group.end - group.begin) * cut->panel_pitch;
    real *to = cut->filters + (group.begin * cut->products.count + panel - group.begin) * cut->panel_pitch;
    filters_to_factors(cut, row, rows, 0, cut->product->channels, to, pitch);
    return OK;
}

static status multiply_block(void *context, ptrdiff_t block)
{
    const plan *cut = context;
    const ptrdiff_t first = block * cut->block, count = smaller(cut->block, round_up(cut->grid.tiles - first, LANES));
    real *tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut->inputs * cut->tile_pitch) * sizeof(real));
    real *sums = scratch_for_sums(cut);
    if (!tiles || !sums)
        return NO_MEMORY;
    for (ptrdiff_t tile = 0; tile < count; tile += LANES)
        patches_to_points(&cut->grid, cut->product->source, first + tile, 0, cut->product->channels, tiles + tile,
                          cut->block, cut->tile_pitch);
    for (ptrdiff_t number = 0; number * cut->panels_at_once < cut->panels.count; number++) {
        const panel_group group = group_of(cut, number);
        const real *filters = cut->filters + group.begin * cut->products.count * cut->panel_pitch;
        multiply_factors(cut, &group, filters, tiles, cut->product->channels, count, sums, 0);
        write_results(cut, &group, first, count, sums);
    }
    return OK;
}

static status transform_some_patches(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t vectors = cut->block / LANES, tile = task % vectors * LANES,
                    channel = task / vectors * PATCH_CHANNELS;
    patches_to_points(&cut->grid, cut->product->source, tile, channel,
                      smaller(channel + PATCH_CHANNELS, cut->product->channels), cut->tiles + tile, cut->block,
                      cut->tile_pitch);
    return OK;
}

static status multiply_group(void *context, ptrdiff_t number)
{
    const plan *cut = context;
    const panel_group group = group_of(cut, number);
    const ptrdiff_t all = cut->product->channels, pitch = (group.end - group.begin) * cut->panel_pitch;
    real *filters = scratch(SCRATCH_FILTER, (size_t)(cut->products.count * pitch) * sizeof(real));
    real *sums = scratch_for_sums(cut);
    if (!filters || !sums)
        return NO_MEMORY;
    for (ptrdiff_t done = 0; done < all; done += cut->channels_at_once) {
        const ptrdiff_t channels = smaller(cut->channels_at_once, all - done);
        for (ptrdiff_t panel = group.begin; panel < group.end; panel++) {
            const ptrdiff_t row = panel_begin(cut->panels, panel), rows = panel_begin(cut->panels, panel + 1) - row;
            filters_to_factors(cut, row, rows, done, channels, filters + (panel - group.begin) * cut->panel_pitch,
                              pitch);
        }
        multiply_factors(cut, &group, filters, cut->tiles + done * cut->block, channels, cut->block, sums, done > 0);
    }
    write_results(cut, &group, 0, cut->block, sums);
    return OK;
}

/* Do results lie densely in their plane? */
static int dense(const implicit *product)
{
    for (int axis = 0; axis < AXES; axis++)
        if (product->target_step[axis] != 1 || product->target_plane[axis] != product->from.grid[axis])
            return 0;
    return product->groups == 1;
}

/* Time in multiplications of a vector, measured on AVX-512 and AVX2. */
static double cost(const implicit *product, tile_form form)
{
    static const double patch_cost[] = {0, 600, 800, 600, 600, 250, 400};
    static const double result_cost[] = {0, 450, 550, 350, 350, 450, 600};
    static const double filter_cost[] = {0, 420, 900, 700, 700, 550, 900};
    const tile_grid grid = tile_grid_of(&product->from, form, product->target_plane, product->batch, product->rows);
    const row_panels panels = split_rows(product->rows);
    const double channels = (double)product->channels, rows = (double)product->rows;
    const double tile_vectors = (double)ceil_div(grid.tiles, LANES);
    const double copying = LANES * (form < STRIDED_3 ? ELEMENT_COST : PHASE_ELEMENT_COST);
    const double patch = patch_cost[form] + (grid.chunked ? 0 : copying * patch_side(form) * patch_side(form));
    const double result =
        result_cost[form] + (grid.chunked_results ? 0 : copying * tile_outputs(form) * tile_outputs(form));
    const double columns = tile_vectors == 1 ? NARROW_COST : tile_vectors;
    const double products = tile_factors(form) * tile_factors(form);
    return products * channels * rows * columns + tile_vectors * (channels * patch + rows * result) +
           channels * (double)(panels.count * ceil_div(panels.height, LANES)) * filter_cost[form];
}

static double direct_cost(const implicit *product)
{
    const double columns = (double)product->batch * (double)volume(product->from.grid);
    const double filters = (double)product->rows * (double)product->channels;
    return filters * (columns * (double)product->from.taps / LANES + PACKING_COST);
}

/* At stride 2, where windows are gathered more slowly, or results written to every other place. */
static double direct_phases_cost(const implicit *product, tile_form form)
{
    const gather *from = &product->from;
    const ptrdiff_t *windows = form < SPREAD_3 ? from->grid : from->plane;
    const double lines = (double)(product->batch * windows[1] * ceil_div(windows[2], LANES));
    const double columns = (double)product->batch * (double)volume(windows) / LANES;
    const double rows = (double)product->rows, channels = (double)product->channels, taps = (double)from->taps;
    const double products = rows * channels * taps * (columns + TAP_PACKING_COST);
    if (form < SPREAD_3)
        return 1.1 * products + 12 * lines * channels * taps;
    return products + lines * (100 * channels + 180 * rows);
}

tile_form winograd_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice)
{
    ptrdiff_t tap_at[MOST_FILTER_TAPS];
    if (algorithm == DIRECT || product->rows == 0 || !dense(product))
        return NO_TILES;
    if (square_taps(&product->from, 3, 1, tap_at)) {
        choice->direct = direct_cost(product);
        choice->winograd_2 = cost(product, SQUARE_2);
        choice->winograd_4 = cost(product, SQUARE_4);
        return cheapest_square(algorithm, choice);
    }
    for (tile_form form = STRIDED_3; form <= STRIDED_4; form++)
        if (square_taps(&product->from, filter_side(form), 2, tap_at)) {
            choice->direct = direct_phases_cost(product, form);
            choice->winograd_2 = cost(product, form);
            return cheaper_phases(form, algorithm, choice);
        }
    return NO_TILES;
}

tile_form winograd_spread_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice)
{
    if (algorithm == DIRECT || product->rows == 0)
        return NO_TILES;
    const tile_form form = product->from.taps == 9 ? SPREAD_3 : SPREAD_4;
    choice->direct = direct_phases_cost(product, form);
    choice->winograd_2 = cost(product, form);
    return cheaper_phases(form, algorithm, choice);
}

static const char transformed_layout[STRIDED_4 + 1];

status winograd_product(const implicit *product, tile_form form)
{
    plan cut = {
        .product = product,
        .panels = split_rows(product->rows),
        .inputs = tile_inputs(form) * tile_inputs(form),
        .sums = tile_sums(form) * tile_sums(form),
    };
    const int side = filter_side(form);
    cut.grid = tile_grid_of(&product->from, form, product->target_plane, product->batch, product->rows);
    find_tile_products(form, &cut.products);
    for (ptrdiff_t place = 0; place < side * side; place++)
        cut.tap_index[place] = place;
    if (form < SPREAD_3)
        square_taps(&product->from, side, form < STRIDED_3 ? 1 : 2, cut.tap_index);
    for (int place = 0; place < side * side; place++)
        cut.tap_index[place] = product->filter_tap[cut.tap_index[place]];
    if (cut.grid.tiles == 0 || product->rows == 0)
        return OK;
    cut.panel_height = cut.panels.height + (cut.panels.taller > 0);

    const ptrdiff_t tile_bytes = cut.inputs * product->channels * (ptrdiff_t)sizeof(real);
    const int few = cut.grid.tiles <= FEW_TILES;
    if (few) {
        cut.block = round_up(cut.grid.tiles, LANES);
        cut.panels_at_once = PANELS_AT_ONCE;
        cut.channels_at_once = smaller(FILTER_CHANNELS, product->channels);
    } else {
        const ptrdiff_t fitting = TILES_BYTES / larger(1, tile_bytes) / TILE_COLUMNS * TILE_COLUMNS;
        const ptrdiff_t block = fitting ? smaller(fitting, MOST_BLOCK) : MOST_BLOCK;
        const ptrdiff_t blocks = round_up(ceil_div(cut.grid.tiles, block), get_num_threads());
        cut.block = round_up(ceil_div(cut.grid.tiles, blocks), TILE_COLUMNS);
        cut.panels_at_once = fitting ? 1 : cut.panels.count;
        cut.channels_at_once = product->channels;
    }
    cut.tile_pitch = product->channels * cut.block + LANES;
    cut.panel_pitch = cut.channels_at_once * cut.panel_height + LANES;

    /* Of few tiles filters are not kept: to read them, four times as large, would take as long as to transform them. */
    const size_t bytes = (size_t)(cut.products.count * cut.panels.count * cut.panel_pitch) * sizeof(real);
    int ready = 0;
    real *kept = few || form > STRIDED_4 ? NULL : kept_place(product->kept, &transformed_layout[form], bytes, &ready);
    if (few)
        cut.tiles = scratch(SCRATCH_COLUMNS, (size_t)(cut.inputs * cut.tile_pitch) * sizeof(real));
    else
        cut.filters = kept ? kept : scratch(SCRATCH_FILTER, bytes);
    if (!(few ? cut.tiles : cut.filters))
        return NO_MEMORY;

    const double work = (double)cut.products.count * (double)cut.grid.tiles * (double)product->rows *
        (double)product->channels;
    status (*run)(ptrdiff_t, task_body, void *) = work < SERIAL_PRODUCTS ? serial_for : parallel_for;
    status result;
    if (few) {
        result = run(cut.block / LANES * ceil_div(product->channels, PATCH_CHANNELS), transform_some_patches, &cut);
        return result != OK ? result : run(ceil_div(cut.panels.count, cut.panels_at_once), multiply_group, &cut);
    }
    result = ready ? OK : run(cut.panels.count, transform_panel, &cut);
    if (kept && result == OK)
        product->kept->layout = &transformed_layout[form];
    return result != OK ? result : run(ceil_div(cut.grid.tiles, cut.block), multiply_block, &cut);
}

#else

/* The transforms lose too many digits to be of use where double precision is wanted. */
tile_form winograd_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice)
{
    (void)product, (void)algorithm, (void)choice;
    return NO_TILES;
}

tile_form winograd_spread_form(const implicit *product, conv_algorithm algorithm, conv_choice *choice)
{
    (void)product, (void)algorithm, (void)choice;
    return NO_TILES;
}

status winograd_product(const implicit *product, tile_form form)
{
    (void)form;
    return implicit_product(product);
}

#endif
