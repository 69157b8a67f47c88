"""What functions are tried on: arrays that are given and what follows from them, draws of strategies, or arrays of shapes that the function takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigrad.core.tensor import Tensor
from minigrad.ops.families import POSITIVE, REAL, Domain
from minigrad.testing.adapters import Subject
from minigrad.testing.report import Array
from minigrad.testing.strategies import Draw, DrawFunction

Shapes = tuple[tuple[int, ...], ...]

DOMAINS = (REAL, POSITIVE, Domain(0.1, 0.9), Domain(-0.9, 0.9), Domain(1.1, 4.0))
ONE: tuple[Shapes, ...] = tuple(
    [(s,) for s in ((3,), (2, 3), (), (3, 2, 4), (3, 3), (2, 2, 5, 4), (1,), (1, 3), (2, 1), (4, 4, 4))]
)
TWO: tuple[Shapes, ...] = (
    ((2, 3), (3,)), ((2, 3), (2, 1)), ((3,), ()), ((2, 1), (3,)),  # broadcast
    ((2, 3), (3, 4)), ((2, 3), (4, 3)), ((5, 2, 3), (5, 3, 4)), ((3, 2), (2,)),  # products
    ((2, 3, 6), (4, 3, 3)), ((2, 3, 5, 4), (2, 3, 3, 2)),  # convolutions
)  # fmt: skip
THREE: tuple[Shapes, ...] = (
    ((2, 3), (4, 3), (4,)), ((2, 3), (3, 4), (4,)), ((2, 3), (3,), (3,)), ((2, 3, 4), (3,), (3,)), ((2, 3), (2, 1), (3,)),
    ((2, 3, 6), (4, 3, 3), (4,)), ((2, 3, 5, 4), (2, 3, 3, 2), (2,)), ((2, 3, 4), (2, 5, 4), (2, 5, 6)),
)  # fmt: skip
SIZES = (12.0, 100.0)  # beyond the bounds of clipped and of saturated functions
EMPTY: tuple[tuple[int, ...], ...] = ((0,), (0, 3), (2, 0))


def as_input(value: Any) -> Any:
    """Tensors of any framework and lists as arrays; numbers and all else as they are."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, Tensor):
        return value.array
    if type(value).__module__.split(".")[0] == "torch" and hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if isinstance(value, list) or type(value).__module__.split(".")[0] in ("jax", "jaxlib"):
        return np.asarray(value)
    return value


def as_inputs(values: Sequence[Any]) -> list[Any]:
    """All inputs; numbers are arrays without axes if nothing else could have a gradient."""
    found = [as_input(v) for v in values]
    if not any(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in found):
        found = [np.asarray(a, np.float64) if type(a) is float else a for a in found]
    return found


def as_domain(domain: Any) -> Domain:
    """A domain from itself, or from a pair of bounds."""
    if isinstance(domain, Domain):
        return domain
    if (
        isinstance(domain, (tuple, list))
        and len(domain) == 2
        and all(isinstance(x, (int, float)) for x in domain)
        and domain[0] < domain[1]
    ):
        return Domain(float(domain[0]), float(domain[1]))
    raise TypeError(
        f"check: expected domain to be a pair of bounds (low, high) or a minigrad.testing.Domain, got {domain!r}"
    )


# --- around given arrays ----------------------------------------------------------------------------------------------


