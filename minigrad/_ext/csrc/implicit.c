#include "implicit.h"

#include <string.h>

#include "columns.h"
#include "finish.h"
#include "gemm.h"
#include "scratch.h"
#include "threads.h"

/* A product and how it is cut into tasks: each block of columns times each of `parts` ranges of row panels. */
typedef struct {
    const implicit *product;
    column_plan columns;
    row_panels panels; /* of one group */
    ptrdiff_t parts;
    ptrdiff_t depth; /* channels * taps, taps fastest */
    real *packed;    /* the filter: for each group and row panel [depth, rows of the panel]; NULL if it is packed in use */
} plan;

enum { STEP_PITCH = (TILE_ROWS + LANES - 1) / LANES * LANES };

/* LANES elements of each of `rows` rows become steps of a panel. */
INLINE void transpose_rows(const real *from, ptrdiff_t pitch, ptrdiff_t rows, const real *end, real *steps)
{
    for (ptrdiff_t row = 0; row < rows; row += LANES)
        transpose_block(from + row * pitch, pitch, rows - row, LANES, end, steps + row, STEP_PITCH);
}

/* Writes a step: whole vectors, for as long as what they write beyond its rows is overwritten. */
INLINE void put_step(real *to, const real *panel_end, const real *step, ptrdiff_t rows)
{
    if (panel_end - to >= STEP_PITCH) {
        UNROLL
        for (int row = 0; row < STEP_PITCH; row += LANES)
            store(to + row, load(step + row));
    } else {
        for (ptrdiff_t row = 0; row < rows; row++)
            to[row] = step[row];
    }
}

/* Packs steps begin .. begin + depth - 1 of some rows: [depth, rows]. Unless the depth is in order, these are all taps of
 * some channels. */
static void pack_rows(const implicit *product, ptrdiff_t group, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t begin,
                      ptrdiff_t depth, real *packed)
{
    const ptrdiff_t *pitch = product->filter_pitch, taps = product->from.taps;
    const real *filter = product->filter + group * pitch[0] + first * pitch[1];
    const real *filters_end = product->filter + product->groups * pitch[0];
    const real *panel_end = packed + rows * depth;
    real steps[LANES * STEP_PITCH];
    if (rows_in_order(product)) {
        for (ptrdiff_t k = 0; k < depth; k += LANES) {
            transpose_rows(filter + begin + k, pitch[1], rows, filters_end, steps);
            for (ptrdiff_t i = 0; i < LANES && k + i < depth; i++, packed += rows)
                put_step(packed, panel_end, steps + i * STEP_PITCH, rows);
        }
        return;
    }
    const ptrdiff_t channel_begin = taps ? begin / taps : 0, channel_end = taps ? (begin + depth) / taps : 0;
    for (ptrdiff_t channel = channel_begin; channel < channel_end; channel++) {
        const real *from = filter + channel * pitch[2];
        if (pitch[1] == 1) { /* rows side by side, of one tap */
            if (filters_end - from >= STEP_PITCH)
                put_step(packed, panel_end, from, rows);
            else
                memcpy(packed, from, (size_t)rows * sizeof(real));
            packed += rows;
        } else if (pitch[1] <= LANES) { /* the rows of a channel side by side, each with all its taps */
            transpose_rows(from, pitch[1], rows, filters_end, steps);
            for (ptrdiff_t tap = 0; tap < taps; tap++, packed += rows)
                put_step(packed, panel_end, steps + product->filter_tap[tap] * STEP_PITCH, rows);
        } else {
            for (ptrdiff_t tap = 0; tap < taps; tap++)
                for (ptrdiff_t row = 0; row < rows; row++)
                    *packed++ = from[product->filter_tap[tap] + row * pitch[1]];
        }
    }
}

/* Copies steps begin .. begin + depth - 1 of some rows, which are in order: [rows, STRIDED_PITCH]. Meanwhile as many rows
 * behind them are fetched. */
