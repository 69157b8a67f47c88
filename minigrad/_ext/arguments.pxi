# What the functions check before C reads: types, layouts and sizes. These checks come before anything looks at a shape:
# without bounds checks, indexing a short tuple is a crash.

cdef ptrdiff_t LARGEST_SIZE = 2**31 - 1  # C multiplies and adds such numbers in 64 bits


cdef const kernel_table *_kernels_for(str op, str name, array) except NULL:
    """The kernels for the dtype of an operation's first array, which has one to three axes in the plane."""
    cdef const kernel_table *kernels = _float_kernels(op, name, array)
    if not 3 <= array.ndim <= 5:
        raise ValueError(f"{op}: expected {name} to have 3 to 5 axes, but got shape {array.shape}")
    return kernels


cdef const kernel_table *_float_kernels(str op, str name, array) except NULL:
    """The kernels for the dtype of an array of any shape."""
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"{op}: expected {name} to be a numpy.ndarray, but got {type(array).__name__}")
    _check_layout(op, name, array)
    return _kernels_of(op, name, array)


cdef const kernel_table *_kernels_of(str op, str name, array) except NULL:
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32:
        return chosen.kernels_float
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64:
        return chosen.kernels_double
    raise TypeError(f"{op}: expected {name} to be float32 or float64, but got {array.dtype}")


cdef int _check_array_of(str op, str name, array, like) except -1:
    """Another array must have the dtype of the first."""
    cdef bint arrays = isinstance(array, numpy.ndarray) and isinstance(like, numpy.ndarray)
    if not arrays or cnp.PyArray_TYPE(array) != cnp.PyArray_TYPE(like):
        raise TypeError(f"{op}: expected {name} to be an array of {like.dtype}, but got {_kind(array)}")
    return _check_layout(op, name, array)


cdef int _check_array(str op, str name, array, like) except -1:
    """Another array must have the dtype and the number of axes of the first."""
    _check_array_of(op, name, array, like)
    if array.ndim != like.ndim:
        raise ValueError(f"{op}: expected {name} to have {like.ndim} axes, but got shape {array.shape}")
    return 0


cdef int _check_like(str op, str name, array, like, shape=None) except -1:
    """Another array must have the dtype of the first, and its shape or the one given."""
    _check_array_of(op, name, array, like)
    if shape is None and cnp.PyArray_SAMESHAPE(array, like):
        return 0
    return _check_equal(op, f"shape of {name}", array.shape, like.shape if shape is None else shape)


cdef int _check_output(str op, out, like) except -1:
    _check_like(op, "out", out, like)
    if not out.flags.writeable:
        raise ValueError(f"{op}: expected out to be writeable")
    return 0


cdef int _check_layout(str op, str name, array) except -1:
    if not cnp.PyArray_ISCARRAY_RO(array):
        raise ValueError(f"{op}: expected {name} to be C-contiguous, aligned and in native byte order")
    return 0


cdef int _check_axes(str op, x) except -1:
    if cnp.PyArray_NDIM(x) < 2 or cnp.PyArray_SIZE(x) == 0:
        raise ValueError(f"{op}: expected x (N, C, *) with elements, but got shape {x.shape}")
    return 0


cdef const int64_t *_index_data(str op, indices, like) except? NULL:
    if not isinstance(indices, numpy.ndarray) or indices.dtype != numpy.int64:
        raise TypeError(f"{op}: expected indices to be an array of int64, but got {_kind(indices)}")
    if indices.ndim != like.ndim:
        raise ValueError(f"{op}: expected indices to have {like.ndim} axes, but got shape {indices.shape}")
    _check_layout(op, "indices", indices)
    return <const int64_t *> cnp.PyArray_DATA(indices)


cdef void *_bias_data(str op, bias, channels, like) except? NULL:
    if bias is None:
        return NULL
    _check_array_of(op, "bias", bias, like)
    _check_equal(op, "shape of bias", bias.shape, (channels,))
    return cnp.PyArray_DATA(bias)


