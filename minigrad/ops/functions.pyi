# Written by `python -m tests.stubs`: what type checkers and editors know of the operations as functions.

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy as np

from ..core.device import device as Device
from ..core.size import Size
from ..core.tensor import Tensor
from .convert import (
    BoolTensor,
    ByteTensor,
    CharTensor,
    DoubleTensor,
    FloatTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ShortTensor,
)
from .families import ValuesAndIndices
from .layout import channels_last, channels_last_3d, contiguous_format, preserve_format, strided
from .matrices import QR, SlogDet
from .order import MinAndMax
from .random import Generator, default_generator

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = float | np.generic
Index: TypeAlias = int | np.integer[Any]
Indices: TypeAlias = Index | Sequence[Index]
Operand: TypeAlias = Tensor | Array | Number
DType: TypeAlias = np.dtype[Any] | type[Any] | str
Place: TypeAlias = Device | str | int

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "Generator",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "abs",
    "abs_",
    "absolute",
    "acos",
    "acos_",
    "acosh",
    "acosh_",
    "add",
    "addbmm",
    "addcdiv",
    "addcmul",
    "addmm",
    "addmv",
    "addmv_",
    "addr",
    "adjoint",
    "all",
    "allclose",
    "amax",
    "amin",
    "aminmax",
    "angle",
    "any",
    "arange",
    "arccos",
    "arccos_",
    "arccosh",
    "arccosh_",
    "arcsin",
    "arcsin_",
    "arcsinh",
    "arcsinh_",
    "arctan",
    "arctan2",
    "arctan_",
    "arctanh",
    "arctanh_",
    "argmax",
    "argmin",
    "argsort",
    "argwhere",
    "as_strided",
    "as_strided_",
    "as_tensor",
    "asarray",
    "asin",
    "asin_",
    "asinh",
    "asinh_",
    "atan",
    "atan2",
    "atan_",
    "atanh",
    "atanh_",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "baddbmm",
    "bernoulli",
    "bincount",
    "binomial",
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "block_diag",
    "bmm",
    "broadcast_shapes",
    "broadcast_tensors",
    "broadcast_to",
    "bucketize",
    "cartesian_prod",
    "cat",
    "cdist",
    "ceil",
    "ceil_",
    "chain_matmul",
    "channels_last",
    "channels_last_3d",
    "cholesky",
    "chunk",
    "clamp",
    "clamp_",
    "clamp_max",
    "clamp_max_",
    "clamp_min",
    "clamp_min_",
    "clip",
    "clip_",
    "clone",
    "column_stack",
    "combinations",
    "concat",
    "concatenate",
    "conj",
    "conj_physical",
    "conj_physical_",
    "contiguous_format",
    "copysign",
    "corrcoef",
    "cos",
    "cos_",
    "cosh",
    "cosh_",
    "count_nonzero",
    "cov",
    "cross",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_trapezoid",
    "default_generator",
    "deg2rad",
    "deg2rad_",
    "det",
    "detach",
    "detach_",
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "diff",
    "digamma",
    "dist",
    "div",
    "divide",
    "dot",
    "dsplit",
    "dstack",
    "einsum",
    "empty",
    "empty_like",
    "empty_strided",
    "eq",
    "equal",
    "erf",
    "erf_",
    "erfc",
    "erfc_",
    "erfinv",
    "exp",
    "exp2",
    "exp2_",
    "exp_",
    "expm1",
    "expm1_",
    "eye",
    "fill",
    "fill_",
    "fix",
    "fix_",
    "flatten",
    "flip",
    "fliplr",
    "flipud",
    "float_power",
    "floor",
    "floor_",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "frac_",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "full",
    "full_like",
    "gather",
    "gcd",
    "gcd_",
    "ge",
    "ger",
    "get_device",
    "get_rng_state",
    "greater",
    "greater_equal",
    "gt",
    "hardshrink",
    "heaviside",
    "histc",
    "hsplit",
    "hstack",
    "hypot",
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_put_",
    "index_reduce",
    "index_select",
    "initial_seed",
    "inner",
    "inverse",
    "is_complex",
    "is_conj",
    "is_floating_point",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_tensor",
    "isclose",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "kron",
    "kthvalue",
    "lcm",
    "lcm_",
    "ldexp",
    "ldexp_",
    "le",
    "lerp",
    "less",
    "less_equal",
    "lgamma",
    "linspace",
    "log",
    "log10",
    "log10_",
    "log1p",
    "log1p_",
    "log2",
    "log2_",
    "log_",
    "log_softmax",
    "logaddexp",
    "logaddexp2",
    "logcumsumexp",
    "logdet",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logit_",
    "logspace",
    "logsumexp",
    "lt",
    "manual_seed",
    "masked_fill",
    "masked_scatter",
    "masked_select",
    "matmul",
    "matrix_power",
    "max",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mm",
    "mode",
    "moveaxis",
    "movedim",
    "msort",
    "mul",
    "multinomial",
    "multiply",
    "mv",
    "nan_to_num",
    "nan_to_num_",
    "nanmean",
    "nanmedian",
    "nanquantile",
    "nansum",
    "narrow",
    "ne",
    "neg",
    "neg_",
    "negative",
    "negative_",
    "nonzero",
    "norm",
    "normal",
    "not_equal",
    "numel",
    "ones",
    "ones_like",
    "outer",
    "pdist",
    "permute",
    "pinverse",
    "poisson",
    "polygamma",
    "positive",
    "pow",
    "prelu",
    "preserve_format",
    "prod",
    "put",
    "qr",
    "quantile",
    "rad2deg",
    "rad2deg_",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "range",
    "ravel",
    "real",
    "reciprocal",
    "reciprocal_",
    "relu",
    "remainder",
    "renorm",
    "repeat_interleave",
    "reshape",
    "resize_as_",
    "resolve_conj",
    "resolve_neg",
    "roll",
    "rot90",
    "round",
    "round_",
    "row_stack",
    "rsqrt",
    "rsqrt_",
    "rsub",
    "scalar_tensor",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "seed",
    "select",
    "select_scatter",
    "set_rng_state",
    "sgn",
    "sigmoid",
    "sigmoid_",
    "sign",
    "signbit",
    "sin",
    "sin_",
    "sinc",
    "sinc_",
    "sinh",
    "sinh_",
    "slice_scatter",
    "slogdet",
    "softmax",
    "sort",
    "split",
    "split_with_sizes",
    "sqrt",
    "sqrt_",
    "square",
    "square_",
    "squeeze",
    "stack",
    "std",
    "std_mean",
    "strided",
    "sub",
    "subtract",
    "sum",
    "swapaxes",
    "swapdims",
    "t",
    "take",
    "take_along_dim",
    "tan",
    "tan_",
    "tanh",
    "tanh_",
    "tensor",
    "tensor_split",
    "tensordot",
    "tile",
    "topk",
    "trace",
    "transpose",
    "trapezoid",
    "trapz",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
    "true_divide",
    "trunc",
    "trunc_",
    "unbind",
    "unflatten",
    "unique",
    "unique_consecutive",
    "unravel_index",
    "unsafe_chunk",
    "unsafe_split",
    "unsqueeze",
    "var",
    "var_mean",
    "vdot",
    "vsplit",
    "vstack",
    "where",
    "xlogy",
    "xlogy_",
    "zero_",
    "zeros",
    "zeros_like",
]

