cimport cython
from .graph cimport Leaf, Node
from .modes cimport set_recording
from .primitive cimport Primitive, Rule, pick
from .silence cimport restore, silence
from .tensor cimport Tensor, edge_of, make_tensor, needs_grad

@cython.final
cdef class Walk:
    cdef public list ready
    cdef public dict pending
    cdef public bint retain
    cdef public bint create
    cdef public object wanted
    cdef public object useful
    cdef public dict found
    cpdef deliver(self, Node node, Tensor g)
    cpdef deliver_part(self, Node node, object index, Tensor g)
    cpdef run(self)
    cpdef accumulate(self, Leaf leaf)
    cpdef visit(self, Node node, object g)
    cpdef bint wants(self, Rule rule, Node node) except -1
    cpdef deliver_all(self, object inputs, Node node, object gradients)

cpdef tuple references(dict pending, object node)
cdef bint sole_owner(dict pending, Node node) except -1
cdef Tensor fit(Tensor g, Node node)
cdef object call_rule(Rule rule, Node node, object g)
