"""What the derivative of every function keeps, whatever framework it is written in: one function a law, each of which looks at one `Case`.

The first law compares with differences. The others compare the derivative with itself, called in another way that must not matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad.testing.adapters import CannotBeDone, NumpySubject, Second, Subject, TensorSubject, as_tuple
from minigrad.testing.case import Broken, Budget, Case, Notes, Refused, Unusable, if_accepted
from minigrad.testing.differences import deterministic, differences, first_call, roundings, unwritten
from minigrad.testing.report import Array
from minigrad.testing.strategies import memory_layouts

CALLS, SECONDS_OF_CALLS = 50, 0.3  # of the same, for what is wrong by chance


def repeated(case: Case) -> None:
    """The same call gives the same gradient again, however often."""
    again = [np.array(g) for g in case.pull(case.run, case.weights, " a second time")]
    same_again(case, again, False)
    end = time.monotonic() + (SECONDS_OF_CALLS if not case.notes.laws["repeated"] else 0.0)
    for _ in range(CALLS):
        _, anew = case.fresh(case.arrays, case.weights, " in the second call")
        same_again(case, anew, True)
        if time.monotonic() > end:
            break


def same_again(case: Case, found: Sequence[Array], new: bool) -> None:
    """Refuses gradients that are not those of the first call; they are of the same graph or of a new call."""
    apart = case.near(found, case.gradients, case.exact, smooth=False)
    if apart is None:
        return
    i, wrong = apart
    first, second = case.gradients[i], found[i]
    guess = "right in the first call, wrong in the second: something is kept between calls"
    if np.allclose(second, 2 * first.astype(np.float64), rtol=1e-6):
        guess = "right in the first call, wrong in the second: gradients accumulate"
    elif comes_and_goes(case, new):
        guess = "random: the same call gives now one gradient and now another, as where memory is read that was never written"
    elif np.allclose(second, first, rtol=1e-2, atol=1e-2 * np.abs(first).max(initial=0.0)):
        guess = "right in the first call, wrong after others: stale, a later call replaced the values it had saved"
    case.fail_at(
        "repeated",
        f"the gradient of input {case.which[i]} is another when it is computed again {'in a new call' if new else 'from the same graph'}",
        guess,
        i,
        second,
        first,
        wrong,
    )


def comes_and_goes(case: Case, new: bool) -> bool:
    """Do further calls give the first gradients again, though another gave others?"""
    same = [
        case.near(case.fresh(case.arrays, case.weights)[1], case.gradients, case.exact, smooth=False) is None
        for _ in range(CALLS)
    ]
    return any(same) and (new or not all(same))


def proportional(case: Case) -> None:
    """The derivative is linear in the cotangent: 1000 times as much for 1000 times as much, 0 for 0, and additive."""
    random = np.random.default_rng(6)
    others = [np.asarray(random.permutation(w.ravel()).reshape(w.shape)) for w in case.weights]
    _, of_others = case.fresh(case.arrays, others)
    for factor in (1000.0, 0.001, -1.0, 0.0):
        _, found = case.fresh(case.arrays, [np.asarray(factor * w).astype(w.dtype) for w in case.weights])
        expected = [factor * g.astype(np.float64) for g in case.gradients]
        case.scale, scale = [abs(factor) * s for s in case.scale], case.scale
        apart = case.near(found, expected, 10 * case.exact, smooth=False)
        case.scale = scale
        if apart is not None and np.isfinite(expected[apart[0]][apart[1]]).any():
            i, wrong = apart
            guess = (
                "a constant is added that does not depend on the cotangent"
                if factor == 0
                else "it is not linear in the cotangent: clipped, rounded, or made positive"
            )
            case.fail_at("proportional", f"the gradient of input {case.which[i]} for {factor:g} times the cotangent is not {factor:g} times the gradient",
                         guess, i, found[i], expected[i], wrong)  # fmt: skip
    _, found = case.fresh(case.arrays, [np.asarray(w + o) for w, o in zip(case.weights, others, strict=True)])
    expected = [g.astype(np.float64) + o for g, o in zip(case.gradients, of_others, strict=True)]
    apart = case.near(found, expected, 100 * case.exact, smooth=False)
    if apart is not None and np.isfinite(expected[apart[0]][apart[1]]).any():
        i, wrong = apart
        case.fail_at("proportional", f"the gradients of input {case.which[i]} for two cotangents do not add up to that for their sum",
                     "it is not linear in the cotangent", i, found[i], expected[i], wrong)  # fmt: skip


def interleaved(case: Case) -> None:
    """Two calls whose backward passes come after both give what they give alone."""
    random = np.random.default_rng(7)
    others = [
        random.permutation(a.ravel()).reshape(a.shape) if i in case.which else a for i, a in enumerate(case.before)
    ]
    if all(np.array_equal(a, b) for i, (a, b) in enumerate(zip(others, case.before, strict=True)) if i in case.which):
        others = [np.asarray(a * a.dtype.type(0.75)) if i in case.which else a for i, a in enumerate(case.before)]
    with if_accepted(case, "a permutation of the elements"):
        _, alone = case.fresh(others, case.weights)
        first = case.call(case.arrays)
        second = case.call(others)
        for out, before in zip(first.outs, case.outs, strict=True):
            if not np.array_equal(out, before, equal_nan=True):
                case.fail(
                    "interleaved",
                    "a second call changes the output of the first",
                    "one buffer serves the outputs of all calls",
                )
        raw = case.pull(first, case.weights, " after another call")
        kept = [np.array(g) for g in raw]
        later = [np.array(g) for g in case.pull(second, case.weights, " after another call")]
        for i, (g, copy) in enumerate(zip(raw, kept, strict=True)):
            if not np.array_equal(g, copy, equal_nan=True):
                case.fail(
                    "interleaved",
                    f"a second call changes the gradient of input {case.which[i]} that the first returned",
                    "one buffer serves the gradients of all calls",
                )
        for found, expected, other in ((kept, case.gradients, alone), (later, alone, case.gradients)):
            apart = case.near(found, expected, case.exact, smooth=False)
            if apart is not None:
                i, wrong = apart
                stale = np.allclose(found[i], other[i], rtol=1e-6, equal_nan=True)
                guess = (
                    "stale: it is the gradient of the other call, whose saved values replaced those of this one"
                    if stale
                    else "something is kept between calls"
                )
                case.fail_at("interleaved", f"the gradient of input {case.which[i]} is another when a second call comes between forward and backward",
                             guess, i, found[i], expected[i], wrong)  # fmt: skip


def one_at_a_time(case: Case) -> None:
    """An input's gradient is the same when no other input asks for one, and when only one output is used."""
    if not isinstance(case.subject, TensorSubject) or case.subject.vjp is not None:
        return
    if len(case.which) > 1:
        for k, i in enumerate(case.which):
            run = case.subject.run(case.arrays, [i])
            try:
                found = run.pull(case.weights)[0]
            except Exception as error:
                case.fail(
                    "one at a time",
                    f"the derivative cannot be computed where only input {i} needs a gradient: {type(error).__name__}: {error}",
                )
            got = np.zeros(case.xs[k].shape) if found is None else np.asarray(found)
            apart = case.near(
                [*case.gradients[:k], got, *case.gradients[k + 1 :]], case.gradients, case.exact, smooth=False
            )
            if apart is not None:
                case.fail_at("one at a time", f"the gradient of input {i} is another when no other input needs one", "gradients are returned in another place, or needs_input_grad is mistaken", k, got, case.gradients[k], apart[1])  # fmt: skip
    if len(case.outs) > 1:
        total = [np.zeros(x.shape) for x in case.xs]
        for j in range(len(case.outs)):
            part = Case(Selected(case.subject, j), case.arrays, case.notes, case.budget)
            if part.outs:
                part.weights = [case.weights[j]]
                for g, one in zip(
                    total, part.pull(part.run, part.weights, f" where only output {j} is used"), strict=True
                ):
                    g += one
        apart = case.near(total, case.gradients, 100 * case.exact, smooth=False)
        if apart is not None:
            i, wrong = apart
            case.fail_at("one at a time", f"the gradients of input {case.which[i]} through each output alone do not add up to that through all",
                         "an output that is not used has no cotangent", i, total[i], case.gradients[i], wrong)  # fmt: skip


