cimport cython
from .graph cimport Leaf, Node, start
from .modes cimport current_task, grad_mode, set_recording, set_task
from .primitive cimport Primitive, Rule, pick
from .silence cimport control, restore, set_control, silence
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
    cdef public bint filling
    cdef public list caught
    cdef public list constant
    cdef public object anomalies
    cdef public dict uses
    cpdef deliver(self, Node node, Tensor g)
    cpdef deliver_part(self, Node node, object index, Tensor g)
    cpdef run(self)
    cpdef take(self, Node node)
    cpdef take_leaves_behind(self, Node node)
    cpdef settle(self)
    cpdef show(self, Node node, object watch)
    cpdef accumulate(self, Leaf leaf)
    cpdef visit(self, Node node, object g)
    cpdef run_rules(self, Node node, Primitive primitive, object g)
    cpdef run_watched(self, Node node, Primitive primitive, object g)
    cpdef hand_on(self, Node node, Py_ssize_t i, object out)
    cpdef bint leads_on(self, Node node) except -1
    cpdef bint wants(self, Rule rule, Node node) except -1
    cpdef deliver_all(self, object inputs, Node node, object gradients)

cpdef tuple references(dict pending, object node)
cdef bint sole_owner(dict pending, Node node) except -1
cdef Tensor fit(Tensor g, Node node)
cdef Tensor tie(Tensor g, Node node)
cdef object call_rule(Rule rule, Node node, object g)
cpdef Tensor start_gradient(str op, Node node, object gradient)
cpdef tuple several(str op, str what, object x)
cpdef tuple starting_points(str op, tuple outputs, object gradients)
cpdef destination(object x)
