#ifndef MINIGRAD_MAP_KERNELS_H
#define MINIGRAD_MAP_KERNELS_H

#include "real.h"
#include "status.h"

/* y[i] = f(x[i]; a, b) for the f that the number `map` stands for in maps.h; y may be x. */
status NAME(map_unary)(int map, ptrdiff_t count, const void *x, double a, double b, void *y);

/* y[i] = f(x[i], z[i]; a, b); y may be x or z. A step is 1, or 0 for an operand that is one number. */
status NAME(map_binary)(int map, ptrdiff_t count, int x_step, const void *x, int z_step, const void *z, double a,
                        double b, void *y);

#endif
