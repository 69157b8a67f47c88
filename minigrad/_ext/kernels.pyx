"""The compiled kernels: arrays in, arrays out.

Arrays are C-contiguous, all of them float32 or all float64, indices int64, with one to three axes in the plane. These
functions are the last line of defence before C: they check every size that C relies on and raise rather than read out
of bounds. Other Python threads run while C computes.
"""

import os

import numpy

from .cpus import default_num_threads

cimport cython
cimport numpy as cnp
from libc.stdlib cimport free, malloc

cnp.import_array()

cdef ptrdiff_t LARGEST_SIZE = 2**31 - 1  # C multiplies and adds such numbers in 64 bits

cdef const instruction_set *chosen = NULL
cdef conv_algorithm algorithm = AUTOMATIC
cdef dict ALGORITHMS = {"auto": AUTOMATIC, "direct": DIRECT, "winograd2": WINOGRAD_2, "winograd4": WINOGRAD_4}


def conv(x, w, bias, windows):
    """The convolution of x (N, C, *in) with the filters w (K, C / groups, *kernel), plus bias (K,) or None.

    Shapes: (N, K, *out). Raises TypeError and ValueError for arrays that do not fit the windows.
    """
    cdef conv_shape shape
    cdef const kernel_table *kernels = _kernels_for("conv", "x", x)
    _check_array("conv", "w", w, x)
    y = numpy.empty((x.shape[0], w.shape[0], *windows.out_size), x.dtype)
    _read_conv_shape("conv", windows, x, w, y, &shape)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef void *bias_data = _bias_data("conv", bias, w.shape[0], x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef status result
    with nogil:
        result = kernels.conv(&shape, x_data, w_data, bias_data, y_data)
    _check_status("conv", result)
    return y


def conv_input(g, w, bias, windows):
    """The adjoint of conv in x: each value of g (N, K, *out) spreads over its window, plus bias (C,) or None.

    Shapes: w (K, C / groups, *kernel), the result (N, C, *in). Raises as conv does.
    """
    cdef conv_shape shape
    cdef const kernel_table *kernels = _kernels_for("conv_input", "g", g)
    _check_array("conv_input", "w", w, g)
    x = numpy.empty((g.shape[0], w.shape[1] * windows.groups, *windows.in_size), g.dtype)
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
    w = numpy.empty((g.shape[1], x.shape[1] // windows.groups, *windows.kernel), x.dtype)
    _read_conv_shape("conv_weight", windows, x, w, g, &shape)
    cdef void *x_data = cnp.PyArray_DATA(x)
    cdef void *g_data = cnp.PyArray_DATA(g)
    cdef void *w_data = cnp.PyArray_DATA(w)
    cdef status result
    with nogil:
        result = kernels.conv_weight(&shape, x_data, g_data, w_data)
    _check_status("conv_weight", result)
    return w


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
        _check_equal("matmul", "shape of bias", bias.shape, (b.shape[right_axes - 1],))
    cdef void *bias_data = NULL if bias is None else cnp.PyArray_DATA(bias)

    cdef ptrdiff_t none = 0
    cdef ptrdiff_t *starts = NULL
    shape.left_start = shape.right_start = &none
    shape.batch = 1
    if left_axes == 2 and right_axes == 2:
        c = numpy.empty((shape.rows, shape.columns), a.dtype)
    elif right_axes == 2 and _rows_follow(left):
        c = numpy.empty((*a.shape[: left_axes - 1], shape.columns), a.dtype)
        for axis in range(left_axes - 2):
            shape.rows *= cnp.PyArray_DIM(left, axis)
    else:
        outer = numpy.broadcast_shapes(a.shape[: left_axes - 2], b.shape[: right_axes - 2])
        c = numpy.empty((*outer, shape.rows, shape.columns), a.dtype)
        for length in outer:
            shape.batch *= length
        starts = <ptrdiff_t *> malloc(2 * (<size_t> shape.batch + 1) * sizeof(ptrdiff_t))
        if starts == NULL:
            raise MemoryError("matmul: no memory for its working buffers")
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


def max_pool(x, windows):
    """The largest value of each window of x (N, C, *in) and its flat index in the plane.

    The first of equal maxima wins; a NaN beats every number and every NaN before it.
    Shapes: twice (N, C, *out). Raises TypeError and ValueError for an array that does not fit the windows.
    """
    cdef pool_shape shape
    cdef const kernel_table *kernels = _kernels_for("max_pool", "x", x)
    values = numpy.empty((*x.shape[:2], *windows.out_size), x.dtype)
    indices = numpy.empty(values.shape, numpy.int64)
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
    sums = numpy.empty((*x.shape[:2], *windows.out_size), x.dtype)
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
    x = numpy.empty((*g.shape[:2], *windows.in_size), g.dtype)
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
    x = numpy.empty((*g.shape[:2], *in_size), g.dtype)
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
    plane = numpy.empty((*x.shape[:2], *in_size), x.dtype)
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
    values = numpy.empty(indices.shape, x.dtype)
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


def evaluate(arrays, temporaries, code, constants, rows):
    """Runs a formula on rows of `arrays` arrays each, all of one dtype and, within a row, of one shape.

    code (n, 5): instructions of int32, as csrc/instructions.h explains them: operation, output and three inputs. An
    array that one writes to is changed. Raises TypeError and ValueError for what does not fit.
    """
    cdef formula what
    cdef cnp.ndarray instructions = numpy.ascontiguousarray(code, numpy.int32).reshape(-1, 5)
    cdef cnp.ndarray numbers = numpy.ascontiguousarray(constants, numpy.float64)
    what.arrays = arrays
    what.temporaries = temporaries
    what.constants = numbers.size
    what.code = <const instruction *> cnp.PyArray_DATA(instructions)
    what.length = instructions.size // 5
    if not 1 <= what.arrays <= FORMULA_ARRAYS:
        raise ValueError(f"evaluate: expected 1 to {FORMULA_ARRAYS} arrays a row, but got {arrays}")
    if what.temporaries < 0 or what.constants + what.temporaries > FORMULA_SCRATCH:
        raise ValueError(
            f"evaluate: expected at most {FORMULA_SCRATCH} constants and temporaries together, but got "
            f"{what.constants} and {temporaries}"
        )
    cdef ptrdiff_t k
    for k in range(what.length):
        _check_instruction(&what, &what.code[k])
    cdef table_of_rows table = table_of_rows("evaluate", rows, what.arrays)
    for k in range(what.length):
        if what.code[k].out < what.arrays:
            table.check_writable("evaluate", rows, what.code[k].out)
    cdef const double *numbers_data = <const double *> cnp.PyArray_DATA(numbers)
    with nogil:
        table.kernels.evaluate(&what, numbers_data, table.rows, table.starts, table.pointers)


def sum_of_squares(arrays):
    """The sum of the squares of all elements of arrays of one dtype, computed in float64.

    Raises TypeError and ValueError for what does not fit.
    """
    cdef table_of_rows table = table_of_rows("sum_of_squares", [(array,) for array in arrays], 1)
    cdef double total = 0
    cdef status result
    with nogil:
        result = table.kernels.sum_of_squares(table.rows, table.starts, table.pointers, &total)
    _check_status("sum_of_squares", result)
    return total


def isa():
    """The name of the instruction set in use."""
    return chosen.name.decode()


def available_isas():
    """The names of the instruction sets that this build has and this processor supports, the best one last."""
    cdef int i
    return [instruction_sets[i].name.decode() for i in range(instruction_set_count) if instruction_sets[i].supported()]


def set_isa(name):
    """Chooses the instruction set by its name; raises ValueError if it is not available."""
    global chosen
    cdef int i
    for i in range(instruction_set_count):
        if instruction_sets[i].name.decode() == name and instruction_sets[i].supported():
            chosen = &instruction_sets[i]
            return
    raise ValueError(
        f"the instruction set {name!r} (from MINIGRAD_ISA or set_isa) is not available: this build has for this "
        f"processor {', '.join(available_isas())}"
    )


def set_conv_precision(precision):
    """Sets how convolutions of float32 may round.

    "highest": every sum of products is computed directly. "high": 3x3 convolutions at stride 1 may use Winograd's
    algorithm where that is faster, with a relative error (2-norm, random data of up to 512 channels) below 1e-5. Raises
    ValueError for any other word.
    """
    global algorithm
    if precision not in ("highest", "high"):
        raise ValueError(f"set_conv_precision: expected 'highest' or 'high', but got {precision!r}")
    algorithm = DIRECT if precision == "highest" else AUTOMATIC


def get_conv_precision():
    """How convolutions of float32 may round: "highest" or "high"."""
    return "highest" if algorithm == DIRECT else "high"


def set_conv_algorithm(name):
    """Makes convolutions use one algorithm wherever it applies, for tests and measurements: "direct", "winograd2" or
    "winograd4"; "auto" lets each shape have the fastest. Raises ValueError for any other word.
    """
    global algorithm
    if name not in ALGORITHMS:
        raise ValueError(f"set_conv_algorithm: expected one of {', '.join(ALGORITHMS)}, but got {name!r}")
    algorithm = ALGORITHMS[name]


METHODS = ("product", "depthwise", "winograd2", "winograd4", "dots", "panels")


def choices(op, windows, batch, channels, filters, dtype):
    """What "conv", "conv_input" or "conv_weight" would do, for each phase of its strides: the method's name and costs
    that were estimated for direct summation and the two forms of Winograd's algorithm, None if there was no choice.
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


def set_num_threads(threads):
    """Sets how many threads a kernel may use, the calling one included; raises ValueError unless it is 1 to 4096."""
    if not 1 <= threads <= 4096:
        raise ValueError(f"set_num_threads: expected a number from 1 to 4096, but got {threads}")
    c_set_num_threads(threads)


def get_num_threads():
    """How many threads a kernel may use, the calling one included."""
    return c_get_num_threads()


# These checks come before anything looks at a shape: without bounds checks, indexing a short tuple is a crash.

cdef const kernel_table *_kernels_for(str op, str name, array) except NULL:
    """The kernels for the dtype of an operation's first array."""
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"{op}: expected {name} to be a numpy.ndarray, but got {type(array).__name__}")
    if not 3 <= array.ndim <= 5:
        raise ValueError(f"{op}: expected {name} to have 3 to 5 axes, but got shape {array.shape}")
    _check_layout(op, name, array)
    return _kernels_of(op, name, array)


cdef const kernel_table *_kernels_of(str op, str name, array) except NULL:
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32:
        return chosen.kernels_float
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64:
        return chosen.kernels_double
    raise TypeError(f"{op}: expected {name} to be float32 or float64, but got {array.dtype}")


cdef int _check_instruction(const formula *what, const instruction *step) except -1:
    cdef ptrdiff_t registers = what.arrays + what.constants + what.temporaries
    cdef int32_t register
    if not 0 <= step.operation < OPERATIONS:
        raise ValueError(f"evaluate: there is no operation {step.operation}")
    for register in (step.out, step.a, step.b, step.c):
        if not 0 <= register < registers:
            raise ValueError(f"evaluate: an instruction names register {register}, but there are {registers}")
    if what.arrays <= step.out < what.arrays + what.constants:
        raise ValueError(f"evaluate: an instruction writes to a constant, register {step.out}")
    return 0


@cython.final
cdef class table_of_rows:
    """Where arrays of one dtype are, and how many elements precede each row of them; those of a row have one shape."""

    cdef const kernel_table *kernels
    cdef ptrdiff_t rows
    cdef ptrdiff_t *starts
    cdef void **pointers
    cdef object arrays  # which must live as long as the pointers

    def __cinit__(self, str op, rows, ptrdiff_t columns):
        cdef cnp.ndarray first = None
        cdef cnp.ndarray array
        cdef ptrdiff_t row = 0
        cdef ptrdiff_t column
        self.rows = len(rows)
        self.arrays = rows
        if self.rows == 0:
            raise ValueError(f"{op}: expected at least one row of arrays")
        self.starts = <ptrdiff_t *> malloc((self.rows + 1) * sizeof(ptrdiff_t))
        self.pointers = <void **> malloc(self.rows * columns * sizeof(void *))
        if self.starts == NULL or self.pointers == NULL:
            raise MemoryError(f"{op}: no memory for its table of arrays")
        self.starts[0] = 0
        for arrays in rows:
            if len(arrays) != columns:
                raise ValueError(f"{op}: expected rows of {columns} arrays, but got one of {len(arrays)}")
            column = 0
            for value in arrays:
                if not isinstance(value, numpy.ndarray):
                    raise TypeError(f"{op}: expected numpy.ndarrays, but got {type(value).__name__}")
                array = value
                if first is None:
                    first = array
                    self.kernels = _kernels_of(op, "arrays", first)
                if cnp.PyArray_TYPE(array) != cnp.PyArray_TYPE(first):
                    raise TypeError(f"{op}: expected arrays of {first.dtype}, but got one of {array.dtype}")
                if not cnp.PyArray_ISCARRAY_RO(array):
                    _check_layout(op, "arrays", array)
                if column == 0:
                    self.starts[row + 1] = self.starts[row] + cnp.PyArray_SIZE(array)
                elif not cnp.PyArray_SAMESHAPE(array, arrays[0]):
                    shapes = [one.shape for one in arrays]
                    raise ValueError(f"{op}: expected arrays of one shape in a row, but got {shapes}")
                self.pointers[row * columns + column] = cnp.PyArray_DATA(array)
                column += 1
            row += 1

    def __dealloc__(self):
        free(self.starts)
        free(self.pointers)

    cdef int check_writable(self, str op, rows, ptrdiff_t column) except -1:
        for arrays in rows:
            if not cnp.PyArray_ISWRITEABLE(arrays[column]):
                raise ValueError(f"{op}: an array that the formula writes to is read-only")
        return 0


cdef const kernel_table *_matrix_kernels(a, b) except NULL:
    """The kernels for two arrays of matrices, of any strides that are whole elements."""
    for name, array in (("a", a), ("b", b)):
        if not isinstance(array, numpy.ndarray) or array.dtype != a.dtype:
            raise TypeError(f"matmul: expected {name} to be an array of {_kind(a)}, but got {_kind(array)}")
        if array.ndim < 2:
            raise ValueError(f"matmul: expected {name} to have at least 2 axes, but got shape {array.shape}")
        if not in_steps(array):
            raise ValueError(
                f"matmul: expected {name} to be aligned, in native byte order and in steps of whole elements"
            )
    if cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT32:
        return chosen.kernels_float
    if cnp.PyArray_TYPE(a) == cnp.NPY_FLOAT64:
        return chosen.kernels_double
    raise TypeError(f"matmul: expected a to be float32 or float64, but got {a.dtype}")


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


cdef int _check_array_of(str op, str name, array, like) except -1:
    """Another array must have the dtype of the first."""
    if not isinstance(array, numpy.ndarray) or array.dtype != like.dtype:
        raise TypeError(f"{op}: expected {name} to be an array of {like.dtype}, but got {_kind(array)}")
    return _check_layout(op, name, array)


cdef int _check_array(str op, str name, array, like) except -1:
    """Another array must have the dtype and the number of axes of the first."""
    _check_array_of(op, name, array, like)
    if array.ndim != like.ndim:
        raise ValueError(f"{op}: expected {name} to have {like.ndim} axes, but got shape {array.shape}")
    return 0


cdef _kind(value):
    return value.dtype if isinstance(value, numpy.ndarray) else type(value).__name__


cdef int _check_layout(str op, str name, array) except -1:
    if not cnp.PyArray_ISCARRAY_RO(array):
        raise ValueError(f"{op}: expected {name} to be C-contiguous, aligned and in native byte order")
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


cdef int _read_conv_shape(str op, windows, x, w, y, conv_shape *shape) except -1:
    """The windows for C, after checking that the shapes of x (N, C, *in), w and y (N, K, *out) agree with them."""
    cdef ptrdiff_t groups = windows.groups
    if groups < 1 or x.shape[1] % groups != 0 or w.shape[0] % groups != 0:
        raise ValueError(f"{op}: {x.shape[1]} and {w.shape[0]} channels cannot be split into {groups} groups")
    _read_axes(op, windows, shape.input, shape.out, shape.kernel, shape.stride, shape.dilation, shape.before)
    shape.algorithm = algorithm
    shape.report = NULL
    shape.batch = x.shape[0]
    shape.groups = groups
    shape.in_channels = x.shape[1] // groups
    shape.out_channels = w.shape[0] // groups
    _check_equal(op, "shape of the input", x.shape, (y.shape[0], x.shape[1], *windows.in_size))
    _check_equal(op, "shape of the filters", w.shape, (w.shape[0], shape.in_channels, *windows.kernel))
    _check_equal(op, "shape of the output", y.shape, (x.shape[0], w.shape[0], *windows.out_size))
    return 0


cdef int _read_pool_shape(str op, windows, x, y, pool_shape *shape) except -1:
    """The windows for C, after checking that the shapes of x (N, C, *in) and y (N, C, *out) agree with them."""
    _read_axes(op, windows, shape.input, shape.out, shape.kernel, shape.stride, shape.dilation, shape.before)
    shape.planes = x.shape[0] * x.shape[1]
    _check_equal(op, "shape of the input", x.shape, (*y.shape[:2], *windows.in_size))
    _check_equal(op, "shape of the output", y.shape, (*x.shape[:2], *windows.out_size))
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
    if result == NO_MEMORY:
        raise MemoryError(f"{op}: no memory for its working buffers")
    if result == BAD_INDEX:
        raise IndexError(f"{op}: an index lies outside of its plane of size {tuple(in_size)}")
    return 0


*_, best_isa = available_isas()
set_isa(os.environ.get("MINIGRAD_ISA") or best_isa)
set_num_threads(default_num_threads())


# --- normalisation, softmax, functions of each element, sums and dropout ---------------------------------------------
# These take arrays of any shape: what C needs of it is computed here, from sizes that were checked against each other.

cdef dict UNARY = {unary_names[i].decode(): i for i in range(unary_count)}
cdef dict BINARY = {binary_names[i].decode(): i for i in range(binary_count)}


def batch_norm(x, weight, bias, eps):
    """x (N, C, *) brought to mean 0 and variance 1 for each channel, times weight (C) plus bias (C), or None for them.

    Returns the result and the means and variances (biased) of the channels. Raises TypeError and ValueError for arrays
    that do not fit, as all functions here do.
    """
    cdef norm_shape shape
    _read_batch_norm("batch_norm", x, eps, &shape)
    return _norm("batch_norm", &shape, x, weight, bias, (x.shape[1],))


def batch_norm_input(g, x, weight, mean, var, eps):
    """The gradients of batch_norm with respect to x, weight and bias."""
    cdef norm_shape shape
    _read_batch_norm("batch_norm_input", x, eps, &shape)
    return _norm_input("batch_norm_input", &shape, g, x, weight, mean, var, (x.shape[1],), (x.shape[1],))


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


def scale_channels(x, scale, shift):
    """x (N, C, *) times scale (C) plus shift (C), which may be None."""
    cdef const kernel_table *kernels = _float_kernels("scale_channels", "x", x)
    _check_axes("scale_channels", x)
    y = numpy.empty(x.shape, x.dtype)
    cdef ptrdiff_t samples = x.shape[0], channels = x.shape[1]
    cdef ptrdiff_t size = _plane_elements(x)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *scale_data = _vector_data("scale_channels", "scale", scale, channels, x)
    cdef const void *shift_data = NULL
    if shift is not None:
        shift_data = _vector_data("scale_channels", "shift", shift, channels, x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    with nogil:
        kernels.scale_channels(samples, channels, size, x_data, scale_data, shift_data, y_data)
    return y


def softmax(x, axis, logarithm):
    """exp(x) over its sum along an axis (not counted from the end), or the logarithm of that."""
    cdef const kernel_table *kernels = _float_kernels("softmax", "x", x)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("softmax", x, axis, &outer, &classes, &inner)
    y = numpy.empty(x.shape, x.dtype)
    cdef int wanted = logarithm
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    with nogil:
        kernels.softmax(outer, classes, inner, wanted, x_data, y_data)
    return y


def softmax_input(g, y, axis, logarithm):
    """The gradient of softmax, from that of its result and the result."""
    cdef const kernel_table *kernels = _float_kernels("softmax_input", "y", y)
    _check_like("softmax_input", "g", g, y)
    cdef ptrdiff_t outer, classes, inner
    _read_axis("softmax_input", y, axis, &outer, &classes, &inner)
    dx = numpy.empty(y.shape, y.dtype)
    cdef int wanted = logarithm
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *y_data = cnp.PyArray_DATA(y)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    with nogil:
        kernels.softmax_input(outer, classes, inner, wanted, g_data, y_data, dx_data)
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
    loss, largest, log_sum = [numpy.empty(target.shape, x.dtype) for _ in range(3)]
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
    cdef int g_step = _read_operand("cross_entropy_input", "g", g, largest)
    _check_like("cross_entropy_input", "largest", largest, x, target.shape)
    _check_like("cross_entropy_input", "log_sum", log_sum, x, target.shape)
    if target.min() < 0 or target.max() >= classes:
        _raise_bad_target("cross_entropy_input", target, classes, ignored)
    dx = numpy.empty(x.shape, x.dtype)
    cdef int64_t ignored_class = ignored
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *largest_data = cnp.PyArray_DATA(largest)
    cdef const void *log_sum_data = cnp.PyArray_DATA(log_sum)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    with nogil:
        kernels.cross_entropy_input(outer, classes, inner, g_data, g_step, x_data, target_data, weight_data,
                                    ignored_class, largest_data, log_sum_data, dx_data)
    return dx


def map_unary(str name, x, double a=0.0, double b=0.0, out=None):
    """The function of this name of each element of x, with its parameters a and b; into `out`, which may be x."""
    cdef const kernel_table *kernels = _float_kernels(name, "x", x)
    cdef int number = UNARY[name]
    if out is None:
        out = numpy.empty(x.shape, x.dtype)
    else:
        _check_output(name, out, x)
    cdef ptrdiff_t count = x.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(out)
    with nogil:
        kernels.map_unary(number, count, x_data, a, b, y_data)
    return out


def map_binary(str name, x, z, double a=0.0, double b=0.0, out=None):
    """The function of this name of the elements of x and z in the same place; either may be 0-d: one number for all."""
    like = z if x.ndim == 0 else x
    cdef const kernel_table *kernels = _float_kernels(name, "x", like)
    cdef int number = BINARY[name]
    cdef int x_step = _read_operand(name, "x", x, like)
    cdef int z_step = _read_operand(name, "z", z, like)
    if out is None:
        out = numpy.empty(like.shape, like.dtype)
    else:
        _check_output(name, out, like)
    cdef ptrdiff_t count = like.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *z_data = cnp.PyArray_DATA(z)
    cdef void *y_data = cnp.PyArray_DATA(out)
    with nogil:
        kernels.map_binary(number, count, x_step, x_data, z_step, z_data, a, b, y_data)
    return out


def sum_outer_inner(x, outer, middle, inner):
    """x, seen as (outer, middle, inner), summed over its first and last axis: (middle)."""
    cdef const kernel_table *kernels = _float_kernels("sum_outer_inner", "x", x)
    if min(outer, middle, inner) < 1 or outer * middle * inner != x.size:
        raise ValueError(f"sum_outer_inner: {x.shape} cannot be seen as {(outer, middle, inner)}")
    sums = numpy.empty(middle, x.dtype)
    cdef ptrdiff_t outer_size = outer, middle_size = middle, inner_size = inner
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *sums_data = cnp.PyArray_DATA(sums)
    cdef status result
    with nogil:
        result = kernels.sum_outer_inner(outer_size, middle_size, inner_size, x_data, sums_data)
    _check_status("sum_outer_inner", result)
    return sums


def dropout(x, uint64_t key, uint32_t threshold, double scale):
    """x times scale where the random word of the element (see random.h) is at least the threshold, else 0."""
    cdef const kernel_table *kernels = _float_kernels("dropout", "x", x)
    y = numpy.empty(x.shape, x.dtype)
    cdef ptrdiff_t count = x.size
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    with nogil:
        kernels.dropout(count, key, threshold, scale, x_data, y_data)
    return y


cdef _norm(str op, const norm_shape *shape, x, weight, bias, moments_shape, weights=None):
    """Runs a norm: the result, and the moments of its sets."""
    cdef const kernel_table *kernels = _float_kernels(op, "x", x)
    if weights is None:
        weights = x.shape[1]
    cdef const void *weight_data = NULL
    cdef const void *bias_data = NULL
    if weight is not None:
        weight_data = _vector_data(op, "weight", weight, weights, x)
    if bias is not None:
        bias_data = _vector_data(op, "bias", bias, weights, x)
    y = numpy.empty(x.shape, x.dtype)
    mean = numpy.empty(moments_shape, x.dtype)
    var = numpy.empty(moments_shape, x.dtype)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef void *y_data = cnp.PyArray_DATA(y)
    cdef void *mean_data = cnp.PyArray_DATA(mean)
    cdef void *var_data = cnp.PyArray_DATA(var)
    with nogil:
        kernels.norm(shape, x_data, weight_data, bias_data, y_data, mean_data, var_data)
    return y, mean, var


cdef _norm_input(str op, const norm_shape *shape, g, x, weight, mean, var, moments_shape, sums_shape):
    """The gradient of a norm with respect to x, and the sums that make those of weight and bias."""
    cdef const kernel_table *kernels = _float_kernels(op, "x", x)
    _check_like(op, "g", g, x)
    _check_like(op, "mean", mean, x, moments_shape)
    _check_like(op, "var", var, x, moments_shape)
    cdef const void *weight_data = NULL
    if weight is not None:
        weight_data = _vector_data(op, "weight", weight, sums_shape[len(sums_shape) - 1], x)
    dx = numpy.empty(x.shape, x.dtype)
    weight_sums = numpy.empty(sums_shape, x.dtype)
    bias_sums = numpy.empty(sums_shape, x.dtype)
    cdef const void *g_data = cnp.PyArray_DATA(g)
    cdef const void *x_data = cnp.PyArray_DATA(x)
    cdef const void *mean_data = cnp.PyArray_DATA(mean)
    cdef const void *var_data = cnp.PyArray_DATA(var)
    cdef void *dx_data = cnp.PyArray_DATA(dx)
    cdef void *weight_sums_data = cnp.PyArray_DATA(weight_sums)
    cdef void *bias_sums_data = cnp.PyArray_DATA(bias_sums)
    with nogil:
        kernels.norm_input(shape, g_data, x_data, weight_data, mean_data, var_data, dx_data, weight_sums_data,
                           bias_sums_data)
        if shape.weight_element:
            kernels.norm_weight(shape, g_data, x_data, mean_data, var_data, weight_sums_data, bias_sums_data)
    return dx, weight_sums, bias_sums


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
    return x.shape[:x.ndim - ndim]


cdef const kernel_table *_float_kernels(str op, str name, array) except NULL:
    """The kernels for the dtype of an array of any shape."""
    if not isinstance(array, numpy.ndarray):
        raise TypeError(f"{op}: expected {name} to be a numpy.ndarray, but got {type(array).__name__}")
    _check_layout(op, name, array)
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32:
        return chosen.kernels_float
    if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT64:
        return chosen.kernels_double
    raise TypeError(f"{op}: expected {name} to be float32 or float64, but got {array.dtype}")


cdef int _check_axes(str op, x) except -1:
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"{op}: expected x (N, C, *) with elements, but got shape {x.shape}")
    return 0


cdef int _check_like(str op, str name, array, like, shape=None) except -1:
    """An array must have the dtype of another, and its shape or the one given."""
    if not isinstance(array, numpy.ndarray) or array.dtype != like.dtype:
        raise TypeError(f"{op}: expected {name} to be an array of {like.dtype}, but got {_kind(array)}")
    _check_layout(op, name, array)
    return _check_equal(op, f"shape of {name}", array.shape, like.shape if shape is None else shape)


cdef const void *_vector_data(str op, str name, vector, length, like) except NULL:
    if not isinstance(vector, numpy.ndarray) or vector.dtype != like.dtype:
        raise TypeError(f"{op}: expected {name} to be an array of {like.dtype}, but got {_kind(vector)}")
    _check_layout(op, name, vector)
    _check_equal(op, f"size of {name}", vector.size, length)
    return cnp.PyArray_DATA(vector)


cdef const int64_t *_target_data(str op, x, target) except NULL:
    if not isinstance(target, numpy.ndarray) or target.dtype != numpy.int64:
        raise TypeError(f"{op}: expected target to be an array of int64, but got {_kind(target)}")
    _check_layout(op, "target", target)
    _check_axes(op, x)
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


cdef int _read_operand(str op, str name, array, like) except -1:
    """The step from one element to the next: 0 for a single number, else 1 for an array of the same shape."""
    _check_like(op, name, array, like, () if isinstance(array, numpy.ndarray) and array.ndim == 0 else None)
    return 0 if array.ndim == 0 and like.ndim > 0 else 1


cdef int _check_output(str op, out, like) except -1:
    _check_like(op, "out", out, like)
    if not out.flags.writeable:
        raise ValueError(f"{op}: expected out to be writeable")
    return 0


cdef int _read_axis(str op, x, Py_ssize_t axis, ptrdiff_t *outer, ptrdiff_t *length, ptrdiff_t *inner) except -1:
    """The sizes before, along and after an axis."""
    if not 0 <= axis < x.ndim or x.size == 0:
        raise ValueError(f"{op}: expected an array with elements and an axis of it, got shape {x.shape}, axis {axis}")
    cdef Py_ssize_t i
    outer[0] = inner[0] = 1
    length[0] = x.shape[axis]
    for i in range(axis):
        outer[0] *= x.shape[i]
    for i in range(axis + 1, x.ndim):
        inner[0] *= x.shape[i]
    return 0
