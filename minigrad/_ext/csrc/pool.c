#include "pool.h"

#include <math.h>
#include <string.h>

#include "planes.h"
#include "scratch.h"
#include "simd.h"

/* Along the last axis a vector holds either one tap of many windows or many taps of one window, whichever are more.
 * Line i begins at position i * pitch - before and has `length` elements, `step` apart. */
typedef struct {
    ptrdiff_t lines, pitch, length, step;
} line_shape;

static line_shape windows_in_lines(const pool_shape *shape)
{
    return (line_shape){shape->kernel[2], shape->dilation[2], shape->out[2], shape->stride[2]};
}
static line_shape taps_in_lines(const pool_shape *shape)
{
    return (line_shape){shape->out[2], shape->stride[2], shape->kernel[2], shape->dilation[2]};
}
static int has_wide_windows(const pool_shape *shape) { return shape->out[2] < shape->kernel[2]; }

/* The elements begin .. end - 1 of a line, the first of which would be at position `start`, lie inside of the plane. */
typedef struct {
    ptrdiff_t begin, end, start;
} reach;

static reach reach_of(const pool_shape *shape, line_shape along, ptrdiff_t line)
{
    const ptrdiff_t start = line * along.pitch - shape->before[2], in = shape->in[2];
    reach r = {start < 0 ? ceil_div(-start, along.step) : 0, start < in ? ceil_div(in - start, along.step) : 0, start};
    r.begin = smaller(r.begin, along.length);
    r.end = larger(r.begin, smaller(r.end, along.length));
    return r;
}

/* row[i] = from[i * step + start] where that is inside, `fill` elsewhere up to the next multiple of LANES; reads below
 * `end` only. */
static void read_line(const real *from, const real *end, const reach *r, const line_shape *along, real fill, real *row)
{
    const ptrdiff_t step = along->step;
    const vec filling = broadcast(fill);
    for (ptrdiff_t i = 0; i < r->begin; i += LANES)
        store(row + i, filling);
    const ptrdiff_t taken = r->end - r->begin, vectors = round_up(taken, LANES);
    const real *read = from + r->begin * step + r->start;
    real *to = row + r->begin;
    if (step <= 2 && vectors * step <= end - read) {
        if (step == 1)
            for (ptrdiff_t i = 0; i < taken; i += LANES)
                store(to + i, load(read + i));
        else
            for (ptrdiff_t i = 0; i < taken; i += LANES)
                store(to + i, load_even(read + 2 * i));
    } else {
        for (ptrdiff_t i = 0; i < taken; i++)
            to[i] = read[i * step];
    }
    for (ptrdiff_t i = r->end; i < round_up(along->length, LANES); i += LANES)
        store(row + i, filling);
}

/* Where a window's tap reads along one axis; 0 if that is padding. */
static int inside(const pool_shape *shape, int axis, ptrdiff_t window, ptrdiff_t tap, ptrdiff_t *position)
{
    *position = window * shape->stride[axis] + tap * shape->dilation[axis] - shape->before[axis];
    return *position >= 0 && *position < shape->in[axis];
}

/* Where the first tap of a window that falls inside of the input reads; -1 if none does. */
static ptrdiff_t first_inside(const pool_shape *shape, int axis, ptrdiff_t window)
{
    ptrdiff_t position;
    for (ptrdiff_t tap = 0; tap < shape->kernel[axis]; tap++)
        if (inside(shape, axis, window, tap, &position))
            return position;
    return -1;
}

/* The lines that a row of windows reads, one after another in `line`. */
typedef struct {
    const pool_shape *shape;
    line_shape along;
    reach *reaches;  /* of each line: finding one takes divisions */
    const real *end; /* of the input */
    real *line, *result;
    lane_int *found;
    lane_int steps[LANES]; /* from one window of a vector to the next, added up */
} line_reader;

/* An index of each lane. */
typedef int64_t wide_indices __attribute__((vector_size(LANES * sizeof(int64_t)), aligned(8), may_alias));

