# Resampling along one axis, by a sparse matrix of interpolation.

cdef int _check_vector(str name, vector, ptrdiff_t size, str kind) except -1:
    if not isinstance(vector, numpy.ndarray) or vector.shape != (size,) or vector.dtype != kind:
        raise TypeError(f"resample: expected {name} to be {size} numbers of {kind}")
    return _check_layout("resample", name, vector)


def resample(x, int axis, starts, columns, weights):
    """Element j along the axis is the sum of weights[k] x[columns[k]], for k from starts[j] to starts[j + 1] - 1.

    starts and columns are vectors of int64, weights is one of float64, as long as columns. Raises IndexError if they
    point outside.
    """
    cdef const kernel_table *kernels = _float_kernels("resample", "x", x)
    cdef ptrdiff_t outer, length, inner
    _read_axis("resample", x, axis, &outer, &length, &inner)
    cdef ptrdiff_t count = columns.size, out = starts.size - 1
    _check_vector("starts", starts, out + 1, "int64")
    _check_vector("columns", columns, count, "int64")
    _check_vector("weights", weights, count, "float64")
    if out < 0:
        raise ValueError("resample: expected at least one of starts, its end")
    y = _empty((*x.shape[:axis], out, *x.shape[axis + 1:]), cnp.PyArray_TYPE(x))
    cdef const int64_t *starts_data = <const int64_t *> cnp.PyArray_DATA(starts)
    cdef const int64_t *columns_data = <const int64_t *> cnp.PyArray_DATA(columns)
    cdef const double *weights_data = <const double *> cnp.PyArray_DATA(weights)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.resample(
            outer, length, inner, out, count, starts_data, columns_data, weights_data, x_data, y_data
        )
    if result == BAD_INDEX:
        raise IndexError(f"resample: a tap lies outside of the {length} elements, or starts are not in order")
    _check_status("resample", result)
    return y