def abs(input: Tensor) -> Tensor:
    """The absolute value; its derivative at 0 is taken as 0."""

def abs_(input: Tensor) -> Tensor:
    """The in-place form of `abs`: writes the result into the first argument and returns it."""

def absolute(input: Tensor) -> Tensor:
    """The absolute value; its derivative at 0 is taken as 0."""

def acos(input: Tensor) -> Tensor:
    """The angle in radians whose cosine is the input."""

def acos_(input: Tensor) -> Tensor:
    """The in-place form of `acos`: writes the result into the first argument and returns it."""

def acosh(input: Tensor) -> Tensor:
    """The number, not below 0, whose hyperbolic cosine is the input."""

def acosh_(input: Tensor) -> Tensor:
    """The in-place form of `acosh`: writes the result into the first argument and returns it."""

def add(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other."""

def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * the sum of (batch1 @ batch2) over the batch."""

def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2."""

def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""

def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2)."""

def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (mat @ vec)."""

def addmv_(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """The in-place form of `addmv`: writes the result into the first argument and returns it."""

def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2)."""

def adjoint(input: Tensor) -> Tensor:
    """The last two axes exchanged, and conjugated, which for real numbers changes nothing. A view."""

def all(input: Tensor, dim: Indices | None = None, keepdim: bool = False) -> Tensor:
    """Whether all elements are true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""

def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close: see isclose."""

def amax(input: Tensor, dim: Indices = (), keepdim: bool = False) -> Tensor:
    """The largest element over axes, all of them by default. Elements that tie share the gradient equally."""

def amin(input: Tensor, dim: Indices = (), keepdim: bool = False) -> Tensor:
    """The smallest element over axes, all of them by default. Elements that tie share the gradient equally."""

def aminmax(input: Tensor, *, dim: Index | None = None, keepdim: bool = False) -> MinAndMax:
    """The smallest and the largest element, of all or along an axis: (min, max)."""

def angle(input: Tensor) -> Tensor:
    """The angle to the positive real axis, in radians: pi for negative numbers, else 0."""

def any(input: Tensor, dim: Indices | None = None, keepdim: bool = False) -> Tensor:
    """Whether any element is true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""

@overload
def arange(end: Number, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ... up to but without `end`."""

@overload
def arange(start: Number, end: Number, step: Number = 1, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ... up to but without `end`."""

def arccos(input: Tensor) -> Tensor:
    """The angle in radians whose cosine is the input."""

def arccos_(input: Tensor) -> Tensor:
    """The in-place form of `acos`: writes the result into the first argument and returns it."""

def arccosh(input: Tensor) -> Tensor:
    """The number, not below 0, whose hyperbolic cosine is the input."""

def arccosh_(input: Tensor) -> Tensor:
    """The in-place form of `acosh`: writes the result into the first argument and returns it."""

def arcsin(input: Tensor) -> Tensor:
    """The angle in radians whose sine is the input."""

def arcsin_(input: Tensor) -> Tensor:
    """The in-place form of `asin`: writes the result into the first argument and returns it."""

def arcsinh(input: Tensor) -> Tensor:
    """The number whose hyperbolic sine is the input."""

def arcsinh_(input: Tensor) -> Tensor:
    """The in-place form of `asinh`: writes the result into the first argument and returns it."""

def arctan(input: Tensor) -> Tensor:
    """The angle in radians whose tangent is the input."""

def arctan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle in radians of the point (other, input)."""

def arctan_(input: Tensor) -> Tensor:
    """The in-place form of `atan`: writes the result into the first argument and returns it."""

def arctanh(input: Tensor) -> Tensor:
    """The number whose hyperbolic tangent is the input."""

def arctanh_(input: Tensor) -> Tensor:
    """The in-place form of `atanh`: writes the result into the first argument and returns it."""

def argmax(input: Tensor, dim: Index | None = None, keepdim: bool = False) -> Tensor:
    """The index of the largest element along an axis (the first, if several tie), or among all elements."""

def argmin(input: Tensor, dim: Index | None = None, keepdim: bool = False) -> Tensor:
    """The index of the smallest element along an axis (the first, if several tie), or among all elements."""

def argsort(input: Tensor, dim: Index = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
    """The indices that sort the input along an axis."""

def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero, one row each."""

def as_strided(input: Tensor, size: Indices, stride: Indices, storage_offset: Index | None = None) -> Tensor:
    """A view of the memory that the input lies in, with these lengths, strides and offset, all in elements. Elements may overlap."""

def as_strided_(input: Tensor, size: Indices, stride: Indices, storage_offset: Index | None = None) -> Tensor:
    """as_strided of the tensor itself, which needs no gradient and is no view: other elements of its memory take the place of its own."""

def as_tensor(data: Any, dtype: DType | None = None, device: Place | None = None) -> Tensor:
    """`data` as a tensor, without copying where it is a tensor or an array of the wanted dtype already."""

def asarray(obj: Any, *, dtype: DType | None = None, device: Place | None = None, copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of an object: another tensor, an array, an object with DLPack or a buffer, or numbers in sequences. Copied only where it must be."""

def asin(input: Tensor) -> Tensor:
    """The angle in radians whose sine is the input."""

def asin_(input: Tensor) -> Tensor:
    """The in-place form of `asin`: writes the result into the first argument and returns it."""

def asinh(input: Tensor) -> Tensor:
    """The number whose hyperbolic sine is the input."""

def asinh_(input: Tensor) -> Tensor:
    """The in-place form of `asinh`: writes the result into the first argument and returns it."""

def atan(input: Tensor) -> Tensor:
    """The angle in radians whose tangent is the input."""

def atan2(input: Tensor, other: Tensor) -> Tensor:
    """The angle in radians of the point (other, input)."""

def atan_(input: Tensor) -> Tensor:
    """The in-place form of `atan`: writes the result into the first argument and returns it."""

def atanh(input: Tensor) -> Tensor:
    """The number whose hyperbolic tangent is the input."""

def atanh_(input: Tensor) -> Tensor:
    """The in-place form of `atanh`: writes the result into the first argument and returns it."""

@overload
def atleast_1d(tensor: Tensor, /) -> Tensor:
    """The tensor, a 0-d one as one element along an axis; of several tensors, a tuple."""

@overload
def atleast_1d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]:
    """The tensor, a 0-d one as one element along an axis; of several tensors, a tuple."""

@overload
def atleast_1d(first: Tensor, second: Tensor, /, *more: Tensor) -> tuple[Tensor, ...]:
    """The tensor, a 0-d one as one element along an axis; of several tensors, a tuple."""

@overload
def atleast_2d(tensor: Tensor, /) -> Tensor:
    """The tensor with axes put in front until there are two; of several tensors, a tuple."""

@overload
def atleast_2d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]:
    """The tensor with axes put in front until there are two; of several tensors, a tuple."""

@overload
def atleast_2d(first: Tensor, second: Tensor, /, *more: Tensor) -> tuple[Tensor, ...]:
    """The tensor with axes put in front until there are two; of several tensors, a tuple."""

@overload
def atleast_3d(tensor: Tensor, /) -> Tensor:
    """The tensor with axes put around it until there are three: a vector becomes (1, n, 1), a matrix (n, m, 1); of several, a tuple."""

@overload
def atleast_3d(tensors: Sequence[Tensor], /) -> tuple[Tensor, ...]:
    """The tensor with axes put around it until there are three: a vector becomes (1, n, 1), a matrix (n, m, 1); of several, a tuple."""

@overload
def atleast_3d(first: Tensor, second: Tensor, /, *more: Tensor) -> tuple[Tensor, ...]:
    """The tensor with axes put around it until there are three: a vector becomes (1, n, 1), a matrix (n, m, 1); of several, a tuple."""

def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2), for each pair of matrices of a batch."""

def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element says (or with probability p everywhere), else 0."""

