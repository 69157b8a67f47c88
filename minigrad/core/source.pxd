cimport cython

cdef extern from *:
    """
    #include <frameobject.h>
    /* The innermost Python frame whose file is not in `package`: its code (a new reference) and instruction offset. */
    static PyObject *minigrad_caller(PyObject *package, int *offset) {
        PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
        while (frame) {
            PyCodeObject *code = PyFrame_GetCode(frame);
            if (!PyUnicode_Tailmatch(code->co_filename, package, 0, PY_SSIZE_T_MAX, -1)) {
                *offset = PyFrame_GetLasti(frame);
                Py_DECREF(frame);
                return (PyObject *)code;
            }
            Py_DECREF(code);
            PyFrameObject *back = PyFrame_GetBack(frame);
            Py_DECREF(frame);
            frame = back;
        }
        *offset = 0;
        Py_RETURN_NONE;
    }
    """
    object minigrad_caller(object package, int *offset)

@cython.final
@cython.freelist(1024)
cdef class Place:
    cdef public object code
    cdef public int offset

cdef str PACKAGE

cpdef Place here()
