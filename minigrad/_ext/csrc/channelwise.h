/* Depthwise convolution by vectors of channels.
 *
 * Planes of LANES channels are transposed on their way in and results on their way out, so that a vector holds one
 * position of LANES planes: then neither short lines nor strides leave lanes unused. */
#ifndef MINIGRAD_CHANNELWISE_H
#define MINIGRAD_CHANNELWISE_H

#include "real.h"
#include "shapes.h"
#include "status.h"

#define channelwise_takes NAME(channelwise_takes)
#define channelwise_conv NAME(channelwise_conv)
#define channelwise_input NAME(channelwise_input)
#define channelwise_weight NAME(channelwise_weight)

/* Has each group one channel and one filter, and are there vectors of groups with windows that are not too far apart?
 * Depends on the shape and the instruction set only. */
int channelwise_takes(const conv_shape *shape);

/* As their namesakes in conv.h. No result depends on the number of threads. */
status channelwise_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y);
status channelwise_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x);
status channelwise_weight(const conv_shape *shape, const real *x, const real *g, real *w);

#endif
