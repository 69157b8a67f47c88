#include "softmax.h"

#include "ranges.h"
#include "strip.h"
#include "vmath.h"

/* Where there is no inner axis a vector holds classes, and a task some rows; otherwise a vector holds neighbours along
 * the inner axis, and a task some strips of them. */
typedef struct {
    ptrdiff_t outer, classes, inner, strips, a_task;
    int logarithm, g_step;
    int64_t ignored;
    const real *x, *g, *weight, *known_largest, *known_log_sum;
    const int64_t *target;
    real *y, *largest, *log_sum;
} softmax_job;

/* The larger, or the NaN if there is one. */
INLINE vec larger_of(vec a, vec b) { return choose((a > b) | (a != a), a, b); }

/* The classes of a row from i on, -inf behind the last: that is no maximum, and its power is 0. */
INLINE vec load_classes(const real *row, ptrdiff_t classes, ptrdiff_t i)
{
    if (i + LANES <= classes)
        return load(row + i);
    real part[LANES];
    for (int lane = 0; lane < LANES; lane++)
        part[lane] = i + lane < classes ? row[i + lane] : -(real)INFINITY;
    return load(part);
}
INLINE void store_classes(real *row, ptrdiff_t classes, ptrdiff_t i, vec value)
{
    if (i + LANES <= classes)
        store(row + i, value);
    else
        store_first(row + i, value, classes - i);
}

static void row_sums(const real *x, ptrdiff_t classes, real *largest_of, real *log_sum_of)
{
    vec largest = load_classes(x, classes, 0), sum = zero_vector();
    for (ptrdiff_t i = LANES; i < classes; i += LANES)
        largest = larger_of(load_classes(x, classes, i), largest);
    real lanes[LANES];
    store(lanes, largest);
    for (int lane = 1; lane < LANES; lane++)
        if (lanes[lane] > lanes[0] || lanes[lane] != lanes[lane])
            lanes[0] = lanes[lane];
    const vec top = broadcast(lanes[0]);
    for (ptrdiff_t i = 0; i < classes; i += LANES)
        sum += exp_of(load_classes(x, classes, i) - top);
    *largest_of = lanes[0];
    *log_sum_of = log_of(broadcast(sum_lanes(sum)))[0];
}

static void strip_sums(const real *x, ptrdiff_t classes, ptrdiff_t pitch, ptrdiff_t width, vec largest[STRIP_VECTORS],
                       vec log_sum[STRIP_VECTORS])
{
    vec sum[STRIP_VECTORS];
    UNROLL
    for (int j = 0; j < STRIP_VECTORS; j++) {
        largest[j] = load_strip(x, width, j);
        sum[j] = zero_vector();
    }
    for (ptrdiff_t class = 1; class < classes; class ++) {
        UNROLL
        for (int j = 0; j < STRIP_VECTORS; j++)
            largest[j] = larger_of(load_strip(x + class * pitch, width, j), largest[j]);
    }
    for (ptrdiff_t class = 0; class < classes; class ++) {
        UNROLL
        for (int j = 0; j < STRIP_VECTORS; j++)
            sum[j] += exp_of(load_strip(x + class * pitch, width, j) - largest[j]);
    }
    UNROLL
    for (int j = 0; j < STRIP_VECTORS; j++)
        log_sum[j] = log_of(sum[j]);
}

