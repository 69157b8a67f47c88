// Pooling in three dimensions, and moving values to and from the places that indices name. Every sum is gathered: no atomics, one order.

#define WINDOW_PARAMETERS                                                                                                                        \
    int planes, int in_d, int in_h, int in_w, int out_d, int out_h, int out_w, int kernel_d, int kernel_h, int kernel_w, int stride_d,           \
        int stride_h, int stride_w, int dilation_d, int dilation_h, int dilation_w, int pad_d, int pad_h, int pad_w

// Calls `visit(flat index in the input plane)` for each tap of window `i` that falls on the input, the taps in order.
#define VISIT_TAPS(i, visit)                                                                                                                     \
    const int ow = i % out_w, oh = i / out_w % out_h, od = i / (out_w * out_h) % out_d;                                                          \
    for (int a = 0; a < kernel_d; a++) {                                                                                                         \
        const int d = od * stride_d - pad_d + a * dilation_d;                                                                                    \
        if ((unsigned)d >= (unsigned)in_d) continue;                                                                                             \
        for (int b = 0; b < kernel_h; b++) {                                                                                                     \
            const int h = oh * stride_h - pad_h + b * dilation_h;                                                                                \
            if ((unsigned)h >= (unsigned)in_h) continue;                                                                                         \
            for (int c = 0; c < kernel_w; c++) {                                                                                                 \
                const int at = ow * stride_w - pad_w + c * dilation_w;                                                                           \
                if ((unsigned)at < (unsigned)in_w) { visit((d * in_h + h) * in_w + at); }                                                        \
            }                                                                                                                                    \
        }                                                                                                                                        \
    }

// Calls `visit(flat index in the output plane)` for each window one of whose taps falls on element `i` of the input.
#define VISIT_WINDOWS(i, visit)                                                                                                                  \
    const int iw = i % in_w, ih = i / in_w % in_h, id = i / (in_w * in_h) % in_d;                                                                \
    for (int a = 0; a < kernel_d; a++) {                                                                                                         \
        const int d = id + pad_d - a * dilation_d;                                                                                               \
        if (d < 0 || d % stride_d || d / stride_d >= out_d) continue;                                                                            \
        for (int b = 0; b < kernel_h; b++) {                                                                                                     \
            const int h = ih + pad_h - b * dilation_h;                                                                                           \
            if (h < 0 || h % stride_h || h / stride_h >= out_h) continue;                                                                        \
            for (int c = 0; c < kernel_w; c++) {                                                                                                 \
                const int at = iw + pad_w - c * dilation_w;                                                                                      \
                if (at >= 0 && at % stride_w == 0 && at / stride_w < out_w) { visit((d / stride_d * out_h + h / stride_h) * out_w + at / stride_w); } \
            }                                                                                                                                    \
        }                                                                                                                                        \
    }

extern "C" __global__ void max_pool(const T* x, T* y, int64* indices, WINDOW_PARAMETERS) {
    EACH(i, planes * out_d * out_h * out_w) {
        const T* plane = x + (int64)(i / (out_d * out_h * out_w)) * in_d * in_h * in_w;
        A most = 0;
        int found = -1;
        auto visit = [&](int at) {
            const A value = wide(plane[at]);
            if (found < 0 || value > most || value != value) {
                most = value;
                found = at;
            }
        };
        VISIT_TAPS(i, visit)
        y[i] = narrow(most);
        indices[i] = found;
    }
}

// The gradient of max_pool: an element of the input gets what the windows give whose maximum it is.
extern "C" __global__ void max_pool_input(const T* g, const int64* indices, T* dx, WINDOW_PARAMETERS) {
    EACH(i, planes * in_d * in_h * in_w) {
        const int64 first = (int64)(i / (in_d * in_h * in_w)) * out_d * out_h * out_w;
        const int me = i % (in_d * in_h * in_w);
        A sum = 0;
        auto visit = [&](int at) {
            if (indices[first + at] == me) sum += wide(g[first + at]);
        };
        VISIT_WINDOWS(i, visit)
        dx[i] = narrow(sum);
    }
}

extern "C" __global__ void sum_pool(const T* x, T* y, WINDOW_PARAMETERS) {
    EACH(i, planes * out_d * out_h * out_w) {
        const T* plane = x + (int64)(i / (out_d * out_h * out_w)) * in_d * in_h * in_w;
        A sum = 0;
        auto visit = [&](int at) { sum += wide(plane[at]); };
        VISIT_TAPS(i, visit)
        y[i] = narrow(sum);
    }
}

extern "C" __global__ void sum_pool_input(const T* g, T* dx, WINDOW_PARAMETERS) {
    EACH(i, planes * in_d * in_h * in_w) {
        const T* plane = g + (int64)(i / (in_d * in_h * in_w)) * out_d * out_h * out_w;
        A sum = 0;
        auto visit = [&](int at) { sum += wide(plane[at]); };
        VISIT_WINDOWS(i, visit)
        dx[i] = narrow(sum);
    }
}

extern "C" __global__ void pool_gather(const T* x, const int64* indices, T* y, int size, int plane, int in_plane) {
    EACH(i, size) y[i] = (uint64)indices[i] < (uint64)in_plane ? x[(int64)(i / plane) * in_plane + indices[i]] : narrow(0);
}
