"""Mutation testing of derivatives: faults are put into the rules of an operation, and the laws have to notice each.

A suite of tests that lets a wrong sign pass proves nothing. So every systematic fault that the result of a rule may have is tried: its sign, a factor, a
forgotten cotangent, values in other places, a term that is left out, and what is kept from an earlier call. Those that change nothing, such as the
transpose of one number, are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from minigrad.core.primitive import Primitive
from minigrad.core.tensor import TABLE, Tensor, make_tensor
from minigrad.ops.activation import relu
from minigrad.testing.operations import LAWS, evaluate, pull_back
from minigrad.testing.strategies import Call, calls

Change = Callable[..., Any]
EXAMPLES = 25


class Mutant:
    """One fault.

    Args:
        name: what it is called in reports.
        change: how it changes the result of a rule, given that, the cotangent and what was returned before.
        cut: which argument of the rule it cuts off from the graph instead, so that only the second derivative is wrong.
    """

    def __init__(self, name: str, change: Change, cut: int | None = None) -> None:
        self.name = name
        self.change = change
        self.cut = cut


def flipped(g: Tensor, axis: int) -> Tensor:
    return TABLE["flip"](g, (axis,)) if g.ndim else g


def rolled(g: Tensor) -> Tensor:
    return TABLE["roll"](g, 1, g.ndim - 1) if g.ndim else g


def first_slice_only(g: Tensor) -> Tensor:
    mask = np.zeros(g.shape, g.array.dtype)
    mask[:1] = 1
    return g * make_tensor(mask)


def border_zero(g: Tensor) -> Tensor:
    mask = np.ones(g.shape, g.array.dtype)
    if g.ndim:
        mask[..., -1] = 0
    return g * make_tensor(mask)


def swapped(g: Tensor) -> Tensor:
    return TABLE["transpose"](g, -1, -2) if g.ndim > 1 and g.shape[-1] == g.shape[-2] else g


def averaged(g: Tensor) -> Tensor:
    return g.mean(g.ndim - 1, keepdim=True).expand(g.shape) if g.ndim and g.array.size else g


FAULTS = (
    Mutant("sign", lambda g, cotangent, before: -g),
    Mutant("factor 2", lambda g, cotangent, before: 2 * g),
    Mutant("nearly right", lambda g, cotangent, before: 1.001 * g),
    Mutant("forgotten", lambda g, cotangent, before: 0 * g),
    Mutant("constant added", lambda g, cotangent, before: g + 1e-3),
    Mutant("absolute value", lambda g, cotangent, before: g.abs()),
    Mutant("cut off from the graph", lambda g, cotangent, before: g.detach()),
    Mutant("negative ones dropped", lambda g, cotangent, before: relu(g)),
    Mutant("reversed along the first axis", lambda g, cotangent, before: flipped(g, 0)),
    Mutant("shifted along the last axis", lambda g, cotangent, before: rolled(g)),
    Mutant("first slice only", lambda g, cotangent, before: first_slice_only(g)),
    Mutant("zero at the border", lambda g, cotangent, before: border_zero(g)),
    Mutant("transposed", lambda g, cotangent, before: swapped(g)),
    Mutant("averaged over the last axis", lambda g, cotangent, before: averaged(g)),
    Mutant("not linear in the cotangent", lambda g, cotangent, before: g * (1 + 0.1 * cotangent.abs().mean())),
    Mutant("accumulates", lambda g, cotangent, before: g if before is None or before.shape != g.shape else g + before),
    Mutant("stale", lambda g, cotangent, before: g if before is None or before.shape != g.shape else before),
)


class Score:
    """Which faults of an operation the laws noticed.

    Args:
        noticed: for each fault, as "rule: fault", the laws that noticed it.
        survived: the faults that no law noticed.
        equivalent: the faults that changed no result in any example.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.noticed: dict[str, list[str]] = {}
        self.survived: list[str] = []
        self.equivalent: list[str] = []

    @property
    def score(self) -> float:
        """The share of the faults that were noticed."""
        total = len(self.noticed) + len(self.survived)
        return len(self.noticed) / total if total else 1.0

    def __repr__(self) -> str:
        lines = [f"{self.name}: {len(self.noticed)} of {len(self.noticed) + len(self.survived)} faults noticed"]
        lines += [f"  survived: {fault}" for fault in self.survived]
        lines += [f"  no difference: {fault}" for fault in self.equivalent]
        return "\n".join(lines)


