"""Mutation testing of derivatives: faults are put into the rules of an operation, and the laws have to notice each.

A suite of tests that lets a wrong sign pass proves nothing. So every systematic fault that a rule may have is tried: in its result a sign, a factor, a
forgotten cotangent, values in other places, what an earlier call gave; in each value that it has kept one that is left out, of an earlier call, or cut off
from the graph; and broadcasting that nothing undoes. Those that change nothing, such as the transpose of one number, do not count, and the score says why.

    python -m minigrad.testing.mutation [--jobs N] [NAME ...]  # the score of these operations, or of all
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption

from minigrad.core.primitive import REGISTRY, Primitive
from minigrad.core.tensor import TABLE, Tensor, make_tensor
from minigrad.ops.activation import relu
from minigrad.ops.shape import sum_to_size
from minigrad.testing.checking import EVERY_HEALTH_CHECK
from minigrad.testing.operations import LAWS, evaluate, pull_back, telling_first
from minigrad.testing.strategies import Call, DrawFunction, calls, cotangents

Change = Callable[..., Any]
EXAMPLES = 25


class Mutant:
    """One fault.

    Args:
        name: what it is called in reports.
        change: how it changes the result of a rule, given that, the cotangent and what was returned before.
        argument: which argument of the rule is changed instead: `change` gets that, and what it was in the call before.
        of_engine: the fault is not in the rule but in what the engine makes of its result: `change` takes the place of `sum_to_size`.
    """

    def __init__(self, name: str, change: Change, argument: int | None = None, of_engine: bool = False) -> None:
        self.name = name
        self.change = change
        self.argument = argument
        self.of_engine = of_engine


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


def earlier(value: Tensor, before: Tensor | None) -> Tensor:
    return value if before is None or before.shape != value.shape else before


def once_only(g: Tensor, before: Tensor | None) -> Tensor:
    """Nothing where the same was given just before, as for the second use of a value."""
    again = before is not None and before.shape == g.shape and np.array_equal(before.array, g.array)
    return 0 * g if again else g


def first_of_broadcast(g: Tensor, size: Sequence[int]) -> Tensor:
    """A gradient in the shape of what was broadcast, without the sum."""
    if not g.array.size:
        return sum_to_size(g, size)
    g = g[(0,) * (g.ndim - len(size))]
    return g[tuple([slice(0, n) for n in size])]


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
    Mutant("stale", lambda g, cotangent, before: earlier(g, before)),
    Mutant("counts once what is used twice", lambda g, cotangent, before: once_only(g, before)),
    Mutant("broadcasting undone without a sum", first_of_broadcast, of_engine=True),
)


def faults_of_arguments(rule: Any) -> Iterator[Mutant]:
    """Faults for each value that a rule has kept."""
    for k, where in enumerate(rule.picks):
        if where.is_kept_tensor():
            yield Mutant(f"argument {k + 1} cut off from the graph", lambda value, before: value.detach(), k)
            yield Mutant(f"argument {k + 1} left out", lambda value, before: 1 + 0 * value.detach(), k)
            yield Mutant(f"argument {k + 1} of an earlier call", earlier, k)


class Effect:
    """What a fault changed in all examples."""

    def __init__(self) -> None:
        self.calls = 0
        self.values = False  # some result had other elements
        self.graphs = False  # some result had another graph
        self.second = False  # some second derivative had other elements
        self.zero = True  # every result was 0
        self.longest = 0  # the longest axis of a result

    @property
    def any(self) -> bool:
        return self.values or self.second

    def result(self, right: Any, made: Any) -> None:
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
        noticed: for each fault, as "rule: fault", the law that noticed it.
        survived: the faults that no law noticed.
        equivalent: the faults that are none here, because they changed no result in any example, with the reason; they do not count.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.noticed: dict[str, str] = {}
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
        faults: the faults; those of the values that a rule has kept come on top.

    >>> import minigrad
    >>> from minigrad.testing import mutate
    >>> from minigrad.testing.mutation import FAULTS
    >>> mutate(minigrad.tanh, faults=FAULTS[:3])
    tanh: 6 of 6 faults noticed
    """
    if not isinstance(op, Primitive):
        raise TypeError(f"mutate: expected an operation made by @primitive, got {type(op).__name__}")
    names = [name for name in (laws or telling_first()) if LAWS[name].applies(op)]
    score = Score(op.name)
    for rule in op.rules:
        inputs = ", ".join([op.tensors[i] for i in rule.inputs])
        mutants = [*faults, *faults_of_arguments(rule)]
        effects = effects_of(op, rule, mutants, 4 * max_examples)
        left = {
            f"rule for {inputs}: {mutant.name}": (mutant, effect)
            for mutant, effect in zip(mutants, effects, strict=True)
        }
        score.equivalent |= {label: effect.reason() for label, (_, effect) in left.items() if not effect.any}
        first = [name for name in names if name != "second_derivative"]
        for seen, order in ((True, names), (False, [*[n for n in names if n not in first], *first])):
            alive = {label: mutant for label, (mutant, effect) in left.items() if effect.any and effect.values == seen}
            # a difference may show in too few of the examples: the likeliest law tries many more in the end
            for name, examples in [
                *[(name, max_examples) for name in order],
                *[(name, 8 * max_examples) for name in order[:1]],
            ]:
                noticed = noticed_by(op, rule, alive, name, examples)
                score.noticed |= dict.fromkeys(noticed, name)
                alive = {label: mutant for label, mutant in alive.items() if label not in noticed}
            unseen = {
                label for label, mutant in alive.items() if not changes_derivatives(op, rule, mutant, 4 * max_examples)
            }
            score.equivalent |= dict.fromkeys(unseen, "the engine sums what it changes: no derivative does")
            score.survived += [label for label in alive if label not in unseen]
    return score


