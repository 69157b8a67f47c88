/* A pool of sleeping workers that help with parallel loops.
 *
 * A loop is a job on its caller's stack, linked into a list while it has tasks left. Workers join any job of the list,
 * so that several callers can run loops at once; the caller takes tasks like everybody else and at the end waits only
 * for workers that did join, never for one still waking up. */
#define _POSIX_C_SOURCE 200809L
#include "threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct job {
    task_body body;
    void *context;
    ptrdiff_t tasks;
    _Atomic ptrdiff_t next_task;
    atomic_int result;
    int places;  /* how many more workers may join; under the mutex, as all that follows */
    int running; /* workers that joined and have not left */
    pthread_cond_t left;
    struct job *next;
} job;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t work;
    job *jobs;
    int workers;
    bool watching_forks;
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static atomic_int num_threads = 1;
static _Thread_local bool in_loop; /* a loop inside a loop runs on its own thread: the pool is busy already */

static void note(job *loop, status result)
{
    if (result != OK)
        atomic_store_explicit(&loop->result, result, memory_order_relaxed);
}

static void run_tasks(job *loop)
{
    ptrdiff_t task;
    while ((task = atomic_fetch_add_explicit(&loop->next_task, 1, memory_order_relaxed)) < loop->tasks)
        note(loop, loop->body(loop->context, task));
}

static job *joinable_job(void)
{
    for (job *loop = pool.jobs; loop; loop = loop->next)
        if (loop->places > 0 && atomic_load_explicit(&loop->next_task, memory_order_relaxed) < loop->tasks)
            return loop;
    return NULL;
}

static void *work(void *unused)
{
    in_loop = true;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        job *loop = joinable_job();
        if (!loop) {
            pthread_cond_wait(&pool.work, &pool.mutex);
            continue;
        }
        loop->places--;
        loop->running++;
        pthread_mutex_unlock(&pool.mutex);
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
    pool.workers = 0;
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
    for (ptrdiff_t task = 0; task < tasks && result == OK; task++)
        result = body(context, task);
    return result;
}

status parallel_for(ptrdiff_t tasks, task_body body, void *context)
{
    int threads = get_num_threads();
    ptrdiff_t helpers = (tasks < threads ? tasks : threads) - 1;
    if (helpers <= 0 || in_loop)
        return serial_for(tasks, body, context);

    job loop = {.body = body, .context = context, .tasks = tasks, .places = (int)helpers};
    pthread_cond_init(&loop.left, NULL);

    pthread_mutex_lock(&pool.mutex);
    start_workers((int)helpers);
    loop.next = pool.jobs;
    pool.jobs = &loop;
    pthread_mutex_unlock(&pool.mutex);
    if (helpers == 1)
        pthread_cond_signal(&pool.work);
    else
        pthread_cond_broadcast(&pool.work);

    in_loop = true;
    run_tasks(&loop);
    in_loop = false;

    pthread_mutex_lock(&pool.mutex);
    job **link = &pool.jobs;
    while (*link != &loop)
        link = &(*link)->next;
    *link = loop.next; /* nobody can join from here on */
    while (loop.running > 0)
        pthread_cond_wait(&loop.left, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
    pthread_cond_destroy(&loop.left);
    return (status)atomic_load(&loop.result);
}

void set_num_threads(int threads) { atomic_store(&num_threads, threads < 1 ? 1 : threads); }
int get_num_threads(void) { return atomic_load(&num_threads); }
