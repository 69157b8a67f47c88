"""A guess in words at what is wrong with a gradient, from its elements and those that it should have.

Each function looks for one kind of error: it makes the gradient that such an error would give, and compares. The first that fits is the guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from math import comb

import numpy as np

from minigrad.testing.evidence import Evidence
from minigrad.testing.patterns import place_pattern, where_values
from minigrad.testing.report import Array

SIGNS = ("where the input is negative", "where the input is positive")
MANY = 20  # ways to choose the wrong elements: with fewer, a pattern may be chance
Rule = Callable[[Evidence, int], Iterator[str]]


def diagnose(evidence: Evidence, i: int) -> str:
    """What may be wrong with the i-th gradient; an empty string if nothing fits."""
    with np.errstate(all="ignore"):
        for rule in RULES:
            for guess in rule(evidence, i):
                return guess
    return ""


def absent(e: Evidence, i: int) -> Iterator[str]:
    if e.missing[i]:
        yield f"no gradient at all reaches input {i} (None), though the function depends on it"
    elif e.known[i].any() and not e.got[i][e.known[i]].any():
        yield f"zero everywhere: the gradient of input {i} is forgotten, or the graph is cut"


def not_finite(e: Evidence, i: int) -> Iterator[str]:
    bad = ~np.isfinite(e.got[i]) & ~e.fine[i]
    if bad.any():
        kind = "not a number (NaN)" if np.isnan(e.got[i][bad]).any() else "infinite"
        pattern = where_values(bad, e.xs[i]) or place_pattern(bad, None)
        yield f"{kind}{' ' + pattern if pattern else ' on some elements'}: a division by zero, or an overflow, in the derivative"


def factor_of(e: Evidence, i: int, base: Array, where: Array | None = None) -> float | None:
    """The number c with got = c * base, if there is one."""
    if base.shape != e.got[i].shape:
        return None
    known = e.known[i] if where is None else e.known[i] & where
    used = known & (np.abs(base) > 1e-9 * np.abs(base[known]).max(initial=0.0))
    if not used.any():
        return None
    c = float(np.median(e.got[i][used] / base[used]))
    return c if np.isfinite(c) and e.fits(i, c * base, where) else None


def named_factor(e: Evidence, i: int, c: float) -> str:
    """What a factor may come from."""

    def close(a: float) -> bool:
        return abs(c - a) <= 1e-3 * abs(a)

    if close(-1):
        return "sign: the gradient is negated on every element"
    sizes = {f"the length of axis {k} of input {i}": n for k, n in enumerate(e.xs[i].shape)}
    sizes |= {f"the number of elements of input {i}": e.xs[i].size}
    for j, out in enumerate(e.outs):
        sizes |= {f"the number of elements of output {j}": out.size} | {
            f"the length of axis {k} of output {j}": n for k, n in enumerate(out.shape)
        }
    for name, n in sizes.items():
        if n > 3 and (close((n - 1) / n) or close(n / (n - 1))):
            return f"off by a factor {c:.6g} on every element: {name}, {n}, and one less are confused, as in an unbiased variance"
    for sign, word in ((1, ""), (-1, " and a sign")):
        for name, n in sizes.items():
            if n > 2 and close(sign * n):
                return (
                    f"off by a factor of {c:.6g} on every element, which is {name}{word}: a sum in the place of a mean"
                )
            if n > 2 and close(sign / n):
                return f"off by a factor of {c:.6g} on every element, one over {name}{word}: a mean in the place of a sum, or divided twice"
    if abs(c - 1) < 0.02:
        return (
            f"off by a factor of {c:.8g} on every element: nearly right, as if a small constant were forgotten or added"
        )
    return f"off by a factor {c:.6g} on every element"


def beyond_kinks(e: Evidence, i: int) -> Iterator[str]:
    wrong = ~e.fine[i]
    if wrong.any() and not (wrong & e.known[i]).any():
        yield f"at a kink, {where_values(wrong, e.xs[i]) or 'or a tie'}: the gradient there is neither slope nor a number between them"


def stale(e: Evidence, i: int) -> Iterator[str]:
    if any(i < len(old) and old[i].any() and e.fits(i, old[i].astype(np.float64)) for old in e.earlier):
        yield "stale: this is the gradient of an earlier call with other inputs; something is kept between calls"


def kept(e: Evidence, i: int) -> Iterator[str]:
    """The same, where it is certain: slopes of a few values only, as 0 and 1, are those of other inputs too."""
    slopes = e.got[i] / e.weights[0] if len(e.weights) == 1 and e.weights[0].shape == e.got[i].shape else e.got[i]
    if np.unique(np.round(slopes[np.isfinite(slopes)], 9)).size > 3:
        yield from stale(e, i)


def constant_factor(e: Evidence, i: int) -> Iterator[str]:
    c = factor_of(e, i, e.expected[i])
    if (
        c is not None
        and np.count_nonzero(e.known[i] & (e.expected[i] != 0)) >= min(2, e.xs[i].size)
        and (e.xs[i].size > 1 or abs(c - round(2 * c) / 2) <= 1e-3 or is_length(e, c) or is_length(e, 1 / c))
    ):
        yield named_factor(e, i, c)


def is_length(e: Evidence, c: float) -> bool:
    """Is this factor the length of an axis of an output, or the number of its elements?"""
    return any(n > 1 and abs(c - n) <= 1e-3 for out in e.outs for n in (*out.shape, out.size))


def exchanged(e: Evidence, i: int) -> Iterator[str]:
    for j in range(len(e.xs)):
        if j != i and e.expected[j].shape == e.got[i].shape and e.fits(i, e.expected[j]):
            swap = e.fits(j, e.expected[i])
            yield (
                f"the gradients of inputs {i} and {j} are swapped"
                if swap
                else f"the gradient of input {j} is given for input {i} too"
            )


def moved(e: Evidence, i: int) -> Iterator[str]:
    """Right numbers in the wrong places."""
    b = e.expected[i]
    if np.ptp(b[e.known[i]]) == 0:
        return
    for order in permutations(range(b.ndim)):
        if list(order) != list(range(b.ndim)) and b.ndim <= 4:
            swapped = b.transpose(order)
            if e.fits(i, swapped):
                yield f"transposed: the axes are in the order {order}"
            if swapped.shape != b.shape and e.fits(i, swapped.reshape(b.shape)):
                yield f"transposed: read in the order {order} of the axes, but reshaped to the shape of the input"
    for axis in range(b.ndim):
        if e.fits(i, np.flip(b, axis)):
            yield f"reversed along axis {axis}"
        for shift in (1, -1, 2, -2):
            if b.shape[axis] > 2 and e.fits(i, np.roll(b, shift, axis)):
                yield f"shifted by {shift} along axis {axis}"
    if b.ndim > 1 and e.fits(i, np.flip(b)):
        yield "reversed along all axes"
    if b.ndim > 2 and e.fits(i, np.flip(b, (-2, -1))):
        yield "reversed along the last two axes"


def permuted(e: Evidence, i: int) -> Iterator[str]:
    """The right numbers in another order."""
    b, got, known = e.expected[i], e.got[i], e.known[i]
    rest = b[b != 0]
    if known.all() and np.isfinite(got).all() and rest.size > 3 and np.unique(rest).size > 0.7 * rest.size:
        order, places = np.argsort(b, None), np.argsort(got, None)
        in_place = np.empty_like(b)
        in_place.flat[places] = b.flat[order]
        if e.fits(i, in_place):
            yield "transposed or shuffled: the right numbers in the wrong places, as by a reshape that reads them in another order"


def inverted_mask(e: Evidence, i: int) -> Iterator[str]:
    """Something just where there should be nothing."""
    known = e.known[i]
    zero, got = e.expected[i][known] == 0, e.got[i][known] == 0
    if zero.size > 2 and zero.any() and not zero.all() and (zero != got).all():
        yield "a mask is inverted: zero where it should not be, and not zero where it should"


def other_cotangent(e: Evidence, i: int) -> Iterator[str]:
    """Right for another cotangent than the given one."""
    jacobian = e.columns[i]
    if jacobian is None:
        return

    def pulled(weights: Sequence[Array]) -> Array:
        return (jacobian @ np.concatenate([w.ravel() for w in weights])).reshape(e.xs[i].shape)

    def changed(change: Callable[[Array], Array]) -> Array:
        return pulled([change(w) for w in e.weights])

    known = e.known[i]
    if e.fits(i, changed(np.ones_like), known):
        yield "the cotangent g is not used: this is the gradient for g = 1"
    for words, change in (
        ("the absolute value of the cotangent", np.abs),
        ("the square of the cotangent", np.square),
        ("the sign of the cotangent", np.sign),
        (
            "the mean of the cotangent in the place of each element",
            lambda w: np.full_like(w, w.mean() if w.size else 0),
        ),
        ("the sum of the cotangent in the place of each element", lambda w: np.full_like(w, w.sum())),
    ):
        if e.fits(i, changed(change)):
            yield f"{words} is used in its place"
    if len(e.weights) > 1:
        for j in range(len(e.weights)):
            if e.fits(i, pulled([np.zeros_like(w) if k == j else w for k, w in enumerate(e.weights)])):
                yield f"a term is dropped: the gradient through output {j} is forgotten"
        if e.weights[0].shape == e.weights[1].shape and e.fits(i, pulled([*e.weights[1::-1], *e.weights[2:]])):
            yield "the cotangents of outputs 0 and 1 are swapped"
    for j, w in enumerate(e.weights):
        rest = [np.zeros_like(v) for v in e.weights]

        def only(new: Array, j: int = j, rest: Sequence[Array] = rest) -> Array:
            return pulled([new if k == j else v for k, v in enumerate(rest)])

        if len(e.weights) > 1 and e.fits(i, only(w)):
            yield f"a term is dropped: only output {j} hands its gradient on"
        for axis in range(w.ndim):
            n = w.shape[axis]
            if n < 2:
                continue
            ends = ((0, "first"), (n - 1, "last"))
            for k, name in ends:
                part = np.zeros_like(w)
                index = (slice(None),) * axis + (k,)
                part[index] = w[index]
                if e.fits(i, only(part)):
                    yield f"sum over axis {axis} of the output (the batch?) is missing: only its {name} slice counts"
            for k, name in ends:
                rest_of = w.copy()
                rest_of[(slice(None),) * axis + (k,)] = 0
                if e.fits(i, only(rest_of)):
                    yield f"the {name} slice along axis {axis} of the output is left out (zero at that border)"
            if e.fits(i, only(w / n)):
                yield f"a mean over axis {axis} of the output in the place of the sum"
            if e.fits(i, only(np.broadcast_to(w.mean(axis, keepdims=True), w.shape))):
                yield f"the cotangent is averaged along axis {axis}"
            if e.fits(i, only(np.broadcast_to(w.sum(axis, keepdims=True), w.shape))):
                yield f"the cotangent is summed along axis {axis}"
            if e.fits(i, only(np.flip(w, axis))):
                yield f"the cotangent is reversed along axis {axis}"
            for shift in (1, -1):
                if n > 2 and e.fits(i, only(np.roll(w, shift, axis))):
                    yield f"the cotangent is shifted by {shift} along axis {axis}"
                index = (slice(None),) * axis + (0 if shift > 0 else n - 1,)
                cut = np.roll(w, shift, axis)
                cut[index] = 0
                if e.fits(i, only(cut)):
                    yield f"the window is shifted by {shift} along axis {axis} of the output"
        if w.ndim > 1:
            inner = np.zeros_like(w)
            inside = tuple([slice(1, -1) if n > 2 else slice(None) for n in w.shape])
            inner[inside] = w[inside]
            if e.fits(i, only(inner)):
                yield "zero at the border only: outputs at the border hand nothing on"
            if w.shape[-1] == w.shape[-2] and e.fits(i, only(w.swapaxes(-1, -2))):
                yield "transposed: the cotangent is transposed" + (
                    ", or summed over other axes than it should be" if e.xs[i].ndim < w.ndim else ""
                )
        if w.shape == e.got[i].shape and e.fits(i, w):
            yield "the gradient is the cotangent itself: the local derivative is missing"
        if (
            w.size == e.got[i].size
            and len(e.weights) == 1
            and e.fits(i, (jacobian.T @ w.ravel()).reshape(e.xs[i].shape))
        ):
            yield "the operation itself is applied to the cotangent, in the place of its transpose (its inverse, if it only moves elements)"


def offset_cotangent(e: Evidence, i: int) -> Iterator[str]:
    """Right for the cotangent and a constant."""
    jacobian = e.columns[i]
    if jacobian is not None and jacobian.size:
        of_ones = jacobian.sum(1).reshape(e.xs[i].shape)
        known = e.known[i] & np.isfinite(of_ones)
        if np.ptp(of_ones[known]) > 0 if known.any() else False:
            difference = e.got[i] - e.expected[i]
            c = float((difference * of_ones)[known].sum() / (of_ones**2)[known].sum())
            if e.fits(i, e.expected[i] + c * of_ones):
                yield f"a constant, {c:.6g}, is added to the cotangent"


def overwritten(e: Evidence, i: int) -> Iterator[str]:
    """Only the last of several outputs along an axis counts, or the first, for each element of the input."""
    jacobian = e.columns[i]
    if jacobian is None or len(e.weights) != 1 or not jacobian.size:
        return
    w = e.weights[0]
    terms = np.where(np.isfinite(jacobian), jacobian, 0.0).reshape(-1, *w.shape) * w
    for axis in range(1, terms.ndim):
        along = np.moveaxis(terms, axis, -1)
        reached = (along != 0).any(tuple(range(1, terms.ndim - 1)))
        if reached.sum(1).max(initial=0) > 1:
            summed = along.sum(tuple(range(1, terms.ndim - 1)))
            for name, place in (
                ("last", reached.shape[1] - 1 - reached[:, ::-1].argmax(1)),
                ("first", reached.argmax(1)),
            ):
                kept = np.take_along_axis(summed, place[:, None], 1).reshape(e.xs[i].shape)
                if e.fits(i, kept):
                    yield f"missing accumulation: where several outputs along axis {axis - 1} use an element, only the {name} hands its gradient on; = in the place of +="


def local_derivative(e: Evidence, i: int) -> Iterator[str]:
    """The cotangent times something simple, where the function works on each element alone."""
    if len(e.weights) != 1 or e.weights[0].shape != e.got[i].shape:
        return
    if where_values(~e.fine[i] & e.known[i], e.xs[i]) in SIGNS:
        return
    for name, f in features(e, i):
        if "cotangent" not in name and e.known[i].any() and np.ptp(f[e.known[i]]) > 0:
            c = factor_of(e, i, e.weights[0] * f)
            if c is not None and np.count_nonzero(e.known[i]) > 2:
                yield f"the cotangent is multiplied by {'' if abs(c - 1) < 1e-3 else f'{c:.6g} times '}{name}, which is not the derivative of this function"


def of_one_number(e: Evidence, i: int) -> Iterator[str]:
    """A factor that a single number is off by: a length, or the value of a single input."""
    if e.got[i].size != 1 or not e.known[i].all() or not e.expected[i].any():
        return
    c = float(e.got[i].item() / e.expected[i].item())
    numbers = [(f"input {j}", float(x.item())) for j, x in enumerate(e.xs) if x.size == 1]
    numbers += [(f"the length of axis {a} of input {j}", n) for j, x in enumerate(e.xs) for a, n in enumerate(x.shape)]
    numbers += [
        (f"the number of elements of {what} {j}", a.size)
        for what, arrays in (("input", e.xs), ("output", e.outs))
        for j, a in enumerate(arrays)
    ]
    for name, n in numbers:
        for words, value in ((name, n), (f"the square of {name}", n * n), (f"exp({name})", np.exp(n))):
            if abs(value) not in (0, 1) and abs(c - value) <= e.tolerance * abs(c):
                yield f"off by a factor {c:.6g}: multiplied by {words} once too often"
            if abs(value) not in (0, 1) and abs(c * value - 1) <= e.tolerance:
                yield f"off by a factor {c:.6g}: a factor is forgotten, {words}"
    yield f"off by a factor {c:.6g}"


def features(e: Evidence, i: int) -> Iterator[tuple[str, Array]]:
    """Arrays of the shape of an input that an error may be made of."""
    shape = e.got[i].shape
    arrays = [(f"input {j}", x) for j, x in enumerate(e.xs)] + [(f"output {j}", out) for j, out in enumerate(e.outs)]
    arrays += [("the cotangent" if len(e.weights) == 1 else f"cotangent {j}", w) for j, w in enumerate(e.weights)]
    for name, small in arrays:
        try:
            fits = np.broadcast_shapes(small.shape, shape) == shape
        except ValueError:
            continue
        if fits:
            array = np.broadcast_to(small, shape)
            yield name, array
            yield f"the square of {name}", array**2
            yield f"1 - {name}", 1 - array
            yield f"1 - the square of {name}", 1 - array**2
            yield f"1 + the absolute value of {name}", 1 + np.abs(array)
            yield f"exp({name})", np.exp(array)
            if (array > 0).all():
                yield f"log({name})", np.log(array)
    for index in e.indices:
        for axis in range(len(shape)):
            if index.ndim == 1 and index.size == shape[axis] and index.min(initial=0) >= 0:
                count = np.bincount(index)[index].astype(np.float64)
                yield (
                    "how often an index occurs",
                    np.broadcast_to(count.reshape([-1 if a == axis else 1 for a in range(len(shape))]), shape),
                )


def forgotten_factor(e: Evidence, i: int) -> Iterator[str]:
    """A factor that varies from element to element."""
    b = e.expected[i]
    for name, f in features(e, i):
        if np.ptp(np.abs(f[e.known[i]])) == 0 if e.known[i].any() else True:
            continue
        for times in (True, False):
            c = factor_of(e, i, b * f if times else b / f)
            if c is not None and np.isfinite(b * f).all() and np.count_nonzero(e.known[i] & (b != 0)) > 1:
                constant = "" if abs(c - 1) < 1e-3 else f"{c:.6g} times "
                yield (
                    f"{constant}multiplied by {name} once too often"
                    if times
                    else f"{constant}a factor is forgotten in the chain rule: {name}"
                )


def constant_offset(e: Evidence, i: int) -> Iterator[str]:
    """The same number too much everywhere."""
    known = e.known[i]
    if np.count_nonzero(known) > 1:
        mean = float((e.got[i] - e.expected[i])[known].mean())
        if e.fits(i, e.expected[i] + mean):
            yield f"a constant offset of {mean:.6g} on every element"


def added_term(e: Evidence, i: int) -> Iterator[str]:
    """Something added, or left out."""
    difference = e.got[i] - e.expected[i]
    known = e.known[i]
    if np.count_nonzero(known) < 2 or not known.any():
        return
    size = np.abs(e.got[i][known]).max() + np.abs(e.expected[i][known]).max()
    for name, f in features(e, i):
        used = known & (f != 0)
        if used.any() and np.ptp(f[known]) > 0:
            c = float(np.median(difference[used] / f[used]))
            if np.isfinite(c) and c and e.fits(i, e.expected[i] + c * f):
                yield f"a term is added or dropped: the difference is {c:.6g} times {name}"
    for axis in range(difference.ndim):
        if difference.shape[axis] > 1 and known.all():
            same = np.broadcast_to(difference.mean(axis, keepdims=True), difference.shape)
            if np.abs(same[known]).max() > e.tolerance * size and e.fits(i, e.expected[i] + same):
                yield f"a term is dropped that is constant along axis {axis}: a sum or a mean over that axis is missing"


def mistaken_sum(e: Evidence, i: int) -> Iterator[str]:
    """A multiple of something, constant along an axis: as a sum over other axes than it should be."""
    difference, known = e.got[i] - e.expected[i], e.known[i]
    if difference.ndim == 0 or not known.all():
        return
    for name, f in [("1", np.ones(difference.shape)), *features(e, i)]:
        for axis in range(difference.ndim):
            if difference.shape[axis] > 1 and f.all():
                ratio = (difference * f).sum(axis, keepdims=True) / (f * f).sum(axis, keepdims=True)
                if np.abs(ratio).max() > 0 and e.fits(i, e.expected[i] + ratio * f):
                    how = f"off by a multiple of {name}" if name != "1" else "a term is dropped, or added,"
                    yield f"{how} that is constant along axis {axis}: a sum or a mean over that axis is missing, or taken over other axes"


def statistics(e: Evidence, i: int) -> Iterator[str]:
    """Off by a + b * x, with one a and one b for each slice: what goes through a mean or a variance."""
    difference, known, x = e.got[i] - e.expected[i], e.known[i], e.xs[i]
    if not known.all():
        return
    for axis in range(x.ndim):
        if x.shape[axis] < 4:
            continue
        centred = x - x.mean(axis, keepdims=True)
        slope = (difference * centred).sum(axis, keepdims=True) / (centred**2).sum(axis, keepdims=True)
        if e.fits(i, e.expected[i] + difference.mean(axis, keepdims=True) + slope * centred):
            yield f"a term is missing, or wrong, that goes through the mean or the variance along axis {axis}, as in a normalisation"


def other_point(e: Evidence, i: int) -> Iterator[str]:
    """The derivative at another point than the inputs."""
    for k, x in enumerate(e.xs):
        changes = (
            [(f"with input {k} transposed", x.swapaxes(-1, -2))] if x.ndim > 1 and x.shape[-1] == x.shape[-2] else []
        )
        changes += [(f"with input {k} reversed along axis {a}", np.flip(x, a)) for a in range(x.ndim) if x.shape[a] > 1]
        if x.ndim > 1:
            changes.append((f"with input {k} reversed along all axes", np.flip(x)))
        changes += [(f"at the output in the place of input {k}", out) for out in e.outs if out.shape == x.shape]
        changes += [
            (f"at the absolute value of input {k}", np.abs(x)),
            (f"at twice input {k}", 2 * x),
            (f"at half input {k}", x / 2),
        ]
        changes += [
            (f"with input {j} in the place of input {k}", y)
            for j, y in enumerate(e.xs)
            if j != k and y.shape == x.shape
        ]
        for words, changed in changes:
            supposed = e.elsewhere(i, {k: changed})
            if supposed is not None and np.isfinite(supposed[e.known[i]]).all() and e.fits(i, supposed):
                yield f"right {words}: the derivative is computed at another point"


def of_slices(e: Evidence, i: int) -> Iterator[str]:
    """What explains nearly every element by one or two numbers a slice comes before where it happens to be right."""
    if e.got[i].size > 7 and min(e.got[i].shape) > 2 and np.mean(~e.fine[i]) > 0.5:
        yield from mistaken_sum(e, i)
        yield from statistics(e, i)


def two_sums(e: Evidence, i: int) -> Iterator[str]:
    """A multiple of something which along both axes varies by a constant only: a sum over one in the place of the other."""
    difference = e.got[i] - e.expected[i]
    if difference.ndim != 2 or min(difference.shape) < 3 or not e.known[i].all():
        return
    for name, f in features(e, i):
        if f.all():
            ratio = difference / f
            additive = ratio.mean(0, keepdims=True) + ratio.mean(1, keepdims=True) - ratio.mean()
            if e.fits(i, e.expected[i] + additive * f):
                yield f"off by {name} times a number for each row plus one for each column: a sum is taken over the wrong axis"


def imprecise(e: Evidence, i: int) -> Iterator[str]:
    """Small errors everywhere, now too large and now too small."""
    used = e.known[i] & (e.expected[i] != 0)
    got, expected = e.got[i][used], e.expected[i][used]
    if got.size > 2 and (got == np.round(got)).all() and (np.abs(got - expected) < 1).all() and np.abs(got).max() > 0:
        yield "whole numbers only: the gradient is rounded, as by an array of integers that holds it"
    if np.count_nonzero(used) > 5 and not any(constant_offset(e, i)):
        error = e.got[i][used] / e.expected[i][used] - 1
        if np.abs(error).max() < 2e-2 and np.sum(error < 0) > 1 and np.sum(error > 0) > 1:
            yield f"small errors of both signs (up to {np.abs(error).max():.1g}): precision is lost, as in float16, or a constant is a little off"


def in_general(e: Evidence, i: int) -> Iterator[str]:
    """What is left to say where nothing fits."""
    used = e.known[i] & (e.expected[i] != 0)
    wrong = used & ~e.fine[i]
    if not wrong.any():
        return
    ratio = e.got[i][wrong] / e.expected[i][wrong]
    if np.abs(ratio - 1).max() < 0.05 and (ratio.max() < 1 or ratio.min() > 1):
        how = "small" if ratio.max() < 1 else "large"
        yield f"a little too {how} (by up to {np.abs(ratio - 1).max():.1g}), more on some elements than on others: a small constant is added in one place only, as an eps"
    elif wrong.size > 1 and ratio.size > 1:
        yield (
            f"no one factor, sign or order fits: it is {ratio.min():.3g} to {ratio.max():.3g} times what it should be; a term of the "
            "sum or product rule is dropped, a factor belongs to other elements, or this is the derivative of another function"
        )


def repeated_index(e: Evidence, i: int) -> Iterator[str]:
    """Wrong just where an index occurs more than once."""
    wrong = ~e.fine[i] & e.known[i]
    for index in e.indices:
        for axis in range(wrong.ndim):
            n = wrong.shape[axis]
            if index.size and -n <= index.min() and index.max() < n:
                many = np.bincount(index.ravel() % n, minlength=n) > 1
                places = np.unique(np.nonzero(wrong)[axis])
                if many.any() and not many.all() and many[places].all():
                    yield "where an index occurs more than once, gradients overwrite each other: missing accumulation"


def by_value(e: Evidence, i: int) -> Iterator[str]:
    """Right on some elements, wrong on others, as their values are."""
    wrong = ~e.fine[i] & e.known[i]
    if (
        wrong.size > 3
        and where_values(wrong, e.xs[i])
        and comb(wrong.size, int(np.count_nonzero(wrong))) >= MANY
        and not e.fits(i, e.weights[0] if e.weights else e.got[i] + np.inf)
    ):
        yield from on_some_elements(e, i)


def on_some_elements(e: Evidence, i: int) -> Iterator[str]:
    """Right on some elements, wrong on others: which, and how."""
    wrong = ~e.fine[i] & e.known[i]
    if not wrong.any() or not (e.known[i] & ~wrong).any():
        return
    pattern = where_values(wrong, e.xs[i]) or place_pattern(wrong, None)
    if not pattern and len(e.weights) == 1 and e.weights[0].shape == wrong.shape:
        signs = where_values(wrong, e.weights[0])
        pattern = signs.replace("the input", "the cotangent") if signs else ""
    if not pattern and len(e.outs) == 1 and e.outs[0].shape == wrong.shape:
        pattern = where_values(wrong, e.outs[0], ties=False).replace("the input", "the output")
    if not pattern:
        for j, x in enumerate(e.xs):
            if j != i and x.shape == wrong.shape and not pattern:
                pattern = where_values(wrong, x).replace("the input", f"input {j}")
    got = e.got[i][wrong]
    how = ""
    if not got.any():
        how = "zero"
    else:
        c = factor_of(e, i, e.expected[i], wrong)
        if c is not None and np.count_nonzero(wrong) > 1 - (abs(2 * c - round(2 * c)) < 1e-3):
            how = "negated (sign)" if abs(c + 1) < 1e-3 else f"off by a factor {c:.6g}"
        elif not e.expected[i][wrong].any():
            how = "not zero, though it should be,"
    if pattern or how:
        yield f"{how or 'wrong'} {pattern or 'on some elements'}{' only' if pattern else ''}"


RULES: tuple[Rule, ...] = (
    absent,
    not_finite,
    beyond_kinks,
    exchanged,
    constant_factor,
    kept,
    repeated_index,
    inverted_mask,
    offset_cotangent,
    imprecise,
    local_derivative,
    by_value,
    moved,
    other_cotangent,
    constant_offset,
    overwritten,
    permuted,
    of_slices,
    on_some_elements,
    added_term,
    forgotten_factor,
    stale,
    mistaken_sum,
    statistics,
    two_sums,
    other_point,
    of_one_number,
    in_general,
)
