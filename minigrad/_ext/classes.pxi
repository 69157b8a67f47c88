# Softmax and cross entropy.

def softmax(x, axis, logarithm):
    """exp(x) over its sum along an axis (not counted from the end), or the logarithm of that."""
    cdef const kernel_table *kernels = _float_kernels("softmax", "x", x)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("softmax", x, axis, &outer, &classes, &inner)
    y = _empty(x.shape, cnp.PyArray_TYPE(x))
    cdef int wanted = logarithm
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.softmax(outer, classes, inner, wanted, x_data, y_data)
    _check_status("softmax", result)
    return y


def softmax_input(g, y, axis, logarithm):
    """The gradient of softmax, from that of its result and the result."""
    cdef const kernel_table *kernels = _float_kernels("softmax_input", "y", y)
    _check_like("softmax_input", "g", g, y)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("softmax_input", y, axis, &outer, &classes, &inner)
    dx = _empty(y.shape, cnp.PyArray_TYPE(y))
    cdef int wanted = logarithm
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *y_data = cnp.PyArray_DATA(y)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    cdef status result
    with nogil:
        result = kernels.softmax_input(outer, classes, inner, wanted, g_data, y_data, dx_data)
    _check_status("softmax_input", result)
    return dx


def cross_entropy(x, target, weight, ignored):
    """-log(softmax(x)) of each target's class times that class's weight, 0 for targets that are to be ignored.

    Shapes: x (N, C, *), target (N, *), weight (C) or None. Returns the losses, the maxima over the classes and the
    logarithms of the sums of exp(x - maximum), all (N, *). Raises IndexError for a target that is no class.
    """
    cdef const kernel_table *kernels = _float_kernels("cross_entropy", "x", x)
    cdef const void *weight_data = NULL
    cdef const int64_t *target_data = _target_data("cross_entropy", x, target)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("cross_entropy", x, 1, &outer, &classes, &inner)
    if weight is not None:
        weight_data = _vector_data("cross_entropy", "weight", weight, classes, x)
    cdef tuple places = target.shape
    loss = _empty(places, cnp.PyArray_TYPE(x))
    largest = _empty(places, cnp.PyArray_TYPE(x))
    log_sum = _empty(places, cnp.PyArray_TYPE(x))
    cdef int64_t ignored_class = ignored
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *loss_data = cnp.PyArray_DATA(loss)
    cdef void *largest_data = cnp.PyArray_DATA(largest)
    cdef void *log_sum_data = cnp.PyArray_DATA(log_sum)
    cdef status result
    with nogil:
        result = kernels.cross_entropy(outer, classes, inner, x_data, target_data, weight_data, ignored_class,
                                       loss_data, largest_data, log_sum_data)
    if result == BAD_INDEX:
        _raise_bad_target("cross_entropy", target, classes, ignored)
    _check_status("cross_entropy", result)
    return loss, largest, log_sum


def cross_entropy_input(g, x, target, weight, ignored, largest, log_sum):
    """The gradient of cross_entropy with respect to x; g is (N, *), or () for one number for all."""
    cdef const kernel_table *kernels = _float_kernels("cross_entropy_input", "x", x)
    cdef const void *weight_data = NULL
    cdef const int64_t *target_data = _target_data("cross_entropy_input", x, target)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("cross_entropy_input", x, 1, &outer, &classes, &inner)
    if weight is not None:
        weight_data = _vector_data("cross_entropy_input", "weight", weight, classes, x)
    _check_like("cross_entropy_input", "largest", largest, x, target.shape)
    _check_like("cross_entropy_input", "log_sum", log_sum, largest)
    cdef int g_step = _read_operand("cross_entropy_input", "g", g, largest)
    dx = _empty(x.shape, cnp.PyArray_TYPE(x))
    cdef int64_t ignored_class = ignored
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *largest_data = cnp.PyArray_DATA(largest)
    cdef const void *log_sum_data = cnp.PyArray_DATA(log_sum)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    cdef status result
    with nogil:
        result = kernels.cross_entropy_input(outer, classes, inner, g_data, g_step, x_data, target_data, weight_data,
                                             ignored_class, largest_data, log_sum_data, dx_data)
    if result == BAD_INDEX:
        _raise_bad_target("cross_entropy_input", target, classes, ignored)
    _check_status("cross_entropy_input", result)
    return dx


cdef const int64_t *_target_data(str op, x, target) except NULL:
    if not isinstance(target, numpy.ndarray) or target.dtype != numpy.int64:
        raise TypeError(f"{op}: expected target to be an array of int64, but got {_kind(target)}")
    _check_layout(op, "target", target)
    _check_axes(op, x)
    cdef int axes = cnp.PyArray_NDIM(x) - 1, axis
    cdef bint fits = cnp.PyArray_NDIM(target) == axes and cnp.PyArray_DIM(target, 0) == cnp.PyArray_DIM(x, 0)
    for axis in range(1, axes):
        fits = fits and cnp.PyArray_DIM(target, axis) == cnp.PyArray_DIM(x, axis + 1)
    if not fits:
        _check_equal(op, "shape of target", target.shape, (x.shape[0], *x.shape[2:]))
    return <const int64_t *> cnp.PyArray_DATA(target)


cdef int _raise_bad_target(str op, target, classes, ignored) except -1:
    """Raises IndexError if a target is neither a class nor to be ignored."""
    wrong = target[(target != ignored) & ((target < 0) | (target >= classes))]
    if wrong.size:
        raise IndexError(
            f"{op}: Target {wrong[0]} is out of bounds: expected 0 <= target < {classes} (or ignore_index={ignored})"
        )
    return 0
