"""Formulas over many arrays at once, written out as kernels: the steps of optimisers and the clipping of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy

from .. import formula as formulas
from .. import reference
from ..geometry import Ints
from ..namespace import xp
from .launch import SOURCES, THREADS, Array, argument, fits, module, packed

STEPS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})", "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "less": "(A)({0} < {1})", "greater": "(A)({0} > {1})", "equal": "(A)({0} == {1})", "sqrt": "sqrt({0})", "absolute": "fabs({0})",
    "sign": "({0} != {0} ? {0} : (A)(({0} > 0) - ({0} < 0)))", "copy": "{0}", "where": "({0} != 0 ? {1} : {2})",
}  # fmt: skip
MOST_POINTERS = 256  # of a launch: the arguments of a kernel have 4 KiB
EACH_BLOCK = 1024  # elements


@lru_cache(maxsize=256)
def written_out(arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int) -> str:
    """A formula as a kernel for so many rows of arrays: each block finds its row by its number."""
    pointers = [
        f"{'T' if column >= arguments - len(results) else 'const T'}* x{row}_{column}"
        for row in range(rows)
        for column in range(arguments)
    ]
    parameters = [
        *pointers,
        *[f"int first{row}, int size{row}" for row in range(rows)],
        *[f"double c{i}" for i in range(constants)],
    ]
    lines = [f'extern "C" __global__ void update({", ".join(parameters)}) {{']
    lines += [
        f"{'T' if column >= arguments - len(results) else 'const T'}* x{column} = x0_{column};"
        for column in range(arguments)
    ]
    lines.append("int first = 0, size = size0;")
    for row in range(1, rows):
        chosen = " ".join([f"x{column} = x{row}_{column};" for column in range(arguments)])
        lines.append(f"if ((int)blockIdx.x >= first{row}) {{ {chosen} first = first{row}; size = size{row}; }}")
    lines.append(f"const int begin = ((int)blockIdx.x - first) * {EACH_BLOCK};")
    lines.append(f"for (int i = begin + threadIdx.x; i < begin + {EACH_BLOCK} && i < size; i += blockDim.x) {{")
    lines += [f"const A v{column} = wide(x{column}[i]);" for column in range(arguments)]
    for number, (operation, *operands) in enumerate(steps, arguments):
        value = (
            f"(A)c{operands[0]}"
            if operation == formulas.CONSTANT
            else STEPS[formulas.NAMES[operation]].format(*[f"v{o}" for o in operands])
        )
        lines.append(f"const A v{number} = {value};")
    lines += [f"x{arguments - len(results) + place}[i] = narrow(v{result});" for place, result in enumerate(results)]
    return "\n".join([*lines, "}", "}"])


@lru_cache(maxsize=256)
def updating(
    kind: str, arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int
) -> Any:
    text = (SOURCES / "common.h").read_text() + written_out(arguments, steps, results, constants, rows)
    return module(text, kind).get_function("update")


def update(formula: Any, rows: list[tuple[Array, ...]]) -> None:
    """Writes what a formula gives for each row of arrays into the last ones of the row, as many as it returns: one launch for many rows."""
    arguments = len(rows[0])
    notes, results = formulas.noted(formula, arguments)
    waiting: dict[str, list[tuple[Array, ...]]] = {}
    for row in rows:
        changed = row[arguments - len(results) :]
        kind = row[0].dtype.name
        if fits(row[0]) and all([x.dtype.name == kind for x in row]) and all([x.flags.c_contiguous for x in changed]):
            waiting.setdefault(kind, []).append((*[packed(x) for x in row[: arguments - len(results)]], *changed))
        elif row[0].size:
            reference.update(formula, (row,))
    for kind, alike in waiting.items():
        at_once = max(1, MOST_POINTERS // arguments)
        for i in range(0, len(alike), at_once):
            some = alike[i : i + at_once]
            firsts = numpy.cumsum([0, *[-(-row[0].size // EACH_BLOCK) for row in some]])
            places = [n for row, first in zip(some, firsts, strict=False) for n in (int(first), row[0].size)]
            values = [*[x for row in some for x in row], *places, *[float(c) for c in notes.constants]]
            run = updating(kind, arguments, tuple(notes.steps), results, len(notes.constants), len(some))
            run((int(firsts[-1]),), (THREADS,), tuple([argument(v) for v in values]))


def total_of_squares(arrays: Sequence[Array]) -> Array:
    """The sum of the squares of all elements, in float64, on the device."""
    m = xp(arrays[0])
    return m.stack([m.square(x.astype("float64")).sum() for x in arrays]).sum()


def sum_of_squares(arrays: Sequence[Array]) -> float:
    """The sum of the squares of all elements, computed in float64. The host waits for it."""
    return float(total_of_squares(arrays)) if arrays else 0.0
