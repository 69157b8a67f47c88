/* A pool of workers that help with parallel loops.
 *
 * A loop is a job on its caller's stack, linked into a list while it has tasks left. Workers join any job of the list,
 * so that several callers can run loops at once; the caller takes tasks like everybody else and at the end waits only
 * for workers that did join, never for one still waking up. */
#define _POSIX_C_SOURCE 200809L
#include "threads.h"

#include "denormal.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* Nanoseconds. To wake a sleeping thread takes ten or more microseconds, on a rented core that has been given away hundreds:
 * as long as a small kernel. So who waits watches for a moment before it sleeps, and meanwhile offers its core to others. */
enum { SECOND = 1000000000, LOOK = 20000000 /* between two looks whether to end */, WATCH = 200000, TAKEN = 20000, GLANCES = 32 };

typedef struct job {
    task_body body;
    void *context;
    ptrdiff_t tasks;
    _Atomic ptrdiff_t next_task;
    atomic_int result;
    unsigned long long float_modes; /* of the caller: workers compute as it does */
    int places;         /* how many more workers may join; written under the mutex, as all that follows */
    atomic_int running; /* workers that joined and have not left */
    pthread_cond_t left;
    struct job *next;
} job;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    job *jobs;
    atomic_int announced; /* counts jobs */
    int workers, sleepers;
    bool watching_forks;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static atomic_int num_threads = 1;
static _Thread_local job *joined; /* a loop inside a loop runs on its own thread: the pool is busy already */
static _Thread_local bool is_worker, uninterrupted;
static _Thread_local long long last_look;
static int (*interruption)(void);

static long long nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (long long)now.tv_sec * SECOND + now.tv_nsec;
}

static bool shall_end(void)
{
    if (is_worker || uninterrupted || !interruption)
        return false;
    const long long now = nanoseconds(CLOCK_MONOTONIC);
    if (now - last_look < LOOK)
        return false;
    last_look = now;
    return interruption();
}

/* Tells the processor that a loop only watches. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Watches until a number is, or is no more, this one. False if that takes long, or somebody took the core that was
 * offered. */
static bool comes(atomic_int *number, int value, bool equal)
{
    const long long begin = nanoseconds(CLOCK_MONOTONIC);
    for (long long now = begin, before = begin; now - begin < WATCH && now - before < TAKEN;) {
        for (int glance = 0; glance < GLANCES; glance++) {
            if ((atomic_load_explicit(number, memory_order_acquire) == value) == equal)
                return true;
            relax();
        }
        sched_yield();
        before = now;
        now = nanoseconds(CLOCK_MONOTONIC);
    }
    return false;
}

static bool has_ended(job *loop) { return atomic_load_explicit(&loop->result, memory_order_relaxed) == INTERRUPTED; }

/* An interruption is what the caller hears of, whatever else went wrong: its exception is set already. */
static void note(job *loop, status result)
{
    if (result == INTERRUPTED) {
        atomic_store_explicit(&loop->result, result, memory_order_relaxed);
        atomic_store_explicit(&loop->next_task, loop->tasks, memory_order_relaxed);
    } else if (result != OK) {
        int none = OK;
        atomic_compare_exchange_strong(&loop->result, &none, result);
    }
}

static void run_tasks(job *loop)
{
    ptrdiff_t task;
    job *outer = joined;
    joined = loop;
    while ((task = atomic_fetch_add_explicit(&loop->next_task, 1, memory_order_relaxed)) < loop->tasks) {
        note(loop, loop->body(loop->context, task));
        if (!has_ended(loop) && shall_end())
            note(loop, INTERRUPTED);
    }
    joined = outer;
}

static job *joinable_job(void)
{
    for (job *loop = pool.jobs; loop; loop = loop->next)
        if (loop->places > 0 && atomic_load_explicit(&loop->next_task, memory_order_relaxed) < loop->tasks)
            return loop;
    return NULL;
}

/* With the mutex held, when there is none to join. */
static void wait_for_job(void)
{
    const int seen = atomic_load(&pool.announced);
    pthread_mutex_unlock(&pool.mutex);
    const bool come = comes(&pool.announced, seen, false);
    pthread_mutex_lock(&pool.mutex);
    if (come || joinable_job())
        return;
    pool.sleepers++;
    pthread_cond_wait(&pool.work, &pool.mutex);
    pool.sleepers--;
}

