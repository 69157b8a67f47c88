"""Autocast: what each operation computes in is what it computes in under torch's, and the block behaves as torch's block does."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.core.autocast import FULL, LISTS, LOWER, POLICIES, REFUSED, WIDEST, state
from minigrad.core.primitive import COMPOSITES, REGISTRY
from minigrad.nn import functional as F

HALF, BF16, SINGLE, DOUBLE = minigrad.float16, minigrad.bfloat16, minigrad.float32, minigrad.float64

# Calls with the module (minigrad or torch), its functional, and floating-point tensors of these shapes.
OPS: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "conv1d": (lambda m, F, x, w: F.conv1d(x, w), [(2, 3, 7), (4, 3, 3)]),
    "conv2d": (lambda m, F, x, w, b: F.conv2d(x, w, b, padding=1), [(2, 3, 5, 5), (4, 3, 3, 3), (4,)]),
    "conv3d": (lambda m, F, x, w: F.conv3d(x, w), [(1, 2, 3, 3, 3), (2, 2, 2, 2, 2)]),
    "conv_transpose1d": (lambda m, F, x, w: F.conv_transpose1d(x, w), [(2, 3, 5), (3, 4, 3)]),
    "conv_transpose2d": (lambda m, F, x, w: F.conv_transpose2d(x, w, stride=2), [(2, 3, 3, 3), (3, 4, 2, 2)]),
    "linear": (lambda m, F, x, w, b: F.linear(x, w, b), [(2, 3), (4, 3), (4,)]),
    "matmul": (lambda m, F, x, y: m.matmul(x, y), [(2, 3), (3, 4)]),
    "@": (lambda m, F, x, y: x @ y, [(2, 2, 3), (3, 4)]),
    "mm": (lambda m, F, x, y: m.mm(x, y), [(2, 3), (3, 4)]),
    "bmm": (lambda m, F, x, y: m.bmm(x, y), [(2, 2, 3), (2, 3, 4)]),
    "addmm": (lambda m, F, b, x, y: m.addmm(b, x, y), [(2, 4), (2, 3), (3, 4)]),
    "addbmm": (lambda m, F, b, x, y: m.addbmm(b, x, y), [(2, 4), (5, 2, 3), (5, 3, 4)]),
    "baddbmm": (lambda m, F, b, x, y: m.baddbmm(b, x, y), [(5, 2, 4), (5, 2, 3), (5, 3, 4)]),
    "einsum": (lambda m, F, x, y: m.einsum("ij,jk->ik", x, y), [(2, 3), (3, 4)]),
    "prelu": (lambda m, F, x, w: F.prelu(x, w), [(2, 3), (3,)]),
    "attention": (lambda m, F, q, k, v: F.scaled_dot_product_attention(q, k, v), [(2, 3, 4), (2, 5, 4), (2, 5, 4)]),
    "vecdot": (lambda m, F, x, y: m.linalg.vecdot(x, y), [(2, 3), (2, 3)]),
    "mv": (lambda m, F, x, y: m.mv(x, y), [(2, 3), (3,)]),
    "dot": (lambda m, F, x, y: m.dot(x, y), [(3,), (3,)]),
    "addmv": (lambda m, F, b, x, y: m.addmv(b, x, y), [(2,), (2, 3), (3,)]),
    "addr": (lambda m, F, b, x, y: m.addr(b, x, y), [(2, 3), (2,), (3,)]),
    "bilinear": (lambda m, F, x, y, w: F.bilinear(x, y, w), [(2, 3), (2, 4), (5, 3, 4)]),
    "interpolate": (lambda m, F, x: F.interpolate(x, scale_factor=2, mode="bilinear"), [(1, 2, 3, 3)]),
    "mse_loss": (lambda m, F, x, y: F.mse_loss(x, y), [(2, 3), (2, 3)]),
    "l1_loss": (lambda m, F, x, y: F.l1_loss(x, y), [(2, 3), (2, 3)]),
    "smooth_l1_loss": (lambda m, F, x, y: F.smooth_l1_loss(x, y), [(2, 3), (2, 3)]),
    "huber_loss": (lambda m, F, x, y: F.huber_loss(x, y), [(2, 3), (2, 3)]),
    "kl_div": (lambda m, F, x, y: F.kl_div(x, y.abs(), reduction="sum"), [(2, 3), (2, 3)]),
    "poisson_nll_loss": (lambda m, F, x, y: F.poisson_nll_loss(x, y), [(2, 3), (2, 3)]),
    "cross_entropy": (lambda m, F, x: F.cross_entropy(x, m.tensor([0, 2])), [(2, 3)]),
    "nll_loss": (lambda m, F, x: F.nll_loss(x, m.tensor([0, 2])), [(2, 3)]),
    "multi_margin_loss": (lambda m, F, x: F.multi_margin_loss(x, m.tensor([0, 2])), [(2, 3)]),
    "soft_margin_loss": (lambda m, F, x: F.soft_margin_loss(x, m.tensor([[1, -1, 1], [1, 1, -1]])), [(2, 3)]),
    "bce_with_logits": (lambda m, F, x, y: F.binary_cross_entropy_with_logits(x, y.sigmoid()), [(2, 3), (2, 3)]),
    "bce": (lambda m, F, x, y: F.binary_cross_entropy(x.sigmoid(), y.sigmoid()), [(2, 3), (2, 3)]),
    "cosine_embedding_loss": (lambda m, F, x, y: F.cosine_embedding_loss(x, y, m.tensor([1, -1])), [(2, 3), (2, 3)]),
    "hinge_embedding_loss": (lambda m, F, x: F.hinge_embedding_loss(x, m.tensor([1, -1])), [(2,)]),
    "margin_ranking_loss": (lambda m, F, x, y: F.margin_ranking_loss(x, y, m.tensor([1, -1])), [(2,), (2,)]),
    "triplet_margin_loss": (lambda m, F, x, y, z: F.triplet_margin_loss(x, y, z), [(2, 3), (2, 3), (2, 3)]),
    "grid_sample": (lambda m, F, x, g: F.grid_sample(x, g, align_corners=False), [(1, 2, 3, 3), (1, 2, 2, 2)]),
    "avg_pool3d": (lambda m, F, x: F.avg_pool3d(x, 2), [(1, 2, 4, 4, 4)]),
    "cdist": (lambda m, F, x, y: m.cdist(x, y), [(2, 3), (4, 3)]),
    "prod": (lambda m, F, x: x.prod(), [(2, 3)]),
    "prod along an axis": (lambda m, F, x: x.prod(1), [(2, 3)]),
    "trace": (lambda m, F, x: m.trace(x), [(3, 3)]),
    "quantile": (lambda m, F, x: m.quantile(x, 0.5), [(5,)]),
    "cat": (lambda m, F, x, y: m.cat([x, y]), [(2, 3), (2, 3)]),
    "stack": (lambda m, F, x, y: m.stack([x, y]), [(2, 3), (2, 3)]),
    "add": (lambda m, F, x, y: x + y, [(2, 3), (2, 3)]),
    "mul": (lambda m, F, x, y: x * y, [(2, 3), (2, 3)]),
    "relu": (lambda m, F, x: F.relu(x), [(2, 3)]),
    "softmax": (lambda m, F, x: F.softmax(x, 1), [(2, 3)]),
    "log_softmax": (lambda m, F, x: F.log_softmax(x, 1), [(2, 3)]),
    "exp": (lambda m, F, x: x.exp(), [(2, 3)]),
    "pow": (lambda m, F, x: x**2, [(2, 3)]),
    "sum": (lambda m, F, x: x.sum(), [(2, 3)]),
    "mean": (lambda m, F, x: x.mean(), [(2, 3)]),
    "norm": (lambda m, F, x: x.norm(), [(2, 3)]),
    "max_pool2d": (lambda m, F, x: F.max_pool2d(x, 2), [(1, 2, 4, 4)]),
    "avg_pool2d": (lambda m, F, x: F.avg_pool2d(x, 2), [(1, 2, 4, 4)]),
    "layer_norm": (lambda m, F, x: F.layer_norm(x, (3,)), [(2, 3)]),
    "group_norm": (lambda m, F, x: F.group_norm(x, 2), [(2, 4, 3)]),
    "batch_norm": (lambda m, F, x, w, b: F.batch_norm(x, None, None, w.float(), b.float(), True), [(2, 4, 3), (4,), (4,)]),
    "LSTM": (lambda m, F, x: m.nn.LSTM(3, 4)(x)[0], [(5, 2, 3)]),
    "Linear": (lambda m, F, x: m.nn.Linear(3, 4)(x), [(2, 3)]),
    "MultiheadAttention": (lambda m, F, x: m.nn.MultiheadAttention(4, 2)(x, x, x)[0], [(5, 2, 4)]),
}  # fmt: skip
KINDS = {
    "float32": ("float32",),
    "float16": ("float16",),
    "both": ("float32", "float16"),
    "both, turned": ("float16", "float32"),
    "float64": ("float64",),
}


@pytest.fixture(autouse=True)
def nothing_stays_on() -> Any:
    yield
    assert state.enabled == {"cpu": False, "cuda": False} and state.nesting == 0 and not state.cache
    assert not minigrad.core.modes.casting()


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("name", OPS)
def test_operations_compute_in_what_torch_computes_in(name: str, kinds: str) -> None:
    torch = pytest.importorskip("torch")
    call, shapes = OPS[name]
    generator = np.random.default_rng(0)
    dtypes = [KINDS[kinds][i % len(KINDS[kinds])] for i in range(len(shapes))]
    arrays = [generator.standard_normal(shape).astype(kind) for shape, kind in zip(shapes, dtypes, strict=True)]
    with torch.autocast("cpu", dtype=torch.float16), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = call(torch, torch.nn.functional, *[torch.from_numpy(x) for x in arrays])
        except (RuntimeError, ValueError) as error:
            pytest.skip(f"torch refuses it: {str(error)[:80]}")
    with minigrad.autocast("cpu", dtype=HALF):
        got = call(minigrad, F, *[minigrad.from_numpy(x) for x in arrays])
    assert str(got.dtype) == str(expected.dtype).removeprefix("torch.")
    if name not in ("LSTM", "Linear", "MultiheadAttention"):  # which draw their weights
        np.testing.assert_allclose(
            got.detach().float().numpy(), expected.detach().float().numpy(), rtol=4e-3, atol=4e-3
        )


LOWERED = ("conv2d", "conv_transpose2d", "linear", "@", "addmm", "baddbmm", "einsum", "attention")


@pytest.mark.parametrize("name", LOWERED)
def test_bfloat16_is_emulated_by_rounding(name: str) -> None:
    torch = pytest.importorskip("torch")
    call, shapes = OPS[name]
    generator = np.random.default_rng(0)
    arrays = [generator.standard_normal(shape).astype("float32") for shape in shapes]
    theirs = [torch.from_numpy(x).requires_grad_() for x in arrays]
    ours = [minigrad.from_numpy(x).requires_grad_() for x in arrays]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        expected = call(torch, torch.nn.functional, *theirs)
    with minigrad.autocast("cpu", dtype=BF16):
        got = call(minigrad, F, *ours)
    assert expected.dtype is torch.bfloat16 and got.dtype == SINGLE
    same(got, got.detach().numpy().view("uint32") & 0xFFFF0000 == got.detach().numpy().view("uint32"))
    expected.float().sum().backward()
    got.sum().backward()
    for a, b in zip([got, *[x.grad for x in ours]], [expected, *[x.grad for x in theirs]], strict=True):
        b = b.detach().float().numpy()
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=2**-6, atol=2**-7 * float(np.abs(b).max()))


def same(x: Any, holds: Any) -> None:
    assert bool(np.all(holds)), x


def test_rounding_to_bfloat16_is_to_the_nearest_and_to_even() -> None:
    torch = pytest.importorskip("torch")
    bits = np.random.default_rng(0).integers(0, 2**32, 20000, dtype=np.uint64).astype("uint32")
    ties = np.array(
        [0x3F808000, 0x3F818000, 0x3F818001, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x80000000, 1, 0x8000, 0x8001],
        "uint32",
    )
    x = np.concatenate([bits, ties]).view("float32")
    got = REGISTRY["rounded_to_bfloat16"](minigrad.from_numpy(x)).numpy()
    np.testing.assert_array_equal(got, torch.from_numpy(x).bfloat16().float().numpy())
    assert np.array_equal(REGISTRY["rounded_to_bfloat16"](minigrad.tensor(1.00001)).numpy(), np.float32(1.0))


def test_every_name_in_the_lists_is_an_operation() -> None:
    known = {*REGISTRY, *COMPOSITES, *F.__all__, *minigrad.linalg.__all__}
    for device, lists in LISTS.items():
        names = [name for policy in lists.values() for name in policy.split()]
        assert len(names) == len(set(names)), f"{device}: a name is in two lists"
        assert [name for name in names if name not in known] == []
        assert set(lists) == {LOWER, FULL, WIDEST, REFUSED}


@pytest.mark.parametrize("dtype", [HALF, BF16])
def test_a_model_trains_and_its_parameters_are_cast_once(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    minigrad.manual_seed(0)
    shared = nn.Linear(4, 4)
    model = nn.Sequential(shared, nn.Tanh(), shared, nn.Linear(4, 2))
    twin = copy.deepcopy(model)
    x, y = minigrad.randn(8, 4), minigrad.arange(8) % 2
    F.cross_entropy(twin(x), y).backward()
    casts = []
    from minigrad.core import autocast as module

    plain = module.lowered
    monkeypatch.setattr(module, "lowered", lambda t, d: (casts.append(t), plain(t, d))[1])
    for caching in (True, False):
        casts.clear()
        model.zero_grad()
        with minigrad.autocast("cpu", dtype=dtype, cache_enabled=caching):
            loss = F.cross_entropy(model(x), y)
        assert len([t for t in casts if t is shared.weight]) == (1 if caching else 2)
        assert loss.dtype == SINGLE
        loss.backward()
        for p, q in zip(model.parameters(), twin.parameters(), strict=True):
            assert p.grad.dtype == SINGLE
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=0.1, atol=0.02)


def test_a_cast_that_no_longer_holds_is_made_again() -> None:
    w = minigrad.ones(2, 2, requires_grad=True)
    x = minigrad.ones(1, 2)
    with minigrad.autocast("cpu", dtype=HALF):
        with minigrad.no_grad():
            first = x @ w
            w.mul_(3)
        second = x @ w
        with minigrad.autocast("cpu", dtype=BF16):
            third = x @ w
    assert first.tolist() == [[2.0, 2.0]] and second.tolist() == third.tolist() == [[6.0, 6.0]]
    assert second.requires_grad and second.dtype == HALF and third.dtype == SINGLE


def test_blocks_nest_and_leave_as_they_found() -> None:
    x = minigrad.ones(2, 2)
    block = minigrad.autocast("cpu", dtype=HALF)
    with block:
        assert (
            (x @ x).dtype == HALF and minigrad.is_autocast_enabled("cpu") and not minigrad.is_autocast_enabled("cuda")
        )
        with minigrad.autocast("cpu", enabled=False):
            assert (x @ x).dtype == SINGLE and not minigrad.is_autocast_enabled("cpu")
        with block, minigrad.autocast("cpu", cache_enabled=False):
            assert not minigrad.is_autocast_cache_enabled() and minigrad.get_autocast_dtype("cpu") == HALF
        assert minigrad.is_autocast_cache_enabled()
        with pytest.raises(RuntimeError):
            x @ minigrad.ones(3, 3)
        assert (x @ x).dtype == HALF
        found = []
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
        assert found == [SINGLE], "it is of this thread alone"
    assert (x @ x).dtype == SINGLE and minigrad.get_autocast_dtype("cpu") is BF16


def test_functions_are_decorated() -> None:
    x = minigrad.ones(2, 2)

    @minigrad.autocast("cpu", dtype=HALF)
    def function(depth: int) -> list[Any]:
        return [(x @ x).dtype, *(function(depth - 1) if depth else [])]

    @minigrad.autocast("cpu", dtype=HALF)
    def steps() -> Any:
        yield (x @ x).dtype

    assert function(2) == [HALF] * 3
    assert list(steps()) == [HALF]
    with pytest.raises(TypeError, match=r"expected a function to decorate, got int; a block is"):
        minigrad.autocast("cpu")(3)  # type: ignore[arg-type]


def test_what_is_set_by_hand() -> None:
    x = minigrad.ones(2, 2)
    minigrad.set_autocast_dtype("cpu", HALF)
    minigrad.set_autocast_enabled("cpu", True)
    minigrad.set_autocast_cache_enabled(False)
    try:
        assert (x @ x).dtype == HALF
    finally:
        minigrad.set_autocast_enabled("cpu", False)
        minigrad.set_autocast_dtype("cpu", BF16)
        minigrad.set_autocast_cache_enabled(True)
        minigrad.clear_autocast_cache()


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match=r"expected device_type to be a str such as 'cuda' or 'cpu', got device"):
        minigrad.autocast(minigrad.device("cpu"))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="unsupported device_type 'tpu'"):
        minigrad.autocast("tpu")
    with pytest.warns(UserWarning, match=r"expected dtype to be float16 or bfloat16, got dtype\('float64'\)"):
        off = minigrad.autocast("cpu", dtype=DOUBLE)
    with off:
        assert not minigrad.is_autocast_enabled("cpu")
    if not minigrad.cuda.is_available():
        with pytest.warns(UserWarning, match="autocast: no GPU is available"), minigrad.autocast("cuda"):
            assert not minigrad.is_autocast_enabled("cuda")
        with pytest.warns(UserWarning, match="autocast: no GPU is available"):
            minigrad.cuda.amp.autocast()
    with pytest.raises(
        TypeError, match="ones: tensors cannot have bfloat16, which NumPy does not know; use float32, or autocast"
    ):
        minigrad.ones(2, dtype=BF16)
    assert pickle.loads(pickle.dumps(BF16)) is BF16 and repr(BF16) == "minigrad.bfloat16"
    assert minigrad.amp.is_autocast_available("cuda") and not minigrad.amp.is_autocast_available("tpu")
    with pytest.raises(TypeError, match="is_autocast_available: expected device_type to be a str"):
        minigrad.amp.is_autocast_available(0)  # type: ignore[arg-type]


def test_functions_of_ones_own() -> None:
    seen: list[Any] = []

    def made(cast_inputs: Any) -> Any:
        class Product(minigrad.autograd.Function):
            @staticmethod
            @minigrad.amp.custom_fwd(device_type="cpu", cast_inputs=cast_inputs)
            def forward(ctx: Any, x: Any, y: Any, n: int) -> Any:
                ctx.save_for_backward(x, y)
                out = x @ y
                seen.append((x.dtype, y.dtype, out.dtype))
                return out

            @staticmethod
            @minigrad.amp.custom_bwd(device_type="cpu")
            def backward(ctx: Any, g: Any) -> Any:
                x, y = ctx.saved_tensors
                out = g @ y.T, x.T @ g, None
                seen.append(out[0].dtype)
                return out

        return Product

    x, y = minigrad.ones(2, 2, requires_grad=True), minigrad.ones(2, 2)
    for cast_inputs, on in ((None, True), (SINGLE, True), (SINGLE, False), (None, False)):
        with minigrad.autocast("cpu", dtype=HALF, enabled=on):
            out = made(cast_inputs).apply(x, y.half() if cast_inputs and on else y, 3)
        out.float().sum().backward()
    assert seen == [
        (SINGLE, SINGLE, HALF), HALF, (SINGLE, SINGLE, SINGLE), SINGLE, (SINGLE, SINGLE, SINGLE), SINGLE, (SINGLE, SINGLE, SINGLE), SINGLE
    ]  # fmt: skip
    for decorate in (minigrad.amp.custom_fwd, minigrad.amp.custom_bwd):
        with pytest.raises(ValueError, match=r"expected device_type to be a str"):
            decorate(device_type=0)


def test_a_checkpoint_computes_again_in_the_same_precision() -> None:
    layer = nn.Linear(3, 3)
    grads = []
    for again in (False, True):
        layer.zero_grad()
        x = minigrad.ones(2, 3, requires_grad=True)
        with minigrad.autocast("cpu", dtype=HALF):
            out = minigrad.utils.checkpoint.checkpoint(layer, x, use_reentrant=False) if again else layer(x)
        assert out.dtype == HALF
        out.float().sum().backward()
        grads.append([x.grad.numpy(), layer.weight.grad.numpy()])
    for a, b in zip(*grads, strict=True):
        np.testing.assert_array_equal(a, b)


def test_lists_are_data() -> None:
    assert (
        POLICIES["cuda"]["conv"] == LOWER and POLICIES["cuda"]["softmax"] == FULL and "softmax" not in POLICIES["cpu"]
    )


@pytest.mark.parametrize(
    "name",
    [
        "autocast", "amp.GradScaler", "amp.GradScaler.scale", "amp.GradScaler.step", "amp.GradScaler.update", "amp.GradScaler.unscale_", "amp.custom_fwd",
        "amp.custom_bwd", "cuda.amp.autocast", "cuda.amp.GradScaler", "amp.is_autocast_available",
    ],
)  # fmt: skip
def test_arguments_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")

    def arguments(m: Any) -> list[tuple[str, Any]]:
        for part in name.split("."):
            m = getattr(m, part)
        found = inspect.signature(m).parameters.values()
        return [(p.name, str(p.default).removeprefix("torch.")) for p in found]

    assert arguments(minigrad) == arguments(torch)
