"""GradScaler: the same scales, skipped steps, parameters and states as torch's, and its errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.amp import GradScaler


def parameters(m: Any) -> list[Any]:
    values = [[1.0, -2.0, 3.0], [[0.5], [0.25]]]
    return [m.tensor(v, requires_grad=True) for v in values]


# For each step what the two losses are multiplied by: an infinity or a NaN overflows in one optimiser or the other.
FACTORS = [
    (1.0, 1.0),
    (float("inf"), 1.0),
    (1.0, 1.0),
    (2.0, 3.0),
    (1.0, float("nan")),
    (1.0, 1.0),
    (0.5, 1.0),
    (1.0, 1.0),
    (1.0, 1.0),
    (3.0e38, 1.0),
]


def history(m: Any, growth_interval: int, init_scale: float, early: bool, growth_factor: float) -> list[Any]:
    """What happens in the steps above, with two optimisers and one scaler, which is saved and loaded in the middle."""
    scaler = m.amp.GradScaler(
        "cpu", init_scale=init_scale, growth_factor=growth_factor, backoff_factor=0.3, growth_interval=growth_interval
    )
    first, second = parameters(m)
    optimizers = [m.optim.SGD([first], lr=0.1, momentum=0.9), m.optim.Adam([second], lr=0.1)]
    found: list[Any] = []
    for i, factors in enumerate(FACTORS):
        for optimizer in optimizers:
            optimizer.zero_grad()
        for x, factor in zip((first, second), factors, strict=True):
            scaler.scale((x**2).sum() * factor).backward()
        if early:
            for optimizer in optimizers:
                scaler.unscale_(optimizer)
            m.nn.utils.clip_grad_value_([first, second], 2.0)
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        found += [scaler.get_scale(), scaler.state_dict()["_growth_tracker"], first.tolist(), second.tolist()]
        if i == 4:
            state = scaler.state_dict()
            scaler = m.amp.GradScaler("cpu") if growth_interval > 1 else pickle.loads(pickle.dumps(scaler))
            scaler.load_state_dict(state)
    return found


@pytest.mark.parametrize("growth_interval", [1, 2, 3])
@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize(("init_scale", "growth_factor"), [(4.0, 2.0), (2.0**16, 1.7), (3.0e38, 2.0)])
def test_scales_and_steps_are_those_of_torch(
    growth_interval: int, early: bool, init_scale: float, growth_factor: float
) -> None:
    torch = pytest.importorskip("torch")
    arguments = (growth_interval, init_scale, early, growth_factor)
    for got, expected in zip(history(minigrad, *arguments), history(torch, *arguments), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)


def test_a_gradient_that_float16_would_lose_survives() -> None:
    gradients = []
    for scaler in (GradScaler("cpu", enabled=False), GradScaler("cpu", init_scale=2.0**12)):
        w = minigrad.ones(2, 2, requires_grad=True)
        optimizer = optim.SGD([w], lr=1.0)
        with minigrad.autocast("cpu", dtype=minigrad.float16):
            out = minigrad.ones(1, 2) @ w
        scaler.scale((out.float() * 1e-8).sum()).backward()
        scaler.unscale_(optimizer)
        gradients.append(w.grad.tolist())
    assert gradients[0] == [[0.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(gradients[1], 1e-8, rtol=0.02)


def test_what_is_scaled() -> None:
    scaler = GradScaler("cpu", init_scale=4.0)
    x = minigrad.ones(2)
    a, (b, c) = scaler.scale([x, (x * 2, x * 3)])
    assert [t.tolist() for t in (a, b, c)] == [[4.0, 4.0], [8.0, 8.0], [12.0, 12.0]]
    assert [t.tolist() for t in scaler.scale(t for t in [x])] == [[4.0, 4.0]]
    for wrong in ("text", 3, [x, None]):
        with pytest.raises(ValueError, match=r"GradScaler.scale: expected a tensor or an iterable of tensors, got"):
            scaler.scale(wrong)


def test_a_disabled_scaler_does_nothing() -> None:
    scaler = GradScaler("cpu", enabled=False)
    w = minigrad.ones(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    loss = (w * 2).sum()
    assert (
        scaler.scale(loss) is loss
        and not scaler.is_enabled()
        and scaler.get_scale() == 1.0
        and scaler.state_dict() == {}
    )
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    scaler.load_state_dict({})
    assert w.item() == -1.0
    if not minigrad.cuda.is_available():
        with pytest.warns(UserWarning, match=r"GradScaler: no GPU is available"):
            assert not GradScaler().is_enabled()
        with pytest.warns(UserWarning, match=r"GradScaler: no GPU is available"):
            assert not minigrad.cuda.amp.GradScaler().is_enabled()


def test_what_is_set_is_there() -> None:
    scaler = GradScaler("cpu", init_scale=8.0)
    scaler.set_growth_factor(3.0)
    scaler.set_backoff_factor(0.25)
    scaler.set_growth_interval(7)
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (3.0, 0.25, 7)
    assert scaler.state_dict() == {
        "scale": 8.0,
        "growth_factor": 3.0,
        "backoff_factor": 0.25,
        "growth_interval": 7,
        "_growth_tracker": 0,
    }
    scaler.scale(minigrad.ones(1))
    scaler.update(16.0)
    assert scaler.get_scale() == 16.0
    given = minigrad.tensor([32.0])
    scaler.update(given)
    given.fill_(1.0)
    assert scaler.get_scale() == 32.0
    for wrong in (minigrad.ones(2), minigrad.ones(1, requires_grad=True), "8"):
        with pytest.raises(
            AssertionError, match=r"GradScaler.update: expected a number or a tensor of one element on cpu"
        ):
            scaler.update(wrong)  # type: ignore[arg-type]


def test_what_is_out_of_order_is_said() -> None:
    w = minigrad.ones(1, requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    scaler = GradScaler("cpu")
    for call, name in (
        (lambda: scaler.step(optimizer), "step"),
        (lambda: scaler.unscale_(optimizer), "unscale_"),
        (scaler.update, "update"),
    ):
        with pytest.raises(
            AssertionError, match=rf"GradScaler.{name}: there is no scale yet; call scaler.scale\(loss\)"
        ):
            call()
    loss = scaler.scale(w.sum())
    with pytest.raises(AssertionError, match=r"GradScaler.step: no parameter of this optimizer has a gradient"):
        scaler.step(optimizer)
    scaler = GradScaler("cpu")
    scaler.scale(w.sum())
    with pytest.raises(AssertionError, match=r"GradScaler.update: no gradients were looked at"):
        scaler.update()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"GradScaler.step: closures cannot be used"):
        scaler.step(optimizer, closure=lambda: None)
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match=r"GradScaler.unscale_: it was called for this optimizer already"):
        scaler.unscale_(optimizer)
    with pytest.raises(AssertionError, match=r"GradScaler: it can be pickled at the beginning"):
        pickle.dumps(scaler)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"GradScaler.step: it was called for this optimizer already"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"GradScaler.unscale_: it is called after step\(\)"):
        scaler.unscale_(optimizer)
    scaler.update()
    with pytest.raises(RuntimeError, match=r"GradScaler.load_state_dict: the state is empty"):
        scaler.load_state_dict({})
    with pytest.raises(AssertionError, match=r"expected growth_factor to be above 1, got 1.0"):
        GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(AssertionError, match=r"expected backoff_factor to be below 1, got 1.0"):
        GradScaler("cpu", backoff_factor=1.0)
    half = nn.Parameter(minigrad.ones(1).half())
    scaler.scale(half.float().sum()).backward()
    with pytest.raises(
        ValueError, match=r"GradScaler.unscale_: a gradient is of float16; keep the parameters in float32"
    ):
        scaler.unscale_(optim.SGD([half], lr=1.0))


def test_backward_knows_that_gradients_were_written() -> None:
    w = minigrad.ones(2, requires_grad=True)
    scaler = GradScaler("cpu", init_scale=4.0)
    scaler.scale((w**3).sum()).backward()
    kept = (w.grad.requires_grad_() ** 2).sum()
    w.grad.requires_grad_(False)
    scaler.unscale_(optim.SGD([w], lr=1.0))
    with pytest.raises(RuntimeError, match="overwritten"):
        kept.backward()
