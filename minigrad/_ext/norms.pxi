# Normalisation: what C needs of arrays of any shape is computed here, from sizes that were checked against each other.

def batch_norm(x, weight, bias, eps, slope=None, residual=None):
    """x (N, C, *) brought to mean 0 and variance 1 for each channel, times weight (C) plus bias (C), or None for them.

    slope: residual, if there is one, is then added, and what is negative multiplied with the slope (0 for the slope 0).
    Returns the result and the means and variances (biased) of the channels. Raises TypeError and ValueError for arrays
    that do not fit, as all functions here do.
    """
    cdef norm_shape shape
    _read_batch_norm("batch_norm", x, eps, &shape)
    _read_rectifier("batch_norm", slope, residual, &shape)
    return _norm("batch_norm", &shape, x, weight, bias, (x.shape[1],), x.shape[1], residual)


def batch_norm_input(g, x, weight, mean, var, eps, slope=None, bias=None, residual=None):
    """The gradients of batch_norm with respect to x, weight and bias, and to the residual if there is one."""
    cdef norm_shape shape
    _read_batch_norm("batch_norm_input", x, eps, &shape)
    _read_rectifier("batch_norm_input", slope, residual, &shape)
    channels = (x.shape[1],)
    return _norm_input("batch_norm_input", &shape, g, x, weight, mean, var, channels, channels, bias, residual)


def group_norm(x, weight, bias, groups, eps):
    """As batch_norm, for each group of channels of each sample; the moments are (N, groups)."""
    cdef norm_shape shape
    _read_group_norm("group_norm", x, groups, eps, &shape)
    return _norm("group_norm", &shape, x, weight, bias, (x.shape[0], groups), x.shape[1])


def group_norm_input(g, x, weight, mean, var, groups, eps):
    """The gradients of group_norm with respect to x, weight and bias."""
    cdef norm_shape shape
    _read_group_norm("group_norm_input", x, groups, eps, &shape)
    if shape.weight_element:
        return _norm_input("group_norm_input", &shape, g, x, weight, mean, var, (x.shape[0], groups), (x.shape[1],))
    dx, weight_sums, bias_sums = _norm_input(
        "group_norm_input", &shape, g, x, weight, mean, var, (x.shape[0], groups), (x.shape[0], x.shape[1])
    )
    return dx, weight_sums.sum(0), bias_sums.sum(0)


def row_norm(x, weight, bias, ndim, centred, eps):
    """As batch_norm, over the last `ndim` axes, whose shape weight and bias have; not centred: to mean square 1."""
    cdef norm_shape shape
    cdef tuple outer = _read_row_norm("row_norm", x, ndim, centred, eps, &shape)
    return _norm("row_norm", &shape, x, weight, bias, outer, shape.length)


def row_norm_input(g, x, weight, mean, var, ndim, centred, eps):
    """The gradients of row_norm with respect to x, weight and bias."""
    cdef norm_shape shape
    cdef tuple outer = _read_row_norm("row_norm_input", x, ndim, centred, eps, &shape)
    dx, weight_sums, bias_sums = _norm_input("row_norm_input", &shape, g, x, weight, mean, var, outer, (shape.length,))
    inner = x.shape[x.ndim - ndim:]
    return dx, weight_sums.reshape(inner), bias_sums.reshape(inner)


def scale_channels(x, scale, shift, slope=None, residual=None):
    """x (N, C, *) times scale (C) plus shift (C), which may be None; slope and residual as for batch_norm."""
    cdef const kernel_table *kernels = _float_kernels("scale_channels", "x", x)
    _check_axes("scale_channels", x)
    cdef norm_shape end
    _read_rectifier("scale_channels", slope, residual, &end)
    y = _empty(x.shape, cnp.PyArray_TYPE(x))
    cdef ptrdiff_t samples = x.shape[0], channels = x.shape[1]
    cdef ptrdiff_t size = _plane_elements(x)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *scale_data = _vector_data("scale_channels", "scale", scale, channels, x)
    cdef const void *shift_data = NULL
    cdef const void *residual_data = NULL
    if shift is not None:
        shift_data = _vector_data("scale_channels", "shift", shift, channels, x)
    if residual is not None:
        _check_like("scale_channels", "residual", residual, x)
        residual_data = cnp.PyArray_DATA(residual)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.scale_channels(samples, channels, size, end.rectified, end.slope, x_data, scale_data,
                                        shift_data, residual_data, y_data)
    _check_status("scale_channels", result)
    return y


cdef _norm(str op, const norm_shape *shape, x, weight, bias, moments_shape, weights, residual=None):
    """Runs a norm: the result, and the moments of its sets."""
    cdef const kernel_table *kernels = _float_kernels(op, "x", x)
    cdef const void *weight_data = NULL
    cdef const void *bias_data = NULL
    cdef const void *residual_data = NULL
    if weight is not None:
        weight_data = _vector_data(op, "weight", weight, weights, x)
    if bias is not None:
        bias_data = _vector_data(op, "bias", bias, weights, x)
    if residual is not None:
        _check_like(op, "residual", residual, x)
        residual_data = cnp.PyArray_DATA(residual)
    y = _empty(x.shape, cnp.PyArray_TYPE(x))
    mean = _empty(moments_shape, cnp.PyArray_TYPE(x))
    var = _empty(moments_shape, cnp.PyArray_TYPE(x))
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef void *mean_data = cnp.PyArray_DATA(mean)
    cdef void *var_data = cnp.PyArray_DATA(var)
    cdef status result
    with nogil:
        result = kernels.norm(shape, x_data, weight_data, bias_data, residual_data, y_data, mean_data, var_data)
    _check_status(op, result)
    return y, mean, var


