#include "weight.h"

#include <string.h>

#include "dot.h"
#include "region.h"
#include "scratch.h"
#include "threads.h"

enum {
    LANE_SUMS_BYTES = 256 * 1024,   /* the sums of one split, lane by lane, stay in the second-level cache */
    BLOCK_WINDOWS = 64 * LANES,
    REGION_BYTES = 256 * 1024,
    TILE_STEPS = 64, /* vectors that a tile shall run over at least */
};

/* The blocks of windows are cut into `splits`, which depends on the shape only, so that the order of summation does
 * too. */
typedef struct {
    const weight_gradient *gradient;
    ptrdiff_t rows;                   /* channels * taps */
    ptrdiff_t size[AXES], cuts[AXES]; /* windows of a block, and blocks along each axis of the grid */
    ptrdiff_t blocks, splits, channels_at_once;
    ptrdiff_t slabs; /* images of a block */
    int in_place;    /* the only tap reads whole planes, which are lines of whole vectors: nothing is copied */
    gather lines;    /* the cotangent, line by line */
    shifts taps;
    real *sums; /* [splits, groups, filters, rows, LANES] */
} plan;

int dots_take(const weight_gradient *gradient)
{
    const gather *from = &gradient->from;
    const double sums = (double)gradient->filters * (double)gradient->channels * (double)from->taps;
    /* Windows that are far apart for what they read are better gathered one tap at a time. */
    double copied = 1;
    for (int axis = 0; axis < AXES; axis++) {
        const double span = (double)(from->tap[from->taps - 1][axis] - from->tap[0][axis]) / (double)from->step[axis];
        copied *= (span + (double)from->grid[axis]) / (double)from->grid[axis] *
                  (double)smaller(from->step[axis], from->taps);
    }
    return sums * VECTOR_BYTES <= LANE_SUMS_BYTES && copied <= 2 * (double)from->taps;
}

/* A block of windows in some images: the copies of its source and of its cotangent, laid out alike for each image, and
 * where each row (channel, tap) begins in the first. */
typedef struct {
    ptrdiff_t slabs, image, first[AXES], size[AXES];
    region copy, lines;
    int32_t *offset;
} block;

/* The cotangent is not shifted; each of its lines is filled with zeros up to the next whole vector. */
static shifts line_shifts(ptrdiff_t width)
{
    static ptrdiff_t none[1][AXES], first[1];
    return (shifts){
        .reach = {0, 0, round_up(width, LANES) - width}, .phases = 1, .residue = none, .shift = none, .phase = first};
}

static void place_block(const plan *cut, ptrdiff_t number, block *part)
{
    const gather *from = &cut->gradient->from;
    const ptrdiff_t *cuts = cut->cuts;
    part->image = number / volume(cuts) * cut->slabs;
    part->slabs = smaller(cut->slabs, cut->gradient->batch - part->image);
    part->first[0] = number / cuts[2] / cuts[1] % cuts[0];
    part->first[1] = number / cuts[2] % cuts[1];
    part->first[2] = number % cuts[2];
    for (int axis = 0; axis < AXES; axis++) {
        part->first[axis] *= cut->size[axis];
        part->size[axis] = smaller(cut->size[axis], from->grid[axis] - part->first[axis]);
    }
    const shifts line_end = line_shifts(part->size[2]);
    part->copy = region_of(&cut->taps, part->size);
    part->lines = region_of(&line_end, part->size);
    int32_t *offset = part->offset;
    for (ptrdiff_t channel = 0; channel < cut->channels_at_once; channel++)
        for (ptrdiff_t tap = 0; tap < from->taps; tap++)
            *offset++ = cut->in_place
                ? (int32_t)(channel * from->plane[2])
                : (int32_t)(channel * part->copy.channel_pitch + tap_in_region(&cut->taps, &part->copy, tap));
}

/* sums += the products of some rows with all filters. */
static void add_rows(const plan *cut, const dot_shape *shape, const real *cotangent, const real *source,
                     const int32_t *offset, ptrdiff_t rows, real *sums)
{
    const ptrdiff_t filters = cut->gradient->filters;
    for (ptrdiff_t filter = 0; filter < filters; filter += DOT_LEFT)
        for (ptrdiff_t row = 0; row < rows; row += DOT_RIGHT)
            dot_tile[smaller(DOT_LEFT, filters - filter) - 1][smaller(DOT_RIGHT, rows - row) - 1](
                shape, cotangent + filter * shape->left_pitch, source, offset + row,
                sums + (filter * cut->rows + row) * LANES);
}

