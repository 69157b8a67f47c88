#define _DEFAULT_SOURCE /* madvise */
#include "scratch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE = 4096,
    HUGE_PAGE = 1 << 21,
    LARGE = 3 << 17, /* bytes: transformed tiles are written in dozens of streams, each on a page of its own */
};

typedef struct {
    void *memory[SCRATCH_SLOTS];
    size_t bytes[SCRATCH_SLOTS];
} thread_scratch;

static pthread_key_t key;
static pthread_once_t key_made = PTHREAD_ONCE_INIT;
static int key_error;
static atomic_size_t refused;

static void release(void *owned)
{
    thread_scratch *mine = owned;
    if (!mine)
        return;
    for (int slot = 0; slot < SCRATCH_SLOTS; slot++)
        free(mine->memory[slot]);
    free(mine);
}

static void make_key(void) { key_error = pthread_key_create(&key, release); }

/* The key's destructor serves every thread that ends before the process does; the one that runs exit() is served here.
 */
__attribute__((destructor)) static void release_at_exit(void)
{
    pthread_once(&key_made, make_key);
    thread_scratch *mine = key_error ? NULL : pthread_getspecific(key);
    if (mine) {
        pthread_setspecific(key, NULL);
        release(mine);
    }
}

size_t scratch_refused(void) { return atomic_load_explicit(&refused, memory_order_relaxed); }

static void *refuse(size_t bytes)
{
    atomic_store_explicit(&refused, bytes, memory_order_relaxed);
    return NULL;
}

#ifdef EXACT_SCRATCH /* .ci/sanitize: what lies beyond the bytes that were asked for, or was left by other calls, is no one's */
enum { EXACT = 1 };

static void *allocate(size_t *bytes)
{
    void *memory = NULL;
    return posix_memalign(&memory, PAGE, *bytes) == 0 ? memory : NULL;
}
#else
enum { EXACT = 0 };

/* At least `bytes`, which become what there is; large buffers on huge pages where the system grants them. */
static void *allocate(size_t *bytes)
{
    const size_t page = *bytes < LARGE ? PAGE : HUGE_PAGE;
    size_t grown = *bytes + *bytes / 8; /* shapes that grow slowly shall not reallocate each time */
    grown = (grown / page + 1) * page;
    void *memory = grown > *bytes ? aligned_alloc(page, grown) : NULL;
#ifdef MADV_HUGEPAGE
    if (memory && page == HUGE_PAGE)
        madvise(memory, grown, MADV_HUGEPAGE);
#endif
    *bytes = grown;
    return memory;
}
#endif

void *scratch_set_aside(void)
{
    pthread_once(&key_made, make_key);
    void *buffers = key_error ? NULL : pthread_getspecific(key);
    if (buffers)
        pthread_setspecific(key, NULL);
    return buffers;
}

void scratch_put_back(void *buffers)
{
    if (!buffers)
        return;
    release(pthread_getspecific(key));
    pthread_setspecific(key, buffers);
}

void *scratch(scratch_slot slot, size_t bytes)
{
    pthread_once(&key_made, make_key);
    if (key_error)
        return refuse(bytes);
    thread_scratch *mine = pthread_getspecific(key);
    if (!mine) {
        mine = calloc(1, sizeof *mine);
        if (!mine || pthread_setspecific(key, mine) != 0) {
            free(mine);
            return refuse(bytes);
        }
    }
    if (mine->bytes[slot] < bytes || EXACT || !mine->memory[slot]) {
        size_t grown = bytes;
        free(mine->memory[slot]);
        mine->bytes[slot] = 0;
        mine->memory[slot] = allocate(&grown);
        if (!mine->memory[slot])
            return refuse(bytes);
        mine->bytes[slot] = grown;
    }
    return mine->memory[slot];
}
