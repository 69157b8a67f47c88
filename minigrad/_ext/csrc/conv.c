#include "conv.h"

#include "channelwise.h"
#include "depthwise.h"
#include "finish.h"
#include "implicit.h"
#include "plain.h"
#include "planewise.h"
#include "ranges.h"
#include "scratch.h"
#include "spread.h"
#include "weight.h"
#include "winograd.h"

/* The taps of a convolution in the filter's order: where each reads at window 0, and where it stands in the filter. */
typedef struct {
    ptrdiff_t count;
    ptrdiff_t (*position)[AXES];
    ptrdiff_t *index;
} tap_list;

static status allocate_taps(const conv_shape *shape, tap_list *taps)
{
    const size_t most = (size_t)volume(shape->kernel);
    taps->count = 0;
    taps->position = scratch(SCRATCH_TAPS, most * (sizeof *taps->position + sizeof *taps->index));
    taps->index = (ptrdiff_t *)(taps->position + most);
    return taps->position ? OK : NO_MEMORY;
}

static status list_taps(const conv_shape *shape, tap_list *taps)
{
    if (allocate_taps(shape, taps) != OK)
        return NO_MEMORY;
    for (ptrdiff_t z = 0; z < shape->kernel[0]; z++)
        for (ptrdiff_t y = 0; y < shape->kernel[1]; y++)
            for (ptrdiff_t x = 0; x < shape->kernel[2]; x++) {
                const ptrdiff_t place[AXES] = {z, y, x}, tap = taps->count++;
                for (int axis = 0; axis < AXES; axis++)
                    taps->position[tap][axis] = place[axis] * shape->dilation[axis] - shape->before[axis];
                taps->index[tap] = tap;
            }
    return OK;
}

/* The windows of x as columns. */
static gather input_columns(const conv_shape *shape, const tap_list *taps)
{
    gather from = {.image_pitch = shape->groups * shape->in_channels * volume(shape->in), .taps = taps->count};
    from.total = shape->batch * from.image_pitch;
    from.tap = (const ptrdiff_t (*)[AXES])taps->position;
    for (int axis = 0; axis < AXES; axis++) {
        from.grid[axis] = shape->out[axis];
        from.plane[axis] = shape->in[axis];
        from.step[axis] = shape->stride[axis];
    }
    return from;
}

typedef struct {
    const conv_finish *finish;
    ptrdiff_t planes, channels, size; /* of all images, of one, of a plane */
    real *results;
} finish_job;

static status finish_planes(void *context, ptrdiff_t task)
{
    const finish_job *work = context;
    const real *residual = work->finish->residual;
    const ptrdiff_t planes = items_a_task(work->size), last = smaller(work->planes, (task + 1) * planes);
    for (ptrdiff_t plane = task * planes; plane < last; plane++) {
        const channel_finish finish = finish_of(work->finish, plane % work->channels);
        const ptrdiff_t at = plane * work->size;
        finish_run(&finish, residual ? residual + at : NULL, work->results + at, work->size);
    }
    return OK;
}

static status finish_results(const conv_shape *shape, real *y)
{
    const ptrdiff_t channels = shape->groups * shape->out_channels;
    finish_job work = {shape->finish, shape->batch * channels, channels, volume(shape->out), y};
    return shape->finish ? for_items(work.planes, work.size, finish_planes, &work) : OK;
}

static status convolve(const implicit *product, const conv_shape *shape)
{
    conv_choice choice = {.method = BY_PRODUCT};
    tile_form form = NO_TILES;
    if (depthwise_takes(product))
        choice.method = BY_DEPTHWISE;
    else
        form = winograd_form(product, shape->algorithm, &choice);
    const int spreads = choice.method == BY_PRODUCT && spread_takes(product);
    if (spreads)
        choice.method = BY_SPREADING;
    if (only_reported(shape, &choice))
        return OK;
    if (choice.method == BY_DEPTHWISE || spreads) {
        const status result = spreads ? spread_product(product) : depthwise_product(product);
        return result == OK ? finish_results(shape, product->target) : result;
    }
    return form ? winograd_product(product, form) : implicit_product(product);
}

/* Depthwise convolutions of long lines at stride 1 read them in place; others go by vectors of channels. */
static int goes_channelwise(const conv_shape *shape)
{
    return channelwise_takes(shape) && (shape->stride[2] > 1 || shape->out[2] < 2 * LANES);
}

static int depthwise_is_reported(const conv_shape *shape)
{
    const conv_choice choice = {.method = BY_DEPTHWISE};
    return only_reported(shape, &choice);
}

/* One of the two kernels knows of a finish, but of no residual: else a second pass over the results. */
static status depthwise_conv(const conv_shape *shape, const void *x, const void *w, const void *bias, void *y)
{
    const int planewise = planewise_takes(shape, 0);
    const int finishes = planewise && !(shape->finish && shape->finish->residual);
    conv_shape rest = *shape;
    if (!finishes)
        rest.finish = NULL;
    const status result = planewise ? planewise_conv(&rest, x, w, bias, y) : channelwise_conv(&rest, x, w, bias, y);
    return result != OK || finishes ? result : finish_results(shape, y);
}