/* A task's share: rows, or strips with the offset of their first class and their width. */
#define FOR_ROWS(work, task, row)                                                                                      \
    for (ptrdiff_t row = (task) * (work)->a_task, row##_end = smaller((work)->outer, row + (work)->a_task);            \
         row < row##_end; row++)
#define FOR_STRIPS(work, task, strip)                                                                                  \
    for (ptrdiff_t strip = (task) * (work)->a_task,                                                                    \
                   strip##_end = smaller((work)->outer * (work)->strips, strip + (work)->a_task);                      \
         strip < strip##_end; strip++)
INLINE ptrdiff_t strip_outer(const softmax_job *work, ptrdiff_t strip) { return strip / work->strips; }
INLINE ptrdiff_t strip_inner(const softmax_job *work, ptrdiff_t strip) { return strip % work->strips * STRIP; }

static status softmax_rows(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    const ptrdiff_t classes = work->classes;
    FOR_ROWS(work, task, row)
    {
        const real *x = work->x + row * classes;
        real *y = work->y + row * classes, largest, log_sum;
        row_sums(x, classes, &largest, &log_sum);
        for (ptrdiff_t i = 0; i < classes; i += LANES) {
            const vec power = load_classes(x, classes, i) - largest - log_sum;
            store_classes(y, classes, i, work->logarithm ? power : exp_of(power));
        }
    }
    return OK;
}

static status softmax_strips(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    FOR_STRIPS(work, task, strip)
    {
        const ptrdiff_t inner = strip_inner(work, strip), width = smaller(STRIP, work->inner - inner);
        const ptrdiff_t from = strip_outer(work, strip) * work->classes * work->inner + inner;
        vec largest[STRIP_VECTORS], log_sum[STRIP_VECTORS];
        strip_sums(work->x + from, work->classes, work->inner, width, largest, log_sum);
        for (ptrdiff_t class = 0; class < work->classes; class ++) {
            const ptrdiff_t at = from + class * work->inner;
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec power = load_strip(work->x + at, width, j) - largest[j] - log_sum[j];
                store_strip(work->y + at, width, j, work->logarithm ? power : exp_of(power));
            }
        }
    }
    return OK;
}

static status softmax_input_rows(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    const ptrdiff_t classes = work->classes;
    FOR_ROWS(work, task, row)
    {
        const real *g = work->g + row * classes, *x = work->x + row * classes;
        vec sum = zero_vector();
        for (ptrdiff_t i = 0; i < classes; i += LANES) {
            const ptrdiff_t count = smaller(LANES, classes - i);
            const vec slope = count == LANES ? load(g + i) : load_first(g + i, count);
            const vec y = count == LANES ? load(x + i) : load_first(x + i, count);
            sum += work->logarithm ? slope : slope * y;
        }
        const vec total = broadcast(sum_lanes(sum));
        for (ptrdiff_t i = 0; i < classes; i += LANES) {
            const ptrdiff_t count = smaller(LANES, classes - i);
            const vec slope = count == LANES ? load(g + i) : load_first(g + i, count);
            const vec y = count == LANES ? load(x + i) : load_first(x + i, count);
            store_classes(work->y + row * classes, classes, i,
                          work->logarithm ? slope - exp_of(y) * total : y * (slope - total));
        }
    }
    return OK;
}

static status softmax_input_strips(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    FOR_STRIPS(work, task, strip)
    {
        const ptrdiff_t inner = strip_inner(work, strip), width = smaller(STRIP, work->inner - inner);
        const ptrdiff_t from = strip_outer(work, strip) * work->classes * work->inner + inner;
        vec sum[STRIP_VECTORS];
        for (int j = 0; j < STRIP_VECTORS; j++)
            sum[j] = zero_vector();
        for (ptrdiff_t class = 0; class < work->classes; class ++) {
            const ptrdiff_t at = from + class * work->inner;
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec slope = load_strip(work->g + at, width, j);
                sum[j] += work->logarithm ? slope : slope * load_strip(work->x + at, width, j);
            }
        }
        for (ptrdiff_t class = 0; class < work->classes; class ++) {
            const ptrdiff_t at = from + class * work->inner;
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec slope = load_strip(work->g + at, width, j), y = load_strip(work->x + at, width, j);
                store_strip(work->y + at, width, j,
                            work->logarithm ? slope - exp_of(y) * sum[j] : y * (slope - sum[j]));
            }
        }
    }
    return OK;
}

/* The loss of place `at` of [outer, inner], whose class c stands at x[c * pitch]. */
INLINE status loss_of(const softmax_job *work, ptrdiff_t at, const real *x, ptrdiff_t pitch)
{
    const int64_t target = work->target[at];
    if (target == work->ignored) {
        work->y[at] = 0;
        return OK;
    }
    if (target < 0 || target >= work->classes)
        return BAD_INDEX;
    const real loss = work->largest[at] - x[target * pitch] + work->log_sum[at];
    work->y[at] = work->weight ? loss * work->weight[target] : loss;
    return OK;
}

static status cross_entropy_rows(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    FOR_ROWS(work, task, row)
    {
        const real *x = work->x + row * work->classes;
        row_sums(x, work->classes, work->largest + row, work->log_sum + row);
        const status result = loss_of(work, row, x, 1);
        if (result != OK)
            return result;
    }
    return OK;
}

static status cross_entropy_strips(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    FOR_STRIPS(work, task, strip)
    {
        const ptrdiff_t inner = strip_inner(work, strip), width = smaller(STRIP, work->inner - inner);
        const ptrdiff_t outer = strip_outer(work, strip), at = outer * work->inner + inner;
        const real *x = work->x + outer * work->classes * work->inner + inner;
        vec largest[STRIP_VECTORS], log_sum[STRIP_VECTORS];
        strip_sums(x, work->classes, work->inner, width, largest, log_sum);
        for (int j = 0; j < STRIP_VECTORS; j++) {
            store_strip(work->largest + at, width, j, largest[j]);
            store_strip(work->log_sum + at, width, j, log_sum[j]);
        }
        for (ptrdiff_t i = 0; i < width; i++) {
            const status result = loss_of(work, at + i, x + i, work->inner);
            if (result != OK)
                return result;
        }
    }
    return OK;
}

