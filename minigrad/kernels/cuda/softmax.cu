// Softmax and cross entropy along one axis of x (outer, length, inner): a block a line where the line is contiguous, else a thread a line.

#define LINE(BY_BLOCK)                                                                                                                           \
    const int line = BY_BLOCK ? blockIdx.x : blockIdx.x * blockDim.x + threadIdx.x;                                                              \
    if (line >= lines) return;                                                                                                                   \
    const int begin = BY_BLOCK ? threadIdx.x : 0, pace = BY_BLOCK ? blockDim.x : 1;                                                               \
    const int64 start = (int64)(line / inner) * length * inner + line % inner

template <bool BY_BLOCK> __device__ __forceinline__ A total(A value, A* slots) { return BY_BLOCK ? block_sum(value, slots) : value; }
template <bool BY_BLOCK> __device__ __forceinline__ A most(A value, A* slots) { return BY_BLOCK ? block_max(value, slots) : value; }

// The largest element of a line, and the sum of the exponentials of what the others lack of it.
template <bool BY_BLOCK>
__device__ __forceinline__ void normaliser(A* slots, const T* x, int begin, int pace, int length, int inner, A& largest, A& sum) {
    largest = -INFINITY_OF_A;
    sum = 0;
    for (int i = begin; i < length; i += pace) {
        const A value = wide(x[(int64)i * inner]);
        largest = value > largest || value != value ? value : largest;
    }
    largest = most<BY_BLOCK>(largest, slots);
    for (int i = begin; i < length; i += pace) sum += exp(wide(x[(int64)i * inner]) - largest);
    sum = total<BY_BLOCK>(sum, slots);
}

template <bool BY_BLOCK> __device__ __forceinline__ void softmax(A* slots, const T* x, T* y, int lines, int length, int inner, int logarithm) {
    LINE(BY_BLOCK);
    A largest, sum;
    normaliser<BY_BLOCK>(slots, x + start, begin, pace, length, inner, largest, sum);
    const A log_sum = log(sum);
    for (int i = begin; i < length; i += pace) {
        const A shifted = wide(x[start + (int64)i * inner]) - largest;
        y[start + (int64)i * inner] = narrow(logarithm ? shifted - log_sum : exp(shifted) / sum);
    }
}

template <bool BY_BLOCK> __device__ __forceinline__ void softmax_input(A* slots, const T* g, const T* y, T* dx, int lines, int length, int inner, int logarithm) {
    LINE(BY_BLOCK);
    A sum = 0;
    for (int i = begin; i < length; i += pace) {
        const int64 at = start + (int64)i * inner;
        sum += logarithm ? wide(g[at]) : wide(g[at]) * wide(y[at]);
    }
    sum = total<BY_BLOCK>(sum, slots);
    for (int i = begin; i < length; i += pace) {
        const int64 at = start + (int64)i * inner;
        dx[at] = narrow(logarithm ? wide(g[at]) - exp(wide(y[at])) * sum : wide(y[at]) * (wide(g[at]) - sum));
    }
}

// A target that is no class gives NaN: the host does not wait to see it.
template <bool BY_BLOCK>
__device__ __forceinline__ void cross_entropy(A* slots, const T* x, const int64* target, const T* weight, T* loss, T* largest_of, T* log_sum_of, int lines, int length, int inner, int64 ignored) {
    LINE(BY_BLOCK);
    A largest, sum;
    normaliser<BY_BLOCK>(slots, x + start, begin, pace, length, inner, largest, sum);
    if (begin == 0) {
        const int64 c = target[line];
        const A log_sum = log(sum);
        const bool right = c >= 0 && c < length;
        const A found = right ? (largest - wide(x[start + c * inner]) + log_sum) * (weight ? wide(weight[c]) : (A)1) : INFINITY_OF_A - INFINITY_OF_A;
        loss[line] = narrow(c == ignored ? (A)0 : found);
        largest_of[line] = narrow(largest);
        log_sum_of[line] = narrow(log_sum);
    }
}

extern "C" __global__ void cross_entropy_input(const T* g, const T* x, const int64* target, const T* weight, const T* largest, const T* log_sum, T* dx, int size, int length, int inner, int g_step, int64 ignored) {
    EACH(i, size) {
        const int line = i / (length * inner) * inner + i % inner, c = i / inner % length;
        const int64 right = target[line];
        A slope = 0;
        if (right != ignored) {
            const bool fits = right >= 0 && right < length;
            const A factor = wide(g[line * g_step]) * (weight && fits ? wide(weight[right]) : (A)1);
            slope = fits ? factor * (exp(wide(x[i]) - wide(largest[line]) - wide(log_sum[line])) - (c == right ? (A)1 : (A)0)) : INFINITY_OF_A - INFINITY_OF_A;
        }
        dx[i] = narrow(slope);
    }
}

#define FORMS(suffix, BY_BLOCK)                                                                                                                  \
    extern "C" __global__ void softmax_##suffix(const T* x, T* y, int lines, int length, int inner, int logarithm) {                              \
        __shared__ A slots[32];                                                                                                                  \
        softmax<BY_BLOCK>(slots, x, y, lines, length, inner, logarithm);                                                                         \
    }                                                                                                                                            \
    extern "C" __global__ void softmax_input_##suffix(const T* g, const T* y, T* dx, int lines, int length, int inner, int logarithm) {            \
        __shared__ A slots[32];                                                                                                                  \
        softmax_input<BY_BLOCK>(slots, g, y, dx, lines, length, inner, logarithm);                                                               \
    }                                                                                                                                            \
    extern "C" __global__ void cross_entropy_##suffix(const T* x, const int64* target, const T* weight, T* loss, T* largest, T* log_sum, int lines, int length, int inner, int64 ignored) { \
        __shared__ A slots[32];                                                                                                                  \
        cross_entropy<BY_BLOCK>(slots, x, target, weight, loss, largest, log_sum, lines, length, inner, ignored);                                \
    }

FORMS(rows, true)
FORMS(lines, false)
