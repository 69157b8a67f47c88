// Convolution in three dimensions as a matrix product whose second matrix is gathered while it is read (implicit GEMM).
//
// The forward pass and the gradient of the input are one kernel: each output element is a sum over filters' taps, and the element that a tap reads
// lies at `place * step + tap`. Forward, `step` is the stride; for the gradient of the input it is 1, and each residue of the stride is a
// convolution of its own, with the taps that reach it (`start` and `pace` say where its elements lie in the output). The table has for each
// tap of each channel its distance in memory and along the axes, so that the loop divides nothing. Filters are packed beforehand to (tiles, sum, rows of a tile), so that
// a thread reads on from where it is.

#define DEPTH 8

struct __align__(sizeof(A) * 4 > 16 ? 16 : sizeof(A) * 4) Quad { A v[4]; };

extern "C" __global__ void pack(const T* w, const int* sources, T* packed, int groups, int rows, int padded_rows, int tile_rows, int depth,
                                int padded_depth, int row_step, int group_step) {
    EACH(i, groups * padded_depth * padded_rows) {
        const int k = i / tile_rows % padded_depth, tile = i / (tile_rows * padded_depth), tiles = padded_rows / tile_rows;
        const int row = tile % tiles * tile_rows + i % tile_rows, group = tile / tiles;
        packed[i] = row < rows && k < depth ? w[group * group_step + row * row_step + sources[k]] : narrow(0);
    }
}

// Adds the product of a chunk, which is in shared memory, to a thread's sums: TR rows by TC columns, read four at a time.
template <int ROWS, int COLUMNS, int TR, int TC>
__device__ __forceinline__ void multiply_chunk(const A (*left)[ROWS], const A (*right)[COLUMNS], int my_row, int my_column, A (*sums)[TC]) {
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        A a[TR], b[TC];
#pragma unroll
        for (int i = 0; i < TR; i += 4) {
            const Quad q = *reinterpret_cast<const Quad*>(&left[k][my_row * TR + i]);
            a[i] = q.v[0]; a[i + 1] = q.v[1]; a[i + 2] = q.v[2]; a[i + 3] = q.v[3];
        }
#pragma unroll
        for (int j = 0; j < TC; j += 4) {
            const Quad q = *reinterpret_cast<const Quad*>(&right[k][my_column * 4 + j * (COLUMNS / TC)]);
            b[j] = q.v[0]; b[j + 1] = q.v[1]; b[j + 2] = q.v[2]; b[j + 3] = q.v[3];
        }
#pragma unroll
        for (int i = 0; i < TR; i++)
#pragma unroll
            for (int j = 0; j < TC; j++) sums[i][j] += a[i] * b[j];
    }
}

#define GATHER_PARAMETERS                                                                                                                        \
    const T *x, const T *packed, const int4 *table, const T *bias, T *y, A *parts, int groups, int rows, int padded_rows, int padded_depth,       \
        int images, int image_step, int group_step, int in_d, int in_h, int in_w, int part_d, int part_h, int part_w, int step_d, int step_h,     \
        int step_w, int start_d, int start_h, int start_w, int pace_d, int pace_h, int pace_w, int out_d, int out_h, int out_w, int splits