# --- faults in their place --------------------------------------------------------------------------------------------


class Faulty:
    """A rule with a fault in it, which remembers the call before."""

    def __init__(self, right: Callable[..., Any], mutant: Mutant) -> None:
        self.right = right
        self.mutant = mutant
        self.before: dict[int, Tensor] = {}

    def __call__(self, g: Any, *args: Any) -> Any:
        k = self.mutant.argument
        if k is None:
            return self.changed(self.right(g, *args), g)
        given = list(args)
        if isinstance(given[k], Tensor) and given[k].dtype.kind == "f":
            given[k] = self.mutant.change(given[k], self.before.get(k))
            self.before[k] = args[k].detach()
        return self.right(g, *given)

    def changed(self, out: Any, g: Any) -> Any:
        """What the fault makes of the result of the rule."""
        cotangent = g[0] if isinstance(g, (tuple, list)) else g
        if not isinstance(out, (tuple, list)):
            return self.changed_one(out, cotangent, 0)
        return type(out)([self.changed_one(one, cotangent, k) for k, one in enumerate(out)])

    def changed_one(self, one: Any, cotangent: Any, k: int) -> Any:
        if not isinstance(one, Tensor) or self.mutant.of_engine:
            return one
        made = self.mutant.change(one, cotangent, self.before.get(k))
        self.before[k] = one.detach()
        return made


@contextmanager
def in_place(rule: Any, function: Callable[..., Any], mutant: Mutant | None = None) -> Iterator[None]:
    """The rule with another function; the engine with the fault, if it is one of the engine's."""
    before, sums = rule.function, TABLE["sum_to_size"]
    rule.function = function
    if mutant is not None and mutant.of_engine:
        TABLE["sum_to_size"] = mutant.change
    try:
        yield
    finally:
        rule.function = before
        TABLE["sum_to_size"] = sums


