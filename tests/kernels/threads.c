/* Loops of several threads at once, loops in loops, failures and interruptions: what test_threads.py runs under the thread sanitizer. */
#define _POSIX_C_SOURCE 200809L
#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CALLERS = 4, ROUNDS = 200, MOST = 64, INNER = 5, LONG = 2000 };

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            exit(1); \
        } \
    } while (0)

typedef struct {
    int ran[MOST][INNER];
    ptrdiff_t fails; /* the task that does, or -1 */
    ptrdiff_t task;
} counts;

static pthread_t main_thread;
static atomic_int asked;

static int raised(void) { return pthread_equal(pthread_self(), main_thread) && atomic_load(&asked); }

static status inner(void *context, ptrdiff_t step)
{
    ((int *)context)[step]++;
    return OK;
}

static status outer(void *context, ptrdiff_t task)
{
    counts *seen = context;
    const status result = (task % 2 ? serial_for : parallel_for)(INNER, inner, seen->ran[task]);
    return task == seen->fails ? BAD_INDEX : result;
}

static void *call(void *seed)
{
    unsigned state = *(unsigned *)seed;
    for (int round = 0; round < ROUNDS; round++) {
        const ptrdiff_t tasks = 1 + rand_r(&state) % MOST;
        counts seen = {.fails = round % 3 ? -1 : rand_r(&state) % tasks};
        CHECK(parallel_for(tasks, outer, &seen) == (seen.fails < 0 ? OK : BAD_INDEX));
        for (ptrdiff_t task = 0; seen.fails < 0 && task < tasks; task++)
            for (int step = 0; step < INNER; step++)
                CHECK(seen.ran[task][step] == 1);
    }
    return NULL;
}

static status spend(void *context, ptrdiff_t task)
{
    (void)task;
    const struct timespec millisecond = {.tv_nsec = 1000000};
    nanosleep(&millisecond, NULL);
    atomic_fetch_add((atomic_int *)context, 1);
    return OK;
}

static status spend_inside(void *context, ptrdiff_t task)
{
    (void)task;
    return serial_for(LONG, spend, context);
}

/* After 50 ms; a loop would take two seconds. */
static void *ask(void *unused)
{
    const struct timespec some = {.tv_nsec = 50000000};
    nanosleep(&some, NULL);
    atomic_store(&asked, 1);
    return unused;
}

static int interrupted_after(int threads, ptrdiff_t tasks, task_body body, status expected)
{
    atomic_int done = 0;
    pthread_t other;
    set_num_threads(threads);
    atomic_store(&asked, 0);
    CHECK(pthread_create(&other, NULL, ask, NULL) == 0);
    CHECK(parallel_for(tasks, body, &done) == expected);
    const int found = atomic_load(&done);
    CHECK(pthread_join(other, NULL) == 0);
    return found;
}

int main(void)
{
    main_thread = pthread_self();
    set_interruption(raised);

    set_num_threads(3);
    pthread_t callers[CALLERS];
    unsigned seeds[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        seeds[i] = 7 + i;
        CHECK(pthread_create(&callers[i], NULL, call, &seeds[i]) == 0);
    }
    for (int i = 0; i < CALLERS; i++)
        CHECK(pthread_join(callers[i], NULL) == 0);

    for (int threads = 1; threads <= 3; threads++) {
        CHECK(interrupted_after(threads, LONG, spend, INTERRUPTED) < LONG / 2);
        CHECK(interrupted_after(threads, 3, spend_inside, INTERRUPTED) < LONG / 2); /* workers inside of one task end too */
        set_uninterrupted(1);
        CHECK(interrupted_after(threads, LONG / 10, spend, OK) == LONG / 10);
        set_uninterrupted(0);
    }
    puts("passed");
    return 0;
}
