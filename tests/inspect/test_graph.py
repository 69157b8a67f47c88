"""The graph as data and as pictures, backward by steps, and the reasons of a gradient."""

from __future__ import annotations

import gc
import re
import shutil
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import inspect, models, nn

from .nets import Residual, UNet, state_of, waves


def written_in_place(x: Any) -> Any:
    """A copy of which views are written to."""
    y = x.clone()
    y[0].mul_(0.5)
    y[:, 1:] += y[:, :1].tanh()
    return y


UNARY = [
    lambda x: x.tanh(),
    lambda x: x * 0.5,
    lambda x: x.exp() * 0.1,
    lambda x: (x * x) * 0.3,
    lambda x: x.reshape(3, 2).t().reshape(2, 3),
    lambda x: x.softmax(1),
    lambda x: x[[1, 1]][:, [0, 2, 2]],
    lambda x: x.sort(1)[0] + x.amax(1, keepdim=True),
    lambda x: minigrad.cat(x.split(1, 1)[::-1], 1),
    lambda x: minigrad.stack([a * b for a, b in zip(x.unbind(0), x[[1, 0]].unbind(0), strict=True)]),
    written_in_place,
]
BINARY = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 2 * y, lambda x, y: minigrad.stack([x, y]).mean(0), lambda x, y: x @ y.t() @ x * 0.1, lambda x, y: x.sum(0) * y]  # fmt: skip


