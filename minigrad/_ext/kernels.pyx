"""The compiled kernels: arrays in, arrays out.

Arrays are C-contiguous, all of them float32 or all float64, indices int64, with one to three axes in the plane. These
functions are the last line of defence before C: they check every size that C relies on and raise rather than read out
of bounds. Other Python threads run while C computes.
"""

import os
import threading

import numpy

from .cpus import default_num_threads

cimport cython
cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdint cimport SIZE_MAX
from libc.stdlib cimport free, malloc

cnp.import_array()

include "signals.pxi"
include "settings.pxi"
include "arguments.pxi"
include "memory.pxi"
include "convolution.pxi"
include "pooling.pxi"
include "products.pxi"
include "formulas.pxi"
include "norms.pxi"
include "classes.pxi"
include "elements.pxi"
include "resampling.pxi"

*_, best_isa = available_isas()
set_isa(os.environ.get("MINIGRAD_ISA") or best_isa)
set_num_threads(default_num_threads())
set_interruption(&_handler_raised)
set_memory(os.environ.get("MINIGRAD_MEMORY") or "cached")
