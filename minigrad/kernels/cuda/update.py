"""Formulas over many arrays at once, written out as kernels: the steps of optimisers and the clipping of gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

from .. import formula as formulas
from .. import reference
from ..geometry import Ints
from ..namespace import xp
from .launch import SOURCES, THREADS, Array, argument, empty, fits, module, packed

STEPS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})", "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "less": "(A)({0} < {1})", "greater": "(A)({0} > {1})", "equal": "(A)({0} == {1})", "sqrt": "sqrt({0})", "absolute": "fabs({0})",
    "sign": "({0} != {0} ? {0} : (A)(({0} > 0) - ({0} < 0)))", "copy": "{0}", "where": "({0} != 0 ? {1} : {2})",
}  # fmt: skip
MOST_ROWS = 64  # of a launch, each block of which looks for its row among them
MOST_BYTES = 4096  # of the arguments of a kernel, before CUDA 12.1 and on older GPUs
EACH_BLOCK = 1024  # elements


def by_rows(name: str, arguments: int, changed: int, rows: int, others: list[str]) -> list[str]:
    """The beginning of a kernel for so many rows of arrays, the last ones of which it changes: each block finds its row by its number."""
    kinds = ["const T"] * (arguments - changed) + ["T"] * changed
    parameters = [f"{kind}* x{row}_{column}" for row in range(rows) for column, kind in enumerate(kinds)]
    parameters += [f"int first{row}, int size{row}" for row in range(rows)]
    lines = [f'extern "C" __global__ void {name}({", ".join([*parameters, *others])}) {{']
    lines += [f"{kind}* x{column} = x0_{column};" for column, kind in enumerate(kinds)]
    lines.append("int first = 0, size = size0;")
    for row in range(1, rows):
        chosen = " ".join([f"x{column} = x{row}_{column};" for column in range(arguments)])
        lines.append(f"if ((int)blockIdx.x >= first{row}) {{ {chosen} first = first{row}; size = size{row}; }}")
    lines.append(f"const int begin = ((int)blockIdx.x - first) * {EACH_BLOCK};")
    return lines


EACH_OF_BLOCK = f"for (int i = begin + threadIdx.x; i < begin + {EACH_BLOCK} && i < size; i += blockDim.x) {{"


@lru_cache(maxsize=256)
def written_out(arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int) -> str:
    """A formula as a kernel for so many rows of arrays."""
    lines = by_rows("update", arguments, len(results), rows, [f"double c{i}" for i in range(constants)])
    lines.append(EACH_OF_BLOCK)
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


# What is done with all arrays of a launch beside formulas: further parameters, and the rest of the kernel. Sums of squares are made in float64, since
# the square of a float32 above 1.8e19 is no float32.
PASSES = {
    "unscale": (
        ("const float* inverse", "float* found"),
        ("__shared__ A slots[32];", "const A factor = (A)*inverse;", "A bad = 0;", EACH_OF_BLOCK, "const A value = wide(x0[i]);",
         "if (value - value != 0) bad = 1;", "x0[i] = narrow(value * factor);", "}", "bad = block_max(bad, slots);",
         "if (threadIdx.x == 0) found[blockIdx.x] = (float)bad;", "}"),
    ),
    "scale": (("const double* number",), ("const A factor = (A)*number;", EACH_OF_BLOCK, "x0[i] = narrow(wide(x0[i]) * factor);", "}", "}")),
    "squares": (
        ("double* parts",),
        ("__shared__ double slots[32];", "double sum = 0;", EACH_OF_BLOCK, "const double value = wide(x0[i]);", "sum += value * value;", "}",
         "sum = block_sum(sum, slots);", "if (threadIdx.x == 0) parts[blockIdx.x] = sum;", "}"),
    ),
}  # fmt: skip


def pass_written_out(name: str, rows: int) -> str:
    """The kernel that does this with so many arrays."""
    parameters, body = PASSES[name]
    return "\n".join([*by_rows(name, 1, int(name != "squares"), rows, [*parameters]), *body])


@lru_cache(maxsize=256)
def passing(name: str, kind: str, rows: int) -> Any:
    return module((SOURCES / "common.h").read_text() + pass_written_out(name, rows), kind).get_function(name)


@lru_cache(maxsize=256)
def updating(
    kind: str, arguments: int, steps: tuple[formulas.Step, ...], results: Ints, constants: int, rows: int
) -> Any:
    text = (SOURCES / "common.h").read_text() + written_out(arguments, steps, results, constants, rows)
    return module(text, kind).get_function("update")


def rows_at_once(arguments: int, others: int) -> int:
    """How many rows of so many arrays a launch takes, with other arguments of 8 bytes."""
    return max(1, min(MOST_ROWS, (MOST_BYTES - 8 * others) // (8 * arguments + 8)))


def blocks_of(sizes: list[int]) -> tuple[int, list[int]]:
    """How many blocks arrays of these sizes take, and for each array its first block and its size."""
    firsts = [0, *accumulate([-(-size // EACH_BLOCK) for size in sizes])]
    return firsts[-1], [n for place in zip(firsts, sizes, strict=False) for n in place]


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
        at_once = rows_at_once(arguments, len(notes.constants))
        for i in range(0, len(alike), at_once):
            some = alike[i : i + at_once]
            blocks, places = blocks_of([row[0].size for row in some])
            values = [*[x for row in some for x in row], *places, *[float(c) for c in notes.constants]]
            run = updating(kind, arguments, tuple(notes.steps), results, len(notes.constants), len(some))
            run((blocks,), (THREADS,), tuple([argument(v) for v in values]))


def pass_over(name: str, arrays: Sequence[Array], *numbers: Array, gives: str = "") -> list[Array]:
    """Starts one of the passes over contiguous arrays, a launch for many of one dtype; gives what each block found, of the dtype `gives`."""
    waiting: dict[str, list[Array]] = {}
    found = []
    for x in arrays:
        waiting.setdefault(x.dtype.name, []).append(x)
    for kind, alike in waiting.items():
        at_once = rows_at_once(1, 2)
        for i in range(0, len(alike), at_once):
            some = alike[i : i + at_once]
            blocks, places = blocks_of([x.size for x in some])
            results = [empty(some[0], (blocks,), gives)] if gives else []
            values = [*some, *places, *numbers, *results]
            passing(name, kind, len(some))((blocks,), (THREADS,), tuple([argument(v) for v in values]))
            found += results
    return found


def changeable(x: Array) -> bool:
    """Can a pass write into this array?"""
    return bool(fits(x) and x.flags.c_contiguous)


def unscale(arrays: list[Array], inverse: Array) -> Array:
    """Multiplies arrays by a number without axes, in place; gives 1 if one had an element that is infinite or NaN, else 0, as float32 on the device."""
    found = pass_over("unscale", [x for x in arrays if changeable(x)], inverse, gives="float32")
    found += [reference.unscale([x], inverse).reshape(1) for x in arrays if x.size and not changeable(x)]
    m = xp(inverse)
    return (m.concatenate(found) if len(found) > 1 else found[0]).max() if found else m.zeros((), "float32")


def scale(arrays: Sequence[Array], number: Array) -> None:
    """Multiplies arrays by a number without axes, in place."""
    pass_over("scale", [x for x in arrays if changeable(x)], number.astype("float64"))
    for x in arrays:
        if not changeable(x):
            x *= number.astype(x.dtype)


def total_of_squares(arrays: Sequence[Array]) -> Array:
    """The sum of the squares of all elements, in float64, on the device."""
    m = xp(arrays[0])
    found = pass_over("squares", [packed(x) for x in arrays if fits(x)], gives="float64")
    found += [m.square(x.astype("float64")).sum().reshape(1) for x in arrays if x.size and not fits(x)]
    return (m.concatenate(found) if len(found) > 1 else found[0]).sum() if found else m.zeros(())


def sum_of_squares(arrays: Sequence[Array]) -> float:
    """The sum of the squares of all elements, computed in float64. The host waits for it."""
    return float(total_of_squares(arrays)) if arrays else 0.0
