"""Random programs of views and writes in place: whatever way a value takes through shared memory, its gradient is right.

A program is a list of steps on a growing list of tensors. It runs here, under torch, and as a plain function for numeric derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad

Shape = tuple[int, ...]


class Program:
    """Steps that can be run in a framework `m`; `__repr__` is what Hypothesis prints of a failing one."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.shapes = [shape] * 3  # x * 1, y * 2 and a tensor without history
        self.lines: list[str] = []
        self.steps: list[tuple[Callable[[Any, list[Any]], Any], bool, bool]] = []

    def add(self, text: str, function: Callable[[Any, list[Any]], Any], shape: Shape | None = None, quiet: bool = False) -> None:
        """A step; with a shape it makes a new tensor, without it writes into an old one, with `quiet` under no_grad."""
        name = f"t{len(self.shapes)} = " if shape is not None else ""
        self.lines.append(f"{'no_grad: ' if quiet else ''}{name}{text}")
        self.steps.append((function, shape is not None, quiet))
        if shape is not None:
            self.shapes.append(shape)

    def run(self, m: Any, x: Any, y: Any) -> list[Any]:
        """All tensors at the end."""
        tensors = [x * 1, y * 2, m.full(self.shape, 0.5, dtype=m.float64)]
        for function, makes, quiet in self.steps:
            with m.no_grad() if quiet else nullcontext():
                out = function(m, tensors)
            if makes:
                tensors.append(out)
        return tensors

    def __repr__(self) -> str:
        return f"shape {self.shape}: " + "; ".join(self.lines)


def apart(m: Any, x: Any, dim: int, index: int) -> Any:
    """A slice as one of several views, where those may be written: under no_grad(); else a view of its own."""
    return x.select(dim, index) if m.is_grad_enabled() else x.unbind(dim)[index]


def piece(m: Any, x: Any, dim: int, index: int) -> Any:
    return x.narrow(dim, index, 1) if m.is_grad_enabled() else x.split(1, dim)[index]


@st.composite
def programs(draw: Any, writes_under_no_grad: bool = True) -> Program:
    program = Program(tuple(draw(st.lists(st.integers(1, 3), max_size=3))))
    for _ in range(draw(st.integers(2, 9))):
        i = draw(st.integers(0, len(program.shapes) - 1))
        kind = draw(st.sampled_from(("view", "write", "view", "write", "compute")))
        if kind == "view":
            add_view(draw, program, i)
        elif kind == "write":
            add_write(draw, program, i, writes_under_no_grad and draw(st.integers(0, 9)) == 0)
        else:
            name = draw(st.sampled_from(("sin", "exp", "clone")))
            program.add(f"t{i}.{name}()", lambda m, t, i=i, n=name: getattr(t[i], n)(), program.shapes[i])
    return program