static void copy_rows(const implicit *product, ptrdiff_t group, ptrdiff_t first, ptrdiff_t rows, ptrdiff_t begin,
                      ptrdiff_t depth, real *to)
{
    const ptrdiff_t *pitch = product->filter_pitch;
    const real *from = product->filter + group * pitch[0] + first * pitch[1] + begin;
    for (ptrdiff_t row = 0; row < rows; row++, from += pitch[1], to += STRIDED_PITCH) {
        ptrdiff_t k = 0;
        for (; k + LANES <= depth; k += LANES) {
            __builtin_prefetch(from + rows * pitch[1] + k, 0, 2);
            store(to + k, load(from + k));
        }
        if (k < depth)
            store(to + k, load_first(from + k, depth - k));
    }
}

static status pack_panel(void *context, ptrdiff_t unit)
{
    const plan *cut = context;
    const ptrdiff_t group = unit / cut->panels.count, panel = unit % cut->panels.count;
    const ptrdiff_t first = panel_begin(cut->panels, panel), rows = panel_begin(cut->panels, panel + 1) - first;
    pack_rows(cut->product, group, first, rows, 0, cut->depth,
              cut->packed + (group * cut->product->rows + first) * cut->depth);
    return OK;
}

/* Copies one row of the buffer to where it belongs. */
static void write_runs(const column_block *block, ptrdiff_t step, const real *from, real *to)
{
    for (const run *r = block->runs; r < block->runs + block->run_count; r++) {
        const real *read = from + r->buffer;
        real *write = to + r->target;
        ptrdiff_t i = 0;
        if (step == 1)
            for (; i + (VECTOR_BYTES == 64 ? 1 : LANES) <= r->count; i += LANES) /* masks are slow but with AVX-512 */
                store_up_to(write + i, load(read + i), r->count - i);
        else if (step == 2) /* what lies between belongs to another phase, which nobody writes now */
            for (; i < r->count; i += LANES)
                store_even(write + 2 * i, load(read + i), r->count - i);
        for (; i < r->count; i++)
            write[i * step] = read[i];
    }
}

/* Writes the elements of two vectors in turn, up to `left` of them. Lines are too short for the processor to foresee
 * those of the next plane, `ahead` elements on. */
INLINE void store_pairs(real *write, vec even, vec odd, ptrdiff_t left, ptrdiff_t ahead)
{
    __builtin_prefetch(write + ahead, 1);
    __builtin_prefetch(write + ahead + LANES, 1);
    if (left >= 2 * LANES) {
        store(write, low_pairs(even, odd));
        store(write + LANES, high_pairs(even, odd));
    } else {
        store_first(write, low_pairs(even, odd), left);
        store_first(write + LANES, high_pairs(even, odd), left - LANES);
    }
}

/* Writes two rows to every other place each: whole vectors. */
static void write_pairs(const column_block *block, const real *from, ptrdiff_t pitch, real *to, ptrdiff_t ahead)
{
    for (const run *r = block->runs; r < block->runs + block->run_count; r++) {
        const real *read = from + r->buffer;
        real *write = to + r->target;
        for (ptrdiff_t i = 0; i < r->count; i += LANES, write += 2 * LANES) {
            const vec even = load(read + i), odd = load(read + pitch + i);
            store_pairs(write, even, odd, 2 * (r->count - i), ahead);
        }
    }
}

/* Writes a row to the first place of each step, two elements long, and `rest` to the others. */
static void write_alone(const implicit *product, const column_block *block, const real *from, real rest, real *to)
{
    const ptrdiff_t *step = product->target_step, *size = product->target_plane;
    for (const run *r = block->runs; r < block->runs + block->run_count; r++)
        for (ptrdiff_t line = 0; line < step[0] * step[1]; line++) {
            real *write = to + r->target + (line / step[1] * size[1] + line % step[1]) * size[2];
            for (ptrdiff_t i = 0; i < r->count; i += LANES, write += 2 * LANES) {
                const vec even = line ? broadcast(rest) : load(from + r->buffer + i), odd = broadcast(rest);
                store_pairs(write, even, odd, 2 * (r->count - i), volume(size));
            }
        }
}