class Selected(TensorSubject):
    """One output of a subject."""

    def __new__(cls, subject: TensorSubject, which: int) -> Any:
        made = object.__new__(type(subject))
        made.__dict__.update(vars(subject))
        fn = subject.fn
        made.fn = lambda *args: [out for out in as_tuple(fn(*args)) if subject.is_output(out)][which]
        return made


def fanned_out(case: Case) -> None:
    """What is used twice gets both gradients."""
    if not isinstance(case.subject, TensorSubject) or case.subject.vjp is not None or case.subject.random:
        return
    twice = object.__new__(type(case.subject))
    twice.__dict__.update(vars(case.subject))
    fn = case.subject.fn
    twice.fn = lambda *args: (*as_tuple(fn(*args)), *as_tuple(fn(*args)))
    run = twice.run(case.arrays)
    found = [np.array(g) for g in case.pull(run, [*case.weights, *case.weights], " where the inputs are used twice")]
    expected = [2 * g.astype(np.float64) for g in case.gradients]
    apart = case.near(found, expected, 10 * case.exact, smooth=False)
    if apart is not None:
        i, wrong = apart
        case.fail_at("fan-out", f"the gradient of input {case.which[i]} of f(x) + f(x) is not twice that of f(x)",
                     "missing accumulation, or state that two calls share", i, found[i], expected[i], wrong)  # fmt: skip


