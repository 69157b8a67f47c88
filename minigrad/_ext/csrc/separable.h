/* A depthwise convolution between two of one tap, the block of which networks for small devices are made.
 *
 * What lies between the three has several times the channels of what comes in and goes out. It never becomes an array
 * of planes: vectors hold channels of one pixel, and a few lines of some channels are widened and filtered while they
 * are near. */
#ifndef MINIGRAD_SEPARABLE_H
#define MINIGRAD_SEPARABLE_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* x[batch, in_channels, in] to y[batch, out_channels, out], both dense. No result depends on the number of threads. */
status NAME(separable)(const separable_shape *shape, const void *x, void *y);

#endif
