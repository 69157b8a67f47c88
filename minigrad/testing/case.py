"""One example of a function's derivative: what a first call gave, and how an error in it is reported."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from minigrad.autograd.numeric import ordinary_size
from minigrad.testing.adapters import CannotBeDone, Run, Subject, floats
from minigrad.testing.patterns import place_pattern, shape_reason
from minigrad.testing.report import Array, Finding

TOLERANCE_64 = 2e-6
TOLERANCE_32 = 3e-4


class Broken(Exception):
    """A law is broken."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


class Unusable(Exception):
    """The function refuses an example."""


class Refused(Exception):
    """The function refuses arguments that are made up from those of an example."""


class OutOfTime(BaseException):
    """The time is spent; not an Exception, so that nothing on the way takes it for an error of the function."""


class Budget:
    """The time that is left."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def check(self) -> None:
        if self.left() < 0:
            raise OutOfTime


class Notes:
    """What was seen on the way: how often each law was checked, the rules at ties, and what could not be told."""

    def __init__(self) -> None:
        self.laws: Counter[str] = Counter()
        self.elements = 0
        self.unknown = 0
        self.exact = 0  # slopes that the complex step confirmed
        self.ties: Counter[str] = Counter()
        self.remarks: dict[str, None] = {}
        self.earlier: list[list[Array]] = []  # the gradients of the last examples: a wrong one may be one of them

    def remark(self, text: str) -> None:
        self.remarks[text] = None


class Case:
    """A subject at one example, with what the first call gave.

    `lenient` cases are made up from the arrays that were given: there, numbers that are not finite prove nothing. `resized` ones have other shapes:
    there, a gradient of another size may come from constants of the old shape, which broadcast.
    """

    def __init__(
        self,
        subject: Subject,
        arrays: Sequence[Any],
        notes: Notes,
        budget: Budget,
        lenient: bool = False,
        order: int = 1,
        resized: bool = False,
    ) -> None:
        self.subject = subject
        self.arrays = list(arrays)
        self.notes = notes
        self.budget = budget
        self.lenient = lenient
        self.order = order
        self.resized = resized
        self.which = floats(arrays)
        self.xs = [self.arrays[i] for i in self.which]
        self.before = [np.array(a) if isinstance(a, np.ndarray) else a for a in arrays]
        self.smooth = [np.ones(x.shape, bool) for x in self.xs]
        self.scale: list[Any] = [0.0 for _ in self.xs]
        # which elements which outputs depend on, where that is known
        self.touching: list[Array | None] = [None for _ in self.xs]
        self.coarse = False  # are errors to be measured by the function, whose tails may not have been made with care?
        self.noise = 0.0  # of the outputs, beside their size: a function of float64 may compute in float32
        start = time.monotonic()
        try:
            self.run = subject.run(arrays)
        except (CannotBeDone, OutOfTime):
            raise
        except Exception as error:
            raise Unusable(f"{type(error).__name__}: {error}") from error
        self.seconds = time.monotonic() - start
        self.outs = [np.array(out) for out in self.run.outs]
        self.precision = max([float(np.finfo(a.dtype).eps) for a in (*self.xs, *self.outs)], default=2.0**-52)
        self.weights = self.draw_weights()
        self.scale = self.scales()
        self.gradients: list[Array] = []
        self.missing: list[bool] = []

    @property
    def tolerance(self) -> float:
        return TOLERANCE_64 if self.precision < 1e-12 else TOLERANCE_32 if self.precision < 1e-5 else 2e-2

    @property
    def exact(self) -> float:
        """How far results may differ that are computed in different ways, but from the same numbers."""
        of_dtype = 1e-9 if self.precision < 1e-12 else 1e-4 if self.precision < 1e-5 else 1e-2
        return max(of_dtype, min(10 * self.noise, 1e-3))

    def scales(self) -> list[Any]:
        """How large the terms may be that a gradient is made of, 0 being their sum: as if outputs changed as much as they are large while the input does."""
        found: list[Any] = []
        with np.errstate(all="ignore"):
            sizes = [
                np.where(np.isfinite(out), np.abs(w * out), 0.0).ravel()
                for w, out in zip(self.weights, self.outs, strict=True)
            ]
            flat = np.concatenate([np.zeros(0), *sizes])
            for x, touching in zip(self.xs, self.touching, strict=True):
                largest = float(np.abs(x[np.isfinite(x)]).max(initial=0.0))
                total = flat.sum() if touching is None else (touching @ flat).reshape(x.shape)
                found.append(1e-4 * total / largest if largest else 0.0)
        return found

    def flat_weights(self) -> Array:
        """The cotangents of all outputs, one after the other."""
        return np.concatenate([np.zeros(0), *[w.astype(np.float64).ravel() for w in self.weights]])

    def draw_weights(self) -> list[Array]:
        """Cotangents of which no two neighbours are equal or add up to 0, which would hide a sum; 0 where the output is not finite."""
        random = np.random.default_rng(len(self.outs))
        numbers = np.array([-2.5, -1.75, -1.5, -0.875, -0.625, 0.5, 0.75, 1.0, 1.25, 2.0, 3.0])
        found = []
        for out in self.outs:
            weight = (
                random.permutation(np.resize(random.permutation(numbers), out.size))
                .reshape(out.shape)
                .astype(out.dtype)
            )
            found.append(np.where(np.isfinite(out), weight, 0).astype(out.dtype))
        return found

    def fail(self, law: str, what: str, guess: str = "", **more: Any) -> NoReturn:
        """Reports this case as one that breaks a law."""
        raise Broken(Finding(law, what, self.before, self.weights, guess, **more))

    def fail_at(
        self,
        law: str,
        what: str,
        guess: str,
        i: int,
        got: Array,
        expected: Array,
        wrong: Array,
        told: Callable[[Any], str] | None = None,
    ) -> None:
        """Reports the worst element of the i-th gradient."""
        with np.errstate(all="ignore"):
            apart = np.nan_to_num(np.abs(got.astype(np.float64) - expected), nan=np.inf, posinf=np.inf)
        worst = np.unravel_index(int(np.argmax(np.where(wrong, apart, -1.0))), got.shape)
        count = f"{np.count_nonzero(wrong)} of {wrong.size} elements are wrong"
        pattern = place_pattern(wrong, self.xs[i] if i < len(self.xs) else None)
        self.fail(
            law,
            what,
            guess,
            at=(self.which[i], tuple(int(k) for k in worst)),
            got=float(got[worst]),
            expected=told(worst) if told else repr(float(expected[worst])),
            wrong=f"{count}: {pattern}" if pattern else count,
            partial=not wrong.all(),
        )

    def pull(self, run: Run, weights: Sequence[Array], label: str) -> list[Array]:
        """The gradients of a run, in full: zeros where there is none; refuses those of a wrong shape."""
        try:
            found = run.pull(weights)
        except (CannotBeDone, OutOfTime, Broken):
            raise
        except Exception as error:
            if self.lenient:
                raise Refused(type(error).__name__) from error
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self.fail("gradient", f"the derivative cannot be computed{label}: {text[:400]}", shape_reason(text))
            raise AssertionError from error
        full = []
        for i, (x, g) in enumerate(zip(self.xs, found, strict=True)):
            if g is not None and g.shape != x.shape:
                if self.resized and g.size != x.size:
                    raise Refused("a gradient of another size")
                self.fail(
                    "gradient",
                    f"the gradient of input {self.which[i]} has shape {g.shape}, the input {x.shape}",
                    wrong_shape(g, x),
                )
            full.append(np.zeros(x.shape, x.dtype) if g is None else g)
        self.missing = [g is None for g in found]
        return full

    def call(self, arrays: Sequence[Any]) -> Run:
        """A new call.

        Raises:
            Refused: the function does not take these arguments.
        """
        try:
            return self.subject.run(arrays)
        except (CannotBeDone, OutOfTime):
            raise
        except Exception as error:
            raise Refused(type(error).__name__) from error

    def fresh(
        self, arrays: Sequence[Any], weights: Sequence[Array], label: str = ""
    ) -> tuple[list[Array], list[Array]]:
        """Outputs and gradients of a new call."""
        run = self.call(arrays)
        return [np.array(out) for out in run.outs], [np.array(g) for g in self.pull(run, weights, label)]

    def sizes(self, i: int, b: Array) -> Array:
        """What the i-th gradient is to be measured by: the largest of the elements that share an output, for rounding errors are as large as these."""
        sizes = np.where(np.isfinite(b), np.abs(b.astype(np.float64)), 0.0)
        touching = self.touching[i]
        if touching is None:
            sizes = np.full(b.shape, sizes.max(initial=0.0))
        elif b.size:
            of_outputs = (touching * sizes.reshape(-1, 1)).max(0, initial=0.0)
            sizes = np.maximum(sizes, (touching * of_outputs).max(1, initial=0.0).reshape(b.shape))
        return np.maximum(sizes, self.scale[i])

    def near(
        self,
        got: Sequence[Array],
        expected: Sequence[Array],
        tolerance: float,
        smooth: bool = True,
        outputs: bool = False,
    ) -> tuple[int, Array] | None:
        """The first gradient that differs from what is expected, and where; only where there is a derivative, if that is asked for. Or the first output."""
        for i, (a, b) in enumerate(zip(got, expected, strict=True)):
            with np.errstate(all="ignore"):
                apart = np.abs(a.astype(np.float64) - b)
                size = ordinary_size(b) if outputs else self.sizes(i, b)
                same = (apart <= tolerance * size) | (a == b) | ~(np.isfinite(a) | np.isfinite(b))
            wrong = ~same & (self.smooth[i] if smooth else True)
            if wrong.any():
                return i, wrong
        return None


def wrong_shape(g: Array, x: Array) -> str:
    """Why a gradient may have another shape than its input."""
    if g.shape == x.shape[::-1]:
        return "transposed"
    if g.size == x.size:
        return "a reshape to the shape of the input is forgotten"
    try:
        larger = np.broadcast_shapes(g.shape, x.shape) == g.shape
    except ValueError:
        return ""
    return (
        "forgotten unbroadcast: sum over the axes along which the input was broadcast"
        if larger
        else "a sum was taken over too many axes"
    )


@contextmanager
def if_accepted(case: Case, what: str) -> Iterator[None]:
    """A clean refusal of unusual arguments, by the function or its derivative, is no error, but is noted."""
    lenient, case.lenient = case.lenient, True
    try:
        yield
    except CannotBeDone:
        pass
    except Refused as refused:
        case.notes.remark(f"refuses {what} ({refused})")
    finally:
        case.lenient = lenient