def add_view(draw: Any, program: Program, i: int) -> None:
    shape = program.shapes[i]
    n = len(shape)
    forms = ["unsqueeze", "squeeze", "expand", "detach", "whole"]
    forms += ["select", "slice", "unbind", "split", "transpose", "permute", "flatten", "unfold"] * (n > 0) + ["diagonal", "T"] * (n > 1)
    form = draw(st.sampled_from(forms))
    d = draw(st.integers(0, max(n - 1, 0)))
    length = shape[d] if n else 1
    k = draw(st.integers(0, length - 1))
    e = draw(st.integers(0, max(n - 1, 0)))
    order = draw(st.permutations(range(n)))
    text, view = {
        "unsqueeze": (f"unsqueeze({d})", lambda m, x: x.unsqueeze(d)),
        "squeeze": ("squeeze()", lambda m, x: x.squeeze()),
        "expand": (f"expand(2, *{shape})", lambda m, x: x.expand(2, *shape)),
        "detach": ("detach()", lambda m, x: x.detach()),
        "whole": ("[...]", lambda m, x: x[...]),
        "select": (f"select({d}, {k})", lambda m, x: x.select(d, k)),
        "slice": (f"slice({d}, {k}::2)", lambda m, x: x[(slice(None),) * d + (slice(k, None, 2),)]),
        "unbind": (f"unbind({d})[{k}]", lambda m, x: apart(m, x, d, k)),
        "split": (f"split(1, {d})[{k}]", lambda m, x: piece(m, x, d, k)),
        "transpose": (f"transpose({d}, {e})", lambda m, x: x.transpose(d, e)),
        "permute": (f"permute({order})", lambda m, x: x.permute(*order)),
        "flatten": ("reshape(-1)", lambda m, x: x.reshape(-1)),
        "unfold": (f"unfold({d}, {k + 1}, 1)", lambda m, x: x.unfold(d, k + 1, 1)),
        "diagonal": ("diagonal()", lambda m, x: x.diagonal()),
        "T": ("mT", lambda m, x: x.mT),
    }[form]
    with minigrad.no_grad():
        new = tuple(view(minigrad, minigrad.zeros(shape)).shape)
    program.add(f"t{i}.{text}", lambda m, t: view(m, t[i]), new)


def add_write(draw: Any, program: Program, i: int, quiet: bool) -> None:
    shape = program.shapes[i]
    form = draw(st.sampled_from(("add_", "mul_", "copy_", "sin_", "exp_", "sigmoid_", "add_(2)", "fill_", "masked_fill_", "setitem", "shift", "index_put_")))
    others = [j for j, s in enumerate(program.shapes) if fits(s, shape)]
    j = draw(st.sampled_from(others))
    if form in ("add_", "mul_", "copy_"):
        # the other operand may share memory with this one, in part: torch refuses that, or gives wrong values
        program.add(f"t{i}.{form}(t{j}.clone())", lambda m, t: getattr(t[i], form)(t[j].clone()), quiet=quiet)
    elif form in ("sin_", "exp_", "sigmoid_"):
        program.add(f"t{i}.{form}()", lambda m, t: getattr(t[i], form)(), quiet=quiet)
    elif form == "masked_fill_":
        mask = np.arange(int(np.prod(shape))).reshape(shape) % 3 == 0
        program.add(f"t{i}.masked_fill_(every third, 0.3)", lambda m, t: t[i].masked_fill_(m.tensor(mask), 0.3), quiet=quiet)
    elif form in ("add_(2)", "fill_") or not shape:
        name = "fill_" if form == "fill_" else "add_"
        program.add(f"t{i}.{name}(0.7)", lambda m, t: getattr(t[i], name)(0.7), quiet=quiet)
    elif form == "setitem":
        rows = [j for j, s in enumerate(program.shapes) if fits(s, shape[1:])]
        k = draw(st.integers(0, shape[0] - 1))
        if rows:
            j = draw(st.sampled_from(rows))
            program.add(f"t{i}[{k}] = t{j}.clone()", lambda m, t: t[i].__setitem__(k, t[j].clone()), quiet=quiet)
    elif form == "shift":
        program.add(f"t{i}[1:] += t{i}[:-1].clone()", lambda m, t: t[i].__setitem__(slice(1, None), t[i][1:].add_(t[i][:-1].clone())), quiet=quiet)
    else:
        places = draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=3))
        program.add(
            f"t{i}.index_put_(({places},), t{i}[0] * 2, accumulate=True)",
            lambda m, t: t[i].index_put_((m.tensor(places),), t[i][0] * 2, accumulate=True),
            quiet=quiet,
        )


def fits(s: Shape, shape: Shape) -> bool:
    """Can this shape be broadcast to that one?"""
    return len(s) <= len(shape) and all(a in (1, b) for a, b in zip(s[::-1], shape[::-1], strict=False))


def start(shape: Shape) -> tuple[Any, Any]:
    n = int(np.prod(shape))
    return np.linspace(0.2, 0.9, n).reshape(shape), np.linspace(0.8, 0.3, n).reshape(shape)