static status open_lines(const plane_job *work, line_reader *reader)
{
    const pool_shape *shape = work->shape;
    reader->shape = shape;
    reader->along = has_wide_windows(shape) ? taps_in_lines(shape) : windows_in_lines(shape);
    reader->end = work->from + work->planes * work->in;
    for (int lane = 0; lane < LANES; lane++)
        reader->steps[lane] = (lane_int)(lane * shape->stride[2]);
    const size_t lines = (size_t)reader->along.lines;
    const size_t width = (size_t)round_up(reader->along.length, LANES) + LANES; /* read_line may write a vector more */
    reader->line = scratch(SCRATCH_ROWS, width * (2 * sizeof(real) + sizeof(lane_int)) + lines * sizeof(reach));
    if (!reader->line)
        return NO_MEMORY;
    reader->result = reader->line + width;
    reader->found = (lane_int *)(reader->result + width);
    reader->reaches = (reach *)(reader->found + width);
    for (ptrdiff_t line = 0; line < reader->along.lines; line++)
        reader->reaches[line] = reach_of(shape, reader->along, line);
    return OK;
}

/* Calls use(reader, position of the line's start) for lines first .. last - 1 of each line of the plane that windows
 * (z, y) read, in order of position. */
INLINE void for_lines(line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, ptrdiff_t first, ptrdiff_t last,
                      real fill, void (*use)(line_reader *reader, ptrdiff_t position))
{
    const pool_shape *shape = reader->shape;
    ptrdiff_t at_z, at_y;
    for (ptrdiff_t tap_z = 0; tap_z < shape->kernel[0]; tap_z++)
        for (ptrdiff_t tap_y = 0; tap_y < shape->kernel[1]; tap_y++)
            if (inside(shape, 0, z, tap_z, &at_z) && inside(shape, 1, y, tap_y, &at_y))
                for (ptrdiff_t i = first; i < last; i++) {
                    const ptrdiff_t base = (at_z * shape->in[1] + at_y) * shape->in[2];
                    const reach *r = reader->reaches + i;
                    read_line(plane + base, reader->end, r, &reader->along, fill, reader->line);
                    use(reader, base + r->start);
                }
}

/* The larger values so far and where they are, against another vector. */
INLINE void keep_larger(vec value, int_vec here, vec *best, int_vec *found)
{
    const int_vec wins = (value > *best) | (value != value);
    *best = (vec)(((int_vec)value & wins) | ((int_vec)*best & ~wins));
    *found = (here & wins) | (*found & ~wins);
}

/* The largest values so far and where they lie, against those of one line. */
static void take_larger(line_reader *reader, ptrdiff_t position)
{
    const ptrdiff_t step = reader->along.step;
    int_vec here, advance;
    for (int lane = 0; lane < LANES; lane++) {
        here[lane] = (lane_int)(position + lane * step);
        advance[lane] = (lane_int)(LANES * step);
    }
    for (ptrdiff_t i = 0; i < reader->along.length; i += LANES) {
        vec best = load(reader->result + i);
        int_vec found = load_ints(reader->found + i);
        keep_larger(load(reader->line + i), here, &best, &found);
        store(reader->result + i, best);
        store_ints(reader->found + i, found);
        here += advance;
    }
}

static void add_line(line_reader *reader, ptrdiff_t position)
{
    (void)position;
    for (ptrdiff_t i = 0; i < reader->along.length; i += LANES)
        store(reader->result + i, load(reader->result + i) + load(reader->line + i));
}

/* Windows (z, y) with a vector for many windows, which start from the first element that each reads: comparisons alone
 * would never take -inf. */
static void max_of_windows(line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, real *values,
                           int64_t *indices)
{
    const pool_shape *shape = reader->shape;
    const ptrdiff_t *in = shape->in, out = shape->out[2], first_z = first_inside(shape, 0, z),
                    first_y = first_inside(shape, 1, y);
    for (ptrdiff_t x = 0; x < out; x++) {
        const ptrdiff_t first_x = first_inside(shape, 2, x);
        const int none = first_z < 0 || first_y < 0 || first_x < 0;
        reader->result[x] = -(real)INFINITY;
        reader->found[x] = none ? -1 : (lane_int)((first_z * in[1] + first_y) * in[2] + first_x);
    }
    for_lines(reader, plane, z, y, 0, reader->along.lines, -(real)INFINITY, take_larger);
    memcpy(values, reader->result, (size_t)out * sizeof(real));
    for (ptrdiff_t x = 0; x < out; x++)
        indices[x] = reader->found[x];
}

