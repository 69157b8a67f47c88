"""Optimisers: groups, states saved, loaded and copied, names and hooks."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from tests.optim.cases import CASES, IDS, parameters, set_gradients

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


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_going_on_from_a_state_of_torch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    values, gradients = np.random.default_rng(3).standard_normal((2, 8, 5))
    theirs = torch.nn.Parameter(torch.tensor(values[0]))
    their_optimizer = getattr(torch.optim, name)([theirs], **options)

    def their_step(value: Any) -> None:
        theirs.grad = torch.tensor(value)
        their_optimizer.step()

    for value in gradients[:4]:
        their_step(value)
    saved = their_optimizer.state_dict()
    state = {key: minigrad.tensor(value.numpy().copy()) for key, value in saved["state"].get(0, {}).items()}
    if "step" in state:
        state["step"] = state["step"].item()  # as torch saved it before 1.12
    (ours,) = parameters(theirs.detach().numpy().copy())
    our_optimizer = getattr(optim, name)([ours])
    our_optimizer.load_state_dict({"state": {0: state} if state else {}, "param_groups": saved["param_groups"]})
    for value in gradients[4:]:
        their_step(value)
        set_gradients([ours], [value])
        our_optimizer.step()
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)


def test_adagrad_begins_groups_that_come_later() -> None:
    a, b = parameters([1.0], [1.0])
    optimizer = optim.Adagrad([a], lr=1.0, initial_accumulator_value=3.0)
    assert optimizer.state_dict()["state"][0]["sum"].tolist() == [3.0]
    optimizer.add_param_group({"params": [b]})
    set_gradients([a, b], [[1.0], [1.0]])
    optimizer.step()
    assert a.tolist() == b.tolist() == [0.5]


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


# --- names, duplicates, hooks, copies ---------------------------------------------------------------------------------


def test_names_of_parameters_are_kept() -> None:
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["params"] == [model.weight, model.bias]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    optimizer.add_param_group({"params": [("more", nn.Parameter(minigrad.ones(1)))]})
    unnamed = optim.SGD(model.parameters())
    named = optim.SGD([("w", model.weight), ("b", model.bias)])
    named.load_state_dict(unnamed.state_dict())
    assert named.param_groups[0]["param_names"] == ["w", "b"]
    unnamed.load_state_dict(named.state_dict())
    assert unnamed.param_groups[0]["param_names"] == ["w", "b"]


@pytest.mark.parametrize("names", [False, True])
def test_a_parameter_given_twice_moves_once_after_a_warning(names: bool) -> None:
    (p,) = parameters([1.0])
    with pytest.warns(UserWarning, match="a parameter group with duplicate parameters"):
        optimizer = optim.SGD([("a", p), ("b", p)] if names else [p, p], lr=0.25)
    set_gradients([p], [[1.0]])
    optimizer.step()
    assert p.tolist() == [0.75]
    assert len(optimizer.state_dict()["param_groups"][0].get("param_names", ["one"])) == 1


@pytest.mark.parametrize("family", [optim.SGD, optim.LBFGS])
def test_hooks_around_steps(family: Any) -> None:
    (p,) = parameters([1.0])
    optimizer = family([p])
    seen: list[Any] = []

    def closure() -> Any:
        seen.append("closure")
        p.grad = minigrad.zeros(1)
        return (p * 0).sum()

    handle = optimizer.register_step_pre_hook(lambda one, args, kwargs: seen.append(("pre", one is optimizer, args, kwargs)))
    optimizer.register_step_post_hook(lambda one, args, kwargs: seen.append(("post", one is optimizer)))
    optimizer.step(closure)
    assert seen == [("pre", True, (closure,), {}), "closure", ("post", True)]
    handle.remove()
    optimizer.register_step_pre_hook(lambda one, args, kwargs: ((), {"closure": closure}))
    seen.clear()
    optimizer.step(None)
    assert seen == ["closure", ("post", True)]
    optimizer.register_step_pre_hook(lambda one, args, kwargs: 3)
    with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args, new_kwargs\), but got 3"):
        optimizer.step(closure)


def test_hooks_run_once_for_a_step_that_calls_its_base() -> None:
    class Twice(optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            return super().step(closure)

    (p,) = parameters([1.0])
    optimizer = Twice([p], lr=0.25)
    seen: list[str] = []
    optimizer.register_step_post_hook(lambda one, args, kwargs: seen.append("post"))
    set_gradients([p], [[1.0]])
    optimizer.step()
    assert (p.tolist(), seen) == ([0.5], ["post"])


def test_hooks_around_states() -> None:
    (p,) = parameters([1.0])
    optimizer = optim.SGD([p], lr=0.25)
    seen: list[str] = []
    optimizer.register_state_dict_pre_hook(lambda one: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda one: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda one, state: {**state, "extra": 1})
    assert optimizer.state_dict()["extra"] == 1
    assert seen == ["first", "second"]
    other = optim.SGD([p], lr=0.5)
    other.register_load_state_dict_pre_hook(lambda one, state: {**state, "state": {}})
    other.register_load_state_dict_post_hook(lambda one: seen.append(f"loaded {one.param_groups[0]['lr']}"))
    other.load_state_dict({**optimizer.state_dict(), "state": {0: {"momentum_buffer": minigrad.zeros(7)}}})
    assert seen[-1] == "loaded 0.25"


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda optimizer: pickle.loads(pickle.dumps(optimizer))])
def test_copies_go_on_alike(duplicate: Any) -> None:
    (p,) = parameters([1.0, 2.0])
    optimizer = optim.Adam([p], lr=0.1)
    optimizer.register_step_pre_hook(lambda one, args, kwargs: None)
    set_gradients([p], [[1.0, -1.0]])
    optimizer.step()
    twin = duplicate(optimizer)
    (q,) = twin.param_groups[0]["params"]
    assert q is not p
    for one, tensor in ((optimizer, p), (twin, q)):
        set_gradients([tensor], [[0.5, 3.0]])
        one.step()
    assert p.tolist() == q.tolist()


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_state_of_arrays(name: str, options: dict[str, Any]) -> None:
    (one,), (other,) = parameters([1.0, 2.0]), parameters([1.0, 2.0])
    first, second = (getattr(optim, name)([p], **options) for p in (one, other))
    for value in ([1.0, -1.0], [2.0, 0.5]):
        set_gradients([one], [value])
        first.step()
    state = first.state_dict()
    arrays = {number: {key: value.numpy().copy() for key, value in values.items()} for number, values in state["state"].items()}
    second.load_state_dict({**state, "state": arrays})
    other.data = one.detach().clone()
    for p, optimizer in ((one, first), (other, second)):
        set_gradients([p], [[0.3, 0.4]])
        optimizer.step()
    assert one.tolist() == other.tolist()