def weighted(m: Any, x: Any) -> Any:
    """A sum in which every element counts differently."""
    return (x * m.tensor(np.linspace(1.0, 2.0, max(int(np.prod(tuple(x.shape))), 1)).reshape(tuple(x.shape)))).sum()


def gradients(m: Any, x: Any, leaves: list[Any]) -> list[Any]:
    found = m.autograd.grad(weighted(m, x), leaves, retain_graph=True, allow_unused=True, materialize_grads=True)
    return [g.detach().numpy() for g in found]


@settings(max_examples=300, deadline=None)
@given(program=programs())
def test_random_programs_as_in_torch(program: Program) -> None:
    """The same values; the same gradient for every tensor; and where a value was overwritten that backward needs, both say so."""
    torch = pytest.importorskip("torch")
    arrays = start(program.shape)
    ours, theirs = ([m.tensor(a, dtype=m.float64, requires_grad=True) for a in arrays] for m in (minigrad, torch))
    try:
        expected = program.run(torch, *theirs)
    except RuntimeError as error:
        assert "single memory location" in str(error)  # an expanded or unfolded tensor is written
        with pytest.raises(RuntimeError, match="several elements share one place in memory"):
            program.run(minigrad, *ours)
        return
    try:
        found = program.run(minigrad, *ours)
    except RuntimeError as error:  # torch lets writes to overlapping windows and fill_ of expanded tensors pass
        assert "several elements share one place in memory" in str(error)
        return
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_allclose(a.array, b.detach().numpy(), rtol=1e-12, err_msg=f"t{i}")
        assert (a.requires_grad, a.is_leaf) == (b.requires_grad, b.is_leaf), f"t{i}"
        if not b.requires_grad:
            continue
        try:
            wanted = gradients(torch, b, theirs)
        except RuntimeError as error:
            assert "modified by an inplace operation" in str(error)
            with pytest.raises(RuntimeError, match="overwritten"):
                gradients(minigrad, a, ours)
        else:
            for g, w in zip(gradients(minigrad, a, ours), wanted, strict=True):
                np.testing.assert_allclose(g, w, rtol=1e-10, atol=1e-12, err_msg=f"the gradient of t{i}")


@settings(max_examples=100, deadline=None)
@given(program=programs(writes_under_no_grad=False))
def test_random_programs_against_numeric_derivatives(program: Program) -> None:
    """The gradient is that of the function that the program is, whatever it does in memory."""
    if any("detach" in line for line in program.lines):  # cuts gradients off that the function has
        return
    arrays = start(program.shape)
    leaves = [minigrad.tensor(a, dtype=minigrad.float64, requires_grad=True) for a in arrays]
    directions = [np.cos(np.arange(a.size)).reshape(a.shape) for a in arrays]
    step = 1e-6
    try:
        found = program.run(minigrad, *leaves)
        near = [program.run(minigrad, *[minigrad.tensor(a + s * step * d) for a, d in zip(arrays, directions, strict=True)]) for s in (1, -1)]
    except RuntimeError as error:
        assert "several elements share one place in memory" in str(error)
        return
    for i, (x, high, low) in enumerate(zip(found, *near, strict=True)):
        if not x.requires_grad:
            np.testing.assert_allclose(high.array, low.array, rtol=1e-12, err_msg=f"t{i} changes but has no gradient")
            continue
        try:
            slope = sum(np.sum(g * d) for g, d in zip(gradients(minigrad, x, leaves), directions, strict=True))
        except RuntimeError as error:
            assert "overwritten" in str(error)
            continue
        numeric = (weighted(minigrad, high).item() - weighted(minigrad, low).item()) / (2 * step)
        assert abs(slope - numeric) <= 1e-6 * max(1.0, abs(numeric)), f"t{i}: {slope}, numerically {numeric}"
