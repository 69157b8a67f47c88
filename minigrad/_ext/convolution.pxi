# Convolutions and their adjoints.

METHODS = (
    "product", "depthwise", "winograd2", "winograd4", "dots", "panels", "winograd_phases", "taps", "whole_planes",
    "pixels", "spreading",
)


@cython.final
cdef class KeptFilters:
    """Filters as the kernel of a convolution reads them, which the first call with these filters packs."""

    cdef kept_filters kept
    cdef object filters

    def __cinit__(self, filters):
        self.filters = filters

    def __dealloc__(self):
        if self.kept.memory != NULL:
            memory_give(self.kept.memory)


def conv(
    x, w, bias, windows, scale=None, shift=None, residual=None, double low=-INFINITY, double high=INFINITY,
    KeptFilters kept=None
):
    """The convolution of x (N, C, *in) with the filters w (K, C / groups, *kernel), plus bias (K,) or None.

    That is multiplied by a scale (K,) and gets a shift (K,), a residual like the result is added, and the sum brought
    between two limits. Shapes: (N, K, *out). Raises TypeError and ValueError for arrays that do not fit the windows, or
    filters that are not the kept ones.
    """
    cdef conv_finish finish
    cdef conv_shape shape
    cdef const kernel_table *kernels = _kernels_for("conv", "x", x)
    _check_array("conv", "w", w, x)
    y = _empty((x.shape[0], w.shape[0], *windows.out_size), cnp.PyArray_TYPE(x))
    _read_conv_shape("conv", windows, x, w, y, &shape)
    finish = conv_finish(NULL, NULL, NULL, low, high)
    if scale is not None or residual is not None or low > -INFINITY or high < INFINITY:
        shape.finish = &finish
    if scale is not None:
        finish.scale = _vector_data("conv", "scale", scale, w.shape[0], x)
        finish.shift = _vector_data("conv", "shift", shift, w.shape[0], x)
    if residual is not None:
        _check_like("conv", "residual", residual, y)
        finish.residual = cnp.PyArray_DATA(residual)
    if kept is not None:
        if kept.filters is not w:
            raise ValueError("conv: the filters that are kept are others")
        shape.kept = &kept.kept
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *bias_data = _bias_data("conv", bias, w.shape[0], x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.conv(&shape, x_data, w_data, bias_data, y_data)
    _check_status("conv", result)
    return y


def separable(x, windows, widen, filters, narrow, residual=None, KeptFilters kept=None):
    """A convolution of one tap, a depthwise one by the windows, and another of one tap, of x (N, C, *in).

    There are one or two axes in the plane. Each is a tuple, the first one may be None: filters, bias, the mean,
    variance, weight, bias and eps of a batch norm, any of which but the filters may be None, and two limits. The
    residual is added to the last. What is kept is of a tuple of these three. Shapes: (N, K, *out). Raises as conv does.
    """
    cdef separable_shape shape
    cdef const kernel_table *kernels = _kernels_for("separable", "x", x)
    cdef int rank = cnp.PyArray_NDIM(x) - 2
    if rank > 2:
        raise ValueError(f"separable: expected x with 1 or 2 axes in the plane, but got shape {x.shape}")
    y = _empty((x.shape[0], narrow[0].shape[0], *windows.out_size), cnp.PyArray_TYPE(x))
    _read_axes("separable", windows, shape.input, shape.out, shape.kernel, shape.stride, shape.dilation, shape.before)
    shape.batch = cnp.PyArray_DIM(x, 0)
    shape.in_channels = cnp.PyArray_DIM(x, 1)
    shape.channels = windows.groups
    shape.out_channels = cnp.PyArray_DIM(y, 1)
    channels_in = shape.channels if widen is None else shape.in_channels
    _check_equal("separable", "shape of the input", x.shape, (shape.batch, channels_in, *windows.in_size))
    shape.widen.filter = shape.widen.bias = shape.widen.mean = shape.widen.var = NULL
    shape.widen.finish = conv_finish(NULL, NULL, NULL, 0, 0)
    ones = (1, 1)[:rank]
    if widen is not None:
        _read_filters(widen, (shape.channels, shape.in_channels, *ones), x, &shape.widen)
    _read_filters(filters, (shape.channels, 1, *windows.kernel), x, &shape.filter)
    _read_filters(narrow, (shape.out_channels, shape.channels, *ones), x, &shape.narrow)
    if residual is not None:
        _check_like("separable", "residual", residual, y)
        shape.narrow.finish.residual = cnp.PyArray_DATA(residual)
    shape.kept = NULL
    if kept is not None:
        if kept.filters[0] is not widen or kept.filters[1] is not filters or kept.filters[2] is not narrow:
            raise ValueError("separable: the filters that are kept are others")
        shape.kept = &kept.kept
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.separable(&shape, x_data, y_data)
    _check_status("separable", result)
    return y


cdef int _read_filters(tuple given, tuple size, x, finished_filters *to) except -1:
    """Filters of this size with what is done to their results, for C."""
    w, bias, mean, var, weight, shift, eps, low, high = given
    cdef Py_ssize_t filters = size[0]
    _check_array("separable", "w", w, x)
    _check_equal("separable", "shape of the filters", w.shape, size)
    to.filter = cnp.PyArray_DATA(w)
    to.bias = _bias_data("separable", bias, filters, x)
    to.mean = NULL if mean is None else _vector_data("separable", "mean", mean, filters, x)
    to.var = NULL if var is None else _vector_data("separable", "var", var, filters, x)
    to.eps = 0 if eps is None else eps
    to.finish = conv_finish(NULL, NULL, NULL, low, high)
    if weight is not None:
        to.finish.scale = _vector_data("separable", "weight", weight, filters, x)
    if shift is not None:
        to.finish.shift = _vector_data("separable", "bias", shift, filters, x)
    return 0


def conv_input(g, w, bias, windows):
    """The adjoint of conv in x: each value of g (N, K, *out) spreads over its window, plus bias (C,) or None.

    Shapes: w (K, C / groups, *kernel), the result (N, C, *in). Raises as conv does.
    """
    cdef conv_shape shape
    cdef const kernel_table *kernels = _kernels_for("conv_input", "g", g)
    _check_array("conv_input", "w", w, g)
    x = _empty((g.shape[0], w.shape[1] * windows.groups, *windows.in_size), cnp.PyArray_TYPE(g))
    _read_conv_shape("conv_input", windows, x, w, g, &shape)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *bias_data = _bias_data("conv_input", bias, x.shape[1], g)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef status result
    with nogil:
        result = kernels.conv_input(&shape, g_data, w_data, bias_data, x_data)
    _check_status("conv_input", result)
    return x


def conv_weight(x, g, windows):
    """The adjoint of conv in w: the correlation of x (N, C, *in) with g (N, K, *out).

    Shapes: (K, C / groups, *kernel). Raises as conv does.
    """
    cdef conv_shape shape
    cdef const kernel_table *kernels = _kernels_for("conv_weight", "x", x)
    _check_array("conv_weight", "g", g, x)
    if windows.groups < 1:
        raise ValueError(f"conv_weight: groups must be positive, but got {windows.groups}")
    w = _empty((g.shape[1], x.shape[1] // windows.groups, *windows.kernel), cnp.PyArray_TYPE(x))
    _read_conv_shape("conv_weight", windows, x, w, g, &shape)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef status result
    with nogil:
        result = kernels.conv_weight(&shape, x_data, g_data, w_data)
    _check_status("conv_weight", result)
    return w


def choices(op, windows, batch, channels, filters, dtype):
    """What "conv", "conv_input" or "conv_weight" would do, for each phase of its strides: the method's name and costs
    that were estimated for direct summation and the two forms of Winograd's algorithm (for strides, for the one), None
    if there was no choice.
    """
    cdef conv_shape shape
    cdef conv_report report
    cdef int i
    nothing = numpy.zeros((), dtype)
    x = numpy.broadcast_to(nothing, (batch, channels, *windows.in_size))
    w = numpy.broadcast_to(nothing, (filters, channels // windows.groups, *windows.kernel))
    y = numpy.broadcast_to(nothing, (batch, filters, *windows.out_size))
    cdef const kernel_table *kernels = chosen.kernels_float if x.dtype == numpy.float32 else chosen.kernels_double
    _read_conv_shape(op, windows, x, w, y, &shape)
    report.count = 0
    shape.report = &report
    cdef status result
    if op == "conv":
        result = kernels.conv(&shape, NULL, NULL, NULL, NULL)
    elif op == "conv_input":
        result = kernels.conv_input(&shape, NULL, NULL, NULL, NULL)
    else:
        result = kernels.conv_weight(&shape, NULL, NULL, NULL)
    _check_status(op, result)
    found = []
    for i in range(report.count):
        costs = (report.choice[i].direct, report.choice[i].winograd_2, report.choice[i].winograd_4)
        found.append((METHODS[report.choice[i].method], costs if costs[0] else None))
    return found


cdef int _read_conv_shape(str op, windows, x, w, y, conv_shape *shape) except -1:
    """The windows for C, after checking that the shapes of x (N, C, *in), w and y (N, K, *out) agree with them."""
    cdef ptrdiff_t groups = windows.groups
    if groups < 1 or x.shape[1] % groups != 0 or w.shape[0] % groups != 0:
        raise ValueError(f"{op}: {x.shape[1]} and {w.shape[0]} channels cannot be split into {groups} groups")
    _read_axes(op, windows, shape.input, shape.out, shape.kernel, shape.stride, shape.dilation, shape.before)
    shape.algorithm = algorithm
    shape.report = NULL
    shape.finish = NULL
    shape.kept = NULL
    shape.batch = x.shape[0]
    shape.groups = groups
    shape.in_channels = x.shape[1] // groups
    shape.out_channels = w.shape[0] // groups
    _check_equal(op, "shape of the input", x.shape, (y.shape[0], x.shape[1], *windows.in_size))
    _check_equal(op, "shape of the filters", w.shape, (w.shape[0], shape.in_channels, *windows.kernel))
    _check_equal(op, "shape of the output", y.shape, (x.shape[0], w.shape[0], *windows.out_size))
    return 0
