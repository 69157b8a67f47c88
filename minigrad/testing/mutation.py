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


class Seen:
    """What a fault did in all examples."""

    def __init__(self) -> None:
        self.calls = 0
        self.values = False  # some result had other elements
        self.graphs = False  # some result had another graph
        self.zero = True  # every result was 0
        self.longest = 0  # the longest axis of a result

    def result(self, right: Tensor, made: Tensor) -> None:
        """Compares a result with what it should be."""
        self.calls += 1
        array = right.array
        self.values |= made.shape != right.shape or not np.allclose(
            made.array, array, rtol=1e-9, atol=0, equal_nan=True
        )
        self.graphs |= made.requires_grad != right.requires_grad
        self.zero &= not array.any()
        self.longest = max(self.longest, *array.shape, 0)

    def reason(self) -> str:
        """Why nothing differed."""
        if not self.calls:
            return "the rule never ran"
        if self.zero:
            return "the rule gives 0 only"
        if self.graphs:
            return "no second derivative depends on it"
        return (
            "the rule gives the same with and without it" if self.longest > 1 else "the rule gives single numbers only"
        )


class Score:
    """Which faults of an operation the laws noticed.

    Args:
        noticed: for each fault, as "rule: fault", the laws that noticed it.
        survived: the faults that no law noticed.
        equivalent: the faults that are none here, because they changed no result in any example, with the reason; they do not count.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.noticed: dict[str, list[str]] = {}
        self.survived: list[str] = []
        self.equivalent: dict[str, str] = {}

    @property
    def score(self) -> float:
        """The share of the faults that were noticed."""
        total = len(self.noticed) + len(self.survived)
        return len(self.noticed) / total if total else 1.0

    def __repr__(self) -> str:
        lines = [f"{self.name}: {len(self.noticed)} of {len(self.noticed) + len(self.survived)} faults noticed"]
        lines += [f"  survived: {fault}" for fault in self.survived]
        lines += [f"  no fault here: {fault}: {reason}" for fault, reason in self.equivalent.items()]
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
            seen = Seen()
            likely = [name for name in names if name == "second_derivative"] if fault.cut is not None else []
            tried = [*likely, *[name for name in names if name not in likely]]
            with mutated(rule, fault, seen):
                found = first_breaking(op, tried[:4], max_examples)
                if not found and (seen.values or seen.graphs):
                    found = first_breaking(op, tried[4:], max_examples)
                if not found and not seen.zero:  # a difference may show in too few of the examples
                    found = first_breaking(op, tried[:1], 8 * max_examples)
            label = f"rule for {inputs}: {fault.name}"
            if found:
                score.noticed[label] = found
            elif seen.values or seen.graphs and changes_second_derivatives(op, rule, fault, max_examples):
                score.survived.append(label)
            else:
                score.equivalent[label] = seen.reason()
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
        with mutated(rule, fault, Seen()):
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
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
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
def mutated(rule: Any, fault: Mutant, seen: Seen) -> Iterator[None]:
    """The rule with the fault in it; `seen` is told what differs."""
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
        seen.result(one, made)
        return made

    def wrong(g: Any, *args: Any) -> Any:
        given = list(args)
        if cut is not None and isinstance(given[cut], Tensor):
            seen.graphs |= given[cut].requires_grad
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
    unknown = [name for name in names if name not in REGISTRY]
    if unknown:
        sys.exit(f"mutation: there is no operation with rules of its own called {', '.join(unknown)}; docs/operations.md names all")
    survived = 0
    for name in names:
        score = mutate(REGISTRY[name])
        survived += len(score.survived)
        print(score if score.survived else str(score).splitlines()[0], flush=True)
    print(f"{survived} faults survived")
    sys.exit(survived > 0)


if __name__ == "__main__":
    main()
