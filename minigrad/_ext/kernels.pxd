from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "csrc/status.h" nogil:
    ctypedef enum status:
        OK
        NO_MEMORY
        INTERRUPTED
        BAD_INDEX


cdef extern from "csrc/denormal.h" nogil:
    enum:
        FLUSH_DENORMALS
    unsigned long long float_modes()
    void set_float_modes(unsigned long long modes)


cdef extern from "csrc/scratch.h" nogil:
    size_t scratch_refused() noexcept
    void *scratch_set_aside() noexcept
    void scratch_put_back(void *buffers) noexcept


cdef extern from "csrc/shapes.h" nogil:
    ctypedef enum conv_algorithm:
        AUTOMATIC
        DIRECT
        WINOGRAD_2
        WINOGRAD_4

    ctypedef struct conv_choice:
        int method
        double direct, winograd_2, winograd_4

    ctypedef struct conv_report:
        int count
        conv_choice[64] choice

    ctypedef struct conv_finish:
        const void *scale
        const void *shift
        const void *residual
        double low, high

    ctypedef struct kept_filters:
        void *memory
        size_t bytes
        const void *layout

    ctypedef struct conv_shape:
        ptrdiff_t batch, groups
        ptrdiff_t in_channels, out_channels
        ptrdiff_t[3] input "in"
        ptrdiff_t[3] out, kernel, stride, dilation, before
        conv_algorithm algorithm
        conv_report *report
        const conv_finish *finish
        kept_filters *kept

    ctypedef struct finished_filters:
        const void *filter
        const void *bias
        const void *mean
        const void *var
        double eps
        conv_finish finish

    ctypedef struct separable_shape:
        ptrdiff_t batch, in_channels, channels, out_channels
        ptrdiff_t[3] input "in"
        ptrdiff_t[3] out, kernel, stride, dilation, before
        finished_filters widen, filter, narrow
        kept_filters *kept

    ctypedef struct pool_shape:
        ptrdiff_t planes
        ptrdiff_t[3] input "in"
        ptrdiff_t[3] out, kernel, stride, dilation, before

    ctypedef struct matmul_shape:
        ptrdiff_t batch, rows, columns, depth
        const ptrdiff_t *left_start
        const ptrdiff_t *right_start
        ptrdiff_t left_row, left_step, right_step, right_column

    ctypedef enum rectifier:
        NO_RECTIFIER
        RELU
        LEAKY_RELU

    ctypedef struct norm_shape:
        ptrdiff_t sets, inner, outer_stride, inner_stride
        ptrdiff_t parts, part_stride, length
        ptrdiff_t weight_set, weight_part, weight_element
        int centred
        double eps
        rectifier rectified
        double slope


cdef extern from "csrc/maps.h" nogil:
    const char **unary_names
    const char **binary_names
    const int unary_count, binary_count


cdef extern from "csrc/instructions.h" nogil:
    enum:
        OPERATIONS
        FORMULA_ARRAYS
        FORMULA_SCRATCH

    ctypedef struct instruction:
        int32_t operation, out, a, b, c

    ctypedef struct formula:
        ptrdiff_t arrays, constants, temporaries, length
        const instruction *code


cdef extern from "csrc/kernels.h" nogil:
    ctypedef struct kernel_table:
        status (*conv)(const conv_shape *, const void *, const void *, const void *, void *) noexcept nogil
        status (*conv_input)(const conv_shape *, const void *, const void *, const void *, void *) noexcept nogil
        status (*conv_weight)(const conv_shape *, const void *, const void *, void *) noexcept nogil
        status (*separable)(const separable_shape *, const void *, void *) noexcept nogil
        status (*matmul)(const matmul_shape *, const void *, const void *, const void *, void *) noexcept nogil
        status (*max_pool)(const pool_shape *, const void *, void *, int64_t *) noexcept nogil
        status (*sum_pool)(const pool_shape *, const void *, void *) noexcept nogil
        status (*sum_pool_input)(const pool_shape *, const void *, void *) noexcept nogil
        status (*pool_scatter)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const int64_t *, void *) noexcept nogil
        status (*max_unpool)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const int64_t *, void *) noexcept nogil
        status (*pool_gather)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const int64_t *, void *) noexcept nogil
        status (*evaluate)(const formula *, const double *, ptrdiff_t, const ptrdiff_t *, void **) noexcept nogil
        status (*sum_of_squares)(ptrdiff_t, const ptrdiff_t *, void **, double *) noexcept nogil
        status (*norm)(const norm_shape *, const void *, const void *, const void *, const void *, void *, void *,
                       void *) noexcept nogil
        status (*norm_input)(const norm_shape *, const void *, const void *, const void *, const void *, const void *,
                             const void *, const void *, void *, void *, void *, void *) noexcept nogil
        status (*scale_channels)(ptrdiff_t, ptrdiff_t, ptrdiff_t, rectifier, double, const void *, const void *,
                                 const void *, const void *, void *) noexcept nogil
        status (*softmax)(ptrdiff_t, ptrdiff_t, ptrdiff_t, int, const void *, void *) noexcept nogil
        status (*softmax_input)(ptrdiff_t, ptrdiff_t, ptrdiff_t, int, const void *, const void *, void *) noexcept nogil
        status (*cross_entropy)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const int64_t *, const void *, int64_t,
                                void *, void *, void *) noexcept nogil
        status (*cross_entropy_input)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, int, const void *, const int64_t *,
                                      const void *, int64_t, const void *, const void *, void *) noexcept nogil
        status (*map_unary)(int, ptrdiff_t, const void *, double, double, void *) noexcept nogil
        status (*map_binary)(int, ptrdiff_t, int, const void *, int, const void *, double, double,
                             void *) noexcept nogil
        status (*sum_outer_inner)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, void *) noexcept nogil
        status (*add_rows)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const int64_t *, const void *, void *) noexcept nogil
        status (*resample)(ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t, const int64_t *, const int64_t *,
                           const double *, const void *, void *) noexcept nogil
        status (*dropout)(ptrdiff_t, uint64_t, uint32_t, double, const void *, void *) noexcept nogil

    ctypedef struct instruction_set:
        const char *name
        int (*supported)() noexcept nogil
        const kernel_table *kernels_float
        const kernel_table *kernels_double

    const instruction_set *instruction_sets
    const int instruction_set_count


cdef extern from "csrc/threads.h" nogil:
    void set_interruption(int (*asked)() noexcept nogil)
    void set_uninterrupted(int on)
    void c_set_num_threads "set_num_threads"(int threads)
    int c_get_num_threads "get_num_threads"()


cdef extern from "csrc/memory.h" nogil:
    enum:
        MEMORY_LARGE

    ctypedef struct memory_counts:
        size_t in_use, in_use_peak, reserved, reserved_peak, blocks, taken, mappings

    memory_counts memory_count()
    void memory_trim()
    void memory_reset_peaks()
