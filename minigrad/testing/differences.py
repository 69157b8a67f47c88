"""The laws that compare a derivative with differences of the function."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy as duplicate
from typing import Any

import numpy as np

from minigrad.autograd.numeric import KINK, SMOOTH, Estimate, Probe, ordinary_size
from minigrad.testing.adapters import CannotBeDone, NumpySubject
from minigrad.testing.case import Broken, Case, Notes, Refused, Unusable
from minigrad.testing.complex_step import ComplexStep
from minigrad.testing.diagnosis import diagnose
from minigrad.testing.evidence import Evidence
from minigrad.testing.report import Array

MOST_COLUMNS = 400
LARGEST_JACOBIAN = 1_000_000  # elements: beyond that it takes too long to look for what belongs together
COARSE = 1e-3
FAINT = 100.0  # of the tolerance: what is a smaller part of a gradient hides in its rounding errors


def first_call(case: Case) -> None:
    """The function and its derivative write into nothing they were given, and the gradients have the shapes of the inputs."""
    unwritten(case, case.weights, "the function")
    given = [w.copy() for w in case.weights]
    found = case.pull(case.run, given, "")
    case.gradients = [np.array(g) for g in found]
    for i, (w, copy) in enumerate(zip(given, case.weights, strict=True)):
        if not np.array_equal(w, copy):
            case.fail(
                "unmodified",
                f"the derivative writes into the cotangent of output {i} that it was given",
                "a write in place to g",
            )
    unwritten(case, case.weights, "the derivative")
    for out, copy in zip(case.run.outs, case.outs, strict=True):
        if not np.array_equal(out, copy, equal_nan=True):
            case.fail(
                "unmodified",
                "the derivative writes into the output of the function",
                "a write in place to the saved output",
            )
    for i, (g, x) in enumerate(zip(found, case.xs, strict=True)):
        if (
            g.dtype.itemsize < x.dtype.itemsize
            and g.dtype.kind == "f"
            and all(out.dtype.itemsize >= x.dtype.itemsize for out in case.outs)
        ):
            case.fail(
                "dtype",
                f"the gradient of input {case.which[i]} is {g.dtype}, though the input and the output are {x.dtype}",
                "lost precision",
            )


def unwritten(case: Case, weights: Sequence[Array], who: str) -> None:
    for i, (a, copy) in enumerate(zip(case.arrays, case.before, strict=True)):
        if isinstance(a, np.ndarray) and not np.array_equal(a, copy, equal_nan=a.dtype.kind == "f"):
            a[...] = copy
            case.fail(
                "unmodified",
                f"{who} writes into input {i} that it was given",
                "a write in place to an input; work on a copy",
            )


def deterministic(case: Case) -> bool:
    """Does the same call give the same value? If not, nothing can be said about derivatives."""
    again = case.subject.run(case.arrays).outs
    if len(again) != len(case.outs) or any(a.shape != b.shape for a, b in zip(again, case.outs, strict=True)):
        case.notes.remark(
            "the function gives results of other shapes when it is called again: it is random, or keeps something between calls"
        )
        return False
    if all(
        np.allclose(a, b, rtol=case.exact, atol=case.exact * np.abs(b[np.isfinite(b)]).max(initial=0.0), equal_nan=True)
        for a, b in zip(again, case.outs, strict=True)
    ):
        return True
    case.notes.remark(
        "the function gives another value when it is called again with the same arguments: it is random, or keeps something between calls"
    )
    return False


def differences(case: Case, law: str = "gradient") -> None:
    """The gradient is what differences of the function give; on kinks it lies between the slopes on both sides."""
    if not case.outs or not any(x.size for x in case.xs):
        return
    start = time.monotonic()
    inputs = [np.array(a) if isinstance(a, np.ndarray) else a for a in case.arrays]
    probe = Probe(lambda *arrays: case.subject.outputs(arrays), inputs, moving=case.which)
    one = max(time.monotonic() - start, 1e-6)
    case.noise = float(probe.noise.max(initial=0.0)) / (ordinary_size(probe.middle) or 1.0)
    flat = case.flat_weights()
    affordable = int(min(MOST_COLUMNS, max(2, 0.2 * case.budget.left() / (8 * one)), max(4, 3e7 / max(1, flat.size))))
    total = sum(x.size for x in case.xs)
    whole = total <= affordable
    takes_complex = isinstance(case.subject, NumpySubject) and case.precision < 1e-12 and not case.subject.random
    exact = ComplexStep(case.subject.fn if takes_complex else None, case.before, probe.middle)
    estimates: list[Estimate] = []
    columns: list[Array | None] = []
    for k, i in enumerate(case.which):
        places = list(np.ndindex(case.arrays[i].shape))
        if not whole:
            places = sample(places, max(1, affordable * len(places) // total))
        seconds = np.inf if whole else 0.4 * case.budget.left() / (len(case.which) - k)
        estimate, jacobian = gradient_at(case, probe, exact, k, places, flat, whole, seconds)
        estimates.append(estimate)
        columns.append(jacobian)
        if jacobian is not None and jacobian.size <= LARGEST_JACOBIAN:
            case.touching[k] = touching(jacobian)
    case.notes.exact += exact.agreed
    compare(case, law, probe, exact, estimates, columns, flat, whole)
    if case.coarse:
        return
    check_directions(case, law, probe, estimates, flat, whole)
    if whole:
        faint_ones(case, law, columns, flat)


def coarse_slack(case: Case, k: int, estimate: Estimate) -> float:
    """A small part of the largest slope, or of the outputs beside the input."""
    slopes = np.where((estimate.state == SMOOTH) & np.isfinite(estimate.value), np.abs(estimate.value), 0.0)
    outputs = max([ordinary_size(w * out) for w, out in zip(case.weights, case.outs, strict=True)], default=0.0)
    return COARSE * max(float(slopes.max(initial=0.0)), outputs / (ordinary_size(case.xs[k]) or 1.0))


def touching(jacobian: Array) -> Array:
    """Which elements which outputs depend on; on all, where no slope says anything: 0 may be the sum of large terms."""
    found = np.asarray(~(jacobian == 0))
    found[~found.any(1)] = True
    return found


def faint_ones(case: Case, law: str, columns: Sequence[Array | None], flat: Array) -> None:
    """The same for those outputs alone whose part in the gradient nobody could see beside that of others, which are larger by far."""
    share = np.zeros(flat.size)
    for jacobian in columns:
        if jacobian is not None and jacobian.size:
            parts = np.where(np.isfinite(jacobian), np.abs(jacobian * flat), 0.0)
            largest = parts.max(1, initial=0.0, keepdims=True)
            share = np.maximum(
                share, np.divide(parts, largest, out=np.zeros_like(parts), where=largest > 0).max(0, initial=0.0)
            )
    faint = (share > 0) & (share < FAINT * case.tolerance)
    if not faint.any():
        return
    alone = duplicate(case)
    ends = np.cumsum([w.size for w in case.weights])[:-1]
    alone.weights = [np.asarray(np.where(part.reshape(w.shape), w, 0).astype(w.dtype))
                     for w, part in zip(case.weights, np.split(faint, ends), strict=True)]  # fmt: skip
    alone.outs = [np.where(w != 0, out, 0).astype(out.dtype) for w, out in zip(alone.weights, case.outs, strict=True)]
    alone.smooth = list(case.smooth)
    alone.touching = [None for _ in case.xs]
    alone.scale = alone.scales()
    try:
        _, alone.gradients = case.fresh(case.before, alone.weights)
    except Refused:
        return
    differences(alone, law)


def sample(places: list[tuple[int, ...]], count: int) -> list[tuple[int, ...]]:
    """The first, the last, and some in between, in any order: the time may not suffice for all."""
    random = np.random.default_rng(count)
    chosen = (
        [0, len(places) - 1, *random.choice(len(places), min(count, len(places)), replace=False).tolist()]
        if places
        else []
    )
    return [places[i] for i in dict.fromkeys(chosen)]


def gradient_at(
    case: Case,
    probe: Probe,
    exact: ComplexStep,
    k: int,
    places: Sequence[tuple[int, ...]],
    flat: Array,
    whole: bool,
    seconds: float,
) -> tuple[Estimate, Array | None]:
    """The slopes of the weighted outputs at some places of an input, unknown elsewhere; and the columns of the Jacobian, if it is wanted whole."""
    x = case.xs[k]
    found = Estimate(x.shape)
    found.value = np.full(x.shape, np.nan)
    jacobian = np.zeros((x.size, flat.size)) if whole else None
    end = time.monotonic() + seconds
    for place in places:
        case.budget.check()
        column = exact.sharpened(probe.column(case.which[k], place), case.which[k], place)
        if jacobian is not None:
            jacobian[np.ravel_multi_index(place, x.shape) if place else 0] = column.value
        put(found, place, column.weighted(flat))
        if time.monotonic() > end:
            break
    return found, jacobian


def put(found: Estimate, place: tuple[int, ...], one: Estimate) -> None:
    for name in Estimate.__slots__:
        getattr(found, name)[place] = getattr(one, name)


def compare(
    case: Case,
    law: str,
    probe: Probe,
    exact: ComplexStep,
    estimates: Sequence[Estimate],
    columns: Sequence[Array | None],
    flat: Array,
    whole: bool,
) -> None:
    """Refuses gradients that are wrong where differences know better, after a second look with other steps and at the surroundings."""
    admitted = []
    case.scale = case.scales()
    for k, (g, estimate) in enumerate(zip(case.gradients, estimates, strict=True)):
        case.scale[k] = case.sizes(k, np.where(estimate.state == SMOOTH, estimate.scale, 0.0))
        slack = 1e-3 * case.tolerance * case.scale[k] + 1e-300
        if case.coarse:
            slack = slack + coarse_slack(case, k, estimate)
        fine = np.array(estimate.admits(g, slack, case.tolerance))
        if not all(np.isfinite(out).all() for out in case.outs) or case.lenient:
            fine |= np.asarray(~np.isfinite(g))
        case.smooth[k] = np.asarray(estimate.state == SMOOTH)
        for place in sorted(places_of(~fine), key=lambda p: -deviation(g, estimate, p))[:12]:
            column = exact.sharpened(probe.column_around(case.which[k], place), case.which[k], place)
            closer = column.weighted(flat)
            put(estimate, place, closer)
            fine[place] = closer.admits(g[place], slack[place], case.tolerance)
            if not fine[place]:
                beyond = hidden(probe, column, flat, case.which[k], place)
                fine[place] = closer.admits(g[place], slack[place] + beyond, case.tolerance)
        case.smooth[k] = np.asarray((estimate.state == SMOOTH) & np.isfinite(estimate.value))
        admitted.append(fine)
        case.notes.elements += int(np.count_nonzero(case.smooth[k]))
        case.notes.unknown += int(np.count_nonzero(np.isfinite(estimate.value) & (estimate.state > KINK)))
        remember_ties(case, g, estimate)
    if all(fine.all() for fine in admitted):
        return
    for g, estimate, fine, spread in zip(case.gradients, estimates, admitted, roundings(case), strict=True):
        with np.errstate(all="ignore"):
            fine |= (estimate.state == SMOOTH) & (np.abs(g - estimate.value) <= 30 * spread)
    if all(fine.all() for fine in admitted):
        return
    if whole and not exact.agreed and not differentiable(case, probe, estimates, flat):
        case.notes.remark(
            "at a point where the function has no derivative although it has slopes along all axes, nothing can be told"
        )
        return
    if not case.run.own and only_here(case):
        case.notes.remark(
            "at a kink, the conventions of the framework's own operations do not add up to a slope of the function"
        )
        return
    k = int(np.argmax([np.count_nonzero(~fine) / max(1, fine.size) for fine in admitted]))
    expected = [np.where(e.state == SMOOTH, e.value, np.clip(g, np.minimum(e.left, e.right), np.maximum(e.left, e.right)))
                for g, e in zip(case.gradients, estimates, strict=True)]  # fmt: skip
    evidence = Evidence(case.xs, case.outs, case.weights, case.gradients, expected, [e.state == SMOOTH for e in estimates], admitted,
                        columns, case.missing, case.tolerance)  # fmt: skip
    evidence.earlier = case.notes.earlier if case.order == 1 else []
    evidence.indices = [a for a in case.before if isinstance(a, np.ndarray) and a.dtype.kind in "iu"]
    evidence.elsewhere = elsewhere(case, flat)
    names = "the second derivative by" if case.order == 2 else "the gradient of"
    guess = diagnose(evidence, k)
    if case.subject.redraws:
        guess = (
            "the derivative draws random numbers of its own, in the place of those that the function drew: keep them"
        )
    if case.order == 2 and case.missing[k]:
        guess = "cut off from the graph, as by detach() or .data: the backward pass uses a value that nothing differentiates again"

    def told(place: Any) -> str:
        e = estimates[k]
        if e.state[place] == KINK:
            return f"a number between the slopes {e.left[place]:.6g} and {e.right[place]:.6g} of the kink there"
        return f"{e.value[place]:.10g} by differences, up to {max(3 * e.error[place], 1e-16):.1g}"

    case.fail_at(
        law,
        f"{names} input {case.which[k]} is wrong",
        guess,
        k,
        case.gradients[k],
        expected[k],
        ~admitted[k],
        told,
    )


def roundings(case: Case) -> list[Array]:
    """How much the gradients change when the inputs change in their last digits: what rounding alone may have done to them.

    It is bounded by what is small beside the outputs: where a tie is broken, gradients change for another reason.
    """
    random = np.random.default_rng(11)
    found = [np.zeros(x.shape) for x in case.xs]
    with np.errstate(all="ignore"):
        size = sum(
            float(np.abs(w * out)[np.isfinite(out)].sum()) for w, out in zip(case.weights, case.outs, strict=True)
        )
    for _ in range(4):
        arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in case.before]
        for i in case.which:
            arrays[i] = np.asarray(
                arrays[i] * (1 + 4 * case.precision * random.choice([-1, 0, 1], arrays[i].shape))
            ).astype(case.before[i].dtype)
        try:
            _, gradients = case.fresh(arrays, case.weights)
        except (Broken, Refused, CannotBeDone):
            continue
        for spread, g, now, x in zip(found, case.gradients, gradients, case.xs, strict=True):
            finite = np.abs(x[np.isfinite(x)])
            most = 1e4 * case.precision * size / float(finite.max(initial=0.0) or 1.0)
            with np.errstate(all="ignore"):
                np.fmax(spread, np.fmin(np.abs(now.astype(np.float64) - g), most), out=spread)
    return found


def places_of(mask: Any) -> list[tuple[int, ...]]:
    return [tuple(int(n) for n in place) for place in np.argwhere(mask)]


def elsewhere(case: Case, flat: Array) -> Callable[[int, dict[int, Array]], Array | None]:
    """What the gradient of an input would be at other inputs: a wrong one may have been computed there."""

    def gradient(k: int, changed: dict[int, Array]) -> Array | None:
        arrays = [np.array(a) if isinstance(a, np.ndarray) else a for a in case.before]
        for n, array in changed.items():
            arrays[case.which[n]] = np.array(array, case.xs[n].dtype)
        try:
            if sum(x.size for x in case.xs) > 150:
                return None
            found = Probe(lambda *moved: case.subject.outputs(moved), arrays, moving=case.which).gradient(
                case.which[k], flat
            )
        except Exception:
            return None
        return np.where(found.state == SMOOTH, found.value, np.nan)

    return gradient


def deviation(g: Array, estimate: Estimate, place: tuple[int, ...]) -> float:
    apart = abs(float(g[place]) - float(estimate.value[place]))
    return apart if np.isfinite(apart) else np.inf


def hidden(probe: Probe, column: Estimate, flat: Array, i: int, place: tuple[int, ...]) -> float:
    """How much outputs may add to a slope that never changed, though they do farther away: that of changes which their last digits do not show."""
    x = abs(float(probe.arrays[i][place]))
    line = probe.element_line(probe.arrays[i], place)
    largest = ordinary_size(probe.arrays[i])
    far = [line(sign * distance)[1] for distance in (1.0, x, 2 * largest, 4 * largest) for sign in (-1, 1)]
    depends = np.any([values != probe.middle for values in far], axis=0)
    unchanged = (column.value == 0) & (column.state == SMOOTH) & depends
    size = np.where(np.isfinite(probe.middle), np.abs(probe.middle), 0.0)
    return float(np.where(unchanged, np.abs(flat) * size, 0.0).sum()) * probe.precision / probe.steps(x)[0]


def remember_ties(case: Case, g: Array, estimate: Estimate) -> None:
    """Which rule is followed on kinks."""
    low, high = np.minimum(estimate.left, estimate.right), np.maximum(estimate.left, estimate.right)
    for place in places_of((estimate.state == KINK) & np.isfinite(g)):
        if high[place] - low[place] > 1e-3 * (abs(high[place]) + abs(low[place])):
            share = (float(g[place]) - float(estimate.left[place])) / float(
                estimate.right[place] - estimate.left[place]
            )
            rule = {0.0: "the slope on the left", 0.5: "the mean of both slopes", 1.0: "the slope on the right"}.get(
                round(share, 2), "a part of each slope"
            )
            case.notes.ties[rule] += 1


def differentiable(case: Case, probe: Probe, estimates: Sequence[Estimate], flat: Array) -> bool:
    """Do the slopes along the axes add up to the slope in between? Where they do not, there is no derivative at all."""
    random = np.random.default_rng(3)
    for _ in range(2):
        directions = [random.choice([-1.0, -0.5, 0.5, 1.0], x.shape) for x in case.xs]
        slope = probe.along(directions, fresh=True).weighted(flat)
        added = sum(
            float((np.where(e.state == SMOOTH, e.value, 0.0) * d).sum())
            for e, d in zip(estimates, directions, strict=True)
        )
        size = sum(float((np.abs(e.scale) * np.abs(d)).sum()) for e, d in zip(estimates, directions, strict=True))
        if (
            all((e.state == SMOOTH).all() for e in estimates)
            and slope.state == SMOOTH
            and abs(float(slope.value) - added) > 0.05 * (size + abs(float(slope.value)))
        ):
            return False
    return True


def only_here(case: Case) -> bool:
    """Is everything right beside this point?"""
    random = np.random.default_rng(5)
    arrays = [
        np.asarray(a + 0.01 * random.uniform(-1, 1, a.shape)).astype(a.dtype) if i in case.which else a
        for i, a in enumerate(case.before)
    ]
    try:
        beside = Case(case.subject, arrays, Notes(), case.budget, True)
        beside.run.own = True
        first_call(beside)
        differences(beside)
    except (Broken, Unusable):
        return False
    return True


def check_directions(
    case: Case, law: str, probe: Probe, estimates: Sequence[Estimate], flat: Array, whole: bool
) -> None:
    """<g, Jv> = <J'g, v>: along lines on which many elements move together."""
    random = np.random.default_rng(4)
    kinked = any((e.state != SMOOTH).any() for e in estimates)
    if whole and not kinked:
        return
    lines = [[np.ones(x.shape) for x in case.xs]]
    if not kinked:  # where the median of equal numbers, say, is taken, no derivative at all suits every line
        lines += [[random.choice([-1.0, -0.5, 0.5, 1.0], x.shape) for x in case.xs] for _ in range(2)]
    for directions in lines:
        case.budget.check()
        got = sum(float((g.astype(np.float64) * d).sum()) for g, d in zip(case.gradients, directions, strict=True))
        size = sum(float(np.abs(g * d).sum()) for g, d in zip(case.gradients, directions, strict=True))
        slopes = [probe.along(directions, fresh).weighted(flat) for fresh in (False, True)]
        if not np.isfinite(got) or any(
            slope.admits(np.asarray(got), case.tolerance * size, case.tolerance).all() for slope in slopes
        ):
            continue
        if slopes[0].state != slopes[1].state or kinked and not case.run.own:
            continue
        slope = slopes[0]
        told = (
            f"{float(slope.value):.8g}"
            if slope.state == SMOOTH
            else f"between {float(slope.left):.6g} and {float(slope.right):.6g}"
        )
        case.fail(
            law,
            f"where all elements move together, the gradients add up to {got:.8g}, but the slope of the function is {told}",
            "at a tie, each of the equal elements gets the whole gradient instead of a share, or none gets any"
            if any((e.state == KINK).any() for e in estimates)
            else "",
        )
