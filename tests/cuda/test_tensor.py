"""Tensors and modules on a device: how they get there, come back, meet others and are saved. Simulated, not run on a GPU."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.kernels import driver

from ..cudasim.standin import settings

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def there(device: str) -> str:
    return device


def same(x: Any, y: Any) -> None:
    np.testing.assert_array_equal(x.detach().cpu().numpy(), y.detach().cpu().numpy())


def test_a_tensor_moves_and_comes_back() -> None:
    x = minigrad.arange(6.0).reshape(2, 3)
    y = x.to("cuda")
    assert (str(y.device), y.is_cuda, y.is_cpu, y.get_device(), x.get_device()) == ("cuda:0", True, False, 0, -1)
    assert y.to("cuda") is y and y.cuda() is y and y.to(minigrad.device("cuda", 0)) is y and y.cuda(0) is y
    same(y.cpu(), x)
    assert x.cpu() is x and y.to(x).is_cpu and x.to(y).is_cuda and x.type_as(y).dtype == y.dtype
    assert y.to("cpu", minigrad.float64).dtype == minigrad.float64
    assert y.tolist() == x.tolist() and y[1, 2].item() == 5.0 and float(y.sum()) == 15.0


def test_gradients_cross_over() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (x.cuda() ** 2).sum().backward()
    assert x.grad.is_cpu and x.grad.tolist() == [2.0, 4.0]
    y = minigrad.tensor([1.0, 2.0], device="cuda", requires_grad=True)
    (y * 3).cpu().sum().backward()
    assert y.grad.is_cuda and y.grad.tolist() == [3.0, 3.0]
    (g,) = minigrad.autograd.grad((y**3).sum(), y, create_graph=True)
    assert minigrad.autograd.grad(g.sum(), y)[0].tolist() == [6.0, 12.0]


CREATED: dict[str, Callable[..., Any]] = {
    "zeros": lambda **d: minigrad.zeros(2, 3, **d),
    "ones": lambda **d: minigrad.ones(2, 3, **d),
    "empty": lambda **d: minigrad.empty(2, 3, **d).zero_(),
    "full": lambda **d: minigrad.full((2,), 2.5, **d),
    "eye": lambda **d: minigrad.eye(2, 3, **d),
    "arange": lambda **d: minigrad.arange(5, **d),
    "linspace": lambda **d: minigrad.linspace(0, 1, 5, **d),
    "tensor": lambda **d: minigrad.tensor([[1, 2], [3, 4]], **d),
    "as_tensor": lambda **d: minigrad.as_tensor(np.arange(3.0), **d),
    "randperm": lambda **d: minigrad.randperm(1, **d),
    "scalar_tensor": lambda **d: minigrad.scalar_tensor(3.0, **d),
    "tril_indices": lambda **d: minigrad.tril_indices(3, 3, **d),
}


@pytest.mark.parametrize("name", CREATED)
def test_tensors_are_made_on_a_device(name: str) -> None:
    here, made = CREATED[name](), CREATED[name](device="cuda")
    assert made.is_cuda and made.dtype == here.dtype
    same(made, here)
    with minigrad.device("cuda"):
        assert CREATED[name]().is_cuda and minigrad.get_default_device() == minigrad.device("cuda:0")
    assert CREATED[name]().is_cpu
    minigrad.set_default_device("cuda")
    try:
        assert CREATED[name]().is_cuda
    finally:
        minigrad.set_default_device(None)


def test_what_is_like_a_tensor_is_where_that_is() -> None:
    x = minigrad.ones(2, 3, device="cuda")
    for y in (
        minigrad.zeros_like(x),
        minigrad.rand_like(x),
        minigrad.randn_like(x),
        minigrad.full_like(x, 3),
        x.new_zeros(2),
        x.new_tensor([1]),
        x.clone(),
        copy.deepcopy(x),
    ):
        assert y.is_cuda
    assert minigrad.zeros_like(x, device="cpu").is_cpu and minigrad.tensor(x).is_cuda


def test_devices_that_meet_are_an_error_that_says_what_to_do() -> None:
    x, y = minigrad.ones(3, device="cuda"), minigrad.ones(3)
    for call in (
        lambda: x + y,
        lambda: y * x,
        lambda: minigrad.cat([x, y]),
        lambda: minigrad.where(x > 0, y, x),
        lambda: x.reshape(1, 3) @ y,
    ):
        with pytest.raises(
            RuntimeError,
            match=r"expected all tensors on the same device, got cuda:0 and cpu; move one with x.to\('cuda:0'\)",
        ):
            call()
    with pytest.raises(RuntimeError, match="gather: expected all tensors on the same device"):
        x.gather(0, minigrad.tensor([0]))
    with pytest.raises(RuntimeError, match=r"expected indices on the CPU.*index.cpu\(\)"):
        y[minigrad.tensor([0], device="cuda")]
    with pytest.raises(TypeError, match=r"numpy: this tensor is on cuda:0.*x.cpu\(\).numpy\(\)"):
        x.numpy()
    with pytest.raises(TypeError, match="numpy: this tensor is on cuda:0"):
        np.asarray(x)
    assert x.numpy(force=True).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(RuntimeError, match="device 'cuda:7' is not available: there are 1 GPUs"):
        minigrad.ones(1, device="cuda:7")
    same(x + minigrad.tensor(2.0), minigrad.full((3,), 3.0))  # what has no axes may come along, as in torch
    assert (minigrad.tensor(2.0) * x).is_cuda


def test_indices_of_the_host_may_select_on_the_device() -> None:
    x = minigrad.arange(12.0).reshape(3, 4)
    y = x.cuda()
    for key in (
        minigrad.tensor([2, 0]),
        (slice(None), minigrad.tensor([1, 1])),
        [0, 2],
        np.array([1]),
        x > 5,
        (1, minigrad.tensor([0, 3])),
        1,
        (..., None, 2),
    ):
        same(y[key], x[key])
    same(y[minigrad.tensor([2, 0], device="cuda")], x[[2, 0]])
    same(y[y > 5], x[x > 5])
    y[minigrad.tensor([0])] = 7.0
    y[:, 1] = minigrad.ones(3)
    x[minigrad.tensor([0])] = 7.0
    x[:, 1] = minigrad.ones(3)
    same(y, x)


def test_copies_cross_over_in_place() -> None:
    x, y = minigrad.zeros(2, 3, device="cuda"), minigrad.arange(3.0)
    same(x.copy_(y), minigrad.zeros(2, 3) + y)
    assert x.is_cuda and minigrad.zeros(3).copy_(x[0]).tolist() == [0.0, 1.0, 2.0]


def test_modules_and_their_state() -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3))
    twin = copy.deepcopy(model).cuda()
    assert all(p.is_cuda and p.is_leaf and p.requires_grad for p in twin.parameters()) and all(
        b.is_cuda for b in twin.buffers()
    )
    x = minigrad.randn(2, 1, 6, 6)
    np.testing.assert_allclose(twin(x.cuda()).detach().cpu().numpy(), model(x).detach().numpy(), rtol=1e-5, atol=1e-6)
    file = io.BytesIO()
    minigrad.save(twin.state_dict(), file)
    file.seek(0)
    loaded = minigrad.load(file)
    assert all(t.is_cpu for t in loaded.values())
    other = copy.deepcopy(model)
    other.load_state_dict(loaded)
    twin.load_state_dict(model.state_dict())
    assert all(p.is_cuda for p in twin.parameters())
    again = pickle.loads(pickle.dumps(twin))
    assert all(p.is_cuda for p in again.parameters())
    assert all(p.is_cpu for p in twin.cpu().parameters()) and next(model.to(device="cuda").parameters()).is_cuda


@pytest.mark.parametrize(
    "make",
    [
        lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: optim.Adam(p, lr=0.01),
        lambda p: optim.RMSprop(p, lr=0.01),
    ],
)
def test_optimisers_step_as_on_the_cpu(make: Callable[..., Any]) -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    twin = copy.deepcopy(model).cuda()
    x = minigrad.randn(8, 4)
    for net, data in ((model, x), (twin, x.cuda())):
        optimizer = make(net.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            (net(data) ** 2).mean().backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_allclose(q.detach().cpu().numpy(), p.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_random_numbers_follow_the_seed() -> None:
    draws = []
    for _ in range(2):
        minigrad.manual_seed(3)
        x = minigrad.empty(40, device="cuda")
        draws.append([minigrad.rand(5, device="cuda"), minigrad.randn(5, device="cuda"), x.normal_(2, 3).clone(), x.uniform_(-1, 1).clone(), x.bernoulli_(0.5).clone(), minigrad.randint(9, (5,), device="cuda"), nn.functional.dropout(minigrad.ones(50, device="cuda"))])  # fmt: skip
    for a, b in zip(*draws, strict=True):
        assert a.is_cuda
        same(a, b)
    state = minigrad.cuda.get_rng_state()
    a = minigrad.rand(3, device="cuda")
    minigrad.cuda.set_rng_state(state)
    same(a, minigrad.rand(3, device="cuda"))
    minigrad.manual_seed(1)
    on_host = nn.functional.dropout(minigrad.ones(1000), 0.3)
    minigrad.manual_seed(1)
    same(nn.functional.dropout(minigrad.ones(1000, device="cuda"), 0.3), on_host)


def test_only_the_current_gpu_computes(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = minigrad.ones(2, device=device)
    monkeypatch.setattr(driver, "current", lambda: 1)
    with pytest.raises(RuntimeError, match=r"add: expected tensors on the current GPU, which is cuda:1, got cuda:0; minigrad.cuda.set_device\(0\)"):
        x + x
    assert x.tolist() == x.cpu().tolist() == [1.0, 1.0] and x.to("cuda:0").is_cuda


def test_what_scripts_ask_of_the_device() -> None:
    cuda = minigrad.cuda
    assert cuda.is_available() and cuda.why_not() == "" and cuda.device_count() >= 1 and cuda.current_device() == 0
    assert isinstance(cuda.get_device_name(), str) and len(cuda.get_device_capability()) == 2
    cuda.synchronize()
    before = cuda.memory_allocated()
    x = minigrad.zeros(1000, device="cuda")
    assert (
        cuda.memory_allocated() >= before + 4000
        and cuda.memory_stats()["allocated_bytes.all.current"] == cuda.memory_allocated()
    )
    del x
    cuda.empty_cache()
    free, total = cuda.mem_get_info()
    assert 0 < free <= total
    stream = cuda.Stream()
    with cuda.stream(stream), cuda.device(0):
        event = stream.record_event()
    stream.wait_stream(cuda.current_stream())
    event.synchronize()
    assert event.query() and stream.query() and repr(minigrad.ones(1, device="cuda")) == "tensor([1.], device='cuda:0')"


def test_without_a_gpu_cupy_is_never_imported_and_the_reason_is_said() -> None:
    code = (
        "import sys, minigrad; minigrad.ones(2).sum(); minigrad.nn.Linear(2, 2); assert 'cupy' not in sys.modules; sys.modules['cupy'] = None;"
        "assert not minigrad.cuda.is_available() and minigrad.cuda.device_count() == 0; print(minigrad.cuda.why_not())"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert "cupy" in done.stdout, done.stdout


def test_the_environment_can_forbid_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGRAD_DEVICE", "cpu")
    driver.status.cache_clear()
    assert not minigrad.cuda.is_available() and "MINIGRAD_DEVICE" in minigrad.cuda.why_not()
    with pytest.raises(
        RuntimeError, match="ones: device 'cuda' is not available: the environment variable MINIGRAD_DEVICE is 'cpu'"
    ):
        minigrad.ones(1, device="cuda")
    monkeypatch.delenv("MINIGRAD_DEVICE")
    driver.status.cache_clear()
    assert minigrad.cuda.is_available()


def test_products_round_to_tf32_where_that_is_allowed(device: str) -> None:
    x = minigrad.ones(2, 2, device=device)
    with pytest.raises(ValueError, match="set_float32_matmul_precision: expected one of"):
        minigrad.set_float32_matmul_precision("low")
    try:
        for allow, kind in ((True, 7), (False, 1)):
            minigrad.backends.cuda.matmul.allow_tf32 = allow
            assert minigrad.backends.cuda.matmul.allow_tf32 is allow
            assert minigrad.get_float32_matmul_precision() == ("high" if allow else "highest")
            assert (x @ x).tolist() == [[2.0, 2.0], [2.0, 2.0]]
            assert "simulated" not in driver.cupy().__version__ or settings.compute_types == {"float32": kind}
        minigrad.set_float32_matmul_precision("medium")
        assert minigrad.backends.cuda.matmul.allow_tf32
    finally:
        minigrad.set_float32_matmul_precision("highest")
        x @ x


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_pin_what_they_give(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[int] = []
    allocate = driver.cupy().cuda.alloc_pinned_memory

    def noted(size: int) -> Any:
        pinned.append(size)
        return allocate(size)

    monkeypatch.setattr(driver.cupy().cuda, "alloc_pinned_memory", noted)
    samples = [{"x": minigrad.full((3,), float(i)), "name": str(i), "pair": (minigrad.tensor(i), 2.0 * i)} for i in range(4)]
    options: dict[str, Any] = {"num_workers": workers, "multiprocessing_context": "threads"} if workers else {}
    batches = list(minigrad.data.DataLoader(samples, batch_size=2, pin_memory=True, **options))
    assert [batch["x"].tolist() for batch in batches] == [[[0.0] * 3, [1.0] * 3], [[2.0] * 3, [3.0] * 3]]
    assert [batch["name"] for batch in batches] == [["0", "1"], ["2", "3"]]
    assert [[x.tolist() for x in batch["pair"]] for batch in batches] == [[[0, 1], [0.0, 2.0]], [[2, 3], [4.0, 6.0]]]
    assert pinned == [24, 16, 16] * 2
    assert batches[0]["x"].is_cpu and batches[0]["x"].cuda(non_blocking=True).is_cuda