def laid_out(case: Case) -> None:
    """The layout of inputs and cotangents in memory changes nothing."""
    for name, layout in memory_layouts():
        case.budget.check()
        arrays = [layout(a) if i in case.which and a.ndim else a for i, a in enumerate(case.before)]
        weights = [layout(w) if w.ndim else w for w in case.weights]
        for ours, cotangents, what in (
            (arrays, case.weights, f"inputs of layout {name!r}"),
            (case.before, weights, f"cotangents of layout {name!r}"),
        ):
            tidy = [np.array(a, order="C") if isinstance(a, np.ndarray) else a for a in ours]
            clean = [np.array(w, order="C") for w in cotangents]
            with if_accepted(case, what):
                run = case.call(ours)
                plain = case.call(tidy)
                expected = [np.array(g) for g in case.pull(plain, clean, "")]
                try:
                    found = [np.array(g) for g in run.pull(cotangents) if g is not None]
                except CannotBeDone:
                    continue
                except Exception as error:
                    if "read-only" in str(error):
                        case.fail(
                            "layout",
                            f"the derivative writes into {what.split(' of ')[0]} that it was given ({error})",
                            "a write in place",
                        )
                    raise Refused(type(error).__name__) from error
                if len(found) != len(expected):
                    continue
                if any(g.shape != e.shape for g, e in zip(found, expected, strict=True)):
                    case.fail("layout", f"the gradients have other shapes for {what}")
                if case.near(run.outs, plain.outs, 10 * case.exact, smooth=False, outputs=True) is not None:
                    case.notes.remark(f"the value of the function depends on the layout: for {what} it is another")
                    continue
                apart = case.near(found, expected, 10 * case.exact)
                if apart is not None and beyond_rounding(case, found, expected, apart):
                    i, wrong = apart
                    case.fail_at("layout", f"the gradient of input {case.which[i]} is another for {what}", "it reads memory instead of elements: strides are ignored",
                                 i, found[i], expected[i], wrong)  # fmt: skip


def beyond_rounding(case: Case, found: Sequence[Array], expected: Sequence[Array], apart: tuple[int, Array]) -> bool:
    """Is this more than what the last digits of the inputs change, as they do where a matrix is nearly singular?"""
    i, wrong = apart
    spread = roundings(case)[i]
    with np.errstate(all="ignore"):
        return bool((wrong & ~(np.abs(found[i] - expected[i]) <= 30 * spread)).any())


