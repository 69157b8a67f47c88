"""A tensor's dtype, device, layout and size; and the way out to NumPy and Python."""

from __future__ import annotations

import builtins
from typing import Any

from ..core.device import CPU, TYPES, check_device, device_of, placed
from ..core.device import device as Device
from ..core.dtypes import bool_, chosen_dtype, float16, float32, float64, int8, int16, int32, int64, uint8
from ..core.inplace import in_place
from ..core.primitive import function, primitive
from ..core.tensor import TABLE, Tensor, register, tensor
from ..kernels import xp
from .creation import number_as, zeros_like

__all__ = [
    "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
    "conj", "conj_physical", "fill", "get_device", "is_complex", "is_conj", "is_floating_point", "is_nonzero", "is_same_size", "is_signed",
    "is_tensor", "numel", "real", "resolve_conj", "resolve_neg",
]  # fmt: skip


@primitive(method=False)
def cast(input, /, dtype):
    """The input with another element type."""
    return input.astype(dtype)


@cast.vjp("input")
def _(g):
    return g  # the engine brings it back to the input's dtype


@cast.cases
def _(draw):
    return (draw.array(draw.shape()), draw.choice(float64, float32)), {}


@primitive(method=False, tested_by="amp/test_autocast.py")
def rounded_to_bfloat16(input, /):
    """The numbers of bfloat16 nearest to those of a float32 tensor, as float32: the upper half of their bits; ties go to the even one."""
    m = xp(input)
    bits = m.ascontiguousarray(input).view("uint32").reshape(input.shape)
    rounded = (bits + ((bits >> 16) & 1) + 0x7FFF) & 0xFFFF0000
    return m.where(m.isnan(input), input, rounded.view("float32"))


@rounded_to_bfloat16.vjp("input")
def _(g):
    return rounded_to_bfloat16(g)  # what a gradient of that dtype can hold


@primitive(method=False, any_gpu=True, tested_by="cuda/test_tensor.py")
def move(input, /, where, source):
    """The input on another device than its source."""
    return placed(input, where)


@move.vjp("input")
def _(g, where, source):
    return move(g, source, where)


@function
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """This tensor with another dtype, on another device, in another memory format, or like another tensor; itself if nothing changes.

    >>> import minigrad
    >>> x = minigrad.ones(2)
    >>> x.to(minigrad.float64).dtype
    dtype('float64')
    >>> x.to("cpu") is x
    True
    """
    target = None
    if not args and dtype is None and device is None and memory_format is None and not copy:
        raise TypeError("to: expected a dtype, a device, a memory format or a tensor")
    for i, a in enumerate(args):
        if isinstance(a, Tensor) and i == 0:
            dtype, target = a.dtype, a.device
        elif isinstance(a, Device) or isinstance(a, str) and a.partition(":")[0] in TYPES:
            device = a
        elif isinstance(a, bool):  # whether to wait, and whether to copy: here nothing waits
            copy = copy or a and i == len(args) - 1 and i > 0 and isinstance(args[i - 1], bool)
        elif a is not None:
            dtype = a
    here = self.device
    where = check_device("to", device) if device is not None else target or here
    dtype = chosen_dtype("to", dtype, self.dtype)
    out = self
    if where != here:
        out, copy = move(self, where, here), False
    out = cast(out, dtype) if dtype != self.dtype else out.clone() if copy else out
    return out if memory_format in (None, "preserve_format") else TABLE["contiguous"](out, memory_format)


@function
def type(self, dtype=None, non_blocking=False):
    """The name of the type that holds such elements, for example 'minigrad.FloatTensor'; with an argument, this tensor as that type.

    Args:
        dtype: a dtype, a type such as minigrad.LongTensor, or the name of one.
    """
    if dtype is None:
        return f"minigrad.{TYPE_NAMES[self.dtype]}"
    if isinstance(dtype, str):
        named = {name: d for d, name in TYPE_NAMES.items()}.get(dtype.rpartition(".")[2])
        if named is None:
            raise ValueError(f"type: expected the name of a type such as 'minigrad.FloatTensor', got {dtype!r}")
        dtype = named
    return to(self, getattr(dtype, "dtype", dtype))


TYPE_NAMES = {
    float32: "FloatTensor", float64: "DoubleTensor", float16: "HalfTensor", uint8: "ByteTensor", int8: "CharTensor", int16: "ShortTensor",
    int32: "IntTensor", int64: "LongTensor", bool_: "BoolTensor",
}  # fmt: skip


class OfType(builtins.type):
    """The metaclass of FloatTensor and its like: they make tensors, and isinstance(x, FloatTensor) asks for the dtype."""

    dtype: Any

    def __call__(cls, *data):
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=cls.dtype)
        return Tensor(*data).to(cls.dtype)

    def __instancecheck__(cls, x):
        return isinstance(x, Tensor) and x.dtype == cls.dtype


def tensor_type(dtype):
    doc = f"Makes {dtype} tensors: of a sequence, or uninitialised ones of the lengths given. Older scripts do; new ones call minigrad.tensor."
    return OfType(TYPE_NAMES[dtype], (), {"dtype": dtype, "__doc__": doc, "__module__": "minigrad"})