/* Copies rows first .. first + rows - 1 of a group to where they belong in its planes. */
static void write_rows(const implicit *product, const column_block *block, ptrdiff_t first, ptrdiff_t rows,
                       const real *bias, const real *from, ptrdiff_t pitch, real *planes)
{
    const ptrdiff_t *step = product->target_step, *size = product->target_plane;
    if (product->alone) {
        for (ptrdiff_t row = 0; row < rows; row++)
            write_alone(product, block, from + row * pitch, bias ? bias[row] : 0,
                        planes + (first + row) * volume(size));
        return;
    }
    if (product->shared == 1) {
        for (ptrdiff_t row = 0; row < rows; row++)
            write_runs(block, step[2], from + row * pitch, planes + (first + row) * volume(size));
        return;
    }
    for (ptrdiff_t row = 0; row < rows; row += step[2], from += step[2] * pitch) {
        const ptrdiff_t place = (first + row) % product->shared, y = place / step[2] % step[1];
        const ptrdiff_t line = place / step[2] / step[1] * size[1] + y;
        real *to = planes + (first + row) / product->shared * volume(size) + line * size[2];
        if (step[2] == 2)
            write_pairs(block, from, pitch, to, volume(size));
        else
            for (ptrdiff_t x = 0; x < step[2]; x++)
                write_runs(block, step[2], from + x * pitch, to + x);
    }
}

INLINE void finish_at(const implicit *product, const channel_finish *finish, ptrdiff_t at, ptrdiff_t count)
{
    const real *residual = product->finish->residual;
    finish_run(finish, residual ? residual + at : NULL, product->target + at, count);
}

/* Finishes the results of some channels, counted through all groups. */
static void finish_rows(const implicit *product, const column_block *block, ptrdiff_t channel, ptrdiff_t rows)
{
    for (ptrdiff_t last = channel + rows; channel < last; channel++) {
        const channel_finish finish = finish_of(product->finish, channel);
        const ptrdiff_t plane = channel * volume(product->target_plane);
        for (const tile *t = block->tiles; t < block->tiles + block->tile_count; t++)
            if (t->target >= 0)
                finish_at(product, &finish, plane + t->target, t->vectors * LANES);
        for (const run *r = block->runs; r < block->runs + block->run_count; r++)
            finish_at(product, &finish, plane + r->target, r->count);
    }
}

/* Multiplies one block of columns with one range of row panels. */
static status multiply_block(void *context, ptrdiff_t task)
{
    const plan *cut = context;
    const implicit *product = cut->product;
    const ptrdiff_t rows = product->rows, panels = cut->panels.count, target_volume = volume(product->target_plane);
    const ptrdiff_t units = product->groups * panels, part = task % cut->parts, shared = product->shared;
    const ptrdiff_t unit_begin = units * part / cut->parts, unit_end = units * (part + 1) / cut->parts;

    column_block block;
    const status prepared = prepare_columns(&cut->columns, task / cut->parts, smaller(panels, unit_end - unit_begin),
                                            &block);
    if (prepared != OK)
        return prepared;
    const ptrdiff_t buffer_pitch = block.buffer + LANES; /* off the powers of two */
    const int copies = cut->columns.form == PLANES && block.copied; /* does the first panel copy the planes? */
    const ptrdiff_t plane = volume(product->from.plane);
    const int once = cut->depth <= cut->columns.depth_block; /* then a panel's rows are written while they are near */
    real *buffer = scratch(SCRATCH_TILES, (size_t)((once ? TILE_ROWS : rows) * buffer_pitch) * sizeof(real));
    const ptrdiff_t panel_steps = larger(cut->columns.depth_block, STRIDED_PITCH);
    real *panel_in_use = cut->packed ? NULL : scratch(SCRATCH_FILTER, (size_t)(TILE_ROWS * panel_steps) * sizeof(real));
    if (!buffer || !(cut->packed || panel_in_use))
        return NO_MEMORY;

    for (ptrdiff_t unit = unit_begin, next; unit < unit_end; unit = next) {
        const ptrdiff_t group = unit / panels;
        next = smaller(unit_end, (group + 1) * panels);
        real *target = product->target + group * rows / shared * target_volume;
        ptrdiff_t done = 0;
        do {
            const ptrdiff_t depth = smaller(cut->columns.depth_block, cut->depth - done);
            fill_columns(&cut->columns, &block, group, done, depth);
            int copied = cut->columns.form == PANELS;
            for (ptrdiff_t panel = unit - group * panels; panel < next - group * panels; panel++) {
                const ptrdiff_t row = panel_begin(cut->panels, panel),
                                height = panel_begin(cut->panels, panel + 1) - row;
                const real *packed = panel_in_use;
                if (cut->columns.streamed)
                    copy_rows(product, group, row, height, done, depth, panel_in_use);
                else if (cut->packed)
                    packed = cut->packed + (group * rows + row) * cut->depth + done * height;
                else
                    pack_rows(product, group, row, height, done, depth, panel_in_use);
                real spread_bias[TILE_ROWS];
                real *sums = once ? buffer : buffer + row * buffer_pitch;
                const real *bias = product->bias ? product->bias + group * rows + row : NULL;
                if (bias && shared > 1) {
                    for (ptrdiff_t i = 0; i < height; i++)
                        spread_bias[i] = product->bias[(group * rows + row + i) / shared];
                    bias = spread_bias;
                }
                for (const tile *t = block.tiles; t < block.tiles + block.tile_count; t++) {
                    const int direct = t->target >= 0;
                    real *to = direct ? target + row * target_volume + t->target : sums + t->buffer;
                    const ptrdiff_t pitch = direct ? target_volume : buffer_pitch;
                    if (cut->columns.streamed)
                        strided_tile[height - 1][t->vectors - 1](depth, packed, block.copied + t->copy, to, pitch, bias,
                                                                 done > 0);
                    else if (copied)
                        packed_tile[height - 1][t->vectors - 1](depth, packed, block.copied + t->copy, TILE_COLUMNS, to,
                                                                pitch, bias, done > 0);
                    else if (copies)
                        copying_tile[height - 1][t->vectors - 1](depth, packed, block.elements + t->offset, plane, to,
                                                                 pitch, bias, done > 0, block.copied + t->copy);
                    else
                        offset_kernel(height, t->vectors)(depth, packed, block.elements + t->offset, block.row_offset,
                                                          t->step, to, pitch, bias, done > 0);
                }
                copied |= copies;
                if (done + depth == cut->depth) {
                    write_rows(product, &block, row, height, bias, sums, buffer_pitch, target);
                    if (product->finish)
                        finish_rows(product, &block, group * rows + row, height);
                }
            }
            done += depth;
        } while (done < cut->depth);
    }
    return OK;
}

