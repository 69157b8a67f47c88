/* Working memory that each thread keeps from call to call. */
#ifndef MINIGRAD_SCRATCH_H
#define MINIGRAD_SCRATCH_H

#include <stddef.h>

/* A slot holds one buffer at a time: what a function keeps while it calls another needs a slot of its own. */
typedef enum {
    SCRATCH_FILTER,  /* packed filters, shared with the workers of a loop */
    SCRATCH_TAPS,    /* filter positions, shared likewise */
    SCRATCH_SHIFTS,  /* how taps are shifted against one another, shared likewise */
    SCRATCH_SUMS,    /* partial sums of a filter gradient, shared likewise */
    SCRATCH_PIECES,  /* tables of where columns come from and go to */
    SCRATCH_COLUMNS, /* gathered columns */
    SCRATCH_TILES,   /* products on their way to the output */
    SCRATCH_ROWS,    /* rows of a pooling plane */
    SCRATCH_SLOTS
} scratch_slot;

/* At least `bytes` bytes of the calling thread, on a 64-byte boundary, with undefined contents; NULL if there is no
 * memory. */
void *scratch(scratch_slot slot, size_t bytes);

/* Takes all buffers of the calling thread away, so that other code may run that uses its own, and puts them back. */
void *scratch_set_aside(void);
void scratch_put_back(void *buffers);

/* The size of the buffer for which there was no memory last, in any thread. */
size_t scratch_refused(void);

#endif