FloatTensor, DoubleTensor, HalfTensor, ByteTensor = tensor_type(float32), tensor_type(float64), tensor_type(float16), tensor_type(uint8)
CharTensor, ShortTensor, IntTensor, LongTensor, BoolTensor = (
    tensor_type(int8), tensor_type(int16), tensor_type(int32), tensor_type(int64), tensor_type(bool_),
)  # fmt: skip


def caster(name, dtype):
    def cast_to(self, memory_format=None):
        return to(self, dtype, memory_format=memory_format)

    cast_to.__name__ = cast_to.__qualname__ = name
    cast_to.__doc__ = f"This tensor as {dtype}."
    register(name, cast_to)


for name, dtype in (
    ("float", float32), ("double", float64), ("half", float16), ("int", int32), ("long", int64), ("short", int16),
    ("char", int8), ("byte", uint8), ("bool", bool_),
):  # fmt: skip
    caster(name, dtype)


@function
def type_as(self, other):
    """This tensor with the other's dtype."""
    return to(self, other.dtype)


@function
def cpu(self, memory_format=None):
    """This tensor in the memory of the host: itself, if it is there already."""
    return to(self, "cpu", memory_format=memory_format)


@function
def cuda(self, device=None, non_blocking=False, memory_format=None):
    """This tensor in the memory of a GPU: itself, if it is there already.

    Raises:
        RuntimeError: no GPU is available. `x.to(device)`, with a device chosen by `cuda.is_available()`, runs everywhere.
    """
    return to(self, device="cuda" if device is None else device, memory_format=memory_format)


@function
def numel(input):
    """The number of elements."""
    return int(input.array.size)


@function
def size(self, dim=None):
    """The shape, or the length along one axis."""
    return self.shape if dim is None else self.shape[dim]


@function
def dim(self):
    """The number of axes."""
    return self.ndim


@function
def tolist(self):
    """The elements as nested Python lists; of a 0-d tensor, the number."""
    return self.array.tolist()


@function
def is_floating_point(input):
    """Whether the dtype is a floating-point type."""
    return input.dtype.kind == "f"


@function
def is_complex(input):
    """Whether the dtype is complex."""
    return input.dtype.kind == "c"


@function
def is_signed(input):
    """Whether the dtype can hold negative numbers."""
    return input.dtype.kind in "ifc"


@function
def is_nonzero(input):
    """Whether the one element of the input is not zero.

    Raises:
        RuntimeError: it has none, or several.
    """
    return bool(input)


@function
def is_same_size(input, other):
    """Whether two tensors have the same shape."""
    return input.array.shape == other.array.shape


@function
def is_conj(input):
    """Whether the conjugate is still to be taken: never."""
    return False


@function
def get_device(input):
    """The number of the GPU that the tensor is on: -1 on the CPU."""
    where = input.device
    return -1 if where.type == "cpu" else where.index


@function
def real(input):
    """The real part: of a tensor of real numbers itself."""
    if input.dtype.kind == "c":
        raise NotImplementedError("real: complex tensors are not available")
    return input


@function(alias=("resolve_conj", "resolve_neg", "conj_physical"))
def conj(input):
    """The complex conjugate: of a tensor of real numbers itself."""
    if input.dtype.kind == "c":
        raise NotImplementedError("conj: complex tensors are not available")
    return input


def is_tensor(obj):
    """Whether an object is a tensor."""
    return isinstance(obj, Tensor)


resolve_conj = resolve_neg = conj_physical = conj
for name in ("is_mps", "is_meta", "is_sparse", "is_quantized", "is_nested"):
    register(name, property(lambda self: False, doc="Always False: tensors are dense and live on the CPU or a GPU."))
register("is_cpu", property(lambda self: self.device is CPU, doc="Whether the tensor lives on the CPU."))
register("is_cuda", property(lambda self: self.device is not CPU, doc="Whether the tensor lives on a GPU."))
register("names", property(lambda self: (None,) * self.ndim, doc="The names of the axes: they have none."))
register("ndimension", lambda self: self.ndim)
register("nelement", numel)
register("device", property(lambda self: device_of(self.array), doc="Where the tensor lives."))


# --- whole-tensor writes ----------------------------------------------------------------------------------------------


@primitive(method=False, laws="linear", moves=True)
def copy(input, src, /, non_blocking=False):
    """The source, broadcast to the input's shape and cast to its dtype: what copy_ writes."""
    return xp(input).broadcast_to(src, input.shape).astype(input.dtype)


@copy.vjp("input")
def _(g):
    return zeros_like(g)


@copy.vjp("src")
def _(g):
    return g


@copy.writes
def _(array, src, non_blocking):
    array[...] = src if hasattr(src, "dtype") else number_as("copy_", src, array.dtype)


@copy.cases
def _(draw):
    shape = draw.shape()
    return (draw.array(shape), draw.array(draw.broadcastable(shape))), {}


@primitive(method=False)
def fill(input, value, /):
    """The value, a number or a 0-d tensor, everywhere."""
    return xp(input).full_like(input, number_as("fill", value, input.dtype))


@fill.vjp("input")
def _(g):
    return zeros_like(g)


@fill.vjp("value")
def _(g):
    return g


@fill.writes
def _(array, value):
    array[...] = number_as("fill_", value, array.dtype)


@fill.cases
def _(draw):
    return (draw.array(draw.shape()), draw.array(())), {}


in_place(copy)
in_place(fill)
register("zero_", lambda self: TABLE["fill_"](self, 0))