static conv_choice plain_choice(const conv_shape *shape)
{
    return (conv_choice){.method = reads_whole_planes(shape) ? BY_WHOLE_PLANES : BY_PIXELS};
}

status NAME(conv)(const conv_shape *shape, const void *x, const void *w, const void *bias, void *y)
{
    if (planewise_takes(shape, 0) || goes_channelwise(shape))
        return depthwise_is_reported(shape) ? OK : depthwise_conv(shape, x, w, bias, y);
    if (reads_whole_planes(shape) || multiplies_pixels(shape, 0)) {
        const conv_choice choice = plain_choice(shape);
        if (only_reported(shape, &choice))
            return OK;
        const status result = plain_conv(shape, x, w, bias, y);
        return result == OK ? finish_results(shape, y) : result;
    }
    tap_list taps;
    if (list_taps(shape, &taps) != OK)
        return NO_MEMORY;
    implicit product = {
        .from = input_columns(shape, &taps),
        .batch = shape->batch,
        .groups = shape->groups,
        .rows = shape->out_channels,
        .channels = shape->in_channels,
        .source = x,
        .filter = w,
        .filter_tap = taps.index,
        .bias = bias,
        .target = y,
        .shared = 1,
        .finish = shape->finish,
        .kept = shape->kept,
    };
    product.filter_pitch[2] = taps.count;
    product.filter_pitch[1] = shape->in_channels * product.filter_pitch[2];
    product.filter_pitch[0] = shape->out_channels * product.filter_pitch[1];
    for (int axis = 0; axis < AXES; axis++) {
        product.target_plane[axis] = shape->out[axis];
        product.target_step[axis] = 1;
        product.target_start[axis] = 0;
    }
    return convolve(&product, shape);
}

/* Input positions with equal remainders by the stride form a phase. Window o and tap t touch position o * stride + t *
 * dilation - before, so all of a phase is touched by the same taps, and as its positions advance by one stride the
 * windows advance by one: each phase is a convolution of stride 1. Every input is gathered from the windows that
 * touched it, so nothing is scattered and no sum depends on the order of threads. */
static status convolve_phase(implicit *product, const conv_shape *shape, const ptrdiff_t phase[AXES], tap_list *taps)
{
    taps->count = 0;
    for (ptrdiff_t z = 0; z < shape->kernel[0]; z++)
        for (ptrdiff_t y = 0; y < shape->kernel[1]; y++)
            for (ptrdiff_t x = 0; x < shape->kernel[2]; x++) {
                const ptrdiff_t place[AXES] = {z, y, x};
                int touches = 1;
                for (int axis = 0; axis < AXES; axis++) {
                    const ptrdiff_t distance = phase[axis] + shape->before[axis] - place[axis] * shape->dilation[axis];
                    touches &= distance % shape->stride[axis] == 0;
                    taps->position[taps->count][axis] = distance / shape->stride[axis];
                }
                if (touches)
                    taps->index[taps->count++] = (z * shape->kernel[1] + y) * shape->kernel[2] + x;
            }
    product->from.taps = taps->count;
    for (int axis = 0; axis < AXES; axis++) {
        product->from.grid[axis] = ceil_div(shape->in[axis] - phase[axis], shape->stride[axis]);
        product->target_start[axis] = phase[axis];
    }
    return convolve(product, shape);
}

/* Does a filter of one tap read the first element of each step, and are there whole steps of two along lines? Then that
 * phase has a tap, and the others have none. */
static int reads_first_phase(const conv_shape *shape)
{
    for (int axis = 0; axis < AXES; axis++)
        if (shape->kernel[axis] != 1 || shape->before[axis] != 0 ||
            shape->in[axis] != shape->out[axis] * shape->stride[axis])
            return 0;
    return shape->groups == 1 && shape->stride[2] == 2;
}

/* Do windows lie side by side, and cover the input exactly? Then each phase has one tap, and all read the same columns. */
static int windows_tile(const conv_shape *shape)
{
    for (int axis = 0; axis < AXES; axis++)
        if (shape->kernel[axis] != shape->stride[axis] || (shape->dilation[axis] != 1 && shape->kernel[axis] > 1) ||
            shape->before[axis] != 0 || shape->in[axis] != shape->out[axis] * shape->stride[axis])
            return 0;
    return shape->groups == 1 && shape->stride[2] > 1 && shape->stride[2] <= MOST_SHARED;
}

/* Has a convolution of planes at stride 2 phases that Winograd's algorithm can take all at once? Then lists the taps as
 * that needs them. */
