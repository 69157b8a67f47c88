/* Geometry as the kernels take it: three spatial axes; lower ranks come with leading axes of size 1. */
#ifndef MINIGRAD_SHAPES_H
#define MINIGRAD_SHAPES_H

#include <stddef.h>

enum { AXES = 3 };

/* WINOGRAD_m multiplies tiles of m x m results, at stride 2 of each phase; where it does not apply, DIRECT does. */
typedef enum { AUTOMATIC, DIRECT, WINOGRAD_2, WINOGRAD_4 } conv_algorithm;

/* The kernel that computes a convolution of one phase, and the costs that were estimated for it: all 0 if there was
 * nothing to choose. */
typedef struct {
    enum {
        BY_PRODUCT,
        BY_DEPTHWISE,
        BY_WINOGRAD_2,
        BY_WINOGRAD_4,
        BY_DOTS,
        BY_PANELS,
        BY_WINOGRAD_PHASES,
        BY_TAPS,
        BY_WHOLE_PLANES,
        BY_PIXELS,
        BY_SPREADING,
    } method;
    double direct, winograd_2, winograd_4;
} conv_choice;

enum { REPORTED_CHOICES = 64 };
typedef struct {
    int count;
    conv_choice choice[REPORTED_CHOICES]; /* the first of them */
} conv_report;

/* What is done to the results of a convolution: those of each channel are multiplied by its scale and get its shift, or
 * neither if these are NULL; `residual`, an array like theirs, is added unless it is NULL; then they are brought between
 * two limits. */
typedef struct {
    const void *scale, *shift, *residual;
    double low, high;
} conv_finish;

/* Filters as a kernel reads them, from the call that packed them for those that follow. */
typedef struct {
    void *memory;
    size_t bytes;
    const void *layout; /* names the kernel; NULL until they are written */
} kept_filters;

typedef struct {
    ptrdiff_t batch, groups;
    ptrdiff_t in_channels, out_channels; /* of one group */
    ptrdiff_t in[AXES], out[AXES], kernel[AXES], stride[AXES], dilation[AXES];
    ptrdiff_t before[AXES]; /* padding; what follows the input is implied by `out` */
    conv_algorithm algorithm;
    conv_report *report;       /* unless NULL: only tell what would be done */
    const conv_finish *finish; /* or NULL, as what follows; both are for `conv` alone */
    kept_filters *kept;
} conv_shape;

/* Whether that is all: the choice is noted, if it is asked for. */
static inline int only_reported(const conv_shape *shape, const conv_choice *choice)
{
    if (shape->report && shape->report->count < REPORTED_CHOICES)
        shape->report->choice[shape->report->count++] = *choice;
    return shape->report != 0;
}

/* Filters with their bias, or NULL, and what is done to their results: a batch norm with these statistics of channels,
 * unless they are NULL, then as its finish says, whose scale and shift, each of them or NULL, are the norm's weight and
 * bias. */
typedef struct {
    const void *filter, *bias, *mean, *var;
    double eps;
    conv_finish finish;
} finished_filters;

/* A convolution of one tap to `channels` (unless its filter is NULL: then there are as many before), a depthwise one of
 * planes (axis 0 has size 1), and one of one tap to out_channels; only this may have a residual. */
typedef struct {
    ptrdiff_t batch, in_channels, channels, out_channels;
    ptrdiff_t in[AXES], out[AXES], kernel[AXES], stride[AXES], dilation[AXES], before[AXES]; /* of the depthwise one */
    finished_filters widen, filter, narrow;
    kept_filters *kept; /* or NULL */
} separable_shape;

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

/* What stands behind a norm: nothing, or a rectifier. */
typedef enum { NO_RECTIFIER, RELU, LEAKY_RELU } rectifier;

/* What is brought to one mean and variance is a set: `parts` stretches of `length` elements, `part_stride` apart. Set i
 * begins at element (i / inner) * outer_stride + (i % inner) * inner_stride. The weight and bias of element e of a part
 * have the index (i % inner) * weight_set + part * weight_part + e * weight_element. A rectifier, whose slope below 0
 * is `slope`, needs weights that are not those of single elements. */
typedef struct {
    ptrdiff_t sets, inner, outer_stride, inner_stride;
    ptrdiff_t parts, part_stride, length;
    ptrdiff_t weight_set, weight_part, weight_element;
    int centred; /* 0 leaves the mean where it is and divides by the root mean square */
    double eps;
    rectifier rectified;
    double slope;
} norm_shape;

#endif
