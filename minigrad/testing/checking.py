"""check: one call that tells whether the derivative of a function is right."""

from __future__ import annotations

import re
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from minigrad.core.primitive import Primitive
from minigrad.testing.adapters import CannotBeDone, Subject, subject_of
from minigrad.testing.case import Broken, Budget, Notes, OutOfTime, Unusable
from minigrad.testing.functions import examine
from minigrad.testing.operations import LAWS, Law, telling_first
from minigrad.testing.report import Finding, GradientError
from minigrad.testing.samples import (
    EMPTY,
    accepted,
    arguments,
    as_inputs,
    cut,
    enlarged,
    generic,
    like,
    repeated_batch,
    resized,
    variations,
)
from minigrad.testing.script import script_of
from minigrad.testing.session import Session, told

SECONDS = 16.0  # for the search; to make the found example small takes up to SHRINKING more
SHRINKING = 5.0
EXPLAINING = 3.0
EVERY_HEALTH_CHECK = cast("list[HealthCheck]", list(HealthCheck))  # whose metaclass has no annotations
ENOUGH = 60  # elements: an example to guess at the reason from


class Result:
    """What `check` found where nothing is wrong.

    Args:
        verdict: "pass", or "cannot tell" where no element of any gradient could be judged.
        reason: why nothing can be told.
        notes: what was seen on the way.
        examples: how many examples were tried.
        seconds: how long it took.
    """

    def __init__(self, name: str, verdict: str, reason: str, notes: Notes, examples: int, seconds: float) -> None:
        self.name = name
        self.verdict = verdict
        self.reason = reason
        self.laws = dict(notes.laws)
        self.ties = dict(notes.ties)
        self.remarks = list(notes.remarks)
        self.elements = notes.elements
        self.undecided = notes.unknown
        self.exact = notes.exact
        self.examples = examples
        self.seconds = seconds

    def __repr__(self) -> str:
        lines = [f"{self.name}: {self.verdict}{': ' + self.reason if self.reason else ''}"]
        lines.append(
            f"  {self.examples} examples, {self.elements} elements of gradients compared with differences, {self.undecided} undecided"
            + (f"; {self.exact} slopes confirmed by complex steps" if self.exact else "")
        )
        lines.append(f"  laws: {', '.join(f'{name} {n}' for name, n in self.laws.items())}")
        if self.ties:
            lines.append(
                f"  at kinks the gradient is {', '.join(f'{rule} ({n} times)' for rule, n in self.ties.items())}"
            )
        lines += [f"  note: {remark}" for remark in self.remarks]
        return "\n".join(lines)