static int lists_spread_taps(const conv_shape *shape, tap_list *taps)
{
    if (shape->groups != 1 || shape->in[0] != 1 || shape->out[0] != 1 || shape->kernel[0] != 1 || shape->before[0] != 0)
        return 0;
    for (int axis = 1; axis < AXES; axis++)
        if (shape->stride[axis] != 2 || shape->dilation[axis] != 1 || shape->before[axis] % 2 != 1)
            return 0;
    if (shape->kernel[1] != shape->kernel[2] || shape->kernel[1] < 3 || shape->kernel[1] > 4)
        return 0;
    taps->count = volume(shape->kernel);
    for (ptrdiff_t tap = 0; tap < taps->count; tap++) {
        const ptrdiff_t place[AXES] = {0, tap / shape->kernel[2], tap % shape->kernel[2]};
        taps->position[tap][0] = 0;
        for (int axis = 1; axis < AXES; axis++) /* ceil((before - place) / 2), of what may be negative */
            taps->position[tap][axis] = (shape->before[axis] - place[axis] + 1 + 4) / 2 - 2;
        taps->index[tap] = tap;
    }
    return 1;
}

status NAME(conv_input)(const conv_shape *shape, const void *g, const void *w, const void *bias, void *x)
{
    if (planewise_takes(shape, 1))
        return depthwise_is_reported(shape) ? OK : planewise_input(shape, g, w, bias, x);
    if (goes_channelwise(shape))
        return depthwise_is_reported(shape) ? OK : channelwise_input(shape, g, w, bias, x);
    if (reads_whole_planes(shape) || multiplies_pixels(shape, 1)) {
        const conv_choice choice = plain_choice(shape);
        return only_reported(shape, &choice) ? OK : plain_input(shape, g, w, bias, x);
    }
    tap_list taps;
    if (allocate_taps(shape, &taps) != OK)
        return NO_MEMORY;
    implicit product = {
        .batch = shape->batch,
        .groups = shape->groups,
        .rows = shape->in_channels,
        .channels = shape->out_channels,
        .source = g,
        .filter = w,
        .filter_tap = taps.index,
        .bias = bias,
        .target = x,
        .shared = 1,
    };
    product.from.image_pitch = shape->groups * shape->out_channels * volume(shape->out);
    product.from.total = shape->batch * product.from.image_pitch;
    product.from.tap = (const ptrdiff_t (*)[AXES])taps.position;
    product.filter_pitch[1] = volume(shape->kernel);
    product.filter_pitch[2] = shape->in_channels * product.filter_pitch[1];
    product.filter_pitch[0] = shape->out_channels * product.filter_pitch[2];
    for (int axis = 0; axis < AXES; axis++) {
        product.from.plane[axis] = shape->out[axis];
        product.from.step[axis] = 1;
        product.target_plane[axis] = shape->in[axis];
        product.target_step[axis] = shape->stride[axis];
    }
    conv_choice choice = {.method = BY_PRODUCT};
    if (windows_tile(shape) || reads_first_phase(shape)) {
        if (only_reported(shape, &choice))
            return OK;
        product.alone = volume(shape->kernel) == 1;
        product.shared = volume(shape->kernel);
        product.rows *= product.shared;
        product.filter_pitch[1] = 1;
        product.from.taps = 1;
        for (int axis = 0; axis < AXES; axis++) {
            product.from.grid[axis] = shape->out[axis];
            taps.position[0][axis] = 0;
        }
        taps.index[0] = 0;
        return implicit_product(&product);
    }
    if (lists_spread_taps(shape, &taps)) {
        product.from.taps = taps.count;
        const tile_form form = winograd_spread_form(&product, shape->algorithm, &choice);
        if (form)
            return only_reported(shape, &choice) ? OK : winograd_product(&product, form);
    }
    status result = OK;
    ptrdiff_t phase[AXES], phases[AXES];
    for (int axis = 0; axis < AXES; axis++)
        phases[axis] = smaller(shape->stride[axis], shape->in[axis]);
    for (phase[0] = 0; phase[0] < phases[0]; phase[0]++)
        for (phase[1] = 0; phase[1] < phases[1]; phase[1]++)
            for (phase[2] = 0; phase[2] < phases[2]; phase[2]++)
                if (result == OK)
                    result = convolve_phase(&product, shape, phase, &taps);
    return result;
}

status NAME(conv_weight)(const conv_shape *shape, const void *x, const void *g, void *w)
{
    if (planewise_takes(shape, 0))
        return depthwise_is_reported(shape) ? OK : planewise_weight(shape, x, g, w);
    if (channelwise_takes(shape))
        return depthwise_is_reported(shape) ? OK : channelwise_weight(shape, x, g, w);
    if (reads_whole_planes(shape)) {
        const conv_choice choice = plain_choice(shape);
        return only_reported(shape, &choice) ? OK : plain_weight(shape, x, g, w);
    }
    tap_list taps;
    if (list_taps(shape, &taps) != OK)
        return NO_MEMORY;
    const weight_gradient gradient = {
        .from = input_columns(shape, &taps),
        .batch = shape->batch,
        .groups = shape->groups,
        .channels = shape->in_channels,
        .filters = shape->out_channels,
        .source = x,
        .cotangent = g,
        .target = w,
    };
    return weight_product(&gradient, shape);
}