def random_loss(choices: list[int], leaves: list[Any]) -> Any:
    """A computation of as many operations as there are choices, which take from what was computed before."""
    values = list(leaves)
    for choice in choices:
        op, rest = choice % 12, choice // 12
        x, y = values[rest % len(values)], values[(rest // 7) % len(values)]
        values.append(UNARY[op](x) if op < 6 else BINARY[op - 6](x, y))
        a, b = (values[-1].split([1, 1], 0)) if choice % 5 == 0 else (None, None)
        if a is not None:
            values.append(minigrad.cat([b, a * 2], 0))
    return sum(values[2:], values[0]).sum()


def two_leaves() -> list[Any]:
    rng = np.random.default_rng(1)
    return [minigrad.tensor(rng.standard_normal((2, 3)), requires_grad=True) for _ in range(2)]


programs = st.lists(st.integers(0, 12 * 7 * 7 * 9), min_size=1, max_size=6)


@given(programs)
def test_steps_end_in_the_gradients_of_backward(choices: list[int]) -> None:
    leaves = two_leaves()
    loss = random_loss(choices, leaves)
    walk = inspect.steps(loss, names={"a": leaves[0], "b": leaves[1]})
    assert all(x.grad is None for x in leaves)
    loss.backward()
    for name, x in zip("ab", leaves, strict=True):
        if x.grad is None:
            assert name not in walk.gradients
        else:
            np.testing.assert_allclose(walk.gradients[name], x.grad.numpy(), rtol=1e-12, atol=1e-14)


@given(programs)
def test_why_adds_up(choices: list[int]) -> None:
    leaves = two_leaves()
    loss = random_loss(choices, leaves)
    loss.backward(retain_graph=True)
    x = leaves[0]
    everything = inspect.why(x, (1, 2), loss, paths=100_000, limit=1_000_000)
    expected = float(x.grad[1, 2])
    assert len(everything.paths) == everything.n_paths
    assert everything.value == pytest.approx(expected, rel=1e-12)
    assert sum(p.contribution for p in everything.paths) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    some = inspect.why(x.grad, (1, -1), loss, paths=2)
    assert len(some.paths) == min(2, some.n_paths)
    assert some.remainder + sum(p.contribution for p in some.paths) == pytest.approx(expected, rel=1e-12)
    known = sorted(p.contribution for p in everything.paths)
    for path in some.paths:
        assert min(abs(path.contribution - c) for c in known) < 1e-12


@given(programs)
def test_tangents_tell_what_all_continuations_add(choices: list[int]) -> None:
    """The search weighs the beginning of a path with them: at the result they give the gradient itself."""
    from minigrad.core.tensor import edge_of
    from minigrad.inspect.why import Ways, key_of

    leaves = two_leaves()
    loss = random_loss(choices, leaves)
    direction = waves(2, 3).double()
    (slope,) = minigrad.autograd.grad(loss, leaves[0], retain_graph=True)
    tangents = Ways(inspect.graph(loss), edge_of(leaves[0])).tangents(direction)
    assert float(tangents[key_of(edge_of(loss))]) == pytest.approx(float((slope * direction).sum()), rel=1e-10)


def test_the_heaviest_path_comes_first() -> None:
    x = minigrad.tensor([2.0], requires_grad=True)
    y = x
    for _ in range(12):
        y = y * 3 + y * 0.01  # 4096 paths, the heaviest of 3 ** 12
    loss = y.sum()
    found = inspect.why(x, 0, loss, paths=3)
    assert found.n_paths == 4096 and found.paths[0].contribution == pytest.approx(3.0**12, rel=1e-5)
    assert found.remainder == pytest.approx(3.01**12 - sum(p.contribution for p in found.paths), rel=1e-3)
    assert "all other paths" in str(found)


def test_why_needs_to_know_what_backward_went_out_from() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(ValueError, match=r"pass the tensor that backward went out from as result="):
        inspect.why(x.grad, 0)
    with pytest.raises(ValueError, match="expected the index of one element of a tensor of shape"):
        inspect.why(x.grad, 2, loss)
    with pytest.raises(ValueError, match="a leaf of the result's graph"):
        inspect.why(minigrad.ones(2), 0, loss)
    with pytest.raises(RuntimeError, match="expected one element"):
        inspect.why(x, 0, x * x)
    x.grad = None
    inspect.backward(loss)
    assert inspect.why(x.grad, 1).value == 4.0
    loss.backward()
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        inspect.why(x.grad, 1)


def test_the_first_nan_of_backward_is_found() -> None:
    x = minigrad.tensor([1.0, 0.0], requires_grad=True)
    loss = (x.sqrt() * minigrad.tensor([1.0, 0.0])).sum() + (x * 2).sum()
    found = inspect.why(x, 1, loss)
    assert (
        np.isnan(found.value) and "the rule of sqrt for input" in found.first_bad and "test_graph.py" in found.first_bad
    )
    assert inspect.why(x, 0, loss).first_bad == ""


def test_the_first_infinity_of_forward_is_found() -> None:
    x = minigrad.tensor([1.0, 1000.0], requires_grad=True)
    found = inspect.why(x, 1, x.exp().tanh().log1p().sum() - x.exp().sum())
    assert "forward: exp" in found.first_bad and "1 inf" in found.first_bad


# What made a value that is not finite, and what `why` says of it.
NOT_FINITE: dict[str, tuple[Any, str]] = {
    "made, and kept by nobody": (lambda x: (x.log() * 0).sum(), r"forward: log, called at .*, is the first to have made"),
    "made of leaves": (lambda x: (x.log() - x.log()).sum(), r"forward: log, called at .*, is the first to have made"),
    "given": (lambda x: (x * x * minigrad.tensor([np.nan, 1.0])).sum(), r"forward: mul, called at .*, was given a NaN as other"),
    "a mask is no accident": (
        lambda x: (x + minigrad.full((2,), -np.inf)).softmax(0).sum(),
        r"forward: softmax, called at .*, is the first",
    ),
    "not used": (lambda x: minigrad.where(x > 0, x.log(), 0.0).sum(), r"backward: the rule of log for input, g / input, is the first"),
    "the root of 0": (lambda x: (x * x)[:1].sum().sqrt(), r"(?s)backward: the rule of sqrt for input, .*gave: shape \(\), .*1 inf"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_FINITE)
def test_where_a_value_that_is_not_finite_came_from(name: str) -> None:
    make, expected = NOT_FINITE[name]
    x = minigrad.tensor([0.0, 2.0], requires_grad=True)
    found = inspect.why(x, 0, make(x))
    assert not np.isfinite(found.value) and re.search(expected, found.first_bad, re.DOTALL), found


def test_a_leaf_that_is_not_finite_is_named() -> None:
    x = minigrad.tensor([np.nan, 1.0], requires_grad=True)
    found = inspect.why(x, 0, (x * x).sum(), names={"x": x})
    assert found.first_bad.startswith("forward: x itself is not finite\n  shape (2,), float32") and "1 nan" in str(
        found
    )


@pytest.mark.parametrize("paths", [1, 10])
def test_a_nan_elsewhere_spoils_no_contribution(paths: int) -> None:
    x = minigrad.tensor([np.nan, 0.0, 3.0], requires_grad=True)
    found = inspect.why(x, 2, (x * x + x.sqrt() * 0).sum(), paths=paths)
    assert found.value == 6.0 and found.paths[0].contribution == 3.0
    assert found.remainder + sum(path.contribution for path in found.paths) == 6.0


def test_the_module_of_a_value_that_is_not_finite_is_told() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(1))
    model[0].weight.data = minigrad.tensor([[3e38, 3e38], [1.0, 1.0]])
    with inspect.trace(model) as calls:
        loss = model(minigrad.ones(1, 2)).sum()
    inspect.backward(loss, calls)
    assert "forward: linear in 0, called at" in str(inspect.why(model[0].weight.grad, (0, 0)))


def test_a_leaf_may_be_asked_about_after_each_of_several_backwards() -> None:
    """A dictionary with weak references to tensors compared them by their elements, so that the second step of a training failed."""
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    inspect.backward((x * x).sum())
    inspect.backward((x * 3).sum())
    found = inspect.why(x.grad, 1)
    assert (found.value, found.beyond) == (
        3.0,
        4.0,
    ) and ".grad holds +4 besides: of another backward, or by a hook" in str(found)
    x.grad = None
    inspect.backward((x * x).sum())
    found = inspect.why(x.grad, 1)
    assert (found.value, found.beyond) == (4.0, 0.0) and "besides" not in str(found)


def test_what_is_remembered_of_a_leaf_goes_with_it() -> None:
    from minigrad.inspect.why import RESULTS

    before = len(RESULTS)
    x = minigrad.ones(3, requires_grad=True)
    for _ in range(2):
        inspect.backward((x.exp() * x).sum())
    assert len(RESULTS) == before + 1
    del x
    gc.collect()
    assert len(RESULTS) == before


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"index": True}, ValueError, "expected the index of one element"),
        ({"index": 1.5}, ValueError, "expected the index of one element"),
        ({"paths": 0}, ValueError, "why: expected paths to be a number from 1 on, got 0"),
        ({"paths": "3"}, ValueError, "why: expected paths to be a number from 1 on, got '3'"),
        ({"limit": -1}, ValueError, "why: expected limit to be a number from 1 on, got -1"),
        ({"calls": nn.Linear(1, 1)}, TypeError, r"expected calls to be the inspect.trace that was on, got Linear; with inspect.trace\(model\)"),
        ({"names": ["x"]}, TypeError, r"expected names to be a dictionary from names to tensors, got \['x'\]"),
        ({"names": {"x": 3}}, TypeError, "expected names to be a dictionary from names to tensors"),
        ({"result": 3}, TypeError, "expected a tensor, got int"),
    ],
)  # fmt: skip
def test_wrong_arguments_of_why_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(error, match=message):
        inspect.why(x, **{"index": 0, "result": (x * x).sum()} | arguments)


