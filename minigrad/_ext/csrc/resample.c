#include "resample.h"

#include <math.h>

#include "ranges.h"
#include "scratch.h"
#include "simd.h"

/* LANES neighbours of a line. If what each tap reads for them lies within two vectors, the taps are vectors, from number
 * `vector` on: places counted from `begins`, and weights. Else `taps` is -1. */
typedef struct {
    ptrdiff_t taps, vector;
} group;

typedef struct {
    ptrdiff_t in, inner, out;
    const int64_t *starts, *columns;
    const double *weights;
    const real *x;
    real *y;
    ptrdiff_t items; /* lines, or stretches of `inner` elements */
    group *groups;   /* of elements of a line */
    ptrdiff_t *begins; /* of each vector, as what follows */
    lane_int *places;
    real *factors;
} resample_job;

/* Lane i is lane places[i] of two vectors in a row. */
INLINE vec picked(vec low, vec high, int_vec places)
{
#if defined(__AVX512F__) && REAL_BYTES == 4
    return (vec)_mm512_permutex2var_ps((__m512)low, (__m512i)places, (__m512)high);
#elif defined(__AVX512F__)
    return (vec)_mm512_permutex2var_pd((__m512d)low, (__m512i)places, (__m512d)high);
#elif defined(__AVX2__) && REAL_BYTES == 4
    const int_vec from_low = (int_vec)_mm256_permutevar8x32_ps((__m256)low, (__m256i)places);
    const int_vec from_high = (int_vec)_mm256_permutevar8x32_ps((__m256)high, (__m256i)places);
    const int_vec is_low = places < LANES;
    return (vec)((from_low & is_low) | (from_high & ~is_low));
#else
    real both[2 * LANES], found[LANES];
    store(both, low);
    store(both + LANES, high);
    for (int i = 0; i < LANES; i++)
        found[i] = both[places[i]];
    return load(found);
#endif
}

/* Fills a vector with one tap of the elements from `begin` on, of which there are `count`. An element of fewer taps than its
 * neighbours reads its first one several times, with halves of its weight, which rounds nothing: a weight of 0 would make NaN
 * of what is infinite. False if what is read lies too far apart. */
static int fill_vector(const resample_job *work, ptrdiff_t begin, ptrdiff_t count, ptrdiff_t taps, ptrdiff_t tap,
                       ptrdiff_t vector)
{
    ptrdiff_t columns[LANES], lowest = work->in, highest = 0;
    for (ptrdiff_t i = 0; i < LANES; i++) {
        const ptrdiff_t j = begin + smaller(i, count - 1), first = work->starts[j];
        const ptrdiff_t more = taps - (work->starts[j + 1] - first), k = first + larger(0, tap - more);
        const int halvings = k > first ? 0 : (int)smaller(tap + 1, more);
        columns[i] = work->columns[k];
        lowest = smaller(lowest, columns[i]);
        highest = larger(highest, columns[i]);
        work->factors[vector * LANES + i] = (real)ldexp(work->weights[k], -halvings);
    }
    lowest = smaller(lowest, larger(0, work->in - 2 * LANES)); /* so that whole vectors can be loaded, if there are two */
    work->begins[vector] = lowest;
    if (highest - lowest >= 2 * LANES)
        return 0;
    for (ptrdiff_t i = 0; i < LANES; i++)
        work->places[vector * LANES + i] = (lane_int)(columns[i] - lowest);
    return 1;
}

static void group_taps(resample_job *work)
{
    ptrdiff_t vectors = 0;
    for (ptrdiff_t begin = 0; begin < work->out; begin += LANES) {
        const ptrdiff_t count = smaller(work->out - begin, LANES);
        ptrdiff_t fewest = PTRDIFF_MAX, most = 0, filled = 0;
        for (ptrdiff_t j = begin; j < begin + count; j++) {
            fewest = smaller(fewest, work->starts[j + 1] - work->starts[j]);
            most = larger(most, work->starts[j + 1] - work->starts[j]);
        }
        while (fewest > 0 && filled < most && fill_vector(work, begin, count, most, filled, vectors + filled))
            filled++;
        work->groups[begin / LANES] = (group){.taps = filled == most ? most : -1, .vector = vectors};
        vectors += filled;
    }
}

/* What a sum begins with: it does not change the sign of a zero that is taken as it is. */
INLINE real nothing(ptrdiff_t taps) { return taps ? -(real)0 : 0; }

