#include "matmul.h"

#include "factor.h"
#include "gemm.h"
#include "scratch.h"
#include "threads.h"

enum {
    DEPTH_BLOCK = 320,               /* a packed panel of rows stays in the first-level cache */
    COLUMN_BLOCK = 16 * LANES,       /* packed columns stay in the second-level cache */
    PACKED_BYTES = 4 * 1024 * 1024,  /* of rows that are packed at a time */
    FEW_ROWS = 4,                    /* that are multiplied by inner products, if columns are contiguous */
    DOT_COLUMNS = 4,                 /* whose inner products are summed together */
    TASK_WORK = 64 * 1024,           /* multiplications of a task, at least */
};

/* One product, and the block of its rows that is computed now. */
typedef struct {
    factor left, right;
    const real *bias;
    real *target;
    ptrdiff_t rows, columns, depth;
    ptrdiff_t first_row;
    row_panels panels;
    ptrdiff_t depth_block, column_block, blocks, parts;
    real *packed; /* the rows, for each panel [depth, rows of the panel] */
} plan;

static status pack_panel(void *context, ptrdiff_t panel)
{
    const plan *cut = context;
    const ptrdiff_t first = panel_begin(cut->panels, panel), rows = panel_begin(cut->panels, panel + 1) - first;
    const factor panel_rows = {cut->left.start + (cut->first_row + first) * cut->left.pitch, cut->left.step,
                               cut->left.pitch};
    real *packed = cut->packed + first * cut->depth;
    pack_factor(&panel_rows, 0, cut->depth, rows, packed, rows, packed + rows * cut->depth);
    return OK;
}

/* Multiplies a panel of rows with `width` columns, the rows of which are `right_pitch` apart. They are whole vectors, and
 * written to `copy` as well, unless it is NULL. A tile of fewer than whole vectors of results is computed in a buffer. */
static void multiply_tile(const plan *cut, ptrdiff_t height, ptrdiff_t width, ptrdiff_t depth, const real *packed,
                          const real *right, ptrdiff_t right_pitch, real *copy, real *target, const real *bias,
                          int accumulate)
{
    const ptrdiff_t vectors = ceil_div(width, LANES);
    real buffer[TILE_ROWS * TILE_COLUMNS];
    real *to = target;
    ptrdiff_t pitch = cut->columns;
    if (width % LANES) {
        to = buffer;
        pitch = TILE_COLUMNS;
    }
    if (bias || (accumulate && to == buffer))
        for (ptrdiff_t row = 0; row < height; row++)
            for (ptrdiff_t i = 0; i < width; i += LANES) {
                const vec first = load_first((bias ? bias : target + row * cut->columns) + i, width - i);
                store(to + row * pitch + i, first);
            }
    if (copy)
        copying_tile[height - 1][vectors - 1](depth, packed, right, right_pitch, to, pitch, NULL, accumulate || bias,
                                              copy);
    else
        packed_tile[height - 1][vectors - 1](depth, packed, right, right_pitch, to, pitch, NULL, accumulate || bias);
    if (to == buffer)
        for (ptrdiff_t row = 0; row < height; row++)
            for (ptrdiff_t i = 0; i < width; i += LANES)
                store_first(target + row * cut->columns + i, load(buffer + row * TILE_COLUMNS + i), width - i);
}

/* Multiplies one block of columns with one part of the row panels. Whole tiles of contiguous columns are packed by the
 * first panel that they are multiplied with. */