template <int ROWS, int COLUMNS, int TR, int TC>
__device__ __forceinline__ void gather(A (*left)[DEPTH][ROWS], A (*right)[DEPTH][COLUMNS], GATHER_PARAMETERS) {
    constexpr int THREADS = (ROWS / TR) * (COLUMNS / TC), LEFT = ROWS * DEPTH / THREADS, RIGHT = COLUMNS * DEPTH / THREADS;
    static_assert(THREADS % COLUMNS == 0 || COLUMNS % THREADS == 0, "a thread reads elements of one column");
    static_assert(THREADS >= COLUMNS, "a thread reads elements of one column");
    const int thread = threadIdx.x, group = blockIdx.z / splits, split = blockIdx.z % splits;
    const int row = blockIdx.y * ROWS, column = blockIdx.x * COLUMNS;
    const int part = part_d * part_h * part_w, columns = images * part;
    const int mine = column + thread % COLUMNS;
    const bool within = mine < columns;
    const int image = within ? mine / part : 0, place = within ? mine - image * part : 0;
    const int h = place / part_w % part_h * step_h, w = place % part_w * step_w;
    const int d = within ? place / (part_h * part_w) * step_d : -(1 << 30);  // nowhere: no tap leads into the input from there
    const unsigned source = (unsigned)image * image_step + (unsigned)group * group_step + ((unsigned)d * in_h + h) * in_w + w;
    const int chunks = padded_depth / DEPTH, first = (int)((int64)chunks * split / splits), last = (int)((int64)chunks * (split + 1) / splits);
    const T* filter = packed + ((int64)(group * (padded_rows / ROWS) + blockIdx.y) * padded_depth + first * DEPTH) * ROWS + thread;
    const int4* taps = table + first * DEPTH + thread / COLUMNS;
    A sums[TR][TC] = {}, left_next[LEFT], right_next[RIGHT];

    auto read = [&]() {  // the next chunk
#pragma unroll
        for (int i = 0; i < LEFT; i++) left_next[i] = wide(filter[i * THREADS]);
#pragma unroll
        for (int i = 0; i < RIGHT; i++) {
            const int4 tap = taps[i * (THREADS / COLUMNS)];
            const bool inside = ((unsigned)(d + tap.y) < (unsigned)in_d) & ((unsigned)(h + tap.z) < (unsigned)in_h) & ((unsigned)(w + tap.w) < (unsigned)in_w);
            const A value = wide(x[inside ? source + tap.x : 0]);  // a branch would cost more than the read
            right_next[i] = inside ? value : (A)0;
        }
        filter += DEPTH * ROWS;
        taps += DEPTH;
    };
    auto keep = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < LEFT; i++) (&left[buffer][0][0])[thread + i * THREADS] = left_next[i];
#pragma unroll
        for (int i = 0; i < RIGHT; i++) (&right[buffer][0][0])[thread + i * THREADS] = right_next[i];
    };

    const int my_column = thread % (COLUMNS / TC), my_row = thread / (COLUMNS / TC);
    if (first < last) {
        read();
        keep(0);
    }
    __syncthreads();  // FILL
    int buffer = 0;
    for (int rest = last - first; rest > 0; rest--) {
        const bool more = rest > 1;
        if (more) read();
        multiply_chunk<ROWS, COLUMNS, TR, TC>(left[buffer], right[buffer], my_row, my_column, sums);
        if (more) {
            keep(buffer ^ 1);
            __syncthreads();  // REUSE
            buffer ^= 1;
        }
    }
    const int out_plane = out_d * out_h * out_w;
#pragma unroll
    for (int j = 0; j < TC; j++) {
        const int at = column + my_column * 4 + (j & ~3) * (COLUMNS / TC) + (j & 3);
        if (at >= columns) continue;
        const int n = at / part, p = at - n * part;
        const int od = start_d + p / (part_h * part_w) * pace_d, oh = start_h + p / part_w % part_h * pace_h, ow = start_w + p % part_w * pace_w;
        const int64 where = ((int64)n * groups + group) * rows * out_plane + ((int64)od * out_h + oh) * out_w + ow;
#pragma unroll
        for (int i = 0; i < TR; i++) {
            const int r = row + my_row * TR + i;
            if (r >= rows) continue;
            if (splits > 1) parts[(int64)split * images * groups * rows * out_plane + where + (int64)r * out_plane] = sums[i][j];
            else y[where + (int64)r * out_plane] = narrow(sums[i][j] + (bias ? wide(bias[group * rows + r]) : (A)0));
        }
    }
}

// The gradient of the filters: rows are filters, columns the taps of the channels, and the sum runs over all places of all images.
#define WEIGHT_PARAMETERS                                                                                                                        \
    const T *x, const T *g, const int4 *table, T *dw, A *parts, int groups, int rows, int columns, int images, int image_step, int group_step,   \
        int in_d, int in_h, int in_w, int out_d, int out_h, int out_w, int step_d, int step_h, int step_w, int splits

