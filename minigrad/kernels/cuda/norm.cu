// Normalisation. Rows lie one after the other in memory (group and layer norm: a block a row); channels do not (batch norm: several blocks each
// reduce a part of a channel, and every block of the second kernel adds the parts up again in the same order).

#define SCALE(w, i) ((w) ? wide((w)[i]) : (A)1)
#define SHIFT(b, i) ((b) ? wide((b)[i]) : (A)0)

extern "C" __global__ void row_norm(const T* x, const T* weight, const T* bias, T* y, T* means, T* variances, int length, int inner, int channels, int centred, double eps) {
    __shared__ A slots[32];
    const int64 start = (int64)blockIdx.x * length;
    A sum = 0;
    if (centred) {
        for (int i = threadIdx.x; i < length; i += blockDim.x) sum += wide(x[start + i]);
        sum = block_sum(sum, slots);
    }
    const A mean = sum / length;
    A squares = 0;
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
        const A away = wide(x[start + i]) - mean;
        squares += away * away;
    }
    squares = block_sum(squares, slots);
    const A variance = squares / length, scale = 1 / sqrt(variance + (A)eps);
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
        const int c = (int)((start + i) / inner % channels);
        y[start + i] = narrow((wide(x[start + i]) - mean) * scale * SCALE(weight, c) + SHIFT(bias, c));
    }
    if (threadIdx.x == 0) {
        means[blockIdx.x] = narrow(mean);
        variances[blockIdx.x] = narrow(variance);
    }
}

extern "C" __global__ void row_norm_input(const T* g, const T* x, const T* weight, const T* means, const T* variances, T* dx, int length, int inner, int channels, int centred, double eps) {
    __shared__ A slots[32];
    const int64 start = (int64)blockIdx.x * length;
    const A mean = wide(means[blockIdx.x]), scale = 1 / sqrt(wide(variances[blockIdx.x]) + (A)eps);
    A sum = 0, product = 0;
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
        const A weighted = wide(g[start + i]) * SCALE(weight, (int)((start + i) / inner % channels));
        sum += weighted;
        product += weighted * (wide(x[start + i]) - mean) * scale;
    }
    sum = centred ? block_sum(sum, slots) / length : (A)0;
    product = block_sum(product, slots) / length;
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
        const A weighted = wide(g[start + i]) * SCALE(weight, (int)((start + i) / inner % channels)), hat = (wide(x[start + i]) - mean) * scale;
        dx[start + i] = narrow((weighted - sum - hat * product) * scale);
    }
}

// The sums of g * hat and of g for each of `channels` positions of x (outer, channels, inner), whose rows of `length` have the moments.
extern "C" __global__ void parameter_sums(const T* g, const T* x, const T* means, const T* variances, T* dw, T* db, int outer, int channels, int inner, int length, double eps) {
    __shared__ A slots[32];
    A product = 0, sum = 0;
    for (int i = threadIdx.x; i < outer * inner; i += blockDim.x) {
        const int64 at = ((int64)(i / inner) * channels + blockIdx.x) * inner + i % inner;
        const int row = (int)(at / length);
        const A slope = wide(g[at]);
        sum += slope;
        product += slope * (wide(x[at]) - wide(means[row])) / sqrt(wide(variances[row]) + (A)eps);
    }
    product = block_sum(product, slots);
    sum = block_sum(sum, slots);
    if (threadIdx.x == 0) {
        dw[blockIdx.x] = narrow(product);
        db[blockIdx.x] = narrow(sum);
    }
}

// The same where neighbours in memory belong to neighbouring channels (inner = 1): 32 of them a block, whose 8 lines of threads share the rows.
extern "C" __global__ void parameter_columns(const T* g, const T* x, const T* means, const T* variances, T* dw, T* db, int rows, int channels, double eps) {
    __shared__ A products[8][33];
    __shared__ A sums[8][33];
    const int lane = threadIdx.x % 32, line = threadIdx.x / 32, channel = blockIdx.x * 32 + lane;
    A product = 0, sum = 0;
    if (channel < channels)
        for (int row = line; row < rows; row += 8) {
            const int64 at = (int64)row * channels + channel;
            const A slope = wide(g[at]);
            sum += slope;
            product += slope * (wide(x[at]) - wide(means[row])) / sqrt(wide(variances[row]) + (A)eps);
        }
    products[line][lane] = product;
    sums[line][lane] = sum;
    __syncthreads();
    if (line == 0 && channel < channels) {
        for (int i = 1; i < 8; i++) {
            product += products[i][lane];
            sum += sums[i][lane];
        }
        dw[channel] = narrow(product);
        db[channel] = narrow(sum);
    }
}

// --- batch norm ----------------------------------------------------------------------------------------------------------------------------

#define PART(total) \
    const int channel = blockIdx.x, first = (int)((int64)(total) * blockIdx.y / gridDim.y), last = (int)((int64)(total) * (blockIdx.y + 1) / gridDim.y)
#define PLACE(i) (((int64)((i) / inner) * channels + channel) * inner + (i) % inner)
// Before the rectifier. Forward and backward compute it alike, by the moments as they are handed out, so that its sign need not be kept.
#define BEFORE(i) (fma(wide(x[PLACE(i)]) - mean, factor, shift) + SHIFT(residual, PLACE(i)))
#define SLOPE(i) (rectifier ? passed(wide(g[PLACE(i)]), BEFORE(i), rectifier, (A)below) : wide(g[PLACE(i)]))

