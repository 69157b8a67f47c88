#include "plain.h"

#include "matmul.h"
#include "scratch.h"
#include "simd.h"
#include "threads.h"

enum { FEWEST_CHANNELS = 4 * LANES };

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
    return shape->groups == 1 && pixels > 2 * LANES && 5 * pixels < 4 * round_up(pixels, LANES) &&
           (input ? shape->in_channels : shape->out_channels) >= FEWEST_CHANNELS;
}

/* Images (depth, pixels) times filters [depth, channels], which have these strides; a task takes some channels of one. */
typedef struct {
    ptrdiff_t pixels, depth, channels, step, column;
    ptrdiff_t parts, channels_a_part;
    const real *images, *filters, *bias;
    real *results;
} pixel_job;

/* (pixels, channels) becomes (channels, pixels). */
static void turn(const real *from, ptrdiff_t pixels, ptrdiff_t channels, real *to)
{
    for (ptrdiff_t channel = 0; channel < channels; channel += LANES)
        for (ptrdiff_t pixel = 0; pixel < pixels; pixel += LANES) {
            vec square[LANES];
            for (int i = 0; i < LANES; i++)
                square[i] = pixel + i < pixels ? load_up_to(from + (pixel + i) * channels + channel, channels - channel)
                                               : zero_vector();
            transpose(square);
            for (int i = 0; i < LANES && channel + i < channels; i++)
                store_up_to(to + (channel + i) * pixels + pixel, square[i], pixels - pixel);
        }
}

static status multiply_part(void *context, ptrdiff_t task)
{
    const pixel_job *work = context;
    const ptrdiff_t image = task / work->parts, first = task % work->parts * work->channels_a_part;
    const ptrdiff_t channels = smaller(work->channels_a_part, work->channels - first), start = 0;
    real *turned = scratch(SCRATCH_TILES, (size_t)(work->pixels * channels) * sizeof(real));
    if (!turned)
        return NO_MEMORY;
    const matmul_shape product = {.batch = 1, .rows = work->pixels, .columns = channels, .depth = work->depth,
                                  .left_start = &start, .right_start = &start, .left_row = 1,
                                  .left_step = work->pixels, .right_step = work->step, .right_column = work->column};
    const status result = NAME(matmul)(&product, work->images + image * work->depth * work->pixels,
                                       work->filters + first * work->column, work->bias ? work->bias + first : NULL,
                                       turned);
    if (result == OK)
        turn(turned, work->pixels, channels, work->results + (image * work->channels + first) * work->pixels);
    return result;
}

/* Few images are shared out by their channels: every sum is the same, however they are parted. */
static status multiply_pixels(ptrdiff_t batch, pixel_job work)
{
    const double products = (double)(batch * work.pixels) * (double)(work.depth * work.channels);
    const int threads = products < SERIAL_PRODUCTS ? 1 : get_num_threads();
    work.channels_a_part = work.channels;
    if (batch < 2 * threads)
        work.channels_a_part = round_up(ceil_div(work.channels, threads), LANES);
    work.parts = ceil_div(work.channels, work.channels_a_part);
    return (threads == 1 ? serial_for : parallel_for)(batch * work.parts, multiply_part, &work);
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
        return multiply_pixels(shape->batch, (pixel_job){.pixels = volume(shape->in), .depth = shape->in_channels,
                                                         .channels = shape->out_channels, .step = 1,
                                                         .column = shape->in_channels, .images = x, .filters = w,
                                                         .bias = bias, .results = y});
    const matmul_shape product = {.rows = shape->batch, .columns = shape->out_channels, .depth = inputs,
                                  .left_row = inputs, .left_step = 1, .right_step = 1, .right_column = inputs};
    return multiply_planes(product, x, w, bias, y);
}

status plain_input(const conv_shape *shape, const real *g, const real *w, const real *bias, real *x)
{
    const ptrdiff_t size = volume(shape->in), inputs = shape->in_channels * size;
    if (!reads_whole_planes(shape))
        return multiply_pixels(shape->batch, (pixel_job){.pixels = size, .depth = shape->out_channels,
                                                         .channels = shape->in_channels, .step = shape->in_channels,
                                                         .column = 1, .images = g, .filters = w, .bias = bias,
                                                         .results = x});
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
