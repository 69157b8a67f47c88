/* Loops over the planes of a batch. */
#ifndef MINIGRAD_PLANES_H
#define MINIGRAD_PLANES_H

#include "real.h"
#include "shapes.h"
#include "threads.h"

enum { TASK_ELEMENTS = 1 << 13 };

/* Planes are independent: a task takes some of them, so that nothing depends on the number of threads. */
typedef struct {
    const pool_shape *shape;
    ptrdiff_t planes, planes_a_task, in, out; /* elements of a plane before and after pooling */
    const real *from;
    const int64_t *from_indices;
    real *to;
    int64_t *to_indices;
} plane_job;

static inline status for_planes(task_body body, plane_job *work)
{
    const ptrdiff_t size = larger(1, larger(work->in, work->out));
    work->planes_a_task = ceil_div(TASK_ELEMENTS, size);
    const ptrdiff_t tasks = ceil_div(work->planes, work->planes_a_task);
    return work->planes * size < SERIAL_ELEMENTS ? serial_for(tasks, body, work) : parallel_for(tasks, body, work);
}

static inline ptrdiff_t first_plane(const plane_job *work, ptrdiff_t task) { return task * work->planes_a_task; }
static inline ptrdiff_t last_plane(const plane_job *work, ptrdiff_t task)
{
    return smaller(work->planes, (task + 1) * work->planes_a_task);
}

#endif