@pytest.mark.parametrize("depth", ["1", -1, 1.5, True])
def test_wrong_depths_are_refused(depth: Any) -> None:
    found = inspect.graph(minigrad.ones(2, requires_grad=True).sum())
    for draw in (found.tree, found.dot, found.svg, found.groups):
        with pytest.raises(ValueError, match="expected depth to be a number from 0 on, or None for all, got"):
            draw(depth)


# --- orders that are wrong --------------------------------------------------------------------------------------------


def test_wrong_orders_give_wrong_sums_and_say_so() -> None:
    x = minigrad.tensor(3.0, requires_grad=True)
    y = x * x
    loss = y + y * y
    right = inspect.steps(loss, names={"x": x})
    assert right.gradients["x"] == 114 and not right.wrong_leaves
    recursion = inspect.steps(loss, names={"x": x}, order="recursion")
    assert recursion.wrong_leaves == ["x"] and recursion.gradients["x"] != 114 and any(step.wrong for step in recursion)
    breadth = inspect.steps(loss, names={"x": x}, order="breadth first")
    assert (
        breadth.gradients["x"] == 6
        and breadth.wrong_leaves == ["x"]
        and any(h.lost for step in breadth for h in step.handed_on)
    )
    with pytest.raises(ValueError, match="expected order to be one of"):
        inspect.steps(loss, order="random")


@pytest.mark.parametrize("order", ["recursion", "breadth first"])
def test_on_a_chain_every_order_is_right(order: str) -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    walk = inspect.steps(x.exp().tanh().sum(), order=order)
    assert not walk.wrong_leaves and not any(step.wrong for step in walk)


def test_a_recursion_without_end_is_refused() -> None:
    x = minigrad.tensor(1.0, requires_grad=True)
    for _ in range(20):
        x = x + x
    with pytest.raises(RuntimeError, match="the recursion takes more than"):
        inspect.steps(x, order="recursion")


def test_steps_go_forward_and_back() -> None:
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    walk = inspect.steps((x * x).sum())
    assert [
        walk.current.number,
        walk.forward().number,
        walk.forward().number,
        walk.forward().number,
        walk.back().number,
    ] == [0, 1, 2, 2, 1]
    mul = walk[1]
    assert mul.formulas == {"input": "g * other", "other": "g * input"} and "@mul.vjp" in mul.code
    assert mul.handed_on[1].sum_before.tolist() == [1, 2] and mul.handed_on[1].sum_after.tolist() == [2, 4]
    assert "together with what was there" in str(mul) and walk[2].heap == []


# --- the graph --------------------------------------------------------------------------------------------------------


def traced(model: nn.Module, x: Any) -> tuple[Any, inspect.trace]:
    with inspect.trace(model) as calls:
        loss = model(x).sum()
    return loss, calls


