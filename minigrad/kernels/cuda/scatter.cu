// What several sources bring to one place. `order` sorts the sources by place and keeps their order within one; those of place p
// are order[starts[p]] to order[starts[p + 1] - 1], each a line of `width` elements.
extern "C" __global__ void segment_sum(const T* x, const int64* order, const int64* starts, const T* base, T* y, int places, int width) {
    EACH(i, places * width) {
        const int place = i / width, column = i % width;
        A sum = base ? wide(base[i]) : (A)0;
        for (int64 k = starts[place]; k < starts[place + 1]; k++) sum += wide(x[order[k] * width + column]);
        y[i] = narrow(sum);
    }
}

extern "C" __global__ void segment_last(const T* x, const int64* order, const int64* starts, T* y, int places) {
    EACH(i, places) y[i] = starts[i + 1] > starts[i] ? x[order[starts[i + 1] - 1]] : narrow(0);
}
