cimport cython
from .graph cimport Leaf, Node, Saved, Version, start
from .modes cimport inference

@cython.freelist(1024)
cdef class Tensor:
    cdef public object array
    cdef public object _grad
    cdef public Node node
    cdef public bint tracked
    cdef public Version version
    cdef public Tensor base
    cdef public tuple path
    cdef public Py_ssize_t seen
    cdef object __weakref__

cdef class Operation:
    cpdef operate(self, object x, object y)

cdef class Operators:
    cdef public Operation add, sub, mul, div, pow, matmul
    cdef public dict table

cdef Operators OPERATORS
cdef Version INFERENCE
cpdef Tensor make_tensor(object array)
cpdef Version version_of(Tensor x)
cpdef bint needs_grad(Tensor x) except -1
cpdef edge_of(object a)
cdef Leaf make_leaf(Tensor x)
cpdef Saved save(object array, Node node, Version version)
