/* Convolutions that are products of dense matrices, as arrays lie. */
#ifndef MINIGRAD_PLAIN_H
#define MINIGRAD_PLAIN_H

#include "real.h"
#include "shapes.h"
#include "status.h"

#define plain_conv NAME(plain_conv)
#define plain_input NAME(plain_input)
#define plain_weight NAME(plain_weight)
#define reads_whole_planes NAME(reads_whole_planes)
#define multiplies_pixels NAME(multiplies_pixels)

/* Does the one window read the whole plane, each element once? Then images and filters are rows of matrices, and each pass is
 * a product of two: that of the first and last layers of a GAN. */
int reads_whole_planes(const conv_shape *shape);

/* Has the filter one tap, and would vectors of so few pixels be partly empty? Then an image, transposed, is multiplied with
 * the filters: vectors hold the channels of one pixel of the result. `input`: those of the gradient of the input. */
int multiplies_pixels(const conv_shape *shape, int input);

/* As their namesakes in conv.h but without `finish`, for shapes of which one of these is true; the weights' gradient only
 * of the first. */
status plain_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y);
status plain_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x);
status plain_weight(const conv_shape *shape, const real *x, const real *g, real *w);

#endif
