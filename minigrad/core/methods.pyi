# Written by `python -m tests.stubs`: what type checkers and editors know of the methods that operations register with Tensor.

from builtins import bool as Bool
from builtins import float as Float
from builtins import int as Int
from builtins import str as Str
from builtins import type as Type
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self, TypeAlias, overload

import numpy as np

from ..ops.families import ValuesAndIndices
from ..ops.matrices import QR, SlogDet
from ..ops.order import MinAndMax
from ..ops.random import Generator
from .device import device as Device
from .size import Size
from .tensor import Tensor

Array: TypeAlias = np.ndarray[Any, Any]
Number: TypeAlias = float | np.generic
Index: TypeAlias = int | np.integer[Any]
Indices: TypeAlias = Index | Sequence[Index]
Operand: TypeAlias = Tensor | Array | Number
DType: TypeAlias = np.dtype[Any] | Type[Any] | Str
Place: TypeAlias = Device | Str | Int

class Methods:
    @property
    def H(self) -> Tensor:
        """A matrix transposed, of real numbers. A view."""

    @property
    def T(self) -> Tensor:
        """The axes in reverse order. A view."""

    def __lshift__(self, other: Operand) -> Tensor: ...

    def __rdiv__(self, other: Operand) -> Tensor: ...

    def __rshift__(self, other: Operand) -> Tensor: ...

    def abs(self) -> Tensor:
        """The absolute value; its derivative at 0 is taken as 0."""

    def abs_(self) -> Self:
        """The in-place form of `abs`: writes the result into the first argument and returns it."""

    def absolute(self) -> Tensor:
        """The absolute value; its derivative at 0 is taken as 0."""

    def absolute_(self) -> Self:
        """The in-place form of `abs`: writes the result into the first argument and returns it."""

    def acos(self) -> Tensor:
        """The angle in radians whose cosine is the input."""

    def acos_(self) -> Self:
        """The in-place form of `acos`: writes the result into the first argument and returns it."""

    def acosh(self) -> Tensor:
        """The number, not below 0, whose hyperbolic cosine is the input."""

    def acosh_(self) -> Self:
        """The in-place form of `acosh`: writes the result into the first argument and returns it."""

    def add(self, other: Operand, *, alpha: Number = 1) -> Tensor:
        """input + alpha * other."""

    def add_(self, other: Operand, *, alpha: Number = 1) -> Self:
        """The in-place form of `add`: writes the result into the first argument and returns it."""

    def addbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta * input + alpha * the sum of (batch1 @ batch2) over the batch."""

    def addbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Self:
        """The in-place form of `addbmm`: writes the result into the first argument and returns it."""

    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """input + value * tensor1 / tensor2."""

    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Self:
        """The in-place form of `addcdiv`: writes the result into the first argument and returns it."""

    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
        """input + value * tensor1 * tensor2."""

    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Self:
        """The in-place form of `addcmul`: writes the result into the first argument and returns it."""

    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta * input + alpha * (mat1 @ mat2)."""

    def addmm_(self, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Self:
        """The in-place form of `addmm`: writes the result into the first argument and returns it."""

    def addmv(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta * input + alpha * (mat @ vec)."""

    def addmv_(self, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Self:
        """The in-place form of `addmv`: writes the result into the first argument and returns it."""

    def addr(self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta * input + alpha * outer(vec1, vec2)."""

    def addr_(self, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Self:
        """The in-place form of `addr`: writes the result into the first argument and returns it."""

    def adjoint(self) -> Tensor:
        """The last two axes exchanged, and conjugated, which for real numbers changes nothing. A view."""

    def all(self, dim: Indices | None = None, keepdim: Bool = False) -> Tensor:
        """Whether all elements are true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""

    def allclose(self, other: Tensor, rtol: Float = 1e-05, atol: Float = 1e-08, equal_nan: Bool = False) -> Bool:
        """Whether all elements are close: see isclose."""

    def amax(self, dim: Indices = (), keepdim: Bool = False) -> Tensor:
        """The largest element over axes, all of them by default. Elements that tie share the gradient equally."""

    def amin(self, dim: Indices = (), keepdim: Bool = False) -> Tensor:
        """The smallest element over axes, all of them by default. Elements that tie share the gradient equally."""

    def aminmax(self, *, dim: Index | None = None, keepdim: Bool = False) -> MinAndMax:
        """The smallest and the largest element, of all or along an axis: (min, max)."""

    def angle(self) -> Tensor:
        """The angle to the positive real axis, in radians: pi for negative numbers, else 0."""

    def angle_(self) -> Self:
        """The in-place form of `angle`: writes the result into the first argument and returns it."""

    def any(self, dim: Indices | None = None, keepdim: Bool = False) -> Tensor:
        """Whether any element is true (not zero), over axes or over everything; for uint8 as 0 or 1 of that dtype, as in torch."""

    def apply_(self, callable: Callable[[Any], Any]) -> Self:
        """Replaces every element by what a Python function gives for it: slow, and without a gradient."""

    def arccos(self) -> Tensor:
        """The angle in radians whose cosine is the input."""

    def arccos_(self) -> Self:
        """The in-place form of `acos`: writes the result into the first argument and returns it."""

    def arccosh(self) -> Tensor:
        """The number, not below 0, whose hyperbolic cosine is the input."""

    def arccosh_(self) -> Self:
        """The in-place form of `acosh`: writes the result into the first argument and returns it."""

    def arcsin(self) -> Tensor:
        """The angle in radians whose sine is the input."""

    def arcsin_(self) -> Self:
        """The in-place form of `asin`: writes the result into the first argument and returns it."""

    def arcsinh(self) -> Tensor:
        """The number whose hyperbolic sine is the input."""

    def arcsinh_(self) -> Self:
        """The in-place form of `asinh`: writes the result into the first argument and returns it."""

    def arctan(self) -> Tensor:
        """The angle in radians whose tangent is the input."""

    def arctan2(self, other: Tensor) -> Tensor:
        """The angle in radians of the point (other, input)."""

    def arctan2_(self, other: Tensor) -> Self:
        """The in-place form of `atan2`: writes the result into the first argument and returns it."""

    def arctan_(self) -> Self:
        """The in-place form of `atan`: writes the result into the first argument and returns it."""

    def arctanh(self) -> Tensor:
        """The number whose hyperbolic tangent is the input."""

    def arctanh_(self) -> Self:
        """The in-place form of `atanh`: writes the result into the first argument and returns it."""

    def argmax(self, dim: Index | None = None, keepdim: Bool = False) -> Tensor:
        """The index of the largest element along an axis (the first, if several tie), or among all elements."""

    def argmin(self, dim: Index | None = None, keepdim: Bool = False) -> Tensor:
        """The index of the smallest element along an axis (the first, if several tie), or among all elements."""

    def argsort(self, dim: Index = -1, descending: Bool = False, *, stable: Bool = False) -> Tensor:
        """The indices that sort the input along an axis."""

    def argwhere(self) -> Tensor:
        """The indices of the elements that are not zero, one row each."""

    def as_strided(self, size: Indices, stride: Indices, storage_offset: Index | None = None) -> Tensor:
        """A view of the memory that the input lies in, with these lengths, strides and offset, all in elements. Elements may overlap."""

    def as_strided_(self, size: Indices, stride: Indices, storage_offset: Index | None = None) -> Self:
        """as_strided of the tensor itself, which needs no gradient and is no view: other elements of its memory take the place of its own."""

    def asin(self) -> Tensor:
        """The angle in radians whose sine is the input."""

    def asin_(self) -> Self:
        """The in-place form of `asin`: writes the result into the first argument and returns it."""

    def asinh(self) -> Tensor:
        """The number whose hyperbolic sine is the input."""

    def asinh_(self) -> Self:
        """The in-place form of `asinh`: writes the result into the first argument and returns it."""

    def atan(self) -> Tensor:
        """The angle in radians whose tangent is the input."""

    def atan2(self, other: Tensor) -> Tensor:
        """The angle in radians of the point (other, input)."""

    def atan2_(self, other: Tensor) -> Self:
        """The in-place form of `atan2`: writes the result into the first argument and returns it."""

    def atan_(self) -> Self:
        """The in-place form of `atan`: writes the result into the first argument and returns it."""

    def atanh(self) -> Tensor:
        """The number whose hyperbolic tangent is the input."""

    def atanh_(self) -> Self:
        """The in-place form of `atanh`: writes the result into the first argument and returns it."""

    def backward(self, gradient: Tensor | None = None, retain_graph: Bool | None = None, create_graph: Bool = False, inputs: Tensor | Sequence[Tensor] | None = None) -> None:
        """Adds to `.grad` of every leaf the derivative of this tensor with respect to it."""

    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
        """beta * input + alpha * (batch1 @ batch2), for each pair of matrices of a batch."""

    def baddbmm_(self, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Self:
        """The in-place form of `baddbmm`: writes the result into the first argument and returns it."""

    def bernoulli(self, p: Float | None = None, *, generator: Generator | None = None) -> Tensor:
        """1 with the probability that each element says (or with probability p everywhere), else 0."""

    def bernoulli_(self, p: Tensor | Float = 0.5, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with 1 with probability p, a number or a tensor, else 0."""

    def bincount(self, weights: Tensor | None = None, minlength: Index = 0) -> Tensor:
        """How often each of 0, 1, 2, ... occurs in a vector, or the sums of the weights that stand where it does."""

    def bitwise_and(self, other: Operand) -> Tensor:
        """The bits set in both, of integers or truth values."""

    def bitwise_and_(self, other: Operand) -> Self:
        """The in-place form of `bitwise_and`: writes the result into the first argument and returns it."""

    def bitwise_left_shift(self, other: Operand) -> Tensor:
        """The bits of the input moved to the left by the other: input * 2**other, modulo the dtype's range."""

    def bitwise_left_shift_(self, other: Operand) -> Self:
        """The in-place form of `bitwise_left_shift`: writes the result into the first argument and returns it."""

    def bitwise_not(self) -> Tensor:
        """The bits that are not set, of integers or truth values."""

    def bitwise_not_(self) -> Self:
        """The in-place form of `bitwise_not`: writes the result into the first argument and returns it."""

    def bitwise_or(self, other: Operand) -> Tensor:
        """The bits set in at least one, of integers or truth values."""

    def bitwise_or_(self, other: Operand) -> Self:
        """The in-place form of `bitwise_or`: writes the result into the first argument and returns it."""

    def bitwise_right_shift(self, other: Operand) -> Tensor:
        """The bits of the input moved to the right by the other, copies of the sign coming in: floor(input / 2**other)."""

    def bitwise_right_shift_(self, other: Operand) -> Self:
        """The in-place form of `bitwise_right_shift`: writes the result into the first argument and returns it."""

    def bitwise_xor(self, other: Operand) -> Tensor:
        """The bits set in exactly one, of integers or truth values."""

    def bitwise_xor_(self, other: Operand) -> Self:
        """The in-place form of `bitwise_xor`: writes the result into the first argument and returns it."""

    def bmm(self, mat2: Tensor) -> Tensor:
        """The products of a batch of pairs of matrices."""

    def bool(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as bool."""

    def broadcast_to(self, size: Indices, *more: Indices) -> Tensor:
        """The input broadcast to a shape, which may be spread over the call. A view."""

    def byte(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as uint8."""

    def cauchy_(self, median: Float = 0.0, sigma: Float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with numbers of the Cauchy distribution of this median and half width."""

    def ceil(self) -> Tensor:
        """The smallest integer not below the input."""

    def ceil_(self) -> Self:
        """The in-place form of `ceil`: writes the result into the first argument and returns it."""

    def char(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as int8."""

    def cholesky(self, upper: Bool = False) -> Tensor:
        """The lower triangular L with L @ L.mT = input, or with `upper` the U = L.mT."""

    def chunk(self, chunks: Index, dim: Index = 0) -> tuple[Tensor, ...]:
        """The input cut along an axis into at most so many pieces of equal size (the last may be smaller). Views."""

    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """The input, with what lies outside [min, max] moved to its nearer end."""

    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """The in-place form of `clamp`: writes the result into the first argument and returns it."""

    def clamp_between_(self, min: Operand, max: Operand) -> Self:
        """The in-place form of `clamp_between`: writes the result into the first argument and returns it."""

    def clamp_max(self, max: Operand) -> Tensor:
        """The input, not above `max`."""

    def clamp_max_(self, max: Operand) -> Self:
        """The in-place form of `clamp_max`: writes the result into the first argument and returns it."""

    def clamp_min(self, min: Operand) -> Tensor:
        """The input, not below `min`."""

    def clamp_min_(self, min: Operand) -> Self:
        """The in-place form of `clamp_min`: writes the result into the first argument and returns it."""

    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """The input, with what lies outside [min, max] moved to its nearer end."""

    def clip_(self, min: Operand | None = None, max: Operand | None = None) -> Self:
        """The in-place form of `clamp`: writes the result into the first argument and returns it."""

    def clone(self, *, memory_format: Str | None = None) -> Tensor:
        """A copy, through which gradients flow."""

    def combinations(self, r: Index = 2, with_replacement: Bool = False) -> Tensor:
        """All choices of r elements of a vector, one row each, as itertools.combinations."""

    def conj(self) -> Tensor:
        """The complex conjugate: of a tensor of real numbers itself."""

    def conj_physical(self) -> Tensor:
        """The complex conjugate: of a tensor of real numbers itself."""

    def conj_physical_(self) -> Self:
        """The in-place form of `conj`: writes the result into the first argument and returns it."""

    def contiguous(self, memory_format: Str = "contiguous_format") -> Tensor:
        """This tensor with its elements in order in memory: itself, if they are."""

    def copy_(self, src: Operand, non_blocking: Bool = False) -> Self:
        """The in-place form of `copy`: writes the result into the first argument and returns it."""

    def copysign(self, other: Operand) -> Tensor:
        """The size of the input with the sign of the other."""

    def copysign_(self, other: Operand) -> Self:
        """The in-place form of `copysign`: writes the result into the first argument and returns it."""

    def corrcoef(self) -> Tensor:
        """The correlation coefficients of variables (rows) over observations (columns), between -1 and 1."""

    def cos(self) -> Tensor:
        """The cosine of an angle in radians."""

    def cos_(self) -> Self:
        """The in-place form of `cos`: writes the result into the first argument and returns it."""

    def cosh(self) -> Tensor:
        """The hyperbolic cosine."""

    def cosh_(self) -> Self:
        """The in-place form of `cosh`: writes the result into the first argument and returns it."""

    def count_nonzero(self, dim: Indices | None = None) -> Tensor:
        """How many elements are not zero."""

    def cov(self, *, correction: Float = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
        """The covariance matrix of variables (rows) over observations (columns)."""

    def cpu(self, memory_format: Str | None = None) -> Tensor:
        """This tensor in the memory of the host: itself, if it is there already."""

    def cross(self, other: Tensor, dim: Index | None = None) -> Tensor:
        """The cross product of 3-vectors along an axis, by default the first of length 3."""

    def cuda(self, device: Place | None = None, non_blocking: Bool = False, memory_format: Str | None = None) -> Tensor:
        """This tensor in the memory of a GPU: itself, if it is there already."""

    def cummax(self, dim: Index) -> ValuesAndIndices:
        """The largest element up to each one along an axis, and where it stands: (values, indices)."""

    def cummin(self, dim: Index) -> ValuesAndIndices:
        """The smallest element up to each one along an axis, and where it stands: (values, indices)."""

    def cumprod(self, dim: Index, *, dtype: DType | None = None) -> Tensor:
        """The product of all elements up to each one along an axis."""

    def cumprod_(self, dim: Index, *, dtype: DType | None = None) -> Self:
        """The in-place form of `cumprod`: writes the result into the first argument and returns it."""

    def cumsum(self, dim: Index, *, dtype: DType | None = None) -> Tensor:
        """The sum of all elements up to each one along an axis."""

    def cumsum_(self, dim: Index, *, dtype: DType | None = None) -> Self:
        """The in-place form of `cumsum`: writes the result into the first argument and returns it."""

    def data_ptr(self) -> Int:
        """The address of the first element."""

    def deg2rad(self) -> Tensor:
        """Degrees as radians."""

    def deg2rad_(self) -> Self:
        """The in-place form of `deg2rad`: writes the result into the first argument and returns it."""

    def det(self) -> Tensor:
        """The determinant of square matrices."""

    @property
    def device(self) -> Device:
        """Where the tensor lives."""

    def diag(self, diagonal: Index = 0) -> Tensor:
        """The diagonal of a matrix, or the matrix with this vector on its diagonal."""

    def diag_embed(self, offset: Index = 0, dim1: Index = -2, dim2: Index = -1) -> Tensor:
        """Matrices, along two new axes, that have the last axis of the input on their diagonal."""

    def diagflat(self, offset: Index = 0) -> Tensor:
        """The matrix with all elements of the input on its diagonal."""

    def diagonal(self, offset: Index = 0, dim1: Index = 0, dim2: Index = 1) -> Tensor:
        """The diagonal of two axes, as the last axis of the result. A view."""

    def diagonal_scatter(self, src: Tensor, offset: Index = 0, dim1: Index = 0, dim2: Index = 1) -> Tensor:
        """The input with the source in place of a diagonal: what input.diagonal(offset, dim1, dim2) would then be."""

    def diff(self, n: Index = 1, dim: Index = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
        """The differences of neighbours along an axis, n times over, after what is to be prepended and appended."""

    def digamma(self) -> Tensor:
        """The derivative of lgamma."""

    def digamma_(self) -> Self:
        """The in-place form of `digamma`: writes the result into the first argument and returns it."""

    def dim(self) -> Int:
        """The number of axes."""

    def dist(self, other: Tensor, p: Float = 2) -> Tensor:
        """The p-norm of input - other."""

    def div(self, other: Operand, *, rounding_mode: Str | None = None) -> Tensor:
        """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

    def div_(self, other: Operand, *, rounding_mode: Str | None = None) -> Self:
        """The in-place form of `div`: writes the result into the first argument and returns it."""

    def divide(self, other: Operand, *, rounding_mode: Str | None = None) -> Tensor:
        """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

    def divide_(self, other: Operand, *, rounding_mode: Str | None = None) -> Self:
        """The in-place form of `div`: writes the result into the first argument and returns it."""

    def dot(self, tensor: Tensor) -> Tensor:
        """The sum of the products of two vectors' elements."""

    def double(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as float64."""

    def dsplit(self, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
        """The input cut along the third axis into so many equal pieces, or before each of the indices. Views."""

    def element_size(self) -> Int:
        """Bytes of one element."""

    def elu_(self, alpha: Number = 1.0) -> Self:
        """The in-place form of `elu`: writes the result into the first argument and returns it."""

    def eq(self, other: Operand) -> Tensor:
        """input == other."""

    def eq_(self, other: Operand) -> Self:
        """The in-place form of `eq`: writes the result into the first argument and returns it."""

    def equal(self, other: Tensor) -> Bool:
        """Whether two tensors have the same shape and elements."""

    def erf(self) -> Tensor:
        """The error function: 2 / sqrt(pi) times the integral of exp(-t**2) from 0 to the input."""

    def erf_(self) -> Self:
        """The in-place form of `erf`: writes the result into the first argument and returns it."""

    def erfc(self) -> Tensor:
        """1 - erf(input), accurate where that is small."""

    def erfc_(self) -> Self:
        """The in-place form of `erfc`: writes the result into the first argument and returns it."""

    def erfinv(self) -> Tensor:
        """The number whose error function is the input; infinite at -1 and 1, NaN beyond."""

    def erfinv_(self) -> Self:
        """The in-place form of `erfinv`: writes the result into the first argument and returns it."""

    def exp(self) -> Tensor:
        """e ** input."""

    def exp2(self) -> Tensor:
        """2 ** input."""

    def exp2_(self) -> Self:
        """The in-place form of `exp2`: writes the result into the first argument and returns it."""

    def exp_(self) -> Self:
        """The in-place form of `exp`: writes the result into the first argument and returns it."""

    @overload
    def expand(self, *size: Index) -> Tensor:
        """The input broadcast to a shape; -1 keeps a length. A view, with several elements in one place in memory."""

    @overload
    def expand(self, size: Indices) -> Tensor:
        """The input broadcast to a shape; -1 keeps a length. A view, with several elements in one place in memory."""

    def expand_as(self, other: Tensor) -> Tensor:
        """This tensor broadcast to the other's shape."""

    def expm1(self) -> Tensor:
        """e ** input - 1, accurate near 0."""

    def expm1_(self) -> Self:
        """The in-place form of `expm1`: writes the result into the first argument and returns it."""

    def exponential_(self, lambd: Float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with exponentially distributed numbers of this rate."""

    def fill_(self, value: Tensor | Number) -> Self:
        """The in-place form of `fill`: writes the result into the first argument and returns it."""

    def fill_diagonal_(self, fill_value: Number, wrap: Bool = False) -> Self:
        """Writes a number on the main diagonal of this tensor itself: of a matrix, or of a cube of any number of dimensions."""

    def fix(self) -> Tensor:
        """The input without its fraction."""

    def fix_(self) -> Self:
        """The in-place form of `trunc`: writes the result into the first argument and returns it."""

    def flatten(self, start_dim: Index = 0, end_dim: Index = -1) -> Tensor:
        """The axes from `start_dim` to `end_dim` as one."""

    @overload
    def flip(self, *dims: Index) -> Tensor:
        """The input with the order along these axes reversed. A copy, as in torch."""

    @overload
    def flip(self, dims: Indices) -> Tensor:
        """The input with the order along these axes reversed. A copy, as in torch."""

    def fliplr(self) -> Tensor:
        """The second axis reversed: left and right exchanged."""

    def flipud(self) -> Tensor:
        """The first axis reversed: up and down exchanged."""

    def float(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as float32."""

    def float_power(self, exponent: Operand) -> Tensor:
        """input ** exponent in double precision."""

    def float_power_(self, exponent: Operand) -> Self:
        """float_power in place, for tensors of double precision."""

    def floor(self) -> Tensor:
        """The largest integer not above the input."""

    def floor_(self) -> Self:
        """The in-place form of `floor`: writes the result into the first argument and returns it."""

    def floor_divide(self, other: Operand) -> Tensor:
        """input / other, rounded down: Python's //. Its derivative is 0."""

    def floor_divide_(self, other: Operand) -> Self:
        """The in-place form of `floor_divide`: writes the result into the first argument and returns it."""

    def fmax(self, other: Tensor) -> Tensor:
        """The larger of the two; the other one if one is NaN. At a tie the input gets the gradient."""

    def fmax_(self, other: Tensor) -> Self:
        """The in-place form of `fmax`: writes the result into the first argument and returns it."""

    def fmin(self, other: Tensor) -> Tensor:
        """The smaller of the two; the other one if one is NaN. At a tie the input gets the gradient."""

    def fmin_(self, other: Tensor) -> Self:
        """The in-place form of `fmin`: writes the result into the first argument and returns it."""

    def fmod(self, other: Operand) -> Tensor:
        """input - other * trunc(input / other): the sign of the dividend, as C's fmod."""

    def fmod_(self, other: Operand) -> Self:
        """The in-place form of `fmod`: writes the result into the first argument and returns it."""

    def frac(self) -> Tensor:
        """The fraction of the input, with its sign."""

    def frac_(self) -> Self:
        """The in-place form of `frac`: writes the result into the first argument and returns it."""

    def gather(self, dim: Index, index: Tensor, *, sparse_grad: Bool = False) -> Tensor:
        """out[i][j] = input[index[i][j]][j] for dim 0, and likewise for other axes."""

    def gcd(self, other: Tensor) -> Tensor:
        """The greatest common divisor of integers."""

    def gcd_(self, other: Tensor) -> Self:
        """The in-place form of `gcd`: writes the result into the first argument and returns it."""

    def ge(self, other: Operand) -> Tensor:
        """input >= other."""

    def ge_(self, other: Operand) -> Self:
        """The in-place form of `ge`: writes the result into the first argument and returns it."""

    def gelu_(self) -> Self:
        """The in-place form of `gelu`: writes the result into the first argument and returns it."""

    def gelu_tanh_(self) -> Self:
        """The in-place form of `gelu_tanh`: writes the result into the first argument and returns it."""

    def geometric_(self, p: Float, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with the numbers of trials up to the first success, which has probability p each time."""

    def ger(self, vec2: Tensor) -> Tensor:
        """The matrix of all products of two vectors' elements."""

    def get_device(self) -> Int:
        """The number of the GPU that the tensor is on: -1 on the CPU."""

    def greater(self, other: Operand) -> Tensor:
        """input > other."""

    def greater_(self, other: Operand) -> Self:
        """The in-place form of `gt`: writes the result into the first argument and returns it."""

    def greater_equal(self, other: Operand) -> Tensor:
        """input >= other."""

    def greater_equal_(self, other: Operand) -> Self:
        """The in-place form of `ge`: writes the result into the first argument and returns it."""

    def gt(self, other: Operand) -> Tensor:
        """input > other."""

    def gt_(self, other: Operand) -> Self:
        """The in-place form of `gt`: writes the result into the first argument and returns it."""

    def half(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as float16."""

    def hardshrink(self, lambd: Number = 0.5) -> Tensor:
        """The input where its absolute value exceeds lambd, 0 elsewhere."""

    def hardshrink_(self, lambd: Number = 0.5) -> Self:
        """The in-place form of `hardshrink`: writes the result into the first argument and returns it."""

    def hardsigmoid_(self) -> Self:
        """The in-place form of `hardsigmoid`: writes the result into the first argument and returns it."""

    def hardswish_(self) -> Self:
        """The in-place form of `hardswish`: writes the result into the first argument and returns it."""

    def hardtanh_(self, low: Number = -1.0, high: Number = 1.0) -> Self:
        """The in-place form of `hardtanh`: writes the result into the first argument and returns it."""

    def heaviside(self, values: Tensor) -> Tensor:
        """0 below 0, the values at 0, 1 above: the step function."""

    def heaviside_(self, values: Tensor) -> Self:
        """The in-place form of `heaviside`: writes the result into the first argument and returns it."""

    def histc(self, bins: Index = 100, min: Number = 0, max: Number = 0) -> Tensor:
        """How many elements fall into each of so many equal parts of [min, max], by default of the input's own range; others are left out."""

    def hsplit(self, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
        """The input cut along the second axis (the first, for 1-d) into so many equal pieces, or before each of the indices. Views."""

    def hypot(self, other: Tensor) -> Tensor:
        """sqrt(input**2 + other**2), without overflow; it has no derivative at the origin, where this gives NaN as torch does."""

    def hypot_(self, other: Tensor) -> Self:
        """The in-place form of `hypot`: writes the result into the first argument and returns it."""

    def index_add(self, dim: Index, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
        """The input with the slices of the source added at these places along an axis."""

    def index_add_(self, dim: Index, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Self:
        """The in-place form of `index_add`: writes the result into the first argument and returns it."""

    def index_copy(self, dim: Index, index: Tensor, source: Tensor) -> Tensor:
        """The input with the slices of the source in place of those at these places along an axis."""

    def index_copy_(self, dim: Index, index: Tensor, source: Tensor) -> Self:
        """The in-place form of `index_copy`: writes the result into the first argument and returns it."""

    def index_fill(self, dim: Index, index: Tensor, value: Tensor | Number) -> Tensor:
        """The input with the value in the slices at these places along an axis."""

    def index_fill_(self, dim: Index, index: Tensor, value: Tensor | Number) -> Self:
        """The in-place form of `index_fill`: writes the result into the first argument and returns it."""

    def index_put(self, indices: Sequence[Tensor | None], values: Tensor, accumulate: Bool = False) -> Tensor:
        """The input with the values at input[indices], or added to what stands there."""

    def index_put_(self, indices: Sequence[Tensor | None], values: Tensor, accumulate: Bool = False) -> Self:
        """The in-place form of `index_put`: writes the result into the first argument and returns it."""

    def index_reduce(self, dim: Index, index: Tensor, source: Tensor, reduce: Str, *, include_self: Bool = True) -> Tensor:
        """The input with the slices of the source reduced into those at these places along an axis."""

    def index_reduce_(self, dim: Index, index: Tensor, source: Tensor, reduce: Str, *, include_self: Bool = True) -> Self:
        """The in-place form of `index_reduce`: writes the result into the first argument and returns it."""

    def index_select(self, dim: Index, index: Tensor) -> Tensor:
        """The slices at these places along an axis."""

    def inner(self, other: Tensor) -> Tensor:
        """The sums of products over the last axes."""

    def int(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as int32."""

    def inverse(self) -> Tensor:
        """The inverse of square matrices: linalg.inv."""

    def is_complex(self) -> Bool:
        """Whether the dtype is complex."""

    def is_conj(self) -> Bool:
        """Whether the conjugate is still to be taken: never."""

    def is_contiguous(self, memory_format: Str = "contiguous_format") -> Bool:
        """Whether the elements are in order in memory, without gaps: by axes, or as a memory format has them."""

    @property
    def is_cpu(self) -> Bool:
        """Whether the tensor lives on the CPU."""

    @property
    def is_cuda(self) -> Bool:
        """Whether the tensor lives on a GPU."""

    def is_floating_point(self) -> Bool:
        """Whether the dtype is a floating-point type."""

    @property
    def is_meta(self) -> Bool:
        """Always False: tensors are dense and live on the CPU or a GPU."""

    @property
    def is_mps(self) -> Bool:
        """Always False: tensors are dense and live on the CPU or a GPU."""

    def is_neg(self) -> Bool:
        """Whether the sign is still to be changed: never."""

    @property
    def is_nested(self) -> Bool:
        """Always False: tensors are dense and live on the CPU or a GPU."""

    def is_nonzero(self) -> Bool:
        """Whether the one element of the input is not zero."""

    def is_pinned(self) -> Bool: ...

    @property
    def is_quantized(self) -> Bool:
        """Always False: tensors are dense and live on the CPU or a GPU."""

    def is_same_size(self, other: Tensor) -> Bool:
        """Whether two tensors have the same shape."""

    def is_shared(self) -> Bool: ...

    def is_signed(self) -> Bool:
        """Whether the dtype can hold negative numbers."""

    @property
    def is_sparse(self) -> Bool:
        """Always False: tensors are dense and live on the CPU or a GPU."""

    def isclose(self, other: Tensor, rtol: Float = 1e-05, atol: Float = 1e-08, equal_nan: Bool = False) -> Tensor:
        """Whether |input - other| <= atol + rtol * |other|."""

    def isfinite(self) -> Tensor:
        """Whether each element is neither infinite nor NaN."""

    def isinf(self) -> Tensor:
        """Whether each element is infinite."""

    def isnan(self) -> Tensor:
        """Whether each element is not a number."""

    def isneginf(self) -> Tensor:
        """Whether each element is minus infinity."""

    def isposinf(self) -> Tensor:
        """Whether each element is plus infinity."""

    def isreal(self) -> Tensor:
        """Whether each element is a real number: True everywhere."""

    def kron(self, other: Tensor) -> Tensor:
        """Kronecker's product: every element of the input times the whole of the other, side by side."""

    def kthvalue(self, k: Index, dim: Index = -1, keepdim: Bool = False) -> ValuesAndIndices:
        """The k-th smallest element along an axis, counted from 1, and where it stood: (values, indices)."""

    @property
    def layout(self) -> Str:
        """How elements are found in memory: by strides."""

    def lcm(self, other: Tensor) -> Tensor:
        """The least common multiple of integers."""

    def lcm_(self, other: Tensor) -> Self:
        """The in-place form of `lcm`: writes the result into the first argument and returns it."""

    def ldexp(self, other: Operand) -> Tensor:
        """input * 2**other."""

    def ldexp_(self, other: Operand) -> Self:
        """The in-place form of `ldexp`: writes the result into the first argument and returns it."""

    def le(self, other: Operand) -> Tensor:
        """input <= other."""

    def le_(self, other: Operand) -> Self:
        """The in-place form of `le`: writes the result into the first argument and returns it."""

    def leaky_relu_(self, negative_slope: Number = 0.01) -> Self:
        """The in-place form of `leaky_relu`: writes the result into the first argument and returns it."""

    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """input + weight * (end - input): linear interpolation."""

    def lerp_(self, end: Tensor, weight: Operand) -> Self:
        """The in-place form of `lerp`: writes the result into the first argument and returns it."""

    def less(self, other: Operand) -> Tensor:
        """input < other."""

    def less_(self, other: Operand) -> Self:
        """The in-place form of `lt`: writes the result into the first argument and returns it."""

    def less_equal(self, other: Operand) -> Tensor:
        """input <= other."""

    def less_equal_(self, other: Operand) -> Self:
        """The in-place form of `le`: writes the result into the first argument and returns it."""

    def lgamma(self) -> Tensor:
        """The logarithm of the absolute value of the gamma function."""

    def lgamma_(self) -> Self:
        """The in-place form of `lgamma`: writes the result into the first argument and returns it."""

    def log(self) -> Tensor:
        """The natural logarithm."""

    def log10(self) -> Tensor:
        """The logarithm to base 10."""

    def log10_(self) -> Self:
        """The in-place form of `log10`: writes the result into the first argument and returns it."""

    def log1p(self) -> Tensor:
        """log(1 + input), accurate near 0."""

    def log1p_(self) -> Self:
        """The in-place form of `log1p`: writes the result into the first argument and returns it."""

    def log2(self) -> Tensor:
        """The logarithm to base 2."""

    def log2_(self) -> Self:
        """The in-place form of `log2`: writes the result into the first argument and returns it."""

    def log_(self) -> Self:
        """The in-place form of `log`: writes the result into the first argument and returns it."""

    def log_normal_(self, mean: Float = 1.0, std: Float = 2.0, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with numbers whose logarithms are normal, of this mean and standard deviation."""

    def log_softmax(self, dim: Index, dtype: DType | None = None) -> Tensor:
        """The logarithm of softmax along an axis, computed without overflow."""

    def logaddexp(self, other: Tensor) -> Tensor:
        """log(exp(input) + exp(other)), without overflow."""

    def logaddexp2(self, other: Tensor) -> Tensor:
        """log2(2**input + 2**other), without overflow."""

    def logaddexp2_(self, other: Tensor) -> Self:
        """The in-place form of `logaddexp2`: writes the result into the first argument and returns it."""

    def logaddexp_(self, other: Tensor) -> Self:
        """The in-place form of `logaddexp`: writes the result into the first argument and returns it."""

    def logcumsumexp(self, dim: Index) -> Tensor:
        """log(cumsum(exp(input))) along an axis, without overflow."""

    def logdet(self) -> Tensor:
        """The logarithm of the determinant; NaN if that is negative."""

    def logical_and(self, other: Tensor) -> Tensor:
        """Whether both are true (not zero)."""

    def logical_and_(self, other: Tensor) -> Self:
        """The in-place form of `logical_and`: writes the result into the first argument and returns it."""

    def logical_not(self) -> Tensor:
        """Whether the input is false (zero)."""

    def logical_not_(self) -> Self:
        """The in-place form of `logical_not`: writes the result into the first argument and returns it."""

    def logical_or(self, other: Tensor) -> Tensor:
        """Whether at least one is true (not zero)."""

    def logical_or_(self, other: Tensor) -> Self:
        """The in-place form of `logical_or`: writes the result into the first argument and returns it."""

    def logical_xor(self, other: Tensor) -> Tensor:
        """Whether exactly one is true (not zero)."""

    def logical_xor_(self, other: Tensor) -> Self:
        """The in-place form of `logical_xor`: writes the result into the first argument and returns it."""

    def logit(self, eps: Number | None = None) -> Tensor:
        """log(input / (1 - input)), the inverse of the logistic function; the input is moved into [eps, 1 - eps] if eps is given."""

    def logit_(self, eps: Number | None = None) -> Self:
        """The in-place form of `logit`: writes the result into the first argument and returns it."""

    def logsumexp(self, dim: Indices, keepdim: Bool = False) -> Tensor:
        """log(sum(exp(input))) over axes, computed without overflow."""

    def long(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as int64."""

    def lt(self, other: Operand) -> Tensor:
        """input < other."""

    def lt_(self, other: Operand) -> Self:
        """The in-place form of `lt`: writes the result into the first argument and returns it."""

    @property
    def mH(self) -> Tensor:
        """The last two axes exchanged, of real numbers. A view."""

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged. A view."""

    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Self:
        """Replaces every element by what a Python function gives for it and the other tensor's: slow, and without a gradient."""

    def masked_fill(self, mask: Tensor, value: Tensor | Number) -> Tensor:
        """The input with the value where the mask holds."""

    def masked_fill_(self, mask: Tensor, value: Tensor | Number) -> Self:
        """The in-place form of `masked_fill`: writes the result into the first argument and returns it."""

    def masked_scatter(self, mask: Tensor, source: Tensor) -> Tensor:
        """The input with the elements of the source, in order, where the mask holds."""

    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Self:
        """The in-place form of `masked_scatter`: writes the result into the first argument and returns it."""

    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where the mask holds, in order, along one axis."""

    def matmul(self, other: Tensor) -> Tensor:
        """The matrix product over the last two axes, the axes before them being broadcast; vectors count as a row or a column."""

    def matrix_power(self, n: Index) -> Tensor:
        """The n-th power of square matrices; of their inverses for negative n."""

    @overload
    def max(self) -> Tensor:
        """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    @overload
    def max(self, other: Tensor) -> Tensor:
        """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    @overload
    def max(self, dim: Index, keepdim: Bool = False) -> ValuesAndIndices:
        """The largest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    def maximum(self, other: Tensor) -> Tensor:
        """The larger of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""

    def maximum_(self, other: Tensor) -> Self:
        """The in-place form of `maximum`: writes the result into the first argument and returns it."""

    def mean(self, dim: Indices | None = None, keepdim: Bool = False, *, dtype: DType | None = None) -> Tensor:
        """The mean over axes, all of them by default; NaN over no elements."""

    @overload
    def median(self) -> Tensor:
        """The middle element (the lower one of two; NaN if there is one) of all, or along an axis as (values, indices)."""

    @overload
    def median(self, dim: Index, keepdim: Bool = False) -> ValuesAndIndices:
        """The middle element (the lower one of two; NaN if there is one) of all, or along an axis as (values, indices)."""

    @overload
    def min(self) -> Tensor:
        """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    @overload
    def min(self, other: Tensor) -> Tensor:
        """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    @overload
    def min(self, dim: Index, keepdim: Bool = False) -> ValuesAndIndices:
        """The smallest of all elements; of each pair of two tensors; or along an axis, as (values, indices)."""

    def minimum(self, other: Tensor) -> Tensor:
        """The smaller of the two; NaN if either is. At a tie each gets half the gradient, as in torch."""

    def minimum_(self, other: Tensor) -> Self:
        """The in-place form of `minimum`: writes the result into the first argument and returns it."""

    def mm(self, mat2: Tensor) -> Tensor:
        """The product of two matrices."""

    def mode(self, dim: Index = -1, keepdim: Bool = False) -> ValuesAndIndices:
        """The most frequent element along an axis (the smallest of several), and where it stood last: (values, indices)."""

    def moveaxis(self, source: Indices, destination: Indices) -> Tensor:
        """Axes moved to other places, the rest staying in order. A view."""

    def movedim(self, source: Indices, destination: Indices) -> Tensor:
        """Axes moved to other places, the rest staying in order. A view."""

    def msort(self) -> Tensor:
        """The elements in ascending order along the first axis."""

    def mul(self, other: Operand) -> Tensor:
        """input * other."""

    def mul_(self, other: Operand) -> Self:
        """The in-place form of `mul`: writes the result into the first argument and returns it."""

    def multinomial(self, num_samples: Index, replacement: Bool = False, *, generator: Generator | None = None) -> Tensor:
        """Indices drawn with probabilities proportional to the input, a vector or the rows of a matrix."""

    def multiply(self, other: Operand) -> Tensor:
        """input * other."""

    def multiply_(self, other: Operand) -> Self:
        """The in-place form of `mul`: writes the result into the first argument and returns it."""

    def mv(self, vec: Tensor) -> Tensor:
        """The product of a matrix and a vector."""

    @property
    def names(self) -> tuple[None, ...]:
        """The names of the axes: they have none."""

    def nan_to_num(self, nan: Float | None = None, posinf: Float | None = None, neginf: Float | None = None) -> Tensor:
        """The input with NaN replaced by `nan` (0), and infinities by `posinf` and `neginf` (the largest numbers of the dtype)."""

    def nan_to_num_(self, nan: Float | None = None, posinf: Float | None = None, neginf: Float | None = None) -> Self:
        """The in-place form of `nan_to_num`: writes the result into the first argument and returns it."""

    def nanmean(self, dim: Indices | None = None, keepdim: Bool = False, *, dtype: DType | None = None) -> Tensor:
        """The mean over axes of the elements that are not NaN."""

    @overload
    def nanmedian(self) -> Tensor:
        """The middle element (the lower one of two) of those that are not NaN; along an axis as (values, indices)."""

    @overload
    def nanmedian(self, dim: Index, keepdim: Bool = False) -> ValuesAndIndices:
        """The middle element (the lower one of two) of those that are not NaN; along an axis as (values, indices)."""

    def nanquantile(self, q: Tensor | Float, dim: Index | None = None, keepdim: Bool = False, *, interpolation: Str = "linear") -> Tensor:
        """The q-quantiles, along an axis or of all, of the elements that are not NaN: see quantile."""

    def nansum(self, dim: Indices | None = None, keepdim: Bool = False, *, dtype: DType | None = None) -> Tensor:
        """The sum over axes, NaN counting as 0."""

    def narrow(self, dim: Index, start: Index | Tensor, length: Index) -> Tensor:
        """A stretch of an axis. A view."""

    def ndimension(self) -> Int: ...

    def ne(self, other: Operand) -> Tensor:
        """input != other."""

    def ne_(self, other: Operand) -> Self:
        """The in-place form of `ne`: writes the result into the first argument and returns it."""

    def neg(self) -> Tensor:
        """-input."""

    def neg_(self) -> Self:
        """The in-place form of `neg`: writes the result into the first argument and returns it."""

    def negative(self) -> Tensor:
        """-input."""

    def negative_(self) -> Self:
        """The in-place form of `neg`: writes the result into the first argument and returns it."""

    def nelement(self) -> Int:
        """The number of elements."""

    def new(self, *data: Any) -> Tensor:
        """A tensor of this one's dtype, from a sequence or uninitialised of the lengths given: the older form of new_tensor and new_empty."""

    def new_empty(self, *size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """An unfilled tensor of a shape, with this tensor's dtype."""

    def new_empty_strided(self, size: Indices, stride: Indices, *, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """An unfilled tensor of a shape and strides, with this tensor's dtype."""

    def new_full(self, size: Indices, fill_value: Tensor | Number, *, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """A tensor of a shape, filled with one value, with this tensor's dtype."""

    def new_ones(self, *size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """Ones of a shape, with this tensor's dtype."""

    def new_tensor(self, data: Any, *, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """A tensor with a copy of `data`, with this tensor's dtype."""

    def new_zeros(self, *size: Indices, dtype: DType | None = None, device: Place | None = None, requires_grad: Bool = False) -> Tensor:
        """Zeros of a shape, with this tensor's dtype."""

    @overload
    def nonzero(self, *, as_tuple: Literal[False] = False) -> Tensor:
        """The indices of the elements that are not zero: one row each, or one tensor for each axis."""

    @overload
    def nonzero(self, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]:
        """The indices of the elements that are not zero: one row each, or one tensor for each axis."""

    def norm(self, p: Float | Str = "fro", dim: Indices | None = None, keepdim: Bool = False, dtype: DType | None = None) -> Tensor:
        """The p-norm over axes: (sum |x|**p)**(1/p); the Euclidean one by default. Its gradient at 0 is taken as 0."""

    def normal_(self, mean: Float = 0.0, std: Float = 1.0, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with normal numbers of this mean and standard deviation."""

    def not_equal(self, other: Operand) -> Tensor:
        """input != other."""

    def not_equal_(self, other: Operand) -> Self:
        """The in-place form of `ne`: writes the result into the first argument and returns it."""

    def numel(self) -> Int:
        """The number of elements."""

    def outer(self, vec2: Tensor) -> Tensor:
        """The matrix of all products of two vectors' elements."""

    @overload
    def permute(self, *dims: Index) -> Tensor:
        """The axes in another order: axis i of the result is axis dims[i] of the input. A view."""

    @overload
    def permute(self, dims: Indices) -> Tensor:
        """The axes in another order: axis i of the result is axis dims[i] of the input. A view."""

    def pinverse(self, rcond: Float = 1e-15) -> Tensor:
        """The pseudo-inverse of matrices: linalg.pinv with a relative tolerance."""

    def polygamma(self, n: Index) -> Tensor: ...

    def polygamma_(self, n: Index) -> Self:
        """The in-place form of `<lambda>`: writes the result into the first argument and returns it."""

    def positive(self) -> Tensor:
        """The input itself."""

    def pow(self, exponent: Operand) -> Tensor:
        """input ** exponent. Integers to a negative power are rounded towards 0, as in torch, where the exponent is a tensor."""

    def pow_(self, exponent: Operand) -> Self:
        """The in-place form of `pow`: writes the result into the first argument and returns it."""

    def prelu(self, weight: Operand) -> Tensor:
        """The input where it is positive, weight times it elsewhere; the weight has one element, or one for each channel of an input (N, C, *)."""

    def prod(self, dim: Indices | None = None, keepdim: Bool = False, *, dtype: DType | None = None) -> Tensor:
        """The product over an axis, or over all elements."""

    def put(self, index: Tensor, source: Tensor, accumulate: Bool = False) -> Tensor:
        """The input with the source's elements at these places of the flattened input, or added to what stands there."""

    def put_(self, index: Tensor, source: Tensor, accumulate: Bool = False) -> Self:
        """The in-place form of `put`: writes the result into the first argument and returns it."""

    def qr(self, some: Bool = True) -> QR:
        """A = Q @ R with orthonormal columns in Q and an upper triangular R: (Q, R). With `some=False` Q is square."""

    def quantile(self, q: Tensor | Float, dim: Index | None = None, keepdim: Bool = False, *, interpolation: Str = "linear") -> Tensor:
        """The q-quantiles along an axis, or of all elements; NaN if there is one among them."""

    def rad2deg(self) -> Tensor:
        """Radians as degrees."""

    def rad2deg_(self) -> Self:
        """The in-place form of `rad2deg`: writes the result into the first argument and returns it."""

    @overload
    def random_(self, to: Index | Tensor | None = None, /, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with integers from `from` up to but without `to`; by default from 0 to all that the dtype can hold exactly."""

    @overload
    def random_(self, from_: Index | Tensor, to: Index | Tensor | None, /, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with integers from `from` up to but without `to`; by default from 0 to all that the dtype can hold exactly."""

    def ravel(self) -> Tensor:
        """All elements along one axis."""

    def real(self) -> Tensor:
        """The real part: of a tensor of real numbers itself."""

    def reciprocal(self) -> Tensor:
        """1 / input."""

    def reciprocal_(self) -> Self:
        """The in-place form of `reciprocal`: writes the result into the first argument and returns it."""

    def relu(self) -> Tensor:
        """max(input, 0); its derivative at 0 is taken as 0."""

    def relu_(self) -> Self:
        """The in-place form of `relu`: writes the result into the first argument and returns it."""

    def remainder(self, other: Operand) -> Tensor:
        """input - other * floor(input / other): the sign of the divisor, as Python's %."""

    def remainder_(self, other: Operand) -> Self:
        """The in-place form of `remainder`: writes the result into the first argument and returns it."""

    def renorm(self, p: Float, dim: Index, maxnorm: Float) -> Tensor:
        """The input with those slices along an axis scaled down whose p-norm exceeds maxnorm."""

    def renorm_(self, p: Float, dim: Index, maxnorm: Float) -> Self:
        """The in-place form of `renorm`: writes the result into the first argument and returns it."""

    def repeat(self, *repeats: Indices) -> Tensor:
        """This tensor repeated so many times along each axis; more numbers than axes add axes in front."""

    def repeat_interleave(self, repeats: Index | Tensor | None = None, dim: Index | None = None, *, output_size: Index | None = None) -> Tensor:
        """Each element along an axis so many times, one after the other; of `repeats` alone, the places that this would take."""

    @overload
    def reshape(self, *shape: Index) -> Tensor:
        """The same elements, in the same order, in another shape; one length may be -1. A view where that is possible."""

    @overload
    def reshape(self, shape: Indices) -> Tensor:
        """The same elements, in the same order, in another shape; one length may be -1. A view where that is possible."""

    def reshape_as(self, other: Tensor) -> Tensor:
        """This tensor in the other's shape."""

    def resize_(self, *sizes: Indices, memory_format: Str = "contiguous_format") -> Self:
        """Gives this tensor another shape: its elements stay in order, further ones are whatever was in memory."""

    def resize_as_(self, the_template: Tensor, *, memory_format: Str = "contiguous_format") -> Self:
        """Gives this tensor the other's shape: see resize_."""

    def resolve_conj(self) -> Tensor:
        """The complex conjugate: of a tensor of real numbers itself."""

    def resolve_neg(self) -> Tensor:
        """The complex conjugate: of a tensor of real numbers itself."""

    def roll(self, shifts: Indices, dims: Indices = ()) -> Tensor:
        """The elements moved along axes, or in flattened order, those that fall off the end coming in at the start."""

    def rot90(self, k: Index = 1, dims: Sequence[Index] = ...) -> Tensor:
        """The input turned k times by 90 degrees, from the first of two axes towards the second."""

    def round(self, *, decimals: Index = 0) -> Tensor:
        """The nearest integer, halves to the even one; or the nearest number with so many decimals."""

    def round_(self, *, decimals: Index = 0) -> Self:
        """The in-place form of `round`: writes the result into the first argument and returns it."""

    def rsqrt(self) -> Tensor:
        """1 / sqrt(input)."""

    def rsqrt_(self) -> Self:
        """The in-place form of `rsqrt`: writes the result into the first argument and returns it."""

    @overload
    def scatter(self, dim: Index, index: Tensor, src: Tensor | Number, *, reduce: Str | None = None) -> Tensor:
        """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes."""

    @overload
    def scatter(self, dim: Index, index: Tensor, *, value: Number, reduce: Str | None = None) -> Tensor:
        """The input with out[index[i][j]][j] = src[i][j] for dim 0, and likewise for other axes."""

    @overload
    def scatter_(self, dim: Index, index: Tensor, src: Tensor | Number, *, reduce: Str | None = None) -> Self:
        """The in-place form of `scatter`: writes the result into the first argument and returns it."""

    @overload
    def scatter_(self, dim: Index, index: Tensor, *, value: Number, reduce: Str | None = None) -> Self:
        """The in-place form of `scatter`: writes the result into the first argument and returns it."""

    def scatter_add(self, dim: Index, index: Tensor, src: Tensor) -> Tensor:
        """The input with src[i][j] added to out[index[i][j]][j] for dim 0, and likewise for other axes."""

    def scatter_add_(self, dim: Index, index: Tensor, src: Tensor) -> Self:
        """The in-place form of `scatter_add`: writes the result into the first argument and returns it."""

    def scatter_reduce(self, dim: Index, index: Tensor, src: Tensor, reduce: Str, *, include_self: Bool = True) -> Tensor:
        """The input with src[i][j] and all others that meet in out[index[i][j]][j] reduced to one (for dim 0, and likewise for other axes)."""

    def scatter_reduce_(self, dim: Index, index: Tensor, src: Tensor, reduce: Str, *, include_self: Bool = True) -> Self:
        """The in-place form of `scatter_reduce`: writes the result into the first argument and returns it."""

    def select(self, dim: Index, index: Index) -> Tensor:
        """The slice at one place of an axis, without it. A view."""

    def select_scatter(self, src: Tensor, dim: Index, index: Index) -> Tensor:
        """The input with the source in place of the slice at one place of an axis: what input.select(dim, index) would then be."""

    def set_(self, source: Tensor) -> Self:
        """Makes this tensor share the memory and the shape of another one of its dtype, and returns it."""

    def setitem_(self, value: Any, key: Any) -> Self:
        """The in-place form of `setitem`: writes the result into the first argument and returns it."""

    def sgn(self) -> Tensor:
        """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""

    def sgn_(self) -> Self:
        """The in-place form of `sign`: writes the result into the first argument and returns it."""

    def short(self, memory_format: Str | None = None) -> Tensor:
        """This tensor as int16."""

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-input)): the logistic function."""

    def sigmoid_(self) -> Self:
        """The in-place form of `sigmoid`: writes the result into the first argument and returns it."""

    def sign(self) -> Tensor:
        """-1, 0 or 1: the sign of the input; 0 for NaN, as in torch."""

    def sign_(self) -> Self:
        """The in-place form of `sign`: writes the result into the first argument and returns it."""

    def signbit(self) -> Tensor:
        """Whether the sign bit is set: for negative numbers and for -0.0."""

    def silu_(self) -> Self:
        """The in-place form of `silu`: writes the result into the first argument and returns it."""

    def sin(self) -> Tensor:
        """The sine of an angle in radians."""

    def sin_(self) -> Self:
        """The in-place form of `sin`: writes the result into the first argument and returns it."""

    def sinc(self) -> Tensor:
        """sin(pi * input) / (pi * input), and 1 at 0."""

    def sinc_(self) -> Self:
        """The in-place form of `sinc`: writes the result into the first argument and returns it."""

    def sinh(self) -> Tensor:
        """The hyperbolic sine."""

    def sinh_(self) -> Self:
        """The in-place form of `sinh`: writes the result into the first argument and returns it."""

    @overload
    def size(self, dim: None = None) -> Size:
        """The shape, or the length along one axis."""

    @overload
    def size(self, dim: Index) -> Int:
        """The shape, or the length along one axis."""

    def slice_scatter(self, src: Tensor, dim: Index = 0, start: Index | None = None, end: Index | None = None, step: Index = 1) -> Tensor:
        """The input with the source in place of the slice start:end:step of an axis: what input[start:end:step] = src would make of it."""

    def slogdet(self) -> SlogDet:
        """The sign and the logarithm of the absolute value of the determinant: (sign, logabsdet)."""

    def softmax(self, dim: Index, dtype: DType | None = None) -> Tensor:
        """exp(input) / sum(exp(input)) along an axis: positive, adding up to 1."""

    def softplus_(self, beta: Float = 1.0, threshold: Float = 20.0) -> Self:
        """The in-place form of `softplus`: writes the result into the first argument and returns it."""

    def softshrink_(self, lambd: Number = 0.5) -> Self:
        """The in-place form of `softshrink`: writes the result into the first argument and returns it."""

    def sort(self, dim: Index = -1, descending: Bool = False, *, stable: Bool = False) -> ValuesAndIndices:
        """The elements in order along an axis, and where they stood: (values, indices)."""

    def split(self, split_size_or_sections: Indices, dim: Index = 0) -> tuple[Tensor, ...]:
        """The tensor cut along an axis: into pieces of one size (the last may be smaller) or of the sizes given. Views."""

    def split_with_sizes(self, split_sizes: Sequence[Index], dim: Index = 0) -> tuple[Tensor, ...]:
        """The input cut along an axis into pieces of these lengths. Views."""

    def sqrt(self) -> Tensor:
        """The square root; NaN below 0."""

    def sqrt_(self) -> Self:
        """The in-place form of `sqrt`: writes the result into the first argument and returns it."""

    def square(self) -> Tensor:
        """input ** 2."""

    def square_(self) -> Self:
        """The in-place form of `square`: writes the result into the first argument and returns it."""

    def squeeze(self, dim: Indices | None = None) -> Tensor:
        """The input without its axes of length 1, or without those named, where their length is 1. A view."""

    def squeeze_(self, dim: Indices | None = None) -> Self:
        """Takes the axes of length 1 out of this tensor itself, or those named, where their length is 1."""

    def std(self, dim: Indices | None = None, unbiased: Bool | None = None, keepdim: Bool = False, *, correction: Float | None = None) -> Tensor:
        """The standard deviation over axes: the square root of the variance."""

    def storage_offset(self) -> Int:
        """How many elements of the memory that this tensor is a view of come before its first one."""

    @overload
    def stride(self, dim: None = None) -> tuple[Int, ...]:
        """How many elements further the next one along each axis is in memory."""

    @overload
    def stride(self, dim: Index) -> Int:
        """How many elements further the next one along each axis is in memory."""

    def sub(self, other: Operand, *, alpha: Number = 1) -> Tensor:
        """input - alpha * other."""

    def sub_(self, other: Operand, *, alpha: Number = 1) -> Self:
        """The in-place form of `sub`: writes the result into the first argument and returns it."""

    def subtract(self, other: Operand, *, alpha: Number = 1) -> Tensor:
        """input - alpha * other."""

    def subtract_(self, other: Operand, *, alpha: Number = 1) -> Self:
        """The in-place form of `sub`: writes the result into the first argument and returns it."""

    def sum(self, dim: Indices | None = None, keepdim: Bool = False, *, dtype: DType | None = None) -> Tensor:
        """The sum over axes, all of them by default; integers are summed as int64."""

    @overload
    def sum_to_size(self, *size: Index) -> Tensor:
        """The sum over the axes that broadcasting has added or stretched: the adjoint of expand."""

    @overload
    def sum_to_size(self, size: Indices) -> Tensor:
        """The sum over the axes that broadcasting has added or stretched: the adjoint of expand."""

    def swapaxes(self, axis0: Index, axis1: Index) -> Tensor:
        """Two axes exchanged: NumPy's name for transpose."""

    def swapaxes_(self, axis0: Index, axis1: Index) -> Self:
        """Exchanges two axes of this tensor itself: NumPy's name for transpose_."""

    def swapdims(self, dim0: Index, dim1: Index) -> Tensor:
        """Two axes exchanged. A view."""

    def swapdims_(self, dim0: Index, dim1: Index) -> Self:
        """Exchanges two axes of this tensor itself."""

    def t(self) -> Tensor:
        """A matrix transposed; a vector as it is. A view."""

    def t_(self) -> Self:
        """Transposes this matrix itself; a vector stays as it is."""

    def take(self, index: Tensor) -> Tensor:
        """The elements at these places of the flattened input."""

    def take_along_dim(self, indices: Tensor, dim: Index | None = None) -> Tensor:
        """The elements at these places along an axis, the other axes being broadcast; without an axis, of the flattened input."""

    def tan(self) -> Tensor:
        """The tangent of an angle in radians."""

    def tan_(self) -> Self:
        """The in-place form of `tan`: writes the result into the first argument and returns it."""

    def tanh(self) -> Tensor:
        """The hyperbolic tangent."""

    def tanh_(self) -> Self:
        """The in-place form of `tanh`: writes the result into the first argument and returns it."""

    def tensor_split(self, indices_or_sections: Indices | Tensor, dim: Index = 0) -> tuple[Tensor, ...]:
        """The input cut along an axis: into so many nearly equal pieces, or before each of the indices given. Views."""

    def threshold_(self, bound: Float = 0.0, value: Float = 1.5) -> Self:
        """The in-place form of `threshold`: writes the result into the first argument and returns it."""

    def tile(self, dims: Indices, *more: Indices) -> Tensor:
        """As repeat, but fewer numbers than axes leave the first axes alone. The numbers may be spread over the call."""

    @overload
    def to(self, other: Tensor, non_blocking: Bool = False, copy: Bool = False, *, memory_format: Str | None = None) -> Tensor:
        """This tensor with another dtype, on another device, in another memory format, or like another tensor; itself if nothing changes."""

    @overload
    def to(self, device: Place | None, dtype: DType | None = None, non_blocking: Bool = False, copy: Bool = False, *, memory_format: Str | None = None) -> Tensor:
        """This tensor with another dtype, on another device, in another memory format, or like another tensor; itself if nothing changes."""

    @overload
    def to(self, dtype: DType, non_blocking: Bool = False, copy: Bool = False, *, memory_format: Str | None = None) -> Tensor:
        """This tensor with another dtype, on another device, in another memory format, or like another tensor; itself if nothing changes."""

    @overload
    def to(self, *, dtype: DType | None = None, device: Place | None = None, non_blocking: Bool = False, copy: Bool = False, memory_format: Str | None = None) -> Tensor:
        """This tensor with another dtype, on another device, in another memory format, or like another tensor; itself if nothing changes."""

    def tolist(self) -> Any:
        """The elements as nested Python lists; of a 0-d tensor, the number."""

    def topk(self, k: Index, dim: Index = -1, largest: Bool = True, sorted: Bool = True) -> ValuesAndIndices:
        """The k largest (or smallest) elements along an axis, and where they stood: (values, indices)."""

    def trace(self) -> Tensor:
        """The sum of a matrix's diagonal."""

    def transpose(self, dim0: Index, dim1: Index) -> Tensor:
        """Two axes exchanged. A view."""

    def transpose_(self, dim0: Index, dim1: Index) -> Self:
        """Exchanges two axes of this tensor itself."""

    def tril(self, diagonal: Index = 0) -> Tensor:
        """The lower triangle of the last two axes, zeros above it."""

    def tril_(self, diagonal: Index = 0) -> Self:
        """The in-place form of `tril`: writes the result into the first argument and returns it."""

    def triu(self, diagonal: Index = 0) -> Tensor:
        """The upper triangle of the last two axes, zeros below it."""

    def triu_(self, diagonal: Index = 0) -> Self:
        """The in-place form of `triu`: writes the result into the first argument and returns it."""

    def true_divide(self, other: Operand, *, rounding_mode: Str | None = None) -> Tensor:
        """input / other (integers give floats), rounded towards zero ("trunc") or down ("floor") if asked for."""

    def true_divide_(self, other: Operand, *, rounding_mode: Str | None = None) -> Self:
        """The in-place form of `div`: writes the result into the first argument and returns it."""

    def trunc(self) -> Tensor:
        """The input without its fraction."""

    def trunc_(self) -> Self:
        """The in-place form of `trunc`: writes the result into the first argument and returns it."""

    @overload
    def type(self, dtype: None = None, non_blocking: Bool = False) -> Str:
        """The name of the type that holds such elements, for example 'minigrad.FloatTensor'; with an argument, this tensor as that type."""

    @overload
    def type(self, dtype: DType, non_blocking: Bool = False) -> Tensor:
        """The name of the type that holds such elements, for example 'minigrad.FloatTensor'; with an argument, this tensor as that type."""

    def type_as(self, other: Tensor) -> Tensor:
        """This tensor with the other's dtype."""

    def unbind(self, dim: Index = 0) -> tuple[Tensor, ...]:
        """The slices of the input along an axis, without it. Views."""

    def unflatten(self, dim: Index, sizes: Sequence[Index]) -> Tensor:
        """One axis as several, of these lengths; one may be -1."""

    def unfold(self, dimension: Index, size: Index, step: Index) -> Tensor:
        """All windows of `size` elements along an axis, `step` apart; a new last axis runs through the window. A view, in which windows may overlap."""

    def uniform_(self, from_: Float = 0.0, to: Float = 1.0, /, *, generator: Generator | None = None) -> Self:
        """Fills this tensor with numbers uniform in [from, to), by default [0, 1)."""

    @overload
    def unique(self, sorted: Bool = True, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: Index | None = None) -> Tensor:
        """The distinct elements, or along an axis the distinct slices, in ascending order."""

    @overload
    def unique(self, sorted: Bool = True, return_inverse: Bool = False, return_counts: Bool = False, dim: Index | None = None) -> Any:
        """The distinct elements, or along an axis the distinct slices, in ascending order."""

    @overload
    def unique_consecutive(self, return_inverse: Literal[False] = False, return_counts: Literal[False] = False, dim: Index | None = None) -> Tensor:
        """The elements, or along an axis the slices, without those equal to the one before."""

    @overload
    def unique_consecutive(self, return_inverse: Bool = False, return_counts: Bool = False, dim: Index | None = None) -> Any:
        """The elements, or along an axis the slices, without those equal to the one before."""

    def unsafe_chunk(self, chunks: Index, dim: Index = 0) -> tuple[Tensor, ...]:
        """chunk, with pieces that may be written in place while the graph is recorded."""

    def unsafe_split(self, split_size: Index, dim: Index = 0) -> tuple[Tensor, ...]:
        """split, with pieces that may be written in place while the graph is recorded."""

    def unsafe_split_with_sizes(self, split_sizes: Sequence[Index], dim: Index = 0) -> tuple[Tensor, ...]:
        """split_with_sizes, with pieces that may be written in place while the graph is recorded."""

    def unsqueeze(self, dim: Index) -> Tensor:
        """The input with an axis of length 1 put in before axis `dim`. A view."""

    def unsqueeze_(self, dim: Index) -> Self:
        """Puts an axis of length 1 into this tensor itself, before axis `dim`."""

    def var(self, dim: Indices | None = None, unbiased: Bool | None = None, keepdim: Bool = False, *, correction: Float | None = None) -> Tensor:
        """The variance over axes: squared distances from the mean, summed and divided by n - correction."""

    def vdot(self, other: Tensor) -> Tensor:
        """The sum of the products of two vectors' elements."""

    @overload
    def view(self, *size: Index) -> Tensor:
        """As reshape, but always a view of the same memory."""

    @overload
    def view(self, size: Indices) -> Tensor:
        """As reshape, but always a view of the same memory."""

    def view_as(self, other: Tensor) -> Tensor:
        """This tensor seen in the other's shape."""

    def vsplit(self, indices_or_sections: Indices | Tensor) -> tuple[Tensor, ...]:
        """The input cut along the first axis into so many equal pieces, or before each of the indices. Views."""

    def where(self, condition: Tensor, other: Operand) -> Tensor: ...

    def xlogy(self, other: Operand) -> Tensor:
        """input * log(other), and 0 where the input is 0."""

    def xlogy_(self, other: Operand) -> Self:
        """The in-place form of `xlogy`: writes the result into the first argument and returns it."""

    def zero_(self) -> Self: ...