/* The same with a vector for many taps of one window, the lanes of which are compared at the end. */
static void max_of_taps(line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, real *values,
                        int64_t *indices)
{
    const pool_shape *shape = reader->shape;
    const ptrdiff_t first_z = first_inside(shape, 0, z), first_y = first_inside(shape, 1, y);
    const ptrdiff_t first_line = (first_z * shape->in[1] + first_y) * shape->in[2];
    for (ptrdiff_t x = 0; x < shape->out[2]; x++) {
        const reach r = reader->reaches[x];
        for (ptrdiff_t tap = r.begin; tap < r.end; tap++) {
            reader->result[tap] = -(real)INFINITY;
            reader->found[tap] = (lane_int)(first_line + r.start + tap * reader->along.step);
        }
        for_lines(reader, plane, z, y, x, x + 1, -(real)INFINITY, take_larger);
        values[x] = -(real)INFINITY;
        indices[x] = -1;
        if (first_z < 0 || first_y < 0)
            continue;
        for (ptrdiff_t tap = r.begin; tap < r.end; tap++) {
            const real value = reader->result[tap];
            const lane_int found = reader->found[tap];
            const int both_nan = value != value && values[x] != values[x];
            if (indices[x] < 0 || value > values[x] || (value != value && !both_nan) ||
                (both_nan && found > indices[x]) || (value == values[x] && found < indices[x])) {
                values[x] = value;
                indices[x] = found;
            }
        }
    }
}

/* Do all windows lie inside of the plane along the last axis, so that vectors of them can be read in place? */
static int reads_in_place(const pool_shape *shape)
{
    const ptrdiff_t last = (shape->out[2] - 1) * shape->stride[2] + (shape->kernel[2] - 1) * shape->dilation[2];
    return shape->before[2] == 0 && last < shape->in[2] && shape->stride[2] <= 2 && !has_wide_windows(shape);
}

/* A vector of one tap of windows from `read` on. */
INLINE vec read_tap(const real *read, const real *end, ptrdiff_t stride)
{
    if (end - read >= stride * LANES)
        return stride == 1 ? load(read) : load_even(read);
    return stride == 1 ? load_first(read, end - read)
                       : even_lanes(load_first(read, end - read), load_first(read + LANES, end - read - LANES));
}

/* Up to LANES square windows from window x on, which are two apart and read lines first .. last - 1 of the plane. Nothing but
 * the first element of the first window may be padding. */
INLINE void max_of_squares(const int size, const line_reader *reader, const real *plane, ptrdiff_t first,
                           ptrdiff_t last, ptrdiff_t x, real *values, int64_t *indices)
{
    static const real infinite = (real)INFINITY;
    const pool_shape *shape = reader->shape;
    const ptrdiff_t width = shape->in[2], count = shape->out[2] - x, at = 2 * x - shape->before[2], left = at < 0;
    const ptrdiff_t readable = width - at;
    const int whole = !left && readable >= 2 * LANES;
    const int_vec padding = {left ? -1 : 0};
    vec best = zero_vector();
    int_vec found = {0};
    for (ptrdiff_t y = first; y < last; y++) {
        const real *line = plane + y * width + at;
        const vec low = whole ? load(line) : load_between(line, left, readable);
        const vec high = whole ? load(line + LANES) : load_first(line + LANES, readable - LANES);
        const vec begin = (vec)(((int_vec)even_lanes(low, high) & ~padding) | ((int_vec)broadcast(-infinite) & padding));
        const int_vec here = load_ints(reader->steps) + (lane_int)(at + y * width);
        if (y == first) {
            best = begin;
            found = here - padding; /* padding is no place */
        } else {
            keep_larger(begin, here, &best, &found);
        }
        keep_larger(odd_lanes(low, high), here + 1, &best, &found);
        if (size == 3) {
            keep_larger(read_tap(line + 2, line + readable, 2), here + 2, &best, &found);
        }
    }
    if (count >= LANES) {
        store(values + x, best);
        *(wide_indices *)(indices + x) = __builtin_convertvector(found, wide_indices);
    } else {
        store_first(values + x, best, count);
        for (int lane = 0; lane < LANES && lane < count; lane++)
            indices[x + lane] = found[lane];
    }
}