template <int ROWS, int COLUMNS, int TR, int TC>
__device__ __forceinline__ void weight(A (*left)[DEPTH][ROWS], A (*right)[DEPTH][COLUMNS], int4 (*places)[DEPTH], int (*outs)[DEPTH], WEIGHT_PARAMETERS) {
    constexpr int THREADS = (ROWS / TR) * (COLUMNS / TC), LEFT = ROWS * DEPTH / THREADS, RIGHT = COLUMNS * DEPTH / THREADS;
    const int thread = threadIdx.x, group = blockIdx.z / splits, split = blockIdx.z % splits;
    const int row = blockIdx.y * ROWS, column = blockIdx.x * COLUMNS;
    const int plane = out_d * out_h * out_w, total = images * plane, chunks = (total + DEPTH - 1) / DEPTH;
    const int first = (int)((int64)chunks * split / splits), last = (int)((int64)chunks * (split + 1) / splits);
    const bool within = column + thread % COLUMNS < columns;
    const int4 tap = table[within ? column + thread % COLUMNS : 0];
    const unsigned source = (unsigned)group * group_step + tap.x;
    A sums[TR][TC] = {}, left_next[LEFT], right_next[RIGHT];

    auto locate = [&](int chunk) {  // where the places of a chunk are read: divided once, by a few threads
        if (thread < DEPTH) {
            const int at = chunk * DEPTH + thread;
            const int n = at / plane, p = at - n * plane;
            const int d = p / (out_h * out_w) * step_d, h = p / out_w % out_h * step_h, w = p % out_w * step_w;
            places[chunk & 1][thread] = {(int)((unsigned)n * image_step + ((unsigned)d * in_h + h) * in_w + w), at < total ? d : -(1 << 30), h, w};
            outs[chunk & 1][thread] = at < total ? n * groups * rows * plane + p : -1;
        }
    };
    auto read = [&](int chunk) {
#pragma unroll
        for (int i = 0; i < LEFT; i++) {
            const int r = row + (thread + i * THREADS) / DEPTH, out = outs[chunk & 1][thread % DEPTH];
            const bool inside = (r < rows) & (out >= 0);
            const A value = wide(g[inside ? (unsigned)out + (unsigned)(group * rows + r) * plane : 0]);
            left_next[i] = inside ? value : (A)0;
        }
#pragma unroll
        for (int i = 0; i < RIGHT; i++) {
            const int k = thread / COLUMNS + i * (THREADS / COLUMNS);
            const int4 p = places[chunk & 1][k];
            const bool inside = within & ((unsigned)(p.y + tap.y) < (unsigned)in_d) & ((unsigned)(p.z + tap.z) < (unsigned)in_h) & ((unsigned)(p.w + tap.w) < (unsigned)in_w);
            const A value = wide(x[inside ? source + p.x : 0]);
            right_next[i] = inside ? value : (A)0;
        }
    };
    auto keep = [&](int buffer) {
#pragma unroll
        for (int i = 0; i < LEFT; i++) left[buffer][(thread + i * THREADS) % DEPTH][(thread + i * THREADS) / DEPTH] = left_next[i];
#pragma unroll
        for (int i = 0; i < RIGHT; i++) (&right[buffer][0][0])[thread + i * THREADS] = right_next[i];
    };

    const int my_column = thread % (COLUMNS / TC), my_row = thread / (COLUMNS / TC);
    if (first < last) locate(first);
    if (first + 1 < last) locate(first + 1);
    __syncthreads();
    if (first < last) {
        read(first);
        keep(0);
    }
    __syncthreads();
    int buffer = 0;
    for (int chunk = first; chunk < last; chunk++) {
        const bool more = chunk + 1 < last;
        if (more) read(chunk + 1);
        if (chunk + 2 < last) locate(chunk + 2);
        multiply_chunk<ROWS, COLUMNS, TR, TC>(left[buffer], right[buffer], my_row, my_column, sums);
        if (more) {
            keep(buffer ^ 1);
            __syncthreads();
            buffer ^= 1;
        }
    }
#pragma unroll
    for (int i = 0; i < TR; i++) {
        const int r = row + my_row * TR + i;
        if (r >= rows) continue;
#pragma unroll
        for (int j = 0; j < TC; j++) {
            const int at = column + my_column * 4 + (j & ~3) * (COLUMNS / TC) + (j & 3);
            if (at >= columns) continue;
            const int64 where = ((int64)group * rows + r) * columns + at;
            if (splits > 1) parts[(int64)split * groups * rows * columns + where] = sums[i][j];
            else dw[where] = narrow(sums[i][j]);
        }
    }
}

