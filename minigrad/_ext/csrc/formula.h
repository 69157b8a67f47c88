/* Elementwise formulas over many arrays in one pass, and the sum of all squares. */
#ifndef MINIGRAD_FORMULA_H
#define MINIGRAD_FORMULA_H

#include "instructions.h"
#include "real.h"
#include "status.h"

/* Runs a formula on each of `rows` rows of arrays. pointers[rows, arrays] says where they are; starts[rows + 1] counts
 * the elements before each row, and all. */
status NAME(evaluate)(const formula *what, const double *constants, ptrdiff_t rows, const ptrdiff_t *starts,
                      void *const *pointers);

/* The sum of the squares of all elements of `rows` arrays, computed in double whatever the element type, in an order
 * that does not depend on the number of threads. */
status NAME(sum_of_squares)(ptrdiff_t rows, const ptrdiff_t *starts, void *const *pointers, double *sum);

#endif
