#include "depthwise.h"

#include "region.h"
#include "scratch.h"
#include "threads.h"

enum {
    MOST_ROWS = 2,             /* filters of a group; the microkernels of a product are faster with more */
    MOST_STEPS = 64,           /* channels * taps of a group */
    COLUMN = 3,
    LINES = 8,                 /* that are summed together, so that additions do not wait for one another */
    REGION_BYTES = 128 * 1024, /* a copy stays in the second-level cache */
    TASK_ELEMENTS = 1 << 15,
};

/* The grid is cut into blocks of whole lines, the same for all images and groups; a task computes one block for some of
 * them. */
typedef struct {
    const implicit *product;
    shifts taps;
    ptrdiff_t lines, cuts; /* of a block, and blocks of a slice */
    ptrdiff_t blocks, planes, planes_a_task, tasks_a_block;
} plan;

int depthwise_takes(const implicit *product)
{
    const gather *from = &product->from;
    if (product->groups == 1 || product->rows > MOST_ROWS || product->channels * from->taps > MOST_STEPS)
        return 0;
    /* A region is a line at least, and windows that are far apart read little of it. */
    ptrdiff_t line = product->channels * from->plane[2], lowest[AXES], highest[AXES];
    for (int axis = 0; axis < AXES && from->taps; axis++) {
        lowest[axis] = highest[axis] = from->tap[0][axis];
        for (ptrdiff_t tap = 1; tap < from->taps; tap++) {
            lowest[axis] = smaller(lowest[axis], from->tap[tap][axis]);
            highest[axis] = larger(highest[axis], from->tap[tap][axis]);
        }
        if (axis < 2)
            line *= highest[axis] - lowest[axis] + 1;
        else
            line += product->channels * (highest[axis] - lowest[axis]);
    }
    return line * (ptrdiff_t)sizeof(real) <= REGION_BYTES;
}

/* Up to COLUMN taps below one another: of line j of the copy, tap t adds to the sums of line j - t. */
typedef struct {
    int32_t offset, height; /* where the first reads */
    ptrdiff_t element[COLUMN]; /* of the filter */
    real weight[COLUMN];
} column;

INLINE void add_column(const int lines, const int height, const column *taps, const real *from, ptrdiff_t pitch,
                       vec *sums)
{
    vec weight[COLUMN];
    UNROLL
    for (int tap = 0; tap < height; tap++)
        weight[tap] = broadcast(taps->weight[tap]);
    from += taps->offset;
    UNROLL
    for (int line = 0; line < lines + height - 1; line++) {
        const vec read = load(from + line * pitch);
        UNROLL
        for (int tap = 0; tap < height; tap++)
            if (line - tap >= 0 && line - tap < lines)
                sums[line - tap] += weight[tap] * read;
    }
}

/* sums[line] = bias plus the products of a vector of windows in each of `lines` lines. */
INLINE void sum_lines(const int lines, const column *columns, ptrdiff_t count, const real *from, ptrdiff_t pitch,
                      real bias, vec *sums)
{
    vec total[LINES];
    UNROLL
    for (int line = 0; line < lines; line++)
        total[line] = broadcast(bias);
    for (const column *taps = columns; taps < columns + count; taps++)
        if (taps->height == 3)
            add_column(lines, 3, taps, from, pitch, total);
        else if (taps->height == 2)
            add_column(lines, 2, taps, from, pitch, total);
        else
            add_column(lines, 1, taps, from, pitch, total);
    UNROLL
    for (int line = 0; line < lines; line++)
        sums[line] = total[line];
}

#define DEFINE(lines)                                                                                                  \
    static void sum_##lines(const column *columns, ptrdiff_t count, const real *from, ptrdiff_t pitch, real bias,      \
                            vec *sums)                                                                                 \
    {                                                                                                                  \
        sum_lines(lines, columns, count, from, pitch, bias, sums);                                                     \
    }
DEFINE(1)
DEFINE(2)
DEFINE(3)
DEFINE(4)
DEFINE(5)
DEFINE(6)
DEFINE(7)
DEFINE(8)

/* Indexed by [lines - 1]. */
static void (*const line_sums[LINES])(const column *, ptrdiff_t, const real *, ptrdiff_t, real, vec *) = {
    sum_1, sum_2, sum_3, sum_4, sum_5, sum_6, sum_7, sum_8};

/* The taps of all channels of a group in columns; returns how many there are. */
static ptrdiff_t find_columns(const plan *cut, const region *copy, column *columns)
{
    const implicit *product = cut->product;
    const shifts *taps = &cut->taps;
    const ptrdiff_t last = product->from.taps - 1;
    const int downwards = last < 0 || product->from.tap[0][1] <= product->from.tap[last][1]; /* the adjoint's go up */
    ptrdiff_t count = 0;
    for (ptrdiff_t channel = 0; channel < product->channels; channel++) {
        const ptrdiff_t first_column = count;
        for (ptrdiff_t number = 0; number < last + 1; number++) {
            const ptrdiff_t tap = downwards ? number : last - number;
            const ptrdiff_t offset = channel * copy->channel_pitch + tap_in_region(taps, copy, tap);
            column *below = columns + first_column;
            while (below < columns + count &&
                   (below->height == COLUMN || below->offset + below->height * copy->extent[2] != offset))
                below++;
            if (below == columns + count)
                columns[count++] = (column){.offset = (int32_t)offset};
            below->element[below->height++] = channel * product->filter_pitch[2] + product->filter_tap[tap];
        }
    }
    return count;
}

