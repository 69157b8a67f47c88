"""Profiles, the search for the first bad value, and watching a training."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import inspect, models, nn, optim
from minigrad.core.engine import ANOMALIES
from minigrad.core.primitive import REGISTRY
from minigrad.inspect.listening import LISTENERS

from .nets import Residual, state_of, waves


def everything_runs_plain() -> bool:
    """Nothing stands in a wrapper of the profiler's."""
    functions = [f for op in REGISTRY.values() for f in (op.forward, op.in_place)]
    return (
        not LISTENERS
        and ANOMALIES.witness is None
        and not any(getattr(f, "__module__", "") == "minigrad.inspect.listening" for f in functions)
        and not any(
            getattr(f, "__wrapped__", None) is not None and f.__code__.co_filename.endswith("listening.py")
            for f in functions
            if hasattr(f, "__code__")
        )
    )


def trained_once(model: nn.Module, x: Any) -> None:
    model(x).pow(2).mean().backward()


# --- profile ----------------------------------------------------------------------------------------------------------


def test_a_profile_changes_no_gradient_and_leaves_nothing_behind() -> None:
    minigrad.manual_seed(3)
    model, x = (
        nn.Sequential(
            nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), Residual(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)
        ),
        waves(2, 3, 8, 8),
    )
    trained_once(model, x)
    expected = [p.grad.array.copy() for p in model.parameters()]
    model.zero_grad()
    with inspect.profile(model) as measured:
        trained_once(model, x)
    for p, g in zip(model.parameters(), expected, strict=True):
        np.testing.assert_array_equal(p.grad.array, g)
    assert everything_runs_plain()
    assert all(kept for *_, kept in [state for state in state_of(model) if len(state) == 3])
    assert {"conv", "batch_norm", "linear", "max_pool"} <= {e.op for e in measured.events if e.phase == "forward"}
    times = [(e.start, e.start + e.seconds) for e in measured.events]
    assert all(0 <= start <= end <= measured.seconds for start, end in times)


def test_a_profile_knows_modules_forward_and_backward() -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 2, 3), Residual()), waves(1, 3, 8, 8)
    with inspect.profile(model) as measured:
        trained_once(model, x)
    for phase in ("forward", "backward"):
        modules = {(e.of or e.op, e.module) for e in measured.events if e.phase == phase}
        assert {("conv", "0"), ("conv", "1.conv1"), ("conv", "1.conv2"), ("relu", "1"), ("mean", None)} <= modules
    summed = sum(t.seconds for t in measured.by_module().values())
    assert (
        summed
        == pytest.approx(sum(e.seconds for e in measured.events))
        == pytest.approx(sum(t.seconds for t in measured.by_op().values()))
    )


def test_multiply_adds_and_bytes() -> None:
    model = models.lenet5()
    x = waves(1, 1, 28, 28)
    with inspect.profile() as measured, minigrad.no_grad():
        model(x)
    table = inspect.summary(model, (1, 28, 28))
    assert sum(e.macs for e in measured.events) == table.macs
    assert [e.bytes for e in measured.events if e.op == "finished_conv"] == [4 * 6 * 28 * 28, 4 * 16 * 10 * 10]
    assert all(e.bytes == 0 for e in measured.events if e.op == "reshape")
    with inspect.profile() as measured:
        trained_once(nn.Conv2d(1, 4, 3), waves(1, 1, 8, 8).requires_grad_())
    conv = 4 * 6 * 6 * 9
    assert {e.op: e.macs for e in measured.events if e.macs} == {"conv": conv, "conv_input": conv, "conv_weight": conv}
    assert "of peak" in str(measured) and "module" not in str(measured)


