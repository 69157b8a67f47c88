#include "norm.h"

#include "norm_elements.h"
#include "ranges.h"
#include "rectify.h"

enum { BLOCK = 4096 }; /* elements whose sums are taken in `real`; they stay in the nearest cache */

typedef struct {
    const norm_shape *shape;
    ptrdiff_t sets_a_task;
    const real *g, *x, *weight, *bias, *residual;
    real *to, *passed, *mean, *var, *weight_sums, *bias_sums;
    const real *known_mean, *known_var;
} norm_job;

static ptrdiff_t start_of(const norm_shape *shape, ptrdiff_t set)
{
    return set / shape->inner * shape->outer_stride + set % shape->inner * shape->inner_stride;
}

static ptrdiff_t weight_of(const norm_shape *shape, ptrdiff_t set, ptrdiff_t part)
{
    return set % shape->inner * shape->weight_set + part * shape->weight_part;
}

/* The lanes of the last vector of a stretch that the vectors before it have not covered. */
static int_vec uncovered(ptrdiff_t length)
{
    int_vec mask;
    for (int lane = 0; lane < LANES; lane++)
        mask[lane] = lane >= LANES - length % LANES ? -1 : 0;
    return mask;
}
INLINE vec masked(vec value, int_vec mask) { return (vec)((int_vec)value & mask); }

/* Of the elements that share a weight and a bias, which are left out where NULL. */
static outcome outcome_of(const norm_shape *shape, real mean, real var, const real *weight, const real *bias)
{
    const real scale = scale_of(var, shape->eps, weight ? *weight : 1);
    return (outcome){broadcast(mean), broadcast(scale), broadcast(bias ? *bias : 0), broadcast((real)shape->slope)};
}

/* A rectangle of a set: some parts, of each the same elements. */
typedef struct {
    ptrdiff_t parts, stride, length;
} block;

/* Calls use(start, block) for the blocks of some parts of a set, in order. */
#define FOR_BLOCKS(shape, first_part, last_part, part, element, size)                                                  \
    for (ptrdiff_t a_time = larger(1, BLOCK / larger(1, (shape)->length)), part = (first_part); part < (last_part);    \
         part += a_time)                                                                                               \
        for (ptrdiff_t element = 0; element < (shape)->length; element += BLOCK)                                       \
            for (const block *size = &(block){smaller(a_time, (last_part) - part), (shape)->part_stride,               \
                                              smaller(BLOCK, (shape)->length - element)};                              \
                 size; size = NULL)