/* Are these the windows of nearly all networks: squares of 2 or 3 in planes, two apart? */
static int are_squares(const pool_shape *shape)
{
    const ptrdiff_t size = shape->kernel[2];
    return shape->in[0] == 1 && shape->out[0] == 1 && shape->kernel[0] == 1 && shape->kernel[1] == size &&
           (size == 2 || size == 3) && shape->stride[2] == 2 && shape->dilation[1] == 1 && shape->dilation[2] == 1 &&
           shape->before[0] == 0 && shape->before[2] <= size - 2 &&
           2 * (shape->out[2] - 1) + size - shape->before[2] <= shape->in[2];
}

/* A line of such windows. False if they are wholly padding. */
static int max_of_square_line(const line_reader *reader, const real *plane, ptrdiff_t y, real *values, int64_t *indices)
{
    const pool_shape *shape = reader->shape;
    const ptrdiff_t begin = y * shape->stride[1] - shape->before[1], first = larger(0, begin),
                    last = smaller(shape->in[1], begin + shape->kernel[1]);
    for (ptrdiff_t x = 0; x < shape->out[2] && first < last; x += LANES)
        if (shape->kernel[2] == 2)
            max_of_squares(2, reader, plane, first, last, x, values, indices);
        else
            max_of_squares(3, reader, plane, first, last, x, values, indices);
    return first < last;
}

/* Windows (z, y), which begin inside of the plane. */
static void max_in_place(const line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, real *values,
                         int64_t *indices)
{
    const pool_shape *shape = reader->shape;
    const ptrdiff_t stride = shape->stride[2], out = shape->out[2];
    const int_vec steps = load_ints(reader->steps);
    for (ptrdiff_t x = 0; x < out; x += LANES) {
        vec best = zero_vector();
        int_vec found = {0};
        int begun = 0;
        ptrdiff_t at_z, at_y;
        for (ptrdiff_t tap_z = 0; tap_z < shape->kernel[0]; tap_z++)
            for (ptrdiff_t tap_y = 0; tap_y < shape->kernel[1]; tap_y++)
                if (inside(shape, 0, z, tap_z, &at_z) && inside(shape, 1, y, tap_y, &at_y))
                    for (ptrdiff_t tap = 0; tap < shape->kernel[2]; tap++) {
                        const ptrdiff_t at =
                            (at_z * shape->in[1] + at_y) * shape->in[2] + x * stride + tap * shape->dilation[2];
                        const vec value = stride == 1 ? read_tap(plane + at, reader->end, 1)
                                                      : read_tap(plane + at, reader->end, 2);
                        const int_vec here = steps + (lane_int)at;
                        if (begun) {
                            keep_larger(value, here, &best, &found);
                        } else {
                            best = value;
                            found = here;
                        }
                        begun = 1;
                    }
        if (out - x >= LANES) {
            store(values + x, best);
            *(wide_indices *)(indices + x) = __builtin_convertvector(found, wide_indices);
        } else {
            store_first(values + x, best, out - x);
            lane_int places[LANES];
            store_ints(places, found);
            for (int lane = 0; lane < LANES && lane < out - x; lane++)
                indices[x + lane] = places[lane];
        }
    }
}

static status max_pool_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    const pool_shape *shape = work->shape;
    line_reader reader;
    if (open_lines(work, &reader) != OK)
        return NO_MEMORY;
    const int in_place = reads_in_place(shape), squares = are_squares(shape);
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        real *values = work->to + plane * work->out;
        int64_t *indices = work->to_indices + plane * work->out;
        for (ptrdiff_t z = 0; z < shape->out[0]; z++)
            for (ptrdiff_t y = 0; y < shape->out[1]; y++, values += shape->out[2], indices += shape->out[2])
                if (squares && max_of_square_line(&reader, work->from + plane * work->in, y, values, indices))
                    continue;
                else if (in_place && first_inside(shape, 0, z) >= 0 && first_inside(shape, 1, y) >= 0)
                    max_in_place(&reader, work->from + plane * work->in, z, y, values, indices);
                else
                    (has_wide_windows(shape) ? max_of_taps : max_of_windows)(&reader, work->from + plane * work->in, z,
                                                                             y, values, indices);
    }
    return OK;
}

