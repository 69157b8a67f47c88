"""While nothing is recorded a Sequential computes a convolution, the batch norm in evaluation and the rectifier behind it at once, with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.kernels import cpu

CONVOLUTIONS = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}


def one_by_one(model: nn.Sequential, x: Any) -> Any:
    for module in model:
        x = module(x)
    return x


def started(*modules: nn.Module) -> nn.Sequential:
    """In evaluation, with batch norms that do something."""
    minigrad.manual_seed(0)
    model = nn.Sequential(*modules).eval()
    for module in model:
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (module.running_mean, module.weight, module.bias):
                if tensor is not None:
                    nn.init.uniform_(tensor, -1, 1)
            if module.running_var is not None:
                nn.init.uniform_(module.running_var, 0.5, 2)
    return model


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As many entries as convolutions were finished."""
    calls: list[int] = []
    finished = cpu.finished_conv
    monkeypatch.setattr("minigrad.kernels.cpu.finished_conv", lambda *args: (calls.append(1), finished(*args))[1])
    return calls


def count(model: nn.Sequential, x: Any, counted: list[int]) -> int:
    """How many convolutions were finished; the results are the same as one by one."""
    counted.clear()
    with minigrad.no_grad():
        out, expected = model(x), one_by_one(model, x)
    assert out.dtype == expected.dtype
    np.testing.assert_array_equal(out.numpy(), expected.numpy())
    return len(counted)


@pytest.mark.parametrize("conv", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size, groups", [(9, 1), (20, 1), (9, 6)])
def test_results_are_the_same_to_the_bit(conv: Any, dtype: str, size: int, groups: int, counted: list[int]) -> None:
    norm = CONVOLUTIONS[conv]
    model = started(
        conv(6, 12, 3, padding=1, groups=groups), norm(12), nn.ReLU(),
        conv(12, 12, 3, groups=12, bias=False), norm(12, affine=False), nn.ReLU6(inplace=True),
        conv(12, 6, 1), norm(6),
        conv(6, 6, 1), nn.ReLU(),
        conv(6, 3, 2, stride=2), nn.LeakyReLU(),
        conv(3, 3, 1), norm(3), nn.LeakyReLU(),
        conv(3, 3, 1), nn.ReLU6(), nn.ReLU(), norm(3), nn.ReLU(),
    ).to(minigrad.zeros(0, dtype=dtype).dtype)  # fmt: skip
    x = minigrad.randn(2, 6, *[size if conv is not nn.Conv3d else 7] * conv.rank, dtype=dtype)
    assert count(model, x, counted) == 6
    one_by_one(model, x).sum().backward()
    expected = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    counted.clear()
    model(x).sum().backward()
    assert not counted
    for p, g in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.numpy(), g)


def changed(conv: Any, norm: Any, relu: Any) -> dict[str, tuple[Callable[[], Any], int]]:
    """What is done to a model of these three, and how many of its convolutions are finished then."""
    return {
        "nothing": (lambda: None, 1),
        "a hook on the convolution": (lambda: conv.register_forward_hook(lambda module, args, out: out * 2), 0),
        "a hook on the norm": (lambda: norm.register_forward_hook(lambda module, args, out: out - 1), 0),
        "a hook before the norm": (lambda: norm.register_forward_pre_hook(lambda module, args: (args[0] - 1,)), 0),
        "a hook on the rectifier": (lambda: relu.register_forward_hook(lambda module, args, out: out + 1), 1),
        "a forward of its own": (lambda: setattr(conv, "forward", lambda x: x[:, :1].expand(-1, 4, -1, -1)), 0),
        "a norm in training": (lambda: norm.train(), 0),
        "a norm without statistics": (lambda: setattr(norm, "running_mean", None) or setattr(norm, "running_var", None), 0),
        "another padding": (lambda: setattr(conv, "padding_mode", "circular"), 0),
    }


@pytest.mark.parametrize("what", changed(None, None, None))
def test_who_looks_between_them_sees_all(what: str, counted: list[int]) -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    do, expected = changed(*model)[what]
    do()
    assert count(model, minigrad.randn(2, 3, 6, 6), counted) == expected


def test_other_inputs_are_left_alone(counted: list[int]) -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert count(model, minigrad.randn(3, 6, 6), counted) == 0
    with minigrad.autocast("cpu"):
        assert count(model, minigrad.randn(2, 3, 6, 6), counted) == 0
    assert count(model.half(), minigrad.randn(2, 3, 6, 6).half(), counted) == 0