def variations(given: Sequence[Any]) -> Iterator[tuple[list[Any], bool]]:
    """The arrays themselves; in double precision; moved a little; with ties, zeros and round numbers. All but the first prove less (`lenient`)."""
    yield list(given), False
    which = [i for i, a in enumerate(given) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if any(given[i].dtype != np.float64 for i in which):
        yield changed(given, which, lambda a: a.astype(np.float64)), False
    random = np.random.default_rng(0)
    yield changed(given, which, lambda a: within(a, a * (1 + 0.2 * random.uniform(-1, 1, a.shape)))), True
    yield changed(given, which, tied), True
    yield changed(given, which, lambda a: within(a, np.round(a))), True
    if any((given[i] > 0).any() and (given[i] < 0).any() for i in which):
        yield changed(given, which, zeroed), True


def changed(given: Sequence[Any], which: Sequence[int], change: Callable[[Array], Array]) -> list[Any]:
    return [
        np.asarray(change(a)).astype(a.dtype if change is not None and a.dtype == np.float64 else np.float64)
        if i in which
        else a
        for i, a in enumerate(given)
    ]


def enlarged(given: Sequence[Any]) -> Iterator[list[Any]]:
    """Larger numbers, where those that were given lie on both sides of 0: a derivative may be wrong, or clipped, beyond them only."""
    signed = [
        i
        for i, a in enumerate(given)
        if isinstance(a, np.ndarray)
        and a.dtype.kind == "f"
        and (a > 0).any()
        and (a < 0).any()
        and np.isfinite(a).all()
    ]
    for size in SIZES:
        growing = [i for i in signed if np.abs(given[i]).max() < size / 2]
        if growing:
            yield changed(given, growing, partial(scaled, size=size))


def scaled(a: Array, size: float) -> Array:
    return a * (size / np.abs(a).max())


def within(a: Array, moved: Array) -> Array:
    """Numbers that stay between the least and the greatest that were given."""
    finite = a[np.isfinite(a)]
    return np.where(np.isfinite(moved), np.clip(moved, finite.min(), finite.max()), a) if finite.size else a


def tied(a: Array) -> Array:
    """Every second element equal to the one before."""
    flat = a.ravel().copy()
    flat[1::2] = flat[: 2 * (flat.size // 2) : 2]
    return flat.reshape(a.shape)


def zeroed(a: Array) -> Array:
    """Every third element 0, where numbers of both signs were given."""
    flat = a.ravel().copy()
    if (flat > 0).any() and (flat < 0).any():
        flat[::3] = 0
    return flat.reshape(a.shape)


def cut(array: Any, old: int, new: int) -> Any:
    """The array with its axes of one length cut to another."""
    if not isinstance(array, np.ndarray):
        return array
    return array[tuple([slice(0, new) if n == old else slice(None) for n in array.shape])]


def resized(subject: Subject, given: Sequence[Any]) -> Iterator[tuple[list[Any], bool]]:
    """The arrays with axes of one length cut to 1, and to none, where the function takes that for the same axes as before; and whether it may broadcast.

    A function that takes it for something else, as a convolution whose kernel is longer than its input, has other outputs; so have most functions
    that use constants of the old shape.
    """
    outs = [out.shape for out in subject.outputs([np.array(a) if isinstance(a, np.ndarray) else a for a in given])]
    lengths = {n for a in given if isinstance(a, np.ndarray) for n in a.shape if n > 1}
    for length in sorted(lengths, reverse=True):
        for new in (1, 0):
            arrays = [cut(a, length, new) for a in given]
            try:
                shapes = [
                    out.shape
                    for out in subject.outputs([np.array(a) if isinstance(a, np.ndarray) else a for a in arrays])
                ]
            except Exception:
                continue
            if shapes == [tuple([new if n == length else n for n in shape]) for shape in outs]:
                yield arrays, new == 1
    if (
        subject.framework == "minigrad"
    ):  # whose engine undoes broadcasting; elsewhere it is up to the function whether it broadcasts
        for arrays in narrowed(given):
            yield arrays, False


def repeated_batch(subject: Subject, given: Sequence[Any]) -> Iterator[list[Any]]:
    """Where the first axis has length 1, as that of a batch: the same with 2, if the function treats it as one, which its outputs tell."""
    ones = [i for i, a in enumerate(given) if isinstance(a, np.ndarray) and a.ndim > 1 and a.shape[0] == 1]
    outs = [out.shape for out in subject.outputs([np.array(a) if isinstance(a, np.ndarray) else a for a in given])]
    random = np.random.default_rng(2)
    for growing in dict.fromkeys((tuple(ones[:1]), tuple(ones))):
        arrays = [
            np.concatenate([a, random.permutation(a.ravel()).reshape(a.shape)]) if i in growing else a
            for i, a in enumerate(given)
        ]
        try:
            shapes = [
                out.shape for out in subject.outputs([np.array(a) if isinstance(a, np.ndarray) else a for a in arrays])
            ]
        except Exception:
            continue
        if growing and shapes != outs and shapes == [(2, *s[1:]) if s[:1] == (1,) else s for s in outs]:
            yield arrays
            return


def narrowed(given: Sequence[Any]) -> Iterator[list[Any]]:
    """The arrays with one of several of the same shape cut so that it has to be broadcast."""
    shapes = [a.shape for a in given if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.ndim]
    for i, a in enumerate(given):
        if isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.ndim and a.size > 1 and shapes.count(a.shape) > 1:
            for small in (a[:1], a[0], a[..., :1]):
                yield [small if i == j else b for j, b in enumerate(given)]


def like(arrays: Sequence[Any], bounds: dict[int, tuple[float, float]], longer: int, seed: int) -> list[Any] | None:
    """Numbers all over what was seen of each input, on axes that are so much longer, all of one length by the same: what shows most of an error."""
    if longer and any(isinstance(a, np.ndarray) and a.dtype.kind in "iu" for a in arrays):
        return None
    random = np.random.default_rng([seed, longer])
    found = []
    for i, a in enumerate(arrays):
        if isinstance(a, np.ndarray) and a.dtype.kind == "f":
            low, high = bounds.get(i, (-2.0, 2.0))
            found.append(random.uniform(low, high, [n + longer if n > 1 else n for n in a.shape]).astype(a.dtype))
        else:
            found.append(a)
    return found


# --- without any ------------------------------------------------------------------------------------------------------


def counts_of_inputs(subject: Subject) -> tuple[int, ...]:
    """How many arrays a function takes, by its signature; what to try where it has none."""
    op: Any = subject.fn
    if hasattr(op, "n_tensors") and not op.variadic:
        return (int(op.required),)
    for function, extra in ((subject.fn, 0), (forward_of(subject.fn), 1), (subject.vjp, 1)):
        try:
            parameters = list(inspect.signature(function).parameters.values()) if function is not None else []
        except (TypeError, ValueError):
            continue
        if parameters and not any(p.kind == p.VAR_POSITIONAL for p in parameters):
            required = [
                p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
            ]
            if len(required) > extra:
                return (len(required) - extra,)
    return (1, 2, 3)


def forward_of(fn: Any) -> Any:
    """The forward of an autograd.Function whose apply this is."""
    owner = getattr(fn, "__self__", None)
    return getattr(owner, "forward", None) if isinstance(owner, type) else None


def templates(count: int) -> list[Shapes]:
    """Shapes that functions of so many arrays may take, the most common first."""
    same = [shapes * count for shapes in ONE]
    return same + list({2: TWO, 3: THREE}.get(count, ()))


def generic(shapes: Shapes, domains: Sequence[Domain], seed: int = 0) -> list[Array]:
    """Numbers all over the domains."""
    random = np.random.default_rng([seed, len(shapes), *[n for s in shapes for n in s]])
    return [random.uniform(d.low, d.high, s) for s, d in zip(shapes, domains, strict=True)]


def accepted(subject: Subject, domain: Any) -> tuple[list[Shapes], list[Domain]]:
    """The shapes that a function takes, and the domains on which its values are finite.

    Raises:
        ValueError: it takes none of those that were tried.
    """
    first: Exception | None = None
    for count in counts_of_inputs(subject):
        try:
            return accepted_by_count(subject, count, domain)
        except ValueError as error:
            first = first or error
    assert first is not None
    raise first


def accepted_by_count(subject: Subject, count: int, domain: Any) -> tuple[list[Shapes], list[Domain]]:
    """The same for functions of so many arrays."""
    if isinstance(domain, list) and len(domain) != count:
        raise ValueError(f"check: got {len(domain)} domains for {count} inputs")
    choices = (
        [[as_domain(d) for d in domain]]
        if isinstance(domain, list)
        else [[as_domain(domain)] * count]
        if domain is not None
        else [[d] * count for d in DOMAINS]
    )
    first: Exception | None = None
    best: tuple[float, list[Shapes], list[Domain]] = (-1.0, [], [])
    for domains in choices:
        taken, finite = [], []
        for shapes in templates(count):
            try:
                outs = subject.outputs(generic(shapes, domains))
            except Exception as error:
                first = first or error
                continue
            if outs:
                taken.append(shapes)
                finite.append(float(np.mean([np.isfinite(out).mean() for out in outs if out.size] or [1.0])))
        if taken and min(finite) == 1.0:
            return taken, domains
        if taken and np.mean(finite) > best[0]:
            best = (float(np.mean(finite)), taken, domains)
    if not best[1]:
        raise ValueError(
            f"check: {subject.name} takes none of the shapes that were tried ({type(first).__name__}: {first}); give examples, as in "
            f"check({subject.name}, np.ones((2, 3)), ...), or strategies such as minigrad.testing.arrays((2, 3), domain=(0, 1))"
        ) from first
    return best[1], best[2]


@st.composite
def arguments(draw: DrawFunction, shapes: Sequence[Shapes], domains: Sequence[Domain]) -> list[Array]:
    """Readable numbers, ties among them, in arrays of one of the shapes."""
    source = Draw(draw)
    chosen = draw(st.sampled_from(sorted(shapes, key=lambda s: sum(prod(n) for n in s))))
    return [source.array(s, d.low, d.high, d.kinks) for s, d in zip(chosen, domains, strict=True)]