/* Adds the products of one group over a block, read where they are. */
static void add_in_place(const plan *cut, const block *part, ptrdiff_t group, real *sums)
{
    const weight_gradient *gradient = cut->gradient;
    const gather *from = &gradient->from;
    const ptrdiff_t area = from->plane[2], filters = gradient->filters;
    const dot_shape shape = {
        .slabs = part->slabs,
        .left_slab = cut->lines.image_pitch,
        .right_slab = from->image_pitch,
        .lines = 1,
        .width = part->size[2],
        .left_pitch = area,
        .sums_pitch = cut->rows * LANES,
    };
    add_rows(cut, &shape,
             gradient->cotangent + part->image * cut->lines.image_pitch + group * filters * area + part->first[2],
             gradient->source + part->image * from->image_pitch + group * gradient->channels * area + part->first[2],
             part->offset, cut->rows, sums + group * filters * cut->rows * LANES);
}

/* Adds the products of one group's channels and filters over a block. */
static void add_block(const plan *cut, const block *part, ptrdiff_t group, real *source, real *cotangent, real *sums)
{
    const weight_gradient *gradient = cut->gradient;
    const region *copy = &part->copy, *lines = &part->lines;
    const shifts line_end = line_shifts(part->size[2]);
    const ptrdiff_t taps = gradient->from.taps, filters = gradient->filters;
    const ptrdiff_t plane = volume(gradient->from.plane), area = volume(gradient->from.grid);
    const dot_shape shape = {
        .slabs = part->slabs,
        .left_slab = filters * lines->channel_pitch,
        .right_slab = cut->channels_at_once * copy->channel_pitch,
        .lines = part->size[1],
        .width = part->size[2],
        .left_line = lines->extent[2],
        .right_line = copy->extent[2],
        .left_pitch = lines->channel_pitch,
        .sums_pitch = cut->rows * LANES,
    };
    for (ptrdiff_t slab = 0; slab < part->slabs; slab++)
        fill_region(&cut->lines, &line_end, lines, part->first, gradient->cotangent,
                    (part->image + slab) * cut->lines.image_pitch + group * filters * area, filters,
                    cotangent + slab * shape.left_slab);
    for (ptrdiff_t channel = 0; channel < gradient->channels; channel += cut->channels_at_once) {
        const ptrdiff_t channels = smaller(cut->channels_at_once, gradient->channels - channel), rows = channels * taps;
        for (ptrdiff_t slab = 0; slab < part->slabs; slab++)
            fill_region(&gradient->from, &cut->taps, copy, part->first, gradient->source,
                        (part->image + slab) * gradient->from.image_pitch +
                            (group * gradient->channels + channel) * plane,
                        channels, source + slab * shape.right_slab);
        add_rows(cut, &shape, cotangent, source, part->offset, rows,
                 sums + (group * filters * cut->rows + channel * taps) * LANES);
    }
}

static status sum_split(void *context, ptrdiff_t split)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t taps = gradient->from.taps, filters = gradient->filters;
    const shifts line_end = line_shifts(cut->size[2]);
    /* The largest block; those at the end of an axis may be smaller. */
    block part = {.copy = region_of(&cut->taps, cut->size), .lines = region_of(&line_end, cut->size)};

    part.offset = scratch(SCRATCH_PIECES, (size_t)(cut->channels_at_once * taps) * sizeof(int32_t));
    /* fill_region may write, and a tile may read, beyond the end. */
    const ptrdiff_t copies = cut->in_place ? 0 : cut->slabs;
    real *source =
        scratch(SCRATCH_COLUMNS,
                (size_t)(copies * cut->channels_at_once * part.copy.channel_pitch + 2 * LANES) * sizeof(real));
    real *cotangent =
        scratch(SCRATCH_TILES, (size_t)(copies * filters * part.lines.channel_pitch + 2 * LANES) * sizeof(real));
    if (!part.offset || !source || !cotangent)
        return NO_MEMORY;

    const ptrdiff_t sums_size = gradient->groups * filters * cut->rows * LANES;
    real *sums = cut->sums + split * sums_size;
    memset(sums, 0, (size_t)sums_size * sizeof(real));
    for (ptrdiff_t number = cut->blocks * split / cut->splits; number < cut->blocks * (split + 1) / cut->splits;
         number++) {
        place_block(cut, number, &part);
        for (ptrdiff_t group = 0; group < gradient->groups; group++)
            if (cut->in_place)
                add_in_place(cut, &part, group, sums);
            else
                add_block(cut, &part, group, source, cotangent, sums);
    }
    return OK;
}

