/* Dropout by a counter-based generator. */
#ifndef MINIGRAD_RANDOM_H
#define MINIGRAD_RANDOM_H

#include "real.h"
#include "status.h"

/* y[i] = x[i] * scale where random word i of `key` is at least `threshold`, else 0. Word i is word i % 64 / 16 of the
 * Philox4x32-10 block (Salmon et al., 2011) with the counter i / 64 * 16 + i % 16. */
status NAME(dropout)(ptrdiff_t count, uint64_t key, uint32_t threshold, double scale, const void *x, void *y);

#endif
