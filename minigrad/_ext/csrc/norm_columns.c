/* Norms whose sums run down the columns of matrices: a vector holds neighbouring columns. */
#include "norm.h"
#include "ranges.h"
#include "rectify.h"
#include "strip.h"

typedef struct {
    const norm_shape *shape;
    const real *g, *x, *weight, *bias, *residual, *known_mean, *known_var;
    real *to, *passed, *mean, *var, *weight_sums, *bias_sums;
} column_job;

/* Mean and variance of `width` columns of a matrix of `rows` rows. */
static void column_moments(const real *x, ptrdiff_t rows, ptrdiff_t pitch, ptrdiff_t width, double *mean,
                           double *squares)
{
    double away[STRIP] = {0};
    vec sum[STRIP_VECTORS], centre[STRIP_VECTORS];
    for (ptrdiff_t first = 0; first < rows; first += CHUNK) {
        const ptrdiff_t last = smaller(rows, first + CHUNK);
        for (int j = 0; j < STRIP_VECTORS; j++)
            sum[j] = zero_vector();
        for (ptrdiff_t row = first; row < last; row++) {
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++)
                sum[j] += load_strip(x + row * pitch, width, j);
        }
        add_up(mean, sum);
    }
    real about[STRIP];
    for (int i = 0; i < STRIP; i++)
        about[i] = (real)(mean[i] /= (double)rows);
    for (int j = 0; j < STRIP_VECTORS; j++)
        centre[j] = load(about + j * LANES);
    for (ptrdiff_t first = 0; first < rows; first += CHUNK) {
        const ptrdiff_t last = smaller(rows, first + CHUNK);
        vec square[STRIP_VECTORS];
        for (int j = 0; j < STRIP_VECTORS; j++)
            sum[j] = square[j] = zero_vector();
        for (ptrdiff_t row = first; row < last; row++) {
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec apart = load_strip(x + row * pitch, width, j) - centre[j];
                sum[j] += apart;
                square[j] += apart * apart;
            }
        }
        add_up(away, sum);
        add_up(squares, square);
    }
    for (int i = 0; i < STRIP; i++) { /* `about` is the mean but for its rounding */
        mean[i] = (double)about[i] + away[i] / (double)rows;
        const double var = (squares[i] - away[i] * (away[i] / (double)rows)) / (double)rows;
        squares[i] = var < 0 ? 0 : var;
    }
}

/* The sets of a task, as many as a strip has room for. */
typedef struct {
    ptrdiff_t set, sets, column, width;
} set_range;

INLINE ptrdiff_t sets_a_strip(const norm_shape *shape) { return STRIP / shape->length; }
INLINE set_range sets_of(const norm_shape *shape, ptrdiff_t task)
{
    const ptrdiff_t set = task * sets_a_strip(shape), sets = smaller(sets_a_strip(shape), shape->sets - set);
    return (set_range){set, sets, set * shape->length, sets * shape->length};
}

/* How the elements of each vector of a strip come out, for the mean and the variance of each of its sets. */
static void find_outcomes(const column_job *work, const set_range *here, const real *mean, const real *var,
                          outcome how[STRIP_VECTORS])
{
    const ptrdiff_t length = work->shape->length;
    real centre[STRIP] = {0}, scale[STRIP] = {0}, shift[STRIP] = {0};
    for (ptrdiff_t column = 0; column < here->width; column++) {
        const ptrdiff_t set = here->set + column / length;
        centre[column] = mean[set];
        scale[column] = scale_of(var[set], work->shape->eps, work->weight ? work->weight[set] : 1);
        shift[column] = work->bias ? work->bias[set] : 0;
    }
    for (int j = 0; j < STRIP_VECTORS; j++)
        how[j] = (outcome){load(centre + j * LANES), load(scale + j * LANES), load(shift + j * LANES),
                           broadcast((real)work->shape->slope)};
}

INLINE void write_columns(const rectifier kind, const int added, const column_job *work, const set_range *here,
                          const outcome how[STRIP_VECTORS])
{
    for (ptrdiff_t row = 0; row < work->shape->parts; row++) {
        const ptrdiff_t from = here->column + row * work->shape->part_stride;
        UNROLL
        for (int j = 0; j < STRIP_VECTORS; j++) {
            vec y = come_out(&how[j], load_strip(work->x + from, here->width, j));
            if (added)
                y += load_strip(work->residual + from, here->width, j);
            store_strip(work->to + from, here->width, j, rectify(kind, &how[j], y));
        }
    }
}

static status norm_column_block(void *context, ptrdiff_t task)
{
    const column_job *work = context;
    const norm_shape *shape = work->shape;
    const set_range here = sets_of(shape, task);
    const ptrdiff_t length = shape->length;
    double mean[STRIP] = {0}, var[STRIP] = {0};
    column_moments(work->x + here.column, shape->parts, shape->part_stride, here.width, mean, var);
    for (ptrdiff_t i = 0; i < here.sets; i++) {
        const ptrdiff_t set = here.set + i, first = i * length;
        double set_mean = 0, set_var = 0;
        for (ptrdiff_t column = first; column < first + length; column++)
            set_mean += mean[column] / (double)length;
        for (ptrdiff_t column = first; column < first + length; column++) {
            const double apart = mean[column] - set_mean;
            set_var += (var[column] + apart * apart) / (double)length;
        }
        work->mean[set] = (real)set_mean;
        work->var[set] = (real)set_var;
    }
    outcome how[STRIP_VECTORS];
    find_outcomes(work, &here, work->mean, work->var, how);
    WITH_RECTIFIER(shape->rectified, work->residual, write_columns, work, &here, how);
    return OK;
}

