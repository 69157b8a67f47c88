/* Loops over many elements, cut into tasks by their number alone, so that nothing depends on the number of threads. */
#ifndef MINIGRAD_RANGES_H
#define MINIGRAD_RANGES_H

#include "real.h"
#include "threads.h"

enum { TASK_WORK = 1 << 13 };

/* How many of `items`, each of `size` elements, a task takes. */
static inline ptrdiff_t items_a_task(ptrdiff_t size) { return ceil_div(TASK_WORK, larger(1, size)); }

static inline status for_items(ptrdiff_t items, ptrdiff_t size, task_body body, void *context)
{
    const ptrdiff_t tasks = ceil_div(items, items_a_task(size));
    return items * size < SERIAL_ELEMENTS ? serial_for(tasks, body, context) : parallel_for(tasks, body, context);
}

#endif