def test_the_trace_is_what_viewers_read(tmp_path: Path) -> None:
    model = models.lenet5()
    with inspect.profile(model) as measured:
        trained_once(model, waves(2, 1, 28, 28))
    measured.chrome_trace(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len(events) == len(measured.events) + len(measured.calls.calls)  # type: ignore[union-attr]
    assert all(e["ph"] == "X" and e["dur"] >= 0 and {"name", "ts", "pid", "tid"} <= set(e) for e in events)
    spans: list[float] = []
    for e in events:  # what begins inside of another ends inside of it
        while spans and spans[-1] <= e["ts"] + 1e-3:
            spans.pop()
        assert not spans or e["ts"] + e["dur"] <= spans[-1] + 1e-3
        spans.append(e["ts"] + e["dur"])
    names = [e["name"] for e in events]
    assert "model (LeNet5)" in names and "features.0 (Conv2d)" in names and "conv_weight for conv" in names


def test_profiles_may_lie_in_each_other_and_other_threads_are_not_heard() -> None:
    x = minigrad.ones(2, requires_grad=True)
    with inspect.profile() as outer:
        with inspect.profile() as inner:
            x.exp().sum().backward()
        thread = Thread(target=lambda: minigrad.ones(3).tanh())
        thread.start()
        thread.join()
        x.log()
    assert [e.op for e in inner.events if e.phase == "forward"] == ["exp", "sum"]
    assert [e.op for e in outer.events if e.phase == "forward"] == ["exp", "sum", "log"]
    assert {e.of for e in outer.events if e.phase == "backward"} == {"sum", "exp"}
    with pytest.raises(ZeroDivisionError), inspect.profile():
        _ = 1 / 0
    assert everything_runs_plain()


def test_anomalies_are_still_found_in_a_profile() -> None:
    x = minigrad.tensor([0.0], requires_grad=True)
    with (
        inspect.profile(),
        minigrad.autograd.detect_anomaly(),
        pytest.raises(RuntimeError, match="returned nan values"),
    ):
        (x.sqrt() * 0).sum().backward()
    with inspect.profile() as measured:
        x.sqrt().sum().backward()
    assert "sqrt" in {e.of for e in measured.events}


def test_a_profile_may_be_used_again_but_not_inside_of_itself() -> None:
    """Inside of itself it showed each walk of backward to itself, without end and for good."""
    model = nn.Linear(2, 3)
    for block, opened in (
        (inspect.profile(model), "this profile is measuring already"),
        (inspect.first_bad_value(model), "this search is on already"),
        (inspect.trace(model), "this trace is on already"),
    ):
        with block, pytest.raises(RuntimeError, match=opened), block:
            pass
        assert everything_runs_plain() and all(kept for *_, kept in [s for s in state_of(model) if len(s) == 3])
    measured = inspect.profile(model)
    for _ in range(2):
        with measured:
            trained_once(model, waves(4, 2))
    assert [e.op for e in measured.events if e.phase == "forward"] == ["linear", "pow", "mean"] * 2
    times = [(e["ts"], e["ts"] + e["dur"]) for e in measured.chrome_trace()["traceEvents"] if e["cat"] == "forward"]
    assert all(end <= start for (_, end), (start, _) in pairwise(times)) and times[-1][1] <= 1e6 * measured.seconds
    with inspect.profile() as empty:
        pass
    assert "0.00 ms in operations" in str(empty) and empty.chrome_trace()["traceEvents"] == []


@pytest.mark.parametrize("block", [inspect.profile, inspect.first_bad_value, inspect.trace])
def test_blocks_refuse_what_is_no_module(block: Any) -> None:
    for x in (3, [nn.Linear(1, 1)], optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)):
        with pytest.raises(TypeError, match=f"{block.__name__}: expected a module.* got {type(x).__name__}"):
            block(x)


# --- the first bad value ----------------------------------------------------------------------------------------------


def test_the_first_bad_value_forward() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 1))
    model[2].weight.data = minigrad.tensor([[np.inf, 1.0]])
    with inspect.first_bad_value(model) as search:
        model(minigrad.ones(1, 2)).exp()
    assert search.found is None or search.found.module != "2"  # the infinity was there before: a parameter
    x = minigrad.tensor([-1.0, 4.0])
    with inspect.first_bad_value() as search:
        (x.sqrt() + 1).exp().log()
    assert search.found is not None and (search.found.op, search.found.phase) == ("sqrt", "forward")
    assert "test_running.py" in search.found.place and search.found.operands["input"].tolist() == [-1, 4]
    assert "1 nan" in str(search.found)
    with inspect.first_bad_value() as search:
        x.exp()
    assert search.found is None and everything_runs_plain()


def test_infinities_that_are_meant_are_not_bad_but_nan_from_them_is() -> None:
    x = minigrad.tensor([1.0, 0.0])
    with inspect.first_bad_value() as search:
        x.masked_fill(x == 0, -np.inf).softmax(0)
        (x + minigrad.tensor([0.0, -np.inf])).softmax(0)
    assert search.found is None
    with inspect.first_bad_value() as search:
        x * np.inf
    assert search.found is not None and search.found.op == "mul"


