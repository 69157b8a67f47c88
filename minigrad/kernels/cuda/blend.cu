// Weighted sums of elements that indices name: x (images, channels, plane), weights and indices (images, taps, places). An index below 0 reads 0.

extern "C" __global__ void blend(const T* x, const T* weights, const int64* indices, T* y, int size, int channels, int plane, int taps, int places) {
    EACH(i, size) {
        const int place = i % places, image = i / (places * channels);
        const T* source = x + (int64)(i / places) * plane;
        A sum = 0;
        for (int t = 0; t < taps; t++) {
            const int at = (image * taps + t) * places + place;
            const int64 index = indices[at];
            sum += (index >= 0 ? wide(source[index]) : (A)0) * wide(weights[at]);
        }
        y[i] = narrow(sum);
    }
}

// The gradient of the weights: for each tap of each place the sum over the channels.
extern "C" __global__ void match(const T* g, const T* x, const int64* indices, T* dw, int size, int channels, int plane, int taps, int places) {
    EACH(i, size) {
        const int place = i % places, image = i / (places * taps);
        const int64 index = indices[i];
        A sum = 0;
        for (int c = 0; c < channels && index >= 0; c++) sum += wide(g[(int64)(image * channels + c) * places + place]) * wide(x[(int64)(image * channels + c) * plane + index]);
        dw[i] = narrow(sum);
    }
}

// The gradient of x: each element adds up the taps that read it, which `order` has from starts[element] to starts[element + 1] - 1.
extern "C" __global__ void spread(const T* g, const T* weights, const int64* order, const int64* starts, T* dx, int size, int channels, int plane, int taps, int places) {
    EACH(i, size) {
        const int element = i / (plane * channels) * plane + i % plane;
        const T* slopes = g + (int64)(i / plane) * places;
        A sum = 0;
        for (int64 k = starts[element]; k < starts[element + 1]; k++) sum += wide(slopes[order[k] % places]) * wide(weights[order[k]]);
        dx[i] = narrow(sum);
    }
}