def mutate(
    op: Primitive, laws: Sequence[str] | None = None, max_examples: int = EXAMPLES, faults: Sequence[Mutant] = FAULTS
) -> Score:
    """Puts every fault into every rule of an operation in turn, and reports which of them the laws notice.

    Args:
        op: an operation that can be drawn: it declares domains or cases.
        laws: the names of the laws to try, the likeliest first (default: all that apply).
        max_examples: how many examples each law may try.
        faults: the faults.

    >>> import minigrad
    >>> from minigrad.testing import mutate
    >>> from minigrad.testing.mutation import FAULTS
    >>> mutate(minigrad.tanh, faults=FAULTS[:3])
    tanh: 4 of 4 faults noticed
    """
    if not isinstance(op, Primitive):
        raise TypeError(f"mutate: expected an operation made by @primitive, got {type(op).__name__}")
    names = [name for name in (laws or ordered()) if LAWS[name].applies(op)]
    score = Score(op.name)
    for number, rule in enumerate(op.rules):
        inputs = ", ".join([op.tensors[i] for i in rule.inputs])
        for fault in (*faults, *detached_picks(op, number)):
            differences: list[bool] = []
            cut = fault.cut is not None
            likely = [name for name in names if name == "second_derivative"] if cut else []
            with mutated(rule, fault, differences):
                tried = [*likely, *[name for name in names if name not in likely]]
                found = first_breaking(op, tried, max_examples)
                if not found and any(differences) and not cut:  # a difference was there, but in too few of the examples
                    found = first_breaking(op, tried[:2], 8 * max_examples)
            if cut and not found:
                differences = [changes_second_derivatives(op, rule, fault, max_examples)]
            label = f"rule for {inputs}: {fault.name}"
            if found:
                score.noticed[label] = found
            elif any(differences):
                score.survived.append(label)
            else:
                score.equivalent.append(label)
    return score


def ordered() -> list[str]:
    """All laws, those first that notice most."""
    first = ["gradient", "unmodified", "fan_out", "second_derivative"]
    return first + [name for name in LAWS if name not in first]


def changes_second_derivatives(op: Primitive, rule: Any, fault: Mutant, max_examples: int) -> bool:
    """Does a fault that no law noticed change any second derivative? That of relu is 0, cut off or not."""
    changed: list[bool] = []

    def second(call: Call) -> list[Any]:
        xs, outs = evaluate(call)
        first = pull_back(outs, [np.full(out.shape, 0.75, out.array.dtype) for out in outs], xs, create_graph=True)
        return [g.array for g in pull_back(first, [np.ones(g.shape, g.array.dtype) for g in first], xs)]

    @quietly(max_examples)
    @given(data=st.data())
    def run(data: Any) -> None:
        call = data.draw(calls(op))
        right = second(call)
        with mutated(rule, fault, []):
            wrong = second(call)
        changed.append(
            not all(np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) for a, b in zip(right, wrong, strict=True))
        )

    run()
    return any(changed)


def first_breaking(op: Primitive, names: Sequence[str], max_examples: int) -> list[str]:
    for name in names:
        if breaks(op, name, max_examples):
            return [name]
    return []


def quietly(max_examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Settings of Hypothesis for tests that are expected to fail."""
    return settings(
        max_examples=max_examples, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip


def breaks(op: Primitive, name: str, max_examples: int) -> bool:
    """Does this law find a counterexample?"""

    @quietly(max_examples)
    @given(data=st.data())
    def run(data: Any) -> None:
        LAWS[name](op, data.draw)

    try:
        run()
    except Exception:
        return True
    return False


def detached_picks(op: Primitive, number: int) -> Iterator[Mutant]:
    """A fault for each value that a rule has kept: it is cut off from the graph, so that only the second derivative is wrong."""
    rule = op.rules[number]
    for k, where in enumerate(rule.picks):
        if where.is_kept_tensor():
            yield Mutant(f"argument {k + 1} cut off from the graph", lambda g, cotangent, before: g, k)


@contextmanager
def mutated(rule: Any, fault: Mutant, differences: list[bool]) -> Iterator[None]:
    """The rule with the fault in it; tells whether any result differed."""
    right = rule.function
    before: dict[int, Tensor] = {}
    cut = fault.cut

    def changed(one: Any, cotangent: Tensor, k: int) -> Any:
        if not isinstance(one, Tensor):
            return one
        if cut is None:
            made = fault.change(one, cotangent, before.get(k))
            before[k] = one.detach()
        else:
            made = one
        shapes = made.shape == one.shape
        differences.append(
            not shapes
            or not np.allclose(made.array, one.array, rtol=1e-9, atol=0, equal_nan=True)
            or cut is None
            and made.requires_grad != one.requires_grad
        )
        return made

    def wrong(g: Any, *args: Any) -> Any:
        given = list(args)
        if cut is not None and isinstance(given[cut], Tensor):
            differences.append(given[cut].requires_grad)
            given[cut] = given[cut].detach()
        out = right(g, *given)
        cotangent = g[0] if isinstance(g, (tuple, list)) else g
        if isinstance(out, (tuple, list)):
            return type(out)([changed(one, cotangent, k) for k, one in enumerate(out)])
        return changed(out, cotangent, 0)

    rule.function = wrong
    try:
        yield
    finally:
        rule.function = right


def main() -> None:
    """python -m minigrad.testing.mutation [NAME ...]: the score of these operations, or of all."""
    import sys
    from importlib import import_module
    from pkgutil import walk_packages

    from minigrad.core.primitive import REGISTRY

    package = import_module("minigrad.ops")
    for module in walk_packages(package.__path__, "minigrad.ops."):
        import_module(module.name)
    names = sys.argv[1:] or [
        n
        for n, op in REGISTRY.items()
        if op.rules and "tested_by" not in op.facts and op.__module__.startswith("minigrad.")
    ]
    survived = 0
    for name in names:
        score = mutate(REGISTRY[name])
        survived += len(score.survived)
        print(score if score.survived else str(score).splitlines()[0], flush=True)
    print(f"{survived} faults survived")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