static const char packed_layout;

status implicit_product(const implicit *product)
{
    /* Rows that lie between one another in a line are of one panel. */
    const ptrdiff_t set = product->shared == 1 ? 1 : product->target_step[2];
    plan cut = {.product = product, .panels = split_sets(product->rows / set, set)};
    const ptrdiff_t units = product->groups * cut.panels.count, windows = product->batch * volume(product->from.grid);
    if (windows == 0 || units == 0)
        return OK;
    cut.depth = product->channels * product->from.taps;
    void *shift_memory = scratch(SCRATCH_SHIFTS, shifts_bytes(&product->from));
    if (!shift_memory)
        return NO_MEMORY;

    const double work = (double)windows * (double)product->groups * (double)product->rows * (double)cut.depth;
    const int serial = work < SERIAL_PRODUCTS;
    const ptrdiff_t threads = serial ? 1 : get_num_threads();
    cut_columns(product, cut.panels, threads, shift_memory, &cut.columns);
    const ptrdiff_t blocks = cut.columns.blocks;
    cut.parts = blocks % threads == 0 || blocks > 2 * threads ? 1 : smaller(units, threads);

    status (*run)(ptrdiff_t, task_body, void *) = serial ? serial_for : parallel_for;
    /* Panels that only one block needs are packed as it needs them: they never leave the nearest cache. */
    const ptrdiff_t taps = product->from.taps;
    const int whole_taps = rows_in_order(product) || !taps || cut.columns.depth_block % taps == 0;
    if (!cut.columns.streamed && (product->kept || blocks > 1 || !whole_taps)) {
        const size_t bytes = (size_t)(product->groups * product->rows * cut.depth) * sizeof(real);
        int ready;
        real *kept = kept_place(product->kept, &packed_layout, bytes, &ready);
        cut.packed = kept ? kept : scratch(SCRATCH_FILTER, bytes);
        const status packed = !cut.packed ? NO_MEMORY : ready ? OK : run(units, pack_panel, &cut);
        if (packed != OK)
            return packed;
        if (kept)
            product->kept->layout = &packed_layout;
    }
    return run(blocks * cut.parts, multiply_block, &cut);
}
