#include "weight.h"

#include "gemm.h"
#include "scratch.h"
#include "threads.h"

enum {
    ROW_BLOCK = 9 * TILE_ROWS, /* gathered rows that share the second-level cache with the transposed cotangent */
    MOST_TASKS = 32,
    SPLIT_BLOCKS = 4,                /* that are worth writing and adding another set of sums */
    PART_ROWS = 2 * ROW_BLOCK,       /* each part of the rows transposes the cotangent again: that must be worth it */
    PARTIAL_BYTES = 4 * 1024 * 1024, /* for partial sums, all of them together */
};

/* The sum over columns is cut into `splits`, the rows (channel, tap) of each group into `parts`. The cut depends on the
 * shape only, never on the number of threads, so that the result does not either. */
typedef struct {
    const weight_gradient *gradient;
    ptrdiff_t rows, columns, blocks;
    ptrdiff_t splits, parts;
    ptrdiff_t pitch; /* of a row of partial sums: filters, rounded up */
    real *sums;      /* [splits, groups, rows, pitch] */
} plan;

/* Columns first .. first + count - 1 of a group's cotangent, with filters along vectors: [panel][column][TILE_COLUMNS].
 */
static void transpose_cotangent(const weight_gradient *gradient, ptrdiff_t group, ptrdiff_t first, ptrdiff_t count,
                                real *transposed)
{
    const ptrdiff_t area = volume(gradient->from.grid), filters = gradient->filters;
    const real *end = gradient->cotangent + gradient->batch * gradient->groups * filters * area;
    for (ptrdiff_t column = 0; column < count;) {
        const ptrdiff_t image = (first + column) / area, place = (first + column) % area;
        const ptrdiff_t taken = smaller(count - column, area - place);
        const real *from = gradient->cotangent + ((image * gradient->groups + group) * filters) * area + place;
        for (ptrdiff_t filter = 0; filter < filters; filter += LANES) {
            real *to =
                transposed + (filter / TILE_COLUMNS * STRIDED_STEPS + column) * TILE_COLUMNS + filter % TILE_COLUMNS;
            for (ptrdiff_t i = 0; i < taken; i += LANES)
                transpose_block(from + filter * area + i, area, filters - filter, taken - i, end,
                                to + i * TILE_COLUMNS, TILE_COLUMNS);
        }
        column += taken;
    }
}

static status sum_columns(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const gather *from = &gradient->from;
    const ptrdiff_t split = task % cut->splits, part = task / cut->splits % cut->parts,
                    group = task / cut->splits / cut->parts;
    const ptrdiff_t block_begin = cut->blocks * split / cut->splits,
                    block_end = cut->blocks * (split + 1) / cut->splits;
    const ptrdiff_t row_begin = cut->rows * part / cut->parts, row_end = cut->rows * (part + 1) / cut->parts;
    const ptrdiff_t filter_panels = ceil_div(gradient->filters, TILE_COLUMNS), plane = volume(from->plane);
    real *sums = cut->sums + (split * gradient->groups + group) * cut->rows * cut->pitch;

    piece *pieces = scratch(SCRATCH_PIECES, (size_t)from->taps * (STRIDED_STEPS * sizeof(piece) + sizeof(int32_t)));
    real *gathered =
        scratch(SCRATCH_COLUMNS, (size_t)(smaller(ROW_BLOCK, row_end - row_begin) * STRIDED_PITCH) * sizeof(real));
    real *transposed = scratch(SCRATCH_TILES, (size_t)(filter_panels * STRIDED_STEPS * TILE_COLUMNS) * sizeof(real));
    if (!pieces || !gathered || !transposed)
        return NO_MEMORY;
    int32_t *piece_count = (int32_t *)(pieces + from->taps * STRIDED_STEPS);

    for (ptrdiff_t block = block_begin; block < block_end; block++) {
        const ptrdiff_t first = block * STRIDED_STEPS, count = smaller(STRIDED_STEPS, cut->columns - first);
        transpose_cotangent(gradient, group, first, count, transposed);
        for (ptrdiff_t tap = 0; tap < from->taps; tap++)
            piece_count[tap] = (int32_t)tabulate_pieces(from, tap, first, count, STRIDED_STEPS, STRIDED_PITCH,
                                                        pieces + tap * STRIDED_STEPS);
        for (ptrdiff_t base = row_begin; base < row_end; base += ROW_BLOCK) {
            const ptrdiff_t rows = smaller(ROW_BLOCK, row_end - base);
            for (ptrdiff_t row = 0; row < rows; row++) {
                const ptrdiff_t channel = group * gradient->channels + (base + row) / from->taps,
                                tap = (base + row) % from->taps;
                gather_row(from, gradient->source, channel * plane, pieces + tap * STRIDED_STEPS, piece_count[tap],
                           gathered + row * STRIDED_PITCH);
            }
            const row_panels panels = split_rows(rows);
            for (ptrdiff_t panel = 0; panel < panels.count; panel++) {
                const ptrdiff_t row = panel_begin(panels, panel), height = panel_begin(panels, panel + 1) - row;
                for (ptrdiff_t filter = 0; filter < gradient->filters; filter += TILE_COLUMNS) {
                    const ptrdiff_t vectors = smaller(TILE_VECTORS, ceil_div(gradient->filters - filter, LANES));
                    strided_tile[height - 1][vectors - 1](
                        count, gathered + row * STRIDED_PITCH, transposed + filter * STRIDED_STEPS,
                        sums + (base + row) * cut->pitch + filter, cut->pitch, NULL, block > block_begin);
                }
            }
        }
    }
    return OK;
}

