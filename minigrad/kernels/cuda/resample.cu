// Resampling along three axes at once: each element is a sum over the taps of its row of each axis, which starts[row] to starts[row + 1] - 1 hold.

extern "C" __global__ void resample(const T* x, T* y, int size, int in_d, int in_h, int in_w, int out_d, int out_h, int out_w,
                                    const int* starts_d, const int* columns_d, const A* weights_d, const int* starts_h, const int* columns_h,
                                    const A* weights_h, const int* starts_w, const int* columns_w, const A* weights_w) {
    EACH(i, size) {
        const int w = i % out_w, h = i / out_w % out_h, d = i / (out_w * out_h) % out_d;
        const T* plane = x + (int64)(i / (out_w * out_h * out_d)) * in_d * in_h * in_w;
        A sum = 0;
        for (int a = starts_d[d]; a < starts_d[d + 1]; a++)
            for (int b = starts_h[h]; b < starts_h[h + 1]; b++) {
                const T* row = plane + (columns_d[a] * in_h + columns_h[b]) * in_w;
                A part = 0;
                for (int c = starts_w[w]; c < starts_w[w + 1]; c++) part += weights_w[c] * wide(row[columns_w[c]]);
                sum += weights_d[a] * weights_h[b] * part;
            }
        y[i] = narrow(sum);
    }
}
