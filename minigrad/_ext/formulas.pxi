# Formulas over many arrays at once, as the steps of optimisers are.

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
            raise MemoryError(f"{op}: no memory for a table of {self.rows} rows of {columns} arrays")
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
    cdef status result
    with nogil:
        set_uninterrupted(1)
        result = table.kernels.evaluate(&what, numbers_data, table.rows, table.starts, table.pointers)
        set_uninterrupted(0)
    _check_status("evaluate", result)


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
