/* Boundary tags: a segment of address space is a row of blocks, each behind a header that knows the sizes of its own
 * block and of the one before. Neighbours that are free are one block, and a request takes the smallest block that is
 * large enough, of equal ones the last to be freed, which the processor's caches may still hold. There are few blocks,
 * since all are large: a list of the free ones is searched as fast as anything cleverer. */
#if defined(__linux__)
#define _GNU_SOURCE
#elif !defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L
#endif
#include "memory.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

typedef struct block {
    size_t bytes;        /* with this header */
    size_t bytes_before; /* of the block before in the segment, 0 for the first */
    struct block *newer, *older; /* in the list of free blocks */
    bool is_free, is_last;
} block;

enum { HEADER = 64, PAGE = 4096, HUGE_PAGE = 1 << 21 };
_Static_assert(sizeof(block) <= HEADER, "the header must hold a block");

static const size_t SMALLEST_SEGMENT = (size_t)64 << 20, LARGEST_SEGMENT = (size_t)1 << 30;

static struct {
    pthread_mutex_t mutex;
    block *newest; /* of the free blocks */
    memory_counts counts;
    bool watching_forks;
} cache = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* fork() copies only the calling thread: the list must be whole then, and the mutex free in the child. */
static void before_fork(void) { pthread_mutex_lock(&cache.mutex); }
static void after_fork_parent(void) { pthread_mutex_unlock(&cache.mutex); }
static void after_fork_child(void) { pthread_mutex_init(&cache.mutex, NULL); }

static size_t rounded_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

static block *at(block *from, size_t bytes) { return (block *)((char *)from + bytes); }

static void list(block *b)
{
    b->is_free = true;
    b->newer = NULL;
    b->older = cache.newest;
    if (cache.newest)
        cache.newest->newer = b;
    cache.newest = b;
}

static void unlist(block *b)
{
    b->is_free = false;
    if (b->newer)
        b->newer->older = b->older;
    else
        cache.newest = b->older;
    if (b->older)
        b->older->newer = b->newer;
}

static void set_bytes(block *b, size_t bytes)
{
    b->bytes = bytes;
    if (!b->is_last)
        at(b, bytes)->bytes_before = bytes;
}

static block *best_fit(size_t bytes)
{
    block *best = NULL;
    for (block *b = cache.newest; b; b = b->older)
        if (b->bytes >= bytes && (!best || b->bytes < best->bytes)) {
            best = b;
            if (b->bytes == bytes)
                break;
        }
    return best;
}

/* Address space from the system that begins and ends at huge pages. */
static char *map(size_t bytes)
{
    char *start = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        return NULL;
    size_t before = (HUGE_PAGE - (uintptr_t)start % HUGE_PAGE) % HUGE_PAGE;
    if (before)
        munmap(start, before);
    munmap(start + before + bytes, HUGE_PAGE - before);
#ifdef MADV_HUGEPAGE
    madvise(start + before, bytes, MADV_HUGEPAGE); /* fewer faults and misses; where refused, it works without */
#endif
    return start + before;
}

/* Segments grow with what is in use: pages that nothing touches cost nothing, and few segments leave few gaps. */
static block *new_segment(size_t bytes)
{
    size_t wanted = cache.counts.reserved;
    wanted = wanted < SMALLEST_SEGMENT ? SMALLEST_SEGMENT : wanted > LARGEST_SEGMENT ? LARGEST_SEGMENT : wanted;
    size_t least = rounded_up(bytes, HUGE_PAGE);
    size_t mapped = rounded_up(wanted > least ? wanted : least, HUGE_PAGE);
    char *start = map(mapped);
    if (!start && mapped > least)
        start = map(mapped = least);
    if (!start)
        return NULL;
    cache.counts.mappings++;
    cache.counts.reserved += mapped;
    if (cache.counts.reserved > cache.counts.reserved_peak)
        cache.counts.reserved_peak = cache.counts.reserved;
    block *all = (block *)start;
    *all = (block){.bytes = mapped, .is_last = true};
    list(all);
    return all;
}