def test_nodes_know_their_modules_and_parameters_their_names() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 3), Residual())
    before = state_of(model)
    loss, calls = traced(model, waves(1, 3, 8, 8))
    found = inspect.graph(loss, calls)
    assert state_of(model) == before
    assert {node.label for node in found.leaves} == {name for name, _ in model.named_parameters()}
    assert {(n.op, n.module) for n in found.nodes.values() if not n.is_leaf} == {
        ("conv", "0"), ("conv", "1.conv1"), ("conv", "1.conv2"), ("relu", "1"), ("add", "1"), ("sum", None),
    }  # fmt: skip
    assert all("test_graph.py" in n.place or "nets.py" in n.place for n in found.nodes.values() if not n.is_leaf)
    assert {a for a, _, _ in found.edges} | {b for _, b, _ in found.edges} == set(found.nodes)
    assert all(a < b for a, b, _ in found.edges)


def test_bytes_are_counted_once_and_parameters_not() -> None:
    x = minigrad.ones(10, requires_grad=True)
    y = x.exp()
    found = inspect.graph((y * y * x).sum())
    assert found.kept_bytes == 2 * 40  # y and y * y
    assert [(node.op, node.kept_bytes) for node in found.holders] == [("exp", 40), ("mul", 40)]


@pytest.mark.parametrize("depth", [None, 0, 1, 2])
@pytest.mark.parametrize(
    "make", [lambda: (UNet(), waves(1, 1, 8, 8)), lambda: (models.resnet18(num_classes=2), waves(2, 3, 32, 32))]
)
def test_the_picture_is_well_formed_and_nothing_overlaps(make: Any, depth: int | None) -> None:
    model, x = make()
    loss, calls = traced(model, x)
    found = inspect.graph(loss, calls)
    root = ElementTree.fromstring(found.svg(depth))
    boxes = [g for g in root if g.tag.endswith("}g")]
    assert sorted(int(n) for g in boxes for n in g.attrib["data-nodes"].split()) == sorted(found.nodes)
    places = [{k: float(v) for k, v in g[1].attrib.items() if k in ("x", "y", "width", "height")} for g in boxes]
    rows: dict[float, list[tuple[float, float]]] = {}
    for p in places:
        rows.setdefault(p["y"], []).append((p["x"], p["x"] + p["width"]))
    for row in rows.values():
        row.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(row))
    y_of = {g.attrib["id"]: p["y"] for g, p in zip(boxes, places, strict=True)}
    edges = [e for e in root if e.attrib.get("class") == "edge"]
    assert edges or depth == 0
    assert all(y_of[e.attrib["data-from"]] < y_of[e.attrib["data-to"]] for e in edges)
    if depth == 0:
        assert len(boxes) == 2  # the model and the sum
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", found.svg(depth))


def test_dot_and_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    loss, calls = traced(UNet(), waves(1, 1, 8, 8))
    text = inspect.graph(loss, calls).dot()
    assert (
        text.count("->") == len({(a, b) for a, b, _ in inspect.graph(loss, calls).edges})
        and 'subgraph "cluster down1"' in text
    )
    if shutil.which("dot"):
        assert "<svg" in inspect.graph(loss, calls).svg(graphviz=True)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="needs the program `dot`"):
        inspect.graph(loss, calls).svg(graphviz=True)


def test_deep_graphs() -> None:
    x = minigrad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3000):
        y = y + 1
    found = inspect.graph(y)
    assert len(found) == 3001 and len(found.tree(depth=2).splitlines()) == 3 and len(found.tree().splitlines()) == 3001
    assert inspect.steps(y)[-1].incoming == 1


def test_steps_are_printed_with_and_without_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    walk = inspect.steps((x * x).sum(), names={"x": x})
    monkeypatch.setitem(sys.modules, "rich.console", None)
    walk.show()
    plain = capsys.readouterr().out
    assert plain == str(walk) + "\n" and "to other (#" in plain and "g * input = [1, 2]" in plain
    monkeypatch.undo()
    pytest.importorskip("rich")
    walk.show()
    assert "@mul.vjp" in capsys.readouterr().out


def test_what_has_no_graph_is_refused() -> None:
    with pytest.raises(RuntimeError, match="needs no gradient"):
        inspect.graph(minigrad.ones(2))
    with pytest.raises(TypeError, match="expected a tensor, got float"):
        inspect.graph(3.0)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="pass its gradient"):
        inspect.steps(minigrad.ones(2, requires_grad=True) * 2)


def test_custom_functions_are_shown_too() -> None:
    class Double(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * 2

    x = minigrad.ones(2, requires_grad=True)
    walk = inspect.steps(Double.apply(x).sum(), names={"x": x})
    assert walk.gradients["x"].tolist() == [2, 2] and walk[1].node.op == "Double" and "return g * 2" in walk[1].code
