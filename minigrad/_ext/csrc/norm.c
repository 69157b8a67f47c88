#include "norm.h"

#include <math.h>

#include "ranges.h"
#include "simd.h"

enum { BLOCK = 4096 }; /* elements whose sums are taken in `real`; they stay in the nearest cache */

typedef struct {
    const norm_shape *shape;
    ptrdiff_t sets_a_task;
    const real *g, *x, *weight, *bias;
    real *to, *mean, *var, *weight_sums, *bias_sums;
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

/* to = (x - mean) * scale * weight + shift, with a number for weight or one an element. */
INLINE void scaled(const int along, const real *x, ptrdiff_t length, real mean, real scale, const real *weight,
                   const real *bias, real *to)
{
    const vec centre = broadcast(mean);
    const real one_scale = along || !weight ? scale : scale * *weight, one_shift = along || !bias ? 0 : *bias;
    const vec scales = broadcast(one_scale), shifts = broadcast(one_shift);
    ptrdiff_t i = 0;
    for (; i + LANES <= length || (i < length && length >= LANES); i += LANES) {
        i = smaller(i, length - LANES);
        vec y = (load(x + i) - centre) * scales;
        if (along && weight)
            y *= load(weight + i);
        store(to + i, along && bias ? y + load(bias + i) : y + shifts);
    }
    for (; i < length; i++) {
        const real y = (x[i] - mean) * one_scale * (along && weight ? weight[i] : 1);
        to[i] = y + (along && bias ? bias[i] : one_shift);
    }
}

static status norm_sets(void *context, ptrdiff_t task)
{
    const norm_job *work = context;
    const norm_shape *shape = work->shape;
    const ptrdiff_t last = smaller(shape->sets, (task + 1) * work->sets_a_task);
    for (ptrdiff_t set = task * work->sets_a_task; set < last; set++) {
        const ptrdiff_t start = start_of(shape, set);
        double mean, var;
        moments(shape, work->x + start, &mean, &var);
        work->mean[set] = (real)mean;
        work->var[set] = (real)var;
        const real scale = (real)(1 / sqrt(var + shape->eps));
        for (ptrdiff_t part = 0; part < shape->parts; part++) {
            const ptrdiff_t from = start + part * shape->part_stride, entry = weight_of(shape, set, part);
            const real *weight = work->weight ? work->weight + entry : NULL;
            const real *bias = work->bias ? work->bias + entry : NULL;
            if (shape->weight_element)
                scaled(1, work->x + from, shape->length, (real)mean, scale, weight, bias, work->to + from);
            else
                scaled(0, work->x + from, shape->length, (real)mean, scale, weight, bias, work->to + from);
        }
    }
    return OK;
}

/* The sums of g and of g * (x - mean), each g times its weight if those differ from element to element. */
INLINE void block_slopes(const int along, const real *g, const real *x, const real *weight, const block *size,
                         real mean, double *sum_of, double *product_of)
{
    vec sum[2] = {zero_vector()}, product[2] = {zero_vector()};
    real rest = 0, rest_product = 0;
    const vec centre = broadcast(mean);
    const ptrdiff_t whole = size->length / LANES * LANES;
    const int_vec last = uncovered(size->length);
    for (ptrdiff_t part = 0; part < size->parts; part++, g += size->stride, x += size->stride) {
        ptrdiff_t i = 0;
        for (; i + 2 * LANES <= whole; i += 2 * LANES) {
            UNROLL
            for (int j = 0; j < 2; j++) {
                const ptrdiff_t at = i + j * LANES;
                const vec slope = along ? load(g + at) * load(weight + at) : load(g + at);
                sum[j] += slope;
                product[j] += slope * (load(x + at) - centre);
            }
        }
        for (; i < whole; i += LANES) {
            const vec slope = along ? load(g + i) * load(weight + i) : load(g + i);
            sum[0] += slope;
            product[0] += slope * (load(x + i) - centre);
        }
        if (whole && whole < size->length) {
            const ptrdiff_t at = size->length - LANES;
            const vec slope = masked(along ? load(g + at) * load(weight + at) : load(g + at), last);
            sum[1] += slope;
            product[1] += masked(slope * (load(x + at) - centre), last);
        } else {
            for (; i < size->length; i++) {
                const real slope = along ? g[i] * weight[i] : g[i];
                rest += slope;
                rest_product += slope * (x[i] - mean);
            }
        }
    }
    *sum_of += sum_lanes(sum[0] + sum[1]) + rest;
    *product_of += sum_lanes(product[0] + product[1]) + rest_product;
}

/* to = g * scale * weight - fall * (x - mean) - drop. */
INLINE void combined(const int along, const real *g, const real *x, const real *weight, ptrdiff_t length, real mean,
                     real scale, real fall, real drop, real *to)
{
    const vec centre = broadcast(mean), scales = broadcast(scale), falls = broadcast(fall), drops = broadcast(drop);
    ptrdiff_t i = 0;
    for (; i + LANES <= length || (i < length && length >= LANES); i += LANES) {
        i = smaller(i, length - LANES);
        const vec slope = along ? load(g + i) * load(weight + i) : load(g + i);
        store(to + i, slope * scales - (load(x + i) - centre) * falls - drops);
    }
    for (; i < length; i++)
        to[i] = (along ? g[i] * weight[i] : g[i]) * scale - (x[i] - mean) * fall - drop;
}

static status norm_input_sets(void *context, ptrdiff_t task)
{
    const norm_job *work = context;
    const norm_shape *shape = work->shape;
    const ptrdiff_t last = smaller(shape->sets, (task + 1) * work->sets_a_task);
    const int along = shape->weight_element && work->weight;
    const ptrdiff_t apart = shape->weight_part ? 1 : shape->parts; /* parts that share one weight */
    for (ptrdiff_t set = task * work->sets_a_task; set < last; set++) {
        const ptrdiff_t start = start_of(shape, set);
        const real mean = shape->centred ? work->known_mean[set] : 0;
        const double scale = 1 / sqrt(work->known_var[set] + shape->eps), count = (double)(shape->parts * shape->length);
        double sum = 0, product = 0;
        for (ptrdiff_t first = 0; first < shape->parts; first += apart) {
            double part_sum = 0, part_product = 0;
            const real *weight = work->weight ? work->weight + weight_of(shape, set, first) : NULL;
            FOR_BLOCKS(shape, first, first + apart, part, element, size)
            {
                const ptrdiff_t from = start + part * shape->part_stride + element;
                if (along)
                    block_slopes(1, work->g + from, work->x + from, weight + element, size, mean, &part_sum,
                                 &part_product);
                else
                    block_slopes(0, work->g + from, work->x + from, weight, size, mean, &part_sum, &part_product);
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
            const ptrdiff_t from = start + part * shape->part_stride;
            const real *weight = work->weight ? work->weight + weight_of(shape, set, part) : NULL;
            if (along)
                combined(1, work->g + from, work->x + from, weight, shape->length, mean, (real)scale, fall, drop,
                         work->to + from);
            else
                combined(0, work->g + from, work->x + from, weight, shape->length, mean,
                         (real)(weight ? scale * *weight : scale), fall, drop, work->to + from);
        }
    }
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

status NAME(norm)(const norm_shape *shape, const void *x, const void *weight, const void *bias, void *y, void *mean,
                  void *var)
{
    if (has_columns(shape))
        return NAME(norm_columns)(shape, x, weight, bias, y, mean, var);
    norm_job work = {.shape = shape, .x = x, .weight = weight, .bias = bias, .to = y, .mean = mean, .var = var};
    return for_sets(&work, norm_sets);
}

status NAME(norm_input)(const norm_shape *shape, const void *g, const void *x, const void *weight, const void *mean,
                        const void *var, void *dx, void *weight_sums, void *bias_sums)
{
    if (has_columns(shape))
        return NAME(norm_columns_input)(shape, g, x, weight, mean, var, dx, weight_sums, bias_sums);
    norm_job work = {.shape = shape, .g = g, .x = x, .weight = weight, .known_mean = mean, .known_var = var, .to = dx};
    if (!shape->weight_element) {
        work.weight_sums = weight_sums;
        work.bias_sums = bias_sums;
    }
    return for_sets(&work, norm_input_sets);
}

typedef struct {
    ptrdiff_t channels, size, planes, planes_a_task;
    const real *x, *scale, *shift;
    real *y;
} channel_job;

static status scale_planes(void *context, ptrdiff_t task)
{
    const channel_job *work = context;
    const ptrdiff_t last = smaller(work->planes, (task + 1) * work->planes_a_task);
    for (ptrdiff_t plane = task * work->planes_a_task; plane < last; plane++) {
        const ptrdiff_t channel = plane % work->channels, from = plane * work->size;
        scaled(0, work->x + from, work->size, 0, work->scale[channel], NULL, work->shift ? work->shift + channel : NULL,
               work->y + from);
    }
    return OK;
}

status NAME(scale_channels)(ptrdiff_t samples, ptrdiff_t channels, ptrdiff_t size, const void *x, const void *scale,
                            const void *shift, void *y)
{
    channel_job work = {channels, size, samples * channels, items_a_task(size), x, scale, shift, y};
    return for_items(work.planes, size, scale_planes, &work);
}
