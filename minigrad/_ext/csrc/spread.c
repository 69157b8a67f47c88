#include "spread.h"

#include <string.h>

#include "gemm.h"
#include "scratch.h"
#include "threads.h"

enum {
    ADDING_COST = 6,         /* multiplications of a vector that take as long as to add one to the target */
    LEAST_POSITIONS = 64,    /* of the source in all: less is not worth to pack the filters for */
    NEAR_BYTES = 512 * 1024, /* of a panel's source and sums, which stay in the second-level cache */
};

typedef struct {
    const implicit *product;
    row_panels panels; /* of one group */
    /* Source and target have lines of the same length, so that a tap shifts a whole plane of the source by one distance:
     * `length` elements from its first to its last, and what lies between its lines is zero. */
    ptrdiff_t length, source_pitch, target_pitch;
    real *packed; /* the filter: for each group and row panel [taps, channels, rows of the panel] */
} plan;

/* The elements from the first to the last of a source plane in lines of the target. */
static ptrdiff_t spread_length(const gather *from)
{
    const ptrdiff_t *grid = from->grid, *plane = from->plane;
    return ((plane[0] - 1) * grid[1] + plane[1] - 1) * grid[2] + plane[2];
}

static ptrdiff_t shift_of(const gather *from, ptrdiff_t tap)
{
    const ptrdiff_t *grid = from->grid, *offset = from->tap[tap];
    return -((offset[0] * grid[1] + offset[1]) * grid[2] + offset[2]);
}

int spread_takes(const implicit *product)
{
    const gather *from = &product->from;
    const ptrdiff_t most = NEAR_BYTES / (ptrdiff_t)sizeof(real) / larger(1, product->channels + TILE_ROWS);
    if (from->taps < 2 || product->shared != 1 || product->rows * product->channels == 0 ||
        product->batch * volume(from->plane) < LEAST_POSITIONS || volume(from->grid) > most)
        return 0;
    ptrdiff_t reach[AXES] = {0};
    for (int axis = 0; axis < AXES; axis++) {
        if (from->step[axis] != 1 || product->target_step[axis] != 1 || from->grid[axis] != product->target_plane[axis])
            return 0;
        for (ptrdiff_t tap = 0; tap < from->taps; tap++) {
            const ptrdiff_t offset = from->tap[tap][axis];
            if (offset > 0 || from->plane[axis] - offset > from->grid[axis])
                return 0;
            reach[axis] = larger(reach[axis], -offset);
        }
    }
    const ptrdiff_t lines = from->grid[0] * from->grid[1], width = from->grid[2];
    const ptrdiff_t gathered = smaller(ceil_div(lines * (width + reach[2]), LANES), lines * ceil_div(width, LANES));
    return ceil_div(spread_length(from), LANES) * (product->channels + ADDING_COST) < gathered * product->channels;
}

static status pack_panel(void *context, ptrdiff_t unit)
{
    const plan *cut = context;
    const implicit *product = cut->product;
    const ptrdiff_t group = unit / cut->panels.count, panel = unit % cut->panels.count, taps = product->from.taps;
    const ptrdiff_t first = panel_begin(cut->panels, panel), rows = panel_begin(cut->panels, panel + 1) - first;
    const ptrdiff_t *pitch = product->filter_pitch;
    const real *filter = product->filter + group * pitch[0] + first * pitch[1];
    real *packed = cut->packed + (group * product->rows + first) * product->channels * taps;
    for (ptrdiff_t tap = 0; tap < taps; tap++)
        for (ptrdiff_t channel = 0; channel < product->channels; channel++)
            for (ptrdiff_t row = 0; row < rows; row++)
                *packed++ = filter[row * pitch[1] + channel * pitch[2] + product->filter_tap[tap]];
    return OK;
}

