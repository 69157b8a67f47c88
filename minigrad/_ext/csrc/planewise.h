/* Depthwise convolution, plane by plane: each is filtered where it lies, in vectors along its lines. */
#ifndef MINIGRAD_PLANEWISE_H
#define MINIGRAD_PLANEWISE_H

#include "real.h"
#include "shapes.h"
#include "status.h"

#define planewise_takes NAME(planewise_takes)
#define planewise_conv NAME(planewise_conv)
#define planewise_input NAME(planewise_input)
#define planewise_weight NAME(planewise_weight)

/* Has each group one channel and one filter, which is one of the common squares, and do lines fill enough of the
 * vectors? Depends on the shape and the instruction set only. */
int planewise_takes(const conv_shape *shape, int adjoint);

/* As their namesakes in conv.h. No result depends on the number of threads. */
status planewise_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y);
status planewise_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x);
status planewise_weight(const conv_shape *shape, const real *x, const real *g, real *w);

#endif