cdef const void *_vector_data(str op, str name, vector, length, like) except NULL:
    _check_array_of(op, name, vector, like)
    _check_equal(op, f"size of {name}", vector.size, length)
    return cnp.PyArray_DATA(vector)


cdef int _read_operand(str op, str name, array, like) except -1:
    """The step from one element to the next: 0 for a single number, else 1 for an array of the same shape."""
    _check_like(op, name, array, like, () if isinstance(array, numpy.ndarray) and array.ndim == 0 else None)
    return 0 if array.ndim == 0 and like.ndim > 0 else 1


cdef int _read_axis(str op, x, int axis, ptrdiff_t *outer, ptrdiff_t *length, ptrdiff_t *inner) except -1:
    """The sizes before, along and after an axis."""
    if not 0 <= axis < cnp.PyArray_NDIM(x) or cnp.PyArray_SIZE(x) == 0:
        raise ValueError(f"{op}: expected an array with elements and an axis of it, got shape {x.shape}, axis {axis}")
    cdef int i
    outer[0] = inner[0] = 1
    length[0] = cnp.PyArray_DIM(x, axis)
    for i in range(axis):
        outer[0] *= cnp.PyArray_DIM(x, i)
    for i in range(axis + 1, cnp.PyArray_NDIM(x)):
        inner[0] *= cnp.PyArray_DIM(x, i)
    return 0


cdef int _read_axes(str op, windows, ptrdiff_t *in_size, ptrdiff_t *out_size, ptrdiff_t *kernel, ptrdiff_t *stride,
                    ptrdiff_t *dilation, ptrdiff_t *before) except -1:
    cdef size_t rank = len(windows.in_size)
    if not 1 <= rank <= 3:
        raise ValueError(f"{op}: expected windows with 1 to 3 axes, but got {rank}")
    _read_sizes(op, "in_size", windows.in_size, rank, 1, in_size)
    _read_sizes(op, "out_size", windows.out_size, rank, 1, out_size)
    _read_sizes(op, "kernel", windows.kernel, rank, 1, kernel)
    _read_sizes(op, "stride", windows.stride, rank, 1, stride)
    _read_sizes(op, "dilation", windows.dilation, rank, 1, dilation)
    _read_sizes(op, "padding", [before_axis for before_axis, _ in windows.padding], rank, 0, before)
    return 0


cdef int _read_sizes(str op, str name, sizes, size_t rank, ptrdiff_t least, ptrdiff_t *to) except -1:
    """One number for each axis, behind leading axes that have the neutral size `least`."""
    cdef size_t axis
    cdef size_t leading = 3 - rank
    if <size_t> len(sizes) != rank:
        raise ValueError(f"{op}: windows.{name} must have {rank} entries, but is {sizes}")
    for axis in range(leading):
        to[axis] = least
    for axis in range(rank):
        to[leading + axis] = sizes[axis]
        if not least <= to[leading + axis] <= LARGEST_SIZE:
            raise ValueError(f"{op}: windows.{name} must lie between {least} and {LARGEST_SIZE}, but is {sizes}")
    return 0


cdef ptrdiff_t _plane_elements(array) except -1:
    cdef ptrdiff_t count = 1
    for size in array.shape[2:]:
        count *= size
    return count


cdef int _check_equal(str op, str what, got, expected) except -1:
    if got != expected:
        raise ValueError(f"{op}: expected the {what} to be {expected}, but got {got}")
    return 0


cdef int _check_status(str op, status result, in_size=None) except -1:
    if result == INTERRUPTED:
        return -1  # with the exception of the handler
    if result == NO_MEMORY:
        raise MemoryError(f"{op}: no memory for a working buffer of {scratch_refused()} bytes")
    if result == BAD_INDEX:
        raise IndexError(f"{op}: an index lies outside of its plane of size {tuple(in_size)}")
    return 0


cdef _kind(value):
    return value.dtype if isinstance(value, numpy.ndarray) else type(value).__name__
