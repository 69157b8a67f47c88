/* The thread pool: a parallel loop whose caller always works too. */
#ifndef MINIGRAD_THREADS_H
#define MINIGRAD_THREADS_H

#include <stddef.h>

#include "status.h"

/* Loops of less work run on their caller's thread: a worker that watches joins within a microsecond or two, but one that
 * sleeps takes ten or more. */
enum { SERIAL_PRODUCTS = 512 * 1024, SERIAL_ELEMENTS = 1 << 14 };

/* One iteration of a parallel loop. */
typedef status (*task_body)(void *context, ptrdiff_t task);

/* Runs body(context, 0 .. tasks - 1) in any order on up to get_num_threads() threads; returns the status
 * of one that failed, if any did. */
status parallel_for(ptrdiff_t tasks, task_body body, void *context);

/* The same on the calling thread alone, for loops too short to be worth waking anybody. */
status serial_for(ptrdiff_t tasks, task_body body, void *context);

/* What a loop asks every few milliseconds, outside of the workers: whether it shall end, INTERRUPTED. */
void set_interruption(int (*asked)(void));

/* Whether loops of the calling thread, from here on, run to their end: those that write where something stood before. */
void set_uninterrupted(int on);

void set_num_threads(int threads);
int get_num_threads(void);

#endif
