"""Optimisers: steps by hand, torch's trajectories and state, saving, groups, and refusals."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim
from minigrad.kernels.formula import sign
from tests.optim.cases import CASES, IDS, draws, parameters, set_gradients

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
    tolerance = 1e-6 if dtype == "float32" else 1e-13
    for step in range(10):
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
            p = nn.Parameter(minigrad.from_numpy(np.array(value, order=order)))
            p.grad = minigrad.from_numpy(np.array(gradient, order=order))
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


# The settings with which each gets near the bottom in 200 steps.
DESCENDING: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("Adam", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.05}),
    ("Adagrad", {"lr": 1.0}),
    ("Adadelta", {"lr": 10.0}),
    ("Adamax", {"lr": 0.2}),
    ("NAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.2}),
    ("ASGD", {"lr": 0.1}),
    ("Rprop", {}),
]


@pytest.mark.parametrize(("name", "options"), DESCENDING)
def test_a_quadratic(name: str, options: dict[str, Any]) -> None:
    (p,) = parameters([3.0, -2.0])
    optimizer = getattr(optim, name)([p], **options)
    for _ in range(200):
        optimizer.zero_grad()
        ((p - minigrad.tensor([1.0, 0.5])) ** 2 * minigrad.tensor([1.0, 0.25])).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(p.tolist(), [1.0, 0.5], atol=0.05)


def test_first_steps_by_hand() -> None:
    cases = [
        (optim.RMSprop, {"lr": 0.1, "alpha": 0.75}, [0.8, 1.2]),
        (optim.RMSprop, {"lr": 0.1, "alpha": 0.75, "centered": True}, [1 - 0.1 / math.sqrt(0.1875), 1 + 0.1 / math.sqrt(0.1875)]),
        (optim.Adagrad, {"lr": 0.1}, [0.9, 1.1]),
        (optim.Adagrad, {"lr": 0.1, "initial_accumulator_value": 12.0}, [0.95, 1.05]),
        (optim.Adadelta, {"rho": 0.75, "eps": 1.0}, [1 - 2 / math.sqrt(2), 1 + 2 / math.sqrt(2)]),
        (optim.Adamax, {"lr": 0.1}, [0.9, 1.1]),
        (optim.RAdam, {"lr": 0.1}, [0.8, 1.2]),
        (optim.ASGD, {"lr": 0.1, "lambd": 0.5}, [0.75, 1.15]),
        (optim.Rprop, {"lr": 0.1}, [0.9, 1.1]),
    ]
    for family, options, expected in cases:
        (p,) = parameters([1.0, 1.0])
        optimizer = family([p], **options)
        set_gradients([p], [[2.0, -2.0]])
        optimizer.step()
        np.testing.assert_allclose(p.tolist(), expected, rtol=1e-5, err_msg=family.__name__)


def test_rprop_waits_after_a_turn() -> None:
    (p,) = parameters([0.0])
    optimizer = optim.Rprop([p], lr=1.0)
    for gradient, expected in ((1.0, -1.0), (1.0, -2.2), (-1.0, -2.2), (-1.0, -1.6)):
        set_gradients([p], [[gradient]])
        optimizer.step()
        assert p.item() == pytest.approx(expected)


def test_asgd_averages_from_t0_on() -> None:
    (p,) = parameters([0.0])
    optimizer = optim.ASGD([p], lr=1.0, lambd=0.0, t0=2)
    means = []
    for _ in range(5):
        set_gradients([p], [[-1.0]])
        optimizer.step()
        means.append(optimizer.state[p]["ax"].item())
    assert p.item() == 5
    assert means == pytest.approx([1, 2, 3, 4, 4.5])


# --- refusals ---------------------------------------------------------------------------------------------------------

weight = nn.Parameter(minigrad.ones(1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
        (lambda: optim.SGD(weight), TypeError, "should be an iterable of Tensors or dicts, but got a single Tensor"),
        (lambda: optim.SGD([3]), TypeError, "can only optimize Tensors, but one of the params is int"),
        (lambda: optim.SGD([weight * 2]), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda: optim.SGD([weight, ("b", weight)]), ValueError, "should be with/without names. Some param names are missing"),
        (lambda: optim.SGD([("a", weight)]).add_param_group({"params": [nn.Parameter()]}), ValueError,
         "cannot add param group without names to the optimizer"),
        (lambda: optim.SGD([weight]).add_param_group({"params": [("a", nn.Parameter())]}), ValueError,
         "cannot add param group with names to the optimizer"),
        (lambda: optim.SGD([{"params": [weight]}, {"params": [weight]}]), ValueError, "more than one parameter group"),
        (lambda: optim.SGD([{"params": {weight}}]), TypeError, "the ordering of tensors in sets will change"),
        (lambda: optim.SGD([weight]).add_param_group([weight]), TypeError, "param_group must be a dict"),
        (lambda: optim.SGD([weight], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.SGD([weight], lr=float("nan")), ValueError, "Invalid learning rate: nan"),
        (lambda: optim.SGD([weight], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.SGD([weight], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.SGD([weight], nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
        (lambda: optim.SGD([weight], lr=minigrad.tensor([0.1, 0.2])), ValueError, "Tensor lr must be 1-element"),
        (lambda: optim.SGD([weight], fused=True, foreach=True), RuntimeError, "`fused` and `foreach` cannot be `True` together"),
        (lambda: optim.Adam([weight], fused=True, differentiable=True), RuntimeError, "`fused` does not support `differentiable`"),
        (lambda: optim.Adam([weight], lr=minigrad.tensor(0.1), foreach=True), ValueError, "lr as a Tensor is not supported for"),
        (lambda: optim.Adam([weight], betas=(minigrad.tensor(0.9), 0.9)), ValueError, "betas must be either both floats or both Tensors"),
        (lambda: optim.AdamW([weight], betas=(minigrad.tensor(0.9), minigrad.tensor(0.9)), foreach=True), ValueError,
         r"betas\[0\] as a Tensor is not supported for capturable=False and foreach=True"),
        (lambda: optim.Adam([weight], lr=-1), ValueError, "Invalid learning rate: -1"),
        (lambda: optim.Adam([weight], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: optim.Adam([weight], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
        (lambda: optim.AdamW([weight], betas=(0.9, -0.1)), ValueError, "Invalid beta parameter at index 1: -0.1"),
        (lambda: optim.Adam([weight], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.RMSprop([weight], alpha=-1), ValueError, "Invalid alpha value: -1"),
        (lambda: optim.RMSprop([weight], momentum=-1), ValueError, "Invalid momentum value: -1"),
        (lambda: optim.RMSprop([weight], eps=-1), ValueError, "Invalid epsilon value: -1"),
        (lambda: optim.Adagrad([weight], lr_decay=-1), ValueError, "Invalid lr_decay value: -1"),
        (lambda: optim.Adagrad([weight], initial_accumulator_value=-1), ValueError, "Invalid initial_accumulator_value value: -1"),
        (lambda: optim.Adadelta([weight], rho=1.5), ValueError, "Invalid rho value: 1.5"),
        (lambda: optim.Adamax([weight], betas=(0.9, 1.0)), ValueError, "Invalid beta parameter at index 1: 1.0"),
        (lambda: optim.NAdam([weight], momentum_decay=-1), ValueError, "Invalid momentum_decay value: -1"),
        (lambda: optim.RAdam([weight], betas=(-1, 0.9)), ValueError, "Invalid beta parameter at index 0: -1"),
        (lambda: optim.ASGD([weight], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
        (lambda: optim.Rprop([weight], etas=(1.5, 1.2)), ValueError, "Invalid eta values: 1.5, 1.2"),
        *[
            (lambda family=family: getattr(optim, family)([weight], lr=-1), ValueError, "Invalid learning rate: -1")
            for family in ("RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop", "LBFGS")
        ],
        (lambda: optim.Adam([{"params": [weight], "lr": -3}]), ValueError, "Invalid learning rate: -3"),
    ],
)  # fmt: skip
def test_refusals(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_gradient_of_another_shape_changes_nothing() -> None:
    p, q = parameters([1.0, 2.0], [3.0])
    optimizer = optim.Adam([p, q])
    set_gradients([p, q], [[1.0, 1.0], [2.0]])
    q.data = minigrad.tensor([[3.0]])
    with pytest.raises(RuntimeError, match=r"Adam: the gradient of a parameter of shape \(1, 1\) has shape \(1,\)"):
        optimizer.step()
    assert (p.tolist(), q.tolist()) == ([1, 2], [[3]])


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [family for family, _ in dict(CASES).items()])
def test_settings_that_choose_among_implementations_change_nothing(family: str) -> None:
    accepted = inspect.signature(getattr(optim, family)).parameters
    results = []
    for flag in (None, "foreach", "fused", "capturable"):
        (p,) = parameters([1.0, 2.0])
        optimizer = getattr(optim, family)([p], **({flag: True} if flag in accepted else {}))
        for value in ([1.0, -1.0], [2.0, 0.5]):
            set_gradients([p], [value])
            optimizer.step()
        results.append(p.tolist())
    assert results[1:] == results[:1] * 3


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_tensor_as_learning_rate(name: str, options: dict[str, Any]) -> None:
    results = []
    for lr in (0.125, minigrad.tensor(0.125), minigrad.tensor([0.125])):
        (p,) = parameters([1.0, 2.0])
        optimizer = getattr(optim, name)([p], **{**options, "lr": lr})
        for value in ([1.0, -1.0], [2.0, 0.5]):
            set_gradients([p], [value])
            optimizer.step()
        results.append(p.tolist())
    assert results[0] == results[1] == results[2]


def test_dtypes_and_layouts_mixed_in_one_group() -> None:
    values = [np.ones(3), np.ones(3, np.float32), np.ones((2, 3)).T, np.ones(4, np.float16), np.ones(())]
    group = [nn.Parameter(minigrad.from_numpy(np.asarray(value))) for value in values]
    optimizer = optim.SGD(group, lr=0.25, momentum=0.5)
    for _ in range(2):
        for p in group:
            p.grad = minigrad.ones(p.shape, dtype=p.dtype)
        optimizer.step()
    for p, value in zip(group, values, strict=True):
        assert p.dtype == value.dtype
        np.testing.assert_array_equal(p.detach().numpy(), np.full(value.shape, 0.375), strict=False)


# --- steps that backward goes through ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "options"), [case for case in CASES if case[0] != "Rprop"], ids=IDS[:-3])
def test_differentiable_steps(name: str, options: dict[str, Any]) -> None:
    """The derivative of what two steps lead to, in where they began and in lr, against differences."""

    def end(start: Any, lr: Any) -> Any:
        p = start * 1
        optimizer = getattr(optim, name)([p], **{**options, "lr": lr, "differentiable": True})
        for slope in (1.0, 0.7):
            now = p.clone()  # what the graph keeps must outlive the step
            p.grad = now * now * now * slope + 0.5
            optimizer.step()
        return (p * minigrad.tensor(np.array([1.0, -2.0]))).sum()

    values = np.array([0.8, 1.7, 0.05])
    start, lr = minigrad.tensor(values[:2], requires_grad=True), minigrad.tensor(values[2], requires_grad=True)
    loss = end(start, lr)
    assert loss.requires_grad
    loss.backward()
    analytic = [*start.grad.tolist(), 0.0 if lr.grad is None else lr.grad.item()]
    numeric = []
    for shift in 1e-6 * np.eye(3):
        above, below = (end(minigrad.tensor(side[:2]), side[2]) for side in (values + shift, values - shift))
        numeric.append((above.item() - below.item()) / 2e-6)
    # ASGD keeps its next rate, and so what that owes to lr, as a number.
    compared = 2 if name == "ASGD" else 3
    np.testing.assert_allclose(analytic[:compared], numeric[:compared], rtol=1e-4, atol=1e-5)


def test_a_differentiable_step_moves_as_others_do() -> None:
    for name, options in CASES:
        (p,) = parameters(np.array([0.8, 1.7]))
        q = p.detach().clone().requires_grad_() * 1
        for tensor, differentiable in ((p, False), (q, True)):
            optimizer = getattr(optim, name)([tensor], **options, differentiable=differentiable)
            for value in ([0.5, -1.0], [2.0, 0.25]):
                tensor.grad = minigrad.tensor(np.array(value))
                optimizer.step()
        np.testing.assert_allclose(p.tolist(), q.tolist(), rtol=1e-12, err_msg=name)


# --- an optimiser of one's own ----------------------------------------------------------------------------------------


def test_an_optimizer_of_ones_own() -> None:
    class Fall(optim.Optimizer):
        def __init__(self, params: Any) -> None:
            super().__init__(params, {"lr": 0.5})

        def rule(self, group: Any, time: float, g: Any, p: Any) -> tuple[Any, ...]:
            return (p - sign(g) * (group["lr"] / time),)

    class Fixed(optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for p in group["params"]:
                    p.data = p.data - 0.25

    (p,) = parameters([1.0, -1.0])
    set_gradients([p], [[3.0, -0.1]])
    fall = Fall([p])
    fall.step()
    assert p.tolist() == [0.5, -0.5]
    fall.step()
    assert p.tolist() == [0.25, -0.25]
    Fixed([p], {}).step()
    assert p.tolist() == [0.0, -0.5]
    bare = optim.Optimizer([p], {})
    with pytest.raises(NotImplementedError, match=r"Optimizer defines neither rule\(\) nor step\(\)"):
        bare.step()