cdef _norm_input(str op, const norm_shape *shape, g, x, weight, mean, var, moments_shape, sums_shape, bias=None,
                 residual=None):
    """The gradient of a norm with respect to x, the sums that make those of weight and bias, and a residual's."""
    cdef const kernel_table *kernels = _float_kernels(op, "x", x)
    _check_like(op, "g", g, x)
    _check_like(op, "mean", mean, x, moments_shape)
    _check_like(op, "var", var, x, moments_shape)
    cdef const void *weight_data = NULL
    cdef const void *bias_data = NULL
    cdef const void *residual_data = NULL
    cdef void *passed_data = NULL
    passed = None
    if weight is not None:
        weight_data = _vector_data(op, "weight", weight, sums_shape[len(sums_shape) - 1], x)
    if bias is not None:
        bias_data = _vector_data(op, "bias", bias, sums_shape[len(sums_shape) - 1], x)
    if residual is not None:
        _check_like(op, "residual", residual, x)
        residual_data = cnp.PyArray_DATA(residual)
        passed = _empty(x.shape, cnp.PyArray_TYPE(x))
        passed_data = cnp.PyArray_DATA(passed)
    dx = _empty(x.shape, cnp.PyArray_TYPE(x))
    weight_sums = _empty(sums_shape, cnp.PyArray_TYPE(x))
    bias_sums = _empty(sums_shape, cnp.PyArray_TYPE(x))
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *mean_data = cnp.PyArray_DATA(mean)
    cdef const void *var_data = cnp.PyArray_DATA(var)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    cdef void *weight_sums_data = cnp.PyArray_DATA(weight_sums)
    cdef void *bias_sums_data = cnp.PyArray_DATA(bias_sums)
    cdef status result
    with nogil:
        result = kernels.norm_input(shape, g_data, x_data, weight_data, bias_data, residual_data, mean_data, var_data,
                                    dx_data, passed_data, weight_sums_data, bias_sums_data)
    _check_status(op, result)
    found = dx, weight_sums, bias_sums
    return found if passed is None else (*found, passed)


cdef int _read_rectifier(str op, slope, residual, norm_shape *shape) except -1:
    """What is negative is multiplied with the slope; None stands for no rectifier, before which nothing is added."""
    if slope is None and residual is not None:
        raise ValueError(f"{op}: expected a slope with the residual, but got None")
    shape.slope = 0 if slope is None else slope
    shape.rectified = NO_RECTIFIER if slope is None else RELU if shape.slope == 0 else LEAKY_RELU
    return 0


cdef int _read_batch_norm(str op, x, double eps, norm_shape *shape) except -1:
    _float_kernels(op, "x", x)
    _check_axes(op, x)
    cdef ptrdiff_t size = _plane_elements(x)
    shape.sets = shape.inner = x.shape[1]
    shape.outer_stride = 0
    shape.inner_stride = size
    shape.parts = x.shape[0]
    shape.part_stride = shape.sets * size
    shape.length = size
    shape.weight_set = 1
    shape.weight_part = shape.weight_element = 0
    shape.centred = 1
    shape.eps = eps
    shape.rectified = NO_RECTIFIER
    shape.slope = 0
    return 0


cdef int _read_group_norm(str op, x, ptrdiff_t groups, double eps, norm_shape *shape) except -1:
    """Without a plane, channels are the elements of one part, each with its weight."""
    _float_kernels(op, "x", x)
    _check_axes(op, x)
    cdef ptrdiff_t size = _plane_elements(x), channels = x.shape[1]
    if groups < 1 or channels % groups != 0:
        raise ValueError(f"{op}: {channels} channels cannot be split into {groups} groups")
    cdef ptrdiff_t group = channels // groups
    shape.sets = groups * <ptrdiff_t> x.shape[0]
    shape.inner = groups
    shape.outer_stride = channels * size
    shape.inner_stride = group * size
    shape.parts = 1 if size == 1 else group
    shape.part_stride = size
    shape.length = group if size == 1 else size
    shape.weight_set = group
    shape.weight_part = 0 if size == 1 else 1
    shape.weight_element = 1 if size == 1 else 0
    shape.centred = 1
    shape.eps = eps
    shape.rectified = NO_RECTIFIER
    shape.slope = 0
    return 0


cdef tuple _read_row_norm(str op, x, Py_ssize_t ndim, centred, double eps, norm_shape *shape):
    """Reads the shape and returns that of the axes before the last `ndim`."""
    _float_kernels(op, "x", x)
    if not 1 <= ndim <= x.ndim or x.size == 0:
        raise ValueError(
            f"{op}: expected an array with elements and some of its {x.ndim} axes, but got shape {x.shape} and {ndim}"
        )
    cdef Py_ssize_t i
    shape.sets = 1
    for i in range(x.ndim - ndim):
        shape.sets *= x.shape[i]
    shape.inner = 1
    shape.outer_stride = shape.length = <ptrdiff_t> x.size // shape.sets
    shape.inner_stride = 0
    shape.parts = 1
    shape.part_stride = 0
    shape.weight_set = shape.weight_part = 0
    shape.weight_element = 1
    shape.centred = 1 if centred else 0
    shape.eps = eps
    shape.rectified = NO_RECTIFIER
    shape.slope = 0
    return x.shape[:x.ndim - ndim]
