# Matrix products.

def matmul(a, b, bias=None):
    """The matrix products of a (*batch, N, K) and b (*batch, K, M), plus bias (M,) or None.

    The axes before the last two are broadcast; any strides are read in place. Shapes: (*batch, N, M). Raises TypeError
    and ValueError for arrays that do not fit together.
    """
    cdef matmul_shape shape
    cdef const kernel_table *kernels = _matrix_kernels(a, b)
    cdef cnp.ndarray left = a
    cdef cnp.ndarray right = b
    cdef int left_axes = cnp.PyArray_NDIM(left)
    cdef int right_axes = cnp.PyArray_NDIM(right)
    cdef ptrdiff_t itemsize = cnp.PyArray_ITEMSIZE(left)
    shape.rows = cnp.PyArray_DIM(left, left_axes - 2)
    shape.depth = cnp.PyArray_DIM(left, left_axes - 1)
    shape.columns = cnp.PyArray_DIM(right, right_axes - 1)
    if cnp.PyArray_DIM(right, right_axes - 2) != shape.depth:
        raise ValueError(f"matmul: the inner lengths differ: shapes {a.shape} and {b.shape}")
    shape.left_row = cnp.PyArray_STRIDE(left, left_axes - 2) // itemsize
    shape.left_step = cnp.PyArray_STRIDE(left, left_axes - 1) // itemsize
    shape.right_step = cnp.PyArray_STRIDE(right, right_axes - 2) // itemsize
    shape.right_column = cnp.PyArray_STRIDE(right, right_axes - 1) // itemsize
    if bias is not None:
        _check_array_of("matmul", "bias", bias, a)
        if cnp.PyArray_NDIM(bias) != 1 or cnp.PyArray_DIM(bias, 0) != shape.columns:
            raise ValueError(f"matmul: expected the shape of bias to be {(shape.columns,)}, but got {bias.shape}")
    cdef void *bias_data = NULL if bias is None else cnp.PyArray_DATA(bias)

    cdef ptrdiff_t none = 0
    cdef ptrdiff_t *starts = NULL
    shape.left_start = shape.right_start = &none
    shape.batch = 1
    if left_axes == 2 and right_axes == 2:
        c = _empty((shape.rows, shape.columns), cnp.PyArray_TYPE(a))
    elif right_axes == 2 and _rows_follow(left):
        c = _empty((*a.shape[: left_axes - 1], shape.columns), cnp.PyArray_TYPE(a))
        for axis in range(left_axes - 2):
            shape.rows *= cnp.PyArray_DIM(left, axis)
    else:
        outer = numpy.broadcast_shapes(a.shape[: left_axes - 2], b.shape[: right_axes - 2])
        c = _empty((*outer, shape.rows, shape.columns), cnp.PyArray_TYPE(a))
        for length in outer:
            shape.batch *= length
        if shape.batch == 0:  # of a table of no matrices, even lines of it would not fit
            return c
        starts = <ptrdiff_t *> malloc(2 * (<size_t> shape.batch + 1) * sizeof(ptrdiff_t))
        if starts == NULL:
            raise MemoryError(f"matmul: no memory for a table of {shape.batch} matrices")
        _find_starts(left, outer, itemsize, starts)
        _find_starts(right, outer, itemsize, starts + shape.batch)
        shape.left_start = starts
        shape.right_start = starts + shape.batch
    cdef void *a_data = cnp.PyArray_DATA(left)
    cdef void *b_data = cnp.PyArray_DATA(right)
    cdef void *c_data = cnp.PyArray_DATA(c)
    cdef status result
    with nogil:
        result = kernels.matmul(&shape, a_data, b_data, bias_data, c_data)
    free(starts)
    _check_status("matmul", result)
    return c


def in_steps(cnp.ndarray array):
    """Is the array aligned, in native byte order and in steps of whole elements, as matmul reads it?"""
    cdef int axis
    if not cnp.PyArray_ISBEHAVED_RO(array):
        return False
    for axis in range(cnp.PyArray_NDIM(array)):
        if cnp.PyArray_STRIDE(array, axis) % cnp.PyArray_ITEMSIZE(array) != 0:
            return False
    return True


cdef const kernel_table *_matrix_kernels(a, b) except NULL:
    """The kernels for two arrays of matrices, of any strides that are whole elements."""
    cdef const kernel_table *kernels = _matrix_kernels_of("a", a, a)
    _matrix_kernels_of("b", b, a)
    return kernels


cdef const kernel_table *_matrix_kernels_of(str name, array, like) except NULL:
    if not isinstance(array, numpy.ndarray) or cnp.PyArray_TYPE(array) != cnp.PyArray_TYPE(like):
        raise TypeError(f"matmul: expected {name} to be an array of {_kind(like)}, but got {_kind(array)}")
    if cnp.PyArray_NDIM(array) < 2:
        raise ValueError(f"matmul: expected {name} to have at least 2 axes, but got shape {array.shape}")
    if not in_steps(array):
        raise ValueError(f"matmul: expected {name} to be aligned, in native byte order and in steps of whole elements")
    return _kernels_of("matmul", name, array)


cdef bint _rows_follow(cnp.ndarray array) noexcept:
    """Do all rows lie in equal steps, so that the matrices of the batch are one?"""
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(array) - 2):
        if cnp.PyArray_STRIDE(array, axis) != cnp.PyArray_STRIDE(array, axis + 1) * cnp.PyArray_DIM(array, axis + 1):
            return False
    return True


cdef int _find_starts(cnp.ndarray array, tuple outer, ptrdiff_t itemsize, ptrdiff_t *starts) except -1:
    """Where each matrix of the broadcast batch begins, in elements."""
    cdef ptrdiff_t count = 1
    cdef ptrdiff_t length, stride, i, j
    cdef int axis
    cdef int missing = len(outer) + 2 - cnp.PyArray_NDIM(array)
    starts[0] = 0
    for axis in range(<int> len(outer)):
        length = outer[axis]
        stride = 0
        if axis >= missing and cnp.PyArray_DIM(array, axis - missing) != 1:
            stride = cnp.PyArray_STRIDE(array, axis - missing) // itemsize
        for i in range(count - 1, -1, -1):
            for j in range(length - 1, -1, -1):
                starts[i * length + j] = starts[i] + j * stride
        count *= length
    return 0