/* One group of elements, of lines first .. last - 1. `held`: there are two taps, whose weights and places stay in registers. */
INLINE void resample_group(const int held, const resample_job *work, const group *here, ptrdiff_t begin,
                           ptrdiff_t first, ptrdiff_t last)
{
    enum { HELD = 2 };
    const ptrdiff_t taps = held ? HELD : here->taps, *begins = work->begins + here->vector;
    const real *factors = work->factors + here->vector * LANES;
    const lane_int *places = work->places + here->vector * LANES;
    vec factor[HELD];
    int_vec place[HELD];
    for (ptrdiff_t tap = 0; tap < HELD && held; tap++) {
        factor[tap] = load(factors + tap * LANES);
        place[tap] = load_ints(places + tap * LANES);
    }
    for (ptrdiff_t line = first; line < last; line++) {
        vec sum = broadcast(nothing(taps));
        UNROLL
        for (ptrdiff_t tap = 0; tap < taps; tap++) {
            const real *near = work->x + line * work->in + begins[tap];
            const ptrdiff_t readable = work->in - begins[tap];
            const int whole = readable >= 2 * LANES;
            const vec low = whole ? load(near) : load_first(near, readable);
            const vec high = whole ? load(near + LANES) : load_first(near + LANES, readable - LANES);
            sum += held ? factor[tap] * picked(low, high, place[tap])
                        : load(factors + tap * LANES) * picked(low, high, load_ints(places + tap * LANES));
        }
        store_up_to(work->y + line * work->out + begin, sum, work->out - begin);
    }
}

/* The axis is the last: each line by itself. */
static status resample_lines(void *context, ptrdiff_t task)
{
    const resample_job *work = context;
    const ptrdiff_t lines = items_a_task(work->out), first = task * lines, last = smaller(work->items, first + lines);
    for (ptrdiff_t begin = 0; begin < work->out; begin += LANES) {
        const group *here = &work->groups[begin / LANES];
        if (here->taps == 2) {
            resample_group(1, work, here, begin, first, last);
        } else if (here->taps >= 0) {
            resample_group(0, work, here, begin, first, last);
        } else {
            for (ptrdiff_t line = first; line < last; line++)
                for (ptrdiff_t j = begin; j < smaller(work->out, begin + LANES); j++) {
                    real sum = nothing(work->starts[j + 1] - work->starts[j]);
                    for (ptrdiff_t k = work->starts[j]; k < work->starts[j + 1]; k++)
                        sum += (real)work->weights[k] * work->x[line * work->in + work->columns[k]];
                    work->y[line * work->out + j] = sum;
                }
        }
    }
    return OK;
}

/* to = the sum of `taps` stretches, the places and weights of which are given. */
INLINE void sum_stretches(const ptrdiff_t taps, const real *from, const int64_t *columns, const double *weights,
                          ptrdiff_t inner, real *to)
{
    for (ptrdiff_t i = 0; i < inner; i += LANES) {
        vec sum = broadcast(nothing(taps));
        UNROLL
        for (ptrdiff_t tap = 0; tap < taps; tap++)
            sum += (real)weights[tap] * load_up_to(from + columns[tap] * inner + i, inner - i);
        store_up_to(to + i, sum, inner - i);
    }
}

/* Another axis: each stretch of `inner` results is a sum of such stretches. */
static status resample_stretches(void *context, ptrdiff_t task)
{
    const resample_job *work = context;
    const ptrdiff_t inner = work->inner, stretches = items_a_task(inner),
                    last = smaller(work->items, (task + 1) * stretches);
    for (ptrdiff_t stretch = task * stretches; stretch < last; stretch++) {
        const ptrdiff_t j = stretch % work->out, begin = work->starts[j], taps = work->starts[j + 1] - begin;
        const real *from = work->x + stretch / work->out * work->in * inner;
        real *to = work->y + stretch * inner;
        if (taps == 2) { /* held in registers */
            const int64_t columns[] = {work->columns[begin], work->columns[begin + 1]};
            const double weights[] = {work->weights[begin], work->weights[begin + 1]};
            sum_stretches(2, from, columns, weights, inner, to);
        } else {
            sum_stretches(taps, from, work->columns + begin, work->weights + begin, inner, to);
        }
    }
    return OK;
}

status NAME(resample)(ptrdiff_t outer, ptrdiff_t in, ptrdiff_t inner, ptrdiff_t out, ptrdiff_t count,
                      const int64_t *starts, const int64_t *columns, const double *weights, const void *x, void *y)
{
    if (starts[0] != 0 || starts[out] != count)
        return BAD_INDEX;
    for (ptrdiff_t j = 0; j < out; j++)
        if (starts[j + 1] < starts[j])
            return BAD_INDEX;
    for (ptrdiff_t k = 0; k < count; k++)
        if (columns[k] < 0 || columns[k] >= in)
            return BAD_INDEX;
    resample_job work = {.in = in, .inner = inner, .out = out, .starts = starts, .columns = columns,
                         .weights = weights, .x = x, .y = y, .items = inner == 1 ? outer : outer * out};
    if (inner != 1)
        return for_items(work.items, inner, resample_stretches, &work);
    const ptrdiff_t groups = ceil_div(out, LANES);
    work.groups = scratch(SCRATCH_TAPS, (size_t)groups * sizeof(group) + (size_t)count * sizeof *work.begins +
                                            (size_t)(count * LANES) * (sizeof *work.places + sizeof *work.factors));
    if (!work.groups)
        return NO_MEMORY;
    work.begins = (ptrdiff_t *)(work.groups + groups);
    work.places = (lane_int *)(work.begins + count);
    work.factors = (real *)(work.places + count * LANES);
    group_taps(&work);
    return for_items(outer, out, resample_lines, &work);
}
