#include "rows.h"

#include "ranges.h"
#include "simd.h"

enum { TASKS = 8 }; /* each looks at all indices and adds to rows of its own */

typedef struct {
    ptrdiff_t rows, columns, count, tasks;
    const int64_t *index;
    const real *source;
    real *target;
} row_sums;

static status add_some(void *context, ptrdiff_t task)
{
    const row_sums *work = context;
    const ptrdiff_t first = work->rows * task / work->tasks, last = work->rows * (task + 1) / work->tasks;
    const ptrdiff_t columns = work->columns;
    for (ptrdiff_t i = 0; i < work->count; i++) {
        if (work->index[i] < first || work->index[i] >= last)
            continue;
        const real *from = work->source + i * columns;
        real *to = work->target + work->index[i] * columns;
        ptrdiff_t x = 0;
        for (; x + LANES <= columns; x += LANES)
            store(to + x, load(to + x) + load(from + x));
        if (x < columns)
            store_first(to + x, load_first(to + x, columns - x) + load_first(from + x, columns - x), columns - x);
    }
    return OK;
}

status NAME(add_rows)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t count, const int64_t *index, const void *source,
                      void *target)
{
    for (ptrdiff_t i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= rows)
            return BAD_INDEX;
    row_sums work = {rows, columns, count, 1, index, source, target};
    if (count * columns < SERIAL_ELEMENTS || get_num_threads() == 1)
        return serial_for(1, add_some, &work);
    work.tasks = smaller(TASKS, rows);
    return parallel_for(work.tasks, add_some, &work);
}
