cimport cython
from .graph cimport Node, Saved, Version, start
from .modes cimport packing, recording, tracing
from .silence cimport restore, silence
from .source cimport Place, here
from .tensor cimport Operation, Tensor, edge_of, make_tensor, needs_grad, save, version_of

@cython.final
cdef class Pick:
    cdef public int kind
    cdef public Py_ssize_t index

@cython.final
cdef class Rule:
    cdef public object function
    cdef public tuple inputs
    cdef public Py_ssize_t first
    cdef public bint joint
    cdef public bint variadic
    cdef public tuple picks

@cython.final
cdef class Primitive(Operation):
    cdef dict __dict__
    cdef public str name
    cdef public object forward
    cdef public tuple tensors
    cdef public Py_ssize_t n_tensors
    cdef public Py_ssize_t required
    cdef public Py_ssize_t n_unbound
    cdef public bint variadic
    cdef public tuple static_names
    cdef public Py_ssize_t n_positional
    cdef public tuple defaults
    cdef public bint spread
    cdef public tuple rules
    cdef public tuple keeps
    cdef public bint keeps_output
    cdef public bint keeps_aux
    cdef public Py_ssize_t aux
    cdef public bint parts
    cdef public bint view
    cdef public object equals
    cdef public bint tied
    cdef public str accepts
    cdef public int promotion
    cdef public tuple numbers
    cdef public object in_place
    cdef public dict facts
    cpdef call(self, tuple args, tuple static)
    cpdef call_parts(self, tuple args, tuple static, object results, bint needed)
    cpdef compute(self, list arrays, tuple static)
    cpdef compute_elsewhere(self, list arrays, tuple static)
    @cython.locals(needed=Py_ssize_t, i=Py_ssize_t, arrays_of=object, shapes_of=object)
    cpdef Node record(self, tuple args, tuple static, object out, object aux)

cdef int INPUT, OUTPUT, AUX, STATIC, SHAPE
cpdef pick(Pick where, Node node)
cpdef unpack(object value, object source, Node node, str what)
cdef shape_of(object saved)
cdef Tensor wrap(object result)
cdef share(Tensor out, object x, tuple step)
cdef bint uniform(list arrays) except -1