def check(
    fn: Any,
    *inputs: Any,
    vjp: Callable[..., Any] | None = None,
    framework: str | None = None,
    domain: Any = None,
    max_examples: int | None = None,
    laws: Sequence[str] | None = None,
    seconds: float = SECONDS,
) -> Result:
    """Checks the derivative of a function against differences, and against itself called in other ways.

    Args:
        fn: takes the inputs, gives an array or tensor or a tuple of them. An operation of minigrad's, a `torch.autograd.Function`, or a function.
        inputs: arrays or tensors to try it on, or Hypothesis strategies for them; other values are passed on as they are. Without any, arrays of
            common shapes are tried.
        vjp: its derivative where it has none of its own: ``vjp(g, *inputs)`` gives the tuple of gradients.
        framework: "minigrad", "torch", "numpy", "jax" or "autograd"; guessed from the function, the inputs and `vjp` if not given.
        domain: bounds (low, high) of the numbers to try, where no inputs are given; a list of them for one each.
        max_examples: how many examples to draw (default: 20, or what the profile of the pytest plugin says).
        laws: the names of the laws to check (default: all).
        seconds: how long to search; at most 10 more are spent on making an example small.

    Returns:
        A `Result`, whose `verdict` is "pass" or "cannot tell".

    Raises:
        GradientError: the derivative is wrong; the message says where, guesses why, and has a script that shows it.
        ValueError, TypeError: the function cannot be called so.

    >>> import numpy as np
    >>> from minigrad.testing import check
    >>> check(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: (g * np.cos(x),)).verdict
    'pass'
    >>> check(np.sin, np.array([0.5, 2.0]), vjp=lambda g, x: (-g * np.cos(x),))
    Traceback (most recent call last):
        ...
    minigrad.testing.report.GradientError: sin: the gradient of input 0 is wrong
      law       gradient
      guess     sign: the gradient is negated on every element
    ...
    """
    subject = subject_of(fn, vjp, framework, inputs)
    search = Search(subject, Session.max_examples if max_examples is None else max_examples, laws, seconds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if any(isinstance(x, SearchStrategy) for x in inputs):
            search.drawn(st.tuples(*[x if isinstance(x, SearchStrategy) else st.just(x) for x in inputs]))
        elif inputs:
            search.given(as_inputs(inputs))
        elif isinstance(fn, Primitive) and is_declared(fn):
            search.operation(fn)
        else:
            search.by_shapes(domain)
    return search.result()


class Search:
    """The search for an example that breaks a law."""

    def __init__(self, subject: Subject, max_examples: int, laws: Sequence[str] | None, seconds: float) -> None:
        self.subject = subject
        self.max_examples = max_examples
        self.laws = laws
        self.budget = Budget(seconds)
        self.notes = Notes()
        self.findings: list[Finding] = []
        self.coarse = False  # whether only errors count that are large beside the function itself
        self.strategy = False  # whether examples are drawn, so that others like them may be made
        self.bounds: dict[int, tuple[float, float]] = {}
        self.examples = 0
        self.refusals: list[str] = []
        self.start = time.monotonic()

    # --- examples -------------------------------------------------------------------------------------------------

    def try_example(self, arrays: Sequence[Any], lenient: bool = False, resized: bool = False) -> None:
        """Examines one example; remembers and raises what it breaks."""
        self.remember(arrays)
        try:
            examine(
                self.subject,
                arrays,
                self.notes,
                self.budget,
                lenient,
                ["gradient"] if resized else self.laws,
                resized,
                self.coarse,
            )
            self.examples += 1
        except Unusable as error:
            self.refusals.append(str(error))
        except Broken as broken:
            if not self.findings:  # from now on the time is for making it smaller
                self.budget = Budget(min(SHRINKING, max(1.0, self.budget.left() + SHRINKING)))
            self.findings.append(broken.finding)
            raise

    def remember(self, arrays: Sequence[Any]) -> None:
        """Between which bounds each input lies."""
        for i, a in enumerate(arrays):
            if isinstance(a, np.ndarray) and a.dtype.kind == "f" and np.isfinite(a).any():
                finite = a[np.isfinite(a)]
                low, high = self.bounds.get(i, (np.inf, -np.inf))
                self.bounds[i] = min(low, float(finite.min())), max(high, float(finite.max()))

    def given(self, arrays: list[Any]) -> None:
        """The arrays, and what follows from them."""
        try:
            for number, (example, lenient) in enumerate(variations(arrays)):
                self.try_example(example, lenient)
                if number == 0 and self.refusals:
                    raise ValueError(
                        f"check: {self.subject.name} cannot be called with the inputs given: {self.refusals[0]}"
                    )
                if number + 1 >= max(1, self.max_examples):
                    break
            if self.max_examples > 1:
                self.larger(arrays)
                self.other_shapes(arrays)
        except Broken as broken:
            self.simplify(broken.finding)
        except OutOfTime:
            self.notes.remark("the time was spent before all examples were tried")

    def larger(self, arrays: Sequence[Any]) -> None:
        """Larger numbers than the given ones, whose gradients alone are looked at, where they are finite."""
        self.coarse = True  # also where an example is made smaller that is found here
        for example in enlarged(arrays):
            self.try_example(example, True, True)
        self.coarse = False

    def other_shapes(self, arrays: Sequence[Any]) -> None:
        """The arrays with axes of length 2 in the place of 1, of 1 and of 0.

        Not for what is the framework's own: its functions may write beyond their memory where sizes do not fit, as torch's ctc_loss does.
        """
        if self.subject.framework != "minigrad" and not self.subject.run(arrays).own:
            return
        batches = [(example, True) for example in repeated_batch(self.subject, arrays)]
        for example, broadcasts in [*batches, *resized(self.subject, arrays)]:
            try:
                self.try_example(example, True, broadcasts)
            except Broken as broken:
                shapes = " and ".join(str(a.shape) for a in example if isinstance(a, np.ndarray))
                broken.finding.guess = broken.finding.guess or f"wrong for some shapes only, as {shapes} here"
                raise

    def drawn(self, strategy: SearchStrategy[Any]) -> None:
        """Examples that Hypothesis draws, and makes smaller when one breaks a law."""

        def test(values: Any) -> None:
            if (
                len(values) == 1
                and isinstance(values[0], (tuple, list))
                and any(isinstance(v, np.ndarray) for v in map(self_or_array, values[0]))
            ):
                values = values[0]  # one strategy for all arguments
            self.try_example(as_inputs(values))

        run = self.configured(given(strategy)(test))
        self.strategy = True
        try:
            run()
        except OutOfTime:
            if not self.findings:
                self.notes.remark("the time was spent before all examples were tried")
        except BaseException:
            if not self.findings:
                raise

    def by_shapes(self, domain: Any) -> None:
        """Arrays of all shapes that the function takes: numbers all over the domain first, then readable ones with ties, then none at all."""
        shapes, domains = accepted(self.subject, domain)
        try:
            for one in (
                shapes
            ):  # those of several sizes, even if the first shows an error: the larger tell more about its reason
                try:
                    self.try_example(generic(one, domains))
                except Broken:
                    if len(self.findings) > 3:
                        break
            for one in shapes[:2] if domain is None and not self.findings else ():
                self.larger(generic(one, domains))
        except Broken:
            return
        except OutOfTime:
            self.notes.remark("the time was spent before all examples were tried")
            return
        self.drawn(arguments(shapes, domains).map(lambda arrays: (arrays,)))
        if not self.findings:
            self.empty(len(domains))

    def empty(self, count: int) -> None:
        """Arrays without elements: gradients have their shapes; to refuse them is no error."""
        for shape in EMPTY:
            try:
                self.try_example([np.zeros(shape)] * count, True)
            except OutOfTime:
                return
            except Broken as broken:
                if "shape" in broken.finding.what:
                    return
                self.findings.clear()

    def operation(self, op: Primitive) -> None:
        """The laws of operations, which know how theirs wants to be called."""
        for name in telling_first():
            law, broken = LAWS[name], list[AssertionError]()
            if law.applies(op) and (self.laws is None or name in self.laws):
                try:
                    self.configured(self.law_test(law, op, broken))()
                except (AssertionError, OutOfTime) as error:
                    if broken:
                        raise GradientError(f"{op.name}: breaks the law {name!r}: {broken[-1]}") from error
                    if not isinstance(error, OutOfTime):
                        raise
                    self.notes.remark(f"the time was spent before the law {name!r} was checked on all examples")
                    return
                self.notes.laws[name] += self.max_examples
                self.notes.elements += 1
                self.examples += self.max_examples

    def law_test(self, law: Law, op: Primitive, broken: list[AssertionError]) -> Callable[..., Any]:
        """A law as a test of Hypothesis, which stops when the time is spent."""

        @given(data=st.data())
        def run(data: Any) -> None:
            try:
                law(op, data.draw)
            except AssertionError as error:
                if not broken:  # from now on the time is for making the example smaller
                    self.budget = Budget(SHRINKING)
                broken.append(error)
                self.budget.check()
                raise
            self.budget.check()  # not before: Hypothesis insists that the same draws follow on the same

        return run

    def configured(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """A test of Hypothesis with the settings of this search."""
        if Session.seed is not None:
            run = seed(Session.seed)(run)
        return settings(
            max_examples=max(1, self.max_examples),
            derandomize=Session.seed is None,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=EVERY_HEALTH_CHECK,
            report_multiple_bugs=False,
        )(run)

    def simplify(self, finding: Finding) -> None:
        """Shorter axes and rounder numbers, as long as the same law is broken."""
        arrays, law = list(finding.arrays), finding.law
        progress = True
        try:
            while progress:
                progress = False
                for candidate in simpler(arrays):
                    if self.breaks(candidate, law, "shape" not in finding.what):
                        arrays, progress = candidate, True
                        break
        except OutOfTime:
            pass

    def breaks(self, arrays: list[Any], law: str, resized: bool) -> bool:
        self.budget.check()
        before = len(self.findings)
        try:
            self.try_example(arrays, True, resized)
        except Broken as broken:
            if broken.finding.law == law:
                return True
            del self.findings[before:]
        return False

    # --- outcome --------------------------------------------------------------------------------------------------

    def result(self) -> Result:
        """The verdict, if there is no error to raise."""
        if self.findings:
            error = self.error()
            told(self.subject.name, dict.fromkeys(self.notes.laws, "ok") | {self.findings[0].law: "WRONG"})
            raise error
        told(self.subject.name, dict.fromkeys(self.notes.laws, "ok"))
        seconds = time.monotonic() - self.start
        if self.notes.elements or self.examples and not self.notes.unknown and not self.notes.remarks:
            return Result(self.subject.name, "pass", "", self.notes, self.examples, seconds)
        if not self.examples and self.refusals:
            raise ValueError(
                f"check: {self.subject.name} cannot be called with any of the inputs that were tried: {self.refusals[0]}"
            )
        reason = "; ".join(["no element of any gradient lies where the function has a slope", *self.notes.remarks])
        return Result(self.subject.name, "cannot tell", reason, self.notes, self.examples, seconds)

    def error(self) -> GradientError:
        """The smallest example, with the guess that a larger one allows."""
        smallest = min(self.findings, key=lambda f: f.size)
        smallest.guess = self.guess(smallest)
        names = [f"input {i}" for i in range(len(smallest.arrays))]
        smallest.script = script_of(self.subject, smallest)
        return GradientError(smallest.text(self.subject.name, names), smallest)

    def guess(self, smallest: Finding) -> str:
        """What most examples say that are large and in no way special: small ones, and those with zeros and ties, fit many errors."""
        first = self.findings[0]
        others = self.generic_findings(smallest.law) if self.strategy else ()
        telling = [f for f in (first, *others) if f.law == smallest.law and f.varied]
        most = max([f.size[0] for f in telling], default=0)
        guesses = [f for f in telling if f.guess and f.size[0] == most] or [f for f in telling if f.guess]
        if not guesses and not telling:
            alike = [f for f in self.findings if f.law == smallest.law and f.guess]
            alike = [
                f for f in alike if f.partial
            ] or alike  # where some elements are right, "on every element" would be wrong
            large = max([min(f.size[0], ENOUGH) for f in alike], default=0)
            guesses = [f for f in alike if min(f.size[0], ENOUGH) == large]
        if not guesses:
            return ""
        ((wording, _),) = Counter([without_numbers(f.guess) for f in guesses]).most_common(1)
        if without_numbers(smallest.guess) == wording:
            return smallest.guess  # with the numbers of the example that is shown
        told = next(f for f in guesses if without_numbers(f.guess) == wording)
        if not re.search(r"\d", re.sub(r"(input|output|axis) \d+", "", told.guess)) or shapes_of(told) == shapes_of(smallest):
            return told.guess
        return f"{told.guess} (found with inputs of shape {' and '.join(map(str, shapes_of(told)))})"

    def generic_findings(self, law: str) -> Iterator[Finding]:
        """What breaks the law among numbers all over what was seen, in the shapes of the first that did, and in larger ones."""
        budget = Budget(EXPLAINING)
        for longer in (0, 2):
            for number in range(2):
                arrays = like(self.findings[0].arrays, self.bounds, longer, number)
                try:
                    if arrays is not None:
                        examine(self.subject, arrays, Notes(), budget, True, [law])
                except Broken as broken:
                    yield broken.finding
                except (Unusable, CannotBeDone):
                    pass
                except OutOfTime:
                    return


def is_declared(op: Primitive) -> bool:
    """Does an operation say how it is to be called?"""
    return "cases" in op.facts or "domains" in op.facts or op.facts.get("laws") == "reduction"


def shapes_of(finding: Finding) -> list[tuple[int, ...]]:
    return [np.shape(a) for a in finding.arrays]


def without_numbers(text: str) -> str:
    return re.sub(r"[-\d.e]+", "", text)


def self_or_array(value: Any) -> Any:
    return as_inputs([value])[0]


def simpler(arrays: Sequence[Any]) -> list[list[Any]]:
    """Arrays with axes of one length cut shorter, and with rounder numbers."""
    lengths = sorted({n for a in arrays if isinstance(a, np.ndarray) for n in a.shape if n > 1}, reverse=True)
    found = [[cut(a, n, new) for a in arrays] for n in lengths for new in sorted({1, 2, n // 2, n - 1} - {0, n})]
    for digits in (0, 1, 2):
        rounded = [np.round(a, digits) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arrays]
        if any(isinstance(a, np.ndarray) and not np.array_equal(a, b) for a, b in zip(arrays, rounded, strict=True)):
            found.append(rounded)
    return found
