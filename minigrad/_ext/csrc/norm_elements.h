/* The sums that make the gradients of weights and biases of single elements. */
#ifndef MINIGRAD_NORM_ELEMENTS_H
#define MINIGRAD_NORM_ELEMENTS_H

#include "real.h"
#include "shapes.h"
#include "status.h"

#define norm_element_sums NAME(norm_element_sums)

enum { FEW_ROWS = 128 };

/* The sums over sets of g and of g times the normalised x: bias_sums and weight_sums [inner, length]. Unless it is NULL,
 * `visit` is called for sets first .. last - 1 just before these are read; that pays from `inner` times FEW_ROWS sets on. */
status norm_element_sums(const norm_shape *shape, const real *g, const real *x, const real *mean, const real *var,
                         real *weight_sums, real *bias_sums,
                         void (*visit)(void *context, ptrdiff_t first, ptrdiff_t last), void *context);

#endif