// The second stage of a sum that several blocks have made parts of, always in the same order.
extern "C" __global__ void add_parts(const A* parts, const T* bias, T* y, int size, int splits, int plane, int channels) {
    EACH(i, size) {
        A sum = 0;
        for (int s = 0; s < splits; s++) sum += parts[(int64)s * size + i];
        y[i] = narrow(sum + (bias ? wide(bias[i / plane % channels]) : (A)0));
    }
}

#define TILES(ROWS, COLUMNS, TR, TC, BLOCKS)                                                                                                             \
    extern "C" __global__ void __launch_bounds__((ROWS / TR) * (COLUMNS / TC), BLOCKS) gather_##ROWS##x##COLUMNS(GATHER_PARAMETERS) {                     \
        __shared__ __align__(16) A left[2][DEPTH][ROWS];                                                                                         \
        __shared__ __align__(16) A right[2][DEPTH][COLUMNS];                                                                                     \
        gather<ROWS, COLUMNS, TR, TC>(left, right, x, packed, table, bias, y, parts, groups, rows, padded_rows, padded_depth, images, image_step, \
                                      group_step, in_d, in_h, in_w, part_d, part_h, part_w, step_d, step_h, step_w, start_d, start_h, start_w,    \
                                      pace_d, pace_h, pace_w, out_d, out_h, out_w, splits);                                                       \
    }                                                                                                                                            \
    extern "C" __global__ void __launch_bounds__((ROWS / TR) * (COLUMNS / TC), BLOCKS) weight_##ROWS##x##COLUMNS(WEIGHT_PARAMETERS) {                     \
        __shared__ __align__(16) A left[2][DEPTH][ROWS];                                                                                         \
        __shared__ __align__(16) A right[2][DEPTH][COLUMNS];                                                                                     \
        __shared__ __align__(16) int4 places[2][DEPTH];                                                                                          \
        __shared__ int outs[2][DEPTH];                                                                                                      \
        weight<ROWS, COLUMNS, TR, TC>(left, right, places, outs, x, g, table, dw, parts, groups, rows, columns, images, image_step,            \
                                      group_step, in_d, in_h, in_w, out_d, out_h, out_w, step_d, step_h, step_w, splits);                         \
    }

#ifdef DOUBLE
TILES(32, 64, 4, 4, 4)
#else
TILES(32, 64, 4, 4, 6)
TILES(64, 128, 8, 8, 3)
TILES(128, 128, 8, 8, 1)
#endif

// --- one input channel a group: nothing to multiply matrices for ---------------------------------------------------------------------------

#define CHANNEL_PARAMETERS                                                                                                                       \
    int filters, int multiple, int images, int in_d, int in_h, int in_w, int out_d, int out_h, int out_w, int kernel_d, int kernel_h,            \
        int kernel_w, int stride_d, int stride_h, int stride_w, int dilation_d, int dilation_h, int dilation_w, int pad_d, int pad_h, int pad_w

