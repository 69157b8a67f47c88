"""The kernels for CuPy's arrays: CUDA C from the .cu files here, compiled when first used; the reference for what that does not take.

They take contiguous float16, float32 and float64 arrays of fewer than 2**31 elements with one to three axes in the plane; float16 is only stored:
sums are made in float32. Each sum has one order, so that the same input gives the same bits. Nothing here waits for the device, but
`sum_of_squares`, which returns a number.
"""

from __future__ import annotations

from ..fused import sum_axes as sum_axes
from ..reference import add_into as add_into
from .blend import blend as blend
from .blend import match as match
from .blend import spread as spread
from .conv import conv as conv
from .conv import conv_input as conv_input
from .conv import conv_weight as conv_weight
from .conv import finished_conv as finished_conv
from .linalg import matmul as matmul
from .maps import binary as binary
from .maps import unary as unary
from .norm import batch_norm as batch_norm
from .norm import batch_norm_input as batch_norm_input
from .norm import group_norm as group_norm
from .norm import group_norm_input as group_norm_input
from .norm import row_norm as row_norm
from .norm import row_norm_input as row_norm_input
from .norm import scale_channels as scale_channels
from .pool import max_pool as max_pool
from .pool import max_unpool as max_unpool
from .pool import pool_gather as pool_gather
from .pool import pool_scatter as pool_scatter
from .pool import sum_pool as sum_pool
from .pool import sum_pool_input as sum_pool_input
from .random import dropout as dropout
from .random import normal as normal
from .random import uniform as uniform
from .resample import resample as resample
from .scatter import add_at as add_at
from .softmax import cross_entropy as cross_entropy
from .softmax import cross_entropy_input as cross_entropy_input
from .softmax import softmax as softmax
from .softmax import softmax_input as softmax_input
from .update import scale as scale
from .update import sum_of_squares as sum_of_squares
from .update import total_of_squares as total_of_squares
from .update import unscale as unscale
from .update import update as update
