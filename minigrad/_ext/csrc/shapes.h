/* Geometry as the kernels take it: three spatial axes; lower ranks come with leading axes of size 1. */
#ifndef MINIGRAD_SHAPES_H
#define MINIGRAD_SHAPES_H

#include <stddef.h>

enum { AXES = 3 };

/* WINOGRAD_m multiplies tiles of m x m results; where it does not apply, DIRECT does. */
typedef enum { AUTOMATIC, DIRECT, WINOGRAD_2, WINOGRAD_4 } conv_algorithm;

typedef struct {
    ptrdiff_t batch, groups;
    ptrdiff_t in_channels, out_channels; /* of one group */
    ptrdiff_t in[AXES], out[AXES], kernel[AXES], stride[AXES], dilation[AXES];
    ptrdiff_t before[AXES]; /* padding; what follows the input is implied by `out` */
    conv_algorithm algorithm;
} conv_shape;

typedef struct {
    ptrdiff_t planes; /* batch * channels */
    ptrdiff_t in[AXES], out[AXES], kernel[AXES], stride[AXES], dilation[AXES], before[AXES];
} pool_shape;

/* A batch of products of matrices; strides and starts in elements. */
typedef struct {
    ptrdiff_t batch, rows, columns, depth;
    const ptrdiff_t *left_start, *right_start; /* of each matrix of the batch */
    ptrdiff_t left_row, left_step, right_step, right_column;
} matmul_shape;

static inline ptrdiff_t volume(const ptrdiff_t size[AXES]) { return size[0] * size[1] * size[2]; }

#endif