def in_single_precision(case: Case) -> None:
    """float32 gives what float64 gives, to single precision."""
    if case.precision > 1e-12:
        return
    narrow = [a.astype(np.float32) if i in case.which else a for i, a in enumerate(case.before)]
    wide = [a.astype(np.float64) if i in case.which else a for i, a in enumerate(narrow)]
    with if_accepted(case, "float32"), np.errstate(all="ignore"):
        outs, found = case.fresh(narrow, [w.astype(np.float32) for w in case.weights])
        if [out.shape for out in outs] != [out.shape for out in case.outs]:
            return
        _, expected = case.fresh(wide, [w.astype(np.float32).astype(np.float64) for w in case.weights])
        random = np.random.default_rng(8)
        spread = [np.zeros(g.shape) for g in found]
        for _ in range(3):
            moved = [
                np.asarray(a * (1 + 2.0**-22 * random.choice([-1, 0, 1], a.shape))).astype(np.float32)
                if i in case.which
                else a
                for i, a in enumerate(narrow)
            ]
            _, other = case.fresh(moved, [w.astype(np.float32) for w in case.weights])
            spread = [
                np.fmax(s, np.abs(g.astype(np.float64) - o)) for s, g, o in zip(spread, found, other, strict=True)
            ]
        for k, (g, e, s) in enumerate(zip(found, expected, spread, strict=True)):
            size = np.maximum(np.abs(e), 0.1 * case.sizes(k, e))
            wrong = (np.abs(g - e) > 3e-4 * size + 20 * s) & case.smooth[k] & np.isfinite(e)
            if wrong.any():
                single = Case(case.subject, narrow, Notes(), case.budget)
                first_call(single)
                try:
                    differences(single)
                except Broken:
                    case.fail_at("float32", f"the gradient of input {case.which[k]} in float32 is not what it is in float64",
                                 "precision is lost, or a constant is right for float64 only", k, g, e, wrong)  # fmt: skip


def aliased(case: Case) -> None:
    """One array in the place of two inputs gets the sum of what two equal ones get."""
    pairs = [
        (i, j)
        for n, i in enumerate(case.which)
        for j in case.which[n + 1 :]
        if case.arrays[i].shape == case.arrays[j].shape and case.arrays[i].dtype == case.arrays[j].dtype
    ]
    for i, j in pairs[:3]:
        for source in (i, j):
            apart_arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in case.before]
            apart_arrays[i], apart_arrays[j] = case.before[source].copy(), case.before[source].copy()
            with if_accepted(case, "equal inputs"):
                outs, separate = case.fresh(apart_arrays, case.weights)
                if [out.shape for out in outs] != [out.shape for out in case.outs] or not all(
                    np.isfinite(out).all() for out in outs
                ):
                    continue
                try:
                    run = shared(case.subject, i, j).run([a for n, a in enumerate(apart_arrays) if n != j])
                except Exception as error:
                    raise Refused(type(error).__name__) from error
                together = run.pull(case.weights)
                for out, value in zip(run.outs, outs, strict=True):
                    if not np.allclose(out, value, rtol=1e-4, equal_nan=True):
                        case.notes.remark(f"the value of the function changes where inputs {i} and {j} are one array")
                        return
                added = separate[case.which.index(i)].astype(np.float64) + separate[case.which.index(j)]
                got = together[[n for n in case.which if n != j].index(i)]
                got = np.zeros(added.shape) if got is None else np.asarray(got)
                size = max(float(np.abs(g[np.isfinite(g)]).max(initial=0.0)) for g in separate)
                wrong = ~((np.abs(got - added) <= 100 * case.exact * size) | ~np.isfinite(added))
                if wrong.any():
                    case.before = apart_arrays
                    case.fail_at("aliased", f"where inputs {i} and {j} are the same array, its gradient is not the sum of both", "a term is missing where inputs alias",
                                 case.which.index(i), got, added, wrong)  # fmt: skip


def shared(subject: Subject, i: int, j: int) -> Subject:
    """The subject with its i-th input in the place of the j-th too, which is left out."""
    made = object.__new__(type(subject))
    made.__dict__.update(vars(subject))
    fn, vjp = subject.fn, subject.vjp

    def full(args: Sequence[Any]) -> list[Any]:
        return [*args[:j], args[i], *args[j:]]

    made.fn = lambda *args: fn(*full(args))
    if vjp is not None:

        def both(g: Any, *args: Any) -> tuple[Any, ...]:
            found = list(as_tuple(vjp(g, *full(args))))
            other = found.pop(j)
            found[i] = other if found[i] is None else found[i] if other is None else found[i] + other
            return tuple(found)

        made.vjp = both
    return made


def second_derivative(case: Case) -> None:
    """The gradients of the gradients are what differences of the gradients give; what has no graph is not asked."""
    if not isinstance(case.subject, TensorSubject) or case.subject.vjp is not None or case.precision > 1e-12:
        return
    if case.subject.first_only:
        case.notes.remark(f"the second derivative is not judged: {case.subject.first_only}")
        return
    if sum(x.size for x in case.xs) + sum(w.size for w in case.weights) > 150:
        return
    for k in range(len(case.which)):
        case.budget.check()
        try:
            subject = Second(case.subject, len(case.weights), k)
            inner = Case(subject, [*case.before, *case.weights], case.notes, case.budget, True, 2)
            found = inner.run.pull(inner.weights)
        except (CannotBeDone, Unusable):
            continue
        except Exception as error:
            case.notes.remark(f"has no second derivative ({type(error).__name__})")
            continue
        inner.gradients = [
            np.zeros(x.shape, x.dtype) if g is None else np.array(g) for g, x in zip(found, inner.xs, strict=True)
        ]
        inner.missing = [g is None for g in found]
        differences(inner, "second derivative")
        case.notes.laws["second derivative"] += 1