/* The planes of a group of an image, in lines of the target. */
static void copy_source(const plan *cut, ptrdiff_t image, ptrdiff_t group, real *to)
{
    const implicit *product = cut->product;
    const ptrdiff_t *grid = product->from.grid, *plane = product->from.plane;
    const real *from = product->source + image * product->from.image_pitch + group * product->channels * volume(plane);
    memset(to, 0, (size_t)(product->channels * cut->source_pitch) * sizeof(real));
    for (ptrdiff_t channel = 0; channel < product->channels; channel++, to += cut->source_pitch)
        for (ptrdiff_t z = 0; z < plane[0]; z++)
            for (ptrdiff_t y = 0; y < plane[1]; y++, from += plane[2])
                memcpy(to + (z * grid[1] + y) * grid[2], from, (size_t)plane[2] * sizeof(real));
}

/* One panel of a group's rows for one image. */
static status spread_panel(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const implicit *product = cut->product;
    const ptrdiff_t unit = task % (product->groups * cut->panels.count), panel = unit % cut->panels.count;
    const ptrdiff_t image = task / (product->groups * cut->panels.count), group = unit / cut->panels.count;
    const ptrdiff_t first = group * product->rows + panel_begin(cut->panels, panel);
    const ptrdiff_t rows = group * product->rows + panel_begin(cut->panels, panel + 1) - first;
    const ptrdiff_t channels = product->channels, taps = product->from.taps, size = volume(product->from.grid);

    real *source = scratch(SCRATCH_COLUMNS, (size_t)(channels * cut->source_pitch) * sizeof(real));
    real *sums = scratch(SCRATCH_TILES, (size_t)(rows * cut->target_pitch) * sizeof(real));
    int32_t *offsets = scratch(SCRATCH_PIECES, (size_t)(channels + PREFETCH_STEPS) * sizeof(int32_t));
    if (!source || !sums || !offsets)
        return NO_MEMORY;
    copy_source(cut, image, group, source);
    for (ptrdiff_t channel = 0; channel < channels + PREFETCH_STEPS; channel++)
        offsets[channel] = (int32_t)(smaller(channel, channels - 1) * cut->source_pitch);
    for (ptrdiff_t row = 0; row < rows; row++) {
        const vec begin = broadcast(product->bias ? product->bias[first + row] : 0);
        for (ptrdiff_t i = 0; i < cut->target_pitch; i += LANES)
            store(sums + row * cut->target_pitch + i, begin);
    }

    const real *packed = cut->packed + first * channels * taps;
    const ptrdiff_t all = cut->source_pitch / LANES, tiles = ceil_div(all, widest_tile(rows));
    for (ptrdiff_t tap = 0; tap < taps; tap++, packed += channels * rows)
        for (ptrdiff_t tile = 0; tile < tiles; tile++) { /* of nearly equal width */
            const ptrdiff_t begin = all * tile / tiles, vectors = all * (tile + 1) / tiles - begin;
            real *to = sums + shift_of(&product->from, tap) + begin * LANES;
            offset_kernel(rows, vectors)(channels, packed, source + begin * LANES, offsets, LANES, to,
                                         cut->target_pitch, NULL, 1);
        }
    real *target = product->target + (image * product->groups * product->rows + first) * size;
    for (ptrdiff_t row = 0; row < rows; row++)
        memcpy(target + row * size, sums + row * cut->target_pitch, (size_t)size * sizeof(real));
    return OK;
}

status spread_product(const implicit *product)
{
    plan cut = {.product = product, .panels = split_rows(product->rows), .length = spread_length(&product->from)};
    cut.source_pitch = round_up(cut.length, LANES);
    cut.target_pitch = round_up(volume(product->from.grid), LANES) + LANES; /* the last vector may reach beyond the plane */
    const ptrdiff_t depth = product->channels * product->from.taps, units = product->groups * cut.panels.count;
    cut.packed = scratch(SCRATCH_FILTER, (size_t)(product->groups * product->rows * depth) * sizeof(real));
    if (!cut.packed)
        return NO_MEMORY;
    const double work = (double)product->batch * (double)cut.length * (double)product->groups * (double)product->rows *
                        (double)depth;
    status (*run)(ptrdiff_t, task_body, void *) = work < SERIAL_PRODUCTS ? serial_for : parallel_for;
    const status packed = run(units, pack_panel, &cut);
    return packed == OK ? run(product->batch * units, spread_panel, &cut) : packed;
}