static real block_sum(const real *x, const block *size)
{
    vec sum[4] = {zero_vector()};
    real rest = 0;
    const ptrdiff_t whole = size->length / LANES * LANES;
    const int_vec last = uncovered(size->length);
    for (ptrdiff_t part = 0; part < size->parts; part++, x += size->stride) {
        ptrdiff_t i = 0;
        for (; i + 4 * LANES <= whole; i += 4 * LANES) {
            UNROLL
            for (int j = 0; j < 4; j++)
                sum[j] += load(x + i + j * LANES);
        }
        for (; i < whole; i += LANES)
            sum[0] += load(x + i);
        if (whole && whole < size->length)
            sum[1] += masked(load(x + size->length - LANES), last);
        else
            for (; i < size->length; i++)
                rest += x[i];
    }
    return sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

/* The sums of x - mean and of its squares. */
static void block_squares(const real *x, const block *size, real mean, real *sum_of, real *squares_of)
{
    vec sum[2] = {zero_vector()}, squares[2] = {zero_vector()};
    real rest = 0, rest_squares = 0;
    const vec centre = broadcast(mean);
    const ptrdiff_t whole = size->length / LANES * LANES;
    const int_vec last = uncovered(size->length);
    for (ptrdiff_t part = 0; part < size->parts; part++, x += size->stride) {
        ptrdiff_t i = 0;
        for (; i + 2 * LANES <= whole; i += 2 * LANES) {
            UNROLL
            for (int j = 0; j < 2; j++) {
                const vec away = load(x + i + j * LANES) - centre;
                sum[j] += away;
                squares[j] += away * away;
            }
        }
        for (; i < whole; i += LANES) {
            const vec away = load(x + i) - centre;
            sum[0] += away;
            squares[0] += away * away;
        }
        if (whole && whole < size->length) {
            const vec away = masked(load(x + size->length - LANES) - centre, last);
            sum[1] += away;
            squares[1] += away * away;
        } else {
            for (; i < size->length; i++) {
                const real away = x[i] - mean;
                rest += away;
                rest_squares += away * away;
            }
        }
    }
    *sum_of = sum_lanes(sum[0] + sum[1]) + rest;
    *squares_of = sum_lanes(squares[0] + squares[1]) + rest_squares;
}

/* Mean and variance of a set: of each block first, then put together (Chan, Golub and LeVeque, 1983). */
static void moments(const norm_shape *shape, const real *x, double *mean_of, double *var_of)
{
    double count = 0, mean = 0, squares = 0;
    FOR_BLOCKS(shape, 0, shape->parts, part, element, size)
    {
        const real *start = x + part * shape->part_stride + element;
        const double more = (double)(size->parts * size->length);
        const real about = shape->centred ? block_sum(start, size) / (real)more : 0;
        real away, away_squares;
        block_squares(start, size, about, &away, &away_squares);
        if (shape->centred) {
            const double block_mean = about + away / more, apart = block_mean - mean, all = count + more;
            squares += away_squares - away * (away / more) + apart * apart * (count * more / all);
            mean += apart * (more / all);
            count = all;
        } else {
            squares += away_squares;
            count += more;
        }
    }
    *mean_of = mean;
    *var_of = squares < 0 ? 0 : squares / count; /* NaN stays NaN */
}

/* to = what comes out. */
INLINE void scaled(const rectifier kind, const int added, const outcome *how, const real *x, const real *residual,
                   ptrdiff_t length, real *to)
{
    for (ptrdiff_t i = 0; i < length; i += LANES) {
        if (length >= LANES)
            i = smaller(i, length - LANES);
        vec y = come_out(how, load_up_to(x + i, length));
        if (added)
            y += load_up_to(residual + i, length);
        store_up_to(to + i, rectify(kind, how, y), length);
    }
}

/* to = (x - mean) * scale * weight + bias with a weight and a bias for each element. */
INLINE void scaled_along(const real *x, const real *weight, const real *bias, ptrdiff_t length, real mean, real scale,
                         real *to)
{
    const vec centre = broadcast(mean), scales = broadcast(scale);
    for (ptrdiff_t i = 0; i < length; i += LANES) {
        if (length >= LANES)
            i = smaller(i, length - LANES);
        vec y = (load_up_to(x + i, length) - centre) * scales;
        if (weight)
            y *= load_up_to(weight + i, length);
        if (bias)
            y += load_up_to(bias + i, length);
        store_up_to(to + i, y, length);
    }
}

static status norm_sets(void *context, ptrdiff_t task)
{
    const norm_job *work = context;
    const norm_shape *shape = work->shape;
    const ptrdiff_t last = smaller(shape->sets, (task + 1) * work->sets_a_task);
    for (ptrdiff_t set = task * work->sets_a_task; set < last; set++) {
        const ptrdiff_t start = start_of(shape, set);
        double wide_mean, wide_var;
        moments(shape, work->x + start, &wide_mean, &wide_var);
        const real mean = work->mean[set] = (real)wide_mean, var = work->var[set] = (real)wide_var;
        for (ptrdiff_t part = 0; part < shape->parts; part++) {
            const ptrdiff_t from = start + part * shape->part_stride, entry = weight_of(shape, set, part);
            const real *weight = work->weight ? work->weight + entry : NULL;
            const real *bias = work->bias ? work->bias + entry : NULL;
            const real *residual = work->residual ? work->residual + from : NULL;
            if (shape->weight_element) {
                scaled_along(work->x + from, weight, bias, shape->length, mean, scale_of(var, shape->eps, 1),
                             work->to + from);
            } else {
                const outcome how = outcome_of(shape, mean, var, weight, bias);
                WITH_RECTIFIER(shape->rectified, residual, scaled, &how, work->x + from, residual, shape->length,
                               work->to + from);
            }
        }
    }
    return OK;
}

/* Where gradients come from: stretches of arrays, `weight` with one for each element or NULL; what the rectifier lets
 * pass goes to `passed`, if a residual was added. */
typedef struct {
    const real *g, *x, *weight, *residual;
    real *passed;
} slope_source;

/* The gradient of what stands before the rectifier, or of what is weighted: at up to LANES elements. */
INLINE vec slope_at(const rectifier kind, const int added, const int along, const outcome *how,
                    const slope_source *from, ptrdiff_t part, ptrdiff_t i, ptrdiff_t count)
{
    vec slope = load_up_to(from->g + part + i, count);
    if (along)
        slope *= load_up_to(from->weight + i, count);
    if (kind != NO_RECTIFIER) {
        vec y = come_out(how, load_up_to(from->x + part + i, count));
        if (added)
            y += load_up_to(from->residual + part + i, count);
        slope = let_pass(kind, how, y, slope);
        if (added)
            store_up_to(from->passed + part + i, slope, count);
    }
    return slope;
}

/* Adds up the slopes, and the slopes times x - mean. */
INLINE void block_slopes(const rectifier kind, const int added, const int along, const outcome *how,
                         const slope_source *from, const block *size, double *sum_of, double *product_of)
{
    vec sum[2] = {zero_vector()}, product[2] = {zero_vector()};
    const ptrdiff_t length = size->length, whole = length / LANES * LANES;
    const int_vec last = uncovered(length);
    for (ptrdiff_t parts = 0, part = 0; parts < size->parts; parts++, part += size->stride) {
        const real *x = from->x + part;
        ptrdiff_t i = 0;
        for (; i + 2 * LANES <= whole; i += 2 * LANES) {
            UNROLL
            for (int j = 0; j < 2; j++) {
                const vec slope = slope_at(kind, added, along, how, from, part, i + j * LANES, LANES);
                sum[j] += slope;
                product[j] += slope * (load(x + i + j * LANES) - how->centre);
            }
        }
        for (; i < whole; i += LANES) {
            const vec slope = slope_at(kind, added, along, how, from, part, i, LANES);
            sum[0] += slope;
            product[0] += slope * (load(x + i) - how->centre);
        }
        if (whole && whole < length) {
            i = length - LANES;
            const vec slope = slope_at(kind, added, along, how, from, part, i, LANES);
            sum[1] += masked(slope, last);
            product[1] += masked(slope * (load(x + i) - how->centre), last);
        } else if (whole < length) {
            const vec slope = slope_at(kind, added, along, how, from, part, 0, length);
            sum[1] += slope;
            product[1] += slope * (load_first(x, length) - how->centre);
        }
    }
    *sum_of += sum_lanes(sum[0] + sum[1]);
    *product_of += sum_lanes(product[0] + product[1]);
}

/* to = slope * scale - fall * (x - mean) - drop. */
INLINE void combined(const rectifier kind, const int added, const int along, const outcome *how,
                     const slope_source *from, ptrdiff_t length, real scale, real fall, real drop, real *to)
{
    const vec scales = broadcast(scale), falls = broadcast(fall), drops = broadcast(drop);
    for (ptrdiff_t i = 0; i < length; i += LANES) {
        if (length >= LANES)
            i = smaller(i, length - LANES);
        const vec slope = slope_at(kind, added, along, how, from, 0, i, length);
        const vec away = load_up_to(from->x + i, length) - how->centre;
        store_up_to(to + i, slope * scales - away * falls - drops, length);
    }
}

static slope_source sources_at(const norm_job *work, ptrdiff_t begin, const real *weight)
{
    slope_source from = {.g = work->g + begin, .x = work->x + begin, .weight = weight};
    if (work->residual) {
        from.residual = work->residual + begin;
        from.passed = work->passed + begin;
    }
    return from;
}

/* Of sets first .. last - 1. */
static void norm_input_range(void *context, ptrdiff_t first_set, ptrdiff_t last_set)
{
    const norm_job *work = context;
    const norm_shape *shape = work->shape;
    const int along = shape->weight_element && work->weight;
    const ptrdiff_t apart = shape->weight_part ? 1 : shape->parts; /* parts that share one weight */
    for (ptrdiff_t set = first_set; set < last_set; set++) {
        const ptrdiff_t start = start_of(shape, set);
        const real mean = shape->centred ? work->known_mean[set] : 0, var = work->known_var[set];
        const double scale = 1 / sqrt(var + shape->eps), count = (double)(shape->parts * shape->length);
        double sum = 0, product = 0;
        for (ptrdiff_t first = 0; first < shape->parts; first += apart) {
            double part_sum = 0, part_product = 0;
            const ptrdiff_t entry = weight_of(shape, set, first);
            const real *weight = work->weight ? work->weight + entry : NULL;
            const outcome how = outcome_of(shape, mean, var, weight, work->bias ? work->bias + entry : NULL);
            FOR_BLOCKS(shape, first, first + apart, part, element, size)
            {
                const slope_source from = sources_at(work, start + part * shape->part_stride + element,
                                                     along ? weight + element : NULL);
                if (along)
                    block_slopes(NO_RECTIFIER, 0, 1, &how, &from, size, &part_sum, &part_product);
                else
                    WITH_RECTIFIER(shape->rectified, work->residual, block_slopes, 0, &how, &from, size, &part_sum,
                                   &part_product);
            }
            if (work->weight_sums) {
                const ptrdiff_t to = set * (shape->parts / apart) + first / apart;
                work->bias_sums[to] = (real)part_sum;
                work->weight_sums[to] = (real)(part_product * scale);
            }
            const double factor = along || !weight ? 1 : *weight;
            sum += part_sum * factor;
            product += part_product * factor;
        }
        const real drop = (real)(shape->centred ? sum * scale / count : 0);
        const real fall = (real)(product * scale * scale * scale / count);
        for (ptrdiff_t part = 0; part < shape->parts; part++) {
            const ptrdiff_t begin = start + part * shape->part_stride, entry = weight_of(shape, set, part);
            const real *weight = work->weight ? work->weight + entry : NULL;
            const outcome how = outcome_of(shape, mean, var, weight, work->bias ? work->bias + entry : NULL);
            slope_source from = sources_at(work, begin, along ? weight : NULL);
            if (along) {
                combined(NO_RECTIFIER, 0, 1, &how, &from, shape->length, (real)scale, fall, drop, work->to + begin);
            } else {
                if (work->residual)
                    from.g = from.passed;
                WITH_RECTIFIER(work->residual ? NO_RECTIFIER : shape->rectified, 0, combined, 0, &how, &from,
                               shape->length, (real)(weight ? scale * *weight : scale), fall, drop, work->to + begin);
            }
        }
    }
}

static status norm_input_sets(void *context, ptrdiff_t task)
{
    const norm_job *work = context;
    norm_input_range(context, task * work->sets_a_task, smaller(work->shape->sets, (task + 1) * work->sets_a_task));
    return OK;
}

static status for_sets(norm_job *work, task_body body)
{
    const ptrdiff_t size = work->shape->parts * work->shape->length;
    work->sets_a_task = items_a_task(size);
    return for_items(work->shape->sets, size, body, work);
}

/* Are the sets few columns each of one matrix, and have one weight each? */
static int has_columns(const norm_shape *shape)
{
    return shape->parts > 1 && !shape->weight_part && !shape->weight_element && shape->length <= NAME(norm_columns_most)() &&
           shape->inner == shape->sets && shape->part_stride == shape->sets * shape->length;
}

status NAME(norm)(const norm_shape *shape, const void *x, const void *weight, const void *bias, const void *residual,
                  void *y, void *mean, void *var)
{
    if (has_columns(shape))
        return NAME(norm_columns)(shape, x, weight, bias, residual, y, mean, var);
    norm_job work = {.shape = shape, .x = x, .weight = weight, .bias = bias, .residual = residual,
                     .to = y, .mean = mean, .var = var};
    return for_sets(&work, norm_sets);
}

status NAME(norm_input)(const norm_shape *shape, const void *g, const void *x, const void *weight, const void *bias,
                        const void *residual, const void *mean, const void *var, void *dx, void *passed,
                        void *weight_sums, void *bias_sums)
{
    if (has_columns(shape))
        return NAME(norm_columns_input)(shape, g, x, weight, bias, residual, mean, var, dx, passed, weight_sums,
                                        bias_sums);
    norm_job work = {.shape = shape, .g = g, .x = x, .weight = weight, .bias = bias, .residual = residual,
                     .known_mean = mean, .known_var = var, .to = dx, .passed = passed};
    if (!shape->weight_element) {
        work.weight_sums = weight_sums;
        work.bias_sums = bias_sums;
        return for_sets(&work, norm_input_sets);
    }
    const int few = shape->sets / shape->inner < FEW_ROWS;
    const status done = few ? for_sets(&work, norm_input_sets) : OK;
    return done == OK ? norm_element_sums(shape, g, x, mean, var, weight_sums, bias_sums,
                                          few ? NULL : norm_input_range, &work)
                      : done;
}

typedef struct {
    ptrdiff_t channels, size, planes, planes_a_task;
    rectifier rectified;
    real slope;
    const real *x, *scale, *shift, *residual;
    real *y;
} channel_job;

static status scale_planes(void *context, ptrdiff_t task)
{
    const channel_job *work = context;
    const ptrdiff_t last = smaller(work->planes, (task + 1) * work->planes_a_task);
    for (ptrdiff_t plane = task * work->planes_a_task; plane < last; plane++) {
        const ptrdiff_t channel = plane % work->channels, from = plane * work->size;
        const real *residual = work->residual ? work->residual + from : NULL;
        const outcome how = {zero_vector(), broadcast(work->scale[channel]),
                             broadcast(work->shift ? work->shift[channel] : 0), broadcast(work->slope)};
        WITH_RECTIFIER(work->rectified, residual, scaled, &how, work->x + from, residual, work->size, work->y + from);
    }
    return OK;
}

status NAME(scale_channels)(ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t size, rectifier rectified, double slope,
                            const void *x, const void *scale, const void *shift, const void *residual, void *y)
{
    channel_job work = {channels, size, samples * channels, items_a_task(size), rectified, (real)slope,
                        x, scale, shift, residual, y};
    return for_items(work.planes, size, scale_planes, &work);
}