/* Adds the partial sums of LANES rows up and turns [row, filter] into the filter's own order. */
static status add_sums(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const weight_gradient *gradient = cut->gradient;
    const ptrdiff_t row_blocks = ceil_div(cut->rows, LANES), group = task / row_blocks;
    const ptrdiff_t row = task % row_blocks * LANES, rows = smaller(LANES, cut->rows - row);
    const ptrdiff_t split_pitch = gradient->groups * cut->rows * cut->pitch;
    const real *sums = cut->sums + (group * cut->rows + row) * cut->pitch;
    real *target = gradient->target + group * gradient->filters * cut->rows + row;
    for (ptrdiff_t filter = 0; filter < gradient->filters; filter += LANES) {
        const ptrdiff_t filters = smaller(LANES, gradient->filters - filter);
        vec square[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            square[i] = zero_vector();
            for (ptrdiff_t split = 0; i < rows && split < cut->splits; split++) {
                const vec sum = load(sums + split * split_pitch + i * cut->pitch + filter);
                square[i] = split ? square[i] + sum : sum;
            }
        }
        transpose(square);
        for (ptrdiff_t i = 0; i < filters; i++)
            if (rows == LANES)
                store(target + (filter + i) * cut->rows, square[i]);
            else
                store_first(target + (filter + i) * cut->rows, square[i], rows);
    }
    return OK;
}

status weight_by_panels(const weight_gradient *gradient)
{
    plan cut = {.gradient = gradient, .rows = gradient->channels * gradient->from.taps};
    cut.columns = gradient->batch * volume(gradient->from.grid);
    const ptrdiff_t groups = gradient->groups;
    cut.blocks = ceil_div(cut.columns, STRIDED_STEPS);
    cut.pitch = round_up(gradient->filters, LANES);
    const ptrdiff_t sums_size = groups * cut.rows * cut.pitch;
    cut.splits = smaller(MOST_TASKS, larger(1, PARTIAL_BYTES / (sums_size * (ptrdiff_t)sizeof(real))));
    cut.splits = larger(1, smaller(cut.splits, cut.blocks / SPLIT_BLOCKS));
    cut.parts = larger(1, smaller(MOST_TASKS / (cut.splits * groups), cut.rows / PART_ROWS));

    cut.sums = scratch(SCRATCH_SUMS, (size_t)(cut.splits * sums_size) * sizeof(real));
    if (!cut.sums)
        return NO_MEMORY;
    const ptrdiff_t tasks = groups * cut.parts * cut.splits,
                    sum_tasks = groups * ceil_div(cut.rows, LANES);
    const int serial = weight_work(gradient) < SERIAL_PRODUCTS;
    status (*run)(ptrdiff_t, task_body, void *) = serial ? serial_for : parallel_for;
    status summed = run(tasks, sum_columns, &cut);
    return summed != OK ? summed : run(sum_tasks, add_sums, &cut);
}
