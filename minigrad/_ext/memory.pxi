"""Where results lie: large arrays in memory that csrc/memory.c keeps for the next, by NumPy's hook for allocators."""

cdef extern from *:
    """
    #include "csrc/memory.h"

    static void *take(void *unused, size_t bytes) { (void)unused; return memory_take(bytes); }
    static void *take_zeros(void *unused, size_t n, size_t bytes) { (void)unused; return memory_take_zeros(n, bytes); }
    static void *retake(void *unused, void *block, size_t bytes) { (void)unused; return memory_retake(block, bytes); }
    static void give(void *unused, void *block, size_t bytes) { (void)unused; (void)bytes; memory_give(block); }
    static PyDataMem_Handler cached_memory = {"minigrad", 1, {NULL, take, take_zeros, retake, give}};
    """
    void memory_give(void *block) noexcept nogil
    void *cached_memory_data "&cached_memory"
    object PyDataMem_SetHandler(object handler)
    object PyCapsule_New(void *pointer, const char *name, void *destructor)

cdef object cached_memory = PyCapsule_New(cached_memory_data, "mem_handler", NULL)
cdef size_t smallest_cached = MEMORY_LARGE  # bytes


def set_memory(kind):
    """Where large arrays are to lie from now on: "cached" or, as tools that watch every block need it, "plain".

    Raises ValueError for any other word.
    """
    global smallest_cached
    if kind not in ("cached", "plain"):
        raise ValueError(f"MINIGRAD_MEMORY must be 'cached' or 'plain', but is {kind!r}")
    smallest_cached = MEMORY_LARGE if kind == "cached" else SIZE_MAX


def memory_stats():
    """The counts of csrc/memory.h by name."""
    return memory_count()


def trim_memory():
    """Returns to the system the memory that no array uses."""
    with nogil:
        memory_trim()


def reset_peak_memory():
    """Lets the peaks begin anew from what is in use."""
    memory_reset_peaks()


def empty(shape, dtype):
    """An array that is not filled, as by numpy.empty."""
    return _empty(tuple(shape), cnp.dtype(dtype).type_num)


cdef object _empty(tuple shape, int type):
    cdef cnp.npy_intp lengths[cnp.NPY_MAXDIMS]
    cdef int axes = len(shape), axis
    cdef size_t bytes = 8  # an element's at most
    if axes > cnp.NPY_MAXDIMS:
        raise ValueError(f"expected at most {cnp.NPY_MAXDIMS} axes, but got {axes}")
    for axis in range(axes):
        lengths[axis] = shape[axis]
        bytes *= <size_t> lengths[axis]
    if bytes < smallest_cached:
        return cnp.PyArray_EMPTY(axes, lengths, type, 0)
    previous = PyDataMem_SetHandler(cached_memory)
    try:
        return cnp.PyArray_EMPTY(axes, lengths, type, 0)
    finally:
        PyDataMem_SetHandler(previous)