def bincount(input: Tensor, weights: Tensor | None = None, minlength: Index = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in a vector, or the sums of the weights that stand where it does."""

def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of so many trials succeed, each with this probability."""

def bitwise_and(input: Operand, other: Operand) -> Tensor:
    """The bits set in both, of integers or truth values."""

def bitwise_left_shift(input: Tensor, other: Operand) -> Tensor:
    """The bits of the input moved to the left by the other: input * 2**other, modulo the dtype's range."""

def bitwise_not(input: Tensor) -> Tensor:
    """The bits that are not set, of integers or truth values."""

def bitwise_or(input: Tensor, other: Operand) -> Tensor:
    """The bits set in at least one, of integers or truth values."""

def bitwise_right_shift(input: Tensor, other: Operand) -> Tensor:
    """The bits of the input moved to the right by the other, copies of the sign coming in: floor(input / 2**other)."""

def bitwise_xor(input: Tensor, other: Operand) -> Tensor:
    """The bits set in exactly one, of integers or truth values."""

def block_diag(*tensors: Tensor | Sequence[Tensor]) -> Tensor:
    """The matrix with these matrices along its diagonal, zeros elsewhere; vectors count as rows."""

def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of a batch of pairs of matrices."""

def broadcast_shapes(*shapes: Indices) -> Size:
    """The shape to which tensors of these shapes (or lengths) broadcast."""

def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The tensors, all broadcast to their common shape. Views."""

def broadcast_to(input: Tensor, size: Indices, *more: Indices) -> Tensor:
    """The input broadcast to a shape, which may be spread over the call. A view."""

def bucketize(input: Tensor | Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The index of the bucket, between boundaries in ascending order, that each element falls into."""

def cartesian_prod(*tensors: Tensor | Sequence[Tensor]) -> Tensor:
    """All combinations of one element of each vector, one row each, as itertools.product; of one vector, the vector."""

def cat(tensors: Sequence[Tensor], dim: Index = 0) -> Tensor:
    """The tensors side by side along an existing axis; all other lengths must agree."""

def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distances between all rows of x1 and all rows of x2, for each pair of matrices of a batch."""

def ceil(input: Tensor) -> Tensor:
    """The smallest integer not below the input."""

def ceil_(input: Tensor) -> Tensor:
    """The in-place form of `ceil`: writes the result into the first argument and returns it."""

def chain_matmul(*matrices: Tensor | Sequence[Tensor]) -> Tensor:
    """The product of several matrices, in the order that takes the fewest multiplications: linalg.multi_dot's older name."""

def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangular L with L @ L.mT = input, or with `upper` the U = L.mT."""

def chunk(input: Tensor, chunks: Index, dim: Index = 0) -> tuple[Tensor, ...]:
    """The input cut along an axis into at most so many pieces of equal size (the last may be smaller). Views."""

def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """The input, with what lies outside [min, max] moved to its nearer end."""

def clamp_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """The in-place form of `clamp`: writes the result into the first argument and returns it."""

def clamp_max(input: Tensor, max: Operand) -> Tensor:
    """The input, not above `max`."""

def clamp_max_(input: Tensor, max: Operand) -> Tensor:
    """The in-place form of `clamp_max`: writes the result into the first argument and returns it."""

def clamp_min(input: Tensor, min: Operand) -> Tensor:
    """The input, not below `min`."""

def clamp_min_(input: Tensor, min: Operand) -> Tensor:
    """The in-place form of `clamp_min`: writes the result into the first argument and returns it."""

def clip(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """The input, with what lies outside [min, max] moved to its nearer end."""

def clip_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """The in-place form of `clamp`: writes the result into the first argument and returns it."""

def clone(input: Tensor, *, memory_format: str | None = None) -> Tensor:
    """A copy, through which gradients flow."""

def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side along the second axis, vectors as columns."""

def combinations(input: Tensor, r: Index = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a vector, one row each, as itertools.combinations."""

def concat(tensors: Sequence[Tensor], dim: Index = 0) -> Tensor:
    """The tensors side by side along an existing axis; all other lengths must agree."""

def concatenate(tensors: Sequence[Tensor], dim: Index = 0) -> Tensor:
    """The tensors side by side along an existing axis; all other lengths must agree."""

def conj(input: Tensor) -> Tensor:
    """The complex conjugate: of a tensor of real numbers itself."""

def conj_physical(input: Tensor) -> Tensor:
    """The complex conjugate: of a tensor of real numbers itself."""

def conj_physical_(input: Tensor) -> Tensor:
    """The in-place form of `conj`: writes the result into the first argument and returns it."""

def copysign(input: Tensor, other: Operand) -> Tensor:
    """The size of the input with the sign of the other."""

def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables (rows) over observations (columns), between -1 and 1."""

def cos(input: Tensor) -> Tensor:
    """The cosine of an angle in radians."""

def cos_(input: Tensor) -> Tensor:
    """The in-place form of `cos`: writes the result into the first argument and returns it."""

def cosh(input: Tensor) -> Tensor:
    """The hyperbolic cosine."""

def cosh_(input: Tensor) -> Tensor:
    """The in-place form of `cosh`: writes the result into the first argument and returns it."""

def count_nonzero(input: Tensor, dim: Indices | None = None) -> Tensor:
    """How many elements are not zero."""

def cov(input: Tensor, *, correction: float = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance matrix of variables (rows) over observations (columns)."""

def cross(input: Tensor, other: Tensor, dim: Index | None = None) -> Tensor:
    """The cross product of 3-vectors along an axis, by default the first of length 3."""

def cummax(input: Tensor, dim: Index) -> ValuesAndIndices:
    """The largest element up to each one along an axis, and where it stands: (values, indices)."""

def cummin(input: Tensor, dim: Index) -> ValuesAndIndices:
    """The smallest element up to each one along an axis, and where it stands: (values, indices)."""

def cumprod(input: Tensor, dim: Index, *, dtype: DType | None = None) -> Tensor:
    """The product of all elements up to each one along an axis."""

def cumsum(input: Tensor, dim: Index, *, dtype: DType | None = None) -> Tensor:
    """The sum of all elements up to each one along an axis."""

def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: Index = -1) -> Tensor:
    """The integral up to each place along an axis by the trapezoidal rule."""

def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""

def deg2rad_(input: Tensor) -> Tensor:
    """The in-place form of `deg2rad`: writes the result into the first argument and returns it."""

def det(A: Tensor) -> Tensor:
    """The determinant of square matrices."""

def detach(self: Tensor) -> Tensor:
    """The same array without history. Writes to either are seen, and noticed, by both."""

def detach_(self: Tensor) -> Tensor:
    """Cuts this tensor off from its history, in place."""

def diag(input: Tensor, diagonal: Index = 0) -> Tensor:
    """The diagonal of a matrix, or the matrix with this vector on its diagonal."""

def diag_embed(input: Tensor, offset: Index = 0, dim1: Index = -2, dim2: Index = -1) -> Tensor:
    """Matrices, along two new axes, that have the last axis of the input on their diagonal."""

def diagflat(input: Tensor, offset: Index = 0) -> Tensor:
    """The matrix with all elements of the input on its diagonal."""

def diagonal(input: Tensor, offset: Index = 0, dim1: Index = 0, dim2: Index = 1) -> Tensor:
    """The diagonal of two axes, as the last axis of the result. A view."""

def diagonal_scatter(input: Tensor, src: Tensor, offset: Index = 0, dim1: Index = 0, dim2: Index = 1) -> Tensor:
    """The input with the source in place of a diagonal: what input.diagonal(offset, dim1, dim2) would then be."""

def diff(input: Tensor, n: Index = 1, dim: Index = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The differences of neighbours along an axis, n times over, after what is to be prepended and appended."""

def digamma(input: Tensor) -> Tensor:
    """The derivative of lgamma."""

def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other."""

def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

def divide(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""

def dsplit(input: Tensor, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
    """The input cut along the third axis into so many equal pieces, or before each of the indices. Views."""

def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors behind each other along the third axis."""

@overload
def einsum(equation: str, *operands: Tensor | Sequence[Tensor]) -> Tensor:
    """Sums of products, in Einstein's notation: "ij,jk->ik" is the matrix product. `...` stands for further, broadcast axes."""

@overload
def einsum(operand: Tensor, axes: Sequence[Index], /, *more: Tensor | Sequence[Index]) -> Tensor:
    """Sums of products, in Einstein's notation: "ij,jk->ik" is the matrix product. `...` stands for further, broadcast axes."""

def empty(*size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, memory_format: str | None = None) -> Tensor:
    """A tensor of this shape whose elements are whatever was in memory."""

def empty_like(input: Tensor, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, memory_format: str | None = None) -> Tensor:
    """A tensor of the input's shape and dtype whose elements are whatever was in memory."""

def empty_strided(size: Indices, stride: Indices, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """An unfilled tensor of this shape whose elements lie in memory as far apart as the strides say."""

def eq(input: Tensor, other: Operand) -> Tensor:
    """input == other."""

def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""

def erf(input: Tensor) -> Tensor:
    """The error function: 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to the input."""

def erf_(input: Tensor) -> Tensor:
    """The in-place form of `erf`: writes the result into the first argument and returns it."""

def erfc(input: Tensor) -> Tensor:
    """1 - erf(input), accurate where that is small."""

def erfc_(input: Tensor) -> Tensor:
    """The in-place form of `erfc`: writes the result into the first argument and returns it."""

def erfinv(input: Tensor) -> Tensor:
    """The number whose error function is the input; infinite at -1 and 1, NaN beyond."""

def exp(input: Tensor) -> Tensor:
    """e ** input."""

def exp2(input: Tensor) -> Tensor:
    """2 ** input."""

def exp2_(input: Tensor) -> Tensor:
    """The in-place form of `exp2`: writes the result into the first argument and returns it."""

def exp_(input: Tensor) -> Tensor:
    """The in-place form of `exp`: writes the result into the first argument and returns it."""

def expm1(input: Tensor) -> Tensor:
    """e ** input - 1, accurate near 0."""

def expm1_(input: Tensor) -> Tensor:
    """The in-place form of `expm1`: writes the result into the first argument and returns it."""

def eye(n: Index, m: Index | None = None, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A matrix with ones on the diagonal."""

def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """The value, a number or a 0-d tensor, everywhere."""

def fill_(input: Tensor, value: Tensor | Number) -> Tensor:
    """The in-place form of `fill`: writes the result into the first argument and returns it."""

def fix(input: Tensor) -> Tensor:
    """The input without its fraction."""

def fix_(input: Tensor) -> Tensor:
    """The in-place form of `trunc`: writes the result into the first argument and returns it."""

def flatten(input: Tensor, start_dim: Index = 0, end_dim: Index = -1) -> Tensor:
    """The axes from `start_dim` to `end_dim` as one."""

@overload
def flip(input: Tensor, *dims: Index) -> Tensor:
    """The input with the order along these axes reversed. A copy, as in torch."""

@overload
def flip(input: Tensor, dims: Indices) -> Tensor:
    """The input with the order along these axes reversed. A copy, as in torch."""

def fliplr(input: Tensor) -> Tensor:
    """The second axis reversed: left and right exchanged."""

def flipud(input: Tensor) -> Tensor:
    """The first axis reversed: up and down exchanged."""

def float_power(input: Operand, exponent: Operand) -> Tensor:
    """input ** exponent in double precision."""

def floor(input: Tensor) -> Tensor:
    """The largest integer not above the input."""

def floor_(input: Tensor) -> Tensor:
    """The in-place form of `floor`: writes the result into the first argument and returns it."""

def floor_divide(input: Operand, other: Operand) -> Tensor:
    """input / other, rounded down: Python's //. Its derivative is 0."""

def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of the two; the other one if one is NaN. At a tie the input gets the gradient."""

def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of the two; the other one if one is NaN. At a tie the input gets the gradient."""

def fmod(input: Tensor, other: Operand) -> Tensor:
    """input - other * trunc(input / other): the sign of the dividend, as C's fmod."""

def frac(input: Tensor) -> Tensor:
    """The fraction of the input, with its sign."""

def frac_(input: Tensor) -> Tensor:
    """The in-place form of `frac`: writes the result into the first argument and returns it."""

def from_dlpack(ext_tensor: Any, *, device: Place | None = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's array, by the DLPack protocol."""

def from_numpy(ndarray: Array) -> Tensor:
    """A tensor that shares the memory of a NumPy array; one that is read-only stays so."""

def frombuffer(buffer: Any, *, dtype: DType, count: Index = -1, offset: Index = 0, requires_grad: bool = False) -> Tensor:
    """A vector that shares the memory of an object with Python's buffer protocol; it is read-only if the object is."""

def full(size: Indices, fill_value: Tensor | Number, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of this shape with every element equal to `fill_value`."""

def full_like(input: Tensor, fill_value: Tensor | Number, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, memory_format: str | None = None) -> Tensor:
    """The input's shape and dtype, with every element equal to `fill_value`."""

def gather(input: Tensor, dim: Index, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and likewise for other axes."""

def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers."""

def gcd_(input: Tensor, other: Tensor) -> Tensor:
    """The in-place form of `gcd`: writes the result into the first argument and returns it."""

def ge(input: Tensor, other: Operand) -> Tensor:
    """input >= other."""

def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """The matrix of all products of two vectors' elements."""

def get_device(input: Tensor) -> int:
    """The number of the GPU that the tensor is on: -1 on the CPU."""

def get_rng_state() -> Tensor:
    """The state of the default generator, as a tensor of bytes."""

def greater(input: Tensor, other: Operand) -> Tensor:
    """input > other."""

def greater_equal(input: Tensor, other: Operand) -> Tensor:
    """input >= other."""

def gt(input: Tensor, other: Operand) -> Tensor:
    """input > other."""

def hardshrink(input: Tensor, lambd: Number = 0.5) -> Tensor:
    """The input where its absolute value exceeds lambd, 0 elsewhere."""

def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, the values at 0, 1 above: the step function."""

def histc(input: Tensor, bins: Index = 100, min: Number = 0, max: Number = 0) -> Tensor:
    """How many elements fall into each of so many equal parts of [min, max], by default of the input's own range; others are left out."""

def hsplit(input: Tensor, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
    """The input cut along the second axis (the first, for 1-d) into so many equal pieces, or before each of the indices. Views."""

def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors side by side along the second axis (the first, for 1-d)."""

def hypot(input: Tensor, other: Tensor) -> Tensor:
    """sqrt(input**2 + other**2), without overflow; it has no derivative at the origin, where this gives NaN as torch does."""

def index_add(input: Tensor, dim: Index, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    """The input with the slices of the source added at these places along an axis."""

def index_copy(input: Tensor, dim: Index, index: Tensor, source: Tensor) -> Tensor:
    """The input with the slices of the source in place of those at these places along an axis."""

def index_fill(input: Tensor, dim: Index, index: Tensor, value: Tensor | Number) -> Tensor:
    """The input with the value in the slices at these places along an axis."""

def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """The input with the values at input[indices], or added to what stands there."""

def index_put_(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """The in-place form of `index_put`: writes the result into the first argument and returns it."""

def index_reduce(input: Tensor, dim: Index, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """The input with the slices of the source reduced into those at these places along an axis."""

def index_select(input: Tensor, dim: Index, index: Tensor) -> Tensor:
    """The slices at these places along an axis."""

def initial_seed() -> int:
    """The seed of the default generator."""

def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last axes."""

def inverse(input: Tensor) -> Tensor:
    """The inverse of square matrices: linalg.inv."""

def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""

def is_conj(input: Tensor) -> bool:
    """Whether the conjugate is still to be taken: never."""

def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a floating-point type."""

def is_neg(input: Tensor) -> bool:
    """Whether the sign is still to be changed: never."""

def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of the input is not zero."""

def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""

def is_signed(input: Tensor) -> bool:
    """Whether the dtype can hold negative numbers."""

def is_tensor(obj: object) -> bool:
    """Whether an object is a tensor."""

def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Whether |input - other| <= atol + rtol * |other|."""

def isfinite(input: Tensor) -> Tensor:
    """Whether each element is neither infinite nor NaN."""

def isin(elements: Tensor | Number, test_elements: Tensor | Number, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among the test elements (with `invert`: is not)."""

def isinf(input: Tensor) -> Tensor:
    """Whether each element is infinite."""

def isnan(input: Tensor) -> Tensor:
    """Whether each element is not a number."""

def isneginf(input: Tensor) -> Tensor:
    """Whether each element is minus infinity."""

def isposinf(input: Tensor) -> Tensor:
    """Whether each element is plus infinity."""

def isreal(input: Tensor) -> Tensor:
    """Whether each element is a real number: True everywhere."""

def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker's product: every element of the input times the whole of the other, side by side."""

def kthvalue(input: Tensor, k: Index, dim: Index = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The k-th smallest element along an axis, counted from 1, and where it stood: (values, indices)."""

def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers."""

def lcm_(input: Tensor, other: Tensor) -> Tensor:
    """The in-place form of `lcm`: writes the result into the first argument and returns it."""

def ldexp(input: Operand, other: Operand) -> Tensor:
    """input * 2**other."""

def ldexp_(input: Operand, other: Operand) -> Tensor:
    """The in-place form of `ldexp`: writes the result into the first argument and returns it."""

def le(input: Tensor, other: Operand) -> Tensor:
    """input <= other."""

def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """input + weight * (end - input): linear interpolation."""

def less(input: Tensor, other: Operand) -> Tensor:
    """input < other."""

def less_equal(input: Tensor, other: Operand) -> Tensor:
    """input <= other."""

def lgamma(input: Tensor) -> Tensor:
    """The logarithm of the absolute value of the gamma function."""

def linspace(start: Operand, end: Operand, steps: Index, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""

def log(input: Tensor) -> Tensor:
    """The natural logarithm."""

def log10(input: Tensor) -> Tensor:
    """The logarithm to base 10."""

def log10_(input: Tensor) -> Tensor:
    """The in-place form of `log10`: writes the result into the first argument and returns it."""

def log1p(input: Tensor) -> Tensor:
    """log(1 + input), accurate near 0."""

def log1p_(input: Tensor) -> Tensor:
    """The in-place form of `log1p`: writes the result into the first argument and returns it."""

def log2(input: Tensor) -> Tensor:
    """The logarithm to base 2."""

def log2_(input: Tensor) -> Tensor:
    """The in-place form of `log2`: writes the result into the first argument and returns it."""

def log_(input: Tensor) -> Tensor:
    """The in-place form of `log`: writes the result into the first argument and returns it."""

def log_softmax(input: Tensor, dim: Index, dtype: DType | None = None) -> Tensor:
    """The logarithm of softmax along an axis, computed without overflow."""

def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(input) + exp(other)), without overflow."""

def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    """log2(2**input + 2**other), without overflow."""

def logcumsumexp(input: Tensor, dim: Index) -> Tensor:
    """log(cumsum(exp(input))) along an axis, without overflow."""

def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN if that is negative."""

def logical_and(input: Tensor, other: Tensor) -> Tensor:
    """Whether both are true (not zero)."""

def logical_not(input: Tensor) -> Tensor:
    """Whether the input is false (zero)."""

def logical_or(input: Tensor, other: Tensor) -> Tensor:
    """Whether at least one is true (not zero)."""

def logical_xor(input: Tensor, other: Tensor) -> Tensor:
    """Whether exactly one is true (not zero)."""

def logit(input: Tensor, eps: Number | None = None) -> Tensor:
    """log(input / (1 - input)), the inverse of the logistic function; the input is moved into [eps, 1 - eps] if eps is given."""

def logit_(input: Tensor, eps: Number | None = None) -> Tensor:
    """The in-place form of `logit`: writes the result into the first argument and returns it."""

def logspace(start: Operand, end: Operand, steps: Index, base: float = 10.0, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """`steps` powers of the base, from base**start to base**end, with equal ratios."""

def logsumexp(input: Tensor, dim: Indices, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over axes, computed without overflow."""

def lt(input: Tensor, other: Operand) -> Tensor:
    """input < other."""

def manual_seed(seed: Index) -> Generator:
    """Seeds the default generators of all devices, from which everything random here is drawn, and returns the CPU's."""

def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """The input with the value where the mask holds."""

def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The input with the elements of the source, in order, where the mask holds."""

def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask holds, in order, along one axis."""

def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product over the last two axes, the axes before them being broadcast; vectors count as a row or a column."""

def matrix_power(input: Tensor, n: Index) -> Tensor:
    """The n-th power of square matrices; of their inverses for negative n."""

@overload
def max(input: Tensor) -> Tensor:
    """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

@overload
def max(input: Tensor, other: Tensor) -> Tensor:
    """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

@overload
def max(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices:
    """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

def maximum(input: Tensor, other: Tensor) -> Tensor:
    """The larger of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""

def mean(input: Tensor, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The mean over axes, all of them by default; NaN over no elements."""

@overload
def median(input: Tensor) -> Tensor:
    """The middle element (the lower one of two; NaN if there is one) of all, or along an axis as (values, indices)."""

@overload
def median(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices:
    """The middle element (the lower one of two; NaN if there is one) of all, or along an axis as (values, indices)."""

def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str | None = None) -> tuple[Tensor, ...]:
    """For vectors x, y, ...: tensors of the shape of their grid, each varying along its own axis; with indexing "xy" the second is the first."""

@overload
def min(input: Tensor) -> Tensor:
    """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

@overload
def min(input: Tensor, other: Tensor) -> Tensor:
    """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

@overload
def min(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices:
    """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

def minimum(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""

def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices."""

def mode(input: Tensor, dim: Index = -1, keepdim: bool = False) -> ValuesAndIndices:
    """The most frequent element along an axis (the smallest of several), and where it stood last: (values, indices)."""

def moveaxis(input: Tensor, source: Indices, destination: Indices) -> Tensor:
    """Axes moved to other places, the rest staying in order. A view."""

def movedim(input: Tensor, source: Indices, destination: Indices) -> Tensor:
    """Axes moved to other places, the rest staying in order. A view."""

def msort(input: Tensor) -> Tensor:
    """The elements in ascending order along the first axis."""

def mul(input: Operand, other: Operand) -> Tensor:
    """input * other."""

def multinomial(input: Tensor, num_samples: Index, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices drawn with probabilities proportional to the input, a vector or the rows of a matrix."""

def multiply(input: Operand, other: Operand) -> Tensor:
    """input * other."""

def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector."""

def nan_to_num(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """The input with NaN replaced by `nan` (0), and infinities by `posinf` and `neginf` (the largest numbers of the dtype)."""

def nan_to_num_(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """The in-place form of `nan_to_num`: writes the result into the first argument and returns it."""

def nanmean(input: Tensor, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The mean over axes of the elements that are not NaN."""

@overload
def nanmedian(input: Tensor) -> Tensor:
    """The middle element (the lower one of two) of those that are not NaN; along an axis as (values, indices)."""

@overload
def nanmedian(input: Tensor, dim: Index, keepdim: bool = False) -> ValuesAndIndices:
    """The middle element (the lower one of two) of those that are not NaN; along an axis as (values, indices)."""

def nanquantile(input: Tensor, q: Tensor | float, dim: Index | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantiles, along an axis or of all, of the elements that are not NaN: see quantile."""

def nansum(input: Tensor, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The sum over axes, NaN counting as 0."""

def narrow(input: Tensor, dim: Index, start: Index | Tensor, length: Index) -> Tensor:
    """A stretch of an axis. A view."""

def ne(input: Tensor, other: Operand) -> Tensor:
    """input != other."""

def neg(input: Tensor) -> Tensor:
    """-input."""

def neg_(input: Tensor) -> Tensor:
    """The in-place form of `neg`: writes the result into the first argument and returns it."""

def negative(input: Tensor) -> Tensor:
    """-input."""

def negative_(input: Tensor) -> Tensor:
    """The in-place form of `neg`: writes the result into the first argument and returns it."""

@overload
def nonzero(input: Tensor, *, as_tuple: Literal[False] = False) -> Tensor:
    """The indices of the elements that are not zero: one row each, or one tensor for each axis."""

@overload
def nonzero(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero: one row each, or one tensor for each axis."""

def norm(input: Tensor, p: float | str = "fro", dim: Indices | None = None, keepdim: bool = False, dtype: DType | None = None) -> Tensor:
    """The p-norm over axes: (sum |x|**p)**(1/p); the Euclidean one by default. Its gradient at 0 is taken as 0."""

@overload
def normal(mean: Tensor, std: Tensor | float = 1.0, *, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers of this mean and standard deviation, numbers or tensors; no gradient flows to these."""

@overload
def normal(mean: float, std: Tensor, *, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers of this mean and standard deviation, numbers or tensors; no gradient flows to these."""

@overload
def normal(mean: float = 0.0, std: float = 1.0, *, size: Indices, generator: Generator | None = None, layout: str | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers of this mean and standard deviation, numbers or tensors; no gradient flows to these."""

@overload
def normal(mean: float, std: float, size: Indices, *, generator: Generator | None = None, layout: str | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Normal numbers of this mean and standard deviation, numbers or tensors; no gradient flows to these."""

def not_equal(input: Tensor, other: Operand) -> Tensor:
    """input != other."""

def numel(input: Tensor) -> int:
    """The number of elements."""

def ones(*size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of ones of this shape."""

def ones_like(input: Tensor, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, memory_format: str | None = None) -> Tensor:
    """Ones of the input's shape and dtype."""

def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The matrix of all products of two vectors' elements."""

def pdist(input: Tensor, p: float = 2) -> Tensor:
    """The p-norm distances between all pairs of rows: row 0 to 1, 0 to 2, ..., 1 to 2, ..."""

@overload
def permute(input: Tensor, *dims: Index) -> Tensor:
    """The axes in another order: axis i of the result is axis dims[i] of the input. A view."""

@overload
def permute(input: Tensor, dims: Indices) -> Tensor:
    """The axes in another order: axis i of the result is axis dims[i] of the input. A view."""

def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudo-inverse of matrices: linalg.pinv with a relative tolerance."""

def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Numbers of events that happen at these rates on average."""

def polygamma(n: Index, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""

def positive(input: Tensor) -> Tensor:
    """The input itself."""

def pow(input: Operand, exponent: Operand) -> Tensor:
    """input ** exponent. Integers to a negative power are rounded towards 0, as in torch, where the exponent is a tensor."""

def prelu(input: Tensor, weight: Operand) -> Tensor:
    """The input where it is positive, weight times it elsewhere; the weight has one element, or one for each channel of an input (N, C, *)."""

def prod(input: Tensor, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The product over an axis, or over all elements."""

def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """The input with the source's elements at these places of the flattened input, or added to what stands there."""

def qr(input: Tensor, some: bool = True) -> QR:
    """A = Q @ R with orthonormal columns in Q and an upper triangular R: (Q, R). With `some=False` Q is square."""

def quantile(input: Tensor, q: Tensor | float, dim: Index | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The q-quantiles along an axis, or of all elements; NaN if there is one among them."""

def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""

def rad2deg_(input: Tensor) -> Tensor:
    """The in-place form of `rad2deg`: writes the result into the first argument and returns it."""

def rand(*size: Indices, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers uniform in [0, 1)."""

def rand_like(input: Tensor, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, generator: Generator | None = None, memory_format: str | None = None) -> Tensor:
    """Numbers uniform in [0, 1), of the input's shape and dtype."""

@overload
def randint(high: Index, size: Indices, *, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Integers from `low` (0 if left out) up to but without `high`."""

@overload
def randint(low: Index, high: Index, size: Indices, *, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Integers from `low` (0 if left out) up to but without `high`."""

def randint_like(input: Tensor, low: Index, high: Index | None = None, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, generator: Generator | None = None, memory_format: str | None = None) -> Tensor:
    """Integers from `low` (0 if left out) up to but without `high`, of the input's shape and dtype."""

def randn(*size: Indices, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers from the normal distribution of mean 0 and variance 1."""

def randn_like(input: Tensor, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, generator: Generator | None = None, memory_format: str | None = None) -> Tensor:
    """Normal numbers of the input's shape and dtype."""

def randperm(n: Index, *, generator: Generator | None = None, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """The integers from 0 to n - 1 in random order."""

def range(start: Number, end: Number | None = None, step: Number = 1, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """start, start + step, ... up to and with `end`, as floats. Older scripts have it; arange is what Python's range does."""

def ravel(input: Tensor) -> Tensor:
    """All elements along one axis."""

def real(input: Tensor) -> Tensor:
    """The real part: of a tensor of real numbers itself."""

def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""

def reciprocal_(input: Tensor) -> Tensor:
    """The in-place form of `reciprocal`: writes the result into the first argument and returns it."""

def relu(input: Tensor) -> Tensor:
    """max(input, 0); its derivative at 0 is taken as 0."""

def remainder(input: Operand, other: Operand) -> Tensor:
    """input - other * floor(input / other): the sign of the divisor, as Python's %."""

def renorm(input: Tensor, p: float, dim: Index, maxnorm: float) -> Tensor:
    """The input with those slices along an axis scaled down whose p-norm exceeds maxnorm."""

def repeat_interleave(input: Tensor, repeats: Index | Tensor | None = None, dim: Index | None = None, *, output_size: Index | None = None) -> Tensor:
    """Each element along an axis so many times, one after the other; of `repeats` alone, the places that this would take."""

@overload
def reshape(input: Tensor, *shape: Index) -> Tensor:
    """The same elements, in the same order, in another shape; one length may be -1. A view where that is possible."""

@overload
def reshape(input: Tensor, shape: Indices) -> Tensor:
    """The same elements, in the same order, in another shape; one length may be -1. A view where that is possible."""

def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: str = "contiguous_format") -> Tensor:
    """Gives this tensor the other's shape: see resize_."""

def resolve_conj(input: Tensor) -> Tensor:
    """The complex conjugate: of a tensor of real numbers itself."""

def resolve_neg(input: Tensor) -> Tensor:
    """The complex conjugate: of a tensor of real numbers itself."""

def roll(input: Tensor, shifts: Indices, dims: Indices = ()) -> Tensor:
    """The elements moved along axes, or in flattened order, those that fall off the end coming in at the start."""

def rot90(input: Tensor, k: Index = 1, dims: Sequence[Index] = ...) -> Tensor:
    """The input turned k times by 90 degrees, from the first of two axes towards the second."""

def round(input: Tensor, *, decimals: Index = 0) -> Tensor:
    """The nearest integer, halves to the even one; or the nearest number with so many decimals."""

def round_(input: Tensor, *, decimals: Index = 0) -> Tensor:
    """The in-place form of `round`: writes the result into the first argument and returns it."""

def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors below each other along the first axis."""

def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""

def rsqrt_(input: Tensor) -> Tensor:
    """The in-place form of `rsqrt`: writes the result into the first argument and returns it."""

def rsub(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """other - alpha * input."""

def scalar_tensor(s: Number, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor, of the default float type unless another is given."""

@overload
def scatter(input: Tensor, dim: Index, index: Tensor, src: Tensor | Number, *, reduce: str | None = None) -> Tensor:
    """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes."""

@overload
def scatter(input: Tensor, dim: Index, index: Tensor, *, value: Number, reduce: str | None = None) -> Tensor:
    """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes."""

def scatter_add(input: Tensor, dim: Index, index: Tensor, src: Tensor) -> Tensor:
    """The input with src[i][j] added to out[index[i][j]][j] for dim 0, and likewise for other axes."""

def scatter_reduce(input: Tensor, dim: Index, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """The input with src[i][j] and all others that meet in out[index[i][j]][j] reduced to one (for dim 0, and likewise for other axes)."""

def searchsorted(sorted_sequence: Tensor, input: Tensor | Number, *, out_int32: bool = False, right: bool = False, side: str | None = None, sorter: Tensor | None = None) -> Tensor:
    """Where the input would have to be put in for the sequence to stay in ascending order."""

def seed() -> int:
    """Seeds the default generator differently every time; returns the seed."""

def select(input: Tensor, dim: Index, index: Index) -> Tensor:
    """The slice at one place of an axis, without it. A view."""

def select_scatter(input: Tensor, src: Tensor, dim: Index, index: Index) -> Tensor:
    """The input with the source in place of the slice at one place of an axis: what input.select(dim, index) would then be."""

def set_rng_state(new_state: Tensor) -> None:
    """Takes the default generator back to a state from get_rng_state."""

def sgn(input: Tensor) -> Tensor:
    """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""

def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)): the logistic function."""

def sigmoid_(input: Tensor) -> Tensor:
    """The in-place form of `sigmoid`: writes the result into the first argument and returns it."""

def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""

def signbit(input: Tensor) -> Tensor:
    """Whether the sign bit is set: for negative numbers and for -0.0."""

def sin(input: Tensor) -> Tensor:
    """The sine of an angle in radians."""

def sin_(input: Tensor) -> Tensor:
    """The in-place form of `sin`: writes the result into the first argument and returns it."""

def sinc(input: Tensor) -> Tensor:
    """sin(pi * input) / (pi * input), and 1 at 0."""

def sinc_(input: Tensor) -> Tensor:
    """The in-place form of `sinc`: writes the result into the first argument and returns it."""

def sinh(input: Tensor) -> Tensor:
    """The hyperbolic sine."""

def sinh_(input: Tensor) -> Tensor:
    """The in-place form of `sinh`: writes the result into the first argument and returns it."""

def slice_scatter(input: Tensor, src: Tensor, dim: Index = 0, start: Index | None = None, end: Index | None = None, step: Index = 1) -> Tensor:
    """The input with the source in place of the slice start:end:step of an axis: what input[start:end:step] = src would make of it."""

def slogdet(A: Tensor) -> SlogDet:
    """The sign and the logarithm of the absolute value of the determinant: (sign, logabsdet)."""

def softmax(input: Tensor, dim: Index, dtype: DType | None = None) -> Tensor:
    """exp(input) / sum(exp(input)) along an axis: positive, adding up to 1."""

def sort(input: Tensor, dim: Index = -1, descending: bool = False, *, stable: bool = False) -> ValuesAndIndices:
    """The elements in order along an axis, and where they stood: (values, indices)."""

def split(tensor: Tensor, split_size_or_sections: Indices, dim: Index = 0) -> tuple[Tensor, ...]:
    """The tensor cut along an axis: into pieces of one size (the last may be smaller) or of the sizes given. Views."""

def split_with_sizes(input: Tensor, split_sizes: Sequence[Index], dim: Index = 0) -> tuple[Tensor, ...]:
    """The input cut along an axis into pieces of these lengths. Views."""

def sqrt(input: Tensor) -> Tensor:
    """The square root; NaN below 0."""

def sqrt_(input: Tensor) -> Tensor:
    """The in-place form of `sqrt`: writes the result into the first argument and returns it."""

def square(input: Tensor) -> Tensor:
    """input ** 2."""

def square_(input: Tensor) -> Tensor:
    """The in-place form of `square`: writes the result into the first argument and returns it."""

def squeeze(input: Tensor, dim: Indices | None = None) -> Tensor:
    """The input without its axes of length 1, or without those named, where their length is 1. A view."""

def stack(tensors: Sequence[Tensor], dim: Index = 0) -> Tensor:
    """The tensors, all of one shape, along a new axis."""

def std(input: Tensor, dim: Indices | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Tensor:
    """The standard deviation over axes: the square root of the variance."""

def std_mean(input: Tensor, dim: Indices | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> tuple[Tensor, Tensor]:
    """The standard deviation and the mean over axes."""

def sub(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other."""

def subtract(input: Operand, other: Operand, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other."""

def sum(input: Tensor, dim: Indices | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The sum over axes, all of them by default; integers are summed as int64."""

def swapaxes(input: Tensor, axis0: Index, axis1: Index) -> Tensor:
    """Two axes exchanged: NumPy's name for transpose."""

def swapdims(input: Tensor, dim0: Index, dim1: Index) -> Tensor:
    """Two axes exchanged. A view."""

def t(input: Tensor) -> Tensor:
    """A matrix transposed; a vector as it is. A view."""

def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at these places of the flattened input."""

def take_along_dim(input: Tensor, indices: Tensor, dim: Index | None = None) -> Tensor:
    """The elements at these places along an axis, the other axes being broadcast; without an axis, of the flattened input."""

def tan(input: Tensor) -> Tensor:
    """The tangent of an angle in radians."""

def tan_(input: Tensor) -> Tensor:
    """The in-place form of `tan`: writes the result into the first argument and returns it."""

def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""

def tanh_(input: Tensor) -> Tensor:
    """The in-place form of `tanh`: writes the result into the first argument and returns it."""

def tensor(data: Any, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of `data`."""

def tensor_split(input: Tensor, indices_or_sections: Indices | Tensor, dim: Index = 0) -> tuple[Tensor, ...]:
    """The input cut along an axis: into so many nearly equal pieces, or before each of the indices given. Views."""

def tensordot(a: Tensor, b: Tensor, dims: Index | Sequence[Sequence[Index]] | Tensor = 2) -> Tensor:
    """The sum of products over several axes at once: the last `dims` of a with the first of b, or two lists of axes."""

def tile(input: Tensor, dims: Indices, *more: Indices) -> Tensor:
    """As repeat, but fewer numbers than axes leave the first axes alone. The numbers may be spread over the call."""

def topk(input: Tensor, k: Index, dim: Index = -1, largest: bool = True, sorted: bool = True) -> ValuesAndIndices:
    """The k largest (or smallest) elements along an axis, and where they stood: (values, indices)."""

def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""

def transpose(input: Tensor, dim0: Index, dim1: Index) -> Tensor:
    """Two axes exchanged. A view."""

def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: Index = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule, over places x or with a distance dx (1) between them."""

def trapz(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: Index = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule, over places x or with a distance dx (1) between them."""

def tril(input: Tensor, diagonal: Index = 0) -> Tensor:
    """The lower triangle of the last two axes, zeros above it."""

def tril_indices(row: Index, col: Index, offset: Index = 0, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Rows and columns, as the two rows of a matrix, of the elements on and below a diagonal of a matrix."""

def triu(input: Tensor, diagonal: Index = 0) -> Tensor:
    """The upper triangle of the last two axes, zeros below it."""

def triu_indices(row: Index, col: Index, offset: Index = 0, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """Rows and columns, as the two rows of a matrix, of the elements on and above a diagonal of a matrix."""

def true_divide(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

def trunc(input: Tensor) -> Tensor:
    """The input without its fraction."""

def trunc_(input: Tensor) -> Tensor:
    """The in-place form of `trunc`: writes the result into the first argument and returns it."""

def unbind(input: Tensor, dim: Index = 0) -> tuple[Tensor, ...]:
    """The slices of the input along an axis, without it. Views."""

def unflatten(input: Tensor, dim: Index, sizes: Sequence[Index]) -> Tensor:
    """One axis as several, of these lengths; one may be -1."""

@overload
def unique(input: Tensor, sorted: bool = True, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: Index | None = None) -> Tensor:
    """The distinct elements, or along an axis the distinct slices, in ascending order."""

@overload
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: Index | None = None) -> Any:
    """The distinct elements, or along an axis the distinct slices, in ascending order."""

@overload
def unique_consecutive(input: Tensor, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: Index | None = None) -> Tensor:
    """The elements, or along an axis the slices, without those equal to the one before."""

@overload
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Index | None = None) -> Any:
    """The elements, or along an axis the slices, without those equal to the one before."""

def unravel_index(indices: Tensor, shape: Indices) -> tuple[Tensor, ...]:
    """The indices into the flattened array of a shape as one index for each axis."""

def unsafe_chunk(input: Tensor, chunks: Index, dim: Index = 0) -> tuple[Tensor, ...]:
    """chunk, with pieces that may be written in place while the graph is recorded."""

def unsafe_split(tensor: Tensor, split_size: Index, dim: Index = 0) -> tuple[Tensor, ...]:
    """split, with pieces that may be written in place while the graph is recorded."""

def unsqueeze(input: Tensor, dim: Index) -> Tensor:
    """The input with an axis of length 1 put in before axis `dim`. A view."""

def var(input: Tensor, dim: Indices | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> Tensor:
    """The variance over axes: squared distances from the mean, summed and divided by n - correction."""

def var_mean(input: Tensor, dim: Indices | None = None, unbiased: bool | None = None, keepdim: bool = False, *, correction: float | None = None) -> tuple[Tensor, Tensor]:
    """The variance and the mean over axes."""

def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""

def vsplit(input: Tensor, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
    """The input cut along the first axis into so many equal pieces, or before each of the indices. Views."""

def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors below each other along the first axis."""

@overload
def where(condition: Tensor) -> tuple[Tensor, ...]:
    """The input where the condition holds, the other elsewhere; with the condition alone, the indices where it holds."""

@overload
def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """The input where the condition holds, the other elsewhere; with the condition alone, the indices where it holds."""

def xlogy(input: Operand, other: Operand) -> Tensor:
    """input * log(other), and 0 where the input is 0."""

def xlogy_(input: Operand, other: Operand) -> Tensor:
    """The in-place form of `xlogy`: writes the result into the first argument and returns it."""

def zero_(self: Tensor) -> Tensor: ...

def zeros(*size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros of this shape."""

def zeros_like(input: Tensor, *, dtype: DType | None = None, device: Place | None = None, requires_grad: bool = False, memory_format: str | None = None) -> Tensor:
    """Zeros of the input's shape and dtype."""
