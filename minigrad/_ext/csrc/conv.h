/* The three faces of the trilinear form <g, conv(x, w)>: each returns its derivative by one argument. */
#ifndef MINIGRAD_CONV_H
#define MINIGRAD_CONV_H

#include "real.h"
#include "shapes.h"
#include "status.h"

/* Arrays are dense: x[batch, groups * in_channels, in], w[groups * out_channels, in_channels, kernel], y and g[batch,
 * groups * out_channels, out]. A bias may be NULL. Only conv() heeds `finish` and `kept` of the shape. */
status NAME(conv)(const conv_shape *shape, const void *x, const void *w, const void *bias, void *y);
status NAME(conv_input)(const conv_shape *shape, const void *g, const void *w, const void *bias, void *x);
status NAME(conv_weight)(const conv_shape *shape, const void *x, const void *g, void *w);

#endif