/* What the loss of place `at` counts in the result: its gradient times its class's weight. */
INLINE real factor_of(const softmax_job *work, ptrdiff_t at)
{
    const int64_t target = work->target[at];
    if (target == work->ignored)
        return 0;
    const real g = work->g[work->g_step ? at : 0];
    return work->weight ? g * work->weight[target] : g;
}

/* Is the target of place `at` neither a class nor to be ignored? */
INLINE int no_class(const softmax_job *work, ptrdiff_t at)
{
    const int64_t target = work->target[at];
    return target != work->ignored && (target < 0 || target >= work->classes);
}

static status cross_entropy_input_rows(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    const ptrdiff_t classes = work->classes;
    FOR_ROWS(work, task, row)
    {
        if (no_class(work, row))
            return BAD_INDEX;
        const real factor = factor_of(work, row), *x = work->x + row * classes;
        real *to = work->y + row * classes;
        for (ptrdiff_t i = 0; i < classes; i += LANES) {
            const vec power = load_classes(x, classes, i) - work->known_largest[row] - work->known_log_sum[row];
            store_classes(to, classes, i, exp_of(power) * factor);
        }
        if (work->target[row] != work->ignored)
            to[work->target[row]] -= factor;
    }
    return OK;
}

static status cross_entropy_input_strips(void *context, ptrdiff_t task)
{
    const softmax_job *work = context;
    FOR_STRIPS(work, task, strip)
    {
        const ptrdiff_t inner = strip_inner(work, strip), width = smaller(STRIP, work->inner - inner);
        const ptrdiff_t outer = strip_outer(work, strip), at = outer * work->inner + inner;
        const ptrdiff_t from = outer * work->classes * work->inner + inner;
        vec largest[STRIP_VECTORS], log_sum[STRIP_VECTORS];
        real factor[STRIP] = {0};
        for (ptrdiff_t i = 0; i < width; i++) {
            if (no_class(work, at + i))
                return BAD_INDEX;
            factor[i] = factor_of(work, at + i);
        }
        for (int j = 0; j < STRIP_VECTORS; j++) {
            largest[j] = load_strip(work->known_largest + at, width, j);
            log_sum[j] = load_strip(work->known_log_sum + at, width, j);
        }
        for (ptrdiff_t class = 0; class < work->classes; class ++) {
            const ptrdiff_t row = from + class * work->inner;
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec power = load_strip(work->x + row, width, j) - largest[j] - log_sum[j];
                store_strip(work->y + row, width, j, exp_of(power) * load(factor + j * LANES));
            }
        }
        for (ptrdiff_t i = 0; i < width; i++)
            if (work->target[at + i] != work->ignored)
                work->y[from + work->target[at + i] * work->inner + i] -= factor[i];
    }
    return OK;
}

static status run(softmax_job *work, task_body rows, task_body strips)
{
    if (work->inner == 1) {
        work->a_task = items_a_task(work->classes);
        return for_items(work->outer, work->classes, rows, work);
    }
    work->strips = ceil_div(work->inner, STRIP);
    const ptrdiff_t size = work->classes * smaller(STRIP, work->inner);
    work->a_task = items_a_task(size);
    return for_items(work->outer * work->strips, size, strips, work);
}

status NAME(softmax)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *x, void *y)
{
    softmax_job work = {.outer = outer, .classes = classes, .inner = inner, .logarithm = logarithm, .x = x, .y = y};
    return run(&work, softmax_rows, softmax_strips);
}

status NAME(softmax_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, int logarithm, const void *g,
                           const void *y, void *dx)
{
    softmax_job work = {.outer = outer, .classes = classes, .inner = inner, .logarithm = logarithm,
                        .g = g, .x = y, .y = dx};
    return run(&work, softmax_input_rows, softmax_input_strips);
}

status NAME(cross_entropy)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *x, const int64_t *target,
                           const void *weight, int64_t ignored, void *loss, void *largest, void *log_sum)
{
    softmax_job work = {.outer = outer, .classes = classes, .inner = inner, .ignored = ignored, .x = x,
                        .weight = weight, .target = target, .y = loss, .largest = largest, .log_sum = log_sum};
    return run(&work, cross_entropy_rows, cross_entropy_strips);
}

status NAME(cross_entropy_input)(ptrdiff_t outer, ptrdiff_t classes, ptrdiff_t inner, const void *g, int g_step,
                                 const void *x, const int64_t *target, const void *weight, int64_t ignored,
                                 const void *largest, const void *log_sum, void *dx)
{
    softmax_job work = {.outer = outer, .classes = classes, .inner = inner, .g_step = g_step, .ignored = ignored,
                        .x = x, .g = g, .weight = weight, .known_largest = largest, .known_log_sum = log_sum,
                        .target = target, .y = dx};
    return run(&work, cross_entropy_input_rows, cross_entropy_input_strips);
}
