"""What a tensor tells of itself, how it lies in memory, and how it meets other libraries."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import Tensor

# --- shape ------------------------------------------------------------------------------------------------------------


def test_a_size_is_a_tuple_with_a_number_of_elements() -> None:
    shape = minigrad.zeros(2, 3, 4).shape
    assert type(shape) is minigrad.Size
    assert (shape, shape.numel(), hash(shape)) == ((2, 3, 4), 24, hash((2, 3, 4)))
    for part, expected in ((shape[:2], (2, 3)), (shape + (5,), (2, 3, 4, 5)), ((1,) + shape, (1, 2, 3, 4)), (shape * 2, (2, 3, 4) * 2)):
        assert (type(part), part) == (minigrad.Size, expected)
    assert (type(shape[1]), shape[-1], repr(shape), f"{shape}") == (int, 4, "(2, 3, 4)", "(2, 3, 4)")
    assert minigrad.Size().numel() == 1
    assert pickle.loads(pickle.dumps(shape)) == copy.deepcopy(shape) == shape
    assert minigrad.zeros(shape).shape == minigrad.zeros(1).expand(shape).shape == shape
    with pytest.raises(TypeError, match="Size: expected a sequence of integers"):
        minigrad.Size([1.5])


def test_sizes_of_many_shapes() -> None:
    assert all(minigrad.zeros(1).expand(n).shape == (n,) for n in range(3000))


def test_numbers_about_a_tensor() -> None:
    x = minigrad.zeros(2, 3, 4, dtype=minigrad.float64)
    assert (x.ndim, x.dim(), x.ndimension(), x.numel(), x.nelement(), len(x)) == (3, 3, 3, 24, 24, 2)
    assert (x.itemsize, x.element_size(), x.nbytes, x.stride(), x.stride(-1), x.stride(0)) == (8, 8, 192, (12, 4, 1), 1, 12)
    assert (x.size(), x.size(1), x.storage_offset(), x[1, 2:].storage_offset(), x.t_ is not None) == ((2, 3, 4), 3, 0, 20, True)
    assert x[1].data_ptr() == x.data_ptr() + 96
    with pytest.raises(IndexError, match="stride: expected a dimension from -3 to 2, got 3"):
        x.stride(3)


def test_answers_about_a_tensor() -> None:
    x = minigrad.ones(2)
    assert (x.is_cpu, x.is_cuda, x.is_mps, x.is_meta, x.is_sparse, x.is_quantized, x.is_nested) == (True, *(False,) * 6)
    assert (x.layout, x.names, x.get_device(), minigrad.get_device(x)) == (minigrad.strided, (None,), -1, -1)
    assert [f(x) for f in (minigrad.is_floating_point, minigrad.is_complex, minigrad.is_signed, minigrad.is_conj)] == [True, False, True, False]
    assert not minigrad.is_signed(minigrad.ones(1, dtype=minigrad.uint8))
    assert (minigrad.is_nonzero(minigrad.tensor([2])), minigrad.is_same_size(x, x + 1), minigrad.is_tensor(x)) == (True, True, True)
    with pytest.raises(RuntimeError, match="the truth of a tensor with 2 elements is ambiguous"):
        x.is_nonzero()
    for same in (x.real(), x.conj(), x.resolve_conj(), minigrad.resolve_neg(x), minigrad.conj_physical(x)):
        assert same is x
    assert (x[0]._is_view(), x[0]._base is x, x._base) == (True, True, None)


# --- dtypes -----------------------------------------------------------------------------------------------------------


def test_what_dtypes_can_hold() -> None:
    assert minigrad.finfo().eps == minigrad.finfo(minigrad.float32).eps == 2**-23
    assert (minigrad.finfo(minigrad.float16).max, minigrad.finfo(minigrad.float64).bits) == (65504, 64)
    assert (minigrad.iinfo(minigrad.int8).min, minigrad.iinfo(minigrad.int64).max) == (-128, 2**63 - 1)
    with pytest.raises(TypeError, match="finfo: expected a floating-point dtype, got int64; iinfo is for integers"):
        minigrad.finfo(minigrad.int64)
    with pytest.raises(TypeError, match="iinfo: expected an integer dtype, got float32"):
        minigrad.iinfo(minigrad.float32)


NAMES = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


def test_promotion_and_casts_as_in_torch() -> None:
    torch = pytest.importorskip("torch")
    for a in NAMES:
        for b in NAMES:
            ours, theirs = (np.dtype(a), np.dtype(b)), (getattr(torch, a), getattr(torch, b))
            assert minigrad.can_cast(*ours) == torch.can_cast(*theirs), (a, b)
            assert str(torch.promote_types(*theirs)) == f"torch.{minigrad.promote_types(*ours)}"


@pytest.mark.parametrize("dtype", ["U3", object, "datetime64[s]", ">f4", np.longdouble, 5, "nothing", [("a", int)]], ids=str)
def test_dtypes_that_tensors_cannot_have(dtype: Any) -> None:
    for call in (
        lambda: minigrad.zeros(2, dtype=dtype), lambda: minigrad.ones(2).to(dtype=dtype), lambda: minigrad.tensor([1.0], dtype=dtype),
        lambda: minigrad.full((2,), 1, dtype=dtype), lambda: minigrad.zeros_like(minigrad.ones(1), dtype=dtype), lambda: minigrad.rand(1, dtype=dtype),
        lambda: minigrad.as_tensor([1.0], dtype=dtype), lambda: minigrad.randint(3, (2,), dtype=dtype), lambda: minigrad.eye(2, dtype=dtype),
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"expected a dtype of numbers such as minigrad.float32, got"):
            call()


@pytest.mark.parametrize(
    ("call", "dtype"),
    [
        (lambda x: x.to(minigrad.float64), "float64"), (lambda x: x.to("cpu", minigrad.int64), "int64"), (lambda x: x.to(minigrad.device("cpu")), "float32"),
        (lambda x: x.to(minigrad.ones(1, dtype=minigrad.float16)), "float16"), (lambda x: x.to(dtype=minigrad.int8, device="cpu"), "int8"),
        (lambda x: x.to("cpu", non_blocking=True), "float32"), (lambda x: x.to(minigrad.float64, True, True), "float64"), (lambda x: x.double(), "float64"),
        (lambda x: x.type(minigrad.LongTensor), "int64"), (lambda x: x.type("minigrad.DoubleTensor"), "float64"), (lambda x: x.type(minigrad.int32), "int32"),
        (lambda x: x.type("torch.HalfTensor"), "float16"), (lambda x: x.type_as(minigrad.ones(1).bool()), "bool"), (lambda x: x.cpu(), "float32"),
    ],
)  # fmt: skip
def test_conversions(call: Any, dtype: str) -> None:
    x = minigrad.ones(2)
    assert str(call(x).dtype) == dtype
    assert (call(x) is x) == (dtype == "float32")


def test_conversions_that_copy_and_those_that_are_refused() -> None:
    x = minigrad.ones(2)
    for y in (x.to(minigrad.float32, copy=True), x.to("cpu", minigrad.float32, False, True), x.to(minigrad.float32, False, True)):
        assert y is not x and not np.shares_memory(y.array, x.array)
    assert x.to(minigrad.float32, True) is x
    for call in (lambda: x.to(), lambda: x.to(3), lambda: x.to("gpu"), lambda: x.to([1])):
        with pytest.raises(TypeError, match=r"to: expected a d(type|evice)"):
            call()
    for call in (x.cuda, lambda: x.to("cuda"), lambda: minigrad.zeros(1, device="cuda:1"), lambda: minigrad.tensor(1.0, device=minigrad.device("mps"))):
        with pytest.raises(RuntimeError, match=r"device .* is not available: .*tensors live on"):
            call()
    with pytest.raises(ValueError, match=r"type: expected the name of a type such as 'minigrad.FloatTensor', got 'Tensor'"):
        x.type("Tensor")


def test_the_types_of_older_scripts() -> None:
    assert (minigrad.ones(1).type(), minigrad.arange(2).type()) == ("minigrad.FloatTensor", "minigrad.LongTensor")
    assert minigrad.FloatTensor(2, 3).shape == (2, 3)
    assert (minigrad.LongTensor([1, 2]).dtype, minigrad.FloatTensor(np.array([1.0, 2.0])).dtype) == (minigrad.int64, minigrad.float32)
    assert isinstance(minigrad.ones(1), minigrad.FloatTensor) and not isinstance(minigrad.ones(1), minigrad.LongTensor)
    made = (minigrad.DoubleTensor, minigrad.HalfTensor, minigrad.ByteTensor, minigrad.CharTensor, minigrad.ShortTensor, minigrad.IntTensor, minigrad.BoolTensor)
    assert [str(t([1]).dtype) for t in made] == ["float64", "float16", "uint8", "int8", "int16", "int32", "bool"]


@pytest.mark.parametrize(
    ("args", "shape", "values"),
    [
        ((), (0,), []), ((2, 3), (2, 3), None), ((5,), (5,), None), ((minigrad.Size([2]),), (2,), None), (([1, 2],), (2,), [1.0, 2.0]),
        (((2, 3),), (2,), [2.0, 3.0]), ((np.array([1.5, 2.5]),), (2,), [1.5, 2.5]), ((np.array([1, 2]),), (2,), [1.0, 2.0]), (([[1], [2]],), (2, 1), [[1.0], [2.0]]),
    ],
)  # fmt: skip
def test_the_constructor_of_older_scripts(args: Any, shape: Any, values: Any) -> None:
    x = Tensor(*args)
    assert (x.dtype, x.shape) == (minigrad.float32, shape)
    assert values is None or x.tolist() == values
    assert not (isinstance(args[0], np.ndarray) and np.shares_memory(args[0], x.array)) if args else True


@pytest.mark.parametrize("data", [2.5, "a", 1j, np.ones(1, complex), [1j], np.array(["a"]), None, {}])
def test_the_constructor_of_older_scripts_refuses_what_is_no_data(data: Any) -> None:
    with pytest.raises(TypeError, match=r"Tensor: expected (nested sequences, an array or lengths|real numbers), got"):
        Tensor(data)


def test_a_tensor_of_a_tensor_shares_its_memory() -> None:
    x = minigrad.arange(3)
    assert np.shares_memory(Tensor(x).array, x.array)
    assert minigrad.nn.Parameter(np.zeros(2)).dtype == minigrad.float64


# --- devices ----------------------------------------------------------------------------------------------------------


def test_devices() -> None:
    cpu, second = minigrad.device("cpu"), minigrad.device("cuda", 1)
    assert (str(cpu), repr(cpu), cpu.index, cpu.type) == ("cpu", "device(type='cpu')", None, "cpu")
    assert (str(second), repr(second), second.index) == ("cuda:1", "device(type='cuda', index=1)", 1)
    assert second == minigrad.device("cuda:1") == minigrad.device(second) and second != minigrad.device("cuda") and cpu != "cpu"
    assert len({second, minigrad.device("cuda:1"), cpu}) == 2
    assert pickle.loads(pickle.dumps(second)) == copy.deepcopy(second) == second
    with cpu:
        assert minigrad.zeros(1).device == cpu
    minigrad.set_default_device("cpu")
    assert minigrad.get_default_device() == cpu
    with pytest.raises(AttributeError, match="device: 'index' cannot be changed"):
        cpu.index = 1
    for call, kind in (
        (lambda: minigrad.device("gpu"), RuntimeError), (lambda: minigrad.device("cuda:x"), RuntimeError), (lambda: minigrad.device("cuda:1", 1), RuntimeError),
        (lambda: minigrad.device(3), TypeError), (lambda: minigrad.set_default_device("cuda"), RuntimeError), (lambda: second.__enter__(), RuntimeError),
        (lambda: minigrad.zeros(1, device=3), RuntimeError), (lambda: minigrad.zeros(1, device=3.5), TypeError),
    ):  # fmt: skip
        with pytest.raises(kind, match="device"):
            call()


def test_what_scripts_ask_about_gpus() -> None:
    cuda = minigrad.cuda
    assert (cuda.is_available(), cuda.device_count(), cuda.is_initialized(), cuda.is_bf16_supported(), cuda.memory_allocated()) == (False, 0, False, False, 0)
    assert (cuda.max_memory_allocated(), cuda.memory_reserved()) == (0, 0)
    for quiet in (lambda: cuda.manual_seed(1), lambda: cuda.manual_seed_all(1), cuda.empty_cache, cuda.reset_peak_memory_stats):
        assert quiet() is None
    for name in ("current_device", "set_device", "get_device_name", "get_device_properties", "get_device_capability", "synchronize"):
        with pytest.raises(RuntimeError, match=rf"cuda.{name}: no GPU is available: .* ask minigrad.cuda.is_available\(\) first"):
            getattr(cuda, name)(*([0] if name == "set_device" else []))


def test_switches_of_libraries_that_are_not_here() -> None:
    backends = minigrad.backends
    before = backends.cudnn.benchmark
    backends.cudnn.benchmark = True
    assert backends.cudnn.benchmark is True
    backends.cudnn.benchmark = before
    assert not any(b.is_available() or b.is_built() for b in (backends.cudnn, backends.cuda, backends.mps, backends.mkldnn, backends.mkl, backends.openmp))
    assert (backends.cudnn.version(), backends.cuda.matmul.allow_tf32) == (None, False)
    with pytest.raises(AttributeError, match=r"backends.cudnn: no switch is called 'benchmrak'; there are enabled, benchmark"):
        backends.cudnn.benchmrak = True


# --- memory formats ---------------------------------------------------------------------------------------------------


def test_channels_last() -> None:
    x = minigrad.arange(120.0).reshape(2, 3, 4, 5).requires_grad_()
    for y in (x.contiguous(memory_format=minigrad.channels_last), x.to(memory_format=minigrad.channels_last)):
        assert (y.stride(), y.shape) == ((60, 1, 15, 3), x.shape)
        assert (y.is_contiguous(), y.is_contiguous(memory_format=minigrad.channels_last)) == (False, True)
        assert y.contiguous(memory_format=minigrad.channels_last) is y
        assert minigrad.equal(y, x)
    (y * x.detach()).sum().backward()
    assert minigrad.equal(x.grad, x)
    assert minigrad.zeros(1, 2, 3, 4, 5).contiguous(memory_format=minigrad.channels_last_3d).stride(1) == 1
    assert not minigrad.zeros(2, 3).is_contiguous(memory_format=minigrad.channels_last)
    assert x.contiguous(memory_format=minigrad.contiguous_format) is x.to(memory_format=minigrad.preserve_format) is x
    with pytest.raises(RuntimeError, match="contiguous: channels_last is for tensors of 4 dimensions, this one has 2"):
        minigrad.zeros(2, 3).contiguous(memory_format=minigrad.channels_last)
    with pytest.raises(ValueError, match=r"expected a memory format such as minigrad.channels_last, got 'NHWC'"):
        x.contiguous(memory_format="NHWC")


def test_empty_strided() -> None:
    x = minigrad.empty_strided((2, 3), (1, 2), dtype=minigrad.int64)
    assert (x.shape, x.stride(), x.dtype) == ((2, 3), (1, 2), minigrad.int64)
    with pytest.raises(RuntimeError, match="empty_strided: 2 lengths but 1 strides"):
        minigrad.empty_strided((2, 3), (1,))
    with pytest.raises(RuntimeError, match="empty_strided: no memory has elements that far apart"):
        minigrad.zeros(2).new_empty_strided((1,), 2**62)


# --- shapes changed in place ------------------------------------------------------------------------------------------

CHANGES: dict[str, tuple[Any, Any]] = {  # in place, and the same as a value
    "t_": (lambda x: x.t_(), lambda x: x.t()),
    "transpose_": (lambda x: x.transpose_(-1, 0), lambda x: x.transpose(-1, 0)),
    "swapaxes_": (lambda x: x.swapaxes_(0, 1), lambda x: x.swapaxes(0, 1)),
    "swapdims_": (lambda x: x.swapdims_(0, 1), lambda x: x.swapdims(0, 1)),
    "unsqueeze_": (lambda x: x.unsqueeze_(1), lambda x: x.unsqueeze(1)),
    "squeeze_": (lambda x: x.unsqueeze_(-1).squeeze_(), lambda x: x),
    "several": (lambda x: x.unsqueeze_(0).transpose_(0, 2).squeeze_(2).t_(), lambda x: x),
}


@pytest.mark.parametrize("of_a_view", [False, True], ids=["base", "view"])
@pytest.mark.parametrize("name", CHANGES)
def test_shapes_changed_in_place(name: str, of_a_view: bool) -> None:
    """Values, gradients, and views made before and after that still write to the same memory and know of writes to it."""
    change, value = CHANGES[name]
    weights = minigrad.arange(1.0, 7.0, dtype=minigrad.float64).reshape(2, 3)

    def run(in_place: bool) -> list[Any]:
        leaf = minigrad.arange(6.0, dtype=minigrad.float64).reshape(2, 3).clone().requires_grad_()
        base = leaf * 1
        x = base[:, :] if of_a_view else base
        row = x[1]
        if in_place:
            assert change(x) is x
        else:
            x = value(x)
        row.mul_(3)
        x.mul_(2)
        x[0].add_(row.sum())
        first = x.reshape(-1)[0]
        first.mul_(first.detach().clone())
        out = (x * value(weights)).sum() + (row * 5).sum() + base.sum()
        out.backward()
        return [x.tolist(), row.tolist(), leaf.grad.tolist(), tuple(x.shape)]

    assert run(True) == run(False)


def test_leaves_change_their_shape_under_no_grad_only() -> None:
    x = minigrad.ones(2, 3, requires_grad=True)
    (x * x).sum().backward()
    for change in ("t_", "squeeze_"):
        with pytest.raises(RuntimeError, match=f"{change}: a leaf that needs a gradient cannot change its shape while the graph is recorded"):
            getattr(x, change)()
    with minigrad.no_grad():
        x.t_()
    x.grad = None
    (x * x).sum().backward()
    assert (x.shape, x.grad.shape) == ((3, 2), (3, 2))
    with pytest.raises(RuntimeError, match="t_: expected at most 2 dimensions"):
        minigrad.zeros(1, 1, 1).t_()


def test_resize() -> None:
    x = minigrad.arange(6.0)
    assert x.resize_(2, 2) is x
    assert x.tolist() == [[0.0, 1.0], [2.0, 3.0]]
    assert x.zero_().resize_((3, 4))[0, 3].item() == 0.0
    assert x.resize_as_(minigrad.zeros(2)).shape == (2,)
    view = x[0]
    assert x.resize_(2) is x
    with pytest.raises(RuntimeError, match="resize_: this tensor shares its memory with views"):
        x.resize_(3)
    assert view.item() == 0.0
    saved = minigrad.ones(2)
    product = saved * minigrad.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="or a graph has saved it"):
        saved.resize_(3)
    del product
    assert saved.resize_(3).shape == (3,)
    with pytest.raises(RuntimeError, match="resize_: a tensor that needs a gradient cannot be resized"):
        minigrad.ones(2, requires_grad=True).resize_(3)


def test_python_functions_for_every_element() -> None:
    x = minigrad.tensor([[1, 2], [3, 4]])
    assert x.apply_(lambda v: v * 10) is x
    assert x.map_(minigrad.ones_like(x), lambda a, b: a + b).tolist() == [[11, 21], [31, 41]]
    with pytest.raises(RuntimeError, match=r"apply_: a Python function has no gradient; use x.detach\(\)"):
        minigrad.ones(1, requires_grad=True).apply_(abs)
    with pytest.raises(RuntimeError, match=r"map_: expected a tensor of shape \(2, 2\), got \(2,\)"):
        x.map_(minigrad.ones(2), max)


# --- in-place names ---------------------------------------------------------------------------------------------------

NAMES_IN_PLACE = (  # of torch's in-place names those whose operation is here
    "abs_ absolute_ acos_ acosh_ add_ addbmm_ addcdiv_ addcmul_ addmm_ addmv_ addr_ apply_ arccos_ arccosh_ arcsin_ arcsinh_ arctan2_ arctan_ "
    "arctanh_ asin_ asinh_ atan2_ atan_ atanh_ baddbmm_ bernoulli_ bitwise_and_ bitwise_left_shift_ bitwise_not_ bitwise_or_ bitwise_right_shift_ "
    "bitwise_xor_ cauchy_ ceil_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ copy_ copysign_ cos_ cosh_ cumprod_ cumsum_ deg2rad_ detach_ digamma_ "
    "div_ divide_ eq_ erf_ erfc_ erfinv_ exp2_ exp_ expm1_ exponential_ fill_ fill_diagonal_ fix_ float_power_ floor_ floor_divide_ fmod_ frac_ gcd_ ge_ "
    "geometric_ greater_ greater_equal_ gt_ heaviside_ hypot_ index_add_ index_copy_ index_fill_ index_put_ index_reduce_ lcm_ ldexp_ le_ lerp_ less_ "
    "less_equal_ lgamma_ log10_ log1p_ log2_ log_ log_normal_ logical_and_ logical_not_ logical_or_ logical_xor_ logit_ lt_ map_ masked_fill_ "
    "masked_scatter_ mul_ multiply_ nan_to_num_ ne_ neg_ negative_ normal_ not_equal_ polygamma_ pow_ put_ rad2deg_ random_ reciprocal_ relu_ remainder_ "
    "renorm_ requires_grad_ resize_ resize_as_ round_ rsqrt_ scatter_ scatter_add_ scatter_reduce_ sgn_ sigmoid_ sign_ sin_ sinc_ sinh_ sqrt_ square_ "
    "squeeze_ sub_ subtract_ swapaxes_ swapdims_ t_ tan_ tanh_ transpose_ tril_ triu_ true_divide_ trunc_ uniform_ unsqueeze_ xlogy_ zero_"
)
IN_PLACE = NAMES_IN_PLACE.split()


def test_in_place_names() -> None:
    assert [name for name in IN_PLACE if not callable(getattr(Tensor, name, None))] == []
    x = minigrad.tensor([-0.5])
    assert minigrad.abs_(x) is x and minigrad.sqrt_(x) is x and minigrad.zero_(x) is x


def test_in_place_names_as_in_torch() -> None:
    """Whatever operation is here has its in-place form here if torch has one, as a method and as a function."""
    torch = pytest.importorskip("torch")
    names = [name for name in dir(torch.Tensor) if name.endswith("_") and not name.startswith("_")]
    here = [name for name in names if hasattr(Tensor, name[:-1]) or hasattr(minigrad, name[:-1])]
    assert [name for name in here if not hasattr(Tensor, name)] == []
    assert [name for name in IN_PLACE if name not in names] == []
    functions = [name for name in dir(torch) if name in names and hasattr(Tensor, name)]
    assert [name for name in functions if not hasattr(minigrad, name)] == []


INTEGERS = ("bitwise_", "gcd_", "lcm_")
WITHOUT_A_FORM = ("apply_", "map_", "copy_", "fill_", "zero_", "detach_", "requires_grad_", "resize_", "resize_as_", "fill_diagonal_", "bernoulli_")
FILLERS = ("cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_")
INDEX = minigrad.tensor([[1, 0], [0, 1]])
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "addbmm_": (minigrad.ones(3, 2, 2).double(),) * 2, "addcdiv_": (minigrad.ones(2, 2).double() * 3, minigrad.ones(2).double() * 4),
    "addcmul_": (minigrad.ones(2, 2).double() * 3, minigrad.ones(2).double()), "addmm_": (minigrad.ones(2, 2).double(),) * 2,
    "addmv_": (minigrad.ones(2, 3).double(), minigrad.ones(3).double()), "addr_": (minigrad.ones(2).double(),) * 2,
    "baddbmm_": (minigrad.ones(2, 2, 2).double(),) * 2, "clamp_": (0.3, 0.6), "clip_": (0.3, 0.6), "clamp_max_": (0.5,), "clamp_min_": (0.5,),
    "cumprod_": (0,), "cumsum_": (1,), "index_add_": (0, INDEX[0], minigrad.ones(2, 2).double()), "index_fill_": (0, INDEX[0, :1], 2.0),
    "index_copy_": (0, INDEX[0], minigrad.ones(2, 2).double()), "index_put_": ((INDEX[0],), minigrad.ones(2, 2).double()),
    "index_reduce_": (0, INDEX[0], minigrad.ones(2, 2).double() * 2, "prod"), "ldexp_": (INDEX,), "lerp_": (minigrad.ones(2).double(), 0.25),
    "masked_fill_": (INDEX > 0, 2.0), "masked_scatter_": (INDEX > 0, minigrad.ones(2).double()), "polygamma_": None, "pow_": (3,),
    "put_": (INDEX[0], minigrad.ones(2).double()), "renorm_": (2, 0, 0.5), "scatter_": (0, INDEX, 2.0), "squeeze_": (), "unsqueeze_": (0,),
    "scatter_add_": (0, INDEX, minigrad.ones(2, 2).double()), "scatter_reduce_": (0, INDEX, minigrad.ones(2, 2).double() * 2, "prod"),
    "swapaxes_": (0, 1), "swapdims_": (0, 1), "transpose_": (0, 1), "bitwise_left_shift_": (1,), "bitwise_right_shift_": (1,),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in IN_PLACE if n not in WITHOUT_A_FORM + FILLERS])
def test_in_place_forms_do_what_the_operation_does(name: str) -> None:
    """The same values and gradients; or, where the result has another shape or dtype that does not fit, the same refusal."""
    values: Any = [[0.25, 0.75], [0.5, 0.375]]
    if name == "polygamma_":
        pytest.skip("its first argument is a number")
    if name.startswith(INTEGERS):
        x = minigrad.tensor([[1, 6], [5, 8]])
        args: tuple[Any, ...] = ARGUMENTS.get(name, () if name == "bitwise_not_" else (minigrad.tensor([3, 2]),))
        expected = getattr(x, name[:-1])(*args)
        assert getattr(x, name)(*args) is x
        assert x.tolist() == expected.tolist()
        return
    shape = {"addbmm_": (2, 2), "baddbmm_": (2, 2, 2), "addmv_": (2,)}.get(name, (2, 2))
    results = []
    args = ARGUMENTS.get(name, ())
    if name not in ARGUMENTS:
        try:
            getattr(minigrad.ones(2, 2), name[:-1])()
        except TypeError:
            args = (minigrad.tensor([0.5, 0.25], dtype=minigrad.float64),)
    for in_place in (False, True):
        leaf = minigrad.tensor(values, dtype=minigrad.float64).expand(shape).clone() if shape != (2,) else minigrad.tensor(values[0], dtype=minigrad.float64)
        leaf.requires_grad_()
        x = leaf * 1
        if in_place:
            out = getattr(x, name)(*args)
            assert out is x and x.dtype == minigrad.float64
        else:
            out = getattr(x, name[:-1])(*args).to(minigrad.float64)
        weights = minigrad.arange(1.0, 1.0 + out.numel(), dtype=minigrad.float64).reshape(out.shape)
        g = [0.0]
        if out.requires_grad:
            (found,) = minigrad.autograd.grad((out * weights).sum(), leaf, allow_unused=True, materialize_grads=True)
            g = found.reshape(-1).tolist()
        results.append((out.tolist(), g if any(g) else [0.0]))
    np.testing.assert_allclose(np.array(results[1][0], float), np.array(results[0][0], float), rtol=1e-12)
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=1e-12)


@pytest.mark.parametrize("write", [lambda y: y.eq_(2.0), lambda y: y.gt_(0), lambda y: y.logical_not_(), lambda y: y.isnan().logical_or_(y)])
def test_writes_without_a_derivative_cut_the_gradient_off(write: Any) -> None:
    x = minigrad.ones(3, requires_grad=True)
    y = x * 2
    out = write(y)
    if out is y:
        y.sum().backward()
        assert x.grad.tolist() == [0.0] * 3


def test_cumulative_writes() -> None:
    x = minigrad.arange(1.0, 4.0, requires_grad=True)
    y = x * 1
    y.cumsum_(0)
    y.backward(minigrad.tensor([1.0, 10.0, 100.0]))
    assert (y.tolist(), x.grad.tolist()) == ([1.0, 3.0, 6.0], [111.0, 110.0, 100.0])


@pytest.mark.parametrize(("wrap", "rows"), [(False, [0, 1]), (True, [0, 1, 3, 4])])
def test_fill_diagonal(wrap: bool, rows: list[int]) -> None:
    x = minigrad.zeros(5, 2)
    assert x.fill_diagonal_(1, wrap=wrap) is x
    assert x.sum(1).nonzero().reshape(-1).tolist() == rows
    assert minigrad.zeros(3, 3, 3).fill_diagonal_(2).nonzero().tolist() == [[i] * 3 for i in range(3)]
    for bad in (minigrad.zeros(3), minigrad.zeros(2, 3, 3)):
        with pytest.raises(RuntimeError, match="fill_diagonal_: "):
            bad.fill_diagonal_(1)


def test_augmented_assignments() -> None:
    for symbol, a, b in (("//", 7, 2), ("%", 7, 4), ("&", 6, 3), ("|", 6, 3), ("^", 6, 3), ("<<", 6, 1), (">>", 6, 1), ("**", 3, 2), ("-", 3, 2), ("*", 3, 2)):
        x = minigrad.tensor([a])
        names = {"x": x, "b": b}
        exec(f"x {symbol}= b", names)
        assert names["x"] is x
        assert x.tolist() == [eval(f"{a} {symbol} {b}")]


# --- Python -----------------------------------------------------------------------------------------------------------


def test_python_of_tensors() -> None:
    x = minigrad.arange(3)
    assert (complex(minigrad.tensor(2)), [v.item() for v in reversed(x)], 2 in x, minigrad.tensor(5) in x) == (2 + 0j, [2, 1, 0], True, False)
    loss = minigrad.tensor(0.1, requires_grad=True)
    assert (f"{loss}", f"{loss:.3f}", f"{x}") == (str(np.float32(0.1).item()), "0.100", "tensor([0, 1, 2])")
    with pytest.raises(TypeError, match="in: a tensor contains numbers and tensors, got str"):
        "a" in x  # noqa: B015
    with pytest.raises(TypeError, match=r"only integer tensors of one element .* this one is int64 of shape \(3,\)"):
        [1][x]
    with pytest.raises(TypeError):
        format(x, ".2f")
    with pytest.raises(TypeError):
        del x[0]


# --- other libraries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("layout", [lambda a: a, lambda a: a.T, lambda a: a[::2, 1:], lambda a: a[:0], lambda a: a[0, 0]], ids=["whole", "T", "part", "empty", "0-d"])
def test_dlpack_shares_memory(dtype: str, layout: Any) -> None:
    array = layout(np.arange(12).reshape(3, 4).astype(dtype))
    x = minigrad.from_dlpack(array) if array.shape else minigrad.from_dlpack(minigrad.from_numpy(np.asarray(array)))
    assert (x.dtype, x.shape) == (array.dtype, array.shape)
    assert x.tolist() == array.tolist()
    if array.ndim:
        assert not array.size or np.shares_memory(x.array, array)
        back = np.from_dlpack(x)
        assert not array.size or np.shares_memory(back, array)
    assert x.__dlpack_device__() == (1, 0)


@pytest.mark.parametrize("dtype", NAMES)
def test_memory_shared_with_torch(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = minigrad.zeros(2, 3, dtype=np.dtype(dtype))
    y = torch.from_dlpack(x)
    z = minigrad.from_dlpack(y.t())
    y[0, 1] = 1
    assert (x[0, 1].item(), z[1, 0].item(), z.shape, z.stride()) == (1, 1, (3, 2), (1, 3))
    z[2, 1] = 1
    assert y[1, 2].item() == 1
    w = minigrad.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(y))
    assert w.tolist() == x.tolist()
    assert torch.utils.dlpack.from_dlpack(minigrad.utils.dlpack.to_dlpack(x)).data_ptr() == x.data_ptr()
    assert minigrad.as_tensor(y.numpy()).data_ptr() == minigrad.from_numpy(y.numpy()).data_ptr() == x.data_ptr()


def test_memory_lent_lives_as_long_as_its_last_holder() -> None:
    array = np.arange(4.0)
    alive = weakref.ref(array)
    x = minigrad.from_dlpack(array)
    y = np.from_dlpack(x[1:])
    del array, x
    gc.collect()
    assert alive() is not None
    assert y.tolist() == [1, 2, 3]
    del y
    gc.collect()
    assert alive() is None


def test_a_capsule_that_nobody_takes_lets_go() -> None:
    array = np.arange(4.0)
    alive, capsule = weakref.ref(array), minigrad.from_numpy(array).__dlpack__()
    del array
    assert alive() is not None
    del capsule
    gc.collect()
    assert alive() is None


def test_memory_shared_with_jax() -> None:
    jax = pytest.importorskip("jax")
    memory = np.zeros(32, np.float32)
    start = -memory.ctypes.data // 4 % 16  # JAX copies what does not lie at 64 bytes
    x = minigrad.from_numpy(memory[start : start + 6]).reshape(2, 3)
    lent = jax.numpy.from_dlpack(x)
    assert lent.unsafe_buffer_pointer() == x.data_ptr()
    assert jax.numpy.from_dlpack(minigrad.arange(7)[1:]).tolist() == [1, 2, 3, 4, 5, 6]
    back = minigrad.from_dlpack(lent)
    assert back.data_ptr() == x.data_ptr()
    with pytest.raises(RuntimeError, match="read-only"):  # as all that is JAX's
        back.add_(1)


def test_what_dlpack_refuses() -> None:
    with pytest.raises(BufferError, match=r"__dlpack__: this tensor needs a gradient, .*; use x.detach\(\)"):
        minigrad.ones(1, requires_grad=True).__dlpack__()
    with pytest.raises(BufferError, match="tensors on the CPU have no streams, got stream=1"):
        minigrad.ones(1).__dlpack__(stream=1)
    with pytest.raises(TypeError, match=r"from_dlpack: expected an object with __dlpack__, got list; minigrad.as_tensor takes arrays and lists"):
        minigrad.from_dlpack([1.0])
    with pytest.raises(RuntimeError, match="from_dlpack: device 'cuda' is not available"):
        minigrad.from_dlpack(np.zeros(1), device="cuda")
    frozen = np.zeros(2)
    frozen.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        minigrad.from_dlpack(frozen).add_(1)


def test_numpy_functions_with_an_operation_of_the_same_meaning() -> None:
    x = minigrad.tensor([0.25, 0.5], requires_grad=True)
    array = np.array([1.0, 2.0], np.float32)
    for got, expected in (
        (np.exp(x), x.exp()), (np.arcsin(x), x.asin()), (np.absolute(x), x.abs()), (np.add(array, x), x + minigrad.tensor(array)), (array / x, minigrad.tensor(array) / x),
        (array - x, minigrad.tensor(array) - x), (np.float64(2) * x, 2 * x), (x ** np.int64(2), x**2), (np.maximum(x, 0.3), minigrad.maximum(x, minigrad.tensor(0.3))),
        (np.power(2.0, x), 2.0**x), (np.matmul(array, x), minigrad.tensor(array) @ x), (np.sqrt(x), x.sqrt()), (np.float32(0.3) < x, x > 0.3),
        (array == x, x == minigrad.tensor(array)), (np.negative(x), -x), (np.rint(x), x.round()),
    ):  # fmt: skip
        assert isinstance(got, Tensor)
        assert (got.dtype, got.tolist(), got.requires_grad) == (expected.dtype, expected.tolist(), expected.requires_grad)
    np.exp(array * x).sum().backward()
    np.testing.assert_allclose(x.grad, array * np.exp(array * x.detach().numpy()), rtol=1e-6)


def test_numpy_functions_without_one_see_the_array() -> None:
    x = minigrad.tensor([1.0, 8.0])
    assert (np.mean(x), np.sum(x), np.max(x), np.linalg.norm(x)) == (4.5, 9.0, 8.0, np.float32(65**0.5))
    assert isinstance(np.concatenate([x, x]), np.ndarray) and np.stack([x, x]).shape == (2, 2) and np.allclose(x, [1, 8])
    assert isinstance(np.cbrt(x), Tensor) and np.cbrt(x).tolist() == [1.0, 2.0]
    assert [v.tolist() for v in np.divmod(x, 3)] == [[0.0, 2.0], [1.0, 2.0]]
    assert np.add.reduce(x).item() == 9.0
    np.testing.assert_array_equal(x, [1, 8])
    total = np.zeros(2)
    total += x
    np.add(total, 1, out=total)
    assert total.tolist() == [2.0, 9.0]
    y = x * 1
    np.add(x, 1, out=y)
    assert (y.tolist(), y._version) == ([2.0, 9.0], 1)


def test_numpy_never_drops_a_gradient() -> None:
    x = minigrad.ones(2, requires_grad=True)
    array = np.zeros(2)
    for call in (
        lambda: np.mean(x), lambda: np.concatenate([x, x]), lambda: np.cbrt(x), lambda: np.add(array, x, out=array), lambda: np.add.reduce(x),
        lambda: np.stack([x.detach(), x * 2]), lambda: np.allclose(x, 1), lambda: array.__iadd__(x),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"numpy.\w+: this tensor needs a gradient, which NumPy would lose; .* x.detach\(\)"):
            call()
    for call in (lambda: np.asarray(x), lambda: np.array(x), lambda: x.numpy()):
        with pytest.raises(RuntimeError, match=r"use x.detach\(\).numpy\(\)"):
            call()
    assert array.tolist() == [0.0, 0.0]


def test_asarray_and_array_of_numpy_2() -> None:
    x = minigrad.ones(2)
    assert np.shares_memory(np.asarray(x), x.array) and np.shares_memory(np.asarray(x, copy=False), x.array)
    assert not np.shares_memory(np.array(x), x.array)
    assert np.asarray(x, dtype=np.int16).dtype == np.int16
    with pytest.raises(ValueError, match=r"[Uu]nable to avoid copy"):
        np.asarray(x, dtype=np.int16, copy=False)


def test_arrays_of_every_layout() -> None:
    array = np.arange(12.0).reshape(3, 4)
    for view in (array[::-1], array.T, array[:, ::-2], array[1:, 1:], array[..., None], array[:0]):
        x = minigrad.from_numpy(view)
        assert x.array is view
        np.testing.assert_array_equal((x * 2).numpy(), view * 2)
    x = minigrad.from_numpy(array[::-1])
    x[0] = -1.0
    assert array[2].tolist() == [-1.0] * 4
    assert minigrad.tensor(array.astype(">f8")).tolist() == array.tolist()
    assert type(minigrad.from_numpy(array.view(np.matrix)).array) is np.ndarray


@pytest.mark.parametrize(
    ("array", "kind", "message"),
    [
        (np.zeros(2, ">f4"), TypeError, "native byte order, got dtype >f4"), (np.array([None]), TypeError, "got dtype object"),
        (np.zeros(2, [("a", int)]), TypeError, "got dtype"), (np.array(["a"]), TypeError, "got dtype"), (np.zeros(2, np.longdouble), TypeError, "got dtype"),
        (np.zeros(2, "datetime64[s]"), TypeError, "got dtype"), (np.zeros(4, [("a", np.int8), ("b", np.float32)])["b"], ValueError, "no multiples of the element size"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), TypeError, "tensors have no masks; fill the masked array first"),
    ],
)  # fmt: skip
def test_arrays_that_cannot_be_shared(array: Any, kind: type[Exception], message: str) -> None:
    for function in (minigrad.from_numpy, minigrad.as_tensor, minigrad.asarray):
        with pytest.raises(kind, match=message):
            function(array)


def test_asarray() -> None:
    array = np.ones(2, np.float32)
    x = minigrad.ones(2, requires_grad=True)
    assert minigrad.asarray(array).array is array
    assert not np.shares_memory(minigrad.asarray(array, copy=True).array, array)
    assert minigrad.asarray(array, copy=False).array is array
    assert (minigrad.asarray(x).requires_grad, minigrad.asarray(x, requires_grad=True) is x, minigrad.asarray(2.5).item()) == (False, True, 2.5)
    assert minigrad.asarray([1, 2], dtype=minigrad.float64, requires_grad=True).requires_grad
    assert minigrad.asarray(bytearray([1, 2]), dtype=minigrad.uint8).tolist() == [1, 2]
    assert minigrad.asarray(range(3)).tolist() == [0, 1, 2]
    for call in (lambda: minigrad.asarray(array, dtype=minigrad.float64, copy=False), lambda: minigrad.asarray([1.0], copy=False)):
        with pytest.raises(ValueError, match=r"asarray: the memory of this .* cannot be shared as"):
            call()


def test_frombuffer() -> None:
    memory = bytearray(np.arange(4, dtype=np.int16).tobytes())
    x = minigrad.frombuffer(memory, dtype=minigrad.int16, count=2, offset=2)
    x[0] = 9
    assert (x.tolist(), memory[2]) == ([9, 2], 9)
    with pytest.raises(RuntimeError, match="read-only"):
        minigrad.frombuffer(b"abc", dtype=minigrad.uint8).add_(1)
    for bad in ({"count": 9}, {"offset": 99}, {"offset": 1}):
        with pytest.raises(ValueError, match="frombuffer: "):
            minigrad.frombuffer(memory, dtype=minigrad.int16, **bad)


def test_ranges_of_older_scripts() -> None:
    assert (minigrad.range(1, 2, 0.5).tolist(), minigrad.range(2).tolist()) == ([1.0, 1.5, 2.0], [0.0, 1.0, 2.0])
    with pytest.raises(RuntimeError, match="range: a step of -1 does not lead from 0 to 2"):
        minigrad.range(0, 2, -1)


def test_what_fills_a_tensor() -> None:
    assert minigrad.full((2,), minigrad.tensor(2.5)).tolist() == [2.5, 2.5]
    for call in (lambda: minigrad.full((2,), "a"), lambda: minigrad.full_like(minigrad.ones(2), None)):
        with pytest.raises(TypeError, match=r"expected a (tensor or a )?number"):
            call()
    with pytest.raises(TypeError, match="zeros_like: expected a tensor, got list"):
        minigrad.zeros_like([1.0])


# --- settings and second names ----------------------------------------------------------------------------------------


def test_settings_of_scripts() -> None:
    before = minigrad.get_float32_matmul_precision()
    minigrad.set_float32_matmul_precision("high")
    assert minigrad.get_float32_matmul_precision() == "high"
    minigrad.set_float32_matmul_precision(before)
    with pytest.raises(ValueError, match=r"set_float32_matmul_precision: expected one of .* got 'low'"):
        minigrad.set_float32_matmul_precision("low")
    minigrad.use_deterministic_algorithms(True, warn_only=True)
    assert minigrad.are_deterministic_algorithms_enabled() and minigrad.is_deterministic_algorithms_warn_only_enabled()
    minigrad.use_deterministic_algorithms(False)
    assert not minigrad.are_deterministic_algorithms_enabled()
    minigrad.set_default_tensor_type(minigrad.DoubleTensor)
    try:
        assert minigrad.zeros(1).dtype == minigrad.get_default_dtype() == minigrad.float64
    finally:
        minigrad.set_default_tensor_type(minigrad.FloatTensor)
    assert (minigrad.typename(minigrad.ones(1)), minigrad.typename(3), minigrad.typename(np.ones(1))) == ("minigrad.FloatTensor", "int", "numpy.ndarray")


def test_second_names() -> None:
    x = minigrad.arange(6.0).reshape(2, 3)
    for turned in (minigrad.adjoint(x), x.adjoint(), x.mH, x.H):
        assert turned.tolist() == x.T.tolist() and turned._base is not None
    with pytest.raises(RuntimeError, match="H: expected a matrix"):
        minigrad.ones(1, 2, 3).H  # noqa: B018
    assert minigrad.isreal(x).all() and not minigrad.is_neg(x) and not x.is_pinned() and not x.is_shared()
    assert minigrad.equal(minigrad.row_stack([x, x]), minigrad.vstack([x, x]))
    assert minigrad.equal(minigrad.chain_matmul(x, x.T, x), x @ x.T @ x) and minigrad.equal(minigrad.ger(x[0], x[1]), minigrad.outer(x[0], x[1]))
    assert [len(p) for p in (minigrad.unsafe_chunk(x, 2), minigrad.unsafe_split(x, 1), x.unsafe_split_with_sizes([1, 1]))] == [2, 2, 2]
    assert (x.new([1, 2]).dtype, x.new(2, 4).shape, x.new().shape, x.new_empty_strided((2, 2), (1, 2)).stride()) == (x.dtype, (2, 4), (0,), (1, 2))
    assert minigrad.broadcast_shapes((2, 1), (3,), 1) == (2, 3)
    with pytest.raises(RuntimeError, match=r"broadcast_shapes: the shapes .* cannot be broadcast together"):
        minigrad.broadcast_shapes((2,), (3,))


def test_slice_scatter() -> None:
    x, src = (minigrad.tensor(v, requires_grad=True) for v in ([[1.0, 2.0, 3.0]], [[10.0, 30.0]]))
    out = minigrad.slice_scatter(x, src, 1, 0, None, 2)
    assert out.tolist() == [[10.0, 2.0, 30.0]]
    (out * minigrad.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (x.grad.tolist(), src.grad.tolist()) == ([[0.0, 2.0, 0.0]], [[1.0, 3.0]])
    for bad in ({"end": 1}, {"step": 0}):
        with pytest.raises(RuntimeError, match="slice_scatter: expected a"):
            minigrad.slice_scatter(x, src, 1, **bad)