/* Elements begin .. end - 1 of LANES, zero elsewhere. */
INLINE vec load_inside(const real *from, ptrdiff_t begin, ptrdiff_t end)
{
    return begin <= 0 && end >= LANES ? load(from) : load_between(from, begin, end);
}

/* Adds the taps of some lines, the first of which is given, to the sums of windows, which lie one or two apart (then taps
 * lie side by side). */
INLINE void add_taps(const ptrdiff_t stride, const ptrdiff_t taps, const pool_shape *shape, const real *first,
                     ptrdiff_t lines, int begins, real *sums)
{
    const ptrdiff_t width = shape->in[2], out = shape->out[2], pitch = shape->dilation[1] * width;
    for (ptrdiff_t x = 0; x < out; x += LANES) {
        vec total = begins ? zero_vector() : load_up_to(sums + x, out - x);
        const real *line = first;
        for (ptrdiff_t i = 0; i < lines; i++, line += pitch)
            for (ptrdiff_t tap = 0; tap < taps; tap += stride) {
                const ptrdiff_t at = x * stride + tap * shape->dilation[2] - shape->before[2];
                const vec low = load_inside(line + at, -at, width - at);
                if (stride == 1) {
                    total += low;
                    continue;
                }
                const vec high = load_inside(line + at + LANES, -at - LANES, width - at - LANES);
                total += even_lanes(low, high);
                if (tap + 1 < taps)
                    total += odd_lanes(low, high);
            }
        store_up_to(sums + x, total, out - x);
    }
}

/* Can sums be taken where the plane lies? */
static int sums_in_place(const pool_shape *shape)
{
    return shape->stride[2] == 1 || (shape->stride[2] == 2 && shape->dilation[2] == 1);
}

/* Windows (z, y) of 2, 3 or any number of taps along the last axis. */
static void sum_in_place(const pool_shape *shape, const real *plane, ptrdiff_t z, ptrdiff_t y, real *sums)
{
    const ptrdiff_t taps = shape->kernel[2], first_y = first_inside(shape, 1, y);
    ptrdiff_t lines = 0, at_z, at_y;
    for (ptrdiff_t tap_y = 0; tap_y < shape->kernel[1]; tap_y++)
        lines += inside(shape, 1, y, tap_y, &at_y);
    int begins = 1;
    for (ptrdiff_t tap_z = 0; tap_z < shape->kernel[0]; tap_z++)
        if (inside(shape, 0, z, tap_z, &at_z)) {
            const real *first = plane + (at_z * shape->in[1] + larger(0, first_y)) * shape->in[2];
            if (shape->stride[2] == 1)
                taps == 3 ? add_taps(1, 3, shape, first, lines, begins, sums)
                          : add_taps(1, taps, shape, first, lines, begins, sums);
            else
                taps == 2   ? add_taps(2, 2, shape, first, lines, begins, sums)
                : taps == 3 ? add_taps(2, 3, shape, first, lines, begins, sums)
                            : add_taps(2, taps, shape, first, lines, begins, sums);
            begins = 0;
        }
    if (begins)
        memset(sums, 0, (size_t)shape->out[2] * sizeof(real));
}

/* Are these the windows of most average pooling: two wide and two apart, in planes, and all of their taps inside? Where a
 * window's lines begin takes as long as all else. */
static int are_pairs(const pool_shape *shape)
{
    const ptrdiff_t *in = shape->in, *out = shape->out, *kernel = shape->kernel, *stride = shape->stride;
    return kernel[0] == 1 && stride[0] == 1 && in[0] == out[0] && kernel[2] == 2 && stride[2] == 2 &&
           shape->dilation[1] == 1 && shape->dilation[2] == 1 && volume(out) > 0 && !shape->before[0] &&
           !shape->before[1] && !shape->before[2] && (out[1] - 1) * stride[1] + kernel[1] <= in[1] &&
           2 * out[2] <= in[2];
}

