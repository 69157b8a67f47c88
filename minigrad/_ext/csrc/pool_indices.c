#include <string.h>

#include "planes.h"
#include "pool.h"

static status scatter_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->out;
        const int64_t *indices = work->from_indices + plane * work->out;
        real *to = work->to + plane * work->in;
        memset(to, 0, (size_t)work->in * sizeof(real));
        for (ptrdiff_t i = 0; i < work->out; i++) {
            if (indices[i] < 0 || indices[i] >= work->in)
                return BAD_INDEX;
            to[indices[i]] += from[i];
        }
    }
    return OK;
}

static status unpool_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->out;
        const int64_t *indices = work->from_indices + plane * work->out;
        real *to = work->to + plane * work->in;
        memset(to, 0, (size_t)work->in * sizeof(real));
        for (ptrdiff_t i = 0; i < work->out; i++) {
            if (indices[i] < 0 || indices[i] >= work->in)
                return BAD_INDEX;
            to[indices[i]] = from[i];
        }
    }
    return OK;
}

static status gather_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->in;
        const int64_t *indices = work->from_indices + plane * work->out;
        real *to = work->to + plane * work->out;
        for (ptrdiff_t i = 0; i < work->out; i++) {
            if (indices[i] < 0 || indices[i] >= work->in)
                return BAD_INDEX;
            to[i] = from[indices[i]];
        }
    }
    return OK;
}

status NAME(pool_scatter)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *g, const int64_t *indices, void *x)
{
    plane_job work = {.planes = planes, .in = in, .out = out, .from = g, .from_indices = indices, .to = x};
    return for_planes(scatter_planes, &work);
}

status NAME(max_unpool)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *values, const int64_t *indices,
                        void *x)
{
    plane_job work = {.planes = planes, .in = in, .out = out, .from = values, .from_indices = indices, .to = x};
    return for_planes(unpool_planes, &work);
}

status NAME(pool_gather)(ptrdiff_t planes, ptrdiff_t in, ptrdiff_t out, const void *x, const int64_t *indices,
                         void *values)
{
    plane_job work = {.planes = planes, .in = in, .out = out, .from = x, .from_indices = indices, .to = values};
    return for_planes(gather_planes, &work);
}
