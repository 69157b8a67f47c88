/* A formula runs on blocks so small that all its temporaries stay in the first cache: each element of an array is read
 * from memory once, however long the formula is, and an instruction's dispatch is paid once a block. */
#include <math.h>

#include "real.h"

#include "formula.h"
#include "scratch.h"
#include "threads.h"

enum {
    BLOCK = 1024 / sizeof(real),
    TASK_ELEMENTS = 1 << 14,
    LANES_OF_DOUBLE = 16,      /* partial sums of squares, enough to fill the pipeline of any instruction set */
};

#if REAL_BYTES == 4
#define ROOT sqrtf
#define MAGNITUDE fabsf
#else
#define ROOT sqrt
#define MAGNITUDE fabs
#endif

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Registers overlap only where they are the same: an instruction may write over what it reads. */
#define EACH(value)                                                                                                    \
    INDEPENDENT                                                                                                        \
    for (ptrdiff_t i = 0; i < count; i++)                                                                              \
        out[i] = (value);                                                                                              \
    break

static void run(const formula *what, real *const *registers, ptrdiff_t count)
{
    for (const instruction *step = what->code; step < what->code + what->length; step++) {
        real *const out = registers[step->out];
        const real *const a = registers[step->a], *const b = registers[step->b], *const c = registers[step->c];
        switch ((operation)step->operation) {
        case ADD: EACH(a[i] + b[i]);
        case SUBTRACT: EACH(a[i] - b[i]);
        case MULTIPLY: EACH(a[i] * b[i]);
        case DIVIDE: EACH(a[i] / b[i]);
        case MAXIMUM: EACH(a[i] > b[i] || a[i] != a[i] ? a[i] : b[i]);
        case MINIMUM: EACH(a[i] < b[i] || a[i] != a[i] ? a[i] : b[i]);
        case LESS: EACH(a[i] < b[i] ? 1 : 0);
        case GREATER: EACH(a[i] > b[i] ? 1 : 0);
        case EQUAL: EACH(a[i] == b[i] ? 1 : 0);
        case SQRT: EACH(ROOT(a[i]));
        case ABSOLUTE: EACH(MAGNITUDE(a[i]));
        case SIGN: EACH(a[i] > 0 ? 1 : a[i] < 0 ? -1 : a[i] == 0 ? 0 : a[i]);
        case COPY: EACH(a[i]);
        case WHERE: EACH(a[i] != 0 ? b[i] : c[i]);
        case OPERATIONS: break;
        }
    }
}

typedef struct {
    const formula *what;
    const double *constants;
    ptrdiff_t rows;
    const ptrdiff_t *starts;
    void *const *pointers;
    double *sums; /* of each task */
} job;

/* The row in which an element of all rows, one behind the other, lies. */
static ptrdiff_t row_of(const job *work, ptrdiff_t element)
{
    ptrdiff_t low = 0, high = work->rows;
    while (high - low > 1) {
        const ptrdiff_t middle = (low + high) / 2;
        if (work->starts[middle] <= element)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static ptrdiff_t first_element(ptrdiff_t task) { return task * TASK_ELEMENTS; }
static ptrdiff_t last_element(const job *work, ptrdiff_t task)
{
    return smaller(work->starts[work->rows], first_element(task + 1));
}

static status for_elements(task_body body, job *work)
{
    const ptrdiff_t elements = work->starts[work->rows], tasks = ceil_div(elements, TASK_ELEMENTS);
    return elements < SERIAL_ELEMENTS ? serial_for(tasks, body, work) : parallel_for(tasks, body, work);
}

static status evaluate_elements(void *context, ptrdiff_t task)
{
    const job *work = context;
    const formula *what = work->what;
    real values[FORMULA_SCRATCH][BLOCK];
    real *registers[FORMULA_ARRAYS + FORMULA_SCRATCH];
    ptrdiff_t element = first_element(task);
    const ptrdiff_t end = last_element(work, task);
    for (ptrdiff_t k = 0; k < what->constants + what->temporaries; k++)
        registers[what->arrays + k] = values[k];
    for (ptrdiff_t k = 0; k < what->constants; k++)
        for (ptrdiff_t i = 0; i < smaller(BLOCK, end - element); i++)
            values[k][i] = (real)work->constants[k];
    for (ptrdiff_t row = row_of(work, element); element < end; row++) {
        const ptrdiff_t stop = smaller(end, work->starts[row + 1]);
        for (ptrdiff_t count; element < stop; element += count) {
            count = smaller(BLOCK, stop - element);
            for (ptrdiff_t k = 0; k < what->arrays; k++)
                registers[k] = (real *)work->pointers[row * what->arrays + k] + (element - work->starts[row]);
            run(what, registers, count);
        }
    }
    return OK;
}

status NAME(evaluate)(const formula *what, const double *constants, ptrdiff_t rows, const ptrdiff_t *starts,
                      void *const *pointers)
{
    job work = {.what = what, .constants = constants, .rows = rows, .starts = starts, .pointers = pointers};
    return for_elements(evaluate_elements, &work);
}

static status sum_elements(void *context, ptrdiff_t task)
{
    const job *work = context;
    double lanes[LANES_OF_DOUBLE] = {0};
    ptrdiff_t element = first_element(task);
    const ptrdiff_t end = last_element(work, task);
    for (ptrdiff_t row = row_of(work, element); element < end; row++) {
        const ptrdiff_t count = smaller(end, work->starts[row + 1]) - element;
        const real *x = (const real *)work->pointers[row] + (element - work->starts[row]);
        ptrdiff_t i = 0;
        for (; i + LANES_OF_DOUBLE <= count; i += LANES_OF_DOUBLE)
            for (int lane = 0; lane < LANES_OF_DOUBLE; lane++)
                lanes[lane] += (double)x[i + lane] * (double)x[i + lane];
        for (; i < count; i++)
            lanes[0] += (double)x[i] * (double)x[i];
        element += count;
    }
    for (int lane = 1; lane < LANES_OF_DOUBLE; lane++)
        lanes[0] += lanes[lane];
    work->sums[task] = lanes[0];
    return OK;
}

status NAME(sum_of_squares)(ptrdiff_t rows, const ptrdiff_t *starts, void *const *pointers, double *sum)
{
    const ptrdiff_t tasks = ceil_div(starts[rows], TASK_ELEMENTS);
    job work = {.rows = rows, .starts = starts, .pointers = pointers};
    work.sums = scratch(SCRATCH_SUMS, (size_t)larger(1, tasks) * sizeof *work.sums);
    if (!work.sums)
        return NO_MEMORY;
    const status result = for_elements(sum_elements, &work);
    *sum = 0;
    for (ptrdiff_t task = 0; task < tasks; task++)
        *sum += work.sums[task];
    return result;
}
