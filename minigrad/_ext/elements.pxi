# Functions of each element, sums, rows by number and dropout.

cdef dict UNARY = {unary_names[i].decode(): i for i in range(unary_count)}
cdef dict BINARY = {binary_names[i].decode(): i for i in range(binary_count)}


def map_unary(str name, x, double a=0.0, double b=0.0, out=None):
    """The function of this name of each element of x, with its parameters a and b; into `out`, which may be x."""
    cdef const kernel_table *kernels = _float_kernels(name, "x", x)
    cdef int number = UNARY[name]
    cdef int in_place = out is not None
    if out is None:
        out = _empty(x.shape, cnp.PyArray_TYPE(x))
    else:
        _check_output(name, out, x)
    cdef ptrdiff_t count = x.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(out)
    cdef status result
    with nogil:
        set_uninterrupted(in_place)
        result = kernels.map_unary(number, count, x_data, a, b, y_data)
        set_uninterrupted(0)
    _check_status(name, result)
    return out


def map_binary(str name, x, z, double a=0.0, double b=0.0, out=None):
    """The function of this name of the elements of x and z in the same place; either may be 0-d: one number for all."""
    like = z if x.ndim == 0 else x
    cdef const kernel_table *kernels = _float_kernels(name, "x", like)
    cdef int number = BINARY[name]
    cdef int x_step = _read_operand(name, "x", x, like)
    cdef int z_step = _read_operand(name, "z", z, like)
    cdef int in_place = out is not None
    if out is None:
        out = _empty(like.shape, cnp.PyArray_TYPE(like))
    else:
        _check_output(name, out, like)
    cdef ptrdiff_t count = like.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *z_data = cnp.PyArray_DATA(z)
    cdef void *y_data = cnp.PyArray_DATA(out)
    cdef status result
    with nogil:
        set_uninterrupted(in_place)
        result = kernels.map_binary(number, count, x_step, x_data, z_step, z_data, a, b, y_data)
        set_uninterrupted(0)
    _check_status(name, result)
    return out


def sum_outer_inner(x, outer, middle, inner):
    """x, seen as (outer, middle, inner), summed over its first and last axis: (middle)."""
    cdef const kernel_table *kernels = _float_kernels("sum_outer_inner", "x", x)
    if min(outer, middle, inner) < 1 or outer * middle * inner != x.size:
        raise ValueError(f"sum_outer_inner: {x.shape} cannot be seen as {(outer, middle, inner)}")
    sums = _empty((middle,), cnp.PyArray_TYPE(x))
    cdef ptrdiff_t outer_size = outer, middle_size = middle, inner_size = inner
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *sums_data = cnp.PyArray_DATA(sums)
    cdef status result
    with nogil:
        result = kernels.sum_outer_inner(outer_size, middle_size, inner_size, x_data, sums_data)
    _check_status("sum_outer_inner", result)
    return sums


def add_rows(target, indices, source):
    """target[index] += source[i] for each of the indices (N), one after the other; target (R, *) is changed.

    Shapes: source (N, *). Raises IndexError for an index that is negative or no row, before anything is written.
    """
    cdef const kernel_table *kernels = _float_kernels("add_rows", "target", target)
    if target.ndim < 1 or not target.flags.writeable:
        raise ValueError("add_rows: expected target to be writeable, with at least 1 axis")
    if not isinstance(indices, numpy.ndarray) or indices.dtype != numpy.int64 or indices.ndim != 1:
        raise TypeError(f"add_rows: expected indices to be a vector of int64, but got {_kind(indices)}")
    _check_layout("add_rows", "indices", indices)
    _check_like("add_rows", "source", source, target, (*indices.shape, *target.shape[1:]))
    cdef ptrdiff_t rows = target.shape[0], count = indices.size
    cdef ptrdiff_t columns = target.size // rows if rows else 0
    cdef const int64_t *indices_data = <const int64_t *> cnp.PyArray_DATA(indices)
    cdef const void *source_data = cnp.PyArray_DATA(source)
    cdef void *target_data = cnp.PyArray_DATA(target)
    cdef status result
    with nogil:
        set_uninterrupted(1)
        result = kernels.add_rows(rows, columns, count, indices_data, source_data, target_data)
        set_uninterrupted(0)
    if result == BAD_INDEX:
        raise IndexError(f"add_rows: an index lies outside of the {rows} rows")
    _check_status("add_rows", result)


def dropout(x, uint64_t key, uint32_t threshold, double scale):
    """x times scale where the random word of the element (see random.h) is at least the threshold, else 0."""
    cdef const kernel_table *kernels = _float_kernels("dropout", "x", x)
    y = _empty(x.shape, cnp.PyArray_TYPE(x))
    cdef ptrdiff_t count = x.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.dropout(count, key, threshold, scale, x_data, y_data)
    _check_status("dropout", result)
    return y
