"""The functions of vectors by themselves, under the sanitizer of undefined behaviour where the compiler has it."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

CSRC = Path(__file__).parents[2] / "minigrad" / "_ext" / "csrc"
NUMBERS = np.array([0, 1, 2, 2 / 3, 0.5, 1e-30, 1e-40, 3e38, np.inf, np.nan])


@pytest.mark.parametrize("type", ["float", "double"])
def test_special_numbers_leave_nothing_undefined(type: str, tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not CSRC.is_dir():
        pytest.skip("there is no compiler, or the sources are not here")
    kind = [f"-DREAL={type}", f"-DREAL_BYTES={4 if type == 'float' else 8}", "-DISA=baseline"]
    options = ["-std=gnu11", "-O1", "-w", "-fsanitize=undefined", "-fno-sanitize-recover", "-fno-math-errno", "-fno-trapping-math", f"-I{CSRC}", *kind]
    built = subprocess.run([compiler, *options, str(Path(__file__).with_name("vmath.c")), "-o", str(tmp_path / "vmath"), "-lm"], capture_output=True, text=True, check=False)
    if built.returncode and "ubsan" in built.stderr:
        pytest.skip("the compiler has no sanitizer of undefined behaviour")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([tmp_path / "vmath"], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    found = np.array([line.split() for line in done.stdout.splitlines()], float).T
    x = np.concatenate([NUMBERS, -NUMBERS]).astype(np.float32 if type == "float" else float).astype(float)
    with np.errstate(all="ignore"):
        exact = [np.log(x), np.log1p(np.abs(x)), np.exp(x), np.expm1(x), np.tanh(x), np.array([math.erf(v) for v in x]), 1 / (1 + np.exp(-x))]
    for got, expected in zip(found, exact, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-38)
