#define _POSIX_C_SOURCE 200809L
#include "scratch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

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
    if (mine->bytes[slot] < bytes || !mine->memory[slot]) {
        const size_t page = 4096;
        size_t grown = bytes + bytes / 8; /* shapes that grow slowly shall not reallocate each time */
        grown = (grown / page + 1) * page;
        free(mine->memory[slot]);
        mine->bytes[slot] = 0;
        mine->memory[slot] = grown > bytes ? aligned_alloc(page, grown) : NULL;
        if (!mine->memory[slot])
            return refuse(bytes);
        mine->bytes[slot] = grown;
    }
    return mine->memory[slot];
}