static status multiply_block(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t block = task / cut->parts, part = task % cut->parts;
    const ptrdiff_t panel_first = cut->panels.count * part / cut->parts,
                    panel_last = cut->panels.count * (part + 1) / cut->parts;
    const ptrdiff_t first = block * cut->column_block, columns = smaller(cut->column_block, cut->columns - first);
    const ptrdiff_t tiles = ceil_div(columns, TILE_COLUMNS), tile_pitch = cut->depth_block * TILE_COLUMNS;
    real *packed_columns = scratch(SCRATCH_COLUMNS, (size_t)(tiles * tile_pitch) * sizeof(real));
    if (!packed_columns)
        return NO_MEMORY;
    const ptrdiff_t in_lines = cut->right.pitch == 1 ? columns / TILE_COLUMNS : 0; /* tiles not packed beforehand */

    for (ptrdiff_t done = 0; done < cut->depth; done += cut->depth_block) {
        const ptrdiff_t depth = smaller(cut->depth_block, cut->depth - done);
        const real *lines = cut->right.start + done * cut->right.step + first;
        for (ptrdiff_t tile = in_lines; tile < tiles; tile++) {
            const ptrdiff_t column = first + tile * TILE_COLUMNS;
            const factor panel_columns = {cut->right.start + column * cut->right.pitch, cut->right.step,
                                          cut->right.pitch};
            real *to = packed_columns + tile * tile_pitch;
            pack_factor(&panel_columns, done, depth, smaller(TILE_COLUMNS, cut->columns - column), to, TILE_COLUMNS,
                        to + tile_pitch);
        }
        for (ptrdiff_t panel = panel_first; panel < panel_last; panel++) {
            const ptrdiff_t row = panel_begin(cut->panels, panel), height = panel_begin(cut->panels, panel + 1) - row;
            const real *packed = cut->packed + row * cut->depth + done * height;
            for (ptrdiff_t tile = 0; tile < tiles; tile++) {
                const ptrdiff_t column = tile * TILE_COLUMNS;
                real *copy = packed_columns + tile * tile_pitch;
                const int from_lines = tile < in_lines && panel == panel_first;
                multiply_tile(cut, height, smaller(TILE_COLUMNS, columns - column), depth, packed,
                              from_lines ? lines + column : copy, from_lines ? cut->right.step : TILE_COLUMNS,
                              from_lines ? copy : NULL,
                              cut->target + (cut->first_row + row) * cut->columns + first + column,
                              cut->bias && done == 0 ? cut->bias + first + column : NULL, done > 0);
            }
        }
    }
    return OK;
}

/* Inner products of `rows` rows with DOT_COLUMNS columns, both contiguous. */
INLINE void multiply_dots(const int rows, const int columns, const plan *cut, ptrdiff_t column)
{
    const real *left[FEW_ROWS], *right[DOT_COLUMNS];
    vec sums[FEW_ROWS][DOT_COLUMNS];
    UNROLL
    for (int j = 0; j < columns; j++)
        right[j] = cut->right.start + (column + j) * cut->right.pitch;
    UNROLL
    for (int i = 0; i < rows; i++) {
        left[i] = cut->left.start + i * cut->left.pitch;
        UNROLL
        for (int j = 0; j < columns; j++)
            sums[i][j] = zero_vector();
    }
    const ptrdiff_t whole = cut->depth / LANES * LANES;
    for (ptrdiff_t k = 0; k < whole; k += LANES) {
        vec factors[DOT_COLUMNS];
        UNROLL
        for (int j = 0; j < columns; j++)
            factors[j] = load(right[j] + k);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const vec one = load(left[i] + k);
            UNROLL
            for (int j = 0; j < columns; j++)
                sums[i][j] += one * factors[j];
        }
    }
    if (whole < cut->depth) {
        UNROLL
        for (int i = 0; i < rows; i++) {
            UNROLL
            for (int j = 0; j < columns; j++)
                sums[i][j] += load_first(left[i] + whole, cut->depth - whole) *
                    load_first(right[j] + whole, cut->depth - whole);
        }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int j = 0; j < columns; j++)
            cut->target[i * cut->columns + column + j] =
                sum_lanes(sums[i][j]) + (cut->bias ? cut->bias[column + j] : 0);
    }
}

static status multiply_few_rows(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const ptrdiff_t end = smaller(cut->columns, (task + 1) * cut->column_block);
    ptrdiff_t column = task * cut->column_block;
    for (; column + DOT_COLUMNS <= end; column += DOT_COLUMNS)
        if (cut->rows == 1)
            multiply_dots(1, DOT_COLUMNS, cut, column);
        else if (cut->rows == 2)
            multiply_dots(2, DOT_COLUMNS, cut, column);
        else if (cut->rows == 3)
            multiply_dots(3, DOT_COLUMNS, cut, column);
        else
            multiply_dots(4, DOT_COLUMNS, cut, column);
    for (; column < end; column++)
        if (cut->rows == 1)
            multiply_dots(1, 1, cut, column);
        else if (cut->rows == 2)
            multiply_dots(2, 1, cut, column);
        else if (cut->rows == 3)
            multiply_dots(3, 1, cut, column);
        else
            multiply_dots(4, 1, cut, column);
    return OK;
}

