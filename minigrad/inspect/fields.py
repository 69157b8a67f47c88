"""Receptive fields: how much of the input a unit sees, followed from layer to layer.

Along each axis the unit number i of a map sees the `size` positions from ``start + i * step`` on, padding counted as positions outside
of the input. A window of span k and stride s makes of it size + (k - 1) step, step s and start - padding step: A. Araujo, W. Norris and
J. Sim, "Computing receptive fields of convolutional neural networks", Distill 2019. Where paths join, the field is the hull of theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from minigrad.kernels.geometry import Windows

Numbers = tuple[Fraction, ...]


@dataclass(frozen=True)
class Field:
    """What the units of a map with these lengths (`plane`) see of the input, along each axis.

    >>> field = Field.of_input((32, 32)).through(Windows((32, 32), (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1))))
    >>> field.shown(), field.box((0, 5))
    ('3x3 step 2x2', ((-1, 2), (9, 12)))
    """

    size: Numbers
    step: Numbers
    start: Numbers
    plane: tuple[int, ...]
    grid: Numbers  # behind an enlargement several neighbours see the same: fields begin at these distances from `origin` only, at the next one
    origin: Numbers

    @staticmethod
    def of_input(plane: Sequence[int]) -> Field:
        """Each position of the input sees itself."""
        one, zero = (Fraction(1),) * len(plane), (Fraction(0),) * len(plane)
        return Field(one, one, zero, tuple(plane), one, zero)

    def through(self, windows: Windows) -> Field:
        """The field after a convolution or pooling."""
        here = self.resized(windows.in_size)
        size = tuple(
            f + up((k - 1) * j, g) for f, k, j, g in zip(here.size, windows.span, here.step, here.grid, strict=True)
        )
        step = tuple(j * s for j, s in zip(here.step, windows.stride, strict=True))
        start = tuple(a - before * j for a, (before, _), j in zip(here.start, windows.padding, here.step, strict=True))
        return replace(here, size=size, step=step, start=start, plane=windows.out_size)

    def spread(self, windows: Windows) -> Field:
        """The field after the transpose of a convolution; how many units overlap may differ by place, the most is taken."""
        here = self.resized(windows.out_size)
        overlap = [(k - 1) // s for k, s in zip(windows.span, windows.stride, strict=True)]
        behind = [
            Fraction(before - k + 1, s)
            for k, s, (before, _) in zip(windows.span, windows.stride, windows.padding, strict=True)
        ]
        return here.enlarged(windows.stride, overlap, behind, windows.in_size)

    def enlarged(
        self, factors: Sequence[int], overlap: Sequence[int], behind: Sequence[Fraction], plane: tuple[int, ...]
    ) -> Field:
        """The field after each unit has spread over several, where that many overlap; the first unit's lies so many units behind the old one's."""
        size = tuple(f + up(n * j, g) for f, n, j, g in zip(self.size, overlap, self.step, self.grid, strict=True))
        step = tuple(j / s for j, s in zip(self.step, factors, strict=True))
        start = tuple(a + n * j for a, n, j in zip(self.start, behind, self.step, strict=True))
        origin = tuple(
            o if g > j else a for o, a, g, j in zip(self.origin, self.start, self.grid, self.step, strict=True)
        )
        return Field(size, step, start, plane, tuple(map(max, self.grid, self.step)), origin)

    def whole(self) -> Field:
        """The field of a unit that sees all units."""
        size = tuple(f + (n - 1) * j for f, n, j in zip(self.size, self.plane, self.step, strict=True))
        step = tuple(j * n for j, n in zip(self.step, self.plane, strict=True))
        return replace(self, size=size, step=step, plane=(1,) * len(self.plane))

    def resized(self, plane: Sequence[int]) -> Field:
        """The field after an operation of which only the lengths of its result are known.

        Whole multiples are an enlargement; a single unit sees all; anything else is taken for an even cut or border.
        """
        plane = tuple(plane)
        if plane == self.plane:
            return self
        if len(plane) != len(self.plane):
            return self.whole()
        if any(new > old and new % old == 0 for old, new in zip(self.plane, plane, strict=True)):
            factors = [new // old if new % old == 0 else 1 for old, new in zip(self.plane, plane, strict=True)]
            behind = [Fraction(1 - f, f) for f in factors]
            between = tuple(n * f for n, f in zip(self.plane, factors, strict=True))
            return self.enlarged(factors, [0] * len(plane), behind, between).resized(plane)
        size, step, start = list(self.size), list(self.step), list(self.start)
        for axis, (old, new) in enumerate(zip(self.plane, plane, strict=True)):
            if new == 1 < old:
                size[axis] += (old - 1) * step[axis]
                step[axis] *= old
            else:
                start[axis] += Fraction(old - new, 2) * step[axis]
        return replace(self, size=tuple(size), step=tuple(step), start=tuple(start), plane=plane)

    def wider(self) -> Field:
        """The field of an interpolation between neighbours."""
        size = tuple(f + (j if n > 1 else 0) for f, j, n in zip(self.size, self.step, self.plane, strict=True))
        return replace(self, size=size)

    def hull(self, other: Field) -> Field:
        """What units of either see."""
        if len(other.plane) != len(self.plane) or other == self:
            return self
        one, two = self, other.resized(self.plane)
        if (one.grid, one.origin) != (two.grid, two.origin):
            one, two = one.loosened(), two.loosened()
        start = tuple(map(min, one.start, two.start))
        ends = (max(a + m, b + n) for a, m, b, n in zip(one.start, one.size, two.start, two.size, strict=True))
        size = tuple(end - first for end, first in zip(ends, start, strict=True))
        return replace(one, size=size, step=tuple(map(max, one.step, two.step)), start=start)

    def loosened(self) -> Field:
        """A field without a grid that holds this one."""
        fine = tuple(map(min, self.grid, self.step))
        size = tuple(f + g - j for f, g, j in zip(self.size, self.grid, fine, strict=True))
        return replace(self, size=size, grid=(Fraction(1, 1024),) * len(fine), origin=(Fraction(0),) * len(fine))

    def first(self, unit: Sequence[int]) -> Numbers:
        """Where the field of a unit begins."""
        places = (a + i * j for a, i, j in zip(self.start, unit, self.step, strict=True))
        return tuple(o + up(a - o, g) for a, o, g in zip(places, self.origin, self.grid, strict=True))

    def box(self, unit: Sequence[int]) -> tuple[tuple[int, int], ...]:
        """The first position that a unit sees and the one after the last, along each axis; they may lie outside of the input."""
        return tuple((int(a // 1), int(-(-(a + n) // 1))) for a, n in zip(self.first(unit), self.size, strict=True))

    def shown(self) -> str:
        """For example 3x3 step 2x2."""
        return f"{times(self.size)} step {times(self.step)}"


def up(distance: Fraction, grid: Fraction) -> Fraction:
    """The next multiple of the grid."""
    return -(-distance // grid) * grid


def times(numbers: Sequence[Fraction | int]) -> str:
    """For example 3x3, with halves as 1/2."""
    return "x".join(str(n) for n in numbers)
