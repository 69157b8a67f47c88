#include "norm_elements.h"

#include <math.h>
#include <string.h>

#include "ranges.h"
#include "scratch.h"
#include "strip.h"

enum {
    NEAR_BYTES = 256 * 1024,      /* of g and x: what was visited is in the second-level cache when it is summed */
    PIECE_ROWS = 64,              /* at least: each piece of the rows has sums of its own */
    MOST_PIECES = 32,
    SUMS_BYTES = 4 * 1024 * 1024, /* of all pieces, at most */
};

/* Row r of group j is set r * inner + j; its elements are columns of the group. */
typedef struct {
    const norm_shape *shape;
    const real *g, *x, *mean, *var;
    void (*visit)(void *context, ptrdiff_t first, ptrdiff_t last);
    void *context;
    ptrdiff_t rows, strips, width, pieces; /* strips of a group; `width`: of their columns in all groups, whole strips */
    double *sums;                          /* [pieces, 2, width]: of g, and of the products */
    real *weight_sums, *bias_sums;
} element_job;

/* Adds rows first .. last - 1 of a strip, at most CHUNK, to its sums. */
static void add_rows(const element_job *work, ptrdiff_t group, ptrdiff_t strip, ptrdiff_t first, ptrdiff_t last,
                     double *sum, double *product)
{
    const norm_shape *shape = work->shape;
    const ptrdiff_t column = strip * STRIP, width = smaller(STRIP, shape->length - column);
    real scales[CHUNK]; /* in a loop of their own, where roots and quotients are taken by vectors */
    for (ptrdiff_t row = first; row < last; row++)
        scales[row - first] = (real)(1 / sqrt(work->var[row * shape->inner + group] + shape->eps));
    vec sums[STRIP_VECTORS], products[STRIP_VECTORS];
    for (int j = 0; j < STRIP_VECTORS; j++)
        sums[j] = products[j] = zero_vector();
    for (ptrdiff_t row = first; row < last; row++) {
        const ptrdiff_t from = row * shape->outer_stride + group * shape->inner_stride + column;
        const vec centre = broadcast(shape->centred ? work->mean[row * shape->inner + group] : 0);
        const vec scale = broadcast(scales[row - first]);
        UNROLL
        for (int j = 0; j < STRIP_VECTORS; j++) {
            const vec slope = load_strip(work->g + from, width, j);
            sums[j] += slope;
            products[j] += slope * ((load_strip(work->x + from, width, j) - centre) * scale);
        }
    }
    add_up(sum, sums);
    add_up(product, products);
}

/* A piece of the rows: visited some at a time, and summed while they are near. */
static status sum_piece(void *context, ptrdiff_t piece)
{
    const element_job *work = context;
    const norm_shape *shape = work->shape;
    const ptrdiff_t inner = shape->inner, row_bytes = 2 * inner * shape->length * (ptrdiff_t)sizeof(real);
    const ptrdiff_t near = larger(1, smaller(CHUNK, NEAR_BYTES / row_bytes));
    const ptrdiff_t last = work->rows * (piece + 1) / work->pieces;
    double *sums = work->sums + piece * 2 * work->width;
    memset(sums, 0, (size_t)(2 * work->width) * sizeof(double));
    for (ptrdiff_t row = work->rows * piece / work->pieces, end; row < last; row = end) {
        end = smaller(last, row + near);
        work->visit(work->context, row * inner, end * inner);
        for (ptrdiff_t strip = 0; strip < inner * work->strips; strip++)
            add_rows(work, strip / work->strips, strip % work->strips, row, end, sums + strip * STRIP,
                     sums + work->width + strip * STRIP);
    }
    return OK;
}

/* One strip of all rows. */
static status sum_strip(void *context, ptrdiff_t strip)
{
    const element_job *work = context;
    double *sums = work->sums + strip * STRIP;
    memset(sums, 0, STRIP * sizeof(double));
    memset(sums + work->width, 0, STRIP * sizeof(double));
    for (ptrdiff_t row = 0; row < work->rows; row += CHUNK)
        add_rows(work, strip / work->strips, strip % work->strips, row, smaller(work->rows, row + CHUNK), sums,
                 sums + work->width);
    return OK;
}

/* Adds the pieces up, strip by strip. */
static status finish_strip(void *context, ptrdiff_t strip)
{
    const element_job *work = context;
    const ptrdiff_t length = work->shape->length, column = strip % work->strips * STRIP;
    const ptrdiff_t to = strip / work->strips * length + column;
    for (ptrdiff_t i = 0; i < smaller(STRIP, length - column); i++) {
        double sum = 0, product = 0;
        for (ptrdiff_t piece = 0; piece < work->pieces; piece++) {
            const double *sums = work->sums + piece * 2 * work->width + strip * STRIP + i;
            sum += sums[0];
            product += sums[work->width];
        }
        work->bias_sums[to + i] = (real)sum;
        work->weight_sums[to + i] = (real)product;
    }
    return OK;
}

status norm_element_sums(const norm_shape *shape, const real *g, const real *x, const real *mean, const real *var,
                         real *weight_sums, real *bias_sums,
                         void (*visit)(void *context, ptrdiff_t first, ptrdiff_t last), void *context)
{
    element_job work = {.shape = shape, .g = g, .x = x, .mean = mean, .var = var, .visit = visit, .context = context,
                        .rows = shape->sets / shape->inner, .strips = ceil_div(shape->length, STRIP), .pieces = 1,
                        .weight_sums = weight_sums, .bias_sums = bias_sums};
    const ptrdiff_t strips = shape->inner * work.strips, elements = shape->sets * shape->length;
    work.width = strips * STRIP;
    const ptrdiff_t piece_bytes = 2 * work.width * (ptrdiff_t)sizeof(double);
    if (visit)
        work.pieces = larger(1, smaller(smaller(MOST_PIECES, work.rows / PIECE_ROWS), SUMS_BYTES / larger(1, piece_bytes)));
    work.sums = scratch(SCRATCH_SUMS, (size_t)(work.pieces * piece_bytes));
    if (!work.sums)
        return NO_MEMORY;
    status (*run)(ptrdiff_t, task_body, void *) = elements < SERIAL_ELEMENTS ? serial_for : parallel_for;
    const status summed = visit ? run(work.pieces, sum_piece, &work) : run(strips, sum_strip, &work);
    return summed == OK ? run(strips, finish_strip, &work) : summed;
}
