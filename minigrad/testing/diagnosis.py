"""A guess in words at what is wrong with a gradient, from its elements and those that it should have.

Each function looks for one kind of error: it makes the gradient that such an error would give, and compares. The first that fits is the guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

import numpy as np

from minigrad.testing.report import Array


class Evidence:
    """What is known of a wrong gradient.

    Args:
        xs, outs, weights: inputs, outputs and the cotangents of these.
        got, expected: the gradients of all inputs as they are and as differences have them.
        known: where there is a derivative.
        fine: where the gradient is right.
        columns: for each input the Jacobian, inputs by outputs, or None where it is not known whole.
        missing: the inputs that the framework gives no gradient for.
    """

    def __init__(
        self,
        xs: Sequence[Array],
        outs: Sequence[Array],
        weights: Sequence[Array],
        got: Sequence[Array],
        expected: Sequence[Array],
        known: Sequence[Array],
        fine: Sequence[Array],
        columns: Sequence[Array | None],
        missing: Sequence[bool],
        tolerance: float,
    ) -> None:
        self.xs = [x.astype(np.float64) for x in xs]
        self.outs = [out.astype(np.float64) for out in outs]
        self.weights = [w.astype(np.float64) for w in weights]
        self.got = [g.astype(np.float64) for g in got]
        self.expected = list(expected)
        self.known = [k & np.isfinite(e) for k, e in zip(known, expected, strict=True)]
        self.fine = list(fine)
        self.columns = list(columns)
        self.missing = list(missing)
        self.tolerance = max(50 * tolerance, 1e-4)
        self.earlier: list[list[Array]] = []  # gradients of earlier examples
        self.indices: list[Array] = []  # the inputs of whole numbers
        self.elsewhere: Callable[[int, dict[int, Array]], Array | None] = lambda i, changed: (
            None
        )  # the i-th gradient at other inputs

    def fits(self, i: int, supposed: Array, where: Array | None = None) -> bool:
        """Is this what the i-th gradient is, on all elements that are known?"""
        if supposed.shape != self.got[i].shape:
            return False
        known = self.known[i] if where is None else self.known[i] & where
        if not known.any():
            return False
        with np.errstate(all="ignore"):
            size = np.abs(self.got[i][known]).max() + np.abs(supposed[known]).max()
            unexplained = np.abs(self.got[i] - supposed)[known].max()
            explained = np.abs(self.got[i] - self.expected[i])[known].max()
            return bool(
                unexplained <= self.tolerance * (size + 1e-300) and unexplained <= 0.05 * explained and explained > 0
            )


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
    if b.size > 3 and known.all() and np.isfinite(got).all() and np.unique(b).size > 0.7 * b.size:
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
            for k, name in ((0, "first"), (n - 1, "last")):
                part, rest_of = np.zeros_like(w), w.copy()
                index = (slice(None),) * axis + (k,)
                part[index] = w[index]
                rest_of[index] = 0
                if e.fits(i, only(part)):
                    yield f"sum over axis {axis} of the output (the batch?) is missing: only its {name} slice counts"
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
                yield "transposed: the cotangent is transposed"
        if w.shape == e.got[i].shape and e.fits(i, w):
            yield "the gradient is the cotangent itself: the local derivative is missing"
        if (
            w.size == e.got[i].size
            and len(e.weights) == 1
            and e.fits(i, (jacobian.T @ w.ravel()).reshape(e.xs[i].shape))
        ):
            yield "the operation itself is applied to the cotangent, in the place of its transpose (its inverse, if it only moves elements)"


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


def added_term(e: Evidence, i: int) -> Iterator[str]:
    """Something added, or left out."""
    difference = e.got[i] - e.expected[i]
    known = e.known[i]
    if np.count_nonzero(known) < 2 or not known.any():
        return
    size = np.abs(e.got[i][known]).max() + np.abs(e.expected[i][known]).max()
    mean = float(difference[known].mean())
    if abs(mean) > e.tolerance * size and e.fits(i, e.expected[i] + mean):
        yield f"a constant offset of {mean:.6g} on every element"
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
                    yield f"off by a multiple of {name} that is constant along axis {axis}: a sum over that axis is missing, or taken over other axes"


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
    if np.count_nonzero(used) > 5:
        error = e.got[i][used] / e.expected[i][used] - 1
        if np.abs(error).max() < 1e-2 and np.sum(error < 0) > 1 and np.sum(error > 0) > 1:
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


def place_pattern(wrong: Array, x: Array | None) -> str:
    """Where in an array these elements are, in words."""
    if wrong.all() or not wrong.any() or wrong.ndim == 0:
        return ""
    for axis in range(wrong.ndim):
        n = wrong.shape[axis]
        for k, name in ((0, "first"), (n - 1, "last")):
            slices = np.zeros(wrong.shape, bool)
            slices[(slice(None),) * axis + (k,)] = True
            if n > 2 and (wrong == slices).all():
                return f"at the {name} index of axis {axis}"
            if n > 2 and (wrong == ~slices).all():
                return f"everywhere but at the {name} index of axis {axis}"
        if n > 2:
            ends = np.zeros(wrong.shape, bool)
            ends[(slice(None),) * axis + ([0, n - 1],)] = True
            if (wrong == ends).all():
                return f"at the border, both ends of axis {axis},"
    if wrong.ndim > 1:
        inside = np.zeros(wrong.shape, bool)
        inside[tuple([slice(1, -1)] * wrong.ndim)] = True
        if inside.any() and (wrong == ~inside).all():
            return "at the border"
        if wrong.ndim == 2 and min(wrong.shape) > 1 and (wrong == diagonal(wrong.shape)).all():
            return "on the diagonal"
        if wrong.ndim == 2 and wrong.shape[0] == wrong.shape[1] > 1 and (wrong != diagonal(wrong.shape)).all():
            return "off the diagonal"
        if (
            wrong.ndim == 2
            and min(wrong.shape) > 2
            and np.count_nonzero(wrong) > 2
            and (fills(wrong, np.tril) or fills(wrong, np.triu))
        ):
            return "in one triangle of the matrix"
    return where_values(wrong, x) if x is not None else ""


def fills(wrong: Array, triangle: Callable[[Array], Array]) -> bool:
    """Do these elements make up most of a triangle, and nothing else?"""
    inside = triangle(np.ones(wrong.shape)) > 0
    return bool(wrong[inside & ~diagonal(wrong.shape)].mean() > 0.6 and not wrong[~inside].any())


def diagonal(shape: tuple[int, ...]) -> Array:
    return np.arange(shape[0])[:, None] == np.arange(shape[1])


def where_values(wrong: Array, x: Array, ties: bool = True) -> str:
    """For which values of the input these elements are wrong."""
    if wrong.all() or not wrong.any():
        return ""
    bad, good = x[wrong].astype(np.float64), x[~wrong].astype(np.float64)
    if not bad.any() and good.all():
        return "where the input is 0"
    if (bad < 0).all() and (good >= 0).all():
        return "where the input is negative"
    if (bad > 0).all() and (good <= 0).all():
        return "where the input is positive"
    if wrong.size > 3:
        if np.abs(bad).min() > np.abs(good).max():
            return f"where the input is large (beyond {np.abs(good).max():.4g})"
        if np.abs(bad).max() < np.abs(good).min():
            return f"where the input is small (up to {np.abs(bad).max():.4g})"
        if bad.min() > good.max():
            return f"where the input is above {good.max():.4g}"
        if bad.max() < good.min():
            return f"where the input is below {good.min():.4g}"
        if wrong.size > 7 and bad.size > 2 and not ((bad.min() < good) & (good < bad.max())).any():
            return f"where the input is between {bad.min():.4g} and {bad.max():.4g}"
    values, counts = np.unique(x, return_counts=True)
    tied = np.isin(x, values[counts > 1])
    if ties and tied.any() and (wrong <= tied).all() and not tied.all():
        return "where elements of the input are equal"
    return ""


def shape_reason(text: str) -> str:
    """Why a derivative may have raised."""
    low = text.lower()
    if "invalid gradient" in low or "broadcast" in low or "shape" in low or "mismatch" in low or "size" in low:
        return "shapes: forgotten unbroadcast, transpose, or keepdims"
    if "modified by an inplace" in low or "overwritten" in low:
        return "a saved value was overwritten in place"
    return ""


RULES: tuple[Rule, ...] = (
    absent,
    not_finite,
    beyond_kinks,
    exchanged,
    constant_factor,
    repeated_index,
    inverted_mask,
    imprecise,
    by_value,
    moved,
    other_cotangent,
    permuted,
    on_some_elements,
    added_term,
    forgotten_factor,
    stale,
    mistaken_sum,
    statistics,
    two_sums,
    other_point,
    in_general,
)