static void sum_pairs(const pool_shape *shape, const real *slice, real *sums)
{
    const ptrdiff_t width = shape->in[2], out = shape->out[2], lines = shape->kernel[1];
    for (ptrdiff_t y = 0; y < shape->out[1]; y++, sums += out)
        for (ptrdiff_t x = 0; x < out; x += LANES) {
            const ptrdiff_t count = out - x;
            const real *read = slice + y * shape->stride[1] * width + 2 * x;
            vec total = zero_vector();
            for (ptrdiff_t line = 0; line < lines; line++, read += width) {
                const vec low = load_up_to(read, 2 * count);
                const vec high = count >= LANES ? load(read + LANES) : load_first(read + LANES, 2 * count - LANES);
                total += even_lanes(low, high);
                total += odd_lanes(low, high);
            }
            store_up_to(sums + x, total, count);
        }
}

/* The same with lines that are copied first, for any stride. */
static void sum_of_windows(line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, real *sums)
{
    const pool_shape *shape = reader->shape;
    memset(reader->result, 0, (size_t)round_up(shape->out[2], LANES) * sizeof(real));
    for_lines(reader, plane, z, y, 0, reader->along.lines, 0, add_line);
    memcpy(sums, reader->result, (size_t)shape->out[2] * sizeof(real));
}

/* The same with a vector for many taps of one window. */
static void sum_of_taps(line_reader *reader, const real *plane, ptrdiff_t z, ptrdiff_t y, real *sums)
{
    const pool_shape *shape = reader->shape;
    const ptrdiff_t length = round_up(reader->along.length, LANES);
    for (ptrdiff_t x = 0; x < shape->out[2]; x++) {
        memset(reader->result, 0, (size_t)length * sizeof(real));
        for_lines(reader, plane, z, y, x, x + 1, 0, add_line);
        vec total = load(reader->result);
        for (ptrdiff_t i = LANES; i < length; i += LANES)
            total += load(reader->result + i);
        sums[x] = sum_lanes(total);
    }
}

static status sum_pool_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    const pool_shape *shape = work->shape;
    const int pairs = are_pairs(shape);
    line_reader reader;
    if (open_lines(work, &reader) != OK)
        return NO_MEMORY;
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->in;
        real *sums = work->to + plane * work->out;
        for (ptrdiff_t z = 0; z < shape->out[0]; z++) {
            if (pairs) {
                sum_pairs(shape, from + z * shape->in[1] * shape->in[2], sums);
                sums += shape->out[1] * shape->out[2];
                continue;
            }
            for (ptrdiff_t y = 0; y < shape->out[1]; y++, sums += shape->out[2])
                if (has_wide_windows(shape))
                    sum_of_taps(&reader, from, z, y, sums);
                else if (sums_in_place(shape))
                    sum_in_place(shape, from, z, y, sums);
                else
                    sum_of_windows(&reader, from, z, y, sums);
        }
    }
    return OK;
}

/* Do the windows lie side by side from the beginning of the plane, so that no element is in two? */
static int are_tiles(const pool_shape *shape)
{
    for (int axis = 0; axis < 3; axis++)
        if (shape->before[axis] || shape->dilation[axis] != 1 ||
            (shape->kernel[axis] != shape->stride[axis] && shape->out[axis] > 1))
            return 0;
    return 1;
}

/* to[i] = from[i / size] as far as the `count` windows reach, then zeros. */
static void spread_line(const real *from, ptrdiff_t count, ptrdiff_t size, ptrdiff_t width, real *to)
{
    const ptrdiff_t reached = smaller(width, count * size);
    if (size == 2)
        for (ptrdiff_t x = 0; 2 * x < reached; x += LANES) {
            const vec values = load_up_to(from + x, count - x);
            store_up_to(to + 2 * x, low_pairs(values, values), reached - 2 * x);
            store_up_to(to + 2 * x + LANES, high_pairs(values, values), reached - 2 * x - LANES);
        }
    else
        for (ptrdiff_t x = 0, i = 0; i < reached; x++)
            for (const ptrdiff_t end = smaller(reached, i + size); i < end; i++)
                to[i] = from[x];
    memset(to + reached, 0, (size_t)(width - reached) * sizeof(real));
}

