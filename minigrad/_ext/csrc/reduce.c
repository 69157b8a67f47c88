#include "reduce.h"

#include "ranges.h"
#include "scratch.h"
#include "strip.h"

enum {
    BLOCK = 4096, /* elements whose sum is taken in `real` */
    PIECE = 1 << 16,
};

static double sum_of(const real *x, ptrdiff_t count)
{
    double total = 0;
    for (; count > 0; x += BLOCK, count -= BLOCK) {
        const ptrdiff_t length = smaller(count, BLOCK);
        vec sum[4] = {zero_vector()};
        real rest = 0;
        ptrdiff_t i = 0;
        for (; i + 4 * LANES <= length; i += 4 * LANES) {
            UNROLL
            for (int j = 0; j < 4; j++)
                sum[j] += load(x + i + j * LANES);
        }
        for (; i + LANES <= length; i += LANES)
            sum[0] += load(x + i);
        for (; i < length; i++)
            rest += x[i];
        total += (double)(sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest);
    }
    return total;
}

/* Each sum is cut into pieces: some stretches of the last axis, or part of one that is long. */
typedef struct {
    ptrdiff_t outer, middle, inner;
    ptrdiff_t stretches, length, pieces_along, pieces; /* of a piece; pieces along a stretch; pieces of a sum */
    ptrdiff_t a_task;
    const real *x;
    double *parts; /* [middle, pieces] */
    real *sums;
} sum_job;

static status sum_pieces(void *context, ptrdiff_t task)
{
    const sum_job *work = context;
    const ptrdiff_t last = smaller(work->middle * work->pieces, (task + 1) * work->a_task);
    for (ptrdiff_t at = task * work->a_task; at < last; at++) {
        const ptrdiff_t middle = at / work->pieces, piece = at % work->pieces;
        const ptrdiff_t first = piece / work->pieces_along * work->stretches;
        const ptrdiff_t start = piece % work->pieces_along * work->length;
        const ptrdiff_t length = smaller(work->length, work->inner - start);
        double total = 0;
        for (ptrdiff_t outer = first; outer < smaller(work->outer, first + work->stretches); outer++)
            total += sum_of(work->x + (outer * work->middle + middle) * work->inner + start, length);
        if (work->parts)
            work->parts[at] = total;
        else
            work->sums[at] = (real)total;
    }
    return OK;
}

static status sum_columns(void *context, ptrdiff_t task)
{
    const sum_job *work = context;
    const ptrdiff_t first = task * STRIP, width = smaller(STRIP, work->middle - first);
    double total[STRIP] = {0};
    for (ptrdiff_t start = 0; start < work->outer; start += CHUNK) {
        vec sum[STRIP_VECTORS];
        for (int j = 0; j < STRIP_VECTORS; j++)
            sum[j] = zero_vector();
        for (ptrdiff_t row = start; row < smaller(work->outer, start + CHUNK); row++) {
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++)
                sum[j] += load_strip(work->x + row * work->middle + first, width, j);
        }
        add_up(total, sum);
    }
    for (ptrdiff_t i = 0; i < width; i++)
        work->sums[first + i] = (real)total[i];
    return OK;
}

status NAME(sum_outer_inner)(ptrdiff_t outer, ptrdiff_t middle, ptrdiff_t inner, const void *x, void *sums)
{
    if (middle == 1) {
        inner *= outer;
        outer = 1;
    }
    sum_job work = {.outer = outer, .middle = middle, .inner = inner, .x = x, .sums = sums};
    if (inner == 1 && middle > 1) {
        const ptrdiff_t tasks = ceil_div(middle, STRIP);
        return outer * middle < SERIAL_ELEMENTS ? serial_for(tasks, sum_columns, &work)
                                            : parallel_for(tasks, sum_columns, &work);
    }
    work.length = smaller(inner, PIECE);
    work.pieces_along = ceil_div(inner, PIECE);
    work.stretches = larger(1, PIECE / inner);
    work.pieces = work.pieces_along * ceil_div(outer, work.stretches);
    if (work.pieces > 1) {
        work.parts = scratch(SCRATCH_SUMS, (size_t)(middle * work.pieces) * sizeof(double));
        if (!work.parts)
            return NO_MEMORY;
    }
    const ptrdiff_t size = smaller(outer, work.stretches) * work.length;
    work.a_task = items_a_task(size);
    const status result = for_items(middle * work.pieces, size, sum_pieces, &work);
    for (ptrdiff_t at = 0; work.parts && at < middle; at++) {
        double total = 0;
        for (ptrdiff_t piece = 0; piece < work.pieces; piece++)
            total += work.parts[at * work.pieces + piece];
        work.sums[at] = (real)total;
    }
    return result;
}