enum { NOTHING, RELU, LEAKY_RELU };  // what `rectifier` stands for; `below` is the slope of the last below 0

// A NaN stays one.
__device__ __forceinline__ A rectified(A y, int rectifier, A below) {
    return rectifier == RELU ? (y <= 0 ? (A)0 : y) : rectifier == LEAKY_RELU ? (y > 0 ? y : y * below) : y;
}
__device__ __forceinline__ A passed(A g, A y, int rectifier, A below) {
    return rectifier == RELU ? (y <= 0 ? (A)0 : g) : y > 0 ? g : g * below;
}
__device__ __forceinline__ A scale_of(A variance, double eps) { return 1 / sqrt(variance + (A)eps); }

extern "C" __global__ void batch_moments(const T* x, A* parts, int outer, int channels, int inner) {
    __shared__ A slots[32];
    PART(outer * inner);
    A sum = 0, squares = 0;
    for (int i = first + threadIdx.x; i < last; i += blockDim.x) sum += wide(x[PLACE(i)]);
    const A mean = last > first ? block_sum(sum, slots) / (last - first) : (A)0;
    for (int i = first + threadIdx.x; i < last; i += blockDim.x) {
        const A away = wide(x[PLACE(i)]) - mean;
        squares += away * away;
    }
    squares = block_sum(squares, slots);
    if (threadIdx.x == 0) {
        parts[(blockIdx.x * gridDim.y + blockIdx.y) * 2] = mean;
        parts[(blockIdx.x * gridDim.y + blockIdx.y) * 2 + 1] = squares;
    }
}

extern "C" __global__ void batch_norm(const T* x, const A* parts, const T* weight, const T* bias, const T* residual, T* y, T* means, T* variances, int outer, int channels, int inner, int splits, int rectifier, double below, double eps) {
    const int total = outer * inner;
    PART(total);
    A middle = 0, squares = 0;
    for (int s = 0; s < splits; s++) {  // Chan, Golub and LeVeque, 1979
        const int before = (int)((int64)total * s / splits), size = (int)((int64)total * (s + 1) / splits) - before;
        if (size == 0) continue;
        const A away = parts[(channel * splits + s) * 2] - middle;
        middle += away * size / (before + size);
        squares += parts[(channel * splits + s) * 2 + 1] + away * away * ((A)before * size / (before + size));
    }
    const T handed_mean = narrow(middle), handed_variance = narrow(squares / total);
    const A mean = wide(handed_mean), factor = SCALE(weight, channel) * scale_of(wide(handed_variance), eps), shift = SHIFT(bias, channel);
    for (int i = first + threadIdx.x; i < last; i += blockDim.x) y[PLACE(i)] = narrow(rectified(BEFORE(i), rectifier, (A)below));
    if (threadIdx.x == 0 && blockIdx.y == 0) {
        means[channel] = handed_mean;
        variances[channel] = handed_variance;
    }
}

extern "C" __global__ void batch_slopes(const T* g, const T* x, const T* weight, const T* bias, const T* residual, const T* means, const T* variances, A* parts, int outer, int channels, int inner, int rectifier, double below, double eps) {
    __shared__ A slots[32];
    PART(outer * inner);
    const A mean = wide(means[channel]), scale = scale_of(wide(variances[channel]), eps), factor = SCALE(weight, channel) * scale, shift = SHIFT(bias, channel);
    A product = 0, sum = 0;
    for (int i = first + threadIdx.x; i < last; i += blockDim.x) {
        const A slope = SLOPE(i);
        sum += slope;
        product += slope * (wide(x[PLACE(i)]) - mean) * scale;
    }
    product = block_sum(product, slots);
    sum = block_sum(sum, slots);
    if (threadIdx.x == 0) {
        parts[(blockIdx.x * gridDim.y + blockIdx.y) * 2] = product;
        parts[(blockIdx.x * gridDim.y + blockIdx.y) * 2 + 1] = sum;
    }
}

extern "C" __global__ void batch_norm_input(const T* g, const T* x, const T* weight, const T* bias, const T* residual, const T* means, const T* variances, const A* parts, T* dx, T* dw, T* db, T* dr, int outer, int channels, int inner, int splits, int rectifier, double below, double eps) {
    const int total = outer * inner;
    PART(total);
    A product = 0, sum = 0;
    for (int s = 0; s < splits; s++) {
        product += parts[(channel * splits + s) * 2];
        sum += parts[(channel * splits + s) * 2 + 1];
    }
    const A mean = wide(means[channel]), scale = scale_of(wide(variances[channel]), eps), factor = SCALE(weight, channel) * scale, shift = SHIFT(bias, channel);
    for (int i = first + threadIdx.x; i < last; i += blockDim.x) {
        const A hat = (wide(x[PLACE(i)]) - mean) * scale, slope = SLOPE(i);
        dx[PLACE(i)] = narrow((slope - sum / total - hat * product / total) * factor);
        if (dr) dr[PLACE(i)] = narrow(slope);
    }
    if (threadIdx.x == 0 && blockIdx.y == 0) {
        dw[channel] = narrow(product);
        db[channel] = narrow(sum);
    }
}

extern "C" __global__ void scale_channels(const T* x, const T* scale, const T* shift, const T* residual, T* y, int size, int channels, int inner, int rectifier, double below) {
    EACH(i, size) {
        const int c = i / inner % channels;
        y[i] = narrow(rectified(wide(x[i]) * wide(scale[c]) + SHIFT(shift, c) + SHIFT(residual, i), rectifier, (A)below));
    }
}
