/* A cache of memory for large arrays.
 *
 * The system hands out large blocks as fresh pages, each of which faults and is cleared when it is first touched: for
 * operations that only pass over memory that takes longer than their work. Here freed blocks stay mapped and serve the
 * next arrays. Any thread may call these functions. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

enum { MEMORY_ALIGNMENT = 64, MEMORY_LARGE = 1 << 15 }; /* smaller arrays are not worth it */

typedef struct {
    size_t in_use, in_use_peak;     /* bytes of blocks that were taken and not given back */
    size_t reserved, reserved_peak; /* bytes of address space that the cache has from the system */
    size_t blocks, taken;           /* blocks in use; how often one was taken */
    size_t mappings;                /* how often the system was asked for memory */
} memory_counts;

/* An aligned block of at least so many bytes, or NULL. */
void *memory_take(size_t bytes);

/* Like realloc, calloc and free. */
void *memory_retake(void *block, size_t bytes);
void *memory_take_zeros(size_t count, size_t bytes);
void memory_give(void *block);

/* Returns to the system what no block uses. */
void memory_trim(void);

memory_counts memory_count(void);
void memory_reset_peaks(void);

#endif