def exact_adjoint(case: Case) -> None:
    """For linear functions of whole numbers, <g, f(x)> = <f'(g), x> without any error."""
    if len(case.which) != 1 or case.precision > 1e-12 or not isinstance(case.subject, (NumpySubject, TensorSubject)):
        return
    (i,) = case.which
    random = np.random.default_rng(9)
    shape = case.arrays[i].shape
    x, y = (random.integers(-4, 5, shape).astype(np.float64) for _ in range(2))

    def value(a: Array) -> list[Array]:
        return [
            np.array(out) for out in case.call([np.asarray(a) if n == i else b for n, b in enumerate(case.before)]).outs
        ]

    with if_accepted(case, "whole numbers"):
        of_x, of_y, of_both, of_zero = value(x), value(y), value(2 * x + 3 * y), value(np.zeros(shape))
        whole = all((np.round(out) == out).all() for out in of_x)
        if (
            not whole
            or any(zero.any() for zero in of_zero)
            or any((b != 2 * a + 3 * c).any() for a, b, c in zip(of_x, of_both, of_y, strict=True))
        ):
            return
        s, t = 1 / np.pi, 1 / np.e  # a function of the next whole number, or fraction, is not linear there
        between = value(s * x + t * y)
        if not all(np.allclose(b, s * a + t * c) for a, b, c in zip(of_x, between, of_y, strict=True)):
            return
        weights = [random.integers(-3, 4, out.shape).astype(out.dtype) for out in of_x]
        _, (g,) = case.fresh([x if n == i else b for n, b in enumerate(case.before)], weights)
        forward = sum(float((w * out).sum()) for w, out in zip(weights, of_x, strict=True))
        back = float((g * x).sum())
        case.notes.laws["adjoint"] += 1
        if forward != back:
            case.fail(
                "adjoint",
                f"the function is linear, but <g, f(x)> is {forward!r} while <f'(g), x> is {back!r}",
                "off by a rounding error, or by a small factor" if np.isclose(forward, back, rtol=1e-3) else "",
            )


LAWS_OF_FUNCTIONS: dict[str, Callable[[Case], None]] = {
    "gradient": differences,
    "repeated": repeated,
    "proportional": proportional,
    "interleaved": interleaved,
    "one at a time": one_at_a_time,
    "fan-out": fanned_out,
    "aliased": aliased,
    "layout": laid_out,
    "float32": in_single_precision,
    "adjoint": exact_adjoint,
    "second derivative": second_derivative,
}


def examine(
    subject: Subject,
    arrays: Sequence[Any],
    notes: Notes,
    budget: Budget,
    lenient: bool = False,
    laws: Sequence[str] | None = None,
    resized: bool = False,
    coarse: bool = False,
) -> None:
    """Checks all laws on one example.

    Raises:
        Broken: one does not hold.
        Unusable: the function refuses the example.
        OutOfTime: the budget is spent.
    """
    case = Case(subject, arrays, notes, budget, lenient, resized=resized)
    case.coarse = coarse
    if not case.outs:
        raise Unusable("it gives no array of floats")
    if any(out.size for out in case.outs) and not any(np.isfinite(out).any() for out in case.outs):
        raise Unusable("its values are not finite")
    try:
        first_call(case)
    except Refused as refused:
        raise Unusable(f"its derivative raises {refused}") from refused
    notes.laws["unmodified"] += 1
    if not deterministic(case):
        return
    for name, law in LAWS_OF_FUNCTIONS.items():
        if laws is None or name in laws or name == "gradient":  # which later laws read what differences said
            budget.check()
            law(case)
            unwritten(case, case.weights, "the derivative")
            if name not in ("second derivative", "adjoint"):
                notes.laws[name] += 1
    notes.earlier = [*notes.earlier[-5:], case.gradients]