typedef struct {
    const matmul_shape *shape;
    const real *left, *right, *bias;
    real *target;
} batch_of_products;

static status multiply_matrices(void *context, ptrdiff_t number)
{
    const batch_of_products *all = context;
    const matmul_shape *shape = all->shape;
    plan cut = {
        .left = {all->left + shape->left_start[number], shape->left_step, shape->left_row},
        .right = {all->right + shape->right_start[number], shape->right_step, shape->right_column},
        .bias = all->bias,
        .target = all->target + number * shape->rows * shape->columns,
        .rows = shape->rows,
        .columns = shape->columns,
        .depth = shape->depth,
    };
    if (cut.columns == 1 && !cut.bias) { /* a row of results is a column of them */
        const factor left = cut.left;
        cut.left = cut.right;
        cut.right = left;
        cut.columns = cut.rows;
        cut.rows = 1;
    }
    const double work = (double)cut.rows * (double)cut.columns * (double)cut.depth;
    const int serial = work < SERIAL_PRODUCTS;
    const ptrdiff_t threads = serial ? 1 : get_num_threads();
    status (*run)(ptrdiff_t, task_body, void *) = serial ? serial_for : parallel_for;

    if (cut.rows <= FEW_ROWS && (cut.left.step == 1 || cut.depth == 1) && (cut.right.step == 1 || cut.depth == 1)) {
        cut.column_block = larger(DOT_COLUMNS, TASK_WORK / larger(1, cut.depth * cut.rows) / DOT_COLUMNS * DOT_COLUMNS);
        return run(ceil_div(cut.columns, cut.column_block), multiply_few_rows, &cut);
    }

    cut.depth_block = ceil_div(cut.depth, larger(1, ceil_div(cut.depth, DEPTH_BLOCK)));
    cut.blocks = ceil_div(cut.columns, COLUMN_BLOCK);
    if (cut.blocks < 4 * threads) /* few blocks: a multiple of the threads */
        cut.blocks = smaller(round_up(cut.blocks, threads), ceil_div(cut.columns, 2 * TILE_COLUMNS));
    cut.column_block = round_up(ceil_div(cut.columns, cut.blocks), TILE_COLUMNS);
    cut.blocks = ceil_div(cut.columns, cut.column_block);
    const ptrdiff_t most_rows = larger(8 * TILE_ROWS, PACKED_BYTES / (ptrdiff_t)sizeof(real) / cut.depth);
    const ptrdiff_t row_blocks = ceil_div(cut.rows, most_rows), row_block = ceil_div(cut.rows, row_blocks);
    cut.packed = scratch(SCRATCH_FILTER, (size_t)(row_block * cut.depth) * sizeof(real));
    if (!cut.packed)
        return NO_MEMORY;
    status result = OK;
    for (cut.first_row = 0; cut.first_row < cut.rows && result == OK; cut.first_row += row_block) {
        cut.panels = split_rows(smaller(row_block, cut.rows - cut.first_row));
        cut.parts = cut.blocks % threads == 0 || cut.blocks > 2 * threads ? 1 : smaller(cut.panels.count, threads);
        result = (row_block * cut.depth < SERIAL_ELEMENTS ? serial_for : run)(cut.panels.count, pack_panel, &cut);
        if (result == OK)
            result = run(cut.blocks * cut.parts, multiply_block, &cut);
    }
    return result;
}

status NAME(matmul)(const matmul_shape *shape, const void *a, const void *b, const void *bias, void *c)
{
    batch_of_products all = {shape, a, b, bias, c};
    const ptrdiff_t results = shape->batch * shape->rows * shape->columns;
    if (results == 0)
        return OK;
    if (shape->depth == 0) {
        real *to = c;
        for (ptrdiff_t i = 0; i < results; i++)
            to[i] = bias ? ((const real *)bias)[i % shape->columns] : 0;
        return OK;
    }
    /* A loop inside of a loop runs on its own thread: either the matrices are shared out, or the parts of each. */
    const double work = (double)results * (double)shape->depth;
    const int whole = work >= SERIAL_PRODUCTS && shape->batch >= 2 * get_num_threads();
    return (whole ? parallel_for : serial_for)(shape->batch, multiply_matrices, &all);
}