static status spread_tiles(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    const pool_shape *shape = work->shape;
    const ptrdiff_t *in = shape->in, *out = shape->out, *size = shape->kernel, width = in[2];
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->out;
        real *line = work->to + plane * work->in;
        for (ptrdiff_t z = 0; z < in[0]; z++)
            for (ptrdiff_t y = 0; y < in[1]; y++, line += width) {
                const ptrdiff_t tile_z = z / size[0], tile_y = y / size[1];
                const size_t bytes = (size_t)width * sizeof(real);
                if (tile_z >= out[0] || tile_y >= out[1])
                    memset(line, 0, bytes);
                else if (y % size[1])
                    memcpy(line, line - width, bytes);
                else if (z % size[0])
                    memcpy(line, line - in[1] * width, bytes);
                else
                    spread_line(from + (tile_z * out[1] + tile_y) * out[2], out[2], size[2], width, line);
            }
    }
    return OK;
}

static status sum_pool_input_planes(void *context, ptrdiff_t task)
{
    const plane_job *work = context;
    const pool_shape *shape = work->shape;
    const ptrdiff_t *in = shape->in, *out = shape->out, *kernel = shape->kernel;
    const int wide = has_wide_windows(shape);
    line_reader reader;
    if (open_lines(work, &reader) != OK)
        return NO_MEMORY;
    const line_shape along = reader.along;
    for (ptrdiff_t plane = first_plane(work, task); plane < last_plane(work, task); plane++) {
        const real *from = work->from + plane * work->out;
        real *to = work->to + plane * work->in;
        memset(to, 0, (size_t)work->in * sizeof(real));
        for (ptrdiff_t z = 0; z < out[0]; z++)
            for (ptrdiff_t y = 0; y < out[1]; y++, from += out[2]) {
                ptrdiff_t at_z, at_y;
                for (ptrdiff_t tap_z = 0; tap_z < kernel[0]; tap_z++)
                    for (ptrdiff_t tap_y = 0; tap_y < kernel[1]; tap_y++)
                        if (inside(shape, 0, z, tap_z, &at_z) && inside(shape, 1, y, tap_y, &at_y))
                            for (ptrdiff_t line = 0; line < along.lines; line++) {
                                const reach r = reader.reaches[line];
                                real *row = to + (at_z * in[1] + at_y) * in[2] + r.start;
                                if (wide)
                                    for (ptrdiff_t tap = r.begin; tap < r.end; tap++)
                                        row[tap * along.step] += from[line];
                                else
                                    for (ptrdiff_t x = r.begin; x < r.end; x++)
                                        row[x * along.step] += from[x];
                            }
            }
    }
    return OK;
}

/* Windows one apart: an element is the sum of those that read it, which is a window of sums. False if it would begin inside. */
static int turn_windows(const pool_shape *shape, pool_shape *turned)
{
    *turned = *shape;
    for (int axis = 0; axis < 3; axis++) {
        turned->in[axis] = shape->out[axis];
        turned->out[axis] = shape->in[axis];
        turned->before[axis] = (shape->kernel[axis] - 1) * shape->dilation[axis] - shape->before[axis];
        if (shape->stride[axis] != 1 || turned->before[axis] < 0)
            return 0;
    }
    return 1;
}

static plane_job windows_job(const pool_shape *shape, const void *from, void *to)
{
    return (plane_job){.shape = shape,
                       .planes = shape->planes,
                       .in = volume(shape->in),
                       .out = volume(shape->out),
                       .from = from,
                       .to = to};
}

status NAME(max_pool)(const pool_shape *shape, const void *x, void *values, int64_t *indices)
{
    plane_job work = windows_job(shape, x, values);
    work.to_indices = indices;
    return for_planes(max_pool_planes, &work);
}

status NAME(sum_pool)(const pool_shape *shape, const void *x, void *sums)
{
    plane_job work = windows_job(shape, x, sums);
    return for_planes(sum_pool_planes, &work);
}

status NAME(sum_pool_input)(const pool_shape *shape, const void *g, void *x)
{
    plane_job work = windows_job(shape, g, x);
    pool_shape turned;
    if (are_tiles(shape))
        return for_planes(spread_tiles, &work);
    if (turn_windows(shape, &turned))
        return NAME(sum_pool)(&turned, g, x);
    return for_planes(sum_pool_input_planes, &work);
}
