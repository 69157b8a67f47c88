cdef object CONTROL
cdef object SILENT

cpdef object silence()
cpdef object restore(object before)