static status add_splits(void *context, ptrdiff_t filter)
{
    const plan *cut = context;
    const ptrdiff_t split_pitch = cut->gradient->groups * cut->gradient->filters * cut->rows * LANES;
    for (ptrdiff_t row = 0; row < cut->rows; row++) {
        const real *sums = cut->sums + (filter * cut->rows + row) * LANES;
        vec total = load(sums);
        for (ptrdiff_t split = 1; split < cut->splits; split++)
            total += load(sums + split * split_pitch);
        cut->gradient->target[filter * cut->rows + row] = sum_lanes(total);
    }
    return OK;
}

/* Does the only tap read whole planes? */
static int reads_planes(const weight_gradient *gradient)
{
    const gather *from = &gradient->from;
    for (int axis = 0; axis < AXES; axis++)
        if (from->taps != 1 || from->tap[0][axis] != 0 || from->step[axis] != 1 ||
            from->grid[axis] != from->plane[axis])
            return 0;
    return volume(from->plane) % LANES == 0 && gradient->channels * volume(from->plane) <= INT32_MAX;
}

static status by_dots(const weight_gradient *gradient, int in_place)
{
    const gather *from = &gradient->from;
    plan cut = {.gradient = gradient, .rows = gradient->channels * from->taps, .lines = *from, .in_place = in_place};
    cut.lines.image_pitch = gradient->groups * gradient->filters * volume(from->grid);
    cut.lines.total = gradient->batch * cut.lines.image_pitch;
    for (int axis = 0; axis < AXES; axis++) {
        cut.lines.plane[axis] = from->grid[axis];
        cut.lines.step[axis] = 1;
    }
    void *shift_memory = scratch(SCRATCH_SHIFTS, shifts_bytes(from));
    if (!shift_memory)
        return NO_MEMORY;
    find_shifts(from, shift_memory, &cut.taps);

    cut.size[0] = 1;
    cut.size[2] = smaller(from->grid[2], BLOCK_WINDOWS); /* if not the whole line, then whole vectors */
    cut.size[1] = larger(1, BLOCK_WINDOWS / cut.size[2]);
    cut.size[1] = ceil_div(from->grid[1], ceil_div(from->grid[1], cut.size[1]));
    for (int axis = 0; axis < AXES; axis++)
        cut.cuts[axis] = ceil_div(from->grid[axis], cut.size[axis]);
    const ptrdiff_t channel_bytes = region_of(&cut.taps, cut.size).channel_pitch * (ptrdiff_t)sizeof(real);
    cut.channels_at_once =
        in_place ? gradient->channels : larger(1, smaller(gradient->channels, REGION_BYTES / channel_bytes));
    /* Small images share a block, so that the sums are not fetched and stored again after a few steps. */
    const shifts line_end = line_shifts(cut.size[2]);
    const ptrdiff_t line_bytes = region_of(&line_end, cut.size).channel_pitch * (ptrdiff_t)sizeof(real);
    const ptrdiff_t image_bytes = cut.channels_at_once * channel_bytes + gradient->filters * line_bytes;
    const ptrdiff_t steps = cut.size[1] * ceil_div(cut.size[2], LANES);
    cut.slabs = volume(cut.cuts) > 1 ? 1 : smaller(ceil_div(TILE_STEPS, steps), REGION_BYTES / image_bytes);
    cut.slabs = larger(1, smaller(cut.slabs, gradient->batch));
    cut.blocks = ceil_div(gradient->batch, cut.slabs) * volume(cut.cuts);

    const ptrdiff_t sums_bytes = gradient->groups * gradient->filters * cut.rows * VECTOR_BYTES;
    const double work = weight_work(gradient);
    cut.splits = weight_splits(gradient, cut.blocks, sums_bytes);
    cut.sums = scratch(SCRATCH_SUMS, (size_t)(cut.splits * sums_bytes));
    if (!cut.sums)
        return NO_MEMORY;
    status (*run)(ptrdiff_t, task_body, void *) = work < SERIAL_PRODUCTS ? serial_for : parallel_for;
    const status summed = run(cut.splits, sum_split, &cut);
    return summed != OK ? summed : serial_for(gradient->groups * gradient->filters, add_splits, &cut);
}

status weight_by_dots(const weight_gradient *gradient)
{
    if (!reads_planes(gradient))
        return by_dots(gradient, 0);
    weight_gradient lines = *gradient; /* each plane a line */
    for (int axis = 0; axis < AXES; axis++)
        lines.from.grid[axis] = lines.from.plane[axis] = axis == 2 ? volume(gradient->from.plane) : 1;
    return by_dots(&lines, 1);
}