/* Up to LANES results, `step` apart. */
INLINE void write_windows(real *to, ptrdiff_t step, vec value, ptrdiff_t count)
{
    if (step == 1 && count >= LANES) {
        store(to, value);
    } else if (step == 1) {
        store_first(to, value, count);
    } else if (step == 2) { /* what lies between belongs to another phase, which nobody writes now */
        store_even(to, value, count);
    } else {
        real part[LANES];
        store(part, value);
        for (ptrdiff_t i = 0; i < LANES && i < count; i++)
            to[i * step] = part[i];
    }
}

/* One filter over a block. */
static void filter_block(const plan *cut, const region *copy, ptrdiff_t lines, const column *columns, ptrdiff_t count,
                         const real *source, real bias, real *target)
{
    const implicit *product = cut->product;
    const ptrdiff_t width = product->from.grid[2], pitch = copy->extent[2], step = product->target_step[2];
    const ptrdiff_t line_pitch = product->target_step[1] * product->target_plane[2];
    for (ptrdiff_t line = 0; line < lines; line += LINES) {
        const ptrdiff_t together = smaller(LINES, lines - line);
        for (ptrdiff_t x = 0; x < width; x += LANES) {
            vec sums[LINES];
            line_sums[together - 1](columns, count, source + line * pitch + x, pitch, bias, sums);
            for (ptrdiff_t i = 0; i < together; i++)
                write_windows(target + (line + i) * line_pitch + x * step, step, sums[i], width - x);
        }
    }
}

static status filter_planes(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const implicit *product = cut->product;
    const gather *from = &product->from;
    const ptrdiff_t block = task / cut->tasks_a_block;
    const ptrdiff_t first_plane = task % cut->tasks_a_block * cut->planes_a_task;
    const ptrdiff_t last_plane = smaller(cut->planes, first_plane + cut->planes_a_task);
    const ptrdiff_t first[AXES] = {block / cut->cuts, block % cut->cuts * cut->lines, 0};
    const ptrdiff_t size[AXES] = {1, smaller(cut->lines, from->grid[1] - first[1]), from->grid[2]};

    const region copy = region_of(&cut->taps, size);
    column columns[MOST_STEPS];
    const ptrdiff_t count = find_columns(cut, &copy, columns);
    /* The last line is read beyond its end, and the copies are written so. */
    real *source = scratch(SCRATCH_COLUMNS,
                           (size_t)(product->channels * copy.channel_pitch + LINES * LANES + LANES) * sizeof(real));
    if (!source)
        return NO_MEMORY;
    const ptrdiff_t *plane = product->target_plane, *step = product->target_step, *start = product->target_start;
    const ptrdiff_t place =
        ((first[0] * step[0] + start[0]) * plane[1] + first[1] * step[1] + start[1]) * plane[2] + start[2];
    for (ptrdiff_t number = first_plane; number < last_plane; number++) {
        const ptrdiff_t group = number % product->groups;
        fill_region(from, &cut->taps, &copy, first, product->source,
                    number * product->channels * volume(from->plane), product->channels, source);
        for (ptrdiff_t row = 0; row < product->rows; row++) {
            const real *filter = product->filter + group * product->filter_pitch[0] + row * product->filter_pitch[1];
            for (column *taps = columns; taps < columns + count; taps++)
                for (int32_t tap = 0; tap < taps->height; tap++)
                    taps->weight[tap] = filter[taps->element[tap]];
            filter_block(cut, &copy, size[1], columns, count, source,
                         product->bias ? product->bias[group * product->rows + row] : 0,
                         product->target + (number * product->rows + row) * volume(plane) + place);
        }
    }
    return OK;
}

status depthwise_product(const implicit *product)
{
    const gather *from = &product->from;
    plan cut = {.product = product, .planes = product->batch * product->groups};
    const ptrdiff_t area = volume(from->grid);
    if (cut.planes * area == 0 || product->rows == 0)
        return OK;
    void *shift_memory = scratch(SCRATCH_SHIFTS, shifts_bytes(from));
    if (!shift_memory)
        return NO_MEMORY;
    find_shifts(from, shift_memory, &cut.taps);

    ptrdiff_t size[AXES] = {1, 1, from->grid[2]};
    const ptrdiff_t line_bytes =
        product->channels * region_of(&cut.taps, size).channel_pitch * (ptrdiff_t)sizeof(real) / (1 + cut.taps.reach[1]);
    cut.lines = larger(LINES, REGION_BYTES / larger(1, line_bytes) - cut.taps.reach[1]);
    cut.lines = ceil_div(from->grid[1], ceil_div(from->grid[1], cut.lines));
    cut.cuts = ceil_div(from->grid[1], cut.lines);
    cut.blocks = from->grid[0] * cut.cuts;
    cut.planes_a_task = smaller(cut.planes, ceil_div(TASK_ELEMENTS, cut.lines * size[2]));
    cut.tasks_a_block = ceil_div(cut.planes, cut.planes_a_task);
    const double work = (double)cut.planes * (double)area * (double)(product->rows * product->channels * from->taps);
    return (work < SERIAL_PRODUCTS ? serial_for : parallel_for)(cut.blocks * cut.tasks_a_block, filter_planes, &cut);
}