def quietly(max_examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Settings of Hypothesis for tests that are expected to fail."""
    return settings(
        max_examples=max_examples, phases=[Phase.generate], derandomize=True, database=None, deadline=None,
        suppress_health_check=EVERY_HEALTH_CHECK, report_multiple_bugs=False,
    )  # fmt: skip


class NothingLeft(BaseException):
    """All is known that was to be found out; not an Exception, which Hypothesis would try to see again."""


def on_examples(check: Callable[[DrawFunction], None], max_examples: int) -> None:
    """Runs it on so many examples, or until it raises NothingLeft."""

    @quietly(max_examples)
    @given(data=st.data())
    def run(data: Any) -> None:
        check(data.draw)

    with suppress(NothingLeft, Unsatisfiable):
        run()


def effects_of(op: Primitive, rule: Any, mutants: Sequence[Mutant], max_examples: int) -> list[Effect]:
    """What each fault changes in the results of a rule, in the first derivatives and in the second, where no law looks."""
    effects = [Effect() for _ in mutants]
    faulty = [Faulty(rule.function, mutant) for mutant in mutants]

    def observed(g: Any, *args: Any) -> Any:
        out = rule_function(g, *args)
        for effect, one in zip(effects, faulty, strict=True):
            if not effect.values and not one.mutant.of_engine:
                compare(effect, out, one, g, args)
        return out

    def check(draw: DrawFunction) -> None:
        call = draw(calls(op))
        xs, outs = evaluate(call)
        weights = draw(cotangents([out.array for out in outs]))
        with in_place(rule, observed):
            right = derivatives(call, weights)
        for effect, one in zip(effects, faulty, strict=True):
            may_differ = effect.graphs or one.mutant.argument is not None  # a cotangent with a graph hides that a value has lost its own
            if one.mutant.of_engine and not effect.values or may_differ and not effect.any:
                with in_place(rule, one, one.mutant):
                    made = derivatives(call, weights)
                if one.mutant.of_engine:
                    for a, b in zip(right[: len(xs)], made, strict=False):
                        effect.result(make_tensor(a), make_tensor(b))
                effect.second |= not alike(right, made)
        if all(effect.any for effect in effects):
            raise NothingLeft

    rule_function = rule.function
    on_examples(check, max_examples)
    return effects


def changes_derivatives(op: Primitive, rule: Any, mutant: Mutant, max_examples: int) -> bool:
    """Does a fault that no law noticed change any derivative? What a rule gives for a number that was broadcast, say, is summed in any order."""
    changed: list[bool] = []
    faulty = Faulty(rule.function, mutant)

    def check(draw: DrawFunction) -> None:
        call = draw(calls(op))
        weights = draw(cotangents([out.array for out in evaluate(call)[1]]))
        right = derivatives(call, weights)
        with in_place(rule, faulty, mutant):
            made = derivatives(call, weights)
        if not alike(right, made):
            changed.append(True)
            raise NothingLeft

    on_examples(check, max_examples)
    return bool(changed)


def alike(right: Sequence[Any], made: Sequence[Any]) -> bool:
    pairs = zip(right, made, strict=True)
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True) for a, b in pairs)


def compare(effect: Effect, out: Any, faulty: Faulty, g: Any, args: Sequence[Any]) -> None:
    """Tells what a fault changes in this result."""
    try:
        made = faulty(g, *args) if faulty.mutant.argument is not None else faulty.changed(out, g)
    except Exception:  # such as that of a decomposition which does not exist
        effect.values = True
        return
    pairs = zip(out, made, strict=True) if isinstance(out, (tuple, list)) else ((out, made),)
    for one, other in pairs:
        if isinstance(one, Tensor) and isinstance(other, Tensor):
            effect.result(one, other)


def derivatives(call: Call, weights: Sequence[Any]) -> list[Any]:
    """The first derivatives, without a graph and with one, and the second by inputs and cotangents."""
    xs, outs = evaluate(call)
    plain = pull_back(outs, weights, xs)
    xs, outs = evaluate(call)
    starts = [make_tensor(w).requires_grad_() for w in weights]
    first = pull_back(outs, starts, xs, create_graph=True)
    second = pull_back(first, [np.ones(g.shape, g.dtype) for g in first], [*xs, *starts])
    return [g.array for g in (*plain, *first, *second)]


# --- laws -------------------------------------------------------------------------------------------------------------


class Recorder:
    """Draws for a law, and gives the same again where it is to be tried on the same example."""

    def __init__(self, draw: DrawFunction) -> None:
        self.draw = draw
        self.drawn: list[Any] = []

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        self.drawn.append(self.draw(strategy))
        return self.drawn[-1]

    def replay(self) -> DrawFunction:
        """What was drawn, from the beginning; a law that wants more than that does not count."""
        drawn = iter(self.drawn)

        def draw(strategy: st.SearchStrategy[Any]) -> Any:
            for value in drawn:
                return value
            raise UnsatisfiedAssumption

        return draw


def noticed_by(op: Primitive, rule: Any, alive: dict[str, Mutant], name: str, max_examples: int) -> set[str]:
    """Which faults a law finds a counterexample to; all are tried on the same examples, those of the rule as it should be."""
    left = {label: Faulty(rule.function, mutant) for label, mutant in alive.items()}

    def check(draw: DrawFunction) -> None:
        recorder = Recorder(draw)
        LAWS[name](op, recorder)
        for label, faulty in list(left.items()):
            with in_place(rule, faulty, faulty.mutant):
                try:
                    LAWS[name](op, recorder.replay())
                except UnsatisfiedAssumption:
                    pass
                except Exception:
                    del left[label]
        if not left:
            raise NothingLeft

    if left:
        on_examples(check, max_examples)
    return set(alive) - set(left)


def breaks(op: Primitive, name: str, max_examples: int) -> bool:
    """Does this law find a counterexample?"""
    try:
        on_examples(partial(LAWS[name], op), max_examples)
    except Exception:
        return True
    return False


# --- all operations ---------------------------------------------------------------------------------------------------


def operations() -> list[str]:
    """The operations of minigrad with rules of their own that can be drawn."""
    from importlib import import_module
    from pkgutil import walk_packages

    package = import_module("minigrad.ops")
    for module in walk_packages(package.__path__, "minigrad.ops."):
        import_module(module.name)
    return [
        name
        for name, op in REGISTRY.items()
        if op.rules and "tested_by" not in op.facts and op.__module__.startswith("minigrad.")
    ]


def scored(name: str, max_examples: int) -> Score:
    """The score of an operation by its name: what another process can be asked for."""
    operations()
    return mutate(REGISTRY[name], max_examples=max_examples)


def main(arguments: Sequence[str]) -> int:
    """The score of the operations that are named, or of all."""
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="python -m minigrad.testing.mutation", description="puts faults into the rules of operations"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="an operation (default: all)")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="how many examples each law may try")
    parser.add_argument("--jobs", type=int, default=1, help="how many operations at once, each in a process of its own")
    options = parser.parse_args(arguments)
    known = operations()
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.exit(
            2,
            f"mutation: there is no operation with rules of its own called {', '.join(unknown)}; docs/operations.md names all\n",
        )
    survived = 0
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:  # which starts no process before it is asked
        each = pool.map if options.jobs > 1 else map
        for score in each(partial(scored, max_examples=options.examples), options.names or known):
            print(score if score.survived else str(score).splitlines()[0], flush=True)
            survived += len(score.survived)
    print(f"{survived} faults survived")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
