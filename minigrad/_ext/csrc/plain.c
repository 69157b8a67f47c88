#include "plain.h"

#include "matmul.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

enum {
    FEWEST_CHANNELS = 4 * LANES,
    RESULTS_AT_ONCE = 1 << 17, /* that are transposed while they are in the second-level cache */
};

int reads_whole_planes(const conv_shape *shape)
{
    for (int axis = 0; axis < AXES; axis++)
        if (shape->out[axis] != 1 || shape->before[axis] != 0 || shape->kernel[axis] != shape->in[axis] ||
            (shape->dilation[axis] != 1 && shape->kernel[axis] > 1))
            return 0;
    return shape->groups == 1;
}

int multiplies_pixels(const conv_shape *shape, int input)
{
    const ptrdiff_t pixels = volume(shape->in);
    for (int axis = 0; axis < AXES; axis++)
        if (shape->kernel[axis] != 1 || shape->stride[axis] != 1 || shape->before[axis] != 0 ||
            shape->out[axis] != shape->in[axis])
            return 0;
    return shape->groups == 1 && 5 * pixels < 4 * round_up(pixels, LANES) &&
           (input ? shape->in_channels : shape->out_channels) >= FEWEST_CHANNELS;
}

/* Images of results (pixels, channels) on their way to (channels, pixels). */
typedef struct {
    ptrdiff_t pixels, channels, blocks; /* blocks of channels of an image */
    const real *from;
    real *to;
} turn_job;

static status turn_block(void *context, ptrdiff_t task)
{
    const turn_job *work = context;
    const ptrdiff_t image = task / work->blocks, first = task % work->blocks * LANES;
    const ptrdiff_t channels = smaller(LANES, work->channels - first);
    const real *from = work->from + image * work->pixels * work->channels + first;
    real *to = work->to + (image * work->channels + first) * work->pixels;
    for (ptrdiff_t pixel = 0; pixel < work->pixels; pixel += LANES) {
        const ptrdiff_t pixels = work->pixels - pixel;
        vec square[LANES];
        for (int i = 0; i < LANES; i++)
            square[i] = i < pixels ? load_up_to(from + (pixel + i) * work->channels, channels) : zero_vector();
        transpose(square);
        for (int i = 0; i < LANES && i < channels; i++)
            store_up_to(to + i * work->pixels + pixel, square[i], pixels);
    }
    return OK;
}

/* Multiplies images (depth, pixels), some at a time, with filters [depth, channels], which have these strides. */
static status multiply_pixels(const conv_shape *shape, ptrdiff_t depth, ptrdiff_t channels, ptrdiff_t step,
                              ptrdiff_t column, const real *images, const real *filters, const real *bias, real *to)
{
    const ptrdiff_t pixels = volume(shape->in), size = pixels * channels;
    const ptrdiff_t at_once = smaller(shape->batch, larger(1, RESULTS_AT_ONCE / size));
    ptrdiff_t *starts = scratch(SCRATCH_TAPS, (size_t)(2 * at_once) * sizeof *starts);
    real *results = scratch(SCRATCH_TILES, (size_t)(at_once * size) * sizeof(real));
    if (!starts || !results)
        return NO_MEMORY;
    for (ptrdiff_t image = 0; image < at_once; image++) {
        starts[image] = image * depth * pixels;
        starts[at_once + image] = 0;
    }
    status result = OK;
    for (ptrdiff_t first = 0; first < shape->batch && result == OK; first += at_once) {
        const ptrdiff_t count = smaller(at_once, shape->batch - first);
        const matmul_shape product = {.batch = count, .rows = pixels, .columns = channels, .depth = depth,
                                      .left_start = starts, .right_start = starts + at_once, .left_row = 1,
                                      .left_step = pixels, .right_step = step, .right_column = column};
        result = NAME(matmul)(&product, images + first * depth * pixels, filters, bias, results);
        turn_job work = {pixels, channels, ceil_div(channels, LANES), results, to + first * size};
        if (result == OK)
            result = (count * size < SERIAL_ELEMENTS ? serial_for : parallel_for)(count * work.blocks, turn_block, &work);
    }
    return result;
}

static status multiply_planes(matmul_shape product, const real *a, const real *b, const real *bias, real *c)
{
    const ptrdiff_t start = 0;
    product.batch = 1;
    product.left_start = product.right_start = &start;
    return NAME(matmul)(&product, a, b, bias, c);
}

status plain_conv(const conv_shape *shape, const real *x, const real *w, const real *bias, real *y)
{
    const ptrdiff_t inputs = shape->in_channels * volume(shape->in);
    if (!reads_whole_planes(shape))
        return multiply_pixels(shape, shape->in_channels, shape->out_channels, 1, shape->in_channels, x, w, bias, y);
    const matmul_shape product = {.rows = shape->batch, .columns = shape->out_channels, .depth = inputs,
                                  .left_row = inputs, .left_step = 1, .right_step = 1, .right_column = inputs};
    return multiply_planes(product, x, w, bias, y);
}

status plain_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x)
{
    const ptrdiff_t size = volume(shape->in), inputs = shape->in_channels * size;
    if (!reads_whole_planes(shape))
        return multiply_pixels(shape, shape->out_channels, shape->in_channels, shape->in_channels, 1, g, w, bias, x);
    real *of_elements = NULL;
    if (bias) {
        of_elements = scratch(SCRATCH_TAPS, (size_t)inputs * sizeof(real));
        if (!of_elements)
            return NO_MEMORY;
        for (ptrdiff_t i = 0; i < inputs; i++)
            of_elements[i] = bias[i / size];
    }
    const matmul_shape product = {.rows = shape->batch, .columns = inputs, .depth = shape->out_channels,
                                  .left_row = shape->out_channels, .left_step = 1, .right_step = inputs,
                                  .right_column = 1};
    return multiply_planes(product, g, w, of_elements, x);
}

status plain_weight(const conv_shape *shape, const real *x, const real *g, real *w)
{
    const ptrdiff_t inputs = shape->in_channels * volume(shape->in);
    const matmul_shape product = {.rows = shape->out_channels, .columns = inputs, .depth = shape->batch,
                                  .left_row = 1, .left_step = shape->out_channels, .right_step = inputs,
                                  .right_column = 1};
    return multiply_planes(product, g, x, NULL, w);
}
