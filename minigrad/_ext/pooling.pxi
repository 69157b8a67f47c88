# Pooling: the largest values and the sums of windows, and reading and writing by index.

def max_pool(x, windows):
    """The largest value of each window of x (N, C, *in) and its flat index in the plane.

    The first of equal maxima wins; a NaN beats every number and every NaN before it.
    Shapes: twice (N, C, *out). Raises TypeError and ValueError for an array that does not fit the windows.
    """
    cdef pool_shape shape
    cdef const kernel_table *kernels = _kernels_for("max_pool", "x", x)
    values = _empty((*x.shape[:2], *windows.out_size), cnp.PyArray_TYPE(x))
    indices = _empty(values.shape, cnp.NPY_INT64)
    _read_pool_shape("max_pool", windows, x, values, &shape)
    if shape.input[0] * shape.input[1] > LARGEST_SIZE // shape.input[2]:
        raise ValueError(f"max_pool: a plane must have fewer than 2**31 elements, but has {windows.in_size}")
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *values_data = cnp.PyArray_DATA(values)
    cdef int64_t *indices_data = <int64_t *> cnp.PyArray_DATA(indices)
    cdef status result
    with nogil:
        result = kernels.max_pool(&shape, x_data, values_data, indices_data)
    _check_status("max_pool", result)
    return values, indices


def sum_pool(x, windows):
    """The sum of each window of x (N, C, *in).

    Shapes: (N, C, *out). Raises TypeError and ValueError for an array that does not fit the windows.
    """
    cdef pool_shape shape
    cdef const kernel_table *kernels = _kernels_for("sum_pool", "x", x)
    sums = _empty((*x.shape[:2], *windows.out_size), cnp.PyArray_TYPE(x))
    _read_pool_shape("sum_pool", windows, x, sums, &shape)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *sums_data = cnp.PyArray_DATA(sums)
    cdef status result
    with nogil:
        result = kernels.sum_pool(&shape, x_data, sums_data)
    _check_status("sum_pool", result)
    return sums


def sum_pool_input(g, windows):
    """The adjoint of sum_pool: each value of g (N, C, *out) goes to every element of its window.

    Shapes: (N, C, *in). Raises TypeError and ValueError for an array that does not fit the windows.
    """
    cdef pool_shape shape
    cdef const kernel_table *kernels = _kernels_for("sum_pool_input", "g", g)
    x = _empty((*g.shape[:2], *windows.in_size), cnp.PyArray_TYPE(g))
    _read_pool_shape("sum_pool_input", windows, x, g, &shape)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef status result
    with nogil:
        result = kernels.sum_pool_input(&shape, g_data, x_data)
    _check_status("sum_pool_input", result)
    return x


def pool_scatter(g, indices, in_size):
    """Adds each value of g (N, C, *out) to the element of its plane that the index names.

    Shapes: indices as g, the result (N, C, *in_size). Raises IndexError for an index outside of the plane.
    """
    cdef const kernel_table *kernels = _kernels_for("pool_scatter", "g", g)
    cdef const int64_t *indices_data = _index_data("pool_scatter", indices, g)
    x = _empty((*g.shape[:2], *in_size), cnp.PyArray_TYPE(g))
    _check_equal("pool_scatter", "shape of indices", indices.shape, g.shape)
    cdef ptrdiff_t planes = g.shape[0] * g.shape[1]
    cdef ptrdiff_t in_elements = _plane_elements(x)
    cdef ptrdiff_t out_elements = _plane_elements(g)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef status result
    with nogil:
        result = kernels.pool_scatter(planes, in_elements, out_elements, g_data, indices_data, x_data)
    _check_status("pool_scatter", result, in_size)
    return x


def max_unpool(x, indices, in_size):
    """Writes each value of x (N, C, *out) to the element of its plane that the index names; the last of several wins.

    Shapes: indices as x, the result (N, C, *in_size), zero where nothing was written.
    Raises IndexError for an index outside of the plane.
    """
    cdef const kernel_table *kernels = _kernels_for("max_unpool", "x", x)
    cdef const int64_t *indices_data = _index_data("max_unpool", indices, x)
    plane = _empty((*x.shape[:2], *in_size), cnp.PyArray_TYPE(x))
    _check_equal("max_unpool", "shape of indices", indices.shape, x.shape)
    cdef ptrdiff_t planes = x.shape[0] * x.shape[1]
    cdef ptrdiff_t in_elements = _plane_elements(plane)
    cdef ptrdiff_t out_elements = _plane_elements(x)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *plane_data = cnp.PyArray_DATA(plane)
    cdef status result
    with nogil:
        result = kernels.max_unpool(planes, in_elements, out_elements, x_data, indices_data, plane_data)
    _check_status("max_unpool", result, in_size)
    return plane


def pool_gather(x, indices):
    """Reads the elements of each plane of x (N, C, *in) that the indices (N, C, *out) name.

    Shapes: as indices. Raises IndexError for an index outside of the plane.
    """
    cdef const kernel_table *kernels = _kernels_for("pool_gather", "x", x)
    cdef const int64_t *indices_data = _index_data("pool_gather", indices, x)
    values = _empty(indices.shape, cnp.PyArray_TYPE(x))
    _check_equal("pool_gather", "batch and channels of indices", indices.shape[:2], x.shape[:2])
    cdef ptrdiff_t planes = x.shape[0] * x.shape[1]
    cdef ptrdiff_t in_elements = _plane_elements(x)
    cdef ptrdiff_t out_elements = _plane_elements(values)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *values_data = cnp.PyArray_DATA(values)
    cdef status result
    with nogil:
        result = kernels.pool_gather(planes, in_elements, out_elements, x_data, indices_data, values_data)
    _check_status("pool_gather", result, x.shape[2:])
    return values


cdef int _read_pool_shape(str op, windows, x, y, pool_shape *shape) except -1:
    """The windows for C, after checking that the shapes of x (N, C, *in) and y (N, C, *out) agree with them."""
    _read_axes(op, windows, shape.input, shape.out, shape.kernel, shape.stride, shape.dilation, shape.before)
    shape.planes = x.shape[0] * x.shape[1]
    _check_equal(op, "shape of the input", x.shape, (*y.shape[:2], *windows.in_size))
    _check_equal(op, "shape of the output", y.shape, (*x.shape[:2], *windows.out_size))
    return 0