static void *work(void *unused)
{
    is_worker = true;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        job *loop = joinable_job();
        if (!loop) {
            wait_for_job();
            continue;
        }
        loop->places--;
        loop->running++;
        pthread_mutex_unlock(&pool.mutex);
        set_float_modes(loop->float_modes);
        run_tasks(loop);
        pthread_mutex_lock(&pool.mutex);
        if (--loop->running == 0)
            pthread_cond_signal(&loop->left);
    }
    return unused;
}

/* fork() copies only the calling thread: take the mutex so that the list is whole, and let the child start from an
 * empty pool. */
static void before_fork(void) { pthread_mutex_lock(&pool.mutex); }
static void after_fork_parent(void) { pthread_mutex_unlock(&pool.mutex); }
static void after_fork_child(void)
{
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.work, NULL);
    pool.jobs = NULL;
    pool.workers = pool.sleepers = 0;
}

/* Called with the mutex held. A machine that refuses more threads is no error: the caller works anyway. */
static void start_workers(int wanted)
{
    if (!pool.watching_forks)
        pool.watching_forks = pthread_atfork(before_fork, after_fork_parent, after_fork_child) == 0;
    if (pool.workers >= wanted)
        return;
    sigset_t every_signal, previous;
    sigfillset(&every_signal); /* signals are for Python's threads */
    pthread_sigmask(SIG_SETMASK, &every_signal, &previous);
    while (pool.workers < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0)
            break;
        pthread_detach(thread);
        pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
}

status serial_for(ptrdiff_t tasks, task_body body, void *context)
{
    status result = OK;
    for (ptrdiff_t task = 0; task < tasks && result == OK; task++) {
        if (task > 0 && ((joined && has_ended(joined)) || shall_end()))
            return INTERRUPTED;
        result = body(context, task);
    }
    return result;
}

/* With the mutex held. Tasks that workers have begun may take long. */
static void wait_for_workers(job *loop)
{
    if (atomic_load(&loop->running) > 0) {
        pthread_mutex_unlock(&pool.mutex);
        comes(&loop->running, 0, true);
        pthread_mutex_lock(&pool.mutex);
    }
    while (loop->running > 0) {
        const long long until = nanoseconds(CLOCK_REALTIME) + LOOK;
        const struct timespec deadline = {.tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND)};
        if (pthread_cond_timedwait(&loop->left, &pool.mutex, &deadline) == 0 || has_ended(loop))
            continue;
        pthread_mutex_unlock(&pool.mutex);
        if (shall_end())
            note(loop, INTERRUPTED);
        pthread_mutex_lock(&pool.mutex);
    }
}

status parallel_for(ptrdiff_t tasks, task_body body, void *context)
{
    int threads = get_num_threads();
    ptrdiff_t helpers = (tasks < threads ? tasks : threads) - 1;
    if (helpers <= 0 || joined)
        return serial_for(tasks, body, context);

    job loop = {
        .body = body, .context = context, .tasks = tasks, .float_modes = float_modes(), .places = (int)helpers};
    pthread_cond_init(&loop.left, NULL);

    pthread_mutex_lock(&pool.mutex);
    start_workers((int)helpers);
    loop.next = pool.jobs;
    pool.jobs = &loop;
    const int sleepers = pool.sleepers;
    pthread_mutex_unlock(&pool.mutex);
    atomic_fetch_add(&pool.announced, 1);
    if (sleepers > 0 && helpers == 1)
        pthread_cond_signal(&pool.work);
    else if (sleepers > 0)
        pthread_cond_broadcast(&pool.work);

    run_tasks(&loop);

    pthread_mutex_lock(&pool.mutex);
    job **link = &pool.jobs;
    while (*link != &loop)
        link = &(*link)->next;
    *link = loop.next; /* nobody can join from here on */
    wait_for_workers(&loop);
    pthread_mutex_unlock(&pool.mutex);
    pthread_cond_destroy(&loop.left);
    return (status)atomic_load(&loop.result);
}

void set_interruption(int (*asked)(void)) { interruption = asked; }
void set_uninterrupted(int on) { uninterrupted = on; }
void set_num_threads(int threads) { atomic_store(&num_threads, threads < 1 ? 1 : threads); }
int get_num_threads(void) { return atomic_load(&num_threads); }
