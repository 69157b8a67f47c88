#include "maps.h"

#include "map_kernels.h"
#include "ranges.h"
#include "vmath.h"

/* One call: y[i] = f(x[i]) or f(x[i], z[i]); an operand with step 0 is one number for all. */
typedef struct {
    ptrdiff_t count;
    int x_step, z_step;
    const real *x, *z;
    real a, b; /* what the function has besides its operands */
    real *y;
} map_job;

#define UNARY(name, value)                                                                                             \
    INLINE vec unary_##name(vec x, vec a, vec b)                                                                       \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        (void)b;                                                                                                       \
        return value;                                                                                                  \
    }
#define BINARY(name, value)                                                                                            \
    INLINE vec binary_##name(vec x, vec z, vec a, vec b)                                                               \
    {                                                                                                                  \
        (void)a;                                                                                                       \
        (void)b;                                                                                                       \
        return value;                                                                                                  \
    }

INLINE vec density(vec x) { return exp_of(x * x * (real)-0.5) * (real)0.3989422804014327; } /* of the normal distribution */
INLINE vec gelu_inner(vec x) { return (x + x * x * x * (real)0.044715) * (real)0.7978845608028654; }
INLINE vec softplus_of(vec x) { return choose(x < 0, zero_vector(), x) + log1p_of(exp_of(-absolute(x))); }
INLINE vec gelu_tanh_slope(vec x)
{
    const vec t = tanh_of(gelu_inner(x));
    const vec inner_slope = (1 + x * x * (real)(3 * 0.044715)) * (real)0.7978845608028654;
    return ((1 + t) + x * (1 - t * t) * inner_slope) * (real)0.5;
}
INLINE vec silu_slope(vec x)
{
    const vec s = sigmoid_of(x);
    return s * (1 + x * (1 - s));
}

/* Comparisons are such that a NaN stays one, and that at a kink the derivative is torch's. */
UNARY(relu, choose(x <= 0, zero_vector(), x))
UNARY(leaky_relu, choose(x > 0, x, x *a))
UNARY(elu, choose(x <= 0, expm1_of(choose(x > 0, zero_vector(), x)) * a, x))
UNARY(hardtanh, choose(x < a, a, choose(x > b, b, x)))
UNARY(hardsigmoid, choose(x <= -3, zero_vector(), choose(x >= 3, broadcast(1), (x + 3) / 6)))
UNARY(hardswish, choose(x <= -3, zero_vector(), choose(x >= 3, x, x *(x + 3) / 6)))
UNARY(exp, exp_of(x))
UNARY(log, log_of(x))
UNARY(tanh, tanh_of(x))
UNARY(sigmoid, sigmoid_of(x))
UNARY(erf, erf_of(x))
UNARY(softplus, choose(x *a > b, x, softplus_of(x *a) / a))
UNARY(gelu, x *normal_cdf_of(x))
UNARY(gelu_tanh, x *((1 + tanh_of(gelu_inner(x))) * (real)0.5))
UNARY(silu, x *sigmoid_of(x))

BINARY(add, x + z)
BINARY(sub, x - z)
BINARY(mul, x *z)
BINARY(div, x / z)
BINARY(relu_input, choose(z <= 0, zero_vector(), x)) /* z is the output here */
BINARY(leaky_relu_input, choose(z > 0, x, x *a))
BINARY(elu_input, choose(z <= 0, x *a *exp_of(z), x))
BINARY(hardtanh_input, choose((z > a) & (z < b), x, zero_vector()))
BINARY(hardsigmoid_input, choose((z > -3) & (z < 3), x / 6, zero_vector()))
BINARY(hardswish_input, choose(z <= -3, zero_vector(), choose(z >= 3, x, x *(z + z + 3) / 6)))
BINARY(tanh_input, x *(1 - z * z)) /* z is the output, here and in the next */
BINARY(sigmoid_input, x *(z *(1 - z)))
BINARY(softplus_input, choose(z *a > b, x, x *sigmoid_of(z *a)))
BINARY(gelu_input, x *(normal_cdf_of(z) + z * density(z)))
BINARY(gelu_tanh_input, x *gelu_tanh_slope(z))
BINARY(silu_input, x *silu_slope(z))
BINARY(logistic_loss, (1 - z) * x + softplus_of(-x))
BINARY(logistic_slope, sigmoid_of(x) - z)
BINARY(squared_difference, (x - z) * (x - z))
BINARY(scaled_product, x *z *a)

#define UNARY_LOOP(name)                                                                                               \
    static status run_unary_##name(void *context, ptrdiff_t task)                                                      \
    {                                                                                                                  \
        const map_job *work = context;                                                                                 \
        const vec a = broadcast(work->a), b = broadcast(work->b);                                                      \
        ptrdiff_t i = task * TASK_WORK;                                                                                \
        const ptrdiff_t last = smaller(work->count, i + TASK_WORK);                                                    \
        for (; i + LANES <= last; i += LANES)                                                                          \
            store(work->y + i, unary_##name(load(work->x + i), a, b));                                                 \
        if (i < last)                                                                                                  \
            store_first(work->y + i, unary_##name(load_first(work->x + i, last - i), a, b), last - i);                 \
        return OK;                                                                                                     \
    }
UNARY_MAPS(UNARY_LOOP)

#define BINARY_LOOP(name)                                                                                              \
    static status run_binary_##name(void *context, ptrdiff_t task)                                                     \
    {                                                                                                                  \
        const map_job *work = context;                                                                                 \
        const vec a = broadcast(work->a), b = broadcast(work->b);                                                      \
        const int x_step = work->x_step, z_step = work->z_step;                                                        \
        const vec x_one = broadcast(*work->x), z_one = broadcast(*work->z);                                            \
        ptrdiff_t i = task * TASK_WORK;                                                                                \
        const ptrdiff_t last = smaller(work->count, i + TASK_WORK);                                                    \
        if (x_step && z_step)                                                                                          \
            for (; i + LANES <= last; i += LANES)                                                                      \
                store(work->y + i, binary_##name(load(work->x + i), load(work->z + i), a, b));                         \
        for (; i + LANES <= last; i += LANES)                                                                          \
            store(work->y + i, binary_##name(x_step ? load(work->x + i) : x_one, z_step ? load(work->z + i) : z_one,   \
                                             a, b));                                                                   \
        if (i < last)                                                                                                  \
            store_first(work->y + i,                                                                                   \
                        binary_##name(x_step ? load_first(work->x + i, last - i) : x_one,                              \
                                      z_step ? load_first(work->z + i, last - i) : z_one, a, b),                       \
                        last - i);                                                                                     \
        return OK;                                                                                                     \
    }
BINARY_MAPS(BINARY_LOOP)

#define UNARY_ENTRY(name) run_unary_##name,
#define BINARY_ENTRY(name) run_binary_##name,
static const task_body unary_loops[] = {UNARY_MAPS(UNARY_ENTRY)};
static const task_body binary_loops[] = {BINARY_MAPS(BINARY_ENTRY)};

status NAME(map_unary)(int map, ptrdiff_t count, const void *x, double a, double b, void *y)
{
    map_job work = {.count = count, .x = x, .a = (real)a, .b = (real)b, .y = y};
    return for_items(count, 1, unary_loops[map], &work);
}

status NAME(map_binary)(int map, ptrdiff_t count, int x_step, const void *x, int z_step, const void *z, double a,
                        double b, void *y)
{
    map_job work = {count, x_step, z_step, x, z, (real)a, (real)b, y};
    return for_items(count, 1, binary_loops[map], &work);
}
