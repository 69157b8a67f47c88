/* Rows of a matrix by number. */
#ifndef MINIGRAD_ROWS_H
#define MINIGRAD_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "real.h"
#include "status.h"

/* target[index[i]] += source[i], in order, for rows of `columns` elements; BAD_INDEX, and nothing written, if an index
 * is not below `rows`. */
status NAME(add_rows)(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t count, const int64_t *index, const void *source,
                      void *target);

#endif
