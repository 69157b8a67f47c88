"""Do the sizes fit? Which layer is the first where they do not, and which sizes near by would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from linecache import getline
from traceback import walk_tb
from typing import Any

from minigrad import nn
from minigrad.inspect.fields import times
from minigrad.inspect.summary import Event, ShadowRun, Shape, run_in_shadow

__all__ = ["Diagnosis", "Finding", "doctor"]


@dataclass(frozen=True)
class Finding:
    """One thing that the doctor found: in which layer, what is wrong, and what would help there."""

    layer: str
    kind: str
    problem: str
    advice: str = ""

    def __str__(self) -> str:
        name = f"{self.layer} ({self.kind})" if self.layer else self.kind
        return f"{name}: {self.problem}" + (f"; {self.advice}" if self.advice else "")


@dataclass(frozen=True)
class Diagnosis:
    """What `doctor` returns; it is true where all sizes fit, and printing it tells all.

    `misfits` stand in the order in which the network meets them; `fitting_sizes` are the nearest sizes of the input, below and above, at which all
    fits; `warnings` are about layers that work but are known for artefacts.
    """

    input_shape: Shape
    misfits: tuple[Finding, ...]
    fitting_sizes: tuple[Shape, ...]
    warnings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return not self.misfits

    def __str__(self) -> str:
        lines = [
            f"input {times(self.input_shape)}: " + ("all sizes fit" if self else f"does not fit in {self.misfits[0]}")
        ]
        lines += [f"then: {finding}" for finding in self.misfits[1:]]
        if not self:
            near = " and ".join(times(shape) for shape in self.fitting_sizes)
            lines.append(f"nearest input that fits: {near}" if near else "no input size near by fits")
        return "\n".join([*lines, *[f"warning: {finding}" for finding in self.warnings]])

    __repr__ = __str__


def doctor(model: nn.Module, input_size: Any, dtype: Any = None, reach: int = 64) -> Diagnosis:
    """Whether the sizes fit from layer to layer, told without data: where not, which layer is the first, and which sizes near by do.

    Besides what raises an error, such as skips that do not match or filters larger than their input, it finds convolutions and poolings whose windows
    leave positions of the input unused because (W - F + 2P) / S is no integer; and it warns of transposed convolutions whose kernel is no
    multiple of their stride, which draw checkerboards (A. Odena, V. Dumoulin and C. Olah, "Deconvolution and checkerboard artifacts", Distill 2016).

    Args:
        model: the network; it is left as it was.
        input_size: as for `summary`.
        dtype: of the input, as for `summary`.
        reach: how far to look for sizes that fit, in positions along each axis.

    >>> from minigrad import inspect, nn
    >>> print(inspect.doctor(nn.Conv2d(1, 1, 3, stride=3), (7, 7, 1)[::-1]))
    input 1x1x7x7: does not fit in Conv2d: the windows of 3x3 with stride 3x3 leave 1x1 of the 7x7 positions unused; 6x6 or 9x9 would fit
    nearest input that fits: 1x1x6x6 and 1x1x9x9
    >>> bool(inspect.doctor(nn.Conv2d(1, 1, 3, stride=3), (1, 9, 9)))
    True
    """
    run = run_in_shadow(model, input_size, dtype)
    misfits = tuple(misfits_of(run))
    fitting = tuple(nearest_fits(model, run, reach)) if misfits else ()
    return Diagnosis(run.shapes[0], misfits, fitting, tuple(checkerboards(run)))


def misfits_of(run: ShadowRun) -> Iterator[Finding]:
    """What does not fit in a run, in order."""
    for event in run.events:
        unused = unused_positions(event)
        if unused is not None:
            yield finding(event, *unused)
    if run.error is not None:
        call = run.calls.failed
        place = user_line(run.error)
        advice = f"called at {place}" if place else ""
        yield Finding(
            "" if call is None else call.name,
            "" if call is None else type(call.module).__name__,
            str(run.error),
            advice,
        )


def unused_positions(event: Event) -> tuple[str, str] | None:
    """What windows leave of their input at its end, and the lengths that they would not; None if nothing."""
    windows = event.windows
    if windows is None or event.kind == "transposed convolution" or windows.ceil_mode:
        return None
    unused, below, above = [], [], []
    for n, span, stride, (before, after), count in zip(
        windows.in_size, windows.span, windows.stride, windows.padding, windows.out_size, strict=True
    ):
        left = (
            n + before - ((count - 1) * stride + span)
        )  # what the last window does not reach, without the padding at the end
        unused.append(max(0, left) if stride <= span else 0)
        below.append(n - unused[-1])
        above.append(n + stride - left - after if unused[-1] else n)
    if not any(unused):
        return None
    return (
        f"the windows of {times(windows.kernel)} with stride {times(windows.stride)} leave {times(unused)} of the {times(windows.in_size)} "
        "positions unused",
        f"{times(below)} or {times(above)} would fit",
    )


def checkerboards(run: ShadowRun) -> Iterator[Finding]:
    """Transposed convolutions whose outputs get contributions of uneven number."""
    for event in run.events:
        windows = event.windows
        if event.kind != "transposed convolution" or windows is None:
            continue
        pairs = list(zip(windows.kernel, windows.stride, strict=True))
        if any(k % s for k, s in pairs):
            better = [k + -k % s for k, s in pairs]
            yield finding(
                event,
                f"a kernel of {times(windows.kernel)} with stride {times(windows.stride)} overlaps unevenly, which shows as a checkerboard",
                f"take {times(better)}, or enlarge with nn.Upsample and convolve",
            )


def finding(event: Event, problem: str, advice: str) -> Finding:
    """A finding in the layer of an event."""
    return Finding(
        "" if event.call is None else event.call.name,
        event.kind if event.call is None else type(event.call.module).__name__,
        problem,
        advice,
    )


def nearest_fits(model: nn.Module, run: ShadowRun, reach: int) -> Iterator[Shape]:
    """The nearest sizes of the first input, smaller and larger, at which all fits.

    Each axis is searched with the others as long as itself; if no such size fits, with the others as they are.
    """
    first, *others = run.shapes
    plane = first[2:]
    known: dict[Shape, bool] = {}

    def fits(size: Shape) -> bool:
        if size not in known:
            known[size] = (
                min(size) > 0
                and next(misfits_of(ShadowRun(model, [(*first[:2], *size), *others], run.dtype, first_misfit)), None)
                is None
            )
        return known[size]

    for sign in (-1, 1):
        lengths = [next((m for d in range(reach + 1) if fits((m := n + sign * d,) * len(plane))), 0) for n in plane]
        candidates = [tuple(lengths)]
        candidates += [
            plane[:axis] + (n + sign * d,) + plane[axis + 1 :]
            for d in range(1, reach + 1)
            for axis, n in enumerate(plane)
        ]
        found = next((size for size in (candidates if not all(lengths) else candidates[:1]) if fits(size)), None)
        if found:
            yield (*first[:2], *found)


def first_misfit(event: Event) -> None:
    """Ends a run at the first windows that leave something unused."""
    if unused_positions(event) is not None:
        raise RuntimeError("windows leave positions unused")


def user_line(error: BaseException) -> str:
    """The innermost line outside of this package that led to an error."""
    package = __name__.partition(".")[0]
    frames = [
        (f, line)
        for f, line in walk_tb(error.__traceback__)
        if f.f_globals.get("__name__", "").partition(".")[0] != package
    ]
    if not frames:
        return ""
    frame, line = frames[-1]
    return f"{frame.f_code.co_filename}:{line}: {getline(frame.f_code.co_filename, line).strip()}"