extern "C" __global__ void depthwise(const T* x, const T* w, const T* bias, T* y, CHANNEL_PARAMETERS) {
    EACH(i, images * filters * out_d * out_h * out_w) {
        const int ow = i % out_w, oh = i / out_w % out_h, od = i / (out_w * out_h) % out_d, plane = i / (out_w * out_h * out_d);
        const int filter = plane % filters, image = plane / filters;
        const T* source = x + (int64)(image * (filters / multiple) + filter / multiple) * in_d * in_h * in_w;
        const T* taps = w + (int64)filter * kernel_d * kernel_h * kernel_w;
        A sum = 0;
        for (int a = 0; a < kernel_d; a++) {
            const int d = od * stride_d - pad_d + a * dilation_d;
            if ((unsigned)d >= (unsigned)in_d) continue;
            for (int b = 0; b < kernel_h; b++) {
                const int h = oh * stride_h - pad_h + b * dilation_h;
                if ((unsigned)h >= (unsigned)in_h) continue;
                for (int c = 0; c < kernel_w; c++) {
                    const int at = ow * stride_w - pad_w + c * dilation_w;
                    if ((unsigned)at < (unsigned)in_w) sum += wide(source[(d * in_h + h) * in_w + at]) * wide(taps[(a * kernel_h + b) * kernel_w + c]);
                }
            }
        }
        y[i] = narrow(sum + (bias ? wide(bias[filter]) : (A)0));
    }
}

extern "C" __global__ void depthwise_input(const T* g, const T* w, const T* bias, T* dx, CHANNEL_PARAMETERS) {
    EACH(i, images * (filters / multiple) * in_d * in_h * in_w) {
        const int iw = i % in_w, ih = i / in_w % in_h, id = i / (in_w * in_h) % in_d, plane = i / (in_w * in_h * in_d);
        const int channel = plane % (filters / multiple), image = plane / (filters / multiple);
        A sum = 0;
        for (int m = 0; m < multiple; m++) {
            const int filter = channel * multiple + m;
            const T* source = g + (int64)(image * filters + filter) * out_d * out_h * out_w;
            const T* taps = w + (int64)filter * kernel_d * kernel_h * kernel_w;
            for (int a = 0; a < kernel_d; a++) {
                const int d = id + pad_d - a * dilation_d;
                if (d < 0 || d % stride_d || d / stride_d >= out_d) continue;
                for (int b = 0; b < kernel_h; b++) {
                    const int h = ih + pad_h - b * dilation_h;
                    if (h < 0 || h % stride_h || h / stride_h >= out_h) continue;
                    for (int c = 0; c < kernel_w; c++) {
                        const int at = iw + pad_w - c * dilation_w;
                        if (at >= 0 && at % stride_w == 0 && at / stride_w < out_w)
                            sum += wide(source[(d / stride_d * out_h + h / stride_h) * out_w + at / stride_w]) * wide(taps[(a * kernel_h + b) * kernel_w + c]);
                    }
                }
            }
        }
        dx[i] = narrow(sum + (bias ? wide(bias[channel]) : (A)0));
    }
}

extern "C" __global__ void depthwise_weight(const T* x, const T* g, T* dw, CHANNEL_PARAMETERS) {  // a block for each tap of each filter
    __shared__ A slots[32];
    const int taps = kernel_d * kernel_h * kernel_w, filter = blockIdx.x / taps, tap = blockIdx.x % taps;
    const int a = tap / (kernel_h * kernel_w), b = tap / kernel_w % kernel_h, c = tap % kernel_w, plane = out_d * out_h * out_w;
    A sum = 0;
    for (int i = threadIdx.x; i < images * plane; i += blockDim.x) {
        const int image = i / plane, p = i % plane;
        const int d = p / (out_h * out_w) * stride_d - pad_d + a * dilation_d, h = p / out_w % out_h * stride_h - pad_h + b * dilation_h;
        const int at = p % out_w * stride_w - pad_w + c * dilation_w;
        if ((unsigned)d < (unsigned)in_d && (unsigned)h < (unsigned)in_h && (unsigned)at < (unsigned)in_w)
            sum += wide(x[((int64)(image * (filters / multiple) + filter / multiple) * in_d + d) * in_h * in_w + h * in_w + at]) * wide(g[(int64)(image * filters + filter) * plane + p]);
    }
    sum = block_sum(sum, slots);
    if (threadIdx.x == 0) dw[blockIdx.x] = narrow(sum);
}
