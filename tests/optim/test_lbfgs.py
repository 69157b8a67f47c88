"""L-BFGS: Rosenbrock's valley, torch's iterations and states, the line search, and refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.optim.lbfgs import Point, cubic_minimum, strong_wolfe

OPTIONS: list[dict[str, Any]] = [
    {"lr": 0.5, "max_iter": 4},
    {"lr": 0.1, "max_iter": 6, "history_size": 2},
    {"line_search_fn": "strong_wolfe", "max_iter": 4},
    {"line_search_fn": "strong_wolfe", "max_iter": 5, "history_size": 2, "lr": 0.3},
    {"line_search_fn": "strong_wolfe", "max_iter": 20, "max_eval": 7},
]


def rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def bowl(x: Any, y: Any) -> Any:
    return (x - 1) ** 2 + 3 * (y + x) ** 2 + 0.1 * x**4


def closure_of(optimizer: Any, function: Any, *points: Any) -> Any:
    calls = []

    def closure() -> Any:
        calls.append(None)
        optimizer.zero_grad()
        loss = function(*points)
        loss.backward()
        return loss

    closure.calls = calls
    return closure


def point(x: float, y: float, dtype: str = "float64") -> list[nn.Parameter]:
    return [nn.Parameter(minigrad.tensor(np.array(value, dtype))) for value in (x, y)]


# --- minima -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rosenbrock(dtype: str) -> None:
    x, y = point(-1.2, 1.0, dtype)
    optimizer = optim.LBFGS([x, y], line_search_fn="strong_wolfe", max_iter=100, tolerance_change=1e-15)
    closure = closure_of(optimizer, rosenbrock, x, y)
    assert optimizer.step(closure).item() == pytest.approx(24.2)
    assert (x.item(), y.item()) == pytest.approx((1, 1), abs=1e-3 if dtype == "float32" else 1e-6)
    assert len(closure.calls) == optimizer.state[x]["func_evals"] < 100


def test_a_quadratic_without_line_search() -> None:
    matrix = minigrad.tensor([[3.0, 1.0], [1.0, 2.0]], dtype=minigrad.float64)
    p = nn.Parameter(minigrad.tensor([4.0, -1.0], dtype=minigrad.float64))
    optimizer = optim.LBFGS([p], max_iter=30)
    optimizer.step(closure_of(optimizer, lambda x: (x * (matrix @ x)).sum(), p))
    np.testing.assert_allclose(p.tolist(), [0, 0], atol=1e-6)


def test_a_parameter_without_gradient_stays() -> None:
    x, y = point(3.0, 2.0)
    optimizer = optim.LBFGS([y, x], line_search_fn="strong_wolfe")
    optimizer.step(closure_of(optimizer, lambda value: (value - 1) ** 2, x))
    assert (x.item(), y.item()) == (pytest.approx(1), 2)


def test_steps_at_the_bottom_change_nothing() -> None:
    x, y = point(1.0, 1.0)
    optimizer = optim.LBFGS([x, y])
    closure = closure_of(optimizer, rosenbrock, x, y)
    for calls in (1, 2):
        assert optimizer.step(closure).item() == 0
        assert (x.item(), y.item(), len(closure.calls)) == (1, 1, calls)


def test_evaluations_are_bounded() -> None:
    for line_search_fn in (None, "strong_wolfe"):
        x, y = point(-1.2, 1.0)
        optimizer = optim.LBFGS([x, y], lr=1e-3, max_iter=50, max_eval=9, line_search_fn=line_search_fn)
        closure = closure_of(optimizer, rosenbrock, x, y)
        optimizer.step(closure)
        assert len(closure.calls) <= 10


# --- as torch ---------------------------------------------------------------------------------------------------------


# Not the valley in float32: there the roundings of the line search, which torch does in float32 too, decide where it leads.
@pytest.mark.parametrize(("function", "dtype"), [(rosenbrock, "float64"), (bowl, "float64"), (bowl, "float32")])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_parity_with_torch(options: dict[str, Any], function: Any, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    if function is rosenbrock and "line_search_fn" not in options:
        options = {**options, "lr": 1e-3}  # larger steps leave the valley
    ours = point(-1.2, 1.5, dtype)
    theirs = [torch.nn.Parameter(torch.tensor(p.item(), dtype=getattr(torch, dtype))) for p in ours]
    our_optimizer, their_optimizer = optim.LBFGS(ours, **options), torch.optim.LBFGS(theirs, **options)
    our_closure, their_closure = (
        closure_of(optimizer, function, *points) for optimizer, points in ((our_optimizer, ours), (their_optimizer, theirs))
    )
    tolerance = 1e-4 if dtype == "float32" else 1e-7
    for _ in range(2 if dtype == "float32" else 3):
        got, expected = our_optimizer.step(our_closure), their_optimizer.step(their_closure)
        assert got.item() == pytest.approx(expected.item(), rel=tolerance, abs=1e-5)
        assert [p.item() for p in ours] == pytest.approx([p.item() for p in theirs], rel=tolerance, abs=tolerance)
    mine, other = our_optimizer.state_dict(), their_optimizer.state_dict()
    assert mine["param_groups"] == other["param_groups"]
    assert set(mine["state"][0]) == set(other["state"][0])
    if dtype == "float64":
        for name in ("n_iter", "func_evals"):
            assert mine["state"][0][name] == other["state"][0][name]
        for name in ("old_dirs", "old_stps", "ro", "al"):
            assert len(mine["state"][0][name]) == len(other["state"][0][name])
            for a, b in zip(mine["state"][0][name], other["state"][0][name], strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-7)


def converted(value: Any) -> Any:
    """A state of torch with its tensors as ours."""
    if isinstance(value, dict):
        return {key: converted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [converted(item) for item in value]
    return minigrad.tensor(value.numpy().copy()) if hasattr(value, "numpy") else value


def test_going_on_from_a_state_of_torch() -> None:
    torch = pytest.importorskip("torch")
    theirs = [torch.nn.Parameter(torch.tensor(value, dtype=torch.float64)) for value in (-1.2, 1.5)]
    their_optimizer = torch.optim.LBFGS(theirs, line_search_fn="strong_wolfe", max_iter=3)
    their_closure = closure_of(their_optimizer, rosenbrock, *theirs)
    their_optimizer.step(their_closure)
    ours = point(*(p.item() for p in theirs))
    our_optimizer = optim.LBFGS(ours)
    our_optimizer.load_state_dict(converted(copy.deepcopy(their_optimizer.state_dict())))
    our_optimizer.step(closure_of(our_optimizer, rosenbrock, *ours))
    their_optimizer.step(their_closure)
    assert [p.item() for p in ours] == pytest.approx([p.item() for p in theirs], rel=1e-9)


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_going_on_from_a_saved_state(options: dict[str, Any], tmp_path: Any) -> None:
    straight = point(-1.2, 1.5)
    one = optim.LBFGS(straight, **options)
    one.step(closure_of(one, bowl, *straight))
    minigrad.save(one.state_dict(), tmp_path / "state")
    resumed = point(*(p.item() for p in straight))
    other = optim.LBFGS(resumed)
    other.load_state_dict(minigrad.load(tmp_path / "state"))
    for optimizer, points in ((one, straight), (other, resumed)):
        optimizer.step(closure_of(optimizer, bowl, *points))
    assert [p.item() for p in straight] == [p.item() for p in resumed]


def test_a_state_that_does_not_fit() -> None:
    x, y = point(1.0, 2.0)
    optimizer = optim.LBFGS([x, y])
    optimizer.step(closure_of(optimizer, bowl, x, y))
    with pytest.raises(ValueError, match=r"has d of shape \(2,\), but the parameters have 3 elements in all"):
        optim.LBFGS([nn.Parameter(minigrad.ones(2)), nn.Parameter(minigrad.ones(1))]).load_state_dict(optimizer.state_dict())


# --- the line search --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 300.0])
def test_strong_wolfe_conditions_hold(first: float) -> None:
    def probe(step: float) -> Point:  # Moré and Thuente (1994), function 1
        return Point(step, -step / (step**2 + 2), None, (step**2 - 2) / (step**2 + 2) ** 2)

    start = probe(0.0)
    found, looked = strong_wolfe(probe, start, first, 1.0, 1e-9, 25)
    assert found.loss <= start.loss + 1e-4 * found.step * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)
    assert looked <= 26


def test_cubic_minimum() -> None:
    def cubic(step: float) -> Point:
        return Point(step, step**3 - 3 * step, None, 3 * step**2 - 3)

    assert cubic_minimum(cubic(0.0), cubic(3.0), 0.0, 3.0) == pytest.approx(1)
    assert cubic_minimum(cubic(3.0), cubic(0.0), 0.0, 3.0) == pytest.approx(1)
    assert cubic_minimum(cubic(0.0), cubic(3.0), 2.0, 3.0) == 2
    straight = [Point(step, -step, None, -1.0) for step in (0.0, 1.0)]
    assert cubic_minimum(*straight, 1.0, 5.0) == 3
    assert cubic_minimum(straight[0], straight[0], 1.0, 5.0) == 3


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_refusals() -> None:
    x, y = point(1.0, 2.0)
    with pytest.raises(ValueError, match=r"LBFGS doesn't support per-parameter options \(parameter groups\)"):
        optim.LBFGS([{"params": [x]}, {"params": [y]}])
    with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported, or None: line_search_fn is 'armijo'"):
        optim.LBFGS([x], line_search_fn="armijo")
    with pytest.raises(TypeError, match=r"LBFGS: step\(\) needs a closure"):
        optim.LBFGS([x]).step()