@pytest.mark.parametrize("modules", [(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5)), (nn.Conv2d(3, 4, 3), nn.BatchNorm1d(4)), (nn.Conv2d(2, 4, 3), nn.ReLU())])
def test_errors_are_those_of_the_modules(modules: tuple[nn.Module, ...], shape: tuple[int, ...] = (2, 3, 6, 6)) -> None:
    model, x, messages = nn.Sequential(*modules).eval(), minigrad.randn(*shape), []
    for run in (model, lambda x: one_by_one(model, x)):
        with minigrad.no_grad(), pytest.raises((RuntimeError, ValueError)) as error:
            run(x)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_what_optimize_follows_is_each_operation() -> None:
    model = started(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    x = minigrad.randn(2, 3, 6, 6)
    if cpu.compiled is not None:
        assert minigrad.inference.optimize(model, x).steps(x) == ["conv and relu"]


# --- separable convolutions -------------------------------------------------------------------------------------------


def inverted_residual(conv: Any = nn.Conv2d, channels: int = 24, stride: int = 1, **options: Any) -> list[nn.Module]:
    """The layers of a block: widened, filtered and narrowed."""
    norm = CONVOLUTIONS[conv]
    return [
        conv(8, channels, 1, **options), norm(channels), nn.ReLU6(),
        conv(channels, channels, 3, stride, 1, groups=channels, bias=False), norm(channels), nn.ReLU(),
        conv(channels, 10, 1, bias=False), norm(10),
    ]  # fmt: skip


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each block that was computed at once whether it was widened."""
    calls: list[int] = []
    separable = cpu.separable
    monkeypatch.setattr("minigrad.kernels.cpu.separable", lambda *args: (calls.append(args[2] is not None), separable(*args))[1])
    return calls


def found_blocks(model: nn.Sequential, x: Any, blocks: list[int]) -> list[int]:
    """Which blocks were computed at once; the results are the same as one by one, up to rounding."""
    blocks.clear()
    with minigrad.no_grad():
        out = model(x)
        found = blocks.copy()
        expected = one_by_one(model, x)
    assert out.dtype == expected.dtype
    bound = 20 * np.finfo(out.numpy().dtype).eps * np.abs(expected.numpy()).max()
    np.testing.assert_allclose(out.numpy(), expected.numpy(), rtol=0, atol=bound, strict=True)
    return found


needs_compiled = pytest.mark.skipif(cpu.compiled is None, reason="the reference computes one after the other")


@needs_compiled
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("conv", [nn.Conv1d, nn.Conv2d])
def test_blocks_are_computed_at_once(conv: Any, dtype: str, blocks: list[int]) -> None:
    norm = CONVOLUTIONS[conv]
    second = inverted_residual(conv, stride=2)[3:]
    model = started(*inverted_residual(conv), nn.ReLU(), conv(10, 24, 3), *second, conv(10, 24, 1), norm(24), nn.ReLU6())
    model = model.to(minigrad.zeros(0, dtype=dtype).dtype)
    x = minigrad.randn(2, 8, *[19] * conv.rank, dtype=dtype)
    assert found_blocks(model, x, blocks) == [True, False]
    blocks.clear()
    model(x).sum().backward()
    assert not blocks


@needs_compiled
def test_blocks_are_found_in_sequentials_of_sequentials(blocks: list[int]) -> None:
    flat = started(*inverted_residual())
    x = minigrad.randn(2, 8, 9, 9)
    nested = nn.Sequential(flat[:3], nn.Sequential(flat[3:6], nn.Sequential()), flat[6], flat[7]).eval()
    assert found_blocks(nested, x, blocks) == [True]

    class Doubled(nn.Sequential):
        def forward(self, input: Any) -> Any:
            return super().forward(input) * 2

    assert found_blocks(nn.Sequential(Doubled(*flat[:3]), flat[3:]).eval(), x, blocks) == [False]
    nested[1].register_forward_hook(lambda module, args, out: out + 1)
    assert found_blocks(nested, x, blocks) == []


def unlike_blocks() -> dict[str, tuple[list[nn.Module], tuple[int, ...]]]:
    """Layers that resemble a block, and the shape of their input."""
    few, usual = inverted_residual(channels=12), (2, 8, 9, 9)
    return {
        "few channels": (few, usual),
        "a stride in front": ([nn.Conv2d(8, 24, 1, 2), *inverted_residual()[3:6], nn.Conv2d(24, 4, 1, 2)], usual),
        "padding behind": ([*inverted_residual()[:6], nn.Conv2d(24, 4, 1, padding=1)], usual),
        "groups behind": ([*inverted_residual()[:6], nn.Conv2d(24, 4, 1, groups=2)], usual),
        "two filters a channel": ([nn.Conv2d(24, 48, 3, groups=24), nn.ReLU(), nn.Conv2d(48, 4, 1)], (2, 24, 9, 9)),
        "something between": ([*inverted_residual()[:6], nn.Identity(), *inverted_residual()[6:]], usual),
        "large filters": ([nn.Conv2d(8, 24, 1), nn.Conv2d(24, 24, 7, padding=3, groups=24), nn.Conv2d(24, 4, 1)], usual),
        "long lines": (inverted_residual()[3:], (2, 24, 8, 40)),
        "very long lines": (inverted_residual(), (1, 8, 2, 1030)),
        "three axes": ([nn.Conv3d(24, 24, 3, groups=24), nn.ReLU(), nn.Conv3d(24, 4, 1)], (2, 24, 5, 5, 5)),
        "no samples": (inverted_residual(), (0, 8, 9, 9)),
        "no batch": (inverted_residual(), (8, 9, 9)),
    }


@needs_compiled
@pytest.mark.parametrize("what", unlike_blocks())
def test_what_is_no_block_is_computed_as_ever(what: str, blocks: list[int]) -> None:
    layers, shape = unlike_blocks()[what]
    layers = [x for x in layers if len(shape) > 3 or not isinstance(x, nn.BatchNorm2d)]
    model, x = started(*layers), minigrad.randn(*shape)
    if what != "no samples":
        assert found_blocks(model, x, blocks) == []
        return
    with minigrad.no_grad():
        assert model(x).shape == (0, 10, 9, 9)


@pytest.mark.parametrize(
    "layers, shape",
    [
        (inverted_residual(), (2, 7, 9, 9)),
        ([nn.Conv2d(8, 20, 1), *inverted_residual()[3:]], (2, 8, 9, 9)),
        ([*inverted_residual()[:6], nn.Conv2d(25, 4, 1)], (2, 8, 9, 9)),
        ([nn.Conv2d(8, 24, 1), nn.Conv2d(24, 24, 5, groups=24), nn.Conv2d(24, 4, 1)], (2, 8, 3, 3)),
    ],
)
def test_errors_of_blocks_are_those_of_the_modules(layers: list[nn.Module], shape: tuple[int, ...]) -> None:
    test_errors_are_those_of_the_modules((*layers,), shape)


def replaced() -> dict[str, Callable[[Any], Any]]:
    """What may be put in the place of a block's tensors; not all of it can be computed."""
    return {
        "other taps": lambda m: setattr(m[6], "weight", nn.Parameter(minigrad.randn(10, 24, 3, 3))),
        "fewer results": lambda m: (setattr(m[6], "weight", nn.Parameter(minigrad.randn(5, 24, 1, 1))), m.pop(7)),
        "fewer channels": lambda m: setattr(m[0], "weight", nn.Parameter(minigrad.randn(24, 4, 1, 1))),
        "a wide bias": lambda m: setattr(m[3], "bias", nn.Parameter(minigrad.randn(24).double())),
        "a short bias": lambda m: setattr(m[3], "bias", nn.Parameter(minigrad.randn(7))),
        "a wide bias of the norm": lambda m: setattr(m[4], "bias", nn.Parameter(m[4].bias.detach().double())),
        "a wide variance": lambda m: setattr(m[4], "running_var", m[4].running_var.double()),
        "a negative eps": lambda m: setattr(m[4], "eps", -1.0),
    }


@pytest.mark.parametrize("what", replaced())
def test_what_was_replaced_is_used_or_refused_as_by_the_modules(what: str) -> None:
    model, x, found = started(*inverted_residual()), minigrad.randn(2, 8, 9, 9), []
    replaced()[what](model)
    for run in (model, lambda x: one_by_one(model, x)):
        with minigrad.no_grad():
            try:
                found.append(run(x).numpy())
            except (RuntimeError, TypeError, ValueError) as error:
                found.append((type(error), str(error)))
    if isinstance(found[1], tuple):
        assert found[0] == found[1]
    else:
        np.testing.assert_array_equal(found[0], found[1])