/* The gradient of what stands before the rectifier, at a vector of a row. */
INLINE vec column_slope(const rectifier kind, const int added, const column_job *work, const set_range *here,
                        const outcome *how, ptrdiff_t from, int j)
{
    const vec g = load_strip(work->g + from, here->width, j);
    if (kind == NO_RECTIFIER)
        return g;
    vec y = come_out(how, load_strip(work->x + from, here->width, j));
    if (added)
        y += load_strip(work->residual + from, here->width, j);
    const vec slope = let_pass(kind, how, y, g);
    if (added)
        store_strip(work->passed + from, here->width, j, slope);
    return slope;
}

/* The sums of the slopes of each column, and of the slopes times x - mean. */
INLINE void sum_columns(const rectifier kind, const int added, const column_job *work, const set_range *here,
                        const outcome how[STRIP_VECTORS], double *sum, double *product)
{
    const ptrdiff_t rows = work->shape->parts;
    for (ptrdiff_t start = 0; start < rows; start += CHUNK) {
        vec sums[STRIP_VECTORS], products[STRIP_VECTORS];
        for (int j = 0; j < STRIP_VECTORS; j++)
            sums[j] = products[j] = zero_vector();
        for (ptrdiff_t row = start; row < smaller(rows, start + CHUNK); row++) {
            const ptrdiff_t from = here->column + row * work->shape->part_stride;
            UNROLL
            for (int j = 0; j < STRIP_VECTORS; j++) {
                const vec slope = column_slope(kind, added, work, here, &how[j], from, j);
                sums[j] += slope;
                products[j] += slope * (load_strip(work->x + from, here->width, j) - how[j].centre);
            }
        }
        add_up(sum, sums);
        add_up(product, products);
    }
}

/* to = slope * scale - fall * (x - mean) - drop. */
INLINE void combine_columns(const rectifier kind, const int added, const column_job *work, const set_range *here,
                            const outcome how[STRIP_VECTORS], const real *scale, const real *fall, const real *drop)
{
    for (ptrdiff_t row = 0; row < work->shape->parts; row++) {
        const ptrdiff_t from = here->column + row * work->shape->part_stride;
        UNROLL
        for (int j = 0; j < STRIP_VECTORS; j++) {
            const vec slope = column_slope(kind, added, work, here, &how[j], from, j);
            const vec away = load_strip(work->x + from, here->width, j) - how[j].centre;
            store_strip(work->to + from, here->width, j,
                        slope * load(scale + j * LANES) - away * load(fall + j * LANES) - load(drop + j * LANES));
        }
    }
}

static status norm_input_column_block(void *context, ptrdiff_t task)
{
    const column_job *work = context;
    const norm_shape *shape = work->shape;
    const set_range here = sets_of(shape, task);
    const ptrdiff_t length = shape->length;
    real scale[STRIP] = {0}, fall[STRIP] = {0}, drop[STRIP] = {0};
    double sum[STRIP] = {0}, product[STRIP] = {0};
    outcome how[STRIP_VECTORS];
    find_outcomes(work, &here, work->known_mean, work->known_var, how);
    WITH_RECTIFIER(shape->rectified, work->residual, sum_columns, work, &here, how, sum, product);
    for (ptrdiff_t i = 0; i < here.sets; i++) {
        const ptrdiff_t set = here.set + i, first = i * length;
        double set_sum = 0, set_product = 0;
        for (ptrdiff_t column = first; column < first + length; column++) {
            set_sum += sum[column];
            set_product += product[column];
        }
        const double inverse = 1 / sqrt(work->known_var[set] + shape->eps), count = (double)(shape->parts * length);
        const double factor = inverse * (work->weight ? work->weight[set] : 1);
        work->bias_sums[set] = (real)set_sum;
        work->weight_sums[set] = (real)(set_product * inverse);
        for (ptrdiff_t column = first; column < first + length; column++) {
            scale[column] = (real)factor;
            drop[column] = (real)(set_sum * factor / count);
            fall[column] = (real)(set_product * factor * inverse * inverse / count);
        }
    }
    if (work->residual) {
        column_job rest = *work;
        rest.g = work->passed;
        combine_columns(NO_RECTIFIER, 0, &rest, &here, how, scale, fall, drop);
    } else {
        WITH_RECTIFIER(shape->rectified, 0, combine_columns, work, &here, how, scale, fall, drop);
    }
    return OK;
}

static status for_columns(ptrdiff_t tasks, ptrdiff_t elements, task_body body, column_job *work)
{
    return elements < SERIAL_ELEMENTS ? serial_for(tasks, body, work) : parallel_for(tasks, body, work);
}

ptrdiff_t NAME(norm_columns_most)(void) { return STRIP < 16 ? STRIP : 16; }

status NAME(norm_columns)(const norm_shape *shape, const void *x, const void *weight, const void *bias,
                          const void *residual, void *y, void *mean, void *var)
{
    column_job work = {.shape = shape, .x = x, .weight = weight, .bias = bias, .residual = residual,
                       .to = y, .mean = mean, .var = var};
    return for_columns(ceil_div(shape->sets, sets_a_strip(shape)), shape->sets * shape->length * shape->parts,
                       norm_column_block, &work);
}

status NAME(norm_columns_input)(const norm_shape *shape, const void *g, const void *x, const void *weight,
                                const void *bias, const void *residual, const void *mean, const void *var, void *dx,
                                void *passed, void *weight_sums, void *bias_sums)
{
    column_job work = {.shape = shape, .g = g, .x = x, .weight = weight, .bias = bias, .residual = residual,
                       .known_mean = mean, .known_var = var, .to = dx, .passed = passed, .weight_sums = weight_sums,
                       .bias_sums = bias_sums};
    return for_columns(ceil_div(shape->sets, sets_a_strip(shape)), shape->sets * shape->length * shape->parts,
                       norm_input_column_block, &work);
}