/* Called with the mutex held. */
static void trim(void)
{
    for (block *b = cache.newest, *older; b; b = older) {
        older = b->older;
        if (b->is_last && b->bytes_before == 0) {
            unlist(b);
            cache.counts.reserved -= b->bytes;
            munmap(b, b->bytes);
            continue;
        }
        char *end = (char *)b + b->bytes;
        char *first = (char *)rounded_up((uintptr_t)b + HEADER, PAGE), *last = (char *)((uintptr_t)end / PAGE * PAGE);
        if (first < last)
            madvise(first, (size_t)(last - first), MADV_DONTNEED);
    }
}

void *memory_take(size_t bytes)
{
    if (bytes > PTRDIFF_MAX - LARGEST_SEGMENT)
        return NULL;
    size_t needed = rounded_up(bytes, MEMORY_ALIGNMENT) + HEADER;
    pthread_mutex_lock(&cache.mutex);
    if (!cache.watching_forks)
        cache.watching_forks = pthread_atfork(before_fork, after_fork_parent, after_fork_child) == 0;
    block *b = best_fit(needed);
    if (!b)
        b = new_segment(needed);
    if (!b) {
        trim();
        b = new_segment(needed);
    }
    if (b) {
        unlist(b);
        if (b->bytes - needed >= MEMORY_LARGE) {
            block *rest = at(b, needed);
            *rest = (block){.bytes_before = needed, .is_last = b->is_last};
            set_bytes(rest, b->bytes - needed);
            b->bytes = needed;
            b->is_last = false;
            list(rest);
        }
        memory_counts *counts = &cache.counts;
        counts->blocks++;
        counts->taken++;
        counts->in_use += b->bytes;
        if (counts->in_use > counts->in_use_peak)
            counts->in_use_peak = counts->in_use;
    }
    pthread_mutex_unlock(&cache.mutex);
    return b ? (char *)b + HEADER : NULL;
}

void memory_give(void *memory)
{
    if (!memory)
        return;
    block *b = (block *)((char *)memory - HEADER);
    pthread_mutex_lock(&cache.mutex);
    cache.counts.blocks--;
    cache.counts.in_use -= b->bytes;
    size_t bytes = b->bytes;
    if (!b->is_last && at(b, bytes)->is_free) {
        block *next = at(b, bytes);
        unlist(next);
        b->is_last = next->is_last;
        bytes += next->bytes;
    }
    if (b->bytes_before) {
        block *before = (block *)((char *)b - b->bytes_before);
        if (before->is_free) {
            unlist(before);
            before->is_last = b->is_last;
            bytes += before->bytes;
            b = before;
        }
    }
    set_bytes(b, bytes);
    list(b);
    pthread_mutex_unlock(&cache.mutex);
}

void *memory_take_zeros(size_t count, size_t bytes)
{
    if (bytes && count > PTRDIFF_MAX / bytes)
        return NULL;
    void *memory = memory_take(count * bytes);
    return memory ? memset(memory, 0, count * bytes) : NULL;
}

void *memory_retake(void *memory, size_t bytes)
{
    void *moved = memory_take(bytes);
    if (moved && memory) {
        size_t held = ((block *)((char *)memory - HEADER))->bytes - HEADER;
        memcpy(moved, memory, held < bytes ? held : bytes);
        memory_give(memory);
    }
    return moved;
}

void memory_trim(void)
{
    pthread_mutex_lock(&cache.mutex);
    trim();
    pthread_mutex_unlock(&cache.mutex);
}

memory_counts memory_count(void)
{
    pthread_mutex_lock(&cache.mutex);
    memory_counts now = cache.counts;
    pthread_mutex_unlock(&cache.mutex);
    return now;
}

void memory_reset_peaks(void)
{
    pthread_mutex_lock(&cache.mutex);
    cache.counts.in_use_peak = cache.counts.in_use;
    cache.counts.reserved_peak = cache.counts.reserved;
    pthread_mutex_unlock(&cache.mutex);
}
