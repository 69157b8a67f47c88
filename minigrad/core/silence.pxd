cdef object CONTROL
cdef object SILENT

cpdef object silence()
cpdef object control()
cpdef object set_control(object before)
cpdef object restore(object before)
