"""Optimisers: steps by hand, torch's trajectories and state, saving, groups, and refusals."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim

SHAPES = ((3, 4), (5,), (), (170, 200))  # the last is longer than one block of a step

CASES: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.5, 0.9)}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "eps": 1e-3}),
    ("Adam", {"lr": 0.01, "maximize": True, "weight_decay": 0.1}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "weight_decay": 0.2}),
    ("AdamW", {"lr": 0.01, "maximize": True}),
]
IDS = [f"{name}-{','.join(options) or 'plain'}" for name, options in CASES]


def parameters(*values: Any) -> list[nn.Parameter]:
    return [nn.Parameter(minigrad.tensor(value)) for value in values]


def set_gradients(tensors: Any, values: Any) -> None:
    for tensor, value in zip(tensors, values, strict=True):
        tensor.grad = minigrad.tensor(value)


def draws(random: np.random.Generator, dtype: str) -> list[np.ndarray]:
    return [np.asarray(random.standard_normal(shape), dtype) for shape in SHAPES]


# --- as torch ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_parity_with_torch(name: str, options: dict[str, Any], dtype: str) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    start = draws(random, dtype)
    theirs = [torch.nn.Parameter(torch.tensor(value)) for value in start]
    ours = parameters(*start)
    their_optimizer, our_optimizer = getattr(torch.optim, name)(theirs, **options), getattr(optim, name)(ours, **options)
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    for step in range(6):
        gradients = draws(random, dtype)
        for tensor, value in zip(theirs, gradients, strict=True):
            tensor.grad = torch.tensor(value)
        set_gradients(ours, gradients)
        if step == 2:  # a parameter without gradient stays as it is
            theirs[1].grad = ours[1].grad = None
        their_optimizer.step()
        our_optimizer.step()
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance)
    mine, other = our_optimizer.state_dict(), their_optimizer.state_dict()
    assert mine["param_groups"] == other["param_groups"]
    assert list(mine["state"]) == list(other["state"])
    for number, state in other["state"].items():
        assert list(mine["state"][number]) == list(state)
        for key, value in state.items():
            assert mine["state"][number][key].dtype == value.numpy().dtype
            np.testing.assert_allclose(mine["state"][number][key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)
    assert repr(our_optimizer) == repr(their_optimizer)


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_sgd_by_hand() -> None:
    (p,) = parameters([1.0, 2.0])
    optimizer = optim.SGD([p], lr=0.5, momentum=0.5)
    set_gradients([p], [[2.0, 0.0]])
    optimizer.step()
    assert p.tolist() == [0.0, 2.0]
    set_gradients([p], [[1.0, 4.0]])
    optimizer.step()  # velocity [2, 4]
    assert p.tolist() == [-1.0, 0.0]


def test_adams_first_step_is_lr_whatever_the_gradient() -> None:
    (p,) = parameters([1.0, 1.0, 1.0])
    optimizer = optim.Adam([p], lr=0.1)
    set_gradients([p], [[1e-3, -5.0, 1e4]])
    optimizer.step()
    np.testing.assert_allclose(p.tolist(), [0.9, 1.1, 0.9], rtol=1e-4)


def test_adamw_shrinks_without_gradient() -> None:
    for optimizer, expected in ((optim.AdamW, 0.95), (optim.Adam, 0.9)):
        (p,) = parameters([1.0])
        step = optimizer([p], lr=0.1, weight_decay=0.5)
        set_gradients([p], [[0.0]])
        step.step()
        assert p.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_all_find_the_bottom_or_climb(name: str, options: dict[str, Any]) -> None:
    (p,) = parameters([3.0, -2.0])
    optimizer = getattr(optim, name)([p], **{**options, "lr": 0.05})

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure).item()
    for _ in range(30):
        last = optimizer.step(closure).item()
    assert last > first if options.get("maximize") else last < first


def test_steps_are_deterministic_and_leave_gradients_alone() -> None:
    results = []
    for _ in range(2):
        random = np.random.default_rng(1)
        ours = parameters(*draws(random, "float32"))
        optimizer = optim.Adam(ours, maximize=True, weight_decay=0.1)
        for _ in range(3):
            gradients = draws(random, "float32")
            set_gradients(ours, gradients)
            optimizer.step()
            assert all(np.array_equal(p.grad.numpy(), value) for p, value in zip(ours, gradients, strict=True))
        results.append([p.detach().numpy().copy() for p in ours])
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_non_contiguous_parameters_and_gradients() -> None:
    for shape in ((3, 4), (170, 200)):
        random = np.random.default_rng(2)
        value, gradient = random.standard_normal(shape), random.standard_normal(shape)
        results = []
        for order in ("C", "F"):
            p = nn.Parameter(minigrad.Tensor(np.array(value, order=order)))
            p.grad = minigrad.Tensor(np.array(gradient, order=order))
            optim.Adam([p], lr=0.1).step()
            results.append(p.detach().numpy())
        np.testing.assert_allclose(results[0], results[1], rtol=1e-12)


def test_a_step_is_noticed_by_backward() -> None:
    (p,) = parameters([1.0])
    loss = (p * p).sum()
    p.grad = minigrad.ones(1)
    optim.SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="overwritten"):
        loss.backward()


def test_closure_runs_with_gradients_even_under_no_grad() -> None:
    (p,) = parameters([2.0])
    optimizer = optim.SGD([p], lr=0.25)

    def closure() -> Any:
        loss = (p * p).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        assert optimizer.step(closure).item() == 4
    assert p.tolist() == [1.0]


def test_zero_grad() -> None:
    (p,) = parameters([1.0])
    optimizer = optim.SGD([p])
    p.grad = minigrad.ones(1)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


# --- groups and state -------------------------------------------------------------------------------------------------


def test_groups_have_hyperparameters_of_their_own() -> None:
    a, b = parameters([1.0], [1.0])
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    set_gradients([a, b], [[1.0], [1.0]])
    optimizer.step()
    assert (a.item(), b.item()) == (pytest.approx(0.9), 0.5)
    (c,) = parameters([1.0])
    optimizer.add_param_group({"params": [c], "weight_decay": 1.0})
    assert optimizer.param_groups[2]["lr"] == 0.1
    assert optimizer.state_dict()["param_groups"][2]["params"] == [2]


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_training_goes_on_from_a_saved_state(name: str, options: dict[str, Any]) -> None:
    def step(p: Any, optimizer: Any, value: float) -> None:
        set_gradients([p], [[value, -value]])
        optimizer.step()

    (straight,) = parameters([1.0, 2.0])
    one = getattr(optim, name)([straight], **options)
    for value in (1.0, 2.0):
        step(straight, one, value)
    (resumed,) = parameters(straight.detach().numpy())
    other = getattr(optim, name)([resumed])
    saved = one.state_dict()
    frozen = copy.deepcopy(saved)
    other.load_state_dict(saved)
    for value in (3.0, 4.0):
        step(straight, one, value)
        step(resumed, other, value)
    assert straight.tolist() == resumed.tolist()
    assert other.state_dict()["param_groups"] == frozen["param_groups"]


def test_state_survives_a_file(tmp_path: Any) -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    model(minigrad.ones(3, 2)).sum().backward()
    optimizer.step()
    minigrad.save(optimizer.state_dict(), tmp_path / "optimizer")
    again = optim.Adam(model.parameters())
    again.load_state_dict(minigrad.load(tmp_path / "optimizer"))
    assert again.param_groups[0]["lr"] == 0.05
    assert again.param_groups[0]["betas"] == (0.9, 0.999)
    assert again.state_dict()["state"][0]["exp_avg"].tolist() == optimizer.state_dict()["state"][0]["exp_avg"].tolist()
    assert again.state_dict()["state"][1]["step"].item() == 1


def test_loaded_state_takes_the_dtype_of_the_parameter_and_is_a_copy() -> None:
    (p,) = parameters(np.ones(2))
    optimizer = optim.SGD([p], momentum=0.9)
    buffer = minigrad.tensor([1.0, 2.0])
    state = optimizer.state_dict()
    optimizer.load_state_dict({**state, "state": {0: {"momentum_buffer": buffer}}})
    set_gradients([p], [np.zeros(2)])
    optimizer.step()
    assert optimizer.state[p]["momentum_buffer"].dtype == minigrad.float64
    assert buffer.tolist() == [1, 2]


def test_states_that_do_not_fit() -> None:
    a, b = parameters([1.0], [1.0])
    state = optim.SGD([a, b], momentum=0.9).state_dict()
    with pytest.raises(ValueError, match="a different number of parameter groups: 1, this optimizer has 2"):
        optim.SGD([{"params": [a]}, {"params": [b]}]).load_state_dict(state)
    with pytest.raises(ValueError, match="group 0 has 2 parameters, this optimizer's has 1"):
        optim.SGD([a]).load_state_dict(state)
    state["state"] = {1: {"momentum_buffer": minigrad.zeros(3)}}
    with pytest.raises(ValueError, match=r"momentum_buffer of shape \(3,\) for parameter 1, whose shape is \(1,\)"):
        optim.SGD([a, b]).load_state_dict(state)


# --- refusals ---------------------------------------------------------------------------------------------------------

weight = nn.Parameter(minigrad.ones(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda: optim.SGD(weight), TypeError, "should be an iterable of Tensors or dicts, but got a single Tensor"),
        (lambda: optim.SGD([3]), TypeError, "can only optimize Tensors, but one of the params is int"),
        (lambda: optim.SGD([weight * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([weight, weight]), ValueError, "more than one parameter group, or twice in one"),
        (lambda: optim.SGD([{"params": [weight]}, {"params": [weight]}]), ValueError, "more than one parameter group"),
        (lambda: optim.SGD([{"params": {weight}}]), TypeError, "the ordering of tensors in sets will change"),
        (lambda: optim.SGD([weight]).add_param_group([weight]), TypeError, "param_group must be a dict"),
        (lambda: optim.SGD([weight], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([weight], lr=float("nan")), ValueError, "Invalid learning rate: nan"),
        (lambda: optim.SGD([weight], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([weight], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.SGD([weight], nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
        (lambda: optim.SGD([weight], differentiable=True), ValueError, "differentiable=True is not supported"),
        (lambda: optim.Adam([weight], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.Adam([weight], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: optim.Adam([weight], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
        (lambda: optim.AdamW([weight], betas=(0.9, -0.1)), ValueError, "Invalid beta parameter at index 1: -0.1"),
        (lambda: optim.Adam([weight], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.Adam([weight], capturable=True), ValueError, "capturable=True is not supported"),
        (lambda: optim.Adam([{"params": [weight], "lr": -3}]), ValueError, "Invalid learning rate: -3"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_optimizer_of_ones_own() -> None:
    class Fall(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.5})

        def update(self, parameter: Any, gradient: Any, state: Any, group: Any) -> None:
            parameter.array -= group["lr"] * np.sign(gradient)

    (p,) = parameters([1.0, -1.0])
    set_gradients([p], [[3.0, -0.1]])
    Fall([p]).step()
    assert p.tolist() == [0.5, -0.5]
    bare = optim.Optimizer([p], {})
    with pytest.raises(NotImplementedError, match=r"Optimizer defines neither update\(\) nor step\(\)"):
        bare.step()
