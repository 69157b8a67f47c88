cimport cython
from .source cimport Place

@cython.final
cdef class Version:
    cdef public Py_ssize_t writes
    cdef public Py_ssize_t rebased
    cdef public object writer
    cdef object __weakref__

@cython.final
cdef class Saved:
    cdef public object array
    cdef public Node node
    cdef public Version version
    cdef public Py_ssize_t writes

cdef class Node:
    cdef public Py_ssize_t sequence
    cdef public object primitive
    cdef public tuple edges
    cdef public list saved
    cdef public Saved output
    cdef public list aux
    cdef public tuple static
    cdef public object shape
    cdef public object dtype
    cdef public Py_ssize_t index
    cdef public Place place
    cdef public object watch
    cdef public bint released
    cdef object __weakref__

@cython.final
cdef class Leaf(Node):
    cdef public object tensor

@cython.final
cdef class Clock:
    cdef public Py_ssize_t now

cdef Clock clock
cpdef start(Node node, object shape, object dtype)