def test_the_first_bad_value_backward_and_in_a_module() -> None:
    x = minigrad.tensor([0.0, 4.0], requires_grad=True)
    with inspect.first_bad_value() as search:
        x.sqrt().sum().backward()
    assert search.found is not None and search.found.phase == "backward" and search.found.op == "div"

    class Log(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.log()

    with inspect.first_bad_value(nn.Sequential(nn.Identity(), Log())) as search:
        search._calls.model(minigrad.zeros(2))  # type: ignore[union-attr]
    assert search.found is not None and search.found.module == "1"
    with inspect.first_bad_value() as search:
        minigrad.full((2,), 1e30).mul_(1e5).mul_(1e5).add_(1)
    assert (
        search.found is not None and search.found.op == "mul" and search.found.operands["input"][0] == np.float32(1e35)
    )


# --- watching ---------------------------------------------------------------------------------------------------------


def train(model: nn.Module, optimizer: Any, x: Any, y: Any, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


def test_an_observation_is_what_it_says() -> None:
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 1, bias=False))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    x, y = waves(6, 3), waves(6, 1)
    before = model[0].weight.array.copy()
    hidden = model[0](x).array
    with inspect.watch(model, optimizer) as watched:
        train(model, optimizer, x, y, 1)
        model.eval()
        model(100 * x)
    (seen,) = watched.history
    g = model[0].weight.grad.array
    assert seen.gradients["0.weight"] == pytest.approx(np.sqrt((g**2).mean()), rel=1e-6)
    assert seen.updates["0.weight"] == pytest.approx(0.5 * np.linalg.norm(g) / np.linalg.norm(before), rel=1e-4)
    assert seen.activations["0"] == pytest.approx(np.sqrt((hidden**2).mean()), rel=1e-6)
    assert seen.dead == {"1": pytest.approx((hidden <= 0).all(0).mean())}
    assert watched.report().startswith("step 1: gradients ")


def test_watching_changes_no_step_and_ends() -> None:
    results = []
    for watching in (False, True):
        minigrad.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        optimizer = optim.Adam(model.parameters())
        watched = inspect.watch(model, optimizer, every=2) if watching else None
        train(model, optimizer, waves(6, 3), waves(6, 1), 5)
        if watched is not None:
            assert [one.step for one in watched.history] == [1, 3, 5]
            watched.remove()
            train(model, optimizer, waves(6, 3), waves(6, 1), 1)
            assert len(watched.history) == 3 and all(m._hooks is None or not m._hooks.forward for m in model.modules())
        else:
            train(model, optimizer, waves(6, 3), waves(6, 1), 1)
        results.append([p.array.copy() for p in model.parameters()])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("spoil", "lr", "flag"),
    [
        (lambda m: setattr(m[0].bias, "data", minigrad.full((4,), -1e3)), 0.1, "1 is dead for 100% of its units"),
        (lambda m: setattr(m[0].bias, "data", minigrad.full((4,), -1e3)), 0.1, "the gradient of 0.weight vanishes"),
        (
            lambda m: setattr(m[2].weight, "data", minigrad.full((1, 4), 1e6)),
            1e-12,
            "the gradient of 0.weight explodes",
        ),
        (lambda m: None, 100.0, "steps move 2.weight by"),
        (lambda m: None, 1e-12, "steps hardly move"),
        (
            lambda m: setattr(m[2].weight, "data", minigrad.full((1, 4), np.inf)),
            0.1,
            "2 gives values that are not finite",
        ),
    ],
)
def test_flags(spoil: Any, lr: float, flag: str) -> None:
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    spoil(model)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    with inspect.watch(model, optimizer) as watched:
        train(model, optimizer, waves(6, 3), waves(6, 1), 1)
    assert flag in watched.report()


def test_a_healthy_training_raises_no_flags_and_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 1))
    optimizer = optim.SGD(model.parameters(), lr=1e-2)
    with inspect.watch(model, optimizer) as watched:
        with pytest.raises(RuntimeError, match="nothing observed yet"):
            watched.plot()
        assert watched.report() == "nothing observed yet"
        train(model, optimizer, waves(8, 1, 6, 6), waves(8, 1), 5)
    assert not any(one.flags() for one in watched.history) and "|" not in watched.report()
    figure = watched.plot()
    assert [len(axis.lines) for axis in figure.axes] == [4, 4, 5, 2]
    figure.savefig(tmp_path / "watch.png", dpi=40)


@pytest.mark.parametrize(("arguments", "error"), [((3, None), TypeError), ((nn.Linear(1, 1), None), TypeError)])
def test_bad_arguments_are_refused(arguments: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"watch: expected"):
        inspect.watch(*arguments)
    model = nn.Linear(1, 1)
    with pytest.raises(ValueError, match="every to be at least 1"):
        inspect.watch(model, optim.SGD(model.parameters(), lr=1.0), every=0)
    for every in (1.5, "2", True):
        with pytest.raises(TypeError, match=f"every to be a whole number of steps, got {every!r}"):
            inspect.watch(model, optim.SGD(model.parameters(), lr=1.0), every=every)
    with pytest.raises(
        ValueError, match="expected an optimizer that trains this model, got one with none of its parameters"
    ):
        inspect.watch(model, optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0))
