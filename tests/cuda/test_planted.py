"""Classical bugs, planted in copies of the real kernels: the simulator must catch each of them, in the form of it that is said to.

The fast form finds what changes results or leaves the memory; the checking form also what happens to go well on the CPU.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from minigrad.kernels import driver, reference
from minigrad.kernels.geometry import Windows

from ..cudasim import standin
from ..cudasim.simulator import SimulationError
from .conftest import is_quick

QUICK = is_quick()
WINDOWS = Windows((9, 8), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))


class Bug(NamedTuple):
    """What is written in place of what in a source file, the kernel that shows it, and what the simulator says of it."""

    file: str
    right: str
    wrong: str
    shown_by: str
    said: str
    fast_too: bool


BUGS = {
    "no barrier after the tiles are filled": Bug("conv", "__syncthreads();  // FILL", "", "conv", "uninitialised|race", True),
    "no barrier before the tiles are filled again": Bug("conv", "__syncthreads();  // REUSE", "", "conv", "race|uninitialised", False),
    "a tile is read beyond its end": Bug("conv", "&left[k][my_row * TR + i]", "&left[k + 1][my_row * TR + i]", "conv", "out of bounds|uninitialised|race", False),
    "a vector is read where none begins": Bug("conv", "&right[k][my_column * 4", "&right[k][my_column * 4 + 1", "conv", "misaligned", False),
    "columns beyond the last are written": Bug("conv", "if (at >= columns) continue;", "", "conv", "out of bounds", True),
    "rows beyond the last are written": Bug("conv", "if (r >= rows) continue;", "", "conv", "out of bounds|race", True),
    "padding is read": Bug("conv", "const bool inside = ((unsigned)(d + tap.y) < (unsigned)in_d) & ((unsigned)(h + tap.z) < (unsigned)in_h) &", "const bool inside =", "conv", "out of bounds", False),
    "threads beyond the last element compute": Bug("pool", "EACH(i, planes * in_d * in_h * in_w)", "EACH(i, planes * in_d * in_h * in_w + 1)", "pool", "out of bounds", False),
    "several threads add to one place": Bug("pool", "if (indices[first + at] == me) sum += wide(g[first + at]);", "dx[first + at] = narrow(wide(dx[first + at]) + 1);", "pool", "race|out of bounds", False),
    "one slot for the sums of all warps": Bug("common", "if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;\n    __syncthreads();\n    S total", "if (threadIdx.x % 32 == 0) slots[0] = value;\n    __syncthreads();\n    S total", "norm", "race|uninitialised", True),
    "no barrier between two sums in the same slots": Bug("common", "__syncthreads();\n    if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;\n    __syncthreads();\n    S total", "if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;\n    __syncthreads();\n    S total", "norm", "race", False),
    "slots that no warp has written are added up": Bug("common", "for (int i = 0; i < (int)blockDim.x / 32; i++) total += slots[i];", "for (int i = 0; i < 32; i++) total += slots[i];", "norm", "uninitialised", True),
    "a barrier that not all threads reach": Bug("norm", "squares = block_sum(squares, slots);\n    const A variance", "if (threadIdx.x < 32) __syncthreads();\n    squares = block_sum(squares, slots);\n    const A variance", "norm", "barrier|race", True),
    "an exchange that not all lanes take part in": Bug("norm", "const A mean = sum / length;", "if (threadIdx.x % 2) sum = __shfl_xor_sync(0xffffffffu, sum, 1);\n    const A mean = sum / length;", "norm", "barrier", True),
}  # fmt: skip


def shown(cuda: Any, name: str) -> None:
    """Runs a kernel on a geometry that shows the bug; AssertionError for a wrong result."""
    generator = np.random.default_rng(0)
    there = lambda x: driver.to_device(x, 0)  # noqa: E731
    if name == "conv":
        x, w, bias = (
            generator.integers(-3, 4, shape).astype("float32") for shape in ((3, 5, 9, 8), (70, 5, 3, 3), (70,))
        )
        got, expected = cuda.conv(there(x), there(w), there(bias), WINDOWS), reference.conv(x, w, bias, WINDOWS)
    elif name == "pool":
        x, g = (generator.integers(-3, 4, (2, 3, 9, 8)).astype("float32") for _ in range(2))
        _, indices = reference.max_pool(x, WINDOWS)
        got, expected = (
            cuda.pool_scatter(there(g), there(indices), (9, 8), WINDOWS),
            reference.pool_scatter(g, indices, (9, 8)),
        )
    else:
        x = generator.integers(-3, 4, (4, 300)).astype("float32")
        got, expected = (
            cuda.row_norm(there(x), None, None, 1, True, 1e-3)[0],
            reference.row_norm(x, None, None, 1, True, 1e-3)[0],
        )
    np.testing.assert_allclose(driver.to_host(got), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BUGS)
@pytest.mark.parametrize("mode", ["fast", "check"])
def test_a_planted_bug_is_caught(name: str, mode: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrad.kernels import cuda
    from minigrad.kernels.cuda import launch

    bug = BUGS[name]
    if mode == "fast" and not bug.fast_too:
        pytest.skip("only the checking form finds it for certain")
    if mode == "fast" and QUICK:
        pytest.skip("in other profiles")
    original = launch.source

    def planted(file: str) -> str:
        text = original(file)
        if bug.file in (file, "common") and file == {"conv": "conv", "pool": "pool", "norm": "norm"}[bug.shown_by]:
            assert bug.right in text, "the bug has no place in the kernel any more"
            return text.replace(bug.right, bug.wrong)
        return text

    monkeypatch.setattr(launch, "source", planted)
    monkeypatch.setattr(standin.settings, "mode", mode)
    monkeypatch.setattr(standin.settings, "alone", True)  # compiling the other kernels takes time
    launch.kernel.cache_clear()
    try:
        if mode == "check":
            with pytest.raises(SimulationError, match=bug.said):
                shown(cuda, bug.shown_by)
        else:
            with pytest.raises((SimulationError, AssertionError)):
                shown(cuda, bug.shown_by)
    finally:
        launch.kernel.cache_clear()


@pytest.mark.parametrize("name", ["conv", "pool", "norm"])
@pytest.mark.parametrize("mode", ["fast", "check"])
def test_without_a_bug_nothing_is_caught(name: str, mode: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from minigrad.kernels import cuda

    monkeypatch.setattr(standin.settings, "mode", mode)
    shown(cuda, name)
