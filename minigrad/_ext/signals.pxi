# Signals, such as Ctrl-C, while C computes. Python runs their handlers in its main thread, where a kernel asks for it
# every few milliseconds; an exception of theirs ends the kernel. What has been computed so far is thrown away, so
# kernels that write where something stood before run to their end.

cdef extern from "Python.h" nogil:
    unsigned long PyThread_get_thread_ident()

cdef extern from "Python.h":
    int PyErr_CheckSignals()  # as C has it: what it raises stays set until the kernel has returned

cdef unsigned long main_thread = threading.main_thread().ident


cdef int _handler_raised() noexcept nogil:
    cdef void *buffers
    cdef int raised
    if PyThread_get_thread_ident() != main_thread:
        return 0
    with gil:
        buffers = scratch_set_aside()  # a handler may compute too
        raised = PyErr_CheckSignals()
        scratch_put_back(buffers)
    return raised != 0
